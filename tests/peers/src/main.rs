//! Mycelium's links beside what else carries messages between two processes: 64 bytes, nothing lost, one run.
//!
//! `cargo run --release --manifest-path tests/peers/Cargo.toml -- --help`

mod contest;
mod peers;
mod reader;

use std::error::Error;
use std::path::PathBuf;
use std::process::ExitCode;

use crate::contest::{Contest, Race};
use crate::reader::Says;

pub(crate) type Outcome<T> = Result<T, Box<dyn Error + Send + Sync>>;

const USAGE: &str = "\
Compares Mycelium's links with other carriers of messages between two processes.

usage: mycelium-peers [--rounds N] [--messages N] [--trips N] [NAME...]

NAME      only the carriers whose names begin so (without: all)
--rounds  how often each takes its turn (5)
--messages  64-byte messages one way, each round (1000000)
--trips   round trips, each round (10000)

Needs libzmq's build tools (cmake) and, for NATS, `nats-server` (Debian: apt-get install cmake nats-server).";

fn main() -> ExitCode {
    match run(std::env::args().skip(1).collect()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(args: Vec<String>) -> Outcome<()> {
    if let [child, name, race, place, number] = args.as_slice()
        && child == reader::CHILD
    {
        let peer = peers::all().into_iter().find(|peer| peer.name() == name).ok_or("no such carrier")?;
        let (place, number) = (PathBuf::from(place), number.parse()?);
        let mut says = Says::new();
        return match Race::of(race).ok_or("no such race")? {
            Race::OneWay => peer.read(&place, number, &mut says),
            Race::ThereAndBack => peer.echo(&place, number, &mut says),
        };
    }
    let mut contest = Contest { rounds: 5, messages: 1_000_000, trips: 10_000, only: Vec::new() };
    let mut args = args.into_iter();
    while let Some(arg) = args.next() {
        let mut number = || -> Outcome<u64> {
            let number = args.next().and_then(|number| number.parse().ok()).filter(|number| *number > 0);
            number.ok_or_else(|| format!("`{arg}` needs a number above zero after it").into())
        };
        match arg.as_str() {
            "--help" | "-h" => {
                println!("{USAGE}");
                return Ok(());
            }
            "--rounds" => contest.rounds = number()?,
            "--messages" => contest.messages = number()?,
            "--trips" => contest.trips = number()?,
            option if option.starts_with('-') => {
                return Err(format!("`{option}` is no option\n\n{USAGE}").into());
            }
            _ => contest.only.push(arg),
        }
    }
    contest.hold()
}
