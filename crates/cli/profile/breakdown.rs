//! A trace as a table: how long each span takes, and how much of an update that is.

use std::collections::BTreeMap;
use std::fmt;

use serde::Deserialize;

use crate::output::table;

/// Category of the spans that follow each other in an update.
pub const STEP: &str = "step";
/// Category of the spans that are pieces of a step and run at once, on several threads.
pub const PIECE: &str = "piece";
/// The span that everything is measured by.
const UPDATE: &str = "update";

/// An event of Chrome's trace format; `ts` in microseconds.
#[derive(Deserialize)]
struct Event {
    ph: String,
    #[serde(default)]
    ts: f64,
    tid: u64,
    name: String,
    #[serde(default)]
    cat: String,
}

/// All calls of a span at one place of the tree.
#[derive(Debug)]
struct Node {
    name: String,
    parent: Option<usize>,
    calls: u64,
    /// Microseconds from begin to end, added up over threads.
    total: f64,
    /// Microseconds by the clock in which this was the innermost at work; of several at once each has an equal part.
    own: f64,
}

/// Where the time of the recorded updates went.
#[derive(Debug, Default)]
pub struct Breakdown {
    nodes: Vec<Node>,
    /// Microseconds of each update.
    updates: Vec<f64>,
}

impl Breakdown {
    /// Of a trace with begin and end events.
    pub fn of(json: &[u8]) -> serde_json::Result<Self> {
        let mut events: Vec<Event> = serde_json::from_slice(json)?;
        events.retain(|event| event.ph == "B" || event.ph == "E");
        events.sort_by(|a, b| a.ts.total_cmp(&b.ts));
        let trainer = events.iter().find(|event| event.name == UPDATE).map_or(0, |event| event.tid);
        let mut sweep = Sweep { trainer, ..Sweep::default() };
        for event in events {
            sweep.pass(event.ts);
            match &*event.ph {
                "B" => sweep.begin(event),
                _ => sweep.end(&event),
            }
        }
        sweep.found.updates.sort_by(f64::total_cmp);
        Ok(sweep.found)
    }

    /// Number of updates in it.
    pub fn updates(&self) -> usize {
        self.updates.len()
    }

    /// The node of this name below `parent`, made if it is new.
    fn node(&mut self, parent: Option<usize>, name: String) -> usize {
        let found = self.nodes.iter().position(|node| node.parent == parent && node.name == name);
        found.unwrap_or_else(|| {
            self.nodes.push(Node { name, parent, calls: 0, total: 0.0, own: 0.0 });
            self.nodes.len() - 1
        })
    }

    /// Own time of a node and of all below it.
    fn inclusive(&self) -> Vec<f64> {
        let mut sums: Vec<_> = self.nodes.iter().map(|node| node.own).collect();
        // A node comes after its parent.
        for (k, node) in self.nodes.iter().enumerate().rev() {
            if let Some(parent) = node.parent {
                sums[parent] += sums[k];
            }
        }
        sums
    }

    /// Cells of the nodes below `parent`, each followed by its own.
    fn rows(&self, parent: Option<usize>, depth: usize, sums: &[f64], rows: &mut Vec<Vec<String>>) {
        let per_update = |x: f64| x / self.updates() as f64;
        let whole: f64 = self.updates.iter().sum();
        for (k, node) in self.nodes.iter().enumerate().filter(|(_, node)| node.parent == parent) {
            let beside = depth == 0 && node.name != UPDATE;
            rows.push(vec![
                format!("{}{}", "  ".repeat(depth), node.name),
                format!("{:.2}", per_update(node.calls as f64)),
                format!("{:.1}", per_update(node.total)),
                format!("{:.1}", per_update(node.own)),
                if beside { "beside".to_owned() } else { format!("{:.1} %", 100.0 * sums[k] / whole) },
            ]);
            self.rows(Some(k), depth + 1, sums, rows);
        }
    }
}

impl fmt::Display for Breakdown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut rows = Vec::new();
        self.rows(None, 0, &self.inclusive(), &mut rows);
        writeln!(f, "{}", table(&["span", "calls", "us", "self us", "share"], 1, rows))?;
        write!(
            f,
            "means of {} updates (median {:.1} us, longest {:.1} us)\n\
             us: begin to end, added up over threads; self us: by the clock, nothing deeper at work, divided among what \
             runs at once;\nshare: of an update, with what is deeper",
            self.updates(),
            self.updates.get(self.updates() / 2).unwrap_or(&0.0),
            self.updates.last().unwrap_or(&0.0)
        )
    }
}

/// The spans that are open at a time.
#[derive(Default)]
struct Sweep {
    /// The thread that runs the updates.
    trainer: u64,
    now: f64,
    /// Of each thread, the innermost last.
    open: BTreeMap<u64, Vec<Open>>,
    found: Breakdown,
}

struct Open {
    node: usize,
    since: f64,
    piece: bool,
}

impl Sweep {
    /// Credit the time until `ts` to what is at work. The trainer's step is not while pieces of it are.
    fn pass(&mut self, ts: f64) {
        let passed = ts - std::mem::replace(&mut self.now, ts);
        let innermost = || self.open.iter().filter_map(|(thread, stack)| Some((thread, stack.last()?)));
        let pieces: Vec<_> = innermost().filter(|(_, open)| open.piece).map(|(_, open)| open.node).collect();
        for node in &pieces {
            self.found.nodes[*node].own += passed / pieces.len() as f64;
        }
        for (thread, open) in innermost().filter(|(_, open)| !open.piece) {
            if *thread != self.trainer || pieces.is_empty() {
                self.found.nodes[open.node].own += passed;
            }
        }
    }

    /// A span is below the one that is open on its thread; a piece on a thread of its own below the trainer's step.
    fn begin(&mut self, event: Event) {
        let piece = event.cat == PIECE;
        let innermost = |thread| self.open.get(&thread).and_then(|stack| stack.last());
        let step = || self.open.get(&self.trainer)?.iter().rev().find(|open| !open.piece);
        let parent = innermost(event.tid).or_else(|| step().filter(|_| piece)).map(|open| open.node);
        let node = self.found.node(parent, event.name);
        self.open.entry(event.tid).or_default().push(Open { node, since: event.ts, piece });
    }

    fn end(&mut self, event: &Event) {
        let Some(Open { node, since, .. }) = self.open.get_mut(&event.tid).and_then(Vec::pop) else { return };
        let (node, us) = (&mut self.found.nodes[node], event.ts - since);
        node.calls += 1;
        node.total += us;
        if node.parent.is_none() && node.name == UPDATE {
            self.found.updates.push(us);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Begin and end of each span (thread, name, from, to), a piece's name with its network after a `/`; and what must
    /// come out: depth, name, calls, us, self us, share in percent.
    fn check(spans: &[(u64, &str, f64, f64)], expected: &[(usize, &str, f64, f64, f64, f64)]) {
        let mut events =
            vec![serde_json::json!({"ph": "M", "name": "thread_name", "tid": 0, "args": {"name": "main"}})];
        for (tid, name, from, to) in spans {
            let category = if name.contains('/') { PIECE } else { STEP };
            for (ph, ts) in [("B", from), ("E", to)] {
                events.push(serde_json::json!({"ph": ph, "ts": ts, "tid": tid, "name": name, "cat": category}));
            }
        }
        let breakdown = Breakdown::of(&serde_json::to_vec(&events).unwrap()).unwrap();
        let mut rows = Vec::new();
        breakdown.rows(None, 0, &breakdown.inclusive(), &mut rows);
        let cells = |(depth, name, calls, us, own, share): &(usize, &str, f64, f64, f64, f64)| {
            let share = if share.is_nan() { "beside".to_owned() } else { format!("{share:.1} %") };
            let name = format!("{}{name}", "  ".repeat(*depth));
            vec![name, format!("{calls:.2}"), format!("{us:.1}"), format!("{own:.1}"), share]
        };
        assert_eq!(rows, expected.iter().map(cells).collect::<Vec<_>>());
        let shown = breakdown.to_string();
        assert!(rows.iter().flatten().all(|cell| shown.contains(cell.trim())), "{shown}");
    }

    #[test]
    fn steps_of_one_thread() {
        check(
            &[
                (0, "update", 0.0, 100.0),
                (0, "sample", 10.0, 30.0),
                (0, "forward", 30.0, 80.0),
                (0, "evaluate", 100.0, 900.0),
                (0, "update", 1000.0, 1300.0),
                (0, "sample", 1000.0, 1080.0),
            ],
            &[
                (0, "update", 1.0, 200.0, 125.0, 100.0),
                (1, "sample", 1.0, 50.0, 50.0, 25.0),
                (1, "forward", 0.5, 25.0, 25.0, 12.5),
                (0, "evaluate", 0.5, 400.0, 400.0, f64::NAN),
            ],
        );
    }

    #[test]
    fn pieces_on_other_threads() {
        check(
            &[
                (0, "update", 0.0, 100.0),
                (0, "forward", 10.0, 90.0),
                (1, "block/a", 20.0, 60.0),
                (2, "block/b", 40.0, 80.0),
                (1, "block/a", 60.0, 70.0),
            ],
            &[
                (0, "update", 1.0, 100.0, 20.0, 100.0),
                (1, "forward", 1.0, 80.0, 20.0, 80.0),
                // 20 alone, 30 of 2.
                (2, "block/a", 2.0, 50.0, 35.0, 35.0),
                (2, "block/b", 1.0, 40.0, 25.0, 25.0),
            ],
        );
    }

    /// The trainer's own thread takes a piece, and another thread a step that is nobody's piece.
    #[test]
    fn the_trainer_takes_pieces_too() {
        check(
            &[
                (1, "sample", 5.0, 50.0),
                (0, "update", 0.0, 100.0),
                (0, "forward", 10.0, 90.0),
                (0, "block/a", 20.0, 60.0),
                (1, "block/b", 50.0, 70.0),
            ],
            &[
                (0, "update", 1.0, 100.0, 20.0, 100.0),
                (1, "forward", 1.0, 80.0, 30.0, 80.0),
                (2, "block/a", 1.0, 40.0, 35.0, 35.0),
                (2, "block/b", 1.0, 20.0, 15.0, 15.0),
                (0, "sample", 1.0, 45.0, 45.0, f64::NAN),
            ],
        );
    }

    #[test]
    fn nothing_recorded() {
        let found = Breakdown::of(b"[\n\n]").unwrap();
        assert_eq!((found.updates(), found.nodes.len()), (0, 0));
        assert!(Breakdown::of(b"[\n").is_err());
    }
}
