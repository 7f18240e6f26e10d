//! What is known of the runs without playing their policies.

use anyhow::Result;
use omiga_dataset::decimals;
use omiga_train::RunFolder;

use crate::report::cell::Cell;

const HEAD: &str = "| algorithm | run | optimism | effective share | log likelihood | squared error | distance | outside |\n\
                    |---|---|---:|---:|---:|---:|---:|---:|\n";

/// The last gauges of every run; nothing if none has any.
///
/// # Errors
/// A record that cannot be read.
pub fn table(cell: &Cell) -> Result<String> {
    let mut rows = String::new();
    for (algorithm, run) in cell.algorithms.iter().flat_map(|a| a.runs.iter().map(move |run| (a, run))) {
        let folder = RunFolder::open(&run.folder);
        let Some(last) = folder.gauges()?.pop() else { continue };
        let shown = |x: Option<f64>| x.map_or(String::new(), |x| format!("{x:.3}"));
        // In the unit of returns.
        let optimism = last.optimism.map_or(String::new(), |x| format!("{x:.*}", 1 + decimals([x])));
        let numbers =
            [last.effective_share, last.log_likelihood, last.squared_error, last.action_distance, last.outside];
        rows += &format!("| {} | {} | {optimism} | {} |\n", algorithm.name, run.name, numbers.map(shown).join(" | "));
        if let Some(alarm) = last.alarm {
            rows += &format!("| | {alarm} | | | | | | |\n");
        }
    }
    let said = "What is known without playing, at the end of each training, on episodes that were held out if any were. None of these \
                numbers says how good a policy is.";
    Ok(if rows.is_empty() { rows } else { format!("\n### Gauges\n\n{said}\n\n{HEAD}{rows}") })
}
