//! Forms of an exported graph: the usual one, and what some runtimes and compilers need instead.

use alloc::string::{String, ToString};
use core::fmt;

use serde::{Deserialize, Serialize};

use crate::ActionSpace;

/// What a policy's graph takes and gives. The default is the usual form, which most runtimes take.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct GraphForm {
    /// Rows of every input and output, at least 1; `None` if the caller chooses.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub batch: Option<u32>,
    /// Is the action mask f32, 0 and 1, in place of bool?
    pub float_mask: bool,
    /// Are logits the only output? The choice is the largest, which the caller looks for.
    pub logits_only: bool,
}

impl GraphForm {
    /// Most rows of a fixed batch.
    pub const MAX_BATCH: u32 = 1 << 16;

    /// Is it the default?
    pub fn is_usual(&self) -> bool {
        *self == Self::default()
    }

    /// Why a policy with these actions cannot have this form, if so: what is wrong, what was expected and what was found.
    pub fn refusal(&self, action: &ActionSpace) -> Option<(&'static str, String, String)> {
        let discrete = matches!(action, ActionSpace::Discrete(_));
        match self {
            Self { batch: Some(rows), .. } if !(1..=Self::MAX_BATCH).contains(rows) => {
                Some(("the graph's batch", format!("from 1 to {}", Self::MAX_BATCH), rows.to_string()))
            }
            Self { float_mask: true, .. } if !discrete => Some(of_choices("the graph's action mask", "f32")),
            Self { logits_only: true, .. } if !discrete => Some(of_choices("the graph's only output", "logits")),
            _ => None,
        }
    }
}

fn of_choices(what: &'static str, found: &str) -> (&'static str, String, String) {
    (what, "none, as the actions are commands, not choices".into(), found.into())
}

impl fmt::Display for GraphForm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.batch {
            None => write!(f, "any batch")?,
            Some(rows) => write!(f, "batch {rows}")?,
        }
        write!(f, "{}", if self.float_mask { ", f32 mask" } else { "" })?;
        write!(f, "{}", if self.logits_only { ", logits only" } else { "" })
    }
}

/// Version of the standard operator set of graphs in their usual form.
pub const OPSET: i64 = Opset::V11.version();
/// Version of the file format that came with it.
pub const IR_VERSION: i64 = Opset::V11.ir_version();

/// A version of the standard operator set in which graphs are written. The operators of a policy have the same form in all of
/// them, so that only the number differs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Opset {
    /// The oldest in which `Clip` has its present form: what every ONNX Runtime 1.x loads.
    #[default]
    V11,
    /// For readers that know `Relu` and the arithmetic in their form of 2021 only.
    V14,
    /// For readers that know `Where` in its form of 2022 only.
    V17,
}

impl Opset {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::V11, Self::V14, Self::V17];

    /// Its number.
    pub const fn version(self) -> i64 {
        match self {
            Self::V11 => 11,
            Self::V14 => 14,
            Self::V17 => 17,
        }
    }

    /// Version of the file format that came with it.
    pub const fn ir_version(self) -> i64 {
        match self {
            Self::V11 => 6,
            Self::V14 => 7,
            Self::V17 => 8,
        }
    }

    /// The one with this number.
    pub fn of_version(version: i64) -> Option<Self> {
        Self::ALL.into_iter().find(|opset| opset.version() == version)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(form: GraphForm, action: &ActionSpace, expected: Option<&str>) {
        assert_eq!(form.refusal(action).map(|(what, ..)| what), expected, "{form}");
    }

    #[test]
    fn what_cannot_be_is_refused() {
        let (commands, choices) = (ActionSpace::unit_box(2), ActionSpace::choices(3));
        let fixed = |rows| GraphForm { batch: Some(rows), ..GraphForm::default() };
        let (mask, logits) = (
            GraphForm { float_mask: true, ..GraphForm::default() },
            GraphForm { logits_only: true, ..GraphForm::default() },
        );
        for action in [&commands, &choices] {
            check(GraphForm::default(), action, None);
            check(fixed(1), action, None);
            check(fixed(65_536), action, None);
            check(fixed(0), action, Some("the graph's batch"));
            check(fixed(65_537), action, Some("the graph's batch"));
        }
        check(mask, &choices, None);
        check(logits, &choices, None);
        check(mask, &commands, Some("the graph's action mask"));
        check(logits, &commands, Some("the graph's only output"));
    }

    #[test]
    fn a_form_says_what_is_unusual() {
        let all = GraphForm { batch: Some(4), float_mask: true, logits_only: true };
        assert_eq!(all.to_string(), "batch 4, f32 mask, logits only");
        assert_eq!(GraphForm::default().to_string(), "any batch");
        assert!(GraphForm::default().is_usual() && !all.is_usual());
    }

    #[test]
    fn operator_sets_have_numbers() {
        assert_eq!(Opset::ALL.map(Opset::version), [11, 14, 17]);
        assert!(Opset::ALL.iter().all(|opset| Opset::of_version(opset.version()) == Some(*opset)));
        assert_eq!(Opset::of_version(13), None);
    }
}
