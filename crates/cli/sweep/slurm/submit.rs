//! Trainings to an array of Slurm's.

use std::env;
use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, ensure};
use omiga_format::atomic;

use super::submission::Submission;
use crate::output::quoted;
use crate::plan::{SlurmPart, Training};

/// What every task runs.
const SCRIPT_FILE: &str = "task.sh";

/// Give trainings to Slurm, each as a task of an array; of several arrays, one after the other, if there are more than one holds.
///
/// # Errors
/// There is no `sbatch`, or it refuses: then nothing of that array is left.
pub fn submit<'a>(
    root: &'a Path,
    part: &'a SlurmPart,
    trainings: &'a [Training],
) -> impl Iterator<Item = Result<Submission>> + 'a {
    let most = usize::try_from(part.array).unwrap_or(usize::MAX);
    trainings.chunks(most).map(move |some| one_array(root, part, some))
}

fn one_array(root: &Path, part: &SlurmPart, trainings: &[Training]) -> Result<Submission> {
    let mut submission = Submission::create(root, trainings)?;
    let taken = give(&submission, part).and_then(|job| submission.taken(&job));
    if taken.is_err() && submission.job.is_none() {
        // The error is what matters; a folder that is left over is only untidy.
        drop(fs::remove_dir_all(&submission.folder));
    }
    taken.map(|()| submission)
}

/// The number of the job.
fn give(submission: &Submission, part: &SlurmPart) -> Result<String> {
    let program = env::current_exe().context("cannot find this program, which the tasks run")?;
    let here = env::current_dir().context("cannot find the folder that the tasks start in")?;
    let script = submission.folder.join(SCRIPT_FILE);
    atomic::write(&script, text(&program, &submission.folder, part).as_bytes())?;
    let mut sbatch = Command::new("sbatch");
    sbatch.args(options(part, submission.tasks.len(), &submission.folder)).arg("--chdir").arg(here).arg(&script);
    let output = sbatch.output().context("cannot run `sbatch`; is this a machine from which Slurm takes jobs?")?;
    ensure!(output.status.success(), "Slurm did not take it: {}", String::from_utf8_lossy(&output.stderr).trim());
    // `JOB`, or `JOB;CLUSTER`.
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let job = said.trim().split(';').next().unwrap_or_default().to_owned();
    ensure!(
        !job.is_empty() && job.chars().all(|c| c.is_ascii_digit()),
        "sbatch said `{said}`, expected a job's number"
    );
    Ok(job)
}

/// The program takes the shell's place, so that it gets the signals.
fn text(program: &Path, folder: &Path, part: &SlurmPart) -> String {
    let (program, folder) = (quoted(program), quoted(folder));
    let (setup, cpus) = (part.setup.trim_end(), part.cpus);
    format!("#!/bin/sh\n{setup}\nexec {program} sweep task {folder} --threads {cpus}\n")
}

/// What `sbatch` is told. A task may run again in the same place, and is warned before its time is up.
fn options(part: &SlurmPart, tasks: usize, folder: &Path) -> Vec<String> {
    let at_once = part.at_once.map(|n| format!("%{n}")).unwrap_or_default();
    // sbatch gives a `%` in a name a meaning, but for a doubled one.
    let logs = folder.display().to_string().replace('%', "%%");
    let asked = |option: &str, value: &Option<String>| value.as_ref().map(|value| format!("--{option}={value}"));
    let optional = [
        asked("time", &part.time),
        asked("mem", &part.memory),
        (part.gpus > 0).then(|| format!("--gpus={}", part.gpus)),
        asked("partition", &part.partition),
        asked("account", &part.account),
        asked("qos", &part.qos),
    ];
    let always = [
        "--parsable".to_owned(),
        "--job-name=omiga".to_owned(),
        format!("--array=0-{}{at_once}", tasks.saturating_sub(1)),
        "--nodes=1".to_owned(),
        "--ntasks=1".to_owned(),
        format!("--cpus-per-task={}", part.cpus),
        format!("--output={logs}/%a.log"),
        "--open-mode=append".to_owned(),
        "--requeue".to_owned(),
        format!("--signal=B:USR1@{}", part.warning_s),
    ];
    always.into_iter().chain(optional.into_iter().flatten()).chain(part.options.iter().cloned()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_sbatch_is_told() {
        let part = SlurmPart::default();
        let plain = options(&part, 3, Path::new("runs/x/slurm/0000")).join(" ");
        let expected = "--parsable --job-name=omiga --array=0-2 --nodes=1 --ntasks=1 --cpus-per-task=1 \
                        --output=runs/x/slurm/0000/%a.log --open-mode=append --requeue --signal=B:USR1@120";
        assert_eq!(plain, expected);
        let text = |text: &str| Some(text.to_owned());
        let part = SlurmPart {
            time: text("4:00:00"),
            cpus: 4,
            memory: text("8G"),
            gpus: 1,
            partition: text("gpu"),
            account: text("robots"),
            qos: text("long"),
            at_once: Some(10),
            options: vec!["--constraint=avx512".to_owned()],
            ..part
        };
        let full = options(&part, 1, Path::new("100%/0000")).join(" ");
        assert!(full.contains("--array=0-0%10 ") && full.contains("--output=100%%/0000/%a.log "), "{full}");
        let asked = "--time=4:00:00 --mem=8G --gpus=1 --partition=gpu --account=robots --qos=long --constraint=avx512";
        assert!(full.ends_with(asked), "{full}");
    }

    #[test]
    fn the_script_ends_as_the_program() {
        let part = SlurmPart { setup: "module load cuda\n".to_owned(), cpus: 4, ..SlurmPart::default() };
        let script = text(Path::new("/opt/it's/omiga"), Path::new("my runs/slurm/0000"), &part);
        let program = r"'/opt/it'\''s/omiga'";
        let expected =
            format!("#!/bin/sh\nmodule load cuda\nexec {program} sweep task 'my runs/slurm/0000' --threads 4\n");
        assert_eq!(script, expected);
    }
}
