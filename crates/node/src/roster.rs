//! A team as it reports itself.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::Result;
use crate::link::Link;
use crate::report::{Report, State};

/// Nodes that report more are not listened to: names come from the network.
const MAX_NODES: usize = 10_000;
/// Bytes of a report that is one.
const MAX_BYTES: usize = 1 << 20;

/// The last report of each node, and when it came.
#[derive(Clone, Debug, Default)]
pub struct Roster {
    heard: Arc<Mutex<Heard>>,
}

/// By name and sender: there may be two of one name.
type Heard = BTreeMap<(String, String), (Report, Instant)>;

impl Roster {
    /// Without a report for so long a node is gone: it sends one a second.
    pub const SILENT: Duration = Duration::from_millis(3500);

    /// Hear all nodes below `prefix` (see [`crate::NetworkSettings::prefix`]) from now on.
    ///
    /// # Errors
    /// [`crate::Error::Link`].
    pub fn listen(link: &dyn Link, prefix: &str) -> Result<Self> {
        let roster = Self::default();
        let heard = Arc::clone(&roster.heard);
        let take = move |_: &str, payload: &[u8], _: &[u8]| {
            if payload.len() > MAX_BYTES {
                return;
            }
            // What is no report is nobody's.
            let Ok(report) = serde_json::from_slice::<Report>(payload) else { return };
            put(&mut heard.lock().unwrap_or_else(PoisonError::into_inner), report, Instant::now());
        };
        link.subscribe(&format!("{prefix}/*/status"), Box::new(take))?;
        Ok(roster)
    }

    /// By their names, and how long ago they were heard: a report comes each second. Of two processes of one name both are there, as long
    /// as both are heard.
    pub fn reports(&self) -> Vec<(Report, Duration)> {
        let heard = self.heard.lock().unwrap_or_else(PoisonError::into_inner);
        heard.values().map(|(report, when)| (report.clone(), when.elapsed())).collect()
    }
}

/// A process that was started again takes the place of the one before.
fn put(heard: &mut Heard, report: Report, now: Instant) {
    let key = (report.name.clone(), report.sender.clone());
    let (first, last) = ((key.0.clone(), String::new()), (key.0.clone() + "\0", String::new()));
    let is_gone = |(report, when): &(Report, Instant)| {
        report.state == State::Stopped || now.saturating_duration_since(*when) > Roster::SILENT
    };
    let gone: Vec<_> = heard.range(first..last).filter(|(_, last)| is_gone(last)).map(|(key, _)| key.clone()).collect();
    gone.iter().for_each(|key| drop(heard.remove(key)));
    if heard.len() < MAX_NODES || heard.contains_key(&key) {
        heard.insert(key, (report, now));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::link::MemoryLink;

    #[test]
    fn only_reports_are_heard() {
        let link = MemoryLink::default();
        let roster = Roster::listen(&link, "omiga/node").unwrap();
        let mut other = link.publisher("omiga/node/x/status").unwrap();
        for payload in [&b"{}"[..], b"", b"\xff", b"[1]"] {
            other.put(payload, &[]).unwrap();
        }
        assert!(roster.reports().is_empty());
    }

    fn report(name: &str, sender: &str, state: State) -> Report {
        let text = include_str!("../tests/data/report.json");
        let (name, sender) = (name.to_owned(), sender.to_owned());
        Report { name, sender, state, ..serde_json::from_str(text).unwrap() }
    }

    /// The file is of a node from before senders were told.
    #[test]
    fn two_of_one_name_are_two_until_one_is_gone() {
        let (mut heard, start) = (Heard::new(), Instant::now());
        let mut put = |name: &str, sender: &str, state, ms| {
            put(&mut heard, report(name, sender, state), start + Duration::from_millis(ms));
            heard.keys().map(|(name, sender)| format!("{name} {sender}")).collect::<Vec<_>>()
        };
        assert_eq!(put("a", "1", State::Running, 0), ["a 1"]);
        assert_eq!(put("a", "2", State::Running, 10), ["a 1", "a 2"]);
        assert_eq!(put("a b", "3", State::Running, 20), ["a 1", "a 2", "a b 3"]);
        assert_eq!(put("a", "2", State::Running, 3000), ["a 1", "a 2", "a b 3"]);
        // The first is silent, and goes when the other is heard again.
        assert_eq!(put("a", "2", State::Stopped, 4000), ["a 2", "a b 3"]);
        assert_eq!(put("a", "4", State::Running, 4100), ["a 4", "a b 3"]);
        assert_eq!(put("b", "5", State::Running, 9000), ["a 4", "a b 3", "b 5"]);
    }

    #[test]
    fn no_message_takes_all_memory() {
        let link = MemoryLink::default();
        let roster = Roster::listen(&link, "omiga/node").unwrap();
        let mut other = link.publisher("omiga/node/x/status").unwrap();
        let mut long = report("x", "1", State::Running);
        other.put(&serde_json::to_vec(&long).unwrap(), &[]).unwrap();
        assert_eq!(roster.reports().len(), 1);
        long.name = "y".repeat(MAX_BYTES);
        other.put(&serde_json::to_vec(&long).unwrap(), &[]).unwrap();
        assert_eq!(roster.reports().len(), 1);
    }
}
