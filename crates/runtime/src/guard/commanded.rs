//! What has been commanded so far: where a rate limit starts and what can be held.

use super::limits::CommandLimit;
use crate::{Flags, Status};

/// The last command, and the last one that was the policy's.
#[derive(Clone, Debug)]
pub(super) struct Commanded {
    /// `[A]`, what the actuators were told last.
    previous: Vec<f32>,
    previous_at: At,
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
            previous: vec![0.0; commands],
            previous_at: At::Never,
            made: vec![0.0; commands],
            made_choice: 0,
            made_ns: None,
            holdable: false,
        }
    }

    pub(super) fn reset(&mut self) {
        (self.previous_at, self.made_ns, self.holdable) = (At::Never, None, false);
    }

    /// The actuators are at `command`, `[A]`; what is beyond the bounds counts as the bound.
    pub(super) fn start_from(&mut self, command: &[f32], limits: &[CommandLimit]) {
        self.reset();
        for ((previous, x), limit) in self.previous.iter_mut().zip(command).zip(limits) {
            *previous = x.max(limit.range.low).min(limit.range.high);
        }
        self.previous_at = At::Unknown;
    }

    /// After a gap the last command counts as at most this old, so that the first step moves no further than others.
    pub(super) fn forget_time_before(&mut self, ns: u64) {
        if let At::Time(at) = self.previous_at {
            self.previous_at = At::Time(at.max(ns));
        }
    }

    /// Age of the policy's last action, if that is what may be held for `hold_ns`.
    pub(super) fn held(&self, now_ns: u64, hold_ns: u64) -> Option<u64> {
        self.age(now_ns).filter(|age| self.holdable && *age <= hold_ns)
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
    pub(super) fn policy(&mut self, now_ns: u64, made: &[f32], limits: &[CommandLimit], status: &mut Status) -> &[f32] {
        self.made.iter_mut().zip(made).for_each(|(made, x)| *made = *x);
        self.made_ns = Some(now_ns);
        self.repeat(now_ns, limits, status)
    }

    /// Command the policy's last action again, now as far as the rates allow.
    pub(super) fn repeat(&mut self, now_ns: u64, limits: &[CommandLimit], status: &mut Status) -> &[f32] {
        let elapsed_ns = match self.previous_at {
            At::Never => None,
            At::Unknown => Some(0),
            At::Time(at) => Some(now_ns.saturating_sub(at)),
        };
        let fields = self.previous.iter_mut().zip(&self.made).zip(limits).enumerate();
        for (index, ((previous, made), limit)) in fields {
            let most = elapsed_ns.map_or(f64::INFINITY, |ns| most(limit.max_rate, ns));
            *previous = approach(*previous, *made, most);
            if *previous != *made {
                status.note(Flags::RATE_LIMITED, index);
            }
        }
        self.previous_at = At::Time(now_ns);
        self.holdable = true;
        &self.previous
    }

    /// Command what was commanded last: the policy's, if it may be held.
    pub(super) fn hold(&mut self, now_ns: u64) -> &[f32] {
        self.previous_at = At::Time(now_ns);
        &self.previous
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
        self.previous.iter_mut().zip(safe).for_each(|(previous, x)| *previous = *x);
        self.previous_at = At::Time(now_ns);
        self.holdable = false;
    }
}

/// Largest change in this time.
fn most(max_rate: f32, elapsed_ns: u64) -> f64 {
    if max_rate.is_infinite() { f64::INFINITY } else { f64::from(max_rate) * (elapsed_ns as f64 / 1e9) }
}

/// `wanted`, or what is `most` away from `previous` on the way there, never further.
fn approach(previous: f32, wanted: f32, most: f64) -> f32 {
    let (from, to) = (f64::from(previous), f64::from(wanted));
    if (to - from).abs() <= most {
        return wanted;
    }
    let nearest = (from + most.copysign(to - from)) as f32;
    if (f64::from(nearest) - from).abs() <= most {
        return nearest;
    }
    // Rounded away from where it came.
    if to > from { nearest.next_down() } else { nearest.next_up() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use omiga_format::Range;
    use rand::{RngExt as _, SeedableRng as _};
    use rand_chacha::ChaCha8Rng;

    fn check(previous: f32, wanted: f32, most: f64, expected: f32) {
        assert_eq!(approach(previous, wanted, most), expected);
        assert_eq!(approach(-previous, -wanted, most), -expected);
    }

    #[test]
    fn a_command_goes_as_far_as_it_may() {
        check(0.0, 1.0, 0.25, 0.25);
        check(0.0, 0.2, 0.25, 0.2);
        check(1.0, -1.0, 0.0, 1.0);
        check(-3.0, 3.0, f64::INFINITY, 3.0);
        check(f32::MIN, f32::MAX, f64::INFINITY, f32::MAX);
        // 1 + 1e-12 is no f32.
        check(1.0, 2.0, 1e-12, 1.0);
    }

    #[test]
    fn rounding_never_exceeds_the_rate() {
        let mut rng = ChaCha8Rng::seed_from_u64(11);
        for _ in 0..100_000 {
            let mut draw = || rng.random_range(-1.0_f32..1.0) * 10.0_f32.powi(rng.random_range(-20..20));
            let (previous, wanted, most) = (draw(), draw(), f64::from(draw().abs()));
            let command = approach(previous, wanted, most);
            let (low, high) = (previous.min(wanted), previous.max(wanted));
            assert!((f64::from(command) - f64::from(previous)).abs() <= most, "{previous} {wanted} {most} {command}");
            assert!((low..=high).contains(&command), "{previous} {wanted} {most} {command}");
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
            let command = c.policy(ms * 1_000_000, &wanted, &limits, &mut status).to_vec();
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
        let mut status = Status::default();
        assert_eq!(commanded.repeat(10_301_000_000, &limits, &mut status), [2.0, 0.0]);
        assert_eq!((status.flags, commanded.hold(10_401_000_000)), (Flags::RATE_LIMITED, &[2.0, 0.0][..]));
        assert_eq!(commanded.repeat(10_501_000_000, &limits, &mut status), [1.0, 0.0]);
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
