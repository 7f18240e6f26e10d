//! Typed views of candle's CPU storage, for the fused operations.

use candle_core::{CpuStorage, Error, Layout, Result, WithDType};

/// The elements of a contiguous tensor.
pub fn elements<'a, T: WithDType>(storage: &'a CpuStorage, layout: &Layout) -> Result<&'a [T]> {
    let (start, end) = offsets(layout)?;
    Ok(&storage.as_slice::<T>()?[start..end])
}

/// The part of `all` that a contiguous tensor takes.
pub fn elements_mut<'a, T>(all: &'a mut [T], layout: &Layout) -> Result<&'a mut [T]> {
    let (start, end) = offsets(layout)?;
    Ok(&mut all[start..end])
}

fn offsets(layout: &Layout) -> Result<(usize, usize)> {
    layout.contiguous_offsets().ok_or_else(|| Error::Msg("a fused operation needs contiguous tensors".into()))
}
