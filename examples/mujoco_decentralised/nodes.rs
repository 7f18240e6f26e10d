//! The agents' processes.

use std::fs;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command};

use anyhow::{Context, Result};
use omiga_node::template;
use omiga_runtime::{Bundle, LoadOptions, Policy};

/// An agent's process; it does not outlive the plant.
pub struct NodeProcess(Child);

/// A port that nobody has.
pub fn free_port() -> Result<u16> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?.port())
}

impl NodeProcess {
    /// Write the agent's file and start it.
    pub fn start(folder: &Path, bundle: &Bundle, agent: &str, address: &str) -> Result<Self> {
        let file = write_file(folder, bundle, agent, address)?;
        let program = std::env::current_exe()?;
        let child = Command::new(program).arg("node").arg(&file).spawn();
        Ok(Self(child.with_context(|| format!("cannot start the node of `{}`", file.display()))?))
    }

    /// It commands what is safe, and ends.
    pub fn stop(&self) {
        // The standard library has but the signal that nobody can answer.
        let _ = Command::new("kill").arg(self.0.id().to_string()).status();
    }

    /// At once.
    pub fn kill(&mut self) {
        let _ = self.0.kill();
    }
}

impl Drop for NodeProcess {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// What `omiga node template` prints, and what is this example's own: the bundle is not signed; an observation is answered when
/// it comes, in a tick of a tenth of the period; what is safe after two periods; and where the plant is.
fn write_file(folder: &Path, bundle: &Bundle, agent: &str, address: &str) -> Result<PathBuf> {
    let policy = Policy::from_bundle(bundle, agent, &LoadOptions::default())?;
    let contract = policy.contract().context("the policy has no contract")?;
    let period_ms = contract.period_ns.context("the contract has no period")? as f64 / 1e6;
    let own = format!("unsigned = true\ntick_ms = {:?}\nintermediate = \"evaluate\"", period_ms / 10.0);
    let text = template(folder, contract)
        .replace("public_key = \"release.pub\"", &own)
        .replace("# hold_ms = 200", &format!("hold_ms = {:?}", 2.0 * period_ms));
    let text = text + &format!("\n[network]\nmode = \"client\"\ndiscover = false\nconnect = [{address:?}]\n");
    let file = PathBuf::from("target/examples/mujoco_decentralised").join(format!("{agent}.toml"));
    fs::create_dir_all(file.parent().unwrap_or(Path::new(".")))?;
    fs::write(&file, text)?;
    Ok(file)
}
