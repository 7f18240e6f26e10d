//! Settings that were tuned for the tasks that come with the program, with the reason beside each.

/// Robots of the MuJoCo tasks, whose names begin so.
const ROBOTS: [&str; 4] = ["halfcheetah-", "hopper-", "walker2d-", "ant-"];

/// The preset of a task as TOML.
pub fn of_task(task: &str) -> Option<&'static str> {
    match task {
        "spread" => Some(include_str!("preset/spread.toml")),
        "spread-discrete" => Some(include_str!("preset/spread-discrete.toml")),
        _ if ROBOTS.iter().any(|robot| task.starts_with(robot)) => Some(include_str!("preset/mujoco.toml")),
        _ => None,
    }
}
