//! Which observations a bundle's policies find unusual.

use anyhow::Result;
use omiga_format::onnx::Model;
use omiga_format::{Bundle, Novelty, NoveltyOrigin, PolicyContract};
use serde::Serialize;

use crate::output::{say, table};

/// Most rows of a table.
const MOST: usize = 24;

/// One agent's detector, without its matrix.
#[derive(Serialize)]
pub struct Detector {
    agent: String,
    /// Every field's usual range.
    usual: Vec<Usual>,
    /// By which share of their distance the quantiles were moved apart.
    widening: f32,
    /// Fields that are compared with each other.
    compared: usize,
    /// Weight of the identity in their correlation matrix; none if none is compared.
    shrinkage: Option<f64>,
    /// A larger Mahalanobis distance is unusual.
    threshold: Option<f32>,
}

#[derive(PartialEq, Serialize)]
struct Usual {
    field: String,
    unit: String,
    low: f32,
    high: f32,
}

impl Detector {
    /// That of a contract, if it has one.
    fn of(contract: &PolicyContract) -> Option<Self> {
        let Novelty { usual, widening, mahalanobis } = contract.novelty.as_ref()?;
        let range = |(field, range): (&omiga_format::ObsField, &omiga_format::Range)| Usual {
            field: field.name.clone(),
            unit: field.unit.clone(),
            low: range.low,
            high: range.high,
        };
        Some(Self {
            agent: contract.agent.clone(),
            usual: contract.obs.iter().zip(usual).map(range).collect(),
            widening: *widening,
            compared: mahalanobis.as_ref().map_or(0, |distance| distance.fields.len()),
            shrinkage: mahalanobis.as_ref().map(|distance| distance.shrinkage),
            threshold: mahalanobis.as_ref().map(|distance| distance.threshold),
        })
    }

    /// Those of a bundle's agents, in order.
    ///
    /// # Errors
    /// What is wrong with a policy's file.
    pub fn all_of(bundle: &Bundle) -> Result<Vec<Self>> {
        let mut all = Vec::new();
        if !matches!(bundle.manifest().provenance.novelty, Some(NoveltyOrigin::Calibrated { .. })) {
            return Ok(all);
        }
        for agent in &bundle.manifest().agents {
            let contract = Model::parse(&agent.policy, bundle.file(&agent.policy)?)?.contract(&agent.policy)?;
            all.extend(Self::of(&contract));
        }
        Ok(all)
    }
}

/// Say what is usual to a bundle's policies.
///
/// # Errors
/// What is wrong with the output.
pub fn say_detectors(bundle: &Bundle, detectors: &[Detector]) -> Result<()> {
    let Some(origin) = &bundle.manifest().provenance.novelty else { return Ok(()) };
    say(format!("novelty: {origin}"))?;
    if detectors.is_empty() {
        return Ok(());
    }
    let number = |x: Option<f64>, digits| x.map_or_else(String::new, |x| format!("{x:.digits$}"));
    let limits = |d: &Detector| {
        let (widening, threshold) = (format!("{:.0} %", d.widening * 100.0), number(d.threshold.map(f64::from), 2));
        vec![d.agent.clone(), widening, d.compared.to_string(), number(d.shrinkage, 4), threshold]
    };
    let head = ["agent", "quantiles widened by", "fields compared", "shrinkage", "largest distance"];
    say(table(&head, 1, detectors.iter().take(MOST).map(limits).collect()))?;
    // Agents that see the same share their rows.
    let mut alike: Vec<(String, &[Usual])> = Vec::new();
    for Detector { agent, usual, .. } in detectors {
        match alike.iter_mut().find(|(_, like)| like == usual) {
            Some((agents, _)) => *agents += &format!(", {agent}"),
            None => alike.push((agent.clone(), usual)),
        }
    }
    let row = |agents: &str, of: &Usual| {
        // Fields of rare events are not looked at.
        let is_any = (of.low, of.high) == (f32::MIN, f32::MAX);
        let [low, high] = if is_any { ["any".to_owned(), String::new()] } else { [short(of.low), short(of.high)] };
        vec![agents.to_owned(), of.field.clone(), of.unit.clone(), low, high]
    };
    let rows = alike.iter().flat_map(|(agents, usual)| usual.iter().map(|of| row(agents, of)));
    say(table(&["agents", "observation", "unit", "usual from", "to"], 3, rows.clone().take(MOST).collect()))?;
    match rows.count().saturating_sub(MOST) {
        0 => Ok(()),
        more => say(format!("and {more} more: omiga inspect BUNDLE/AGENT.onnx, or --json")),
    }
}

/// In five digits.
fn short(x: f32) -> String {
    format!("{x:.4e}").parse::<f32>().map_or_else(|_| x.to_string(), |x| x.to_string())
}
