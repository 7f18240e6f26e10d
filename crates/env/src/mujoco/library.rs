//! MuJoCo's shared library and the robots' models: where they are looked for.

use std::env;
use std::path::{Path, PathBuf};

use crate::{Error, Result};

/// Environment variables that name the library, and the folder of the models.
const LIBRARY: &str = "OMIGA_MUJOCO_LIBRARY";
const ASSETS: &str = "OMIGA_MUJOCO_ASSETS";

const FILE_NAME: &str = if cfg!(windows) {
    "mujoco.dll"
} else if cfg!(target_os = "macos") {
    "libmujoco.dylib"
} else {
    "libmujoco.so"
};

/// What `make mujoco` fills, in the checkout that this program was built in: `lib`, `assets`, `include`.
pub fn default_folder() -> PathBuf {
    let checkout = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).unwrap_or(Path::new("."));
    checkout.join(".deps/mujoco")
}

/// The folder of the models.
pub fn assets() -> PathBuf {
    named(ASSETS).unwrap_or_else(|| default_folder().join("assets"))
}

/// The library: the one that is named, else beside the models, else in the checkout.
///
/// # Errors
/// [`Error::Simulator`] when there is none.
pub fn find() -> Result<PathBuf> {
    let beside = named(ASSETS).and_then(|assets| Some(assets.parent()?.join("lib").join(FILE_NAME)));
    first(named(LIBRARY), beside, default_folder().join("lib").join(FILE_NAME))
}

fn named(variable: &str) -> Option<PathBuf> {
    env::var_os(variable).filter(|value| !value.is_empty()).map(PathBuf::from)
}

/// A place that was named must have it: another library than the one asked for would be a surprise.
fn first(named: Option<PathBuf>, beside: Option<PathBuf>, default: PathBuf) -> Result<PathBuf> {
    let place = named.or(beside.filter(|place| place.is_file())).unwrap_or(default);
    // A bare name would be looked for among the system's libraries.
    let found = place.canonicalize().ok().filter(|path| path.is_file());
    found.ok_or(Error::Simulator { path: place, reason: "there is no such file".to_owned() })
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn the_first_place_named_counts() {
        let folder = tempfile::tempdir().unwrap();
        let place = |name: &str| {
            fs::write(folder.path().join(name), name).unwrap();
            folder.path().join(name).canonicalize().unwrap()
        };
        let (a, b, c) = (place("a.so"), place("b.so"), place("c.so"));
        let missing = folder.path().join("missing.so");
        assert_eq!(first(Some(a.clone()), Some(b.clone()), c.clone()).unwrap(), a);
        assert_eq!(first(None, Some(b.clone()), c.clone()).unwrap(), b);
        assert_eq!(first(None, Some(missing.clone()), c.clone()).unwrap(), c);
        assert_eq!(first(None, None, c.clone()).unwrap(), c);
        for wrong in [first(Some(missing.clone()), Some(b), c), first(None, None, missing)] {
            let message = wrong.unwrap_err().to_string();
            assert!(message.contains("missing.so`: there is no such file; run `make mujoco`"), "{message}");
        }
    }
}
