//! A file that was checked, and the engine that runs it.

use alloc::borrow::ToOwned;
use alloc::string::{String, ToString};
use core::sync::atomic::{AtomicUsize, Ordering};

use omiga_format::onnx::{GraphForm, Model, element_type};
use omiga_format::{ActionSpace, PolicyContract};

use crate::engine::{Engine, Memory, Pool, Signature};
use crate::{Error, LoadOptions, Result, StepError};

/// What all clones of a policy share.
#[derive(Debug)]
pub(crate) struct Loaded {
    /// Unlike that of any other policy of this process.
    pub(crate) id: usize,
    pub(crate) name: String,
    pub(crate) contract: Option<PolicyContract>,
    pub(crate) signature: Signature,
    pub(crate) engine: Engine,
    /// May a guard have it although nothing tested it?
    pub(crate) guard_untested: bool,
}

impl Loaded {
    pub(crate) fn load(name: &str, bytes: &[u8], options: &LoadOptions, pool: &mut Pool) -> Result<Self> {
        static LOADED: AtomicUsize = AtomicUsize::new(0);
        options.validate()?;
        let (model, _) = Model::parse(name, bytes)?.unpacked(name)?;
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
        let guard_untested = options.guard_untested;
        Ok(Self { id, name: name.to_owned(), contract, signature, engine, guard_untested })
    }

    /// Run the graph on the memory of a state of policy `id`.
    #[inline]
    pub(crate) fn run<'a>(
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
        let is_f32 = tensor.data_type == element_type::FLOAT;
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
    // Whoever may choose the batch may choose the graph's.
    let promised = GraphForm { batch: contract.graph.batch.or(graph.form.batch), ..contract.graph };
    match promised == graph.form {
        true => Ok(()),
        false => {
            let (expected, found) = (promised.to_string(), graph.form.to_string());
            Err(Error::Contract { policy: policy.to_owned(), what: "form of the graph", expected, found })
        }
    }
}
