// The types of contracts that came from one parent.

/// The branch `parent`.
pub mod parent {
// Generated from the contract mycelium.branches version 1: edit that, not this.

#[allow(missing_docs, dead_code, unreachable_pub, non_camel_case_types)]
#[allow(clippy::all, clippy::pedantic, rustdoc::all)]
mod generated_contracts {
    #[allow(unused_imports)]
    use ::mycelium_mailbox::{self as mycelium, rkyv, wire, Message as _, wire::Wire as _};
    #[allow(unused_imports)]
    use mycelium::scalar::{Decimal, I256, Timestamp, U256};

    /// The enum `Side`.
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, rkyv::Archive, rkyv::Serialize, rkyv::Deserialize)]
    #[rkyv(crate = mycelium::rkyv, derive(Clone, Copy, Debug, PartialEq, Eq, Hash))]
    #[repr(u8)]
    pub enum Side {
        /// The variant `Buy`.
        #[default]
        Buy,
        /// The variant `Sell`.
        Sell,
    }

    impl Side {
        /// All variants, in the order of the contract.
        pub const ALL: [Self; 2] = [Self::Buy, Self::Sell];

        /// The variant's name in the contract.
        #[must_use]
        pub const fn name(self) -> &'static str {
            match self {
                Self::Buy => "Buy",
                Self::Sell => "Sell",
            }
        }
    }

    impl ArchivedSide {
        /// The variant, copied out of the bytes.
        #[must_use]
        pub const fn to_native(&self) -> Side {
            match self {
                Self::Buy => Side::Buy,
                Self::Sell => Side::Sell,
            }
        }
    }

    const _: () = {
        assert!(size_of::<ArchivedSide>() == 1);
        assert!(align_of::<ArchivedSide>() == 1);
    };

    /// The struct `Leg`.
    #[derive(Clone, Copy, Debug, PartialEq, Default, rkyv::Archive, rkyv::Serialize, rkyv::Deserialize)]
    #[rkyv(crate = mycelium::rkyv, derive(Debug))]
    #[repr(C)]
    pub struct Leg {
        /// The field `side`.
        pub side: self::Side,
        /// The field `lots`.
        pub lots: u8,
    }

    const _: () = {
        assert!(size_of::<ArchivedLeg>() == 2);
        assert!(align_of::<ArchivedLeg>() == 1);
        assert!(::std::mem::offset_of!(ArchivedLeg, side) == 0);
        assert!(::std::mem::offset_of!(ArchivedLeg, lots) == 1);
    };

    impl Leg {
        /// Checks the rules of the contract.
        ///
        /// # Errors
        /// The first rule that the value breaks.
        pub fn validate(&self) -> Result<(), mycelium::ValidationError> {
            Ok(())
        }
    }

    /// The message `Order`.
    ///
    /// Topic `t`, type id 1, version 1, domain `d`.
    #[derive(Clone, Debug, PartialEq, Default, rkyv::Archive, rkyv::Serialize, rkyv::Deserialize)]
    #[rkyv(crate = mycelium::rkyv, derive(Debug))]
    pub struct Order {
        /// The field `legs`.
        pub legs: Vec<self::Leg>,
        /// The field `id`.
        pub id: u8,
    }

    const _: () = {
        assert!(size_of::<ArchivedOrder>() == 12);
        assert!(align_of::<ArchivedOrder>() == 4);
        assert!(::std::mem::offset_of!(ArchivedOrder, legs) == 0);
        assert!(::std::mem::offset_of!(ArchivedOrder, id) == 8);
    };

    impl mycelium::Message for Order {
        const NAME: &'static str = "Order";
        const TYPE_ID: u16 = 1;
        const TOPIC: &'static str = "t";
        const VERSION: u16 = 1;
        const DIGEST: u64 = 0x92ed7b23212a8256;
    }

    impl wire::Wire for Order {
        const LAYOUTS: &'static [wire::Layout] = &[
            wire::Layout { version: 1, root_len: 12, digest: 0x92ed7b23212a8256 },
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
            wire::Entry::of::<Order>(),
        ];
    }

    impl wire::Messages for Contract_ {
        fn each<Visitor_: wire::Visitor>(&self, visitor: &mut Visitor_) {
            visitor.typed::<Order>();
        }
    }
}

#[allow(unused_imports, unreachable_pub)]
pub use self::generated_contracts::*;
}

/// The branch `short`.
pub mod short {
// Generated from the contract mycelium.branches version 1: edit that, not this.

#[allow(missing_docs, dead_code, unreachable_pub, non_camel_case_types)]
#[allow(clippy::all, clippy::pedantic, rustdoc::all)]
mod generated_contracts {
    #[allow(unused_imports)]
    use ::mycelium_mailbox::{self as mycelium, rkyv, wire, Message as _, wire::Wire as _};
    #[allow(unused_imports)]
    use mycelium::scalar::{Decimal, I256, Timestamp, U256};

    /// The enum `Side`.
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, rkyv::Archive, rkyv::Serialize, rkyv::Deserialize)]
    #[rkyv(crate = mycelium::rkyv, derive(Clone, Copy, Debug, PartialEq, Eq, Hash))]
    #[repr(u8)]
    pub enum Side {
        /// The variant `Buy`.
        #[default]
        Buy,
        /// The variant `Sell`.
        Sell,
        /// The variant `Short`.
        Short,
    }

    impl Side {
        /// All variants, in the order of the contract.
        pub const ALL: [Self; 3] = [Self::Buy, Self::Sell, Self::Short];

        /// The variant's name in the contract.
        #[must_use]
        pub const fn name(self) -> &'static str {
            match self {
                Self::Buy => "Buy",
                Self::Sell => "Sell",
                Self::Short => "Short",
            }
        }
    }

    impl ArchivedSide {
        /// The variant, copied out of the bytes.
        #[must_use]
        pub const fn to_native(&self) -> Side {
            match self {
                Self::Buy => Side::Buy,
                Self::Sell => Side::Sell,
                Self::Short => Side::Short,
            }
        }
    }

    const _: () = {
        assert!(size_of::<ArchivedSide>() == 1);
        assert!(align_of::<ArchivedSide>() == 1);
    };

    /// The struct `Leg`.
    #[derive(Clone, Copy, Debug, PartialEq, Default, rkyv::Archive, rkyv::Serialize, rkyv::Deserialize)]
    #[rkyv(crate = mycelium::rkyv, derive(Debug))]
    #[repr(C)]
    pub struct Leg {
        /// The field `side`.
        pub side: self::Side,
        /// The field `lots`.
        pub lots: u8,
    }

    const _: () = {
        assert!(size_of::<ArchivedLeg>() == 2);
        assert!(align_of::<ArchivedLeg>() == 1);
        assert!(::std::mem::offset_of!(ArchivedLeg, side) == 0);
        assert!(::std::mem::offset_of!(ArchivedLeg, lots) == 1);
    };

    impl Leg {
        /// Checks the rules of the contract.
        ///
        /// # Errors
        /// The first rule that the value breaks.
        pub fn validate(&self) -> Result<(), mycelium::ValidationError> {
            Ok(())
        }
    }

    /// The message `Order`.
    ///
    /// Topic `t`, type id 1, version 1, domain `d`.
    #[derive(Clone, Debug, PartialEq, Default, rkyv::Archive, rkyv::Serialize, rkyv::Deserialize)]
    #[rkyv(crate = mycelium::rkyv, derive(Debug))]
    pub struct Order {
        /// The field `legs`.
        pub legs: Vec<self::Leg>,
        /// The field `id`.
        pub id: u8,
    }

    const _: () = {
        assert!(size_of::<ArchivedOrder>() == 12);
        assert!(align_of::<ArchivedOrder>() == 4);
        assert!(::std::mem::offset_of!(ArchivedOrder, legs) == 0);
        assert!(::std::mem::offset_of!(ArchivedOrder, id) == 8);
    };

    impl mycelium::Message for Order {
        const NAME: &'static str = "Order";
        const TYPE_ID: u16 = 1;
        const TOPIC: &'static str = "t";
        const VERSION: u16 = 1;
        const DIGEST: u64 = 0xee4752ba9288cd00;
    }

    impl wire::Wire for Order {
        const LAYOUTS: &'static [wire::Layout] = &[
            wire::Layout { version: 1, root_len: 12, digest: 0x92ed7b23212a8256 },
        ];
        const ENUMS: &'static [wire::GrownEnum<'static>] = &[
            wire::GrownEnum { name: "Side", first: 2, variants: &["Short"] },
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
            wire::Entry::of::<Order>(),
        ];
    }

    impl wire::Messages for Contract_ {
        fn each<Visitor_: wire::Visitor>(&self, visitor: &mut Visitor_) {
            visitor.typed::<Order>();
        }
    }
}

#[allow(unused_imports, unreachable_pub)]
pub use self::generated_contracts::*;
}

/// The branch `cancel`.
pub mod cancel {
// Generated from the contract mycelium.branches version 1: edit that, not this.

#[allow(missing_docs, dead_code, unreachable_pub, non_camel_case_types)]
#[allow(clippy::all, clippy::pedantic, rustdoc::all)]
mod generated_contracts {
    #[allow(unused_imports)]
    use ::mycelium_mailbox::{self as mycelium, rkyv, wire, Message as _, wire::Wire as _};
    #[allow(unused_imports)]
    use mycelium::scalar::{Decimal, I256, Timestamp, U256};

    /// The enum `Side`.
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, rkyv::Archive, rkyv::Serialize, rkyv::Deserialize)]
    #[rkyv(crate = mycelium::rkyv, derive(Clone, Copy, Debug, PartialEq, Eq, Hash))]
    #[repr(u8)]
    pub enum Side {
        /// The variant `Buy`.
        #[default]
        Buy,
        /// The variant `Sell`.
        Sell,
        /// The variant `Cancel`.
        Cancel,
    }

    impl Side {
        /// All variants, in the order of the contract.
        pub const ALL: [Self; 3] = [Self::Buy, Self::Sell, Self::Cancel];

        /// The variant's name in the contract.
        #[must_use]
        pub const fn name(self) -> &'static str {
            match self {
                Self::Buy => "Buy",
                Self::Sell => "Sell",
                Self::Cancel => "Cancel",
            }
        }
    }

    impl ArchivedSide {
        /// The variant, copied out of the bytes.
        #[must_use]
        pub const fn to_native(&self) -> Side {
            match self {
                Self::Buy => Side::Buy,
                Self::Sell => Side::Sell,
                Self::Cancel => Side::Cancel,
            }
        }
    }

    const _: () = {
        assert!(size_of::<ArchivedSide>() == 1);
        assert!(align_of::<ArchivedSide>() == 1);
    };

    /// The struct `Leg`.
    #[derive(Clone, Copy, Debug, PartialEq, Default, rkyv::Archive, rkyv::Serialize, rkyv::Deserialize)]
    #[rkyv(crate = mycelium::rkyv, derive(Debug))]
    #[repr(C)]
    pub struct Leg {
        /// The field `side`.
        pub side: self::Side,
        /// The field `lots`.
        pub lots: u8,
    }

    const _: () = {
        assert!(size_of::<ArchivedLeg>() == 2);
        assert!(align_of::<ArchivedLeg>() == 1);
        assert!(::std::mem::offset_of!(ArchivedLeg, side) == 0);
        assert!(::std::mem::offset_of!(ArchivedLeg, lots) == 1);
    };

    impl Leg {
        /// Checks the rules of the contract.
        ///
        /// # Errors
        /// The first rule that the value breaks.
        pub fn validate(&self) -> Result<(), mycelium::ValidationError> {
            Ok(())
        }
    }

    /// The message `Order`.
    ///
    /// Topic `t`, type id 1, version 1, domain `d`.
    #[derive(Clone, Debug, PartialEq, Default, rkyv::Archive, rkyv::Serialize, rkyv::Deserialize)]
    #[rkyv(crate = mycelium::rkyv, derive(Debug))]
    pub struct Order {
        /// The field `legs`.
        pub legs: Vec<self::Leg>,
        /// The field `id`.
        pub id: u8,
    }

    const _: () = {
        assert!(size_of::<ArchivedOrder>() == 12);
        assert!(align_of::<ArchivedOrder>() == 4);
        assert!(::std::mem::offset_of!(ArchivedOrder, legs) == 0);
        assert!(::std::mem::offset_of!(ArchivedOrder, id) == 8);
    };

    impl mycelium::Message for Order {
        const NAME: &'static str = "Order";
        const TYPE_ID: u16 = 1;
        const TOPIC: &'static str = "t";
        const VERSION: u16 = 1;
        const DIGEST: u64 = 0xe5dd529a5d6cd07d;
    }

    impl wire::Wire for Order {
        const LAYOUTS: &'static [wire::Layout] = &[
            wire::Layout { version: 1, root_len: 12, digest: 0x92ed7b23212a8256 },
        ];
        const ENUMS: &'static [wire::GrownEnum<'static>] = &[
            wire::GrownEnum { name: "Side", first: 2, variants: &["Cancel"] },
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
            wire::Entry::of::<Order>(),
        ];
    }

    impl wire::Messages for Contract_ {
        fn each<Visitor_: wire::Visitor>(&self, visitor: &mut Visitor_) {
            visitor.typed::<Order>();
        }
    }
}

#[allow(unused_imports, unreachable_pub)]
pub use self::generated_contracts::*;
}

/// The branch `cancel_later`.
pub mod cancel_later {
// Generated from the contract mycelium.branches version 1: edit that, not this.

#[allow(missing_docs, dead_code, unreachable_pub, non_camel_case_types)]
#[allow(clippy::all, clippy::pedantic, rustdoc::all)]
mod generated_contracts {
    #[allow(unused_imports)]
    use ::mycelium_mailbox::{self as mycelium, rkyv, wire, Message as _, wire::Wire as _};
    #[allow(unused_imports)]
    use mycelium::scalar::{Decimal, I256, Timestamp, U256};

    /// The enum `Side`.
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, rkyv::Archive, rkyv::Serialize, rkyv::Deserialize)]
    #[rkyv(crate = mycelium::rkyv, derive(Clone, Copy, Debug, PartialEq, Eq, Hash))]
    #[repr(u8)]
    pub enum Side {
        /// The variant `Buy`.
        #[default]
        Buy,
        /// The variant `Sell`.
        Sell,
        /// The variant `Cancel`.
        Cancel,
    }

    impl Side {
        /// All variants, in the order of the contract.
        pub const ALL: [Self; 3] = [Self::Buy, Self::Sell, Self::Cancel];

        /// The variant's name in the contract.
        #[must_use]
        pub const fn name(self) -> &'static str {
            match self {
                Self::Buy => "Buy",
                Self::Sell => "Sell",
                Self::Cancel => "Cancel",
            }
        }
    }

    impl ArchivedSide {
        /// The variant, copied out of the bytes.
        #[must_use]
        pub const fn to_native(&self) -> Side {
            match self {
                Self::Buy => Side::Buy,
                Self::Sell => Side::Sell,
                Self::Cancel => Side::Cancel,
            }
        }
    }

    const _: () = {
        assert!(size_of::<ArchivedSide>() == 1);
        assert!(align_of::<ArchivedSide>() == 1);
    };

    /// The struct `Leg`.
    #[derive(Clone, Copy, Debug, PartialEq, Default, rkyv::Archive, rkyv::Serialize, rkyv::Deserialize)]
    #[rkyv(crate = mycelium::rkyv, derive(Debug))]
    #[repr(C)]
    pub struct Leg {
        /// The field `side`.
        pub side: self::Side,
        /// The field `lots`.
        pub lots: u8,
    }

    const _: () = {
        assert!(size_of::<ArchivedLeg>() == 2);
        assert!(align_of::<ArchivedLeg>() == 1);
        assert!(::std::mem::offset_of!(ArchivedLeg, side) == 0);
        assert!(::std::mem::offset_of!(ArchivedLeg, lots) == 1);
    };

    impl Leg {
        /// Checks the rules of the contract.
        ///
        /// # Errors
        /// The first rule that the value breaks.
        pub fn validate(&self) -> Result<(), mycelium::ValidationError> {
            Ok(())
        }
    }

    /// The message `Order`.
    ///
    /// Topic `t`, type id 1, version 1, domain `d`.
    #[derive(Clone, Debug, PartialEq, Default, rkyv::Archive, rkyv::Serialize, rkyv::Deserialize)]
    #[rkyv(crate = mycelium::rkyv, derive(Debug))]
    pub struct Order {
        /// The field `legs`.
        pub legs: Vec<self::Leg>,
        /// The field `id`.
        pub id: u8,
    }

    const _: () = {
        assert!(size_of::<ArchivedOrder>() == 12);
        assert!(align_of::<ArchivedOrder>() == 4);
        assert!(::std::mem::offset_of!(ArchivedOrder, legs) == 0);
        assert!(::std::mem::offset_of!(ArchivedOrder, id) == 8);
    };

    impl mycelium::Message for Order {
        const NAME: &'static str = "Order";
        const TYPE_ID: u16 = 1;
        const TOPIC: &'static str = "t";
        const VERSION: u16 = 1;
        const DIGEST: u64 = 0xe5dd529a5d6cd07d;
    }

    impl wire::Wire for Order {
        const LAYOUTS: &'static [wire::Layout] = &[
            wire::Layout { version: 1, root_len: 12, digest: 0x92ed7b23212a8256 },
        ];
        const ENUMS: &'static [wire::GrownEnum<'static>] = &[
            wire::GrownEnum { name: "Side", first: 2, variants: &["Cancel"] },
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
            wire::Entry::of::<Order>(),
        ];
    }

    impl wire::Messages for Contract_ {
        fn each<Visitor_: wire::Visitor>(&self, visitor: &mut Visitor_) {
            visitor.typed::<Order>();
        }
    }
}

#[allow(unused_imports, unreachable_pub)]
pub use self::generated_contracts::*;
}

/// The branch `short_cover`.
pub mod short_cover {
// Generated from the contract mycelium.branches version 1: edit that, not this.

#[allow(missing_docs, dead_code, unreachable_pub, non_camel_case_types)]
#[allow(clippy::all, clippy::pedantic, rustdoc::all)]
mod generated_contracts {
    #[allow(unused_imports)]
    use ::mycelium_mailbox::{self as mycelium, rkyv, wire, Message as _, wire::Wire as _};
    #[allow(unused_imports)]
    use mycelium::scalar::{Decimal, I256, Timestamp, U256};

    /// The enum `Side`.
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, rkyv::Archive, rkyv::Serialize, rkyv::Deserialize)]
    #[rkyv(crate = mycelium::rkyv, derive(Clone, Copy, Debug, PartialEq, Eq, Hash))]
    #[repr(u8)]
    pub enum Side {
        /// The variant `Buy`.
        #[default]
        Buy,
        /// The variant `Sell`.
        Sell,
        /// The variant `Short`.
        Short,
        /// The variant `Cover`.
        Cover,
    }

    impl Side {
        /// All variants, in the order of the contract.
        pub const ALL: [Self; 4] = [Self::Buy, Self::Sell, Self::Short, Self::Cover];

        /// The variant's name in the contract.
        #[must_use]
        pub const fn name(self) -> &'static str {
            match self {
                Self::Buy => "Buy",
                Self::Sell => "Sell",
                Self::Short => "Short",
                Self::Cover => "Cover",
            }
        }
    }

    impl ArchivedSide {
        /// The variant, copied out of the bytes.
        #[must_use]
        pub const fn to_native(&self) -> Side {
            match self {
                Self::Buy => Side::Buy,
                Self::Sell => Side::Sell,
                Self::Short => Side::Short,
                Self::Cover => Side::Cover,
            }
        }
    }

    const _: () = {
        assert!(size_of::<ArchivedSide>() == 1);
        assert!(align_of::<ArchivedSide>() == 1);
    };

    /// The struct `Leg`.
    #[derive(Clone, Copy, Debug, PartialEq, Default, rkyv::Archive, rkyv::Serialize, rkyv::Deserialize)]
    #[rkyv(crate = mycelium::rkyv, derive(Debug))]
    #[repr(C)]
    pub struct Leg {
        /// The field `side`.
        pub side: self::Side,
        /// The field `lots`.
        pub lots: u8,
    }

    const _: () = {
        assert!(size_of::<ArchivedLeg>() == 2);
        assert!(align_of::<ArchivedLeg>() == 1);
        assert!(::std::mem::offset_of!(ArchivedLeg, side) == 0);
        assert!(::std::mem::offset_of!(ArchivedLeg, lots) == 1);
    };

    impl Leg {
        /// Checks the rules of the contract.
        ///
        /// # Errors
        /// The first rule that the value breaks.
        pub fn validate(&self) -> Result<(), mycelium::ValidationError> {
            Ok(())
        }
    }

    /// The message `Order`.
    ///
    /// Topic `t`, type id 1, version 1, domain `d`.
    #[derive(Clone, Debug, PartialEq, Default, rkyv::Archive, rkyv::Serialize, rkyv::Deserialize)]
    #[rkyv(crate = mycelium::rkyv, derive(Debug))]
    pub struct Order {
        /// The field `legs`.
        pub legs: Vec<self::Leg>,
        /// The field `id`.
        pub id: u8,
    }

    const _: () = {
        assert!(size_of::<ArchivedOrder>() == 12);
        assert!(align_of::<ArchivedOrder>() == 4);
        assert!(::std::mem::offset_of!(ArchivedOrder, legs) == 0);
        assert!(::std::mem::offset_of!(ArchivedOrder, id) == 8);
    };

    impl mycelium::Message for Order {
        const NAME: &'static str = "Order";
        const TYPE_ID: u16 = 1;
        const TOPIC: &'static str = "t";
        const VERSION: u16 = 1;
        const DIGEST: u64 = 0x4020b0dbc57a6a04;
    }

    impl wire::Wire for Order {
        const LAYOUTS: &'static [wire::Layout] = &[
            wire::Layout { version: 1, root_len: 12, digest: 0x92ed7b23212a8256 },
        ];
        const ENUMS: &'static [wire::GrownEnum<'static>] = &[
            wire::GrownEnum { name: "Side", first: 2, variants: &["Short", "Cover"] },
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
            wire::Entry::of::<Order>(),
        ];
    }

    impl wire::Messages for Contract_ {
        fn each<Visitor_: wire::Visitor>(&self, visitor: &mut Visitor_) {
            visitor.typed::<Order>();
        }
    }
}

#[allow(unused_imports, unreachable_pub)]
pub use self::generated_contracts::*;
}

/// The branch `short_cancel`.
pub mod short_cancel {
// Generated from the contract mycelium.branches version 1: edit that, not this.

#[allow(missing_docs, dead_code, unreachable_pub, non_camel_case_types)]
#[allow(clippy::all, clippy::pedantic, rustdoc::all)]
mod generated_contracts {
    #[allow(unused_imports)]
    use ::mycelium_mailbox::{self as mycelium, rkyv, wire, Message as _, wire::Wire as _};
    #[allow(unused_imports)]
    use mycelium::scalar::{Decimal, I256, Timestamp, U256};

    /// The enum `Side`.
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, rkyv::Archive, rkyv::Serialize, rkyv::Deserialize)]
    #[rkyv(crate = mycelium::rkyv, derive(Clone, Copy, Debug, PartialEq, Eq, Hash))]
    #[repr(u8)]
    pub enum Side {
        /// The variant `Buy`.
        #[default]
        Buy,
        /// The variant `Sell`.
        Sell,
        /// The variant `Short`.
        Short,
        /// The variant `Cancel`.
        Cancel,
    }

    impl Side {
        /// All variants, in the order of the contract.
        pub const ALL: [Self; 4] = [Self::Buy, Self::Sell, Self::Short, Self::Cancel];

        /// The variant's name in the contract.
        #[must_use]
        pub const fn name(self) -> &'static str {
            match self {
                Self::Buy => "Buy",
                Self::Sell => "Sell",
                Self::Short => "Short",
                Self::Cancel => "Cancel",
            }
        }
    }

    impl ArchivedSide {
        /// The variant, copied out of the bytes.
        #[must_use]
        pub const fn to_native(&self) -> Side {
            match self {
                Self::Buy => Side::Buy,
                Self::Sell => Side::Sell,
                Self::Short => Side::Short,
                Self::Cancel => Side::Cancel,
            }
        }
    }

    const _: () = {
        assert!(size_of::<ArchivedSide>() == 1);
        assert!(align_of::<ArchivedSide>() == 1);
    };

    /// The struct `Leg`.
    #[derive(Clone, Copy, Debug, PartialEq, Default, rkyv::Archive, rkyv::Serialize, rkyv::Deserialize)]
    #[rkyv(crate = mycelium::rkyv, derive(Debug))]
    #[repr(C)]
    pub struct Leg {
        /// The field `side`.
        pub side: self::Side,
        /// The field `lots`.
        pub lots: u8,
    }

    const _: () = {
        assert!(size_of::<ArchivedLeg>() == 2);
        assert!(align_of::<ArchivedLeg>() == 1);
        assert!(::std::mem::offset_of!(ArchivedLeg, side) == 0);
        assert!(::std::mem::offset_of!(ArchivedLeg, lots) == 1);
    };

    impl Leg {
        /// Checks the rules of the contract.
        ///
        /// # Errors
        /// The first rule that the value breaks.
        pub fn validate(&self) -> Result<(), mycelium::ValidationError> {
            Ok(())
        }
    }

    /// The message `Order`.
    ///
    /// Topic `t`, type id 1, version 1, domain `d`.
    #[derive(Clone, Debug, PartialEq, Default, rkyv::Archive, rkyv::Serialize, rkyv::Deserialize)]
    #[rkyv(crate = mycelium::rkyv, derive(Debug))]
    pub struct Order {
        /// The field `legs`.
        pub legs: Vec<self::Leg>,
        /// The field `id`.
        pub id: u8,
    }

    const _: () = {
        assert!(size_of::<ArchivedOrder>() == 12);
        assert!(align_of::<ArchivedOrder>() == 4);
        assert!(::std::mem::offset_of!(ArchivedOrder, legs) == 0);
        assert!(::std::mem::offset_of!(ArchivedOrder, id) == 8);
    };

    impl mycelium::Message for Order {
        const NAME: &'static str = "Order";
        const TYPE_ID: u16 = 1;
        const TOPIC: &'static str = "t";
        const VERSION: u16 = 1;
        const DIGEST: u64 = 0xe703d9af31de2c05;
    }

    impl wire::Wire for Order {
        const LAYOUTS: &'static [wire::Layout] = &[
            wire::Layout { version: 1, root_len: 12, digest: 0x92ed7b23212a8256 },
        ];
        const ENUMS: &'static [wire::GrownEnum<'static>] = &[
            wire::GrownEnum { name: "Side", first: 2, variants: &["Short", "Cancel"] },
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
            wire::Entry::of::<Order>(),
        ];
    }

    impl wire::Messages for Contract_ {
        fn each<Visitor_: wire::Visitor>(&self, visitor: &mut Visitor_) {
            visitor.typed::<Order>();
        }
    }
}

#[allow(unused_imports, unreachable_pub)]
pub use self::generated_contracts::*;
}

/// The branch `field`.
pub mod field {
// Generated from the contract mycelium.branches version 1: edit that, not this.

#[allow(missing_docs, dead_code, unreachable_pub, non_camel_case_types)]
#[allow(clippy::all, clippy::pedantic, rustdoc::all)]
mod generated_contracts {
    #[allow(unused_imports)]
    use ::mycelium_mailbox::{self as mycelium, rkyv, wire, Message as _, wire::Wire as _};
    #[allow(unused_imports)]
    use mycelium::scalar::{Decimal, I256, Timestamp, U256};

    /// The enum `Side`.
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, rkyv::Archive, rkyv::Serialize, rkyv::Deserialize)]
    #[rkyv(crate = mycelium::rkyv, derive(Clone, Copy, Debug, PartialEq, Eq, Hash))]
    #[repr(u8)]
    pub enum Side {
        /// The variant `Buy`.
        #[default]
        Buy,
        /// The variant `Sell`.
        Sell,
    }

    impl Side {
        /// All variants, in the order of the contract.
        pub const ALL: [Self; 2] = [Self::Buy, Self::Sell];

        /// The variant's name in the contract.
        #[must_use]
        pub const fn name(self) -> &'static str {
            match self {
                Self::Buy => "Buy",
                Self::Sell => "Sell",
            }
        }
    }

    impl ArchivedSide {
        /// The variant, copied out of the bytes.
        #[must_use]
        pub const fn to_native(&self) -> Side {
            match self {
                Self::Buy => Side::Buy,
                Self::Sell => Side::Sell,
            }
        }
    }

    const _: () = {
        assert!(size_of::<ArchivedSide>() == 1);
        assert!(align_of::<ArchivedSide>() == 1);
    };

    /// The struct `Leg`.
    #[derive(Clone, Copy, Debug, PartialEq, Default, rkyv::Archive, rkyv::Serialize, rkyv::Deserialize)]
    #[rkyv(crate = mycelium::rkyv, derive(Debug))]
    #[repr(C)]
    pub struct Leg {
        /// The field `side`.
        pub side: self::Side,
        /// The field `lots`.
        pub lots: u8,
    }

    const _: () = {
        assert!(size_of::<ArchivedLeg>() == 2);
        assert!(align_of::<ArchivedLeg>() == 1);
        assert!(::std::mem::offset_of!(ArchivedLeg, side) == 0);
        assert!(::std::mem::offset_of!(ArchivedLeg, lots) == 1);
    };

    impl Leg {
        /// Checks the rules of the contract.
        ///
        /// # Errors
        /// The first rule that the value breaks.
        pub fn validate(&self) -> Result<(), mycelium::ValidationError> {
            Ok(())
        }
    }

    /// The message `Order`.
    ///
    /// Topic `t`, type id 1, version 2, domain `d`.
    #[derive(Clone, Debug, PartialEq, rkyv::Archive, rkyv::Serialize, rkyv::Deserialize)]
    #[rkyv(crate = mycelium::rkyv, derive(Debug))]
    pub struct Order {
        /// The field `legs`.
        pub legs: Vec<self::Leg>,
        /// The field `id`.
        pub id: u8,
        /// The field `x`.
        pub x: u8,
    }

    impl Default for Order {
        fn default() -> Self {
            Self {
                legs: Default::default(),
                id: Default::default(),
                x: 1,
            }
        }
    }

    const _: () = {
        assert!(size_of::<ArchivedOrder>() == 12);
        assert!(align_of::<ArchivedOrder>() == 4);
        assert!(::std::mem::offset_of!(ArchivedOrder, legs) == 0);
        assert!(::std::mem::offset_of!(ArchivedOrder, id) == 8);
        assert!(::std::mem::offset_of!(ArchivedOrder, x) == 9);
    };

    impl Order {
        /// A message with the contract's default in every field that has one.
        #[must_use]
        pub fn new(legs: Vec<self::Leg>, id: u8) -> Self {
            Self {
                legs,
                id,
                x: 1,
            }
        }
    }

    impl mycelium::Message for Order {
        const NAME: &'static str = "Order";
        const TYPE_ID: u16 = 1;
        const TOPIC: &'static str = "t";
        const VERSION: u16 = 2;
        const DIGEST: u64 = 0x2f88917f1426db73;
    }

    impl wire::Wire for Order {
        const LAYOUTS: &'static [wire::Layout] = &[
            wire::Layout { version: 1, root_len: 12, digest: 0x92ed7b23212a8256 },
            wire::Layout { version: 2, root_len: 12, digest: 0x2f88917f1426db73 },
        ];

        fn upgrade(bytes: &[u8], version: u16) -> Result<Self, wire::WireError> {
            match version {
                1 => {
                    let old: Order_V1 = wire::decode_layout(Self::NAME, bytes)?;
                    Ok(Self {
                        legs: old.legs,
                        id: old.id,
                        x: 1,
                    })
                }
                _ => Err(wire::unknown_version::<Self>(version)),
            }
        }
    }

    /// `Order` as its version 1 was laid out.
    #[derive(rkyv::Archive, rkyv::Deserialize)]
    #[rkyv(crate = mycelium::rkyv)]
    struct Order_V1 {
        legs: Vec<self::Leg>,
        id: u8,
    }

    const _: () = {
        assert!(size_of::<ArchivedOrder_V1>() == 12);
        assert!(align_of::<ArchivedOrder_V1>() == 4);
        assert!(::std::mem::offset_of!(ArchivedOrder_V1, legs) == 0);
        assert!(::std::mem::offset_of!(ArchivedOrder_V1, id) == 8);
    };

    /// The messages of the contract: see [`CONTRACT`].
    #[derive(Clone, Copy, Debug)]
    pub struct Contract_;

    /// The messages of the contract, for a bus that frames go through: `MessageBus::builder().contract(CONTRACT)`.
    pub const CONTRACT: Contract_ = Contract_;

    impl Contract_ {
        /// What is known of each message without its type, in the order of the contract.
        pub const ENTRIES: &'static [wire::Entry] = &[
            wire::Entry::of::<Order>(),
        ];
    }

    impl wire::Messages for Contract_ {
        fn each<Visitor_: wire::Visitor>(&self, visitor: &mut Visitor_) {
            visitor.typed::<Order>();
        }
    }
}

#[allow(unused_imports, unreachable_pub)]
pub use self::generated_contracts::*;
}

/// The branch `other_field`.
pub mod other_field {
// Generated from the contract mycelium.branches version 1: edit that, not this.

#[allow(missing_docs, dead_code, unreachable_pub, non_camel_case_types)]
#[allow(clippy::all, clippy::pedantic, rustdoc::all)]
mod generated_contracts {
    #[allow(unused_imports)]
    use ::mycelium_mailbox::{self as mycelium, rkyv, wire, Message as _, wire::Wire as _};
    #[allow(unused_imports)]
    use mycelium::scalar::{Decimal, I256, Timestamp, U256};

    /// The enum `Side`.
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, rkyv::Archive, rkyv::Serialize, rkyv::Deserialize)]
    #[rkyv(crate = mycelium::rkyv, derive(Clone, Copy, Debug, PartialEq, Eq, Hash))]
    #[repr(u8)]
    pub enum Side {
        /// The variant `Buy`.
        #[default]
        Buy,
        /// The variant `Sell`.
        Sell,
    }

    impl Side {
        /// All variants, in the order of the contract.
        pub const ALL: [Self; 2] = [Self::Buy, Self::Sell];

        /// The variant's name in the contract.
        #[must_use]
        pub const fn name(self) -> &'static str {
            match self {
                Self::Buy => "Buy",
                Self::Sell => "Sell",
            }
        }
    }

    impl ArchivedSide {
        /// The variant, copied out of the bytes.
        #[must_use]
        pub const fn to_native(&self) -> Side {
            match self {
                Self::Buy => Side::Buy,
                Self::Sell => Side::Sell,
            }
        }
    }

    const _: () = {
        assert!(size_of::<ArchivedSide>() == 1);
        assert!(align_of::<ArchivedSide>() == 1);
    };

    /// The struct `Leg`.
    #[derive(Clone, Copy, Debug, PartialEq, Default, rkyv::Archive, rkyv::Serialize, rkyv::Deserialize)]
    #[rkyv(crate = mycelium::rkyv, derive(Debug))]
    #[repr(C)]
    pub struct Leg {
        /// The field `side`.
        pub side: self::Side,
        /// The field `lots`.
        pub lots: u8,
    }

    const _: () = {
        assert!(size_of::<ArchivedLeg>() == 2);
        assert!(align_of::<ArchivedLeg>() == 1);
        assert!(::std::mem::offset_of!(ArchivedLeg, side) == 0);
        assert!(::std::mem::offset_of!(ArchivedLeg, lots) == 1);
    };

    impl Leg {
        /// Checks the rules of the contract.
        ///
        /// # Errors
        /// The first rule that the value breaks.
        pub fn validate(&self) -> Result<(), mycelium::ValidationError> {
            Ok(())
        }
    }

    /// The message `Order`.
    ///
    /// Topic `t`, type id 1, version 2, domain `d`.
    #[derive(Clone, Debug, PartialEq, rkyv::Archive, rkyv::Serialize, rkyv::Deserialize)]
    #[rkyv(crate = mycelium::rkyv, derive(Debug))]
    pub struct Order {
        /// The field `legs`.
        pub legs: Vec<self::Leg>,
        /// The field `id`.
        pub id: u8,
        /// The field `y`.
        pub y: u8,
    }

    impl Default for Order {
        fn default() -> Self {
            Self {
                legs: Default::default(),
                id: Default::default(),
                y: 1,
            }
        }
    }

    const _: () = {
        assert!(size_of::<ArchivedOrder>() == 12);
        assert!(align_of::<ArchivedOrder>() == 4);
        assert!(::std::mem::offset_of!(ArchivedOrder, legs) == 0);
        assert!(::std::mem::offset_of!(ArchivedOrder, id) == 8);
        assert!(::std::mem::offset_of!(ArchivedOrder, y) == 9);
    };

    impl Order {
        /// A message with the contract's default in every field that has one.
        #[must_use]
        pub fn new(legs: Vec<self::Leg>, id: u8) -> Self {
            Self {
                legs,
                id,
                y: 1,
            }
        }
    }

    impl mycelium::Message for Order {
        const NAME: &'static str = "Order";
        const TYPE_ID: u16 = 1;
        const TOPIC: &'static str = "t";
        const VERSION: u16 = 2;
        const DIGEST: u64 = 0x3f9860bfb2ce0c60;
    }

    impl wire::Wire for Order {
        const LAYOUTS: &'static [wire::Layout] = &[
            wire::Layout { version: 1, root_len: 12, digest: 0x92ed7b23212a8256 },
            wire::Layout { version: 2, root_len: 12, digest: 0x3f9860bfb2ce0c60 },
        ];

        fn upgrade(bytes: &[u8], version: u16) -> Result<Self, wire::WireError> {
            match version {
                1 => {
                    let old: Order_V1 = wire::decode_layout(Self::NAME, bytes)?;
                    Ok(Self {
                        legs: old.legs,
                        id: old.id,
                        y: 1,
                    })
                }
                _ => Err(wire::unknown_version::<Self>(version)),
            }
        }
    }

    /// `Order` as its version 1 was laid out.
    #[derive(rkyv::Archive, rkyv::Deserialize)]
    #[rkyv(crate = mycelium::rkyv)]
    struct Order_V1 {
        legs: Vec<self::Leg>,
        id: u8,
    }

    const _: () = {
        assert!(size_of::<ArchivedOrder_V1>() == 12);
        assert!(align_of::<ArchivedOrder_V1>() == 4);
        assert!(::std::mem::offset_of!(ArchivedOrder_V1, legs) == 0);
        assert!(::std::mem::offset_of!(ArchivedOrder_V1, id) == 8);
    };

    /// The messages of the contract: see [`CONTRACT`].
    #[derive(Clone, Copy, Debug)]
    pub struct Contract_;

    /// The messages of the contract, for a bus that frames go through: `MessageBus::builder().contract(CONTRACT)`.
    pub const CONTRACT: Contract_ = Contract_;

    impl Contract_ {
        /// What is known of each message without its type, in the order of the contract.
        pub const ENTRIES: &'static [wire::Entry] = &[
            wire::Entry::of::<Order>(),
        ];
    }

    impl wire::Messages for Contract_ {
        fn each<Visitor_: wire::Visitor>(&self, visitor: &mut Visitor_) {
            visitor.typed::<Order>();
        }
    }
}

#[allow(unused_imports, unreachable_pub)]
pub use self::generated_contracts::*;
}

/// The branch `skipped`.
pub mod skipped {
// Generated from the contract mycelium.branches version 1: edit that, not this.

#[allow(missing_docs, dead_code, unreachable_pub, non_camel_case_types)]
#[allow(clippy::all, clippy::pedantic, rustdoc::all)]
mod generated_contracts {
    #[allow(unused_imports)]
    use ::mycelium_mailbox::{self as mycelium, rkyv, wire, Message as _, wire::Wire as _};
    #[allow(unused_imports)]
    use mycelium::scalar::{Decimal, I256, Timestamp, U256};

    /// The enum `Side`.
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, rkyv::Archive, rkyv::Serialize, rkyv::Deserialize)]
    #[rkyv(crate = mycelium::rkyv, derive(Clone, Copy, Debug, PartialEq, Eq, Hash))]
    #[repr(u8)]
    pub enum Side {
        /// The variant `Buy`.
        #[default]
        Buy,
        /// The variant `Sell`.
        Sell,
    }

    impl Side {
        /// All variants, in the order of the contract.
        pub const ALL: [Self; 2] = [Self::Buy, Self::Sell];

        /// The variant's name in the contract.
        #[must_use]
        pub const fn name(self) -> &'static str {
            match self {
                Self::Buy => "Buy",
                Self::Sell => "Sell",
            }
        }
    }

    impl ArchivedSide {
        /// The variant, copied out of the bytes.
        #[must_use]
        pub const fn to_native(&self) -> Side {
            match self {
                Self::Buy => Side::Buy,
                Self::Sell => Side::Sell,
            }
        }
    }

    const _: () = {
        assert!(size_of::<ArchivedSide>() == 1);
        assert!(align_of::<ArchivedSide>() == 1);
    };

    /// The struct `Leg`.
    #[derive(Clone, Copy, Debug, PartialEq, Default, rkyv::Archive, rkyv::Serialize, rkyv::Deserialize)]
    #[rkyv(crate = mycelium::rkyv, derive(Debug))]
    #[repr(C)]
    pub struct Leg {
        /// The field `side`.
        pub side: self::Side,
        /// The field `lots`.
        pub lots: u8,
    }

    const _: () = {
        assert!(size_of::<ArchivedLeg>() == 2);
        assert!(align_of::<ArchivedLeg>() == 1);
        assert!(::std::mem::offset_of!(ArchivedLeg, side) == 0);
        assert!(::std::mem::offset_of!(ArchivedLeg, lots) == 1);
    };

    impl Leg {
        /// Checks the rules of the contract.
        ///
        /// # Errors
        /// The first rule that the value breaks.
        pub fn validate(&self) -> Result<(), mycelium::ValidationError> {
            Ok(())
        }
    }

    /// The message `Order`.
    ///
    /// Topic `t`, type id 1, version 3, domain `d`.
    #[derive(Clone, Debug, PartialEq, rkyv::Archive, rkyv::Serialize, rkyv::Deserialize)]
    #[rkyv(crate = mycelium::rkyv, derive(Debug))]
    pub struct Order {
        /// The field `legs`.
        pub legs: Vec<self::Leg>,
        /// The field `id`.
        pub id: u8,
        /// The field `y`.
        pub y: u8,
    }

    impl Default for Order {
        fn default() -> Self {
            Self {
                legs: Default::default(),
                id: Default::default(),
                y: 1,
            }
        }
    }

    const _: () = {
        assert!(size_of::<ArchivedOrder>() == 12);
        assert!(align_of::<ArchivedOrder>() == 4);
        assert!(::std::mem::offset_of!(ArchivedOrder, legs) == 0);
        assert!(::std::mem::offset_of!(ArchivedOrder, id) == 8);
        assert!(::std::mem::offset_of!(ArchivedOrder, y) == 9);
    };

    impl Order {
        /// A message with the contract's default in every field that has one.
        #[must_use]
        pub fn new(legs: Vec<self::Leg>, id: u8) -> Self {
            Self {
                legs,
                id,
                y: 1,
            }
        }
    }

    impl mycelium::Message for Order {
        const NAME: &'static str = "Order";
        const TYPE_ID: u16 = 1;
        const TOPIC: &'static str = "t";
        const VERSION: u16 = 3;
        const DIGEST: u64 = 0x3f9860bfb2ce0c60;
    }

    impl wire::Wire for Order {
        const LAYOUTS: &'static [wire::Layout] = &[
            wire::Layout { version: 1, root_len: 12, digest: 0x92ed7b23212a8256 },
            wire::Layout { version: 3, root_len: 12, digest: 0x3f9860bfb2ce0c60 },
        ];

        fn upgrade(bytes: &[u8], version: u16) -> Result<Self, wire::WireError> {
            match version {
                1..=2 => {
                    let old: Order_V1 = wire::decode_layout(Self::NAME, bytes)?;
                    Ok(Self {
                        legs: old.legs,
                        id: old.id,
                        y: 1,
                    })
                }
                _ => Err(wire::unknown_version::<Self>(version)),
            }
        }
    }

    /// `Order` as its version 1 was laid out.
    #[derive(rkyv::Archive, rkyv::Deserialize)]
    #[rkyv(crate = mycelium::rkyv)]
    struct Order_V1 {
        legs: Vec<self::Leg>,
        id: u8,
    }

    const _: () = {
        assert!(size_of::<ArchivedOrder_V1>() == 12);
        assert!(align_of::<ArchivedOrder_V1>() == 4);
        assert!(::std::mem::offset_of!(ArchivedOrder_V1, legs) == 0);
        assert!(::std::mem::offset_of!(ArchivedOrder_V1, id) == 8);
    };

    /// The messages of the contract: see [`CONTRACT`].
    #[derive(Clone, Copy, Debug)]
    pub struct Contract_;

    /// The messages of the contract, for a bus that frames go through: `MessageBus::builder().contract(CONTRACT)`.
    pub const CONTRACT: Contract_ = Contract_;

    impl Contract_ {
        /// What is known of each message without its type, in the order of the contract.
        pub const ENTRIES: &'static [wire::Entry] = &[
            wire::Entry::of::<Order>(),
        ];
    }

    impl wire::Messages for Contract_ {
        fn each<Visitor_: wire::Visitor>(&self, visitor: &mut Visitor_) {
            visitor.typed::<Order>();
        }
    }
}

#[allow(unused_imports, unreachable_pub)]
pub use self::generated_contracts::*;
}

/// The branch `raised`.
pub mod raised {
// Generated from the contract mycelium.branches version 1: edit that, not this.

#[allow(missing_docs, dead_code, unreachable_pub, non_camel_case_types)]
#[allow(clippy::all, clippy::pedantic, rustdoc::all)]
mod generated_contracts {
    #[allow(unused_imports)]
    use ::mycelium_mailbox::{self as mycelium, rkyv, wire, Message as _, wire::Wire as _};
    #[allow(unused_imports)]
    use mycelium::scalar::{Decimal, I256, Timestamp, U256};

    /// The enum `Side`.
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, rkyv::Archive, rkyv::Serialize, rkyv::Deserialize)]
    #[rkyv(crate = mycelium::rkyv, derive(Clone, Copy, Debug, PartialEq, Eq, Hash))]
    #[repr(u8)]
    pub enum Side {
        /// The variant `Buy`.
        #[default]
        Buy,
        /// The variant `Sell`.
        Sell,
    }

    impl Side {
        /// All variants, in the order of the contract.
        pub const ALL: [Self; 2] = [Self::Buy, Self::Sell];

        /// The variant's name in the contract.
        #[must_use]
        pub const fn name(self) -> &'static str {
            match self {
                Self::Buy => "Buy",
                Self::Sell => "Sell",
            }
        }
    }

    impl ArchivedSide {
        /// The variant, copied out of the bytes.
        #[must_use]
        pub const fn to_native(&self) -> Side {
            match self {
                Self::Buy => Side::Buy,
                Self::Sell => Side::Sell,
            }
        }
    }

    const _: () = {
        assert!(size_of::<ArchivedSide>() == 1);
        assert!(align_of::<ArchivedSide>() == 1);
    };

    /// The struct `Leg`.
    #[derive(Clone, Copy, Debug, PartialEq, Default, rkyv::Archive, rkyv::Serialize, rkyv::Deserialize)]
    #[rkyv(crate = mycelium::rkyv, derive(Debug))]
    #[repr(C)]
    pub struct Leg {
        /// The field `side`.
        pub side: self::Side,
        /// The field `lots`.
        pub lots: u8,
    }

    const _: () = {
        assert!(size_of::<ArchivedLeg>() == 2);
        assert!(align_of::<ArchivedLeg>() == 1);
        assert!(::std::mem::offset_of!(ArchivedLeg, side) == 0);
        assert!(::std::mem::offset_of!(ArchivedLeg, lots) == 1);
    };

    impl Leg {
        /// Checks the rules of the contract.
        ///
        /// # Errors
        /// The first rule that the value breaks.
        pub fn validate(&self) -> Result<(), mycelium::ValidationError> {
            Ok(())
        }
    }

    /// The message `Order`.
    ///
    /// Topic `t`, type id 1, version 3, domain `d`.
    #[derive(Clone, Debug, PartialEq, Default, rkyv::Archive, rkyv::Serialize, rkyv::Deserialize)]
    #[rkyv(crate = mycelium::rkyv, derive(Debug))]
    pub struct Order {
        /// The field `legs`.
        pub legs: Vec<self::Leg>,
        /// The field `id`.
        pub id: u8,
    }

    const _: () = {
        assert!(size_of::<ArchivedOrder>() == 12);
        assert!(align_of::<ArchivedOrder>() == 4);
        assert!(::std::mem::offset_of!(ArchivedOrder, legs) == 0);
        assert!(::std::mem::offset_of!(ArchivedOrder, id) == 8);
    };

    impl mycelium::Message for Order {
        const NAME: &'static str = "Order";
        const TYPE_ID: u16 = 1;
        const TOPIC: &'static str = "t";
        const VERSION: u16 = 3;
        const DIGEST: u64 = 0x92ed7b23212a8256;
    }

    impl wire::Wire for Order {
        const LAYOUTS: &'static [wire::Layout] = &[
            wire::Layout { version: 1, root_len: 12, digest: 0x92ed7b23212a8256 },
        ];

        fn upgrade(bytes: &[u8], version: u16) -> Result<Self, wire::WireError> {
            match version {
                1..=2 => Self::decode(bytes),
                _ => Err(wire::unknown_version::<Self>(version)),
            }
        }
    }

    /// The messages of the contract: see [`CONTRACT`].
    #[derive(Clone, Copy, Debug)]
    pub struct Contract_;

    /// The messages of the contract, for a bus that frames go through: `MessageBus::builder().contract(CONTRACT)`.
    pub const CONTRACT: Contract_ = Contract_;

    impl Contract_ {
        /// What is known of each message without its type, in the order of the contract.
        pub const ENTRIES: &'static [wire::Entry] = &[
            wire::Entry::of::<Order>(),
        ];
    }

    impl wire::Messages for Contract_ {
        fn each<Visitor_: wire::Visitor>(&self, visitor: &mut Visitor_) {
            visitor.typed::<Order>();
        }
    }
}

#[allow(unused_imports, unreachable_pub)]
pub use self::generated_contracts::*;
}
