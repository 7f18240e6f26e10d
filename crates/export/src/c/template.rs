//! Text with places for other text.

/// `template` with each `@name@` replaced; what is put in is not looked through again.
pub(super) fn fill(template: &str, values: &[(&str, &str)]) -> String {
    let mut filled = String::with_capacity(template.len());
    for (i, part) in template.split('@').enumerate() {
        let value = values.iter().find(|(name, _)| *name == part).map(|(_, value)| *value);
        filled.push_str(if i % 2 == 0 { part } else { value.unwrap_or_default() });
    }
    filled
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_take_their_places() {
        assert_eq!(fill("a@x@b@y@", &[("x", "@y@"), ("y", "1")]), "a@y@b1");
    }
}
