//! A 1 kHz loop around a shipped policy, with a sensor that fails twice: what the controller decides, tick by tick. With
//! `--record FILE` the run is stored for `omiga replay`.
#![expect(clippy::print_stdout, reason = "an example talks to its reader")]

use std::error::Error;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::thread;
use std::time::{Duration, Instant};

use omiga_runtime::{
    Controller, ControllerOptions, Fallback, Flags, GuardOptions, LoadOptions, Observation, Policy, RecorderOptions,
    SafeAction, Source, Status,
};

/// Time between two ticks. The policy's own period, in its contract, is longer: the ticks between repeat its action.
const TICK: Duration = Duration::from_millis(1);
/// Ticks of the whole run.
const TICKS: u32 = 3000;
/// An observation older than this is refused.
const MAX_OBS_AGE_NS: u64 = 150_000_000;
/// For so long after a new action was due the last one is repeated.
const HOLD_NS: u64 = 200_000_000;

fn main() -> ExitCode {
    let mut arguments: Vec<_> = std::env::args_os().skip(1).map(PathBuf::from).collect();
    let at = arguments.iter().position(|argument| argument.as_os_str() == "--record");
    let record = at.map(|at| arguments.drain(at..arguments.len().min(at + 2)).nth(1).unwrap_or_default());
    let folder = arguments.into_iter().next().unwrap_or_else(|| PathBuf::from("models/spread"));
    match run(&folder, record.as_deref()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("no control: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(folder: &Path, record: Option<&Path>) -> Result<(), Box<dyn Error>> {
    let policy = Policy::load(folder, &LoadOptions::default().with_agent("agent_0"))?;
    // What is safe belongs to the machine. Here: no force.
    let safe = SafeAction::Commands(vec![0.0; policy.action_dim()]);
    let guard = GuardOptions::default()
        .with_max_obs_age_ns(MAX_OBS_AGE_NS)
        .with_fallback(Fallback::HoldThenSafe { hold_ns: HOLD_NS, safe });
    let options = ControllerOptions::default().with_guard(guard).with_max_lateness_ns(2_000_000);
    let mut controller = Controller::new(policy, &options)?;
    println!("period {} ms, ticks every {} ms", controller.period_ns() / 1_000_000, TICK.as_millis());

    if record.is_some() {
        let recorder = controller.make_recorder(&RecorderOptions::default().with_ticks(TICKS))?;
        controller.attach(recorder)?;
    }

    // Everything exists before the loop; nothing in it allocates.
    let mut plant = Plant::new(controller.policy().obs_dim());
    let mut command = vec![0.0; controller.policy().action_dim()];
    let (start, mut before) = (Instant::now(), None);
    for tick in 0..TICKS {
        let due = TICK * tick;
        thread::sleep(due.saturating_sub(start.elapsed()));
        let now_ns = u64::try_from(start.elapsed().as_nanos())?;
        plant.measure(tick, now_ns);
        let obs = Observation { values: &plant.obs, stamp_ns: plant.stamp_ns, mask: &[] };
        let status = controller.tick(now_ns, obs, &mut command);
        match status.source {
            // A new action, or one that is still good.
            Source::Policy | Source::Held | Source::Safe => plant.drive(&command),
            // Nobody answers for what is in the buffer: the drive is not told anything. With this fallback it cannot be.
            Source::None => plant.stop(),
        }
        report(tick, status, &mut before);
    }
    println!("{:#?}", controller.stats());
    if let (Some(path), Some(recorder)) = (record, controller.detach()) {
        recorder.save(path)?;
        println!("next: omiga replay {} --bundle {}", path.display(), folder.display());
    }
    Ok(())
}

/// One line whenever the source or the faults change.
fn report(tick: u32, status: Status, before: &mut Option<(Source, Flags)>) {
    let now = (status.source, status.flags & Flags::FAULTS);
    if before.replace(now) != Some(now) {
        println!("{tick:4} ms  {status}");
    }
}

/// A point that is pushed about, and the sensor that looks at it.
struct Plant {
    /// `[O]`: velocity x, y, position x, y, and what else the policy sees, which stays away.
    obs: Vec<f32>,
    stamp_ns: u64,
    velocity: [f32; 2],
    position: [f32; 2],
}

impl Plant {
    fn new(obs_dim: usize) -> Self {
        Self { obs: vec![0.0; obs_dim], stamp_ns: 0, velocity: [0.0; 2], position: [0.2, -0.3] }
    }

    /// From 1000 to 1400 ms the sensor gives NaN; from 2000 to 2500 ms it gives nothing new.
    fn measure(&mut self, tick: u32, now_ns: u64) {
        if (2000..2500).contains(&tick) {
            return;
        }
        self.stamp_ns = now_ns;
        let [a, b] = if (1000..1400).contains(&tick) { [f32::NAN; 2] } else { self.velocity };
        let measured = [a, b, self.position[0], self.position[1]];
        self.obs.iter_mut().zip(measured).for_each(|(obs, x)| *obs = x);
    }

    /// The command is nothing, left, right, down, up, each in [0, 1].
    fn drive(&mut self, command: &[f32]) {
        if let [_, left, right, down, up] = command {
            let (push, dt) = ([right - left, up - down], TICK.as_secs_f32());
            for ((velocity, position), push) in self.velocity.iter_mut().zip(&mut self.position).zip(push) {
                *velocity += (5.0 * push - 2.5 * *velocity) * dt;
                *position += *velocity * dt;
            }
        }
    }

    fn stop(&mut self) {
        self.velocity = [0.0; 2];
    }
}
