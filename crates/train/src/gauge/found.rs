//! `gauges.jsonl`: what the gauges of a run showed, one line each, in the order of steps.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::rows::{GaugeRows, believable};
use super::sums::{Fit, Sums};
use crate::Record;
use crate::config::{Algorithm, Config};

/// File of one JSON object a line.
pub const GAUGES_FILE: &str = "gauges.jsonl";

/// What the gauges show: a line of `gauges.jsonl`. What an algorithm does not have, or is not finite, is left out.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Gauged {
    /// Updates done.
    pub step: u64,
    /// Is no row of them learned from? Otherwise there were too few episodes to hold any out, or that was asked for.
    pub held_out: bool,
    /// Rows read.
    pub rows: usize,
    /// Mean of V_tot.
    pub v_tot: Option<f64>,
    /// Mean of the discounted return to go G; an episode that the clock ended goes on with the value of its last state.
    pub return_to_go: Option<f64>,
    /// mean(V_tot - G) / mean(1 - b gamma^n).
    pub optimism: Option<f64>,
    /// Smallest and largest discounted return to go of the whole data, 0 among them; where the clock ended an episode of T steps
    /// divided by 1 - gamma^T.
    pub returns: Option<(f64, f64)>,
    /// Effective sample size of the cloning weights over the number of rows: (mean W)^2 / mean W^2.
    pub effective_share: Option<f64>,
    /// Mean log likelihood of an agent's actions in the data.
    pub log_likelihood: Option<f64>,
    /// Mean squared distance of an agent's actions from the data's, where a policy has no likelihood.
    pub squared_error: Option<f64>,
    /// Mean over agents and commands of |pi - a|; of choices the share that differs.
    pub action_distance: Option<f64>,
    /// Share of the rows in which an agent does what it never did in the data: some command outside of its range there.
    pub outside: Option<f64>,
    /// The last two of each agent, in the task's order.
    pub agents: Vec<AgentGauge>,
    /// The values have left the data's returns: what to change.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub alarm: Option<String>,
}

/// Of one agent.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct AgentGauge {
    /// Its name in the task.
    pub agent: String,
    /// As of all.
    pub action_distance: Option<f64>,
    /// As of all.
    pub outside: Option<f64>,
}

impl Gauged {
    /// After `step` updates, from `sums` over `rows` of agents with these names; without an alarm.
    pub(super) fn of(step: u64, rows: &GaugeRows, returns: (f64, f64), sums: &Sums, names: Vec<String>) -> Self {
        let over = |sum: f64, count: u64| finite(sum / count as f64);
        let agents = names.into_iter().zip(&sums.agents).map(|(agent, of)| AgentGauge {
            agent,
            action_distance: over(of.distance, of.rows),
            outside: over(of.outside as f64, of.rows),
        });
        let (agents, team) = (agents.collect(), sums.team());
        let fit = |kind| over(sums.fit, team.rows).filter(|_| sums.fit_is == Some(kind));
        Self {
            step,
            held_out: rows.held_out,
            rows: rows.count(),
            v_tot: sums.mean_value().and_then(finite),
            return_to_go: over(sums.returns, sums.values),
            optimism: sums.optimism().and_then(finite),
            returns: Some(returns).filter(|(low, high)| low.is_finite() && high.is_finite()),
            effective_share: sums.weights.effective_share().and_then(finite),
            log_likelihood: fit(Fit::LogLikelihood),
            squared_error: fit(Fit::SquaredError),
            action_distance: over(team.distance, team.rows),
            outside: over(team.outside as f64, team.rows),
            agents,
            alarm: None,
        }
    }

    /// Among the TensorBoard events.
    pub(crate) fn event(&self) -> Record {
        let group = if self.held_out { "held_out" } else { "learned_from" };
        let of_team = [
            ("v_tot", self.v_tot),
            ("return_to_go", self.return_to_go),
            ("optimism", self.optimism),
            ("effective_share", self.effective_share),
            ("log_likelihood", self.log_likelihood),
            ("squared_error", self.squared_error),
            ("action_distance", self.action_distance),
            ("outside", self.outside),
        ];
        let of_team = of_team.into_iter().map(|(name, x)| (format!("{group}/{name}"), x));
        let of_agents =
            self.agents.iter().map(|of| (format!("{group}/action_distance/{}", of.agent), of.action_distance));
        let values = of_team.chain(of_agents).filter_map(|(name, x)| Some((name, x?)));
        Record { step: self.step, values: values.collect::<BTreeMap<_, _>>() }
    }
}

/// Is the mean of V_tot beyond all that the data ever returned, so far that it is not [`believable`]?
pub(super) fn alarm(v_tot: f64, (low, high): (f64, f64), config: &Config) -> Option<String> {
    let (least, most) = believable((low, high));
    let (side, remedy) = match (v_tot < least, v_tot > most) {
        (true, _) => {
            // What a policy pays for its distance has the scale of the rewards.
            let (setting, now) = ("rebrac.critic_bc_coef", config.rebrac.critic_bc_coef);
            let pays = config.run.algorithm == Algorithm::Rebrac && now > 0.0;
            let costs = if pays { format!("lower `{setting}` (now {now}), ") } else { String::new() };
            ("below", format!("{costs}lower `optim.lr`, see whether `data.time_limit` is missing"))
        }
        (_, true) => {
            let (setting, now) = config.anchor()?;
            ("above", format!("raise `{setting}` (now {now})"))
        }
        _ => return None,
    };
    let returns = format!("the data's discounted returns [{low:.3}, {high:.3}]");
    Some(format!("V_tot is {v_tot:.3}, {side} {returns}; {remedy}, or take an earlier checkpoint"))
}

fn finite(x: f64) -> Option<f64> {
    x.is_finite().then_some(x)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(v_tot: f64, returns: (f64, f64), expected: &[&str]) {
        told(v_tot, returns, &Config::default(), expected);
    }

    fn told(v_tot: f64, returns: (f64, f64), config: &Config, expected: &[&str]) {
        let found = alarm(v_tot, returns, config);
        assert_eq!(found.is_some(), !expected.is_empty(), "{found:?}");
        let text = found.unwrap_or_default();
        assert!(expected.iter().all(|part| text.contains(part)), "{text}");
    }

    #[test]
    fn values_that_left_the_returns_are_told() {
        let words =
            ["V_tot is 2000.000, above the data's discounted returns [0.000, 300.000]", "raise `omiga.alpha` (now 10)"];
        check(2000.0, (0.0, 300.0), &words);
        check(-76.0, (0.0, 300.0), &["-76.000, below", "`optim.lr`", "`data.time_limit`"]);
        check(f64::INFINITY, (0.0, 300.0), &["inf, above"]);
        for v_tot in [-75.0, 0.0, 299.0, 375.0] {
            check(v_tot, (0.0, 300.0), &[]);
        }
        let rebrac = Config::from_parts(&[], &["run.algorithm=rebrac".to_owned()]).unwrap();
        told(-76.0, (0.0, 300.0), &rebrac, &["lower `rebrac.critic_bc_coef` (now 0.1), lower `optim.lr`"]);
        // Nothing to be measured by: with gamma 1 a clock ends nothing.
        check(5.0, (0.0, f64::INFINITY), &[]);
    }

    #[test]
    fn what_is_not_there_is_no_event() {
        let agents = vec![AgentGauge { agent: "a".into(), action_distance: Some(0.5), outside: None }];
        let gauged = Gauged { step: 7, held_out: true, optimism: Some(2.0), agents, ..Gauged::default() };
        let record = gauged.event();
        let names: Vec<_> = record.values.keys().map(String::as_str).collect();
        assert_eq!((record.step, names), (7, vec!["held_out/action_distance/a", "held_out/optimism"]));
        let text = serde_json::to_string(&gauged).unwrap();
        assert_eq!(serde_json::from_str::<Gauged>(&text).unwrap(), gauged);
    }
}
