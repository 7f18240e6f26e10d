//! What can stand behind the keys of a map.

use jiff::SignedDuration;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer};

/// A formula as it is written.
#[derive(Clone, Debug, Deserialize)]
#[serde(untagged)]
pub enum Formula {
    /// Of names.
    Text(String),
    /// The same in every row.
    Number(f64),
}

/// A time span above 0, as `200 ms`, in nanoseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Period(pub i64);

impl Period {
    fn parse(text: &str) -> Result<Self, String> {
        let wrong = |reason: &str| format!("found `{text}`, expected a time as \"200 ms\" or \"3 min\"{reason}");
        let span: SignedDuration = text.parse().map_err(|e| wrong(&format!(" ({e})")))?;
        let ns = i64::try_from(span.as_nanos()).map_err(|_| wrong(", at most 292 years"))?;
        if ns > 0 { Ok(Self(ns)) } else { Err(wrong(" above 0")) }
    }
}

impl<'de> Deserialize<'de> for Period {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::parse(&String::deserialize(deserializer)?).map_err(D::Error::custom)
    }
}

/// What is between two rows that do not follow each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Gap {
    /// Nothing is.
    Off,
    /// More than so many nanoseconds.
    After(Period),
}

impl<'de> Deserialize<'de> for Gap {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match String::deserialize(deserializer)?.as_str() {
            "off" => Ok(Self::Off),
            text => Period::parse(text).map(Self::After).map_err(|e| D::Error::custom(format!("{e}, or \"off\""))),
        }
    }
}

/// What is done where a value is missing.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub enum Null {
    /// The last one of the episode stays.
    #[default]
    Hold,
    /// The moment is left out.
    Drop,
    /// It is this.
    Value(f64),
}

impl<'de> Deserialize<'de> for Null {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Written {
            Number(f64),
            Word(String),
        }
        match Written::deserialize(deserializer)? {
            Written::Number(value) if value.is_finite() => Ok(Self::Value(value)),
            Written::Word(word) if word == "hold" => Ok(Self::Hold),
            Written::Word(word) if word == "drop" => Ok(Self::Drop),
            _ => Err(D::Error::custom("expected \"hold\", \"drop\" or a number")),
        }
    }
}

/// How rows become steps.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Sampling {
    /// Each moment is a step.
    #[default]
    Rows,
    /// Steps are a period apart and have the last value.
    Hold,
    /// Steps are a period apart and have the mean over it.
    Mean,
}

/// How one entry's values become a step's, where steps are a period apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Sample {
    /// The last one.
    Hold,
    /// The mean over the period.
    Mean,
    /// The sum over the period.
    Sum,
}

/// Something that is or is not so.
#[derive(Clone, Debug, Deserialize)]
#[serde(untagged)]
pub enum Flag {
    /// A column of true and false, 1 and 0.
    Column(String),
    /// A column that is one of these texts.
    Is(FlagIs),
    /// A formula that is not 0.
    Formula(FlagFormula),
}

/// `{ column = "event", is = "trip" }`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FlagIs {
    /// The column.
    pub column: String,
    /// The texts.
    pub is: Texts,
}

/// `{ value = "temperature > 90" }`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FlagFormula {
    /// The formula.
    pub value: String,
}

/// One text or several.
#[derive(Clone, Debug, Deserialize)]
#[serde(untagged)]
pub enum Texts {
    /// One.
    One(String),
    /// Several.
    Several(Vec<String>),
}

impl Texts {
    /// As a list.
    pub fn list(&self) -> Vec<String> {
        match self {
            Self::One(text) => vec![text.clone()],
            Self::Several(texts) => texts.clone(),
        }
    }
}

/// What the last row of an episode is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LastRow {
    /// A step if the episode terminated there and it has a command; else the state that was reached.
    #[default]
    Auto,
    /// A step, if it has a command; the state behind it is taken to be the same.
    Step,
    /// The state that was reached.
    State,
    /// The one after the row that says how the episode ended: the state that was reached.
    Next,
}

/// In which row the reward of a step is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RewardRow {
    /// In that of its command.
    #[default]
    Same,
    /// In that of the state it led to.
    Next,
}

/// The team's reward of rewards that each agent has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Team {
    /// Their mean: a reward that all share is itself.
    #[default]
    Mean,
    /// Their sum.
    Sum,
}

/// What is done with a choice that its mask forbids.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Masked {
    /// The import ends there.
    #[default]
    Refuse,
    /// It was made, so it was available.
    Allow,
}

/// What is done with a command outside of its range.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Outside {
    /// The log is refused.
    #[default]
    Refuse,
    /// The nearest one is taken.
    Clamp,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: Result<i64, &str>) {
        match (Period::parse(text), expected) {
            (Ok(found), Ok(expected)) => assert_eq!(found.0, expected, "{text}"),
            (Err(found), Err(part)) => assert!(found.contains(part), "{text}: {found}"),
            (found, _) => panic!("{text}: {found:?}"),
        }
    }

    #[test]
    fn spans_have_units() {
        check("200 ms", Ok(200_000_000));
        check("200ms", Ok(200_000_000));
        check("3 min", Ok(180_000_000_000));
        check("1h 30m", Ok(5_400_000_000_000));
        check("0.5 s", Ok(500_000_000));
        check("10 us", Ok(10_000));
        check("0 s", Err("above 0"));
        check("200", Err("expected a time"));
        check("-1 s", Err("above 0"));
    }
}
