//! ONNX Runtime's shared library: found, loaded once, kept until the process ends.

use std::env;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use ort::environment::Environment;

use crate::{Error, Result};

/// Its usual name beside a program.
const FILE_NAME: &str = if cfg!(windows) {
    "onnxruntime.dll"
} else if cfg!(target_os = "macos") {
    "libonnxruntime.dylib"
} else {
    "libonnxruntime.so"
};

/// A process can hold one library and one environment.
static LOADED: Mutex<Option<(PathBuf, Environment)>> = Mutex::new(None);

/// The environment of this process, from `asked`, `ORT_DYLIB_PATH` or beside the program.
///
/// # Errors
/// [`Error::LibraryNotFound`], [`Error::Library`] or [`Error::OtherLibrary`].
pub(super) fn environment(asked: Option<&Path>) -> Result<Environment> {
    let path = find(asked, env::var_os("ORT_DYLIB_PATH").map(PathBuf::from), env::current_exe().ok())?;
    let mut loaded = LOADED.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some((loaded, environment)) = &*loaded {
        return match *loaded == path {
            true => Ok(environment.clone()),
            false => Err(Error::OtherLibrary { asked: path, loaded: loaded.clone() }),
        };
    }
    let wrong = |reason: String| Error::Library { path: path.clone(), reason };
    // First of all calls into `ort`: every other one would look for a library by itself and panic without one.
    let builder = ort::init_from(&path).map_err(|e| wrong(e.to_string()))?;
    let environment = builder.with_name("omiga").with_telemetry(false).build().map_err(|e| wrong(e.to_string()))?;
    *loaded = Some((path, environment.clone()));
    Ok(environment)
}

/// The first place that was named must have it: another version than the one asked for would be a surprise.
fn find(asked: Option<&Path>, variable: Option<PathBuf>, program: Option<PathBuf>) -> Result<PathBuf> {
    let named = asked.map(Path::to_owned).or(variable.filter(|v| !v.as_os_str().is_empty()));
    let place = named.or_else(|| Some(program?.parent()?.join(FILE_NAME)));
    let found = place.as_ref().and_then(|p| p.canonicalize().ok()).filter(|p| p.is_file());
    found.ok_or_else(|| Error::LibraryNotFound { tried: place.into_iter().collect() })
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
        let (a, b, beside) = (place("a.so"), place("b.so"), place(FILE_NAME));
        let program = || Some(folder.path().join("program"));
        assert_eq!(find(Some(&a), Some(b.clone()), program()).unwrap(), a);
        assert_eq!(find(None, Some(b.clone()), program()).unwrap(), b);
        assert_eq!(find(None, Some(PathBuf::new()), program()).unwrap(), beside);
        assert_eq!(find(None, None, program()).unwrap(), beside);
        let missing = folder.path().join("missing.so");
        for (asked, variable, program) in [
            (Some(&*missing), Some(b), program()),
            (None, Some(missing.clone()), program()),
            (Some(folder.path()), None, None),
            (None, None, None),
        ] {
            let error = find(asked, variable, program).unwrap_err();
            assert!(matches!(error, Error::LibraryNotFound { .. }), "{error}");
            assert!(error.to_string().contains("`make setup`"), "{error}");
        }
    }

    #[test]
    fn a_file_that_is_no_library_is_an_error() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(FILE_NAME);
        for content in [&b""[..], b"not a library", b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0\x03\0\x3e\0"] {
            fs::write(&path, content).unwrap();
            let error = environment(Some(&path)).unwrap_err();
            assert!(matches!(error, Error::Library { .. } | Error::OtherLibrary { .. }), "{error}");
        }
    }
}
