#![no_main]

#[expect(dead_code, reason = "a test's module; its inputs are the first of the corpus")]
#[path = "../../crates/import/tests/regressions/tables.rs"]
mod tables;

thread_local! {
    /// Of the kind that TABLE names, else of all.
    static TABLES: tables::Tables = {
        pass_by_caught_panics();
        let only = std::env::var("TABLE").ok();
        tables::Tables::of(|kind| only.as_ref().is_none_or(|only| only == kind))
    };
}

/// Parsers of others may panic: that is caught. Nothing of ours may, nor may theirs where it is not.
fn pass_by_caught_panics() {
    let ends_all = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |info| {
        let is_of_others = info.location().is_some_and(|place| place.file().contains("/registry/src/"));
        if !is_of_others {
            ends_all(info);
        }
    }));
}

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    TABLES.with(|tables| tables.check(bytes));
});
