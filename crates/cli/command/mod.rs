//! One module a command.

mod bench;
mod collect;
mod completions;
mod convert;
mod eval;
mod export;
mod import;
mod inspect;
mod man;
mod node;
mod novelty;
mod place;
mod replay;
mod report;
mod run;
mod select;
mod sweep;
mod train;
mod verify;

pub use bench::{bench, native_times};
pub use collect::{collect, record};
pub use completions::completions;
pub use convert::convert;
pub use eval::{Match, RowSpec, Who, eval, play, table_of};
pub use export::{bundle_of, export};
pub use import::import;
pub use inspect::inspect;
pub use man::man;
pub use node::node;
pub use replay::replay;
pub use report::report;
pub use run::run;
pub use select::select;
pub use sweep::sweep;
pub use train::train;
pub use verify::verify;
