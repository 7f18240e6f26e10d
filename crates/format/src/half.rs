//! Numbers of 16 bits, in which weights may be held or stored: 11 bits of precision, at most 65504.

/// IEEE 754's binary16, by its bits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(transparent)]
pub struct F16(pub u16);

impl F16 {
    /// The nearest one, ties to even; `None` beyond the largest.
    pub fn nearest(x: f32) -> Option<Self> {
        const LEAST_NORMAL: f32 = 6.103_515_6e-5;
        let magnitude = x.abs();
        let bits = if magnitude < LEAST_NORMAL {
            // A half has the spacing that small ones of 16 bits have, so the sum is rounded as they are.
            (magnitude + 0.5).to_bits() - 0.5_f32.to_bits()
        } else {
            let bits = magnitude.to_bits();
            let even = bits >> 13 & 1;
            // The exponent counts from 15 in place of 127.
            (bits + 0xfff + even - (112 << 23)) >> 13
        };
        let sign = x.to_bits() >> 16 & 0x8000;
        (magnitude <= f32::MAX && bits < 0x7c00).then_some(Self((sign | bits) as u16))
    }

    /// The same number; exact.
    #[inline]
    pub fn to_f32(self) -> f32 {
        let (sign, exponent) = (u32::from(self.0 & 0x8000) << 16, self.0 >> 10 & 31);
        let mantissa = u32::from(self.0 & 0x3ff);
        let magnitude = match exponent {
            0 => (mantissa as f32 * f32::from_bits((127 - 24) << 23)).to_bits(),
            31 => 0xff << 23 | mantissa << 13,
            exponent => (u32::from(exponent) + 112) << 23 | mantissa << 13,
        };
        f32::from_bits(sign | magnitude)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_number_comes_back() {
        for bits in 0..=u16::MAX {
            let x = F16(bits).to_f32();
            let finite = bits & 0x7c00 != 0x7c00;
            assert_eq!(F16::nearest(x), finite.then_some(F16(bits)), "{bits:#x}: {x}");
            assert_eq!(x.is_finite(), finite);
            assert_eq!(x.is_nan(), !finite && bits & 0x3ff != 0);
        }
    }

    /// Between two neighbours the nearer one, in the middle the even one.
    #[test]
    fn numbers_between_are_rounded() {
        for bits in 0..0x7bff_u16 {
            let (low, high) = (F16(bits).to_f32(), F16(bits + 1).to_f32());
            let middle = low + (high - low) / 2.0;
            let even = F16(bits + (bits & 1));
            let (below, above) = (f32::from_bits(middle.to_bits() - 1), f32::from_bits(middle.to_bits() + 1));
            for sign in [1.0, -1.0] {
                let of = |x: f32| F16::nearest(sign * x).map(|h| F16(h.0 & 0x7fff));
                assert_eq!((of(below), of(middle), of(above)), (Some(F16(bits)), Some(even), Some(F16(bits + 1))));
            }
        }
        assert_eq!(F16::nearest(65519.0), Some(F16(0x7bff)));
        assert_eq!([65520.0, 1e30, f32::INFINITY, f32::NAN].map(F16::nearest), [None; 4]);
    }
}
