//! Functions that a platform's library computes in its own way, computed in ours: the same bits everywhere.
//!
//! Only additions, multiplications, divisions and comparisons of f32, which IEEE 754 rounds in one way, and none of
//! them fused. There is no branch, so that the compiler may take several numbers at once.

/// From here on `tanh` is 1 in f32 (9.0109).
const SATURATED: f32 = 10.0;
/// Below it a polynomial is used, above it `1 - 2 / (exp(2x) + 1)`, which would cancel nearer to zero.
const SMALL: f32 = 0.6;
/// `(tanh(a) / a - 1) / a^2` as a polynomial in `a^2` on [0, 0.36], interpolated at Chebyshev's nodes: off by 3e-8.
const TANH: [f32; 5] = [-0.333_333_3, 0.133_329_15, -0.053_873_95, 0.021_110_96, -0.006_269_12];
/// `(exp(r) - 1 - r) / r^2` on [-ln 2 / 2, ln 2 / 2], made in the same way: off by 7e-8.
const EXP: [f32; 5] = [0.5, 0.166_665_76, 0.041_666_56, 0.008_363_185, 0.001_392_569_5];
/// ln 2 in two parts; the first has so few bits that its product with an exponent is exact.
const LN_2: [f32; 2] = [0.693_359_4, -2.121_944_4e-4];
/// Added to a small number and taken off again, it rounds to an integer, which its last bits then hold.
const ROUND: f32 = 12_582_912.0;

/// Hyperbolic tangent, at most 1.5 units in the last place from the exact one; odd, within [-1, 1]; a NaN stays one.
#[inline]
pub(super) fn tanh(x: f32) -> f32 {
    let a = x.abs();
    let square = a * a;
    let near = a + a * square * polynomial(&TANH, square);
    let far = 1.0 - 2.0 / (exp(2.0 * if a > SATURATED { SATURATED } else { a }) + 1.0);
    let y = if a > SMALL { far } else { near };
    if x.is_nan() { x } else { y.copysign(x) }
}

/// e to the power of `x`, for 0 to 20.
#[inline]
fn exp(x: f32) -> f32 {
    let rounded = x * core::f32::consts::LOG2_E + ROUND;
    let n = rounded - ROUND;
    let r = x - n * LN_2[0] - n * LN_2[1];
    let mantissa = 1.0 + (r + r * r * polynomial(&EXP, r));
    // The exponent is that of 1 plus n.
    let exponent = rounded.to_bits().wrapping_sub(ROUND.to_bits()).wrapping_add(127) << 23;
    mantissa * f32::from_bits(exponent)
}

/// By Horner's rule, the constant first.
#[inline]
fn polynomial(coefficients: &[f32; 5], x: f32) -> f32 {
    let [a, b, c, d, e] = *coefficients;
    a + x * (b + x * (c + x * (d + x * e)))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Distance of two f32 in units in the last place of `exact`.
    fn ulp(found: f32, exact: f64) -> f64 {
        let near = (exact.abs() as f32).max(f32::MIN_POSITIVE);
        let unit = f64::from(f32::from_bits(near.to_bits() + 1)) - f64::from(near);
        (f64::from(found) - exact).abs() / unit
    }

    /// Every 101st bit pattern up to infinity, against the platform's f64.
    #[test]
    fn tanh_is_that_of_f64() {
        let (mut worst, mut hash) = ((0.0, 0.0), 0xcbf2_9ce4_8422_2325_u64);
        let mut last = 0.0;
        for bits in (0..=f32::INFINITY.to_bits()).step_by(101) {
            let x = f32::from_bits(bits);
            let y = tanh(x);
            assert_eq!(tanh(-x).to_bits(), (-y).to_bits(), "{x}");
            assert!(y <= 1.0 && (x == 0.0 || y > 0.0), "{x}: {y}");
            let error = ulp(y, f64::from(x).tanh());
            worst = if error > worst.0 { (error, x) } else { worst };
            // As good as growing: it falls by no more than its error.
            assert!(f64::from(last - y) <= 3.0 * f64::from(f32::EPSILON) * f64::from(y), "{x}: {y} after {last}");
            last = y;
            hash =
                y.to_bits().to_le_bytes().iter().fold(hash, |h, b| (h ^ u64::from(*b)).wrapping_mul(0x100_0000_01b3));
        }
        println!("worst: {} units in the last place at {}", worst.0, worst.1);
        assert!(worst.0 <= 1.5, "{worst:?}");
        // FNV-1a of all results: the same on every processor, with every C library.
        assert_eq!(hash, HASH, "{hash:#x}");
    }

    const HASH: u64 = 0x56b6_9cfe_a2b1_4b84;

    #[test]
    fn special_values() {
        let of = |x: f32| tanh(x).to_bits();
        for x in [0.0, -0.0, f32::from_bits(1), -f32::MIN_POSITIVE, 1e-20] {
            assert_eq!(of(x), x.to_bits(), "{x:e}");
        }
        for x in [9.02, 10.0, 20.0, 1e30, f32::MAX, f32::INFINITY] {
            assert_eq!((tanh(x), tanh(-x)), (1.0, -1.0), "{x:e}");
        }
        assert!(tanh(f32::NAN).is_nan() && tanh(-f32::NAN).is_nan());
        assert!(tanh(8.9) < 1.0);
    }
}
