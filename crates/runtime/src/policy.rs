//! One agent's policy: from a file to actions.

use std::path::Path;

use omiga_format::onnx::Model;
use omiga_format::{ActionSpace, Bundle, PolicyContract, atomic};

use crate::engine::{Engine, Signature, probe};
use crate::selftest::{self, SelfTest};
use crate::{Error, LoadOptions, Result, StepError, wire};

/// Largest lone file read, 256 MiB as in a bundle.
const MAX_FILE_BYTES: u64 = 256 << 20;

/// A policy that is loaded, tested and warm.
///
/// # Real-time
/// With the native engine [`Self::step`] and [`Self::choose`] allocate nothing, take no lock, read no clock, log
/// nothing and cannot panic.
///
/// # Determinism
/// The same file, engine and observation give the same bits. There is no state between steps.
#[derive(Debug)]
pub struct Policy {
    name: String,
    contract: Option<PolicyContract>,
    signature: Signature,
    engine: Engine,
    /// Of the last successful choice.
    logits: Vec<f32>,
    self_test: Option<SelfTest>,
}

impl Policy {
    /// Load from a bundle's folder, or from a lone `.onnx` file.
    ///
    /// # Errors
    /// [`Error::AgentNeeded`] with the agents' names if a team of several is loaded without
    /// [`LoadOptions::agent`]; else as [`Self::from_bundle`] and [`Self::from_onnx`].
    pub fn load(path: &Path, options: &LoadOptions) -> Result<Self> {
        options.validate()?;
        if !path.is_dir() {
            let name = path.file_name().map_or_else(|| path.to_string_lossy(), |n| n.to_string_lossy());
            return Self::from_onnx(&name, &atomic::read(path, MAX_FILE_BYTES)?, options);
        }
        let bundle = Bundle::read(path)?;
        let agents = &bundle.manifest().agents;
        match (&options.agent, &agents[..]) {
            (Some(agent), _) => Self::from_bundle(&bundle, agent, options),
            (None, [only]) => Self::from_bundle(&bundle, &only.name, options),
            (None, _) => Err(Error::AgentNeeded { names: agents.iter().map(|a| a.name.clone()).collect() }),
        }
    }

    /// Load the policy of `agent`, replay the bundle's golden vectors on it and warm it up.
    ///
    /// # Errors
    /// [`Error::SelfTest`] when an action is not the golden one (see [`LoadOptions::tolerance`]); else whatever is
    /// wrong with the file, its contract or the engine. There is no policy that failed its self-test.
    pub fn from_bundle(bundle: &Bundle, agent: &str, options: &LoadOptions) -> Result<Self> {
        let manifest = bundle.manifest();
        let Some(index) = manifest.agents.iter().position(|a| a.name == agent) else {
            let names = manifest.agents.iter().map(|a| a.name.clone()).collect();
            return Err(Error::UnknownAgent { agent: agent.to_owned(), names });
        };
        let file = &manifest.agents[index].policy;
        let mut policy = Self::from_onnx(file, bundle.file(file)?, options)?;
        agent.clone_into(&mut policy.name);
        let Some(contract) = &policy.contract else {
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
        let golden = selftest::Golden::of(bundle, index)?;
        policy.self_test = Some(golden.replay(&mut policy, options.tolerance)?);
        policy.logits.fill(0.0);
        Ok(policy)
    }

    /// Load a lone ONNX file, called `name` in messages, and warm it up. Without golden vectors there is no
    /// self-test; without this project's metadata there is no contract.
    ///
    /// # Errors
    /// Whatever is wrong with the file, its contract or the engine.
    pub fn from_onnx(name: &str, bytes: &[u8], options: &LoadOptions) -> Result<Self> {
        options.validate()?;
        wire::check(name, bytes)?;
        let model = Model::parse(name, bytes)?;
        let contract = match model.contract(name) {
            Ok(contract) => Some(contract),
            Err(omiga_format::Error::NoContract { .. }) => None,
            Err(other) => return Err(other.into()),
        };
        check_no_nan(name, &model)?;
        let engine = Engine::load(name, bytes, &model, options)?;
        let signature = engine.signature();
        if let Some(contract) = &contract {
            check_contract(name, contract, signature)?;
        }
        let logits = vec![0.0; if signature.discrete { signature.action_dim } else { 0 }];
        let mut policy = Self { name: name.to_owned(), contract, signature, engine, logits, self_test: None };
        policy.warm_up().map_err(|source| Error::NoAction {
            policy: name.to_owned(),
            during: "the warm-up".to_owned(),
            source,
        })?;
        Ok(policy)
    }

    fn warm_up(&mut self) -> Result<(), StepError> {
        let obs: Vec<f32> = probe(self.obs_dim()).collect();
        let (mut action, mask) = (vec![0.0; self.action_dim()], vec![true; self.action_dim()]);
        for _ in 0..3 {
            match self.is_discrete() {
                true => drop(self.choose(&obs, &mask)?),
                false => self.step(&obs, &mut action)?,
            }
        }
        self.logits.fill(0.0);
        Ok(())
    }

    /// The agent's name, or the lone file's.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What the policy promises; `None` for a foreign file.
    pub fn contract(&self) -> Option<&PolicyContract> {
        self.contract.as_ref()
    }

    /// Width O of the observation.
    pub fn obs_dim(&self) -> usize {
        self.signature.obs_dim
    }

    /// Number A of commands or of choices.
    pub fn action_dim(&self) -> usize {
        self.signature.action_dim
    }

    /// Does it choose among actions, [`Self::choose`], or command values, [`Self::step`]?
    pub fn is_discrete(&self) -> bool {
        self.signature.discrete
    }

    /// How the self-test went; `None` for a lone file.
    pub fn self_test(&self) -> Option<SelfTest> {
        self.self_test
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
    pub fn step(&mut self, obs: &[f32], action: &mut [f32]) -> Result<(), StepError> {
        if self.signature.discrete {
            return Err(StepError::WrongKind);
        }
        self.check_obs(obs)?;
        let (expected, found) = (self.signature.action_dim, action.len());
        if found != expected {
            return Err(StepError::ActionWidth { expected, found });
        }
        self.engine.run(obs, &[])?;
        let commanded = self.engine.action();
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
    /// [`StepError`]; nothing is allocated for it, and [`Self::logits`] are left as they were.
    #[inline]
    pub fn choose(&mut self, obs: &[f32], action_mask: &[bool]) -> Result<usize, StepError> {
        if !self.signature.discrete {
            return Err(StepError::WrongKind);
        }
        self.check_obs(obs)?;
        let (expected, found) = (self.signature.action_dim, action_mask.len());
        if found != expected {
            return Err(StepError::MaskWidth { expected, found });
        }
        if !action_mask.contains(&true) {
            return Err(StepError::NoActionAvailable);
        }
        self.engine.run(obs, action_mask)?;
        let logits = self.engine.logits();
        if logits.len() != expected {
            return Err(StepError::Engine);
        }
        if let Some(index) = logits.iter().position(|x| !x.is_finite()) {
            return Err(StepError::ActionNotFinite { index });
        }
        let index = self.engine.choice();
        let choice = usize::try_from(index).ok().filter(|i| action_mask.get(*i) == Some(&true));
        let choice = choice.ok_or(StepError::ActionNotAvailable { index })?;
        self.logits.iter_mut().zip(logits).for_each(|(kept, x)| *kept = *x);
        Ok(choice)
    }

    /// The logits `[A]` of the last successful [`Self::choose`], unavailable actions masked; zeros before the first,
    /// empty if continuous.
    pub fn logits(&self) -> &[f32] {
        &self.logits
    }

    #[inline]
    fn check_obs(&self, obs: &[f32]) -> Result<(), StepError> {
        let (expected, found) = (self.signature.obs_dim, obs.len());
        if found != expected {
            return Err(StepError::ObsWidth { expected, found });
        }
        match obs.iter().position(|x| !x.is_finite()) {
            Some(index) => Err(StepError::ObsNotFinite { index }),
            None => Ok(()),
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
