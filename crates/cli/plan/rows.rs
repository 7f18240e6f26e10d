//! Rows that a plan does not name one by one: those of a grid, and those of a list.
//!
//! Both become algorithms of one's own (`[algorithm.NAME]`), named by what makes them differ: `omiga,alpha=1,optim.lr=0.001`.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context, Result, bail, ensure};
use omiga_train::config::{merge, values};
use serde::de::Error;
use serde::{Deserialize, Deserializer};

use super::algorithm::{AlgorithmPart, Arm};
use super::file::Plan;
use super::value::Names;

/// An entry of `[[list]]`.
#[derive(Clone, Debug)]
pub struct Listed {
    /// Of its row; by default made of its settings.
    name: Option<String>,
    part: AlgorithmPart,
}

/// Rows of a grid that somebody means.
const MOST_ROWS: usize = 100_000;

/// A setting by its dotted name, and the values that it takes.
type Axis = (String, Vec<toml::Value>);

impl<'de> Deserialize<'de> for Listed {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut table = toml::Table::deserialize(deserializer)?;
        let name = match table.remove("name") {
            None => None,
            Some(toml::Value::String(name)) => Some(name),
            Some(other) => return Err(D::Error::custom(format!("`list.name` is {other}, expected a text"))),
        };
        Ok(Self { name, part: AlgorithmPart::deserialize(table).map_err(D::Error::custom)? })
    }
}

/// Replace lists and grids by the rows that they stand for.
///
/// # Errors
/// What contradicts something else, by name.
pub fn write_out(plan: &mut Plan) -> Result<()> {
    ensure!(
        plan.list.is_empty() || plan.grid.is_empty(),
        "`grid` and `list` both say what is trained; leave one out, or give an entry of the list a `grid` of its own"
    );
    if !plan.list.is_empty() {
        plan.train.algorithms = list(plan)?;
    }
    let grid = axes("grid", &plan.grid)?;
    let mut names = Vec::new();
    for name in plan.train.algorithms.0.clone() {
        let own = plan.algorithm.get(&name).map_or_else(|| Ok(Vec::new()), |part| axes(&name, &part.grid))?;
        let all: Vec<Axis> = grid.iter().chain(&own).cloned().collect();
        if all.is_empty() {
            names.push(name);
            continue;
        }
        let rows = varied(plan, &name, &all).with_context(|| format!("the grid of `{name}`"))?;
        for (row, part) in rows {
            names.push(row.clone());
            add(plan, row, part)?;
        }
    }
    plan.train.algorithms = Names(names);
    plan.grid.clear();
    Ok(())
}

/// The names of the list's rows, which become algorithms.
fn list(plan: &mut Plan) -> Result<Names> {
    let mut names = Vec::new();
    for Listed { name, part } in std::mem::take(&mut plan.list) {
        let name = match (name, &part.algorithm) {
            (Some(name), _) => name,
            (None, Some(algorithm)) => row(algorithm, algorithm, &values(&part.settings)),
            (None, None) => bail!("an entry of `list` has neither `name` nor `algorithm`; give it one"),
        };
        names.push(name.clone());
        // A built-in algorithm as it is needs no part.
        add(plan, name, part)?;
    }
    Ok(Names(names))
}

fn add(plan: &mut Plan, name: String, part: AlgorithmPart) -> Result<()> {
    ensure!(!plan.algorithm.contains_key(&name), "two rows would be `{name}`; leave one out, or give it another name");
    plan.algorithm.insert(name, part);
    Ok(())
}

/// Settings with the values that they take.
fn axes(of: &str, grid: &toml::Table) -> Result<Vec<Axis>> {
    let axis = |(setting, value): (String, toml::Value)| match value {
        toml::Value::Array(all) if !all.is_empty() => {
            let mut seen = BTreeSet::new();
            match all.iter().find(|value| !seen.insert(alike(value))) {
                Some(twice) => bail!("the grid `{of}` has {setting} = {twice} twice; leave one out"),
                None => Ok((setting, all)),
            }
        }
        toml::Value::Array(_) => bail!("the grid `{of}` has {setting} = [], expected a list of values"),
        other => bail!("the grid `{of}` has {setting} = {other}, expected a list of values, e.g. [{other}]"),
    };
    values(grid).into_iter().map(axis).collect()
}

/// Values of the same text set the same: 1 and 1.0 do.
fn alike(value: &toml::Value) -> String {
    let number = value.as_float().or(value.as_integer().map(|x| x as f64));
    number.map_or_else(|| value.to_string(), |x| x.to_string())
}

/// The rows of an algorithm: every combination of these values, the last setting changing fastest.
fn varied(plan: &Plan, name: &str, axes: &[Axis]) -> Result<Vec<(String, AlgorithmPart)>> {
    let arm = plan.algorithm(name)?;
    let base = plan.algorithm.get(name).cloned().unwrap_or_default();
    for (i, (setting, _)) in axes.iter().enumerate() {
        require_free(plan, &base, &arm, setting)?;
        ensure!(axes[..i].iter().all(|(other, _)| other != setting), "`{setting}` is in `grid` and in its own grid");
    }
    let rows = axes.iter().try_fold(1, |rows: usize, (_, all)| rows.checked_mul(all.len()));
    ensure!(
        rows.is_some_and(|rows| rows <= MOST_ROWS),
        "it has more than {MOST_ROWS} rows, every combination of {} settings; leave some out, or name rows in a `list`",
        axes.len()
    );
    let mut points = vec![BTreeMap::new()];
    for (setting, all) in axes {
        let with = |point: &BTreeMap<_, _>, value: &toml::Value| {
            let mut point = point.clone();
            point.insert(setting.clone(), value.clone());
            point
        };
        points = points.iter().flat_map(|point| all.iter().map(move |value| with(point, value))).collect();
    }
    let part = |point: BTreeMap<String, toml::Value>| {
        let mut part = AlgorithmPart {
            algorithm: Some(arm.algorithm.clone()),
            official: Some(arm.official),
            grid: toml::Table::new(),
            ..base.clone()
        };
        for (setting, value) in &point {
            let one: toml::Table = format!("{setting} = {value}").parse()?;
            merge(&mut part.settings, one);
        }
        Ok((row(name, &arm.algorithm, &point), part))
    };
    points.into_iter().map(part).collect()
}

/// A setting that is varied is set nowhere else, and the algorithm heeds it.
fn require_free(plan: &Plan, base: &AlgorithmPart, arm: &Arm, setting: &str) -> Result<()> {
    let on = base.on.iter().map(|(data, settings)| (format!("`on.{data}`"), settings));
    for (place, settings) in
        [("`settings`".to_owned(), &plan.settings), ("its own settings".to_owned(), &base.settings)]
            .into_iter()
            .chain(on)
    {
        ensure!(
            !values(settings).contains_key(setting),
            "`{setting}` is varied, and set in {place}; leave one of them out"
        );
    }
    let section = setting.split('.').next().unwrap_or_default();
    let is_anothers = ["omiga", "rebrac"].contains(&section) && section != arm.algorithm;
    // The masks are for all algorithms.
    ensure!(
        !is_anothers || setting.starts_with("omiga.mask_"),
        "`{}` does not read `{setting}`; put it into `[algorithm.{section}.grid]`",
        arm.algorithm
    );
    Ok(())
}

/// `name,alpha=1,optim.lr=0.001`: without the section that is called like the algorithm.
fn row(name: &str, algorithm: &str, settings: &BTreeMap<String, toml::Value>) -> String {
    let one = |(setting, value): (&String, &toml::Value)| {
        let setting = setting.strip_prefix(algorithm).and_then(|rest| rest.strip_prefix('.')).unwrap_or(setting);
        let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        format!(",{setting}={value}")
    };
    name.to_owned() + &settings.iter().map(one).collect::<String>()
}

#[cfg(test)]
mod tests {
    use super::*;

    const DATA: &str = "[data]\ntask = \"spread\"\n";

    fn names(text: &str) -> Vec<String> {
        Plan::parse(&format!("{DATA}{text}"), &[]).unwrap().train.algorithms.0
    }

    fn refused(text: &str, why: &str) {
        let error = format!("{:#}", Plan::parse(&format!("{DATA}{text}"), &[]).unwrap_err());
        assert!(error.contains(why), "`{error}` lacks `{why}`");
    }

    #[test]
    fn a_grid_has_a_row_for_every_combination() {
        let text = "[train]\nalgorithms = \"bc omiga\"\n[grid]\noptim.lr = [1e-3, 1e-4]\n\
                    [algorithm.omiga.grid]\nomiga.alpha = [1, 10]\npolicy.loss = [\"mse\"]\n";
        let expected = [
            "bc,optim.lr=0.001",
            "bc,optim.lr=0.0001",
            "omiga,alpha=1,optim.lr=0.001,policy.loss=mse",
            "omiga,alpha=10,optim.lr=0.001,policy.loss=mse",
            "omiga,alpha=1,optim.lr=0.0001,policy.loss=mse",
            "omiga,alpha=10,optim.lr=0.0001,policy.loss=mse",
        ];
        assert_eq!(names(text), expected);
        let plan = Plan::parse(&format!("{DATA}{text}"), &[]).unwrap();
        let arm = plan.algorithm(expected[3]).unwrap();
        let settings = arm.settings_on("spread", "medium");
        assert_eq!((&*arm.algorithm, settings["omiga"]["alpha"].as_integer()), ("omiga", Some(10)));
        assert_eq!(
            (settings["optim"]["lr"].as_float(), settings["policy"]["loss"].as_str()),
            (Some(1e-3), Some("mse"))
        );
    }

    #[test]
    fn a_grid_keeps_what_the_algorithm_is() {
        let text = "[train]\nalgorithms = \"omiga-official mine\"\n[grid]\noptim.lr = [1e-3]\n\
                    [algorithm.mine]\nalgorithm = \"rebrac\"\ntuned_on = [\"spread\"]\nsettings.rebrac.tau = 0.01\n";
        let plan = Plan::parse(&format!("{DATA}{text}"), &[]).unwrap();
        let official = plan.algorithm("omiga-official,optim.lr=0.001").unwrap();
        assert_eq!((&*official.algorithm, official.official), ("omiga", true));
        let mine = plan.algorithm("mine,optim.lr=0.001").unwrap();
        assert_eq!((&*mine.algorithm, mine.tuned_on()), ("rebrac", &["spread".to_owned()][..]));
        assert_eq!(mine.settings_on("spread", "medium")["rebrac"]["tau"].as_float(), Some(0.01));
    }

    #[test]
    fn a_list_has_the_rows_that_it_names() {
        let text = "[[list]]\nalgorithm = \"bc\"\n[[list]]\nalgorithm = \"omiga\"\nsettings.omiga.alpha = 1\nseeds = \"3..5\"\n\
                    [[list]]\nname = \"far\"\nalgorithm = \"omiga\"\nsettings.omiga.alpha = 0.1\ndata = \"spread\"\n\
                    [[list]]\nname = \"wide\"\nalgorithm = \"omiga\"\ngrid.network.hidden = [64, 512]\n";
        assert_eq!(names(text), ["bc", "omiga,alpha=1", "far", "wide,network.hidden=64", "wide,network.hidden=512"]);
        let plan = Plan::parse(&format!("{DATA}{text}"), &[]).unwrap();
        let arm = |name: &str| plan.algorithm(name).unwrap();
        assert_eq!(
            (arm("omiga,alpha=1").seeds().unwrap().0.clone(), arm("far").data()),
            (3..5, &["spread".to_owned()][..])
        );
    }

    #[test]
    fn contradictions_are_refused_by_name() {
        refused("[train]\nalgorithms = \"bc\"\n[[list]]\nalgorithm = \"bc\"", "`list` and `train.algorithms` both say");
        refused("[grid]\noptim.lr = [1]\n[[list]]\nalgorithm = \"bc\"", "`grid` and `list` both say");
        refused("[[list]]\nseeds = \"0..2\"", "neither `name` nor `algorithm`");
        refused("[[list]]\nname = 7", "`list.name` is 7, expected a text");
        refused("[[list]]\nname = \"x\"\nalgoritm = \"bc\"", "unknown field `algoritm`");
        refused("[[list]]\nalgorithm = \"bc\"\n[[list]]\nalgorithm = \"bc\"", "two rows would be `bc`");
        refused("[[list]]\nname = \"a/b\"\nalgorithm = \"bc\"", "cannot name an algorithm");
        let omiga = "[train]\nalgorithms = \"omiga\"\n";
        refused(&format!("{omiga}[grid]\nomiga.alpha = 1"), "omiga.alpha = 1, expected a list of values, e.g. [1]");
        refused(&format!("{omiga}[grid]\nomiga.alpha = []"), "expected a list of values");
        refused(&format!("{omiga}[grid]\nomiga.alpha = [1, 2, 1]"), "omiga.alpha = 1 twice; leave one out");
        refused(&format!("{omiga}[grid]\nomiga.alpha = [1, 1.0]"), "omiga.alpha = 1.0 twice; leave one out");
        let ten = "[1, 2, 3, 4, 5, 6, 7, 8, 9, 10]";
        let six =
            ["omiga.alpha", "omiga.max_weight", "network.hidden", "run.steps", "run.eval_every", "run.eval_episodes"];
        let axes = six.map(|setting| format!("{setting} = {ten}\n")).concat();
        refused(&format!("{omiga}[grid]\n{axes}"), "the grid of `omiga`: it has more than 100000 rows");
        let long = format!("[[list]]\nname = \"{}\"\nalgorithm = \"bc\"", "x".repeat(256));
        refused(&long, "has 256 bytes, and a folder's name 255 at most");
        refused(&format!("{omiga}[grid]\nomiga.alfa = [1]"), "unknown field `alfa`");
        refused(&format!("{omiga}[grid]\nomiga.alpha = [0]"), "expected finite and above 0");
        refused(&format!("{omiga}[grid]\nrun.seed = [1, 2]"), "use `train.seeds`");
        refused(&format!("{omiga}[settings]\nomiga.alpha = 1\n[grid]\nomiga.alpha = [1]"), "and set in `settings`");
        let own = "[algorithm.omiga]\n";
        let grid = "[grid]\nomiga.alpha = [1]\n";
        refused(&format!("{omiga}{grid}{own}settings.omiga.alpha = 3"), "and set in its own settings");
        refused(&format!("{omiga}{grid}{own}on.spread.omiga.alpha = 3"), "and set in `on.spread`");
        refused(&format!("{omiga}{grid}{own}grid.omiga.alpha = [3]"), "is in `grid` and in its own grid");
        refused("[grid]\nomiga.alpha = [1]", "`bc` does not read `omiga.alpha`; put it into `[algorithm.omiga.grid]`");
        assert_eq!(
            names("[train]\nalgorithms = \"bc\"\n[grid]\nomiga.mask_dead = [true]"),
            ["bc,omiga.mask_dead=true"]
        );
    }
}
