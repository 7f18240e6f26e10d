//! From numbers of single rows to those of all of them.

use omiga_dataset::{ActionSupport, HostBatch};

use super::played::Played;
use super::rows::ToGo;
use crate::nn::Done;

/// Sums over rows, from which the gauges are made.
#[derive(Debug, Default)]
pub struct Sums {
    /// Rows with a value.
    pub values: u64,
    /// V_tot.
    pub v_tot: f64,
    /// Return to go, where the clock ended an episode with the value of its last state.
    pub returns: f64,
    /// 1 - gamma^n where that value counts, else 1.
    pub grounded: f64,
    /// Weights of the cloning.
    pub weights: Weights,
    /// By agent.
    pub agents: Vec<AgentSums>,
    /// How well the policies fit what was done, of all agents.
    pub fit: f64,
    /// What that is.
    pub fit_is: Option<Fit>,
}

/// How well a policy fits the action of a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fit {
    /// log pi(a | o).
    LogLikelihood,
    /// |pi(o) - a|^2, of a policy without likelihood.
    SquaredError,
}

/// Of weights and their squares.
#[derive(Debug, Default)]
pub struct Weights {
    count: u64,
    sum: f64,
    squares: f64,
}

/// Of the rows in which an agent was alive.
#[derive(Clone, Copy, Debug, Default)]
pub struct AgentSums {
    pub rows: u64,
    /// Distances of its actions from the data's.
    pub distance: f64,
    /// Rows in which it left what the data did.
    pub outside: u64,
}

impl Weights {
    pub fn add(&mut self, weight: f64) {
        self.count += 1;
        self.sum += weight;
        self.squares += weight * weight;
    }

    /// Share of the rows that count: (mean W)^2 / mean W^2; 1 if all weights are equal.
    pub fn effective_share(&self) -> Option<f64> {
        (self.count > 0).then(|| self.sum * self.sum / (self.count as f64 * self.squares))
    }
}

impl Sums {
    /// A row of this value and return to go, whose episode ends with the value `end`, if that counts.
    pub fn add_value(&mut self, v_tot: f64, to_go: ToGo, end: Option<f64>) {
        let tail = if end.is_some() { to_go.discount } else { 0.0 };
        self.values += 1;
        self.v_tot += v_tot;
        self.returns += to_go.rewards + tail * end.unwrap_or(0.0);
        self.grounded += 1.0 - tail;
    }

    /// What an agent would do in place `i` of `host`, agents within rows, against what it did there.
    pub fn add_action(&mut self, i: usize, played: &Played, host: &HostBatch, support: &ActionSupport) {
        let (n, agent) = (self.agents.len(), i % self.agents.len());
        let (distance, outside) = match (&played.done, support) {
            (Done::Commands(commands), ActionSupport::Commands(ranges)) => {
                let a = ranges.len() / n;
                let (own, ranges) = (&commands[i * a..][..a], &ranges[agent * a..][..a]);
                let within = own.iter().zip(ranges).all(|(x, (low, high))| (low..=high).contains(&x));
                (apart(own, &host.actions[i * a..][..a]), !within)
            }
            (Done::Choices(choices), ActionSupport::Choices(taken)) => {
                let (choice, a) = (choices[i], taken.len() / n);
                (f64::from(u8::from(choice != host.action_indices[i])), !taken[agent * a + choice as usize])
            }
            // Policies act as the data does.
            _ => return,
        };
        let agent = &mut self.agents[agent];
        agent.rows += 1;
        agent.distance += distance;
        agent.outside += u64::from(outside);
        self.fit += played.fit[i];
    }

    /// Of V_tot; nothing without a row that has one.
    pub fn mean_value(&self) -> Option<f64> {
        (self.values > 0).then(|| self.v_tot / self.values as f64)
    }

    /// mean(V - G) / mean(1 - b gamma^n), so that an error of V that is the same in all rows shows as itself.
    pub fn optimism(&self) -> Option<f64> {
        (self.values > 0 && self.grounded > 0.0).then(|| (self.v_tot - self.returns) / self.grounded)
    }

    /// Of all agents.
    pub fn team(&self) -> AgentSums {
        self.agents.iter().fold(AgentSums::default(), |sum, agent| AgentSums {
            rows: sum.rows + agent.rows,
            distance: sum.distance + agent.distance,
            outside: sum.outside + agent.outside,
        })
    }
}

/// Mean |x - y| of two commands.
pub fn apart(own: &[f32], other: &[f32]) -> f64 {
    own.iter().zip(other).map(|(x, y)| f64::from((x - y).abs())).sum::<f64>() / own.len() as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(weights: &[f64], expected: f64) {
        let mut sums = Weights::default();
        weights.iter().for_each(|weight| sums.add(*weight));
        let found = sums.effective_share().unwrap();
        assert!((found - expected).abs() < 1e-12, "{weights:?}: {found}");
    }

    #[test]
    fn effective_shares() {
        check(&[2.0, 2.0, 2.0], 1.0);
        // One row of four counts.
        check(&[0.0, 3.0, 0.0, 0.0], 0.25);
        check(&[1.0, 3.0], 4.0 / 5.0);
        assert_eq!(Weights::default().effective_share(), None);
    }

    #[test]
    fn an_error_of_all_rows_shows_as_itself() {
        // V = G + 7 in rows of an episode that the clock ended: G has 7 gamma^n too much.
        let (mut sums, gamma) = (Sums::default(), 0.9_f64);
        for n in 1..=5 {
            let discount = gamma.powi(n);
            // 3 in all, of which the end's true value, 10, is a part.
            let to_go = ToGo { rewards: 3.0 - discount * 10.0, discount };
            sums.add_value(3.0 + 7.0, to_go, Some(10.0 + 7.0));
        }
        assert!((sums.optimism().unwrap() - 7.0).abs() < 1e-12);
        assert_eq!(Sums::default().optimism(), None);
        // Nothing counts behind a termination.
        let mut sums = Sums::default();
        sums.add_value(1.0, ToGo { rewards: 3.0, discount: 0.5 }, None);
        assert_eq!(sums.optimism(), Some(-2.0));
    }

    #[test]
    fn actions_against_the_data() {
        let mut host = HostBatch::default();
        (host.size, host.actions) = (1, vec![0.0, 0.5, -1.0, 1.0]);
        let played = Played {
            done: Done::Commands(vec![0.5, 0.5, 1.0, 1.0]),
            fit: vec![-1.0, -3.0],
            fit_is: Fit::LogLikelihood,
        };
        let support = ActionSupport::Commands(vec![(0.0, 0.4), (0.0, 1.0), (-1.0, 1.0), (-1.0, 1.0)]);
        let mut sums = Sums { agents: vec![AgentSums::default(); 2], ..Sums::default() };
        (0..2).for_each(|i| sums.add_action(i, &played, &host, &support));
        let found = sums.agents.iter().map(|of| (of.rows, of.distance, of.outside)).collect::<Vec<_>>();
        assert_eq!((found, sums.fit), (vec![(1, 0.25, 1), (1, 1.0, 0)], -4.0));
    }

    #[test]
    fn choices_against_the_data() {
        let mut host = HostBatch::default();
        (host.size, host.action_indices) = (1, vec![1, 1]);
        let played = Played { done: Done::Choices(vec![1, 2]), fit: vec![0.0; 2], fit_is: Fit::LogLikelihood };
        let support = ActionSupport::Choices(vec![true, true, false, true, true, false]);
        let mut sums = Sums { agents: vec![AgentSums::default(); 2], ..Sums::default() };
        (0..2).for_each(|i| sums.add_action(i, &played, &host, &support));
        let AgentSums { rows, distance, outside } = sums.team();
        assert_eq!((rows, distance, outside), (2, 1.0, 1));
    }
}
