//! Which column is what, from names and looks.

use super::looks::{Looks, MAX_TEXTS};

/// What a column is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    Time,
    Agent,
    Episode,
    Terminated,
    Truncated,
    Reward,
    Action,
    Obs,
    Unused,
}

/// Names of a role, in small letters.
const NAMES: [(Role, &[&str]); 6] = [
    (Role::Time, &["time", "timestamp", "t", "datetime", "date", "stamp", "ts", "zeit", "zeitstempel", "time_s"]),
    (
        Role::Episode,
        &["episode", "episode_id", "episode_index", "run", "run_id", "trial", "batch", "trajectory", "lap"],
    ),
    (Role::Agent, &["agent", "agent_id", "unit", "robot", "drive", "machine", "device", "node"]),
    (
        Role::Terminated,
        &["terminated", "terminal", "terminals", "terminations", "done", "next.done", "failed", "trip", "tripped"],
    ),
    (Role::Truncated, &["truncated", "truncations", "timeout", "timeouts", "time_out"]),
    (Role::Reward, &["reward", "rewards", "rew", "r", "score"]),
];
/// Parts of the names of commands.
const COMMANDS: [&str; 16] = [
    "action",
    "actions",
    "act",
    "setpoint",
    "command",
    "cmd",
    "control",
    "ctrl",
    "torque",
    "throttle",
    "steering",
    "u",
    "output",
    "stellwert",
    "sollwert",
    "setpt",
];
/// What names begin with where agents come behind, as in Minari's files,
const KINDS: [&str; 9] =
    ["obs", "observation", "observations", "act", "action", "actions", "cmd", "command", "commands"];
/// and where that is no signal of theirs.
const OTHER_KINDS: [&str; 7] =
    ["reward", "rewards", "termination", "terminations", "truncation", "truncations", "infos"];
/// Signs between agent and signal in a name.
const SEPARATORS: [char; 3] = ['.', '/', ':'];

/// Who is what.
#[derive(Debug)]
pub struct Roles {
    roles: Vec<Role>,
    pub time: Option<usize>,
    /// The column of agents, in the long form.
    pub agent: Option<usize>,
    pub agents: Option<Vec<String>>,
    /// In the wide form, what is between agent and signal.
    separator: Option<char>,
    /// Nothing is named as a command is.
    pub guessed_action: bool,
}

/// An entry of the map.
pub struct Field {
    pub name: String,
    pub column: String,
    /// Those that have it; empty if all do.
    pub agents: Vec<String>,
    pub range: [f64; 2],
    /// What is chosen from; empty for numbers.
    pub choices: Vec<String>,
}

impl Roles {
    pub fn guess(names: &[String], looks: &[Looks]) -> Self {
        let (separator, mut agents) = wide(names).map_or((None, None), |(sign, agents)| (Some(sign), Some(agents)));
        let form = Form { separator, agents: agents.as_deref() };
        let mut roles: Vec<Role> = (0..names.len()).map(|i| role(&names[i], &form, &looks[i])).collect();
        let mut guessed_action = false;
        if !roles.contains(&Role::Action) {
            let are_choices = |i: usize| {
                roles[i] == Role::Unused && is_command(&form.signal(&names[i])) && looks[i].choices().is_some()
            };
            let choices: Vec<_> = (0..names.len()).filter(|i| are_choices(*i)).collect();
            let signals: Vec<_> =
                (0..names.len()).filter(|i| roles[*i] == Role::Obs).map(|i| form.column(&names[i])).collect();
            match signals.last().filter(|last| choices.is_empty() && signals.iter().any(|other| other != *last)) {
                Some(last) => {
                    let is_last = |i: &usize| roles[*i] == Role::Obs && form.column(&names[*i]) == *last;
                    let last: Vec<_> = (0..names.len()).filter(is_last).collect();
                    last.into_iter().for_each(|i| roles[i] = Role::Action);
                    guessed_action = true;
                }
                None => choices.into_iter().for_each(|i| roles[i] = Role::Action),
            }
        }
        let mut agent = roles.iter().position(|role| *role == Role::Agent);
        match (&agents, agent.map(|i| &looks[i])) {
            (None, Some(Looks::Texts(texts))) => agents = Some(texts.clone()),
            _ => agent = None,
        }
        let time = roles.iter().position(|role| *role == Role::Time);
        Self { roles, time, agent, agents, separator, guessed_action }
    }

    /// The first column with a role.
    pub fn first(&self, role: Role) -> Option<usize> {
        self.roles.iter().position(|other| *other == role)
    }

    /// Columns that are used for nothing.
    pub fn unused(&self, names: &[String]) -> impl Iterator<Item = usize> {
        let form = self.form();
        let is_first = move |i: usize, role: Role| {
            self.first(role).is_some_and(|first| form.column(&names[first]) == form.column(&names[i]))
        };
        (0..self.roles.len()).filter(move |i| match self.roles[*i] {
            Role::Unused => true,
            Role::Obs | Role::Action => false,
            Role::Agent => self.agent != Some(*i),
            role => !is_first(*i, role),
        })
    }

    /// A name as the map has it: of all agents at once.
    pub fn column(&self, name: &str) -> String {
        self.form().column(name)
    }

    fn form(&self) -> Form<'_> {
        Form { separator: self.separator, agents: self.agents.as_deref() }
    }

    /// The entries of a role: in the wide form one for all agents, of a list one for each element.
    pub fn fields(&self, role: Role, names: &[String], looks: &[Looks]) -> Vec<Field> {
        let (form, mut fields) = (self.form(), Vec::<Field>::new());
        let columns: Vec<_> =
            (0..names.len()).filter(|i| self.roles[*i] == role).map(|i| (i, form.column(&names[i]))).collect();
        for (k, (first, column)) in columns.iter().enumerate() {
            if columns[..k].iter().any(|(_, other)| other == column) {
                continue;
            }
            // Each agent's.
            let all: Vec<_> = columns.iter().filter(|(_, other)| other == column).map(|(i, _)| *i).collect();
            let name: String =
                form.signal(&names[*first]).chars().map(|c| if matches!(c, ' '..='~') { c } else { '_' }).collect();
            let agent = |i: &usize| form.split(&names[*i]).map(|parts| parts.agent.to_owned());
            let length = |i: usize| if let Looks::Lists(length) = looks[i] { length } else { 0 };
            for k in 0..all.iter().map(|i| length(*i)).max().unwrap_or(0) {
                let have: Vec<_> = all.iter().copied().filter(|i| length(*i) > k).collect();
                let agents = if have.len() < all.len() { have.iter().filter_map(agent).collect() } else { Vec::new() };
                let (name, column) = (format!("{name}.{k}"), format!("{column}[{k}]"));
                fields.push(Field { name, column, agents, range: [-1.0, 1.0], choices: Vec::new() });
            }
            let ranges = all
                .iter()
                .filter_map(|i| if let Looks::Numbers(low, high) = looks[*i] { Some([low, high]) } else { None });
            if let Some(range) = ranges.reduce(|a, b| [a[0].min(b[0]), a[1].max(b[1])]) {
                let (name, column) = (name.clone(), column.clone());
                fields.push(Field { name, column, agents: Vec::new(), range: proper(range), choices: Vec::new() });
            }
            let mut choices: Vec<String> = all.iter().filter_map(|i| looks[*i].choices()).flatten().cloned().collect();
            if !choices.is_empty() {
                choices.sort();
                choices.dedup();
                fields.push(Field { name, column: column.clone(), agents: Vec::new(), range: [0.0; 2], choices });
            }
        }
        fields
    }
}

/// How agents stand in names.
#[derive(Clone, Copy)]
struct Form<'a> {
    separator: Option<char>,
    agents: Option<&'a [String]>,
}

/// A name in the wide form: `pump_1.flow`, `/robot_1/odom.x`, `actions.pump_1`.
struct Parts<'a> {
    /// What is before the agent.
    root: &'a str,
    agent: &'a str,
    /// From the sign behind the agent on; empty where there is none.
    signal: &'a str,
}

impl Form<'_> {
    /// The parts of an agent's name.
    fn split<'a>(&self, name: &'a str) -> Option<Parts<'a>> {
        let parts = split(name, self.separator?)?;
        self.agents?.iter().any(|agent| agent == parts.agent).then_some(parts)
    }

    /// A name as the map has it: of all agents at once.
    fn column(&self, name: &str) -> String {
        self.split(name).map_or_else(|| name.to_owned(), |Parts { root, signal, .. }| format!("{root}*{signal}"))
    }

    /// A name without its agent.
    fn signal(&self, name: &str) -> String {
        let Some(Parts { root, signal, .. }) = self.split(name) else { return name.to_owned() };
        let signs = |c: char| SEPARATORS.contains(&c);
        // Nothing but the agent's name is left of `pump_1.`.
        let named = [signal, root, "value"].map(|part| part.trim_matches(signs));
        named.into_iter().find(|part| !part.is_empty()).unwrap_or_default().to_owned()
    }
}

/// What a column is. Its agent may be called as a command is.
fn role(name: &str, form: &Form, looks: &Looks) -> Role {
    let (signal, mut lower) = (form.signal(name), name.to_lowercase());
    if name.is_empty() || lower == "index" || lower.starts_with("unnamed") || *looks == Looks::Empty {
        return Role::Unused;
    }
    if form.split(name).is_some_and(|parts| kind(parts.root, &OTHER_KINDS)) {
        lower = signal.to_lowercase();
    }
    let named = NAMES.iter().find(|(_, names)| names.contains(&lower.as_str())).map(|(role, _)| *role);
    match (named, looks) {
        (Some(Role::Time), Looks::Times(..) | Looks::Numbers(..)) | (_, Looks::Times(..)) => return Role::Time,
        (Some(Role::Agent), Looks::Texts(texts)) if texts.len() <= MAX_TEXTS => return Role::Agent,
        (Some(Role::Agent | Role::Time), _) | (None, _) => {}
        (Some(role), _) => return role,
    }
    if lower.contains("reward") {
        return Role::Reward;
    }
    match looks {
        Looks::Numbers(..) | Looks::Lists(_) => {
            // In the wide form a word for commands may stand before the agent.
            let word = form.split(name).map_or("", |parts| parts.root);
            if is_command(&signal) || is_command(word) { Role::Action } else { Role::Obs }
        }
        _ => Role::Unused,
    }
}

/// Is a part of a name that of a command?
fn is_command(signal: &str) -> bool {
    signal.to_lowercase().split(|c: char| !c.is_alphanumeric()).any(|part| COMMANDS.contains(&part))
}

/// Is the word before an agent one of these?
fn kind(root: &str, kinds: &[&str]) -> bool {
    let word = root.trim_matches(|c: char| SEPARATORS.contains(&c)).to_lowercase();
    kinds.contains(&word.as_str())
}

/// Agents in the names of columns: prefixes that share their signals.
fn wide(names: &[String]) -> Option<(char, Vec<String>)> {
    // Of topics the first part is the robot's.
    let mut signs = SEPARATORS;
    signs.sort_by_key(|sign| *sign != '/' || !names.iter().any(|name| name.starts_with('/')));
    signs.into_iter().find_map(|sign| {
        let mut agents: Vec<(&str, Vec<(&str, &str)>)> = Vec::new();
        let parts = names.iter().filter_map(|name| split(name, sign)).filter(|parts| !kind(parts.root, &OTHER_KINDS));
        for Parts { root, agent, signal } in parts {
            match agents.iter_mut().find(|(name, _)| *name == agent) {
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
    let is_kind = kind(first, &KINDS) || kind(first, &OTHER_KINDS);
    let from = name.len() - if is_kind { behind.len() } else { rest.len() };
    let (root, rest) = name.split_at(from);
    let (agent, signal) = rest.split_at(rest.find(sign).unwrap_or(rest.len()));
    Some(Parts { root, agent, signal })
}

/// A range that is one.
fn proper([low, high]: [f64; 2]) -> [f64; 2] {
    match low < high {
        true => [low, high],
        false if low.is_finite() => [low - 1.0, high + 1.0],
        false => [-1.0, 1.0],
    }
}
