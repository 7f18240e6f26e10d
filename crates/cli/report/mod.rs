//! The tables of what `make reproduce` ran.

mod cell;
mod page;
mod reference;

pub use cell::{Algorithm, Cell};
pub use page::{algorithms, of_task, page, tasks};
pub use reference::Reference;
