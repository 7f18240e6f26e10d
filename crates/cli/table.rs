//! Episodes as a CSV with its map: what `omiga import` makes the same steps of.

use std::fmt::{Display, Write as _};
use std::io::Write as _;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use omiga_format::atomic::{self, Pending};
use omiga_format::{AgentSpec, TaskSpec};

/// A table that grows row after row, in the wide form. It is there once it is whole.
pub struct TableWriter {
    task: TaskSpec,
    state: usize,
    pending: Pending,
    path: PathBuf,
    /// Rows that are not written yet.
    rows: String,
    episode: u64,
    step: u64,
}

/// What a row says.
pub struct TableRow<'a> {
    /// Raw [N * O].
    pub obs: &'a [f32],
    pub state: &'a [f32],
    /// Physical [N * A] and the reward; `None` in the row of an episode's last state.
    pub done: Option<(&'a [f32], f32)>,
    pub terminated: bool,
    pub truncated: bool,
}

/// Where the map of a table is: beside it.
pub fn map_of(table: &Path) -> PathBuf {
    table.with_extension("toml")
}

impl TableWriter {
    /// A table of a task whose actions are continuous, with `state` numbers of a state that is not the observations.
    pub fn create(path: &Path, task: &TaskSpec, state: usize) -> Result<Self> {
        ensure!(
            !task.is_discrete(),
            "`{}` has choices with masks, which a table does not hold; name an .hdf5",
            task.name
        );
        let pending = Pending::create(path)?;
        let (task, path) = (task.clone(), path.to_owned());
        let mut table = Self { task, state, pending, path, rows: String::new(), episode: 0, step: 0 };
        let mut names = vec!["episode".to_owned(), "time_s".to_owned()];
        for agent in &table.task.agents {
            names.extend(agent.obs.iter().map(|field| obs_column(&agent.name, &field.name)));
            names.extend(agent.action.fields().iter().map(|field| command_column(&agent.name, &field.name)));
        }
        names.extend((0..state).map(|k| format!("state.{k}")));
        names.extend(["reward", "terminated", "truncated"].map(str::to_owned));
        table.row(names.iter().map(|name| cell(name)));
        Ok(table)
    }

    /// Add a row; one without a command ends the episode.
    pub fn push(&mut self, row: &TableRow<'_>) -> Result<()> {
        let (width, commands) = (self.task.obs_dim(), self.task.action_dim());
        let seconds = self.task.period_ns.map_or(1.0, |ns| ns as f64 / 1e9) * self.step as f64;
        let mut cells = vec![self.episode.to_string(), seconds.to_string()];
        for (number, agent) in self.task.agents.iter().enumerate() {
            cells.extend(row.obs[number * width..][..agent.obs.len()].iter().map(f32::to_string));
            let done =
                |k: usize| row.done.map_or_else(String::new, |(actions, _)| actions[number * commands + k].to_string());
            cells.extend((0..commands).map(done));
        }
        cells.extend(row.state.iter().map(f32::to_string));
        cells.push(row.done.map_or_else(String::new, |(_, reward)| reward.to_string()));
        cells.extend([row.terminated, row.truncated].map(|flag| u8::from(flag).to_string()));
        self.row(cells.into_iter());
        self.step += 1;
        if row.done.is_none() {
            (self.episode, self.step) = (self.episode + 1, 0);
            self.flush()?;
        }
        Ok(())
    }

    /// Give the table and its map their names.
    pub fn finish(mut self) -> Result<()> {
        self.flush()?;
        let map = map_of(&self.path);
        atomic::write(&map, self.map()?.as_bytes())?;
        Ok(self.pending.commit()?)
    }

    fn row(&mut self, cells: impl Iterator<Item = impl Display>) {
        for (i, cell) in cells.enumerate() {
            // Writing to a text cannot fail.
            let _ = write!(self.rows, "{}{cell}", if i == 0 { "" } else { "," });
        }
        self.rows.push('\n');
    }

    fn flush(&mut self) -> Result<()> {
        self.pending
            .file()
            .write_all(self.rows.as_bytes())
            .with_context(|| format!("cannot write `{}`", self.path.display()))?;
        self.rows.clear();
        Ok(())
    }

    /// The map: what the task says of each column.
    fn map(&self) -> Result<String> {
        let mut map = format!("[task]\nname = {}\n", text(&self.task.name));
        if let Some(limit) = self.task.episode_limit {
            writeln!(map, "episode_limit = {limit}")?;
        }
        if let Some(period) = self.task.period_ns {
            let units = [(1_000_000_000, "s"), (1_000_000, "ms"), (1, "ns")];
            if let Some((unit, name)) = units.into_iter().find(|(unit, _)| period % unit == 0) {
                writeln!(map, "period = \"{} {name}\"", period / unit)?;
            }
        }
        let names: Vec<_> = self.task.agents.iter().map(|agent| text(&agent.name)).collect();
        writeln!(map, "agents = [{}]\n\n[time]\ncolumn = \"time_s\"\ngap = \"off\"", names.join(", "))?;
        writeln!(map, "\n[episode]\ncolumn = \"episode\"\nterminated = \"terminated\"\ntruncated = \"truncated\"")?;
        let first = &self.task.agents[0];
        match self.task.agents.iter().all(|agent| (&agent.obs, &agent.action) == (&first.obs, &first.action)) {
            true => entries(&mut map, first, "*", None)?,
            false => self
                .task
                .agents
                .iter()
                .try_for_each(|agent| entries(&mut map, agent, &agent.name, Some(&agent.name)))?,
        }
        (0..self.state).try_for_each(|k| writeln!(map, "\n[[state]]\ncolumn = \"state.{k}\""))?;
        writeln!(map, "\n[reward]\ncolumn = \"reward\"")?;
        Ok(map)
    }
}

/// The entries of an agent's fields, or of everybody's.
fn entries(map: &mut String, agent: &AgentSpec, columns: &str, only: Option<&str>) -> std::fmt::Result {
    let only = only.map_or_else(String::new, |name| format!("agents = [{}]\n", text(name)));
    for field in &agent.obs {
        let (name, unit) = (text(&field.name), text(&field.unit));
        let column = text(&obs_column(columns, &field.name));
        write!(map, "\n[[obs]]\nname = {name}\ncolumn = {column}\nunit = {unit}\n{only}")?;
        if let Some(range) = field.range {
            writeln!(map, "range = [{:?}, {:?}]", range.low, range.high)?;
        }
    }
    for field in agent.action.fields() {
        let (name, unit) = (text(&field.name), text(&field.unit));
        let column = text(&command_column(columns, &field.name));
        write!(map, "\n[[action]]\nname = {name}\ncolumn = {column}\nunit = {unit}\n{only}")?;
        writeln!(map, "range = [{:?}, {:?}]", field.range.low, field.range.high)?;
    }
    Ok(())
}

fn obs_column(agent: &str, field: &str) -> String {
    format!("{agent}.{field}")
}

/// A command may be named as something that is observed.
fn command_column(agent: &str, field: &str) -> String {
    format!("{agent}.command.{field}")
}

/// A text as TOML has it.
fn text(text: &str) -> String {
    toml::Value::String(text.to_owned()).to_string()
}

/// A text as a cell.
fn cell(text: &str) -> String {
    if text.contains([',', '"']) { format!("\"{}\"", text.replace('"', "\"\"")) } else { text.to_owned() }
}
