//! Why a policy is not loaded, one variant per way.

use alloc::borrow::ToOwned;
use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;
#[cfg(feature = "std")]
use std::path::PathBuf;

use omiga_format::{KeyId, Shown};

use crate::{EngineKind, Isa, StepError};

/// Result of loading.
pub type Result<T, E = Error> = core::result::Result<T, E>;

/// Why a policy is not loaded.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A file or a contract is wrong.
    #[error(transparent)]
    Format(#[from] omiga_format::Error),
    /// An engine's name that is none.
    #[error(
        "engine is `{found}`, expected `native` or `onnxruntime`",
        found = Shown::name(.found)
    )]
    UnknownEngine {
        /// What was found.
        found: String,
    },
    /// An engine that this program was built without.
    #[error("engine `{engine}` is not in this build; build with `--features {feature}` or use the native engine")]
    EngineNotBuilt {
        /// The engine asked for.
        engine: EngineKind,
        /// The cargo feature that adds it.
        feature: &'static str,
    },
    /// An instruction set's name that is none.
    #[error("instruction set is `{found}`, expected `portable`, `neon`, `avx2` or `avx512`")]
    UnknownIsa {
        /// What was found.
        found: String,
    },
    /// An instruction set that was asked for and that this processor, or this build, does not have.
    #[error("this processor has no `{expected}`, only {}; choose one of these or run on another machine", crate::isa::names(.found))]
    NoSuchInstructions {
        /// What was asked for.
        expected: Isa,
        /// What is there.
        found: Vec<Isa>,
    },
    /// An option of the native engine, given to another one.
    #[error("engine is `{engine}` and `{option}` is set, which only `native` has; leave it out or use that engine")]
    NativeOnly {
        /// The engine asked for.
        engine: EngineKind,
        /// The option.
        option: &'static str,
    },
    /// A weight that is too large for 16 bits.
    #[error("{policy}: tensor `{tensor}` is beyond 65504 at element {index}; load its weights as f32")]
    NotHalf {
        /// Which policy.
        policy: String,
        /// Its tensor.
        tensor: String,
        /// First such element.
        index: usize,
    },
    /// A tolerance that compares nothing.
    #[error("self-test tolerance is {found}, expected a finite number of at least 0")]
    Tolerance {
        /// What was found.
        found: f32,
    },
    /// A team of several without a choice among them.
    #[error(
        "the bundle has {} agents and none was chosen, expected one of {names:?}; name it",
        .names.len(),
        names = Shown::name(.names)
    )]
    AgentNeeded {
        /// The team.
        names: Vec<String>,
    },
    /// An agent that is not in the team.
    #[error(
        "the bundle has no agent `{agent}`, expected one of {names:?}",
        agent = Shown::name(.agent),
        names = Shown::name(.names)
    )]
    UnknownAgent {
        /// The agent asked for.
        agent: String,
        /// The team.
        names: Vec<String>,
    },
    /// A sound bundle or file that is not the one asked for.
    #[error(
        "{policy}: {what} is {found}, expected {expected}; load the right one or correct the load options",
        policy = Shown::reason(.policy),
        found = Shown::name(.found),
        expected = Shown::name(.expected)
    )]
    Identity {
        /// Which policy or bundle.
        policy: String,
        /// What differs: task, agent, contract, release.
        what: &'static str,
        /// What the options ask for.
        expected: String,
        /// What it is.
        found: String,
    },
    /// A file in the place of a bundle's folder.
    #[cfg(feature = "fs")]
    #[error(
        "`{path}` is a file, expected a bundle's folder; load a lone file with `load_onnx`",
        path = Shown::reason(.path.display())
    )]
    NotABundle {
        /// The file.
        path: PathBuf,
    },
    /// A policy without a self-test, to be guarded.
    #[error(
        "{policy}: a lone file has no self-test, expected a bundle's policy to be guarded; load the bundle, or set \
             `guard_untested`",
        policy = Shown::reason(.policy)
    )]
    Untested {
        /// Which policy.
        policy: String,
    },
    /// A file without a bundle where a signature is asked for.
    #[error(
        "{policy}: a lone file has no signature, expected key {expected}; load the signed bundle's folder",
        policy = Shown::reason(.policy)
    )]
    LoneFile {
        /// Which policy.
        policy: String,
        /// The key that is trusted.
        expected: KeyId,
    },
    /// An operator set that the native engine does not know.
    #[error(
        "{policy}: operator set is {found}, expected 11 to 17; use the onnxruntime engine",
        policy = Shown::reason(.policy)
    )]
    Opset {
        /// Which policy.
        policy: String,
        /// What was found; 0 if none is named.
        found: i64,
    },
    /// An operator that the native engine does not run.
    #[error(
        "{policy}: node `{node}` has operator `{operator}`, expected one of the native engine's ({}); use the \
             onnxruntime engine",
        crate::engine::operators(),
        policy = Shown::reason(.policy),
        node = Shown::name(.node),
        operator = Shown::name(.operator)
    )]
    UnsupportedOperator {
        /// Which policy.
        policy: String,
        /// The node's name.
        node: String,
        /// The operator, with its domain if it is not a standard one.
        operator: String,
    },
    /// An operator in a form that the native engine does not run.
    #[error(
        "{policy}: node `{node}` ({operator}): {what} is {found}, expected {expected}; use the onnxruntime engine",
        policy = Shown::reason(.policy),
        node = Shown::name(.node),
        what = Shown::name(.what),
        found = Shown::name(.found),
        expected = Shown::name(.expected)
    )]
    UnsupportedForm {
        /// Which policy.
        policy: String,
        /// The node's name.
        node: String,
        /// The operator.
        operator: &'static str,
        /// Which attribute, input or shape.
        what: String,
        /// What was expected.
        expected: Box<str>,
        /// What was found.
        found: Box<str>,
    },
    /// A name that two things have.
    #[error(
        "{policy}: name `{name}` is defined twice, expected once; export it again",
        policy = Shown::reason(.policy),
        name = Shown::name(.name)
    )]
    DuplicateName {
        /// Which policy.
        policy: String,
        /// The name.
        name: String,
    },
    /// A name that nothing before its use defines: missing, misplaced or in a cycle.
    #[error(
        "{policy}: `{user}` uses `{name}`, expected to be defined before its use; export it again",
        policy = Shown::reason(.policy),
        user = Shown::name(.user),
        name = Shown::name(.name)
    )]
    UndefinedName {
        /// Which policy.
        policy: String,
        /// The node or output that uses it.
        user: String,
        /// The name.
        name: String,
    },
    /// Inputs or outputs that are not those of a policy.
    #[error(
        "{policy}: {what} is {found}, expected {expected}; is it a policy?",
        policy = Shown::reason(.policy),
        what = Shown::name(.what),
        found = Shown::name(.found),
        expected = Shown::name(.expected)
    )]
    Interface {
        /// Which policy.
        policy: String,
        /// Which input or output.
        what: String,
        /// What was expected.
        expected: String,
        /// What was found.
        found: String,
    },
    /// More than this engine takes on.
    #[error(
        "{policy}: {what} is {found}, expected at most {limit}; is it a policy?",
        policy = Shown::reason(.policy)
    )]
    TooLarge {
        /// Which policy.
        policy: String,
        /// What is too large.
        what: &'static str,
        /// Its size.
        found: usize,
        /// The limit.
        limit: usize,
    },
    /// NaN or infinity among the parameters.
    #[error(
        "{policy}: tensor `{tensor}` is not finite at element {index}; export an earlier checkpoint",
        policy = Shown::reason(.policy),
        tensor = Shown::name(.tensor)
    )]
    NotFinite {
        /// Which policy.
        policy: String,
        /// The tensor's name.
        tensor: String,
        /// First such element, row-major.
        index: usize,
    },
    /// A graph that does not do what its contract, or the bundle's task, says.
    #[error(
        "{policy}: {what} is {found}, expected {expected} as promised; export it again",
        policy = Shown::reason(.policy),
        found = Shown::name(.found),
        expected = Shown::name(.expected)
    )]
    Contract {
        /// Which policy.
        policy: String,
        /// What differs.
        what: &'static str,
        /// What the contract or the task says.
        expected: String,
        /// What the graph or the contract in it has.
        found: String,
    },
    /// A policy that gives no action at load.
    #[error(
        "{policy}: no action in {}: {source}; export it again",
        during(*.case),
        policy = Shown::reason(.policy)
    )]
    NoAction {
        /// Which policy.
        policy: String,
        /// Row of the golden vectors; `None` in the warm-up.
        case: Option<usize>,
        /// Why.
        source: StepError,
    },
    /// An action that is not the golden one.
    #[error(
        "{policy}: self-test case {case}: {what} is {found}, expected {expected} within {tolerance}; do not use \
             this bundle: export it again",
        policy = Shown::reason(.policy),
        what = Shown::name(.what)
    )]
    SelfTest {
        /// Which policy.
        policy: String,
        /// Row of the golden vectors.
        case: usize,
        /// `action`, `logit` or `choice` and which of them.
        what: String,
        /// The golden value.
        expected: f64,
        /// What the engine gave.
        found: f64,
        /// Largest difference allowed.
        tolerance: f64,
    },
    /// Golden vectors that test nothing.
    #[error(
        "{policy}: golden vectors have {what} {found}, expected {expected}; export it again",
        policy = Shown::reason(.policy),
        found = Shown::name(.found),
        expected = Shown::name(.expected)
    )]
    Golden {
        /// Which policy.
        policy: String,
        /// What is wrong.
        what: &'static str,
        /// What was expected.
        expected: String,
        /// What was found.
        found: String,
    },
    /// A lone file has nothing to be tested with, and who gave the golden vectors back has nothing any more.
    #[error(
        "{policy}: there are no golden vectors, expected those of a bundle; load the bundle and keep them",
        policy = Shown::reason(.policy)
    )]
    NoSelfTest {
        /// Which policy.
        policy: String,
    },
    /// A recorder for something else.
    #[error(
        "{policy}: the recorder is not for it, expected one of its own `make_recorder`; make one with the same options"
    )]
    OtherRecorder {
        /// Which policy.
        policy: String,
    },
    /// A recording of another policy.
    #[error(
        "the recording is of {expected}, found {found}, or other names, units or ranges; give the bundle that was recorded"
    )]
    OtherContract {
        /// Agent and task of the recording.
        expected: String,
        /// Those of the policy.
        found: String,
    },
    /// A policy that promises nothing cannot be held to it.
    #[error(
        "{policy}: there is no contract, expected that of an exported policy; export it with omiga to guard it",
        policy = Shown::reason(.policy)
    )]
    ContractNeeded {
        /// Which policy.
        policy: String,
    },
    /// Options of a guard or a controller that do not fit the policy's contract, or cannot be.
    #[error(
        "{policy}: {option} is {found}, expected {expected}; correct the options",
        policy = Shown::reason(.policy),
        option = Shown::name(.option),
        found = Shown::name(.found),
        expected = Shown::name(.expected)
    )]
    Options {
        /// Which policy.
        policy: String,
        /// Which option.
        option: String,
        /// What was expected.
        expected: String,
        /// What was found.
        found: String,
    },
    /// ONNX Runtime's shared library is nowhere.
    #[cfg(feature = "std")]
    #[error(
        "ONNX Runtime's library is not at {tried:?}; set ORT_DYLIB_PATH to its file (`make setup` fetches one into .deps/onnxruntime)",
        tried = Shown::reason(.tried)
    )]
    LibraryNotFound {
        /// Where it was looked for.
        tried: Vec<PathBuf>,
    },
    /// A file that is not a usable ONNX Runtime.
    #[cfg(feature = "std")]
    #[error(
        "`{path}` cannot be used as ONNX Runtime ({reason}); set ORT_DYLIB_PATH to its file (`make setup` fetches one into .deps/onnxruntime)",
        path = Shown::reason(.path.display()),
        reason = Shown::reason(.reason)
    )]
    Library {
        /// The file.
        path: PathBuf,
        /// What the loader says.
        reason: String,
    },
    /// Another ONNX Runtime is already in this process, which can hold only one.
    #[cfg(feature = "std")]
    #[error(
        "ONNX Runtime was already loaded from `{loaded}`, expected `{asked}`; use one library in a process",
        loaded = Shown::reason(.loaded.display()),
        asked = Shown::reason(.asked.display())
    )]
    OtherLibrary {
        /// The library asked for.
        asked: PathBuf,
        /// The library in use.
        loaded: PathBuf,
    },
    /// ONNX Runtime refuses the policy.
    #[error(
        "{policy}: ONNX Runtime refuses it: {reason}",
        policy = Shown::reason(.policy),
        reason = Shown::reason(.reason)
    )]
    OnnxRuntime {
        /// Which policy.
        policy: String,
        /// What ONNX Runtime says.
        reason: String,
    },
}

fn during(case: Option<usize>) -> String {
    case.map_or("the warm-up".to_owned(), |case| format!("self-test case {case}"))
}
