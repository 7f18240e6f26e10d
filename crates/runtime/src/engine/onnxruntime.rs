//! The second engine: ONNX Runtime, for any ONNX file. It allocates in every step.

use std::borrow::Cow;
use std::fmt;
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use omiga_format::onnx::{ACTION, ACTION_MASK, GraphForm, LOGITS};
use ort::logging::LogLevel;
use ort::session::{Session, SessionInputValue};
use ort::value::{Outlet, TensorElementType, TensorRef};

use super::native::{arg_max, mask_as_numbers};
use super::{MAX_BUFFER, Signature, batch, library};
use crate::{Error, Result, StepError};

/// A session. It is one at a time's: streams that share it wait for each other.
pub(crate) struct OnnxRuntime {
    session: Mutex<Session>,
    signature: Signature,
    obs: Input,
    mask: Option<Input>,
    /// Places of the two outputs that are read.
    action_at: usize,
    logits_at: usize,
}

/// Name of an input, and the shape that it is given.
struct Input {
    name: String,
    shape: Vec<i64>,
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
        let (obs, rows) = observation(name, &session)?;
        let named = |input: &Outlet| input.name() == ACTION_MASK;
        let numbers = find_input(&session, TensorElementType::Float32, named);
        let float_mask = numbers.is_some();
        let mask = numbers.or_else(|| find_input(&session, TensorElementType::Bool, |_| true));
        let fed = 1 + usize::from(mask.is_some());
        if session.inputs().len() != fed {
            let found = format!("{:?}", session.inputs().iter().map(Outlet::name).collect::<Vec<_>>());
            return interface(name, "list of inputs", "an f32 observation and at most one action mask", found);
        }
        let named = |wanted: &str| session.outputs().iter().position(|o| o.name() == wanted);
        let action_at = named(ACTION).unwrap_or(0);
        let logits_at = named(LOGITS).unwrap_or(usize::from(action_at == 0));
        let logits_only = mask.is_some() && session.outputs().len() == 1 && named(LOGITS).is_some();
        let (obs_dim, mask_dim) = (obs.width(), mask.as_ref().map_or(0, Input::width));
        let form = GraphForm { batch: batch(name, rows)?, float_mask, logits_only };
        for (what, found) in [("width of the observation", obs_dim), ("width of the mask", mask_dim)] {
            let limit = MAX_BUFFER / rows.unwrap_or(1);
            if found > limit {
                return Err(Error::TooLarge { policy: name.to_owned(), what, found, limit });
            }
        }
        let signature = Signature { obs_dim, action_dim: 0, discrete: mask.is_some(), form };
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

    /// Of a fixed batch all rows are the same, and the first one is the answer.
    fn try_run(&self, memory: &mut Memory, obs: &[f32], mask: &[bool]) -> ort::Result<()> {
        let form = self.signature.form;
        let rows = form.batch.map_or(1, |rows| rows as usize);
        let (obs, bools) = (in_rows(obs, rows), in_rows(mask, rows));
        let mut numbers = vec![0.0; if form.float_mask { bools.len() } else { 0 }];
        mask_as_numbers(&bools, &mut numbers);
        let mut inputs: Vec<(&str, SessionInputValue<'_>)> =
            vec![(&self.obs.name, TensorRef::from_array_view((&self.obs.shape[..], &obs[..]))?.into())];
        if let Some(Input { name, shape }) = &self.mask {
            let mask = match form.float_mask {
                true => TensorRef::from_array_view((&shape[..], &numbers[..]))?.into(),
                false => TensorRef::from_array_view((&shape[..], &bools[..]))?.into(),
            };
            inputs.push((name, mask));
        }
        // A panic elsewhere leaves no half-written session: it is only ever run.
        let mut session = self.session.lock().unwrap_or_else(PoisonError::into_inner);
        let outputs = session.run(inputs)?;
        let output = |at: usize| outputs.values().nth(at).ok_or_else(|| ort::Error::new("an output is missing"));
        let action = output(self.action_at)?;
        if !self.signature.discrete {
            return replace(&mut memory.row, action.try_extract_tensor::<f32>()?.1, rows);
        }
        replace(&mut memory.row, output(self.logits_at)?.try_extract_tensor::<f32>()?.1, rows)?;
        memory.choice = match form.logits_only {
            true => arg_max(&memory.row),
            false => match *action.try_extract_tensor::<i64>()?.1 {
                [choice, ref others @ ..] if others.len() + 1 == rows => choice,
                ref other => {
                    return Err(ort::Error::new(format!("the action has {} values, expected {rows}", other.len())));
                }
            },
        };
        Ok(())
    }
}

impl Input {
    /// The last size.
    fn width(&self) -> usize {
        self.shape.last().and_then(|n| usize::try_from(*n).ok()).unwrap_or(0)
    }
}

/// `rows` rows, all of them this one.
fn in_rows<T: Copy>(row: &[T], rows: usize) -> Cow<'_, [T]> {
    match rows {
        1 => Cow::Borrowed(row),
        _ => Cow::Owned(row.repeat(rows)),
    }
}

/// The first of `rows` rows into the buffer.
fn replace(buffer: &mut Vec<f32>, all: &[f32], rows: usize) -> ort::Result<()> {
    if !all.len().is_multiple_of(rows) {
        return Err(ort::Error::new(format!("an output has {} values, expected {rows} rows", all.len())));
    }
    buffer.clear();
    buffer.extend_from_slice(&all[..all.len() / rows]);
    Ok(())
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

/// The first such input of these elements, its unknown sizes 1.
fn find_input(session: &Session, of: TensorElementType, like: impl Fn(&Outlet) -> bool) -> Option<Input> {
    let input = session.inputs().iter().find(|i| i.dtype().tensor_type() == Some(of) && like(i))?;
    let shape = input.dtype().tensor_shape()?.iter().map(|d| if *d < 0 { 1 } else { *d }).collect();
    Some(Input { name: input.name().to_owned(), shape })
}

/// The observation, whose last size must be known, and its rows if they are fixed: only then may another size than the last
/// be more than 1.
fn observation(policy: &str, session: &Session) -> Result<(Input, Option<usize>)> {
    let (of, is_obs) = (TensorElementType::Float32, |input: &Outlet| input.name() != ACTION_MASK);
    let declared =
        session.inputs().iter().find(|i| i.dtype().tensor_type() == Some(of) && is_obs(i)).map(Outlet::dtype);
    let sizes = declared.and_then(|d| d.tensor_shape()).map_or(&[][..], |shape| &shape[..]);
    let rows = match sizes {
        [rows @ (1..), _] => usize::try_from(*rows).ok(),
        _ => None,
    };
    match find_input(session, of, is_obs) {
        Some(input)
            if sizes.last().is_some_and(|n| *n > 0)
                && (rows.is_some() || input.shape.iter().rev().skip(1).all(|n| *n == 1)) =>
        {
            Ok((input, rows))
        }
        _ => interface(policy, "observation", "an f32 input of shape [batch, width]", format!("{declared:?}")),
    }
}

fn interface<T>(policy: &str, what: &str, expected: &str, found: String) -> Result<T> {
    Err(Error::Interface { policy: policy.to_owned(), what: what.to_owned(), expected: expected.to_owned(), found })
}
