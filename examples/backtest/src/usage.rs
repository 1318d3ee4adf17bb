//! What this process uses: CPU time and memory. Figures that the platform does not tell are NaN or `None`.

/// CPU time of all threads so far, in seconds.
#[must_use]
pub fn cpu_seconds() -> f64 {
    #[cfg(unix)]
    {
        let time = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
        time.tv_sec as f64 + time.tv_nsec as f64 * 1e-9
    }
    #[cfg(not(unix))]
    f64::NAN
}

/// Largest resident memory so far, in bytes.
#[must_use]
pub fn memory_peak_bytes() -> Option<u64> {
    status_bytes("VmHWM:")
}

/// Resident memory now, in bytes.
#[must_use]
pub fn memory_bytes() -> Option<u64> {
    status_bytes("VmRSS:")
}

fn status_bytes(key: &str) -> Option<u64> {
    const BYTES_PER_KB: u64 = 1024;
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix(key))?;
    line.split_whitespace().next()?.parse::<u64>().ok()?.checked_mul(BYTES_PER_KB)
}
