//! The thread that carries commands to the network, so that the loop never waits for it.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread::{self, JoinHandle};

use super::Shared;
use crate::latest::Reader;
use crate::link::Publisher;
use crate::report::source_name;
use crate::ticker::Command;
use crate::wire::{Attachment, Commanded, Encoder, Given, SENDER_BYTES};
use crate::{Error, Result};

pub(super) struct Sending {
    agent: String,
    encoder: Encoder,
    commands: Reader<Command>,
    publisher: Box<dyn Publisher>,
    shared: Arc<Shared>,
    sender: [u8; SENDER_BYTES],
    payload: Vec<u8>,
    attachment: Vec<u8>,
}

impl Sending {
    pub(super) fn new(
        agent: String,
        encoder: Encoder,
        commands: Reader<Command>,
        publisher: Box<dyn Publisher>,
        shared: Arc<Shared>,
        sender: [u8; SENDER_BYTES],
    ) -> Self {
        let (payload, attachment) = (Vec::new(), Vec::new());
        Self { agent, encoder, commands, publisher, shared, sender, payload, attachment }
    }

    pub(super) fn start(self) -> Result<JoinHandle<()>> {
        thread::Builder::new().name("omiga-sender".to_owned()).spawn(|| self.run()).map_err(Error::Thread)
    }

    /// Send the newest command whenever the loop says that there is one, until it is over.
    fn run(mut self) {
        loop {
            // What it said before is looked at once more.
            let over = self.shared.over.load(Ordering::Acquire);
            while self.send() {}
            if over {
                break;
            }
            thread::park();
        }
    }

    fn send(&mut self) -> bool {
        let Self { agent, encoder, commands, sender, payload, attachment, .. } = self;
        let news = commands.fresh(|command| {
            let Command { sequence, stamp_unix_ns, obs_stamp_unix_ns, source, .. } = *command;
            let bundle_sha256 = str::from_utf8(&command.bundle).unwrap_or_default();
            let (source, numbers) = (source_name(source), &*command.numbers);
            encoder.encode(
                Given { agent, sequence, stamp_unix_ns, source, bundle_sha256, obs_stamp_unix_ns, numbers },
                payload,
            );
            let beside = Attachment { sequence, stamp_unix_ns, sender: *sender };
            Commanded { attachment: beside, source, bundle_sha256, obs_stamp_unix_ns }.write(attachment);
        });
        if news.is_some() && self.publisher.put(&self.payload, &self.attachment).is_err() {
            self.shared.unsent.fetch_add(1, Ordering::Relaxed);
        }
        news.is_some()
    }
}

/// Who sends: unlike any other, as no two processes of a machine have the same number at the same time.
pub(super) fn sender() -> [u8; SENDER_BYTES] {
    use std::sync::atomic::AtomicU32;
    static NODES: AtomicU32 = AtomicU32::new(0);

    let unix_ns = crate::clock::Clock::start().now().unix_ns.to_le_bytes();
    let (process, node) = (std::process::id().to_le_bytes(), NODES.fetch_add(1, Ordering::Relaxed).to_le_bytes());
    let mut sender = [0; SENDER_BYTES];
    let parts = unix_ns.into_iter().chain(process).chain(node);
    sender.iter_mut().zip(parts).for_each(|(to, from)| *to = from);
    sender
}
