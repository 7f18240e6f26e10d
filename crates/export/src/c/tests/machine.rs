//! Compilers, and the machines that run what they make.

use std::path::{Path, PathBuf};
use std::process::Command;

/// Every warning that there is for such code, as an error.
const WARNINGS: &str = "-std=c99 -Wall -Wextra -Wpedantic -Werror -Wconversion -Wdouble-promotion -Wshadow \
                        -Wmissing-prototypes -Wstrict-prototypes -Wvla -Wcast-qual -Wfloat-conversion";

/// Where C runs.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Machine {
    Gcc,
    /// With checks of every access and every conversion.
    GccChecked,
    Clang,
    /// A Cortex-M4F under QEMU.
    CortexM4f,
}

impl Machine {
    /// All whose programs are here; what is left out is said.
    pub fn all() -> Vec<Self> {
        [Self::Gcc, Self::GccChecked, Self::Clang, Self::CortexM4f]
            .into_iter()
            .filter(|machine| machine.is_here())
            .collect()
    }

    pub fn is_here(self) -> bool {
        let emulator = (self == Self::CortexM4f).then_some("qemu-system-arm");
        [Some(self.compiler()), emulator].into_iter().flatten().all(has)
    }

    pub fn compiler(self) -> &'static str {
        match self {
            Self::Gcc | Self::GccChecked => "gcc",
            Self::Clang => "clang",
            Self::CortexM4f => "arm-none-eabi-gcc",
        }
    }

    fn flags(self) -> &'static str {
        match self {
            Self::Gcc | Self::Clang => "-O2",
            Self::GccChecked => "-O1 -fsanitize=address,undefined -fno-sanitize-recover=all",
            Self::CortexM4f => {
                "-O2 -mcpu=cortex-m4 -mthumb -mfloat-abi=hard -mfpu=fpv4-sp-d16 -ffunction-sections -fdata-sections"
            }
        }
    }

    /// Compile one file of `folder` to the object beside it.
    pub fn compile(self, folder: &Path, source: &str) -> PathBuf {
        let object = folder.join(source).with_extension("o");
        let mut command = Command::new(self.compiler());
        command.args(WARNINGS.split_whitespace()).args(self.flags().split_whitespace());
        done(command.current_dir(folder).args(["-c", source, "-o"]).arg(&object));
        object
    }

    /// Compile and link all sources of `folder`, and run the program. What it says.
    pub fn run(self, folder: &Path) -> String {
        let here = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/c/tests");
        let own = if self == Self::CortexM4f { "mps2_an386/machine.c" } else { "native.c" };
        for (name, from) in [("machine.h", "machine.h"), ("machine.c", own)] {
            std::fs::copy(here.join(from), folder.join(name)).unwrap();
        }
        let sources = names(folder).into_iter().filter(|name| name.ends_with(".c"));
        let objects: Vec<_> = sources.map(|source| self.compile(folder, &source)).collect();
        let program = folder.join("program");
        let mut link = Command::new(self.compiler());
        link.args(self.flags().split_whitespace()).args(objects).arg("-o").arg(&program);
        if self == Self::CortexM4f {
            let script = here.join("mps2_an386/link.ld");
            link.args(["-nostartfiles", "--specs=nano.specs", "-Wl,--gc-sections", "-T"]).arg(script);
        }
        done(link.arg("-lm"));
        match self {
            Self::CortexM4f => done(
                // A program that went astray would run for ever.
                Command::new("timeout")
                    .args(
                        "120 qemu-system-arm -M mps2-an386 -nographic -monitor none -serial none -semihosting"
                            .split_whitespace(),
                    )
                    .arg("-kernel")
                    .arg(&program),
            ),
            _ => done(&mut Command::new(program)),
        }
    }
}

/// Bytes of the sections of an object whose names begin so.
pub fn section(object: &Path, prefix: &str) -> u32 {
    let sizes = done(Command::new("arm-none-eabi-size").arg("-A").arg(object));
    let rows = sizes.lines().map(|line| line.split_whitespace().collect::<Vec<_>>());
    let of = |row: Vec<&str>| row.first()?.starts_with(prefix).then(|| row.get(1)?.parse::<u32>().ok())?;
    rows.filter_map(of).sum()
}

fn names(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).unwrap();
    let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

/// Does a program answer?
pub fn has(program: &str) -> bool {
    let there = Command::new(program).arg("--version").output().is_ok_and(|output| output.status.success());
    if !there {
        println!("skipped: there is no `{program}`");
    }
    there
}

/// Run it; it must succeed. What it says, wherever.
pub fn done(command: &mut Command) -> String {
    let output = command.output().unwrap_or_else(|e| panic!("{command:?}: {e}"));
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{command:?}: {}\n{out}\n{err}", output.status);
    out.into_owned() + &err
}
