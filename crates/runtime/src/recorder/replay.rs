//! A recording, repeated call by call.

use alloc::borrow::ToOwned;
use alloc::boxed::Box;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use omiga_format::{Call, Record, RecordedBlock, Recording};
use serde::Deserialize as _;

use super::{Recorded, RecordedOptions, Snapshot, header};
use crate::{Controller, Error, Guard, Observation, Policy, Result, Status, StepError};

/// Repeats what was recorded with a controller or guard that starts in the recorded state: an iterator over the calls.
///
/// Of the file, only what went in is used, and the first snapshot; what came out, and later snapshots, are compared.
pub struct Replay<'a> {
    subject: Subject,
    blocks: Box<dyn Iterator<Item = RecordedBlock<'a>> + 'a>,
    /// Of the block at hand.
    rest: Box<dyn Iterator<Item = (u64, Record)> + 'a>,
}

enum Subject {
    Guard(Box<Guard>),
    Controller(Box<Controller>),
}

/// One call, as it was recorded and as it is now.
#[derive(Clone, Debug, PartialEq)]
pub struct Replayed {
    /// Its number since the recorder was attached, from 0.
    pub number: u64,
    /// What went in and what came out then.
    pub recorded: Record,
    /// What comes out now.
    pub status: Status,
    /// The buffer for commands now; zeros if nothing was commanded.
    pub action: Vec<f32>,
    /// The choice now; 0 if nothing was chosen.
    pub choice: u32,
    /// Was the state before this call the one that was recorded? Always, if none was.
    pub is_state_equal: bool,
}

/// Something that is not as it was recorded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// A field of the status, `action`, `choice`, or `state`.
    pub what: &'static str,
    /// Which command, of an action.
    pub index: Option<usize>,
    /// What was recorded.
    pub recorded: String,
    /// What it is now.
    pub replayed: String,
}

impl<'a> Replay<'a> {
    /// Make what was recorded again, of a policy of the same contract. Whether it is the same bundle is in
    /// [`omiga_format::RecordingHeader::bundle_sha256`]; another one answers otherwise, which is what shows.
    ///
    /// # Errors
    /// [`Error::OtherContract`] for a policy of another contract; [`Error::Format`] for options or a state of another
    /// version; else as [`Controller::new`].
    pub fn new(recording: &'a Recording, policy: Policy) -> Result<Self> {
        let recorded = recording.header();
        let json = |e: serde_json::Error| omiga_format::Error::Json {
            file: recorded.agent.clone(),
            part: "options",
            reason: e.to_string(),
        };
        let options = RecordedOptions::deserialize(&recorded.options).map_err(json)?;
        let own = header(&policy, &options)?;
        if own.policy_contract_sha256 != recorded.policy_contract_sha256 || own.layout() != recorded.layout() {
            return Err(Error::OtherContract {
                expected: format!("{} of {}", recorded.agent, recorded.task),
                found: format!("{} of {}", own.agent, own.task),
            });
        }
        let mut subject = match &options {
            RecordedOptions::Guard(options) => Subject::Guard(Box::new(Guard::new(policy, options)?)),
            RecordedOptions::Controller(options) => Subject::Controller(Box::new(Controller::new(policy, options)?)),
        };
        if let Some(first) = recording.blocks().next() {
            let mut snapshot = Snapshot::load(first.snapshot);
            subject.exchange(&mut snapshot);
            if !snapshot.is_whole() {
                let (file, what) = (recorded.agent.clone(), "its state is not one of this controller".to_owned());
                return Err(omiga_format::Error::RecordingDamaged { file, what }.into());
            }
        }
        Ok(Self { subject, blocks: Box::new(recording.blocks()), rest: Box::new(core::iter::empty()) })
    }
}

impl Iterator for Replay<'_> {
    type Item = Replayed;

    fn next(&mut self) -> Option<Replayed> {
        let mut is_state_equal = true;
        let mut next = self.rest.next();
        if next.is_none() {
            let block = self.blocks.next()?;
            is_state_equal = self.subject.state() == block.snapshot;
            self.rest = Box::new(block.records());
            next = self.rest.next();
        }
        let (number, recorded) = next?;
        let (mut action, mut choice) = (vec![0.0; recorded.action.len()], 0);
        let obs = Observation { values: &recorded.obs, stamp_ns: recorded.stamp_ns, mask: &recorded.mask };
        let status = match recorded.call {
            Call::Commands => self.subject.commands(recorded.now_ns, obs, &mut action),
            Call::Choice => self.subject.choice(recorded.now_ns, obs, &mut choice),
            other => {
                action.clone_from(&recorded.action);
                self.subject.change(other, &action).map_or_else(Status::from, |()| Status::from(recorded.status))
            }
        };
        Some(Replayed { number, recorded, status, action, choice, is_state_equal })
    }
}

impl Subject {
    fn exchange(&mut self, snapshot: &mut Snapshot<'_>) {
        match self {
            Self::Guard(guard) => guard.exchange(snapshot),
            Self::Controller(controller) => controller.exchange(snapshot),
        }
    }

    /// The state as it is recorded.
    fn state(&mut self) -> Vec<u8> {
        let mut measured = Snapshot::measure();
        self.exchange(&mut measured);
        let mut bytes = vec![0; measured.len()];
        self.exchange(&mut Snapshot::save(&mut bytes));
        bytes
    }

    fn commands(&mut self, now_ns: u64, obs: Observation<'_>, action: &mut [f32]) -> Status {
        match self {
            Self::Guard(guard) => guard.step(now_ns, obs, action),
            Self::Controller(controller) => controller.tick(now_ns, obs, action),
        }
    }

    fn choice(&mut self, now_ns: u64, obs: Observation<'_>, action: &mut u32) -> Status {
        match self {
            Self::Guard(guard) => guard.choose(now_ns, obs, action),
            Self::Controller(controller) => controller.tick_choice(now_ns, obs, action),
        }
    }

    /// A call that is no step.
    fn change(&mut self, call: Call, command: &[f32]) -> Result<(), StepError> {
        match (call, self) {
            (Call::Commands | Call::Choice, _) => {}
            (Call::Reset, Self::Guard(guard)) => guard.reset(),
            (Call::Reset, Self::Controller(controller)) => controller.reset(),
            (Call::ResetTo, Self::Guard(guard)) => guard.reset_to(command)?,
            (Call::ResetTo, Self::Controller(controller)) => controller.reset_to(command)?,
            (Call::ResetFree, Self::Guard(guard)) => guard.reset_free(),
            (Call::ResetFree, Self::Controller(controller)) => controller.reset_free(),
            (Call::Resume, Self::Guard(guard)) => guard.resume(),
            (Call::Resume, Self::Controller(controller)) => controller.resume(),
        }
        Ok(())
    }
}

impl Replayed {
    /// Everything that is not as it was recorded, to the bit; the status first.
    pub fn differences(&self) -> Vec<Difference> {
        let mut found = Vec::new();
        let mut compare = |what, index, recorded: &dyn ToString, replayed: &dyn ToString, is_equal: bool| {
            if !is_equal {
                let (recorded, replayed) = (recorded.to_string(), replayed.to_string());
                found.push(Difference { what, index, recorded, replayed });
            }
        };
        compare("state", None, &"another", &"this one", self.is_state_equal);
        let (then, now) = (Status::from(self.recorded.status), self.status);
        compare("source", None, &then.source, &now.source, then.source == now.source);
        compare("flags", None, &names(then), &names(now), then.flags == now.flags);
        for (what, then, now) in [
            ("index", u64::from(then.index), u64::from(now.index)),
            ("bad_fields", then.bad_fields.into(), now.bad_fields.into()),
            ("obs_age_ns", then.obs_age_ns, now.obs_age_ns),
            ("held_ns", then.held_ns, now.held_ns),
            ("lateness_ns", then.lateness_ns, now.lateness_ns),
            ("choice", self.recorded.choice.into(), self.choice.into()),
        ] {
            compare(what, None, &then, &now, then == now);
        }
        for (index, (then, now)) in self.recorded.action.iter().zip(&self.action).enumerate() {
            compare("action", Some(index), &bits(*then), &bits(*now), then.to_bits() == now.to_bits());
        }
        found
    }
}

/// The flags by name, those of other versions as bits.
fn names(status: Status) -> String {
    if status.flags.is_empty() { "none".to_owned() } else { format!("{:?}", status.flags) }
}

/// A number so that two that differ look different.
fn bits(x: f32) -> String {
    format!("{x:?} (0x{:08x})", x.to_bits())
}
