//! Tables and learning curves of what `make reproduce` ran.

mod cell;
mod curves;
mod page;
mod reference;

pub use cell::Cell;
pub use curves::figure;
pub use page::{of_task, page, tasks};
pub use reference::Reference;
