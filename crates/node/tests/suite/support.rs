//! A plant that sends observations, and actuators that keep what they were told.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant, SystemTime};

use omiga_node::{Attachment, Commanded, Link, Publisher, Settings};

/// What is commanded when nothing else may be.
pub const SAFE: [f32; 5] = [0.0; 5];

pub fn models(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../models").join(name)
}

/// For `agent_0` of `models/spread`.
pub fn settings() -> Settings {
    let mut settings = Settings::parse(include_str!("../data/spread.toml")).unwrap();
    settings.bundle = models("spread");
    settings
}

/// It must come true within ten seconds: machines that test are busy.
pub fn wait(what: &str, mut is_true: impl FnMut() -> bool) {
    let begin = Instant::now();
    while !is_true() {
        assert!(begin.elapsed() < Duration::from_secs(10), "there was no {what}");
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// A command as it came.
#[derive(Clone, Debug, PartialEq)]
pub struct Told {
    pub sequence: i64,
    pub stamp_unix_ns: i64,
    pub sender: [u8; 16],
    pub obs_stamp_unix_ns: i64,
    pub source: String,
    pub bundle: String,
    pub numbers: Vec<f32>,
}

/// What was commanded on a key.
#[derive(Clone, Default)]
pub struct Actuators(Arc<Mutex<Vec<Told>>>);

impl Actuators {
    pub fn of(link: &dyn Link, key: &str) -> Self {
        let actuators = Self::default();
        let told = Arc::clone(&actuators.0);
        let take = move |_: &str, payload: &[u8], attachment: &[u8]| {
            let commanded = Commanded::read(attachment).unwrap();
            let Attachment { sequence, stamp_unix_ns, sender } = commanded.attachment;
            told.lock().unwrap().push(Told {
                sequence,
                stamp_unix_ns,
                sender,
                obs_stamp_unix_ns: commanded.obs_stamp_unix_ns,
                source: commanded.source.to_owned(),
                bundle: commanded.bundle_sha256.to_owned(),
                numbers: payload.chunks(4).map(|x| f32::from_le_bytes(x.try_into().unwrap())).collect(),
            });
        };
        link.subscribe(key, Box::new(take)).unwrap();
        actuators
    }

    pub fn all(&self) -> Vec<Told> {
        self.0.lock().unwrap().clone()
    }

    pub fn newest(&self) -> Option<Told> {
        self.0.lock().unwrap().last().cloned()
    }
}

/// Sends observations of 18 numbers.
pub struct Plant {
    publisher: Box<dyn Publisher>,
    sequence: i64,
}

#[expect(clippy::disallowed_methods, reason = "stamps are wall-clock time")]
pub fn unix_ns() -> i64 {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_nanos() as i64
}

impl Plant {
    pub fn new(link: &dyn Link, key: &str) -> Self {
        Self { publisher: link.publisher(key).unwrap(), sequence: 0 }
    }

    pub fn obs(&self, x: f32) -> Vec<f32> {
        (0..18).map(|i| x + i as f32 * 0.01).collect()
    }

    /// Measured so long ago.
    pub fn send(&mut self, obs: &[f32], age_ns: i64) {
        self.sequence += 1;
        let mut beside = Vec::new();
        Attachment { sequence: self.sequence, stamp_unix_ns: unix_ns() - age_ns, sender: [7; 16] }.write(&mut beside);
        let payload: Vec<u8> = obs.iter().flat_map(|x| x.to_le_bytes()).collect();
        self.publisher.put(&payload, &beside).unwrap();
    }
}
