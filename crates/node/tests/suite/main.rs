//! Nodes from message to command: on a network in memory, and as processes on sockets.
#![expect(clippy::unwrap_used, reason = "a test may fail")]

#[cfg(test)]
mod docs;
#[cfg(all(test, feature = "zenoh", unix))]
mod network;
#[cfg(test)]
mod node;
#[cfg(all(test, feature = "zenoh", unix))]
mod relay;
#[cfg(test)]
mod support;
