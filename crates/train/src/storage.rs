//! Typed views of candle's CPU storage.

use candle_core::{Error, Layout, Result, Storage, StorageRef, Tensor, WithDType};

/// Contiguous tensors on the CPU, locked for reading.
pub struct Slices<'a>(Vec<(StorageRef<'a>, &'a Layout)>);

impl<'a> Slices<'a> {
    /// Lock them.
    pub fn of(tensors: &'a [Tensor]) -> Self {
        Self(tensors.iter().map(Tensor::storage_and_layout).collect())
    }

    /// Their elements, row by row.
    ///
    /// # Errors
    /// When one is not contiguous, not on the CPU or of another type.
    pub fn get<T: WithDType>(&self) -> Result<Vec<&[T]>> {
        let slice = |(storage, layout): &'_ (StorageRef<'a>, &'a Layout)| -> Result<(usize, usize)> {
            let _ = storage;
            layout.contiguous_offsets().ok_or_else(|| Error::Msg("the host path needs contiguous tensors".into()))
        };
        let mut all = Vec::with_capacity(self.0.len());
        for locked in &self.0 {
            let (start, end) = slice(locked)?;
            match &*locked.0 {
                Storage::Cpu(storage) => all.push(&storage.as_slice::<T>()?[start..end]),
                _ => return Err(Error::Msg("the host path needs tensors on the CPU".into())),
            }
        }
        Ok(all)
    }
}
