#![no_main]

#[path = "../../crates/format/tests/regressions/bundle.rs"]
mod bundle;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    bundle::check(bytes);
});
