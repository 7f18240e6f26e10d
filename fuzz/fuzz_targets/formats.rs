#![no_main]

#[expect(dead_code, reason = "a test's module; of its inputs the first of the corpus are made")]
#[path = "../../crates/dataset/tests/regressions/formats.rs"]
mod formats;

thread_local! {
    static COPIES: formats::Copies = formats::Copies::new();
}

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    COPIES.with(|copies| copies.check(bytes));
});
