//! How to load a policy.

use alloc::borrow::{Cow, ToOwned};
use alloc::string::{String, ToString};
use core::fmt;
use core::str::FromStr;
#[cfg(feature = "fs")]
use std::path::Path;
#[cfg(feature = "std")]
use std::path::PathBuf;

use omiga_format::{Bundle, Identity, PolicyContract, PublicKey};

use crate::{Error, Isa, Result, WeightFormat};

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

/// How to load a policy, and which one it must be. The default is the native engine with a self-test tolerance of 1e-5,
/// and anybody's bundle.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct LoadOptions {
    /// What executes the graph.
    pub engine: EngineKind,
    /// Which agent of a bundle; needed if the team has more than one. A lone file must be this agent's.
    pub agent: Option<String>,
    /// ONNX Runtime's shared library; else `ORT_DYLIB_PATH`, else beside the program.
    #[cfg(feature = "std")]
    pub onnxruntime_library: Option<PathBuf>,
    /// Largest difference from the golden vectors: of a command, in halves of its range (and four roundings to f32 at its
    /// larger bound, which for a range around zero are nothing beside it); of a logit, in `max(1, |logit|)`.
    pub tolerance: f32,
    /// The native engine's vector instructions; else the widest that this processor has. Loading fails where they are
    /// not there. What one machine did with a set, every machine that has it repeats bit for bit.
    pub isa: Option<Isa>,
    /// How the native engine holds weights. With [`WeightFormat::F16`] the self-test allows a difference of 5e-3 where
    /// `tolerance` is smaller, multiplied as that is.
    pub weights: WeightFormat,
    /// Whose bundles are loaded; nobody else's, no unsigned ones and no lone files. Without one, anybody's.
    pub public_key: Option<PublicKey>,
    /// Name of the task that it must be of.
    pub task: Option<String>,
    /// The [`omiga_format::TaskSpec::sha256`] that the bundle's task must have: that of the machine's names, units and
    /// ranges. Hexadecimal, as [`Identity::contract_sha256`].
    pub contract_sha256: Option<String>,
    /// Least [`Identity::release`]: an older bundle is refused, and one without a number.
    pub least_release: Option<u64>,
    /// Keep the golden vectors for [`crate::Policy::run_self_test`]; without them a policy takes less memory.
    pub keep_golden: bool,
    /// Let a guard or a controller have a policy without a self-test: a lone file.
    pub guard_untested: bool,
}

impl Default for LoadOptions {
    fn default() -> Self {
        Self {
            engine: EngineKind::Native,
            agent: None,
            #[cfg(feature = "std")]
            onnxruntime_library: None,
            tolerance: 1e-5,
            isa: None,
            weights: WeightFormat::F32,
            public_key: None,
            task: None,
            contract_sha256: None,
            least_release: None,
            keep_golden: true,
            guard_untested: false,
        }
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
    #[cfg(feature = "std")]
    #[must_use]
    pub fn with_onnxruntime_library(self, library: impl Into<PathBuf>) -> Self {
        Self { onnxruntime_library: Some(library.into()), ..self }
    }

    /// Allow this difference from the golden vectors.
    #[must_use]
    pub fn with_tolerance(self, tolerance: f32) -> Self {
        Self { tolerance, ..self }
    }

    /// Use these vector instructions and no others.
    #[must_use]
    pub fn with_isa(self, isa: Isa) -> Self {
        Self { isa: Some(isa), ..self }
    }

    /// Hold weights like this.
    #[must_use]
    pub fn with_weights(self, weights: WeightFormat) -> Self {
        Self { weights, ..self }
    }

    /// Load only what was signed with this key's secret part.
    #[must_use]
    pub fn with_public_key(self, public_key: PublicKey) -> Self {
        Self { public_key: Some(public_key), ..self }
    }

    /// Load only policies of this task.
    #[must_use]
    pub fn with_task(self, task: impl Into<String>) -> Self {
        Self { task: Some(task.into()), ..self }
    }

    /// Load only bundles whose task has this [`Identity::contract_sha256`].
    #[must_use]
    pub fn with_contract_sha256(self, contract_sha256: impl Into<String>) -> Self {
        Self { contract_sha256: Some(contract_sha256.into()), ..self }
    }

    /// Load only bundles of this [`Identity::release`] or a later one.
    #[must_use]
    pub fn with_least_release(self, least_release: u64) -> Self {
        Self { least_release: Some(least_release), ..self }
    }

    /// Keep the golden vectors after the self-test at load, or give their memory back.
    #[must_use]
    pub fn with_golden_kept(self, keep_golden: bool) -> Self {
        Self { keep_golden, ..self }
    }

    /// Let a guard or a controller have a lone file, which has no golden vectors: nothing has shown that it does what it
    /// was trained to do.
    #[must_use]
    pub fn with_guard_untested(self, guard_untested: bool) -> Self {
        Self { guard_untested, ..self }
    }

    /// Read a bundle's folder. With a [`Self::public_key`] the signature is checked before anything is parsed.
    ///
    /// # Errors
    /// [`Error::NotABundle`] for a file; else whatever is wrong with the bundle.
    #[cfg(feature = "fs")]
    pub fn read(&self, folder: &Path) -> Result<Bundle> {
        if folder.is_file() {
            return Err(Error::NotABundle { path: folder.to_owned() });
        }
        match &self.public_key {
            Some(key) => Ok(Bundle::read_signed(folder, key)?),
            None => Ok(Bundle::read(folder)?),
        }
    }

    /// As [`Self::read`], of the files of a bundle by their names; `'static` ones are not copied.
    ///
    /// # Errors
    /// Whatever is wrong with the bundle.
    pub fn assemble(&self, files: impl IntoIterator<Item = (String, impl Into<Cow<'static, [u8]>>)>) -> Result<Bundle> {
        match &self.public_key {
            Some(key) => Ok(Bundle::from_signed_files(files, key)?),
            None => Ok(Bundle::from_files(files)?),
        }
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

    /// Which bundle is it, if it is signed as these options want it, and the one that they ask for?
    pub(crate) fn identify(&self, bundle: &Bundle) -> Result<Identity> {
        let identity = bundle.identity(self.public_key.as_ref())?;
        let least = self.least_release;
        let release = least.map(|least| format!("{least} or later")).filter(|_| identity.release < least);
        let found = identity.release.map_or("no number".to_owned(), |release| release.to_string());
        differs("the bundle", "task", self.task.as_deref(), &identity.task)?;
        differs("the bundle", "contract", self.contract_sha256.as_deref(), &identity.contract_sha256)?;
        differs("the bundle", "release", release.as_deref(), &found)?;
        Ok(identity)
    }

    /// May `policy`, of which nothing is read yet, be a lone file?
    pub(crate) fn check_may_be_lone(&self, policy: &str) -> Result<()> {
        self.validate()?;
        match &self.public_key {
            Some(key) => Err(Error::LoneFile { policy: policy.to_owned(), expected: key.id() }),
            None => Ok(()),
        }
    }

    /// Is the lone file `policy`, which says that it is `contract`'s, the one that these options ask for?
    pub(crate) fn check_lone(&self, policy: &str, contract: Option<&PolicyContract>) -> Result<()> {
        let (task, agent) = contract.map_or(("unknown", "unknown"), |c| (&c.task, &c.agent));
        let release = self.least_release.map(|least| format!("{least} or later"));
        differs(policy, "task", self.task.as_deref(), task)?;
        differs(policy, "agent", self.agent.as_deref(), agent)?;
        differs(policy, "contract of the whole team", self.contract_sha256.as_deref(), "unknown")?;
        differs(policy, "release", release.as_deref(), "unknown")
    }

    pub(crate) fn validate(&self) -> Result<()> {
        let engine = self.engine.if_built()?;
        for (option, is_set) in [("isa", self.isa.is_some()), ("weights", self.weights != WeightFormat::F32)] {
            if is_set && engine != EngineKind::Native {
                return Err(Error::NativeOnly { engine, option });
            }
        }
        match self.tolerance {
            t if t.is_finite() && t >= 0.0 => Ok(()),
            found => Err(Error::Tolerance { found }),
        }
    }
}

/// Nothing may be `expected`, or it must be what was found.
fn differs(policy: &str, what: &'static str, expected: Option<&str>, found: &str) -> Result<()> {
    match expected {
        Some(expected) if expected != found => Err(Error::Identity {
            policy: policy.to_owned(),
            what,
            expected: expected.to_owned(),
            found: found.to_owned(),
        }),
        _ => Ok(()),
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
