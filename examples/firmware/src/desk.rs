//! The same program on the machine where it is built: what the board must say.

use std::alloc::System;
use std::fmt::{self, Write};
use std::process::ExitCode;

use crate::heap::Counting;

#[global_allocator]
pub static HEAP: Counting<System> = Counting::new(System);

pub fn main() -> ExitCode {
    match crate::exercise::run(&mut Terminal) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

struct Terminal;

impl Write for Terminal {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        print!("{text}");
        Ok(())
    }
}

/// Not measured here.
pub fn instructions(work: impl FnOnce()) -> Option<u32> {
    work();
    None
}

/// Not measured here.
pub fn stack(work: impl FnOnce()) -> Option<usize> {
    work();
    None
}
