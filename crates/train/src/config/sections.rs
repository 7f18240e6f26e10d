//! Every setting by section, with the paper's value.

use std::path::{Path, PathBuf};

use omiga_dataset::{Actions, LoadOptions, Rewards, Storage, Timeouts};
use serde::{Deserialize, Serialize};

use super::choice::{Algorithm, EngineChoice, MixerKind, StorageChoice, TransformChoice};

/// What is run, how long, and what is written.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RunConfig {
    /// The learning algorithm.
    pub algorithm: Algorithm,
    /// Updates. The paper: 1,000,000 on MuJoCo.
    pub steps: u64,
    /// Seed of every random stream.
    pub seed: u64,
    /// `cpu` or `cuda:N`.
    pub device: String,
    /// What computes the updates.
    #[serde(skip_serializing_if = "is_default")]
    pub engine: EngineChoice,
    /// Updates between two lines of metrics; each line is of that update's own batch.
    pub log_every: u64,
    /// Updates between two evaluations, where the task has an environment. The paper: 5,000.
    pub eval_every: u64,
    /// Episodes of an evaluation during training. The paper: 10 on MuJoCo, 32 on SMAC.
    pub eval_episodes: usize,
    /// Updates between two checkpoints.
    pub checkpoint_every: u64,
    /// How many of the newest checkpoints are kept, beside the best.
    pub keep: usize,
    /// Recorded observations an agent in a checkpoint's golden vectors.
    pub golden: usize,
    /// The task that evaluations play; the dataset's own if left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub task: Option<String>,
}

impl Default for RunConfig {
    fn default() -> Self {
        Self {
            algorithm: Algorithm::Omiga,
            steps: 100_000,
            seed: 0,
            device: "cpu".into(),
            engine: EngineChoice::Auto,
            log_every: 100,
            eval_every: 5_000,
            eval_episodes: 32,
            checkpoint_every: 5_000,
            keep: 3,
            golden: 32,
            task: None,
        }
    }
}

/// How the dataset is read and sampled.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct DataConfig {
    /// Transitions B of a batch. Official: 128.
    pub batch_size: usize,
    /// Do time limits stop the bootstrap? Official MuJoCo code: they do (`terminal`).
    pub timeouts: Timeouts,
    /// Are actions outside [-1, 1] clamped? Official: `raw`.
    pub actions: Actions,
    /// What the TD target adds. Official SMAC code: `return-to-go`.
    pub rewards: Rewards,
    /// Episodes of exactly this many steps ended by a time limit, for files that do not say.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub time_limit: Option<u32>,
    /// The observation transform; it becomes part of the exported policy.
    pub transform: TransformChoice,
    /// Is each field of a global state that is not the observations taken to mean 0 and deviation 1 for the mixer? A state
    /// that is the observations goes through their transform. Official: `false`; its tasks with such a state are SMAC's,
    /// whose fields lie within [0, 1], ours may be rpm or Pa.
    pub standardise_state: bool,
    /// Where the rows are kept.
    #[serde(skip_serializing_if = "is_default")]
    pub storage: StorageChoice,
    /// Folder of the scratch file of `storage = "disk"`; the run's if left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scratch: Option<PathBuf>,
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

impl Default for DataConfig {
    fn default() -> Self {
        Self {
            batch_size: 128,
            timeouts: Timeouts::default(),
            actions: Actions::default(),
            rewards: Rewards::default(),
            time_limit: None,
            transform: TransformChoice::Auto,
            standardise_state: true,
            storage: StorageChoice::Memory,
            scratch: None,
        }
    }
}

impl DataConfig {
    /// The part that concerns reading the file.
    pub fn load_options(&self) -> LoadOptions {
        LoadOptions {
            timeouts: self.timeouts,
            actions: self.actions,
            rewards: self.rewards,
            time_limit: self.time_limit,
        }
    }

    /// Where the rows of a run in `run_folder` are kept.
    pub fn storage(&self, run_folder: &Path) -> Storage {
        match self.storage {
            StorageChoice::Memory => Storage::Memory,
            StorageChoice::Disk => {
                Storage::Disk { folder: self.scratch.clone().unwrap_or_else(|| run_folder.to_owned()) }
            }
        }
    }
}

/// Sizes of the networks.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct NetworkConfig {
    /// Width H of the two hidden layers of actor, critic and value. Official: 256.
    pub hidden: usize,
    /// Width of the mixer's hidden layer. Official: 64.
    pub mixer_hidden: usize,
}

impl Default for NetworkConfig {
    fn default() -> Self {
        Self { hidden: 256, mixer_hidden: 64 }
    }
}

/// The policies' distribution.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PolicyConfig {
    /// Distance that continuous actions keep from -1 and 1 when their likelihood is computed. Official: 1e-7, with which an
    /// actuator at its bound (u = atanh(1 - 1e-7) = 8.4, others within 2) moves the mean of u so far that the policy pushes much
    /// harder than the data did. 0.02 suits data of one kind of noisy policy, not a mixture (docs/mujoco.md).
    pub action_margin: f64,
}

impl Default for PolicyConfig {
    fn default() -> Self {
        Self { action_margin: 0.001 }
    }
}

/// Adam (Kingma and Ba 2015) on each of actor, critic with mixer, and value.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct OptimConfig {
    /// Learning rate. Official: 5e-4.
    pub lr: f64,
    /// Decay of the first moment. Official: 0.9.
    pub beta1: f64,
    /// Decay of the second moment. Official: 0.999.
    pub beta2: f64,
    /// Added to the root of the second moment. Official: 1e-8.
    pub eps: f64,
    /// Largest gradient norm of each optimiser. Official: 1.
    pub grad_norm_clip: f64,
}

impl Default for OptimConfig {
    fn default() -> Self {
        Self { lr: 5e-4, beta1: 0.9, beta2: 0.999, eps: 1e-8, grad_norm_clip: 1.0 }
    }
}

/// OMIGA's own settings.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct OmigaConfig {
    /// Strength of the regularisation towards the behaviour policy; it has the scale of the weighted advantage.
    /// Official MuJoCo code: 10.
    pub alpha: f64,
    /// Discount. Official: 0.99.
    pub gamma: f64,
    /// Rate of the target networks. Official: 0.005.
    pub tau: f64,
    /// How the agents' values become the team's.
    pub mixer: MixerKind,
    /// Discrete tasks: unavailable actions get no probability in the policy loss. Official: `false`.
    pub mask_unavailable: bool,
    /// Tasks with dead agents: they count in none of the losses. Official: `false`.
    pub mask_dead: bool,
}

impl Default for OmigaConfig {
    fn default() -> Self {
        Self {
            alpha: 10.0,
            gamma: 0.99,
            tau: 0.005,
            mixer: MixerKind::LinearHypernetwork,
            mask_unavailable: true,
            mask_dead: true,
        }
    }
}
