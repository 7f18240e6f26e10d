//! Decimal numbers of up to 16 signs, as most cells hold: without a branch for each of them.

use std::ops::Range;

/// The same byte 16 times.
const fn each(byte: u8) -> u128 {
    u128::from_ne_bytes([byte; 16])
}

/// What a number is divided by that has so many digits behind its point. Both are exact, so that the quotient is rounded once.
const POWERS: [f64; 16] = [1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15];
/// Whole numbers up to here are exact.
const MAX_WHOLE: u64 = 1 << 53;

/// The number at `cell` of a row, if it is nothing but digits, a point perhaps, and perhaps a minus before them: to the bit as
/// the standard library reads it. Other numbers are `None`, too.
pub fn decimal(row: &[u8], cell: Range<usize>) -> Option<f64> {
    let is_negative = *row[cell.clone()].first()? == b'-';
    let len = cell.end - cell.start - usize::from(is_negative);
    let (before, Some(last)) = (16_usize.checked_sub(len)?, row[..cell.end].last_chunk::<16>()) else { return None };
    // Zeros in place of what stands before it. The first sign is the lowest byte.
    let kept = u128::MAX.checked_shl(8 * before as u32)?;
    let text = u128::from_le_bytes(*last) & kept | each(b'0') & !kept;
    let (text, behind) = match point(text) {
        None => (text, 0),
        // What stands before the point takes its place.
        Some(at) if len > 1 => {
            let left = (1 << (8 * at)) - 1;
            (text & !(left << 8 | 0xff) | (text & left) << 8 | u128::from(b'0'), 15 - at)
        }
        Some(_) => return None,
    };
    let digits = text ^ each(b'0');
    if (digits | digits.wrapping_add(each(0x7f - 9))) & each(0x80) != 0 {
        return None;
    }
    let whole = 100_000_000 * eight(digits as u64) + eight((digits >> 64) as u64);
    let value = whole as f64 / POWERS[behind];
    // Every other number may be negative, which nobody can predict.
    (whole <= MAX_WHOLE).then_some(f64::from_bits(value.to_bits() | u64::from(is_negative) << 63))
}

/// Which byte is the first point.
fn point(text: u128) -> Option<usize> {
    let other = text ^ each(b'.');
    // The highest bit of each byte that is 0; a borrow makes wrong ones behind the first alone.
    let found = other.wrapping_sub(each(1)) & !other & each(0x80);
    (found != 0).then_some(found.trailing_zeros() as usize / 8)
}

/// The number of eight digits, the first of which is the lowest byte: two become one, three times.
fn eight(digits: u64) -> u64 {
    let pairs = digits.wrapping_mul(10 * 256 + 1) >> 8 & 0x00ff_00ff_00ff_00ff;
    let fours = pairs.wrapping_mul(100 * 65536 + 1) >> 16 & 0x0000_ffff_0000_ffff;
    fours.wrapping_mul(10_000 * (1 << 32) + 1) >> 32
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The number of a cell between others.
    fn found(text: &str) -> Option<f64> {
        let before = "0.125,-7,99999999,";
        let row = format!("{before}{text},1.5");
        decimal(row.as_bytes(), before.len()..before.len() + text.len())
    }

    #[test]
    fn numbers_are_read_here_or_not() {
        for text in ["0", "-0", "0.0", "-0.12573022", "7.", ".5", "-.5", "9007199254740992", "0.00000000000001"] {
            assert_eq!(found(text).map(f64::to_bits), text.parse().ok().map(f64::to_bits), "{text}");
        }
        // Too long, too large to be exact, or something else.
        for text in [
            "0.1257302210933933",
            "9007199254740993",
            "1e3",
            "+1",
            ".",
            "-",
            "-.",
            "--1",
            "1.2.3",
            "1-2",
            "1 ",
            "1/2",
            "1:",
            "nan",
            "\u{e9}",
        ] {
            assert_eq!(found(text), None, "{text}");
        }
        // Nothing is before it.
        assert_eq!((decimal(b"1.5,2", 0..3), decimal(b"", 0..0)), (None, None));
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 4096, failure_persistence: None, ..ProptestConfig::default() })]
        /// Whatever is read is what the standard library reads.
        #[test]
        fn what_is_read_is_right(text in "-?[0-9]{0,9}[.]?[0-9]{0,9}|[-+.0-9eE ]{1,17}", bits in any::<u32>()) {
            for text in [text, f32::from_bits(bits).to_string()].iter().filter(|text| !text.is_empty()) {
                if let Some(value) = found(text) {
                    prop_assert_eq!(Ok(value.to_bits()), text.parse::<f64>().map(f64::to_bits), "{:?}", text);
                }
            }
        }

        /// All that are short enough are.
        #[test]
        fn short_numbers_are_read(digits in "[0-9]{1,15}", point in 0_usize..16, sign in "-?") {
            let (whole, behind) = digits.split_at(point.min(digits.len()));
            let text = format!("{sign}{whole}.{behind}");
            prop_assert_eq!(found(&text).map(f64::to_bits), text.parse().ok().map(f64::to_bits), "{:?}", text);
        }
    }
}
