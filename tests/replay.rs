//! Flight recordings of a shipped policy, repeated by `omiga replay`.

use std::fs;

use omiga_format::crc32c::Crc32c;
use omiga_format::{MODEL_CARD_FILE, RecordedBlock};
use omiga_runtime::{
    Controller, ControllerOptions, Fallback, GuardOptions, Isa, LoadOptions, Observation, Policy, RecorderOptions,
    RecordingHeader, SafeAction, WeightFormat,
};

#[cfg(target_os = "linux")]
use crate::program::Run;
use crate::program::{Program, root};

const MS: u64 = 1_000_000;
const REPLAY: &str = "replay x.rec --bundle bundle";

/// A second of ticks in `x.rec` and what was recorded in `bundle`: a sensor that fails, a rate, a reset, a pause.
fn recorded() -> Program {
    recorded_with(LoadOptions::default())
}

fn recorded_with(options: LoadOptions) -> Program {
    let program = Program::new();
    fs::create_dir(program.path("bundle")).unwrap();
    for entry in fs::read_dir(root().join("models/spread")).unwrap() {
        let path = entry.unwrap().path();
        fs::copy(&path, program.path("bundle").join(path.file_name().unwrap())).unwrap();
    }
    let policy = Policy::load(&program.path("bundle"), &options.with_agent("agent_1")).unwrap();
    let fallback = Fallback::HoldThenSafe { hold_ns: 150 * MS, safe: SafeAction::Commands(vec![0.0; 5]) };
    let guard = GuardOptions::default().with_max_rate("left", 2.0).with_fallback(fallback);
    let mut controller = Controller::new(policy, &ControllerOptions::default().with_guard(guard)).unwrap();
    let recorder = controller.make_recorder(&RecorderOptions::default().with_ticks(1000)).unwrap();
    controller.attach(recorder).unwrap();
    let mut command = [0.0; 5];
    for tick in 0..1000_u64 {
        let now_ns = if tick < 700 { tick * MS } else { (tick + 150) * MS };
        let mut obs = [0.25; 18];
        obs[2] = (tick as f32 * 0.01).sin();
        obs[1] = if (300..600).contains(&tick) { f32::NAN } else { 0.5 };
        let obs = Observation { values: &obs, stamp_ns: now_ns, mask: &[] };
        let _ = controller.tick(now_ns, obs, &mut command);
        if tick == 800 {
            controller.reset();
        }
    }
    controller.detach().unwrap().save(&program.path("x.rec")).unwrap();
    program
}

/// Change a bit of the call of this number in `x.rec`, and make the CRC right again; all are in blocks of 125.
fn change(program: &Program, number: usize, place: usize, bit: u8) {
    let mut bytes = program.read("x.rec");
    let number_at = |bytes: &[u8], at: usize| u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap()) as usize;
    let (mut at, record_len) = (RecordingHeader::FIXED_LEN + number_at(&bytes, 12), number_at(&bytes, 20));
    let mut first = 0;
    loop {
        let (calls, snapshot_len) = (number_at(&bytes, at + 8), number_at(&bytes, at + 12));
        at += RecordedBlock::HEAD_LEN + snapshot_len;
        if number < first + calls {
            bytes[at + (number - first) * record_len + place] ^= 1 << bit;
            break;
        }
        (at, first) = (at + calls * record_len, first + calls);
    }
    let content = bytes.len() - 4;
    let crc = Crc32c::of(&bytes[..content]);
    bytes[content..].copy_from_slice(&crc.to_le_bytes());
    program.write("x.rec", &bytes);
}

#[test]
fn what_was_recorded_is_repeated_and_drawn() {
    let program = recorded();
    let run = program.done(REPLAY).shows("no difference in 1001 ticks").shows("held: OBS_NOT_FINITE");
    assert_eq!(run.stderr, "next: omiga replay x.rec --bundle bundle --svg x.svg\n");
    let json = program.done(&format!("{REPLAY} --json --svg x.svg")).json();
    assert_eq!((&json["verdict"], &json["ticks"], &json["differing"]), (&"same".into(), &1001.into(), &0.into()));
    assert_eq!((&json["recorded"]["agent"], &json["recorded"]["task"]), (&"agent_1".into(), &"spread".into()));
    let sources = ["policy", "held", "safe", "none"].map(|source| json["sources"][source].as_u64().unwrap());
    assert!(sources[..3].iter().all(|ticks| *ticks > 50) && sources.iter().sum::<u64>() == 1000, "{sources:?}");
    let events = json["events"].as_array().unwrap();
    let failed = events.iter().find(|event| event["tick"] == 300).unwrap();
    assert!(failed["status"].as_str().unwrap().ends_with("`velocity.y`"), "{failed}");
    assert!(events.iter().any(|event| event["status"] == "reset"), "{events:?}");
    let svg = program.read_text("x.svg");
    for text in ["agent_1 of spread", "no difference", "OBS_NOT_FINITE", "RATE_LIMITED", "velocity.y", "left", "reset"]
    {
        assert!(svg.contains(text), "no `{text}` in the picture");
    }
    assert!(svg.starts_with("<svg") && svg.len() < 300_000, "{}", svg.len());
}

/// With what is asked for where it is there: plain code and weights of 16 bits give other bits.
#[test]
fn instructions_and_weights_are_those_of_the_recording() {
    let program = recorded_with(LoadOptions::default().with_isa(Isa::Portable));
    program.done(REPLAY).shows("replayed with native, portable: no difference");
    let program = recorded_with(LoadOptions::default().with_weights(WeightFormat::F16));
    program.done(REPLAY).shows(", f16: no difference");
}

#[test]
fn what_differs_is_named() {
    let program = recorded();
    // The first bit of the second command, behind 64 bytes and 18 observed fields.
    change(&program, 130, 64 + 18 * 4 + 4, 0);
    let run = program.run(&format!("{REPLAY} --svg x.svg")).expect(1).shows("1 of 1001 ticks DIFFER");
    assert!(run.stdout.contains("action `left`"), "{run:?}");
    let json = program.run(&format!("{REPLAY} --json")).expect(1).json();
    let differences = json["differences"].as_array().unwrap();
    assert_eq!(differences.len(), 1);
    assert_eq!((&differences[0]["tick"], &differences[0]["field"]), (&130.into(), &"action `left`".into()));
    let svg = program.read_text("x.svg");
    assert!(svg.contains("1 of 1001 ticks differ, from 130 on"));
    // The sign of an observed field, in a tick of the policy: it acts otherwise.
    change(&program, 130, 64 + 18 * 4 + 4, 0);
    change(&program, 200, 64 + 4 * 4 + 3, 7);
    let json = program.run(&format!("{REPLAY} --json")).expect(1).json();
    let differences = json["differences"].as_array().unwrap();
    let acted =
        |found: &serde_json::Value| found["tick"] == 200 && found["field"].as_str().unwrap().starts_with("action `");
    assert!(differences[0]["tick"] == 200 && differences.iter().any(acted), "{json}");
}

#[test]
fn another_bundle_is_refused_by_name() {
    let program = recorded();
    program.change_and_rehash(MODEL_CARD_FILE, b"another card");
    let run = program.refused(REPLAY, "which was recorded; give that one, or --any-bundle");
    let hash = |program: &Program| omiga_format::hash::of_bytes(&program.read("bundle/SHA256SUMS"));
    assert!(run.stderr.contains(&format!("`bundle` is bundle {}", hash(&program))), "{run:?}");
    program.done(&format!("{REPLAY} --any-bundle")).shows("no difference in 1001 ticks");
    // Of another robot.
    let other = root().join("models/hopper-3x1");
    program.refused(
        &format!("replay x.rec --bundle {} --any-bundle", other.display()),
        "the recording is of agent_1 of spread, found agent_1 of hopper-3x1",
    );
}

#[test]
fn what_is_no_recording_is_refused() {
    let program = recorded();
    let good = program.read("x.rec");
    program.write("x.rec", &good[..good.len() / 2]);
    program.refused(REPLAY, "x.rec: damaged flight recording");
    program.write("x.rec", b"something else");
    program.refused(REPLAY, "x.rec: not a flight recording (it does not start with `OMIGAREC`)");
    program.refused("replay no.rec --bundle bundle", "cannot read `no.rec`");
    program.write("x.rec", &good);
    program.refused(&format!("{REPLAY} --svg no/such/x.svg"), "cannot write `no/such/x.svg`");
}

/// A disk that is full after 16 kB: no half of a picture.
#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_is_an_error() {
    let program = recorded();
    let mut shell = std::process::Command::new("sh");
    shell.args(["-c", r#"trap "" XFSZ; ulimit -f 32; exec "$0" "$@""#, env!("CARGO_BIN_EXE_omiga")]);
    let words = format!("{REPLAY} --svg x.svg");
    let run = Run::of(&words, program.wrap(shell, &words)).expect(2);
    assert!(run.complaint().is_some_and(|line| line.starts_with("omiga: cannot write `x.svg`")), "{run:?}");
    assert!(!program.path("x.svg").exists());
}
