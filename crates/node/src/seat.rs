//! Who commands: the policy in the seat, the one before it while the new one is watched, and one that only looks on.

use omiga_runtime::{Controller, Observation, Policy, Source, Status};
use rtrb::{Consumer, Producer};

/// The hash of a bundle, hexadecimal.
pub(crate) type BundleHash = [u8; 64];

/// A controller and whose it is.
pub(crate) struct Driver {
    pub(crate) controller: Controller,
    pub(crate) bundle: BundleHash,
    /// `[A]`, what it commanded last; of a choice its index alone.
    pub(crate) numbers: Box<[f32]>,
    discrete: bool,
}

impl Driver {
    pub(crate) fn new(controller: Controller) -> Self {
        let policy = controller.policy();
        let discrete = policy.is_discrete();
        let hash = policy.identity().map(|identity| identity.bundle_sha256.as_bytes()).unwrap_or_default();
        let mut bundle = [b'0'; 64];
        bundle.iter_mut().zip(hash).for_each(|(to, from)| *to = *from);
        let numbers = vec![0.0; Self::numbers_of(policy)].into_boxed_slice();
        Self { controller, bundle, numbers, discrete }
    }

    /// How many it commands: a choice is one.
    pub(crate) fn numbers_of(policy: &Policy) -> usize {
        if policy.is_discrete() { 1 } else { policy.action_dim() }
    }

    /// As the controller's.
    pub(crate) fn tick(&mut self, now_ns: u64, obs: Observation<'_>) -> Status {
        if !self.discrete {
            return self.controller.tick(now_ns, obs, &mut self.numbers);
        }
        let mut choice = 0;
        let status = self.controller.tick_choice(now_ns, obs, &mut choice);
        if let Some(number) = self.numbers.first_mut().filter(|_| status.has_action()) {
            *number = choice as f32;
        }
        status
    }

    /// Go on from where the actuators are; false if it cannot, being of another machine.
    pub(crate) fn take_over(&mut self, numbers: &[f32]) -> bool {
        if self.discrete {
            self.controller.reset();
            return true;
        }
        self.controller.reset_to(numbers).is_ok()
    }
}

/// As far as both go.
pub(crate) fn copy(to: &mut [f32], from: &[f32]) {
    to.iter_mut().zip(from).for_each(|(to, from)| *to = *from);
}

/// What the rest of the node asks of the loop, between two ticks.
pub(crate) enum Order {
    /// Command from the next period on, and be watched.
    Exchange(Box<Driver>, Watch),
    /// Look on.
    Shadow(Box<Shadow>),
    /// Nobody looks on any more.
    NoShadow,
}

/// How long a new policy is watched, and how much worse it may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Watch {
    pub(crate) ns: u64,
    /// So many more ticks with a fault than in as long a time before.
    pub(crate) max_faults: u64,
}

/// What the loop gives back; it is dropped elsewhere.
pub(crate) struct Retired {
    pub(crate) what: Gone,
    /// Only to be dropped.
    _memory: Memory,
}

/// Memory that the loop does not free.
enum Memory {
    Driver(#[expect(dead_code, reason = "it is only dropped")] Box<Driver>),
    Shadow(#[expect(dead_code, reason = "it is only dropped")] Box<Shadow>),
}

/// Who went, and why.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Gone {
    /// The old policy: the new one has proven itself.
    Replaced { by: BundleHash },
    /// The old policy, as another change came while this one was watched: this one is what would come back now.
    CutShort { by: BundleHash },
    /// The new policy: more ticks had a fault than before, and `back` commands again.
    RolledBack { bundle: BundleHash, back: BundleHash, faults: u64, allowed: u64 },
    /// The new policy, which cannot go on from the last command of the one that stays.
    Refused { bundle: BundleHash, stays: BundleHash },
    /// One that looked on.
    Shadow,
}

/// A policy that looks on, and how it differs.
pub(crate) struct Shadow {
    pub(crate) driver: Driver,
    pub(crate) compared: u64,
    /// `[A]`, largest difference of each command; of a choice: how often it was another.
    pub(crate) differences: Box<[f32]>,
}

impl Shadow {
    pub(crate) fn new(driver: Driver) -> Self {
        let differences = vec![0.0; driver.numbers.len()].into_boxed_slice();
        Self { driver, compared: 0, differences }
    }

    fn look(&mut self, now_ns: u64, obs: Observation<'_>, acting: &Driver, acted: Source) {
        let status = self.driver.tick(now_ns, obs);
        if status.source != Source::Policy || acted != Source::Policy {
            return;
        }
        self.compared += 1;
        let pairs = self.driver.numbers.iter().zip(&acting.numbers);
        for (difference, (a, b)) in self.differences.iter_mut().zip(pairs) {
            *difference =
                if self.driver.discrete { *difference + f32::from(a != b) } else { difference.max((a - b).abs()) };
        }
    }
}

/// Ticks with a fault in this stretch of time and the one before it.
#[derive(Clone, Copy, Debug, Default)]
struct Faults {
    began_ns: u64,
    now: u64,
    before: u64,
}

impl Faults {
    fn count(&mut self, now_ns: u64, stretch_ns: u64, fault: bool) {
        if now_ns.saturating_sub(self.began_ns) >= stretch_ns {
            // A stretch without a single tick was no good one, but no worse than what is known either.
            *self = Self { began_ns: now_ns, now: 0, before: self.now };
        }
        self.now += u64::from(fault);
    }
}

/// A change that is watched.
struct Trial {
    before: Box<Driver>,
    until_ns: u64,
    faults: u64,
    allowed: u64,
}

pub(crate) struct Seat {
    pub(crate) driver: Box<Driver>,
    trial: Option<Trial>,
    pub(crate) shadow: Option<Box<Shadow>>,
    /// Something was commanded, so that there is a place to go on from.
    pub(crate) commanded: bool,
    faults: Faults,
    stretch_ns: u64,
    orders: Consumer<Order>,
    retired: Producer<Retired>,
}

/// Room for what is given back: nothing new is begun without room for what it may end with.
pub(crate) const RETIRED: usize = 8;
const NEEDED: usize = 3;

impl Seat {
    pub(crate) fn new(driver: Driver, stretch_ns: u64, orders: Consumer<Order>, retired: Producer<Retired>) -> Self {
        let (trial, shadow, faults) = (None, None, Faults::default());
        Self { driver: Box::new(driver), trial, shadow, commanded: false, faults, stretch_ns, orders, retired }
    }

    /// One tick of whoever is in the seat.
    ///
    /// # Real-time
    /// As a controller's tick; an exchange moves pointers.
    pub(crate) fn tick(&mut self, now_ns: u64, obs: Observation<'_>) -> Status {
        self.obey(now_ns);
        let status = self.driver.tick(now_ns, obs);
        self.commanded |= status.has_action();
        self.watch(now_ns, status.flags.is_fault());
        status
    }

    /// Let the shadow look at what the last tick was about.
    pub(crate) fn look_on(&mut self, now_ns: u64, obs: Observation<'_>, acted: Source) {
        if let Some(shadow) = &mut self.shadow {
            shadow.look(now_ns, obs, &self.driver, acted);
        }
    }

    /// Is somebody watched?
    pub(crate) fn is_on_trial(&self) -> bool {
        self.trial.is_some()
    }

    fn obey(&mut self, now_ns: u64) {
        // At the policy's turn, so that the grid of periods stays.
        let due = self.driver.controller.next_tick_ns().is_none_or(|due_ns| due_ns <= now_ns);
        if !due || self.retired.slots() < NEEDED {
            return;
        }
        match self.orders.pop() {
            Ok(Order::Exchange(driver, watch)) => self.exchange(driver, watch, now_ns),
            Ok(Order::Shadow(shadow)) => {
                let before = self.shadow.replace(shadow);
                self.retire_shadow(before);
            }
            Ok(Order::NoShadow) => {
                let before = self.shadow.take();
                self.retire_shadow(before);
            }
            Err(_) => {}
        }
    }

    fn exchange(&mut self, mut driver: Box<Driver>, watch: Watch, now_ns: u64) {
        let bundle = driver.bundle;
        if self.commanded && !driver.take_over(&self.driver.numbers) {
            let stays = self.driver.bundle;
            return self.retire(driver, Gone::Refused { bundle, stays });
        }
        copy(&mut driver.numbers, &self.driver.numbers);
        let before = std::mem::replace(&mut self.driver, driver);
        if let Some(trial) = self.trial.take() {
            self.retire(trial.before, Gone::CutShort { by: before.bundle });
        }
        let until_ns = now_ns.saturating_add(watch.ns);
        let allowed = self.faults.before.max(self.faults.now).saturating_add(watch.max_faults);
        self.trial = Some(Trial { before, until_ns, faults: 0, allowed });
    }

    fn watch(&mut self, now_ns: u64, fault: bool) {
        self.faults.count(now_ns, self.stretch_ns, fault);
        let Some(mut trial) = self.trial.take() else { return };
        trial.faults += u64::from(fault);
        if trial.faults > trial.allowed {
            let mut back = trial.before;
            // It is of the same machine, or it would not have been there.
            let _ = !self.commanded || back.take_over(&self.driver.numbers);
            copy(&mut back.numbers, &self.driver.numbers);
            let failed = std::mem::replace(&mut self.driver, back);
            let (bundle, back) = (failed.bundle, self.driver.bundle);
            let gone = Gone::RolledBack { bundle, back, faults: trial.faults, allowed: trial.allowed };
            self.retire(failed, gone);
        } else if now_ns >= trial.until_ns {
            self.retire(trial.before, Gone::Replaced { by: self.driver.bundle });
        } else {
            self.trial = Some(trial);
        }
    }

    fn retire(&mut self, driver: Box<Driver>, what: Gone) {
        // There is room: see `NEEDED`. If there were none, memory would be freed here, and that is all.
        let _ = self.retired.push(Retired { what, _memory: Memory::Driver(driver) });
    }

    fn retire_shadow(&mut self, shadow: Option<Box<Shadow>>) {
        if let Some(shadow) = shadow {
            let _ = self.retired.push(Retired { what: Gone::Shadow, _memory: Memory::Shadow(shadow) });
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use omiga_runtime::{ControllerOptions, Fallback, Flags, GuardOptions, LoadOptions, SafeAction};
    use rtrb::RingBuffer;

    use super::*;

    const MS: u64 = 1_000_000;
    const TICK: u64 = 20 * MS;
    const PERIOD: u64 = 100 * MS;
    /// Of each command, a second.
    const RATE: f32 = 1.0;
    const WATCH: Watch = Watch { ns: 1000 * MS, max_faults: 2 };

    /// Two of a team's policies have observations and commands of the same widths, and act otherwise.
    fn driver(agent: &str) -> Driver {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../models/spread");
        let policy = Policy::load(&folder, &LoadOptions::default().with_agent(agent)).unwrap();
        let mut guard = GuardOptions::default().with_max_obs_age_ns(150 * MS);
        guard.max_rate = ["noop", "left", "right", "down", "up"].map(|name| (name.to_owned(), RATE)).to_vec();
        let guard = guard.with_fallback(Fallback::Safe(SafeAction::Commands(vec![0.0; 5])));
        let mut driver = Driver::new(Controller::new(policy, &ControllerOptions::default().with_guard(guard)).unwrap());
        // Which of them it is.
        driver.bundle = [agent.as_bytes()[6]; 64];
        driver
    }

    struct Rig {
        seat: Seat,
        orders: Producer<Order>,
        retired: Consumer<Retired>,
        now_ns: u64,
        native: u64,
    }

    impl Rig {
        fn new() -> Self {
            let ((orders, obeyed), (retiring, retired)) = (RingBuffer::new(RETIRED), RingBuffer::new(RETIRED));
            let seat = Seat::new(driver("agent_0"), WATCH.ns, obeyed, retiring);
            Self { seat, orders, retired, now_ns: 1_000_000 * MS, native: 0 }
        }

        /// So many ticks; `old`: with an observation that is too old. No command moves faster than it may.
        fn ticks(&mut self, n: usize, old: bool) -> Source {
            let mut source = Source::None;
            for _ in 0..n {
                let before = self.seat.commanded.then(|| self.seat.driver.numbers.clone());
                let values: Vec<f32> = (0..18).map(|i| 0.3 + 0.01 * i as f32).collect();
                let stamp_ns = self.now_ns - if old { 200 * MS } else { 0 };
                let obs = Observation { values: &values, stamp_ns, mask: &[] };
                let status = self.seat.tick(self.now_ns, obs);
                source = status.source;
                self.seat.look_on(self.now_ns, obs, status.source);
                self.native += u64::from(!status.flags.contains(Flags::INTERMEDIATE));
                let moved = before.iter().flatten().zip(&self.seat.driver.numbers);
                for (before, after) in moved.filter(|_| !old) {
                    assert!((before - after).abs() <= RATE * TICK as f32 / 1e9 + 1e-6, "{before} to {after}");
                }
                self.now_ns += TICK;
            }
            source
        }

        fn gone(&mut self) -> Vec<Gone> {
            std::iter::from_fn(|| self.retired.pop().ok()).map(|retired| retired.what).collect()
        }
    }

    #[test]
    fn another_takes_over_between_two_periods_and_at_the_rates() {
        let mut rig = Rig::new();
        rig.ticks(52, false);
        let before = rig.seat.driver.numbers.clone();
        rig.orders.push(Order::Exchange(Box::new(driver("agent_1")), WATCH)).ok().unwrap();
        // Not before the policy's turn.
        rig.ticks(3, false);
        assert_eq!((rig.seat.driver.bundle[0], rig.seat.is_on_trial()), (b'0', false));
        rig.ticks(1, false);
        assert_eq!((rig.seat.driver.bundle[0], rig.seat.is_on_trial()), (b'1', true));
        rig.ticks(44, false);
        // One decision a period, as before.
        assert_eq!(rig.native, 100 * TICK / PERIOD);
        assert_ne!(rig.seat.driver.numbers, before);
        rig.ticks(10, false);
        assert_eq!(rig.gone(), [Gone::Replaced { by: [b'1'; 64] }]);
    }

    #[test]
    fn one_that_has_more_faults_than_there_were_goes_again() {
        let mut rig = Rig::new();
        // It had two in a stretch of time before, so that four are borne.
        rig.ticks(50, false);
        rig.ticks(2, true);
        rig.ticks(48, false);
        rig.orders.push(Order::Exchange(Box::new(driver("agent_1")), WATCH)).ok().unwrap();
        rig.ticks(10, false);
        rig.ticks(4, true);
        assert!(rig.seat.is_on_trial() && rig.gone().is_empty());
        rig.ticks(1, true);
        assert!(!rig.seat.is_on_trial());
        assert_eq!(rig.gone(), [Gone::RolledBack { bundle: [b'1'; 64], back: [b'0'; 64], faults: 5, allowed: 4 }]);
        assert_eq!((rig.seat.driver.bundle[0], rig.ticks(1, false)), (b'0', Source::Policy));
        rig.ticks(100, false);
        assert_eq!(rig.gone(), []);
    }

    #[test]
    fn a_second_change_ends_the_first() {
        let mut rig = Rig::new();
        rig.ticks(5, false);
        for agent in ["agent_1", "agent_2"] {
            rig.orders.push(Order::Exchange(Box::new(driver(agent)), WATCH)).ok().unwrap();
        }
        rig.ticks(10, false);
        assert_eq!((rig.seat.driver.bundle[0], rig.gone()), (b'2', vec![Gone::CutShort { by: [b'1'; 64] }]));
        // Back is to the one before, which never failed.
        rig.ticks(10, true);
        assert_eq!((rig.seat.driver.bundle[0], rig.gone().len()), (b'1', 1));
    }

    #[test]
    fn one_that_cannot_go_on_from_the_last_command_is_refused() {
        let mut rig = Rig::new();
        rig.ticks(5, false);
        rig.seat.driver.numbers.fill(f32::NAN);
        rig.orders.push(Order::Exchange(Box::new(driver("agent_1")), WATCH)).ok().unwrap();
        rig.seat.obey(rig.now_ns);
        assert_eq!(
            (rig.seat.driver.bundle[0], rig.gone()),
            (b'0', vec![Gone::Refused { bundle: [b'1'; 64], stays: [b'0'; 64] }])
        );
    }

    #[test]
    fn one_that_looks_on_commands_nothing() {
        let (mut alone, mut watched) = (Rig::new(), Rig::new());
        watched.orders.push(Order::Shadow(Box::new(Shadow::new(driver("agent_1"))))).ok().unwrap();
        for rig in [&mut alone, &mut watched] {
            rig.ticks(60, false);
        }
        assert_eq!(alone.seat.driver.numbers, watched.seat.driver.numbers);
        let shadow = watched.seat.shadow.as_ref().unwrap();
        assert!(shadow.compared == 60 && shadow.differences.iter().any(|x| *x > 0.01), "{:?}", shadow.differences);
        watched.orders.push(Order::NoShadow).ok().unwrap();
        watched.ticks(5, false);
        assert!(watched.seat.shadow.is_none() && watched.gone() == [Gone::Shadow]);
    }
}
