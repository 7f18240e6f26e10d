//! Where rows are kept while they are used: in memory or on disk, by index.

pub(crate) mod columns;
pub(crate) mod obs;
pub(crate) mod pages;
pub(crate) mod rows;
pub(crate) mod scratch;
pub(crate) mod state;
