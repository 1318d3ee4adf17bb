//! What a runtime knows of its messages.

use std::fmt::Write as _;

use mycelium::frame::Header;
use mycelium::rkyv::util::AlignedVec;
use mycelium::wire::{Contract, Messages, Untyped, ValueError, Visitor, Wire, valid};

use crate::{Encoded, Error};

/// The messages of a runtime, by rising type id.
#[derive(Clone, Debug, Default)]
pub struct Known {
    described: Vec<Described>,
    /// How the bytes of each are checked.
    checks: Vec<Check>,
}

#[derive(Clone, Copy, Debug)]
enum Check {
    /// By the contract.
    Untyped(Untyped),
    /// By the type that the program has.
    Typed(fn(&[u8], &Header) -> Result<(), ValueError>),
}

/// A message of a runtime's contract.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Described {
    /// Its `tlv_type`.
    pub type_id: u16,
    /// Its name.
    pub name: &'static str,
    /// The topic that carries it.
    pub topic: &'static str,
    /// Its current version.
    pub version: u16,
    /// How long the root of that version is, in bytes. A message of fixed size has no other bytes.
    pub root_len: u32,
    /// Whether it has a fixed size, so that its root is all of it.
    pub fixed: bool,
    /// The digest of that version, as generated code has it.
    pub digest: u64,
}

struct Collect(Vec<(Described, Check)>);

impl Visitor for Collect {
    fn typed<M: Wire>(&mut self) {
        let described = Described {
            type_id: M::TYPE_ID,
            name: M::NAME,
            topic: M::TOPIC,
            version: M::VERSION,
            root_len: M::ROOT_LEN,
            fixed: M::FIXED,
            digest: M::DIGEST,
        };
        let check = |bytes: &[u8], header: &Header| {
            let mut aligned = AlignedVec::<16>::with_capacity(bytes.len());
            aligned.extend_from_slice(bytes);
            valid::<M>(&aligned, header.version, header.root_len).map(drop)
        };
        self.0.push((described, Check::Typed(check)));
    }

    fn untyped(&mut self, message: Untyped) {
        let offer = message.offer();
        let described = Described {
            type_id: message.type_id(),
            name: message.name(),
            topic: message.topic(),
            version: offer.version,
            root_len: offer.root_len(),
            fixed: message.is_fixed(),
            digest: message.digest(),
        };
        self.0.push((described, Check::Untyped(message)));
    }
}

impl Known {
    /// The messages of a contract.
    #[must_use]
    pub fn of(messages: &impl Messages) -> Self {
        let mut all = Collect(Vec::new());
        messages.each(&mut all);
        all.0.sort_by_key(|(message, _)| message.type_id);
        let (described, checks) = all.0.into_iter().unzip();
        Self { described, checks }
    }

    /// All of them.
    #[must_use]
    pub fn all(&self) -> &[Described] {
        &self.described
    }

    /// The message with this type id.
    ///
    /// # Errors
    /// [`Error::UnknownType`].
    #[inline]
    pub fn get(&self, type_id: u16) -> Result<&Described, Error> {
        self.at(type_id).map(|at| &self.described[at])
    }

    /// Where the message with this type id is.
    #[inline]
    fn at(&self, type_id: u16) -> Result<usize, Error> {
        let at = self.described.binary_search_by_key(&type_id, |message| message.type_id);
        at.map_err(|_| Error::UnknownType { type_id })
    }

    /// A value of the current version of this message, if the bytes are one: what is told is checked as what
    /// is published is.
    ///
    /// # Errors
    /// [`Error::UnknownType`], [`Error::Value`].
    pub fn encoded(&self, type_id: u16, bytes: &[u8]) -> Result<Encoded, Error> {
        let at = self.at(type_id)?;
        let header = self.described[at].header();
        let checked = match self.checks[at] {
            Check::Untyped(layout) => {
                layout.check(bytes, header.version, header.root_len).map_err(ValueError::Wire)
            }
            Check::Typed(check) => check(bytes, &header),
        };
        checked.map_err(Error::Value)?;
        Ok(Encoded { header, bytes: bytes.to_vec() })
    }

    /// The digest of all: what generated code calls the schema's digest.
    #[must_use]
    pub fn digest(&self) -> u64 {
        let mut text = "mycelium schema 1\n".to_owned();
        for message in &self.described {
            let _ = writeln!(text, "{} {:016x}", message.type_id, message.digest);
        }
        fnv1a(&text)
    }

    /// Whether generated code with this digest of the schema has the same messages.
    ///
    /// # Errors
    /// [`Error::Digest`].
    pub fn check_schema(&self, program: u64) -> Result<(), Error> {
        same("the schema", self.digest(), program)
    }

    /// Whether generated code with this digest of one message has the same one.
    ///
    /// # Errors
    /// [`Error::Digest`], [`Error::UnknownType`].
    pub fn check_message(&self, type_id: u16, program: u64) -> Result<(), Error> {
        let message = self.get(type_id)?;
        same(&format!("the message {}", message.name), message.digest, program)
    }
}

impl Described {
    /// What a frame says of a value of the current version.
    #[must_use]
    #[inline]
    pub fn header(&self) -> Header {
        Header { type_id: self.type_id, version: self.version, root_len: self.root_len, ..Header::default() }
    }
}

/// Reads a contract: the YAML of `contracts.yaml`, or the table that was made of one.
pub(crate) fn read(text: &str, file: &str) -> Result<Contract, Error> {
    let wrong = |cause: &dyn std::fmt::Display| Error::Contract(cause.to_string());
    if text.starts_with("mycelium contract ") {
        return Contract::parse(text).map_err(|error| wrong(&format_args!("{file}: {error}")));
    }
    let contract = mycelium_contract::Contract::parse(text, file).map_err(|errors| wrong(&errors))?;
    Contract::parse(&contract.table()).map_err(|error| wrong(&error))
}

fn same(what: &str, runtime: u64, program: u64) -> Result<(), Error> {
    if runtime == program { Ok(()) } else { Err(Error::Digest { what: what.to_owned(), runtime, program }) }
}

/// FNV-1a of 64 bits, as `docs/wire.md` has it.
fn fnv1a(text: &str) -> u64 {
    text.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
    })
}
