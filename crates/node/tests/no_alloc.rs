//! From a message to a command nothing is allocated: by the network's thread, the loop, the sender, a shadow or the recording.
#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "a test without a harness")]

use std::alloc::System;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant, SystemTime};

use omiga_node::{Attachment, Link, Millis, Node, Publisher, Result, Settings, Take};
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

/// A network that keeps nothing: whoever holds it calls the subscriber, and commands are counted.
#[derive(Clone, Default)]
struct Direct {
    take: Arc<Mutex<Option<Take>>>,
    commands: Arc<AtomicU64>,
}

impl Link for Direct {
    fn subscribe(&self, _: &str, take: Take) -> Result<()> {
        *self.take.lock().unwrap() = Some(take);
        Ok(())
    }

    fn publisher(&self, _: &str) -> Result<Box<dyn Publisher>> {
        Ok(Box::new(self.clone()))
    }
}

impl Publisher for Direct {
    fn put(&mut self, _: &[u8], _: &[u8]) -> Result<()> {
        self.commands.fetch_add(1, Ordering::Relaxed);
        Ok(())
    }
}

#[expect(clippy::disallowed_methods, reason = "stamps are wall-clock time")]
fn unix_ns() -> i64 {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_nanos() as i64
}

/// A program of one thread beside the node's: the allocator counts for all of them.
fn main() {
    let link = Direct::default();
    let bundle = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../models/spread");
    let mut settings = Settings::parse(include_str!("data/spread.toml")).unwrap();
    settings.bundle.clone_from(&bundle);
    settings.tick_ms = Some(Millis::from_ns(2_000_000));
    let (mut node, mut records) = Node::start_recorded(&settings, Arc::new(link.clone()), 1000).unwrap();
    let link: &Direct = &link;
    node.shadow(&bundle).unwrap();

    let take = link.take.lock().unwrap().take().unwrap();
    let payload: Vec<u8> = (0..18).flat_map(|i| (0.1 + i as f32 * 0.01).to_le_bytes()).collect();
    let (mut beside, mut sequence, mut seen) = (Vec::with_capacity(256), 0, 0);
    let mut send = |for_ms| {
        let begin = Instant::now();
        while begin.elapsed() < Duration::from_millis(for_ms) {
            sequence += 1;
            Attachment { sequence, stamp_unix_ns: unix_ns(), sender: [7; 16] }.write(&mut beside);
            take("obs", &payload, &beside);
            seen += records.drain(|_| {});
            std::thread::sleep(Duration::from_millis(3));
        }
    };
    send(500);
    let (before, region) = (link.commands.load(Ordering::Relaxed), Region::new(ALLOCATOR));
    send(300);
    // Silence, and what the guard makes of it.
    std::thread::sleep(Duration::from_millis(500));
    send(200);
    let (allocations, commands) = (region.change().allocations, link.commands.load(Ordering::Relaxed) - before);
    let report = node.report();
    assert!(
        commands > 100 && seen > 100 && report.shadow.as_ref().unwrap().compared > 50,
        "{commands}, {seen}, {report:?}"
    );
    assert!(report.ticks.policy > 50 && report.ticks.held + report.ticks.safe > 50, "{report:?}");
    assert_eq!(allocations, 0);
    node.stop().unwrap();
    println!("from_message_to_command_nothing_is_allocated: ok");
}
