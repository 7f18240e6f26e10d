//! Environments by name.

use crate::{Error, MultiAgentEnv, Result, Spread};

type Make = fn() -> Box<dyn MultiAgentEnv>;

const NAMES: [&str; 2] = ["spread", "spread-discrete"];
const MAKERS: [Make; NAMES.len()] = [|| Box::new(Spread::continuous()), || Box::new(Spread::discrete())];

/// The tasks that [`make_env`] knows.
pub fn task_names() -> &'static [&'static str] {
    &NAMES
}

/// An environment by its task's name.
///
/// # Errors
/// [`Error::UnknownTask`] lists the names there are.
pub fn make_env(name: &str) -> Result<Box<dyn MultiAgentEnv>> {
    let maker = NAMES.iter().zip(MAKERS).find(|(known, _)| **known == name);
    let unknown = || Error::UnknownTask { expected: NAMES.to_vec(), found: name.to_owned() };
    maker.map(|(_, make)| make()).ok_or_else(unknown)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_makes_its_task() {
        for name in task_names() {
            assert_eq!(make_env(name).unwrap().task().name, *name);
        }
        let message = "no task `sprad`, expected one of [\"spread\", \"spread-discrete\"]";
        assert_eq!(make_env("sprad").err().unwrap().to_string(), message);
    }
}
