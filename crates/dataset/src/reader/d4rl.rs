//! D4RL's flat HDF5 files: `observations`, `actions`, `rewards`, `terminals`, `timeouts`, one agent, step after step.
//!
//! `next_observations` are in the newer ones. Without them the last state of an episode that the clock ended does not
//! exist, see [`LastState`](super::decisions::LastState). Some early files mark no ends at all.

use std::path::Path;

use super::arrays::{Arrays, Floats};
use super::decisions::Decisions;
use super::digits::Digits;
use super::flat::{Flat, Last, NextStates, Run, StepFile, Steps, rows, split};
use super::layout::{describe, per_step};
use super::window::{Widths, Window};
use super::{ActionLayout, End, Files, Layout, Names, Recording};
use crate::Result;
use crate::repair::Repair;

const NAMES: Names = Names { obs: "observations", state: "", actions: "actions", rewards: "rewards", mask: "" };

struct D4rl {
    arrays: Arrays,
    layout: Layout,
    runs: Vec<Run>,
}

/// Open the file, and check its arrays.
pub(crate) fn open(path: &Path, decisions: &Decisions) -> Result<Box<dyn Recording>> {
    let arrays = Arrays::hdf5(path)?;
    arrays.require(&["observations", "actions", "rewards", "terminals"])?;
    let mut layout = Layout::new(path, NAMES);
    let shape = describe(&arrays, &mut layout, "observations", &[0, 0])?;
    let (steps, width) = (shape[0], shape[1]);
    layout.set_agents(vec![width]);
    layout.actions = ActionLayout::Commands(describe(&arrays, &mut layout, "actions", &[steps, 0])?[1]);
    let has_next = arrays.has("next_observations");
    if has_next {
        describe(&arrays, &mut layout, "next_observations", &[steps, width])?;
    }
    for key in ["rewards", "terminals", "timeouts"].into_iter().filter(|key| arrays.has(key)) {
        per_step(&arrays, &mut layout, key, steps)?;
    }
    let runs = runs(&arrays, &mut layout, steps, has_next, decisions)?;
    layout.set_rows(rows(&runs))?;
    Ok(Box::new(Flat(D4rl { arrays, layout, runs })))
}

fn runs(arrays: &Arrays, layout: &mut Layout, steps: usize, has_next: bool, decisions: &Decisions) -> Result<Vec<Run>> {
    let terminals = arrays.all_flags("terminals", steps, 1)?;
    let timeouts = match arrays.has("timeouts") {
        true => arrays.all_flags("timeouts", steps, 1)?,
        false => vec![0; steps],
    };
    let limit = decisions.time_limit.unwrap_or(0) as usize;
    let mut of_clock = 0;
    let end_of = |step: usize, first: usize| match (terminals[step], timeouts[step]) {
        (1, _) => Some(End::Terminated),
        (_, 1) => Some(End::Truncated),
        // The clock of a file that marks no time-outs.
        _ if !arrays.has("timeouts") && step + 1 - first == limit => {
            of_clock += 1;
            Some(End::Truncated)
        }
        _ => None,
    };
    let last_of = |end| if has_next { Last::Next } else { Last::unstored(end, decisions) };
    let runs = split(steps, end_of, last_of);
    layout.is_cut_by_limit = of_clock > 0;
    if of_clock > 0 {
        layout.notes.push(Repair::plain(of_clock, format!("ends after {limit} steps, which the file does not mark")));
    }
    layout.note_left_out(runs.iter().filter(|run| run.last == Last::Within).count() as u64);
    Ok(runs)
}

impl StepFile for D4rl {
    fn layout(&self) -> &Layout {
        &self.layout
    }

    fn files(&self) -> Files {
        self.arrays.files()
    }

    fn runs(&self) -> &[Run] {
        &self.runs
    }

    fn rewards(&self) -> Result<Vec<f32>> {
        self.arrays.all_floats("rewards", self.n_steps(), 1)
    }

    fn steps(&self, first: usize, wanted: &Widths) -> Result<Box<dyn Steps + '_>> {
        let steps = first..self.n_steps();
        let floats = |width: usize, key| (width > 0).then(|| self.arrays.floats(key, steps.clone())).transpose();
        let dim = self.layout.obs_dim;
        Ok(Box::new(Columns {
            obs: floats(wanted.obs, "observations")?.map(|column| column.watching_digits(dim)),
            actions: floats(wanted.actions, "actions")?,
        }))
    }

    fn next_states(&self) -> NextStates<'_> {
        // Kept open: rows of several episodes are unpacked together.
        let mut column: Option<Floats<'_>> = None;
        Box::new(move |step, window| {
            if window.obs.is_empty() {
                return Ok(());
            }
            let column = match &mut column {
                Some(column) => column,
                none => none.insert(self.arrays.floats("next_observations", step..self.n_steps())?),
            };
            column.skip_to(step);
            column.fill(window.obs)
        })
    }
}

struct Columns<'a> {
    obs: Option<Floats<'a>>,
    actions: Option<Floats<'a>>,
}

impl Steps for Columns<'_> {
    fn fill(&mut self, window: &mut Window<'_>) -> Result<()> {
        self.obs.as_mut().map(|column| column.fill(window.obs)).transpose()?;
        self.actions.as_mut().map(|column| column.fill(window.actions)).transpose()?;
        Ok(())
    }

    fn digits(&self) -> Option<&Digits> {
        self.obs.as_ref().and_then(Floats::digits)
    }
}
