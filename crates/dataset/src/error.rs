//! What can be wrong with a dataset, one variant per way.

use std::path::PathBuf;

/// Result of this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why a file is refused, or a recording cannot go on.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The operating system refused, or a task, header or transform is wrong.
    #[error(transparent)]
    Format(#[from] omiga_format::Error),
    /// Not an HDF5 file, or a damaged one.
    #[error("`{path}`: cannot read {part} as HDF5 ({reason}); is it truncated or damaged?")]
    Hdf5 {
        /// The file.
        path: PathBuf,
        /// Which part of it.
        part: String,
        /// What the parser says.
        reason: String,
    },
    /// An HDF5 file with something that this program does not read.
    #[error("`{path}`: {part} {what}, which is not read here; {remedy}")]
    Unsupported {
        /// The file.
        path: PathBuf,
        /// Which part of it.
        part: String,
        /// What it has.
        what: String,
        /// What makes it readable.
        remedy: &'static str,
    },
    /// An HDF5 file that says somebody writes it.
    #[error(
        "`{path}`: it is marked as being written; stop the recorder, or if that was killed, clear the mark: \
         h5clear -s {path}"
    )]
    InUse {
        /// The file.
        path: PathBuf,
    },
    /// No format that is known here.
    #[error("`{path}`: {found}, which is no dataset known here; expected one of {known}; name it with `--format`")]
    UnknownFormat {
        /// The file or folder.
        path: PathBuf,
        /// What it is.
        found: String,
        /// Names of the formats.
        known: String,
    },
    /// Something that is known and no dataset here.
    #[error(
        "`{path}`: {what}, which is not read as a dataset; make one of a CSV, a Parquet table or an MCAP log with \
         `omiga import`, or train from it with `--map` (docs/tables.md), or write the layout that docs/data.md describes"
    )]
    NotRead {
        /// The file or folder.
        path: PathBuf,
        /// What it is.
        what: &'static str,
    },
    /// Somebody wanted it to stop. What was begun is gone.
    #[error("stopped before it was done; nothing is written")]
    Stopped,
    /// A file where a format is a folder, or the other way round.
    #[error(
        "`{path}`: {found}, but a dataset of format `{format}` is {expected}; name that ({}), or leave `--format` out",
        if *found == "a file" { "the folder that this lies in, or the one above" } else { "it may lie in this folder" }
    )]
    Place {
        /// The file or folder.
        path: PathBuf,
        /// Name of the format.
        format: &'static str,
        /// What it is.
        expected: &'static str,
        /// What is there.
        found: &'static str,
    },
    /// A part of a dataset that is not as its format demands.
    #[error("`{path}`: {part}: {reason}")]
    Malformed {
        /// The file.
        path: PathBuf,
        /// Which part of it.
        part: String,
        /// What is wrong, what was expected, what to do.
        reason: String,
    },
    /// Continuous actions far outside [-1, 1].
    #[error(
        "`{path}`: {outside} of {all} action values are outside [-1, 1] ({low} to {high}), where commands must be in \
         [-1, 1]; {remedy}, or say `data.actions = \"clamp\"`"
    )]
    ActionRange {
        /// The file.
        path: PathBuf,
        /// Values outside.
        outside: u64,
        /// All values.
        all: u64,
        /// The least value.
        low: f32,
        /// The largest value.
        high: f32,
        /// How to convert them.
        remedy: String,
    },
    /// Choices that are stored as floats.
    #[error(
        "`{path}`: `{key}` holds whole numbers as floats beside a mask of {choices} choices; store choices as integers"
    )]
    ChoicesAsFloats {
        /// The file.
        path: PathBuf,
        /// Which key.
        key: String,
        /// Choices of the mask.
        choices: usize,
    },
    /// A value that no controller would accept.
    #[error(
        "`{path}`: `{key}` is {value:e} at row {row}{}, expected at most 1e16: is it a fill value? remove that \
         episode, or store what was measured",
        of_field(*agent, *field)
    )]
    Absurd {
        /// The file.
        path: PathBuf,
        /// Which key.
        key: String,
        /// First such row.
        row: usize,
        /// Which agent, if the key has any.
        agent: Option<usize>,
        /// Which field.
        field: usize,
        /// What was found.
        value: f32,
    },
    /// A mask of the living that has nobody in it.
    #[error("`{path}`: no agent is ever alive in a step, so there is nothing to learn; is `alive` inverted?")]
    NobodyAlive {
        /// The file.
        path: PathBuf,
    },
    /// Keys that a dataset needs.
    #[error("`{path}`: keys {missing:?} are missing, found {found:?}; is it in OMIGA's layout?")]
    MissingKeys {
        /// The file.
        path: PathBuf,
        /// What is not there.
        missing: Vec<String>,
        /// What is there, sorted.
        found: Vec<String>,
    },
    /// A key of another shape.
    #[error("`{path}`: `{key}` has shape {found:?}, expected {expected}; is it in OMIGA's layout?")]
    Shape {
        /// The file.
        path: PathBuf,
        /// Which key.
        key: String,
        /// What was expected.
        expected: String,
        /// What was found.
        found: Vec<u64>,
    },
    /// A key of another element type.
    #[error("`{path}`: `{key}` has elements of {found}, expected {expected}; convert it")]
    ElementType {
        /// The file.
        path: PathBuf,
        /// Which key.
        key: String,
        /// What was expected.
        expected: &'static str,
        /// What was found.
        found: String,
    },
    /// A shape that promises more than this program reads or than the file can hold.
    #[error("`{path}`: `{key}` claims shape {shape:?}, expected at most {limit} bytes; is it damaged?")]
    TooLarge {
        /// The file.
        path: PathBuf,
        /// Which key.
        key: String,
        /// The shape (of the data, or of one chunk).
        shape: Vec<u64>,
        /// Bytes that would be believed.
        limit: u64,
    },
    /// NaN or infinity where a number is needed.
    #[error("`{path}`: `{key}` is not finite at row {row}{}; remove that episode", of_agent(*agent))]
    NotFinite {
        /// The file.
        path: PathBuf,
        /// Which key.
        key: String,
        /// First such row.
        row: usize,
        /// Which agent, if the key has any.
        agent: Option<usize>,
    },
    /// A flag that is neither 0 nor 1.
    #[error("`{path}`: `{key}` is {value} at row {row}, expected 0 or 1; is it in OMIGA's layout?")]
    NotAFlag {
        /// The file.
        path: PathBuf,
        /// Which key.
        key: String,
        /// First such row.
        row: usize,
        /// What was found.
        value: f32,
    },
    /// A time-out that is not at the end of an episode.
    #[error("`{path}`: `timeout` is 1 at row {row} where `d` is 0; mark the episode's last state instead")]
    TimeoutInside {
        /// The file.
        path: PathBuf,
        /// First such row.
        row: usize,
    },
    /// Nothing to learn from.
    #[error("`{path}`: no complete episode with a step in {rows} rows, expected at least one; was it cut short?")]
    NoEpisode {
        /// The file.
        path: PathBuf,
        /// Its rows.
        rows: usize,
    },
    /// A discrete action that does not exist.
    #[error("`{path}`: action {found} at row {row} of agent {agent}, expected 0 to {}; check the task", choices - 1)]
    ActionIndex {
        /// The file.
        path: PathBuf,
        /// First such row.
        row: usize,
        /// Which agent.
        agent: usize,
        /// Number of choices.
        choices: usize,
        /// What was found.
        found: i64,
    },
    /// A discrete action that was taken although it was not available.
    #[error("`{path}`: action {action} at row {row} of agent {agent} is masked out by `{mask}`; check the recorder")]
    MaskedAction {
        /// The file.
        path: PathBuf,
        /// First such row.
        row: usize,
        /// Which agent.
        agent: usize,
        /// The action.
        action: u32,
        /// The mask's key.
        mask: &'static str,
    },
    /// A file that does not fit its header or the task it is read as.
    #[error("`{path}`: {what} is {found}, expected {expected}; is it a recording of this task?")]
    Task {
        /// The file.
        path: PathBuf,
        /// What differs.
        what: &'static str,
        /// What the task says.
        expected: String,
        /// What the file says.
        found: String,
    },
    /// Something behind the observation of an agent that observes less than others.
    #[error(
        "`{path}`: observation at row {row} of agent {agent} has values behind the agent's own fields; put zeros there"
    )]
    NotFilledUp {
        /// The file.
        path: PathBuf,
        /// First such row.
        row: usize,
        /// Which agent.
        agent: usize,
    },
    /// Observations said to be standardised with the agent's id that are not.
    #[error(
        "`{path}`: observation at row {row} of agent {agent} does not end with its standardised id; declare it raw"
    )]
    NoId {
        /// The file.
        path: PathBuf,
        /// First such row.
        row: usize,
        /// Which agent.
        agent: usize,
    },
    /// A second observation transform.
    #[error("`{path}`: observations are already transformed by {found}, asked for {asked}; load it again")]
    Transformed {
        /// The file.
        path: PathBuf,
        /// What they went through.
        found: String,
        /// What was asked for.
        asked: String,
    },
    /// More than can be held in memory.
    #[error("`{path}`: cannot have {bytes} bytes of memory for its rows; keep them on disk instead")]
    Memory {
        /// The file.
        path: PathBuf,
        /// What is needed.
        bytes: u64,
    },
    /// Rows that cannot be kept on disk.
    #[error("scratch file in `{folder}`: cannot {action} {bytes} bytes ({source}); name a folder with more room")]
    Scratch {
        /// Where it is.
        folder: PathBuf,
        /// `read` or `write`.
        action: &'static str,
        /// Bytes of the whole file.
        bytes: u64,
        /// What the system says.
        source: std::io::Error,
    },
    /// A recording step that does not fit the header.
    #[error("recording: {what} is {found}, expected {expected}; check the environment")]
    Record {
        /// What is wrong.
        what: &'static str,
        /// What was expected.
        expected: String,
        /// What was found.
        found: String,
    },
}

fn of_field(agent: Option<usize>, field: usize) -> String {
    format!("{}, field {field}", of_agent(agent))
}

fn of_agent(agent: Option<usize>) -> String {
    agent.map(|a| format!(" of agent {a}")).unwrap_or_default()
}
