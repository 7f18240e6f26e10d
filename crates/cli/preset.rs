//! Settings that were tuned for the tasks that come with the program, with the reason beside each.

/// The preset of a task as TOML.
pub fn of_task(task: &str) -> Option<&'static str> {
    match task {
        "spread" => Some(include_str!("preset/spread.toml")),
        "spread-discrete" => Some(include_str!("preset/spread-discrete.toml")),
        _ => None,
    }
}
