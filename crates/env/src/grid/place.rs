//! Feeders and profiles of a task's name: embedded, or files that the environment names.

use std::env;
use std::path::{Path, PathBuf};

use super::{CUSTOM, Days, Feeder, Named, Profiles};
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
    read_feeder(variable(FEEDER))
}

/// The profiles of a task.
///
/// # Errors
/// [`Error::Profiles`] when the file is not there or holds no profiles of this feeder.
pub fn profiles(named: &Named, feeder: &Feeder) -> Result<Profiles> {
    match named.recorded {
        None => Ok(Profiles::synthetic(feeder)),
        Some(days) => read_profiles(feeder, variable(PROFILES), &fetched(), days),
    }
}

fn read_feeder(path: Option<PathBuf>) -> Result<Feeder> {
    let error = |file: String, reason: String| Error::Feeder { file, line: 0, reason };
    let missing = || error(CUSTOM.to_owned(), format!("expected a table of its lines; name one in {FEEDER}"));
    let path = path.ok_or_else(missing)?;
    let unread = |e| error(path.display().to_string(), format!("{e}; is it what {FEEDER} should name?"));
    let text = std::fs::read_to_string(&path).map_err(unread)?;
    Feeder::parse(&path.display().to_string(), &text)
}

/// Of the file that somebody named, or of the one that was `fetched`.
fn read_profiles(feeder: &Feeder, named: Option<PathBuf>, fetched: &Path, days: Days) -> Result<Profiles> {
    let advice = match named {
        Some(_) => format!("is it what {PROFILES} should name?"),
        None => format!("run `scripts/simbench.sh` where the program was built, or name profiles in {PROFILES}"),
    };
    let path = named.unwrap_or_else(|| fetched.to_owned());
    if !path.is_file() {
        return Err(Error::Profiles { path, line: 0, reason: format!("there is no such file; {advice}") });
    }
    Profiles::recorded(feeder, &path, days)
}

fn variable(name: &str) -> Option<PathBuf> {
    env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from)
}

/// What `scripts/simbench.sh` makes, in the checkout that this program was built in.
fn fetched() -> PathBuf {
    let checkout = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).unwrap_or(Path::new("."));
    checkout.join(".deps/simbench/case33.csv")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_there_is_told_with_what_to_do() {
        let told = |path: Option<&str>| read_feeder(path.map(PathBuf::from)).unwrap_err().to_string();
        assert_eq!(told(None), "feeder `grid-custom`: expected a table of its lines; name one in OMIGA_GRID_FEEDER");
        let gone = told(Some("no/feeder.csv"));
        assert!(
            gone.starts_with("feeder `no/feeder.csv`: ")
                && gone.ends_with("; is it what OMIGA_GRID_FEEDER should name?")
        );
        let feeder = Feeder::case33().unwrap();
        let fetched = Path::new("no/fetched.csv");
        let told = |path: Option<&str>| {
            read_profiles(&feeder, path.map(PathBuf::from), fetched, Days::Seen).unwrap_err().to_string()
        };
        assert_eq!(
            told(None),
            "profiles `no/fetched.csv`: there is no such file; run `scripts/simbench.sh` where the program was built, or \
             name profiles in OMIGA_GRID_PROFILES"
        );
        assert_eq!(
            told(Some("no/own.csv")),
            "profiles `no/own.csv`: there is no such file; is it what OMIGA_GRID_PROFILES should name?"
        );
    }
}
