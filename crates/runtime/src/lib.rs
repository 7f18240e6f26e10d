//! Executes exported policies.
//!
//! In: a bundle's folder (or a lone `.onnx` file, if asked for) and raw local observations in physical units. Out: physical actions,
//! or indices of discrete ones, or why there is none and nothing else. The three main types are [`Policy`] (one agent, from
//! a file to actions), [`Guard`] (the policy held to its contract: ages, ranges, bounds, rates, a fallback) and
//! [`Controller`] (the guard on a grid of periods). [`Team`] steps all policies of a bundle together.
//!
//! ```no_run
//! use std::path::Path;
//!
//! use omiga_runtime::{LoadOptions, Policy};
//!
//! # #[cfg(feature = "fs")] {
//! let options = LoadOptions::default().with_agent("agent_0");
//! let policy = Policy::load(Path::new("spread.bundle"), &options)?;
//! let mut state = policy.state();
//! let (obs, mut action) = (vec![0.0; policy.obs_dim()], vec![0.0; policy.action_dim()]);
//! loop {
//!     // Read the sensors into `obs` here.
//!     match policy.step(&mut state, &obs, &mut action) {
//!         Ok(()) => println!("{action:?}"),
//!         Err(e) => println!("keep the machine safe: {e}"), // `action` is untouched
//!     }
//! #   break;
//! }
//! # }
//! # Ok::<(), omiga_runtime::Error>(())
//! ```
//!
//! A bundle carries golden vectors: every policy replays its own at load, and one that fails them is an error, not a
//! policy. Two engines run the same graph: the native one, compiled at load, which then allocates nothing and cannot
//! panic; and with the cargo feature `onnxruntime` ONNX Runtime, whose shared library is loaded when asked for.
//!
//! [`Policy::step`] gives an action or a [`StepError`]. In a machine, put a [`Controller`] around the policy: its
//! [`Status`] says for every tick where the action comes from and everything that was noticed, and what is commanded when
//! there is no action is in its options, never made up.
//!
//! Where a policy must come from somebody known, [`LoadOptions::with_public_key`] refuses every bundle that was not
//! signed by them. Without the cargo feature `fs` (on by default) nothing here touches a file system: a bundle is made
//! of bytes, with all the same checks. Without `std` either (`default-features = false`) an allocator is all that it
//! asks for. [`LoadOptions`] can also ask for one task, one contract and a least release, and
//! [`Policy::identity`] says which bundle is running.
//!
//! ```
//! use omiga_runtime::{LoadOptions, PublicKey, Result, Team};
//!
//! fn load(files: Vec<(String, Vec<u8>)>, key: &str) -> Result<Team> {
//!     let options = LoadOptions::default().with_public_key(PublicKey::parse(key)?);
//!     Team::from_bundle(&options.assemble(files)?, &options)
//! }
//! # assert!(load(Vec::new(), "RWQf6LRCGA9i53mlYecO4IzT51TGPpvWucNSCh1CBM0QTaLn73Y7GFO3").is_err());
//! ```
//!
//! Deliberately absent: training, tensor libraries, batches, clocks and threads. The time is an argument.

#![cfg_attr(not(any(test, feature = "std")), no_std)]

#[macro_use]
extern crate alloc;

mod controller;
mod engine;
mod error;
mod guard;
mod isa;
mod kind;
mod loaded;
mod memory;
mod options;
mod policy;
mod recorder;
mod selftest;
mod source;
mod status;
mod step_error;
mod team;

pub use controller::{Controller, ControllerOptions, FaultBetween, Intermediate, Stats};
pub use error::{Error, Result};
pub use guard::{Fallback, Guard, GuardOptions, Observation, OutOfRange, SafeAction};
pub use isa::{Isa, WeightFormat};
pub use kind::ErrorKind;
pub use memory::MemoryCursor;
/// The contract of a policy: names, units, ranges and bounds of what it observes and commands.
pub use omiga_format::{ActionField, ActionSpace, Mahalanobis, Novelty, ObsField, PolicyContract, Range};
/// What policies are loaded from, which it is, and who signed it.
pub use omiga_format::{Bundle, Identity, KeyId, PublicKey, Signature, Signer};
/// What a recorder writes and a replay reads.
pub use omiga_format::{Call, Record, RecordedStatus, Recording, RecordingHeader};
pub use options::{EngineKind, LoadOptions};
pub use policy::{MAX_OBS, Policy, PolicyState};
pub use recorder::{Difference, Dump, Recorder, RecorderOptions, Replay, Replayed};
pub use selftest::{SelfTest, allowed_difference};
pub use status::{Flags, Source, Status};
pub use step_error::StepError;
pub use team::Team;

/// The programs on the pages, run as tests.
#[cfg(all(doctest, feature = "fs"))]
#[doc = include_str!("../../../README.md")]
#[doc = include_str!("../../../docs/embedding.md")]
#[doc = include_str!("../../../docs/novelty.md")]
#[doc = include_str!("../../../docs/replay.md")]
#[doc = include_str!("../../../docs/signing.md")]
struct Pages;
