//! What a policy or a team is asked to be when it is loaded.

use omiga_runtime::{LoadOptions, PublicKey, WeightFormat};
use pyo3::prelude::*;

use crate::error;

/// The keyword arguments that `Policy` and `Team` share.
#[derive(Default)]
pub struct Asked {
    pub agent: Option<String>,
    pub public_key: Option<String>,
    pub task: Option<String>,
    pub least_release: Option<u64>,
    pub weights: Option<String>,
    pub isa: Option<String>,
}

impl Asked {
    /// The same as options of the runtime.
    pub fn options(self) -> PyResult<LoadOptions> {
        let mut options = LoadOptions::default();
        let key = self.public_key.as_deref().map(PublicKey::parse).transpose();
        options.public_key = key.map_err(|e| error::policy(e.into()))?;
        options.isa = self.isa.as_deref().map(str::parse).transpose().map_err(error::policy)?;
        options.weights = match self.weights.as_deref() {
            None | Some("f32") => WeightFormat::F32,
            Some("f16") => WeightFormat::F16,
            Some(found) => {
                return Err(error::PolicyError::new_err(format!("weights are `{found}`, expected `f32` or `f16`")));
            }
        };
        (options.agent, options.task, options.least_release) = (self.agent, self.task, self.least_release);
        Ok(options)
    }
}
