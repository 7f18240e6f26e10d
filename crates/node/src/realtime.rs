//! What the loop's thread asks of Linux.

use crate::settings::RealTimeSettings;
use crate::{Error, Result};

/// Do as the settings say, for the calling thread; memory is that of the process.
///
/// # Errors
/// [`Error::RealTime`] with the first thing that is refused.
#[cfg(target_os = "linux")]
pub(crate) fn apply(settings: RealTimeSettings) -> Result<()> {
    use rustix::mm::{MlockAllFlags, mlockall};
    use rustix::thread::{CpuSet, sched_setaffinity};
    use thread_priority::{
        RealtimeThreadSchedulePolicy, ThreadPriority, ThreadSchedulePolicy, set_thread_priority_and_policy,
        thread_native_id,
    };

    let refused =
        |setting, reason: String, hint: &str| Error::RealTime { setting, reason: format!("{reason}; {hint}") };
    if settings.lock_memory {
        let locked = mlockall(MlockAllFlags::CURRENT | MlockAllFlags::FUTURE);
        let hint = "it needs CAP_IPC_LOCK or a larger `ulimit -l` (systemd: LimitMEMLOCK=infinity)";
        locked.map_err(|error| refused("lock_memory", error.to_string(), hint))?;
    }
    if let Some(core) = settings.core {
        let hint = "the core must be one of this process's (systemd: AllowedCPUs, CPUAffinity)";
        if core >= CpuSet::MAX_CPU {
            return Err(refused("core", format!("there is no core {core}"), hint));
        }
        let mut set = CpuSet::new();
        set.set(core);
        sched_setaffinity(None, &set).map_err(|error| refused("core", error.to_string(), hint))?;
    }
    if let Some(priority) = settings.fifo {
        let hint = "it needs CAP_SYS_NICE or a larger `ulimit -r` (systemd: LimitRTPRIO=99), and a priority of 1 to 99";
        let value = priority.try_into().ok().filter(|_| priority > 0);
        let value = value.ok_or_else(|| refused("fifo", format!("{priority} is no priority"), hint))?;
        let policy = ThreadSchedulePolicy::Realtime(RealtimeThreadSchedulePolicy::Fifo);
        let set = set_thread_priority_and_policy(thread_native_id(), ThreadPriority::Crossplatform(value), policy);
        set.map_err(|error| refused("fifo", error.to_string(), hint))?;
    }
    Ok(())
}

/// Elsewhere there is none of it.
#[cfg(not(target_os = "linux"))]
pub(crate) fn apply(settings: RealTimeSettings) -> Result<()> {
    if settings == RealTimeSettings::default() {
        return Ok(());
    }
    Err(Error::RealTime { setting: "realtime", reason: "there is this on Linux alone; leave it out".to_owned() })
}

#[cfg(target_os = "linux")]
#[cfg(test)]
mod tests {
    use super::*;

    /// The policy and the priority of this thread, and its cores.
    fn scheduled() -> (u32, u32, String) {
        let stat = std::fs::read_to_string("/proc/thread-self/stat").unwrap();
        // After the name, which may have spaces, the third field of proc(5) follows.
        let fields: Vec<_> = stat.rsplit_once(')').unwrap().1.split_whitespace().collect();
        let status = std::fs::read_to_string("/proc/thread-self/status").unwrap();
        let cores = status.lines().find_map(|line| line.strip_prefix("Cpus_allowed_list:")).unwrap();
        (fields[41 - 3].parse().unwrap(), fields[40 - 3].parse().unwrap(), cores.trim().to_owned())
    }

    #[test]
    fn it_is_done_or_refused_with_the_reason() {
        const FIFO: u32 = 1;
        std::thread::spawn(|| {
            let core = scheduled().2.split(['-', ',']).next().unwrap().to_owned();
            apply(RealTimeSettings { core: core.parse().ok(), ..RealTimeSettings::default() }).unwrap();
            assert_eq!(scheduled().2, core);
            match apply(RealTimeSettings { fifo: Some(7), ..RealTimeSettings::default() }) {
                Ok(()) => assert_eq!((scheduled().0, scheduled().1), (FIFO, 7)),
                Err(error) => assert!(error.to_string().contains("CAP_SYS_NICE"), "{error}"),
            }
            for settings in [
                RealTimeSettings { fifo: Some(0), ..RealTimeSettings::default() },
                RealTimeSettings { fifo: Some(200), ..RealTimeSettings::default() },
                RealTimeSettings { core: Some(100_000), ..RealTimeSettings::default() },
                RealTimeSettings { core: Some(1023), ..RealTimeSettings::default() },
            ] {
                assert!(matches!(apply(settings), Err(Error::RealTime { .. })), "{settings:?}");
            }
        })
        .join()
        .unwrap();
    }
}
