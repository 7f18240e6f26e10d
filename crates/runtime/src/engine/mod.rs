//! What executes a graph. An engine is given checked inputs and is not trusted with its outputs.

#[cfg(feature = "onnxruntime")]
mod library;
mod native;
#[cfg(feature = "onnxruntime")]
mod onnxruntime;

use omiga_format::onnx::Model;

use crate::{EngineKind, LoadOptions, Result, StepError};

/// The widths and the kind of a policy, batch of one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Signature {
    pub(crate) obs_dim: usize,
    pub(crate) action_dim: usize,
    pub(crate) discrete: bool,
}

/// A loaded graph and its buffers.
#[derive(Debug)]
pub(crate) enum Engine {
    Native(Box<native::Native>),
    #[cfg(feature = "onnxruntime")]
    OnnxRuntime(Box<onnxruntime::OnnxRuntime>),
}

impl Engine {
    /// Load the policy `name`: `model` is what `bytes` hold.
    pub(crate) fn load(name: &str, bytes: &[u8], model: &Model, options: &LoadOptions) -> Result<Self> {
        match options.engine.if_built()? {
            EngineKind::Native => Ok(Self::Native(Box::new(native::Native::compile(name, model)?))),
            #[cfg(feature = "onnxruntime")]
            EngineKind::OnnxRuntime => {
                let library = options.onnxruntime_library.as_deref();
                Ok(Self::OnnxRuntime(Box::new(onnxruntime::OnnxRuntime::load(name, bytes, library)?)))
            }
            #[cfg(not(feature = "onnxruntime"))]
            EngineKind::OnnxRuntime => {
                let _ = bytes;
                Err(crate::Error::EngineNotBuilt { engine: EngineKind::OnnxRuntime, feature: "onnxruntime" })
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

    /// Run the graph; the widths of `obs` and `mask` (empty if continuous) are those of the signature.
    #[inline]
    pub(crate) fn run(&mut self, obs: &[f32], mask: &[bool]) -> Result<(), StepError> {
        match self {
            Self::Native(engine) => engine.run(obs, mask),
            #[cfg(feature = "onnxruntime")]
            Self::OnnxRuntime(engine) => engine.run(obs, mask),
        }
    }

    /// The continuous action of the last run.
    #[inline]
    pub(crate) fn action(&self) -> &[f32] {
        match self {
            Self::Native(engine) => engine.action(),
            #[cfg(feature = "onnxruntime")]
            Self::OnnxRuntime(engine) => engine.action(),
        }
    }

    /// The choice of the last run, as the graph gave it.
    #[inline]
    pub(crate) fn choice(&self) -> i64 {
        match self {
            Self::Native(engine) => engine.choice(),
            #[cfg(feature = "onnxruntime")]
            Self::OnnxRuntime(engine) => engine.choice(),
        }
    }

    /// The logits of the last run.
    #[inline]
    pub(crate) fn logits(&self) -> &[f32] {
        match self {
            Self::Native(engine) => engine.logits(),
            #[cfg(feature = "onnxruntime")]
            Self::OnnxRuntime(engine) => engine.logits(),
        }
    }
}

/// Any observation that is not constant, for the first runs.
pub(crate) fn probe(width: usize) -> impl Iterator<Item = f32> {
    (0..7_u8).map(|i| (f32::from(i) - 3.0) / 8.0).cycle().take(width)
}
