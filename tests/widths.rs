//! A team whose agents observe different numbers of fields: recorded, trained, exported, verified in every engine there is.

use omiga_dataset::{Ending, Header, LastRow, StepActions, StepRow, StoredObs, Writer};
use omiga_format::{ActionSpace, GOLDEN_FILE, TaskSpec, TensorFile};

use crate::program::{Program, Run, SMALL};

const WIDTHS: [usize; 3] = [2, 4, 1];
const WIDEST: usize = 4;
const STEPS: usize = 12;

fn task() -> TaskSpec {
    let mut task = TaskSpec::anonymous("mixed", 3, WIDEST, ActionSpace::unit_box(2));
    task.agents.iter_mut().zip(WIDTHS).for_each(|(agent, width)| agent.obs.truncate(width));
    task.agents[0].obs[1].name = "level".into();
    task
}

/// Some numbers far from zero, filled up with zeros.
fn obs(step: usize) -> Vec<f32> {
    let row = |(agent, width): (usize, usize)| {
        let of = move |i| if i < width { 3.0 + (((step * 7 + agent * 5 + i * 3) % 11) as f32) } else { 0.0 };
        (0..WIDEST).map(of)
    };
    WIDTHS.into_iter().enumerate().flat_map(row).collect()
}

fn record(program: &Program) {
    let mut writer = Writer::create(&program.path("data.hdf5"), Header::new(task(), StoredObs::Raw), None).unwrap();
    for episode in 0..6 {
        for step in 0..STEPS {
            let commands: Vec<f32> = (0..6).map(|i| ((episode + step + i) % 5) as f32 / 2.5 - 0.8).collect();
            let (obs, actions) = (obs(episode * STEPS + step), StepActions::Physical(&commands));
            let reward = -commands[0].abs();
            writer
                .push_step(StepRow { obs: &obs, state: None, actions, reward, action_mask: None, alive: None })
                .unwrap();
        }
        let last = LastRow { obs: &obs(episode), state: None, action_mask: None, alive: None };
        writer.end_episode(last, Ending::Truncated).unwrap();
    }
    writer.finish().unwrap();
}

#[test]
fn every_policy_has_its_own_width() {
    let program = Program::new();
    record(&program);
    let card = program.done("inspect data.hdf5 --json").json();
    // Not all agents call the second field the same.
    assert_eq!([&card["fields"][0]["name"], &card["fields"][1]["name"]], ["obs.0", "level|obs.1"]);
    for transform in ["none", "standardise", "standardise-with-id", "dataset"] {
        let run = format!("run-{transform}");
        program
            .done(&format!("train --data data.hdf5 --out {run} --steps 20 {SMALL} --set data.transform={transform}"));
        program.done(&format!("export --checkpoint {run} --out {run}/bundle"));
        for (i, width) in WIDTHS.into_iter().enumerate() {
            let contract = program.done(&format!("inspect {run}/bundle/agent_{i}.onnx --json")).json();
            assert_eq!(contract["contract"]["obs"].as_array().unwrap().len(), width);
            let golden = TensorFile::parse("x", &program.read(&format!("{run}/bundle/{GOLDEN_FILE}"))).unwrap();
            assert_eq!(golden.tensors[&format!("agent_{i}.obs")].shape()[1], width);
        }
        program.done(&format!("inspect {run}/bundle")).shows("1 to 4 observations");
        check_engines(&program, &format!("{run}/bundle"));
    }
}

/// The golden vectors are the trainer's own, of filled-up rows.
fn check_engines(program: &Program, bundle: &str) {
    let mut engines = vec!["native"];
    let words = format!("verify {bundle} --json");
    let mut command = program.command(&words);
    #[cfg(feature = "onnxruntime")]
    if let Some(library) = crate::onnxruntime::library() {
        command.env("ORT_DYLIB_PATH", library);
        engines.push("onnxruntime");
    }
    let report = Run::of(&words, command).expect(0).json();
    let rows = report["rows"].as_array().unwrap();
    assert_eq!(rows.len(), engines.len() * WIDTHS.len(), "{report}");
    assert!(rows.iter().all(|row| row["max_abs_difference"].as_f64().unwrap() <= 1e-5), "{report}");
    program.done(&format!("bench {bundle} --engine native --steps 20"));
}

#[test]
fn something_behind_a_narrower_observation_is_refused() {
    let program = Program::new();
    let path = program.path("data.hdf5");
    let mut writer = Writer::create(&path, Header::new(task(), StoredObs::Raw), None).unwrap();
    let mut obs = obs(0);
    obs[3] = 0.5;
    let actions = StepActions::Physical(&[0.0; 6]);
    let step = StepRow { obs: &obs, state: None, actions, reward: 0.0, action_mask: None, alive: None };
    let message = writer.push_step(step).unwrap_err().to_string();
    assert!(message.contains("behind a narrower agent's observation is 0.5, expected 0"), "{message}");
}
