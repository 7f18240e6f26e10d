//! Texts to numbers.

use crate::map::TableText;

/// What numbers look like.
#[derive(Clone, Debug)]
pub(crate) struct Numbers {
    decimal: u8,
    thousands: Option<u8>,
    null: Vec<String>,
    /// Is one of `null` a number, as -999?
    has_null_number: bool,
    /// Reused for texts with other than a decimal point.
    plain: String,
}

impl Numbers {
    pub fn new(text: &TableText) -> Self {
        let (decimal, thousands) = (text.decimal as u8, text.thousands.map(|c| c as u8));
        let number = |null: &String| null.parse().is_ok_and(|value: f64| !value.is_nan());
        let has_null_number = text.null.iter().any(number);
        Self { decimal, thousands, null: text.null.clone(), has_null_number, plain: String::new() }
    }

    /// Do numbers look and mean as everywhere?
    pub fn are_plain(&self) -> bool {
        self.decimal == b'.' && self.thousands.is_none() && !self.has_null_number
    }

    /// Is there no value?
    pub fn is_null(&self, text: &str) -> bool {
        text.is_empty() || self.null.iter().any(|null| null == text)
    }

    /// The number in a trimmed text: NaN for none, `None` if it is something else.
    pub fn parse(&mut self, text: &str) -> Option<f64> {
        if self.has_null_number && self.is_null(text) {
            return Some(f64::NAN);
        }
        if self.decimal == b'.' && self.thousands.is_none() {
            if let Ok(value) = text.parse() {
                return Some(value);
            }
        } else if self.rewrite(text)
            && let Ok(value) = self.plain.parse()
        {
            return Some(value);
        }
        match text {
            _ if self.is_null(text) => Some(f64::NAN),
            "True" | "true" | "TRUE" => Some(1.0),
            "False" | "false" | "FALSE" => Some(0.0),
            _ => None,
        }
    }

    /// Put a point where the decimal sign is. Is it a number then? A point where commas are decimal is none, nor is 1,5 where commas part
    /// thousands.
    fn rewrite(&mut self, text: &str) -> bool {
        self.plain.clear();
        for (at, byte) in text.bytes().enumerate() {
            match byte {
                b if b == self.decimal => self.plain.push('.'),
                b if Some(b) == self.thousands && self.plain.contains('.') => return false,
                // Before three digits, or before two in India; but the last ones are three everywhere.
                b if Some(b) == self.thousands => {
                    match text.as_bytes()[at + 1..].iter().position(|b| !b.is_ascii_digit()) {
                        None if text.len() == at + 4 => {}
                        Some(3) => {}
                        Some(2) if text.as_bytes().get(at + 3) == Some(&b) => {}
                        _ => return false,
                    }
                }
                b'.' => return false,
                b => self.plain.push(char::from(b)),
            }
        }
        text.is_ascii()
    }

    /// An element of a list in a cell: `[1.0, 2.0]`, or as numpy prints it. NaN beyond its end, `None` if it is no list.
    pub fn element(&mut self, text: &str, element: usize) -> Option<f64> {
        if self.is_null(text) {
            return Some(f64::NAN);
        }
        elements(text)?.nth(element).map_or(Some(f64::NAN), |text| self.parse(text))
    }

    /// How many elements a list has, 0 if none of them is a number; `None` if it is no list of numbers.
    pub fn length(&mut self, text: &str) -> Option<usize> {
        let numbers: Vec<_> = elements(text)?.map(|text| self.parse(text)).collect::<Option<_>>()?;
        Some(if numbers.iter().all(|number| number.is_nan()) { 0 } else { numbers.len() })
    }

    /// Which of the choices a text is.
    pub fn choice(&mut self, text: &str, choices: &[String]) -> Option<f64> {
        if self.is_null(text) {
            return Some(f64::NAN);
        }
        chosen(text, choices, || self.parse(text))
    }
}

fn elements(text: &str) -> Option<impl Iterator<Item = &str>> {
    let inside = text.strip_prefix(['[', '('])?.strip_suffix([']', ')'])?;
    Some(inside.split([',', ' ', ';', '\n']).filter(|text| !text.is_empty()))
}

/// Which of the choices it is: they are compared as texts, then as numbers, as 2 and 2.0 are one.
pub(super) fn chosen(text: &str, choices: &[String], number: impl FnOnce() -> Option<f64>) -> Option<f64> {
    let found = choices.iter().position(|choice| choice == text).or_else(|| {
        let value = number()?;
        choices.iter().position(|choice| choice.parse() == Ok(value))
    });
    found.map(|index| index as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(decimal: char, thousands: Option<char>, text: &str, expected: Option<f64>) {
        let mut numbers = Numbers::new(&TableText { decimal, thousands, ..TableText::default() });
        let found = numbers.parse(text);
        assert_eq!(found.map(f64::to_bits), expected.map(f64::to_bits), "{text}: {found:?}");
    }

    #[test]
    fn texts_are_numbers_or_not() {
        check('.', None, "-0.0", Some(-0.0));
        check('.', None, "1e-3", Some(1e-3));
        check('.', None, "", Some(f64::NAN));
        check('.', None, "NA", Some(f64::NAN));
        check('.', None, "True", Some(1.0));
        check('.', None, "1,5", None);
        check('.', None, "0x10", None);
        check('.', None, "1\u{0}", None);
        check(',', None, "1,5", Some(1.5));
        check(',', None, "-0,000000", Some(-0.0));
        check(',', None, "1.5", None);
        check(',', Some('.'), "1.234,5", Some(1234.5));
        check(',', None, "", Some(f64::NAN));
        check('.', Some(','), "1,234.5", Some(1234.5));
        check('.', Some(','), "-12,345,678", Some(-12_345_678.0));
        check('.', Some(','), "12,34,567.5", Some(1_234_567.5));
        check('.', Some(' '), "1 234", Some(1234.0));
        for text in ["1,5", "1,50", "1,2345", "1,234,5", "1.5,000", "1,"] {
            check('.', Some(','), text, None);
        }
        check('.', None, "inf", Some(f64::INFINITY));
    }

    #[test]
    fn a_number_may_mean_that_there_is_none() {
        let null = ["-999", "-99.9"].map(str::to_owned).into();
        let mut numbers = Numbers::new(&TableText { null, ..TableText::default() });
        assert!(numbers.parse("-999").is_some_and(f64::is_nan) && !numbers.are_plain());
        assert_eq!((numbers.parse("-998"), numbers.parse("")).0, Some(-998.0));
    }

    #[test]
    fn lists_and_choices_are_found() {
        let mut numbers = Numbers::new(&TableText::default());
        let (list, choices) = ("[1.5, -2,3]", ["off".to_owned(), "2".to_owned()]);
        assert_eq!(numbers.element(list, 1), Some(-2.0));
        assert!(numbers.element(list, 3).is_some_and(f64::is_nan));
        assert_eq!(numbers.element("[1. 2.5]", 1), Some(2.5));
        assert_eq!(numbers.element("1.5", 0), None);
        assert_eq!((numbers.length("[1. 2.5\n 3.]"), numbers.length("(1, NaN)")), (Some(3), Some(2)));
        assert_eq!((numbers.length("[]"), numbers.length("[NaN]"), numbers.length("['a']")), (Some(0), Some(0), None));
        assert_eq!(numbers.choice("2.0", &choices), Some(1.0));
        assert_eq!(numbers.choice("off", &choices), Some(0.0));
        assert_eq!(numbers.choice("on", &choices), None);
    }
}
