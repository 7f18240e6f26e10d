//! One TOML for a run.

mod choice;
mod documented;
mod entry;
mod layers;
mod official;
mod resume;
mod sections;

use std::collections::{BTreeMap, BTreeSet};

use omiga_format::ActorHead;
use serde::{Deserialize, Serialize};

pub use self::choice::{
    Algorithm, EngineChoice, LrSchedule, MixerKind, PolicyLoss, StorageChoice, TransformChoice, ValueInit,
};
use self::entry::{Entry, LARGEST};
pub use self::layers::{Layer, Layers, Resolved, Setting, merge, values};
pub use self::resume::MAY_CHANGE;
pub use self::sections::{DataConfig, NetworkConfig, OmigaConfig, OptimConfig, PolicyConfig, RebracConfig, RunConfig};
use crate::dist::OFFICIAL_ACTION_MARGIN;
use crate::{Error, Result};

/// A whole run.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Was what the official code does the layer under file and command line? [`Layers`] puts it there; once resolved this is
    /// only the record of it, and changes nothing.
    pub official: bool,
    /// What is run, how long, and what is written.
    pub run: RunConfig,
    /// How the dataset is read.
    pub data: DataConfig,
    /// Sizes of the networks.
    pub network: NetworkConfig,
    /// How policies imitate the data.
    pub policy: PolicyConfig,
    /// The optimisers.
    pub optim: OptimConfig,
    /// OMIGA's own settings. Of these behaviour cloning heeds the two masks.
    pub omiga: OmigaConfig,
    /// ReBRAC's own settings.
    pub rebrac: RebracConfig,
}

impl Config {
    /// Of what the algorithm at hand fits its values to.
    pub fn discount(&self) -> f64 {
        match self.run.algorithm {
            Algorithm::Rebrac => self.rebrac.gamma,
            Algorithm::Omiga | Algorithm::Bc => self.omiga.gamma,
        }
    }

    /// Merge TOML texts (later ones win) and `key.path=value` settings, then check the result. For a new run see [`Layers`],
    /// which knows the official layer too.
    ///
    /// # Errors
    /// [`Error::Config`] for what does not parse or is unknown, [`Error::Setting`] for what cannot be,
    /// [`Error::Contradiction`] for two values of one setting.
    pub fn from_parts(texts: &[(&str, &str)], settings: &[String]) -> Result<Self> {
        let tables = texts.iter().map(|(origin, text)| Layer { origin, text }.table());
        let settings: Vec<_> = settings.iter().map(|text| Setting::new(text)).collect();
        Self::from_tables(tables.chain([layers::command(&settings)]).collect::<Result<Vec<_>>>()?)
    }

    /// The configuration stored in a run's folder, with settings of the command line. A stored one is complete: what it lacks
    /// is a setting that another version did not have, and today's default is not what that version did.
    ///
    /// # Errors
    /// As of [`Layers::resolve`].
    pub fn of_run(origin: &str, text: &str, settings: &[Setting]) -> Result<Self> {
        let stored = Layer { origin, text }.table()?;
        layers::agree_on_official(&stored, origin, settings)?;
        let known = Self::from_tables([stored.clone()])?.leaves()?;
        let stored_values = layers::values(&stored);
        match known.keys().find(|name| !stored_values.contains_key(*name)) {
            None => Self::from_tables([stored, layers::command(settings)?]),
            Some(name) => Err(Error::Config {
                origin: origin.to_owned(),
                reason: format!("no `{name}`: another version wrote it; start a new run in another folder"),
            }),
        }
    }

    /// This configuration with another seed.
    ///
    /// # Errors
    /// [`Error::Setting`] for a seed that TOML cannot hold.
    pub fn with_seed(&self, seed: u64) -> Result<Self> {
        let mut config = self.clone();
        config.run.seed = seed;
        config.validate()?;
        Ok(config)
    }

    /// The setting that holds the algorithm's values at the data, the larger the more, and what it is; nothing without values.
    pub(crate) fn anchor(&self) -> Option<(&'static str, f64)> {
        match self.run.algorithm {
            Algorithm::Bc => None,
            Algorithm::Omiga => Some(("omiga.alpha", self.omiga.alpha)),
            Algorithm::Rebrac => Some(("rebrac.critic_bc_coef", self.rebrac.critic_bc_coef)),
        }
    }

    /// May this setting change when a run goes on? See [`MAY_CHANGE`].
    pub fn may_change(name: &str) -> bool {
        MAY_CHANGE.iter().any(|(other, _)| *other == name)
    }

    /// Does the algorithm at hand read this setting? Of another one's own settings it does not.
    pub(crate) fn reads(&self, name: &str) -> bool {
        self.run.algorithm == Algorithm::Rebrac || !name.starts_with("rebrac.")
    }

    /// The last layers of the policy network, for choices (`discrete`) or commands.
    pub fn actor_head(&self, discrete: bool) -> ActorHead {
        match self.policy.loss {
            _ if discrete => ActorHead::Categorical,
            _ if self.run.algorithm == Algorithm::Rebrac => ActorHead::Deterministic,
            PolicyLoss::Nll => ActorHead::SquashedGaussian,
            PolicyLoss::BetaNll => ActorHead::Gaussian,
            PolicyLoss::Mse | PolicyLoss::Mae => ActorHead::Deterministic,
        }
    }

    fn from_tables(tables: impl IntoIterator<Item = toml::Table>) -> Result<Self> {
        let mut merged = toml::Table::new();
        tables.into_iter().for_each(|table| layers::merge(&mut merged, table));
        let config = Self::deserialize(merged);
        let config = config.map_err(|e| Error::Config { origin: "as merged".into(), reason: e.to_string() })?;
        config.validate()?;
        Ok(config)
    }

    /// As TOML.
    ///
    /// # Errors
    /// [`Error::Config`] when a value has no TOML form.
    pub fn to_toml(&self) -> Result<String> {
        toml::to_string(self).map_err(|e| Error::Config { origin: "as resolved".into(), reason: e.to_string() })
    }

    /// Every setting, in the order of the sections.
    fn entries(&self) -> Vec<Entry> {
        let about = &[
            " Do what the official code does wherever it differs from the defaults here; other settings still win over it.",
        ];
        let kind = <bool as entry::Value>::KIND;
        let official = Entry { name: "official", about, kind, value: Entry::toml(&self.official) };
        let sections = [
            self.run.entries(),
            self.data.entries(),
            self.network.entries(),
            self.policy.entries(),
            self.optim.entries(),
            self.omiga.entries(),
            self.rebrac.entries(),
        ];
        [official].into_iter().chain(sections.into_iter().flatten()).collect()
    }

    /// The values of all settings that are set.
    fn values(&self) -> BTreeMap<String, toml::Value> {
        self.entries().into_iter().filter_map(|entry| Some((entry.name.to_owned(), entry.value?))).collect()
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
        let table = toml::Table::try_from(self);
        let table = table.map_err(|e| Error::Config { origin: "as resolved".into(), reason: e.to_string() })?;
        Ok(layers::values(&table).into_iter().map(|(name, value)| (name, value.to_string())).collect())
    }

    fn validate(&self) -> Result<()> {
        let positive =
            |field, value: f64| require(field, "finite and above 0", value, value.is_finite() && value > 0.0);
        let fraction = |field, value: f64| require(field, "in [0, 1)", value, (0.0..1.0).contains(&value));
        let count =
            |field, value: u64, max: u64| require(field, &format!("1 to {max}"), value, (1..=max).contains(&value));
        let seed = <u64 as entry::Value>::KIND.expected();
        require("run.seed", &seed, self.run.seed, self.run.seed <= LARGEST)?;
        count("run.steps", self.run.steps, 1 << 40)?;
        count("run.log_every", self.run.log_every, 1 << 40)?;
        count("run.eval_every", self.run.eval_every, 1 << 40)?;
        count("run.eval_episodes", self.run.eval_episodes as u64, 1 << 20)?;
        count("run.checkpoint_every", self.run.checkpoint_every, 1 << 40)?;
        count("run.keep", self.run.keep as u64, 1 << 20)?;
        count("run.golden", self.run.golden as u64, 1 << 16)?;
        count("data.batch_size", self.data.batch_size as u64, 1 << 20)?;
        let held_out = self.data.held_out;
        require("data.held_out", "0 to 0.9", held_out, (0.0..=0.9).contains(&held_out))?;
        let delta = self.data.novelty_delta;
        require("data.novelty_delta", "0 to 0.5", delta, (0.0..=0.5).contains(&delta))?;
        count("network.hidden", self.network.hidden as u64, 1 << 14)?;
        count("network.mixer_hidden", self.network.mixer_hidden as u64, 1 << 14)?;
        let margin = self.policy.action_margin;
        require("policy.action_margin", "1e-7 to 0.5", margin, (OFFICIAL_ACTION_MARGIN..=0.5).contains(&margin))?;
        require("policy.beta", "in [0, 1]", self.policy.beta, (0.0..=1.0).contains(&self.policy.beta))?;
        positive("optim.lr", self.optim.lr)?;
        fraction("optim.beta1", self.optim.beta1)?;
        fraction("optim.beta2", self.optim.beta2)?;
        positive("optim.eps", self.optim.eps)?;
        let clip = self.optim.grad_norm_clip;
        require("optim.grad_norm_clip", "above 0", clip, clip > 0.0)?;
        positive("omiga.alpha", self.omiga.alpha)?;
        for (gamma, tau, of) in [
            ("omiga.gamma", "omiga.tau", (self.omiga.gamma, self.omiga.tau)),
            ("rebrac.gamma", "rebrac.tau", (self.rebrac.gamma, self.rebrac.tau)),
        ] {
            require(gamma, "in [0, 1]", of.0, (0.0..=1.0).contains(&of.0))?;
            require(tau, "in (0, 1]", of.1, of.1 > 0.0 && of.1 <= 1.0)?;
        }
        let RebracConfig { actor_bc_coef, critic_bc_coef, policy_noise, noise_clip, policy_freq, .. } = self.rebrac;
        for (field, value) in [
            ("rebrac.actor_bc_coef", actor_bc_coef),
            ("rebrac.critic_bc_coef", critic_bc_coef),
            ("rebrac.policy_noise", policy_noise),
            ("rebrac.noise_clip", noise_clip),
        ] {
            require(field, "finite and at least 0", value, value.is_finite() && value >= 0.0)?;
        }
        count("rebrac.policy_freq", policy_freq, 1 << 20)
    }
}

fn require(field: &'static str, expected: &str, found: impl ToString, holds: bool) -> Result<()> {
    if holds {
        return Ok(());
    }
    Err(Error::Setting { field, expected: expected.to_owned(), found: found.to_string() })
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
        check(
            "",
            &["run.algorithm=cql"],
            "--set run.algorithm=cql: `run.algorithm` is `cql`, expected `omiga`, `bc` or `rebrac`",
        );
        check("", &["run.steps=many"], "`run.steps` is `many`, expected a whole number from 0 to 9223372036854775807");
        check("[run]\nsteps = 1.5", &[], "configuration x.toml: `run.steps` is 1.5, expected a whole number");
        check("", &["omiga.alpha=high"], "`omiga.alpha` is `high`, expected a number");
        check("", &["official=1"], "`official` is 1, expected `true` or `false`");
        check("", &["run=5"], "`run` is 5, expected a section with settings");
        check("", &["run.steps.x=5"], "`run.steps` is { x = 5 }, expected a whole number");
        check("", &["data.time_limit=5e9"], "expected a whole number from 0 to 4294967295");
        let seed = "`run.seed` is `9223372036854775808`, expected a whole number from 0 to 9223372036854775807";
        check("", &["run.seed=9223372036854775808"], seed);
        let error = Config::default().with_seed(1 << 63).unwrap_err().to_string();
        assert!(error.contains(&seed.replace("`9223372036854775808`", "9223372036854775808")), "{error}");
        check("", &["optim.lr=nan"], "`optim.lr` is NaN");
        check("", &["policy.action_margin=0"], "`policy.action_margin` is 0, expected 1e-7 to 0.5");
        check("[omiga", &[], "x.toml");
    }

    #[test]
    fn later_parts_win() {
        let settings = ["omiga.alpha=1".to_owned(), "run.device=cuda:1".to_owned()];
        let config = Config::from_parts(&[("a", "[omiga]\nalpha = 3\ntau = 0.1")], &settings).unwrap();
        assert_eq!((config.omiga.alpha, config.omiga.tau, config.run.device.as_str()), (1.0, 0.1, "cuda:1"));
        let settings = ["run.steps=1e3", "data.rewards=true", "data.scratch=7", "omiga.alpha=2"].map(str::to_owned);
        let config = Config::from_parts(&[], &settings).unwrap();
        assert_eq!((config.run.steps, config.omiga.alpha), (1000, 2.0));
        assert_eq!(config.data.scratch.unwrap().to_str(), Some("7"));
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
        let limited = Config::of_run("x", &text, &[Setting::new("data.time_limit=9")]).unwrap();
        assert_eq!(limited.data.time_limit, Some(9));
    }

    #[test]
    fn a_run_of_another_version_does_not_get_todays_defaults() {
        let text = Config::default().to_toml().unwrap().replace("action_margin = 0.001\n", "");
        for settings in [&[][..], &[Setting::new("policy.action_margin=0.02")]] {
            let error = Config::of_run("run/config.toml", &text, settings).unwrap_err().to_string();
            assert!(error.contains("run/config.toml") && error.contains("no `policy.action_margin`"), "{error}");
        }
    }
}
