//! Logs as tables to datasets: what the columns of a CSV, Parquet or MCAP file mean is said by a map, not by a program.
//!
//! In: logs and a [`Map`]. Out: a dataset of `omiga-dataset`, and a [`Report`] of every kind of row that was dropped or
//! repaired; or an [`Error`] that names log, line and column. [`suggest`] writes a first map from a log's columns.
//!
//! ```
//! use std::sync::atomic::AtomicBool;
//!
//! # let folder = tempfile::tempdir()?;
//! # let (log, map, out) = (folder.path().join("log.csv"), folder.path().join("map.toml"), folder.path().join("x.hdf5"));
//! std::fs::write(&log, "run,speed,torque\n1,0.9,300\n1,1.1,280\n1,1.0,290\n")?;
//! std::fs::write(&map, r#"
//!     task.name = "belt"
//!     episode.column = "run"
//!     reward.value = "-abs(speed - 1)"
//!     [[obs]]
//!     name = "speed"
//!     column = "speed"
//!     [[action]]
//!     name = "torque"
//!     column = "torque"
//!     range = [0, 600]
//! "#)?;
//! let report = omiga_import::import(&[log], &omiga_import::Map::read(&map)?, &out, &AtomicBool::new(false))?;
//! assert_eq!((report.episodes, report.steps), (1, 2)); // nobody knows where the last command led
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! The way of a row is `table -> plan -> steps`: files to numbers, the map's names to cells, moments to
//! episodes on a grid of time. Deliberately absent: plotting, cleaning beyond what a map can say, and formats that
//! have episodes of their own (those are `omiga-dataset`'s).

mod error;
mod expression;
mod import;
mod map;
mod plan;
mod report;
mod steps;
mod suggest;
mod table;

pub use error::{Error, Place, Result};
pub use import::{import, load};
pub use map::Map;
pub use report::{Note, Report};
pub use suggest::suggest;
