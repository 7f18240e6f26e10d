//! One of A actions by logits.

use candle_core::{D, Tensor};
use omiga_format::MASKED_LOGIT;

use crate::Result;

/// Logits [M, A].
#[derive(Debug)]
pub struct Categorical {
    /// Unnormalised log probabilities.
    pub logits: Tensor,
}

impl Categorical {
    /// The same with logit -1e8 where `mask` [M, A] (u8) is 0.
    pub fn masked(&self, mask: &Tensor) -> Result<Self> {
        let low =
            Tensor::full(MASKED_LOGIT, self.logits.shape(), self.logits.device())?.to_dtype(self.logits.dtype())?;
        Ok(Self { logits: mask.where_cond(&self.logits, &low)? })
    }

    /// Index of the largest logit, `[M]` u32; the first of equals.
    pub fn mode(&self) -> Result<Tensor> {
        Ok(self.logits.argmax(D::Minus1)?)
    }

    /// log softmax(logits) at the action.
    ///
    /// # Shapes
    /// `actions` [M, 1] u32 -> `[M]`.
    ///
    /// # Gradients
    /// Into the logits.
    pub fn log_prob(&self, actions: &Tensor) -> Result<Tensor> {
        // log softmax(x) = x - m - log sum exp(x - m), with m the largest, so that nothing overflows.
        let centred = self.logits.broadcast_sub(&self.logits.max_keepdim(D::Minus1)?)?; // [M, A]
        let log_sum = centred.exp()?.sum_keepdim(D::Minus1)?.log()?; // [M, 1]
        Ok(centred.broadcast_sub(&log_sum)?.gather(actions, 1)?.squeeze(1)?)
    }
}

#[cfg(test)]
mod tests {
    use candle_core::Device;

    use super::*;

    #[test]
    fn by_hand() {
        let logits = Tensor::new(&[[0.0_f64, 3.0_f64.ln(), 50.0]], &Device::Cpu).unwrap();
        let mask = Tensor::new(&[[1_u8, 1, 0]], &Device::Cpu).unwrap();
        let policy = Categorical { logits }.masked(&mask).unwrap();
        let log_prob = policy.log_prob(&Tensor::new(&[[1_u32]], &Device::Cpu).unwrap()).unwrap();
        assert!((log_prob.to_vec1::<f64>().unwrap()[0] - 0.75_f64.ln()).abs() < 1e-12);
        assert_eq!(policy.mode().unwrap().to_vec1::<u32>().unwrap(), [1]);
    }
}
