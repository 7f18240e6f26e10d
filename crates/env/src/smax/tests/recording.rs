//! Battles recorded from `jaxmarl` (`tests/golden/smax`): one file a map, tensors `<case>/<field>`.

use std::collections::BTreeMap;
use std::path::Path;

use safetensors::{Dtype, SafeTensors};
use serde::Deserialize;

use crate::smax::draws::Draws;

/// What the file says about itself.
#[derive(Deserialize)]
pub struct About {
    pub map: String,
    pub n_allies: usize,
    pub n_enemies: usize,
    pub cases: BTreeMap<String, Case>,
}

#[derive(Clone, Copy, Deserialize)]
pub struct Case {
    pub steps: usize,
    /// Steps that are counted before the first.
    pub start_step: u32,
}

/// A file.
pub struct Recording {
    bytes: Vec<u8>,
    pub about: About,
}

/// The fields of a case, rows of numbers.
pub struct Fields(BTreeMap<String, Field>);

/// A tensor: rows along its first axis. Integers are exact in f32.
pub struct Field {
    width: usize,
    values: Vec<f32>,
}

impl Recording {
    pub fn read(path: &Path) -> Self {
        let bytes = std::fs::read(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
        let (_, header) = SafeTensors::read_metadata(&bytes).unwrap();
        let about = serde_json::from_str(&header.metadata().as_ref().unwrap()["smax"]).unwrap();
        Self { bytes, about }
    }

    pub fn fields(&self, case: &str) -> Fields {
        let tensors = SafeTensors::deserialize(&self.bytes).unwrap();
        let of_case = tensors.iter().filter_map(|(name, tensor)| {
            let (of, field) = name.split_once('/').unwrap();
            let width = tensor.shape()[1..].iter().product();
            let four = || tensor.data().as_chunks::<4>().0.iter().copied();
            let values = match tensor.dtype() {
                Dtype::F32 => four().map(f32::from_le_bytes).collect(),
                Dtype::I32 => four().map(|b| i32::from_le_bytes(b) as f32).collect(),
                Dtype::U8 => tensor.data().iter().map(|b| f32::from(*b)).collect(),
                other => panic!("{name}: {other:?}"),
            };
            (of == case).then(|| (field.to_owned(), Field { width, values }))
        });
        Fields(of_case.collect())
    }
}

impl Fields {
    /// Is there such a field?
    pub fn has(&self, name: &str) -> bool {
        self.0.contains_key(name)
    }

    /// Row `t` of a field.
    pub fn row(&self, name: &str, t: usize) -> &[f32] {
        let Field { width, values } = &self.0[name];
        &values[t * width..(t + 1) * width]
    }

    /// The whole field.
    pub fn all(&self, name: &str) -> &[f32] {
        &self.0[name].values
    }

    /// The row in which observations before step `t` are, if they were kept.
    pub fn observed(&self, t: usize) -> Option<usize> {
        self.all("obs_steps").iter().position(|step| *step as usize == t)
    }
}

/// The draws of a recorded step.
pub struct Replay<'a> {
    pub allies: usize,
    pub units: usize,
    /// `[8, N]`.
    pub noise: &'a [f32],
    /// `[M]`, uniform in [0, 1).
    pub goals: &'a [f32],
}

impl Draws for Replay<'_> {
    fn cooldown_noise(&mut self, world_step: usize, unit: usize) -> f32 {
        self.noise[world_step * self.units + unit]
    }

    /// JAX's choice: the `ceil((1 - u) v)`-th.
    fn goal(&mut self, enemy: usize, visible: usize) -> usize {
        let share = 1.0 - f64::from(self.goals[enemy - self.allies]);
        ((share * visible as f64 - 1e-7) as usize).min(visible - 1)
    }
}
