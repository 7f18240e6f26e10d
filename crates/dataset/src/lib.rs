//! Logged multi-agent behaviour: files to episodes to seeded host batches, and recordings back to files.
//!
//! In: a file or folder of any [`Format`], first of all HDF5 in OMIGA's layout (keys `s`, `o`, `a`, `r`, `d`; optional
//! `timeout`, `avail`, `alive`), written by h5py or by this crate. Out: batches of f32 on the host, or an [`Error`] that names key, row and agent. The three
//! main types are [`Dataset`] (checked rows), [`Sampler`] (seeded draws into a [`HostBatch`]) and
//! [`Writer`] (episodes to a file). A [`Card`] says what a dataset holds and what was repaired in it.
//!
//! ```
//! use omiga_dataset::{
//!     Dataset, Ending, Header, HostBatch, LastRow, LoadOptions, Sampler, StepActions, StepRow, StoredObs, Writer,
//! };
//! use omiga_format::{ActionSpace, TaskSpec};
//!
//! let task = TaskSpec::anonymous("pumps", 2, 3, ActionSpace::unit_box(1));
//! let folder = tempfile::tempdir()?;
//! let path = folder.path().join("pumps.hdf5");
//! let mut writer = Writer::create(&path, Header::new(task, StoredObs::Raw), None)?;
//! for step in 0..4 {
//!     let obs = [step as f32; 6];
//!     let actions = StepActions::Continuous(&[0.5, -0.5]);
//!     writer.push_step(StepRow { obs: &obs, state: None, actions, reward: 1.0, action_mask: None, alive: None })?;
//! }
//! let last = LastRow { obs: &[4.0; 6], state: None, action_mask: None, alive: None };
//! writer.end_episode(last, Ending::Truncated)?;
//! writer.finish()?;
//!
//! let dataset = Dataset::load(&path, &LoadOptions::default())?;
//! assert_eq!((dataset.episodes(), dataset.len(), dataset.card()?.returns.mean), (1, 4, 4.0));
//! let mut sampler = Sampler::new(dataset.len(), 7, 0);
//! let mut batch = HostBatch::new(&dataset, 32);
//! sampler.fill(&dataset, &mut batch)?;
//! assert!(batch.bootstrap.iter().all(|b| *b == 1.0)); // the clock is no termination
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Layout of a file
//! An episode of L steps has L + 1 rows; the row with `d` = 1 is its last state, whose action and reward mean nothing.
//! The next state of a step is the row after it. `timeout` = 1 on a last state says that the clock ended the episode.
//! `s` is [rows, N, S] or [rows, S], `o` [rows, N, O], `a` floats [rows, N, A] in [-1, 1] or integers [rows, N, 1].
//!
//! A file that does not fit into memory is loaded with [`Storage::Disk`]: the batches are the same, bit for bit.
//!
//! Deliberately absent: tensor libraries, environments.

mod about;
mod arrays;
mod batch;
mod card;
mod check;
mod dataset;
mod decimals;
mod distinct;
mod error;
mod header;
mod held_out;
mod identity;
mod limits;
mod load;
mod metric_card;
mod novelty;
mod options;
mod parallel;
mod positioned;
mod reader;
mod repair;
mod sampler;
mod standardised;
mod stats;
mod store;
mod writer;

pub use about::{Origin, StateKind};
pub use arrays::Arrays;
pub use batch::HostBatch;
pub use card::{ActionKind, Card, FieldCard, Readiness};
pub use check::episodes::Episode;
pub use dataset::{Dataset, Outline, TaskName};
pub use decimals::decimals;
pub use error::{Error, Result};
pub use header::{Header, StoredObs};
pub use held_out::{ActionSupport, MeanStep};
pub use load::convert::{Converted, Target, convert};
pub use load::sample::Sample;
pub use metric_card::MetricCard;
pub use options::{Actions, LoadOptions, Rewards, Storage, Timeouts};
pub use reader::decisions::{LastState, TeamReward};
pub use reader::format::Format;
pub use repair::Repair;
pub use sampler::Sampler;
pub use stats::{Distribution, Histogram};
pub use writer::Writer;
pub use writer::form::{Ending, LastRow, Record, StepActions, StepRow};
pub use writer::memory::MemoryWriter;

/// The program on the page, run as a test.
#[cfg(doctest)]
#[doc = include_str!("../../../docs/data.md")]
struct Page;
