//! One agent's policy: from a file to actions.

use alloc::borrow::ToOwned;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
#[cfg(feature = "fs")]
use std::path::Path;

#[cfg(feature = "fs")]
use omiga_format::atomic;
use omiga_format::{Bundle, Identity, Novelty, PolicyContract};

use crate::engine::{Memory, Native, NativeMemory, Pool, probe};
use crate::loaded::Loaded;
use crate::selftest::{Golden, SelfTest};
use crate::source::Source;
use crate::{Error, LoadOptions, Result, StepError};

/// Largest lone file read, 256 MiB as in a bundle.
#[cfg(feature = "fs")]
const MAX_FILE_BYTES: u64 = 256 << 20;

/// Largest magnitude of an observed value, 1e16, whatever its range in the contract. A policy may divide by the deviation of
/// all its fields (at most 65,536); the sum of their squares must be an f32, or all of them would become zero and a
/// plausible action come out. No sensor means a value beyond.
pub const MAX_OBS: f32 = 1e16;

/// A policy that is loaded, tested and warm. It does not change: what a stream of observations leaves behind is in a
/// [`PolicyState`], and a clone shares everything.
///
/// # Real-time
/// With the native engine [`Self::step`] and [`Self::choose`] allocate nothing, take no lock, read no clock, log
/// nothing and cannot panic. Their time depends on how many hidden units are active, at most that of all.
///
/// # Determinism
/// The same file, engine, processor type and observations since the last reset give the same bits.
#[derive(Clone, Debug)]
pub struct Policy {
    loaded: Arc<Loaded>,
    /// Of a bundle's policy.
    tested: Option<Arc<Tested>>,
}

/// Which bundle it is from, its golden vectors if they were kept, and how they went at load.
#[derive(Debug)]
pub(crate) struct Tested {
    pub(crate) identity: Arc<Identity>,
    pub(crate) golden: Option<Golden>,
    pub(crate) tolerance: f32,
    pub(crate) result: SelfTest,
}

/// What one stream of observations leaves behind between steps: buffers, and the memory of a recurrent policy. (The
/// policies exported today have none, so their steps do not depend on earlier ones.)
#[derive(Clone, Debug)]
pub struct PolicyState {
    policy: usize,
    memory: Memory,
    /// Of the last successful choice.
    logits: Vec<f32>,
}

impl PolicyState {
    /// Forget the stream: before a new episode, after a gap in time, whenever the next observation does not follow
    /// the last one.
    ///
    /// # Real-time
    /// As [`Policy::step`].
    pub fn reset(&mut self) {
        self.logits.fill(0.0);
    }

    /// Become what `other`, a state of the same policy, is. Whatever a policy remembers from step to step is copied
    /// here; an engine's buffers are not, as every step writes them before it reads them.
    ///
    /// # Real-time
    /// As [`Policy::step`].
    pub(crate) fn copy_from(&mut self, other: &Self) {
        self.logits.iter_mut().zip(&other.logits).for_each(|(logit, x)| *logit = *x);
    }

    /// The logits `[A]` of the last successful [`Policy::choose`], unavailable actions masked; zeros before the first,
    /// empty if continuous.
    pub fn logits(&self) -> &[f32] {
        &self.logits
    }
}

impl Policy {
    /// Load from a bundle's folder.
    ///
    /// # Errors
    /// [`Error::AgentNeeded`] with the agents' names if a team of several is loaded without
    /// [`LoadOptions::agent`]; else as [`LoadOptions::read`] and [`Self::from_bundle`].
    #[cfg(feature = "fs")]
    pub fn load(folder: &Path, options: &LoadOptions) -> Result<Self> {
        options.validate()?;
        let bundle = options.read(folder)?;
        Self::from_bundle(&bundle, options.agent_of(&bundle)?, options)
    }

    /// Load a lone `.onnx` file: without hashes, signature, golden vectors, and so without a self-test.
    ///
    /// # Errors
    /// As [`Self::from_onnx`], or whatever is wrong with reading the file.
    #[cfg(feature = "fs")]
    pub fn load_onnx(path: &Path, options: &LoadOptions) -> Result<Self> {
        let name = path.file_name().map_or_else(|| path.to_string_lossy(), |n| n.to_string_lossy());
        options.check_may_be_lone(&name)?;
        Self::from_onnx(&name, &atomic::read(path, MAX_FILE_BYTES)?, options)
    }

    /// Load the policy of `agent`, replay the bundle's golden vectors on it and warm it up.
    ///
    /// # Errors
    /// [`Error::SelfTest`] when an action is not the golden one (see [`LoadOptions::tolerance`]); before anything of
    /// the policy is looked at, an error if it is not signed as [`LoadOptions::public_key`] wants it and
    /// [`Error::Identity`] if it is not the one that the options ask for; else whatever is wrong with the file, its
    /// contract or the engine. There is no policy that failed its self-test.
    pub fn from_bundle(bundle: &Bundle, agent: &str, options: &LoadOptions) -> Result<Self> {
        Source::open(bundle, options)?.policy(agent)
    }

    /// Load a lone ONNX file, called `name` in messages, and warm it up. Without golden vectors there is no
    /// self-test, so that no guard takes it unless [`LoadOptions::guard_untested`]; without this project's metadata there
    /// is no contract.
    ///
    /// # Errors
    /// [`Error::LoneFile`] if there is a [`LoadOptions::public_key`], as a lone file has no signature;
    /// [`Error::Identity`] if its contract is not of the task and the agent that the options ask for, or if they ask for
    /// what only a bundle has; else whatever is wrong with the file, its contract or the engine.
    pub fn from_onnx(name: &str, bytes: &[u8], options: &LoadOptions) -> Result<Self> {
        options.check_may_be_lone(name)?;
        let loaded = Loaded::load(name, bytes, options, &mut Pool::default())?;
        options.check_lone(name, loaded.contract.as_ref())?;
        Self::warm(name, loaded)
    }

    pub(crate) fn warm(name: &str, loaded: Loaded) -> Result<Self> {
        let policy = Self { loaded: Arc::new(loaded), tested: None };
        let no_action = |source| Error::NoAction { policy: name.to_owned(), case: None, source };
        policy.warm_up().map_err(no_action)?;
        Ok(policy)
    }

    pub(crate) fn tested(self, tested: Tested) -> Self {
        Self { tested: Some(Arc::new(tested)), ..self }
    }

    fn warm_up(&self) -> Result<(), StepError> {
        let obs: Vec<f32> = probe(self.obs_dim()).collect();
        let (mut action, mask) = (vec![0.0; self.action_dim()], vec![true; self.action_dim()]);
        let mut state = self.state();
        for _ in 0..3 {
            match self.is_discrete() {
                true => drop(self.choose(&mut state, &obs, &mask)?),
                false => self.step(&mut state, &obs, &mut action)?,
            }
        }
        Ok(())
    }

    /// A state for a new stream of observations: allocates, so make it before the loop.
    pub fn state(&self) -> PolicyState {
        let logits = vec![0.0; if self.is_discrete() { self.action_dim() } else { 0 }];
        PolicyState { policy: self.loaded.id, memory: self.loaded.engine.memory(), logits }
    }

    /// The agent's name, or the lone file's.
    pub fn name(&self) -> &str {
        &self.loaded.name
    }

    /// What the policy promises; `None` for a foreign file.
    pub fn contract(&self) -> Option<&PolicyContract> {
        self.loaded.contract.as_ref()
    }

    /// The contract's detector of unusual observations, if it has one.
    pub fn novelty(&self) -> Option<&Novelty> {
        self.contract().and_then(|contract| contract.novelty.as_ref())
    }

    /// Width O of the observation.
    pub fn obs_dim(&self) -> usize {
        self.loaded.signature.obs_dim
    }

    /// Number A of commands or of choices.
    pub fn action_dim(&self) -> usize {
        self.loaded.signature.action_dim
    }

    /// Does it choose among actions, [`Self::choose`], or command values, [`Self::step`]?
    pub fn is_discrete(&self) -> bool {
        self.loaded.signature.discrete
    }

    /// The engine and the vector instructions that it uses, for reports: `native, avx512`.
    pub fn engine(&self) -> String {
        self.loaded.engine.describe()
    }

    /// Which bundle it is from; `None` for a lone file.
    pub fn identity(&self) -> Option<&Identity> {
        self.tested.as_ref().map(|tested| &*tested.identity)
    }

    /// May a guard have it?
    ///
    /// # Errors
    /// [`Error::Untested`] for a lone file, unless [`LoadOptions::guard_untested`].
    pub(crate) fn check_guardable(&self) -> Result<()> {
        match self.tested.is_some() || self.loaded.guard_untested {
            true => Ok(()),
            false => Err(Error::Untested { policy: self.loaded.name.clone() }),
        }
    }

    /// Unlike that of any other policy of this process.
    pub(crate) fn id(&self) -> usize {
        self.loaded.id
    }

    /// How the self-test at load went; `None` for a lone file.
    pub fn self_test(&self) -> Option<SelfTest> {
        self.tested.as_ref().map(|tested| tested.result)
    }

    /// Replay the golden vectors again: is this memory, is this processor still right?
    ///
    /// # Real-time
    /// Allocates, and takes as long as all recorded steps: not for the loop itself.
    ///
    /// # Errors
    /// [`Error::SelfTest`] or [`Error::NoAction`] when the answers differ, [`Error::NoSelfTest`] for a lone file and
    /// without [`LoadOptions::keep_golden`].
    pub fn run_self_test(&self) -> Result<SelfTest> {
        let kept = self.tested.as_deref().and_then(|tested| Some((tested.golden.as_ref()?, tested.tolerance)));
        match kept {
            Some((golden, tolerance)) => golden.replay(self, tolerance),
            None => Err(Error::NoSelfTest { policy: self.loaded.name.clone() }),
        }
    }

    /// The action for an observation. If there is an error, `action` is left as it was: there is no default action.
    ///
    /// # Shapes
    /// `obs: [O]`, `action: [A]`.
    ///
    /// # Units
    /// Those of the contract, in and out.
    ///
    /// # Errors
    /// [`StepError`]; nothing is allocated for it.
    #[inline]
    pub fn step(&self, state: &mut PolicyState, obs: &[f32], action: &mut [f32]) -> Result<(), StepError> {
        if self.loaded.signature.discrete {
            return Err(StepError::WrongKind);
        }
        self.check_obs(obs)?;
        let (expected, found) = (self.loaded.signature.action_dim, action.len());
        if found != expected {
            return Err(StepError::ActionWidth { expected, found });
        }
        let (commanded, _) = self.loaded.run(state.policy, &mut state.memory, obs, &[])?;
        copy_action(commanded, action)
    }

    /// The action of a run that the native engine did on this state; errors as those of [`Self::step`].
    #[inline]
    pub(crate) fn take_action(&self, state: &mut PolicyState, action: &mut [f32]) -> Result<(), StepError> {
        let (native, memory) = self.native().zip(self.memory_of(state)).ok_or(StepError::Engine)?;
        copy_action(native.output(memory).ok_or(StepError::Engine)?.0, action)
    }

    /// The best available action for an observation, by its index.
    ///
    /// # Shapes
    /// `obs: [O]`, `action_mask: [A]` (true: available).
    ///
    /// # Errors
    /// [`StepError`]; nothing is allocated for it, and [`PolicyState::logits`] are left as they were.
    #[inline]
    pub fn choose(&self, state: &mut PolicyState, obs: &[f32], action_mask: &[bool]) -> Result<usize, StepError> {
        if !self.loaded.signature.discrete {
            return Err(StepError::WrongKind);
        }
        self.check_obs(obs)?;
        let (expected, found) = (self.loaded.signature.action_dim, action_mask.len());
        if found != expected {
            return Err(StepError::MaskWidth { expected, found });
        }
        if !action_mask.contains(&true) {
            return Err(StepError::NoActionAvailable);
        }
        let (logits, index) = self.loaded.run(state.policy, &mut state.memory, obs, action_mask)?;
        available(logits, index, action_mask, &mut state.logits)
    }

    /// The choice of a run that the native engine did on this state; errors as those of [`Self::choose`].
    #[inline]
    pub(crate) fn take_choice(&self, state: &mut PolicyState, action_mask: &[bool]) -> Result<usize, StepError> {
        let PolicyState { memory, logits: kept, .. } = state;
        let (native, memory) = self.native().zip(memory.native()).ok_or(StepError::Engine)?;
        let (logits, index) = native.output(memory).ok_or(StepError::Engine)?;
        available(logits, index, action_mask, kept)
    }

    /// The native engine, if that is what this policy runs on.
    #[inline]
    pub(crate) fn native(&self) -> Option<&Native> {
        self.loaded.engine.native()
    }

    /// The native engine's memory of a state of this policy.
    #[inline]
    pub(crate) fn memory_of<'a>(&self, state: &'a mut PolicyState) -> Option<&'a mut NativeMemory> {
        if state.policy == self.loaded.id { state.memory.native() } else { None }
    }

    #[inline]
    pub(crate) fn check_obs(&self, obs: &[f32]) -> Result<(), StepError> {
        let (expected, found) = (self.loaded.signature.obs_dim, obs.len());
        if found != expected {
            return Err(StepError::ObsWidth { expected, found });
        }
        match first_beyond(obs) {
            Some(index) if obs[index].is_finite() => Err(StepError::ObsTooLarge { index }),
            Some(index) => Err(StepError::ObsNotFinite { index }),
            None => Ok(()),
        }
    }
}

/// Where the first value is that is NaN or beyond [`MAX_OBS`]; all are looked at together first, as below.
#[inline]
fn first_beyond(x: &[f32]) -> Option<usize> {
    let is_beyond = |x: &f32| x.is_nan() | (x.abs() > MAX_OBS);
    let any = x.iter().fold(false, |any, x| any | is_beyond(x));
    if any { x.iter().position(is_beyond) } else { None }
}

/// Where the first NaN or infinity is. All are looked at together first: without a way out in between, the compiler takes
/// several at once.
#[inline]
fn first_not_finite(x: &[f32]) -> Option<usize> {
    let any = x.iter().fold(false, |any, x| any | !x.is_finite());
    if any { x.iter().position(|x| !x.is_finite()) } else { None }
}

/// Put what was commanded into `action`, if it is finite.
#[inline]
fn copy_action(commanded: &[f32], action: &mut [f32]) -> Result<(), StepError> {
    if commanded.len() != action.len() {
        return Err(StepError::Engine);
    }
    if let Some(index) = first_not_finite(commanded) {
        return Err(StepError::ActionNotFinite { index });
    }
    action.iter_mut().zip(commanded).for_each(|(action, x)| *action = *x);
    Ok(())
}

/// The choice `index` if it is available and its logits, which are then kept, are finite.
#[inline]
fn available(logits: &[f32], index: i64, mask: &[bool], kept: &mut [f32]) -> Result<usize, StepError> {
    if logits.len() != mask.len() {
        return Err(StepError::Engine);
    }
    if let Some(index) = first_not_finite(logits) {
        return Err(StepError::ActionNotFinite { index });
    }
    let choice = usize::try_from(index).ok().filter(|i| mask.get(*i) == Some(&true));
    let choice = choice.ok_or(StepError::ActionNotAvailable { index })?;
    kept.iter_mut().zip(logits).for_each(|(kept, x)| *kept = *x);
    Ok(choice)
}
