//! What a plan trains: algorithms with their settings.

use std::collections::BTreeMap;

use anyhow::{Context, Result};
use omiga_train::config::merge;
use serde::Deserialize;

use super::value::{Names, Seeds};

/// `[algorithm.NAME]` or an entry of `[[list]]`: an algorithm of one's own, or what concerns a built-in one.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AlgorithmPart {
    /// `bc`, `omiga` or `rebrac`; by default the built-in one of the part's name.
    pub algorithm: Option<String>,
    /// As the official code does it.
    pub official: Option<bool>,
    /// On top of the plan's settings.
    #[serde(default)]
    pub settings: toml::Table,
    /// On top of these, by task, by quality or name of a file, or by both as `<task>/<quality>`.
    #[serde(default)]
    pub on: BTreeMap<String, toml::Table>,
    /// Datasets that its settings were chosen on, as `<task>/<quality>` or in words: the page marks them.
    #[serde(default)]
    pub tuned_on: Vec<String>,
    /// Its seeds, in place of `train.seeds`.
    pub seeds: Option<Seeds>,
    /// The datasets that it is trained on, by task, by quality or name of a file, or by both; all of the plan if left out.
    #[serde(default)]
    pub data: Names,
    /// Lists of values of settings: every combination makes a row of its own.
    #[serde(default)]
    pub grid: toml::Table,
}

/// An algorithm with its settings, as a row of the tables.
#[derive(Clone, Debug)]
pub struct Arm {
    /// `bc`, `omiga` or `rebrac`.
    pub algorithm: String,
    pub official: bool,
    own: AlgorithmPart,
}

impl Arm {
    /// What the plan says about `name`, if anything.
    ///
    /// # Errors
    /// Neither the plan nor this program knows it.
    pub fn new(name: &str, own: Option<&AlgorithmPart>) -> Result<Self> {
        let built_in = match name {
            "bc" | "omiga" | "rebrac" => Some((name, false)),
            "omiga-official" => Some(("omiga", true)),
            _ => None,
        };
        let own = own.cloned().unwrap_or_default();
        let algorithm = own.algorithm.clone().or(built_in.map(|(algorithm, _)| algorithm.to_owned()));
        let algorithm = algorithm.with_context(|| {
            format!(
                "`{name}` is no algorithm, expected bc, omiga, omiga-official, rebrac, or one whose `algorithm` \
                 `[algorithm.{name}]` says"
            )
        })?;
        // Who says what it is has said whether it is official.
        let is_official = own.algorithm.is_none() && built_in.is_some_and(|(_, official)| official);
        Ok(Self { algorithm, official: own.official.unwrap_or(is_official), own })
    }

    /// Its settings on a dataset: its own, those for the task, for the quality, for both.
    pub fn settings_on(&self, task: &str, name: &str) -> toml::Table {
        let mut settings = self.own.settings.clone();
        for key in [task, name, &format!("{task}/{name}")] {
            if let Some(more) = self.own.on.get(key) {
                merge(&mut settings, more.clone());
            }
        }
        settings
    }

    /// Its seeds, if they are not those of all.
    pub fn seeds(&self) -> Option<&Seeds> {
        self.own.seeds.as_ref()
    }

    /// Names of the datasets that it is trained on; none if on all.
    pub fn data(&self) -> &[String] {
        &self.own.data.0
    }

    /// What its settings were chosen on.
    pub fn tuned_on(&self) -> &[String] {
        &self.own.tuned_on
    }

    /// Names of datasets and tasks that have settings of their own.
    pub fn on(&self) -> impl Iterator<Item = &str> {
        self.own.on.keys().map(String::as_str)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn part(text: &str) -> AlgorithmPart {
        toml::from_str(text).unwrap()
    }

    #[test]
    fn built_in_ones_need_not_say_what_they_are() {
        let check = |name: &str, own: Option<&str>, expected: (&str, bool)| {
            let arm = Arm::new(name, own.map(part).as_ref()).unwrap();
            assert_eq!((&*arm.algorithm, arm.official), expected, "{name}: {own:?}");
        };
        check("bc", None, ("bc", false));
        check("omiga-official", None, ("omiga", true));
        check("omiga-official", Some("tuned_on = [\"spread\"]"), ("omiga", true));
        check("omiga-official", Some("algorithm = \"bc\""), ("bc", false));
        check("mine", Some("algorithm = \"omiga\"\nofficial = true"), ("omiga", true));
        let error = Arm::new("mine", Some(&part("official = true"))).unwrap_err().to_string();
        assert!(error.contains("`[algorithm.mine]` says"), "{error}");
    }

    #[test]
    fn the_narrower_setting_wins() {
        let arm = Arm::new(
            "rebrac",
            Some(&part(
                "settings.rebrac = { gamma = 0.9, tau = 0.1 }\n[on.hopper-3x1]\nrebrac.tau = 0.2\n\
                 [on.\"hopper-3x1/medium\"]\nrebrac.tau = 0.3\n[on.plant]\nrebrac.gamma = 0.8\n",
            )),
        )
        .unwrap();
        let check = |task: &str, name: &str, expected: (f64, f64)| {
            let rebrac = &arm.settings_on(task, name)["rebrac"];
            let number = |key: &str| rebrac[key].as_float().unwrap();
            assert_eq!((number("gamma"), number("tau")), expected, "{task}/{name}");
        };
        check("spread", "medium", (0.9, 0.1));
        check("hopper-3x1", "expert", (0.9, 0.2));
        check("hopper-3x1", "medium", (0.9, 0.3));
        check("own", "plant", (0.8, 0.1));
    }
}
