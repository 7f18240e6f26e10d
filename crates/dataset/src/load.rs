//! A file to a checked [`Dataset`].

use std::path::Path;

use omiga_format::{ActionSpace, TaskSpec, hash};

use crate::actions::ActionColumn;
use crate::card::{Facts, Origin, Repair, StateKind};
use crate::dataset::StateColumn;
use crate::episodes::Episodes;
use crate::hdf5::{Column, Source};
use crate::header::HEADER_KEY;
use crate::obs::ObsColumn;
use crate::{Actions, Dataset, Error, Header, LoadOptions, Result, StoredObs};

/// Most agents of a team (the limit of [`TaskSpec`]).
const MAX_AGENTS: usize = 1024;
/// Most scalars that a team observes: in a file without header each gets a name.
const MAX_FIELDS: usize = 1 << 20;

/// Read, check and understand a file.
pub(crate) fn load(path: &Path, header: Option<Header>, options: &LoadOptions) -> Result<Dataset> {
    let source = Source::open(path)?;
    source.require(&["s", "o", "a", "r", "d"])?;
    let header = match header {
        Some(header) => {
            header.task.validate()?;
            Some(header)
        }
        None => match source.attribute(HEADER_KEY)? {
            Some(json) => Some(Header::parse(&path.display().to_string(), &json)?),
            None => None,
        },
    };
    let mut reading = Reading::start(path, &source, options)?;
    let episodes = reading.episodes()?;
    let transitions: Vec<u32> = episodes.steps().map(|row| row as u32).collect();
    let mut rewards = reading.rewards(&transitions)?;
    let choices = header.as_ref().map(|h| &h.task).filter(|t| t.is_discrete()).map(TaskSpec::action_dim);
    let (actions, action_mask, alive) = reading.actions(&transitions, choices)?;
    let (obs, stored_obs) = reading.obs(header.as_ref())?;
    let state = reading.state(&obs)?;
    let task = match header {
        Some(header) => reading.fits(header, &actions)?,
        None => anonymous_task(path, &obs, stored_obs, &actions),
    };
    task.validate()?;
    reading.facts.returns = episodes.returns(&rewards);
    reading.facts.lengths = episodes.list.iter().map(|e| e.steps() as f64).collect();
    reading.facts.timeouts = episodes.list.iter().filter(|e| e.truncated).count() as u64;
    episodes.apply(options.rewards, &mut rewards);
    Ok(Dataset {
        path: path.to_owned(),
        sha256: hash::of_file(path)?,
        task,
        stored_obs,
        obs,
        state,
        actions,
        rewards,
        stops: episodes.stops(options.timeouts),
        transitions,
        action_mask,
        alive,
        facts: reading.facts,
    })
}

/// A file being read, its keys smallest first: damage is found before the large ones are decoded.
struct Reading<'a> {
    path: &'a Path,
    source: &'a Source,
    options: &'a LoadOptions,
    rows: usize,
    n: usize,
    dim: usize,
    facts: Facts,
}

type Masks = (ActionColumn, Option<Vec<u8>>, Option<Vec<u8>>);

impl<'a> Reading<'a> {
    fn start(path: &'a Path, source: &'a Source, options: &'a LoadOptions) -> Result<Self> {
        let (shape, ..) = source.describe("o")?;
        let [rows, n, dim] = shape[..] else {
            return Err(source.shape_error("o", "[rows, agents, width]".into(), &shape));
        };
        let fields_fit = (1..=MAX_AGENTS).contains(&n) && (1..=MAX_FIELDS / n).contains(&dim);
        if rows == 0 || rows > u32::MAX as usize || !fields_fit {
            let expected = format!("1 to 2^32 - 1 rows, 1 to {MAX_AGENTS} agents, at most {MAX_FIELDS} fields a row");
            return Err(source.shape_error("o", expected, &shape));
        }
        Ok(Self { path, source, options, rows, n, dim, facts: Facts::new(rows) })
    }

    fn repaired(&mut self, what: String, count: u64) {
        if count > 0 {
            self.facts.repaired.push(Repair { what, count });
        }
    }

    /// Remember the element type of `key`, and check that it has one value a row.
    fn per_row<T>(&mut self, key: &str, column: Column<T>) -> Result<Vec<T>> {
        if column.shape != [self.rows] && column.shape != [self.rows, 1] {
            return Err(self.source.shape_error(key, format!("[{}] or [{0}, 1]", self.rows), &column.shape));
        }
        self.facts.dtypes.insert(key.to_owned(), column.dtype);
        Ok(column.values)
    }

    fn episodes(&mut self) -> Result<Episodes> {
        let ends = self.per_row("d", self.source.flags("d")?)?;
        let timeout = match self.source.has("timeout") {
            true => Some(self.per_row("timeout", self.source.flags("timeout")?)?),
            false => None,
        };
        let limit = self.options.time_limit;
        let episodes = Episodes::split(self.path, &ends, timeout.as_deref(), limit)?;
        let count = |truncated| episodes.list.iter().filter(|e| e.truncated == truncated).count() as u64;
        match (timeout, limit) {
            (Some(_), Some(_)) => self.repaired("`time_limit` ignored: the file has `timeout`".into(), 1),
            (None, None) => self.repaired("ends without `timeout`, counted as terminations".into(), count(false)),
            (None, Some(l)) => {
                let longer = episodes.list.iter().filter(|e| e.steps() > l as usize).count() as u64;
                self.repaired(format!("ends without `timeout` after {l} steps, counted as time-outs"), count(true));
                self.repaired("other ends without `timeout`, counted as terminations".into(), count(false));
                self.repaired(format!("episodes longer than the time limit of {l}: is it right?"), longer);
            }
            (Some(_), None) => {}
        }
        self.repaired("last states without a step before them, skipped".into(), episodes.empty);
        let trailing = episodes.trailing_rows() as u64;
        self.repaired("rows of a last episode without end, kept as steps but not as an episode".into(), trailing);
        Ok(episodes)
    }

    fn rewards(&mut self, steps: &[u32]) -> Result<Vec<f32>> {
        let rewards = self.per_row("r", self.source.floats("r")?)?;
        match steps.iter().find(|row| !rewards[**row as usize].is_finite()) {
            Some(row) => Err(self.not_finite("r", *row as usize, None)),
            None => Ok(rewards),
        }
    }

    fn actions(&mut self, steps: &[u32], choices: Option<usize>) -> Result<Masks> {
        let (rows, n, source) = (self.rows, self.n, self.source);
        let avail = if source.has("avail") { Some(source.flags("avail")?) } else { None };
        let alive = if source.has("alive") { Some(source.flags("alive")?) } else { None };
        if let Some(alive) = alive.as_ref().filter(|c| c.shape != [rows, n] && c.shape != [rows, n, 1]) {
            return Err(source.shape_error("alive", format!("[{rows}, {n}]"), &alive.shape));
        }
        let widths = avail.as_ref().map(|c| (c.shape.get(2).copied().unwrap_or(0), &c.shape));
        if let Some((width, shape)) = widths {
            let expected = choices.unwrap_or(width).max(1);
            if *shape != [rows, n, expected] {
                let expected = choices.map_or("choices".into(), |c| c.to_string());
                return Err(source.shape_error("avail", format!("[{rows}, {n}, {expected}]"), shape));
            }
        }
        let choices = choices.or(widths.map(|w| w.0));
        let (mut actions, dtype) = ActionColumn::read(source, self.path, [rows, n], steps, choices)?;
        self.facts.dtypes.insert("a".into(), dtype);
        let outside = actions.check_bounds(self.path, n, steps, self.options.actions)?;
        let what = match self.options.actions {
            Actions::Clamp => "action values outside [-1, 1], clamped",
            Actions::Raw => "action values outside [-1, 1], kept",
        };
        self.repaired(what.into(), outside);
        for (key, column) in [("avail", &avail), ("alive", &alive)] {
            column.as_ref().map(|c| self.facts.dtypes.insert(key.into(), c.dtype.clone()));
        }
        let discrete = matches!(actions, ActionColumn::Discrete { .. });
        self.repaired("`avail` ignored: actions are continuous".into(), u64::from(!discrete && avail.is_some()));
        let avail = avail.map(|c| c.values).filter(|_| discrete);
        // A column in which nobody is ever dead says nothing.
        let alive = alive.map(|c| c.values).filter(|values| values.contains(&0));
        if let Some(avail) = &avail {
            actions.check_available(self.path, n, steps, avail, alive.as_deref().unwrap_or(&[]))?;
        }
        Ok((actions, avail, alive))
    }

    fn obs(&mut self, header: Option<&Header>) -> Result<(ObsColumn, StoredObs)> {
        if let Some(header) = header {
            self.expect("number of agents", header.task.n_agents(), self.n)?;
            self.expect("width of the stored observations", header.stored_obs_dim(), self.dim)?;
        }
        let column = self.source.floats("o")?;
        self.facts.dtypes.insert("o".into(), column.dtype);
        let width = self.n * self.dim;
        if let Some((row, x)) = first_not_finite(&column.values, width) {
            return Err(self.not_finite("o", row, Some(x / self.dim)));
        }
        let new = |values, stored| ObsColumn::new(self.n, self.dim, values, stored);
        let Some(header) = header else {
            let column = new(column.values, StoredObs::Raw);
            let stored = column.detect();
            self.facts.origin = Origin::Detected;
            return Ok((new(column.values, stored), stored));
        };
        self.facts.origin = Origin::Declared;
        let column = new(column.values, header.stored_obs);
        let no_id = match header.stored_obs {
            StoredObs::Standardised { with_id: true } => column.first_without_id(),
            _ => None,
        };
        match no_id {
            Some((row, agent)) => Err(Error::NoId { path: self.path.to_owned(), row, agent }),
            None => Ok((column, header.stored_obs)),
        }
    }

    fn state(&mut self, obs: &ObsColumn) -> Result<Option<StateColumn>> {
        let (shape, _, dtype) = self.source.describe("s")?;
        let (kind, per_agent) = match shape[..] {
            [rows, n, s] if rows == self.rows && n == self.n && s > 0 => (StateKind::PerAgent, s),
            [rows, s] if rows == self.rows && s > 0 => (StateKind::Global, s),
            _ => {
                let expected = format!("[{}, {}, width] or [{0}, width]", self.rows, self.n);
                return Err(self.source.shape_error("s", expected, &shape));
            }
        };
        self.facts.dtypes.insert("s".into(), dtype);
        self.facts.state_kind = StateKind::Shared;
        let may_share = kind == StateKind::PerAgent && per_agent == self.dim;
        if may_share && self.source.same_bytes("o", "s")? {
            return Ok(None);
        }
        let values = self.source.floats("s")?.values;
        if may_share && values.iter().zip(&obs.values).all(|(s, o)| s.to_bits() == o.to_bits()) {
            return Ok(None);
        }
        let width = shape[1..].iter().product();
        if let Some((row, x)) = first_not_finite(&values, width) {
            return Err(self.not_finite("s", row, (kind == StateKind::PerAgent).then_some(x / per_agent)));
        }
        self.facts.state_kind = kind;
        Ok(Some(StateColumn { width, values }))
    }

    /// The header's task, if the actions fit it.
    fn fits(&self, header: Header, actions: &ActionColumn) -> Result<TaskSpec> {
        let kind = |discrete| if discrete { "discrete (integers)" } else { "continuous (floats)" };
        let found = matches!(actions, ActionColumn::Discrete { .. });
        self.expect("kind of actions", kind(header.task.is_discrete()), kind(found))?;
        self.expect("width of the actions", header.task.action_dim(), actions.dim())?;
        Ok(header.task)
    }

    fn expect<T: PartialEq + ToString>(&self, what: &'static str, expected: T, found: T) -> Result<()> {
        if expected == found {
            return Ok(());
        }
        let (expected, found) = (expected.to_string(), found.to_string());
        Err(Error::Task { path: self.path.to_owned(), what, expected, found })
    }

    fn not_finite(&self, key: &str, row: usize, agent: Option<usize>) -> Error {
        Error::NotFinite { path: self.path.to_owned(), key: key.into(), row, agent }
    }
}

/// Row, and place in the row, of the first value that is not finite.
fn first_not_finite(values: &[f32], width: usize) -> Option<(usize, usize)> {
    // Whole rows without an early way out go through vector instructions.
    let bad = |row: &[f32]| row.iter().fold(false, |bad, v| bad | !v.is_finite());
    let row = values.chunks_exact(width).position(bad)?;
    let place = values[row * width..].iter().position(|v| !v.is_finite())?;
    Some((row, place))
}

/// The task of a file without header: named after the file, nothing known but sizes.
fn anonymous_task(path: &Path, obs: &ObsColumn, stored: StoredObs, actions: &ActionColumn) -> TaskSpec {
    let raw_dim = match stored {
        StoredObs::Standardised { with_id: true } => obs.dim - obs.n_agents,
        _ => obs.dim,
    };
    let space = match actions {
        ActionColumn::Continuous { dim, .. } => ActionSpace::unit_box(*dim),
        ActionColumn::Discrete { choices, .. } => ActionSpace::choices(*choices),
    };
    TaskSpec::anonymous(&plain_name(path), obs.n_agents, raw_dim, space)
}

/// The file's stem with `-` for whatever a task's name may not hold.
fn plain_name(path: &Path) -> String {
    let stem = path.file_stem().map(|s| s.to_string_lossy().into_owned()).unwrap_or_default();
    let plain = |c: char| if c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.') { c } else { '-' };
    let name: String = stem.trim_start_matches('.').chars().map(plain).take(128).collect();
    if name.is_empty() { "dataset".into() } else { name }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_plain() {
        for (file, expected) in
            [("a/Ant-v2.x.hdf5", "Ant-v2.x"), (".hdf5", "hdf5"), ("é b.hdf5", "--b"), ("..", "dataset")]
        {
            assert_eq!(plain_name(Path::new(file)), expected);
        }
        assert_eq!(plain_name(Path::new(&"x".repeat(300))).len(), 128);
    }

    #[test]
    fn the_first_value_that_is_not_finite_is_found() {
        assert_eq!(first_not_finite(&[0.0; 6], 3), None);
        assert_eq!(first_not_finite(&[0.0, 0.0, 0.0, 0.0, f32::NAN, f32::INFINITY], 3), Some((1, 1)));
    }
}
