//! One target under libFuzzer, which finds new inputs by coverage: `cargo xtask fuzz NAME`.
//!
//! The target's name comes in `MYCELIUM_FUZZ`, and in `MYCELIUM_FUZZ_CORPUS` the folder to put its seeds in;
//! the arguments are libFuzzer's own.
#![no_main]
#![forbid(unsafe_code)]

use std::path::Path;
use std::process::exit;
use std::sync::OnceLock;

use libfuzzer_sys::fuzz_target;
use mycelium_fuzz::{Target, target};

static TARGET: OnceLock<Target> = OnceLock::new();

fuzz_target!(
    init: {
        let target = chosen().unwrap_or_else(|error| {
            eprintln!("error: {error}");
            exit(2)
        });
        TARGET.get_or_init(|| target);
    },
    |bytes: &[u8]| {
        let target = TARGET.get().expect("set before the first input");
        (target.run)(bytes);
    }
);

fn chosen() -> Result<Target, String> {
    let target = target(&std::env::var("MYCELIUM_FUZZ").unwrap_or_default())?;
    if let Some(folder) = std::env::var_os("MYCELIUM_FUZZ_CORPUS") {
        for (number, seed) in (target.seeds)().into_iter().enumerate() {
            let path = Path::new(&folder).join(format!("seed-{number}"));
            std::fs::write(&path, seed)
                .map_err(|error| format!("cannot write {}: {error}", path.display()))?;
        }
    }
    Ok(target)
}
