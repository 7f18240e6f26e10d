//! What a run is told, and by whom: preset of the task < algorithm < official < file < command line.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, bail};
use omiga_dataset::{Format, LoadOptions, Outline};
use omiga_env::{has_task, make_env};
use omiga_train::config::{Config, Layer, Layers, Resolved, Setting};

use crate::Verdict;
use crate::args::{NOT_GIVEN, TrainArgs};
use crate::output::{note, say};
use crate::preset;

/// The configuration of a new run. `task` selects the preset and must come from the dataset's header or the user: the name
/// of a file says nothing. `official` is the option of that name; `file` is a name with its text.
pub fn resolve(
    task: Option<&str>,
    discrete: bool,
    no_preset: bool,
    official: bool,
    file: Option<(&str, &str)>,
    settings: &[Setting],
) -> Result<Resolved> {
    let preset =
        task.filter(|_| !no_preset).and_then(|task| Some((format!("preset of task `{task}`"), preset::of_task(task)?)));
    let preset = preset.as_ref().map(|(origin, text)| Layer { origin, text });
    let file = file.map(|(origin, text)| Layer { origin, text });
    let official = official.then(|| Setting { origin: "--official".into(), text: "official=true".into() });
    let settings: Vec<_> = settings.iter().cloned().chain(official).collect();
    Ok(Layers { preset, file, settings: &settings, discrete }.resolve()?)
}

/// `--set` and its short forms.
pub fn of_args(args: &TrainArgs) -> Result<Vec<Setting>> {
    let short = |option: &str, name: &str, value: &dyn std::fmt::Display| Setting {
        origin: format!("{option} {value}"),
        text: format!("{name}={value}"),
    };
    let shorts = [
        args.format.as_ref().map(|x| short("--format", "data.format", x)),
        args.algo.as_ref().map(|x| short("--algo", "run.algorithm", x)),
        args.steps.map(|x| short("--steps", "run.steps", &x)),
        args.seed.map(|x| short("--seed", "run.seed", &x)),
        args.device.as_ref().map(|x| short("--device", "run.device", x)),
        args.task.as_ref().map(|x| short("--task", "run.task", x)),
    ];
    let settings: Vec<_> = shorts.into_iter().flatten().chain(args.set.iter().map(|text| Setting::new(text))).collect();
    if let Some(seeds) = &args.seeds {
        // The others are smaller.
        Config::default().with_seed(seeds.end - 1)?;
        for setting in &settings {
            if setting.sets("run.seed")? {
                bail!(
                    "`--seeds {}..{}` and `{}` both say the seed; leave one of them out",
                    seeds.start,
                    seeds.end,
                    setting.origin
                );
            }
        }
    }
    Ok(settings)
}

/// The configuration of the new run that `args` ask for.
pub fn of_new_run(args: &TrainArgs) -> Result<Resolved> {
    let settings = of_args(args)?;
    // How the file is read depends on its task's preset, so the task comes first.
    let outline = match args.data == Path::new(NOT_GIVEN) {
        true => None,
        false => Some(args.source().outline(&read_as(args.format))?),
    };
    let task = args.task.as_deref().or(outline.as_ref().and_then(Outline::declared_task));
    let discrete = match &outline {
        Some(outline) => outline.discrete,
        None => task.is_some_and(is_discrete),
    };
    let file = match &args.config {
        Some(path) => {
            let text = fs::read_to_string(path).with_context(|| format!("cannot read `{}`", path.display()))?;
            Some((path.display().to_string(), text))
        }
        None => None,
    };
    let file = file.as_ref().map(|(origin, text)| (origin.as_str(), text.as_str()));
    resolve(task, discrete, args.no_preset, args.official, file, &settings)
}

/// How a dataset is read whose format may be said.
pub fn read_as(format: Option<Format>) -> LoadOptions {
    LoadOptions { format, ..LoadOptions::default() }
}

/// As [`read_as`], with settings of the section `data`.
pub fn read_with(format: Option<Format>, set: &[String]) -> Result<LoadOptions> {
    if let Some(other) = set.iter().find(|text| !text.trim_start().starts_with("data.")) {
        bail!(
            "`--set {other}`: nothing is trained here, expected a setting of how data are read, e.g. data.time_limit=25"
        );
    }
    let format = format.map(|x| Setting { origin: format!("--format {x}"), text: format!("data.format={x}") });
    let settings: Vec<_> = format.into_iter().chain(set.iter().map(|text| Setting::new(text))).collect();
    Ok(resolve(None, false, true, false, None, &settings)?.config.data.load_options())
}

/// `omiga train --print-config`.
pub fn print(args: &TrainArgs) -> Result<Verdict> {
    let Resolved { config, notes } = of_new_run(args)?;
    notes.iter().for_each(note);
    say(config.documented().trim_end())?;
    Ok(Verdict::Yes)
}

/// Does a task that this build can play have discrete actions? No robot has.
fn is_discrete(task: &str) -> bool {
    has_task(task) && make_env(task).is_ok_and(|env| env.task().is_discrete())
}
