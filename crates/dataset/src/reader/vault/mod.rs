//! OG-MARL's vaults, which flashbax writes: `<name>.vlt/<uid>/` with a database of arrays.
//!
//! `observations` [1, T, N, O], `actions`, `rewards`, `terminals`, `truncations`, and perhaps `infos.state` and
//! `infos.legals`. How many rows are data is in `vault_index`, not in any shape. The last state of an episode is not stored,
//! see [`LastState`](super::decisions::LastState). An agent whose terminal comes before the others' is dead from then on.

mod codec;
pub(crate) mod ocdbt;
pub(crate) mod zarr;

use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::decisions::Decisions;
use super::flat::{Flat, Last, NextStates, Run, StepFile, Steps, rows};
use super::format::Look;
use super::layout::team_reward;
use super::natural::names_in;
use super::window::{Widths, Window};
use super::{ActionLayout, End, Files, Layout, Names, Recording, State};
use crate::repair::Repair;
use crate::{Error, Result};
use ocdbt::{Database, MANIFEST_FILE};
use zarr::{Cursor, Zarr};

const NAMES: Names =
    Names { obs: "observations", state: "infos.state", actions: "actions", rewards: "rewards", mask: "infos.legals" };

/// What flashbax says about a vault.
pub(crate) const METADATA_FILE: &str = "metadata.json";
/// The array that says how many rows are data.
pub(crate) const INDEX: &str = "vault_index";

/// A vault, of one uid or of several.
struct Vault {
    layout: Layout,
    uids: Vec<Uid>,
    runs: Vec<Run>,
    rewards: Vec<f32>,
    /// [steps, N]: before each step, was the agent's terminal not yet set?
    alive: Vec<u8>,
}

/// The arrays of a uid.
struct Uid {
    /// Relative to what was opened; empty if it is that.
    folder: PathBuf,
    database: Database,
    /// Its steps among all.
    steps: std::ops::Range<usize>,
    obs: Zarr,
    actions: Zarr,
    state: Option<Zarr>,
    legals: Option<Zarr>,
}

/// Does it look like a uid's folder, or like a vault of some?
pub(crate) fn is(look: &Look) -> bool {
    look.is_folder && (is_uid(&look.path) || look.names.iter().any(|name| is_uid(&look.path.join(name))))
}

fn is_uid(folder: &Path) -> bool {
    folder.join(MANIFEST_FILE).is_file() && folder.join(METADATA_FILE).is_file()
}

/// Open every uid, and look at its flags and rewards.
pub(crate) fn open(path: &Path, decisions: &Decisions) -> Result<Box<dyn Recording>> {
    let mut vault = Vault {
        layout: Layout::new(path, NAMES),
        uids: Vec::new(),
        runs: Vec::new(),
        rewards: Vec::new(),
        alive: Vec::new(),
    };
    for folder in uids(path)? {
        vault.add(folder, decisions)?;
    }
    if vault.uids.is_empty() {
        return Err(vault
            .layout
            .malformed("the vault", format!("no `{MANIFEST_FILE}` in it; is it a folder `<name>.vlt`?")));
    }
    vault.layout.has_alive = vault.alive.contains(&0);
    if vault.uids.len() > 1 {
        let names: Vec<_> = vault.uids.iter().map(|uid| uid.folder.display().to_string()).collect();
        let what = format!("uids, read one behind the other: {}", names.join(", "));
        vault.layout.notes.push(Repair::plain(names.len() as u64, what));
    }
    let dropped = vault.runs.iter().filter(|run| run.last == Last::Within && run.end != End::Cut).count() as u64;
    vault.layout.note_left_out(dropped);
    let rows = rows(&vault.runs);
    vault.layout.set_rows(rows)?;
    Ok(Box::new(Flat(vault)))
}

/// What flashbax wrote into `metadata.json` must be of a version that is known.
fn version(folder: &Path) -> Result<(), String> {
    #[derive(Deserialize)]
    struct Metadata {
        version: f64,
    }
    let text = omiga_format::atomic::read(&folder.join(METADATA_FILE), 16 << 20).map_err(|e| e.to_string())?;
    let found: Metadata = serde_json::from_slice(&text).map_err(|e| format!("`{METADATA_FILE}`: {e}"))?;
    if found.version.trunc() == 1.0 { Ok(()) } else { Err(format!("version {}, expected 1", found.version)) }
}

/// Folders of uids, relative to `path`.
fn uids(path: &Path) -> Result<Vec<PathBuf>> {
    if is_uid(path) {
        return Ok(vec![PathBuf::new()]);
    }
    Ok(names_in(path, |entry| is_uid(&entry.path()))?.into_iter().map(PathBuf::from).collect())
}

/// The first `rows` rows of an array of zeros and ones.
fn flags(path: &Path, database: &Database, (zarr, name): (&Zarr, &str), rows: usize) -> Result<Vec<u8>> {
    let (mut flags, mut odd) = (vec![0; rows * zarr.width()], None);
    let read = Cursor::new(database, zarr, rows, 0).each(rows, |i, element, bytes| {
        let value = element.f64(bytes);
        flags[i] = u8::from(value == 1.0);
        if value != 0.0 && value != 1.0 {
            odd = odd.or(Some((i / zarr.width(), value as f32)));
        }
    });
    let (path, key) = (path.to_owned(), name.to_owned());
    match (read, odd) {
        (Err(what), _) => Err(Error::Malformed { path, part: "the vault".into(), reason: format!("`{name}`: {what}") }),
        (Ok(()), Some((row, value))) => Err(Error::NotAFlag { path, key, row, value }),
        (Ok(()), None) => Ok(flags),
    }
}

impl Vault {
    fn add(&mut self, folder: PathBuf, decisions: &Decisions) -> Result<()> {
        let path = self.layout.path.join(&folder);
        let wrong = |reason: String| Error::Malformed { path: path.clone(), part: "the vault".into(), reason };
        version(&path).map_err(wrong)?;
        let database = Database::open(&path).map_err(wrong)?;
        let valid = zarr::number(&database, INDEX).map_err(wrong)?;
        let valid = valid.and_then(|n| usize::try_from(n).ok()).ok_or_else(|| wrong(format!("no `{INDEX}`")))?;
        if valid == 0 {
            return Err(wrong("nothing was ever written to it".into()));
        }
        let leaf = |name: &str| -> Result<Option<Zarr>> {
            Zarr::open(&database, name).map_err(|what| wrong(format!("`{name}`: {what}")))
        };
        let need = |name: &str| -> Result<Zarr> { leaf(name)?.ok_or_else(|| wrong(format!("no `{name}` in it"))) };
        let (obs, actions, rewards) = (need("observations")?, need("actions")?, need("rewards")?);
        let (terminals, truncations) = (need("terminals")?, need("truncations")?);
        let (state, legals) = (leaf("infos.state")?, leaf("infos.legals")?);
        self.shapes([&obs, &actions], [state.as_ref(), legals.as_ref()])?;
        let n = self.layout.n_agents;
        // What is claimed must be possible before room is made for it.
        for (zarr, name) in [(&obs, "observations"), (&rewards, "rewards")] {
            let rows = zarr.rows(&database, valid);
            if rows < valid {
                return Err(wrong(format!("`{name}` has {rows} rows of {valid}; was it cut short?")));
            }
        }
        for (zarr, name) in [(&rewards, "rewards"), (&terminals, "terminals"), (&truncations, "truncations")] {
            if zarr.width() != n {
                return Err(wrong(format!("`{name}` has {:?} a row, expected one for each of {n} agents", zarr.inner)));
            }
        }
        let first = self.rewards.len();
        let mut step = Vec::with_capacity(n);
        let read = Cursor::new(&database, &rewards, valid, 0).each(valid, |_, element, bytes| {
            step.push(element.f64(bytes));
            if step.len() == n {
                self.rewards.push(team_reward(&step, decisions.team_reward));
                step.clear();
            }
        });
        read.map_err(|what| wrong(format!("`rewards`: {what}")))?;
        let terminals = flags(&path, &database, (&terminals, "terminals"), valid)?;
        let truncations = flags(&path, &database, (&truncations, "truncations"), valid)?;
        self.split(first, &terminals, &truncations, decisions);
        self.uids.push(Uid { folder, database, steps: first..first + valid, obs, actions, state, legals });
        if let Some(own) = self.own_widths()? {
            self.layout.own_obs_dims = own;
        }
        Ok(())
    }

    /// What the arrays of a uid are; all must be alike.
    fn shapes(&mut self, [obs, actions]: [&Zarr; 2], [state, legals]: [Option<&Zarr>; 2]) -> Result<()> {
        let mut found = self.layout.clone();
        let [n, dim] = obs.inner[..] else {
            return Err(found.malformed("`observations`", format!("{:?} a row, expected [agents, width]", obs.inner)));
        };
        found.set_agents(vec![dim; n]);
        let choices = match legals.map(|legals| &legals.inner[..]) {
            Some([agents, choices]) if *agents == n => Some(*choices),
            Some(other) => {
                return Err(found.malformed("`infos.legals`", format!("{other:?} a row, expected [{n}, choices]")));
            }
            None => None,
        };
        found.actions = match (&actions.inner[..], actions.element.is_float()) {
            ([agents], false) if *agents == n => ActionLayout::Choices(choices),
            ([agents, width], true) if *agents == n => ActionLayout::Commands(*width),
            (other, _) => {
                return Err(found.malformed("`actions`", format!("{other:?} a row of {}", actions.element.name())));
            }
        };
        let discrete = matches!(found.actions, ActionLayout::Choices(_));
        (found.has_mask, found.ignored_mask) = (discrete && choices.is_some(), choices.filter(|_| !discrete));
        found.state = state.map_or(State::None, |state| State::Global(state.width()));
        found.window = obs.window();
        for (name, zarr) in
            [("observations", Some(obs)), ("actions", Some(actions)), ("infos.state", state), ("infos.legals", legals)]
        {
            zarr.map(|zarr| found.dtypes.insert(name.into(), zarr.element.name()));
        }
        let of = |l: &Layout| (l.n_agents, l.obs_dim, l.actions, l.state, l.has_mask);
        if !self.uids.is_empty() && of(&self.layout) != of(&found) {
            return Err(found.malformed("the vault", "its uids have other shapes; name the folder of one of them"));
        }
        found.own_obs_dims.clone_from(&self.layout.own_obs_dims);
        self.layout = found;
        Ok(())
    }

    /// Episodes of the steps from `first` on: they end when every agent is terminated or truncated.
    fn split(&mut self, first: usize, terminals: &[u8], truncations: &[u8], decisions: &Decisions) {
        let n = self.layout.n_agents;
        let (mut start, mut alive) = (first, vec![1; n]);
        let steps = terminals.chunks_exact(n).zip(truncations.chunks_exact(n));
        let last = first + terminals.len() / n - 1;
        for (step, (terminal, truncation)) in (first..).zip(steps) {
            self.alive.extend_from_slice(&alive);
            alive.iter_mut().zip(terminal).for_each(|(alive, t)| *alive &= 1 - t);
            let ended = terminal.iter().zip(truncation).all(|(terminal, truncation)| terminal | truncation == 1);
            let end = match (ended, terminal.iter().all(|t| *t == 1)) {
                (true, true) => End::Terminated,
                (true, false) => End::Truncated,
                (false, _) if step == last => End::Cut,
                (false, _) => continue,
            };
            let last = Last::unstored(end, decisions);
            self.runs.push(Run { steps: start..step + 1, last, end });
            (start, alive) = (step + 1, vec![1; n]);
        }
    }

    /// Widths of the agents' own observations, where the rest of the first row is -inf; the same for all uids.
    fn own_widths(&self) -> Result<Option<Vec<usize>>> {
        let (layout, Some(uid)) = (&self.layout, self.uids.last()) else { return Ok(None) };
        let mut row = vec![0.0; layout.n_agents * layout.obs_dim];
        let mut cursor = Cursor::new(&uid.database, &uid.obs, uid.steps.len(), 0);
        cursor.floats(&mut row).map_err(|what| layout.malformed("`observations`", what))?;
        let width = |own: &[f32]| own.iter().rposition(|x| *x != f32::NEG_INFINITY).map_or(0, |last| last + 1);
        let own: Vec<_> = row.chunks_exact(layout.obs_dim).map(width).collect();
        if !layout.own_obs_dims.is_empty() && layout.own_obs_dims != own {
            return Err(layout.malformed("`observations`", "its uids have agents of other widths; name one of them"));
        }
        Ok(own.iter().any(|width| *width != layout.obs_dim).then_some(own))
    }
}

impl StepFile for Vault {
    fn layout(&self) -> &Layout {
        &self.layout
    }

    fn files(&self) -> Files {
        let names = self.uids.iter().flat_map(|uid| {
            let others = std::iter::once(PathBuf::from(METADATA_FILE)).chain(values(&uid.database));
            uid.database.files.iter().cloned().chain(others).map(move |name| uid.folder.join(name))
        });
        let mut names: Vec<_> = names.collect();
        names.sort_unstable();
        names.dedup();
        Files::Folder(names)
    }

    fn runs(&self) -> &[Run] {
        &self.runs
    }

    fn rewards(&self) -> Result<Vec<f32>> {
        Ok(self.rewards.clone())
    }

    fn steps(&self, first: usize, wanted: &Widths) -> Result<Box<dyn Steps + '_>> {
        Ok(Box::new(Columns { vault: self, wanted: *wanted, next: first, open: None }))
    }

    fn next_states(&self) -> NextStates<'_> {
        Box::new(|_, _| Err(self.layout.malformed("`observations`", "no next states")))
    }
}

/// Files of a database with values.
fn values(database: &Database) -> impl Iterator<Item = PathBuf> {
    database.value_files().into_iter().map(PathBuf::from)
}

/// The columns of the uid at hand.
struct Columns<'a> {
    vault: &'a Vault,
    wanted: Widths,
    /// The next step.
    next: usize,
    open: Option<Open<'a>>,
}

struct Open<'a> {
    /// Steps that it is open for.
    until: usize,
    obs: Cursor<'a>,
    actions: Cursor<'a>,
    state: Option<Cursor<'a>>,
    legals: Option<Cursor<'a>>,
}

impl Steps for Columns<'_> {
    fn go_back(&mut self) -> bool {
        let Some(open) = &mut self.open else { return false };
        let w = &self.wanted;
        let columns = [
            (w.obs, Some(&mut open.obs)),
            (w.actions + w.indices, Some(&mut open.actions)),
            (w.state, open.state.as_mut()),
            (w.action_mask, open.legals.as_mut()),
        ];
        let wanted = columns.into_iter().filter(|(width, _)| *width > 0).filter_map(|(_, column)| column);
        let mut wanted: Vec<_> = wanted.collect();
        let can = wanted.iter().all(|column| column.can_go_back());
        if can {
            wanted.iter_mut().for_each(|column| column.go_back());
            self.next = self.next.saturating_sub(1);
        }
        can
    }

    fn fill(&mut self, window: &mut Window<'_>) -> Result<()> {
        let n = window.rows(&self.wanted);
        let layout = &self.vault.layout;
        let open = match self.open.take().filter(|open| self.next < open.until) {
            Some(open) => self.open.insert(open),
            None => self.open.insert(self.vault.open_at(self.next)?),
        };
        if self.next + n > open.until {
            return Err(layout.malformed("the vault", "steps of two uids at once"));
        }
        let wrong = |name: &'static str| move |what: String| layout.malformed(format!("`{name}`"), what);
        if !window.obs.is_empty() {
            let (own, dim) = (&layout.own_obs_dims, layout.obs_dim);
            open.obs.floats(window.obs).map_err(wrong("observations"))?;
            // What is filled up with -inf is filled up with zeros.
            for (vector, own) in window.obs.chunks_exact_mut(dim).zip(own.iter().cycle()) {
                vector[*own..].iter_mut().filter(|x| **x == f32::NEG_INFINITY).for_each(|x| *x = 0.0);
            }
        }
        if let Some(state) = open.state.as_mut().filter(|_| !window.state.is_empty()) {
            state.floats(window.state).map_err(wrong("infos.state"))?;
        }
        if !window.actions.is_empty() {
            open.actions.floats(window.actions).map_err(wrong("actions"))?;
        }
        if !window.indices.is_empty() {
            let out = &mut *window.indices;
            open.actions.each(n, |i, element, bytes| out[i] = element.i64(bytes)).map_err(wrong("actions"))?;
        }
        if let Some(legals) = open.legals.as_mut().filter(|_| !window.action_mask.is_empty()) {
            let (out, mut odd) = (&mut *window.action_mask, None);
            let read = legals.each(n, |i, element, bytes| {
                let x = element.f64(bytes);
                out[i] = u8::from(x == 1.0);
                if x != 0.0 && x != 1.0 {
                    odd = Some(x);
                }
            });
            read.map_err(wrong("infos.legals"))?;
            if let Some(x) = odd {
                return Err(layout.malformed("`infos.legals`", format!("{x}, expected 0 or 1")));
            }
        }
        if !window.alive.is_empty() {
            let start = self.next * layout.n_agents;
            window.alive.copy_from_slice(&self.vault.alive[start..start + window.alive.len()]);
        }
        self.next += n;
        Ok(())
    }
}

impl Vault {
    /// The columns of the uid that has `step`, from there on.
    fn open_at(&self, step: usize) -> Result<Open<'_>> {
        let uid = self.uids.iter().find(|uid| uid.steps.contains(&step));
        let uid = uid.ok_or_else(|| self.layout.malformed("the vault", format!("no step {step}")))?;
        let cursor = |zarr| Cursor::new(&uid.database, zarr, uid.steps.len(), step - uid.steps.start);
        Ok(Open {
            until: uid.steps.end,
            obs: cursor(&uid.obs),
            actions: cursor(&uid.actions),
            state: uid.state.as_ref().map(cursor),
            legals: uid.legals.as_ref().map(cursor),
        })
    }
}
