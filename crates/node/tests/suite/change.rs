//! Another policy while it runs, as a signal lets a node read its file again.

use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::thread;
use std::time::Duration;

use omiga_node::{MemoryLink, Node, Settings, Signals};
use omiga_runtime::Bundle;

use crate::support::{Plant, models, wait};

/// A node that runs, its file, and what it told.
struct Running {
    folder: tempfile::TempDir,
    signals: Arc<Signals>,
    told: Arc<Mutex<Vec<String>>>,
    over: Arc<AtomicBool>,
    threads: Vec<thread::JoinHandle<()>>,
}

impl Running {
    /// Of releases of the same bundle; the first one commands.
    fn start(releases: &[u64]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let bundle = Bundle::read(&models("spread")).unwrap();
        for release in releases {
            bundle.clone().with_release(*release).unwrap().write(&folder.path().join(release.to_string())).unwrap();
        }
        let (told, over) = (Arc::<Mutex<Vec<String>>>::default(), Arc::new(AtomicBool::new(false)));
        let file = write(folder.path(), releases[0]);
        let link = MemoryLink::default();
        let mut plant = Plant::new(&link, "plant/agent_0/obs");
        let (send, signals) = mpsc::channel();
        let (lines, sending) = (Arc::clone(&told), Arc::clone(&over));
        let threads = vec![
            thread::spawn(move || {
                let node = Node::start(&Settings::read(&file).unwrap(), Arc::new(link)).unwrap();
                // Of the thread that runs it.
                let signals = Arc::new(Signals::new());
                send.send(Arc::clone(&signals)).unwrap();
                node.run(&file, &signals, |line| lines.lock().unwrap().push(line.to_owned())).unwrap();
            }),
            thread::spawn(move || {
                while !sending.load(Ordering::Relaxed) {
                    plant.send(&plant.obs(0.1), 0);
                    thread::sleep(Duration::from_millis(10));
                }
            }),
        ];
        Self { folder, signals: signals.recv().unwrap(), told, over, threads }
    }

    /// What it says to this release.
    fn change(&self, release: u64) -> String {
        let before = self.told.lock().unwrap().len();
        write(self.folder.path(), release);
        self.signals.reload();
        wait("an answer", || self.told.lock().unwrap().len() > before);
        self.told.lock().unwrap()[before].clone()
    }

    fn wait_for(&self, what: &str) {
        wait(what, || self.told.lock().unwrap().last().is_some_and(|line| line.contains(what)));
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.signals.stop();
        self.over.store(true, Ordering::Relaxed);
        for thread in self.threads.drain(..) {
            let done = thread.join();
            assert!(done.is_ok() || thread::panicking());
        }
    }
}

fn write(folder: &Path, release: u64) -> std::path::PathBuf {
    let text = include_str!("../data/spread.toml").replace("bundle = \"spread\"", &format!("bundle = \"{release}\""));
    let file = folder.join("node.toml");
    fs::write(&file, text + "\n[candidate]\nwatch_ms = 300\n").unwrap();
    file
}

/// Not as far back as where it started: what has proven itself is the least from then on.
#[test]
fn nothing_older_than_what_has_proven_itself_takes_over() {
    let running = Running::start(&[3, 5, 4]);
    assert!(running.change(3).contains("commands already"));
    assert!(running.change(5).contains("takes over"));
    running.wait_for("has proven itself");
    let answer = running.change(4);
    assert!(answer.contains("nothing is changed") && answer.contains("the release is 4, and 5 runs"), "{answer}");
    assert!(running.change(5).contains("commands already"));
}

/// Whoever goes back at once is not told that there is nothing to do.
#[test]
fn a_change_back_is_a_change() {
    let running = Running::start(&[3, 5]);
    assert!(running.change(5).contains("takes over"));
    assert!(running.change(5).contains("commands already"));
    let answer = running.change(3);
    assert!(answer.contains("takes over"), "{answer}");
    running.wait_for("has proven itself");
}

/// What is wrong with a candidate is said, and it commands as before.
#[test]
fn what_is_no_candidate_changes_nothing() {
    let running = Running::start(&[3, 5]);
    let folder = running.folder.path();
    assert!(running.change(7).contains("nothing is changed"));
    // Cut short while it is copied.
    let model = fs::read_dir(folder.join("5")).unwrap().map(|entry| entry.unwrap().path());
    let model = model.into_iter().find(|path| path.extension().is_some_and(|end| end == "onnx")).unwrap();
    let bytes = fs::read(&model).unwrap();
    fs::write(&model, &bytes[..bytes.len() / 2]).unwrap();
    assert!(running.change(5).contains("nothing is changed"));
    fs::remove_file(&model).unwrap();
    assert!(running.change(5).contains("nothing is changed"));
    // Another contract.
    Bundle::read(&models("hopper-3x1")).unwrap().write(&folder.join("8")).unwrap();
    assert!(running.change(8).contains("nothing is changed"));
    fs::write(&model, &bytes).unwrap();
    assert!(running.change(5).contains("takes over"));
}
