//! What executes a graph. An engine is given checked inputs and is not trusted with its outputs.

#[cfg(feature = "onnxruntime")]
mod library;
mod native;
#[cfg(feature = "onnxruntime")]
mod onnxruntime;

use alloc::borrow::ToOwned;
use alloc::string::String;

use omiga_format::onnx::{GraphForm, Model};

use crate::{EngineKind, Error, LoadOptions, Result, StepError, WeightFormat};

pub(crate) use native::{Found, MOST_TOGETHER, Memory as NativeMemory, Native, Place, Pool, run_layer};

/// Most numbers in all buffers of a policy: what the transforms of the widest observation, 65,536 fields, need, and half as
/// much again. A few bytes of a file are enough to ask for them.
const MAX_BUFFER: usize = 1 << 20;

/// The widths and the kind of a policy, and what its graph takes and gives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Signature {
    pub(crate) obs_dim: usize,
    pub(crate) action_dim: usize,
    pub(crate) discrete: bool,
    pub(crate) form: GraphForm,
}

/// A loaded graph.
#[derive(Debug)]
pub(crate) enum Engine {
    Native(Native),
    #[cfg(feature = "onnxruntime")]
    OnnxRuntime(onnxruntime::OnnxRuntime),
}

/// What a run of an engine writes to; one a stream of observations.
#[derive(Clone, Debug)]
pub(crate) enum Memory {
    Native(NativeMemory),
    #[cfg(feature = "onnxruntime")]
    OnnxRuntime(onnxruntime::Memory),
}

impl Memory {
    /// The native engine's.
    #[inline]
    pub(crate) fn native(&mut self) -> Option<&mut NativeMemory> {
        match self {
            Self::Native(memory) => Some(memory),
            #[cfg(feature = "onnxruntime")]
            Self::OnnxRuntime(_) => None,
        }
    }
}

impl Engine {
    /// Load the policy `name`: `model` is what `bytes` hold.
    pub(crate) fn load(
        name: &str,
        bytes: &[u8],
        model: &Model,
        options: &LoadOptions,
        pool: &mut Pool,
    ) -> Result<Self> {
        match options.engine.if_built()? {
            EngineKind::Native => Ok(Self::Native(Native::compile(name, model, options, pool)?)),
            #[cfg(feature = "onnxruntime")]
            EngineKind::OnnxRuntime => {
                let library = options.onnxruntime_library.as_deref();
                Ok(Self::OnnxRuntime(onnxruntime::OnnxRuntime::load(name, bytes, library)?))
            }
            #[cfg(not(feature = "onnxruntime"))]
            EngineKind::OnnxRuntime => {
                let _ = bytes;
                Err(Error::EngineNotBuilt { engine: EngineKind::OnnxRuntime, feature: "onnxruntime" })
            }
        }
    }

    pub(crate) fn signature(&self) -> Signature {
        match self {
            Self::Native(engine) => engine.signature(),
            #[cfg(feature = "onnxruntime")]
            Self::OnnxRuntime(engine) => engine.signature(),
        }
    }

    /// The native engine, if it is that.
    #[inline]
    pub(crate) fn native(&self) -> Option<&Native> {
        match self {
            Self::Native(engine) => Some(engine),
            #[cfg(feature = "onnxruntime")]
            Self::OnnxRuntime(_) => None,
        }
    }

    /// The engine and what it runs on, for reports.
    pub(crate) fn describe(&self) -> String {
        match self {
            Self::Native(engine) => match engine.weights() {
                WeightFormat::F32 => format!("native, {}", engine.isa()),
                format => format!("native, {}, {format}", engine.isa()),
            },
            #[cfg(feature = "onnxruntime")]
            Self::OnnxRuntime(_) => String::from("onnxruntime"),
        }
    }

    /// Memory for a stream.
    pub(crate) fn memory(&self) -> Memory {
        match self {
            Self::Native(engine) => Memory::Native(engine.memory()),
            #[cfg(feature = "onnxruntime")]
            Self::OnnxRuntime(_) => Memory::OnnxRuntime(onnxruntime::Memory::default()),
        }
    }

    /// Run the graph on this engine's memory; the widths of `obs` and `mask` (empty if continuous) are those of the
    /// signature. The action (continuous) or the logits, and the choice as the graph gave it (discrete).
    ///
    /// # Errors
    /// [`StepError::Engine`].
    #[inline]
    pub(crate) fn run<'a>(
        &self,
        memory: &'a mut Memory,
        obs: &[f32],
        mask: &[bool],
    ) -> Result<(&'a [f32], i64), StepError> {
        match (self, memory) {
            (Self::Native(engine), Memory::Native(memory)) => engine.run(memory, obs, mask).ok_or(StepError::Engine),
            #[cfg(feature = "onnxruntime")]
            (Self::OnnxRuntime(engine), Memory::OnnxRuntime(memory)) => engine.run(memory, obs, mask),
            #[cfg(feature = "onnxruntime")]
            _ => Err(StepError::Engine),
        }
    }
}

/// A fixed batch, if it is one that a policy has.
fn batch(policy: &str, rows: Option<usize>) -> Result<Option<u32>> {
    let fixed = |rows| u32::try_from(rows).ok().filter(|rows| *rows <= GraphForm::MAX_BATCH);
    let limit = GraphForm::MAX_BATCH as usize;
    let too_large = |found| Error::TooLarge { policy: policy.to_owned(), what: "batch", found, limit };
    rows.map(|rows| fixed(rows).ok_or_else(|| too_large(rows))).transpose()
}

/// Any observation that is not constant, for the first runs.
pub(crate) fn probe(width: usize) -> impl Iterator<Item = f32> {
    (0..7_u8).map(|i| (f32::from(i) - 3.0) / 8.0).cycle().take(width)
}

/// Those that the native engine runs, for people.
pub(crate) fn operators() -> String {
    omiga_format::onnx::Op::ALL.map(omiga_format::onnx::Op::name).join(", ")
}
