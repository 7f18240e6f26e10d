//! Settings that were tuned for the tasks that come with the program, with the reason beside each.

/// Robots of the MuJoCo tasks, whose names begin so.
const ROBOTS: [&str; 4] = ["halfcheetah-", "hopper-", "walker2d-", "ant-"];

/// The preset of a task as TOML.
pub fn of_task(task: &str) -> Option<&'static str> {
    match task {
        "spread" => Some(include_str!("preset/spread.toml")),
        "spread-discrete" => Some(include_str!("preset/spread-discrete.toml")),
        _ if ROBOTS.iter().any(|robot| task.starts_with(robot)) => Some(match task.contains("-local") {
            true => include_str!("preset/mujoco-local.toml"),
            false => include_str!("preset/mujoco.toml"),
        }),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use omiga_train::config::Config;

    use super::*;

    #[test]
    fn robots_differ_by_what_agents_see() {
        for (task, transform) in [
            ("hopper-3x1", "standardise-with-id"),
            ("hopper-3x1-local", "dataset"),
            ("ant-4x2-local2", "dataset"),
            ("spread", "auto"),
        ] {
            let preset = of_task(task).unwrap();
            let config = Config::from_parts(&[(task, preset)], &[]).unwrap();
            assert_eq!(format!("{:?}", config.data.transform).to_lowercase(), transform.replace('-', ""), "{task}");
        }
        assert!(of_task("pumps-local").is_none());
    }
}
