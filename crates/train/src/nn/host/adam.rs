//! Element-wise passes over flat buffers: gradient norms, Adam (Kingma and Ba 2015) and target updates.

use super::real::{Real, vectorised};
use crate::optim::AdamStep;

/// Elements of a piece of work; the pieces, and so every sum's order, do not depend on the number of threads.
pub const PIECE: usize = 1 << 14;

/// Independent partial sums of a sum of squares, one a vector lane.
const LANES: usize = 32;

/// `gradient <- gradient + others`, and the sum of its squares.
pub fn add_up<T: Real>(gradient: &mut [T], others: &[&[T]]) -> f64 {
    vectorised(
        #[inline(always)]
        || {
            for other in others {
                gradient.iter_mut().zip(*other).for_each(|(g, o)| *g += *o);
            }
            let mut lanes = [T::of(0.0); LANES];
            let whole = gradient.chunks_exact(LANES);
            let rest: f64 = whole.remainder().iter().map(|g| g.to_f64() * g.to_f64()).sum();
            whole.for_each(|chunk| lanes.iter_mut().zip(chunk).for_each(|(lane, g)| *lane += *g * *g));
            lanes.iter().map(|lane| lane.to_f64()).sum::<f64>() + rest
        },
    )
}

/// The step of Adam that [`AdamStep`] describes.
pub fn adam<T: Real>(p: &mut [T], m: &mut [T], v: &mut [T], g: &[T], step: &AdamStep) {
    let AdamStep { beta1, beta2, clip, rate, scale, eps } = *step;
    let [keep1, add1] = [beta1, (1.0 - beta1) * clip].map(T::of);
    let [keep2, add2] = [beta2, (1.0 - beta2) * clip * clip].map(T::of);
    let [rate, scale, eps] = [rate, scale, eps].map(T::of);
    vectorised(
        #[inline(always)]
        || {
            for (((p, m), v), g) in p.iter_mut().zip(m).zip(v).zip(g) {
                *m = keep1 * *m + add1 * *g;
                *v = keep2 * *v + add2 * *g * *g;
                *p -= rate * *m / (scale * v.sqrt() + eps);
            }
        },
    );
}

/// `target <- tau online + (1 - tau) target`.
pub fn track<T: Real>(target: &mut [T], online: &[T], tau: f64) {
    let (add, keep) = (T::of(tau), T::of(1.0 - tau));
    vectorised(
        #[inline(always)]
        || target.iter_mut().zip(online).for_each(|(t, o)| *t = add * *o + keep * *t),
    );
}
