//! What stands for an NVIDIA GPU in a build that knows none: it cannot be had.

use std::convert::Infallible;
use std::marker::PhantomData;

use candle_core::Device;

use super::machine::Machine;
use super::{Program, Real};
use crate::{Error, Result};

/// No GPU.
#[derive(Debug)]
pub struct Cuda<T>(Infallible, PhantomData<T>);

impl<T> Cuda<T> {
    /// Refused.
    ///
    /// # Errors
    /// Always.
    pub fn new(_: &Device) -> Result<Self> {
        Err(Error::Gpu { doing: "be used", reason: "this build has no CUDA; build with `--features cuda`".into() })
    }
}

impl<T: Real> Machine for Cuda<T> {
    type Real = T;
    type Rows = Infallible;

    fn rows(&self, _: usize) -> Result<Infallible> {
        match self.0 {}
    }

    fn write_rows(&self, rows: &mut Infallible, _: usize, _: &[T]) -> Result<()> {
        match *rows {}
    }

    fn load(&mut self, _: &Program, rows: &Infallible) -> Result<()> {
        match *rows {}
    }

    fn write(&mut self, _: usize, _: &[T]) -> Result<()> {
        match self.0 {}
    }

    fn read(&self, _: usize, _: &mut [T]) -> Result<()> {
        match self.0 {}
    }

    fn feed(&mut self, _: &[i32]) -> Result<()> {
        match self.0 {}
    }

    fn run(&mut self, _: u64, _: usize) -> Result<()> {
        match self.0 {}
    }

    fn time(&mut self, _: usize, _: usize) -> Result<f64> {
        match self.0 {}
    }
}
