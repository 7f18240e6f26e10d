//! Names of the map to cells of the table.

use std::path::Path;

use super::{Input, Reduce, Slot, Term, Window};
use crate::expression::Expression;
use crate::map::{Flag, Formula, Map, Null, Sample, Sampling, Source, Texts};
use crate::table::{Cell, How, Wanted, nearest};
use crate::{Error, Result};

/// Collects what is wanted of a row.
pub struct Binder<'a> {
    path: &'a Path,
    map: &'a Map,
    columns: &'a [String],
    cells: Vec<Cell>,
    slots: Vec<Slot>,
}

/// What is done with an entry's values.
#[derive(Clone, Copy)]
struct Manner {
    null: Null,
    reduce: Reduce,
    window: Window,
    command: bool,
}

/// Where a value is.
struct Found {
    column: usize,
    how: How,
    agent: Option<usize>,
}

impl<'a> Binder<'a> {
    pub fn new(path: &'a Path, map: &'a Map, columns: &'a [String]) -> Self {
        Self { path, map, columns, cells: Vec::new(), slots: Vec::new() }
    }

    /// A value of an agent, or of the team.
    pub fn term(
        &mut self,
        entry: &str,
        source: &Source,
        agent: Option<usize>,
        window: Window,
        command: bool,
    ) -> Result<Term> {
        let reduce = match (source.sample, self.map.time.sample) {
            (Some(Sample::Hold), _) | (None, Sampling::Rows | Sampling::Hold) => Reduce::Hold,
            (Some(Sample::Mean), _) | (None, Sampling::Mean) => Reduce::Mean,
            (Some(Sample::Sum), _) => Reduce::Sum,
        };
        let manner = Manner { null: source.null, reduce, window, command };
        match (&source.column, &source.value) {
            (Some(column), None) => {
                let mut found = self.find(entry, column, agent)?;
                if let Some(element) = self.element(entry, source, agent)? {
                    found.how = How::Element(element);
                }
                Ok(Term::Slot(self.slot(found, manner)))
            }
            (None, Some(Formula::Number(value))) => Ok(Term::Constant(*value)),
            (None, Some(Formula::Text(text))) => self.formula(entry, text, agent, manner),
            _ => Err(Error::entry(entry, "expected `column` or `value`, one of them")),
        }
    }

    /// The number of an agent's choice.
    pub fn choice(&mut self, entry: &str, source: &Source, agent: usize, choices: &[String]) -> Result<Term> {
        let column = source.column.as_ref().ok_or_else(|| Error::entry(entry, "`choices` need a `column`"))?;
        let found = self.find(entry, column, Some(agent))?;
        let manner = Manner { null: source.null, reduce: Reduce::Hold, window: Window::After, command: true };
        Ok(Term::Slot(self.slot(Found { how: How::Choice(choices.to_vec()), ..found }, manner)))
    }

    /// Which of so many choices were available to an agent: a list's elements, or a column each.
    pub fn mask(&mut self, entry: &str, mask: &Texts, agent: usize, choices: usize) -> Result<Vec<Term>> {
        let columns = match mask {
            Texts::One(list) => vec![list; choices],
            Texts::Several(columns) => columns.iter().collect(),
        };
        if columns.len() != choices {
            let reason = format!("`mask` names {} columns, expected one for each of {choices} choices", columns.len());
            return Err(Error::entry(entry, reason));
        }
        let manner = Manner { null: Null::Hold, reduce: Reduce::Hold, window: Window::Before, command: false };
        let term = |(choice, column): (usize, &String)| {
            let mut found = self.find(entry, column, Some(agent))?;
            if matches!(mask, Texts::One(_)) {
                found.how = How::Element(choice);
            }
            Ok(Term::Slot(self.slot(found, manner)))
        };
        columns.into_iter().enumerate().map(term).collect()
    }

    /// One value of the team, or one of each agent where a name says so.
    pub fn terms(&mut self, entry: &str, source: &Source, window: Window) -> Result<Vec<Term>> {
        let names = match (&source.column, &source.value) {
            (Some(column), _) => vec![column.clone()],
            (None, Some(Formula::Text(text))) => parsed(entry, text)?.names().to_vec(),
            _ => Vec::new(),
        };
        let agents = self.agents(&names, source.element.is_some());
        agents.into_iter().map(|agent| self.term(entry, source, agent, window, false)).collect()
    }

    /// Something that is or is not so.
    pub fn flag(&mut self, entry: &str, flag: &Flag) -> Result<Vec<Term>> {
        let manner = Manner { null: Null::Value(0.0), reduce: Reduce::Any, window: Window::After, command: false };
        let (name, texts) = match flag {
            Flag::Column(column) => (column, None),
            Flag::Is(flag) => (&flag.column, Some(flag.is.list())),
            Flag::Formula(flag) => {
                let agents = self.agents(parsed(entry, &flag.value)?.names(), false);
                return agents.into_iter().map(|agent| self.formula(entry, &flag.value, agent, manner)).collect();
            }
        };
        let agents = self.agents(std::slice::from_ref(name), false);
        let term = |agent: Option<usize>| {
            let mut found = self.find(entry, name, agent)?;
            if let Some(texts) = &texts {
                found.how = How::OneOf(texts.clone());
            }
            Ok(Term::Slot(self.slot(found, manner)))
        };
        agents.into_iter().map(term).collect()
    }

    /// What is wanted of each row, and what becomes of it.
    pub fn finish(self) -> Result<(Wanted, Vec<Slot>)> {
        let column = |entry: &str, name: &Option<String>| {
            name.as_ref().map(|name| self.column(name).ok_or_else(|| self.unknown(entry, name))).transpose()
        };
        let wanted = Wanted {
            cells: self.cells.clone(),
            episode: column("episode.column", &self.map.episode.column)?,
            time: column("time.column", &self.map.time.column)?,
            agent: column("agent.column", &self.map.agent.column)?,
            agents: self.map.task.agents.clone(),
        };
        Ok((wanted, self.slots))
    }

    /// Everybody, if one of the names says so or `each`; else the team as one.
    fn agents(&self, names: &[String], each: bool) -> Vec<Option<usize>> {
        if each || names.iter().any(|name| self.is_of_each_agent(name)) {
            (0..self.map.task.agents.len()).map(Some).collect()
        } else {
            vec![None]
        }
    }

    fn formula(&mut self, entry: &str, text: &str, agent: Option<usize>, manner: Manner) -> Result<Term> {
        let expression = parsed(entry, text)?;
        let mut inputs = Vec::new();
        for name in expression.names() {
            inputs.push(match (self.find(entry, name, agent), name.as_str()) {
                (Ok(found), _) => Input::Slot(self.slot(found, manner)),
                (Err(_), "terminated") if !entry.starts_with("episode") => Input::Terminated,
                (Err(_), "truncated") if !entry.starts_with("episode") => Input::Truncated,
                (Err(error), _) => return Err(error),
            });
        }
        Ok(Term::Formula { expression, inputs })
    }

    fn element(&self, entry: &str, source: &Source, agent: Option<usize>) -> Result<Option<usize>> {
        let (Some(elements), agents) = (&source.element, self.map.task.agents.len()) else { return Ok(None) };
        if elements.len() != agents {
            let reason = format!("`element` has {} numbers, expected one for each of {agents} agents", elements.len());
            return Err(Error::entry(entry, reason));
        }
        Ok(agent.and_then(|agent| elements.get(agent).copied()))
    }

    fn is_long(&self) -> bool {
        self.map.agent.column.is_some()
    }

    fn is_of_each_agent(&self, name: &str) -> bool {
        if self.cell(name).is_some() { self.is_long() } else { name.contains('*') }
    }

    fn find(&self, entry: &str, name: &str, agent: Option<usize>) -> Result<Found> {
        let agents = &self.map.task.agents;
        if let Some((column, how)) = self.cell(name) {
            return Ok(Found { column, how, agent: agent.filter(|_| self.is_long()) });
        }
        let mut wanted = name.to_owned();
        if let Some(agent) = agent {
            wanted = name.replace('*', &agents[agent]);
            if let Some((column, how)) = self.cell(&wanted) {
                return Ok(Found { column, how, agent: None });
            }
        }
        let of_agent = |(number, agent): (usize, &String)| {
            let (column, how) = self.cell(name.strip_prefix(agent.as_str())?.strip_prefix('.')?)?;
            Some(Found { column, how, agent: Some(number) })
        };
        let found = agents.iter().enumerate().filter(|_| self.is_long()).find_map(of_agent);
        found.ok_or_else(|| self.unknown(entry, &wanted))
    }

    /// A column by its name, or an element of its lists: `name[3]`.
    fn cell(&self, name: &str) -> Option<(usize, How)> {
        if let Some(column) = self.column(name) {
            return Some((column, How::Number));
        }
        let (column, element) = name.strip_suffix(']')?.rsplit_once('[')?;
        Some((self.column(column)?, How::Element(element.parse().ok()?)))
    }

    fn column(&self, name: &str) -> Option<usize> {
        self.columns.iter().position(|column| column == name)
    }

    fn unknown(&self, entry: &str, column: &str) -> Error {
        let nearest = nearest(column, self.columns);
        let (path, known) = (self.path.to_owned(), self.columns.to_vec());
        Error::UnknownColumn { path, entry: entry.to_owned(), column: column.to_owned(), nearest, known }
    }

    /// The slot of a value; the same for the same.
    fn slot(&mut self, found: Found, manner: Manner) -> usize {
        let Found { column, how, agent } = found;
        let name = match agent {
            Some(agent) => format!("`{}` of {}", self.columns[column], self.map.task.agents[agent]),
            None => format!("`{}`", self.columns[column]),
        };
        let cell = Cell { column, how };
        let cell = self.cells.iter().position(|other| *other == cell).unwrap_or_else(|| {
            self.cells.push(cell);
            self.cells.len() - 1
        });
        let Manner { null, reduce, window, command } = manner;
        let slot = Slot { cell, agent: agent.map(|agent| agent as u32), null, reduce, window, command, name };
        self.slots.iter().position(|other| *other == slot).unwrap_or_else(|| {
            self.slots.push(slot);
            self.slots.len() - 1
        })
    }
}

fn parsed(entry: &str, text: &str) -> Result<Expression> {
    Expression::parse(text).map_err(|reason| Error::entry(entry, reason))
}
