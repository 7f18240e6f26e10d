//! Which column is what, from names and looks.

use std::collections::{BTreeSet, HashMap};

use super::form::{Form, OTHER_KINDS, is_kind, wide};
use super::looks::{Looks, MAX_TEXTS};

/// What a column is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
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
                roles[i] == Role::Unused && is_command(&form.column(&names[i])) && looks[i].choices().is_some()
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
    pub fn unused(&self, names: &[String]) -> Vec<usize> {
        let form = self.form();
        // Of each other role the map names one column, or one of all agents.
        let mut taken = HashMap::new();
        let mut is_unused = |i: &usize| match self.roles[*i] {
            Role::Unused => true,
            Role::Obs | Role::Action => false,
            Role::Agent => self.agent != Some(*i),
            role => {
                let column = form.column(&names[*i]);
                *taken.entry(role).or_insert_with(|| column.clone()) != column
            }
        };
        (0..self.roles.len()).filter(|i| is_unused(i)).collect()
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
        let (form, mut columns, mut numbers) = (self.form(), Vec::<(String, Vec<usize>)>::new(), HashMap::new());
        for i in (0..names.len()).filter(|i| self.roles[*i] == role) {
            let column = form.column(&names[i]);
            let number = *numbers.entry(column.clone()).or_insert(columns.len());
            match columns.get_mut(number) {
                Some((_, all)) => all.push(i),
                None => columns.push((column, vec![i])),
            }
        }
        columns.iter().flat_map(|(column, all)| entries(&form, column, all, names, looks)).collect()
    }
}

/// The entries of a column, each agent's of which is one of `all`.
fn entries(form: &Form, column: &str, all: &[usize], names: &[String], looks: &[Looks]) -> Vec<Field> {
    let printable = |c: char| if matches!(c, ' '..='~') { c } else { '_' };
    let name: String = form.signal(&names[all[0]]).chars().map(printable).collect();
    let field = |range, choices| {
        let (name, column) = (name.clone(), column.to_owned());
        Field { name, column, agents: Vec::new(), range, choices }
    };
    let length = |i: &usize| if let Looks::Lists(length) = looks[*i] { length } else { 0 };
    let element = |k: usize| {
        let have: Vec<_> = all.iter().filter(|i| length(i) > k).collect();
        let only = have.iter().filter(|_| have.len() < all.len());
        let agents = only.filter_map(|i| form.split(&names[**i])).map(|parts| parts.agent.to_owned()).collect();
        let (name, column) = (format!("{name}.{k}"), format!("{column}[{k}]"));
        Field { name, column, agents, ..field([-1.0, 1.0], Vec::new()) }
    };
    let mut entries: Vec<_> = (0..all.iter().map(length).max().unwrap_or(0)).map(element).collect();
    let range = |i: &usize| if let Looks::Numbers(low, high) = looks[*i] { Some([low, high]) } else { None };
    let range = all.iter().filter_map(range).reduce(|a, b| [a[0].min(b[0]), a[1].max(b[1])]);
    entries.extend(range.map(|range| field(proper(range), Vec::new())));
    let choices: BTreeSet<_> = all.iter().filter_map(|i| looks[*i].choices()).flatten().cloned().collect();
    entries.extend(Some(choices).filter(|all| !all.is_empty()).map(|all| field([0.0; 2], all.into_iter().collect())));
    entries
}

/// What a column is. Its agent may be called as a command is.
fn role(name: &str, form: &Form, looks: &Looks) -> Role {
    let mut lower = name.to_lowercase();
    if name.is_empty() || lower == "index" || lower.starts_with("unnamed") || *looks == Looks::Empty {
        return Role::Unused;
    }
    if form.split(name).is_some_and(|parts| is_kind(parts.root, &OTHER_KINDS)) {
        lower = form.signal(name).to_lowercase();
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
            if is_command(&form.column(name)) {
                Role::Action
            } else {
                Role::Obs
            }
        }
        _ => Role::Unused,
    }
}

/// Is a part of a column's name, in which no agent stands, that of a command?
fn is_command(column: &str) -> bool {
    column.to_lowercase().split(|c: char| !c.is_alphanumeric()).any(|part| COMMANDS.contains(&part))
}

/// A range that is one.
fn proper([low, high]: [f64; 2]) -> [f64; 2] {
    match low < high {
        true => [low, high],
        false if low.is_finite() => [low - 1.0, high + 1.0],
        false => [-1.0, 1.0],
    }
}
