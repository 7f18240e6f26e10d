//! What has been commanded so far: where a rate limit starts and what can be held.

use super::limits::CommandLimit;
use crate::{Flags, Status};

/// The last command, and the last one that was the policy's.
#[derive(Clone, Debug)]
pub(super) struct Commanded {
    /// `[A]`, what the actuators were told last, before it was rounded to f32: a rate may be less than a step of f32 a tick.
    position: Vec<f64>,
    position_at: At,
    /// `[A]`, the policy's last action.
    made: Vec<f32>,
    made_choice: u32,
    made_ns: Option<u64>,
    /// Nothing but the policy's own actions were commanded since.
    holdable: bool,
}

/// When something was commanded.
#[derive(Clone, Copy, Debug)]
enum At {
    /// Not at all.
    Never,
    /// At some time in the past, told by [`Commanded::start_from`].
    Unknown,
    Time(u64),
}

impl Commanded {
    /// `commands` is 0 if discrete.
    pub(super) fn new(commands: usize) -> Self {
        Self {
            position: vec![0.0; commands],
            position_at: At::Never,
            made: vec![0.0; commands],
            made_choice: 0,
            made_ns: None,
            holdable: false,
        }
    }

    pub(super) fn reset(&mut self) {
        (self.position_at, self.made_ns, self.holdable) = (At::Never, None, false);
    }

    /// The actuators are at `command`, `[A]`; what is beyond the bounds counts as the bound.
    pub(super) fn start_from(&mut self, command: &[f32], limits: &[CommandLimit]) {
        self.reset();
        for ((position, x), limit) in self.position.iter_mut().zip(command).zip(limits) {
            *position = x.max(limit.range.low).min(limit.range.high).into();
        }
        self.position_at = At::Unknown;
    }

    /// After a gap the last command counts as at most this old, so that the first step moves no further than others.
    pub(super) fn forget_time_before(&mut self, ns: u64) {
        if let At::Time(at) = self.position_at {
            self.position_at = At::Time(at.max(ns));
        }
    }

    /// Age of the policy's last action, if that is what may be held for `hold_ns`.
    pub(super) fn held(&self, now_ns: u64, hold_ns: u64) -> Option<u64> {
        self.age(now_ns).filter(|age| self.holdable && *age <= hold_ns)
    }

    /// Nothing is held until the policy has acted again.
    pub(super) fn release(&mut self) {
        self.holdable = false;
    }

    /// Age of the policy's last action.
    pub(super) fn age(&self, now_ns: u64) -> Option<u64> {
        self.made_ns.map(|made| now_ns.saturating_sub(made))
    }

    /// The policy's last choice.
    pub(super) fn choice(&self) -> u32 {
        self.made_choice
    }

    /// Command what the policy made now, as far as the rates allow.
    pub(super) fn policy(
        &mut self,
        now_ns: u64,
        made: &[f32],
        limits: &[CommandLimit],
        status: &mut Status,
        action: &mut [f32],
    ) {
        self.made.iter_mut().zip(made).for_each(|(made, x)| *made = *x);
        self.made_ns = Some(now_ns);
        self.repeat(now_ns, limits, status, action);
    }

    /// Command the policy's last action again, now as far as the rates allow.
    pub(super) fn repeat(&mut self, now_ns: u64, limits: &[CommandLimit], status: &mut Status, action: &mut [f32]) {
        let elapsed_ns = match self.position_at {
            At::Never => None,
            At::Unknown => Some(0),
            At::Time(at) => Some(now_ns.saturating_sub(at)),
        };
        let fields = self.position.iter_mut().zip(&self.made).zip(limits).zip(action).enumerate();
        for (index, (((position, made), limit), command)) in fields {
            let most = elapsed_ns.map_or(f64::INFINITY, |ns| most(limit.max_rate, ns));
            *position = approach(*position, *made, most);
            *command = *position as f32;
            if *command != *made {
                status.note(Flags::RATE_LIMITED, index);
            }
        }
        self.position_at = At::Time(now_ns);
        self.holdable = true;
    }

    /// Command what was commanded last: the policy's, if it may be held.
    pub(super) fn hold(&mut self, now_ns: u64, action: &mut [f32]) {
        self.position_at = At::Time(now_ns);
        action.iter_mut().zip(&self.position).for_each(|(command, x)| *command = *x as f32);
    }

    /// The policy chose this now.
    pub(super) fn policy_choice(&mut self, now_ns: u64, choice: u32) {
        (self.made_choice, self.made_ns, self.holdable) = (choice, Some(now_ns), true);
    }

    /// The policy's last choice was commanded again.
    pub(super) fn repeat_choice(&mut self) {
        self.holdable = true;
    }

    /// The safe action `[A]`, empty if discrete, was commanded.
    pub(super) fn safe(&mut self, now_ns: u64, safe: &[f32]) {
        self.position.iter_mut().zip(safe).for_each(|(position, x)| *position = (*x).into());
        self.position_at = At::Time(now_ns);
        self.holdable = false;
    }
}

/// Largest change in this time.
fn most(max_rate: f32, elapsed_ns: u64) -> f64 {
    if max_rate.is_infinite() { f64::INFINITY } else { f64::from(max_rate) * (elapsed_ns as f64 / 1e9) }
}

/// `wanted`, or what is `most` away from `position` on the way there.
fn approach(position: f64, wanted: f32, most: f64) -> f64 {
    let way = f64::from(wanted) - position;
    if way.abs() <= most { wanted.into() } else { position + most.copysign(way) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use omiga_format::Range;
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

    /// Where a limit of `max_rate` a second leads from `start` towards `wanted` in 10 s of ticks of `tick_ns`.
    fn after_ten_seconds(start: f32, wanted: f32, max_rate: f32, tick_ns: u64) -> f32 {
        let limits = [CommandLimit { range: Range::new(f32::MIN, f32::MAX), max_rate }];
        let (mut commanded, mut command) = (Commanded::new(1), [f32::NAN]);
        commanded.safe(0, &[start]);
        for tick in 1..=10_000_000_000 / tick_ns {
            let before = command[0];
            commanded.policy(tick * tick_ns, &[wanted], &limits, &mut Status::default(), &mut command);
            assert!(tick == 1 || (command[0] >= before && command[0] <= wanted), "{before} {}", command[0]);
        }
        command[0]
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
            let limits = [CommandLimit { range: Range::new(f32::MIN, f32::MAX), max_rate }];
            let (mut commanded, mut command) = (Commanded::new(1), [0.0]);
            commanded.safe(0, &[start]);
            let mut now_ns = 0_u64;
            for _ in 0..20 {
                now_ns += rng.random_range(0..1_000_000_000);
                commanded.policy(now_ns, &[wanted], &limits, &mut Status::default(), &mut command);
                let (gone, most) = (f64::from(command[0]) - f64::from(start), most(max_rate, now_ns));
                let step = f64::from(command[0].next_up()) - f64::from(command[0].next_down());
                assert!(gone.abs() <= most * (1.0 + 1e-12) + step, "{start} {wanted} {max_rate} {now_ns} {command:?}");
                let (low, high) = (start.min(wanted), start.max(wanted));
                assert!((low..=high).contains(&command[0]), "{start} {wanted} {max_rate} {now_ns} {command:?}");
            }
        }
    }

    /// A limit of 10 a second on the first of two commands, both in [-5, 5].
    #[test]
    fn the_limit_starts_at_the_last_command() {
        let limit = |max_rate| CommandLimit { range: Range::new(-5.0, 5.0), max_rate };
        let limits = [limit(10.0), limit(f32::INFINITY)];
        let mut commanded = Commanded::new(2);
        let step = |c: &mut Commanded, ms: u64, wanted: [f32; 2]| {
            let mut status = Status::default();
            let mut command = vec![f32::NAN; 2];
            c.policy(ms * 1_000_000, &wanted, &limits, &mut status, &mut command);
            (command, status.flags == Flags::RATE_LIMITED && status.index == 0)
        };
        assert_eq!(step(&mut commanded, 7, [4.0, 4.0]), (vec![4.0, 4.0], false));
        assert_eq!(step(&mut commanded, 107, [0.0, -4.0]), (vec![3.0, -4.0], true));
        assert_eq!(step(&mut commanded, 107, [0.0, 0.0]), (vec![3.0, 0.0], true));
        commanded.safe(200_000_000, &[-5.0, 0.0]);
        assert_eq!(step(&mut commanded, 300, [0.0, 0.0]), (vec![-4.0, 0.0], true));
        commanded.forget_time_before(10_000_000_000 - 50_000_000);
        assert_eq!(step(&mut commanded, 10_000, [0.0, 0.0]), (vec![-3.5, 0.0], true));
        commanded.start_from(&[7.0, 0.0], &limits);
        assert_eq!(step(&mut commanded, 10_001, [0.0, 0.0]), (vec![5.0, 0.0], true));
        assert_eq!(step(&mut commanded, 10_101, [0.0, 0.0]), (vec![4.0, 0.0], true));
        // On the way, and then there.
        let (mut status, mut command) = (Status::default(), [f32::NAN; 2]);
        commanded.repeat(10_301_000_000, &limits, &mut status, &mut command);
        assert_eq!((status.flags, command), (Flags::RATE_LIMITED, [2.0, 0.0]));
        command = [f32::NAN; 2];
        commanded.hold(10_401_000_000, &mut command);
        assert_eq!(command, [2.0, 0.0]);
        commanded.repeat(10_501_000_000, &limits, &mut status, &mut command);
        assert_eq!(command, [1.0, 0.0]);
        commanded.reset();
        assert_eq!(step(&mut commanded, 10_102, [0.0, 0.0]), (vec![0.0, 0.0], false));
    }

    #[test]
    fn only_what_nothing_else_followed_is_held() {
        let mut commanded = Commanded::new(0);
        assert_eq!(commanded.held(5, u64::MAX), None);
        commanded.policy_choice(10, 3);
        assert_eq!((commanded.held(15, 5), commanded.held(16, 5), commanded.choice()), (Some(5), None, 3));
        commanded.safe(16, &[]);
        assert_eq!((commanded.held(17, 50), commanded.age(17)), (None, Some(7)));
        commanded.repeat_choice();
        assert_eq!(commanded.held(17, 50), Some(7));
    }
}
