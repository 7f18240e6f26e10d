//! tract, to compare with: its graph optimised for a batch of one, its state kept between steps.

use std::io::Cursor;

use anyhow::{Result, anyhow};
use omiga_format::TaskSpec;
use tract_onnx::prelude::*;

/// One policy in tract.
pub struct Tract {
    state: TypedSimpleState,
}

impl Tract {
    /// Load a policy of `task` that observes `obs_dim` numbers.
    pub fn load(onnx: &[u8], task: &TaskSpec, obs_dim: usize) -> Result<Self> {
        let mut model = tract_onnx::onnx()
            .model_for_read(&mut Cursor::new(onnx))
            .and_then(|m| m.with_input_fact(0, f32::fact([1, obs_dim]).into()))
            .map_err(|e| anyhow!("tract: {e}"))?;
        if task.is_discrete() {
            model = model
                .with_input_fact(1, bool::fact([1, task.action_dim()]).into())
                .map_err(|e| anyhow!("tract: {e}"))?;
        }
        let state = model.into_optimized().and_then(|m| m.into_runnable()).and_then(|m| m.spawn());
        Ok(Self { state: state.map_err(|e| anyhow!("tract: {e}"))? })
    }

    /// The action for an observation, all of a discrete one's being available.
    pub fn step(&mut self, obs: &[f32], action: &mut [f32]) -> Result<()> {
        let mut inputs = tvec!(Tensor::from_shape(&[1, obs.len()], obs).map_err(|e| anyhow!("tract: {e}"))?.into());
        if self.state.model().inputs.len() == 2 {
            let mask = vec![true; action.len()];
            inputs.push(Tensor::from_shape(&[1, mask.len()], &mask).map_err(|e| anyhow!("tract: {e}"))?.into());
        }
        let outputs = self.state.run(inputs).map_err(|e| anyhow!("tract: {e}"))?;
        if let Some(row) = outputs.first().and_then(|o| o.as_plain_ram()?.as_slice::<f32>().ok()) {
            action.iter_mut().zip(row).for_each(|(a, x)| *a = *x);
        }
        Ok(())
    }
}
