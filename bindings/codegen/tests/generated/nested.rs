// Generated from the contract deepest version 1: edit that, not this.

#[allow(missing_docs, dead_code, unreachable_pub, non_camel_case_types)]
#[allow(clippy::all, clippy::pedantic, rustdoc::all)]
mod generated_contracts {
    #[allow(unused_imports)]
    use ::mycelium_mailbox::{self as mycelium, rkyv, wire, Message as _, wire::Wire as _};
    #[allow(unused_imports)]
    use mycelium::scalar::{Decimal, I256, Timestamp, U256};

    /// The enum `List4`.
    #[derive(Clone, Debug, PartialEq, rkyv::Archive, rkyv::Serialize, rkyv::Deserialize)]
    #[rkyv(crate = mycelium::rkyv, derive(Debug))]
    pub enum List4 {
        /// The variant `A`.
        A {
            /// The field `x`.
            x: Vec<Vec<Vec<Vec<Vec<Vec<Vec<self::List3>>>>>>>,
        },
    }

    impl Default for List4 {
        fn default() -> Self {
            Self::A {
                x: Default::default(),
            }
        }
    }

    impl List4 {
        /// Checks the rules of the contract.
        ///
        /// # Errors
        /// The first rule that the value breaks.
        pub fn validate(&self) -> Result<(), mycelium::ValidationError> {
            Ok(())
        }
    }

    const _: () = {
        assert!(size_of::<ArchivedList4>() == 12);
        assert!(align_of::<ArchivedList4>() == 4);
    };

    /// The struct `List0`.
    #[derive(Clone, Debug, PartialEq, Default, rkyv::Archive, rkyv::Serialize, rkyv::Deserialize)]
    #[rkyv(crate = mycelium::rkyv, derive(Debug))]
    pub struct List0 {
        /// The field `x`.
        pub x: String,
    }

    const _: () = {
        assert!(size_of::<ArchivedList0>() == 8);
        assert!(align_of::<ArchivedList0>() == 4);
        assert!(::std::mem::offset_of!(ArchivedList0, x) == 0);
    };

    impl List0 {
        /// Checks the rules of the contract.
        ///
        /// # Errors
        /// The first rule that the value breaks.
        pub fn validate(&self) -> Result<(), mycelium::ValidationError> {
            Ok(())
        }
    }

    /// The struct `Array0`.
    #[derive(Clone, Copy, Debug, PartialEq, Default, rkyv::Archive, rkyv::Serialize, rkyv::Deserialize)]
    #[rkyv(crate = mycelium::rkyv, derive(Debug))]
    #[repr(C)]
    pub struct Array0 {
        /// The field `x`.
        pub x: u8,
    }

    const _: () = {
        assert!(size_of::<ArchivedArray0>() == 1);
        assert!(align_of::<ArchivedArray0>() == 1);
        assert!(::std::mem::offset_of!(ArchivedArray0, x) == 0);
    };

    impl Array0 {
        /// Checks the rules of the contract.
        ///
        /// # Errors
        /// The first rule that the value breaks.
        pub fn validate(&self) -> Result<(), mycelium::ValidationError> {
            Ok(())
        }
    }

    /// The struct `List1`.
    #[derive(Clone, Debug, PartialEq, Default, rkyv::Archive, rkyv::Serialize, rkyv::Deserialize)]
    #[rkyv(crate = mycelium::rkyv, derive(Debug))]
    pub struct List1 {
        /// The field `x`.
        pub x: Vec<Vec<Vec<Vec<Vec<Vec<Vec<self::List0>>>>>>>,
    }

    const _: () = {
        assert!(size_of::<ArchivedList1>() == 8);
        assert!(align_of::<ArchivedList1>() == 4);
        assert!(::std::mem::offset_of!(ArchivedList1, x) == 0);
    };

    impl List1 {
        /// Checks the rules of the contract.
        ///
        /// # Errors
        /// The first rule that the value breaks.
        pub fn validate(&self) -> Result<(), mycelium::ValidationError> {
            Ok(())
        }
    }

    /// The struct `List2`.
    #[derive(Clone, Debug, PartialEq, Default, rkyv::Archive, rkyv::Serialize, rkyv::Deserialize)]
    #[rkyv(crate = mycelium::rkyv, derive(Debug))]
    pub struct List2 {
        /// The field `x`.
        pub x: Vec<Vec<Vec<Vec<Vec<Vec<Vec<self::List1>>>>>>>,
    }

    const _: () = {
        assert!(size_of::<ArchivedList2>() == 8);
        assert!(align_of::<ArchivedList2>() == 4);
        assert!(::std::mem::offset_of!(ArchivedList2, x) == 0);
    };

    impl List2 {
        /// Checks the rules of the contract.
        ///
        /// # Errors
        /// The first rule that the value breaks.
        pub fn validate(&self) -> Result<(), mycelium::ValidationError> {
            Ok(())
        }
    }

    /// The struct `List3`.
    #[derive(Clone, Debug, PartialEq, Default, rkyv::Archive, rkyv::Serialize, rkyv::Deserialize)]
    #[rkyv(crate = mycelium::rkyv, derive(Debug))]
    pub struct List3 {
        /// The field `x`.
        pub x: Vec<Vec<Vec<Vec<Vec<Vec<Vec<self::List2>>>>>>>,
    }

    const _: () = {
        assert!(size_of::<ArchivedList3>() == 8);
        assert!(align_of::<ArchivedList3>() == 4);
        assert!(::std::mem::offset_of!(ArchivedList3, x) == 0);
    };

    impl List3 {
        /// Checks the rules of the contract.
        ///
        /// # Errors
        /// The first rule that the value breaks.
        pub fn validate(&self) -> Result<(), mycelium::ValidationError> {
            Ok(())
        }
    }

    /// The struct `Array1`.
    #[derive(Clone, Copy, Debug, PartialEq, Default, rkyv::Archive, rkyv::Serialize, rkyv::Deserialize)]
    #[rkyv(crate = mycelium::rkyv, derive(Debug))]
    #[repr(C)]
    pub struct Array1 {
        /// The field `x`.
        pub x: [[[[[[self::Array0; 1]; 1]; 1]; 1]; 1]; 1],
    }

    const _: () = {
        assert!(size_of::<ArchivedArray1>() == 1);
        assert!(align_of::<ArchivedArray1>() == 1);
        assert!(::std::mem::offset_of!(ArchivedArray1, x) == 0);
    };

    impl Array1 {
        /// Checks the rules of the contract.
        ///
        /// # Errors
        /// The first rule that the value breaks.
        pub fn validate(&self) -> Result<(), mycelium::ValidationError> {
            Ok(())
        }
    }

    /// The struct `Array2`.
    #[derive(Clone, Copy, Debug, PartialEq, Default, rkyv::Archive, rkyv::Serialize, rkyv::Deserialize)]
    #[rkyv(crate = mycelium::rkyv, derive(Debug))]
    #[repr(C)]
    pub struct Array2 {
        /// The field `x`.
        pub x: [[[[[[self::Array1; 1]; 1]; 1]; 1]; 1]; 1],
    }

    const _: () = {
        assert!(size_of::<ArchivedArray2>() == 1);
        assert!(align_of::<ArchivedArray2>() == 1);
        assert!(::std::mem::offset_of!(ArchivedArray2, x) == 0);
    };

    impl Array2 {
        /// Checks the rules of the contract.
        ///
        /// # Errors
        /// The first rule that the value breaks.
        pub fn validate(&self) -> Result<(), mycelium::ValidationError> {
            Ok(())
        }
    }

    /// The struct `Array3`.
    #[derive(Clone, Copy, Debug, PartialEq, Default, rkyv::Archive, rkyv::Serialize, rkyv::Deserialize)]
    #[rkyv(crate = mycelium::rkyv, derive(Debug))]
    #[repr(C)]
    pub struct Array3 {
        /// The field `x`.
        pub x: [[[[[[self::Array2; 1]; 1]; 1]; 1]; 1]; 1],
    }

    const _: () = {
        assert!(size_of::<ArchivedArray3>() == 1);
        assert!(align_of::<ArchivedArray3>() == 1);
        assert!(::std::mem::offset_of!(ArchivedArray3, x) == 0);
    };

    impl Array3 {
        /// Checks the rules of the contract.
        ///
        /// # Errors
        /// The first rule that the value breaks.
        pub fn validate(&self) -> Result<(), mycelium::ValidationError> {
            Ok(())
        }
    }

    /// The struct `Array4`.
    #[derive(Clone, Copy, Debug, PartialEq, Default, rkyv::Archive, rkyv::Serialize, rkyv::Deserialize)]
    #[rkyv(crate = mycelium::rkyv, derive(Debug))]
    #[repr(C)]
    pub struct Array4 {
        /// The field `x`.
        pub x: [[[[[[self::Array3; 1]; 1]; 1]; 1]; 1]; 1],
    }

    const _: () = {
        assert!(size_of::<ArchivedArray4>() == 1);
        assert!(align_of::<ArchivedArray4>() == 1);
        assert!(::std::mem::offset_of!(ArchivedArray4, x) == 0);
    };

    impl Array4 {
        /// Checks the rules of the contract.
        ///
        /// # Errors
        /// The first rule that the value breaks.
        pub fn validate(&self) -> Result<(), mycelium::ValidationError> {
            Ok(())
        }
    }

    /// The struct `Array5`.
    #[derive(Clone, Copy, Debug, PartialEq, Default, rkyv::Archive, rkyv::Serialize, rkyv::Deserialize)]
    #[rkyv(crate = mycelium::rkyv, derive(Debug))]
    #[repr(C)]
    pub struct Array5 {
        /// The field `x`.
        pub x: [[[[[[self::Array4; 1]; 1]; 1]; 1]; 1]; 1],
    }

    const _: () = {
        assert!(size_of::<ArchivedArray5>() == 1);
        assert!(align_of::<ArchivedArray5>() == 1);
        assert!(::std::mem::offset_of!(ArchivedArray5, x) == 0);
    };

    impl Array5 {
        /// Checks the rules of the contract.
        ///
        /// # Errors
        /// The first rule that the value breaks.
        pub fn validate(&self) -> Result<(), mycelium::ValidationError> {
            Ok(())
        }
    }

    /// The struct `Array6`.
    #[derive(Clone, Copy, Debug, PartialEq, Default, rkyv::Archive, rkyv::Serialize, rkyv::Deserialize)]
    #[rkyv(crate = mycelium::rkyv, derive(Debug))]
    #[repr(C)]
    pub struct Array6 {
        /// The field `x`.
        pub x: [[[[[[self::Array5; 1]; 1]; 1]; 1]; 1]; 1],
    }

    const _: () = {
        assert!(size_of::<ArchivedArray6>() == 1);
        assert!(align_of::<ArchivedArray6>() == 1);
        assert!(::std::mem::offset_of!(ArchivedArray6, x) == 0);
    };

    impl Array6 {
        /// Checks the rules of the contract.
        ///
        /// # Errors
        /// The first rule that the value breaks.
        pub fn validate(&self) -> Result<(), mycelium::ValidationError> {
            Ok(())
        }
    }

    /// The struct `Array7`.
    #[derive(Clone, Copy, Debug, PartialEq, Default, rkyv::Archive, rkyv::Serialize, rkyv::Deserialize)]
    #[rkyv(crate = mycelium::rkyv, derive(Debug))]
    #[repr(C)]
    pub struct Array7 {
        /// The field `x`.
        pub x: [[[[[[self::Array6; 1]; 1]; 1]; 1]; 1]; 1],
    }

    const _: () = {
        assert!(size_of::<ArchivedArray7>() == 1);
        assert!(align_of::<ArchivedArray7>() == 1);
        assert!(::std::mem::offset_of!(ArchivedArray7, x) == 0);
    };

    impl Array7 {
        /// Checks the rules of the contract.
        ///
        /// # Errors
        /// The first rule that the value breaks.
        pub fn validate(&self) -> Result<(), mycelium::ValidationError> {
            Ok(())
        }
    }

    /// The struct `Array8`.
    #[derive(Clone, Copy, Debug, PartialEq, Default, rkyv::Archive, rkyv::Serialize, rkyv::Deserialize)]
    #[rkyv(crate = mycelium::rkyv, derive(Debug))]
    #[repr(C)]
    pub struct Array8 {
        /// The field `x`.
        pub x: [[[[[[self::Array7; 1]; 1]; 1]; 1]; 1]; 1],
    }

    const _: () = {
        assert!(size_of::<ArchivedArray8>() == 1);
        assert!(align_of::<ArchivedArray8>() == 1);
        assert!(::std::mem::offset_of!(ArchivedArray8, x) == 0);
    };

    impl Array8 {
        /// Checks the rules of the contract.
        ///
        /// # Errors
        /// The first rule that the value breaks.
        pub fn validate(&self) -> Result<(), mycelium::ValidationError> {
            Ok(())
        }
    }

    /// The struct `Array9`.
    #[derive(Clone, Copy, Debug, PartialEq, Default, rkyv::Archive, rkyv::Serialize, rkyv::Deserialize)]
    #[rkyv(crate = mycelium::rkyv, derive(Debug))]
    #[repr(C)]
    pub struct Array9 {
        /// The field `x`.
        pub x: [[[[[[self::Array8; 1]; 1]; 1]; 1]; 1]; 1],
    }

    const _: () = {
        assert!(size_of::<ArchivedArray9>() == 1);
        assert!(align_of::<ArchivedArray9>() == 1);
        assert!(::std::mem::offset_of!(ArchivedArray9, x) == 0);
    };

    impl Array9 {
        /// Checks the rules of the contract.
        ///
        /// # Errors
        /// The first rule that the value breaks.
        pub fn validate(&self) -> Result<(), mycelium::ValidationError> {
            Ok(())
        }
    }

    /// The struct `Array10`.
    #[derive(Clone, Copy, Debug, PartialEq, Default, rkyv::Archive, rkyv::Serialize, rkyv::Deserialize)]
    #[rkyv(crate = mycelium::rkyv, derive(Debug))]
    #[repr(C)]
    pub struct Array10 {
        /// The field `x`.
        pub x: [[[[[[self::Array9; 1]; 1]; 1]; 1]; 1]; 1],
    }

    const _: () = {
        assert!(size_of::<ArchivedArray10>() == 1);
        assert!(align_of::<ArchivedArray10>() == 1);
        assert!(::std::mem::offset_of!(ArchivedArray10, x) == 0);
    };

    impl Array10 {
        /// Checks the rules of the contract.
        ///
        /// # Errors
        /// The first rule that the value breaks.
        pub fn validate(&self) -> Result<(), mycelium::ValidationError> {
            Ok(())
        }
    }

    /// The struct `Array11`.
    #[derive(Clone, Copy, Debug, PartialEq, Default, rkyv::Archive, rkyv::Serialize, rkyv::Deserialize)]
    #[rkyv(crate = mycelium::rkyv, derive(Debug))]
    #[repr(C)]
    pub struct Array11 {
        /// The field `x`.
        pub x: [[[[[[self::Array10; 1]; 1]; 1]; 1]; 1]; 1],
    }

    const _: () = {
        assert!(size_of::<ArchivedArray11>() == 1);
        assert!(align_of::<ArchivedArray11>() == 1);
        assert!(::std::mem::offset_of!(ArchivedArray11, x) == 0);
    };

    impl Array11 {
        /// Checks the rules of the contract.
        ///
        /// # Errors
        /// The first rule that the value breaks.
        pub fn validate(&self) -> Result<(), mycelium::ValidationError> {
            Ok(())
        }
    }

    /// The struct `Array12`.
    #[derive(Clone, Copy, Debug, PartialEq, Default, rkyv::Archive, rkyv::Serialize, rkyv::Deserialize)]
    #[rkyv(crate = mycelium::rkyv, derive(Debug))]
    #[repr(C)]
    pub struct Array12 {
        /// The field `x`.
        pub x: [[[[[[self::Array11; 1]; 1]; 1]; 1]; 1]; 1],
    }

    const _: () = {
        assert!(size_of::<ArchivedArray12>() == 1);
        assert!(align_of::<ArchivedArray12>() == 1);
        assert!(::std::mem::offset_of!(ArchivedArray12, x) == 0);
    };

    impl Array12 {
        /// Checks the rules of the contract.
        ///
        /// # Errors
        /// The first rule that the value breaks.
        pub fn validate(&self) -> Result<(), mycelium::ValidationError> {
            Ok(())
        }
    }

    /// The struct `Array13`.
    #[derive(Clone, Copy, Debug, PartialEq, Default, rkyv::Archive, rkyv::Serialize, rkyv::Deserialize)]
    #[rkyv(crate = mycelium::rkyv, derive(Debug))]
    #[repr(C)]
    pub struct Array13 {
        /// The field `x`.
        pub x: [[[[[[self::Array12; 1]; 1]; 1]; 1]; 1]; 1],
    }

    const _: () = {
        assert!(size_of::<ArchivedArray13>() == 1);
        assert!(align_of::<ArchivedArray13>() == 1);
        assert!(::std::mem::offset_of!(ArchivedArray13, x) == 0);
    };

    impl Array13 {
        /// Checks the rules of the contract.
        ///
        /// # Errors
        /// The first rule that the value breaks.
        pub fn validate(&self) -> Result<(), mycelium::ValidationError> {
            Ok(())
        }
    }

    /// The message `Lists`.
    ///
    /// Topic `t`, type id 1, version 1, domain `d`.
    #[derive(Clone, Debug, PartialEq, Default, rkyv::Archive, rkyv::Serialize, rkyv::Deserialize)]
    #[rkyv(crate = mycelium::rkyv, derive(Debug))]
    pub struct Lists {
        /// The field `x`.
        pub x: Option<[[self::List4; 1]; 1]>,
    }

    const _: () = {
        assert!(size_of::<ArchivedLists>() == 16);
        assert!(align_of::<ArchivedLists>() == 4);
        assert!(::std::mem::offset_of!(ArchivedLists, x) == 0);
    };

    impl mycelium::Message for Lists {
        const NAME: &'static str = "Lists";
        const TYPE_ID: u16 = 1;
        const TOPIC: &'static str = "t";
        const VERSION: u16 = 1;
        const DIGEST: u64 = 0x3db1272bbc18f902;
    }

    impl wire::Wire for Lists {
        const LAYOUTS: &'static [wire::Layout] = &[
            wire::Layout { version: 1, root_len: 16, digest: 0x3db1272bbc18f902 },
        ];
    }

    /// The message `Arrays`.
    ///
    /// Topic `t`, type id 2, version 1, domain `d`.
    #[derive(Clone, Copy, Debug, PartialEq, Default, rkyv::Archive, rkyv::Serialize, rkyv::Deserialize)]
    #[rkyv(crate = mycelium::rkyv, derive(Debug))]
    #[repr(C)]
    pub struct Arrays {
        /// The field `x`.
        pub x: Option<[[self::Array13; 1]; 1]>,
    }

    const _: () = {
        assert!(size_of::<ArchivedArrays>() == 2);
        assert!(align_of::<ArchivedArrays>() == 1);
        assert!(::std::mem::offset_of!(ArchivedArrays, x) == 0);
    };

    impl mycelium::Message for Arrays {
        const NAME: &'static str = "Arrays";
        const TYPE_ID: u16 = 2;
        const TOPIC: &'static str = "t";
        const VERSION: u16 = 1;
        const DIGEST: u64 = 0x1eee7c8e40ce2598;
    }

    impl wire::Wire for Arrays {
        const FIXED: bool = true;
        const LAYOUTS: &'static [wire::Layout] = &[
            wire::Layout { version: 1, root_len: 2, digest: 0x1eee7c8e40ce2598 },
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
            wire::Entry::of::<Lists>(),
            wire::Entry::of::<Arrays>(),
        ];
    }

    impl wire::Messages for Contract_ {
        fn each<Visitor_: wire::Visitor>(&self, visitor: &mut Visitor_) {
            visitor.typed::<Lists>();
            visitor.typed::<Arrays>();
        }
    }
}

#[allow(unused_imports, unreachable_pub)]
pub use self::generated_contracts::*;
