//! Numbers as C literals: hexadecimal, so that they are read back without a rounding.

/// Characters of a line, about.
const LINE: usize = 110;

/// `0x1.8p+0f`; of finite numbers.
pub(super) fn float(x: f32) -> String {
    let (bits, magnitude) = (x.to_bits(), x.abs());
    let sign = if x.is_sign_negative() { "-" } else { "" };
    let mantissa = format!("{:06x}", (bits & 0x007f_ffff) << 1);
    let digits = mantissa.trim_end_matches('0');
    let (point, digits) = if digits.is_empty() { ("", "") } else { (".", digits) };
    match bits >> 23 & 0xff {
        0 if magnitude == 0.0 => format!("{sign}0.0f"),
        0 => format!("{sign}0x0{point}{digits}p-126f"),
        exponent => format!("{sign}0x1{point}{digits}p{:+}f", i64::from(exponent) - 127),
    }
}

/// The initialiser of an array, in braces.
pub(super) fn list(literals: impl IntoIterator<Item = String>) -> String {
    let (mut text, mut line) = (String::from("{"), String::new());
    for literal in literals {
        if line.len() + literal.len() > LINE {
            text += &line;
            line.clear();
        }
        line += if line.is_empty() { "\n    " } else { " " };
        line += &(literal + ",");
    }
    text + &line + "\n}"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_hexadecimal() {
        for (x, text) in [
            (0.0, "0.0f"),
            (-0.0, "-0.0f"),
            (1.0, "0x1p+0f"),
            (-1.5, "-0x1.8p+0f"),
            (0.1, "0x1.99999ap-4f"),
            (f32::MAX, "0x1.fffffep+127f"),
            (f32::MIN_POSITIVE, "0x1p-126f"),
            (f32::from_bits(1), "0x0.000002p-126f"),
            (f32::from_bits(0x0040_0000), "0x0.8p-126f"),
        ] {
            assert_eq!(float(x), text);
        }
    }

    #[test]
    fn arrays_have_short_lines() {
        assert_eq!(list(["1".to_owned(), "2".to_owned()]), "{\n    1, 2,\n}");
        let long = list((0..100).map(|_| "0x1.99999ap-4f".to_owned()));
        assert_eq!(long.lines().count(), 2 + 100_usize.div_ceil(6));
        assert!(long.lines().all(|line| line.len() <= LINE + 2), "{long}");
    }
}
