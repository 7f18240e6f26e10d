//! Nodes from message to command: on a network in memory, and as processes on sockets.

#[cfg(test)]
mod change;
#[cfg(test)]
mod docs;
#[cfg(all(feature = "zenoh", unix))]
#[cfg(test)]
mod namespaces;
#[cfg(all(feature = "zenoh", unix))]
#[cfg(test)]
mod network;
#[cfg(test)]
mod node;
#[cfg(feature = "mcap")]
#[cfg(test)]
mod recording;
#[cfg(all(feature = "zenoh", unix))]
#[cfg(test)]
mod relay;
#[cfg(test)]
mod support;
