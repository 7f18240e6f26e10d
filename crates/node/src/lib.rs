//! One agent of a bundle as a process on a network.
//!
//! In: a node's file ([`Settings`]) that names a signed bundle, one of its agents, and which number of which message each
//! field of its contract is; then messages, as raw numbers, ROS 2's CDR or JSON. Out: a command a tick, with sequence
//! number, time, source and the bundle's hash, and a [`Report`] a second. The three main types are [`Settings`], [`Node`]
//! and [`Link`], the network.
//!
//! ```no_run
//! use std::path::Path;
//! use std::sync::Arc;
//!
//! use omiga_node::{MemoryLink, Node, Settings};
//!
//! let settings = Settings::read(Path::new("agent_0.toml"))?;
//! let mut node = Node::start(&settings, Arc::new(MemoryLink::default()))?;
//! println!("{:?}", node.report().ticks);
//! node.stop()?; // the safe action first
//! # Ok::<(), omiga_node::Error>(())
//! ```
//!
//! The loop has a thread of its own and ticks on the monotonic clock, whether messages come or not. Samples and commands
//! pass between it and the network's threads through cells that neither waits for. What is old, lost, repeated, out of
//! order or somebody else's ends in the states of [`omiga_runtime::Guard`].
//!
//! With the cargo feature `mcap` a `McapRecorder` writes its ticks to a file, on a thread of its own.
//!
//! With the cargo feature `zenoh` a `ZenohLink` is the network, and there is the program `omiga-node NODE.toml`: what
//! `omiga node` does, without the trainer around it.
//!
//! Deliberately absent: learning, tensor libraries, simulators, and security of the network: see docs/node.md.

mod bind;
mod clock;
mod error;
mod histogram;
mod input;
mod latest;
mod link;
#[cfg(feature = "mcap")]
mod mcap;
mod node;
mod realtime;
mod record;
mod report;
mod roster;
mod seat;
mod settings;
mod text;
mod ticker;
mod wire;

#[cfg(feature = "mcap")]
pub use crate::mcap::{McapRecorder, Recorded, map};
pub use clock::Now;
pub use error::{Error, Result};
#[cfg(feature = "zenoh")]
pub use link::ZenohLink;
pub use link::{Link, MemoryLink, Publisher, Take};
pub use node::{Node, Signals};
pub use record::{Records, TickRecord};
pub use report::{InputReport, Quantiles, RecordingReport, Report, ShadowReport, State, Ticks};
pub use roster::Roster;
pub use settings::{
    Bind, CandidateSettings, CommandSettings, InputSettings, Mask, Millis, Mode, NetworkSettings, RealTimeSettings,
    RecordSettings, SafeSettings, Sequence, Settings, Stamp, template,
};
pub use wire::{Attachment, Commanded, Element, Encoding, Malformed, SENDER_BYTES};
