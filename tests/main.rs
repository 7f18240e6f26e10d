//! The real program, run as its users run it: each test in a fresh folder, without a network, seeded.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test may fail, and says what it leaves out"
)]

mod program;

mod browser;
mod circles;
mod cli;
mod collect;
mod docs;
mod engine;
mod evaluation;
mod forms;
mod hostile;
mod import;
mod manners;
mod nodes;
mod novelty;
#[cfg(feature = "onnxruntime")]
mod onnxruntime;
mod paper_data;
mod plain_c;
mod plan;
mod profile;
mod refusal;
mod replay;
mod report;
mod resume;
mod selection;
mod settings;
mod signed;
mod storage;
mod sweep;
mod tidy;
mod training;
mod widths;
