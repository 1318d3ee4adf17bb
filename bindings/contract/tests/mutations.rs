//! Contracts damaged at random: whatever the text, there is a contract or there are errors, and never a panic.
//!
//! `MYCELIUM_SEED=n` replays a run, `MYCELIUM_CASES=n` sets its length.

use std::fmt::Write;

use mycelium_contract::{Contract, DIAGNOSTICS_MAX, Digests, Layouts, Severity, breaking};

const CASES: u64 = 1_500;

/// What mistakes are made of: pieces that mean something somewhere.
const PIECES: &[&str] = &[
    "Option<",
    "Vec<",
    ">",
    "[",
    "]",
    "; 4]",
    "{",
    "}",
    ": ",
    "\n",
    "  ",
    "- ",
    "\t",
    "&a ",
    "*a",
    "<<: ",
    "!!int ",
    "'",
    "\"",
    "#",
    "|\n",
    "? ",
    "---\n",
    "null",
    "true",
    ".nan",
    "-1",
    "0",
    "1e400",
    "65536",
    "18446744073709551616",
    "type: ",
    "default: ",
    "since: 2",
    "validation: ",
    "each: ",
    "min: ",
    "one_of: ",
    "fields: ",
    "variants: ",
    "version: 2",
    "tlv_type: ",
    "u8",
    "Colour",
    "Shape",
    "Point",
    "Person",
    "é",
    "\u{feff}",
    "\0",
    "\u{202e}",
];

/// SplitMix64: enough for choosing, and the same everywhere.
struct Random(u64);

impl Random {
    fn below(&mut self, n: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((z ^ (z >> 31)) % n.max(1) as u64).unwrap()
    }
}

fn number(name: &str, otherwise: u64) -> u64 {
    std::env::var(name).ok().and_then(|v| v.parse().ok()).unwrap_or(otherwise)
}

fn damage(text: &[u8], random: &mut Random) -> Vec<u8> {
    let mut bytes = text.to_vec();
    for _ in 0..=random.below(4) {
        let at = random.below(bytes.len());
        let length = 1 + random.below(12);
        let end = (at + length).min(bytes.len());
        match random.below(6) {
            0 => bytes[at] = u8::try_from(random.below(256)).unwrap(),
            1 => drop(bytes.drain(at..end)),
            2 | 3 => {
                let piece = PIECES[random.below(PIECES.len())].bytes();
                bytes.splice(at..at, piece);
            }
            4 => {
                // Some lines once more, or away.
                let mut lines: Vec<&[u8]> = bytes.split_inclusive(|b| *b == b'\n').collect();
                let at = random.below(lines.len());
                if random.below(2) == 0 {
                    lines.insert(random.below(lines.len()), lines[at]);
                } else {
                    lines.remove(at);
                }
                bytes = lines.concat();
            }
            _ => {
                let word = bytes[at..end].to_vec();
                let to = random.below(bytes.len());
                bytes.splice(to..to, word);
            }
        }
        if bytes.is_empty() {
            bytes.push(b'x');
        }
    }
    bytes
}

/// What must hold of any input; gives whether it was correct.
fn holds(bytes: &[u8], original: &Contract) -> bool {
    match Contract::parse_bytes(bytes, "t") {
        Ok(contract) => {
            let (layouts, digests) = (Layouts::of(&contract), Digests::of(&contract));
            for message in &contract.messages {
                let record = layouts.record(&message.fields);
                assert!(record.layout.size > 0 && record.layout.size.is_multiple_of(record.layout.align));
                assert!(record.offsets.is_sorted());
                assert_ne!(digests.message(message, message.version), 0);
            }
            assert_eq!(breaking(&contract, &contract), []);
            agree(original, &contract);
            true
        }
        Err(errors) => {
            assert!(!errors.list().is_empty() && errors.list().len() <= DIAGNOSTICS_MAX);
            for error in errors.list() {
                assert!(!error.cause.is_empty() && !error.cause.contains('\n'), "{error:?}");
                assert!(error.cause.len() < 1_000, "a long cause: {error:?}");
            }
            let mut shown = String::new();
            write!(shown, "{errors}").unwrap();
            assert!(shown.starts_with("error[MYC"));
            false
        }
    }
}

/// Digests cut a topic only where `breaking` has said so. (It says more: a moved topic has the same digests.)
fn agree(old: &Contract, new: &Contract) {
    let changes = breaking(old, new);
    if changes.iter().any(|c| c.severity == Severity::Breaking) {
        return;
    }
    let (before, after) = (Digests::of(old), Digests::of(new));
    for message in &old.messages {
        let heir = new.message(&message.name).expect("a message that is gone breaks");
        for version in 1..=message.version {
            let same = before.message(message, version) == after.message(heir, version);
            assert!(
                same,
                "`{}` version {version} has another digest without a breaking change",
                message.name
            );
        }
    }
}

#[test]
fn damaged_contracts_end_in_errors_and_never_in_a_panic() {
    let text = include_bytes!("../../../contracts.yaml");
    let original = Contract::parse_bytes(text, "t").unwrap();
    let clock = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    let seed = number("MYCELIUM_SEED", u64::from(clock.subsec_nanos()));
    let cases = number("MYCELIUM_CASES", CASES);
    println!("MYCELIUM_SEED={seed} MYCELIUM_CASES={cases}");
    let mut random = Random(seed);
    let mut correct = 0;
    for _ in 0..cases {
        let damaged = damage(text, &mut random);
        correct += u64::from(holds(&damaged, &original));
    }
    println!("{correct} of {cases} were still correct");
    // Damage in a description or a comment harms nothing, damage elsewhere mostly does: both must have happened.
    assert!(cases < 100 || (correct > 0 && correct < cases));
}
