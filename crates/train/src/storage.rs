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
    pub fn get<'s, T: WithDType>(&'s self) -> Result<Vec<&'s [T]>> {
        let slice = |(storage, layout): &'s (StorageRef<'a>, &'a Layout)| {
            let place = layout.contiguous_offsets();
            let (start, end) = place.ok_or_else(|| Error::Msg("the host path needs contiguous tensors".into()))?;
            match &**storage {
                Storage::Cpu(storage) => Ok(&storage.as_slice::<T>()?[start..end]),
                _ => Err(Error::Msg("the host path needs tensors on the CPU".into())),
            }
        };
        self.0.iter().map(slice).collect()
    }
}
