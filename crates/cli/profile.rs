//! Where an update's time goes: the trainer's spans as a Chrome trace, and a table of them.

mod breakdown;
mod launches;

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, Receiver, Sender};

use anyhow::{Context as _, Result};
use omiga_format::atomic;
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id};
use tracing::{Metadata, Subscriber};
use tracing_chrome::{ChromeLayerBuilder, EventOrSpan, FlushGuard};
use tracing_subscriber::filter::dynamic_filter_fn;
use tracing_subscriber::layer::{Context, SubscriberExt};
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::{Layer, registry};

use self::breakdown::{Breakdown, PIECE, STEP};
pub use self::launches::launches;

/// Updates before the recording: by then the buffers are allocated and the processor's clock is up.
const WARM_UP: u64 = 20;
/// The trace, in the run's folder.
const TRACE_FILE: &str = "trace.json";
/// The crate whose spans are recorded.
const TARGET: &str = "omiga_train";
/// The field that tells the spans of a network's work apart.
const NETWORK: &str = "network";

/// Records the spans of some updates. What is recorded waits in memory until the last of them, so that while they run
/// no file is written and no thread but the trainer's is at work.
pub struct Profile {
    path: PathBuf,
    updates: u64,
    done: u64,
    recording: Arc<AtomicBool>,
    trace: Option<Trace>,
}

impl Profile {
    /// Record `updates` updates after the warm-up, into the run's `folder`. Once a process: the recorder is global.
    pub fn start(updates: u32, folder: &Path) -> Result<Self> {
        let recording = Arc::new(AtomicBool::new(false));
        let (writer, held, text) = HeldBack::new();
        let (chrome, guard) = ChromeLayerBuilder::new()
            .writer(writer)
            .include_locations(false)
            .name_fn(Box::new(name))
            .category_fn(Box::new(category))
            .build();
        let flag = Arc::clone(&recording);
        let wanted = move |span: &Metadata<'_>| flag.load(Ordering::Relaxed) && span.target().starts_with(TARGET);
        let subscriber =
            registry().with(dynamic_filter_fn(move |span, _| wanted(span))).with(NetworkNames).with(chrome);
        tracing::subscriber::set_global_default(subscriber).context("cannot record spans")?;
        let trace = Some(Trace { held, guard, text });
        Ok(Self { path: folder.join(TRACE_FILE), updates: updates.into(), done: 0, recording, trace })
    }

    /// After every update: the table, right after the last update that was to be recorded.
    pub fn update(&mut self) -> Option<Result<String>> {
        self.done += 1;
        if self.done == WARM_UP {
            self.recording.store(true, Ordering::Relaxed);
        }
        (self.done == WARM_UP + self.updates).then(|| self.finish())?
    }

    /// End the recording, write what there is of it, and describe that; nothing if that was done before.
    pub fn finish(&mut self) -> Option<Result<String>> {
        self.recording.store(false, Ordering::Relaxed);
        Some(self.trace.take()?.write(&self.path))
    }
}

/// What is recorded; the order of the fields is that in which they must be dropped.
struct Trace {
    held: Sender<()>,
    guard: FlushGuard,
    text: Receiver<Vec<u8>>,
}

impl Trace {
    fn write(self, path: &Path) -> Result<String> {
        let Self { held, guard, text } = self;
        drop(held);
        // Waits for the thread that makes text of spans.
        drop(guard);
        let json = text.iter().collect::<Vec<_>>().concat();
        atomic::write(path, &json)?;
        let breakdown = Breakdown::of(&json).with_context(|| format!("cannot read back `{}`", path.display()))?;
        let file = format!("trace: {} (opens in ui.perfetto.dev and chrome://tracing)", path.display());
        Ok(match breakdown.updates() {
            0 => format!("{file}\nno update was recorded: the run ended within the first {WARM_UP}, its warm-up"),
            _ => format!("{file}\n{breakdown}"),
        })
    }
}

/// Passes text on once its counterpart is gone; until then whoever writes has to wait.
struct HeldBack {
    until: Receiver<()>,
    to: Sender<Vec<u8>>,
}

impl HeldBack {
    fn new() -> (Self, Sender<()>, Receiver<Vec<u8>>) {
        let ((held, until), (to, text)) = (mpsc::channel(), mpsc::channel());
        (Self { until, to }, held, text)
    }
}

impl Write for HeldBack {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        // An error is what it waits for: nothing is ever sent. If nobody wants the text, it is nobody's loss.
        let _ = self.until.recv();
        drop(self.to.send(bytes.to_vec()));
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Keeps with every span the network that it is about.
struct NetworkNames;

/// That name, if the span has one.
#[derive(Default)]
struct Network(Option<String>);

impl Visit for Network {
    fn record_str(&mut self, field: &Field, value: &str) {
        if field.name() == NETWORK {
            self.0 = Some(value.to_owned());
        }
    }

    fn record_debug(&mut self, _: &Field, _: &dyn std::fmt::Debug) {}
}

impl<S: Subscriber + for<'a> LookupSpan<'a>> Layer<S> for NetworkNames {
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        let mut network = Network::default();
        attributes.record(&mut network);
        if let (Some(span), true) = (context.span(id), network.0.is_some()) {
            span.extensions_mut().insert(network);
        }
    }
}

/// The span's name, and its network's.
fn name<S: Subscriber + for<'a> LookupSpan<'a> + Send + Sync>(it: &EventOrSpan<'_, '_, S>) -> String {
    match it {
        EventOrSpan::Event(event) => event.metadata().name().to_owned(),
        EventOrSpan::Span(span) => match span.extensions().get::<Network>() {
            Some(Network(Some(network))) => format!("{} {network}", span.name()),
            _ => span.name().to_owned(),
        },
    }
}

/// A network's work is a piece of its step, on whatever thread.
fn category<S: Subscriber + for<'a> LookupSpan<'a> + Send + Sync>(it: &EventOrSpan<'_, '_, S>) -> String {
    let piece = matches!(it, EventOrSpan::Span(span) if span.extensions().get::<Network>().is_some());
    if piece { PIECE } else { STEP }.to_owned()
}
