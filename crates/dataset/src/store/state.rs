//! The scale of a global state that is not the observations.

use omiga_format::MIN_STD;

use crate::stats::Distribution;

/// Takes each field of a state to mean 0 and standard deviation 1.
#[derive(Clone, Debug)]
pub(crate) struct StateScale {
    mean: Vec<f32>,
    std: Vec<f32>,
}

impl StateScale {
    pub fn new(fields: &[Distribution]) -> Self {
        let (mean, std) = mean_and_std(fields);
        Self { mean, std }
    }

    /// Scale states, one behind the other.
    pub fn apply(&self, states: &mut [f32]) {
        for state in states.chunks_exact_mut(self.mean.len()) {
            let scale = self.mean.iter().zip(&self.std);
            state.iter_mut().zip(scale).for_each(|(x, (mean, std))| *x = (*x - mean) / std);
        }
    }
}

/// Mean and standard deviation of each field; 1 for one that (almost) never changes: dividing by it is harmless.
pub(crate) fn mean_and_std(fields: &[Distribution]) -> (Vec<f32>, Vec<f32>) {
    let safe = |std: f32| if std < MIN_STD { 1.0 } else { std };
    fields.iter().map(|f| (f.mean as f32, safe(f.std as f32))).unzip()
}
