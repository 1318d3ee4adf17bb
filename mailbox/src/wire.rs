//! From a message to its bytes and back.
//!
//! The value on the wire is an rkyv archive (`docs/wire.md` specifies its layout). Types generated from a
//! contract implement [`Wire`]; [`Encoder`] writes them into a buffer that is kept, and [`Wire::access`]
//! checks bytes and then reads them where they lie.
//!
//! ```
//! use mycelium_mailbox::{Message, wire::{Encoder, Layout, Wire}};
//!
//! #[derive(Clone, Debug, PartialEq, rkyv::Archive, rkyv::Serialize, rkyv::Deserialize)]
//! struct Tick { price: i64, venue: String }
//!
//! impl Message for Tick {
//!     const NAME: &'static str = "Tick";
//!     const TYPE_ID: u16 = 7;
//!     const TOPIC: &'static str = "ticks";
//! }
//!
//! impl Wire for Tick {
//!     const LAYOUTS: &'static [Layout] = &[Layout { version: 1, root_len: Tick::ROOT_LEN, digest: 0 }];
//! }
//!
//! let tick = Tick { price: 42, venue: "a longer name".into() };
//! let mut encoder = Encoder::new();
//! let bytes = encoder.encode(&tick)?;
//!
//! let seen = Tick::access(bytes)?;
//! assert_eq!((seen.price.to_native(), seen.venue.as_str()), (42, "a longer name"));
//! assert_eq!(Tick::decode(bytes)?, tick);
//! # Ok::<(), mycelium_mailbox::wire::WireError>(())
//! ```

mod contract;
mod encoder;
mod error;
mod offer;
mod table;

use bytecheck::CheckBytes;
use rkyv::api::low::{LowDeserializer, LowSerializer, LowValidator};
use rkyv::bytecheck;
use rkyv::rancor::{BoxedError, Failure};
use rkyv::ser::allocator::ArenaHandle;
use rkyv::{Archive, Deserialize, Portable, Serialize};

use crate::Message;

pub use contract::{Contract, TableError, Untyped};
pub use encoder::{Encoder, Framed, ValueWriter};
pub use error::WireError;
pub use offer::{GrownEnum, Offer};
pub use table::{Entry, Messages, ValueError, Visitor, entries, valid};

/// The strictest alignment that a value may need, and the one at which it must be placed, in bytes.
pub const VALUE_ALIGN: usize = 8;
/// The longest value that is written, in bytes: relative pointers are signed 32 bits, strings take 30.
pub const VALUE_LEN_MAX: usize = 1 << 30;

/// How a message was laid out from some version on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Layout {
    /// The first version with this layout.
    pub version: u16,
    /// The length of the root, in bytes: the last bytes of every value.
    pub root_len: u32,
    /// The digest of the layout, which peers compare before they exchange messages. Of unit enums it covers
    /// what they had in their first release: [`Wire::ENUMS`] has the rest.
    pub digest: u64,
}

/// What a contract says that a topic keeps for subscribers that come late and ask for it.
#[derive(Debug)]
#[non_exhaustive]
pub enum DeclaredRetention<M> {
    /// The last so many messages.
    Last(u32),
    /// The last message of each key.
    LastPerKey {
        /// Gives a message its key.
        key: fn(&M) -> u64,
        /// The bound, in keys: beyond it, the key that was published longest ago is forgotten.
        keys_max: u32,
    },
}

/// A message that can leave its process.
///
/// Implemented by generated code; a type written by hand needs rkyv's three derives and [`Wire::LAYOUTS`].
/// Values of any version are read with [`Wire::view`] or [`Wire::decode_version`]: an older peer's lack
/// fields, which take their defaults; a newer peer's have fields too many, which are not looked at.
pub trait Wire:
    Message
    + Archive<Archived: Checked + Deserialize<Self, LowDeserializer<Failure>>>
    + for<'a, 'b> Serialize<LowSerializer<ValueWriter<'a>, ArenaHandle<'b>, Failure>>
{
    /// The length of the current version's root, in bytes.
    const ROOT_LEN: u32 = size_of::<Self::Archived>() as u32;

    /// The versions that changed the layout, ascending. The last holds up to [`Message::VERSION`].
    const LAYOUTS: &'static [Layout];

    /// The unit enums in the message that have gained variants since their first release.
    const ENUMS: &'static [GrownEnum<'static>] = &[];

    /// The type id of the message that answers it, if the contract gives one (`reply`).
    const REPLY: Option<u16> = None;

    /// What the contract says that its topic retains, on a bus or in an isolate that has the contract.
    const RETAIN: Option<DeclaredRetention<Self>> = None;

    /// All that a peer is told before it exchanges this message.
    const OFFER: Offer<'static> =
        Offer { name: Self::NAME, version: Self::VERSION, layouts: Self::LAYOUTS, enums: Self::ENUMS };

    /// The layout of `version`; `None` when it is newer than ours, or older than any we know.
    #[must_use]
    fn layout(version: u16) -> Option<&'static Layout> {
        Self::OFFER.layout(version)
    }

    /// Whether every value is exactly its root: nothing of it is a string or a list. Then other lengths are
    /// refused.
    const FIXED: bool = false;

    /// Checks `bytes` as a value of the current version and returns it in place, without a copy.
    ///
    /// `Ok` promises that every field can be read. It does not promise that the contract's rules hold: see
    /// [`Message::validate`].
    ///
    /// # Errors
    /// The bytes are too short, misaligned or no value of this type. A buffer aligned to [`VALUE_ALIGN`]
    /// always serves.
    #[inline]
    fn access(bytes: &[u8]) -> Result<&Self::Archived, WireError> {
        if Self::FIXED && bytes.len() > size_of::<Self::Archived>() {
            return Err(trailing(Self::NAME, bytes.len() - size_of::<Self::Archived>()));
        }
        access_root::<Self::Archived>(Self::NAME, bytes, size_of::<Self::Archived>())
    }

    /// Checks `bytes` as a value of the current version and returns it as an owned message.
    ///
    /// # Errors
    /// As [`Wire::access`].
    #[inline]
    fn decode(bytes: &[u8]) -> Result<Self, WireError> {
        own(Self::NAME, Self::access(bytes)?)
    }

    /// Checks `bytes` as a value of `version`, whose root is the last `root_len` bytes: both stand in the
    /// frame.
    ///
    /// The current version and newer ones are read in place; an older one is rebuilt, with the defaults of
    /// the contract for what it lacks.
    ///
    /// # Errors
    /// As [`Wire::access`], and [`WireError::Version`] when no such version exists or its root has another
    /// length.
    fn view(bytes: &[u8], version: u16, root_len: u32) -> Result<View<'_, Self>, WireError> {
        let wrong = || WireError::Version {
            message: Self::NAME,
            ours: Self::VERSION,
            got: version,
            root_len_expected: Self::layout(version).map(|layout| layout.root_len),
            root_len_got: root_len,
        };
        if version < Self::VERSION {
            return match Self::layout(version) {
                Some(known) if known.root_len == root_len => {
                    Self::upgrade(bytes, version).map(View::Upgraded)
                }
                _ => Err(wrong()),
            };
        }
        let newer = version > Self::VERSION;
        if root_len < Self::ROOT_LEN || (!newer && root_len > Self::ROOT_LEN) {
            return Err(wrong());
        }
        if !newer {
            return Self::access(bytes).map(View::Archived);
        }
        access_root::<Self::Archived>(Self::NAME, bytes, root_len as usize).map(View::Archived)
    }

    /// As [`Wire::view`], but always an owned message of the current version.
    ///
    /// # Errors
    /// As [`Wire::view`].
    #[inline(always)]
    fn decode_version(bytes: &[u8], version: u16, root_len: u32) -> Result<Self, WireError> {
        if version == Self::VERSION && root_len == Self::ROOT_LEN {
            return Self::decode(bytes);
        }
        decode_other(bytes, version, root_len)
    }

    /// Rebuilds a value of an older `version`. Called by [`Wire::view`], which has compared the root's
    /// length.
    ///
    /// # Errors
    /// As [`Wire::access`]. The provided method knows no older version and always fails.
    fn upgrade(bytes: &[u8], version: u16) -> Result<Self, WireError> {
        let _ = bytes;
        Err(unknown_version::<Self>(version))
    }

    /// Compares what a peer offers under this message's type id with what we know. Either side gets the same
    /// answer.
    ///
    /// `Ok` promises that both sides read what they exchange alike. It does not promise that they agree on
    /// defaults and rules, nor that the peer knows every variant that we write: it refuses one that it does
    /// not know.
    ///
    /// # Errors
    /// [`WireError::Name`] when the peer gave the type id to another message; [`WireError::Digest`] or
    /// [`WireError::Version`] when both sides know a version and disagree on its layout;
    /// [`WireError::Variant`] when they disagree on a tag of an enum; [`WireError::NoCommonVersion`] when
    /// there is no version that both know. Exchange this message with that peer only after `Ok`.
    fn compare_layouts(peer: &Offer<'_>) -> Result<(), WireError> {
        Self::OFFER.compare(peer)
    }
}

/// A value that was checked: in place, or rebuilt because its writer is older.
#[derive(Debug)]
pub enum View<'a, M: Wire> {
    /// Written by our version or a newer one; lies in the bytes that were given.
    Archived(&'a M::Archived),
    /// Written by an older version.
    Upgraded(M),
}

/// An archived type that can be checked. Implemented for every type that rkyv's derive makes.
pub trait Checked:
    Portable + for<'a> CheckBytes<LowValidator<'a, Failure>> + for<'a> CheckBytes<LowValidator<'a, BoxedError>>
{
}

impl<T> Checked for T where
    T: Portable
        + for<'a> CheckBytes<LowValidator<'a, Failure>>
        + for<'a> CheckBytes<LowValidator<'a, BoxedError>>
{
}

/// Decodes an older layout `T` of the message called `name`. For [`Wire::upgrade`] in generated code.
///
/// # Errors
/// As [`Wire::access`].
pub fn decode_layout<T>(name: &'static str, bytes: &[u8]) -> Result<T, WireError>
where
    T: Archive<Archived: Checked + Deserialize<T, LowDeserializer<Failure>>>,
{
    own(name, access_root::<T::Archived>(name, bytes, size_of::<T::Archived>())?)
}

/// As [`decode_layout`], for an older layout of fixed size: other lengths are refused.
///
/// # Errors
/// As [`Wire::access`].
pub fn decode_fixed_layout<T>(name: &'static str, bytes: &[u8]) -> Result<T, WireError>
where
    T: Archive<Archived: Checked + Deserialize<T, LowDeserializer<Failure>>>,
{
    match bytes.len().checked_sub(size_of::<T::Archived>()) {
        Some(extra @ 1..) => Err(trailing(name, extra)),
        _ => decode_layout(name, bytes),
    }
}

/// A value of another version than ours, or of one whose root has another length.
#[cold]
#[inline(never)]
fn decode_other<M: Wire>(bytes: &[u8], version: u16, root_len: u32) -> Result<M, WireError> {
    match M::view(bytes, version, root_len)? {
        View::Archived(archived) => own(M::NAME, archived),
        View::Upgraded(message) => Ok(message),
    }
}

/// The error of [`Wire::upgrade`] for a version that it does not know.
#[must_use]
pub fn unknown_version<M: Wire>(version: u16) -> WireError {
    WireError::Version {
        message: M::NAME,
        ours: M::VERSION,
        got: version,
        root_len_expected: M::layout(version).map(|layout| layout.root_len),
        root_len_got: 0,
    }
}

#[cold]
fn trailing(message: &'static str, extra: usize) -> WireError {
    WireError::Invalid { message, cause: format!("it is of fixed size, and {extra} bytes are too many") }
}

/// Checks the value whose root starts `root_len` bytes before the end.
#[inline]
fn access_root<'a, A: Checked>(
    name: &'static str,
    bytes: &'a [u8],
    root_len: usize,
) -> Result<&'a A, WireError> {
    const { assert!(align_of::<A>() <= VALUE_ALIGN, "values need at most 8 byte alignment") };
    // Bounds and alignment are rkyv's to check; what went wrong is found out afterwards.
    let at = bytes.len().checked_sub(root_len);
    match at.map(|at| rkyv::api::low::access_pos::<A, Failure>(bytes, at)) {
        Some(Ok(archived)) => Ok(archived),
        None | Some(Err(Failure)) => Err(explain::<A>(name, bytes, root_len)),
    }
}

/// Checks once more, slowly, to learn what is wrong.
#[cold]
#[inline(never)]
fn explain<A: Checked>(message: &'static str, bytes: &[u8], root_len: usize) -> WireError {
    let Some(at) = bytes.len().checked_sub(root_len) else {
        return WireError::Truncated { message, needed: root_len, got: bytes.len() };
    };
    let off_by = bytes.as_ptr() as usize % VALUE_ALIGN;
    if off_by != 0 {
        return WireError::Misaligned { message, align: VALUE_ALIGN, off_by };
    }
    let cause = match rkyv::api::low::access_pos::<A, BoxedError>(bytes, at) {
        Err(_) if at % align_of::<A>() != 0 => {
            format!("the root starts at byte {at}, which is no multiple of {}", align_of::<A>())
        }
        Err(error) => error.to_string(),
        // Only bytes that change while they are read get here.
        Ok(_) => "the bytes changed while they were checked: copy shared memory first".to_owned(),
    };
    WireError::Invalid { message, cause }
}

/// A checked value, copied out.
#[inline]
fn own<T, A>(message: &'static str, archived: &A) -> Result<T, WireError>
where
    A: Deserialize<T, LowDeserializer<Failure>>,
{
    // None of a contract's types can fail here: their pointers and tags were checked.
    rkyv::api::low::deserialize(archived).map_err(|Failure| WireError::Invalid {
        message,
        cause: "a checked value could not be copied".to_owned(),
    })
}
