#![no_main]

#[path = "../../crates/format/tests/regressions/budget.rs"]
mod budget;
#[path = "../../crates/format/tests/regressions/checkpoint.rs"]
mod checkpoint;

use libfuzzer_sys::{fuzz_mutator, fuzz_target, fuzzer_mutate};

fuzz_target!(|bytes: &[u8]| {
    budget::within(100, bytes, checkpoint::check);
});

// Every other change is one of the header or of the text in it, whose lengths are then made right again.
fuzz_mutator!(|data: &mut [u8], size: usize, max_size: usize, seed: u32| {
    match omiga_fuzz::change_tensors(&data[..size], seed).filter(|new| new.len() <= max_size) {
        Some(new) => omiga_fuzz::put(data, &new),
        None => fuzzer_mutate(data, size, max_size),
    }
});
