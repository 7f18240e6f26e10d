//! A bundle on a microcontroller: loaded from the program's own memory, tested against its golden vectors, stepped and
//! guarded. The same program runs on the board and where it is built, and must say the same.
#![cfg_attr(target_os = "none", no_std, no_main)]

extern crate alloc;

#[cfg(target_os = "none")]
#[path = "board.rs"]
mod machine;
#[cfg(not(target_os = "none"))]
#[path = "desk.rs"]
mod machine;

mod exercise;
mod guarded;
mod heap;

#[cfg(not(target_os = "none"))]
fn main() -> std::process::ExitCode {
    machine::main()
}
