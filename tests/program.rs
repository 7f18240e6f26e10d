//! The program under test, in a folder of its own.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use omiga_format::{GOLDEN_FILE, HostTensor, MANIFEST_FILE, SUMS_FILE, TensorFile, hash};
use omiga_train::{EVENTS_FILE, read_events};
use serde_json::Value;
use tempfile::TempDir;

/// A program that runs longer than this hangs.
const TIME_LIMIT: Duration = Duration::from_secs(120);

/// Small networks: what is tested here is everything around them.
/// A run of them can be made longer.
pub const SMALL: &str = "--set network.hidden=16 --set run.eval_episodes=2 --set run.log_every=10 \
                         --set optim.lr_schedule=constant";

/// A fresh folder in which the program runs, removed at the end.
pub struct Program {
    folder: TempDir,
}

impl Program {
    pub fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap() }
    }

    /// With 10 recorded episodes in `data.hdf5`.
    pub fn with_data(task: &str) -> Self {
        let program = Self::new();
        program.done(&format!("collect --task {task} --episodes 10 --seed 3 --out data.hdf5"));
        program
    }

    /// With `data.hdf5`, a `run` of 30 updates on it and the `bundle` of that.
    pub fn with_bundle(task: &str, algorithm: &str) -> Self {
        let program = Self::with_data(task);
        program.done(&format!("train --data data.hdf5 --out run --algo {algorithm} --steps 30 {SMALL}"));
        program.done("export --checkpoint run --out bundle");
        program
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub fn read(&self, name: &str) -> Vec<u8> {
        fs::read(self.path(name)).unwrap_or_else(|e| panic!("`{name}`: {e}"))
    }

    pub fn read_text(&self, name: &str) -> String {
        String::from_utf8(self.read(name)).unwrap()
    }

    pub fn write(&self, name: &str, bytes: &[u8]) {
        fs::write(self.path(name), bytes).unwrap();
    }

    /// Every file of a folder by its name; of an event file its records, without their times.
    pub fn files(&self, folder: &str) -> BTreeMap<String, Vec<u8>> {
        let entries = fs::read_dir(self.path(folder)).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap());
        let content = |name: &str| match name == EVENTS_FILE {
            true => format!("{:?}", read_events(&self.path(folder))).into_bytes(),
            false => self.read(&format!("{folder}/{name}")),
        };
        entries.map(|name| (name.clone(), content(&name))).collect()
    }

    /// The folders in a folder, sorted.
    pub fn folders(&self, folder: &str) -> Vec<String> {
        let entries = fs::read_dir(self.path(folder)).unwrap().map(|e| e.unwrap().path()).filter(|path| path.is_dir());
        let mut names: Vec<_> = entries.map(|p| p.file_name().unwrap().to_str().unwrap().to_owned()).collect();
        names.sort();
        names
    }

    /// Change a file of `bundle` and make all hashes fit.
    pub fn change_and_rehash(&self, file: &str, bytes: &[u8]) {
        self.write(&format!("bundle/{file}"), bytes);
        let manifest = format!("bundle/{MANIFEST_FILE}");
        if file != MANIFEST_FILE {
            let mut json: Value = serde_json::from_slice(&self.read(&manifest)).unwrap();
            let entry = json["files"].as_array_mut().unwrap().iter_mut().find(|f| f["name"] == file).unwrap();
            entry["sha256"] = hash::of_bytes(bytes).into();
            entry["bytes"] = bytes.len().into();
            self.write(&manifest, &serde_json::to_vec_pretty(&json).unwrap());
        }
        let files = self.files("bundle").into_iter().filter(|(name, _)| !name.starts_with(SUMS_FILE));
        let sums: String = files.map(|(name, bytes)| format!("{}  {name}\n", hash::of_bytes(&bytes))).collect();
        self.write(&format!("bundle/{SUMS_FILE}"), sums.as_bytes());
    }

    /// Change the bundle's last golden action (or logit) by a hundredth, and make the hash fit.
    pub fn forge_golden(&self) {
        let mut golden = TensorFile::parse(GOLDEN_FILE, &self.read(&format!("bundle/{GOLDEN_FILE}"))).unwrap();
        let name = if golden.tensors.contains_key("agent_2.logits") { "agent_2.logits" } else { "agent_2.action" };
        let tensor = golden.tensors.get_mut(name).unwrap();
        let mut elements = tensor.to_f32().unwrap();
        *elements.last_mut().unwrap() += 0.01;
        *tensor = HostTensor::from_f32(tensor.shape(), &elements);
        self.change_and_rehash(GOLDEN_FILE, &golden.to_bytes().unwrap());
    }

    /// The program with these words, separated by spaces.
    pub fn command(&self, words: &str) -> Command {
        self.wrap(Command::new(env!("CARGO_BIN_EXE_omiga")), words)
    }

    /// Some program with these words, run as [`Self::command`] is: in the folder and without ONNX Runtime.
    pub fn wrap(&self, mut command: Command, words: &str) -> Command {
        command.args(words.split_whitespace()).current_dir(self.folder.path()).stdin(Stdio::null());
        command.env_remove("ORT_DYLIB_PATH");
        command
    }

    pub fn run(&self, words: &str) -> Run {
        Run::of(words, self.command(words))
    }

    /// Run it; the exit code must be 0.
    pub fn done(&self, words: &str) -> Run {
        self.run(words).expect(0)
    }

    /// Run it; it must not be able to, and say `why` in a line that starts with its name.
    pub fn refused(&self, words: &str, why: &str) -> Run {
        let run = self.run(words).expect(2);
        assert!(run.complaint().is_some_and(|_| run.stderr.contains(why)), "no `{why}` in\n{run:?}");
        run
    }
}

/// A run that ended.
#[derive(Debug)]
pub struct Run {
    #[expect(dead_code, reason = "shown when a test fails")]
    pub words: String,
    /// `None` if a signal ended it.
    pub code: Option<i32>,
    pub stdout: String,
    pub stderr: String,
}

impl Run {
    /// Run `command` to its end, which must come, and not by a panic.
    pub fn of(words: &str, mut command: Command) -> Self {
        let output = output(words, command.stdout(Stdio::piped()).stderr(Stdio::piped()), TIME_LIMIT);
        let text = |bytes| String::from_utf8(bytes).unwrap();
        let (code, stdout, stderr) = (output.status.code(), text(output.stdout), text(output.stderr));
        let run = Self { words: words.to_owned(), code, stdout, stderr };
        assert!(!run.stderr.contains("panicked"), "{run:?}");
        run
    }

    pub fn expect(self, code: i32) -> Self {
        assert_eq!(self.code, Some(code), "{self:?}");
        self
    }

    /// The standard output must hold `text`.
    pub fn shows(self, text: &str) -> Self {
        assert!(self.stdout.contains(text), "no `{text}` in\n{}", self.stdout);
        self
    }

    /// The line that says what went wrong.
    pub fn complaint(&self) -> Option<&str> {
        self.stderr.lines().find(|line| line.starts_with("omiga: ") || line.starts_with("error: "))
    }

    pub fn json(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|e| panic!("{e} in\n{}", self.stdout))
    }
}

/// What came of `command`, whose end must come within `limit`.
pub fn output(words: &str, command: &mut Command, limit: Duration) -> Output {
    let child = command.spawn().unwrap();
    let (id, (send, receive)) = (child.id(), mpsc::channel());
    thread::spawn(move || send.send(child.wait_with_output()));
    let Ok(output) = receive.recv_timeout(limit) else {
        drop(Command::new("kill").args(["-KILL", &id.to_string()]).status());
        panic!("`{words}` hangs");
    };
    output.unwrap()
}

/// The repository's folder.
pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}
