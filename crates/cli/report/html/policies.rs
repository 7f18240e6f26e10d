//! The bundles of a dataset's algorithms: one run of each, the first.

use anyhow::{Context, Result};
use omiga_env::has_task;
use omiga_format::{Bundle, MODEL_CARD_FILE};
use omiga_runtime::{LoadOptions, Team};

use crate::command::native_times;
use crate::evaluate::{Deployed, first_episode};
use crate::figure::episode;
use crate::report::cell::{Algorithm, BUNDLE_FOLDER, Cell};
use crate::web::Figures;

/// Steps that are timed.
const STEPS: u32 = 2000;
/// Of the episode that is shown.
const SEED: u64 = 0;

/// What can be run.
pub struct Deployable {
    /// The algorithm's name.
    pub name: String,
    pub bundle: Bundle,
    pub team: Team,
}

/// The bundle of each algorithm's first run, where there is one.
///
/// # Errors
/// One that is there and cannot be read.
pub fn of(cell: &Cell) -> Result<Vec<Deployable>> {
    let first = |algorithm: &Algorithm| {
        let folder = algorithm.runs.first()?.folder.join(BUNDLE_FOLDER);
        folder.is_dir().then(|| {
            let named = || format!("bundle `{}`", folder.display());
            let bundle = Bundle::read(&folder).with_context(named)?;
            let team = Team::from_bundle(&bundle, &LoadOptions::default()).with_context(named)?;
            Ok(Deployable { name: algorithm.name.clone(), bundle, team })
        })
    };
    cell.algorithms.iter().filter_map(first).collect()
}

/// One episode of each, the same one, drawn.
pub fn episodes(cell: &Cell, bundles: &[Deployable], figures: &mut Figures) -> Result<String> {
    if bundles.is_empty() || !has_task(&cell.task) {
        return Ok(String::new());
    }
    let mut text = String::from(
        "\n### One episode\n\nThe same one for all: moments of it, if the task has pictures, the team's reward, and what each agent \
         commands.\n",
    );
    for Deployable { name, team, .. } in bundles {
        let (task, played) = first_episode(&cell.task, |_| Ok(Box::new(Deployed::new(team.clone()))), SEED)?;
        let figure = format!("{}-{}-{name}-episode", cell.task, cell.quality);
        figures.insert(figure.clone(), episode(&format!("{}, {name}", cell.task), &task, &played)?);
        text += &format!("\n![One episode of {name}]({figure})\n");
    }
    Ok(text)
}

/// How long a step takes here.
pub fn latencies(bundles: &[Deployable]) -> Result<String> {
    if bundles.is_empty() {
        return Ok(String::new());
    }
    let mut text = String::from(
        "\n### Latency\n\nOf the native engine on the machine that made this page, beside whatever else it did.\n\n\
         | algorithm | acting | half within [us] | 99 % within [us] |\n|---|---|---:|---:|\n",
    );
    for Deployable { name, bundle, .. } in bundles {
        for (acting, times) in native_times(bundle, STEPS)? {
            text +=
                &format!("| {name} | {acting} | {:.2} | {:.2} |\n", times.quantile_us(0.5), times.quantile_us(0.99));
        }
    }
    Ok(text)
}

/// The model cards, by title.
pub fn cards(bundles: &[Deployable]) -> Result<Vec<(String, String)>> {
    let card = |deployable: &Deployable| {
        let text = String::from_utf8_lossy(deployable.bundle.file(MODEL_CARD_FILE)?).into_owned();
        Ok((format!("Model card: {}", deployable.name), text))
    };
    bundles.iter().map(card).collect()
}
