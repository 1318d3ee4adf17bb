// Generated from the contract mycelium.large version 1: edit that, not this.

#[allow(missing_docs, dead_code, unreachable_pub, non_camel_case_types)]
#[allow(clippy::all, clippy::pedantic, rustdoc::all)]
mod generated_contracts {
    #[allow(unused_imports)]
    use ::mycelium::{self as mycelium, rkyv, wire, Message as _, wire::Wire as _};
    #[allow(unused_imports)]
    use mycelium::scalar::{Decimal, I256, Timestamp, U256};

    /// The struct `Level`.
    #[derive(Clone, Copy, Debug, PartialEq, Default, rkyv::Archive, rkyv::Serialize, rkyv::Deserialize)]
    #[rkyv(crate = mycelium::rkyv, derive(Debug))]
    #[repr(C)]
    pub struct Level {
        /// The field `price`.
        pub price: f64,
        /// The field `quantity`.
        pub quantity: f64,
        /// The field `orders`.
        pub orders: u32,
    }

    const _: () = {
        assert!(size_of::<ArchivedLevel>() == 24);
        assert!(align_of::<ArchivedLevel>() == 8);
        assert!(::std::mem::offset_of!(ArchivedLevel, price) == 0);
        assert!(::std::mem::offset_of!(ArchivedLevel, quantity) == 8);
        assert!(::std::mem::offset_of!(ArchivedLevel, orders) == 16);
    };

    impl Level {
        /// Checks the rules of the contract.
        ///
        /// # Errors
        /// The first rule that the value breaks.
        pub fn validate(&self) -> Result<(), mycelium::ValidationError> {
            Ok(())
        }
    }

    /// The message `Block`.
    ///
    /// Topic `blocks`, type id 1, version 1, domain `large`.
    #[derive(Clone, Copy, Debug, PartialEq, rkyv::Archive, rkyv::Serialize, rkyv::Deserialize)]
    #[rkyv(crate = mycelium::rkyv, derive(Debug))]
    #[repr(C)]
    pub struct Block {
        /// The field `bytes`.
        pub bytes: [u8; 8184],
        /// The field `count`.
        pub count: u64,
    }

    impl Default for Block {
        fn default() -> Self {
            Self {
                bytes: ::std::array::from_fn(|_| Default::default()),
                count: Default::default(),
            }
        }
    }

    const _: () = {
        assert!(size_of::<ArchivedBlock>() == 8192);
        assert!(align_of::<ArchivedBlock>() == 8);
        assert!(::std::mem::offset_of!(ArchivedBlock, bytes) == 0);
        assert!(::std::mem::offset_of!(ArchivedBlock, count) == 8184);
    };

    impl mycelium::Message for Block {
        const NAME: &'static str = "Block";
        const TYPE_ID: u16 = 1;
        const TOPIC: &'static str = "blocks";
        const VERSION: u16 = 1;
        const DIGEST: u64 = 0x6038fe30b6d373d9;
    }

    impl wire::Wire for Block {
        const FIXED: bool = true;
        const LAYOUTS: &'static [wire::Layout] = &[
            wire::Layout { version: 1, root_len: 8192, digest: 0x6038fe30b6d373d9 },
        ];
    }

    /// The message `Grown`.
    ///
    /// Topic `grown`, type id 2, version 2, domain `large`.
    #[derive(Clone, Copy, Debug, PartialEq, rkyv::Archive, rkyv::Serialize, rkyv::Deserialize)]
    #[rkyv(crate = mycelium::rkyv, derive(Debug))]
    #[repr(C)]
    pub struct Grown {
        /// The field `bytes`.
        pub bytes: [u8; 8176],
        /// The field `count`.
        pub count: u64,
        /// The field `more`.
        pub more: u8,
    }

    impl Default for Grown {
        fn default() -> Self {
            Self {
                bytes: ::std::array::from_fn(|_| Default::default()),
                count: Default::default(),
                more: 1,
            }
        }
    }

    const _: () = {
        assert!(size_of::<ArchivedGrown>() == 8192);
        assert!(align_of::<ArchivedGrown>() == 8);
        assert!(::std::mem::offset_of!(ArchivedGrown, bytes) == 0);
        assert!(::std::mem::offset_of!(ArchivedGrown, count) == 8176);
        assert!(::std::mem::offset_of!(ArchivedGrown, more) == 8184);
    };

    impl Grown {
        /// A message with the contract's default in every field that has one.
        #[must_use]
        pub fn new(bytes: [u8; 8176], count: u64) -> Self {
            Self {
                bytes,
                count,
                more: 1,
            }
        }
    }

    impl mycelium::Message for Grown {
        const NAME: &'static str = "Grown";
        const TYPE_ID: u16 = 2;
        const TOPIC: &'static str = "grown";
        const VERSION: u16 = 2;
        const DIGEST: u64 = 0x671f0c114fb20792;
    }

    impl wire::Wire for Grown {
        const FIXED: bool = true;
        const LAYOUTS: &'static [wire::Layout] = &[
            wire::Layout { version: 1, root_len: 8184, digest: 0x4a62df5f5a852f92 },
            wire::Layout { version: 2, root_len: 8192, digest: 0x671f0c114fb20792 },
        ];

        fn upgrade(bytes: &[u8], version: u16) -> Result<Self, wire::WireError> {
            match version {
                1 => {
                    let old: Grown_V1 = wire::decode_fixed_layout(Self::NAME, bytes)?;
                    Ok(Self {
                        bytes: old.bytes,
                        count: old.count,
                        more: 1,
                    })
                }
                _ => Err(wire::unknown_version::<Self>(version)),
            }
        }
    }

    /// `Grown` as its version 1 was laid out.
    #[derive(rkyv::Archive, rkyv::Deserialize)]
    #[rkyv(crate = mycelium::rkyv)]
    struct Grown_V1 {
        bytes: [u8; 8176],
        count: u64,
    }

    const _: () = {
        assert!(size_of::<ArchivedGrown_V1>() == 8184);
        assert!(align_of::<ArchivedGrown_V1>() == 8);
        assert!(::std::mem::offset_of!(ArchivedGrown_V1, bytes) == 0);
        assert!(::std::mem::offset_of!(ArchivedGrown_V1, count) == 8176);
    };

    /// The message `Names`.
    ///
    /// Topic `names`, type id 3, version 1, domain `large`.
    #[derive(Clone, Debug, PartialEq, rkyv::Archive, rkyv::Serialize, rkyv::Deserialize)]
    #[rkyv(crate = mycelium::rkyv, derive(Debug))]
    pub struct Names {
        /// The field `names`.
        pub names: [String; 341],
        /// The field `last`.
        pub last: u8,
    }

    impl Default for Names {
        fn default() -> Self {
            Self {
                names: ::std::array::from_fn(|_| Default::default()),
                last: Default::default(),
            }
        }
    }

    const _: () = {
        assert!(size_of::<ArchivedNames>() == 2732);
        assert!(align_of::<ArchivedNames>() == 4);
        assert!(::std::mem::offset_of!(ArchivedNames, names) == 0);
        assert!(::std::mem::offset_of!(ArchivedNames, last) == 2728);
    };

    impl mycelium::Message for Names {
        const NAME: &'static str = "Names";
        const TYPE_ID: u16 = 3;
        const TOPIC: &'static str = "names";
        const VERSION: u16 = 1;
        const DIGEST: u64 = 0xcbcb9444de049f69;
    }

    impl wire::Wire for Names {
        const LAYOUTS: &'static [wire::Layout] = &[
            wire::Layout { version: 1, root_len: 2732, digest: 0xcbcb9444de049f69 },
        ];
    }

    /// The message `Book`.
    ///
    /// Topic `books`, type id 4, version 1, domain `large`.
    #[derive(Clone, Copy, Debug, PartialEq, rkyv::Archive, rkyv::Serialize, rkyv::Deserialize)]
    #[rkyv(crate = mycelium::rkyv, derive(Debug))]
    #[repr(C)]
    pub struct Book {
        /// The field `levels`.
        pub levels: [self::Level; 341],
        /// The field `last`.
        pub last: u64,
    }

    impl Default for Book {
        fn default() -> Self {
            Self {
                levels: ::std::array::from_fn(|_| Default::default()),
                last: Default::default(),
            }
        }
    }

    const _: () = {
        assert!(size_of::<ArchivedBook>() == 8192);
        assert!(align_of::<ArchivedBook>() == 8);
        assert!(::std::mem::offset_of!(ArchivedBook, levels) == 0);
        assert!(::std::mem::offset_of!(ArchivedBook, last) == 8184);
    };

    impl mycelium::Message for Book {
        const NAME: &'static str = "Book";
        const TYPE_ID: u16 = 4;
        const TOPIC: &'static str = "books";
        const VERSION: u16 = 1;
        const DIGEST: u64 = 0xc8b49f8fb570d26b;
    }

    impl wire::Wire for Book {
        const FIXED: bool = true;
        const LAYOUTS: &'static [wire::Layout] = &[
            wire::Layout { version: 1, root_len: 8192, digest: 0xc8b49f8fb570d26b },
        ];
    }

    /// The message `Maybe`.
    ///
    /// Topic `maybe`, type id 5, version 1, domain `large`.
    #[derive(Clone, Copy, Debug, PartialEq, rkyv::Archive, rkyv::Serialize, rkyv::Deserialize)]
    #[rkyv(crate = mycelium::rkyv, derive(Debug))]
    #[repr(C)]
    pub struct Maybe {
        /// The field `values`.
        pub values: [Option<u64>; 512],
    }

    impl Default for Maybe {
        fn default() -> Self {
            Self {
                values: ::std::array::from_fn(|_| Default::default()),
            }
        }
    }

    const _: () = {
        assert!(size_of::<ArchivedMaybe>() == 8192);
        assert!(align_of::<ArchivedMaybe>() == 8);
        assert!(::std::mem::offset_of!(ArchivedMaybe, values) == 0);
    };

    impl mycelium::Message for Maybe {
        const NAME: &'static str = "Maybe";
        const TYPE_ID: u16 = 5;
        const TOPIC: &'static str = "maybe";
        const VERSION: u16 = 1;
        const DIGEST: u64 = 0xfe3e9b25a7dfcb2f;
    }

    impl wire::Wire for Maybe {
        const FIXED: bool = true;
        const LAYOUTS: &'static [wire::Layout] = &[
            wire::Layout { version: 1, root_len: 8192, digest: 0xfe3e9b25a7dfcb2f },
        ];
    }

    /// The message `Chunks`.
    ///
    /// Topic `chunks`, type id 6, version 1, domain `large`.
    #[derive(Clone, Debug, PartialEq, rkyv::Archive, rkyv::Serialize, rkyv::Deserialize)]
    #[rkyv(crate = mycelium::rkyv, derive(Debug))]
    pub struct Chunks {
        /// The field `chunks`.
        pub chunks: Vec<[u8; 8192]>,
        /// The field `ruled`.
        pub ruled: [u8; 8168],
    }

    impl Default for Chunks {
        fn default() -> Self {
            Self {
                chunks: Default::default(),
                ruled: ::std::array::from_fn(|_| Default::default()),
            }
        }
    }

    const _: () = {
        assert!(size_of::<ArchivedChunks>() == 8176);
        assert!(align_of::<ArchivedChunks>() == 4);
        assert!(::std::mem::offset_of!(ArchivedChunks, chunks) == 0);
        assert!(::std::mem::offset_of!(ArchivedChunks, ruled) == 8);
    };

    impl mycelium::Message for Chunks {
        const NAME: &'static str = "Chunks";
        const TYPE_ID: u16 = 6;
        const TOPIC: &'static str = "chunks";
        const VERSION: u16 = 1;
        const DIGEST: u64 = 0x773103c7f0fa718b;

        fn validate(&self) -> Result<(), mycelium::ValidationError> {
            for (at0, item0) in self.ruled.iter().enumerate() {
                if !(*item0 <= 9) {
                    return Err(mycelium::ValidationError::broken(Self::NAME, format!("{}[{at0}]", "ruled"), &*item0, "at most 9"));
                }
            }
            Ok(())
        }
    }

    impl wire::Wire for Chunks {
        const LAYOUTS: &'static [wire::Layout] = &[
            wire::Layout { version: 1, root_len: 8176, digest: 0x773103c7f0fa718b },
        ];
    }

    /// The messages of the contract: see [`CONTRACT`].
    #[derive(Clone, Copy, Debug)]
    pub struct Contract_;

    /// The messages of the contract, for a bus that frames go through: `MessageBus::builder().contract(CONTRACT)`.
    pub const CONTRACT: Contract_ = Contract_;

    impl Contract_ {
        /// What is known of each message without its type, in the order of the contract.
        pub const ENTRIES: &'static [wire::Entry] = &[
            wire::Entry::of::<Block>(),
            wire::Entry::of::<Grown>(),
            wire::Entry::of::<Names>(),
            wire::Entry::of::<Book>(),
            wire::Entry::of::<Maybe>(),
            wire::Entry::of::<Chunks>(),
        ];
    }

    impl wire::Messages for Contract_ {
        fn each<Visitor_: wire::Visitor>(&self, visitor: &mut Visitor_) {
            visitor.typed::<Block>();
            visitor.typed::<Grown>();
            visitor.typed::<Names>();
            visitor.typed::<Book>();
            visitor.typed::<Maybe>();
            visitor.typed::<Chunks>();
        }
    }
}

#[allow(unused_imports, unreachable_pub)]
pub use self::generated_contracts::*;
