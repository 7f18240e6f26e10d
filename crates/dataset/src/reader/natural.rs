//! Names in the order that people expect.

/// A part of a name.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Piece {
    Number(u64),
    Word(String),
}

/// A name in which numbers are compared as such: `agent_2` comes before `agent_10`.
pub(crate) fn natural(name: &str) -> Vec<Piece> {
    let digit = |c: &u8| c.is_ascii_digit();
    let pieces = name.as_bytes().chunk_by(|a, b| digit(a) == digit(b)).map(String::from_utf8_lossy);
    pieces.map(|piece| piece.parse().map_or_else(|_| Piece::Word(piece.to_string()), Piece::Number)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_compared_as_such() {
        let mut names = ["agent_10", "agent_2", "agent_1", "b", "agent_2x"];
        names.sort_by_key(|name| natural(name));
        assert_eq!(names, ["agent_1", "agent_2", "agent_2x", "agent_10", "b"]);
    }
}
