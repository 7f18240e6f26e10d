//! Every setting by section: what it means, what the paper and the official code have, our default. `omiga train
//! --print-config` prints these comments.

use std::path::{Path, PathBuf};

use omiga_dataset::{Actions, Format, LastState, LoadOptions, Rewards, Storage, TeamReward, Timeouts};

use super::choice::{
    Algorithm, EngineChoice, LrSchedule, MixerKind, PolicyLoss, StorageChoice, TransformChoice, ValueInit,
};
use super::entry::{Entry, Value, section};

section! {
    /// What is run, how long, and what is written.
    "run" RunConfig {
        /// The learning algorithm.
        algorithm: Algorithm = Algorithm::Omiga,
        /// Updates. The paper: 1,000,000 on MuJoCo.
        steps: u64 = 100_000,
        /// Seed of every random stream.
        seed: u64 = 0,
        /// `cpu` or `cuda:N`.
        device: String = "cpu".into(),
        /// What computes the updates.
        #[serde(skip_serializing_if = "is_default")]
        engine: EngineChoice = EngineChoice::Auto,
        /// Updates between two lines of metrics; a line has the means over the updates since the last one.
        log_every: u64 = 100,
        /// Updates between two evaluations, where the task has an environment. The paper: 5,000.
        eval_every: u64 = 5_000,
        /// Episodes of an evaluation during training. The paper: 10 on MuJoCo, 32 on SMAC.
        eval_episodes: usize = 32,
        /// Updates between two checkpoints.
        checkpoint_every: u64 = 5_000,
        /// How many of the newest checkpoints are kept, beside the best.
        keep: usize = 3,
        /// Recorded observations an agent in a checkpoint's golden vectors.
        golden: usize = 32,
        /// The task that evaluations play; the dataset's own if left out.
        #[serde(skip_serializing_if = "Option::is_none")]
        task: Option<String> = None,
    }
}

section! {
    /// How the dataset is read and sampled.
    "data" DataConfig {
        /// Transitions B of a batch. Official: 128.
        batch_size: usize = 128,
        /// Do time limits stop the bootstrap? Official MuJoCo code: they do (`terminal`).
        timeouts: Timeouts = Timeouts::default(),
        /// What becomes of continuous actions outside [-1, 1]. Official: `raw`.
        actions: Actions = Actions::default(),
        /// What the TD target adds. Official SMAC code: `return-to-go`.
        rewards: Rewards = Rewards::default(),
        /// Episodes of exactly this many steps ended by a time limit, for files that do not say.
        #[serde(skip_serializing_if = "Option::is_none")]
        time_limit: Option<u32> = None,
        /// The format of the dataset (docs/data.md lists them), where its contents do not tell it.
        #[serde(skip_serializing_if = "Option::is_none")]
        format: Option<Format> = None,
        /// The last state of an episode whose file does not have it. Official SMAC code: `repeat`.
        #[serde(skip_serializing_if = "is_default")]
        last_state: LastState = LastState::default(),
        /// The team's reward, where each agent has its own.
        #[serde(skip_serializing_if = "is_default")]
        team_reward: TeamReward = TeamReward::default(),
        /// The observation transform; it becomes part of the exported policy. The official MuJoCo data went through
        /// `standardise-with-id`.
        transform: TransformChoice = TransformChoice::Auto,
        /// Is each field of a global state that is not the observations taken to mean 0 and deviation 1 for the mixer? A state
        /// that is the observations goes through their transform. Official: `false`; its tasks with such a state are SMAC's,
        /// whose fields lie within [0, 1], ours may be rpm or Pa.
        standardise_state: bool = true,
        /// Share of the episodes, rounded down, that nothing is learned from: whole ones, the same for every seed. The gauges
        /// (docs/choosing.md) are read on them. Official: 0.
        held_out: f64 = 0.1,
        /// Share of the held-out episodes in which an agent's novelty detector may find something unusual (docs/novelty.md); 0: no
        /// detectors. It needs about two over this share of held-out episodes.
        novelty_delta: f64 = 0.1,
        /// Where the rows are kept.
        #[serde(skip_serializing_if = "is_default")]
        storage: StorageChoice = StorageChoice::Memory,
        /// Folder of the scratch file of `storage = "disk"`; the run's if left out.
        #[serde(skip_serializing_if = "Option::is_none")]
        scratch: Option<PathBuf> = None,
    }
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

impl DataConfig {
    /// The part that concerns reading the file.
    pub fn load_options(&self) -> LoadOptions {
        LoadOptions {
            timeouts: self.timeouts,
            actions: self.actions,
            rewards: self.rewards,
            time_limit: self.time_limit,
            format: self.format,
            last_state: self.last_state,
            team_reward: self.team_reward,
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

section! {
    /// Sizes of the networks.
    "network" NetworkConfig {
        /// Width H of the two hidden layers of actor, critic and value. Official: 256.
        hidden: usize = 256,
        /// Width of the mixer's hidden layer. Official: 64.
        mixer_hidden: usize = 64,
    }
}

section! {
    /// How policies imitate the data: all rows alike (`bc`) or weighted (`omiga`).
    "policy" PolicyConfig {
        /// How far a policy is from the data's command. Official: `nll`.
        loss: PolicyLoss = PolicyLoss::Nll,
        /// Of `loss = "beta-nll"`: 0 is the likelihood, 1 weighs all rows alike. Its paper: 0.5.
        beta: f64 = 0.5,
        /// Distance that continuous actions keep from -1 and 1 when their likelihood is computed. Official: 1e-7, with which an
        /// actuator at its bound (u = atanh(1 - 1e-7) = 8.4, nearly all others within 2) moves the mean of u so far that the policy pushes much
        /// harder than the data did. 0.02 suits data of one kind of noisy policy, not a mixture (docs/mujoco.md).
        action_margin: f64 = 0.001,
    }
}

section! {
    /// Adam (Kingma and Ba 2015) on each of actor, critic with mixer, and value; of `rebrac` on the actor and on both critics.
    "optim" OptimConfig {
        /// Learning rate. Official: 5e-4.
        lr: f64 = 5e-4,
        /// The learning rate's course over `run.steps`. Official: `constant`.
        #[serde(skip_serializing_if = "is_default")]
        lr_schedule: LrSchedule = LrSchedule::Constant,
        /// Decay of the first moment. Official: 0.9.
        beta1: f64 = 0.9,
        /// Decay of the second moment. Official: 0.999.
        beta2: f64 = 0.999,
        /// Added to the root of the second moment. Official: 1e-8.
        eps: f64 = 1e-8,
        /// Largest gradient norm of each optimiser; `inf` clips nothing. Official: 1.
        grad_norm_clip: f64 = 1.0,
    }
}

section! {
    /// OMIGA's own settings. Of these behaviour cloning heeds the two masks.
    "omiga" OmigaConfig {
        /// Strength of the regularisation towards the behaviour policy; it has the scale of the weighted advantage.
        /// Official MuJoCo code: 10.
        alpha: f64 = 10.0,
        /// Discount. Official: 0.99.
        gamma: f64 = 0.99,
        /// Rate of the target networks. Official: 0.005.
        tau: f64 = 0.005,
        /// How the agents' values become the team's.
        mixer: MixerKind = MixerKind::LinearHypernetwork,
        /// Discrete tasks: unavailable actions get no probability in the policy loss. Official: `false`.
        mask_unavailable: bool = true,
        /// Tasks with dead agents: they count in none of the losses. Official: `false`.
        mask_dead: bool = true,
    }
}

section! {
    /// ReBRAC's own settings (Tarasov et al., NeurIPS 2023, arXiv:2305.09836), for a team. It heeds `omiga.mask_dead`.
    "rebrac" RebracConfig {
        /// Weight of the squared distance from the data's actions in the policies' loss. The paper, by dataset: 0.001 to 0.1.
        actor_bc_coef: f64 = 0.05,
        /// The same of the next actions in the critics' target. The paper, by dataset: 0 to 0.5.
        critic_bc_coef: f64 = 0.1,
        /// Discount. The paper: 0.99.
        gamma: f64 = 0.99,
        /// Rate of the target networks. The paper: 0.005 in every second update; here in every one.
        tau: f64 = 0.005,
        /// The value that new critics begin near. The paper: `zero`.
        #[serde(skip_serializing_if = "is_default")]
        value_init: ValueInit = ValueInit::Zero,
        /// Standard deviation of the noise on the target's next actions, which are in [-1, 1]. The paper: 0.2.
        policy_noise: f64 = 0.2,
        /// Largest such noise. The paper: 0.5.
        noise_clip: f64 = 0.5,
        /// Updates of the critics for one of the policies. The paper: 2.
        policy_freq: u64 = 2,
    }
}
