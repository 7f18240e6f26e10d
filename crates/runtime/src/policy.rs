//! One agent's policy: from a file to actions.

#[cfg(feature = "fs")]
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

#[cfg(feature = "fs")]
use omiga_format::atomic;
use omiga_format::onnx::Model;
use omiga_format::{ActionSpace, Bundle, PolicyContract};

use crate::engine::{Engine, Memory, Pool, Signature, probe};
use crate::selftest::{Golden, SelfTest};
use crate::{Error, LoadOptions, Result, StepError, wire};

/// Largest lone file read, 256 MiB as in a bundle.
#[cfg(feature = "fs")]
const MAX_FILE_BYTES: u64 = 256 << 20;

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

#[derive(Debug)]
struct Loaded {
    /// Unlike that of any other policy of this process.
    id: usize,
    name: String,
    contract: Option<PolicyContract>,
    signature: Signature,
    engine: Engine,
}

/// The golden vectors, and how they went at load.
#[derive(Debug)]
struct Tested {
    golden: Golden,
    tolerance: f32,
    result: SelfTest,
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
    /// Load from a bundle's folder, or from a lone `.onnx` file.
    ///
    /// # Errors
    /// [`Error::AgentNeeded`] with the agents' names if a team of several is loaded without
    /// [`LoadOptions::agent`]; else as [`Self::from_bundle`] and [`Self::from_onnx`].
    #[cfg(feature = "fs")]
    pub fn load(path: &Path, options: &LoadOptions) -> Result<Self> {
        options.validate()?;
        if !path.is_dir() {
            let name = path.file_name().map_or_else(|| path.to_string_lossy(), |n| n.to_string_lossy());
            return Self::from_onnx(&name, &atomic::read(path, MAX_FILE_BYTES)?, options);
        }
        let bundle = Bundle::read(path)?;
        Self::from_bundle(&bundle, options.agent_of(&bundle)?, options)
    }

    /// Load the policy of `agent`, replay the bundle's golden vectors on it and warm it up.
    ///
    /// # Errors
    /// [`Error::SelfTest`] when an action is not the golden one (see [`LoadOptions::tolerance`]); before anything of
    /// the policy is looked at, an error if it is not signed as [`LoadOptions::public_key`] wants it; else whatever is
    /// wrong with the file, its contract or the engine. There is no policy that failed its self-test.
    pub fn from_bundle(bundle: &Bundle, agent: &str, options: &LoadOptions) -> Result<Self> {
        options.check_signature(bundle)?;
        Self::pooled(bundle, agent, options, &mut Pool::default())
    }

    /// As [`Self::from_bundle`] of a bundle whose signature was checked; weights that are in `pool` are not held twice.
    pub(crate) fn pooled(bundle: &Bundle, agent: &str, options: &LoadOptions, pool: &mut Pool) -> Result<Self> {
        let manifest = bundle.manifest();
        let Some(index) = manifest.agents.iter().position(|a| a.name == agent) else {
            let names = manifest.agents.iter().map(|a| a.name.clone()).collect();
            return Err(Error::UnknownAgent { agent: agent.to_owned(), names });
        };
        let file = &manifest.agents[index].policy;
        let mut loaded = Loaded::load(file, bundle.file(file)?, options, pool)?;
        agent.clone_into(&mut loaded.name);
        let Some(contract) = &loaded.contract else {
            let key = omiga_format::CONTRACT_KEY;
            return Err(omiga_format::Error::NoContract { file: file.clone(), key }.into());
        };
        if PolicyContract::of(&manifest.task, index, &contract.transform).as_ref() != Some(contract) {
            return Err(Error::Contract {
                policy: file.clone(),
                what: "contract",
                expected: format!("that of agent `{agent}` of task `{}`", manifest.task.name),
                found: format!("that of agent `{}` of task `{}`, or other fields", contract.agent, contract.task),
            });
        }
        let golden = Golden::of(bundle, index)?;
        let mut policy = Self::warm(file, loaded)?;
        let result = golden.replay(&policy, options.tolerance)?;
        policy.tested = Some(Arc::new(Tested { golden, tolerance: options.tolerance, result }));
        Ok(policy)
    }

    /// Load a lone ONNX file, called `name` in messages, and warm it up. Without golden vectors there is no
    /// self-test; without this project's metadata there is no contract.
    ///
    /// # Errors
    /// [`Error::LoneFile`] if there is a [`LoadOptions::public_key`], as a lone file has no signature; else whatever is
    /// wrong with the file, its contract or the engine.
    pub fn from_onnx(name: &str, bytes: &[u8], options: &LoadOptions) -> Result<Self> {
        match &options.public_key {
            Some(key) => Err(Error::LoneFile { policy: name.to_owned(), expected: key.id() }),
            None => Self::warm(name, Loaded::load(name, bytes, options, &mut Pool::default())?),
        }
    }

    fn warm(name: &str, loaded: Loaded) -> Result<Self> {
        let policy = Self { loaded: Arc::new(loaded), tested: None };
        let no_action = |source| Error::NoAction { policy: name.to_owned(), case: None, source };
        policy.warm_up().map_err(no_action)?;
        Ok(policy)
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
    /// [`Error::SelfTest`] or [`Error::NoAction`] when the answers differ, [`Error::NoSelfTest`] for a lone file.
    pub fn run_self_test(&self) -> Result<SelfTest> {
        match &self.tested {
            Some(tested) => tested.golden.replay(self, tested.tolerance),
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
        if commanded.len() != expected {
            return Err(StepError::Engine);
        }
        if let Some(index) = commanded.iter().position(|x| !x.is_finite()) {
            return Err(StepError::ActionNotFinite { index });
        }
        action.iter_mut().zip(commanded).for_each(|(action, x)| *action = *x);
        Ok(())
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
        if logits.len() != expected {
            return Err(StepError::Engine);
        }
        if let Some(index) = logits.iter().position(|x| !x.is_finite()) {
            return Err(StepError::ActionNotFinite { index });
        }
        let choice = usize::try_from(index).ok().filter(|i| action_mask.get(*i) == Some(&true));
        let choice = choice.ok_or(StepError::ActionNotAvailable { index })?;
        state.logits.iter_mut().zip(logits).for_each(|(kept, x)| *kept = *x);
        Ok(choice)
    }

    #[inline]
    fn check_obs(&self, obs: &[f32]) -> Result<(), StepError> {
        let (expected, found) = (self.loaded.signature.obs_dim, obs.len());
        if found != expected {
            return Err(StepError::ObsWidth { expected, found });
        }
        match obs.iter().position(|x| !x.is_finite()) {
            Some(index) => Err(StepError::ObsNotFinite { index }),
            None => Ok(()),
        }
    }
}

impl Loaded {
    fn load(name: &str, bytes: &[u8], options: &LoadOptions, pool: &mut Pool) -> Result<Self> {
        static LOADED: AtomicUsize = AtomicUsize::new(0);
        options.validate()?;
        wire::check(name, bytes)?;
        let model = Model::parse(name, bytes)?;
        let contract = match model.contract(name) {
            Ok(contract) => Some(contract),
            Err(omiga_format::Error::NoContract { .. }) => None,
            Err(other) => return Err(other.into()),
        };
        check_no_nan(name, &model)?;
        let engine = Engine::load(name, bytes, &model, options, pool)?;
        let signature = engine.signature();
        if let Some(contract) = &contract {
            check_contract(name, contract, signature)?;
        }
        let id = LOADED.fetch_add(1, Ordering::Relaxed);
        Ok(Self { id, name: name.to_owned(), contract, signature, engine })
    }

    /// Run the graph on the memory of a state of policy `id`.
    #[inline]
    fn run<'a>(
        &self,
        id: usize,
        memory: &'a mut Memory,
        obs: &[f32],
        mask: &[bool],
    ) -> Result<(&'a [f32], i64), StepError> {
        match id == self.id {
            true => self.engine.run(memory, obs, mask),
            false => Err(StepError::ForeignState),
        }
    }
}

/// NaN is no parameter, whatever the engine.
fn check_no_nan(policy: &str, model: &Model) -> Result<()> {
    for tensor in model.graph.iter().flat_map(|g| &g.initializer) {
        let listed = tensor.float_data.iter().position(|x| x.is_nan());
        let is_f32 = tensor.data_type == omiga_format::onnx::element_type::FLOAT;
        let mut raw = tensor.raw_data.as_chunks().0.iter();
        let index = listed.or_else(|| raw.position(|b| is_f32 && f32::from_le_bytes(*b).is_nan()));
        if let Some(index) = index {
            return Err(Error::NotFinite { policy: policy.to_owned(), tensor: tensor.name.clone(), index });
        }
    }
    Ok(())
}

fn check_contract(policy: &str, contract: &PolicyContract, graph: Signature) -> Result<()> {
    let kind = |discrete: bool| if discrete { "discrete" } else { "continuous" }.to_owned();
    let discrete = matches!(contract.action, ActionSpace::Discrete(_));
    for (what, expected, found) in [
        ("observation width", contract.obs.len().to_string(), graph.obs_dim.to_string()),
        ("kind of action", kind(discrete), kind(graph.discrete)),
        ("action width", contract.action.dim().to_string(), graph.action_dim.to_string()),
    ] {
        if expected != found {
            return Err(Error::Contract { policy: policy.to_owned(), what, expected, found });
        }
    }
    Ok(())
}
