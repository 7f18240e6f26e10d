//! How to load a policy.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use omiga_format::{Bundle, PublicKey};

use crate::{Error, Result};

/// What executes a policy's graph.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum EngineKind {
    /// This crate's own: compiled at load, then no allocation, no lock, no clock; a NaN on the way is always seen at
    /// the end. `native`.
    #[default]
    Native,
    /// ONNX Runtime, loaded as a shared library; takes any ONNX file, allocates in every step. Whether a NaN survives
    /// a `Clip` or a `Max` is its own affair. `onnxruntime`, a cargo feature of the same name.
    OnnxRuntime,
}

impl fmt::Display for EngineKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Native => "native",
            Self::OnnxRuntime => "onnxruntime",
        })
    }
}

impl FromStr for EngineKind {
    type Err = Error;

    /// # Errors
    /// [`Error::UnknownEngine`], or [`Error::EngineNotBuilt`] for `onnxruntime` without its cargo feature.
    fn from_str(name: &str) -> Result<Self> {
        match name {
            "native" => Ok(Self::Native),
            "onnxruntime" => Self::OnnxRuntime.if_built(),
            _ => Err(Error::UnknownEngine { found: name.to_owned() }),
        }
    }
}

impl EngineKind {
    pub(crate) fn if_built(self) -> Result<Self> {
        if self == Self::OnnxRuntime && !cfg!(feature = "onnxruntime") {
            return Err(Error::EngineNotBuilt { engine: self, feature: "onnxruntime" });
        }
        Ok(self)
    }
}

/// How to load a policy. The default is the native engine with a self-test tolerance of 1e-5.
#[derive(Clone, Debug, PartialEq)]
pub struct LoadOptions {
    /// What executes the graph.
    pub engine: EngineKind,
    /// Which agent of a bundle; needed if the team has more than one. A lone file ignores it.
    pub agent: Option<String>,
    /// ONNX Runtime's shared library; else `ORT_DYLIB_PATH`, else beside the program.
    pub onnxruntime_library: Option<PathBuf>,
    /// Largest difference from the golden vectors. It is multiplied by `max(1, half the range)` of a physical
    /// action and by `max(1, |logit|)` of a logit.
    pub tolerance: f32,
    /// Whose bundles are loaded; nobody else's, no unsigned ones and no lone files. Without one, anybody's.
    pub public_key: Option<PublicKey>,
}

impl Default for LoadOptions {
    fn default() -> Self {
        Self { engine: EngineKind::Native, agent: None, onnxruntime_library: None, tolerance: 1e-5, public_key: None }
    }
}

impl LoadOptions {
    /// Use this engine.
    #[must_use]
    pub fn with_engine(self, engine: EngineKind) -> Self {
        Self { engine, ..self }
    }

    /// Load this agent's policy.
    #[must_use]
    pub fn with_agent(self, agent: impl Into<String>) -> Self {
        Self { agent: Some(agent.into()), ..self }
    }

    /// Load ONNX Runtime from this file.
    #[must_use]
    pub fn with_onnxruntime_library(self, library: impl Into<PathBuf>) -> Self {
        Self { onnxruntime_library: Some(library.into()), ..self }
    }

    /// Allow this difference from the golden vectors.
    #[must_use]
    pub fn with_tolerance(self, tolerance: f32) -> Self {
        Self { tolerance, ..self }
    }

    /// Load only what was signed with this key's secret part.
    #[must_use]
    pub fn with_public_key(self, public_key: PublicKey) -> Self {
        Self { public_key: Some(public_key), ..self }
    }

    /// The agent asked for, or the only one of `bundle`.
    ///
    /// # Errors
    /// [`Error::AgentNeeded`] with the agents' names.
    pub fn agent_of<'a>(&'a self, bundle: &'a Bundle) -> Result<&'a str> {
        match (&self.agent, &bundle.manifest().agents[..]) {
            (Some(agent), _) => Ok(agent),
            (None, [only]) => Ok(&only.name),
            (None, agents) => Err(Error::AgentNeeded { names: agents.iter().map(|a| a.name.clone()).collect() }),
        }
    }

    /// Is `bundle` signed as these options want it?
    pub(crate) fn check_signature(&self, bundle: &Bundle) -> Result<()> {
        match &self.public_key {
            Some(key) => Ok(bundle.verify(key)?),
            None => Ok(()),
        }
    }

    pub(crate) fn validate(&self) -> Result<()> {
        self.engine.if_built()?;
        match self.tolerance {
            t if t.is_finite() && t >= 0.0 => Ok(()),
            found => Err(Error::Tolerance { found }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(name: &str, expected: Result<EngineKind, &str>) {
        let found = name.parse::<EngineKind>().map_err(|e| e.to_string());
        assert_eq!(found, expected.map_err(str::to_owned));
    }

    #[test]
    fn engines_have_names() {
        check("native", Ok(EngineKind::Native));
        check("tract", Err("engine is `tract`, expected `native` or `onnxruntime`"));
        if cfg!(feature = "onnxruntime") {
            check("onnxruntime", Ok(EngineKind::OnnxRuntime));
        } else {
            let message = "engine `onnxruntime` is not in this build; build with `--features onnxruntime` or use the \
                           native engine";
            check("onnxruntime", Err(message));
        }
        assert_eq!([EngineKind::Native, EngineKind::OnnxRuntime].map(|e| e.to_string()), ["native", "onnxruntime"]);
    }

    #[test]
    fn a_tolerance_that_compares_nothing_is_refused() {
        for tolerance in [f32::NAN, f32::INFINITY, -1.0] {
            assert!(LoadOptions::default().with_tolerance(tolerance).validate().is_err());
        }
        assert!(LoadOptions::default().with_tolerance(0.0).validate().is_ok());
    }
}
