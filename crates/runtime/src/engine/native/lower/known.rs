//! Products whose weights say that they are something simpler, as exported policies have them for engines that know products
//! alone.

use omiga_format::onnx::Tensor;

use super::super::graph::{Node, Source};
use super::super::plan::{Span, Step};
use super::{Lowering, Value, finite};
use crate::Result;

impl<'m> Lowering<'_, 'm> {
    /// What the product of `x` by `weights` [outputs, inputs] is, if not just one.
    pub(super) fn known_product(
        &mut self,
        node: &Node<'m>,
        x: Span,
        [outputs, inputs]: [usize; 2],
        weights: &[f32],
    ) -> Result<Option<Value>> {
        if x.len != inputs {
            return Ok(None);
        }
        let bias = match node.inputs.get(2).copied().flatten() {
            None => None,
            Some(Source::Constant(i)) => Some(&self.graph.constants[i]),
            Some(_) => return Ok(None),
        };
        match bias {
            None if x == self.obs && weights.iter().all(|w| *w == 0.0) => self.zeros(outputs).map(Some),
            None if outputs == 1 && weights.iter().all(|w| *w == 1.0 / inputs as f32) => self.mean(x).map(Some),
            Some(bias) if is_place(weights, inputs) => self.place(x, outputs, bias),
            _ => Ok(None),
        }
    }

    /// Whether the observation was finite: it is.
    pub(super) fn less(&mut self, node: &Node<'m>) -> Result<Value> {
        let Value::Zero = self.value(node, 1)? else {
            return node.place.unsupported("input 1", "the mean of an observation times zeros", "another value");
        };
        match self.scalar(node, 0)? {
            Some(bound) if bound < 0.0 => Ok(Value::Finite),
            other => node.place.unsupported("bound", "negative", format!("{other:?}")),
        }
    }

    /// An observation times zeros, which is zeros: no policy is run on an observation that is not finite.
    fn zeros(&mut self, width: usize) -> Result<Value> {
        // Nothing writes there.
        let span = self.allocate(width)?;
        self.zeros.push(span);
        Ok(Value::Row { span, rank: 2 })
    }

    /// Zeros behind, as policies had them before.
    pub(super) fn pad(&mut self, node: &Node<'m>) -> Result<Value> {
        let x = self.batched(node, 0)?;
        let pads = self.constant(node, 1)?.1;
        if pads.dims != [4] {
            return node.place.unsupported("shape of the pads", "[4]", format!("{:?}", pads.dims));
        }
        let pads = pads.to_i64(self.graph.policy)?;
        let [0, 0, 0, zeros @ (0..)] = pads[..] else {
            return node.place.unsupported("list of pads", "[0, 0, 0, n]", format!("{pads:?}"));
        };
        match self.scalar(node, 2)?.unwrap_or(0.0) {
            0.0 => {}
            other => return node.place.unsupported("padding", 0, other),
        }
        let len = x.len.saturating_add(usize::try_from(zeros).unwrap_or(usize::MAX));
        let out = self.allocate(len)?;
        self.push(Step::Pad { x, out }, 2, out)
    }

    /// `x` in front of the bias, if that leaves room for it.
    fn place(&mut self, x: Span, width: usize, bias: &Tensor) -> Result<Option<Value>> {
        let bias = finite(self.graph.policy, bias)?;
        let Some((front, rest)) = bias.split_at_checked(x.len).filter(|_| bias.len() == width) else { return Ok(None) };
        if front.iter().any(|b| *b != 0.0) {
            return Ok(None);
        }
        let out = self.allocate(width)?;
        self.arena[out.start + x.len..out.start + width].copy_from_slice(rest);
        self.push(Step::Pad { x, out }, 2, out).map(Some)
    }
}

/// Are they [I 0]?
fn is_place(weights: &[f32], inputs: usize) -> bool {
    let is_one = |i: usize| i / inputs == i % inputs;
    weights.len() >= inputs * inputs && weights.iter().enumerate().all(|(i, w)| *w == f32::from(u8::from(is_one(i))))
}
