//! What a plan would do.

use anyhow::Result;
use omiga_train::{CONFIG_FILE, LAST_FILE};

use super::cell::Cell;
use super::file::Plan;
use super::record::{Standing, in_words};
use super::steps;

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
        for run in &cell.runs {
            let is_there = |file: &str| run.folder.join(file).is_file();
            let stands = match (is_there(LAST_FILE), is_there(CONFIG_FILE)) {
                (true, _) => "has a checkpoint",
                (false, true) => "begun",
                (false, false) => "to be trained",
            };
            lines.push([format!("{}: train {}", cell.name, run.name()), stands.to_owned()]);
        }
        lines.push([format!("{}: table", cell.name), format!("of {} episodes a policy", cell.episodes)]);
    }
    Ok(lines)
}
