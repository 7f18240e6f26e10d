//! What has been commanded so far: where a rate limit starts and what can be held.

use alloc::vec::Vec;

use crate::recorder::Snapshot;
use crate::{Flags, Status};

/// The last command, and the last one that was the policy's.
#[derive(Clone, Debug)]
pub(super) struct Commanded {
    /// `[A]`, what the actuators were told last, before it was rounded to f32: a rate may be less than a step of f32 a tick.
    position: Vec<f64>,
    /// Has anything been commanded yet?
    known: bool,
    /// Since then.
    idle_ns: u64,
    /// `[A]`, where the next command comes to.
    next: Vec<f64>,
    /// `[A]`, the policy's last action.
    made: Vec<f32>,
    made_choice: u32,
    /// Since it was made; `None`: never.
    age_ns: Option<u64>,
    /// The age at which the next one is due.
    due_age_ns: u64,
    /// Nothing but the policy's own actions were commanded since.
    holdable: bool,
}

/// Where commands are to go.
#[derive(Clone, Copy)]
pub(super) enum Target<'a> {
    /// To the policy's last action.
    Made,
    /// Here, `[A]`.
    At(&'a [f32]),
}

impl Commanded {
    /// `commands` is 0 if discrete.
    pub(super) fn new(commands: usize) -> Self {
        Self {
            position: vec![0.0; commands],
            known: false,
            idle_ns: 0,
            next: vec![0.0; commands],
            made: vec![0.0; commands],
            made_choice: 0,
            age_ns: None,
            due_age_ns: 0,
            holdable: false,
        }
    }

    /// What belongs to a snapshot.
    pub(super) fn exchange(&mut self, snapshot: &mut Snapshot<'_>) {
        // Planned and commanded in the same step.
        let Self { next: _, position, known, idle_ns, made, made_choice, age_ns, due_age_ns, holdable } = self;
        position.iter_mut().for_each(|x| snapshot.f64(x));
        snapshot.bool(known);
        snapshot.u64(idle_ns);
        made.iter_mut().for_each(|x| snapshot.f32(x));
        snapshot.u32(made_choice);
        snapshot.option(age_ns, Snapshot::u64);
        snapshot.u64(due_age_ns);
        snapshot.bool(holdable);
    }

    /// Forget the policy's actions and all times. The actuators are still where they are.
    pub(super) fn reset(&mut self) {
        (self.idle_ns, self.age_ns, self.holdable) = (0, None, false);
    }

    /// The actuators may be anywhere.
    pub(super) fn forget_position(&mut self) {
        self.known = false;
    }

    /// The actuators are at `command`, `[A]`, which can be held as an action can; what is beyond the bounds counts as the
    /// bound.
    pub(super) fn start_from(&mut self, command: &[f32], low: &[f32], high: &[f32]) {
        let inside = command.iter().zip(low).zip(high).map(|((x, low), high)| x.max(*low).min(*high));
        for ((position, made), x) in self.position.iter_mut().zip(&mut self.made).zip(inside) {
            (*position, *made) = (x.into(), x);
        }
        (self.known, self.idle_ns) = (true, 0);
        (self.age_ns, self.due_age_ns, self.holdable) = (Some(0), 0, true);
    }

    /// Time passes.
    pub(super) fn pass(&mut self, elapsed_ns: u64) {
        self.idle_ns = self.idle_ns.saturating_add(elapsed_ns);
        self.age_ns = self.age_ns.map(|age_ns| age_ns.saturating_add(elapsed_ns));
    }

    /// Age of the policy's last action, if it may be held for `hold_ns` after the next one was due.
    pub(super) fn held(&self, hold_ns: u64) -> Option<u64> {
        self.age_ns.filter(|age_ns| self.holdable && age_ns.saturating_sub(self.due_age_ns) <= hold_ns)
    }

    /// Nothing is held until the policy has acted again.
    pub(super) fn release(&mut self) {
        self.holdable = false;
    }

    /// Age of the policy's last action.
    pub(super) fn age_ns(&self) -> Option<u64> {
        self.age_ns
    }

    /// The policy's last choice.
    pub(super) fn choice(&self) -> u32 {
        self.made_choice
    }

    /// Find out where the next command comes to on its way, at these rates (free: none) and if no more than `max_step_ns`
    /// have passed, and say how it falls short.
    pub(super) fn plan(&mut self, target: Target<'_>, rates: Option<&[f32]>, max_step_ns: u64, status: &mut Status) {
        let target = match target {
            Target::Made => self.made.as_slice(),
            Target::At(target) => target,
        };
        let Some(rates) = rates else {
            return self.next.iter_mut().zip(target).for_each(|(next, x)| *next = (*x).into());
        };
        let seconds = self.idle_ns.min(max_step_ns) as f64 / 1e9;
        let fields = self.next.iter_mut().zip(&self.position).zip(target).zip(rates).enumerate();
        for (index, (((next, position), wanted), rate)) in fields {
            *next = match (rate.is_infinite(), self.known) {
                (true, _) => (*wanted).into(),
                (false, true) => approach(*position, *wanted, f64::from(*rate) * seconds),
                (false, false) => {
                    status.flags |= Flags::RATE_UNKNOWN;
                    (*wanted).into()
                }
            };
            if *next as f32 != *wanted {
                status.note(Flags::RATE_LIMITED, index);
            }
        }
    }

    /// Command what was planned: the policy's, made now or before.
    pub(super) fn follow(&mut self, action: &mut [f32]) {
        self.position.iter_mut().zip(&self.next).for_each(|(position, next)| *position = *next);
        self.holdable = true;
        self.tell(action);
    }

    /// Command what was planned on the way to the safe action.
    pub(super) fn retreat(&mut self, action: &mut [f32]) {
        self.follow(action);
        self.holdable = false;
    }

    /// Command what was commanded last: the policy's, if it may be held.
    pub(super) fn tell(&mut self, action: &mut [f32]) {
        (self.known, self.idle_ns) = (true, 0);
        action.iter_mut().zip(&self.position).for_each(|(command, x)| *command = *x as f32);
    }

    /// The policy made these, `[A]`, or this choice now; the next one is due in `due_in_ns`.
    pub(super) fn make(&mut self, commands: &[f32], choice: u32, due_in_ns: u64) {
        self.made.iter_mut().zip(commands).for_each(|(made, x)| *made = *x);
        (self.made_choice, self.age_ns, self.due_age_ns) = (choice, Some(0), due_in_ns);
    }

    /// The policy's last choice was commanded, or the safe one.
    pub(super) fn choose(&mut self, policys: bool) {
        self.holdable = policys;
    }
}

/// `wanted`, or what is `most` away from `position` on the way there.
fn approach(position: f64, wanted: f32, most: f64) -> f64 {
    let way = f64::from(wanted) - position;
    if way.abs() <= most { wanted.into() } else { position + most.copysign(way) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::{RngExt as _, SeedableRng as _};
    use rand_chacha::ChaCha8Rng;

    fn check(position: f64, wanted: f32, most: f64, expected: f64) {
        assert_eq!(approach(position, wanted, most), expected);
        assert_eq!(approach(-position, -wanted, most), -expected);
    }

    #[test]
    fn a_command_goes_as_far_as_it_may() {
        check(0.0, 1.0, 0.25, 0.25);
        check(0.0, 0.2, 0.25, 0.2_f32.into());
        check(1.0, -1.0, 0.0, 1.0);
        check(-3.0, 3.0, f64::INFINITY, 3.0);
        check(f32::MIN.into(), f32::MAX, f64::INFINITY, f32::MAX.into());
        // No f32.
        check(1.0, 2.0, 1e-12, 1.0 + 1e-12);
    }

    /// Command `wanted` after so much time, and the flags.
    fn step(commanded: &mut Commanded, elapsed_ns: u64, wanted: &[f32], rates: &[f32]) -> (Vec<f32>, Status) {
        let (mut status, mut command) = (Status::default(), vec![f32::NAN; wanted.len()]);
        commanded.pass(elapsed_ns);
        commanded.plan(Target::At(wanted), Some(rates), u64::MAX, &mut status);
        commanded.make(wanted, 0, 0);
        commanded.follow(&mut command);
        (command, status)
    }

    fn at(start: &[f32]) -> Commanded {
        let mut commanded = Commanded::new(start.len());
        commanded.start_from(start, &vec![f32::MIN; start.len()], &vec![f32::MAX; start.len()]);
        commanded
    }

    /// Where a limit of `max_rate` a second leads from `start` towards `wanted` in 10 s of ticks of `tick_ns`.
    fn after_ten_seconds(start: f32, wanted: f32, max_rate: f32, tick_ns: u64) -> f32 {
        let (mut commanded, mut before) = (at(&[start]), start);
        for _ in 1..=10_000_000_000 / tick_ns {
            let (command, _) = step(&mut commanded, tick_ns, &[wanted], &[max_rate]);
            assert!(command[0] >= before && command[0] <= wanted, "{before} {}", command[0]);
            before = command[0];
        }
        before
    }

    /// Also where a tick's share is less than half of the distance between two f32: 0.06 at a million, 3e-5 at 300.
    #[test]
    fn a_rate_is_the_same_for_every_rate_of_ticks() {
        for tick_ns in [10_000_000_000, 100_000_000, 1_000_000, 100_000] {
            assert_eq!(after_ten_seconds(1e6, 1.1e6, 50.0, tick_ns), 1_000_500.0, "{tick_ns}");
            assert_eq!(after_ten_seconds(300.0, 310.0, 0.1, tick_ns), 301.0, "{tick_ns}");
        }
    }

    #[test]
    fn a_command_is_never_further_than_its_rate_and_half_a_step_of_f32() {
        let mut rng = ChaCha8Rng::seed_from_u64(11);
        for _ in 0..2_000 {
            let mut draw = || rng.random_range(-1.0_f32..1.0) * 10.0_f32.powi(rng.random_range(-20..20));
            let (start, wanted, max_rate) = (draw(), draw(), draw().abs());
            let (mut commanded, mut passed_ns) = (at(&[start]), 0_u64);
            for _ in 0..20 {
                let elapsed_ns = rng.random_range(0..1_000_000_000);
                passed_ns += elapsed_ns;
                let (command, _) = step(&mut commanded, elapsed_ns, &[wanted], &[max_rate]);
                let gone = f64::from(command[0]) - f64::from(start);
                let most = f64::from(max_rate) * (passed_ns as f64 / 1e9);
                let step = f64::from(command[0].next_up()) - f64::from(command[0].next_down());
                assert!(gone.abs() <= most * (1.0 + 1e-12) + step, "{start} {wanted} {max_rate} {command:?}");
                let (low, high) = (start.min(wanted), start.max(wanted));
                assert!((low..=high).contains(&command[0]), "{start} {wanted} {max_rate} {command:?}");
            }
        }
    }

    /// A limit of 10 a second on the first of two commands.
    #[test]
    fn the_limit_starts_at_the_last_command() {
        const RATES: [f32; 2] = [10.0, f32::INFINITY];
        const MS: u64 = 1_000_000;
        let mut commanded = Commanded::new(2);
        let check = |commanded: &mut Commanded, ms: u64, wanted: [f32; 2], expected: [f32; 2], flags| {
            let (command, status) = step(commanded, ms * MS, &wanted, &RATES);
            assert_eq!((command.as_slice(), status.flags), (expected.as_slice(), flags));
            assert_eq!(status.index, if flags == Flags::RATE_LIMITED { 0 } else { u32::MAX });
        };
        let limited = Flags::RATE_LIMITED;
        check(&mut commanded, 7, [4.0, 4.0], [4.0, 4.0], Flags::RATE_UNKNOWN);
        check(&mut commanded, 100, [0.0, -4.0], [3.0, -4.0], limited);
        check(&mut commanded, 0, [0.0, 0.0], [3.0, 0.0], limited);
        // A safe action at once, and the way back.
        let (mut status, mut command) = (Status::default(), [f32::NAN; 2]);
        commanded.plan(Target::At(&[-5.0, 0.0]), None, 0, &mut status);
        commanded.retreat(&mut command);
        assert_eq!((command, status), ([-5.0, 0.0], Status::default()));
        check(&mut commanded, 100, [0.0, 0.0], [-4.0, 0.0], limited);
        // After a long time no more than `max_step_ns` counts.
        commanded.pass(u64::MAX);
        commanded.plan(Target::At(&[0.0; 2]), Some(&RATES), 50 * MS, &mut status);
        commanded.follow(&mut command);
        assert_eq!(command, [-3.5, 0.0]);
        // A reset forgets the time alone.
        commanded.reset();
        check(&mut commanded, 0, [0.0, 0.0], [-3.5, 0.0], limited);
        commanded.start_from(&[7.0, 0.0], &[-5.0; 2], &[5.0; 2]);
        check(&mut commanded, 0, [0.0, 0.0], [5.0, 0.0], limited);
        // On the way, held, and there.
        commanded.pass(200 * MS);
        commanded.plan(Target::Made, Some(&RATES), u64::MAX, &mut status);
        commanded.follow(&mut command);
        assert_eq!(command, [3.0, 0.0]);
        commanded.pass(100 * MS);
        commanded.tell(&mut command);
        assert_eq!(command, [3.0, 0.0]);
        check(&mut commanded, 300, [0.0, 0.0], [0.0, 0.0], Flags::empty());
        commanded.forget_position();
        check(&mut commanded, 1, [5.0, 0.0], [5.0, 0.0], Flags::RATE_UNKNOWN);
    }

    #[test]
    fn only_what_nothing_else_followed_is_held() {
        let mut commanded = Commanded::new(0);
        assert_eq!(commanded.held(u64::MAX), None);
        commanded.make(&[], 3, 10);
        commanded.choose(true);
        commanded.pass(15);
        assert_eq!((commanded.held(5), commanded.held(4), commanded.choice()), (Some(15), None, 3));
        commanded.choose(false);
        assert_eq!((commanded.held(50), commanded.age_ns()), (None, Some(15)));
        commanded.choose(true);
        assert_eq!(commanded.held(50), Some(15));
        commanded.reset();
        assert_eq!((commanded.held(50), commanded.age_ns()), (None, None));
    }
}
