//! What a step was asked for and what it made, beside what it made.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use omiga_format::{atomic, hash};
use serde::{Deserialize, Serialize};

/// Bytes of a record that is one; a larger file is something else.
const LIMIT: u64 = 1 << 24;

/// What a step is asked for: settings, and the hashes of what it reads.
pub type Request = BTreeMap<String, String>;

/// A step's place in the books.
#[derive(Clone, Debug)]
pub struct Step {
    /// Where its record is kept.
    record: PathBuf,
    request: Request,
}

/// What the books say of a step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Standing {
    /// Never asked for.
    New,
    /// Asked for the same, but it did not come to its end.
    Begun,
    /// Done as asked; what it made is as it was.
    Current,
    /// Done, or begun, as asked for otherwise.
    Differs(Vec<Difference>),
    /// Done as asked, but this file is not as it was made.
    Changed(PathBuf),
}

/// One thing asked for otherwise.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    pub what: String,
    pub then: String,
    pub now: String,
}

#[derive(Debug, Serialize, Deserialize)]
struct Record {
    /// Which program did it.
    program: String,
    request: Request,
    /// Hash of every file made, by its path from the record's folder; none while the step is not at its end.
    made: Option<BTreeMap<String, String>>,
}

impl Step {
    /// A step with its record in this file.
    pub fn new(record: PathBuf, request: Request) -> Self {
        Self { record, request }
    }

    /// What the books say.
    ///
    /// # Errors
    /// A record or file that cannot be read.
    pub fn standing(&self) -> Result<Standing> {
        let Some(Record { request, made, .. }) = self.read()? else { return Ok(Standing::New) };
        let names: BTreeSet<_> = request.keys().chain(self.request.keys()).collect();
        let value = |side: &Request, name| side.get(name).map_or("nothing", String::as_str).to_owned();
        let all = names.into_iter().map(|name| Difference {
            what: name.clone(),
            then: value(&request, name),
            now: value(&self.request, name),
        });
        let differences: Vec<_> = all.filter(|d| d.then != d.now).collect();
        if !differences.is_empty() {
            return Ok(Standing::Differs(differences));
        }
        let Some(made) = made else { return Ok(Standing::Begun) };
        for (file, sha256) in made {
            let path = self.folder().join(file);
            if !path.is_file() || hash::of_file(&path)? != sha256 {
                return Ok(Standing::Changed(path));
            }
        }
        Ok(Standing::Current)
    }

    /// What it was asked for, if it came to its end.
    ///
    /// # Errors
    /// A record that cannot be read.
    pub fn ended(&self) -> Result<Option<Request>> {
        Ok(self.read()?.filter(|record| record.made.is_some()).map(|record| record.request))
    }

    /// Write down that it was asked for. From here on what lies there is this step's.
    ///
    /// # Errors
    /// The folder cannot be made or written.
    pub fn begin(&self) -> Result<()> {
        fs::create_dir_all(self.folder()).with_context(|| format!("cannot create `{}`", self.folder().display()))?;
        self.write(None)
    }

    /// Write down what was made.
    ///
    /// # Errors
    /// A file that is not there, or a full disk.
    pub fn end(&self, files: &[PathBuf]) -> Result<()> {
        let one = |path: &PathBuf| {
            let name = path.strip_prefix(self.folder()).unwrap_or(path).display().to_string();
            Ok((name, hash::of_file(path)?))
        };
        self.write(Some(files.iter().map(one).collect::<Result<_>>()?))
    }

    fn folder(&self) -> &Path {
        self.record.parent().unwrap_or(Path::new("."))
    }

    fn read(&self) -> Result<Option<Record>> {
        match self.record.try_exists() {
            Ok(false) => return Ok(None),
            Err(error) if error.kind() == io::ErrorKind::NotADirectory => return Ok(None),
            _ => {}
        }
        let text = atomic::read(&self.record, LIMIT)?;
        let record = serde_json::from_slice(&text);
        let remedy = || format!("`{}` is no record of a step; remove it to do the step anew", self.record.display());
        Ok(Some(record.with_context(remedy)?))
    }

    fn write(&self, made: Option<BTreeMap<String, String>>) -> Result<()> {
        let program = format!("omiga {}", env!("CARGO_PKG_VERSION"));
        let record = Record { program, request: self.request.clone(), made };
        let text = serde_json::to_vec_pretty(&record).context("cannot write JSON")?;
        Ok(atomic::write(&self.record, &text)?)
    }
}

/// What differs, in one line.
pub fn in_words(differences: &[Difference]) -> String {
    let one = |d: &Difference| format!("{} was {}, now {}", d.what, short(&d.then), short(&d.now));
    differences.iter().map(one).collect::<Vec<_>>().join("; ")
}

/// The beginning of a hash says as much as all of it.
fn short(value: &str) -> &str {
    let is_hash = value.len() == 64 && value.chars().all(|c| c.is_ascii_hexdigit());
    if is_hash { value.get(..12).unwrap_or(value) } else { value }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(pairs: &[(&str, &str)]) -> Request {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn a_step_is_new_begun_current_changed_or_other() {
        let folder = tempfile::tempdir().unwrap();
        let (record, file) = (folder.path().join("cell/data.step.json"), folder.path().join("cell/data.hdf5"));
        let step = Step::new(record.clone(), request(&[("seed", "0"), ("task", "spread")]));
        assert_eq!((step.standing().unwrap(), step.ended().unwrap()), (Standing::New, None));
        step.begin().unwrap();
        assert_eq!((step.standing().unwrap(), step.ended().unwrap()), (Standing::Begun, None));
        fs::write(&file, "rows").unwrap();
        step.end(std::slice::from_ref(&file)).unwrap();
        assert_eq!(step.standing().unwrap(), Standing::Current);
        fs::write(&file, "others").unwrap();
        assert_eq!(step.standing().unwrap(), Standing::Changed(file.clone()));
        fs::remove_file(&file).unwrap();
        assert_eq!(step.standing().unwrap(), Standing::Changed(file));

        let other = Step::new(record.clone(), request(&[("seed", "1"), ("episodes", "5"), ("task", "spread")]));
        let Standing::Differs(found) = other.standing().unwrap() else { panic!("another seed is another request") };
        assert_eq!(in_words(&found), "episodes was nothing, now 5; seed was 0, now 1");
        assert_eq!(other.ended().unwrap(), Some(request(&[("seed", "0"), ("task", "spread")])));

        fs::write(&record, "{").unwrap();
        let error = format!("{:#}", step.standing().unwrap_err());
        assert!(error.contains("no record of a step; remove it"), "{error}");
    }
}
