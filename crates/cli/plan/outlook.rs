//! What a plan would do.

use anyhow::Result;
use omiga_train::CONFIG_FILE;

use super::cell::Cell;
use super::file::Plan;
use super::record::{Standing, in_words};
use super::steps;
use super::training::Ended;

/// Every dataset, training and table of a plan, and how it stands.
///
/// # Errors
/// What is wrong with the plan itself, or cannot be read.
pub fn outlook(plan: &Plan) -> Result<Vec<[String; 2]>> {
    let mut lines = Vec::new();
    for cell in Cell::of_plan(plan)? {
        let data = match steps::collect_standing(&cell)? {
            Standing::Current => format!("there: {}", cell.data().display()),
            Standing::New | Standing::Begun => "to be collected".to_owned(),
            Standing::Differs(differences) => format!("refused: {}", in_words(&differences)),
            Standing::Changed(path) => format!("refused: `{}` is not as it was made", path.display()),
        };
        lines.push([format!("{}: data", cell.name), data]);
        for (run, ended) in cell.runs.iter().zip(Ended::of_runs(plan, &cell)?) {
            let stands = match ended {
                Ended::AsAsked => "trained",
                Ended::Otherwise => "trained with other settings: goes on, or is refused by name",
                Ended::No if run.folder.join(CONFIG_FILE).is_file() => "begun",
                Ended::No => "to be trained",
            };
            lines.push([format!("{}: train {}", cell.name, run.name()), stands.to_owned()]);
        }
        lines.push([format!("{}: table", cell.name), format!("of {} episodes a policy", cell.episodes)]);
    }
    Ok(lines)
}
