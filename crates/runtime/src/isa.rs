//! What the native engine computes with.

use alloc::borrow::ToOwned;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::fmt;
use core::str::FromStr;

use crate::{Error, Result};

/// A set of vector instructions of the native engine.
///
/// # Determinism
/// A set gives the same bits on every machine, with every C library. Those with fused multiply-adds (all but
/// [`Self::Portable`]) give the same bits as one another, as every output is added up in the same order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Isa {
    /// Plain code, multiplication and addition rounded one after the other; everywhere. `portable`.
    Portable,
    /// NEON, on every 64-bit ARM. `neon`.
    Neon,
    /// AVX2, FMA and F16C, on x86-64. `avx2`.
    Avx2,
    /// AVX-512 (its foundation alone), on x86-64. `avx512`.
    Avx512,
}

impl fmt::Display for Isa {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Portable => "portable",
            Self::Neon => "neon",
            Self::Avx2 => "avx2",
            Self::Avx512 => "avx512",
        })
    }
}

impl FromStr for Isa {
    type Err = Error;

    /// # Errors
    /// [`Error::UnknownIsa`].
    fn from_str(name: &str) -> Result<Self> {
        let all = [Self::Portable, Self::Neon, Self::Avx2, Self::Avx512];
        let isa = all.into_iter().find(|isa| isa.to_string() == name);
        isa.ok_or_else(|| Error::UnknownIsa { found: name.to_owned() })
    }
}

/// How the native engine holds the weights of layers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum WeightFormat {
    /// As they are in the file. `f32`.
    #[default]
    F32,
    /// Rounded to 16 bits (IEEE 754's binary16), half the memory to read in every step: faster where a step waits for
    /// weights. Sums stay in f32; biases and the last few outputs of a layer (what is over a multiple of 16) too.
    /// Weights beyond 65504 are refused. `f16`.
    F16,
}

impl WeightFormat {
    /// What the self-test allows at least: weights of 16 bits are off by up to one part in 4096 each, and an action by
    /// what comes of it.
    pub(crate) fn tolerance(self) -> f32 {
        match self {
            Self::F32 => 0.0,
            Self::F16 => 5e-3,
        }
    }
}

impl fmt::Display for WeightFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::F32 => "f32",
            Self::F16 => "f16",
        })
    }
}

/// For people: `portable`, `avx2`.
pub(crate) fn names(isas: &[Isa]) -> String {
    isas.iter().map(|isa| format!("`{isa}`")).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instruction_sets_have_names() {
        for isa in [Isa::Portable, Isa::Neon, Isa::Avx2, Isa::Avx512] {
            assert_eq!(isa.to_string().parse::<Isa>().ok(), Some(isa));
        }
        let error = "AVX2".parse::<Isa>().map_err(|e| e.to_string());
        assert_eq!(error, Err("instruction set is `AVX2`, expected `portable`, `neon`, `avx2` or `avx512`".to_owned()));
    }
}
