//! This program in its other mode: a worker process, which does nothing but live.

use std::path::PathBuf;
use std::process::ExitCode;

use mycelium::Result;

/// Where the gateway of the program with this process number writes its own.
pub(crate) fn pid_file(program: &str) -> PathBuf {
    std::env::temp_dir().join(format!("mycelium-supervision-{program}"))
}

/// Writes its process number down and waits for a signal.
pub(crate) fn run(program: &str) -> Result<ExitCode> {
    let file = pid_file(program);
    let fresh = file.with_extension("new");
    std::fs::write(&fresh, std::process::id().to_string())?;
    std::fs::rename(fresh, file)?;
    println!("the gateway is up");
    loop {
        std::thread::park();
    }
}
