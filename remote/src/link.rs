//! The link between two nodes: what both say to each other so that a connection may be cut at any byte, and
//! any number of times, and no message is lost, doubled or out of order while both processes live.
//!
//! `docs/wire.md`, "Links", specifies the bytes. Nothing here reads a socket or a clock, waits, or draws a
//! number: the time is an argument in nanoseconds, of any clock that does not go back, and so are numbers
//! that must be hard to guess.
//!
//! - A [`Handshake`] belongs to one connection. It reads the peer's Hello, which names it, and its Accept,
//!   which says where the link stands.
//! - A [`Link`] belongs to one peer and outlives its connections. It numbers what is sent, keeps it until the
//!   peer has acknowledged it, and grants the peer credit for each message type.
//!
//! A host has a table of links by the names of peers. For each connection it makes a handshake, gives it
//! all frames, answers it with the [`Link::standing`] of the peer's link, and attaches the connection to
//! that link when the peer has accepted. From then on it gives the frames to [`Link::step`], writes what
//! [`Link::fill`] appends, and calls `step` with [`Input::Tick`] at [`Link::deadline`]. A host that would
//! save the copy writes messages from where the link keeps them ([`Link::unwritten`]).
//!
//! ```
//! use mycelium_remote::frame::{Decoder, Header};
//! use mycelium_remote::link::{
//!     Accept, Agreement, Greeting, Handshake, Hello, Input, Link, LinkConfig, Output,
//! };
//! # use mycelium_mailbox::wire::{Layout, Offer};
//!
//! # const OFFERS: &[(u16, Offer<'static>)] = &[(7, Offer {
//! #     name: "Tick", version: 1, layouts: &[Layout { version: 1, root_len: 8, digest: 1 }], enums: &[],
//! # })];
//! // Node `a` dials, node `b` answers; `to_b` and `to_a` stand for the connection.
//! let (mut a, mut b) = (Link::new(LinkConfig::default(), 0xa), Link::new(LinkConfig::default(), 0xb));
//! let (mut greet_a, mut greet_b) = (Handshake::new(0, 111), Handshake::new(0, 222));
//! let (mut to_a, mut to_b) = (Vec::new(), Vec::new());
//! Hello { name: "a", nonce: 111, value_len_max: 1 << 20, offers: OFFERS }.encode(&mut to_b)?;
//!
//! // Reads one frame of the handshake.
//! fn read(bytes: &mut Vec<u8>, greet: &mut Handshake) -> Greeting {
//!     let mut decoder = Decoder::new();
//!     assert_eq!(decoder.feed(bytes), bytes.len());
//!     let frame = decoder.next_frame().unwrap().unwrap();
//!     let greeting = greet.frame(&frame).unwrap();
//!     bytes.drain(..mycelium_remote::frame::frame_len(frame.value.len()));
//!     greeting
//! }
//! let Greeting::Hello(of_a) = read(&mut to_b, &mut greet_b) else { panic!() };
//! Hello { name: "b", nonce: 222, value_len_max: 1 << 20, offers: OFFERS }.encode(&mut to_a)?;
//! Accept { nonce: of_a.nonce(), standing: b.standing() }.encode(&mut to_a);
//! let Greeting::Hello(of_b) = read(&mut to_a, &mut greet_a) else { panic!() };
//! Accept { nonce: of_b.nonce(), standing: a.standing() }.encode(&mut to_b);
//! let Greeting::Accepted(by_b) = read(&mut to_a, &mut greet_a) else { panic!() };
//! let Greeting::Accepted(by_a) = read(&mut to_b, &mut greet_b) else { panic!() };
//! a.attach(0, 0, &Agreement::of(OFFERS, &of_b), &a.standing(), &by_b)?;
//! b.attach(0, 0, &Agreement::of(OFFERS, &of_a), &b.standing(), &by_a)?;
//!
//! // `b` subscribes to message type 7, `a` sends one.
//! let mut pump = |from: &mut Link, to: &mut Link| {
//!     let (mut bytes, mut got) = (Vec::new(), 0);
//!     from.fill(0, &mut bytes);
//!     let mut decoder = Decoder::new();
//!     assert_eq!(decoder.feed(&bytes), bytes.len());
//!     while let Some(frame) = decoder.next_frame().unwrap() {
//!         got += usize::from(matches!(to.step(0, Input::Frame(&frame)), Ok(Output::Message)));
//!     }
//!     got
//! };
//! b.step(0, Input::Want { type_id: 7, channel: Some(0) })?;
//! pump(&mut b, &mut a);
//! a.send(&Header { type_id: 7, version: 1, root_len: 8, ..Header::default() }, &[0; 8])?;
//! assert_eq!(pump(&mut a, &mut b), 1);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod control;
mod direct;
mod envelope;
mod event;
mod fault;
mod flow;
mod handshake;
mod hello;
mod machine;
mod outgoing;
mod probe;
mod stats;
mod window;

pub use control::{Accept, Ended, Reason, Reject, Standing};
pub use direct::{MAILBOX_LEN_MAX, MAILBOXES_MAX, MailboxState, Served, TAKES_MAX, Taken};
pub use envelope::{Direct, ENVELOPE_LEN, Failure, Question, message_of};
pub use event::{Attached, Input, Output};
pub use fault::{AttachError, LinkFault, SendError};
pub use handshake::{Greeting, Handshake};
pub(crate) use hello::is_name;
pub use hello::{Agreement, Disagreement, Hello, HelloError, PeerHello};
pub use machine::{Link, LinkConfig};
pub use outgoing::{Row, RowKind};
pub use probe::PINGS_MAX;
pub use stats::LinkStats;

/// The version of what links say to each other. Peers that speak different ones do not talk.
pub const VERSION: u16 = 2;
/// How the names of tools begin that look at a bus from outside: they are never waited for. The queues of
/// such a peer drop their oldest messages, and nothing is kept for it while it has no connection.
pub const TOOL_PREFIX: &str = "tool/";
/// The longest name of a node, in bytes.
pub const NAME_LEN_MAX: usize = 64;
/// The longest Hello that is read, in bytes. The decoder of a connection accepts no longer value before the
/// connection is attached.
pub const HELLO_LEN_MAX: usize = 1 << 20;
/// How long a handshake may take, in nanoseconds.
pub const HANDSHAKE_NS: u64 = 5_000_000_000;
