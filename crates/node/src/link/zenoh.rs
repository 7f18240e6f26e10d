//! The network: zenoh, over TCP and UDP.

use std::sync::{Mutex, PoisonError, mpsc};
use std::thread;
use std::time::Duration;

use serde_json::json;
use zenoh::config::Config;
use zenoh::pubsub::{Publisher as ZenohPublisher, Subscriber};
use zenoh::qos::{CongestionControl, Priority};
use zenoh::{Session, Wait};

use super::{Link, Publisher, Take};
use crate::settings::{Mode, NetworkSettings};
use crate::{Error, Result};

/// A session of zenoh.
pub struct ZenohLink {
    session: Session,
    /// They end when they are dropped.
    subscribers: Mutex<Vec<Subscriber<()>>>,
}

/// Between two looks whether somebody still waits.
const LOOK: Duration = Duration::from_millis(20);
/// Between two tries of all addresses of a client.
const RETRY: Duration = Duration::from_secs(1);
/// How zenoh begins to say that nobody was there.
const NOBODY: &str = "Unable to connect to any of";

impl ZenohLink {
    /// Open a session. A client waits until one of those that it connects to is there.
    ///
    /// # Errors
    /// [`Error::Link`], if the settings contradict each other or an address cannot be had.
    pub fn open(settings: &NetworkSettings) -> Result<Self> {
        let link = Self::open_unless(settings, || false)?;
        link.ok_or_else(|| refused("opening a session of zenoh", "nobody waits for it"))
    }

    /// As [`Self::open`], or nothing as soon as it is `given_up`.
    ///
    /// # Errors
    /// As [`Self::open`].
    pub fn open_unless(settings: &NetworkSettings, given_up: impl Fn() -> bool) -> Result<Option<Self>> {
        let (config, (done, opened)) = (configure(settings)?, mpsc::channel());
        // Nothing makes zenoh stop what it tries.
        let open = move || drop(done.send(open(&config)));
        thread::Builder::new().name("omiga-open".to_owned()).spawn(open).map_err(Error::Thread)?;
        loop {
            match opened.recv_timeout(LOOK) {
                Ok(session) => return Ok(Some(Self { session: session?, subscribers: Mutex::default() })),
                Err(mpsc::RecvTimeoutError::Timeout) if given_up() => return Ok(None),
                Err(mpsc::RecvTimeoutError::Timeout) => {}
                Err(mpsc::RecvTimeoutError::Disconnected) => return Err(Error::Panicked),
            }
        }
    }
}

/// A client tries its addresses one after the other, and all again.
fn open(config: &Config) -> Result<Session> {
    loop {
        match zenoh::open(config.clone()).wait() {
            Err(error) if error.to_string().starts_with(NOBODY) => thread::sleep(RETRY),
            other => return other.map_err(|error| refused("opening a session of zenoh", &*error)),
        }
    }
}

fn configure(settings: &NetworkSettings) -> Result<Config> {
    let mut config = match &settings.config {
        Some(path) => {
            Config::from_file(path).map_err(|error| refused(format!("file `{}`", path.display()), &*error))?
        }
        None => Config::default(),
    };
    let mode = match settings.mode {
        Mode::Peer => "peer",
        Mode::Client => "client",
        Mode::Router => "router",
    };
    let mut set = |key: &str, value: serde_json::Value| {
        config
            .insert_json5(key, &value.to_string())
            .map_err(|error| refused(format!("setting `{key}` of zenoh"), &*error))
    };
    set("mode", json!(mode))?;
    set("scouting/multicast/enabled", json!(settings.discover))?;
    set("scouting/gossip/enabled", json!(settings.discover))?;
    // A node ticks whether others are there or not; it looks for them until they are. Of a client's addresses zenoh would try the
    // first one for ever: so it tries each once, and we all of them again.
    set("connect/timeout_ms", json!(if settings.mode == Mode::Client { 0 } else { -1 }))?;
    set("connect/exit_on_failure", json!(false))?;
    for (key, addresses) in [("connect/endpoints", &settings.connect), ("listen/endpoints", &settings.listen)] {
        if !addresses.is_empty() {
            set(key, json!(addresses))?;
        }
    }
    Ok(config)
}

fn refused(what: impl Into<String>, reason: &(impl std::fmt::Display + ?Sized)) -> Error {
    Error::Link { what: what.into(), reason: reason.to_string() }
}

impl Link for ZenohLink {
    fn subscribe(&self, key: &str, take: Take) -> Result<()> {
        let callback = move |sample: zenoh::sample::Sample| {
            let beside = sample.attachment().map(zenoh::bytes::ZBytes::to_bytes).unwrap_or_default();
            take(sample.key_expr().as_str(), &sample.payload().to_bytes(), &beside);
        };
        let subscriber = self.session.declare_subscriber(key.to_owned()).callback(callback).wait();
        let subscriber = subscriber.map_err(|error| refused(format!("subscribing to `{key}`"), &*error))?;
        self.subscribers.lock().unwrap_or_else(PoisonError::into_inner).push(subscriber);
        Ok(())
    }

    fn publisher(&self, key: &str) -> Result<Box<dyn Publisher>> {
        let publisher = self.session.declare_publisher(key.to_owned());
        // A command that has to wait is worth less than the next one.
        let publisher =
            publisher.congestion_control(CongestionControl::Drop).priority(Priority::RealTime).express(true).wait();
        Ok(Box::new(Sender(publisher.map_err(|error| refused(format!("publishing on `{key}`"), &*error))?)))
    }
}

struct Sender(ZenohPublisher<'static>);

impl Publisher for Sender {
    fn put(&mut self, payload: &[u8], attachment: &[u8]) -> Result<()> {
        let put = self.0.put(payload);
        let put = if attachment.is_empty() { put.wait() } else { put.attachment(attachment).wait() };
        put.map_err(|error| refused(format!("publishing on `{}`", self.0.key_expr()), &*error))
    }
}
