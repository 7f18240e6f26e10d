//! A network inside of one process: for tests, simulations and examples.

use std::sync::{Arc, Mutex, PoisonError};

use super::{Link, Publisher, Take};
use crate::Result;

/// Messages go straight to whoever subscribed to their key (`*` is any one part of it), on the sender's thread. Clones are the
/// same network.
#[derive(Clone, Default)]
pub struct MemoryLink {
    subscribers: Arc<Mutex<Vec<Subscriber>>>,
}

/// A key expression, and who hears what matches it.
type Subscriber = (String, Arc<Take>);

impl Link for MemoryLink {
    fn subscribe(&self, key: &str, take: Take) -> Result<()> {
        let mut subscribers = self.subscribers.lock().unwrap_or_else(PoisonError::into_inner);
        subscribers.push((key.to_owned(), Arc::new(take)));
        Ok(())
    }

    fn publisher(&self, key: &str) -> Result<Box<dyn Publisher>> {
        Ok(Box::new(MemoryPublisher { link: self.clone(), key: key.to_owned() }))
    }
}

struct MemoryPublisher {
    link: MemoryLink,
    key: String,
}

impl Publisher for MemoryPublisher {
    fn put(&mut self, payload: &[u8], attachment: &[u8]) -> Result<()> {
        let subscribers = self.link.subscribers.lock().unwrap_or_else(PoisonError::into_inner);
        let mine: Vec<_> =
            subscribers.iter().filter(|(key, _)| matches(key, &self.key)).map(|(_, take)| Arc::clone(take)).collect();
        // Whoever is called may publish in turn.
        drop(subscribers);
        mine.iter().for_each(|take| take(&self.key, payload, attachment));
        Ok(())
    }
}

fn matches(expression: &str, key: &str) -> bool {
    let (expected, found) = (expression.split('/'), key.split('/'));
    expected.clone().count() == found.clone().count()
        && expected.zip(found).all(|(part, found)| part == "*" || part == found)
}
