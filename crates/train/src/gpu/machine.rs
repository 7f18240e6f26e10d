//! What runs the kernels.

use std::fmt::Debug;

use super::{Program, Real};
use crate::Result;

/// One launch of a kernel of [`super::KERNELS`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Launch {
    /// Its name.
    pub kernel: &'static str,
    /// Blocks in a row.
    pub blocks: u32,
    /// Threads of a block.
    pub threads: u32,
    /// Where in the table its arguments begin.
    pub at: i32,
    /// It is part of the updates whose number this divides.
    pub every: u64,
}

impl Launch {
    /// Is it part of update number `step`?
    pub fn is_part_of(&self, step: u64) -> bool {
        step.is_multiple_of(self.every)
    }
}

/// A GPU, or what stands for one. Everything happens in order.
pub trait Machine: Debug {
    /// What it computes in.
    type Real: Real;
    /// Rows of a dataset in its memory.
    type Rows: Debug;

    /// Room for so many numbers, zero.
    ///
    /// # Errors
    /// [`crate::Error::Gpu`], as of all here: when memory runs out or the machine fails.
    fn rows(&self, numbers: usize) -> Result<Self::Rows>;

    /// Write into rows.
    ///
    /// # Errors
    /// As of [`Self::rows`].
    fn write_rows(&self, rows: &mut Self::Rows, at: usize, numbers: &[Self::Real]) -> Result<()>;

    /// Get ready for a program on these rows, which outlive it: its memory is zero, its table is in place.
    ///
    /// # Errors
    /// As of [`Self::rows`].
    fn load(&mut self, program: &Program, rows: &Self::Rows) -> Result<()>;

    /// Write into the arena.
    ///
    /// # Errors
    /// As of [`Self::rows`].
    fn write(&mut self, at: usize, numbers: &[Self::Real]) -> Result<()>;

    /// Wait, then read from the arena.
    ///
    /// # Errors
    /// As of [`Self::rows`].
    fn read(&self, at: usize, numbers: &mut [Self::Real]) -> Result<()>;

    /// Write the feed's first numbers.
    ///
    /// # Errors
    /// As of [`Self::rows`].
    fn feed(&mut self, numbers: &[i32]) -> Result<()>;

    /// Run so many updates, the first of which is number `step`: the launches that are part of each. Does not wait.
    ///
    /// # Errors
    /// As of [`Self::rows`].
    fn run(&mut self, step: u64, times: usize) -> Result<()>;

    /// Seconds of one launch of the program's (by its place), of so many one after the other.
    ///
    /// # Errors
    /// As of [`Self::rows`].
    fn time(&mut self, launch: usize, times: usize) -> Result<f64>;
}
