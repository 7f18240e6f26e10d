//! Formulas of columns: `-abs(speed - target) - 5 * terminated`.

use exmex::{BinOp, Express, FlatEx, FloatOpsFactory, MakeOperators, MatchLiteral, Operator};

/// Longer ones are no formulas.
const MAX_BYTES: usize = 4096;

/// Numbers, also with an exponent, which exmex's own lack.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
struct Number;

impl MatchLiteral for Number {
    fn is_literal(text: &str) -> Option<&str> {
        let digits = |rest: &str| rest.bytes().take_while(u8::is_ascii_digit).count();
        let mut end = digits(text);
        if text[end..].starts_with('.') {
            end += 1 + digits(&text[end + 1..]);
        }
        if !text[..end].bytes().any(|b| b.is_ascii_digit()) {
            return None;
        }
        if let Some(exponent) = text[end..].strip_prefix(['e', 'E']) {
            let sign = usize::from(exponent.starts_with(['+', '-']));
            let count = digits(&exponent[sign..]);
            end += if count > 0 { 1 + sign + count } else { 0 };
        }
        Some(&text[..end])
    }
}

/// Operators and functions of a formula.
///
/// `exmex` takes `-x^2` as `(-x)^2`, which would turn the sign of many a reward. So there is no `^`, but `pow(x, 2)`.
#[derive(Clone, Debug)]
struct Operators;

impl MakeOperators<f64> for Operators {
    fn make<'a>() -> Vec<Operator<'a, f64>> {
        let left_out = ["^", "E", "TAU", "π", "τ", "log"];
        let mut all = FloatOpsFactory::<f64>::make();
        all.retain(|operator| !left_out.contains(&operator.repr()));
        let binary = |repr, prio, apply| Operator::make_bin(repr, BinOp { apply, prio, is_commutative: false });
        all.extend([
            binary("pow", 4, f64::powf),
            binary("<", -1, |a, b| f64::from(u8::from(a < b))),
            binary("<=", -1, |a, b| f64::from(u8::from(a <= b))),
            binary(">", -1, |a, b| f64::from(u8::from(a > b))),
            binary(">=", -1, |a, b| f64::from(u8::from(a >= b))),
            binary("==", -1, |a, b| f64::from(u8::from(a == b))),
            binary("!=", -1, |a, b| f64::from(u8::from(a != b))),
            binary("&&", -2, |a, b| f64::from(u8::from(a != 0.0 && b != 0.0))),
            binary("||", -3, |a, b| f64::from(u8::from(a != 0.0 || b != 0.0))),
        ]);
        all
    }
}

/// A formula, ready to be computed for every row.
#[derive(Clone, Debug)]
pub(crate) struct Expression {
    /// Some kilobytes, as it keeps small formulas in place.
    compiled: Box<FlatEx<f64, Operators, Number>>,
}

impl Expression {
    /// Compile it; the reason why not, otherwise.
    pub fn parse(text: &str) -> Result<Self, String> {
        if text.len() > MAX_BYTES {
            return Err(format!("expected at most {MAX_BYTES} bytes of formula, found {}", text.len()));
        }
        let outside_braces = text.split('{').map(|part| part.rsplit('}').next().unwrap_or_default());
        if outside_braces.collect::<String>().contains('^') {
            return Err("there is no `^`; write pow(x, 2)".to_owned());
        }
        let compiled = FlatEx::parse(text).map_err(|e| {
            let reason = e.to_string();
            format!("{reason}; a name with other characters than letters, digits and `_` stands in braces: {{a.b}}")
        })?;
        Ok(Self { compiled: Box::new(compiled) })
    }

    /// Its names, in the order in which [`Self::eval`] takes their values.
    pub fn names(&self) -> &[String] {
        self.compiled.var_names()
    }

    /// Its value. NaN if it has none.
    pub fn eval(&self, values: &[f64]) -> f64 {
        self.compiled.eval(values).unwrap_or(f64::NAN)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, values: &[f64], expected: f64) {
        let found = Expression::parse(text).unwrap().eval(values);
        assert_eq!(found, expected, "{text} of {values:?}");
    }

    #[test]
    fn formulas_mean_what_they_say() {
        check("-abs(speed - target) - 5 * trip", &[1.5, 1.0, 1.0], -5.5);
        check("-pow(x, 2)", &[3.0], -9.0);
        check("1 - pow(x, 2) * 2", &[3.0], -17.0);
        check("8 / 2 * 4", &[], 16.0);
        check("8 - 2 - 1 + 3", &[], 8.0);
        check("{pump_1.p} * {pump_1.q}", &[2.0, 3.0], 6.0);
        check("max(a, b) + min(a, b)", &[1.0, 2.0], 3.0);
        check("-max(a, b)", &[1.0, 2.0], -2.0);
        check("(t > 90) * 2 + (t <= 80)", &[95.0], 2.0);
        check("t > 90 || p < 1 && t == 3", &[1.0, 95.0], 1.0);
        check("-10 * max(0, abs(v - 1) - 0.05)", &[1.25], -10.0 * (0.25 - 0.05));
        check("-3e-2 * x", &[2.0], -0.06);
        check("2e3 + 1.5E2", &[], 2150.0);
    }

    #[test]
    fn a_wrong_formula_is_named() {
        for (text, reason) in [("-x^2", "pow(x, 2)"), ("a +", "Expression"), ("", "Expression"), ("(a", "Expression")] {
            let found = Expression::parse(text).map(|_| ()).unwrap_err();
            assert!(found.contains(reason) || reason == "Expression", "{text}: {found}");
        }
        assert!(Expression::parse(&"(".repeat(5000)).is_err());
        assert!(Expression::parse("{a^b} + 1").is_ok());
    }
}
