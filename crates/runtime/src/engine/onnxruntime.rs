//! The second engine: ONNX Runtime, for any ONNX file. It allocates in every step.

use std::fmt;
use std::path::Path;

use omiga_format::onnx::{ACTION, LOGITS};
use ort::logging::LogLevel;
use ort::session::{Session, SessionInputValue};
use ort::value::{Outlet, TensorElementType, TensorRef};

use super::{Signature, library};
use crate::{Error, Result, StepError};

/// A session and what it gave last.
pub(crate) struct OnnxRuntime {
    session: Session,
    signature: Signature,
    /// Name and shape of the observation.
    obs: (String, Vec<i64>),
    /// Name and shape of the action mask.
    mask: Option<(String, Vec<i64>)>,
    /// Places of the two outputs that are read.
    action_at: usize,
    logits_at: usize,
    action: Vec<f32>,
    choice: i64,
    logits: Vec<f32>,
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
        let obs_dim = width(&obs.1);
        let signature = Signature { obs_dim, action_dim: 0, discrete: mask.is_some() };
        let mut engine = Self {
            session,
            signature,
            obs,
            mask,
            action_at,
            logits_at,
            action: Vec::new(),
            choice: -1,
            logits: Vec::new(),
        };
        // The sizes of the outputs are known for certain only when there are some.
        let available = vec![true; engine.mask.as_ref().map_or(0, |m| width(&m.1))];
        let probe: Vec<f32> = super::probe(obs_dim).collect();
        engine.try_run(&probe, &available).map_err(refuse)?;
        engine.signature.action_dim = match signature.discrete {
            true => available.len(),
            false => engine.action.len(),
        };
        match engine.output_len() == engine.signature.action_dim && engine.signature.action_dim > 0 {
            true => Ok(engine),
            false => {
                let expected = format!("{} values", engine.signature.action_dim.max(1));
                interface(name, "output", &expected, engine.output_len().to_string())
            }
        }
    }

    pub(crate) fn signature(&self) -> Signature {
        self.signature
    }

    pub(crate) fn run(&mut self, obs: &[f32], mask: &[bool]) -> Result<(), StepError> {
        self.try_run(obs, mask).map_err(|_| StepError::Engine)?;
        match self.output_len() == self.signature.action_dim {
            true => Ok(()),
            false => Err(StepError::Engine),
        }
    }

    pub(crate) fn action(&self) -> &[f32] {
        &self.action
    }

    pub(crate) fn choice(&self) -> i64 {
        self.choice
    }

    pub(crate) fn logits(&self) -> &[f32] {
        &self.logits
    }

    fn output_len(&self) -> usize {
        if self.signature.discrete { self.logits.len() } else { self.action.len() }
    }

    fn try_run(&mut self, obs: &[f32], mask: &[bool]) -> ort::Result<()> {
        let obs = TensorRef::from_array_view((&self.obs.1[..], obs))?;
        let mut inputs: Vec<(&str, SessionInputValue<'_>)> = vec![(&self.obs.0, obs.into())];
        if let Some((name, shape)) = &self.mask {
            inputs.push((name, TensorRef::from_array_view((&shape[..], mask))?.into()));
        }
        let outputs = self.session.run(inputs)?;
        let output = |at: usize| outputs.values().nth(at).ok_or_else(|| ort::Error::new("an output is missing"));
        let action = output(self.action_at)?;
        if !self.signature.discrete {
            replace(&mut self.action, action.try_extract_tensor::<f32>()?.1);
            return Ok(());
        }
        self.choice = match *action.try_extract_tensor::<i64>()?.1 {
            [choice] => choice,
            ref other => return Err(ort::Error::new(format!("the action has {} values, expected 1", other.len()))),
        };
        replace(&mut self.logits, output(self.logits_at)?.try_extract_tensor::<f32>()?.1);
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
