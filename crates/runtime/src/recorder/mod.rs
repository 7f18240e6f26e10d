//! Flight recorder: the last ticks of a controller or a guard, in memory that is there from the start.

mod dump;
pub(crate) mod flags;
mod replay;
mod ring;
mod snapshot;

use alloc::borrow::ToOwned;
use alloc::boxed::Box;
use alloc::string::ToString;
use core::fmt;
#[cfg(feature = "fs")]
use std::path::Path;

use omiga_format::{ObsTransform, PolicyContract, Record, RecordedStatus, RecordingHeader, hash};
use serde::{Deserialize, Serialize};

use self::ring::Ring;
use crate::guard::Output;
use crate::{ControllerOptions, Error, Flags, GuardOptions, Observation, Policy, Result, Source, Status};

pub(crate) use omiga_format::Call;

pub use self::dump::Dump;
pub use self::replay::{Difference, Replay, Replayed};
pub(crate) use self::snapshot::Snapshot;

/// How much a [`Recorder`] keeps, and when it stops.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RecorderOptions {
    /// At least so many of the last calls are kept, an eighth more at most.
    pub ticks: u32,
    /// Stop so many calls after the first with a fault, so that what led to it stays; else never stop.
    pub stop_after_fault: Option<u32>,
}

impl Default for RecorderOptions {
    /// The last 10,000 ticks, without a stop.
    fn default() -> Self {
        Self { ticks: 10_000, stop_after_fault: None }
    }
}

impl RecorderOptions {
    /// Keep at least so many of the last calls.
    #[must_use]
    pub fn with_ticks(self, ticks: u32) -> Self {
        Self { ticks, ..self }
    }

    /// Stop so many calls after the first with a fault.
    #[must_use]
    pub fn with_stop_after_fault(self, calls: u32) -> Self {
        Self { stop_after_fault: Some(calls), ..self }
    }
}

/// The last calls of a [`crate::Controller`] or a [`crate::Guard`]: times, observations, masks, statuses and actions, and
/// the state from which [`Replay`] repeats them bit for bit.
///
/// [`crate::Controller::make_recorder`] makes one, `attach` starts it, and `detach` gives it back, with two pointers moved: the
/// way to go on with an empty one while another thread stores the full one. It is a ring: the newest calls take the place
/// of the oldest. At the start of each of its blocks it holds a snapshot of the controller's state; what is stored starts
/// with one.
///
/// # Real-time
/// All memory is taken when it is made. Recording allocates nothing, takes no lock, reads no clock and cannot panic; its
/// time is bounded by a copy of the observation and, once in a block, of the state.
///
/// ```no_run
/// # use std::path::Path;
/// use omiga_runtime::{Controller, ControllerOptions, LoadOptions, Policy, RecorderOptions};
///
/// let policy = Policy::load(Path::new("pumps.bundle"), &LoadOptions::default().with_agent("west"))?;
/// let mut controller = Controller::new(policy, &ControllerOptions::default())?;
/// let options = RecorderOptions::default().with_ticks(60_000).with_stop_after_fault(1_000);
/// let recorder = controller.make_recorder(&options)?;
/// controller.attach(recorder)?;
/// // ... ticks ...
/// if let Some(recorder) = controller.detach() {
///     recorder.save(Path::new("incident.rec"))?;
/// }
/// # Ok::<(), omiga_runtime::Error>(())
/// ```
#[derive(Clone)]
pub struct Recorder {
    /// One pointer, so that attaching moves no more.
    kept: Box<Kept>,
}

#[derive(Clone)]
struct Kept {
    policy_id: usize,
    options: RecordedOptions,
    ring: Ring,
}

/// What can be recorded.
pub(crate) trait Recorded: Sized {
    /// Where its recorder is.
    fn slot(&mut self) -> &mut Option<Recorder>;

    fn recorded_policy(&self) -> &Policy;

    fn recorded_options(&self) -> &RecordedOptions;

    /// Everything that the next calls depend on: written to a snapshot, or taken from it.
    fn exchange(&mut self, snapshot: &mut Snapshot<'_>);

    /// A step, and its record.
    #[inline]
    fn step_recorded(
        &mut self,
        now_ns: u64,
        obs: Observation<'_>,
        mut output: Output<'_>,
        step: impl FnOnce(&mut Self, Output<'_>) -> Status,
    ) -> Status {
        self.record_state();
        let status = step(self, output.reborrow());
        if let Some(recorder) = self.slot() {
            recorder.kept.ring.step(now_ns, obs, &output, &status);
        }
        status
    }

    /// A call that is no step, and its record; to this command if there is one.
    fn change(&mut self, call: Call, command: &[f32], change: impl FnOnce(&mut Self)) {
        self.record_state();
        change(self);
        if let Some(recorder) = self.slot() {
            let (now_ns, stamp_ns, status, choice) = (0, 0, RecordedStatus::default(), 0);
            recorder.kept.ring.record(&Record {
                call,
                now_ns,
                stamp_ns,
                obs: &[],
                mask: &[],
                status,
                action: command,
                choice,
            });
        }
    }

    /// The state, if a block begins with the next call.
    #[inline]
    fn record_state(&mut self) {
        if let Some(mut recorder) = self.slot().take() {
            if let Some(place) = recorder.kept.ring.begin() {
                self.exchange(&mut Snapshot::save(place));
            }
            *self.slot() = Some(recorder);
        }
    }
}

/// The options of what was recorded, as they are in a file.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum RecordedOptions {
    Guard(GuardOptions),
    Controller(ControllerOptions),
}

impl Recorder {
    pub(crate) fn new(recorded: &mut impl Recorded, options: &RecorderOptions) -> Result<Self> {
        let mut measured = Snapshot::measure();
        recorded.exchange(&mut measured);
        let (policy, recorded_options) = (recorded.recorded_policy(), recorded.recorded_options());
        let header = header(policy, recorded_options)?;
        let RecorderOptions { ticks, stop_after_fault } = *options;
        let ring = Ring::new(header.to_bytes()?, header.layout(), measured.len(), ticks, stop_after_fault);
        let ring = ring.map_err(|most| Error::Options {
            policy: policy.name().to_owned(),
            option: "ticks of the recorder".to_owned(),
            expected: format!("between 1 and {most}"),
            found: ticks.to_string(),
        })?;
        Ok(Self { kept: Box::new(Kept { policy_id: policy.id(), options: recorded_options.clone(), ring }) })
    }

    /// Empty, if it is for `recorded`.
    pub(crate) fn fresh_for(mut self, recorded: &impl Recorded) -> Result<Self> {
        let policy = recorded.recorded_policy();
        if self.kept.policy_id != policy.id() || self.kept.options != *recorded.recorded_options() {
            return Err(Error::OtherRecorder { policy: policy.name().to_owned() });
        }
        self.clear();
        Ok(self)
    }

    /// Forget everything that was recorded, and record again if it had stopped.
    ///
    /// # Real-time
    /// As a tick.
    pub fn clear(&mut self) {
        self.kept.ring.clear();
    }

    /// Calls that are kept.
    pub fn len(&self) -> usize {
        self.kept.ring.len()
    }

    /// Was nothing recorded since it was made or cleared?
    pub fn is_empty(&self) -> bool {
        self.kept.ring.is_empty()
    }

    /// Has it stopped after a fault? See [`RecorderOptions::stop_after_fault`].
    pub fn is_stopped(&self) -> bool {
        self.kept.ring.is_stopped()
    }

    /// Bytes that [`Self::dump`] gives.
    pub fn dump_len(&self) -> usize {
        self.kept.ring.parts().map(<[u8]>::len).sum::<usize>() + size_of::<u32>()
    }

    /// The file's bytes, in pieces as large as the reader asks for, without allocation: a few in each turn of a slow loop,
    /// or with `std::io::copy` all at once. Without `std`: [`Dump::read_into`].
    pub fn dump(&self) -> Dump<'_> {
        Dump::new(self)
    }

    /// Write the file: it is there as a whole or not at all.
    ///
    /// # Errors
    /// [`Error::Format`] with the system's reason: no such folder, no permission, a full disk.
    #[cfg(feature = "fs")]
    pub fn save(&self, path: &Path) -> Result<()> {
        Ok(omiga_format::atomic::write_with(path, |file| std::io::copy(&mut self.dump(), file).map(drop))?)
    }
}

/// Megabytes of bytes say nothing.
impl fmt::Debug for Recorder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut debug = f.debug_struct("Recorder");
        debug.field("len", &self.len()).field("is_stopped", &self.is_stopped()).finish_non_exhaustive()
    }
}

/// What a file says of its policy and of what was made of it.
pub(crate) fn header(policy: &Policy, options: &RecordedOptions) -> Result<RecordingHeader> {
    let contract = policy.contract().ok_or_else(|| Error::ContractNeeded { policy: policy.name().to_owned() })?;
    // What another training of the same task promises, too: transform and detector are the training's.
    let promised = PolicyContract { transform: ObsTransform::None, novelty: None, ..contract.clone() };
    let options = serde_json::to_value(options).map_err(|e| omiga_format::Error::Json {
        file: contract.agent.clone(),
        part: "options",
        reason: e.to_string(),
    })?;
    Ok(RecordingHeader {
        omiga_version: env!("CARGO_PKG_VERSION").to_owned(),
        task: contract.task.clone(),
        agent: contract.agent.clone(),
        bundle_sha256: policy.identity().map(|identity| identity.bundle_sha256.clone()),
        policy_contract_sha256: hash::of_bytes(promised.to_json()?.as_bytes()),
        engine: policy.engine(),
        obs_dim: policy.obs_dim(),
        action_dim: policy.action_dim(),
        discrete: policy.is_discrete(),
        options,
    })
}

impl From<&Status> for RecordedStatus {
    fn from(status: &Status) -> Self {
        let Status { flags, source, index, bad_fields, obs_age_ns, held_ns, lateness_ns } = *status;
        Self { flags: flags.bits(), source: source as u8, index, bad_fields, obs_age_ns, held_ns, lateness_ns }
    }
}

impl From<RecordedStatus> for Status {
    fn from(recorded: RecordedStatus) -> Self {
        let RecordedStatus { flags, source, index, bad_fields, obs_age_ns, held_ns, lateness_ns } = recorded;
        let source = match source {
            1 => Source::Policy,
            2 => Source::Held,
            3 => Source::Safe,
            _ => Source::None,
        };
        Self { flags: Flags::from_bits_retain(flags), source, index, bad_fields, obs_age_ns, held_ns, lateness_ns }
    }
}
