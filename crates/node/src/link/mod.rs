//! What a node asks of a network.

mod memory;
#[cfg(feature = "zenoh")]
mod zenoh;

use crate::Result;

pub use self::memory::MemoryLink;
#[cfg(feature = "zenoh")]
pub use self::zenoh::ZenohLink;

/// Called with the key, the payload and the attachment (empty if there is none) of each message, on a thread of the network.
pub type Take = Box<dyn Fn(&str, &[u8], &[u8]) + Send + Sync>;

/// A network that carries messages by keys.
pub trait Link: Send + Sync {
    /// Give every message on this key expression to `take`, as long as the link is there.
    ///
    /// # Errors
    /// [`crate::Error::Link`].
    fn subscribe(&self, key: &str, take: Take) -> Result<()>;

    /// Who publishes on this key.
    ///
    /// # Errors
    /// [`crate::Error::Link`].
    fn publisher(&self, key: &str) -> Result<Box<dyn Publisher>>;
}

/// Publishes on one key. What the network has no room for is dropped rather than waited for.
pub trait Publisher: Send {
    /// Send one message.
    ///
    /// # Errors
    /// [`crate::Error::Link`].
    fn put(&mut self, payload: &[u8], attachment: &[u8]) -> Result<()>;
}
