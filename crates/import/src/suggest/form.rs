//! How agents stand in the names of columns.

use std::collections::HashMap;

/// What names begin with where agents come behind, as in Minari's files,
const KINDS: [&str; 9] =
    ["obs", "observation", "observations", "act", "action", "actions", "cmd", "command", "commands"];
/// and where that is no signal of theirs.
pub const OTHER_KINDS: [&str; 7] =
    ["reward", "rewards", "termination", "terminations", "truncation", "truncations", "infos"];
/// Signs between agent and signal in a name.
const SEPARATORS: [char; 3] = ['.', '/', ':'];

/// The form of a table's names.
#[derive(Clone, Copy)]
pub struct Form<'a> {
    /// In the wide form, what is between agent and signal.
    pub separator: Option<char>,
    pub agents: Option<&'a [String]>,
}

/// A name in the wide form: `pump_1.flow`, `/robot_1/odom.x`, `actions.pump_1`.
pub struct Parts<'a> {
    /// What is before the agent.
    pub root: &'a str,
    pub agent: &'a str,
    /// From the sign behind the agent on; empty where there is none.
    pub signal: &'a str,
}

impl Form<'_> {
    /// The parts of an agent's name.
    pub fn split<'a>(&self, name: &'a str) -> Option<Parts<'a>> {
        let parts = split(name, self.separator?)?;
        self.agents?.iter().any(|agent| agent == parts.agent).then_some(parts)
    }

    /// A name as the map has it: of all agents at once.
    pub fn column(&self, name: &str) -> String {
        self.split(name).map_or_else(|| name.to_owned(), |Parts { root, signal, .. }| format!("{root}*{signal}"))
    }

    /// A name without its agent.
    pub fn signal(&self, name: &str) -> String {
        let Some(Parts { root, signal, .. }) = self.split(name) else { return name.to_owned() };
        let signs = |c: char| SEPARATORS.contains(&c);
        // Nothing but the agent's name is left of `pump_1.`.
        let named = [signal, root, "value"].map(|part| part.trim_matches(signs));
        named.into_iter().find(|part| !part.is_empty()).unwrap_or_default().to_owned()
    }
}

/// Is the word before an agent one of these?
pub fn is_kind(root: &str, kinds: &[&str]) -> bool {
    let word = root.trim_matches(|c: char| SEPARATORS.contains(&c)).to_lowercase();
    kinds.contains(&word.as_str())
}

/// Agents in the names of columns: prefixes that share their signals.
pub fn wide(names: &[String]) -> Option<(char, Vec<String>)> {
    // Of topics the first part is the robot's.
    let mut signs = SEPARATORS;
    signs.sort_by_key(|sign| *sign != '/' || !names.iter().any(|name| name.starts_with('/')));
    signs.into_iter().find_map(|sign| {
        let (mut agents, mut numbers) = (Vec::<(&str, Vec<(&str, &str)>)>::new(), HashMap::new());
        let parts =
            names.iter().filter_map(|name| split(name, sign)).filter(|parts| !is_kind(parts.root, &OTHER_KINDS));
        for Parts { root, agent, signal } in parts {
            let number = *numbers.entry(agent).or_insert(agents.len());
            match agents.get_mut(number) {
                Some((_, signals)) => signals.push((root, signal)),
                None => agents.push((agent, vec![(root, signal)])),
            }
        }
        // In whatever order they stand.
        agents.iter_mut().for_each(|(_, signals)| signals.sort_unstable());
        let first = agents.first()?.1.clone();
        let alike = agents.len() > 1 && agents.iter().all(|(_, signals)| *signals == first);
        alike.then(|| (sign, agents.into_iter().map(|(agent, _)| agent.to_owned()).collect()))
    })
}

/// A name at its first sign. The `/` that topics begin with is none, nor is the one behind a word for a kind of columns.
fn split(name: &str, sign: char) -> Option<Parts<'_>> {
    let rest = name.strip_prefix('/').unwrap_or(name);
    let (first, behind) = rest.split_once(sign)?;
    let is_word = is_kind(first, &KINDS) || is_kind(first, &OTHER_KINDS);
    let from = name.len() - if is_word { behind.len() } else { rest.len() };
    let (root, rest) = name.split_at(from);
    let (agent, signal) = rest.split_at(rest.find(sign).unwrap_or(rest.len()));
    Some(Parts { root, agent, signal })
}
