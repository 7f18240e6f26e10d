//! One module a command.

mod bench;
mod collect;
pub mod eval;
mod export;
mod inspect;
mod report;
mod train;
mod verify;

pub use bench::bench;
pub use collect::collect;
pub use eval::eval;
pub use export::export;
pub use inspect::inspect;
pub use report::report;
pub use train::train;
pub use verify::verify;
