#![no_main]

#[path = "../../crates/format/tests/regressions/budget.rs"]
mod budget;
#[path = "../../crates/runtime/tests/regressions/onnx.rs"]
mod onnx;

use libfuzzer_sys::{fuzz_mutator, fuzz_target, fuzzer_mutate};

fuzz_target!(|bytes: &[u8]| {
    budget::within(4, bytes, onnx::check);
});

// Every other change is one of the graph: of bytes alone few leave a file whose lengths still fit.
fuzz_mutator!(|data: &mut [u8], size: usize, max_size: usize, seed: u32| {
    match omiga_fuzz::change_model(&data[..size], seed).filter(|new| new.len() <= max_size) {
        Some(new) => omiga_fuzz::put(data, &new),
        None => fuzzer_mutate(data, size, max_size),
    }
});
