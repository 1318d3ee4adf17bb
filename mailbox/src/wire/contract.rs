//! Messages whose types the process does not have: their layouts, loaded at run time.

mod check;
mod parse;
mod text;

use std::fmt;

use super::{GrownEnum, Layout, Messages, Offer, Visitor, WireError};

pub use self::parse::TableError;

/// A contract that was loaded at run time. A bus that is given one carries its messages without their Rust
/// types: values are checked against the layouts, and go through as bytes.
///
/// It is made of the *table* of a contract, a text that `mycelium_contract::Contract::table` writes and
/// `docs/wire.md` describes. Its content lives as long as the process, a few hundred bytes for each
/// message: load a contract once, and hand copies on.
///
/// ```
/// use mycelium_mailbox::wire::Contract;
///
/// let contract = Contract::parse(
///     "mycelium contract 1\nschema acme.trading 1\nmessage Quote 7 1 quotes\nfield price 1 f64\nfield venue 1 String\n",
/// )?;
/// let quote = contract.message(7).unwrap();
/// assert_eq!((quote.name(), quote.topic(), quote.offer().layouts[0].root_len), ("Quote", "quotes", 16));
///
/// let mut bytes = 1.5_f64.to_le_bytes().to_vec();
/// bytes.extend_from_slice(b"XNAS\xff\xff\xff\xff");
/// quote.check(&bytes, 1, 16)?;
/// bytes[8] = 0xc0; // no UTF-8
/// assert!(quote.check(&bytes, 1, 16).is_err());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy)]
pub struct Contract(&'static Loaded);

struct Loaded {
    definitions: Vec<Definition>,
    /// By rising type id.
    messages: Vec<Loose>,
}

/// A message of a [`Contract`].
#[derive(Clone, Copy)]
pub struct Untyped {
    contract: Contract,
    message: &'static Loose,
}

/// What is known of one message.
struct Loose {
    type_id: u16,
    name: &'static str,
    topic: &'static str,
    /// The type id of its answer.
    reply: Option<u16>,
    offer: Offer<'static>,
    digest: u64,
    fields: Vec<Part>,
    /// Of each layout of the offer: how many fields it has, how its root is aligned, and whether that is all.
    roots: Vec<Root>,
    /// Whether a value is its root and nothing else.
    fixed: bool,
    /// Whether any bytes of the right length are a value.
    trivial: bool,
}

struct Root {
    fields: usize,
    align: usize,
    fixed: bool,
}

/// A field, and where it lies in its record.
struct Part {
    offset: usize,
    ty: Ty,
}

/// A struct, or an enum with the parts of each variant behind its tag.
struct Definition {
    name: String,
    room: Room,
    shape: Shape,
    /// As the digests of first releases and of everything have it.
    first: u64,
    all: u64,
    /// The enums in it that have grown, itself included: indices of definitions.
    grown: Vec<usize>,
    /// How deep definitions are nested in it.
    depth: usize,
    /// Whether any bytes are a value.
    trivial: bool,
    /// The unit enum's variants after the first release.
    gained: Option<GrownEnum<'static>>,
}

enum Shape {
    Struct(Vec<Part>),
    Enum(Vec<Vec<Part>>),
}

/// A type, as far as its bytes go.
enum Ty {
    /// A number: any bytes will do.
    Plain(usize),
    Bool,
    Decimal,
    /// Four 64-bit limbs.
    Wide,
    String,
    List(Box<Ty>),
    Array(Box<Ty>, usize),
    Option(Box<Ty>),
    Defined(usize),
}

/// How much room a value takes where it stands, in bytes.
#[derive(Clone, Copy)]
struct Room {
    size: usize,
    align: usize,
    /// Whether nothing of it lies elsewhere.
    fixed: bool,
}

impl Contract {
    /// Reads the table of a contract.
    ///
    /// # Errors
    /// The first line that is wrong, and why. Time and memory are bounded whatever the text.
    pub fn parse(table: &str) -> Result<Self, TableError> {
        parse::parse(table).map(|loaded| Self(Box::leak(Box::new(loaded))))
    }

    /// The message with this type id.
    #[must_use]
    pub fn message(&self, type_id: u16) -> Option<Untyped> {
        let at = self.0.messages.binary_search_by_key(&type_id, |message| message.type_id).ok()?;
        Some(Untyped { contract: *self, message: &self.0.messages[at] })
    }

    /// All messages, by rising type id.
    pub fn messages(&self) -> impl Iterator<Item = Untyped> + use<> {
        let contract = *self;
        contract.0.messages.iter().map(move |message| Untyped { contract, message })
    }
}

impl Messages for Contract {
    fn each<V: Visitor>(&self, visitor: &mut V) {
        self.messages().for_each(|message| visitor.untyped(message));
    }
}

impl Untyped {
    /// The `tlv_type` of the contract.
    #[must_use]
    pub fn type_id(&self) -> u16 {
        self.message.type_id
    }

    /// The message's name.
    #[must_use]
    pub fn name(&self) -> &'static str {
        self.message.name
    }

    /// The topic that carries it.
    #[must_use]
    pub fn topic(&self) -> &'static str {
        self.message.topic
    }

    /// The type id of the message that answers it, if the contract gives one (`reply`).
    #[must_use]
    pub fn reply(&self) -> Option<u16> {
        self.message.reply
    }

    /// Whether all its values have the length of their root.
    #[must_use]
    pub fn is_fixed(&self) -> bool {
        self.message.fixed
    }

    /// What a peer is told.
    #[must_use]
    pub fn offer(&self) -> Offer<'static> {
        self.message.offer
    }

    /// The digest of the current version and of all variants of its enums, as
    /// [`Message::DIGEST`](crate::Message::DIGEST).
    #[must_use]
    pub fn digest(&self) -> u64 {
        self.message.digest
    }

    /// Whether these bytes are a value of `version`, whose root is the last `root_len` bytes: they are,
    /// exactly if [`Wire::view`](super::Wire::view) of the generated type says so. The rules of the contract
    /// (`validation`) are not part of this.
    ///
    /// # Errors
    /// As [`Wire::view`](super::Wire::view), but for the alignment of the bytes in memory, which does not
    /// matter here.
    pub fn check(&self, bytes: &[u8], version: u16, root_len: u32) -> Result<(), WireError> {
        check::check(self, bytes, version, root_len)
    }

    /// The same for values of `each` bytes that lie one behind the other, of which the last may be shorter.
    /// Where any bytes of the right length are a value, that is one look for all of them.
    ///
    /// # Errors
    /// The first one that is none, and how many were before it.
    pub fn check_many(
        &self,
        bytes: &[u8],
        each: usize,
        version: u16,
        root_len: u32,
    ) -> Result<(), (usize, WireError)> {
        let each = each.max(1);
        let check = |(at, value)| self.check(value, version, root_len).map_err(|error| (at, error));
        let mut values = bytes.chunks(each).enumerate();
        if !self.message.trivial {
            return values.try_for_each(check);
        }
        // What it says depends on the length alone, and all but the last have the same.
        let last = values.len().checked_sub(1).and_then(|last| values.clone().nth(last));
        values.next().into_iter().chain(last).try_for_each(check)
    }
}

impl fmt::Debug for Contract {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.messages()).finish()
    }
}

impl fmt::Debug for Untyped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Loose { type_id, name, topic, .. } = self.message;
        f.debug_struct("Untyped").field("type_id", type_id).field("name", name).field("topic", topic).finish()
    }
}
