//! `node.toml`: what one agent is, what it hears, and what it may do.

mod keys;
mod messages;
mod options;
mod process;
mod template;
mod time;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use omiga_runtime::{FaultBetween, Intermediate};
use serde::Deserialize;

use crate::{Error, Result};

pub use self::messages::{Bind, CommandSettings, InputSettings, Sequence, Stamp};
pub(crate) use self::options::no_names;
pub use self::process::{CandidateSettings, Mode, NetworkSettings, RealTimeSettings, RecordSettings};
pub use self::template::template;
pub use self::time::Millis;

/// A node's file. Paths in it are relative to its folder; unknown keys are errors.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// The bundle's folder.
    pub bundle: PathBuf,
    /// Which agent of it.
    pub agent: String,
    /// What the team calls this node; else the agent's name.
    pub name: Option<String>,
    /// Whose bundles it runs: a key, or the path of a `.pub` file.
    pub public_key: Option<String>,
    /// Run what nobody has signed; without a key this must be said.
    #[serde(default)]
    pub unsigned: bool,
    /// Name of the task that the bundle must be of.
    pub task: Option<String>,
    /// Hash of the contract that the bundle must have.
    pub contract_sha256: Option<String>,
    /// Least number of the bundle's release.
    pub least_release: Option<u64>,

    /// Time between two decisions; else the contract's.
    pub period_ms: Option<Millis>,
    /// Time between two ticks, at most the period; else the period.
    pub tick_ms: Option<Millis>,
    /// Oldest observation that may be acted on; else the contract's. One of them must say it.
    pub max_obs_age_ms: Option<Millis>,
    /// How much after now a message may be stamped, for clocks of machines that differ; else 1 ms.
    pub max_future_ms: Option<Millis>,
    /// What a tick between two periods commands.
    #[serde(default)]
    pub intermediate: Intermediate,
    /// When a fault between two periods counts.
    #[serde(default)]
    pub fault_between: FaultBetween,
    /// Reports that are faults, by their names, e.g. `OBS_NOVEL`.
    #[serde(default)]
    pub fault_on: Vec<String>,
    /// After a fault, act again with this good observation in a row.
    #[serde(default)]
    pub resume_after: u32,
    /// A choosing agent without bound masks: everything is always available.
    #[serde(default)]
    pub mask: Mask,
    /// How fast commands may change, by their names, in their units per second.
    #[serde(default)]
    pub rates: BTreeMap<String, f32>,
    /// What is commanded when the policy may not command.
    pub safe: SafeSettings,

    /// The messages that it hears.
    #[serde(rename = "input")]
    pub inputs: Vec<InputSettings>,
    /// The messages that it sends.
    pub command: CommandSettings,
    /// What may take over.
    #[serde(default)]
    pub candidate: CandidateSettings,
    /// How it is part of the network.
    #[serde(default)]
    pub network: NetworkSettings,
    /// What it asks of the operating system.
    #[serde(default)]
    pub realtime: RealTimeSettings,
    /// Where it records its ticks; without it nowhere.
    pub record: Option<RecordSettings>,
}

/// What a choosing agent may choose.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Mask {
    /// What the bound masks say.
    #[default]
    Bound,
    /// Everything, always.
    All,
}

/// What is commanded when the policy may not command; it belongs to the machine, so it has no default.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SafeSettings {
    /// Every command by its name, in its unit.
    pub commands: Option<BTreeMap<String, f32>>,
    /// Or the name of a choice.
    pub choice: Option<String>,
    /// Repeat the last action for so long before.
    pub hold_ms: Option<Millis>,
    /// How fast commands may change on the way to it, by their names; else it is commanded at once.
    #[serde(default)]
    pub rates: BTreeMap<String, f32>,
}

impl Settings {
    /// Read a node's file.
    ///
    /// # Errors
    /// [`Error::Read`], [`Error::Toml`].
    pub fn read(path: &Path) -> Result<Self> {
        let text = fs::read_to_string(path).map_err(|source| Error::Read { path: path.to_owned(), source })?;
        let mut settings = Self::parse(&text).map_err(|reason| Error::Toml { path: path.to_owned(), reason })?;
        let folder = path.parent().unwrap_or(Path::new(""));
        settings.bundle = folder.join(&settings.bundle);
        settings.candidate.bundle = settings.candidate.bundle.map(|bundle| folder.join(bundle));
        settings.network.config = settings.network.config.map(|config| folder.join(config));
        if let Some(record) = &mut settings.record {
            record.folder = folder.join(&record.folder);
        }
        settings.public_key = settings.public_key.map(|key| match key.ends_with(".pub") {
            true => folder.join(key).to_string_lossy().into_owned(),
            false => key,
        });
        Ok(settings)
    }

    /// Parse a node's file; its paths stay as they are.
    ///
    /// # Errors
    /// What the parser says.
    pub fn parse(text: &str) -> Result<Self, String> {
        toml::from_str(text).map_err(|error| error.to_string())
    }

    /// What the team calls this node.
    pub fn name(&self) -> &str {
        self.name.as_deref().unwrap_or(&self.agent)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_read_with_its_paths() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("node.toml");
        let text = include_str!("../../tests/data/spread.toml");
        fs::write(&path, text.replace("unsigned = true", "public_key = \"release.pub\"")).unwrap();
        let settings = Settings::read(&path).unwrap();
        assert_eq!(settings.bundle, folder.path().join("spread"));
        assert_eq!(Path::new(settings.public_key.as_deref().unwrap()), folder.path().join("release.pub"));
        assert_eq!((settings.name(), settings.network.prefix.as_str()), ("agent_0", "omiga/node"));
        let error = Settings::read(&folder.path().join("none.toml")).unwrap_err().to_string();
        assert!(error.contains("cannot read"), "{error}");
    }

    #[test]
    fn what_is_not_known_is_told() {
        let text = include_str!("../../tests/data/spread.toml");
        for (from, to, why) in [
            ("unsigned = true", "unsinged = true", "unknown field `unsinged`"),
            ("period_ms = 100", "period_ms = -1", "expected a time in milliseconds"),
            ("stamp = \"attachment\"", "", "missing field `stamp`"),
            ("encoding = \"f32\"", "encoding = \"f16\"", "unknown variant `f16`"),
        ] {
            assert!(text.contains(from));
            let error = Settings::parse(&text.replacen(from, to, 1)).unwrap_err();
            assert!(error.contains(why), "{error}");
        }
    }
}
