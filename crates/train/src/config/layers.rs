//! Where settings come from, and which win: preset < algorithm < official < file < command line.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::entry::{Entry, Kind, bare};
use super::{Algorithm, Config, official};
use crate::{Error, Result};

/// A TOML text with some settings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Layer<'a> {
    /// What it is called in messages: a file's name, `preset of task x`.
    pub origin: &'a str,
    /// The text.
    pub text: &'a str,
}

/// A setting of the command line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Setting {
    /// As typed: `--steps 5`.
    pub origin: String,
    /// As `section.key=value`: `run.steps=5`.
    pub text: String,
}

/// All that says how a new run is configured, from the weakest to the strongest. Between preset and file lie what the chosen
/// algorithm's authors do, if it is `rebrac`, and what the official code does, if file or command line say `official = true`.
#[derive(Clone, Copy, Debug, Default)]
pub struct Layers<'a> {
    /// What suits the task.
    pub preset: Option<Layer<'a>>,
    /// The user's file.
    pub file: Option<Layer<'a>>,
    /// The command line; its order does not matter.
    pub settings: &'a [Setting],
    /// Are the dataset's actions discrete? Part of the official layer is for those alone.
    pub discrete: bool,
}

/// A configuration made of layers.
#[derive(Clone, Debug, PartialEq)]
pub struct Resolved {
    /// What is run.
    pub config: Config,
    /// What of it the user did not ask for setting by setting: a line for the preset, one for the official layer.
    pub notes: Vec<String>,
}

/// The values of some settings by their dotted names.
type Values = BTreeMap<String, toml::Value>;

impl Setting {
    /// Of `--set text`.
    pub fn new(text: &str) -> Self {
        Self { origin: format!("--set {text}"), text: text.to_owned() }
    }

    /// Does it set `name`?
    ///
    /// # Errors
    /// [`Error::Config`] when it does not parse.
    pub fn sets(&self, name: &str) -> Result<bool> {
        Ok(values(&self.table()?).contains_key(name))
    }

    fn table(&self) -> Result<toml::Table> {
        let wrong = |reason: String| Error::Config { origin: self.origin.clone(), reason };
        let (name, value) = self.text.split_once('=').ok_or_else(|| wrong("expected `section.key=value`".into()))?;
        let (name, value) = (name.trim(), value.trim());
        let quoted = || format!("{name} = {}", toml::Value::String(value.to_owned()));
        let kind = Config::default().entries().into_iter().find(|entry| entry.name == name).map(|entry| entry.kind);
        let is_text = matches!(kind, Some(Kind::Text | Kind::OneOf(_))) && !value.starts_with(['"', '\'']);
        // `true` is a name of `data.rewards`, and a folder may be called 7.
        let table = if is_text { quoted().parse() } else { format!("{name} = {value}").parse() };
        let table = table.or_else(|_| quoted().parse()).map_err(|e: toml::de::Error| wrong(e.to_string()))?;
        checked(&self.origin, table)
    }
}

impl Layer<'_> {
    pub(super) fn table(&self) -> Result<toml::Table> {
        let wrong = |e: toml::de::Error| Error::Config { origin: self.origin.to_owned(), reason: e.to_string() };
        checked(self.origin, self.text.parse().map_err(wrong)?)
    }
}

impl Layers<'_> {
    /// The configuration.
    ///
    /// # Errors
    /// [`Error::Config`] for what does not parse or is unknown, [`Error::Setting`] for what cannot be,
    /// [`Error::Contradiction`] when the command line says two things of one setting, or not what the file says of
    /// `official`.
    pub fn resolve(&self) -> Result<Resolved> {
        let table = |layer: Option<Layer<'_>>| layer.map_or_else(|| Ok(toml::Table::new()), |layer| layer.table());
        let (preset, file, command) = (table(self.preset)?, table(self.file)?, command(self.settings)?);
        if let Some(layer) = self.file {
            agree_on_official(&file, layer.origin, self.settings)?;
        }
        let asked = |table: &toml::Table| table.get("official").and_then(toml::Value::as_bool);
        let official = match asked(&command).or(asked(&file)) {
            Some(true) => official::table(self.discrete)?,
            _ => toml::Table::new(),
        };
        let algorithm = of_algorithm([&preset, &official, &file, &command])?;
        let config = Config::from_tables([preset.clone(), algorithm.clone(), official.clone(), file, command])?;
        let origin = self.preset.map_or("", |layer| layer.origin);
        let notes = [
            note(origin, &preset, &config),
            note("algorithm `rebrac`", &algorithm, &config),
            of_official(&official, &config),
        ];
        Ok(Resolved { config, notes: notes.into_iter().flatten().collect() })
    }
}

/// What else the algorithm's authors do that the last of `tables` to name one names.
fn of_algorithm(tables: [&toml::Table; 4]) -> Result<toml::Table> {
    let named = tables.into_iter().rev().find_map(|table| table.get("run")?.get("algorithm")?.as_str());
    match named == Some(Algorithm::Rebrac.name()) {
        true => Layer { origin: "algorithm `rebrac`", text: include_str!("rebrac.toml") }.table(),
        false => Ok(toml::Table::new()),
    }
}

/// `preset of task x: run.steps=20000, ...`: what it changed, and nothing stronger changed again.
fn note(origin: &str, layer: &toml::Table, config: &Config) -> Option<String> {
    let (found, default) = (config.values(), Config::default().values());
    let stands =
        |(name, value): &(String, toml::Value)| found.get(name) == Some(value) && default.get(name) != Some(value);
    let changed: Vec<_> = values(layer).into_iter().filter(stands).map(|(name, x)| assignment(&name, &x)).collect();
    (!changed.is_empty()).then(|| format!("{origin}: {}", changed.join(", ")))
}

/// `official, but for a.b=1: c.d=2, ...`.
fn of_official(official: &toml::Table, config: &Config) -> Option<String> {
    let found = config.values();
    let (stands, changed): (Vec<_>, Vec<_>) =
        values(official).into_iter().partition(|(name, value)| found.get(name) == Some(value));
    let list = |named: &[String]| named.join(", ");
    let stands: Vec<_> = stands.iter().map(|(name, x)| assignment(name, x)).collect();
    let changed: Vec<_> = changed.iter().filter_map(|(name, _)| Some(assignment(name, found.get(name)?))).collect();
    match (official.is_empty(), changed.is_empty()) {
        (true, _) => None,
        (false, true) => Some(format!("official: {}", list(&stands))),
        (false, false) => Some(format!("official, but for {}: {}", list(&changed), list(&stands))),
    }
}

fn assignment(name: &str, value: &toml::Value) -> String {
    format!("{name}={}", bare(value))
}

/// The command line's settings, none of which may contradict another.
pub(super) fn command(settings: &[Setting]) -> Result<toml::Table> {
    let mut merged = toml::Table::new();
    let mut said: BTreeMap<String, (toml::Value, &Setting)> = BTreeMap::new();
    for setting in settings {
        let table = setting.table()?;
        for (name, value) in values(&table) {
            match said.get(&name) {
                Some((other, first)) if *other != value => {
                    return Err(contradiction(&name, (other, &first.origin), (&value, &setting.origin)));
                }
                _ => drop(said.insert(name, (value, setting))),
            }
        }
        merge(&mut merged, table);
    }
    Ok(merged)
}

/// `official` chooses a layer between file and command line: they must not say different things of it.
pub(super) fn agree_on_official(file: &toml::Table, origin: &str, settings: &[Setting]) -> Result<()> {
    for setting in settings {
        match (file.get("official"), setting.table()?.get("official")) {
            (Some(one), Some(other)) if one != other => {
                return Err(contradiction("official", (one, origin), (other, &setting.origin)));
            }
            _ => {}
        }
    }
    Ok(())
}

fn contradiction(name: &str, one: (&toml::Value, &str), other: (&toml::Value, &str)) -> Error {
    let said = |(value, origin): (&toml::Value, &str)| Box::new((bare(value), origin.to_owned()));
    Error::Contradiction { field: name.to_owned(), one: said(one), other: said(other) }
}

/// A table of known settings of the right kinds, each value as its kind writes it.
fn checked(origin: &str, mut table: toml::Table) -> Result<toml::Table> {
    let wrong = |reason: String| Error::Config { origin: origin.to_owned(), reason };
    normalise("", &mut table, &Config::default().entries()).map_err(wrong)?;
    // What is unknown is found here, by name.
    Config::deserialize(table.clone()).map_err(|e| wrong(e.to_string().trim_end().to_owned()))?;
    Ok(table)
}

fn normalise(section: &str, table: &mut toml::Table, entries: &[Entry]) -> Result<(), String> {
    for (key, value) in table.iter_mut() {
        let name = join(section, key);
        let is_section = entries.iter().any(|e| e.name.strip_prefix(&name).is_some_and(|rest| rest.starts_with('.')));
        let entry = entries.iter().find(|entry| entry.name == name);
        match (entry, &mut *value) {
            (Some(Entry { kind, .. }), found) => match kind.accept(found) {
                Some(accepted) => *found = accepted,
                None => return Err(format!("`{name}` is {}, expected {}", shown(found), kind.expected())),
            },
            (None, toml::Value::Table(inner)) => normalise(&name, inner, entries)?,
            (None, found) if is_section => {
                return Err(format!("`{name}` is {}, expected a section with settings", shown(found)));
            }
            (None, _) => {}
        }
    }
    Ok(())
}

/// A value in a message.
fn shown(value: &toml::Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), |text| format!("`{text}`"))
}

fn join(section: &str, key: &str) -> String {
    if section.is_empty() { key.to_owned() } else { format!("{section}.{key}") }
}

/// Every value of a table by its dotted name.
pub fn values(table: &toml::Table) -> BTreeMap<String, toml::Value> {
    fn collect(section: &str, table: &toml::Table, into: &mut Values) {
        for (key, value) in table {
            match value {
                toml::Value::Table(inner) => collect(&join(section, key), inner, into),
                _ => drop(into.insert(join(section, key), value.clone())),
            }
        }
    }
    let mut found = Values::new();
    collect("", table, &mut found);
    found
}

/// Join tables; of everything else the later one wins.
pub fn merge(into: &mut toml::Table, from: toml::Table) {
    for (key, value) in from {
        match (into.get_mut(&key), value) {
            (Some(toml::Value::Table(inner)), toml::Value::Table(table)) => merge(inner, table),
            (_, value) => drop(into.insert(key, value)),
        }
    }
}

#[cfg(test)]
mod tests {
    use omiga_dataset::{Actions, Rewards, Timeouts};

    use super::*;

    fn settings(all: &[(&str, &str)]) -> Vec<Setting> {
        all.iter().map(|(origin, text)| Setting { origin: (*origin).into(), text: (*text).into() }).collect()
    }

    fn refused(file: &str, all: &[(&str, &str)], message: &str) {
        let layer = Layer { origin: "x.toml", text: file };
        let error = Layers { file: Some(layer), settings: &settings(all), ..Layers::default() }.resolve().unwrap_err();
        assert!(error.to_string().contains(message), "`{error}` lacks `{message}`");
    }

    #[test]
    fn official_is_what_the_official_code_does() {
        let settings = [Setting::new("official=true")];
        let of = |discrete| Layers { settings: &settings, discrete, ..Layers::default() }.resolve().unwrap().config;
        let discrete = of(true);
        assert_eq!((discrete.data.timeouts, discrete.data.actions), (Timeouts::Terminal, Actions::Raw));
        assert!(discrete.policy.action_margin == 1e-7 && !discrete.data.standardise_state && discrete.official);
        assert_eq!(discrete.data.rewards, Rewards::ReturnToGo);
        assert!(!discrete.omiga.mask_dead && !discrete.omiga.mask_unavailable);
        assert_eq!(of(false).data.rewards, Rewards::True);
        // Each with what our default is a departure from.
        for (name, _) in values(&official::table(true).unwrap()) {
            let entry = Config::default().entries().into_iter().find(|entry| entry.name == name).unwrap();
            assert!(entry.about.concat().contains("fficial"), "{name} does not say what the official code does");
        }
    }

    /// Preset < official < file < command line, whatever is in each.
    #[test]
    fn the_stronger_layer_wins() {
        let preset =
            Layer { origin: "preset of task `x`", text: "[run]\nsteps = 7\nkeep = 9\n[policy]\naction_margin = 0.1" };
        let file = Layer { origin: "x.toml", text: "[run]\nkeep = 4\n[omiga]\nmask_dead = true" };
        let settings = settings(&[("--official", "official=true"), ("--set y", "data.actions=clamp")]);
        let all = Layers { preset: Some(preset), file: Some(file), settings: &settings, discrete: false };
        let Resolved { config, notes } = all.resolve().unwrap();
        assert_eq!((config.run.steps, config.run.keep, config.policy.action_margin), (7, 4, 1e-7));
        assert!(config.omiga.mask_dead && !config.omiga.mask_unavailable && config.data.actions == Actions::Clamp);
        let official = "official, but for data.actions=clamp, omiga.mask_dead=true: data.held_out=0.0, data.standardise_state=false, \
                        data.timeouts=terminal, omiga.mask_unavailable=false, optim.lr_schedule=constant, \
                        policy.action_margin=0.0000001, policy.loss=nll";
        assert_eq!(notes, ["preset of task `x`: run.steps=7", official]);

        let in_file = Layer { origin: "x.toml", text: "official = true\n[run]\nkeep = 4\n[omiga]\nmask_dead = true" };
        let same = Layers { file: Some(in_file), settings: &settings[1..], ..all }.resolve().unwrap();
        assert_eq!(same.config, config);
        // A complete configuration is what it is, official or not.
        let text = config.to_toml().unwrap();
        let stored =
            Layers { preset: Some(preset), file: Some(Layer { origin: "x", text: &text }), ..Layers::default() };
        assert_eq!(stored.resolve().unwrap().config, config);
        assert_eq!(Config::of_run("x", &text, &[]).unwrap(), config);
    }

    #[test]
    fn a_contradiction_names_both() {
        let steps = [("--steps 5", "run.steps=5"), ("--set run.steps=6", "run.steps=6")];
        refused("", &steps, "`run.steps` is 5 by `--steps 5`, but 6 by `--set run.steps=6`; leave one of them out");
        let section = [("--set run.steps=6", "run.steps=6"), ("--set b", "run={steps=5, keep=2}")];
        refused("", &section, "`run.steps` is 6 by `--set run.steps=6`, but 5 by `--set b`");
        let official = [("--official", "official=true")];
        refused("official = false", &official, "`official` is false by `x.toml`, but true by `--official`");
        let same = settings(&[("--steps 1000", "run.steps=1000"), ("--set run.steps=1e3", "run.steps=1e3")]);
        assert_eq!(Layers { settings: &same, ..Layers::default() }.resolve().unwrap().config.run.steps, 1000);
        let stored = Config::default().to_toml().unwrap();
        let error = Config::of_run("run/config.toml", &stored, &settings(&official)).unwrap_err().to_string();
        assert!(error.contains("`official` is false by `run/config.toml`, but true by `--official`"), "{error}");
    }
}
