//! An update's launches on a GPU as a table.

use crate::output::table;

/// Kernels in order with the microseconds of each; what is left of an update is the pause between them.
pub fn launches(times: &[(String, f64)]) -> String {
    let sum: f64 = times.iter().map(|(_, us)| us).sum();
    let row = |(name, us): &(String, f64)| vec![name.clone(), format!("{us:.2}"), format!("{:.1} %", 100.0 * us / sum)];
    let rows = times.iter().map(row).chain([vec!["all".into(), format!("{sum:.2}"), String::new()]]).collect();
    let shown = table(&["kernel (blocks x threads)", "us", "share"], 1, rows);
    format!("{shown}\neach repeated alone, one launch after the other, pauses between launches included")
}
