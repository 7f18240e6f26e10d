//! d3rlpy's `.h5` files: `observations_0`, `actions_0`, `rewards_0`, `terminated_0` for each episode of one agent.
//!
//! `terminated` is one flag an episode; without it the clock ended it. The last state is not stored, see [`LastState`](super::decisions::LastState).

use std::path::Path;
use std::sync::Arc;

use super::by_episode::{ByEpisode, EpisodeFile, EpisodeRows, Episodes};
use super::decisions::Decisions;
use super::hdf5::stream::Stream;
use super::hdf5::{Kind, Source};
use super::window::Widths;
use super::{ActionLayout, End, Files, Layout, Names, Recording, Span};
use crate::Result;

const NAMES: Names = Names { obs: "observations", state: "", actions: "actions", rewards: "rewards", mask: "" };

struct D3rlpy {
    source: Source,
    layout: Layout,
    spans: Vec<Span>,
    /// Steps of each episode that were recorded; rows are as many or one more.
    steps: Vec<usize>,
}

/// Open the file, and look at the shapes of its episodes.
pub(crate) fn open(path: &Path, decisions: &Decisions) -> Result<Box<dyn Recording>> {
    let source = Source::open(path)?;
    source.require(&["observations_0", "actions_0", "rewards_0", "terminated_0"])?;
    let mut layout = Layout::new(path, NAMES);
    let (obs, actions) = (source.describe("observations_0")?, source.describe("actions_0")?);
    let ([_, dim], [_, width]) = (&obs.shape[..], &actions.shape[..]) else {
        return Err(source.shape_error("observations_0", "[steps, width]".into(), &obs.shape));
    };
    layout.set_agents(vec![*dim]);
    let discrete = actions.kind == Kind::Integer;
    layout.actions = if discrete { ActionLayout::Choices(None) } else { ActionLayout::Commands(*width) };
    layout.dtypes.extend([("observations".to_owned(), obs.dtype), ("actions".to_owned(), actions.dtype)]);
    let (mut spans, mut steps, mut dropped) = (Vec::<Span>::new(), Vec::new(), 0);
    for i in (0..).take_while(|i| source.has(&format!("observations_{i}"))) {
        let found = source.describe(&format!("observations_{i}"))?.shape;
        let n = found.first().copied().unwrap_or(0);
        for (key, width) in [("observations", *dim), ("actions", *width), ("rewards", 1)] {
            let key = format!("{key}_{i}");
            let found = source.describe(&key)?.shape;
            if n == 0 || found != [n, width] {
                return Err(source.shape_error(&key, format!("[{n}, {width}]"), &found));
            }
        }
        let end = if source.flag(&format!("terminated_{i}"))? { End::Terminated } else { End::Truncated };
        let repeats = decisions.last_state.repeats(end);
        dropped += u64::from(!repeats);
        let first = spans.last().map_or(0, |span| span.rows.end);
        spans.push(Span { rows: first..first + n + usize::from(repeats), end });
        steps.push(n);
    }
    layout.note_left_out(dropped);
    layout.set_rows(spans.last().map_or(0, |span| span.rows.end))?;
    Ok(Box::new(ByEpisode(D3rlpy { source, layout, spans, steps })))
}

impl D3rlpy {
    /// Rows of floats, the last repeated where there is one more than steps.
    fn floats(&self, key: &str, i: usize, width: usize, repeats: bool) -> Result<Vec<f32>> {
        let (n, rows) = (self.steps[i], self.spans[i].rows.len());
        let mut values = vec![0.0; rows * width];
        Stream::floats(&self.source, &format!("{key}_{i}"), 0..n)?.fill(&mut values[..n * width])?;
        if repeats && rows > n {
            values.copy_within((n - 1) * width..n * width, n * width);
        }
        Ok(values)
    }
}

impl EpisodeFile for D3rlpy {
    fn layout(&self) -> &Layout {
        &self.layout
    }

    fn files(&self) -> Files {
        Files::One(Arc::clone(self.source.data()))
    }

    fn spans(&self) -> &[Span] {
        &self.spans
    }

    fn rewards(&self) -> Result<Vec<f32>> {
        let each = (0..self.spans.len()).map(|i| self.floats("rewards", i, 1, false));
        Ok(each.collect::<Result<Vec<_>>>()?.concat())
    }

    fn episodes(&self, _first: usize, wanted: &Widths) -> Result<Episodes<'_>> {
        let w = *wanted;
        Ok(Box::new(move |i| {
            let mut out = EpisodeRows::default();
            if w.obs > 0 {
                out.obs = self.floats("observations", i, w.obs, true)?;
            }
            if w.actions > 0 {
                out.actions = self.floats("actions", i, w.actions, false)?;
            }
            if w.indices > 0 {
                let n = self.steps[i];
                out.indices = vec![0; self.spans[i].rows.len()];
                Stream::integers(&self.source, &format!("actions_{i}"), 0..n)?.fill(&mut out.indices[..n])?;
            }
            Ok(out)
        }))
    }
}
