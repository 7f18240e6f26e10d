//! One TOML for a run: every setting with the paper's value and its source.

mod choice;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use omiga_dataset::{Actions, LoadOptions, Rewards, Storage, Timeouts};
use serde::{Deserialize, Serialize};

pub use self::choice::{Algorithm, EngineChoice, MixerKind, StorageChoice, TransformChoice};
use crate::dist::OFFICIAL_ACTION_MARGIN;
use crate::{Error, Result};

/// A whole run.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Do what the official code does wherever it differs from our defaults; see [`Config::resolve`].
    pub official: bool,
    /// What is run, how long, and what is written.
    pub run: RunConfig,
    /// How the dataset is read.
    pub data: DataConfig,
    /// Sizes of the networks.
    pub network: NetworkConfig,
    /// The policies' distribution.
    pub policy: PolicyConfig,
    /// The optimisers.
    pub optim: OptimConfig,
    /// OMIGA's own settings; unused by behaviour cloning.
    pub omiga: OmigaConfig,
}

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

impl Config {
    /// Merge TOML texts (later ones win) and `key.path=value` settings, then check the result.
    ///
    /// # Errors
    /// [`Error::Config`] for what does not parse or is unknown, [`Error::Setting`] for what cannot be.
    pub fn from_parts(texts: &[(&str, &str)], settings: &[String]) -> Result<Self> {
        let wrong = |origin: &str, reason: String| Error::Config { origin: origin.to_owned(), reason };
        let mut merged = toml::Table::new();
        for (origin, text) in texts {
            let table: toml::Table = text.parse().map_err(|e: toml::de::Error| wrong(origin, e.to_string()))?;
            // Parsed alone first, so that a message names the right origin.
            Self::deserialize(table.clone()).map_err(|e| wrong(origin, e.to_string()))?;
            merge(&mut merged, table);
        }
        for setting in settings {
            let origin = format!("--set {setting}");
            let (key, value) =
                setting.split_once('=').ok_or_else(|| wrong(&origin, "expected `section.key=value`".into()))?;
            let (key, value) = (key.trim(), value.trim());
            let table: toml::Table = format!("{key} = {value}")
                .parse()
                .or_else(|_| format!("{key} = {value:?}").parse())
                .map_err(|e: toml::de::Error| wrong(&origin, e.to_string()))?;
            Self::deserialize(table.clone()).map_err(|e| wrong(&origin, e.to_string()))?;
            merge(&mut merged, table);
        }
        let config = Self::deserialize(merged).map_err(|e| wrong("as merged", e.to_string()))?;
        config.validate()?;
        Ok(config)
    }

    /// The configuration as it is run: with `official`, the six settings in which the official code differs are set
    /// to its behaviour, whatever they were (`rewards` on discrete tasks only, where its SMAC branch does so).
    #[must_use]
    pub fn resolve(mut self, discrete: bool) -> Self {
        if self.official {
            self.data.timeouts = Timeouts::Terminal;
            self.data.actions = Actions::Raw;
            self.policy.action_margin = OFFICIAL_ACTION_MARGIN;
            if discrete {
                self.data.rewards = Rewards::ReturnToGo;
            }
            self.omiga.mask_unavailable = false;
            self.omiga.mask_dead = false;
        }
        self
    }

    /// As TOML.
    ///
    /// # Errors
    /// [`Error::Config`] when a value has no TOML form.
    pub fn to_toml(&self) -> Result<String> {
        toml::to_string(self).map_err(|e| Error::Config { origin: "as resolved".into(), reason: e.to_string() })
    }

    /// The settings that differ: dotted name, value here and value in `other` as TOML, sorted by name.
    pub(crate) fn difference(&self, other: &Self) -> Result<Vec<(String, String, String)>> {
        let (here, there) = (self.leaves()?, other.leaves()?);
        let names: BTreeSet<_> = here.keys().chain(there.keys()).collect();
        let value = |side: &BTreeMap<_, String>, name| side.get(name).map_or("unset", String::as_str).to_owned();
        let all = names.into_iter().map(|name: &String| (name.clone(), value(&here, name), value(&there, name)));
        Ok(all.filter(|(_, here, there)| here != there).collect())
    }

    fn leaves(&self) -> Result<BTreeMap<String, String>> {
        let value = toml::Value::try_from(self);
        let value = value.map_err(|e| Error::Config { origin: "as resolved".into(), reason: e.to_string() })?;
        Ok(leaves("", value))
    }

    fn validate(&self) -> Result<()> {
        let positive =
            |field, value: f64| require(field, "finite and above 0", value, value.is_finite() && value > 0.0);
        let fraction = |field, value: f64| require(field, "in [0, 1)", value, (0.0..1.0).contains(&value));
        let count =
            |field, value: u64, max: u64| require(field, &format!("1 to {max}"), value, (1..=max).contains(&value));
        count("run.steps", self.run.steps, 1 << 40)?;
        count("run.log_every", self.run.log_every, 1 << 40)?;
        count("run.eval_every", self.run.eval_every, 1 << 40)?;
        count("run.eval_episodes", self.run.eval_episodes as u64, 1 << 20)?;
        count("run.checkpoint_every", self.run.checkpoint_every, 1 << 40)?;
        count("run.keep", self.run.keep as u64, 1 << 20)?;
        count("run.golden", self.run.golden as u64, 1 << 16)?;
        count("data.batch_size", self.data.batch_size as u64, 1 << 20)?;
        count("network.hidden", self.network.hidden as u64, 1 << 14)?;
        count("network.mixer_hidden", self.network.mixer_hidden as u64, 1 << 14)?;
        let margin = self.policy.action_margin;
        require("policy.action_margin", "1e-7 to 0.5", margin, (OFFICIAL_ACTION_MARGIN..=0.5).contains(&margin))?;
        positive("optim.lr", self.optim.lr)?;
        fraction("optim.beta1", self.optim.beta1)?;
        fraction("optim.beta2", self.optim.beta2)?;
        positive("optim.eps", self.optim.eps)?;
        positive("optim.grad_norm_clip", self.optim.grad_norm_clip)?;
        positive("omiga.alpha", self.omiga.alpha)?;
        require("omiga.gamma", "in [0, 1]", self.omiga.gamma, (0.0..=1.0).contains(&self.omiga.gamma))?;
        require("omiga.tau", "in (0, 1]", self.omiga.tau, self.omiga.tau > 0.0 && self.omiga.tau <= 1.0)
    }
}

fn require(field: &'static str, expected: &str, found: impl ToString, holds: bool) -> Result<()> {
    if holds {
        return Ok(());
    }
    Err(Error::Setting { field, expected: expected.to_owned(), found: found.to_string() })
}

/// Every value below `value` by its dotted name.
fn leaves(name: &str, value: toml::Value) -> BTreeMap<String, String> {
    let toml::Value::Table(table) = value else { return BTreeMap::from([(name.to_owned(), value.to_string())]) };
    let prefix = if name.is_empty() { String::new() } else { format!("{name}.") };
    table.into_iter().flat_map(|(key, value)| leaves(&format!("{prefix}{key}"), value)).collect()
}

fn merge(into: &mut toml::Table, from: toml::Table) {
    for (key, value) in from {
        match (into.get_mut(&key), value) {
            (Some(toml::Value::Table(inner)), toml::Value::Table(table)) => merge(inner, table),
            (_, value) => drop(into.insert(key, value)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, settings: &[&str], message: &str) {
        let settings: Vec<String> = settings.iter().map(|s| (*s).to_owned()).collect();
        let error = Config::from_parts(&[("x.toml", text)], &settings).unwrap_err().to_string();
        assert!(error.contains(message), "`{error}` lacks `{message}`");
    }

    #[test]
    fn wrong_settings_are_named() {
        check("[omiga]\nalfa = 1", &[], "unknown field `alfa`");
        check("[omiga]\nalpha = 0", &[], "`omiga.alpha` is 0, expected finite and above 0");
        check("", &["omiga.alpha"], "expected `section.key=value`");
        check("", &["run.algorithm=cql"], "unknown variant `cql`");
        check("", &["optim.lr=nan"], "`optim.lr` is NaN");
        check("", &["policy.action_margin=0"], "`policy.action_margin` is 0, expected 1e-7 to 0.5");
        check("[omiga", &[], "x.toml");
    }

    #[test]
    fn later_parts_win() {
        let settings = ["omiga.alpha=1".to_owned(), "run.device=cuda:1".to_owned()];
        let config = Config::from_parts(&[("a", "[omiga]\nalpha = 3\ntau = 0.1")], &settings).unwrap();
        assert_eq!((config.omiga.alpha, config.omiga.tau, config.run.device.as_str()), (1.0, 0.1, "cuda:1"));
    }

    #[test]
    fn official_sets_the_left_column() {
        let config = Config { official: true, ..Config::default() };
        let discrete = config.clone().resolve(true);
        assert_eq!((discrete.data.timeouts, discrete.data.actions), (Timeouts::Terminal, Actions::Raw));
        assert_eq!(discrete.policy.action_margin, 1e-7);
        assert_eq!(discrete.data.rewards, Rewards::ReturnToGo);
        assert!(!discrete.omiga.mask_dead && !discrete.omiga.mask_unavailable);
        assert_eq!(config.resolve(false).data.rewards, Rewards::True);
    }

    #[test]
    fn differences_are_named() {
        let config = Config::default();
        assert!(config.difference(&config).unwrap().is_empty());
        let settings = ["omiga.alpha=2".to_owned(), "data.time_limit=9".to_owned(), "run.device=cuda:1".to_owned()];
        let other = Config::from_parts(&[], &settings).unwrap();
        let found = config.difference(&other).unwrap();
        let row = |field: &str, a: &str, b: &str| (field.to_owned(), a.to_owned(), b.to_owned());
        let device = row("run.device", "\"cpu\"", "\"cuda:1\"");
        assert_eq!(found, [row("data.time_limit", "unset", "9"), row("omiga.alpha", "10.0", "2.0"), device]);
    }

    #[test]
    fn toml_round_trip() {
        let config = Config::default();
        assert_eq!(Config::from_parts(&[("x", &config.to_toml().unwrap())], &[]).unwrap(), config);
    }
}
