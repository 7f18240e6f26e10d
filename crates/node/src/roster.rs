//! A team as it reports itself.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::Result;
use crate::link::Link;
use crate::report::Report;

/// Nodes that report more are not listened to: names come from the network.
const MAX_NODES: usize = 10_000;

/// The last report of each node, and when it came.
#[derive(Clone, Debug, Default)]
pub struct Roster {
    heard: Arc<Mutex<BTreeMap<String, (Report, Instant)>>>,
}

impl Roster {
    /// Hear all nodes below `prefix` (see [`crate::NetworkSettings::prefix`]) from now on.
    ///
    /// # Errors
    /// [`crate::Error::Link`].
    pub fn listen(link: &dyn Link, prefix: &str) -> Result<Self> {
        let roster = Self::default();
        let heard = Arc::clone(&roster.heard);
        let take = move |_: &str, payload: &[u8], _: &[u8]| {
            // What is no report is nobody's.
            let Ok(report) = serde_json::from_slice::<Report>(payload) else { return };
            let mut heard = heard.lock().unwrap_or_else(PoisonError::into_inner);
            if heard.len() < MAX_NODES || heard.contains_key(&report.name) {
                heard.insert(report.name.clone(), (report, Instant::now()));
            }
        };
        link.subscribe(&format!("{prefix}/*/status"), Box::new(take))?;
        Ok(roster)
    }

    /// By their names, and how long ago they were heard: a report comes each second.
    pub fn reports(&self) -> Vec<(Report, Duration)> {
        let heard = self.heard.lock().unwrap_or_else(PoisonError::into_inner);
        heard.values().map(|(report, when)| (report.clone(), when.elapsed())).collect()
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
}
