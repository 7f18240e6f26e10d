//! A bad network: passes UDP packets on late, twice, in another order, or not at all. Seeded, and the same for everybody who has no
//! right to change the real one.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::net::{SocketAddr, UdpSocket};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

/// What a network does to packets.
#[derive(Clone, Copy, Debug, Default)]
pub struct Badness {
    pub delay_ms: f64,
    /// Up to so much more; with it packets overtake each other.
    pub jitter_ms: f64,
    /// Share of packets that are lost.
    pub loss: f64,
    /// Share of packets that come twice.
    pub twice: f64,
    /// Nothing passes.
    pub parted: bool,
}

/// Between one node and the plant.
pub struct Relay {
    badness: Arc<Mutex<Badness>>,
    stop: Arc<AtomicBool>,
    threads: Vec<JoinHandle<()>>,
    port: u16,
}

impl Relay {
    /// To the plant that listens on this port of the loopback, for a node that connects to `host`.
    pub fn to(plant: u16, host: &str, seed: u64) -> Self {
        let outside = UdpSocket::bind((host, 0)).unwrap();
        let inside = UdpSocket::bind("127.0.0.1:0").unwrap();
        inside.connect(("127.0.0.1", plant)).unwrap();
        let (badness, stop) = (Arc::new(Mutex::new(Badness::default())), Arc::new(AtomicBool::new(false)));
        let node = Arc::new(Mutex::new(None));
        let port = outside.local_addr().unwrap().port();
        let threads = [true, false].map(|inwards| {
            let (from, to) = if inwards { (&outside, &inside) } else { (&inside, &outside) };
            let way = Way {
                from: from.try_clone().unwrap(),
                to: to.try_clone().unwrap(),
                inwards,
                node: Arc::clone(&node),
                badness: Arc::clone(&badness),
                random: seed * 2 + u64::from(inwards) + 1,
            };
            let stop = Arc::clone(&stop);
            thread::spawn(move || way.run(&stop))
        });
        Self { badness, stop, threads: threads.into(), port }
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    pub fn set(&self, badness: Badness) {
        *self.badness.lock().unwrap() = badness;
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        for thread in self.threads.drain(..) {
            let _ = thread.join();
        }
    }
}

/// One direction.
struct Way {
    from: UdpSocket,
    to: UdpSocket,
    inwards: bool,
    /// Where the node's packets come from.
    node: Arc<Mutex<Option<SocketAddr>>>,
    badness: Arc<Mutex<Badness>>,
    random: u64,
}

impl Way {
    fn run(mut self, stop: &AtomicBool) {
        let (mut waiting, mut packets, mut buffer) =
            (BinaryHeap::<Reverse<(Instant, u64, Vec<u8>)>>::new(), 0, vec![0; 65_536]);
        while !stop.load(Ordering::Relaxed) {
            let due = waiting.peek().map(|Reverse((due, ..))| due.saturating_duration_since(Instant::now()));
            let patience = due.unwrap_or(Duration::from_millis(20)).max(Duration::from_micros(50));
            self.from.set_read_timeout(Some(patience.min(Duration::from_millis(20)))).unwrap();
            if let Ok((size, sender)) = self.from.recv_from(&mut buffer) {
                if self.inwards {
                    *self.node.lock().unwrap() = Some(sender);
                }
                let badness = *self.badness.lock().unwrap();
                let copies = if self.draw() < badness.twice { 2 } else { 1 };
                for _ in 0..copies {
                    if badness.parted || self.draw() < badness.loss {
                        continue;
                    }
                    let delay = Duration::from_secs_f64((badness.delay_ms + badness.jitter_ms * self.draw()) / 1e3);
                    packets += 1;
                    waiting.push(Reverse((Instant::now() + delay, packets, buffer[..size].to_vec())));
                }
            }
            while waiting.peek().is_some_and(|Reverse((due, ..))| *due <= Instant::now()) {
                if let Some(Reverse((_, _, packet))) = waiting.pop() {
                    self.pass(&packet);
                }
            }
        }
    }

    fn pass(&self, packet: &[u8]) {
        // Whoever is not there any more does not get it.
        let _ = match (self.inwards, *self.node.lock().unwrap()) {
            (true, _) => self.to.send(packet),
            (false, Some(node)) => self.to.send_to(packet, node),
            (false, None) => Ok(0),
        };
    }

    /// Evenly from 0 to 1: xorshift64* (Vigna 2016).
    fn draw(&mut self) -> f64 {
        self.random ^= self.random >> 12;
        self.random ^= self.random << 25;
        self.random ^= self.random >> 27;
        (self.random.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 11) as f64 / (1_u64 << 53) as f64
    }
}
