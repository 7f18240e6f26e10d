//! One TOML for a run.

mod choice;
mod sections;

use std::collections::{BTreeMap, BTreeSet};

use omiga_dataset::{Actions, Rewards, Timeouts};
use serde::{Deserialize, Serialize};

pub use self::choice::{Algorithm, EngineChoice, MixerKind, StorageChoice, TransformChoice};
pub use self::sections::{DataConfig, NetworkConfig, OmigaConfig, OptimConfig, PolicyConfig, RunConfig};
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
    /// OMIGA's own settings. Of these behaviour cloning heeds the two masks.
    pub omiga: OmigaConfig,
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

    /// The configuration stored in a run's folder, with `key.path=value` settings. A stored one is complete: what it lacks is a
    /// setting that another version did not have, and today's default is not what that version did.
    ///
    /// # Errors
    /// [`Error::Config`] and [`Error::Setting`].
    pub fn of_run(origin: &str, text: &str, settings: &[String]) -> Result<Self> {
        let wrong = |reason| Error::Config { origin: origin.to_owned(), reason };
        let table: toml::Table = text.parse().map_err(|e: toml::de::Error| wrong(e.to_string()))?;
        let stored = leaves("", toml::Value::Table(table));
        let config = Self::from_parts(&[(origin, text)], settings)?;
        let known = Self::from_parts(&[(origin, text)], &[])?.leaves()?;
        match known.keys().find(|name| !stored.contains_key(*name)) {
            None => Ok(config),
            Some(name) => {
                Err(wrong(format!("no `{name}`: another version wrote it; start a new run in another folder")))
            }
        }
    }

    /// The configuration as it is run: with `official`, the seven settings in which the official code differs are set
    /// to its behaviour, whatever they were (`rewards` on discrete tasks only, where its SMAC branch does so).
    #[must_use]
    pub fn resolve(mut self, discrete: bool) -> Self {
        if self.official {
            self.data.timeouts = Timeouts::Terminal;
            self.data.actions = Actions::Raw;
            self.data.standardise_state = false;
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
        assert!(discrete.policy.action_margin == 1e-7 && !discrete.data.standardise_state);
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
        let text = config.to_toml().unwrap();
        assert_eq!(Config::from_parts(&[("x", &text)], &[]).unwrap(), config);
        assert_eq!(Config::of_run("x", &text, &[]).unwrap(), config);
        let limited = Config::of_run("x", &text, &["data.time_limit=9".to_owned()]).unwrap();
        assert_eq!(limited.data.time_limit, Some(9));
    }

    #[test]
    fn a_run_of_another_version_does_not_get_todays_defaults() {
        let text = Config::default().to_toml().unwrap().replace("action_margin = 0.001\n", "");
        for settings in [&[][..], &["policy.action_margin=0.02".to_owned()]] {
            let error = Config::of_run("run/config.toml", &text, settings).unwrap_err().to_string();
            assert!(error.contains("run/config.toml") && error.contains("no `policy.action_margin`"), "{error}");
        }
    }
}
