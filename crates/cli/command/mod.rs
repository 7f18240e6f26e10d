//! One module a command.

mod bench;
mod collect;
mod completions;
mod eval;
mod export;
mod inspect;
mod man;
mod report;
mod train;
mod verify;

pub use bench::bench;
pub use collect::collect;
pub use completions::completions;
pub use eval::eval;
pub use export::export;
pub use inspect::inspect;
pub use man::man;
pub use report::report;
pub use train::train;
pub use verify::verify;
