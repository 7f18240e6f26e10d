#![no_main]

#[path = "../../crates/dataset/tests/regressions/hdf5.rs"]
mod hdf5;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    hdf5::check(bytes);
});
