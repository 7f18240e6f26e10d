#![no_main]

#[path = "../../crates/format/tests/regressions/budget.rs"]
mod budget;
#[path = "../../crates/format/tests/regressions/bundle.rs"]
mod bundle;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    budget::within(100, bytes, bundle::check);
});
