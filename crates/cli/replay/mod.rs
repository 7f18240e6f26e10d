//! A recording, repeated: what differs, what happened, and a picture of it.

mod flags;
mod picture;
mod place;
mod rows;

use anyhow::Result;
use omiga_format::PolicyContract;
use omiga_runtime::{
    ActionSpace, Call, Difference, Flags, Policy, Recording, RecordingHeader, Replay, Replayed, Source, Status,
};

pub use picture::picture;

/// A recording beside its repetition.
pub struct Flight {
    pub header: RecordingHeader,
    pub contract: PolicyContract,
    /// The engine that repeated it, as in the header.
    pub engine: String,
    /// The calls, oldest first.
    pub calls: Vec<Replayed>,
    /// The calls by their place in `calls` that differ, and in what.
    pub differing: Vec<(usize, Vec<Difference>)>,
}

impl Flight {
    /// Repeat `recording` with `policy`.
    ///
    /// # Errors
    /// As [`Replay::new`].
    pub fn replay(recording: &Recording, policy: Policy) -> Result<Self> {
        let engine = policy.engine();
        let contract = policy.contract().cloned();
        let calls: Vec<_> = Replay::new(recording, policy)?.collect();
        let differing = calls.iter().map(Replayed::differences).enumerate().filter(|(_, found)| !found.is_empty());
        let (header, differing) = (recording.header().clone(), differing.collect());
        let Some(contract) = contract else { anyhow::bail!("the policy has no contract; give the bundle's folder") };
        Ok(Self { header, contract, engine, calls, differing })
    }

    /// What was answered at a call.
    pub fn status(&self, place: usize) -> Option<Status> {
        self.calls.get(place).filter(|call| call.recorded.call.is_step()).map(|call| call.recorded.status.into())
    }

    /// The statuses of all steps, each with its place.
    pub fn statuses(&self) -> impl Iterator<Item = (usize, Status)> {
        (0..self.calls.len()).filter_map(|place| Some((place, self.status(place)?)))
    }

    /// What a call was that is no step, in a word.
    pub fn change(&self, place: usize) -> Option<&'static str> {
        match self.calls.get(place)?.recorded.call {
            Call::Commands | Call::Choice => None,
            Call::Reset | Call::ResetTo | Call::ResetFree => Some("reset"),
            Call::Resume => Some("resume"),
        }
    }

    /// Seconds from the first step to a call; of a reset, to the step before it.
    pub fn seconds(&self, place: usize) -> f64 {
        let steps = || self.calls.iter().filter(|call| call.recorded.call.is_step()).map(|call| call.recorded.now_ns);
        let before = self.calls.iter().take(place + 1).rev().find(|call| call.recorded.call.is_step());
        let (Some(first), Some(now)) = (steps().next(), before) else { return 0.0 };
        (i128::from(now.recorded.now_ns) - i128::from(first)) as f64 * 1e-9
    }

    /// The name of the field that a status speaks of.
    pub fn field(&self, status: Status) -> Option<&str> {
        let of_obs = Flags::OBS_NOT_FINITE | Flags::OBS_OUT_OF_RANGE | Flags::OBS_CLAMPED | Flags::OBS_NOVEL;
        let of_action =
            Flags::ACTION_NOT_FINITE | Flags::ACTION_OUT_OF_BOUNDS | Flags::ACTION_NOT_AVAILABLE | Flags::RATE_LIMITED;
        let lowest = status.flags.intersection(of_obs | of_action).iter().next()?;
        let index = usize::try_from(status.index).ok()?;
        match of_obs.contains(lowest) {
            true => self.contract.obs.get(index).map(|field| field.name.as_str()),
            false => self.command(index),
        }
    }

    /// The name of a command or choice.
    pub fn command(&self, index: usize) -> Option<&str> {
        match &self.contract.action {
            ActionSpace::Continuous(fields) => fields.get(index).map(|field| field.name.as_str()),
            ActionSpace::Discrete(names) => names.get(index).map(String::as_str),
        }
    }

    /// Steps of each source, in the order of [`SOURCES`].
    pub fn sources(&self) -> [usize; 4] {
        SOURCES.map(|source| self.statuses().filter(|(_, status)| status.source == source).count())
    }
}

/// Whose an action can be.
pub const SOURCES: [Source; 4] = [Source::Policy, Source::Held, Source::Safe, Source::None];
