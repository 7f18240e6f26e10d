//! What happens in a tick: the newest samples in, a command out, everything counted. No network, no clock, no waiting.

use omiga_runtime::{Flags, Observation, Source, Stats, Status};

use crate::bind::Target;
use crate::clock::Now;
use crate::histogram::Histogram;
use crate::input::Sample;
use crate::latest::{Reader, Writer};
use crate::record::Recording;
use crate::seat::{BundleHash, Driver, Seat, copy};

/// An action on its way to the network.
#[derive(Clone, Debug)]
pub(crate) struct Command {
    pub(crate) sequence: i64,
    pub(crate) stamp_unix_ns: i64,
    /// 0 if there was none.
    pub(crate) obs_stamp_unix_ns: i64,
    pub(crate) source: Source,
    pub(crate) bundle: BundleHash,
    pub(crate) numbers: Box<[f32]>,
}

impl Command {
    /// None yet, of so many numbers.
    pub(crate) fn empty(numbers: usize) -> Self {
        let numbers = vec![0.0; numbers].into_boxed_slice();
        Self { sequence: 0, stamp_unix_ns: 0, obs_stamp_unix_ns: 0, source: Source::None, bundle: [b'0'; 64], numbers }
    }
}

/// How the loop is doing, for whoever asks.
#[derive(Clone, Debug)]
pub(crate) struct Tally {
    pub(crate) now_ns: u64,
    pub(crate) status: Status,
    /// Every input was heard.
    pub(crate) observed: bool,
    pub(crate) stats: Stats,
    pub(crate) sequence: i64,
    pub(crate) bundle: BundleHash,
    pub(crate) on_trial: bool,
    /// All faults since the start.
    pub(crate) faults: Flags,
    /// Ticks by the source of their action, in the order of `Source`.
    pub(crate) sources: [u64; 4],
    /// Oldest observation that the policy acted on.
    pub(crate) max_acted_age_ns: u64,
    /// How long after its time a tick came.
    pub(crate) lateness: Histogram,
    /// From the begin of a tick to the command's being on its way.
    pub(crate) work: Histogram,
    /// Of the policy that looks on, if there is one.
    pub(crate) shadow: Option<BundleHash>,
    /// Ticks in which both policies acted.
    pub(crate) compared: u64,
    /// `[A]`, by how much it differed: see `Shadow`.
    pub(crate) differences: Box<[f32]>,
}

impl Tally {
    pub(crate) fn new(driver: &Driver) -> Self {
        let numbers = driver.numbers.len();
        Self {
            now_ns: 0,
            status: Status::default(),
            observed: false,
            stats: driver.controller.stats(),
            sequence: 0,
            bundle: driver.bundle,
            on_trial: false,
            faults: Flags::empty(),
            sources: [0; 4],
            max_acted_age_ns: 0,
            lateness: Histogram::default(),
            work: Histogram::default(),
            shadow: None,
            compared: 0,
            differences: vec![0.0; numbers].into_boxed_slice(),
        }
    }

    /// As an assignment, without memory.
    fn copy_to(&self, to: &mut Self) {
        let mut differences = std::mem::take(&mut to.differences);
        copy(&mut differences, &self.differences);
        *to = Self { differences, ..*self };
    }
}

/// A stream and where its numbers go.
pub(crate) struct Heard {
    pub(crate) reader: Reader<Sample>,
    pub(crate) targets: Box<[Target]>,
    /// Of its newest sample, on the loop's clock and as the sender said it; 0 before the first.
    pub(crate) stamp: (u64, i64),
}

pub(crate) struct Ticker {
    pub(crate) seat: Seat,
    pub(crate) inputs: Box<[Heard]>,
    /// `[O]`: NaN until it was heard.
    pub(crate) obs: Box<[f32]>,
    /// `[A]` of a choice: false until it was heard, if masks are heard at all.
    pub(crate) mask: Box<[bool]>,
    pub(crate) commands: Writer<Command>,
    pub(crate) tally: Tally,
    pub(crate) tallies: Writer<Tally>,
    /// Time between two tallies.
    pub(crate) tally_ns: u64,
    pub(crate) tallied_ns: u64,
    pub(crate) recording: Option<Recording>,
}

impl Ticker {
    /// One tick, due at `due_ns`. True if there is a command to send.
    ///
    /// # Real-time
    /// Allocates nothing, takes no lock that can be held, reads no clock and cannot panic.
    pub(crate) fn tick(&mut self, now: Now, due_ns: u64) -> bool {
        self.tally.lateness.add(now.ns.saturating_sub(due_ns));
        self.hear();
        let (stamp_ns, stamp_unix_ns) = oldest(&self.inputs);
        self.tally.observed = stamp_ns > 0;
        let obs = Observation { values: &self.obs, stamp_ns, mask: &self.mask };
        let status = self.seat.tick(now.ns, obs);
        self.tally.sequence += 1;
        let times = (now, stamp_unix_ns);
        tell(&mut self.commands, self.tally.sequence, times, &status, &self.seat.driver);
        if let Some(recording) = &mut self.recording {
            recording.record(now, self.tally.sequence, obs, &status, &self.seat.driver);
        }
        self.count(now.ns, &status);
        status.has_action()
    }

    /// Command what somebody else than the seat has decided, at the end.
    pub(crate) fn tell(&mut self, now: Now, status: &Status, driver: &Driver) {
        self.tally.sequence += 1;
        tell(&mut self.commands, self.tally.sequence, (now, 0), status, driver);
        if let Some(recording) = &mut self.recording {
            let (stamp_ns, _) = oldest(&self.inputs);
            let obs = Observation { values: &self.obs, stamp_ns, mask: &self.mask };
            recording.record(now, self.tally.sequence, obs, status, driver);
        }
        self.count(now.ns, status);
    }

    /// What need not be done before the command is sent; the tick took `work_ns` until then.
    ///
    /// # Real-time
    /// As a tick.
    pub(crate) fn after(&mut self, now_ns: u64, work_ns: u64) {
        self.tally.work.add(work_ns);
        let (stamp_ns, _) = oldest(&self.inputs);
        let obs = Observation { values: &self.obs, stamp_ns, mask: &self.mask };
        self.seat.look_on(now_ns, obs, self.tally.status.source);
        if now_ns.saturating_sub(self.tallied_ns) >= self.tally_ns {
            self.tallied_ns = now_ns;
            self.give_tally();
        }
    }

    /// The newest sample of each stream, if there is a new one.
    fn hear(&mut self) {
        let (obs, mask) = (&mut self.obs, &mut self.mask);
        for Heard { reader, targets, stamp } in &mut self.inputs {
            let _: Option<()> = reader.fresh(|sample| {
                *stamp = (sample.stamp_ns, sample.stamp_unix_ns);
                for (target, value) in targets.iter().zip(&sample.values) {
                    match target {
                        Target::Obs(i) => obs.get_mut(*i).into_iter().for_each(|field| *field = *value),
                        // What is no number is no yes.
                        Target::Mask(i) => {
                            let yes = *value != 0.0 && !value.is_nan();
                            mask.get_mut(*i).into_iter().for_each(|available| *available = yes);
                        }
                    }
                }
            });
        }
    }

    fn count(&mut self, now_ns: u64, status: &Status) {
        let tally = &mut self.tally;
        (tally.now_ns, tally.status) = (now_ns, *status);
        tally.faults |= status.flags & Flags::FAULTS;
        if let Some(count) = tally.sources.get_mut(status.source as usize) {
            *count += 1;
        }
        if status.source == Source::Policy {
            tally.max_acted_age_ns = tally.max_acted_age_ns.max(status.obs_age_ns);
        }
    }

    /// For whoever asks.
    pub(crate) fn give_tally(&mut self) {
        let tally = &mut self.tally;
        (tally.stats, tally.bundle) = (self.seat.driver.controller.stats(), self.seat.driver.bundle);
        tally.on_trial = self.seat.is_on_trial();
        tally.shadow = self.seat.shadow.as_ref().map(|shadow| shadow.driver.bundle);
        if let Some(shadow) = &self.seat.shadow {
            tally.compared = shadow.compared;
            copy(&mut tally.differences, &shadow.differences);
        }
        self.tallies.write(|to| tally.copy_to(to));
    }
}

/// The observation is as old as the oldest of what it is made of.
fn oldest(inputs: &[Heard]) -> (u64, i64) {
    inputs.iter().map(|input| input.stamp).min().unwrap_or_default()
}

/// An action on its way, if there is one.
fn tell(commands: &mut Writer<Command>, sequence: i64, times: (Now, i64), status: &Status, driver: &Driver) {
    let (now, obs_stamp_unix_ns) = times;
    if !status.has_action() {
        return;
    }
    commands.write(|command| {
        (command.sequence, command.stamp_unix_ns) = (sequence, now.unix_ns);
        command.obs_stamp_unix_ns = obs_stamp_unix_ns;
        (command.source, command.bundle) = (status.source, driver.bundle);
        copy(&mut command.numbers, &driver.numbers);
    });
}
