#![no_main]

#[expect(dead_code, reason = "a test's module; of its inputs the first of the corpus are made")]
#[path = "../../crates/dataset/tests/regressions/formats.rs"]
mod formats;

thread_local! {
    /// Of the format that FORMAT names, else of all.
    static COPIES: formats::Copies = {
        let only = std::env::var("FORMAT").ok();
        formats::Copies::of(|format| only.as_ref().is_none_or(|only| only == format))
    };
}

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    COPIES.with(|copies| copies.check(bytes));
});
