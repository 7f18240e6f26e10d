//! What an algorithm's settings were tuned on, as somebody said.

use std::collections::BTreeMap;

use omiga_env::Quality;

/// By algorithm: datasets as `<task>/<quality>`, tasks, or words about data that are not here.
pub type Tuned = BTreeMap<String, Vec<String>>;

/// Does one of these words name the dataset? `spread/medium seed 0` names `spread/medium`, and `spread` all datasets of that task.
/// A file of one's own is also known by its name alone.
pub fn names(said: &[String], task: &str, quality: &str) -> bool {
    let full = format!("{task}/{quality}");
    let is_it = |word: &str| word == full || word == task || (word == quality && quality.parse::<Quality>().is_err());
    said.iter().flat_map(|text| text.split(|c: char| c.is_whitespace() || c == ',')).any(is_it)
}

/// The algorithm of `known` and the dataset of `ALGORITHM=DATASET`, either of which may have a `=` in it.
pub fn split<'a>(said: &'a str, known: &[&'a str]) -> Option<(&'a str, &'a str)> {
    let after = |name: &&'a str| Some((*name, said.strip_prefix(*name)?.strip_prefix('=')?));
    known.iter().filter_map(after).max_by_key(|(name, _)| name.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_rows_have_signs_of_their_own() {
        let known = ["omiga", "omiga,alpha=1", "omiga,alpha=10"];
        assert_eq!(split("omiga,alpha=1=spread/medium", &known), Some(("omiga,alpha=1", "spread/medium")));
        assert_eq!(split("omiga=spread: alpha=1", &known), Some(("omiga", "spread: alpha=1")));
        assert_eq!((split("omig=spread", &known), split("omiga,alpha=2=spread", &known)), (None, None));
    }

    #[test]
    fn words_that_name_a_dataset() {
        let check = |said: &str, task: &str, quality: &str| names(&[said.to_owned()], task, quality);
        assert!(check("hopper-3x1/medium-replay seed 0", "hopper-3x1", "medium-replay"));
        assert!(check("a guess, spread", "spread", "expert"));
        assert!(check("plant", "own", "plant"));
        assert!(!check("hopper-3x1/medium-replay", "hopper-3x1", "medium"));
        assert!(!check("hopper-3x1-local/medium", "hopper-3x1", "medium"));
        assert!(!check("the medium data of another robot", "hopper-3x1", "medium"));
        assert!(!names(&[], "spread", "medium"));
    }
}
