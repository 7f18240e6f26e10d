//! A file to a checked [`Dataset`].

use std::path::Path;
use std::sync::Arc;

use omiga_format::{ActionSpace, TaskSpec};

use crate::actions::MAX_CHOICES;
use crate::card::{Facts, Origin, Repair, StateKind};
use crate::columns::Widths;
use crate::dataset::{About, Outline, TaskName};
use crate::episodes::Episodes;
use crate::hdf5::{Description, Kind, Source};
use crate::header::HEADER_KEY;
use crate::identity::Identity;
use crate::obs::Obs;
use crate::pass::{Found, Pass, same_values};
use crate::rows::Rows;
use crate::stats::Sums;
use crate::stream::{Flags, Stream};
use crate::{Actions, Card, Dataset, Error, Header, LoadOptions, Result, Storage, StoredObs};

/// Most agents of a team (the limit of [`TaskSpec`]).
const MAX_AGENTS: usize = 1024;
/// Most scalars that a team observes: in a file without header each gets a name.
const MAX_FIELDS: usize = 1 << 20;
/// Flags decoded at once.
const PIECE: usize = 1 << 16;

/// Read, check and understand a file, and keep its rows.
pub(crate) fn load(path: &Path, header: Option<Header>, options: &LoadOptions, storage: &Storage) -> Result<Dataset> {
    let (source, header) = open(path, header)?;
    let mut reading = Reading::start(path, &source, options, header)?;
    let mut scalars = reading.scalars()?;
    // The rows of a scratch file have their state in them or not: whether they do is decided before.
    let mut pass = reading.pass(&scalars.transitions, *storage == Storage::Memory)?;
    let (mut rows, found) = match storage {
        Storage::Memory => {
            let (mut columns, found) = pass.in_memory()?;
            if found.differs {
                pass.widths.state = pass.widths.obs;
                columns.state = pass.states(pass.widths.state)?;
                reading.facts.state_kind = StateKind::PerAgent;
            }
            (Rows::Memory(columns), found)
        }
        Storage::Disk { folder } => {
            let (scratch, found) = pass.on_disk(folder)?;
            (Rows::Disk { scratch: Arc::new(scratch), state: None }, found)
        }
    };
    let widths = pass.widths;
    let about = reading.understand(&mut scalars, widths, found)?;
    if let Some(columns) = rows.in_memory().filter(|_| about.widths.alive == 0) {
        columns.alive = Vec::new();
    }
    scalars.episodes.apply(options.rewards, &mut scalars.rewards);
    let identity = Arc::new(Identity::of(path, source.data()));
    let Scalars { episodes, rewards, transitions } = scalars;
    let (stops, learned_from) = (episodes.stops(options.timeouts), episodes.list);
    Ok(Dataset { about, identity, rows, rewards, stops, transitions, learned_from, held_out: Vec::new() })
}

/// The card of a file, whose rows are not kept.
pub(crate) fn card(path: &Path, options: &LoadOptions) -> Result<Card> {
    let (source, header) = open(path, None)?;
    let identity = Identity::of(path, source.data());
    let mut reading = Reading::start(path, &source, options, header)?;
    let mut scalars = reading.scalars()?;
    let pass = reading.pass(&scalars.transitions, false)?;
    let (steps, width, dim) = (&scalars.transitions, reading.n * reading.dim, reading.dim);
    let each = |first: usize, values: &[f32], see: &mut dyn FnMut(&[f32])| {
        let from = steps.partition_point(|step| (*step as usize) < first);
        let to = steps.partition_point(|step| (*step as usize) < first + values.len() / width);
        let rows = steps[from..to].iter().map(|row| &values[(*row as usize - first) * width..][..width]);
        rows.for_each(|row| row.chunks_exact(dim).for_each(&mut *see));
    };
    let mut sums = Sums::new(dim);
    let found = pass.past(|row, block| each(row, block.obs, &mut |x| sums.see(x)))?;
    let mut squares = sums.squares();
    pass.obs_again(|row, values| each(row, values, &mut |x| squares.see(x)))?;
    let widths = pass.widths;
    let about = reading.understand(&mut scalars, widths, found)?;
    Ok(Card::of(&about, identity.sha256()?, &squares.fields()))
}

/// Header and shapes.
pub(crate) fn outline(path: &Path) -> Result<Outline> {
    let (source, header) = open(path, None)?;
    let discrete = source.describe("a")?.kind == Kind::Integer;
    let (task, named_by) = match header {
        Some(header) => (header.task.name, TaskName::Header),
        None => (plain_name(path), TaskName::FileName),
    };
    Ok(Outline { task, named_by, discrete })
}

/// The file, and its header or the one to believe instead.
fn open(path: &Path, header: Option<Header>) -> Result<(Source, Option<Header>)> {
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
    Ok((source, header))
}

/// What there is one of in each row.
struct Scalars {
    episodes: Episodes,
    rewards: Vec<f32>,
    /// Rows that are steps.
    transitions: Vec<u32>,
}

/// A file being read, its keys smallest first: damage is found before the large ones are decoded.
struct Reading<'a> {
    path: &'a Path,
    source: &'a Source,
    options: &'a LoadOptions,
    header: Option<Header>,
    rows: usize,
    n: usize,
    dim: usize,
    /// Commands or choices, where the file or its header says.
    action_dim: Option<usize>,
    facts: Facts,
}

impl<'a> Reading<'a> {
    fn start(path: &'a Path, source: &'a Source, options: &'a LoadOptions, header: Option<Header>) -> Result<Self> {
        let shape = source.describe("o")?.shape;
        let [rows, n, dim] = shape[..] else {
            return Err(source.shape_error("o", "[rows, agents, width]".into(), &shape));
        };
        let fields_fit = (1..=MAX_AGENTS).contains(&n) && (1..=MAX_FIELDS / n).contains(&dim);
        if rows == 0 || rows > u32::MAX as usize || !fields_fit {
            let expected = format!("1 to 2^32 - 1 rows, 1 to {MAX_AGENTS} agents, at most {MAX_FIELDS} fields a row");
            return Err(source.shape_error("o", expected, &shape));
        }
        Ok(Self { path, source, options, header, rows, n, dim, action_dim: None, facts: Facts::new(rows) })
    }

    fn scalars(&mut self) -> Result<Scalars> {
        let episodes = self.episodes()?;
        let transitions: Vec<u32> = episodes.steps().map(|row| row as u32).collect();
        let rewards = self.rewards(&transitions)?;
        Ok(Scalars { episodes, rewards, transitions })
    }

    fn repaired(&mut self, what: String, count: u64) {
        if count > 0 {
            self.facts.repaired.push(Repair { what, count });
        }
    }

    /// Remember the element type of `key`, and check that it has one value a row.
    fn per_row(&mut self, key: &str) -> Result<()> {
        let Description { shape, dtype, .. } = self.source.describe(key)?;
        if shape != [self.rows] && shape != [self.rows, 1] {
            return Err(self.source.shape_error(key, format!("[{}] or [{0}, 1]", self.rows), &shape));
        }
        self.facts.dtypes.insert(key.to_owned(), dtype);
        Ok(())
    }

    fn flags(&mut self, key: &str) -> Result<Vec<u8>> {
        self.per_row(key)?;
        let (mut stream, mut flags) = (Flags::open(self.source, key, 0..self.rows)?, vec![0; self.rows]);
        for (i, piece) in flags.chunks_mut(PIECE).enumerate() {
            stream.fill(i * PIECE, piece)?;
        }
        Ok(flags)
    }

    fn episodes(&mut self) -> Result<Episodes> {
        let ends = self.flags("d")?;
        let timeout = match self.source.has("timeout") {
            true => Some(self.flags("timeout")?),
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
        self.per_row("r")?;
        let mut rewards = vec![0.0; self.rows];
        Stream::floats(self.source, "r", 0..self.rows)?.fill(&mut rewards)?;
        match steps.iter().find(|row| !rewards[**row as usize].is_finite()) {
            Some(row) => Err(self.not_finite("r", *row as usize, None)),
            None => Ok(rewards),
        }
    }

    /// What the wide columns are; shapes are checked. Whether `s` is `o` may be left to the pass, if that is cheaper.
    fn pass<'b>(&mut self, steps: &'b [u32], may_leave: bool) -> Result<Pass<'b>>
    where
        'a: 'b,
    {
        let discrete = self.actions()?;
        if let Some(header) = &self.header {
            self.expect("number of agents", header.task.n_agents(), self.n)?;
            self.expect("width of the stored observations", header.stored_obs_dim(), self.dim)?;
        }
        let (state, agent_state, twin) = self.state(may_leave)?;
        let (rows, n_agents) = (self.rows, self.n);
        let has_alive = self.source.has("alive");
        let has_mask = discrete && self.source.has("avail");
        let choices = self.action_dim.filter(|_| discrete).unwrap_or(MAX_CHOICES);
        let widths = Widths {
            obs: self.n * self.dim,
            state,
            actions: if discrete { 0 } else { self.n * self.action_dim.unwrap_or(0) },
            indices: if discrete { self.n } else { 0 },
            action_mask: if has_mask { self.n * choices } else { 0 },
            alive: if has_alive { self.n } else { 0 },
        };
        let declared = self.header.as_ref().map(|h| h.stored_obs);
        let raw = self.header.as_ref().filter(|h| h.stored_obs == StoredObs::Raw).map(|h| h.task.obs_dims());
        let own = raw.filter(|own| own.iter().any(|width| *width != self.dim)).unwrap_or_default();
        let (source, actions) = (self.source, self.options.actions);
        let alive = has_alive;
        Ok(Pass { source, rows, n_agents, widths, agent_state, steps, actions, choices, alive, declared, own, twin })
    }

    /// Shapes of `a`, `avail` and `alive`. Are actions discrete?
    fn actions(&mut self) -> Result<bool> {
        let (rows, n, source) = (self.rows, self.n, self.source);
        let describe = |key| source.has(key).then(|| source.describe(key)).transpose();
        let (avail, alive, a) = (describe("avail")?, describe("alive")?, source.describe("a")?);
        if let Some(alive) = alive.as_ref().filter(|c| c.shape != [rows, n] && c.shape != [rows, n, 1]) {
            return Err(source.shape_error("alive", format!("[{rows}, {n}]"), &alive.shape));
        }
        let choices = self.header.as_ref().map(|h| &h.task).filter(|t| t.is_discrete()).map(TaskSpec::action_dim);
        let width = avail.as_ref().map(|c| (c.shape.get(2).copied().unwrap_or(0), &c.shape));
        if let Some((width, shape)) = width {
            let expected = choices.unwrap_or(width).clamp(1, MAX_CHOICES);
            if *shape != [rows, n, expected] {
                let expected = choices.map_or("choices".into(), |c| c.to_string());
                return Err(source.shape_error("avail", format!("[{rows}, {n}, {expected}]"), shape));
            }
        }
        let discrete = a.kind == Kind::Integer;
        self.action_dim = match (discrete, &a.shape[..]) {
            (false, [r, m, dim]) if (*r, *m) == (rows, n) && (1..=MAX_CHOICES).contains(dim) => Some(*dim),
            (true, shape) if *shape == [rows, n, 1] || *shape == [rows, n] => choices.or(width.map(|w| w.0)),
            // A wrong type is told before a wrong shape.
            (false, _) if a.kind != Kind::Float => return Err(source.element_type("a", "f32 or f64", a.dtype)),
            (false, shape) => return Err(source.shape_error("a", format!("[{rows}, {n}, commands]"), shape)),
            (true, shape) => return Err(source.shape_error("a", format!("[{rows}, {n}, 1] of indices"), shape)),
        };
        for (key, column) in [("a", Some(&a)), ("avail", avail.as_ref()), ("alive", alive.as_ref())] {
            column.map(|c| self.facts.dtypes.insert(key.into(), c.dtype.clone()));
        }
        Ok(discrete)
    }

    /// Widths of the global state that is no observation, of the whole team (0 if it is the observations) and of an agent;
    /// and whether it is left to the pass to find out.
    fn state(&mut self, may_leave: bool) -> Result<(usize, Option<usize>, bool)> {
        let Description { shape, dtype, chunk_rows, .. } = self.source.describe("s")?;
        let (kind, width) = match shape[..] {
            [rows, n, s] if rows == self.rows && n == self.n && s > 0 => (StateKind::PerAgent, n * s),
            [rows, s] if rows == self.rows && s > 0 => (StateKind::Global, s),
            _ => {
                let expected = format!("[{}, {}, width] or [{0}, width]", self.rows, self.n);
                return Err(self.source.shape_error("s", expected, &shape));
            }
        };
        let o = self.source.describe("o")?;
        let may_share = kind == StateKind::PerAgent && width == self.n * self.dim;
        let agent_state = (kind == StateKind::PerAgent).then_some(width / self.n);
        // What is stored in chunks may be equal without being decoded.
        let twin = may_share && may_leave && o.chunk_rows.is_none() && chunk_rows.is_none();
        self.facts.dtypes.extend([("s".to_owned(), dtype), ("o".to_owned(), o.dtype)]);
        let keys = ["o", "s"];
        let shared = twin
            || may_share && (self.source.same_bytes("o", "s")? || same_values(self.source, keys, self.rows, width)?);
        self.facts.state_kind = if shared { StateKind::Shared } else { kind };
        Ok((if shared { 0 } else { width }, agent_state, twin))
    }

    /// All that is known after the rows were seen.
    fn understand(mut self, scalars: &mut Scalars, mut widths: Widths, found: Found) -> Result<About> {
        let discrete = widths.indices > 0;
        let what = match self.options.actions {
            Actions::Clamp => "action values outside [-1, 1], clamped",
            Actions::Raw => "action values outside [-1, 1], kept",
        };
        self.repaired(what.into(), found.commands.outside);
        self.facts.at_bounds = (!discrete).then(|| found.commands.at_bounds as f64 / found.commands.all.max(1) as f64);
        let ignored = u64::from(!discrete && self.source.has("avail"));
        self.repaired("`avail` ignored: actions are continuous".into(), ignored);
        // A column in which nobody is ever dead says nothing.
        widths.alive = if found.dead { widths.alive } else { 0 };
        let action_dim = self.action_dim.unwrap_or(found.most as usize + 1);
        let declared = self.header.as_ref().map(|h| h.stored_obs);
        self.facts.origin = if declared.is_some() { Origin::Declared } else { Origin::Detected };
        if let (Some(StoredObs::Standardised { with_id: true }), Some((row, agent))) = (declared, found.scan.no_id) {
            return Err(Error::NoId { path: self.path.to_owned(), row, agent });
        }
        let stored_obs = declared.unwrap_or_else(|| found.scan.stored());
        let task = match self.header.take() {
            Some(header) => self.fits(header, discrete, action_dim)?,
            None => self.anonymous_task(stored_obs, discrete, action_dim),
        };
        task.validate()?;
        let episodes = &scalars.episodes;
        self.facts.returns = episodes.returns(&scalars.rewards);
        self.facts.lengths = episodes.list.iter().map(|e| e.steps() as f64).collect();
        self.facts.timeouts = episodes.list.iter().filter(|e| e.truncated).count() as u64;
        Ok(About {
            path: self.path.to_owned(),
            task,
            stored_obs,
            obs: Obs::new(self.n, self.dim, stored_obs),
            widths,
            action_dim,
            transitions: scalars.transitions.len(),
            facts: self.facts,
        })
    }

    /// The task of a file without header: named after the file, nothing known but sizes.
    fn anonymous_task(&self, stored: StoredObs, discrete: bool, action_dim: usize) -> TaskSpec {
        let raw_dim = match stored {
            StoredObs::Standardised { with_id: true } => self.dim - self.n,
            _ => self.dim,
        };
        let space = if discrete { ActionSpace::choices(action_dim) } else { ActionSpace::unit_box(action_dim) };
        TaskSpec::anonymous(&plain_name(self.path), self.n, raw_dim, space)
    }

    /// The header's task, if the actions fit it.
    fn fits(&self, header: Header, discrete: bool, action_dim: usize) -> Result<TaskSpec> {
        let kind = |discrete| if discrete { "discrete (integers)" } else { "continuous (floats)" };
        self.expect("kind of actions", kind(header.task.is_discrete()), kind(discrete))?;
        self.expect("width of the actions", header.task.action_dim(), action_dim)?;
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
}
