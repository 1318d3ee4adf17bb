//! Damage as networks, disks and hands do it.

use mycelium_random::Random;

/// The longest run of bytes that is moved, doubled or lost at once.
const RUN_MAX: usize = 24;
/// The most damages done to one input.
const DAMAGES_MAX: u64 = 4;

/// A copy of `bytes` with a few damages: bits flipped, runs lost, moved or doubled, lines swapped, `words`
/// put in.
#[must_use]
pub fn damage(bytes: &[u8], words: &[&[u8]], random: &mut Random) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    for _ in 0..=random.below(DAMAGES_MAX) {
        if bytes.is_empty() {
            bytes.push(b'x');
        }
        one(&mut bytes, words, random);
    }
    bytes
}

fn one(bytes: &mut Vec<u8>, words: &[&[u8]], random: &mut Random) {
    let len = bytes.len();
    let at = random.index(len);
    let end = (at + 1 + random.index(RUN_MAX)).min(len);
    match random.below(8) {
        0 => bytes[at] ^= 1 << random.below(8),
        1 => bytes[at] = random.next_u64() as u8,
        2 => drop(bytes.drain(at..end)),
        3 => bytes.truncate(at),
        4 if !words.is_empty() => {
            let word = random.pick(words);
            bytes.splice(at..at, word.iter().copied());
        }
        5 if !words.is_empty() => {
            let word = random.pick(words);
            bytes.splice(at..end, word.iter().copied());
        }
        6 => {
            let run = bytes[at..end].to_vec();
            let to = random.index(len);
            bytes.splice(to..to, run);
        }
        _ => lines(bytes, random),
    }
}

/// Doubles a line somewhere else, or loses it.
fn lines(bytes: &mut Vec<u8>, random: &mut Random) {
    let mut lines: Vec<&[u8]> = bytes.split_inclusive(|byte| *byte == b'\n').collect();
    let at = random.index(lines.len());
    if random.below(2) == 0 {
        lines.insert(random.index(lines.len()), lines[at]);
    } else {
        lines.remove(at);
    }
    *bytes = lines.concat();
}
