//! Which column is what, from names and looks.

use super::looks::Looks;

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
    (Role::Terminated, &["terminated", "terminal", "terminals", "done", "failed", "trip", "tripped"]),
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
/// What names begin with where agents come behind, as in Minari's files.
const KINDS: [&str; 9] =
    ["obs", "observation", "observations", "act", "action", "actions", "cmd", "command", "commands"];
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
    pub range: [f64; 2],
}

impl Roles {
    pub fn guess(names: &[String], looks: &[Looks]) -> Self {
        let is_number = |i: &usize| matches!(looks[*i], Looks::Numbers(..) | Looks::Lists(_));
        let (separator, mut agents) = wide(names).map_or((None, None), |(sign, agents)| (Some(sign), Some(agents)));
        let signal = |name: &str| match split_agent(name, separator, agents.as_deref()) {
            Some(Parts { root, signal, .. }) => format!("{root}{signal}"),
            None => name.to_owned(),
        };
        let role = |i: usize| role(&names[i], &signal(&names[i]), &looks[i]);
        let mut roles: Vec<Role> = (0..names.len()).map(role).collect();
        let mut agent = roles.iter().position(|role| *role == Role::Agent);
        match (&agents, agent.map(|i| &looks[i])) {
            (None, Some(Looks::Texts(texts))) => agents = Some(texts.clone()),
            _ => agent = None,
        }
        let time = roles.iter().position(|role| *role == Role::Time);
        let mut guessed_action = false;
        if !roles.contains(&Role::Action)
            && let Some(last) = (0..names.len()).rfind(|i| roles[*i] == Role::Obs && is_number(i))
            && roles.iter().filter(|role| **role == Role::Obs).count() > 1
        {
            roles[last] = Role::Action;
            guessed_action = true;
        }
        Self { roles, time, agent, agents, separator, guessed_action }
    }

    /// The first column with a role.
    pub fn first(&self, role: Role) -> Option<usize> {
        self.roles.iter().position(|other| *other == role)
    }

    /// Columns that are used for nothing.
    pub fn unused(&self) -> impl Iterator<Item = usize> {
        let taken = |role: Role| !matches!(role, Role::Obs | Role::Action | Role::Unused);
        (0..self.roles.len()).filter(move |i| {
            let role = self.roles[*i];
            role == Role::Unused
                || role == Role::Agent && self.agent != Some(*i)
                || taken(role) && role != Role::Agent && self.first(role) != Some(*i)
        })
    }

    /// The entries of a role: in the wide form one for all agents, of a list one for each element.
    pub fn fields(&self, role: Role, names: &[String], looks: &[Looks]) -> Vec<Field> {
        let mut fields: Vec<Field> = Vec::new();
        for i in (0..names.len()).filter(|i| self.roles[*i] == role) {
            let (signal, column) = match self.split(&names[i]) {
                Some(Parts { root, signal: "", .. }) => (root.to_owned(), format!("{root}*")),
                Some(Parts { root, sign, signal, .. }) => (signal.to_owned(), format!("{root}*{sign}{signal}")),
                None => (names[i].clone(), names[i].clone()),
            };
            let name: String = signal.chars().map(|c| if matches!(c, ' '..='~') { c } else { '_' }).collect();
            match looks[i] {
                Looks::Lists(length) => (0..length).for_each(|k| {
                    let column = format!("{column}[{k}]");
                    // Another agent's is the same entry.
                    if fields.iter().all(|field| field.column != column) {
                        fields.push(Field { name: format!("{name}.{k}"), column, range: [-1.0, 1.0] });
                    }
                }),
                Looks::Numbers(low, high) => match fields.iter_mut().find(|field| field.column == column) {
                    Some(field) => field.range = [field.range[0].min(low), field.range[1].max(high)],
                    None => fields.push(Field { name, column, range: [low, high] }),
                },
                _ => {}
            }
        }
        fields.iter_mut().for_each(|field| field.range = proper(field.range));
        fields
    }

    fn split<'a>(&self, name: &'a str) -> Option<Parts<'a>> {
        split_agent(name, self.separator, self.agents.as_deref())
    }
}

/// A name in the wide form: `pump_1.flow`, `/robot_1/odom.x`, `actions.pump_1`.
struct Parts<'a> {
    /// What is before the agent.
    root: &'a str,
    agent: &'a str,
    sign: char,
    /// Empty where nothing is behind the agent.
    signal: &'a str,
}

/// The parts of a name in the wide form, if it is an agent's.
fn split_agent<'a>(name: &'a str, separator: Option<char>, agents: Option<&[String]>) -> Option<Parts<'a>> {
    let parts = split(name, separator?)?;
    agents?.iter().any(|agent| agent == parts.agent).then_some(parts)
}

/// What a column is; `signal` is its name without its agent, which may be called as a command is.
fn role(name: &str, signal: &str, looks: &Looks) -> Role {
    let lower = name.to_lowercase();
    if name.is_empty() || lower == "index" || lower.starts_with("unnamed") || *looks == Looks::Empty {
        return Role::Unused;
    }
    let named = NAMES.iter().find(|(_, names)| names.contains(&lower.as_str())).map(|(role, _)| *role);
    match (named, looks) {
        (Some(Role::Time), Looks::Times(..) | Looks::Numbers(..)) | (_, Looks::Times(..)) => return Role::Time,
        (Some(Role::Agent), Looks::Texts(texts)) if texts.len() <= 64 => return Role::Agent,
        (Some(Role::Agent | Role::Time), _) | (None, _) => {}
        (Some(role), _) => return role,
    }
    if lower.contains("reward") {
        return Role::Reward;
    }
    match looks {
        Looks::Numbers(..) | Looks::Lists(_) => {
            let signal = signal.to_lowercase();
            let mut parts = signal.split(|c: char| !c.is_alphanumeric());
            if parts.any(|part| COMMANDS.contains(&part)) { Role::Action } else { Role::Obs }
        }
        _ => Role::Unused,
    }
}

/// Agents in the names of columns: prefixes that share their signals.
fn wide(names: &[String]) -> Option<(char, Vec<String>)> {
    // Of topics the first part is the robot's.
    let mut signs = SEPARATORS;
    signs.sort_by_key(|sign| *sign != '/' || !names.iter().any(|name| name.starts_with('/')));
    signs.into_iter().find_map(|sign| {
        let mut agents: Vec<(&str, Vec<(&str, &str)>)> = Vec::new();
        for Parts { root, agent, signal, .. } in names.iter().filter_map(|name| split(name, sign)) {
            match agents.iter_mut().find(|(name, _)| *name == agent) {
                Some((_, signals)) => signals.push((root, signal)),
                None => agents.push((agent, vec![(root, signal)])),
            }
        }
        let first = agents.first()?.1.clone();
        let alike = agents.len() > 1 && agents.iter().all(|(_, signals)| *signals == first);
        alike.then(|| (sign, agents.into_iter().map(|(agent, _)| agent.to_owned()).collect()))
    })
}

/// A name at its first sign. The `/` that topics begin with is none, nor is the one behind one of [`KINDS`].
fn split(name: &str, sign: char) -> Option<Parts<'_>> {
    let rest = name.strip_prefix('/').unwrap_or(name);
    let (first, behind) = rest.split_once(sign)?;
    let is_kind = KINDS.contains(&first);
    let (agent, signal) = match is_kind {
        true => behind.split_once(sign).unwrap_or((behind, "")),
        false => (first, behind),
    };
    let root = &name[..name.len() - if is_kind { behind.len() } else { rest.len() }];
    Some(Parts { root, agent, sign, signal })
}

/// A range that is one.
fn proper([low, high]: [f64; 2]) -> [f64; 2] {
    match low < high {
        true => [low, high],
        false if low.is_finite() => [low - 1.0, high + 1.0],
        false => [-1.0, 1.0],
    }
}
