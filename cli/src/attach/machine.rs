//! What a machine must have for links: files of the system are read, and nothing is changed.

use std::fs;

use super::doctor::{Finding, Level};

/// Fewer descriptors than this are soon used up: each link and each listener takes one, one through
/// shared memory three, and five while it is made.
const DESCRIPTORS_MIN: u64 = 1_024;
/// Less memory than this is short (KiB).
const MEMORY_MIN_KIB: u64 = 64 << 10;
/// A clock before this is not set: 2024-01-01 (seconds since 1970).
const CLOCK_MIN: u64 = 1_704_067_200;

/// What is to be said of this machine. `by_shm`: a node that is looked at is reached by shared memory, so
/// that there has to be some.
pub(crate) fn findings(by_shm: bool) -> Vec<Finding> {
    let mut all = vec![clock()];
    #[cfg(target_os = "linux")]
    all.extend([clock_source(), descriptors(), shared_memory(by_shm), memory()]);
    #[cfg(not(target_os = "linux"))]
    let _ = by_shm;
    all
}

fn clock() -> Finding {
    let now =
        std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default().as_secs();
    if now < CLOCK_MIN {
        let cause =
            "is before 2024: publish times are wrong; set it, and keep it by NTP (chrony, systemd-timesyncd)";
        return Finding::new(Level::Fail, "clock", cause);
    }
    if cfg!(target_os = "linux") && !is_synchronized() {
        let cause = "nothing says that it is synchronized (no chronyd, ntpd, ptp4l or systemd-timesyncd runs): publish times of \
                     several machines may not be compared";
        return Finding::new(Level::Warn, "clock", cause);
    }
    Finding::new(Level::Fine, "clock", "is set")
}

/// Whether a service that keeps the clock runs, or has said that it is kept.
fn is_synchronized() -> bool {
    const KEEPERS: &[&str] = &["chronyd", "ntpd", "ntpsec", "ptp4l", "phc2sys", "systemd-timesyn"];
    let runs = |entry: fs::DirEntry| {
        let name = fs::read_to_string(entry.path().join("comm")).unwrap_or_default();
        KEEPERS.contains(&name.trim())
    };
    fs::metadata("/run/systemd/timesync/synchronized").is_ok()
        || fs::read_dir("/proc").is_ok_and(|all| all.flatten().any(runs))
}

#[cfg(target_os = "linux")]
fn clock_source() -> Finding {
    const WHAT: &str = "clock source";
    let path = "/sys/devices/system/clocksource/clocksource0/current_clocksource";
    match fs::read_to_string(path).map(|text| text.trim().to_owned()) {
        Ok(source) if matches!(&*source, "hpet" | "acpi_pm" | "jiffies") => Finding::new(
            Level::Warn,
            WHAT,
            format!(
                "is {source}: each look at the clock is a system call of a microsecond; boot with clocksource=tsc"
            ),
        ),
        Ok(source) => Finding::new(Level::Fine, WHAT, format!("is {source}")),
        Err(_) => Finding::new(Level::Fine, WHAT, "is not told here"),
    }
}

#[cfg(target_os = "linux")]
fn descriptors() -> Finding {
    const WHAT: &str = "open files";
    // The line has the name in 26 characters, then the soft and the hard limit.
    let limits = fs::read_to_string("/proc/self/limits").unwrap_or_default();
    let line = limits.lines().find_map(|line| line.strip_prefix("Max open files"));
    match line.and_then(|rest| rest.split_whitespace().next()) {
        None => Finding::new(Level::Warn, WHAT, "/proc is not there, so nothing can be said of limits"),
        Some(text) => match text.parse::<u64>() {
            Ok(most) if most < DESCRIPTORS_MIN => Finding::new(
                Level::Warn,
                WHAT,
                format!(
                    "{most} at most: a link takes one, through shared memory three, and five while it is made; raise it (ulimit -n, LimitNOFILE=)"
                ),
            ),
            _ => Finding::new(Level::Fine, WHAT, format!("{text} at most")),
        },
    }
}

#[cfg(target_os = "linux")]
fn shared_memory(needed: bool) -> Finding {
    const WHAT: &str = "shared memory";
    let bad = if needed { Level::Fail } else { Level::Warn };
    if fs::read_dir("/proc/self/fd").is_err() {
        let cause = "/proc is not mounted: participants open segments by /proc/self/fd; mount it, or use Unix sockets";
        return Finding::new(bad, WHAT, cause);
    }
    match make_segment() {
        Ok(()) => Finding::new(
            Level::Fine,
            WHAT,
            "a segment can be made and sealed; none has a name, so none is left over",
        ),
        Err(error) => Finding::new(
            bad,
            WHAT,
            format!(
                "no segment can be made: {error}; see /proc/sys/vm/memfd_noexec and the memory limit of the cgroup"
            ),
        ),
    }
}

#[cfg(target_os = "linux")]
fn make_segment() -> std::io::Result<()> {
    use mycelium_mailbox::shm::ShmSegment;
    ShmSegment::create(1 << 16).map(drop).map_err(|error| std::io::Error::other(error.to_string()))
}

#[cfg(target_os = "linux")]
fn memory() -> Finding {
    const WHAT: &str = "memory";
    let text = fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let line = text.lines().find_map(|line| line.strip_prefix("MemAvailable:"));
    match line.and_then(|rest| rest.split_whitespace().next()?.parse::<u64>().ok()) {
        Some(kib) if kib < MEMORY_MIN_KIB => Finding::new(
            Level::Warn,
            WHAT,
            format!(
                "{} MiB are available: each link through shared memory takes 0.5 MiB, unless its ring is another",
                kib >> 10
            ),
        ),
        Some(kib) => Finding::new(Level::Fine, WHAT, format!("{} MiB are available", kib >> 10)),
        None => Finding::new(Level::Fine, WHAT, "is not told here"),
    }
}
