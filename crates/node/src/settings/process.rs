//! What the process around the loop is.

use std::path::PathBuf;

use serde::Deserialize;

use super::Millis;

/// Another policy, beside the one that acts.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct CandidateSettings {
    /// Its bundle's folder.
    pub bundle: Option<PathBuf>,
    /// It only looks on, and its difference is reported; else it takes over.
    pub shadow: bool,
    /// How long it is watched after it took over.
    pub watch_ms: Millis,
    /// So many more ticks with a fault than in as long a time before are borne; with one more the old policy comes back.
    pub max_faults: u64,
}

impl Default for CandidateSettings {
    fn default() -> Self {
        Self { bundle: None, shadow: false, watch_ms: Millis::from_ns(10_000_000_000), max_faults: 3 }
    }
}

/// How a node is part of the network.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct NetworkSettings {
    /// `peer`, `client` (of a router) or `router`.
    pub mode: Mode,
    /// Whom it connects to: `tcp/10.0.0.1:7447`, `udp/10.0.0.1:7447`.
    pub connect: Vec<String>,
    /// Where it listens, e.g. `tcp/0.0.0.0:7447`; else a peer listens on any free port.
    pub listen: Vec<String>,
    /// Find others in the same network, by multicast and by what those say who were found; else only `connect` says who.
    pub discover: bool,
    /// A file of zenoh (JSON5) that says all the rest; the settings above come on top of it.
    pub config: Option<PathBuf>,
    /// Where statuses are published: `PREFIX/NAME/status`.
    pub prefix: String,
}

impl Default for NetworkSettings {
    fn default() -> Self {
        Self {
            mode: Mode::Peer,
            connect: Vec::new(),
            listen: Vec::new(),
            discover: true,
            config: None,
            prefix: "omiga/node".to_owned(),
        }
    }
}

/// How a node takes part.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Mode {
    /// Talks to whom it finds.
    #[default]
    Peer,
    /// Talks to one router, which passes everything on.
    Client,
    /// Passes on between all that connect to it.
    Router,
}

/// Where ticks are recorded, as MCAP.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RecordSettings {
    /// The folder of the recordings, one a start.
    pub folder: PathBuf,
    /// Largest size of one, in megabytes before it is compressed; ticks after it are counted alone.
    #[serde(default = "RecordSettings::max_mb")]
    pub max_mb: u64,
    /// Ticks that wait for the disk; more are dropped and counted.
    #[serde(default = "RecordSettings::queue")]
    pub queue: usize,
}

impl RecordSettings {
    fn max_mb() -> u64 {
        4096
    }

    fn queue() -> usize {
        4096
    }
}

/// What is asked of the operating system for the loop's thread; what it does not give is an error.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RealTimeSettings {
    /// Keep all memory of the process in RAM (`mlockall`).
    pub lock_memory: bool,
    /// Priority in SCHED_FIFO, 1 to 99.
    pub fifo: Option<u8>,
    /// Run on this core only.
    pub core: Option<usize>,
}
