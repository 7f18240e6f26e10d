//! PyMARL's episode batches: CFCQL's `.h5` files and AlberDICE's folders of `.npy` files.
//!
//! Every array is [E, T + 1, ..]: episodes of different lengths, zeros behind them. `filled` is 1 in the rows of an episode,
//! steps and last state; the last of them has an observation and a mask, a dummy action and no reward. `terminated` is set
//! at the last step, in CFCQL's files not by the clock, in AlberDICE's by the clock, too.

use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::arrays::{Arrays, FlagRows, Floats, Integers};
use super::by_episode::{ByEpisode, EpisodeFile, EpisodeRows, Episodes};
use super::decisions::Decisions;
use super::layout::describe;
use super::window::Widths;
use super::{ActionLayout, End, Files, Layout, Names, Recording, Span, State};
use crate::{Error, Result};

const NAMES: Names = Names { obs: "obs", state: "state", actions: "actions", rewards: "reward", mask: "avail_actions" };
/// Episodes whose flags are looked at together.
const PIECE: usize = 256;
/// AlberDICE's file beside the arrays.
const META: &str = "meta.json";

struct Batches {
    arrays: Arrays,
    layout: Layout,
    spans: Vec<Span>,
    /// Rows of an episode in the arrays, T + 1.
    padded: usize,
    /// Episodes that are data.
    episodes: usize,
}

/// How many of the arrays' episodes are data.
#[derive(Deserialize)]
struct Meta {
    episodes_in_buffer: usize,
}

/// A `.h5` file. Its `terminated` excludes the clock.
pub(crate) fn open_hdf5(path: &Path, _: &Decisions) -> Result<Box<dyn Recording>> {
    open(Arrays::hdf5(path)?, None, End::Terminated)
}

/// A folder of `.npy` files. Its `terminated` is the clock's, too.
pub(crate) fn open_npy(path: &Path, _: &Decisions) -> Result<Box<dyn Recording>> {
    let meta = path.join(META);
    let episodes = match meta.is_file() {
        false => None,
        true => {
            let text = omiga_format::atomic::read(&meta, 1 << 16)?;
            let wrong = |e: serde_json::Error| Error::Malformed {
                path: path.to_owned(),
                part: format!("`{META}`"),
                reason: format!("expected {{\"episodes_in_buffer\": N}} ({e})"),
            };
            Some(serde_json::from_slice::<Meta>(&text).map_err(wrong)?.episodes_in_buffer)
        }
    };
    let others = if episodes.is_some() { vec![PathBuf::from(META)] } else { Vec::new() };
    open(Arrays::npy(path, others)?, episodes, End::Unsaid)
}

fn open(arrays: Arrays, said: Option<usize>, terminated: End) -> Result<Box<dyn Recording>> {
    arrays.require(&["obs", "actions", "reward", "terminated", "filled"])?;
    let mut layout = Layout::new(arrays.path(), NAMES);
    let shape = describe(&arrays, &mut layout, "obs", &[0, 0, 0, 0])?;
    let (all, padded, n) = (shape[0], shape[1], shape[2]);
    layout.set_agents(vec![shape[3]; n]);
    if arrays.has("state") {
        layout.state = State::Global(describe(&arrays, &mut layout, "state", &[all, padded, 0])?[2]);
    }
    let discrete = arrays.describe("actions")?.is_integer;
    let actions = describe(&arrays, &mut layout, "actions", &[all, padded, n, if discrete { 1 } else { 0 }])?;
    layout.has_mask = discrete && arrays.has("avail_actions");
    let mut choices = None;
    if arrays.has("avail_actions") {
        let width = describe(&arrays, &mut layout, "avail_actions", &[all, padded, n, 0])?[3];
        choices = Some(width).filter(|_| discrete);
        layout.ignored_mask = Some(width).filter(|_| !discrete);
    }
    layout.actions = if discrete { ActionLayout::Choices(choices) } else { ActionLayout::Commands(actions[3]) };
    for key in ["reward", "terminated", "filled"] {
        describe(&arrays, &mut layout, key, &[all, padded, 1])?;
    }
    let episodes = said.unwrap_or(all);
    if episodes > all {
        return Err(layout.malformed(META, format!("it has {episodes} episodes, the arrays have {all}; are they its?")));
    }
    let spans = spans(&arrays, &layout, episodes, padded, terminated)?;
    layout.set_rows(spans.last().map_or(0, |span| span.rows.end))?;
    Ok(Box::new(ByEpisode(Batches { arrays, layout, spans, padded, episodes })))
}

/// The rows of each episode by `filled`, its end by `terminated`. Behind the last may come ones that were never filled.
fn spans(arrays: &Arrays, layout: &Layout, episodes: usize, padded: usize, terminated: End) -> Result<Vec<Span>> {
    let (mut filled, mut ends) = (arrays.flags("filled", 0..episodes)?, arrays.flags("terminated", 0..episodes)?);
    let most = PIECE.min(episodes) * padded;
    let (mut of_filled, mut of_ends) = (vec![0; most], vec![0; most]);
    let (mut spans, mut first) = (Vec::new(), 0);
    for piece in (0..episodes).step_by(PIECE) {
        let n = PIECE.min(episodes - piece);
        filled.fill(piece, &mut of_filled[..n * padded])?;
        ends.fill(piece, &mut of_ends[..n * padded])?;
        for (i, (filled, ends)) in of_filled.chunks(padded).zip(of_ends.chunks(padded)).take(n).enumerate() {
            let rows = filled.iter().take_while(|flag| **flag == 1).count();
            // What was never filled comes behind all that was.
            let behind_the_data = spans.len() < piece + i;
            if rows == 0 && !filled.contains(&1) {
                continue;
            }
            if filled[rows..].contains(&1) || behind_the_data {
                let reason = format!("episode {} has a hole; is it a batch of PyMARL's?", piece + i);
                return Err(layout.malformed("`filled`", reason));
            }
            // The row of the last state says nothing about an end.
            let end =
                if ends.iter().take(rows.saturating_sub(1)).any(|end| *end == 1) { terminated } else { End::Truncated };
            spans.push(Span { rows: first..first + rows, end });
            first += rows;
        }
    }
    Ok(spans)
}

impl EpisodeFile for Batches {
    fn layout(&self) -> &Layout {
        &self.layout
    }

    fn files(&self) -> Files {
        self.arrays.files()
    }

    fn spans(&self) -> &[Span] {
        &self.spans
    }

    fn rewards(&self) -> Result<Vec<f32>> {
        let mut rewards = Vec::with_capacity(self.layout.rows);
        let mut column = self.arrays.floats("reward", 0..self.episodes)?;
        let mut padded = vec![0.0; self.padded];
        for span in &self.spans {
            column.fill(&mut padded)?;
            rewards.extend_from_slice(&padded[..span.rows.len()]);
        }
        Ok(rewards)
    }

    fn episodes(&self, first: usize, wanted: &Widths) -> Result<Episodes<'_>> {
        let (w, rows) = (*wanted, first..self.episodes);
        let floats = |width: usize, key| (width > 0).then(|| self.arrays.floats(key, rows.clone())).transpose();
        let mut obs = floats(w.obs, "obs")?;
        let mut state = floats(w.state, "state")?;
        let mut actions = floats(w.actions, "actions")?;
        let mut indices = (w.indices > 0).then(|| self.arrays.integers("actions", rows.clone())).transpose()?;
        let mut mask = (w.action_mask > 0).then(|| self.arrays.flags("avail_actions", rows.clone())).transpose()?;
        Ok(Box::new(move |i| {
            let (padded, n) = (self.padded, self.spans[i].rows.len());
            Ok(EpisodeRows {
                obs: first_rows(obs.as_mut(), Floats::fill, padded, n, w.obs)?,
                state: first_rows(state.as_mut(), Floats::fill, padded, n, w.state)?,
                actions: first_rows(actions.as_mut(), Floats::fill, padded, n, w.actions)?,
                indices: first_rows(indices.as_mut(), Integers::fill, padded, n, w.indices)?,
                action_mask: first_rows(
                    mask.as_mut(),
                    |m: &mut FlagRows<'_>, out: &mut [u8]| m.fill(i, out),
                    padded,
                    n,
                    w.action_mask,
                )?,
                alive: Vec::new(),
            })
        }))
    }
}

/// The first `n` of an episode's `padded` rows.
fn first_rows<C, T: Default + Clone>(
    column: Option<&mut C>,
    fill: impl FnOnce(&mut C, &mut [T]) -> Result<()>,
    padded: usize,
    n: usize,
    width: usize,
) -> Result<Vec<T>> {
    let Some(column) = column else { return Ok(Vec::new()) };
    let mut rows = vec![T::default(); padded * width];
    fill(column, &mut rows)?;
    rows.truncate(n * width);
    Ok(rows)
}
