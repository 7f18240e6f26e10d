//! Settings that were tuned for the tasks that come with the program, with the reason beside each.

use omiga_env::{Quality, has_task};

/// The preset of a task as TOML, for names of the registry alone.
pub fn of_task(task: &str) -> Option<&'static str> {
    match task {
        "spread" => Some(include_str!("preset/spread.toml")),
        "spread-discrete" => Some(include_str!("preset/spread-discrete.toml")),
        _ if task.starts_with("grid-") && has_task(task) => Some(include_str!("preset/grid.toml")),
        _ if is_battle(task) => Some(include_str!("preset/smax.toml")),
        // All others are robots.
        _ if has_task(task) => Some(match task.contains("-local") {
            true => include_str!("preset/mujoco-local.toml"),
            false if task.starts_with("halfcheetah-") => {
                concat!(include_str!("preset/mujoco.toml"), include_str!("preset/halfcheetah.toml"))
            }
            false => include_str!("preset/mujoco.toml"),
        }),
        _ => None,
    }
}

fn is_battle(task: &str) -> bool {
    task.starts_with("smax-") && has_task(task)
}

/// How much a plan does of a task unless it says so.
#[derive(Clone, Copy, Debug)]
pub struct Amounts {
    /// Of the behaviour that is recorded.
    pub quality: Quality,
    /// That are recorded.
    pub episodes: u32,
    /// That each policy plays for a table. Those of robots are up to a thousand steps long.
    pub played: u32,
}

/// For a task, or for data of none that is known here.
pub fn amounts(task: &str) -> Amounts {
    let quality = if task.starts_with("walker2d-") { Quality::Random } else { Quality::MediumReplay };
    match task {
        "spread" | "spread-discrete" => Amounts { quality, episodes: 2000, played: 1000 },
        // Half a day each.
        _ if task.starts_with("grid-") => Amounts { quality, episodes: 2000, played: 200 },
        _ if is_battle(task) => Amounts { quality, episodes: 2000, played: 1000 },
        _ => Amounts { quality, episodes: 200, played: 100 },
    }
}

#[cfg(test)]
mod tests {
    use omiga_train::config::Config;

    use super::*;

    #[test]
    fn tasks_differ_by_what_agents_see() {
        for (task, transform) in [
            ("hopper-3x1", "standardise-with-id"),
            ("hopper-3x1-local", "dataset"),
            ("ant-4x2-local2", "dataset"),
            ("spread", "auto"),
            ("grid-33bus", "dataset"),
            ("grid-33bus-wide-l1", "dataset"),
            ("smax-3m", "none"),
        ] {
            let preset = of_task(task).unwrap();
            let config = Config::from_parts(&[(task, preset)], &[]).unwrap();
            assert_eq!(config.data.transform.name(), transform, "{task}");
        }
        for (task, coefficient) in [("halfcheetah-2x3", 0.01), ("halfcheetah-6x1-local", 0.1), ("ant-2x4", 0.1)] {
            let config = Config::from_parts(&[(task, of_task(task).unwrap())], &[]).unwrap();
            assert_eq!(config.rebrac.critic_bc_coef, coefficient, "{task}");
        }
        for others in [
            "pumps-local",
            "ant-colony",
            "hopper-3",
            "hopper-3x1-",
            "hopper-3x1-global",
            "spread-local",
            "Spread",
            "smax-4m",
        ] {
            assert!(of_task(others).is_none(), "{others}");
        }
    }
}
