//! The network: zenoh, over TCP and UDP.

use std::sync::{Mutex, PoisonError};

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

impl ZenohLink {
    /// Open a session.
    ///
    /// # Errors
    /// [`Error::Link`], if the settings contradict each other or an address cannot be had.
    pub fn open(settings: &NetworkSettings) -> Result<Self> {
        let config = configure(settings)?;
        let session = zenoh::open(config).wait().map_err(|error| refused("opening a session of zenoh", &*error))?;
        Ok(Self { session, subscribers: Mutex::default() })
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
    // A node ticks whether others are there or not; it looks for them until they are.
    set("connect/timeout_ms", json!(-1))?;
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
