//! Power flows against pandapower's Newton method (`tests/golden/pandapower`), and every other case of the folder that
//! `OMIGA_GRID_DIR` names.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::fs;
use std::path::{Path, PathBuf};

use omiga_env::{Feeder, GridReward, PowerFlow};
use serde::Deserialize;

/// What voltages may differ by, in p.u. (angles in radians too); pandapower's own rest is of this order on feeders with very short lines.
const VOLTAGE: f64 = 1e-9;
/// What powers in MW or Mvar may differ by, as a share of the largest.
const POWER: f64 = 1e-9;

#[derive(Deserialize)]
struct Document {
    base: Base,
    buses: Vec<Bus>,
    lines: Vec<Line>,
    pv: Vec<Pv>,
    nominal: Case,
    random: Vec<Case>,
    edge: Vec<Case>,
    #[serde(default)]
    steps: Vec<Step>,
}

#[derive(Deserialize)]
struct Base {
    v_kv: f64,
}

#[derive(Deserialize)]
struct Bus {
    load_p_mw: f64,
    load_q_mvar: f64,
}

#[derive(Deserialize)]
struct Line {
    from: usize,
    to: usize,
    r_ohm: f64,
    x_ohm: f64,
}

#[derive(Deserialize)]
struct Pv {
    bus: usize,
    s_mva: f64,
}

#[derive(Deserialize)]
struct Case {
    name: String,
    converged: bool,
    slack_vm_pu: f64,
    load_p_mw: Vec<f64>,
    load_q_mvar: Vec<f64>,
    pv_p_mw: Vec<f64>,
    pv_q_mvar: Vec<f64>,
    #[serde(flatten)]
    results: Option<Results>,
}

#[derive(Deserialize)]
struct Results {
    vm_pu: Vec<f64>,
    va_degree: Vec<f64>,
    line_p_from_mw: Vec<f64>,
    line_q_from_mvar: Vec<f64>,
    line_loss_mw: Vec<f64>,
    line_loss_mvar: Vec<f64>,
    loss_mw: f64,
    loss_mvar: f64,
    slack_p_mw: f64,
    slack_q_mvar: f64,
}

#[derive(Deserialize)]
struct Step {
    action: Vec<f64>,
    load_p_mw: Vec<f64>,
    load_q_mvar: Vec<f64>,
    pv_p_mw: Vec<f64>,
    pv_q_mvar: Vec<f64>,
    vm_pu: Vec<f64>,
    loss_mw: f64,
    share_out: f64,
    all_in_band: bool,
    reward: Rewards,
}

#[derive(Deserialize)]
struct Rewards {
    l1: f64,
    l2: f64,
    bowl: f64,
}

/// The feeder of a document, and the number here of each of its buses.
fn feeder(document: &Document) -> (Feeder, Vec<usize>) {
    let mut table = format!("voltage_kv = {:?}\nfrom,to,r_ohm,x_ohm,p_mw,q_mvar,s_mva\n", document.base.v_kv);
    for Line { from, to, r_ohm, x_ohm } in &document.lines {
        let Bus { load_p_mw, load_q_mvar } = &document.buses[*to];
        let rating = document.pv.iter().find(|pv| pv.bus == *to).map_or(String::new(), |pv| format!("{:?}", pv.s_mva));
        table += &format!("{from},{to},{r_ohm:?},{x_ohm:?},{load_p_mw:?},{load_q_mvar:?},{rating}\n");
    }
    let feeder = Feeder::parse("golden", &table).unwrap();
    let number = |bus: usize| feeder.names().iter().position(|name| *name == bus.to_string()).unwrap();
    let numbers = (0..document.buses.len()).map(number).collect();
    (feeder, numbers)
}

/// What each bus consumes, in the order of the feeder.
fn consumption(document: &Document, numbers: &[usize], load: &[f64], pv: &[f64]) -> Vec<f64> {
    let mut net = vec![0.0; load.len()];
    load.iter().zip(numbers).for_each(|(load, number)| net[*number] += load);
    document.pv.iter().zip(pv).for_each(|(at, pv)| net[numbers[at.bus]] -= pv);
    net
}

/// The largest differences of a voltage and of a power.
fn check(path: &Path) -> (f64, f64) {
    let document: Document = serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap();
    let (feeder, numbers) = feeder(&document);
    let mut flow = PowerFlow::new(&feeder);
    let mut worst = (0.0_f64, 0.0_f64);
    for case in std::iter::once(&document.nominal).chain(&document.random).chain(&document.edge) {
        let p = consumption(&document, &numbers, &case.load_p_mw, &case.pv_p_mw);
        let q = consumption(&document, &numbers, &case.load_q_mvar, &case.pv_q_mvar);
        let found = flow.solve(&p, &q, case.slack_vm_pu);
        assert_eq!(found.is_ok(), case.converged, "{}: {}", path.display(), case.name);
        let (Ok(found), Some(expected)) = (found, &case.results) else { continue };
        let mut volts = Vec::new();
        for (bus, number) in numbers.iter().enumerate() {
            volts.push((found.magnitude_pu(*number), expected.vm_pu[bus]));
            volts.push((found.angle_degrees(*number).to_radians(), expected.va_degree[bus].to_radians()));
        }
        let mut powers = vec![
            (found.loss_mw(), expected.loss_mw),
            (found.loss_mvar(), expected.loss_mvar),
            (found.source_power()[0], expected.slack_p_mw),
            (found.source_power()[1], expected.slack_q_mvar),
        ];
        for (i, line) in document.lines.iter().enumerate() {
            let (from, loss) = (found.line_flow(numbers[line.to]), found.line_loss(numbers[line.to]));
            let expected = [
                expected.line_p_from_mw[i],
                expected.line_q_from_mvar[i],
                expected.line_loss_mw[i],
                expected.line_loss_mvar[i],
            ];
            powers.extend(from.into_iter().chain(loss).zip(expected));
        }
        let largest = |pairs: &[(f64, f64)]| pairs.iter().map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
        let scale = powers.iter().map(|(_, b)| b.abs()).fold(1.0, f64::max);
        let (volt, power) = (largest(&volts), largest(&powers) / scale);
        assert!(volt <= VOLTAGE && power <= POWER, "{}: {}: {volt:e} p.u., {power:e}", path.display(), case.name);
        worst = (worst.0.max(volt), worst.1.max(power));
    }
    steps(&document, &feeder, &numbers);
    worst
}

/// From actions to rewards.
fn steps(document: &Document, feeder: &Feeder, numbers: &[usize]) {
    let mut flow = PowerFlow::new(feeder);
    for step in &document.steps {
        for (i, (action, p)) in step.action.iter().zip(&step.pv_p_mw).enumerate() {
            let inverter =
                feeder.inverters().iter().find(|inverter| inverter.bus == numbers[document.pv[i].bus]).unwrap();
            assert!((action * inverter.limit_mvar(*p) - step.pv_q_mvar[i]).abs() < 1e-12);
        }
        let p = consumption(document, numbers, &step.load_p_mw, &step.pv_p_mw);
        let q = consumption(document, numbers, &step.load_q_mvar, &step.pv_q_mvar);
        let found = flow.solve(&p, &q, 1.0).unwrap();
        let v: Vec<f64> = (0..feeder.n_buses()).map(|bus| found.magnitude_pu(bus)).collect();
        numbers.iter().zip(&step.vm_pu).for_each(|(bus, expected)| assert!((v[*bus] - expected).abs() < VOLTAGE));
        assert!((found.loss_mw() - step.loss_mw).abs() < POWER);
        for (reward, expected) in
            [(GridReward::L1, step.reward.l1), (GridReward::L2, step.reward.l2), (GridReward::Bowl, step.reward.bowl)]
        {
            assert!((reward.of(found.loss_mw(), &v, &step.pv_q_mvar) - expected).abs() < VOLTAGE, "{reward:?}");
        }
        let out = v.iter().filter(|v| !(0.95..=1.05).contains(*v)).count();
        assert_eq!((out as f64 / v.len() as f64, out == 0), (step.share_out, step.all_in_band));
    }
}

#[test]
fn power_flows_agree_with_pandapower() {
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/golden/pandapower/case33bw.json");
    let (volt, power) = check(&golden);
    println!("case33bw.json: largest difference {volt:.1e} p.u., {power:.1e} of the power");
}

/// Of other feeders, in the same layout.
#[test]
fn power_flows_of_a_folder_agree_with_pandapower() {
    let Some(folder) = std::env::var_os("OMIGA_GRID_DIR") else {
        println!("left out: OMIGA_GRID_DIR names no folder");
        return;
    };
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let files: Vec<PathBuf> = entries.filter(|path| path.extension().is_some_and(|e| e == "json")).collect();
    assert!(!files.is_empty(), "the folder of OMIGA_GRID_DIR holds no .json");
    for path in files {
        let (volt, power) = check(&path);
        println!("{}: largest difference {volt:.1e} p.u., {power:.1e} of the power", path.display());
    }
}
