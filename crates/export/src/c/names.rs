//! Names and comments that C takes, of names and units that anybody wrote.

use std::collections::BTreeSet;

/// What an agent's declarations begin with.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Names {
    /// Of files and functions: `omiga_agent_0`.
    pub(super) stem: String,
    /// Of constants: `OMIGA_AGENT_0`.
    pub(super) constant: String,
}

impl Names {
    pub(super) fn of(agent: &str) -> Self {
        let stem = format!("omiga_{}", identifier(agent));
        Self { constant: stem.to_ascii_uppercase(), stem }
    }

    /// A constant for each of `fields`, all of them different: `OMIGA_AGENT_0_OBS_VELOCITY_X`.
    pub(super) fn constants<'a>(&self, kind: &str, fields: impl IntoIterator<Item = &'a str>) -> Vec<String> {
        let mut taken = BTreeSet::new();
        let constant = |(i, field): (usize, &str)| {
            let mut name = format!("{}_{kind}_{}", self.constant, identifier(field).to_ascii_uppercase());
            while !taken.insert(name.clone()) {
                name = format!("{name}_{i}");
            }
            name
        };
        fields.into_iter().enumerate().map(constant).collect()
    }
}

/// Letters and digits as they are, `_` for all that is between them.
fn identifier(name: &str) -> String {
    let words = name.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty());
    words.collect::<Vec<_>>().join("_")
}

/// `text` as it may stand in a comment: nothing ends the comment, begins another or is a trigraph.
pub(super) fn comment(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    let mut last = ' ';
    for c in text.chars() {
        if matches!((last, c), ('*', '/') | ('/', '*' | '/') | ('?', '?')) {
            safe.push(' ');
        }
        safe.push(if omiga_format::is_visible(c) { c } else { '?' });
        last = c;
    }
    safe
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_identifiers() {
        for (agent, stem) in [
            ("agent_0", "omiga_agent_0"),
            ("Pump-1.left", "omiga_Pump_1_left"),
            ("7", "omiga_7"),
            ("_a__b_", "omiga_a_b"),
            ("-", "omiga_"),
        ] {
            assert_eq!(Names::of(agent).stem, stem);
        }
        assert_eq!(Names::of("Pump-1").constant, "OMIGA_PUMP_1");
    }

    #[test]
    fn constants_differ() {
        let of = |fields: &[&str]| Names::of("a").constants("OBS", fields.iter().copied());
        assert_eq!(of(&["velocity.x", "velocity.y"]), ["OMIGA_A_OBS_VELOCITY_X", "OMIGA_A_OBS_VELOCITY_Y"]);
        assert_eq!(
            of(&["x.1", "x", "X", "x"]),
            ["OMIGA_A_OBS_X_1", "OMIGA_A_OBS_X", "OMIGA_A_OBS_X_2", "OMIGA_A_OBS_X_3"]
        );
        assert_eq!(of(&["x_1", "x-1"]), ["OMIGA_A_OBS_X_1", "OMIGA_A_OBS_X_1_1"]);
    }

    #[test]
    fn nothing_gets_out_of_a_comment() {
        for (text, safe) in [
            ("m/s^2", "m/s^2"),
            ("°C, µm·s⁻¹", "°C, µm·s⁻¹"),
            ("*/ int x; /*", "* / int x; / *"),
            ("*/*/", "* / * /"),
            ("a//b", "a/ /b"),
            ("??/", "? ?/"),
            ("a\nb\u{202e}", "a?b?"),
        ] {
            assert_eq!(comment(text), safe);
            assert!(!safe.contains("*/") && !safe.contains("/*"));
        }
    }
}
