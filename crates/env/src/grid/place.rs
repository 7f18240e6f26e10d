//! Feeders and profiles of a task's name: embedded, or files that the environment names.

use std::env;
use std::path::{Path, PathBuf};

use super::{Feeder, Named, Profiles};
use crate::{Error, Result};

/// Variable that names the table of the tasks `grid-custom`.
const FEEDER: &str = "OMIGA_GRID_FEEDER";
/// Variable that names the profiles of tasks that end with `-recorded` or `-unseen`.
const PROFILES: &str = "OMIGA_GRID_PROFILES";

/// The feeder of a task.
///
/// # Errors
/// [`Error::Feeder`] when the file is not there or no feeder.
pub fn feeder(named: &Named) -> Result<Feeder> {
    if !named.custom {
        return Feeder::case33();
    }
    let error = |file: String, reason: String| Error::Feeder { file, line: 0, reason };
    let path = variable(FEEDER).ok_or_else(|| error(String::new(), format!("name a table in {FEEDER}")))?;
    let text = std::fs::read_to_string(&path).map_err(|e| error(path.display().to_string(), e.to_string()))?;
    Feeder::parse(&path.display().to_string(), &text)
}

/// The profiles of a task.
///
/// # Errors
/// [`Error::Profiles`] when the file is not there or holds no profiles of this feeder.
pub fn profiles(named: &Named, feeder: &Feeder) -> Result<Profiles> {
    match named.recorded {
        None => Ok(Profiles::synthetic(feeder)),
        Some(days) => Profiles::recorded(feeder, &variable(PROFILES).unwrap_or_else(fetched), days),
    }
}

fn variable(name: &str) -> Option<PathBuf> {
    env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from)
}

/// What `make grid` makes, in the checkout that this program was built in.
fn fetched() -> PathBuf {
    let checkout = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).unwrap_or(Path::new("."));
    checkout.join(".deps/simbench/case33.csv")
}
