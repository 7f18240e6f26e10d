//! One thread for candle, unless the user says otherwise.
//!
//! Networks of this size are a few milliseconds of work cut into hundreds of pieces: a second thread saves little, and on
//! a busy machine the two spin while they wait for each other (measured on two cores, `spread`: 90 updates/s instead of
//! 81 when quiet, 5 instead of 60 when another program needed a core). Two runs side by side use two cores better.
//! candle takes its number of threads from the environment alone, so the program starts itself anew with the variable
//! set; it stays the same process. The results do not depend on it.

/// The variable that candle and its matrix products read.
#[cfg(unix)]
const VARIABLE: &str = "RAYON_NUM_THREADS";

/// Start anew with one thread if the number of threads is not set.
#[cfg(unix)]
pub fn default_to_one() -> std::io::Result<()> {
    use std::os::unix::process::CommandExt;

    if std::env::var_os(VARIABLE).is_some() {
        return Ok(());
    }
    let mut arguments = std::env::args_os();
    let mut again = std::process::Command::new(std::env::current_exe()?);
    if let Some(name) = arguments.next() {
        again.arg0(name);
    }
    Err(again.args(arguments).env(VARIABLE, "1").exec())
}

/// Elsewhere the user sets the variable.
#[cfg(not(unix))]
pub fn default_to_one() -> std::io::Result<()> {
    Ok(())
}
