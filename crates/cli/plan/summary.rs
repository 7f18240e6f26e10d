//! What became of a plan, step by step.

use std::collections::BTreeMap;
use std::fmt::Display;

use anyhow::{Error, anyhow};
use serde::Serialize;

use crate::output::{complain, in_full, note};
use crate::scores::Scores;

/// What became of a plan.
#[derive(Debug, Default, Serialize)]
pub struct Summary {
    pub steps: Vec<Line>,
    /// The tables, by the dataset's name.
    pub tables: BTreeMap<String, Scores>,
    /// Was it stopped? The same plan goes on from here.
    pub interrupted: bool,
}

/// What became of a step.
#[derive(Debug, Serialize)]
pub struct Line {
    pub step: String,
    pub outcome: Outcome,
    pub error: Option<String>,
}

/// In a word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    /// It was up to date.
    Kept,
    Done,
    Failed,
    /// Stopped by Ctrl-C.
    Interrupted,
}

impl Summary {
    /// Write down what became of a step, and say it. Is there what the step makes?
    pub fn add(&mut self, step: impl Display, result: Result<Outcome, Error>) -> bool {
        let step = step.to_string();
        let (outcome, error) = match result {
            Ok(outcome) => (outcome, None),
            Err(error) => (Outcome::Failed, Some(in_full(&error))),
        };
        match &error {
            None => note(format!("{step}: {}", outcome.word())),
            Some(error) => complain(&anyhow!("{step}: {error}")),
        }
        self.steps.push(Line { step, outcome, error });
        matches!(outcome, Outcome::Kept | Outcome::Done)
    }

    /// Steps with this outcome.
    pub fn count(&self, outcome: Outcome) -> usize {
        self.steps.iter().filter(|line| line.outcome == outcome).count()
    }
}

impl Outcome {
    fn word(self) -> &'static str {
        match self {
            Self::Kept => "up to date",
            Self::Done => "done",
            Self::Failed => "failed",
            Self::Interrupted => "stopped",
        }
    }
}
