//! Text of a file in a message that a person reads.

use core::fmt::{self, Debug, Display, Formatter, Write};

/// Something that a file or a parser says, as it may stand in a message: without control characters (a terminal obeys
/// them) and other invisible ones, which are escaped, and cut after some number of characters.
///
/// ```
/// use omiga_format::Shown;
///
/// assert_eq!(Shown::name("\u{1b}]0;owned\u{7}").to_string(), "\\u{1b}]0;owned\\u{7}");
/// assert_eq!(Shown::name("x".repeat(1 << 20)).to_string().len(), Shown::<&str>::NAME + "...".len());
/// ```
#[derive(Clone, Copy)]
pub struct Shown<T> {
    text: T,
    most: usize,
}

impl<T> Shown<T> {
    /// Most characters of a name, a number, a short list.
    pub const NAME: usize = 120;
    /// Most characters of a path, or of what a parser says.
    pub const REASON: usize = 300;

    /// At most [`Self::NAME`] characters.
    pub fn name(text: T) -> Self {
        Self { text, most: Self::NAME }
    }

    /// At most [`Self::REASON`] characters.
    pub fn reason(text: T) -> Self {
        Self { text, most: Self::REASON }
    }

    fn write(&self, f: &mut Formatter<'_>, text: fmt::Arguments<'_>) -> fmt::Result {
        let mut cut = Cut { f, left: self.most, is_over: false };
        match cut.write_fmt(text) {
            Err(fmt::Error) if cut.is_over => f.write_str("..."),
            written => written,
        }
    }
}

impl<T: Display> Display for Shown<T> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        self.write(f, format_args!("{}", self.text))
    }
}

impl<T: Debug> Debug for Shown<T> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        self.write(f, format_args!("{:?}", self.text))
    }
}

/// Is it a character that is seen, and does nothing else?
pub fn is_visible(c: char) -> bool {
    // What Rust's own `{:?}` escapes, but for what it escapes because of its quotes.
    matches!(c, '\'' | '"' | '\\') || c.escape_debug().len() == 1
}

/// Ends the writing when it is full, so that nothing longer is ever made.
struct Cut<'a, 'f> {
    f: &'a mut Formatter<'f>,
    left: usize,
    is_over: bool,
}

impl Write for Cut<'_, '_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for c in text.chars() {
            let escaped = (!is_visible(c)).then(|| c.escape_debug());
            let Some(left) = self.left.checked_sub(escaped.as_ref().map_or(1, ExactSizeIterator::len)) else {
                self.is_over = true;
                return Err(fmt::Error);
            };
            self.left = left;
            match escaped {
                None => self.f.write_char(c)?,
                Some(escaped) => write!(self.f, "{escaped}")?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: &str) {
        assert_eq!(Shown::name(text).to_string(), expected);
    }

    #[test]
    fn what_a_terminal_would_obey_is_escaped() {
        check("N m, m/s\u{b2}, \u{b5}m, `it's` \"C:\\x\"", "N m, m/s\u{b2}, \u{b5}m, `it's` \"C:\\x\"");
        check("\u{1b}[2K\r\n\t\0\u{7f}\u{9b}2J", "\\u{1b}[2K\\r\\n\\t\\0\\u{7f}\\u{9b}2J");
        // Text from right to left, joined, of no width, and marks without a character.
        for hidden in ['\u{202e}', '\u{2066}', '\u{200b}', '\u{200d}', '\u{feff}', '\u{ad}', '\u{2028}', '\u{e0041}'] {
            check(&format!("a{hidden}b"), &format!("a{}b", hidden.escape_unicode()));
        }
        let all = (0..=0x10_ffff).filter_map(char::from_u32);
        assert!(all.filter(|c| c.is_control()).all(|c| !is_visible(c)));
    }

    #[test]
    fn what_is_long_is_cut_and_never_made() {
        check(&"x".repeat(120), &"x".repeat(120));
        check(&"x".repeat(121), &format!("{}...", "x".repeat(120)));
        check(&"\u{1b}".repeat(99), &format!("{}...", "\\u{1b}".repeat(20)));
        // Whoever made all of this text would not come back.
        struct Endless;
        impl Debug for Endless {
            fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
                (0..).try_for_each(|i: u64| write!(f, "{i}, "))
            }
        }
        let shown = format!("{:?}", Shown::reason(Endless));
        assert!(shown.starts_with("0, 1, 2, ") && shown.len() == 303, "{shown}");
    }
}
