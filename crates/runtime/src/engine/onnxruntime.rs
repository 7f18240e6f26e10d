//! The second engine: ONNX Runtime, for any ONNX file. It allocates in every step.

use std::fmt;
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use omiga_format::onnx::{ACTION, LOGITS};
use ort::logging::LogLevel;
use ort::session::{Session, SessionInputValue};
use ort::value::{Outlet, TensorElementType, TensorRef};

use super::{MAX_BUFFER, Signature, library};
use crate::{Error, Result, StepError};

/// A session. It is one at a time's: streams that share it wait for each other.
pub(crate) struct OnnxRuntime {
    session: Mutex<Session>,
    signature: Signature,
    /// Name and shape of the observation.
    obs: (String, Vec<i64>),
    /// Name and shape of the action mask.
    mask: Option<(String, Vec<i64>)>,
    /// Places of the two outputs that are read.
    action_at: usize,
    logits_at: usize,
}

/// What a run gave.
#[derive(Clone, Debug, Default)]
pub(crate) struct Memory {
    /// The action, or the logits.
    row: Vec<f32>,
    choice: i64,
}

impl fmt::Debug for OnnxRuntime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OnnxRuntime").field("signature", &self.signature).finish_non_exhaustive()
    }
}

impl OnnxRuntime {
    /// Load the policy `name` with one thread that sleeps when it waits.
    pub(crate) fn load(name: &str, bytes: &[u8], library: Option<&Path>) -> Result<Self> {
        let environment = library::environment(library)?;
        let refuse = |e: ort::Error| Error::OnnxRuntime { policy: name.to_owned(), reason: e.to_string() };
        let session = session(&environment, bytes).map_err(refuse)?;
        let obs = required_input(name, &session)?;
        let mask = find_input(&session, TensorElementType::Bool);
        let fed = 1 + usize::from(mask.is_some());
        if session.inputs().len() != fed {
            let found = format!("{:?}", session.inputs().iter().map(Outlet::name).collect::<Vec<_>>());
            return interface(name, "list of inputs", "an f32 observation and at most one bool mask", found);
        }
        let named = |wanted: &str| session.outputs().iter().position(|o| o.name() == wanted);
        let action_at = named(ACTION).unwrap_or(0);
        let logits_at = named(LOGITS).unwrap_or(usize::from(action_at == 0));
        let (obs_dim, mask_dim) = (width(&obs.1), mask.as_ref().map_or(0, |mask| width(&mask.1)));
        for (what, found) in [("width of the observation", obs_dim), ("width of the mask", mask_dim)] {
            if found > MAX_BUFFER {
                return Err(Error::TooLarge { policy: name.to_owned(), what, found, limit: MAX_BUFFER });
            }
        }
        let signature = Signature { obs_dim, action_dim: 0, discrete: mask.is_some() };
        let mut engine = Self { session: Mutex::new(session), signature, obs, mask, action_at, logits_at };
        // The sizes of the outputs are known for certain only when there are some.
        let available = vec![true; mask_dim];
        let probe: Vec<f32> = super::probe(obs_dim).collect();
        let mut memory = Memory::default();
        engine.try_run(&mut memory, &probe, &available).map_err(refuse)?;
        engine.signature.action_dim = if signature.discrete { available.len() } else { memory.row.len() };
        match memory.row.len() == engine.signature.action_dim && !memory.row.is_empty() {
            true => Ok(engine),
            false => {
                let expected = format!("{} values", engine.signature.action_dim.max(1));
                interface(name, "output", &expected, memory.row.len().to_string())
            }
        }
    }

    pub(crate) fn signature(&self) -> Signature {
        self.signature
    }

    pub(crate) fn run<'a>(
        &self,
        memory: &'a mut Memory,
        obs: &[f32],
        mask: &[bool],
    ) -> Result<(&'a [f32], i64), StepError> {
        self.try_run(memory, obs, mask).map_err(|_| StepError::Engine)?;
        match memory.row.len() == self.signature.action_dim {
            true => Ok((&memory.row, memory.choice)),
            false => Err(StepError::Engine),
        }
    }

    fn try_run(&self, memory: &mut Memory, obs: &[f32], mask: &[bool]) -> ort::Result<()> {
        let obs = TensorRef::from_array_view((&self.obs.1[..], obs))?;
        let mut inputs: Vec<(&str, SessionInputValue<'_>)> = vec![(&self.obs.0, obs.into())];
        if let Some((name, shape)) = &self.mask {
            inputs.push((name, TensorRef::from_array_view((&shape[..], mask))?.into()));
        }
        // A panic elsewhere leaves no half-written session: it is only ever run.
        let mut session = self.session.lock().unwrap_or_else(PoisonError::into_inner);
        let outputs = session.run(inputs)?;
        let output = |at: usize| outputs.values().nth(at).ok_or_else(|| ort::Error::new("an output is missing"));
        let action = output(self.action_at)?;
        if !self.signature.discrete {
            replace(&mut memory.row, action.try_extract_tensor::<f32>()?.1);
            return Ok(());
        }
        memory.choice = match *action.try_extract_tensor::<i64>()?.1 {
            [choice] => choice,
            ref other => return Err(ort::Error::new(format!("the action has {} values, expected 1", other.len()))),
        };
        replace(&mut memory.row, output(self.logits_at)?.try_extract_tensor::<f32>()?.1);
        Ok(())
    }
}

fn replace(buffer: &mut Vec<f32>, row: &[f32]) {
    buffer.clear();
    buffer.extend_from_slice(row);
}

fn session(environment: &ort::environment::Environment, bytes: &[u8]) -> ort::Result<Session> {
    Session::builder(environment)?
        .with_intra_threads(1)?
        .with_inter_threads(1)?
        .with_intra_op_spinning(false)?
        .with_inter_op_spinning(false)?
        .with_log_level(LogLevel::Fatal)?
        .commit_from_memory(bytes)
}

/// The first input of these elements, its unknown sizes 1.
fn find_input(session: &Session, of: TensorElementType) -> Option<(String, Vec<i64>)> {
    let input = session.inputs().iter().find(|i| i.dtype().tensor_type() == Some(of))?;
    let shape = input.dtype().tensor_shape()?.iter().map(|d| if *d < 0 { 1 } else { *d }).collect();
    Some((input.name().to_owned(), shape))
}

/// The observation: only its last size may be other than 1, and it must be known.
fn required_input(policy: &str, session: &Session) -> Result<(String, Vec<i64>)> {
    let of = TensorElementType::Float32;
    let declared = session.inputs().iter().find(|i| i.dtype().tensor_type() == Some(of)).map(|i| i.dtype());
    let last = declared.and_then(|d| d.tensor_shape()).and_then(|s| s.last().copied());
    let found = || format!("{declared:?}");
    match find_input(session, of) {
        Some((name, shape)) if last.is_some_and(|n| n > 0) && shape.iter().rev().skip(1).all(|n| *n == 1) => {
            Ok((name, shape))
        }
        _ => interface(policy, "observation", "an f32 input of shape [batch, width]", found()),
    }
}

/// The last size of an input.
fn width(shape: &[i64]) -> usize {
    shape.last().and_then(|n| usize::try_from(*n).ok()).unwrap_or(0)
}

fn interface<T>(policy: &str, what: &str, expected: &str, found: String) -> Result<T> {
    Err(Error::Interface { policy: policy.to_owned(), what: what.to_owned(), expected: expected.to_owned(), found })
}
