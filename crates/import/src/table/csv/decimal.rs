//! Decimal numbers of up to 16 signs, as most cells hold: eight digits at once, without a branch for each of them.

use std::ops::Range;

/// Signs of the longest number that is read: of 15 digits, which are exact.
const MAX_SIGNS: usize = 16;
/// What a number is divided by that has so many digits behind its point. Both are exact, so that the quotient is rounded once.
const POWERS: [f64; MAX_SIGNS] = [1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15];
/// The same as whole numbers.
const TENS: [u64; MAX_SIGNS] = {
    let mut tens = [1; MAX_SIGNS];
    let mut i = 1;
    while i < MAX_SIGNS {
        tens[i] = 10 * tens[i - 1];
        i += 1;
    }
    tens
};
/// The bits of so many bytes, the last of 16.
const LAST: [u128; MAX_SIGNS] = {
    let mut last = [0; MAX_SIGNS];
    let mut i = 1;
    while i < MAX_SIGNS {
        last[i] = u128::MAX << (128 - 8 * i);
        i += 1;
    }
    last
};

/// The same byte eight times.
const fn each(byte: u8) -> u64 {
    u64::from_ne_bytes([byte; 8])
}

/// The number at `cell` of a row, if it is nothing but up to seven digits, a point and digits perhaps, and perhaps a minus before
/// them: to the bit as the standard library reads it. Other numbers are `None`, and some near the ends of a row.
pub fn decimal(row: &[u8], cell: Range<usize>) -> Option<f64> {
    let to_end = row.get(..cell.end)?;
    let is_negative = *to_end.get(cell.start)? == b'-';
    let start = cell.start + usize::from(is_negative);
    let text = to_end.get(start..)?;
    let (whole, before) = match text {
        // As most numbers of most logs begin.
        [digit @ b'0'..=b'9', b'.', ..] => (u64::from(digit ^ b'0'), 1),
        _ => whole(text, row.get(start..)?.first_chunk()?)?,
    };
    if text.len() > MAX_SIGNS {
        return None;
    }
    let behind = text.len().saturating_sub(before + 1);
    let last = u128::from_le_bytes(*to_end.last_chunk()?) & LAST[behind];
    let digits = last ^ u128::from_ne_bytes([b'0'; 16]) & LAST[behind];
    let (high, low) = (digits as u64, (digits >> 64) as u64);
    if !are_digits(high) || !are_digits(low) {
        return None;
    }
    let all = whole * TENS[behind] + 100_000_000 * eight(high) + eight(low);
    // Of a signed number it is one instruction.
    let value = all as i64 as f64 / POWERS[behind];
    // Every other number may be negative, which nobody can predict.
    Some(f64::from_bits(value.to_bits() | u64::from(is_negative) << 63))
}

/// The number before the point of a text, and its digits; `start` are the eight bytes that begin with it.
fn whole(text: &[u8], start: &[u8; 8]) -> Option<(u64, usize)> {
    let before = text.iter().take(8).position(|byte| *byte == b'.').unwrap_or(text.len());
    if !(1..8).contains(&before) {
        return None;
    }
    // Zeros before it, and nothing behind it.
    let digits = (u64::from_le_bytes(*start) ^ each(b'0')) << (64 - 8 * before);
    are_digits(digits).then(|| (eight(digits), before))
}

/// Is each byte at most 9?
fn are_digits(bytes: u64) -> bool {
    (bytes | bytes.wrapping_add(each(0x7f - 9))) & each(0x80) == 0
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
        let row = format!("{before}{text},1.5,2.5");
        decimal(row.as_bytes(), before.len()..before.len() + text.len())
    }

    #[test]
    fn numbers_are_read_here_or_not() {
        for text in ["0", "-0", "0.0", "-0.12573022", "7.", "-12.5", "1234567", "9999999.99999999", "0.00000000000001"]
        {
            assert_eq!(found(text).map(f64::to_bits), text.parse().ok().map(f64::to_bits), "{text}");
        }
        // Too long, or something else.
        for text in [
            "0.1257302210933933",
            "12345678",
            "12345678.5",
            ".5",
            "-.5",
            "1e3",
            "+1",
            ".",
            "-",
            "-.",
            "--1",
            "1.2.3",
            "12.3.4",
            "/.5",
            "12:.5",
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
        fn short_numbers_are_read(whole in "[0-9]{1,7}", behind in "[0-9]{0,8}", sign in "-?") {
            let text = format!("{sign}{whole}.{behind}");
            prop_assert_eq!(found(&text).map(f64::to_bits), text.parse().ok().map(f64::to_bits), "{:?}", text);
        }
    }
}
