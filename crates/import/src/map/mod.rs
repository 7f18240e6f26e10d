//! The map: what the columns of a log mean, as its author writes it.

mod values;

use std::path::Path;

use serde::Deserialize;

use omiga_dataset::{Format, Outline, TaskName};
use omiga_format::atomic;

use crate::{Error, Result};
pub use values::{
    Flag, Formula, Gap, LastRow, Masked, Null, Outside, Period, RewardRow, Sample, Sampling, Team, Texts,
};

/// Larger ones are no maps.
const MAX_BYTES: u64 = 4 << 20;

/// What the columns of a log mean; one TOML file, described in `docs/tables.md`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Map {
    pub(crate) task: Task,
    #[serde(default)]
    pub(crate) table: TableText,
    #[serde(default)]
    pub(crate) time: Time,
    #[serde(default)]
    pub(crate) agent: Agent,
    #[serde(default)]
    pub(crate) episode: EpisodeEnds,
    pub(crate) obs: Vec<Field>,
    pub(crate) action: Vec<Action>,
    #[serde(default)]
    pub(crate) state: Vec<StateField>,
    pub(crate) reward: Option<Reward>,
}

/// `[task]`: the contract beside its fields.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Task {
    pub name: String,
    /// The policy's, and the steps' where the log is sampled.
    pub period: Option<Period>,
    /// Beyond which an observation is too old to act on.
    pub max_obs_age: Option<Period>,
    /// Steps after which the clock ends an episode.
    pub episode_limit: Option<u32>,
    /// One agent where the log is of one.
    #[serde(default = "one_agent")]
    pub agents: Vec<String>,
}

fn one_agent() -> Vec<String> {
    vec!["agent".to_owned()]
}

/// `[table]`: how a text becomes cells. Parquet says it itself.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct TableText {
    /// Told from the header if left out.
    pub delimiter: Option<char>,
    pub decimal: char,
    pub thousands: Option<char>,
    pub quote: char,
    /// Texts that mean that there is no value; an empty cell always does.
    pub null: Vec<String>,
    /// Lines before the header.
    pub skip: u32,
}

impl Default for TableText {
    fn default() -> Self {
        let null = ["NA", "N/A", "NaN", "nan", "null", "NULL", "None", "-"].map(str::to_owned).into();
        Self { delimiter: None, decimal: '.', thousands: None, quote: '"', null, skip: 0 }
    }
}

/// `[time]`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Time {
    pub column: Option<String>,
    /// Of numbers: `s`, `ms`, `us`, `ns`, `min`, `h`, `d`.
    pub unit: Option<String>,
    /// Of texts that are not as in ISO 8601: `strftime`'s letters.
    pub format: Option<String>,
    /// Of texts without one: a name of IANA's, or as `+01:00`.
    pub zone: Option<String>,
    pub sample: Sampling,
    pub gap: Option<Gap>,
}

/// `[agent]`: the long form, one row for each agent and moment.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Agent {
    pub column: Option<String>,
}

/// `[episode]`: where episodes begin and how they end.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct EpisodeEnds {
    /// Another value is another episode.
    pub column: Option<String>,
    /// The first row of an episode.
    pub reset: Option<Flag>,
    pub terminated: Option<Flag>,
    pub truncated: Option<Flag>,
    pub last_row: LastRow,
}

/// Where values come from: a column or a formula, and what is done where they are missing.
#[derive(Clone, Debug)]
pub(crate) struct Source {
    pub column: Option<String>,
    pub value: Option<Formula>,
    /// Of a column of lists: one for each agent.
    pub element: Option<Vec<usize>>,
    pub null: Null,
    pub sample: Option<Sample>,
}

/// `[[obs]]`. The source's keys stand beside its own: serde cannot flatten and refuse unknown keys at once.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Field {
    pub name: String,
    pub column: Option<String>,
    pub value: Option<Formula>,
    pub element: Option<Vec<usize>>,
    #[serde(default)]
    pub null: Null,
    pub sample: Option<Sample>,
    #[serde(default)]
    pub unit: String,
    pub range: Option<[f32; 2]>,
    /// Who observes it; all if left out.
    pub agents: Option<Vec<String>>,
}

/// `[[action]]`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Action {
    pub name: String,
    pub column: Option<String>,
    pub value: Option<Formula>,
    pub element: Option<Vec<usize>>,
    #[serde(default)]
    pub null: Null,
    pub sample: Option<Sample>,
    #[serde(default)]
    pub unit: String,
    /// The actuator's limits.
    pub range: Option<[f32; 2]>,
    /// In place of a range: the texts or numbers of a discrete action, in the order of its indices.
    pub choices: Option<Vec<String>>,
    /// Which of the choices were available: a column of lists with a flag for each, or a column for each.
    pub mask: Option<Texts>,
    #[serde(default)]
    pub masked: Masked,
    #[serde(default)]
    pub outside: Outside,
    /// Whose command it is; everybody's if left out.
    pub agents: Option<Vec<String>>,
}

impl Action {
    /// A key that says nothing of `choices`, if there is one.
    pub fn useless_for_choices(&self) -> Option<&'static str> {
        let keys = [
            ("value", self.value.is_some()),
            ("element", self.element.is_some()),
            ("sample", self.sample.is_some()),
            ("range", self.range.is_some()),
            ("outside", self.outside != Outside::default()),
        ];
        keys.into_iter().find(|(_, is_there)| *is_there).map(|(key, _)| key)
    }

    /// A key that says nothing without `choices`, or without `mask`, if there is one; and what it needs.
    pub fn needs(&self) -> Option<(&'static str, &'static str)> {
        match (&self.choices, &self.mask, self.masked) {
            (None, Some(_), _) => Some(("mask", "choices")),
            (_, None, Masked::Allow) => Some(("masked", "mask")),
            _ => None,
        }
    }
}

/// `[[state]]`: of the whole team; with `*` or in the long form, of each agent.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct StateField {
    pub column: Option<String>,
    pub value: Option<Formula>,
    pub element: Option<Vec<usize>>,
    #[serde(default)]
    pub null: Null,
    pub sample: Option<Sample>,
}

/// `[reward]`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Reward {
    pub column: Option<String>,
    pub value: Option<Formula>,
    pub element: Option<Vec<usize>>,
    #[serde(default)]
    pub null: Null,
    pub sample: Option<Sample>,
    /// Of rewards that each agent has.
    #[serde(default)]
    pub team: Team,
    /// In which row the reward of a step is.
    #[serde(default)]
    pub row: RewardRow,
}

macro_rules! sources {
    ($($entry:ty),*) => {$(
        impl $entry {
            /// Where its values come from.
            pub fn source(&self) -> Source {
                let (column, value, element) = (self.column.clone(), self.value.clone(), self.element.clone());
                Source { column, value, element, null: self.null, sample: self.sample }
            }
        }
    )*};
}
sources!(Field, Action, StateField, Reward);

impl Map {
    /// Read a map.
    ///
    /// # Errors
    /// [`Error::Toml`] names the line and what is allowed there; [`omiga_format::Error`] if it cannot be read.
    pub fn read(path: &Path) -> Result<Self> {
        let bytes = atomic::read(path, MAX_BYTES)?;
        let name = path.display().to_string();
        match String::from_utf8(bytes) {
            Ok(text) => Self::parse(&name, &text),
            Err(_) => Err(Error::Toml { name, reason: "expected UTF-8 text".to_owned() }),
        }
    }

    /// A map in a text, which messages call `name`.
    ///
    /// # Errors
    /// As [`Self::read`].
    pub fn parse(name: &str, text: &str) -> Result<Self> {
        let wrong =
            |e: toml::de::Error| Error::Toml { name: name.to_owned(), reason: e.to_string().trim_end().to_owned() };
        let map: Self = toml::from_str(text).map_err(wrong)?;
        map.validate()?;
        Ok(map)
    }

    /// What the steps of a log will be, as far as the map says.
    pub fn outline(&self) -> Outline {
        let discrete = self.action.iter().any(|action| action.choices.is_some());
        Outline { task: self.task.name.clone(), named_by: TaskName::Header, discrete, format: Format::MEMORY }
    }

    /// Is there an agent of this name?
    pub(crate) fn has(&self, agent: &str) -> bool {
        self.task.agents.iter().any(|name| name == agent)
    }

    /// What contradicts itself.
    fn validate(&self) -> Result<()> {
        let TableText { delimiter, decimal, thousands, quote, .. } = &self.table;
        let characters = [*delimiter, Some(*decimal), *thousands, Some(*quote)];
        if let Some(wide) = characters.into_iter().flatten().find(|c| !c.is_ascii()) {
            return Err(Error::entry("table", format!("found `{wide}`, expected an ASCII character")));
        }
        if let Some(end) = characters.into_iter().flatten().find(|c| matches!(c, '\r' | '\n')) {
            return Err(Error::entry("table", format!("found {end:?}, which ends a line")));
        }
        if *delimiter == Some(*quote) {
            return Err(Error::entry("table", "`delimiter` and `quote` are the same"));
        }
        if *thousands == Some(*decimal) || *delimiter == Some(*decimal) {
            return Err(Error::entry("table", "the decimal point means something else, too"));
        }
        if self.time.column.is_none() {
            let needs_it = [
                ("time.sample", self.time.sample != Sampling::Rows),
                ("time.gap", matches!(self.time.gap, Some(Gap::After(_)))),
            ];
            if let Some((key, _)) = needs_it.into_iter().find(|(_, needs)| *needs) {
                return Err(Error::entry(key, "needs `time.column`"));
            }
        }
        if self.time.sample != Sampling::Rows && self.task.period.is_none() {
            return Err(Error::entry("time.sample", "needs `task.period`, e.g. \"200 ms\""));
        }
        Ok(())
    }
}
