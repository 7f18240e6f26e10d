//! Minari's `main_data.hdf5`: a group an episode, with T + 1 observations and T of everything else.

use std::path::{Path, PathBuf};

use super::spaces::{Action, Metadata, Parts, Team};
use crate::Result;
use crate::reader::by_episode::{ByEpisode, EpisodeFile, EpisodeRows, Episodes};
use crate::reader::hdf5::Source;
use crate::reader::hdf5::stream::{Flags, Stream};
use crate::reader::window::Widths;
use crate::reader::{End, Files, Layout, Names, Recording, Span, State};

/// The file's name.
pub(crate) const FILE: &str = "main_data.hdf5";

const NAMES: Names =
    Names { obs: "observations", state: "infos/state", actions: "actions", rewards: "rewards", mask: "action_mask" };

struct MinariHdf5 {
    source: Source,
    layout: Layout,
    team: Team,
    /// Group of each episode.
    groups: Vec<String>,
    spans: Vec<Span>,
    /// The files, relative to what was opened.
    files: Vec<PathBuf>,
}

/// Open the file in `folder` of the dataset at `path`.
pub(crate) fn open(path: &Path, folder: &Path, metadata: &Metadata, team: Team) -> Result<Box<dyn Recording>> {
    let source = Source::open(&folder.join(FILE))?;
    let mut layout = Layout::new(path, NAMES);
    team.describe(&mut layout)?;
    let mut numbered: Vec<(u64, String)> = source
        .groups()?
        .into_iter()
        .filter_map(|name| Some((name.strip_prefix("episode_")?.parse().ok()?, name)))
        .collect();
    numbered.sort_unstable();
    if numbered.len() as u64 != metadata.total_episodes {
        let reason =
            format!("{} episodes, `metadata.json` says {}; is it whole?", numbered.len(), metadata.total_episodes);
        return Err(layout.malformed(FILE, reason));
    }
    let groups: Vec<_> = numbered.into_iter().map(|(_, name)| name).collect();
    let base = if path.is_dir() { path } else { folder };
    let relative = |name: &str| folder.strip_prefix(base).unwrap_or(folder).join(name);
    let files = vec![relative(FILE), relative("metadata.json")];
    let mut file = MinariHdf5 { source, layout, team, groups, spans: Vec::new(), files };
    file.look_at_states()?;
    file.look_at_episodes()?;
    let rows = file.spans.last().map_or(0, |span| span.rows.end);
    file.layout.set_rows(rows)?;
    Ok(Box::new(ByEpisode(file)))
}

impl MinariHdf5 {
    /// A dataset of an episode.
    fn key(&self, episode: usize, name: &str) -> String {
        format!("{}/{name}", self.groups[episode])
    }

    /// The dataset of an agent's observation or action, or of all.
    fn part(&self, episode: usize, what: &str, agent: usize) -> String {
        let named = &self.team.agents[agent];
        let inner = if what == "observations" && named.is_inner { "/observation" } else { "" };
        match self.team.parts {
            Parts::Named => self.key(episode, &format!("{what}/{}{inner}", named.name)),
            Parts::Single | Parts::Stacked => self.key(episode, what),
        }
    }

    /// `infos/state` of the first episode is the global state of all.
    fn look_at_states(&mut self) -> Result<()> {
        let Some(key) = (!self.groups.is_empty()).then(|| self.key(0, NAMES.state)) else { return Ok(()) };
        if self.source.has(&key) {
            let found = self.source.describe(&key)?;
            if let [_, width] = found.shape[..] {
                self.layout.state = State::Global(width);
                self.layout.dtypes.insert(NAMES.state.into(), found.dtype);
            }
        }
        Ok(())
    }

    /// Shapes and ends of all episodes.
    fn look_at_episodes(&mut self) -> Result<()> {
        let mut first = 0;
        for i in 0..self.groups.len() {
            let steps = self.shape(&self.key(i, "rewards"), &[0])?[0];
            for agent in 0..self.team.agents.len() {
                let (obs, action) = self.shapes(steps, agent);
                self.shape(&self.part(i, "observations", agent), &obs)?;
                self.shape(&self.part(i, "actions", agent), &action)?;
                if self.team.parts != Parts::Named {
                    break;
                }
            }
            let end = match (self.last_flag(i, "terminations", steps)?, self.last_flag(i, "truncations", steps)?) {
                (true, _) => End::Terminated,
                (_, true) => End::Truncated,
                _ => End::Cut,
            };
            self.spans.push(Span { rows: first..first + steps + 1, end });
            first += steps + 1;
        }
        for name in ["observations", "actions", "rewards"] {
            let key = if name == "rewards" { self.key(0, name) } else { self.part(0, name, 0) };
            let dtype = self.source.describe(&key)?.dtype;
            self.layout.dtypes.insert(name.into(), dtype);
        }
        Ok(())
    }

    /// Shapes of an agent's observations and actions in an episode of so many steps.
    fn shapes(&self, steps: usize, agent: usize) -> (Vec<usize>, Vec<usize>) {
        let (n, agent) = (self.team.agents.len(), &self.team.agents[agent]);
        let width = match &agent.action {
            Action::Commands(bounds) => Some(bounds.len()),
            Action::Choices(..) => None,
        };
        match self.team.parts {
            Parts::Stacked => {
                (vec![steps + 1, n, agent.obs], [Some(steps), Some(n), width].into_iter().flatten().collect())
            }
            _ => (vec![steps + 1, agent.obs], [Some(steps), width].into_iter().flatten().collect()),
        }
    }

    /// The shape of a dataset, which must be this one where that is not 0.
    fn shape(&self, key: &str, expected: &[usize]) -> Result<Vec<usize>> {
        let found = self.source.describe(key)?.shape;
        let fits = found.len() == expected.len() && found.iter().zip(expected).all(|(f, e)| *e == 0 || f == e);
        if fits { Ok(found) } else { Err(self.source.shape_error(key, format!("{expected:?}"), &found)) }
    }

    fn last_flag(&self, episode: usize, name: &str, steps: usize) -> Result<bool> {
        let key = self.key(episode, name);
        self.shape(&key, &[steps])?;
        let mut flag = [0];
        if steps > 0 {
            Flags::open(&self.source, &key, steps - 1..steps)?.fill(steps - 1, &mut flag)?;
        }
        Ok(flag == [1])
    }

    /// `rows` rows of `width` floats.
    fn floats(&self, key: &str, rows: usize, width: usize) -> Result<Vec<f32>> {
        let mut values = vec![0.0; rows * width];
        Stream::floats(&self.source, key, 0..rows)?.fill(&mut values)?;
        Ok(values)
    }

    fn episode(&self, i: usize, w: &Widths) -> Result<EpisodeRows> {
        let rows = self.spans[i].rows.len();
        let mut out = EpisodeRows::default();
        if w.obs > 0 {
            out.obs = self.observations(i, rows)?;
        }
        if w.state > 0 {
            self.shape(&self.key(i, NAMES.state), &[rows, w.state])?;
            out.state = self.floats(&self.key(i, NAMES.state), rows, w.state)?;
        }
        if w.actions > 0 {
            out.actions = self.commands(i, rows, w.actions)?;
        }
        if w.indices > 0 {
            out.indices = self.choices(i, rows)?;
        }
        if w.action_mask > 0 {
            out.action_mask = self.masks(i, rows, w.action_mask)?;
        }
        Ok(out)
    }

    fn observations(&self, i: usize, rows: usize) -> Result<Vec<f32>> {
        let (n, dim) = (self.layout.n_agents, self.layout.obs_dim);
        if self.team.parts != Parts::Named {
            return self.floats(&self.part(i, "observations", 0), rows, n * dim);
        }
        let mut all = vec![0.0; rows * n * dim];
        for (agent, about) in self.team.agents.iter().enumerate() {
            let own = self.floats(&self.part(i, "observations", agent), rows, about.obs)?;
            place(&mut all, &own, [n * dim, agent * dim, about.obs]);
        }
        Ok(all)
    }

    /// Commands taken to [-1, 1] from the bounds of the space; zeros in the last row.
    fn commands(&self, i: usize, rows: usize, width: usize) -> Result<Vec<f32>> {
        let (n, steps) = (self.layout.n_agents, rows - 1);
        let own = width / n;
        let mut all = vec![0.0; rows * width];
        match self.team.parts {
            Parts::Named => {
                for agent in 0..n {
                    let values = self.floats(&self.part(i, "actions", agent), steps, own)?;
                    place(&mut all, &values, [width, agent * own, own]);
                }
            }
            _ => all[..steps * width].copy_from_slice(&self.floats(&self.part(i, "actions", 0), steps, width)?),
        }
        self.layout.to_unit(&mut all[..steps * width]);
        Ok(all)
    }

    fn choices(&self, i: usize, rows: usize) -> Result<Vec<i64>> {
        let (n, steps) = (self.layout.n_agents, rows - 1);
        let (mut all, mut own) = (vec![0; rows * n], vec![0; steps]);
        match self.team.parts {
            Parts::Named => {
                for agent in 0..n {
                    let key = self.part(i, "actions", agent);
                    Stream::integers(&self.source, &key, 0..steps)?.fill(&mut own)?;
                    place(&mut all, &own, [n, agent, 1]);
                }
            }
            _ => {
                let key = self.part(i, "actions", 0);
                Stream::integers(&self.source, &key, 0..steps)?.fill(&mut all[..steps * n])?;
            }
        }
        for (index, agent) in all[..steps * n].iter_mut().zip(self.team.agents.iter().cycle()) {
            if let Action::Choices(_, start) = agent.action {
                *index = index.saturating_sub(start);
            }
        }
        Ok(all)
    }

    fn masks(&self, i: usize, rows: usize, width: usize) -> Result<Vec<u8>> {
        let n = self.layout.n_agents;
        let own = width / n;
        let mut all = vec![0; rows * width];
        for (agent, about) in self.team.agents.iter().enumerate() {
            let key = self.key(i, &format!("observations/{}/action_mask", about.name));
            self.shape(&key, &[rows, own])?;
            let mut values = vec![0; rows * own];
            Flags::open(&self.source, &key, 0..rows)?.fill(0, &mut values)?;
            place(&mut all, &values, [width, agent * own, own]);
        }
        Ok(all)
    }
}

/// Put rows of `own` values into rows of `width`, from place `at` on.
fn place<T: Copy>(all: &mut [T], values: &[T], [width, at, own]: [usize; 3]) {
    let rows = all.chunks_exact_mut(width).zip(values.chunks_exact(own));
    rows.for_each(|(to, from)| to[at..at + own].copy_from_slice(from));
}

impl EpisodeFile for MinariHdf5 {
    fn layout(&self) -> &Layout {
        &self.layout
    }

    fn files(&self) -> Files {
        // Of a lone file the folder is not what was named, and its metadata not part of it.
        if self.layout.path.is_dir() {
            Files::Folder(self.files.clone())
        } else {
            Files::One(self.source.data().clone())
        }
    }

    fn spans(&self) -> &[Span] {
        &self.spans
    }

    fn rewards(&self) -> Result<Vec<f32>> {
        let mut rewards = Vec::with_capacity(self.layout.rows);
        for (i, span) in self.spans.iter().enumerate() {
            rewards.extend(self.floats(&self.key(i, "rewards"), span.rows.len() - 1, 1)?);
            rewards.push(0.0);
        }
        Ok(rewards)
    }

    fn episodes(&self, _first: usize, wanted: &Widths) -> Result<Episodes<'_>> {
        let wanted = *wanted;
        Ok(Box::new(move |i| self.episode(i, &wanted)))
    }
}
