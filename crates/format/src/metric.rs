//! What an episode is judged by beside its return.

use alloc::borrow::ToOwned;
use alloc::string::String;
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use crate::is_visible;

/// Most metrics of a task.
const MAX_METRICS: usize = 64;

/// Which values of a metric are good.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Better {
    /// Large ones.
    Higher,
    /// Small ones.
    Lower,
}

/// One number of an episode beside its return, e.g. whether a battle was won. Over several episodes its mean is told.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Metric {
    /// What it is, e.g. `win rate`: as a column is headed. ASCII, unique within the task.
    pub name: String,
    /// Its unit, e.g. `kWh a day`; [`Metric::SHARE`] for a share, `1` for another number without dimension.
    pub unit: String,
    /// Which values are good.
    pub better: Better,
}

impl Metric {
    /// The unit of a share: a number from 0 to 1, shown in percent.
    pub const SHARE: &'static str = "share";

    /// A metric in `unit`.
    pub fn new(name: &str, unit: &str, better: Better) -> Self {
        Self { name: name.to_owned(), unit: unit.to_owned(), better }
    }

    /// A share of something: 0 to 1. What happens in an episode or does not is 1 or 0, so that the mean is its rate.
    pub fn share(name: &str, better: Better) -> Self {
        Self::new(name, Self::SHARE, better)
    }

    /// Is it a number from 0 to 1, shown in percent?
    pub fn is_share(&self) -> bool {
        self.unit == Self::SHARE
    }

    /// Name and unit as a column is headed: `win rate, %`, `loss, kWh a day`.
    pub fn heading(&self) -> String {
        match self.shown_unit() {
            "" => self.name.clone(),
            unit => format!("{}, {unit}", self.name),
        }
    }

    /// A value without its unit, as below [`Self::heading`].
    pub fn number(&self, value: f64) -> String {
        let shown = if self.is_share() { 100.0 * value } else { value };
        let places = match shown.abs() {
            _ if self.is_share() => 1,
            size if size >= 100.0 => 0,
            size if size >= 1.0 => 2,
            _ => 4,
        };
        format!("{shown:.places$}")
    }

    /// A value with its unit: `62.5 %`, `1563 kWh a day`.
    pub fn text(&self, value: f64) -> String {
        match self.shown_unit() {
            "" => self.number(value),
            unit => format!("{} {unit}", self.number(value)),
        }
    }

    /// Its unit as it is shown: `%` for a share, nothing for `1`.
    pub fn shown_unit(&self) -> &str {
        match self.unit.as_str() {
            Self::SHARE => "%",
            "1" => "",
            unit => unit,
        }
    }

    /// What is wrong with the metrics of a task, if anything: names are unique printable ASCII, units printable.
    pub fn fault(metrics: &[Self]) -> Option<String> {
        let is_name = |name: &str| (1..=128).contains(&name.len()) && name.bytes().all(|b| matches!(b, b' '..=b'~'));
        if metrics.len() > MAX_METRICS {
            return Some(format!("{} metrics, expected at most {MAX_METRICS}", metrics.len()));
        }
        for (i, metric) in metrics.iter().enumerate() {
            if !is_name(&metric.name) || !metric.unit.chars().all(is_visible) {
                let name = metric.name.escape_debug();
                return Some(format!("metric `{name}`, expected printable ASCII as name and a printable unit"));
            }
            if metrics[..i].iter().any(|earlier| earlier.name == metric.name) {
                return Some(format!("metric `{}` twice, expected unique names", metric.name));
            }
        }
        None
    }
}

/// What several episodes had of a metric.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Measured {
    /// The metric.
    #[serde(flatten)]
    pub metric: Metric,
    /// Mean over the episodes.
    pub mean: f64,
    /// 95 % interval of the mean, if there are episodes enough for one.
    pub ci95: Option<(f64, f64)>,
    /// Each episode's value, if they are kept.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub values: Vec<f64>,
}

impl Measured {
    /// Mean and interval without unit, as below [`Metric::heading`]: `62.5 [44.9, 77.1]`.
    pub fn number(&self) -> String {
        let number = |value| self.metric.number(value);
        let interval = |(low, high)| format!(" [{}, {}]", number(low), number(high));
        format!("{}{}", number(self.mean), self.ci95.map(interval).unwrap_or_default())
    }

    /// The same without each episode's value.
    #[must_use]
    pub fn without_values(&self) -> Self {
        Self { metric: self.metric.clone(), mean: self.mean, ci95: self.ci95, values: Vec::new() }
    }

    /// Name and mean, as in a sentence: `win rate 62.5 %`.
    pub fn text(&self) -> String {
        format!("{} {}", self.metric.name, self.metric.text(self.mean))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_are_shown_in_percent() {
        let won = Metric::share("win rate", Better::Higher);
        assert_eq!(
            (won.heading(), won.number(0.625), won.text(1.0)),
            ("win rate, %".into(), "62.5".into(), "100.0 %".into())
        );
        let loss = Metric::new("loss", "kWh a day", Better::Lower);
        let texts = [1563.4, 12.345, 0.012_34].map(|x| loss.text(x));
        assert_eq!(
            (loss.heading().as_str(), texts),
            ("loss, kWh a day", ["1563 kWh a day", "12.35 kWh a day", "0.0123 kWh a day"].map(str::to_owned))
        );
        let steps = Metric::new("steps alive", "1", Better::Higher);
        assert_eq!((steps.heading(), steps.text(7.0)), ("steps alive".into(), "7.00".into()));
        let measured = Measured { metric: won, mean: 0.625, ci95: Some((0.449, 0.771)), values: Vec::new() };
        assert_eq!((measured.number(), measured.text()), ("62.5 [44.9, 77.1]".into(), "win rate 62.5 %".into()));
    }

    /// `{"name": .., "unit": .., "better": .., "mean": .., "ci95": .., "values": ..}`
    #[test]
    fn what_was_measured_is_one_object() {
        let measured = Measured {
            metric: Metric::share("win rate", Better::Higher),
            mean: 0.5,
            ci95: None,
            values: vec![0.0, 1.0],
        };
        let json = serde_json::to_string(&measured).unwrap();
        let expected =
            r#"{"name":"win rate","unit":"share","better":"higher","mean":0.5,"ci95":null,"values":[0.0,1.0]}"#;
        assert_eq!(json, expected);
        assert_eq!(serde_json::from_str::<Measured>(&json).unwrap(), measured);
    }

    #[test]
    fn wrong_metrics_are_named() {
        let metric = |name: &str, unit: &str| Metric::new(name, unit, Better::Higher);
        let check =
            |metrics: &[Metric], expected: Option<&str>| assert_eq!(Metric::fault(metrics).as_deref(), expected);
        check(&[], None);
        check(&[metric("a", "1"), metric("b", "°C")], None);
        check(&[metric("a", "1"), metric("a", "m")], Some("metric `a` twice, expected unique names"));
        let unprintable = "expected printable ASCII as name and a printable unit";
        check(&[metric("", "1")], Some(&format!("metric ``, {unprintable}")));
        check(&[metric("a\n", "1")], Some(&format!("metric `a\\n`, {unprintable}")));
        check(&[metric("a", "\u{202e}m")], Some(&format!("metric `a`, {unprintable}")));
        let many: Vec<_> = (0..65).map(|i| metric(&i.to_string(), "1")).collect();
        check(&many, Some("65 metrics, expected at most 64"));
    }
}
