//! Each carrier: its reader in one process, its writer in the other.

mod bare;
mod iceoryx;
mod nats;
mod ours;
mod zenoh;
mod zeromq;

use std::path::Path;
use std::time::Duration;

use crate::Outcome;
use crate::reader::{Reader, Says};

/// A message: its number, eight times.
type Words = [u64; 8];
const MESSAGE_LEN: usize = size_of::<Words>();

pub(crate) trait Peer {
    fn name(&self) -> &'static str;

    /// In the other process: says where it is, reads so many messages, each once and in order, and says that
    /// it has.
    fn read(&self, place: &Path, number: u64, says: &mut Says) -> Outcome<()>;

    /// Writes them. The time from before the first one until the reader has them all.
    fn write(&self, place: &Path, number: u64, reader: &mut Reader) -> Outcome<Duration>;

    /// In the other process: sends back so many messages as they come.
    fn echo(&self, place: &Path, number: u64, says: &mut Says) -> Outcome<()>;

    /// Sends so many messages, each when the one before it has come back. How long each took.
    fn ping(&self, place: &Path, number: u64, reader: &mut Reader) -> Outcome<Vec<Duration>>;
}

pub(crate) fn all() -> Vec<Box<dyn Peer>> {
    let mut all = ours::all();
    all.extend(bare::all());
    all.extend(zeromq::all());
    all.extend(iceoryx::all());
    all.extend(zenoh::all());
    all.extend(nats::all());
    all
}

fn message(number: u64) -> Words {
    [number; 8]
}

fn bytes_of(words: Words) -> [u8; MESSAGE_LEN] {
    let mut bytes = [0; MESSAGE_LEN];
    for (to, word) in bytes.chunks_exact_mut(8).zip(words) {
        to.copy_from_slice(&word.to_le_bytes());
    }
    bytes
}

/// The number of the message behind these bytes.
fn number_of(bytes: &[u8]) -> Outcome<u64> {
    let word = bytes.get(..8).and_then(|word| word.try_into().ok());
    Ok(u64::from_le_bytes(word.filter(|_| bytes.len() == MESSAGE_LEN).ok_or("not of 64 bytes")?))
}

/// Fails unless this is the message that is awaited.
fn expect(found: u64, wanted: u64) -> Outcome<()> {
    if found == wanted { Ok(()) } else { Err(format!("message {found} came where {wanted} was due").into()) }
}

/// Runs it on a runtime of this thread.
fn on_this_thread<T>(work: impl Future<Output = Outcome<T>>) -> Outcome<T> {
    tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(work)
}
