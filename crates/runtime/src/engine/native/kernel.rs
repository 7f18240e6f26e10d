//! Elementwise operations on rows. Widths are equal or 1; NaN always goes through, so that it is seen at the end.

use core::hash::{Hash, Hasher};

use super::math;
use super::portable::positive;

/// Of two numbers.
#[derive(Clone, Copy, Debug, Hash, PartialEq)]
pub(super) enum Binary {
    Add,
    Div,
    Max,
    Min,
    Mul,
    Sub,
}

/// Of one number.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Unary {
    Relu,
    Sqrt,
    Tanh,
    Clip { low: f32, high: f32 },
}

/// Limits by their bits.
impl Hash for Unary {
    fn hash<H: Hasher>(&self, state: &mut H) {
        core::mem::discriminant(self).hash(state);
        if let Self::Clip { low, high } = self {
            (low.to_bits(), high.to_bits()).hash(state);
        }
    }
}

impl Binary {
    #[inline]
    pub(super) fn apply(self, a: &[f32], b: &[f32], out: &mut [f32]) {
        match self {
            Self::Add => each(a, b, out, |a, b| a + b),
            Self::Div => each(a, b, out, |a, b| a / b),
            Self::Max => each(a, b, out, |a, b| if a < b || b.is_nan() { b } else { a }),
            Self::Min => each(a, b, out, |a, b| if a > b || b.is_nan() { b } else { a }),
            Self::Mul => each(a, b, out, |a, b| a * b),
            Self::Sub => each(a, b, out, |a, b| a - b),
        }
    }
}

#[inline]
fn each(a: &[f32], b: &[f32], out: &mut [f32], f: impl Fn(f32, f32) -> f32) {
    match (a, b) {
        (a, b) if a.len() == b.len() => out.iter_mut().zip(a.iter().zip(b)).for_each(|(o, (a, b))| *o = f(*a, *b)),
        ([a], b) => out.iter_mut().zip(b).for_each(|(o, b)| *o = f(*a, *b)),
        (a, [b]) => out.iter_mut().zip(a).for_each(|(o, a)| *o = f(*a, *b)),
        // Refused when the plan was made.
        _ => out.fill(f32::NAN),
    }
}

impl Unary {
    #[inline]
    pub(super) fn apply(self, x: &[f32], out: &mut [f32]) {
        let each = out.iter_mut().zip(x);
        match self {
            Self::Relu => each.for_each(|(o, x)| *o = positive(*x)),
            Self::Sqrt => each.for_each(|(o, x)| *o = libm::sqrtf(*x)),
            Self::Tanh => each.for_each(|(o, x)| *o = math::tanh(*x)),
            Self::Clip { low, high } => each.for_each(|(o, x)| {
                let x = if *x < low { low } else { *x };
                *o = if x > high { high } else { x };
            }),
        }
    }
}

/// A row, or one number everywhere.
#[inline]
pub(super) fn copy(x: &[f32], out: &mut [f32]) {
    match x {
        [x] => out.fill(*x),
        x if x.len() == out.len() => out.copy_from_slice(x),
        // Refused when the plan was made.
        _ => out.fill(f32::NAN),
    }
}

/// Mean of a row, summed in f64.
#[inline]
pub(super) fn mean(x: &[f32]) -> f32 {
    (x.iter().map(|x| f64::from(*x)).sum::<f64>() / x.len() as f64) as f32
}

/// `a` where the mask is true, else `b`.
#[inline]
pub(super) fn select(mask: &[bool], a: &[f32], b: &[f32], out: &mut [f32]) {
    for (i, (o, available)) in out.iter_mut().zip(mask).enumerate() {
        let row = if *available { a } else { b };
        *o = row.get(if row.len() == 1 { 0 } else { i }).copied().unwrap_or(f32::NAN);
    }
}

/// The mask as numbers, 1 where it is true.
#[inline]
pub(crate) fn mask_as_numbers(mask: &[bool], out: &mut [f32]) {
    out.iter_mut().zip(mask).for_each(|(o, available)| *o = f32::from(u8::from(*available)));
}

/// Place of the largest, the first of equals; -1 if there is a NaN.
#[inline]
pub(crate) fn arg_max(x: &[f32]) -> i64 {
    let mut best = (-1, f32::NEG_INFINITY);
    for (i, x) in (0_i64..).zip(x) {
        if x.is_nan() {
            return -1;
        }
        if best.0 < 0 || *x > best.1 {
            best = (i, *x);
        }
    }
    best.0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(op: Binary, a: &[f32], b: &[f32], expected: &[f32]) {
        let mut out = vec![9.0; expected.len()];
        op.apply(a, b, &mut out);
        assert_eq!(format!("{out:?}"), format!("{expected:?}"), "{op:?}");
    }

    const NAN: f32 = f32::NAN;

    #[test]
    fn binary_operations_broadcast_and_keep_nan() {
        check(Binary::Add, &[1.0, 2.0], &[3.0, 4.0], &[4.0, 6.0]);
        check(Binary::Sub, &[1.0], &[3.0, 4.0], &[-2.0, -3.0]);
        check(Binary::Div, &[1.0, 2.0], &[4.0], &[0.25, 0.5]);
        check(Binary::Mul, &[3.0], &[4.0], &[12.0]);
        check(Binary::Max, &[1.0, NAN, 5.0], &[2.0, 0.0, NAN], &[2.0, NAN, NAN]);
        check(Binary::Min, &[1.0, NAN, 5.0], &[2.0, 0.0, NAN], &[1.0, NAN, NAN]);
    }

    #[test]
    fn unary_operations_keep_nan() {
        let x = [-20.0, -0.5, 0.0, 0.5, 20.0, NAN];
        let of = |op: Unary| {
            let mut out = [7.0; 6];
            op.apply(&x, &mut out);
            format!("{out:?}")
        };
        assert_eq!(of(Unary::Relu), "[0.0, 0.0, 0.0, 0.5, 20.0, NaN]");
        assert_eq!(of(Unary::Clip { low: -1.0, high: 1.0 }), "[-1.0, -0.5, 0.0, 0.5, 1.0, NaN]");
        assert_eq!(of(Unary::Tanh), "[-1.0, -0.46211717, 0.0, 0.46211717, 1.0, NaN]");
        assert_eq!(of(Unary::Sqrt), format!("[NaN, NaN, 0.0, {:?}, {:?}, NaN]", 0.5_f32.sqrt(), 20.0_f32.sqrt()));
    }

    #[test]
    fn choices() {
        assert_eq!(arg_max(&[1.0, 3.0, 3.0]), 1);
        assert_eq!(arg_max(&[f32::NEG_INFINITY; 2]), 0);
        assert_eq!(arg_max(&[9.0, NAN]), -1);
        let mut out = [0.0; 3];
        select(&[true, false, true], &[1.0, 2.0, 3.0], &[-1.0], &mut out);
        assert_eq!(out, [1.0, -1.0, 3.0]);
    }
}
