//! Which engines a command uses.

use omiga_format::Bundle;
use omiga_runtime::{EngineKind, Error, LoadOptions, Team};

use crate::output::note;

/// Load a bundle's team in each engine asked for; without a choice, in the native one, and in ONNX Runtime if it is
/// there.
pub fn load_each(bundle: &Bundle, asked: &[EngineKind]) -> Vec<(EngineKind, omiga_runtime::Result<Team>)> {
    let load = |engine: EngineKind| (engine, Team::from_bundle(bundle, &LoadOptions::default().with_engine(engine)));
    if !asked.is_empty() {
        return asked.iter().copied().map(load).collect();
    }
    let mut teams = vec![load(EngineKind::Native)];
    match load(EngineKind::OnnxRuntime) {
        (_, Err(error @ (Error::LibraryNotFound { .. } | Error::EngineNotBuilt { .. }))) => {
            note(format!("skipping onnxruntime: {error}"));
        }
        loaded => teams.push(loaded),
    }
    teams
}

/// Does this error mean that the bundle is wrong, rather than that it could not be looked at?
pub fn is_verdict(error: &Error) -> bool {
    let could_not = matches!(
        error,
        Error::LibraryNotFound { .. }
            | Error::Library { .. }
            | Error::OtherLibrary { .. }
            | Error::EngineNotBuilt { .. }
            | Error::Format(omiga_format::Error::Io { .. })
    );
    !could_not
}
