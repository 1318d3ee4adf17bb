//! Small answers to questions of users: each is one file under 40 lines. `cargo run -p recipes -- NAME` runs
//! one, and without a name all of them; `docs/recipes.md` shows them.
#![forbid(unsafe_code)]

use std::process::ExitCode;

use mycelium::{MainResult, Result};

mycelium::contracts!(); // Quote, Order, Limits

/// Declares the recipes: their names, their text, and `run`, which runs one by its name.
macro_rules! recipes {
    ($($name:ident),* $(,)?) => {
        $(mod $name;)*
        const TEXTS: &[(&str, &str)] = &[$((stringify!($name), include_str!(concat!(stringify!($name), ".rs")))),*];
        async fn run(name: &str) -> Result {
            match name {
                $(stringify!($name) => $name::run().await,)*
                _ => Err("there is no such recipe: see docs/recipes.md".into()),
            }
        }
    };
}

recipes! {
    request_response, timeouts, ask_a_sibling, backpressure, slow_screen, fan_in, fan_out, pool, timers, retry,
    circuit_breaker, crash_and_restart, state_over_restarts, state_snapshot, hot_configuration, late_joiners,
    graceful_end, watch, recipient, bytes, virtual_time, expect_in_tests, sweep, look_inside, own_thread,
    from_a_thread, command,
}

#[tokio::main]
async fn main() -> MainResult<ExitCode> {
    let mut named: Vec<String> = std::env::args().skip(1).collect();
    if named == ["--page"] {
        print!("{}", page());
        return Ok(ExitCode::SUCCESS);
    }
    if named.is_empty() {
        named = TEXTS.iter().map(|(name, _)| (*name).to_owned()).collect();
    }
    for name in &named {
        println!("== {name}");
        if let Err(error) = run(name).await {
            eprintln!("error: {name}: {error}");
            return Ok(ExitCode::FAILURE);
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// `docs/recipes.md`: each recipe under its own first comment.
fn page() -> String {
    let mut page = String::from(BEGINNING);
    for (name, text) in TEXTS {
        let (comment, code) = text.split_at(text.find("\n\n").unwrap_or(text.len()));
        let comment: Vec<_> = comment.lines().map(|line| line.trim_start_matches("//!").trim()).collect();
        let (title, code) = (name.replace('_', " "), code.trim().replace("pub(crate) ", ""));
        page += &format!("\n## {title}\n\n{}\n\n```rust\n{code}\n```\n", comment.join("\n"));
    }
    page
}

const BEGINNING: &str = "\
# Recipes

Small answers to questions of users. Each is one file of [examples/recipes](../examples/recipes/src) and runs in the
tests; `Quote`, `Order` and `Limits` come from its [contracts.yaml](../examples/recipes/contracts.yaml).
`cargo run -p recipes -- backpressure` runs one. `cargo run -q -p recipes -- --page > docs/recipes.md` writes this page.
";
