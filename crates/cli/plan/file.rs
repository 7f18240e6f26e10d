//! A plan as it is written: one TOML.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use omiga_runtime::EngineKind;
use omiga_train::config::{Config, merge};
use serde::Deserialize;

use super::algorithm::{AlgorithmPart, Arm};
use super::data::DataPart;
use super::rows::{self, Listed};
use super::slurm::SlurmPart;
use super::value::{Engine, Names, Seeds};
use crate::report::{self, Asked, BASELINE, Measure};

/// Of a folder's name, on nearly every file system.
const MOST_BYTES: usize = 255;

/// What is to be done: data, trainings, evaluation, a page.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Plan {
    /// Folder of everything that is made; by default below `runs`, named by the data.
    pub out: Option<PathBuf>,
    pub data: DataPart,
    #[serde(default)]
    pub train: TrainPart,
    /// Settings of every training, as `omiga train --config` takes them.
    #[serde(default)]
    pub settings: toml::Table,
    /// Algorithms beside the built-in ones, and what concerns one of these, by the name of the row.
    #[serde(default)]
    pub algorithm: BTreeMap<String, AlgorithmPart>,
    /// Lists of values of settings: every combination makes a row of each algorithm.
    #[serde(default)]
    pub grid: toml::Table,
    /// Rows one by one, in place of `train.algorithms`.
    #[serde(default)]
    pub list: Vec<Listed>,
    #[serde(default)]
    pub evaluate: EvaluatePart,
    /// The page with all tables; none if left out.
    pub report: Option<ReportPart>,
    /// How trainings are run by Slurm, if they are.
    #[serde(default)]
    pub slurm: SlurmPart,
}

/// What is trained on each dataset.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TrainPart {
    /// `bc`, `omiga`, `omiga-official`, and what `[algorithm]` names.
    pub algorithms: Names,
    /// `A..B`, B is not trained.
    pub seeds: Seeds,
}

/// How the learned policies are judged.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct EvaluatePart {
    /// Episodes that each policy plays; by default the task's.
    pub episodes: Option<u32>,
    /// Seed of these episodes; training plays others.
    pub seed: u64,
    /// What runs the policies.
    pub engine: Engine,
    /// A row of uniformly random actions.
    pub random: bool,
    /// Rows of the checkpoints that evaluations during training selected, too.
    pub best: bool,
}

/// Where the tables go.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReportPart {
    /// In Markdown.
    pub page: Option<PathBuf>,
    /// In one file, for a browser.
    pub html: Option<PathBuf>,
    /// Published results to put beside them.
    pub reference: Option<PathBuf>,
    /// The algorithm that the others are compared with; by default `bc`.
    pub baseline: Option<String>,
    /// What is compared of every run.
    #[serde(default)]
    pub measure: Measure,
}

impl Default for TrainPart {
    fn default() -> Self {
        Self { algorithms: Names(vec!["bc".into(), "omiga".into()]), seeds: Seeds(0..1) }
    }
}

impl Default for EvaluatePart {
    fn default() -> Self {
        let engine = Engine(EngineKind::Native);
        Self { episodes: None, seed: 1_000_000, engine, random: true, best: false }
    }
}

impl Plan {
    /// Read a plan; `settings` are `key.path=value` and win over the file.
    ///
    /// # Errors
    /// What cannot be read, understood or done, by name.
    pub fn read(path: &Path, settings: &[String]) -> Result<Self> {
        let text = fs::read_to_string(path).with_context(|| format!("cannot read plan `{}`", path.display()))?;
        Self::parse(&text, settings).with_context(|| format!("plan `{}`", path.display()))
    }

    pub fn parse(text: &str, settings: &[String]) -> Result<Self> {
        let mut table: toml::Table = text.parse()?;
        for setting in settings {
            let (key, value) = setting.split_once('=').context("expected `--set key.path=value`")?;
            let (key, value) = (key.trim(), value.trim());
            let one: Result<toml::Table, _> = format!("{key} = {value}").parse();
            let one = one.or_else(|_| format!("{key} = {}", toml::Value::from(value)).parse());
            merge(&mut table, one.with_context(|| format!("`--set {setting}`: expected key.path=value"))?);
        }
        let names_both =
            table.contains_key("list") && table.get("train").is_some_and(|part| part.get("algorithms").is_some());
        ensure!(!names_both, "`list` and `train.algorithms` both say what is trained; leave one of them out");
        let mut plan = Self::deserialize(table)?;
        rows::write_out(&mut plan)?;
        plan.check()?;
        Ok(plan)
    }

    /// What can be said before anything is done.
    fn check(&self) -> Result<()> {
        ensure!(!self.train.algorithms.0.is_empty(), "`train.algorithms` is empty, expected e.g. \"bc omiga\"");
        for name in &self.train.algorithms.0 {
            self.algorithm(name)?;
        }
        for (name, own) in &self.algorithm {
            // Of one that is not trained, too, as plans are read with other lists of algorithms: a slip there would go unseen.
            self.algorithm(name)?;
            check_settings(&format!("algorithm.{name}.settings"), &own.settings)?;
            for (on, settings) in &own.on {
                check_settings(&format!("algorithm.{name}.on.{on}"), settings)?;
            }
        }
        check_settings("settings", &self.settings)?;
        self.data.check()?;
        self.slurm.check()?;
        if let Some(request) = self.report_request()? {
            request.reference()?;
        }
        if let Some(baseline) = self.report.as_ref().and_then(|part| part.baseline.as_ref()) {
            let names = &self.train.algorithms.0;
            ensure!(names.contains(baseline), "`report.baseline` is `{baseline}`, expected one of {names:?}");
        }
        let played = self.evaluate.episodes;
        ensure!(played.is_none_or(|n| n > 1), "`evaluate.episodes` is {}, expected at least 2", played.unwrap_or(0));
        Ok(())
    }

    /// The algorithm of this name, its own settings with it.
    ///
    /// # Errors
    /// There is none.
    pub fn algorithm(&self, name: &str) -> Result<Arm> {
        ensure!(
            is_folder(name),
            "`{name}` cannot name an algorithm: it becomes a folder; use letters, digits and - _ . + = ,"
        );
        ensure!(
            name.len() <= MOST_BYTES,
            "the row's name `{name}` has {} bytes, and a folder's name {MOST_BYTES} at most; name rows in a `list`",
            name.len()
        );
        Arm::new(name, self.algorithm.get(name))
    }

    /// What the pages are to be made of; nothing if none is asked for.
    ///
    /// # Errors
    /// An algorithm that there is not.
    pub fn report_request(&self) -> Result<Option<report::Request>> {
        let Some(ReportPart { page, html, reference, baseline: _, measure }) = self.report.clone() else {
            return Ok(None);
        };
        let baseline = self.baseline().to_owned();
        let mut tuned = report::Tuned::new();
        for name in &self.train.algorithms.0 {
            let on = self.algorithm(name)?.tuned_on().to_vec();
            if !on.is_empty() {
                tuned.insert(name.clone(), on);
            }
        }
        let asked = Asked::default();
        Ok(Some(report::Request { reference, baseline, measure, tuned, asked, markdown: page, html }))
    }

    /// With whose row the others are compared, if it is there.
    pub fn baseline(&self) -> &str {
        self.report.as_ref().and_then(|part| part.baseline.as_deref()).unwrap_or(BASELINE)
    }
}

/// Can a folder have this name anywhere?
pub fn is_folder(name: &str) -> bool {
    name.chars().all(|c| c.is_alphanumeric() || "-_.+=,".contains(c)) && !name.starts_with('.') && !name.is_empty()
}

/// Settings that a training would refuse are refused before data is collected for it.
fn check_settings(origin: &str, settings: &toml::Table) -> Result<()> {
    let text = toml::to_string(settings).with_context(|| format!("`{origin}`"))?;
    Config::from_parts(&[(origin, &text)], &[])?;
    if let Some(run) = settings.get("run").and_then(toml::Value::as_table) {
        for (own, instead) in [("seed", "train.seeds"), ("algorithm", "train.algorithms")] {
            ensure!(!run.contains_key(own), "`{origin}.run.{own}` is set by the plan: use `{instead}`");
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::data::OwnFile;
    use super::*;

    const SMALL: &str = "[data]\ntask = \"spread\"\n";

    fn check(text: &str, settings: &[&str], message: &str) {
        let settings: Vec<String> = settings.iter().map(|s| (*s).to_owned()).collect();
        let error = format!("{:#}", Plan::parse(text, &settings).unwrap_err());
        assert!(error.contains(message), "`{error}` lacks `{message}`");
    }

    #[test]
    fn a_plan_says_what_is_wrong_before_anything_is_done() {
        check("[data]", &[], "neither a `task` to collect nor a `file`");
        check(SMALL, &["data.tsak=spread"], "unknown field `tsak`");
        check(SMALL, &["data.quality=good"], "`data.quality`");
        check(SMALL, &["train.algorithms=bc cql"], "`cql`");
        check(SMALL, &["train.algorithms="], "`train.algorithms` is empty");
        check(SMALL, &["algorithm.rebac.tuned_on=['spread']"], "`rebac` is no algorithm, expected bc, omiga");
        check(SMALL, &["report.baseline=bc"], "in a plan `report.page`, `report.html`");
        check(SMALL, &["train.seeds=3..2"], "expected A..B");
        check(SMALL, &["settings.omiga.alfa=1"], "unknown field `alfa`");
        check(SMALL, &["settings.omiga.alpha=0"], "expected finite and above 0");
        check(SMALL, &["settings.run.seed=1"], "use `train.seeds`");
        check(SMALL, &["evaluate.engine=tract"], "tract");
        check(SMALL, &["evaluate.episodes=1"], "expected at least 2");
        check(SMALL, &["data.episodes=0"], "expected at least 1");
        check(SMALL, &["data.file=x.hdf5", "data.files=y.hdf5"], "name it in `data.files`");
        check(SMALL, &["data.files=[{ file = \"x.hdf5\" }]"], "tables of `path`, `task` and `name`");
        check(SMALL, &["algorithm.bc.on.spread.optim.lr=-1"], "`optim.lr`");
        check(SMALL, &["algorithm.bc.on.spread.run.seed=1"], "use `train.seeds`");
        check(SMALL, &["report.page=PAGE.md", "report.baseline=cql"], "expected one of [\"bc\", \"omiga\"]");
        check(SMALL, &["report.page=PAGE.md", "report.measure=best"], "`last-checkpoint`");
        check(SMALL, &["data.file=x.hdf5", "data.quality=expert"], "is there already");
        check(SMALL, &["slurm.cpus=0"], "`slurm.cpus` is 0, expected at least 1");
        check(SMALL, &["slurm.at_once=0"], "`slurm.at_once` is 0");
        check(SMALL, &["slurm.options=['constraint']"], "`slurm.options` has `constraint`");
        check(SMALL, &["slurm.cores=4"], "unknown field `cores`");
        check(SMALL, &["algorithm.x.algorithm=bc", "train.algorithms=../x"], "cannot name an algorithm");
        check(SMALL, &["out"], "key.path=value");
        check(SMALL, &["report.page=PAGE.txt"], "expected a name.md");
        check(SMALL, &["report.page=PAGE.md", "report.reference=none.toml"], "cannot read `none.toml`");
    }

    #[test]
    fn files_are_paths_or_say_more() {
        let one = |path: &str, task: Option<&str>, name: Option<&str>| OwnFile {
            path: path.into(),
            task: task.map(str::to_owned),
            name: name.map(str::to_owned),
        };
        let files = |setting: &str| Plan::parse("[data]", &[format!("data.files={setting}")]).unwrap().data.own_files();
        assert_eq!(files("a.hdf5 b.hdf5"), [one("a.hdf5", None, None), one("b.hdf5", None, None)]);
        let mixed = files("['a b.hdf5', { path = 'c.hdf5', task = 'hopper-3x1', name = 'plant' }]");
        assert_eq!(mixed, [one("a b.hdf5", None, None), one("c.hdf5", Some("hopper-3x1"), Some("plant"))]);
        assert_eq!((mixed[0].name(), mixed[1].name()), ("a b".to_owned(), "plant".to_owned()));
        let alone = Plan::parse(SMALL, &["data.file=x.hdf5".to_owned()]).unwrap().data;
        assert_eq!((alone.own_files(), alone.recorded().len()), (vec![one("x.hdf5", Some("spread"), None)], 0));
    }

    #[test]
    fn names_are_one_or_many() {
        let settings = ["data.task=spread spread-discrete spread".to_owned(), "data.quality=[\"expert\"]".to_owned()];
        let plan = Plan::parse(SMALL, &settings).unwrap();
        assert_eq!(plan.data.task.0, ["spread", "spread-discrete"]);
        assert_eq!(plan.data.quality.0, ["expert"]);
        assert_eq!(plan.train.seeds.0, 0..1);
        assert_eq!(Plan::parse(SMALL, &["train.seeds=7".to_owned()]).unwrap().train.seeds.0, 7..8);
    }

    #[test]
    fn an_algorithm_of_ones_own_has_settings() {
        let text = "[data]\ntask = \"spread\"\n[train]\nalgorithms = [\"alpha=1\"]\n\
                    [algorithm.\"alpha=1\"]\nalgorithm = \"omiga\"\nsettings.omiga.alpha = 1\n";
        let plan = Plan::parse(text, &[]).unwrap();
        let own = plan.algorithm("alpha=1").unwrap();
        assert_eq!(own.settings_on("spread", "medium")["omiga"]["alpha"].as_integer(), Some(1));
        assert!(plan.algorithm("omiga-official").unwrap().official);
    }
}
