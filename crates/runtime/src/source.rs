//! What the policies of a bundle share while they are loaded.

use alloc::borrow::ToOwned;
use alloc::sync::Arc;

use omiga_format::{Bundle, Identity, PolicyContract};

use crate::engine::Pool;
use crate::loaded::Loaded;
use crate::policy::Tested;
use crate::selftest::GoldenFile;
use crate::{Error, LoadOptions, Policy, Result};

/// A bundle that is the one asked for: what all its policies share while they are loaded.
pub(crate) struct Source<'a> {
    bundle: &'a Bundle,
    options: &'a LoadOptions,
    identity: Arc<Identity>,
    golden: GoldenFile<'a>,
    /// Weights that are in it are not held twice.
    pool: Pool,
}

impl<'a> Source<'a> {
    /// # Errors
    /// An error if the bundle is not signed as the options want it, [`Error::Identity`] if it is not the one that they ask
    /// for, or whatever is wrong with its golden vectors.
    pub(crate) fn open(bundle: &'a Bundle, options: &'a LoadOptions) -> Result<Self> {
        options.validate()?;
        let identity = Arc::new(options.identify(bundle)?);
        Ok(Self { bundle, options, identity, golden: GoldenFile::of(bundle)?, pool: Pool::default() })
    }

    /// Which bundle it is.
    pub(crate) fn identity(&self) -> &Arc<Identity> {
        &self.identity
    }

    /// Load the policy of `agent` and test it.
    pub(crate) fn policy(&mut self, agent: &str) -> Result<Policy> {
        let manifest = self.bundle.manifest();
        let Some(index) = manifest.agents.iter().position(|a| a.name == agent) else {
            let names = manifest.agents.iter().map(|a| a.name.clone()).collect();
            return Err(Error::UnknownAgent { agent: agent.to_owned(), names });
        };
        let file = &manifest.agents[index].policy;
        let mut loaded = Loaded::load(file, self.bundle.file(file)?, self.options, &mut self.pool)?;
        agent.clone_into(&mut loaded.name);
        let Some(contract) = &loaded.contract else {
            let key = omiga_format::CONTRACT_KEY;
            return Err(omiga_format::Error::NoContract { file: file.clone(), key }.into());
        };
        // The form is what the graph has: see `Loaded`.
        let of_task = |task: PolicyContract| task.with_novelty(contract.novelty.clone()).with_graph(contract.graph);
        let expected = PolicyContract::of(&manifest.task, index, &contract.transform).map(of_task);
        if expected.as_ref() != Some(contract) {
            return Err(Error::Contract {
                policy: file.clone(),
                what: "contract",
                expected: format!("that of agent `{agent}` of task `{}`", manifest.task.name),
                found: format!("that of agent `{}` of task `{}`, or other fields", contract.agent, contract.task),
            });
        }
        let golden = self.golden.take(&manifest.task, index)?;
        let policy = Policy::warm(file, loaded)?;
        let tolerance = self.options.tolerance.max(self.options.weights.tolerance());
        let result = golden.replay(&policy, tolerance)?;
        let golden = self.options.keep_golden.then_some(golden);
        Ok(policy.tested(Tested { identity: Arc::clone(&self.identity), golden, tolerance, result }))
    }
}
