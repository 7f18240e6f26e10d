//! Rows on disk teach what rows in memory teach.

use omiga_format::{Checkpoint, TensorFile};

use crate::program::{Program, SMALL};

/// Train from memory and from disk: everything in both folders is equal but the setting itself.
fn check(task: &str, more: &str) {
    let program = Program::with_data(task);
    let run = format!("train --data data.hdf5 --steps 30 {SMALL} {more}");
    program.done(&format!("{run} --out memory"));
    program.done(&format!("{run} --out disk --set data.storage=disk"));
    let (memory, disk) = (program.files("memory"), program.files("disk"));
    assert_eq!(memory.keys().collect::<Vec<_>>(), disk.keys().collect::<Vec<_>>());
    for (name, bytes) in &memory {
        match name.ends_with(".safetensors") {
            true => {
                let tensors = |bytes| TensorFile::parse(name, bytes).unwrap().tensors;
                assert!(tensors(bytes) == tensors(&disk[name]), "{name}");
                let meta = |folder: &str| Checkpoint::read(&program.path(&format!("{folder}/{name}"))).unwrap().meta;
                let (memory, mut disk) = (meta("memory"), meta("disk"));
                assert!(!memory.config.contains("storage"), "{}", memory.config);
                disk.config = disk.config.replace("storage = \"disk\"\n", "");
                assert!(memory == disk, "{name}");
            }
            false if name == "config.toml" => {
                let disk = String::from_utf8(disk[name].clone()).unwrap();
                assert_eq!(disk.replace("storage = \"disk\"\n", "").as_bytes(), bytes);
            }
            false => assert!(bytes == &disk[name], "{name}"),
        }
    }
}

#[test]
fn commands_are_learned_from_disk() {
    check("spread", "");
    // The id makes observations wider: in place in memory, when they are read from disk.
    check("spread", "--set data.transform=standardise-with-id");
    check("spread", "--algo rebrac");
}

#[test]
fn choices_are_learned_from_disk() {
    check("spread-discrete", "--set data.rewards=return-to-go");
}

#[test]
fn a_run_goes_on_from_another_storage() {
    let program = Program::with_data("spread");
    let run = format!("train --data data.hdf5 {SMALL}");
    program.done(&format!("{run} --out one-go --steps 30"));
    program.done(&format!("{run} --out run --steps 20"));
    program
        .done("train --data data.hdf5 --out run --resume --steps 30 --set data.storage=disk --set data.scratch=here");
    let tensors =
        |folder: &str| TensorFile::parse("last", &program.read(&format!("{folder}/last.safetensors"))).unwrap().tensors;
    assert!(tensors("run") == tensors("one-go"));
    assert!(program.files("here").is_empty());
}

#[test]
fn a_scratch_file_that_cannot_be_is_refused() {
    let program = Program::with_data("spread");
    let run = "train --data data.hdf5 --out run --steps 10 --set data.storage=disk";
    program.refused(&format!("{run} --set data.scratch=data.hdf5/x"), "cannot create `data.hdf5/x`");
    program.refused("train --data absent.hdf5 --out run --set data.storage=disk", "cannot read `absent.hdf5`");
    program.write("bad.hdf5", &program.read("data.hdf5")[..1000]);
    program.refused("train --data bad.hdf5 --out run --set data.storage=disk", "as HDF5");
    assert!(!program.path("run").exists());
}
