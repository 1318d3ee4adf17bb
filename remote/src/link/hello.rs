//! Who a peer is and which messages it knows.

use std::fmt;
use std::ops::Range;

use mycelium_mailbox::wire::{GrownEnum, Layout, Offer};

use super::control::{Control, Fields, put_text};
use super::{HELLO_LEN_MAX, LinkFault, NAME_LEN_MAX, VERSION};

/// The first frame of each side: its name and what it knows of each message.
#[derive(Clone, Copy, Debug)]
pub struct Hello<'a> {
    /// The node's name: 1 to 64 of the letters `a` to `z` and `A` to `Z`, digits, `-`, `_`, `.` and `/`.
    pub name: &'a str,
    /// A number that nobody could guess, drawn for this connection.
    pub nonce: u64,
    /// The longest value that this node reads, in bytes.
    pub value_len_max: u32,
    /// The offers of all messages, by rising type id.
    pub offers: &'a [(u16, Offer<'a>)],
}

/// A Hello cannot be written: the fault is on our side.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum HelloError {
    /// The node's name is empty, too long, or has other letters than it may.
    Name {
        /// The name.
        got: String,
    },
    /// Type ids do not rise, or a list or text of an offer has more than 65,535 entries or bytes.
    Offer {
        /// The offer's type id.
        type_id: u16,
    },
    /// The offers are longer than a Hello may be.
    TooLong {
        /// The longest Hello, in bytes.
        max: usize,
        /// The length that it would have, in bytes.
        got: usize,
    },
}

impl fmt::Display for HelloError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name { got } => write!(
                f,
                "{got:?} is no name of a node: take 1 to {NAME_LEN_MAX} of the letters a-z and A-Z, digits, `-`, `_`, `.` and `/`"
            ),
            Self::Offer { type_id } => write!(
                f,
                "the offer of type id {type_id} cannot be written: type ids must rise, and no list or text may be longer than 65,535"
            ),
            Self::TooLong { max, got } => write!(
                f,
                "the offers take {got} bytes of the {max} that a peer reads: give the bus the contracts it needs, and no more"
            ),
        }
    }
}

impl std::error::Error for HelloError {}

impl Hello<'_> {
    /// Appends its frame.
    ///
    /// # Errors
    /// The name or the offers are none that a peer would take. `out` is unchanged then.
    pub fn encode(&self, out: &mut Vec<u8>) -> Result<(), HelloError> {
        if !is_name(self.name) {
            return Err(HelloError::Name { got: self.name.to_owned() });
        }
        let mut value = Vec::new();
        value.extend_from_slice(&VERSION.to_le_bytes());
        value.extend_from_slice(&self.nonce.to_le_bytes());
        value.extend_from_slice(&self.value_len_max.to_le_bytes());
        put_text(self.name, &mut value);
        let mut before = None;
        for (type_id, offer) in self.offers {
            let risen = before.replace(*type_id).is_none_or(|before| before < *type_id);
            if !risen || put_offer(*type_id, offer, &mut value).is_none() {
                return Err(HelloError::Offer { type_id: *type_id });
            }
        }
        if value.len() > HELLO_LEN_MAX {
            return Err(HelloError::TooLong { max: HELLO_LEN_MAX, got: value.len() });
        }
        Control::Hello.encode(&value, out);
        Ok(())
    }
}

fn put_offer(type_id: u16, offer: &Offer<'_>, out: &mut Vec<u8>) -> Option<()> {
    let texts = offer.enums.iter().flat_map(|of| of.variants.iter().chain([&of.name])).chain([&offer.name]);
    if texts.into_iter().any(|text| text.len() > usize::from(u16::MAX)) {
        return None;
    }
    out.extend_from_slice(&type_id.to_le_bytes());
    put_text(offer.name, out);
    out.extend_from_slice(&offer.version.to_le_bytes());
    out.extend_from_slice(&u16::try_from(offer.layouts.len()).ok()?.to_le_bytes());
    for Layout { version, root_len, digest } in offer.layouts {
        out.extend_from_slice(&version.to_le_bytes());
        out.extend_from_slice(&root_len.to_le_bytes());
        out.extend_from_slice(&digest.to_le_bytes());
    }
    out.extend_from_slice(&u16::try_from(offer.enums.len()).ok()?.to_le_bytes());
    for GrownEnum { name, first, variants } in offer.enums {
        put_text(name, out);
        out.push(*first);
        out.extend_from_slice(&u16::try_from(variants.len()).ok()?.to_le_bytes());
        variants.iter().for_each(|variant| put_text(variant, out));
    }
    Some(())
}

/// Whether a node may have this name.
pub(crate) fn is_name(name: &str) -> bool {
    let may = |c: u8| c.is_ascii_alphanumeric() || b"-_./".contains(&c);
    (1..=NAME_LEN_MAX).contains(&name.len()) && name.bytes().all(may)
}

/// The Hello of a peer. It holds the peer's bytes and nothing that is longer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PeerHello {
    name: Box<str>,
    nonce: u64,
    value_len_max: u32,
    /// Found to be well-formed.
    offers: Box<[u8]>,
}

impl PeerHello {
    /// The peer's name. Anybody may claim any name: what may be asked of the transport is asked there.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The number that the peer waits to see in an Accept.
    #[must_use]
    pub fn nonce(&self) -> u64 {
        self.nonce
    }

    pub(super) fn parse(value: &[u8]) -> Result<Self, LinkFault> {
        let mut fields = Fields::new(Control::Hello, value);
        let version = fields.u16()?;
        if version != VERSION {
            return Err(LinkFault::Version { ours: VERSION, got: version });
        }
        let (nonce, value_len_max, name) = (fields.u64()?, fields.u32()?, fields.text()?);
        if !is_name(name) {
            return Err(Control::Hello.malformed("its name is none that a node may have"));
        }
        let hello = Self { name: name.into(), nonce, value_len_max, offers: fields.rest().into() };
        let mut before = None;
        let mut rising = true;
        hello.each(|type_id, _| rising &= before.replace(type_id).is_none_or(|before| before < type_id))?;
        if rising { Ok(hello) } else { Err(Control::Hello.malformed("type ids do not rise")) }
    }

    /// Shows every offer. Fails only before it was found to be well-formed.
    fn each(&self, mut look: impl FnMut(u16, &Offer<'_>)) -> Result<(), LinkFault> {
        let mut fields = Fields::new(Control::Hello, &self.offers);
        let (mut layouts, mut variants, mut spans) = (Vec::new(), Vec::new(), Vec::new());
        while !fields.rest().is_empty() {
            layouts.clear();
            variants.clear();
            spans.clear();
            let (type_id, name, version) = (fields.u16()?, fields.text()?, fields.u16()?);
            for _ in 0..fields.u16()? {
                let (version, root_len, digest) = (fields.u16()?, fields.u32()?, fields.u64()?);
                layouts.push(Layout { version, root_len, digest });
            }
            if !layouts.is_sorted_by(|one, next| one.version < next.version) {
                return Err(Control::Hello.malformed("versions of layouts do not rise"));
            }
            for _ in 0..fields.u16()? {
                let (name, first, start) = (fields.text()?, fields.u8()?, variants.len());
                for _ in 0..fields.u16()? {
                    variants.push(fields.text()?);
                }
                spans.push((name, first, start..variants.len()));
            }
            let enums: Vec<GrownEnum<'_>> = spans
                .iter()
                .map(|(name, first, span): &(&str, u8, Range<usize>)| GrownEnum {
                    name,
                    first: *first,
                    variants: &variants[span.clone()],
                })
                .collect();
            look(type_id, &Offer { name, version, layouts: &layouts, enums: &enums });
        }
        Ok(())
    }
}

/// A message that two nodes do not exchange, though both know its type id.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Disagreement {
    /// The type id.
    pub type_id: u16,
    /// The message here.
    pub message: &'static str,
    /// What they contradict each other about, and what to do.
    pub cause: String,
}

/// Which messages two nodes exchange.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Agreement {
    agreed: Vec<u16>,
    /// The longest value that the peer reads, in bytes.
    pub(super) value_len_max: usize,
    /// The messages that both know and that mean two things.
    pub disabled: Vec<Disagreement>,
}

impl Agreement {
    /// Compares our offers with those of a peer, which gets the same answer. `ours` stands in the order of
    /// type ids.
    #[must_use]
    pub fn of(ours: &[(u16, Offer<'static>)], peer: &PeerHello) -> Self {
        let mut found = Self { value_len_max: peer.value_len_max as usize, ..Self::default() };
        let read = peer.each(|type_id, theirs| {
            let Ok(at) = ours.binary_search_by_key(&type_id, |(type_id, _)| *type_id) else { return };
            match ours[at].1.compare(theirs) {
                Ok(()) => found.agreed.push(type_id),
                Err(error) => {
                    let (message, cause) = (ours[at].1.name, error.to_string());
                    found.disabled.push(Disagreement { type_id, message, cause });
                }
            }
        });
        debug_assert!(read.is_ok(), "a Hello is read whole before anybody has it");
        found
    }

    /// The type ids of the messages that both know and mean alike, rising.
    #[must_use]
    pub fn agreed(&self) -> &[u16] {
        &self.agreed
    }
}
