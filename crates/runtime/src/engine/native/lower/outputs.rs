//! What a graph gives: a command, or a choice and the logits behind it.

use alloc::borrow::ToOwned;
use alloc::string::String;

use omiga_format::onnx::{ACTION, GraphForm, LOGITS, ValueInfo, element_type};

use super::super::graph::Source;
use super::super::plan::{Output, Step};
use super::{Lowering, Value};
use crate::engine::Signature;
use crate::{Error, Result};

impl Lowering<'_, '_> {
    pub(super) fn outputs(&mut self) -> Result<(Signature, Output)> {
        let outputs = &self.graph.outputs;
        let named = |name: &str| outputs.iter().find(|(info, _)| info.name == name);
        let Some(action) = named(ACTION).or(outputs.first()) else {
            return self.wrong_output(ACTION, "to be there", "absent".into());
        };
        let (obs_dim, form) = (self.graph.obs_dim, self.graph.form);
        match (self.output_value(action)?, self.graph.mask_dim) {
            (Value::Row { span, .. }, None) => {
                let signature = Signature { obs_dim, action_dim: span.len, discrete: false, form };
                Ok((signature, Output::Action(span)))
            }
            (Value::Choice, Some(action_dim)) => {
                let second = || outputs.iter().find(|(info, _)| info.name != action.0.name);
                let Some(logits) = named(LOGITS).or_else(second) else {
                    return self.wrong_output(LOGITS, "to be there", "absent".into());
                };
                match self.output_value(logits)? {
                    Value::Row { span, .. } if span.len == action_dim => {
                        Ok((Signature { obs_dim, action_dim, discrete: true, form }, Output::Choice { logits: span }))
                    }
                    other => self.wrong_output(LOGITS, &format!("[batch, {action_dim}]"), format!("{other:?}")),
                }
            }
            (Value::Row { span, .. }, Some(action_dim)) if self.are_logits_alone() && span.len == action_dim => {
                self.steps.push(Step::Choose { x: span });
                let form = GraphForm { logits_only: true, ..form };
                Ok((Signature { obs_dim, action_dim, discrete: true, form }, Output::Choice { logits: span }))
            }
            (Value::Row { .. }, Some(_)) => {
                self.wrong_output(ACTION, "an index, because there is an action mask", "a row of numbers".into())
            }
            (Value::Choice, None) => {
                self.wrong_output(ACTION, "with an action mask among the inputs", "without".into())
            }
            (Value::Zero | Value::Finite, _) => {
                self.wrong_output(ACTION, "a command or an index", "what is known of the observation".into())
            }
        }
    }

    /// Is the choice left to whoever reads the logits?
    fn are_logits_alone(&self) -> bool {
        matches!(&self.graph.outputs[..], [(info, _)] if info.name == LOGITS)
    }

    /// The value behind an output, which must be as declared.
    fn output_value(&self, (info, source): &(&ValueInfo, Source)) -> Result<Value> {
        let value = match source {
            Source::Node(i) => self.values[*i],
            _ => return self.wrong_output(&info.name, "computed", "an input or a constant".into()),
        };
        let rows = self.graph.form.batch.map_or(1, |rows| rows as usize);
        let (kind, shape) = match value {
            Value::Row { span, rank: 2 } => (element_type::FLOAT, vec![rows, span.len]),
            Value::Choice => (element_type::INT64, vec![rows]),
            Value::Row { rank, .. } => return self.wrong_output(&info.name, "[batch, width]", format!("rank {rank}")),
            Value::Zero | Value::Finite => return Ok(value),
        };
        let Some((declared, sizes)) = info.tensor() else { return Ok(value) };
        let fits = declared == kind
            && sizes.len() == shape.len()
            && sizes.iter().zip(&shape).all(|(declared, size)| declared.is_none_or(|d| d == *size));
        match fits {
            true => Ok(value),
            false => {
                let declared = format!("{sizes:?} of type {declared} as declared");
                self.wrong_output(&info.name, &declared, format!("{shape:?} of type {kind}"))
            }
        }
    }

    fn wrong_output<T>(&self, name: &str, expected: &str, found: String) -> Result<T> {
        Err(Error::Interface {
            policy: self.graph.policy.to_owned(),
            what: format!("output `{name}`"),
            expected: expected.to_owned(),
            found,
        })
    }
}
