//! Damage as networks, disks and hands do it.

use crate::Rng;

/// The longest run of bytes that is moved, doubled or lost at once.
const RUN_MAX: usize = 24;
/// The most damages done to one input.
const DAMAGES_MAX: u64 = 4;

/// A copy of `bytes` with a few damages: bits flipped, runs lost, moved or doubled, lines swapped, `words` put in.
#[must_use]
pub fn damage(bytes: &[u8], words: &[&[u8]], rng: &mut Rng) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    for _ in 0..=rng.below(DAMAGES_MAX) {
        if bytes.is_empty() {
            bytes.push(b'x');
        }
        one(&mut bytes, words, rng);
    }
    bytes
}

fn one(bytes: &mut Vec<u8>, words: &[&[u8]], rng: &mut Rng) {
    let len = bytes.len();
    let at = index(len, rng);
    let end = (at + 1 + index(RUN_MAX, rng)).min(len);
    match rng.below(8) {
        0 => bytes[at] ^= 1 << rng.below(8),
        1 => bytes[at] = rng.next_u64() as u8,
        2 => drop(bytes.drain(at..end)),
        3 => bytes.truncate(at),
        4 if !words.is_empty() => {
            let word = words[index(words.len(), rng)];
            bytes.splice(at..at, word.iter().copied());
        }
        5 if !words.is_empty() => {
            let word = words[index(words.len(), rng)];
            bytes.splice(at..end, word.iter().copied());
        }
        6 => {
            let run = bytes[at..end].to_vec();
            let to = index(len, rng);
            bytes.splice(to..to, run);
        }
        _ => lines(bytes, rng),
    }
}

/// Doubles a line somewhere else, or loses it.
fn lines(bytes: &mut Vec<u8>, rng: &mut Rng) {
    let mut lines: Vec<&[u8]> = bytes.split_inclusive(|byte| *byte == b'\n').collect();
    let at = index(lines.len(), rng);
    if rng.below(2) == 0 {
        lines.insert(index(lines.len(), rng), lines[at]);
    } else {
        lines.remove(at);
    }
    *bytes = lines.concat();
}

fn index(len: usize, rng: &mut Rng) -> usize {
    rng.below(len as u64) as usize
}
