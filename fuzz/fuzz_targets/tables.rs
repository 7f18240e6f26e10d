#![no_main]

#[expect(dead_code, reason = "a test's module; its inputs are the first of the corpus")]
#[path = "../../crates/import/tests/regressions/tables.rs"]
mod tables;

thread_local! {
    /// Of the kind that TABLE names, else of all.
    static TABLES: tables::Tables = {
        let only = std::env::var("TABLE").ok();
        tables::Tables::of(|kind| only.as_ref().is_none_or(|only| only == kind))
    };
}

libfuzzer_sys::fuzz_target!(
    init: {
        // Parsers of others may panic: that is caught. Nothing of ours may, nor may theirs where it is not.
        let before = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            let is_of_others = info.location().is_some_and(|place| place.file().contains("/registry/src/"));
            if !is_of_others {
                before(info);
            }
        }));
    },
    |bytes: &[u8]| {
        TABLES.with(|tables| tables.check(bytes));
    }
);
