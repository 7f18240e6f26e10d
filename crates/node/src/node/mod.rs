//! A node: the loop, what feeds it, what carries its commands away, and what can be asked of it.

mod change;
mod driving;
mod reporting;
mod run;
mod sending;

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
use std::thread::{JoinHandle, Thread};

use omiga_runtime::{Controller, Fallback, Identity, LoadOptions, Policy, PolicyContract, SafeAction};
use rtrb::{Consumer, Producer, RingBuffer};

use self::change::Seated;
use self::driving::Loop;
use self::sending::{Sending, sender};
use crate::bind::{Bound, Target};
use crate::clock::Clock;
use crate::input::{Ages, Counts, Input};
use crate::latest::{Reader, latest};
use crate::link::{Link, Publisher};
use crate::record::{Progress, Recording, Records, records};
use crate::report::Report;
use crate::seat::{Driver, Order, RETIRED, Retired, Seat};
use crate::settings::{Mask, Settings};
use crate::ticker::{Command, Heard, Tally, Ticker};
use crate::wire::SENDER_BYTES;
use crate::{Error, Result};

pub use self::run::Signals;

/// Time between two tallies of the loop.
const TALLY_NS: u64 = 100_000_000;

/// What the threads of a node share.
#[derive(Debug, Default)]
struct Shared {
    stop: AtomicBool,
    panicked: AtomicBool,
    /// The loop has commanded its last.
    over: AtomicBool,
    unsent: AtomicU64,
    /// Of the last tick, on the loop's clock.
    ticked_ns: AtomicU64,
    sequence: AtomicI64,
}

/// One agent of a bundle at work: it ticks, whether messages come or not, until [`Self::stop`].
pub struct Node {
    settings: Settings,
    contract: PolicyContract,
    identity: Identity,
    link: Arc<dyn Link>,
    clock: Clock,
    started_ns: u64,
    tick_ns: u64,
    period_ns: u64,
    shared: Arc<Shared>,
    /// Until they are joined.
    threads: Option<[JoinHandle<()>; 2]>,
    tallies: Reader<Tally>,
    tally: Box<Tally>,
    orders: Producer<Order>,
    retired: Consumer<Retired>,
    inputs: Vec<(String, Arc<Counts>)>,
    status: Box<dyn Publisher>,
    /// Who commands, as its messages say it.
    sender: [u8; SENDER_BYTES],
    heartbeat: u64,
    last_change: String,
    seated: Seated,
    /// How the recording is doing, if there is one.
    recording: Arc<Progress>,
}

impl Node {
    /// Load the policy, bind its fields, subscribe, and start to tick.
    ///
    /// # Errors
    /// Whatever is wrong with settings, bundle, network or operating system; then nothing was commanded.
    pub fn start(settings: &Settings, link: Arc<dyn Link>) -> Result<Self> {
        Self::start_with(settings, link, None)
    }

    /// As [`Self::start`], and give every tick to whoever drains the records, which have room for so many.
    ///
    /// # Errors
    /// As [`Self::start`].
    pub fn start_recorded(settings: &Settings, link: Arc<dyn Link>, capacity: usize) -> Result<(Self, Records)> {
        settings.require_keys()?;
        let policy = load(settings, &settings.bundle, None)?;
        let contract = contract_of(&policy)?;
        let numbers = Driver::numbers_of(&policy);
        let masks = if policy.is_discrete() { contract.action.dim() } else { 0 };
        let (recording, records) = records(capacity, [contract.obs.len(), masks, numbers]);
        Ok((Self::start_with(settings, link, Some(recording))?, records))
    }

    /// Would it start? All is checked but the network and the operating system; which bundle it would run.
    ///
    /// # Errors
    /// As [`Self::start`].
    pub fn check(settings: &Settings) -> Result<Identity> {
        settings.require_keys()?;
        let policy = load(settings, &settings.bundle, None)?;
        let contract = contract_of(&policy)?;
        Bound::new(settings, &contract)?;
        let driver = Driver::new(Controller::new(policy.clone(), &settings.controller_options(&contract)?)?);
        tick_ns(settings, &driver)?;
        identity_of(&policy)
    }

    fn start_with(settings: &Settings, link: Arc<dyn Link>, recording: Option<Recording>) -> Result<Self> {
        settings.require_keys()?;
        let policy = load(settings, &settings.bundle, None)?;
        let contract = contract_of(&policy)?;
        let identity = identity_of(&policy)?;
        let driver = Driver::new(Controller::new(policy.clone(), &settings.controller_options(&contract)?)?);
        let parachute = parachute(settings, policy, &contract)?;
        let (period_ns, clock) = (driver.controller.period_ns(), Clock::start());
        let tick_ns = tick_ns(settings, &driver)?;

        let progress = recording.as_ref().map(Recording::progress).unwrap_or_default();
        let bound = Bound::new(settings, &contract)?;
        let (heard, inputs) = subscribe(settings, &contract, &bound, &*link, clock)?;
        let (commands, commanded) = latest(Command::empty(driver.numbers.len()));
        let (tallies, tallied) = latest(Tally::new(&driver));
        let ((orders, obeyed), (retiring, retired)) = (RingBuffer::new(RETIRED), RingBuffer::new(RETIRED));
        let tally = Box::new(Tally::new(&driver));
        let ticker = Ticker {
            seat: Seat::new(driver, settings.candidate.watch_ms.ns(), obeyed, retiring),
            inputs: heard,
            obs: vec![f32::NAN; contract.obs.len()].into_boxed_slice(),
            mask: masks(settings, &contract),
            commands,
            tally: (*tally).clone(),
            tallies,
            tally_ns: TALLY_NS,
            tallied_ns: 0,
            recording,
        };
        let shared = Arc::new(Shared::default());
        let publisher = link.publisher(&settings.command.key)?;
        let (agent, encoder, sender) = (settings.agent.clone(), bound.encoder, sender());
        let sending = Sending::new(agent, encoder, commanded, publisher, Arc::clone(&shared), sender).start()?;
        let status = link.publisher(&format!("{}/{}/status", settings.network.prefix, settings.name()))?;
        let looping =
            Loop { ticker, parachute, clock, tick_ns, shared: Arc::clone(&shared), sender: sending.thread().clone() };
        let driving = looping.start(settings.realtime).inspect_err(|_| end(&shared, sending.thread()))?;
        let (settings, started_ns, last_change) = (settings.clone(), clock.ns(), "none".to_owned());
        let seated = Seated::new(tally.bundle, identity.release);
        Ok(Self {
            settings,
            contract,
            identity,
            link,
            clock,
            started_ns,
            tick_ns,
            period_ns,
            shared,
            threads: Some([driving, sending]),
            tallies: tallied,
            tally,
            orders,
            retired,
            inputs,
            status,
            sender,
            heartbeat: 0,
            last_change,
            seated,
            recording: progress,
        })
    }

    /// Publish [`Self::report`].
    ///
    /// # Errors
    /// [`Error::Link`].
    pub fn publish(&mut self) -> Result<Report> {
        let report = self.report();
        let json = serde_json::to_vec(&report)
            .map_err(|error| Error::Link { what: "a status".to_owned(), reason: error.to_string() })?;
        self.status.put(&json, &[])?;
        Ok(report)
    }

    /// Is the loop still there? It ends by [`Self::stop`], or by a bug of ours, with the safe action.
    pub fn is_running(&self) -> bool {
        !self.shared.over.load(Ordering::Relaxed)
    }

    /// Command the safe action, then end.
    ///
    /// # Errors
    /// [`Error::Panicked`] if the loop had ended by itself.
    pub fn stop(mut self) -> Result<Report> {
        self.halt()?;
        self.publish()
    }

    /// Command the safe action and wait until it is sent.
    fn halt(&mut self) -> Result<()> {
        let Some(threads) = self.threads.take() else { return Ok(()) };
        self.shared.stop.store(true, Ordering::Release);
        let mut joined = true;
        // The loop first: what it commands last is sent.
        for thread in threads {
            thread.thread().unpark();
            joined &= thread.join().is_ok();
            self.shared.over.store(true, Ordering::Release);
        }
        if joined && !self.shared.panicked.load(Ordering::Relaxed) { Ok(()) } else { Err(Error::Panicked) }
    }

    /// What its agent observes and commands.
    pub fn contract(&self) -> &PolicyContract {
        &self.contract
    }

    /// The network that it is part of.
    pub fn link(&self) -> &Arc<dyn Link> {
        &self.link
    }
}

/// A node that is dropped stops as safely as one that is told to.
impl Drop for Node {
    fn drop(&mut self) {
        let _ = self.halt();
    }
}

/// Nothing more is sent.
fn end(shared: &Shared, sender: &Thread) {
    shared.over.store(true, Ordering::Release);
    sender.unpark();
}

fn hex(bundle: &[u8]) -> String {
    String::from_utf8_lossy(bundle).into_owned()
}

/// The policy of a bundle's folder, of this contract if it says one.
fn load(settings: &Settings, folder: &Path, contract_sha256: Option<&str>) -> Result<Policy> {
    let mut options: LoadOptions = settings.load_options()?;
    if let Some(sha256) = contract_sha256 {
        options = options.with_contract_sha256(sha256);
    }
    Ok(Policy::load(folder, &options)?)
}

fn identity_of(policy: &Policy) -> Result<Identity> {
    policy.identity().cloned().ok_or_else(|| Error::setting("bundle", "is none"))
}

/// Time between two ticks, at most a period.
fn tick_ns(settings: &Settings, driver: &Driver) -> Result<u64> {
    let period_ns = driver.controller.period_ns();
    let tick_ns = settings.tick_ms.map_or(period_ns, crate::settings::Millis::ns);
    if tick_ns > period_ns {
        return Err(Error::setting("tick_ms", format!("is more than the period of {} ms", period_ns as f64 / 1e6)));
    }
    Ok(tick_ns)
}

fn contract_of(policy: &Policy) -> Result<PolicyContract> {
    policy.contract().cloned().ok_or_else(|| Error::setting("bundle", "has a policy without a contract"))
}

/// Who commands the safe action at the end: the same policy, held to the safe action alone, at its rates.
fn parachute(settings: &Settings, policy: Policy, contract: &PolicyContract) -> Result<Driver> {
    let mut options = settings.controller_options(contract)?;
    let safe: Option<SafeAction> = match options.guard.fallback {
        Fallback::Safe(ref safe) | Fallback::HoldThenSafe { ref safe, .. } => Some(safe.clone()),
        Fallback::Error => None,
    };
    options.guard.fallback = safe.map_or(Fallback::Error, Fallback::Safe);
    Ok(Driver::new(Controller::new(policy, &options)?))
}

fn masks(settings: &Settings, contract: &PolicyContract) -> Box<[bool]> {
    let size = if contract.action.is_discrete() { contract.action.dim() } else { 0 };
    vec![settings.mask == Mask::All; size].into_boxed_slice()
}

type Streams = (Box<[Heard]>, Vec<(String, Arc<Counts>)>);

fn subscribe(
    settings: &Settings,
    contract: &PolicyContract,
    bound: &Bound,
    link: &dyn Link,
    clock: Clock,
) -> Result<Streams> {
    let max_ns = settings.max_obs_age_ms.map(crate::settings::Millis::ns).or(contract.max_obs_age_ns).unwrap_or(0);
    let max_future_ns = settings.max_future_ms.map_or(1_000_000, crate::settings::Millis::ns);
    let (mut heard, mut counts) = (Vec::new(), Vec::new());
    for stream in &bound.inputs {
        let (input, reader, count) = Input::new(stream, Ages { max_ns, max_future_ns });
        let targets: Box<[Target]> = stream.targets.clone().into();
        heard.push(Heard { reader, targets, stamp: (0, 0) });
        counts.push((stream.key.clone(), count));
        link.subscribe(
            &stream.key,
            Box::new(move |_, payload, attachment| {
                input.take(payload, attachment, clock.now());
            }),
        )?;
    }
    Ok((heard.into_boxed_slice(), counts))
}
