//! A path to a checked [`Dataset`], or to its [`Card`](crate::Card): the one place that knows reader, checks and store.

pub(crate) mod convert;
mod pass;
mod recorded;
pub(crate) mod sample;

use std::path::Path;
use std::sync::Arc;

use omiga_format::{ActionSpace, Metric, TaskSpec};

use crate::about::{About, Facts, Origin, StateKind};
use crate::check::episodes::Episodes;
use crate::check::ranges::Ranges;
use crate::check::{Check, Found};
use crate::dataset::{Dataset, Outline, TaskName};
use crate::header::{Header, StoredObs};
use crate::identity::Identity;
use crate::limits::MAX_CHOICES;
use crate::metric_card::MetricCard;
use crate::options::{Actions, LoadOptions, Storage};
use crate::reader::format::Format;
use crate::reader::window::Widths;
use crate::reader::{ActionLayout, Layout, Recording, Scalars, State};
use crate::repair::Repair;
use crate::store::obs::Obs;
use crate::store::pages::Pages;
use crate::store::rows::Rows;
use crate::{Error, Result};
use pass::{Pass, same_values};

impl Dataset {
    /// Read a dataset of any [`Format`] into memory. What it holds is taken from its header, or detected if it has none.
    ///
    /// # Errors
    /// See [`Error`]: whatever is missing, damaged, of the wrong shape or type, not finite, or impossible.
    pub fn load(path: &Path, options: &LoadOptions) -> Result<Self> {
        Self::load_to(path, None, options, &Storage::Memory)
    }

    /// As [`Self::load`], but `header`, if given, is believed instead of the file's own.
    ///
    /// # Errors
    /// As [`Self::load`], and [`Error::Task`] when the file does not fit `header`.
    pub fn load_as(path: &Path, header: Option<Header>, options: &LoadOptions) -> Result<Self> {
        Self::load_to(path, header, options, &Storage::Memory)
    }

    /// As [`Self::load_as`], with the rows kept where `storage` says.
    ///
    /// # Errors
    /// As [`Self::load_as`], [`Error::Memory`] and [`Error::Scratch`].
    pub fn load_to(path: &Path, header: Option<Header>, options: &LoadOptions, storage: &Storage) -> Result<Self> {
        let (format, recording) = open(path, options)?;
        Self::of(path, (format, &*recording), header, options, storage)
    }

    /// All of a recording.
    fn of(
        path: &Path,
        (format, recording): (Format, &dyn Recording),
        header: Option<Header>,
        options: &LoadOptions,
        storage: &Storage,
    ) -> Result<Self> {
        let mut reading = Reading::start(recording, format, options, header)?;
        let mut scalars = reading.scalars()?;
        // The rows of a scratch file have their state in them or not: whether they do is decided before.
        let mut pass = reading.pass(&scalars.transitions, *storage == Storage::Memory)?;
        let (mut rows, found) = match storage {
            Storage::Memory => {
                let (mut columns, found) = pass.in_memory()?;
                if found.differs {
                    pass.check.widths.state = pass.check.widths.obs;
                    columns.state = pass.states(pass.check.widths.state)?;
                    reading.facts.state_kind = StateKind::PerAgent;
                }
                (Rows::Memory(columns), found)
            }
            Storage::Disk { folder } => {
                let (scratch, found) = pass.on_disk(folder)?;
                (Rows::Disk { scratch: Arc::new(scratch), state: None }, found)
            }
        };
        let about = reading.understand(&scalars, &pass.check, found)?;
        if let Some(columns) = rows.in_memory().filter(|_| about.widths.alive == 0) {
            columns.alive = Pages::default();
        }
        scalars.episodes.apply(options.rewards, &mut scalars.rewards);
        let identity = Arc::new(Identity::of(path, recording.files()));
        let Steps { episodes, rewards, transitions } = scalars;
        let (stops, learned_from) = (episodes.stops(options.timeouts), episodes.list);
        Ok(Self { about, identity, rows, rewards, stops, transitions, learned_from, held_out: Vec::new() })
    }

    /// Look at a dataset's header and shapes, not at its rows.
    ///
    /// # Errors
    /// As far as those go, as [`Self::load`].
    pub fn outline(path: &Path, options: &LoadOptions) -> Result<Outline> {
        let (format, recording) = open(path, options)?;
        Ok(outline(path, format, recording.layout()))
    }

    /// As [`Self::outline`], and what [`Self::sha256`] is of the dataset: opened once, as some formats read all their text then.
    ///
    /// # Errors
    /// As [`Self::outline`], and [`omiga_format::Error::Io`].
    pub fn outline_and_sha256(path: &Path, options: &LoadOptions) -> Result<(Outline, String)> {
        let (format, recording) = open(path, options)?;
        let sha256 = Identity::of(path, recording.files()).sha256()?.to_owned();
        Ok((outline(path, format, recording.layout()), sha256))
    }
}

/// What is known of a recording at `path` that was opened.
fn outline(path: &Path, format: Format, layout: &Layout) -> Outline {
    let discrete = matches!(layout.actions, ActionLayout::Choices(_));
    let (task, named_by) = match &layout.header {
        Some(header) => (header.task.name.clone(), TaskName::Header),
        None => (plain_name(path), TaskName::FileName),
    };
    Outline { task, named_by, discrete, format }
}

/// What lies at `path`, opened as the format it is or is said to be.
fn open(path: &Path, options: &LoadOptions) -> Result<(Format, Box<dyn Recording>)> {
    let format = match options.format {
        Some(format) => format,
        None => Format::of(path)?,
    };
    Ok((format, format.open(path, &options.decisions())?))
}

/// What there is one of in each row, understood.
struct Steps {
    episodes: Episodes,
    rewards: Vec<f32>,
    /// Rows that are steps.
    transitions: Vec<u32>,
}

/// A recording being read, its columns smallest first: damage is found before the large ones are decoded.
struct Reading<'a> {
    recording: &'a dyn Recording,
    layout: &'a Layout,
    options: &'a LoadOptions,
    format: Format,
    header: Option<Header>,
    facts: Facts,
}

impl<'a> Reading<'a> {
    fn start(
        recording: &'a dyn Recording,
        format: Format,
        options: &'a LoadOptions,
        header: Option<Header>,
    ) -> Result<Self> {
        let layout = recording.layout();
        if let Some(header) = &header {
            header.validate()?;
        }
        let header = header.or_else(|| layout.header.clone());
        let mut facts = Facts::new(layout.rows);
        facts.dtypes.clone_from(&layout.dtypes);
        facts.repaired.clone_from(&layout.notes);
        Ok(Self { recording, layout, options, format, header, facts })
    }

    fn scalars(&mut self) -> Result<Steps> {
        let Scalars { rewards, spans } = self.recording.scalars()?;
        let limit = self.options.time_limit;
        let episodes = Episodes::of(self.layout.path(), spans, self.layout.rows, limit)?;
        self.ends(&episodes);
        let transitions: Vec<u32> = episodes.steps().map(|row| row as u32).collect();
        match transitions.iter().find(|row| !rewards[**row as usize].is_finite()) {
            Some(row) => Err(self.layout.not_finite(self.layout.names.rewards, *row as usize, None)),
            None => Ok(Steps { episodes, rewards, transitions }),
        }
    }

    /// Say how ends were understood.
    fn ends(&mut self, episodes: &Episodes) {
        let Episodes { unsaid, unsaid_timeouts: timeouts, empty, .. } = *episodes;
        let said = "if the clock ended them, say after how many steps: `data.time_limit`";
        match self.options.time_limit {
            Some(_) if unsaid == 0 && !self.layout.is_cut_by_limit => {
                self.tell(Repair::plain(1, "`time_limit` ignored: the file says how episodes end"));
            }
            Some(_) if unsaid == 0 => {}
            None => self.tell(Repair::new(unsaid, "ends without `timeout`, counted as terminations", said)),
            Some(limit) => {
                let longer = episodes.list.iter().filter(|e| e.steps() > limit as usize).count() as u64;
                let of_clock = format!("ends without `timeout` after {limit} steps, counted as time-outs");
                self.tell(Repair::plain(timeouts, of_clock));
                self.tell(Repair::plain(unsaid - timeouts, "other ends without `timeout`, counted as terminations"));
                let right = format!("episodes longer than the time limit of {limit}: is it right?");
                self.tell(Repair::new(longer, right, "correct `data.time_limit`"));
            }
        }
        let recorder = "look at the recorder";
        self.tell(Repair::new(empty, "last states without a step before them, skipped", recorder));
        let what = match episodes.cut.len() {
            0 | 1 => "rows of a last episode without end, kept as steps but not as an episode",
            _ => "rows of episodes without end, kept as steps but not as episodes",
        };
        self.tell(Repair::plain(episodes.cut_rows() as u64, what));
    }

    fn tell(&mut self, repair: Repair) {
        if repair.count > 0 {
            self.facts.repaired.push(repair);
        }
    }

    /// What the wide columns are. Whether the state is the observations may be left to the pass, if that is cheaper.
    fn pass<'b>(&mut self, steps: &'b [u32], may_leave: bool) -> Result<Pass<'b>>
    where
        'a: 'b,
    {
        let layout = self.layout;
        let n = layout.n_agents;
        let (commands, choices) = match layout.actions {
            ActionLayout::Commands(dim) => (dim, None),
            ActionLayout::Choices(choices) => (0, Some(choices)),
        };
        if let Some(header) = &self.header {
            self.expect("number of agents", header.task.n_agents(), n)?;
            self.expect("width of the stored observations", header.stored_obs_dim(), layout.obs_dim)?;
        }
        let of_header = self.header.as_ref().map(|h| &h.task).filter(|t| t.is_discrete()).map(TaskSpec::action_dim);
        let choices_known = choices.map(|choices| choices.or(of_header).unwrap_or(MAX_CHOICES));
        let (shared, twin) = self.shares_state(may_leave)?;
        let widths = Widths {
            obs: n * layout.obs_dim,
            state: if shared { 0 } else { layout.state_width() },
            actions: n * commands,
            indices: if choices.is_some() { n } else { 0 },
            action_mask: if layout.has_mask { n * choices_known.unwrap_or(0) } else { 0 },
            alive: if layout.has_alive { n } else { 0 },
        };
        let declared = self.declared();
        let raw = self.header.as_ref().filter(|h| h.stored_obs == StoredObs::Raw).map(|h| &h.task);
        let own = raw.map(TaskSpec::obs_dims).filter(|own| own.iter().any(|width| *width != layout.obs_dim));
        let check = Check {
            layout,
            widths,
            steps,
            actions: self.options.actions,
            choices: choices_known.unwrap_or(MAX_CHOICES),
            declared,
            own: own.unwrap_or_default(),
            ranges: raw.and_then(|task| Ranges::of(task, layout.obs_dim)),
        };
        Ok(Pass { recording: self.recording, check, twin })
    }

    /// What the observations are known to be.
    fn declared(&self) -> Option<StoredObs> {
        // Narrower observations that a reader fills up are nothing that was standardised.
        let raw = (!self.layout.own_obs_dims.is_empty()).then_some(StoredObs::Raw);
        self.header.as_ref().map(|h| h.stored_obs).or(raw)
    }

    /// Is the state the observations, and is it left to the pass to find out?
    fn shares_state(&mut self, may_leave: bool) -> Result<(bool, bool)> {
        let known = self.recording.shares_state(may_leave)?;
        let (shared, twin) = match (self.layout.state, known) {
            (State::None, _) | (_, Some(true)) => (true, false),
            (_, Some(false)) => (false, false),
            (_, None) if may_leave => (true, true),
            (_, None) => (same_values(self.recording)?, false),
        };
        self.facts.state_kind = match self.layout.state {
            _ if shared => StateKind::Shared,
            State::Global(_) => StateKind::Global,
            State::PerAgent(_) | State::None => StateKind::PerAgent,
        };
        Ok((shared, twin))
    }

    /// All that is known after the rows were seen.
    fn understand(mut self, steps: &Steps, check: &Check, found: Found) -> Result<About> {
        let mut widths = check.widths;
        check.refuse(&found, self.layout.path(), || self.conversion())?;
        self.seen(&found, check);
        // A column in which nobody is ever dead says nothing.
        widths.alive = if found.dead { widths.alive } else { 0 };
        let action_dim = self.action_dim(&found);
        let declared = self.declared();
        self.facts.origin = if declared.is_some() { Origin::Declared } else { Origin::Detected };
        if let (Some(StoredObs::Standardised { with_id: true }), Some((row, agent))) = (declared, found.scan.no_id) {
            return Err(Error::NoId { path: self.layout.path.clone(), row, agent });
        }
        let stored_obs = declared.unwrap_or_else(|| found.scan.stored());
        let discrete = widths.indices > 0;
        self.facts.metrics = self.metrics(steps.episodes.list.len())?;
        let task = match self.header.take() {
            Some(header) => self.fits(header, discrete, action_dim)?,
            None => self.anonymous_task(stored_obs, discrete, action_dim),
        };
        task.validate()?;
        let episodes = &steps.episodes;
        self.facts.returns = episodes.returns(&steps.rewards);
        self.facts.lengths = episodes.list.iter().map(|e| e.steps() as f64).collect();
        self.facts.timeouts = episodes.list.iter().filter(|e| e.truncated).count() as u64;
        Ok(About {
            path: self.layout.path.clone(),
            format: self.format,
            task,
            stored_obs,
            obs: Obs::new(self.layout.n_agents, self.layout.obs_dim, stored_obs),
            widths,
            action_dim,
            transitions: steps.transitions.len(),
            facts: self.facts,
        })
    }

    /// What each of so many complete episodes had of the header's metrics.
    fn metrics(&self, episodes: usize) -> Result<Vec<MetricCard>> {
        let metrics = self.header.as_ref().map_or(&[][..], |header| &header.metrics);
        if metrics.is_empty() {
            return Ok(Vec::new());
        }
        let Some(values) = self.recording.metrics(episodes, metrics.len())? else { return Ok(Vec::new()) };
        let of = |(i, metric): (usize, &Metric)| {
            let own = values.iter().skip(i).step_by(metrics.len()).map(|value| f64::from(*value));
            MetricCard::of(metric, own.collect())
        };
        Ok(metrics.iter().enumerate().map(of).collect())
    }

    /// Say what was odd about the values.
    fn seen(&mut self, found: &Found, check: &Check) {
        let commands = found.commands;
        let what = match self.options.actions {
            Actions::ClampNear | Actions::Clamp => "action values outside [-1, 1], clamped",
            Actions::Raw => "action values outside [-1, 1], kept",
        };
        self.tell(Repair::new(commands.outside, what, "store actions in [-1, 1]"));
        let continuous = check.widths.actions > 0;
        self.facts.at_bounds = continuous.then(|| commands.at_bounds as f64 / commands.all.max(1) as f64);
        if self.layout.ignored_mask.is_some() {
            let what = format!("`{}` ignored: actions are continuous", self.layout.names.mask);
            self.tell(Repair::new(1, what, "store choices as integers if actions are choices"));
        }
        let outside = self.header.as_ref().and_then(|h| found.outside.repair(&h.task, &check.widths));
        outside.into_iter().for_each(|repair| self.tell(repair));
        let lost = found.digits.as_ref().map(|digits| digits.lost()).unwrap_or_default();
        if !lost.is_empty() {
            let (key, shown) = (self.layout.names.obs, lost.iter().take(8).map(usize::to_string).collect::<Vec<_>>());
            let more = if lost.len() > shown.len() { ", .." } else { "" };
            let what = format!("fields of `{key}` that lose their digits as f32: {}{more}", shown.join(", "));
            self.tell(Repair::new(lost.len() as u64, what, "subtract an offset before they are recorded"));
        }
    }

    /// Commands or choices of an agent.
    fn action_dim(&self, found: &Found) -> usize {
        let of_header = self.header.as_ref().map(|h| &h.task).filter(|t| t.is_discrete()).map(TaskSpec::action_dim);
        match self.layout.actions {
            ActionLayout::Commands(dim) => dim,
            ActionLayout::Choices(choices) => choices.or(of_header).unwrap_or(found.most as usize + 1),
        }
    }

    /// How physical actions become stored ones.
    fn conversion(&self) -> String {
        let task = self.header.as_ref().map(|h| &h.task);
        let range = task.and_then(|task| match &task.agents.first()?.action {
            ActionSpace::Continuous(fields) => fields.first().map(|field| field.range),
            ActionSpace::Discrete(_) => None,
        });
        match range {
            Some(r) => format!(
                "are they physical? with the header's range [{}, {}] store 2 * (a - {0}) / ({1} - {0}) - 1",
                r.low, r.high
            ),
            None => "are they physical? with their range [low, high] store 2 * (a - low) / (high - low) - 1".into(),
        }
    }

    /// The task of a recording without header: named after it, nothing known but sizes.
    fn anonymous_task(&self, stored: StoredObs, discrete: bool, action_dim: usize) -> TaskSpec {
        let Layout { n_agents, obs_dim, .. } = *self.layout;
        let raw_dim = match stored {
            StoredObs::Standardised { with_id: true } => obs_dim - n_agents,
            _ => obs_dim,
        };
        let space = if discrete { ActionSpace::choices(action_dim) } else { ActionSpace::unit_box(action_dim) };
        let mut task = TaskSpec::anonymous(&plain_name(self.layout.path()), n_agents, raw_dim, space);
        task.agents.iter_mut().zip(&self.layout.agents).for_each(|(agent, name)| agent.name.clone_from(name));
        for (agent, ranges) in task.agents.iter_mut().zip(&self.layout.action_ranges) {
            if let ActionSpace::Continuous(fields) = &mut agent.action {
                fields.iter_mut().zip(ranges).for_each(|(field, range)| field.range = *range);
            }
        }
        task.agents.iter_mut().zip(&self.layout.own_obs_dims).for_each(|(agent, width)| agent.obs.truncate(*width));
        task
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
        Err(Error::Task { path: self.layout.path.clone(), what, expected, found })
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
