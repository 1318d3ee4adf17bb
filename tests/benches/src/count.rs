//! One thing done so many times, for a count of its instructions: twice the number less the number, divided
//! by the number, is what one of them takes.
//!
//! ```text
//! valgrind --tool=callgrind target/release/mycelium-benches --count ask 4000
//! ```

use std::process::ExitCode;

use crate::alone::{chain_cost, stream_cost};
use crate::ask::{Bare, ask_once};
use crate::carrier::flow_once;
use crate::crowd::{Kameo, come_and_go};
use crate::harness::median;
use crate::heard::one_of;
#[cfg(target_os = "linux")]
use crate::links::written_to;
use crate::links::{Kind, beside, on_one_thread};
use crate::load::{Flavour, Large, Small};
use crate::ours::{Ask, AskWithin, Asserted, Idle, Tell, Topic};
use crate::pool::pooled_by_key;
use crate::supervised::crashes;
use crate::to_and_fro::Source;
use crate::wire::publish_once;

/// Makes this program do one thing so many times, on one thread, and end.
pub(crate) const FLAG: &str = "--count";

/// Does `what`, `times` times, and prints what it took by the clock.
pub(crate) fn run(what: &str, times: &str) -> ExitCode {
    let Ok(times) = times.parse::<u32>() else {
        eprintln!("error: `{times}` is no number");
        return ExitCode::from(2);
    };
    let (number, actors) = (u64::from(times), times as usize);
    let wanted = what.to_owned();
    let time = Flavour::Current.run(async move {
        Some(match wanted.as_str() {
            "publish" => flow_once::<Topic<Small>, Small>(1, 1, number).await,
            "publish-assert" => flow_once::<Asserted<Small>, Small>(1, 1, number).await,
            "publish-to-16" => flow_once::<Topic<Small>, Small>(1, 16, number).await,
            "publish-large" => flow_once::<Topic<Large>, Large>(1, 1, number).await,
            "publish-large-to-4" => flow_once::<Topic<Large>, Large>(1, 4, number).await,
            "tell" => flow_once::<Tell<Small>, Small>(1, 1, number).await,
            "ask" => ask_once::<Ask>(0.0, number).await,
            "ask-within" => ask_once::<AskWithin>(0.0, number).await,
            "bare-ask" => ask_once::<Bare>(0.0, number).await,
            "isolate-stream" => stream_cost(number, Source(number), 1),
            "isolate-chain" => chain_cost(number),
            "publish-bytes" => publish_once(true, times),
            "publish-decoded" => publish_once(false, times),
            "spawn" => come_and_go::<Idle>(actors).await,
            "link" => on_one_thread(Kind::Unix, number).await,
            "link-tcp" => on_one_thread(Kind::Tcp, number).await,
            #[cfg(target_os = "linux")]
            "link-shm" => on_one_thread(Kind::Shm, number).await,
            "beside-link" => beside(true, number),
            "beside-none" => beside(false, number),
            #[cfg(target_os = "linux")]
            "ring-1" => written_to(1, number),
            #[cfg(target_os = "linux")]
            "ring-4" => written_to(4, number),
            "crash" => median(&crashes(actors, 0).await),
            "pool-by-key" => pooled_by_key(number).await,
            "kameo-spawn" => come_and_go::<Kameo>(actors).await,
            heard => match heard.strip_prefix("heard-")?.parse() {
                Ok(topics @ 1..) => one_of(topics, number).await,
                _ => return None,
            },
        })
    });
    let Some(time) = time else {
        eprintln!(
            "error: `{what}` is none of publish, publish-assert, publish-to-16, publish-large, publish-large-to-4, publish-bytes, publish-decoded, tell, ask, ask-within, bare-ask, isolate-stream, isolate-chain, spawn, kameo-spawn, crash, pool-by-key, link, link-tcp, link-shm, beside-link, beside-none, ring-1, ring-4, heard-N"
        );
        return ExitCode::from(2);
    };
    println!("{time}");
    ExitCode::SUCCESS
}
