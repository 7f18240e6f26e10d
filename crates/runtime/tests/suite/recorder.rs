//! What was recorded is repeated bit for bit, and what differs is named.

use omiga_format::RecordedBlock;
use omiga_format::crc32c::Crc32c;
use omiga_runtime::{
    Controller, ControllerOptions, Error, Fallback, FaultBetween, Flags, Guard, GuardOptions, Intermediate,
    Observation, OutOfRange, Policy, Recorder, RecorderOptions, Recording, RecordingHeader, Replay, Replayed,
    SafeAction, Source,
};
use rand::{RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;

use crate::echo::{MS, changed, policy, watched};

fn guarded(discrete: bool, rng: &mut ChaCha8Rng) -> GuardOptions {
    let safe = if discrete { SafeAction::Choice(2) } else { SafeAction::Commands(vec![-1.0, 0.1]) };
    let fallback = match rng.random_range(0..3) {
        0 => Fallback::Error,
        1 => Fallback::Safe(safe),
        _ => Fallback::HoldThenSafe { hold_ns: 15 * MS, safe },
    };
    let mut options = GuardOptions::default()
        .with_fallback(fallback)
        .with_max_future_ns(0)
        .with_novelty_debounce(rng.random_range(1..3), 3)
        .with_latch(rng.random_bool(0.3))
        .with_resume_after(rng.random_range(0..4));
    if rng.random_bool(0.3) {
        options = options.without_fault_on(Flags::TIME_JUMPED).with_fault_on(Flags::JITTER | Flags::RATE_LIMITED);
    }
    if discrete {
        return options;
    }
    let options = options.with_max_rate("x", 12.5).with_out_of_range_of("obs.0", OutOfRange::ClampAndReport);
    if rng.random_bool(0.5) { options.with_safe_rate("y", 3.0) } else { options }
}

fn controlled(discrete: bool, rng: &mut ChaCha8Rng) -> ControllerOptions {
    let intermediate = if rng.random_bool(0.5) { Intermediate::Hold } else { Intermediate::Evaluate };
    let between = if rng.random_bool(0.7) { FaultBetween::AtOnce } else { FaultBetween::AtPeriod };
    let options = ControllerOptions::default().with_guard(guarded(discrete, rng)).with_intermediate(intermediate);
    let options = options.with_fault_between(between);
    options.with_max_stalled_ticks(3).with_max_jitter_ns(MS).with_max_gap_ns(50 * MS)
}

fn recorded(recorder: &Recorder) -> Recording {
    Recording::parse("test", bytes(recorder)).unwrap()
}

fn bytes(recorder: &Recorder) -> Vec<u8> {
    let bytes = in_pieces(recorder, 100);
    assert_eq!(bytes.len(), recorder.dump_len());
    bytes
}

fn in_pieces(recorder: &Recorder, size: usize) -> Vec<u8> {
    let (mut dump, mut piece, mut read) = (recorder.dump(), vec![0; size], Vec::new());
    loop {
        match dump.read_into(&mut piece) {
            0 => return read,
            len => read.extend(&piece[..len]),
        }
    }
}

/// A stream of observations and calls with every kind of fault now and then.
struct Machine {
    rng: ChaCha8Rng,
    discrete: bool,
    now_ns: u64,
    obs: Vec<f32>,
    mask: Vec<bool>,
    stamp_ns: u64,
    /// Width of the buffer for commands.
    width: usize,
}

impl Machine {
    fn new(seed: u64, discrete: bool) -> Self {
        let (obs, mask) = (Vec::new(), Vec::new());
        Self { rng: ChaCha8Rng::seed_from_u64(seed), discrete, now_ns: 0, obs, mask, stamp_ns: 0, width: 2 }
    }

    /// The next call.
    fn advance(&mut self) {
        let rng = &mut self.rng;
        let fault = rng.random_range(0..40);
        self.now_ns = match fault {
            0 => self.now_ns + rng.random_range(15..80) * MS,
            1 => self.now_ns.saturating_sub(3 * MS),
            2..6 => self.now_ns,
            _ => self.now_ns + rng.random_range(0..3) * MS / 2,
        };
        self.stamp_ns = match fault {
            6 => self.now_ns + 1,
            7 => self.now_ns.saturating_sub(6 * MS),
            _ => self.now_ns.saturating_sub(MS / 3),
        };
        let width = if self.discrete { 3 } else { 2 };
        self.obs = (0..width).map(|_| rng.random_range(-2.2_f32..2.2)).collect();
        match fault {
            8 | 9 => self.obs[1] = [f32::NAN, f32::INFINITY][rng.random_range(0..2)],
            10 => self.obs.truncate(1),
            11 => self.obs.extend([1.0; 7]),
            12 => self.obs[1] = 5e8,
            _ => {}
        }
        self.mask = if self.discrete { (0..3).map(|_| rng.random_bool(0.7)).collect() } else { Vec::new() };
        match fault {
            13 => self.mask = vec![false; 3],
            14 => self.mask = vec![true; 4],
            _ => {}
        }
        self.width = if fault == 15 { rng.random_range(0..5) } else { 2 };
    }

    fn obs(&self) -> Observation<'_> {
        Observation { values: &self.obs, stamp_ns: self.stamp_ns, mask: &self.mask }
    }
}

#[expect(clippy::large_enum_variant, reason = "there is one at a time")]
enum Subject {
    Guard(Guard),
    Controller(Controller),
}

impl Subject {
    fn new(policy: Policy, guard: bool, machine: &mut Machine) -> Self {
        match guard {
            true => Self::Guard(Guard::new(policy, &guarded(machine.discrete, &mut machine.rng)).unwrap()),
            false => {
                Self::Controller(Controller::new(policy, &controlled(machine.discrete, &mut machine.rng)).unwrap())
            }
        }
    }

    fn attach(&mut self, options: &RecorderOptions) {
        match self {
            Self::Guard(guard) => {
                let recorder = guard.make_recorder(options).unwrap();
                assert!(guard.attach(recorder).unwrap().is_none());
            }
            Self::Controller(controller) => {
                let recorder = controller.make_recorder(options).unwrap();
                assert!(controller.attach(recorder).unwrap().is_none());
            }
        }
    }

    fn detach(&mut self) -> Recorder {
        match self {
            Self::Guard(guard) => guard.detach(),
            Self::Controller(controller) => controller.detach(),
        }
        .unwrap()
    }

    /// One call; now and then it is a reset, or of the wrong kind.
    fn call(&mut self, machine: &mut Machine) {
        machine.advance();
        let (mut action, mut choice) = (vec![7.0; machine.width], 7);
        let of_the_wrong_kind = machine.rng.random_range(0..50) == 0;
        let reset = machine.rng.random_range(0..60);
        match self {
            Self::Guard(guard) if reset == 0 => guard.reset(),
            Self::Controller(controller) if reset == 0 => controller.reset(),
            Self::Guard(guard) if reset == 2 => guard.reset_free(),
            Self::Controller(controller) if reset == 2 => controller.reset_free(),
            Self::Guard(guard) if reset == 3 => guard.resume(),
            Self::Controller(controller) if reset == 3 => controller.resume(),
            Self::Guard(guard) if reset == 1 => drop(guard.reset_to(&[0.25, 9.0])),
            Self::Controller(controller) if reset == 1 => drop(controller.reset_to(&[0.25, 9.0])),
            Self::Guard(guard) if machine.discrete != of_the_wrong_kind => {
                let _ = guard.choose(machine.now_ns, machine.obs(), &mut choice);
            }
            Self::Guard(guard) => {
                let _ = guard.step(machine.now_ns, machine.obs(), &mut action);
            }
            Self::Controller(controller) if machine.discrete != of_the_wrong_kind => {
                let _ = controller.tick_choice(machine.now_ns, machine.obs(), &mut choice);
            }
            Self::Controller(controller) => {
                let _ = controller.tick(machine.now_ns, machine.obs(), &mut action);
            }
        }
    }
}

/// Record calls after others, and repeat them.
fn check_repeated(seed: u64, guard: bool, discrete: bool) -> Flags {
    let policy = if seed.is_multiple_of(3) { watched(discrete) } else { policy(discrete) };
    let mut machine = Machine::new(seed, discrete);
    let mut subject = Subject::new(policy.clone(), guard, &mut machine);
    let (before, calls, ticks) =
        (machine.rng.random_range(0..40), machine.rng.random_range(1..700), machine.rng.random_range(1..300));
    (0..before).for_each(|_| subject.call(&mut machine));
    subject.attach(&RecorderOptions::default().with_ticks(ticks));
    (0..calls).for_each(|_| subject.call(&mut machine));
    let recorder = subject.detach();
    let recording = recorded(&recorder);
    assert_eq!(recording.len(), recorder.len());
    let replayed: Vec<_> = Replay::new(&recording, policy).unwrap().collect();
    assert_eq!(replayed.len(), recording.len());
    // A reset that is refused is no call, nor is a `resume` that nobody waits for.
    let calls = replayed.last().map_or(0, |last| last.number + 1);
    assert!(replayed.len() as u64 >= calls.min(ticks.into()), "{calls} calls, {ticks} wanted, {}", replayed.len());
    for call in &replayed {
        assert_eq!(call.differences(), [], "seed {seed}, call {}", call.number);
    }
    replayed.iter().fold(Flags::empty(), |flags, call| flags | call.status.flags)
}

#[test]
fn what_was_recorded_is_repeated() {
    for (guard, discrete) in [(false, false), (false, true), (true, false), (true, true)] {
        let seen = (0..150).fold(Flags::empty(), |seen, seed| seen | check_repeated(seed, guard, discrete));
        let mut expected = Flags::OBS_WIDTH
            | Flags::OBS_NOT_FINITE
            | Flags::OBS_STALE
            | Flags::OBS_FROM_FUTURE
            | Flags::MASK_WIDTH
            | Flags::ACTION_NOT_FINITE
            | Flags::WRONG_KIND
            | Flags::LATCHED
            | Flags::OBS_OUT_OF_ORDER
            | Flags::TIME_BACKWARDS
            | Flags::OBS_NOVEL;
        expected |= match discrete {
            true => Flags::NO_ACTION_AVAILABLE | Flags::ACTION_NOT_AVAILABLE,
            false => Flags::ACTION_WIDTH | Flags::OBS_CLAMPED | Flags::RATE_LIMITED | Flags::ACTION_OUT_OF_BOUNDS,
        };
        if !guard {
            expected |= Flags::INTERMEDIATE | Flags::JITTER | Flags::SKIPPED | Flags::GAP | Flags::CLOCK_STALLED;
            expected |= Flags::TIME_JUMPED | Flags::ASKED_AGAIN;
        }
        assert!(seen.contains(expected), "not seen: {:?}", expected - seen);
    }
}

/// Thirty ticks, of which the one at 12 ms has a NaN, and a rate limit.
fn incident(options: &RecorderOptions) -> (Controller, Policy) {
    let policy = policy(false);
    let safe = SafeAction::Commands(vec![-1.0, 0.0]);
    let guard = GuardOptions::default().with_max_rate("x", 20.0).with_fallback(Fallback::Safe(safe));
    let options_of = ControllerOptions::default().with_guard(guard).with_intermediate(Intermediate::Evaluate);
    let mut controller = Controller::new(policy.clone(), &options_of).unwrap();
    let recorder = controller.make_recorder(options).unwrap();
    controller.attach(recorder).unwrap();
    for tick in 0..30_u64 {
        let values = [if tick == 12 { f32::NAN } else { (tick as f32 * 0.7).sin() }, 0.5];
        let obs = Observation { values: &values, stamp_ns: tick * MS, mask: &[] };
        let _ = controller.tick(tick * MS, obs, &mut [0.0; 2]);
    }
    (controller, policy)
}

/// Where in the file the call of this number is; all are in the first block.
fn place_of(bytes: &[u8], number: usize) -> usize {
    let number_at = |at: usize| u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap()) as usize;
    let block = RecordingHeader::FIXED_LEN + number_at(12);
    block + RecordedBlock::HEAD_LEN + number_at(block + 12) + number * number_at(20)
}

/// Names of fields, and which of several of that name.
type Fields = Vec<(&'static str, Option<usize>)>;

/// Change one bit, make the CRC right again, and repeat: the first call that differs, and how.
fn differing(place: usize, bit: u8, bytes: &[u8], policy: &Policy) -> Option<(u64, Fields)> {
    let mut bytes = bytes.to_vec();
    bytes[place] ^= 1 << bit;
    assert!(matches!(Recording::parse("test", bytes.clone()), Err(omiga_format::Error::RecordingDamaged { .. })));
    let content = bytes.len() - 4;
    let crc = Crc32c::of(&bytes[..content]);
    bytes[content..].copy_from_slice(&crc.to_le_bytes());
    let recording = Recording::parse("test", bytes).unwrap();
    let mut replay = Replay::new(&recording, policy.clone()).unwrap();
    let first = replay.find(|call| !call.differences().is_empty())?;
    let fields = first.differences().iter().map(|difference| (difference.what, difference.index)).collect();
    Some((first.number, fields))
}

#[test]
fn one_changed_bit_is_named() {
    let (mut controller, policy) = incident(&RecorderOptions::default().with_ticks(400));
    let bytes = bytes(&controller.detach().unwrap());
    let differs =
        |number: usize, offset: usize, bit| differing(place_of(&bytes, number) + offset, bit, &bytes, &policy);
    // The second command's last bit; the observation's second field, which the second command repeats; its first field's
    // sign, which the rate limit lets through in part.
    assert_eq!(differs(7, 64 + 8 + 4, 0), Some((7, vec![("action", Some(1))])));
    assert_eq!(differs(7, 64 + 4, 0), Some((7, vec![("action", Some(1))])));
    let (number, fields) = differs(9, 64 + 3, 7).unwrap();
    assert!(number == 9 && fields.contains(&("action", Some(0))), "{number}: {fields:?}");
    // What the NaN was answered: flags, field, source, ages, lateness.
    assert_eq!(differs(12, 40, 1), Some((12, vec![("flags", None)])));
    assert_eq!(differs(12, 44, 0), Some((12, vec![("index", None)])));
    assert_eq!(differs(12, 61, 0), Some((12, vec![("source", None)])));
    for (offset, what) in [(16, "obs_age_ns"), (24, "held_ns"), (32, "lateness_ns")] {
        assert_eq!(differs(20, offset, 3), Some((20, vec![(what, None)])));
    }
    // When it was measured.
    assert_eq!(differs(20, 9, 0), Some((20, vec![("obs_age_ns", None)])));
}

#[test]
fn a_state_that_differs_is_named() {
    let (mut controller, policy) = incident(&RecorderOptions::default().with_ticks(80));
    let bytes = bytes(&controller.detach().unwrap());
    // The second block's snapshot begins behind the first ten calls.
    let (number, fields) = differing(place_of(&bytes, 10) + RecordedBlock::HEAD_LEN, 0, &bytes, &policy).unwrap();
    assert_eq!((number, fields), (10, vec![("state", None)]));
}

#[test]
fn a_recorder_stops_after_a_fault() {
    let (mut controller, _) = incident(&RecorderOptions::default().with_ticks(8).with_stop_after_fault(5));
    assert!(controller.recorder().unwrap().is_stopped());
    let recorder = controller.detach().unwrap();
    let recording = recorded(&recorder);
    let numbers: Vec<u64> = recording.blocks().flat_map(RecordedBlock::records).map(|(number, _)| number).collect();
    assert_eq!((numbers.first(), numbers.last()), (Some(&9), Some(&17)));
    // Attached again it starts anew.
    assert!(controller.attach(recorder).unwrap().is_none());
    let _ = controller.tick(30 * MS, Observation { values: &[0.0; 2], stamp_ns: 30 * MS, mask: &[] }, &mut [0.0; 2]);
    assert_eq!((controller.recorder().unwrap().len(), controller.recorder().unwrap().is_stopped()), (1, false));
}

#[test]
fn a_spare_takes_over_between_two_ticks() {
    let (mut controller, policy) = incident(&RecorderOptions::default());
    let spare = controller.make_recorder(&RecorderOptions::default().with_ticks(10)).unwrap();
    let full = controller.attach(spare).unwrap().unwrap();
    assert_eq!((full.len(), controller.recorder().unwrap().is_empty()), (30, true));
    let obs = Observation { values: &[0.1, 0.2], stamp_ns: 30 * MS, mask: &[] };
    let status = controller.tick(30 * MS, obs, &mut [0.0; 2]);
    let recording = recorded(controller.recorder().unwrap());
    let replayed: Vec<Replayed> = Replay::new(&recording, policy.clone()).unwrap().collect();
    assert!(matches!(&replayed[..], [only] if only.differences().is_empty() && only.status == status));
    assert_eq!(status.source, Source::Policy);
    // Others' recorders are refused: other options, another policy, a guard's.
    let mut other = Controller::new(policy.clone(), &ControllerOptions::default()).unwrap();
    let mut guard = Guard::new(policy, &GuardOptions::default()).unwrap();
    for refused in [other.attach(full).unwrap_err(), guard.attach(controller.detach().unwrap()).unwrap_err()] {
        assert!(matches!(refused, Error::OtherRecorder { .. }), "{refused}");
    }
}

#[test]
fn what_cannot_be_recorded_or_repeated_is_refused() {
    let (mut controller, _) = incident(&RecorderOptions::default());
    for ticks in [0, u32::MAX] {
        let error = controller.make_recorder(&RecorderOptions::default().with_ticks(ticks)).unwrap_err().to_string();
        assert!(error.contains("ticks of the recorder") && error.contains("between 1 and "), "{error}");
    }
    let recording = recorded(&controller.detach().unwrap());
    let other = changed(false, |task| task.agents[0].obs[0].unit = "K".into());
    let error = Replay::new(&recording, other).err().unwrap().to_string();
    assert!(error.contains("or other names, units or ranges; give the bundle that was recorded"), "{error}");
}

#[test]
fn a_dump_is_read_in_pieces_of_any_size() {
    let (mut controller, _) = incident(&RecorderOptions::default().with_ticks(16));
    let recorder = controller.detach().unwrap();
    let whole = bytes(&recorder);
    for size in [1, 3, 64, 1000] {
        assert!(in_pieces(&recorder, size) == whole, "in pieces of {size}");
    }
}

#[cfg(feature = "fs")]
#[test]
fn an_unwritable_path_is_an_error() {
    let (mut controller, _) = incident(&RecorderOptions::default());
    let recorder = controller.detach().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let error = recorder.save(&folder.path().join("no/such.rec")).unwrap_err().to_string();
    assert!(error.starts_with("cannot write `") && error.contains("such.rec"), "{error}");
    let path = folder.path().join("good.rec");
    recorder.save(&path).unwrap();
    assert_eq!(Recording::read(&path).unwrap(), recorded(&recorder));
}

#[cfg(feature = "std")]
mod disk {
    use std::io::{self, Write};

    use super::*;

    /// A disk with so much room.
    struct Full(usize);

    impl Write for Full {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            match self.0.min(bytes.len()) {
                0 => Err(io::ErrorKind::StorageFull.into()),
                len => {
                    self.0 -= len;
                    Ok(len)
                }
            }
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_full_disk_is_an_error() {
        let (mut controller, _) = incident(&RecorderOptions::default());
        let recorder = controller.detach().unwrap();
        for room in [0, 10, recorder.dump_len() - 1] {
            assert_eq!(io::copy(&mut recorder.dump(), &mut Full(room)).unwrap_err().kind(), io::ErrorKind::StorageFull);
        }
        assert_eq!(io::copy(&mut recorder.dump(), &mut Full(usize::MAX)).unwrap(), recorder.dump_len() as u64);
    }
}
