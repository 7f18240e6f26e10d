//! A configuration that explains itself.

use std::fmt::Write;

use super::entry::{Entry, Kind, bare};
use super::resume::MAY_CHANGE;
use super::{Config, DataConfig, NetworkConfig, OmigaConfig, OptimConfig, PolicyConfig, RebracConfig, RunConfig};

/// The first lines.
const HEAD: &str = "# Every setting of a run. `omiga train --config FILE` reads it. A setting that is left out has its \
                    default; what wins over what:\n# default < preset of the task < official < this file < --set.\n";

/// Each section with its documentation, in the order of [`Config`].
const SECTIONS: [(&str, &[&str]); 7] = [
    ("run", RunConfig::ABOUT),
    ("data", DataConfig::ABOUT),
    ("network", NetworkConfig::ABOUT),
    ("policy", PolicyConfig::ABOUT),
    ("optim", OptimConfig::ABOUT),
    ("omiga", OmigaConfig::ABOUT),
    ("rebrac", RebracConfig::ABOUT),
];

impl Config {
    /// As TOML, each setting below what it means, what it may be, and its default. Read back it is the same
    /// configuration.
    pub fn documented(&self) -> String {
        let defaults = Self::default().entries();
        let mut text = HEAD.to_owned();
        let mut section = "";
        for (entry, default) in self.entries().iter().zip(&defaults) {
            let (of, key) = entry.name.split_once('.').unwrap_or(("", entry.name));
            if of != section {
                section = of;
                let about = SECTIONS.iter().find(|(name, _)| *name == of).map_or(&[][..], |(_, about)| *about);
                text += &format!("\n{}[{of}]\n", comments(about));
            }
            text += &setting(entry, key, default.value.as_ref());
        }
        text
    }
}

fn setting(entry: &Entry, key: &str, default: Option<&toml::Value>) -> String {
    let mut text = format!("\n{}", comments(entry.about));
    if let Kind::OneOf(choices) = entry.kind {
        for choice in choices {
            // A text takes all that is written.
            let _ = writeln!(text, "#   {}:{}", choice.name, choice.about.concat());
        }
    }
    let may_change = MAY_CHANGE.iter().find(|(name, _)| *name == entry.name);
    let default = default.map_or_else(|| "not set".to_owned(), bare);
    text += &format!("# Default: {default}.");
    text += &may_change.map_or_else(String::new, |(_, effect)| format!(" May change with --resume: {effect}."));
    match &entry.value {
        Some(value) => text + &format!("\n{key} = {value}\n"),
        None => text + &format!("\n# {key} =\n"),
    }
}

/// Documentation as comments; its lines begin with a blank.
fn comments(about: &[&str]) -> String {
    about.iter().map(|line| format!("#{line}\n")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Layer, Layers, Setting};

    fn check(config: &Config) {
        let text = config.documented();
        let read = Layers { file: Some(Layer { origin: "x", text: &text }), discrete: true, ..Layers::default() };
        assert_eq!(&read.resolve().unwrap().config, config, "{text}");
        assert!(text.lines().all(|line| !line.ends_with(' ')), "{text}");
    }

    #[test]
    fn what_is_printed_is_read_back() {
        check(&Config::default());
        let settings = ["official=true", "data.time_limit=9", "data.scratch=a b", "run.engine=candle", "run.steps=7"];
        let settings = settings.map(Setting::new);
        check(&Layers { settings: &settings, discrete: false, ..Layers::default() }.resolve().unwrap().config);
        check(&Layers { settings: &settings, discrete: true, ..Layers::default() }.resolve().unwrap().config);
    }

    #[test]
    fn every_setting_is_explained() {
        let config = Config::default();
        for entry in config.entries() {
            assert!(entry.about.concat().len() > 10, "{} has no comment", entry.name);
            let (section, key) = entry.name.split_once('.').unwrap_or(("", entry.name));
            assert!(section.is_empty() || SECTIONS.iter().any(|(name, _)| *name == section), "{}", entry.name);
            let text = config.documented();
            let line = format!("{key} =");
            assert!(text.lines().any(|l| l.trim_start_matches("# ").starts_with(&line)), "{}", entry.name);
        }
        let text = config.documented();
        for line in [
            "#   standardise-with-id: The same with the agent's id inside (OMIGA's MuJoCo benchmark).",
            "# Transitions B of a batch. Official: 128.\n# Default: 128.\nbatch_size = 128\n",
            "# Default: not set.\n# time_limit =\n",
            "# Default: 100000. May change with --resume: the run ends there; not below the updates done, and not \
             with a schedule of the learning rate.\nsteps = ",
        ] {
            assert!(text.contains(line), "no `{line}` in\n{text}");
        }
        for (name, _) in MAY_CHANGE {
            assert!(config.entries().iter().any(|entry| entry.name == name), "{name}");
        }
    }
}
