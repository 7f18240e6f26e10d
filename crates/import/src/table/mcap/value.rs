//! What a message has in a column.

use jiff::Timestamp;

use crate::table::cell::chosen;

#[derive(Clone, Debug, Default, PartialEq)]
pub enum Value {
    #[default]
    None,
    Bool(bool),
    Number(f64),
    Numbers(Vec<f64>),
    /// Nanoseconds since 1970.
    Time(i64),
    Text(String),
}

impl Value {
    /// Forget it; a list keeps its room.
    pub fn clear(&mut self) {
        match self {
            Self::Numbers(numbers) => numbers.clear(),
            other => *other = Self::None,
        }
    }

    /// Add an element to its list.
    pub fn push(&mut self, number: f64) {
        match self {
            Self::Numbers(numbers) => numbers.push(number),
            other => *other = Self::Numbers(vec![number]),
        }
    }

    /// NaN for none, `None` if it is no number.
    pub fn number(&self) -> Option<f64> {
        match self {
            Self::None => Some(f64::NAN),
            Self::Bool(value) => Some(f64::from(u8::from(*value))),
            Self::Number(number) => Some(*number),
            Self::Time(ns) => Some(*ns as f64 * 1e-9),
            Self::Numbers(numbers) if numbers.is_empty() => Some(f64::NAN),
            Self::Numbers(_) | Self::Text(_) => None,
        }
    }

    /// An element of a list: NaN beyond its end, `None` if it is no list.
    pub fn element(&self, element: usize) -> Option<f64> {
        match self {
            Self::None => Some(f64::NAN),
            Self::Numbers(numbers) => Some(numbers.get(element).copied().unwrap_or(f64::NAN)),
            _ => None,
        }
    }

    /// 1 if it is one of the texts, else 0; NaN for none.
    pub fn is_any(&self, texts: &[String]) -> Option<f64> {
        Some(self.text().map_or(f64::NAN, |text| f64::from(u8::from(texts.contains(&text)))))
    }

    /// Which of the choices it is.
    pub fn choice(&self, choices: &[String]) -> Option<f64> {
        let Some(text) = self.text() else { return Some(f64::NAN) };
        chosen(&text, choices, || self.number())
    }

    /// As text; `None` for none.
    pub fn text(&self) -> Option<String> {
        match self {
            Self::None => None,
            Self::Bool(value) => Some(value.to_string()),
            Self::Number(number) => (!number.is_nan()).then(|| number.to_string()),
            Self::Numbers(numbers) if numbers.is_empty() => None,
            Self::Numbers(numbers) => {
                let numbers: Vec<_> = numbers.iter().map(f64::to_string).collect();
                Some(format!("[{}]", numbers.join(", ")))
            }
            Self::Time(ns) => Timestamp::from_nanosecond((*ns).into()).ok().map(|stamp| stamp.to_string()),
            Self::Text(text) => (!text.is_empty()).then(|| text.clone()),
        }
    }
}
