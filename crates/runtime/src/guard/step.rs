//! What a guard does in a step.

use super::commanded::Target;
use super::{Fallback, Guard, Observation, SafeAction, Time};
use crate::{Flags, Source, Status, StepError};

/// Where the action goes.
pub(crate) enum Output<'a> {
    Commands(&'a mut [f32]),
    Choice(&'a mut u32),
}

impl Output<'_> {
    pub(crate) fn reborrow(&mut self) -> Output<'_> {
        match self {
            Self::Commands(action) => Output::Commands(action),
            Self::Choice(action) => Output::Choice(action),
        }
    }
}

/// What is asked in a step.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Work {
    /// The policy.
    Advance,
    /// The policy, its memory staying as it is.
    Aside,
    /// Nobody: command its last action again.
    Again,
}

/// A step, seen from outside of the observation.
#[derive(Clone, Copy)]
pub(crate) struct Step {
    pub(crate) time: Time,
    pub(crate) work: Work,
    /// What is known before.
    pub(crate) flags: Flags,
    /// The next action is due then.
    pub(crate) due_in_ns: u64,
    /// Hold the last action whatever is wrong with the observation.
    pub(crate) lenient: bool,
}

impl Guard {
    /// Is the last choice one that cannot be made again, while others can?
    pub(crate) fn must_choose_anew(&self, mask: &[bool]) -> bool {
        let known = self.policy.is_discrete() && mask.len() == self.policy.action_dim();
        known && mask.contains(&true) && !self.allows(mask, self.commanded.choice())
    }

    /// A whole step, at a time that was told and for an output that was checked.
    pub(crate) fn run(&mut self, obs: Observation<'_>, output: Output<'_>, step: Step) -> Status {
        let mut status = Status { flags: step.flags, ..Status::default() };
        self.commanded.pass(step.time.elapsed_ns);
        if step.flags.contains(Flags::GAP) {
            self.restart();
        }
        let new = self.check(step.time, obs, &mut status);
        self.declare(&mut status);
        if status.is_ok() && self.latch.is_shut_for(new) {
            status.flags |= Flags::LATCHED | Flags::DECLARED;
        }
        if status.is_ok() {
            self.decide(obs, step.work, &mut status);
        }
        if status.is_ok() {
            self.command(output, step, &mut status);
        } else {
            self.fall_back(obs.mask, output, step, &mut status);
        }
        status
    }

    /// Reports may be faults.
    fn declare(&self, status: &mut Status) {
        if status.flags.intersects(self.limits.fault_on) {
            status.flags |= Flags::DECLARED;
        }
    }

    /// Everything that is known before the policy is asked. Is it a new observation?
    fn check(&mut self, time: Time, obs: Observation<'_>, status: &mut Status) -> bool {
        let discrete = self.policy.is_discrete();
        if obs.mask.len() != if discrete { self.policy.action_dim() } else { 0 } {
            status.flags |= Flags::MASK_WIDTH;
        } else if discrete && !obs.mask.contains(&true) {
            status.flags |= Flags::NO_ACTION_AVAILABLE;
        }
        if obs.values.len() != self.clamped.len() {
            status.flags |= Flags::OBS_WIDTH;
        } else if !self.limits.obs.hold(obs.values) {
            self.check_fields(obs.values, status);
        }
        // A wrong time makes no statement about an age.
        let new = time.right && self.check_stamp(time.now_ns, obs.stamp_ns, status);
        let is_vector = !status.flags.intersects(Flags::OBS_WIDTH | Flags::OBS_NOT_FINITE);
        if let Some((watch, detector)) = self.watch.as_mut().filter(|_| is_vector).zip(self.policy.novelty()) {
            watch.see(detector, obs.values, new, status);
        }
        new
    }

    fn check_stamp(&mut self, now_ns: u64, stamp_ns: u64, status: &mut Status) -> bool {
        status.obs_age_ns = now_ns.saturating_sub(stamp_ns);
        status.flags.set(Flags::OBS_STALE, status.obs_age_ns > self.limits.max_obs_age_ns);
        if stamp_ns.saturating_sub(now_ns) > self.limits.max_future_ns {
            status.flags |= Flags::OBS_FROM_FUTURE;
            return false;
        }
        let last_ns = self.last_stamp_ns.unwrap_or(stamp_ns);
        let new = self.last_stamp_ns.is_none() || stamp_ns > last_ns;
        status.flags.set(Flags::OBS_OUT_OF_ORDER, stamp_ns < last_ns);
        self.last_stamp_ns = Some(stamp_ns.max(last_ns));
        new
    }

    /// Say what is wrong with each, and clamp those that are to be.
    fn check_fields(&mut self, values: &[f32], status: &mut Status) {
        let limits = &self.limits.obs;
        let ranges = limits.low.iter().zip(&limits.high);
        for (index, ((given, value), (low, high))) in self.clamped.iter_mut().zip(values).zip(ranges).enumerate() {
            *given = value.max(*low).min(*high);
            if let Some(flag) = limits.fault(index, *value) {
                status.note(flag, index);
                status.bad_fields = status.bad_fields.saturating_add(1);
            }
        }
    }

    /// Is there an action of the policy, and if not, why not?
    fn decide(&mut self, obs: Observation<'_>, work: Work, status: &mut Status) {
        let target = if work == Work::Again {
            if self.policy.is_discrete() && !self.allows(obs.mask, self.commanded.choice()) {
                self.forbid(obs.mask, self.commanded.choice(), status);
            }
            Target::Made
        } else {
            self.ask(obs, work == Work::Aside, status);
            Target::At(&self.wanted)
        };
        if status.is_ok() {
            self.commanded.plan(target, self.limits.commands.rates.as_deref(), self.limits.max_step_ns, status);
            self.declare(status);
        }
    }

    /// Ask the policy and check what it says.
    fn ask(&mut self, obs: Observation<'_>, aside: bool, status: &mut Status) {
        if aside {
            self.aside.copy_from(&self.state);
        }
        let state = if aside { &mut self.aside } else { &mut self.state };
        let given = if status.flags.contains(Flags::OBS_CLAMPED) { &self.clamped } else { obs.values };
        let answer = match self.policy.is_discrete() {
            false => self.policy.step(state, given, &mut self.wanted),
            true => self.policy.choose(state, given, obs.mask).and_then(|choice| {
                self.wanted_choice = u32::try_from(choice).map_err(|_| StepError::Engine)?;
                Ok(())
            }),
        };
        if let Err(error) = answer {
            return status.refuse(error);
        }
        let bounds = self.limits.commands.low.iter().zip(&self.limits.commands.high);
        for (index, (x, (low, high))) in self.wanted.iter().zip(bounds).enumerate() {
            if *x < *low || *x > *high {
                status.note(Flags::ACTION_OUT_OF_BOUNDS, index);
            }
        }
    }

    /// Command what the policy wants, or the last that it made.
    fn command(&mut self, output: Output<'_>, step: Step, status: &mut Status) {
        status.source = Source::Policy;
        if step.work == Work::Again {
            status.held_ns = self.commanded.age_ns().unwrap_or(0);
        } else {
            self.commanded.make(&self.wanted, self.wanted_choice, step.due_in_ns);
        }
        match output {
            Output::Commands(action) => self.commanded.follow(action),
            Output::Choice(action) => {
                self.commanded.choose(true);
                *action = self.commanded.choice();
            }
        }
    }

    /// Command what the options say for when there is no action of the policy.
    fn fall_back(&mut self, mask: &[bool], output: Output<'_>, step: Step, status: &mut Status) {
        if !step.time.right || status.flags.contains(Flags::CLOCK_STALLED) {
            self.commanded.release();
        }
        let held = match self.limits.fallback {
            _ if step.lenient => self.commanded.held(u64::MAX),
            Fallback::HoldThenSafe { hold_ns, .. } => self.commanded.held(hold_ns),
            _ => None,
        };
        match (output, held) {
            (Output::Commands(action), Some(age_ns)) => {
                (status.source, status.held_ns) = (Source::Held, age_ns);
                self.commanded.tell(action);
            }
            (Output::Choice(action), Some(age_ns)) if self.allows(mask, self.commanded.choice()) => {
                (status.source, status.held_ns) = (Source::Held, age_ns);
                *action = self.commanded.choice();
            }
            (output, _) => self.be_safe(mask, output, status),
        }
        if !status.flags.contains(Flags::LATCHED) {
            self.latch.bad();
            if status.source != Source::Held {
                self.latch.shut();
            }
        }
    }

    fn be_safe(&mut self, mask: &[bool], output: Output<'_>, status: &mut Status) {
        match (self.limits.fallback.safe(), output) {
            (Some(SafeAction::Commands(safe)), Output::Commands(action)) => {
                let rates = self.limits.commands.safe_rates.as_deref();
                let rates = rates.filter(|_| !status.flags.intersects(Flags::NO_CLOCK));
                self.commanded.plan(Target::At(safe), rates, self.limits.max_step_ns, status);
                self.commanded.retreat(action);
                status.source = Source::Safe;
            }
            (Some(SafeAction::Choice(safe)), Output::Choice(action)) if self.allows(mask, *safe) => {
                *action = *safe;
                self.commanded.choose(false);
                status.source = Source::Safe;
            }
            (Some(SafeAction::Choice(safe)), Output::Choice(_)) => self.forbid(mask, *safe, status),
            _ => {}
        }
    }

    fn allows(&self, mask: &[bool], choice: u32) -> bool {
        let available = usize::try_from(choice).ok().and_then(|choice| mask.get(choice));
        mask.len() == self.policy.action_dim() && available == Some(&true)
    }

    /// Say why this choice is not allowed.
    fn forbid(&self, mask: &[bool], choice: u32, status: &mut Status) {
        if mask.len() == self.policy.action_dim() {
            status.note(Flags::ACTION_NOT_AVAILABLE, usize::try_from(choice).unwrap_or(usize::MAX));
        } else {
            status.flags |= Flags::MASK_WIDTH;
        }
    }
}
