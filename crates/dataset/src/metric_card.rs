//! What a person should know about a metric of episodes.

use omiga_format::Metric;
use serde::Serialize;

use crate::stats::Distribution;

/// What the episodes are judged by beside their returns.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct MetricCard {
    /// By what.
    #[serde(flatten)]
    pub metric: Metric,
    /// Its values over the complete episodes.
    pub values: Distribution,
    /// The value of each; not part of the JSON.
    #[serde(skip)]
    pub episodes: Vec<f64>,
}

impl MetricCard {
    /// Of each complete episode's value.
    pub(crate) fn of(metric: &Metric, episodes: Vec<f64>) -> Self {
        Self { metric: metric.clone(), values: Distribution::of(&episodes), episodes }
    }
}
