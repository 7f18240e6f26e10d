//! An ONNX file of any bytes.

use omiga_runtime::{LoadOptions, Policy, StepError};

/// Load it; a policy that comes out of it gives an action or an error that is the observation's fault. Was it taken?
pub fn check(bytes: &[u8]) -> bool {
    let Ok(policy) = Policy::from_onnx("any.onnx", bytes, &LoadOptions::default()) else { return false };
    for scale in [1.0, -1e3, 5e15] {
        let obs: Vec<f32> = (0..policy.obs_dim()).map(|i| scale * ((i % 5) as f32 - 2.0)).collect();
        if let Err(error) = run(&policy, &obs) {
            let excused = matches!(error, StepError::ActionNotFinite { .. } | StepError::ActionNotAvailable { .. });
            assert!(excused, "{error}");
        }
    }
    true
}

fn run(policy: &Policy, obs: &[f32]) -> Result<(), StepError> {
    let (dim, mut state) = (policy.action_dim(), policy.state());
    match policy.is_discrete() {
        true => {
            let mask: Vec<bool> = (0..dim).map(|i| i % 3 != 1).collect();
            policy.choose(&mut state, obs, &mask).map(|choice| assert!(mask[choice]))
        }
        false => {
            let mut action = vec![f32::NAN; dim];
            policy.step(&mut state, obs, &mut action).map(|()| assert!(action.iter().all(|x| x.is_finite())))
        }
    }
}
