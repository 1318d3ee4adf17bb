// The types of contracts full of names that other code uses.

/// The contract `plain_unitenum`.
pub mod plain_unitenum {
// Generated from the contract UnitEnum.names version 1: edit that, not this.

#[allow(missing_docs, dead_code, unreachable_pub, non_camel_case_types)]
#[allow(clippy::all, clippy::pedantic, rustdoc::all)]
mod generated_contracts {
    #[allow(unused_imports)]
    use ::mycelium_mailbox::{self as mycelium, rkyv, wire, Message as _, wire::Wire as _};
    #[allow(unused_imports)]
    use mycelium::scalar::{Decimal, I256, Timestamp, U256};

    /// The enum `Tag`.
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, rkyv::Archive, rkyv::Serialize, rkyv::Deserialize)]
    #[rkyv(crate = mycelium::rkyv, derive(Clone, Copy, Debug, PartialEq, Eq, Hash))]
    #[repr(u8)]
    pub enum Tag_ {
        /// The variant `One`.
        #[default]
        One,
        /// The variant `Two`.
        Two,
    }

    impl Tag_ {
        /// All variants, in the order of the contract.
        pub const ALL: [Self; 2] = [Self::One, Self::Two];

        /// The variant's name in the contract.
        #[must_use]
        pub const fn name(self) -> &'static str {
            match self {
                Self::One => "One",
                Self::Two => "Two",
            }
        }
    }

    impl ArchivedTag_ {
        /// The variant, copied out of the bytes.
        #[must_use]
        pub const fn to_native(&self) -> Tag_ {
            match self {
                Self::One => Tag_::One,
                Self::Two => Tag_::Two,
            }
        }
    }

    const _: () = {
        assert!(size_of::<ArchivedTag_>() == 1);
        assert!(align_of::<ArchivedTag_>() == 1);
    };

    #[allow(unused_imports)]
    pub use self::{Tag_ as Tag, ArchivedTag_ as ArchivedTag};

    /// The enum `Discriminant`.
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, rkyv::Archive, rkyv::Serialize, rkyv::Deserialize)]
    #[rkyv(crate = mycelium::rkyv, derive(Clone, Copy, Debug, PartialEq, Eq, Hash))]
    #[repr(u8)]
    pub enum Discriminant {
        /// The variant `One`.
        #[default]
        One,
        /// The variant `Two`.
        Two,
    }

    impl Discriminant {
        /// All variants, in the order of the contract.
        pub const ALL: [Self; 2] = [Self::One, Self::Two];

        /// The variant's name in the contract.
        #[must_use]
        pub const fn name(self) -> &'static str {
            match self {
                Self::One => "One",
                Self::Two => "Two",
            }
        }
    }

    impl ArchivedDiscriminant {
        /// The variant, copied out of the bytes.
        #[must_use]
        pub const fn to_native(&self) -> Discriminant {
            match self {
                Self::One => Discriminant::One,
                Self::Two => Discriminant::Two,
            }
        }
    }

    const _: () = {
        assert!(size_of::<ArchivedDiscriminant>() == 1);
        assert!(align_of::<ArchivedDiscriminant>() == 1);
    };

    /// The enum `Variant`.
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, rkyv::Archive, rkyv::Serialize, rkyv::Deserialize)]
    #[rkyv(crate = mycelium::rkyv, derive(Clone, Copy, Debug, PartialEq, Eq, Hash))]
    #[repr(u8)]
    pub enum Variant_ {
        /// The variant `One`.
        #[default]
        One,
        /// The variant `Two`.
        Two,
    }

    impl Variant_ {
        /// All variants, in the order of the contract.
        pub const ALL: [Self; 2] = [Self::One, Self::Two];

        /// The variant's name in the contract.
        #[must_use]
        pub const fn name(self) -> &'static str {
            match self {
                Self::One => "One",
                Self::Two => "Two",
            }
        }
    }

    impl ArchivedVariant_ {
        /// The variant, copied out of the bytes.
        #[must_use]
        pub const fn to_native(&self) -> Variant_ {
            match self {
                Self::One => Variant_::One,
                Self::Two => Variant_::Two,
            }
        }
    }

    const _: () = {
        assert!(size_of::<ArchivedVariant_>() == 1);
        assert!(align_of::<ArchivedVariant_>() == 1);
    };

    #[allow(unused_imports)]
    pub use self::{Variant_ as Variant, ArchivedVariant_ as ArchivedVariant};

    /// The enum `VariantOne`.
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, rkyv::Archive, rkyv::Serialize, rkyv::Deserialize)]
    #[rkyv(crate = mycelium::rkyv, derive(Clone, Copy, Debug, PartialEq, Eq, Hash))]
    #[repr(u8)]
    pub enum VariantOne_ {
        /// The variant `One`.
        #[default]
        One,
        /// The variant `Two`.
        Two,
    }

    impl VariantOne_ {
        /// All variants, in the order of the contract.
        pub const ALL: [Self; 2] = [Self::One, Self::Two];

        /// The variant's name in the contract.
        #[must_use]
        pub const fn name(self) -> &'static str {
            match self {
                Self::One => "One",
                Self::Two => "Two",
            }
        }
    }

    impl ArchivedVariantOne_ {
        /// The variant, copied out of the bytes.
        #[must_use]
        pub const fn to_native(&self) -> VariantOne_ {
            match self {
                Self::One => VariantOne_::One,
                Self::Two => VariantOne_::Two,
            }
        }
    }

    const _: () = {
        assert!(size_of::<ArchivedVariantOne_>() == 1);
        assert!(align_of::<ArchivedVariantOne_>() == 1);
    };

    #[allow(unused_imports)]
    pub use self::{VariantOne_ as VariantOne, ArchivedVariantOne_ as ArchivedVariantOne};

    /// The enum `Contract`.
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, rkyv::Archive, rkyv::Serialize, rkyv::Deserialize)]
    #[rkyv(crate = mycelium::rkyv, derive(Clone, Copy, Debug, PartialEq, Eq, Hash))]
    #[repr(u8)]
    pub enum Contract {
        /// The variant `One`.
        #[default]
        One,
        /// The variant `Two`.
        Two,
    }

    impl Contract {
        /// All variants, in the order of the contract.
        pub const ALL: [Self; 2] = [Self::One, Self::Two];

        /// The variant's name in the contract.
        #[must_use]
        pub const fn name(self) -> &'static str {
            match self {
                Self::One => "One",
                Self::Two => "Two",
            }
        }
    }

    impl ArchivedContract {
        /// The variant, copied out of the bytes.
        #[must_use]
        pub const fn to_native(&self) -> Contract {
            match self {
                Self::One => Contract::One,
                Self::Two => Contract::Two,
            }
        }
    }

    const _: () = {
        assert!(size_of::<ArchivedContract>() == 1);
        assert!(align_of::<ArchivedContract>() == 1);
    };

    /// The enum `Resolver`.
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, rkyv::Archive, rkyv::Serialize, rkyv::Deserialize)]
    #[rkyv(crate = mycelium::rkyv, derive(Clone, Copy, Debug, PartialEq, Eq, Hash))]
    #[repr(u8)]
    pub enum Resolver {
        /// The variant `One`.
        #[default]
        One,
        /// The variant `Two`.
        Two,
    }

    impl Resolver {
        /// All variants, in the order of the contract.
        pub const ALL: [Self; 2] = [Self::One, Self::Two];

        /// The variant's name in the contract.
        #[must_use]
        pub const fn name(self) -> &'static str {
            match self {
                Self::One => "One",
                Self::Two => "Two",
            }
        }
    }

    impl ArchivedResolver {
        /// The variant, copied out of the bytes.
        #[must_use]
        pub const fn to_native(&self) -> Resolver {
            match self {
                Self::One => Resolver::One,
                Self::Two => Resolver::Two,
            }
        }
    }

    const _: () = {
        assert!(size_of::<ArchivedResolver>() == 1);
        assert!(align_of::<ArchivedResolver>() == 1);
    };

    /// The enum `Place`.
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, rkyv::Archive, rkyv::Serialize, rkyv::Deserialize)]
    #[rkyv(crate = mycelium::rkyv, derive(Clone, Copy, Debug, PartialEq, Eq, Hash))]
    #[repr(u8)]
    pub enum Place {
        /// The variant `One`.
        #[default]
        One,
        /// The variant `Two`.
        Two,
    }

    impl Place {
        /// All variants, in the order of the contract.
        pub const ALL: [Self; 2] = [Self::One, Self::Two];

        /// The variant's name in the contract.
        #[must_use]
        pub const fn name(self) -> &'static str {
            match self {
                Self::One => "One",
                Self::Two => "Two",
            }
        }
    }

    impl ArchivedPlace {
        /// The variant, copied out of the bytes.
        #[must_use]
        pub const fn to_native(&self) -> Place {
            match self {
                Self::One => Place::One,
                Self::Two => Place::Two,
            }
        }
    }

    const _: () = {
        assert!(size_of::<ArchivedPlace>() == 1);
        assert!(align_of::<ArchivedPlace>() == 1);
    };

    /// The enum `Error`.
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, rkyv::Archive, rkyv::Serialize, rkyv::Deserialize)]
    #[rkyv(crate = mycelium::rkyv, derive(Clone, Copy, Debug, PartialEq, Eq, Hash))]
    #[repr(u8)]
    pub enum Error {
        /// The variant `One`.
        #[default]
        One,
        /// The variant `Two`.
        Two,
    }

    impl Error {
        /// All variants, in the order of the contract.
        pub const ALL: [Self; 2] = [Self::One, Self::Two];

        /// The variant's name in the contract.
        #[must_use]
        pub const fn name(self) -> &'static str {
            match self {
                Self::One => "One",
                Self::Two => "Two",
            }
        }
    }

    impl ArchivedError {
        /// The variant, copied out of the bytes.
        #[must_use]
        pub const fn to_native(&self) -> Error {
            match self {
                Self::One => Error::One,
                Self::Two => Error::Two,
            }
        }
    }

    const _: () = {
        assert!(size_of::<ArchivedError>() == 1);
        assert!(align_of::<ArchivedError>() == 1);
    };

    /// The enum `UserUnit`.
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, rkyv::Archive, rkyv::Serialize, rkyv::Deserialize)]
    #[rkyv(crate = mycelium::rkyv, derive(Clone, Copy, Debug, PartialEq, Eq, Hash))]
    #[repr(u8)]
    pub enum UserUnit {
        /// The variant `Tag`.
        #[default]
        Tag,
        /// The variant `Discriminant`.
        Discriminant,
        /// The variant `ArchivedTag`.
        ArchivedTag,
    }

    impl UserUnit {
        /// All variants, in the order of the contract.
        pub const ALL: [Self; 3] = [Self::Tag, Self::Discriminant, Self::ArchivedTag];

        /// The variant's name in the contract.
        #[must_use]
        pub const fn name(self) -> &'static str {
            match self {
                Self::Tag => "Tag",
                Self::Discriminant => "Discriminant",
                Self::ArchivedTag => "ArchivedTag",
            }
        }
    }

    impl ArchivedUserUnit {
        /// The variant, copied out of the bytes.
        #[must_use]
        pub const fn to_native(&self) -> UserUnit {
            match self {
                Self::Tag => UserUnit::Tag,
                Self::Discriminant => UserUnit::Discriminant,
                Self::ArchivedTag => UserUnit::ArchivedTag,
            }
        }
    }

    const _: () = {
        assert!(size_of::<ArchivedUserUnit>() == 1);
        assert!(align_of::<ArchivedUserUnit>() == 1);
    };

    /// The enum `UserData`.
    #[derive(Clone, Copy, Debug, PartialEq, rkyv::Archive, rkyv::Serialize, rkyv::Deserialize)]
    #[rkyv(crate = mycelium::rkyv, derive(Debug))]
    pub enum UserData {
        /// The variant `Tag`.
        Tag {
            /// The field `x`.
            x: u8,
        },
        /// The variant `Discriminant`.
        Discriminant {
            /// The field `x`.
            x: u8,
        },
        /// The variant `ArchivedTag`.
        ArchivedTag {
            /// The field `x`.
            x: u8,
        },
    }

    impl Default for UserData {
        fn default() -> Self {
            Self::Tag {
                x: Default::default(),
            }
        }
    }

    impl UserData {
        /// Checks the rules of the contract.
        ///
        /// # Errors
        /// The first rule that the value breaks.
        pub fn validate(&self) -> Result<(), mycelium::ValidationError> {
            Ok(())
        }
    }

    const _: () = {
        assert!(size_of::<ArchivedUserData>() == 2);
        assert!(align_of::<ArchivedUserData>() == 1);
    };

    macro_rules! define {
        ($serializer:ident, $deserializer:ident) => {
            /// The enum `UserShape`.
            #[derive(Clone, Copy, Debug, PartialEq, Default, rkyv::Archive, rkyv::Serialize, rkyv::Deserialize)]
            #[rkyv(crate = mycelium::rkyv, derive(Debug))]
            pub enum UserShape {
                /// The variant `Nothing`.
                #[default]
                Nothing,
                /// The variant `One`.
                One {
                    /// The field `u0`.
                    u0: self::Tag,
                    /// The field `u1`.
                    u1: self::Discriminant,
                    /// The field `u2`.
                    u2: self::Variant,
                    /// The field `u3`.
                    u3: self::VariantOne,
                    /// The field `u4`.
                    u4: self::Contract,
                    /// The field `u5`.
                    u5: self::Resolver,
                    /// The field `u6`.
                    u6: self::Place,
                    /// The field `u7`.
                    u7: self::Error,
                },
                /// The variant `Two`.
                Two {
                    /// The field `serializer`.
                    $serializer: Option<u8>,
                    /// The field `deserializer`.
                    $deserializer: Option<u8>,
                },
            }
        };
    }

    define!(serializer, deserializer);

    impl UserShape {
        /// Checks the rules of the contract.
        ///
        /// # Errors
        /// The first rule that the value breaks.
        pub fn validate(&self) -> Result<(), mycelium::ValidationError> {
            match self {
                Self::Two { serializer, deserializer, .. } => {
                    if let Some(value0) = &*serializer {
                        if !(*value0 <= 9) {
                            return Err(mycelium::ValidationError::broken("UserShape", "serializer", &*value0, "at most 9"));
                        }
                    }
                    if let Some(value0) = &*deserializer {
                        if !(*value0 <= 9) {
                            return Err(mycelium::ValidationError::broken("UserShape", "deserializer", &*value0, "at most 9"));
                        }
                    }
                }
                _ => {}
            }
            Ok(())
        }
    }

    const _: () = {
        assert!(size_of::<ArchivedUserShape>() == 9);
        assert!(align_of::<ArchivedUserShape>() == 1);
    };

    /// The struct `UserStruct`.
    #[derive(Clone, Copy, Debug, PartialEq, Default, rkyv::Archive, rkyv::Serialize, rkyv::Deserialize)]
    #[rkyv(crate = mycelium::rkyv, derive(Debug))]
    #[repr(C)]
    pub struct UserStruct {
        /// The field `u0`.
        pub u0: self::Tag,
        /// The field `u1`.
        pub u1: self::Discriminant,
        /// The field `u2`.
        pub u2: self::Variant,
        /// The field `u3`.
        pub u3: self::VariantOne,
        /// The field `u4`.
        pub u4: self::Contract,
        /// The field `u5`.
        pub u5: self::Resolver,
        /// The field `u6`.
        pub u6: self::Place,
        /// The field `u7`.
        pub u7: self::Error,
        /// The field `shape`.
        pub shape: self::UserShape,
    }

    const _: () = {
        assert!(size_of::<ArchivedUserStruct>() == 17);
        assert!(align_of::<ArchivedUserStruct>() == 1);
        assert!(::std::mem::offset_of!(ArchivedUserStruct, u0) == 0);
        assert!(::std::mem::offset_of!(ArchivedUserStruct, u1) == 1);
        assert!(::std::mem::offset_of!(ArchivedUserStruct, u2) == 2);
        assert!(::std::mem::offset_of!(ArchivedUserStruct, u3) == 3);
        assert!(::std::mem::offset_of!(ArchivedUserStruct, u4) == 4);
        assert!(::std::mem::offset_of!(ArchivedUserStruct, u5) == 5);
        assert!(::std::mem::offset_of!(ArchivedUserStruct, u6) == 6);
        assert!(::std::mem::offset_of!(ArchivedUserStruct, u7) == 7);
        assert!(::std::mem::offset_of!(ArchivedUserStruct, shape) == 8);
    };

    impl UserStruct {
        /// Checks the rules of the contract.
        ///
        /// # Errors
        /// The first rule that the value breaks.
        pub fn validate(&self) -> Result<(), mycelium::ValidationError> {
            self.shape.validate().map_err(|e| e.inside("UserStruct", "shape"))?;
            Ok(())
        }
    }

    /// The message `User`.
    ///
    /// Topic `t`, type id 1, version 1, domain `d`.
    #[derive(Clone, Debug, PartialEq, Default, rkyv::Archive, rkyv::Serialize, rkyv::Deserialize)]
    #[rkyv(crate = mycelium::rkyv, derive(Debug))]
    pub struct User {
        /// The field `u0`.
        pub u0: self::Tag,
        /// The field `u1`.
        pub u1: self::Discriminant,
        /// The field `u2`.
        pub u2: self::Variant,
        /// The field `u3`.
        pub u3: self::VariantOne,
        /// The field `u4`.
        pub u4: self::Contract,
        /// The field `u5`.
        pub u5: self::Resolver,
        /// The field `u6`.
        pub u6: self::Place,
        /// The field `u7`.
        pub u7: self::Error,
        /// The field `one`.
        pub one: self::UserStruct,
        /// The field `many`.
        pub many: Vec<self::UserShape>,
        /// The field `words`.
        pub words: self::UserUnit,
        /// The field `data`.
        pub data: self::UserData,
    }

    const _: () = {
        assert!(size_of::<ArchivedUser>() == 40);
        assert!(align_of::<ArchivedUser>() == 4);
        assert!(::std::mem::offset_of!(ArchivedUser, u0) == 0);
        assert!(::std::mem::offset_of!(ArchivedUser, u1) == 1);
        assert!(::std::mem::offset_of!(ArchivedUser, u2) == 2);
        assert!(::std::mem::offset_of!(ArchivedUser, u3) == 3);
        assert!(::std::mem::offset_of!(ArchivedUser, u4) == 4);
        assert!(::std::mem::offset_of!(ArchivedUser, u5) == 5);
        assert!(::std::mem::offset_of!(ArchivedUser, u6) == 6);
        assert!(::std::mem::offset_of!(ArchivedUser, u7) == 7);
        assert!(::std::mem::offset_of!(ArchivedUser, one) == 8);
        assert!(::std::mem::offset_of!(ArchivedUser, many) == 28);
        assert!(::std::mem::offset_of!(ArchivedUser, words) == 36);
        assert!(::std::mem::offset_of!(ArchivedUser, data) == 37);
    };

    impl mycelium::Message for User {
        const NAME: &'static str = "User";
        const TYPE_ID: u16 = 1;
        const TOPIC: &'static str = "t";
        const VERSION: u16 = 1;
        const DIGEST: u64 = 0x8dad35edbbe67f5c;

        fn validate(&self) -> Result<(), mycelium::ValidationError> {
            self.one.validate().map_err(|e| e.inside(Self::NAME, "one"))?;
            for (at0, item0) in self.many.iter().enumerate() {
                item0.validate().map_err(|e| e.inside(Self::NAME, format!("{}[{at0}]", "many")))?;
            }
            Ok(())
        }
    }

    impl wire::Wire for User {
        const LAYOUTS: &'static [wire::Layout] = &[
            wire::Layout { version: 1, root_len: 40, digest: 0x8dad35edbbe67f5c },
        ];
    }

    /// The message `UserFields`.
    ///
    /// Topic `t`, type id 2, version 2, domain `d`.
    #[derive(Clone, Copy, Debug, PartialEq, rkyv::Archive, rkyv::Serialize, rkyv::Deserialize)]
    #[rkyv(crate = mycelium::rkyv, derive(Debug))]
    #[repr(C)]
    pub struct UserFields {
        /// The field `serializer`.
        pub serializer: Option<u8>,
        /// The field `deserializer`.
        pub deserializer: Option<u8>,
        /// The field `later`.
        pub later: self::UserShape,
    }

    impl Default for UserFields {
        fn default() -> Self {
            Self {
                serializer: Default::default(),
                deserializer: Default::default(),
                later: self::UserShape::Two { serializer: Some(1), deserializer: Some(1) },
            }
        }
    }

    const _: () = {
        assert!(size_of::<ArchivedUserFields>() == 13);
        assert!(align_of::<ArchivedUserFields>() == 1);
        assert!(::std::mem::offset_of!(ArchivedUserFields, serializer) == 0);
        assert!(::std::mem::offset_of!(ArchivedUserFields, deserializer) == 2);
        assert!(::std::mem::offset_of!(ArchivedUserFields, later) == 4);
    };

    impl UserFields {
        /// A message with the contract's default in every field that has one.
        #[must_use]
        pub fn new(serializer: Option<u8>, deserializer: Option<u8>) -> Self {
            Self {
                serializer,
                deserializer,
                later: self::UserShape::Two { serializer: Some(1), deserializer: Some(1) },
            }
        }
    }

    impl mycelium::Message for UserFields {
        const NAME: &'static str = "UserFields";
        const TYPE_ID: u16 = 2;
        const TOPIC: &'static str = "t";
        const VERSION: u16 = 2;
        const DIGEST: u64 = 0x47a06b848e802301;

        fn validate(&self) -> Result<(), mycelium::ValidationError> {
            if let Some(value0) = &self.serializer {
                if !(*value0 <= 9) {
                    return Err(mycelium::ValidationError::broken(Self::NAME, "serializer", &*value0, "at most 9"));
                }
            }
            if let Some(value0) = &self.deserializer {
                if !(*value0 <= 9) {
                    return Err(mycelium::ValidationError::broken(Self::NAME, "deserializer", &*value0, "at most 9"));
                }
            }
            self.later.validate().map_err(|e| e.inside(Self::NAME, "later"))?;
            Ok(())
        }
    }

    impl wire::Wire for UserFields {
        const FIXED: bool = true;
        const LAYOUTS: &'static [wire::Layout] = &[
            wire::Layout { version: 1, root_len: 4, digest: 0x9fdea893050dc17d },
            wire::Layout { version: 2, root_len: 13, digest: 0x47a06b848e802301 },
        ];

        fn upgrade(bytes: &[u8], version: u16) -> Result<Self, wire::WireError> {
            match version {
                1 => {
                    let old: UserFields_V1 = wire::decode_fixed_layout(Self::NAME, bytes)?;
                    Ok(Self {
                        serializer: old.serializer,
                        deserializer: old.deserializer,
                        later: self::UserShape::Two { serializer: Some(1), deserializer: Some(1) },
                    })
                }
                _ => Err(wire::unknown_version::<Self>(version)),
            }
        }
    }

    /// `UserFields` as its version 1 was laid out.
    #[derive(rkyv::Archive, rkyv::Deserialize)]
    #[rkyv(crate = mycelium::rkyv)]
    struct UserFields_V1 {
        serializer: Option<u8>,
        deserializer: Option<u8>,
    }

    const _: () = {
        assert!(size_of::<ArchivedUserFields_V1>() == 4);
        assert!(align_of::<ArchivedUserFields_V1>() == 1);
        assert!(::std::mem::offset_of!(ArchivedUserFields_V1, serializer) == 0);
        assert!(::std::mem::offset_of!(ArchivedUserFields_V1, deserializer) == 2);
    };

    /// The messages of the contract: see [`CONTRACT`].
    #[derive(Clone, Copy, Debug)]
    pub struct Contract_;

    /// The messages of the contract, for a bus that frames go through: `MessageBus::builder().contract(CONTRACT)`.
    pub const CONTRACT: Contract_ = Contract_;

    impl Contract_ {
        /// What is known of each message without its type, in the order of the contract.
        pub const ENTRIES: &'static [wire::Entry] = &[
            wire::Entry::of::<User>(),
            wire::Entry::of::<UserFields>(),
        ];
    }

    impl wire::Messages for Contract_ {
        fn each<Visitor_: wire::Visitor>(&self, visitor: &mut Visitor_) {
            visitor.typed::<User>();
            visitor.typed::<UserFields>();
        }
    }
}

#[allow(unused_imports, unreachable_pub)]
pub use self::generated_contracts::*;
}

/// The contract `plain_dataenum`.
pub mod plain_dataenum {
// Generated from the contract DataEnum.names version 1: edit that, not this.

#[allow(missing_docs, dead_code, unreachable_pub, non_camel_case_types)]
#[allow(clippy::all, clippy::pedantic, rustdoc::all)]
mod generated_contracts {
    #[allow(unused_imports)]
    use ::mycelium_mailbox::{self as mycelium, rkyv, wire, Message as _, wire::Wire as _};
    #[allow(unused_imports)]
    use mycelium::scalar::{Decimal, I256, Timestamp, U256};

    /// The enum `Tag`.
    #[derive(Clone, Copy, Debug, PartialEq, rkyv::Archive, rkyv::Serialize, rkyv::Deserialize)]
    #[rkyv(crate = mycelium::rkyv, derive(Debug))]
    pub enum Tag_ {
        /// The variant `One`.
        One {
            /// The field `x`.
            x: u8,
        },
        /// The variant `Two`.
        Two,
    }

    impl Default for Tag_ {
        fn default() -> Self {
            Self::One {
                x: Default::default(),
            }
        }
    }

    impl Tag_ {
        /// Checks the rules of the contract.
        ///
        /// # Errors
        /// The first rule that the value breaks.
        pub fn validate(&self) -> Result<(), mycelium::ValidationError> {
            Ok(())
        }
    }

    const _: () = {
        assert!(size_of::<ArchivedTag_>() == 2);
        assert!(align_of::<ArchivedTag_>() == 1);
    };

    #[allow(unused_imports)]
    pub use self::{Tag_ as Tag, ArchivedTag_ as ArchivedTag};

    /// The enum `Discriminant`.
    #[derive(Clone, Copy, Debug, PartialEq, rkyv::Archive, rkyv::Serialize, rkyv::Deserialize)]
    #[rkyv(crate = mycelium::rkyv, derive(Debug))]
    pub enum Discriminant {
        /// The variant `One`.
        One {
            /// The field `x`.
            x: u8,
        },
        /// The variant `Two`.
        Two,
    }

    impl Default for Discriminant {
        fn default() -> Self {
            Self::One {
                x: Default::default(),
            }
        }
    }

    impl Discriminant {
        /// Checks the rules of the contract.
        ///
        /// # Errors
        /// The first rule that the value breaks.
        pub fn validate(&self) -> Result<(), mycelium::ValidationError> {
            Ok(())
        }
    }

    const _: () = {
        assert!(size_of::<ArchivedDiscriminant>() == 2);
        assert!(align_of::<ArchivedDiscriminant>() == 1);
    };

    /// The enum `Variant`.
    #[derive(Clone, Copy, Debug, PartialEq, rkyv::Archive, rkyv::Serialize, rkyv::Deserialize)]
    #[rkyv(crate = mycelium::rkyv, derive(Debug))]
    pub enum Variant_ {
        /// The variant `One`.
        One {
            /// The field `x`.
            x: u8,
        },
        /// The variant `Two`.
        Two,
    }

    impl Default for Variant_ {
        fn default() -> Self {
            Self::One {
                x: Default::default(),
            }
        }
    }

    impl Variant_ {
        /// Checks the rules of the contract.
        ///
        /// # Errors
        /// The first rule that the value breaks.
        pub fn validate(&self) -> Result<(), mycelium::ValidationError> {
            Ok(())
        }
    }

    const _: () = {
        assert!(size_of::<ArchivedVariant_>() == 2);
        assert!(align_of::<ArchivedVariant_>() == 1);
    };

    #[allow(unused_imports)]
    pub use self::{Variant_ as Variant, ArchivedVariant_ as ArchivedVariant};

    /// The enum `VariantOne`.
    #[derive(Clone, Copy, Debug, PartialEq, rkyv::Archive, rkyv::Serialize, rkyv::Deserialize)]
    #[rkyv(crate = mycelium::rkyv, derive(Debug))]
    pub enum VariantOne_ {
        /// The variant `One`.
        One {
            /// The field `x`.
            x: u8,
        },
        /// The variant `Two`.
        Two,
    }

    impl Default for VariantOne_ {
        fn default() -> Self {
            Self::One {
                x: Default::default(),
            }
        }
    }

    impl VariantOne_ {
        /// Checks the rules of the contract.
        ///
        /// # Errors
        /// The first rule that the value breaks.
        pub fn validate(&self) -> Result<(), mycelium::ValidationError> {
            Ok(())
        }
    }

    const _: () = {
        assert!(size_of::<ArchivedVariantOne_>() == 2);
        assert!(align_of::<ArchivedVariantOne_>() == 1);
    };

    #[allow(unused_imports)]
    pub use self::{VariantOne_ as VariantOne, ArchivedVariantOne_ as ArchivedVariantOne};

    /// The enum `Contract`.
    #[derive(Clone, Copy, Debug, PartialEq, rkyv::Archive, rkyv::Serialize, rkyv::Deserialize)]
    #[rkyv(crate = mycelium::rkyv, derive(Debug))]
    pub enum Contract {
        /// The variant `One`.
        One {
            /// The field `x`.
            x: u8,
        },
        /// The variant `Two`.
        Two,
    }

    impl Default for Contract {
        fn default() -> Self {
            Self::One {
                x: Default::default(),
            }
        }
    }

    impl Contract {
        /// Checks the rules of the contract.
        ///
        /// # Errors
        /// The first rule that the value breaks.
        pub fn validate(&self) -> Result<(), mycelium::ValidationError> {
            Ok(())
        }
    }

    const _: () = {
        assert!(size_of::<ArchivedContract>() == 2);
        assert!(align_of::<ArchivedContract>() == 1);
    };

    /// The enum `Resolver`.
    #[derive(Clone, Copy, Debug, PartialEq, rkyv::Archive, rkyv::Serialize, rkyv::Deserialize)]
    #[rkyv(crate = mycelium::rkyv, derive(Debug))]
    pub enum Resolver {
        /// The variant `One`.
        One {
            /// The field `x`.
            x: u8,
        },
        /// The variant `Two`.
        Two,
    }

    impl Default for Resolver {
        fn default() -> Self {
            Self::One {
                x: Default::default(),
            }
        }
    }

    impl Resolver {
        /// Checks the rules of the contract.
        ///
        /// # Errors
        /// The first rule that the value breaks.
        pub fn validate(&self) -> Result<(), mycelium::ValidationError> {
            Ok(())
        }
    }

    const _: () = {
        assert!(size_of::<ArchivedResolver>() == 2);
        assert!(align_of::<ArchivedResolver>() == 1);
    };

    /// The enum `Place`.
    #[derive(Clone, Copy, Debug, PartialEq, rkyv::Archive, rkyv::Serialize, rkyv::Deserialize)]
    #[rkyv(crate = mycelium::rkyv, derive(Debug))]
    pub enum Place {
        /// The variant `One`.
        One {
            /// The field `x`.
            x: u8,
        },
        /// The variant `Two`.
        Two,
    }

    impl Default for Place {
        fn default() -> Self {
            Self::One {
                x: Default::default(),
            }
        }
    }

    impl Place {
        /// Checks the rules of the contract.
        ///
        /// # Errors
        /// The first rule that the value breaks.
        pub fn validate(&self) -> Result<(), mycelium::ValidationError> {
            Ok(())
        }
    }

    const _: () = {
        assert!(size_of::<ArchivedPlace>() == 2);
        assert!(align_of::<ArchivedPlace>() == 1);
    };

    /// The enum `Error`.
    #[derive(Clone, Copy, Debug, PartialEq, rkyv::Archive, rkyv::Serialize, rkyv::Deserialize)]
    #[rkyv(crate = mycelium::rkyv, derive(Debug))]
    pub enum Error {
        /// The variant `One`.
        One {
            /// The field `x`.
            x: u8,
        },
        /// The variant `Two`.
        Two,
    }

    impl Default for Error {
        fn default() -> Self {
            Self::One {
                x: Default::default(),
            }
        }
    }

    impl Error {
        /// Checks the rules of the contract.
        ///
        /// # Errors
        /// The first rule that the value breaks.
        pub fn validate(&self) -> Result<(), mycelium::ValidationError> {
            Ok(())
        }
    }

    const _: () = {
        assert!(size_of::<ArchivedError>() == 2);
        assert!(align_of::<ArchivedError>() == 1);
    };

    /// The enum `UserUnit`.
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, rkyv::Archive, rkyv::Serialize, rkyv::Deserialize)]
    #[rkyv(crate = mycelium::rkyv, derive(Clone, Copy, Debug, PartialEq, Eq, Hash))]
    #[repr(u8)]
    pub enum UserUnit {
        /// The variant `Tag`.
        #[default]
        Tag,
        /// The variant `Discriminant`.
        Discriminant,
        /// The variant `ArchivedTag`.
        ArchivedTag,
    }

    impl UserUnit {
        /// All variants, in the order of the contract.
        pub const ALL: [Self; 3] = [Self::Tag, Self::Discriminant, Self::ArchivedTag];

        /// The variant's name in the contract.
        #[must_use]
        pub const fn name(self) -> &'static str {
            match self {
                Self::Tag => "Tag",
                Self::Discriminant => "Discriminant",
                Self::ArchivedTag => "ArchivedTag",
            }
        }
    }

    impl ArchivedUserUnit {
        /// The variant, copied out of the bytes.
        #[must_use]
        pub const fn to_native(&self) -> UserUnit {
            match self {
                Self::Tag => UserUnit::Tag,
                Self::Discriminant => UserUnit::Discriminant,
                Self::ArchivedTag => UserUnit::ArchivedTag,
            }
        }
    }

    const _: () = {
        assert!(size_of::<ArchivedUserUnit>() == 1);
        assert!(align_of::<ArchivedUserUnit>() == 1);
    };

    /// The enum `UserData`.
    #[derive(Clone, Copy, Debug, PartialEq, rkyv::Archive, rkyv::Serialize, rkyv::Deserialize)]
    #[rkyv(crate = mycelium::rkyv, derive(Debug))]
    pub enum UserData {
        /// The variant `Tag`.
        Tag {
            /// The field `x`.
            x: u8,
        },
        /// The variant `Discriminant`.
        Discriminant {
            /// The field `x`.
            x: u8,
        },
        /// The variant `ArchivedTag`.
        ArchivedTag {
            /// The field `x`.
            x: u8,
        },
    }

    impl Default for UserData {
        fn default() -> Self {
            Self::Tag {
                x: Default::default(),
            }
        }
    }

    impl UserData {
        /// Checks the rules of the contract.
        ///
        /// # Errors
        /// The first rule that the value breaks.
        pub fn validate(&self) -> Result<(), mycelium::ValidationError> {
            Ok(())
        }
    }

    const _: () = {
        assert!(size_of::<ArchivedUserData>() == 2);
        assert!(align_of::<ArchivedUserData>() == 1);
    };

    macro_rules! define {
        ($serializer:ident, $deserializer:ident) => {
            /// The enum `UserShape`.
            #[derive(Clone, Copy, Debug, PartialEq, Default, rkyv::Archive, rkyv::Serialize, rkyv::Deserialize)]
            #[rkyv(crate = mycelium::rkyv, derive(Debug))]
            pub enum UserShape {
                /// The variant `Nothing`.
                #[default]
                Nothing,
                /// The variant `One`.
                One {
                    /// The field `u0`.
                    u0: self::Tag,
                    /// The field `u1`.
                    u1: self::Discriminant,
                    /// The field `u2`.
                    u2: self::Variant,
                    /// The field `u3`.
                    u3: self::VariantOne,
                    /// The field `u4`.
                    u4: self::Contract,
                    /// The field `u5`.
                    u5: self::Resolver,
                    /// The field `u6`.
                    u6: self::Place,
                    /// The field `u7`.
                    u7: self::Error,
                },
                /// The variant `Two`.
                Two {
                    /// The field `serializer`.
                    $serializer: Option<u8>,
                    /// The field `deserializer`.
                    $deserializer: Option<u8>,
                },
            }
        };
    }

    define!(serializer, deserializer);

    impl UserShape {
        /// Checks the rules of the contract.
        ///
        /// # Errors
        /// The first rule that the value breaks.
        pub fn validate(&self) -> Result<(), mycelium::ValidationError> {
            match self {
                Self::Two { serializer, deserializer, .. } => {
                    if let Some(value0) = &*serializer {
                        if !(*value0 <= 9) {
                            return Err(mycelium::ValidationError::broken("UserShape", "serializer", &*value0, "at most 9"));
                        }
                    }
                    if let Some(value0) = &*deserializer {
                        if !(*value0 <= 9) {
                            return Err(mycelium::ValidationError::broken("UserShape", "deserializer", &*value0, "at most 9"));
                        }
                    }
                }
                _ => {}
            }
            Ok(())
        }
    }

    const _: () = {
        assert!(size_of::<ArchivedUserShape>() == 17);
        assert!(align_of::<ArchivedUserShape>() == 1);
    };

    /// The struct `UserStruct`.
    #[derive(Clone, Copy, Debug, PartialEq, Default, rkyv::Archive, rkyv::Serialize, rkyv::Deserialize)]
    #[rkyv(crate = mycelium::rkyv, derive(Debug))]
    #[repr(C)]
    pub struct UserStruct {
        /// The field `u0`.
        pub u0: self::Tag,
        /// The field `u1`.
        pub u1: self::Discriminant,
        /// The field `u2`.
        pub u2: self::Variant,
        /// The field `u3`.
        pub u3: self::VariantOne,
        /// The field `u4`.
        pub u4: self::Contract,
        /// The field `u5`.
        pub u5: self::Resolver,
        /// The field `u6`.
        pub u6: self::Place,
        /// The field `u7`.
        pub u7: self::Error,
        /// The field `shape`.
        pub shape: self::UserShape,
    }

    const _: () = {
        assert!(size_of::<ArchivedUserStruct>() == 33);
        assert!(align_of::<ArchivedUserStruct>() == 1);
        assert!(::std::mem::offset_of!(ArchivedUserStruct, u0) == 0);
        assert!(::std::mem::offset_of!(ArchivedUserStruct, u1) == 2);
        assert!(::std::mem::offset_of!(ArchivedUserStruct, u2) == 4);
        assert!(::std::mem::offset_of!(ArchivedUserStruct, u3) == 6);
        assert!(::std::mem::offset_of!(ArchivedUserStruct, u4) == 8);
        assert!(::std::mem::offset_of!(ArchivedUserStruct, u5) == 10);
        assert!(::std::mem::offset_of!(ArchivedUserStruct, u6) == 12);
        assert!(::std::mem::offset_of!(ArchivedUserStruct, u7) == 14);
        assert!(::std::mem::offset_of!(ArchivedUserStruct, shape) == 16);
    };

    impl UserStruct {
        /// Checks the rules of the contract.
        ///
        /// # Errors
        /// The first rule that the value breaks.
        pub fn validate(&self) -> Result<(), mycelium::ValidationError> {
            self.shape.validate().map_err(|e| e.inside("UserStruct", "shape"))?;
            Ok(())
        }
    }

    /// The message `User`.
    ///
    /// Topic `t`, type id 1, version 1, domain `d`.
    #[derive(Clone, Debug, PartialEq, Default, rkyv::Archive, rkyv::Serialize, rkyv::Deserialize)]
    #[rkyv(crate = mycelium::rkyv, derive(Debug))]
    pub struct User {
        /// The field `u0`.
        pub u0: self::Tag,
        /// The field `u1`.
        pub u1: self::Discriminant,
        /// The field `u2`.
        pub u2: self::Variant,
        /// The field `u3`.
        pub u3: self::VariantOne,
        /// The field `u4`.
        pub u4: self::Contract,
        /// The field `u5`.
        pub u5: self::Resolver,
        /// The field `u6`.
        pub u6: self::Place,
        /// The field `u7`.
        pub u7: self::Error,
        /// The field `one`.
        pub one: self::UserStruct,
        /// The field `many`.
        pub many: Vec<self::UserShape>,
        /// The field `words`.
        pub words: self::UserUnit,
        /// The field `data`.
        pub data: self::UserData,
    }

    const _: () = {
        assert!(size_of::<ArchivedUser>() == 64);
        assert!(align_of::<ArchivedUser>() == 4);
        assert!(::std::mem::offset_of!(ArchivedUser, u0) == 0);
        assert!(::std::mem::offset_of!(ArchivedUser, u1) == 2);
        assert!(::std::mem::offset_of!(ArchivedUser, u2) == 4);
        assert!(::std::mem::offset_of!(ArchivedUser, u3) == 6);
        assert!(::std::mem::offset_of!(ArchivedUser, u4) == 8);
        assert!(::std::mem::offset_of!(ArchivedUser, u5) == 10);
        assert!(::std::mem::offset_of!(ArchivedUser, u6) == 12);
        assert!(::std::mem::offset_of!(ArchivedUser, u7) == 14);
        assert!(::std::mem::offset_of!(ArchivedUser, one) == 16);
        assert!(::std::mem::offset_of!(ArchivedUser, many) == 52);
        assert!(::std::mem::offset_of!(ArchivedUser, words) == 60);
        assert!(::std::mem::offset_of!(ArchivedUser, data) == 61);
    };

    impl mycelium::Message for User {
        const NAME: &'static str = "User";
        const TYPE_ID: u16 = 1;
        const TOPIC: &'static str = "t";
        const VERSION: u16 = 1;
        const DIGEST: u64 = 0x16ecff73f3163527;

        fn validate(&self) -> Result<(), mycelium::ValidationError> {
            self.one.validate().map_err(|e| e.inside(Self::NAME, "one"))?;
            for (at0, item0) in self.many.iter().enumerate() {
                item0.validate().map_err(|e| e.inside(Self::NAME, format!("{}[{at0}]", "many")))?;
            }
            Ok(())
        }
    }

    impl wire::Wire for User {
        const LAYOUTS: &'static [wire::Layout] = &[
            wire::Layout { version: 1, root_len: 64, digest: 0x16ecff73f3163527 },
        ];
    }

    /// The message `UserFields`.
    ///
    /// Topic `t`, type id 2, version 2, domain `d`.
    #[derive(Clone, Copy, Debug, PartialEq, rkyv::Archive, rkyv::Serialize, rkyv::Deserialize)]
    #[rkyv(crate = mycelium::rkyv, derive(Debug))]
    #[repr(C)]
    pub struct UserFields {
        /// The field `serializer`.
        pub serializer: Option<u8>,
        /// The field `deserializer`.
        pub deserializer: Option<u8>,
        /// The field `later`.
        pub later: self::UserShape,
    }

    impl Default for UserFields {
        fn default() -> Self {
            Self {
                serializer: Default::default(),
                deserializer: Default::default(),
                later: self::UserShape::Two { serializer: Some(1), deserializer: Some(1) },
            }
        }
    }

    const _: () = {
        assert!(size_of::<ArchivedUserFields>() == 21);
        assert!(align_of::<ArchivedUserFields>() == 1);
        assert!(::std::mem::offset_of!(ArchivedUserFields, serializer) == 0);
        assert!(::std::mem::offset_of!(ArchivedUserFields, deserializer) == 2);
        assert!(::std::mem::offset_of!(ArchivedUserFields, later) == 4);
    };

    impl UserFields {
        /// A message with the contract's default in every field that has one.
        #[must_use]
        pub fn new(serializer: Option<u8>, deserializer: Option<u8>) -> Self {
            Self {
                serializer,
                deserializer,
                later: self::UserShape::Two { serializer: Some(1), deserializer: Some(1) },
            }
        }
    }

    impl mycelium::Message for UserFields {
        const NAME: &'static str = "UserFields";
        const TYPE_ID: u16 = 2;
        const TOPIC: &'static str = "t";
        const VERSION: u16 = 2;
        const DIGEST: u64 = 0xcdba460838181482;

        fn validate(&self) -> Result<(), mycelium::ValidationError> {
            if let Some(value0) = &self.serializer {
                if !(*value0 <= 9) {
                    return Err(mycelium::ValidationError::broken(Self::NAME, "serializer", &*value0, "at most 9"));
                }
            }
            if let Some(value0) = &self.deserializer {
                if !(*value0 <= 9) {
                    return Err(mycelium::ValidationError::broken(Self::NAME, "deserializer", &*value0, "at most 9"));
                }
            }
            self.later.validate().map_err(|e| e.inside(Self::NAME, "later"))?;
            Ok(())
        }
    }

    impl wire::Wire for UserFields {
        const FIXED: bool = true;
        const LAYOUTS: &'static [wire::Layout] = &[
            wire::Layout { version: 1, root_len: 4, digest: 0x9fdea893050dc17d },
            wire::Layout { version: 2, root_len: 21, digest: 0xcdba460838181482 },
        ];

        fn upgrade(bytes: &[u8], version: u16) -> Result<Self, wire::WireError> {
            match version {
                1 => {
                    let old: UserFields_V1 = wire::decode_fixed_layout(Self::NAME, bytes)?;
                    Ok(Self {
                        serializer: old.serializer,
                        deserializer: old.deserializer,
                        later: self::UserShape::Two { serializer: Some(1), deserializer: Some(1) },
                    })
                }
                _ => Err(wire::unknown_version::<Self>(version)),
            }
        }
    }

    /// `UserFields` as its version 1 was laid out.
    #[derive(rkyv::Archive, rkyv::Deserialize)]
    #[rkyv(crate = mycelium::rkyv)]
    struct UserFields_V1 {
        serializer: Option<u8>,
        deserializer: Option<u8>,
    }

    const _: () = {
        assert!(size_of::<ArchivedUserFields_V1>() == 4);
        assert!(align_of::<ArchivedUserFields_V1>() == 1);
        assert!(::std::mem::offset_of!(ArchivedUserFields_V1, serializer) == 0);
        assert!(::std::mem::offset_of!(ArchivedUserFields_V1, deserializer) == 2);
    };

    /// The messages of the contract: see [`CONTRACT`].
    #[derive(Clone, Copy, Debug)]
    pub struct Contract_;

    /// The messages of the contract, for a bus that frames go through: `MessageBus::builder().contract(CONTRACT)`.
    pub const CONTRACT: Contract_ = Contract_;

    impl Contract_ {
        /// What is known of each message without its type, in the order of the contract.
        pub const ENTRIES: &'static [wire::Entry] = &[
            wire::Entry::of::<User>(),
            wire::Entry::of::<UserFields>(),
        ];
    }

    impl wire::Messages for Contract_ {
        fn each<Visitor_: wire::Visitor>(&self, visitor: &mut Visitor_) {
            visitor.typed::<User>();
            visitor.typed::<UserFields>();
        }
    }
}

#[allow(unused_imports, unreachable_pub)]
pub use self::generated_contracts::*;
}

/// The contract `plain_struct`.
pub mod plain_struct {
// Generated from the contract Struct.names version 1: edit that, not this.

#[allow(missing_docs, dead_code, unreachable_pub, non_camel_case_types)]
#[allow(clippy::all, clippy::pedantic, rustdoc::all)]
mod generated_contracts {
    #[allow(unused_imports)]
    use ::mycelium_mailbox::{self as mycelium, rkyv, wire, Message as _, wire::Wire as _};
    #[allow(unused_imports)]
    use mycelium::scalar::{Decimal, I256, Timestamp, U256};

    /// The enum `UserUnit`.
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, rkyv::Archive, rkyv::Serialize, rkyv::Deserialize)]
    #[rkyv(crate = mycelium::rkyv, derive(Clone, Copy, Debug, PartialEq, Eq, Hash))]
    #[repr(u8)]
    pub enum UserUnit {
        /// The variant `Tag`.
        #[default]
        Tag,
        /// The variant `Discriminant`.
        Discriminant,
        /// The variant `ArchivedTag`.
        ArchivedTag,
        /// The variant `Archived`.
        Archived,
        /// The variant `Resolver`.
        Resolver,
        /// The variant `Error`.
        Error,
        /// The variant `Output`.
        Output,
        /// The variant `Target`.
        Target,
        /// The variant `Item`.
        Item,
        /// The variant `Ok`.
        Ok,
        /// The variant `Err`.
        Err,
        /// The variant `Some`.
        Some,
        /// The variant `Option`.
        Option,
        /// The variant `Result`.
        Result,
        /// The variant `Vec`.
        Vec,
        /// The variant `String`.
        String,
        /// The variant `Variant`.
        Variant,
        /// The variant `VariantOne`.
        VariantOne,
        /// The variant `One`.
        One,
        /// The variant `Name`.
        Name,
        /// The variant `Mro`.
        Mro,
    }

    impl UserUnit {
        /// All variants, in the order of the contract.
        pub const ALL: [Self; 21] = [Self::Tag, Self::Discriminant, Self::ArchivedTag, Self::Archived, Self::Resolver, Self::Error, Self::Output, Self::Target, Self::Item, Self::Ok, Self::Err, Self::Some, Self::Option, Self::Result, Self::Vec, Self::String, Self::Variant, Self::VariantOne, Self::One, Self::Name, Self::Mro];

        /// The variant's name in the contract.
        #[must_use]
        pub const fn name(self) -> &'static str {
            match self {
                Self::Tag => "Tag",
                Self::Discriminant => "Discriminant",
                Self::ArchivedTag => "ArchivedTag",
                Self::Archived => "Archived",
                Self::Resolver => "Resolver",
                Self::Error => "Error",
                Self::Output => "Output",
                Self::Target => "Target",
                Self::Item => "Item",
                Self::Ok => "Ok",
                Self::Err => "Err",
                Self::Some => "Some",
                Self::Option => "Option",
                Self::Result => "Result",
                Self::Vec => "Vec",
                Self::String => "String",
                Self::Variant => "Variant",
                Self::VariantOne => "VariantOne",
                Self::One => "One",
                Self::Name => "Name",
                Self::Mro => "Mro",
            }
        }
    }

    impl ArchivedUserUnit {
        /// The variant, copied out of the bytes.
        #[must_use]
        pub const fn to_native(&self) -> UserUnit {
            match self {
                Self::Tag => UserUnit::Tag,
                Self::Discriminant => UserUnit::Discriminant,
                Self::ArchivedTag => UserUnit::ArchivedTag,
                Self::Archived => UserUnit::Archived,
                Self::Resolver => UserUnit::Resolver,
                Self::Error => UserUnit::Error,
                Self::Output => UserUnit::Output,
                Self::Target => UserUnit::Target,
                Self::Item => UserUnit::Item,
                Self::Ok => UserUnit::Ok,
                Self::Err => UserUnit::Err,
                Self::Some => UserUnit::Some,
                Self::Option => UserUnit::Option,
                Self::Result => UserUnit::Result,
                Self::Vec => UserUnit::Vec,
                Self::String => UserUnit::String,
                Self::Variant => UserUnit::Variant,
                Self::VariantOne => UserUnit::VariantOne,
                Self::One => UserUnit::One,
                Self::Name => UserUnit::Name,
                Self::Mro => UserUnit::Mro,
            }
        }
    }

    const _: () = {
        assert!(size_of::<ArchivedUserUnit>() == 1);
        assert!(align_of::<ArchivedUserUnit>() == 1);
    };

    /// The enum `UserData`.
    #[derive(Clone, Copy, Debug, PartialEq, rkyv::Archive, rkyv::Serialize, rkyv::Deserialize)]
    #[rkyv(crate = mycelium::rkyv, derive(Debug))]
    pub enum UserData {
        /// The variant `Tag`.
        Tag {
            /// The field `x`.
            x: u8,
        },
        /// The variant `Discriminant`.
        Discriminant {
            /// The field `x`.
            x: u8,
        },
        /// The variant `ArchivedTag`.
        ArchivedTag {
            /// The field `x`.
            x: u8,
        },
        /// The variant `Archived`.
        Archived {
            /// The field `x`.
            x: u8,
        },
        /// The variant `Resolver`.
        Resolver {
            /// The field `x`.
            x: u8,
        },
        /// The variant `Error`.
        Error {
            /// The field `x`.
            x: u8,
        },
        /// The variant `Output`.
        Output {
            /// The field `x`.
            x: u8,
        },
        /// The variant `Target`.
        Target {
            /// The field `x`.
            x: u8,
        },
        /// The variant `Item`.
        Item {
            /// The field `x`.
            x: u8,
        },
        /// The variant `Ok`.
        Ok {
            /// The field `x`.
            x: u8,
        },
        /// The variant `Err`.
        Err {
            /// The field `x`.
            x: u8,
        },
        /// The variant `Some`.
        Some {
            /// The field `x`.
            x: u8,
        },
        /// The variant `Option`.
        Option {
            /// The field `x`.
            x: u8,
        },
        /// The variant `Result`.
        Result {
            /// The field `x`.
            x: u8,
        },
        /// The variant `Vec`.
        Vec {
            /// The field `x`.
            x: u8,
        },
        /// The variant `String`.
        String {
            /// The field `x`.
            x: u8,
        },
        /// The variant `Variant`.
        Variant {
            /// The field `x`.
            x: u8,
        },
        /// The variant `VariantOne`.
        VariantOne {
            /// The field `x`.
            x: u8,
        },
        /// The variant `One`.
        One {
            /// The field `x`.
            x: u8,
        },
        /// The variant `Name`.
        Name {
            /// The field `x`.
            x: u8,
        },
        /// The variant `Mro`.
        Mro {
            /// The field `x`.
            x: u8,
        },
    }

    impl Default for UserData {
        fn default() -> Self {
            Self::Tag {
                x: Default::default(),
            }
        }
    }

    impl UserData {
        /// Checks the rules of the contract.
        ///
        /// # Errors
        /// The first rule that the value breaks.
        pub fn validate(&self) -> Result<(), mycelium::ValidationError> {
            Ok(())
        }
    }

    const _: () = {
        assert!(size_of::<ArchivedUserData>() == 2);
        assert!(align_of::<ArchivedUserData>() == 1);
    };

    macro_rules! define {
        ($serializer:ident, $deserializer:ident) => {
            /// The enum `UserShape`.
            #[derive(Clone, Copy, Debug, PartialEq, Default, rkyv::Archive, rkyv::Serialize, rkyv::Deserialize)]
            #[rkyv(crate = mycelium::rkyv, derive(Debug))]
            pub enum UserShape {
                /// The variant `Nothing`.
                #[default]
                Nothing,
                /// The variant `One`.
                One {
                    /// The field `u0`.
                    u0: self::Tag,
                    /// The field `u1`.
                    u1: self::Discriminant,
                    /// The field `u2`.
                    u2: self::Variant,
                    /// The field `u3`.
                    u3: self::VariantOne,
                    /// The field `u4`.
                    u4: self::Contract,
                    /// The field `u5`.
                    u5: self::Resolver,
                    /// The field `u6`.
                    u6: self::Place,
                    /// The field `u7`.
                    u7: self::Error,
                },
                /// The variant `Two`.
                Two {
                    /// The field `serializer`.
                    $serializer: Option<u8>,
                    /// The field `deserializer`.
                    $deserializer: Option<u8>,
                    /// The field `resolver`.
                    resolver: Option<u8>,
                    /// The field `out`.
                    out: Option<u8>,
                    /// The field `value`.
                    value: Option<u8>,
                    /// The field `place`.
                    place: Option<u8>,
                    /// The field `context`.
                    context: Option<u8>,
                    /// The field `tag`.
                    tag: Option<u8>,
                    /// The field `tag_ptr`.
                    tag_ptr: Option<u8>,
                    /// The field `field_ptr`.
                    field_ptr: Option<u8>,
                    /// The field `out_field`.
                    out_field: Option<u8>,
                    /// The field `this`.
                    this: Option<u8>,
                    /// The field `other`.
                    other: Option<u8>,
                    /// The field `e`.
                    e: Option<u8>,
                    /// The field `bytes`.
                    bytes: Option<u8>,
                    /// The field `version`.
                    version: Option<u8>,
                    /// The field `old`.
                    old: Option<u8>,
                    /// The field `message`.
                    message: Option<u8>,
                    /// The field `at0`.
                    at0: Option<u8>,
                    /// The field `item0`.
                    item0: Option<u8>,
                    /// The field `value0`.
                    value0: Option<u8>,
                    /// The field `self_0`.
                    self_0: Option<u8>,
                    /// The field `resolver_0`.
                    resolver_0: Option<u8>,
                    /// The field `visitor`.
                    visitor: Option<u8>,
                    /// The field `key`.
                    key: Option<u8>,
                    /// The field `w`.
                    w: Option<u8>,
                    /// The field `q`.
                    q: Option<u8>,
                    /// The field `r`.
                    r: Option<u8>,
                    /// The field `v`.
                    v: Option<u8>,
                    /// The field `v0`.
                    v0: Option<u8>,
                    /// The field `at`.
                    at: Option<u8>,
                    /// The field `error`.
                    error: Option<u8>,
                    /// The field `field`.
                    field: Option<u8>,
                    /// The field `put`.
                    put: Option<u8>,
                    /// The field `get`.
                    get: Option<u8>,
                    /// The field `root_len`.
                    root_len: Option<u8>,
                    /// The field `layout`.
                    layout: Option<u8>,
                    /// The field `check`.
                    check: Option<u8>,
                    /// The field `json`.
                    json: Option<u8>,
                    /// The field `name`.
                    name: Option<u8>,
                    /// The field `t`.
                    t: Option<u8>,
                    /// The field `big`.
                    big: Option<u8>,
                    /// The field `view`.
                    view: Option<u8>,
                    /// The field `mycelium`.
                    mycelium: Option<u8>,
                    /// The field `rkyv`.
                    rkyv: Option<u8>,
                    /// The field `wire`.
                    wire: Option<u8>,
                    /// The field `size_of`.
                    size_of: Option<u8>,
                    /// The field `vec`.
                    vec: Option<u8>,
                    /// The field `format`.
                    format: Option<u8>,
                    /// The field `print`.
                    print: Option<u8>,
                    /// The field `range`.
                    range: Option<u8>,
                    /// The field `tuple`.
                    tuple: Option<u8>,
                    /// The field `len`.
                    len: Option<u8>,
                    /// The field `dict`.
                    dict: Option<u8>,
                    /// The field `set`.
                    set: Option<u8>,
                    /// The field `property`.
                    property: Option<u8>,
                    /// The field `typing`.
                    typing: Option<u8>,
                    /// The field `dataclass`.
                    dataclass: Option<u8>,
                    /// The field `decimal`.
                    decimal: Option<u8>,
                    /// The field `make`.
                    make: Option<u8>,
                    /// The field `equal`.
                    equal: Option<u8>,
                    /// The field `compare`.
                    compare: Option<u8>,
                    /// The field `ignore`.
                    ignore: Option<u8>,
                    /// The field `fst`.
                    fst: Option<u8>,
                    /// The field `failwith`.
                    failwith: Option<u8>,
                    /// The field `string`.
                    string: Option<u8>,
                    /// The field `int64`.
                    int64: Option<u8>,
                    /// The field `option`.
                    option: Option<u8>,
                    /// The field `list`.
                    list: Option<u8>,
                    /// The field `array`.
                    array: Option<u8>,
                    /// The field `unit`.
                    unit: Option<u8>,
                },
            }
        };
    }

    define!(serializer, deserializer);

    impl UserShape {
        /// Checks the rules of the contract.
        ///
        /// # Errors
        /// The first rule that the value breaks.
        pub fn validate(&self) -> Result<(), mycelium::ValidationError> {
            match self {
                Self::Two { serializer, deserializer, resolver, out, value, place, context, tag, tag_ptr, field_ptr, out_field, this, other, e, bytes, version, old, message, at0, item0, value0, self_0, resolver_0, visitor, key, w, q, r, v, v0, at, error, field, put, get, root_len, layout, check, json, name, t, big, view, mycelium, rkyv, wire, size_of, vec, format, print, range, tuple, len, dict, set, property, typing, dataclass, decimal, make, equal, compare, ignore, fst, failwith, string, int64, option, list, array, unit, .. } => {
                    if let Some(value0) = &*serializer {
                        if !(*value0 <= 9) {
                            return Err(mycelium::ValidationError::broken("UserShape", "serializer", &*value0, "at most 9"));
                        }
                    }
                    if let Some(value0) = &*deserializer {
                        if !(*value0 <= 9) {
                            return Err(mycelium::ValidationError::broken("UserShape", "deserializer", &*value0, "at most 9"));
                        }
                    }
                    if let Some(value0) = &*resolver {
                        if !(*value0 <= 9) {
                            return Err(mycelium::ValidationError::broken("UserShape", "resolver", &*value0, "at most 9"));
                        }
                    }
                    if let Some(value0) = &*out {
                        if !(*value0 <= 9) {
                            return Err(mycelium::ValidationError::broken("UserShape", "out", &*value0, "at most 9"));
                        }
                    }
                    if let Some(value0) = &*value {
                        if !(*value0 <= 9) {
                            return Err(mycelium::ValidationError::broken("UserShape", "value", &*value0, "at most 9"));
                        }
                    }
                    if let Some(value0) = &*place {
                        if !(*value0 <= 9) {
                            return Err(mycelium::ValidationError::broken("UserShape", "place", &*value0, "at most 9"));
                        }
                    }
                    if let Some(value0) = &*context {
                        if !(*value0 <= 9) {
                            return Err(mycelium::ValidationError::broken("UserShape", "context", &*value0, "at most 9"));
                        }
                    }
                    if let Some(value0) = &*tag {
                        if !(*value0 <= 9) {
                            return Err(mycelium::ValidationError::broken("UserShape", "tag", &*value0, "at most 9"));
                        }
                    }
                    if let Some(value0) = &*tag_ptr {
                        if !(*value0 <= 9) {
                            return Err(mycelium::ValidationError::broken("UserShape", "tag_ptr", &*value0, "at most 9"));
                        }
                    }
                    if let Some(value0) = &*field_ptr {
                        if !(*value0 <= 9) {
                            return Err(mycelium::ValidationError::broken("UserShape", "field_ptr", &*value0, "at most 9"));
                        }
                    }
                    if let Some(value0) = &*out_field {
                        if !(*value0 <= 9) {
                            return Err(mycelium::ValidationError::broken("UserShape", "out_field", &*value0, "at most 9"));
                        }
                    }
                    if let Some(value0) = &*this {
                        if !(*value0 <= 9) {
                            return Err(mycelium::ValidationError::broken("UserShape", "this", &*value0, "at most 9"));
                        }
                    }
                    if let Some(value0) = &*other {
                        if !(*value0 <= 9) {
                            return Err(mycelium::ValidationError::broken("UserShape", "other", &*value0, "at most 9"));
                        }
                    }
                    if let Some(value0) = &*e {
                        if !(*value0 <= 9) {
                            return Err(mycelium::ValidationError::broken("UserShape", "e", &*value0, "at most 9"));
                        }
                    }
                    if let Some(value0) = &*bytes {
                        if !(*value0 <= 9) {
                            return Err(mycelium::ValidationError::broken("UserShape", "bytes", &*value0, "at most 9"));
                        }
                    }
                    if let Some(value0) = &*version {
                        if !(*value0 <= 9) {
                            return Err(mycelium::ValidationError::broken("UserShape", "version", &*value0, "at most 9"));
                        }
                    }
                    if let Some(value0) = &*old {
                        if !(*value0 <= 9) {
                            return Err(mycelium::ValidationError::broken("UserShape", "old", &*value0, "at most 9"));
                        }
                    }
                    if let Some(value0) = &*message {
                        if !(*value0 <= 9) {
                            return Err(mycelium::ValidationError::broken("UserShape", "message", &*value0, "at most 9"));
                        }
                    }
                    if let Some(value0) = &*at0 {
                        if !(*value0 <= 9) {
                            return Err(mycelium::ValidationError::broken("UserShape", "at0", &*value0, "at most 9"));
                        }
                    }
                    if let Some(value0) = &*item0 {
                        if !(*value0 <= 9) {
                            return Err(mycelium::ValidationError::broken("UserShape", "item0", &*value0, "at most 9"));
                        }
                    }
                    if let Some(value0) = &*value0 {
                        if !(*value0 <= 9) {
                            return Err(mycelium::ValidationError::broken("UserShape", "value0", &*value0, "at most 9"));
                        }
                    }
                    if let Some(value0) = &*self_0 {
                        if !(*value0 <= 9) {
                            return Err(mycelium::ValidationError::broken("UserShape", "self_0", &*value0, "at most 9"));
                        }
                    }
                    if let Some(value0) = &*resolver_0 {
                        if !(*value0 <= 9) {
                            return Err(mycelium::ValidationError::broken("UserShape", "resolver_0", &*value0, "at most 9"));
                        }
                    }
                    if let Some(value0) = &*visitor {
                        if !(*value0 <= 9) {
                            return Err(mycelium::ValidationError::broken("UserShape", "visitor", &*value0, "at most 9"));
                        }
                    }
                    if let Some(value0) = &*key {
                        if !(*value0 <= 9) {
                            return Err(mycelium::ValidationError::broken("UserShape", "key", &*value0, "at most 9"));
                        }
                    }
                    if let Some(value0) = &*w {
                        if !(*value0 <= 9) {
                            return Err(mycelium::ValidationError::broken("UserShape", "w", &*value0, "at most 9"));
                        }
                    }
                    if let Some(value0) = &*q {
                        if !(*value0 <= 9) {
                            return Err(mycelium::ValidationError::broken("UserShape", "q", &*value0, "at most 9"));
                        }
                    }
                    if let Some(value0) = &*r {
                        if !(*value0 <= 9) {
                            return Err(mycelium::ValidationError::broken("UserShape", "r", &*value0, "at most 9"));
                        }
                    }
                    if let Some(value0) = &*v {
                        if !(*value0 <= 9) {
                            return Err(mycelium::ValidationError::broken("UserShape", "v", &*value0, "at most 9"));
                        }
                    }
                    if let Some(value0) = &*v0 {
                        if !(*value0 <= 9) {
                            return Err(mycelium::ValidationError::broken("UserShape", "v0", &*value0, "at most 9"));
                        }
                    }
                    if let Some(value0) = &*at {
                        if !(*value0 <= 9) {
                            return Err(mycelium::ValidationError::broken("UserShape", "at", &*value0, "at most 9"));
                        }
                    }
                    if let Some(value0) = &*error {
                        if !(*value0 <= 9) {
                            return Err(mycelium::ValidationError::broken("UserShape", "error", &*value0, "at most 9"));
                        }
                    }
                    if let Some(value0) = &*field {
                        if !(*value0 <= 9) {
                            return Err(mycelium::ValidationError::broken("UserShape", "field", &*value0, "at most 9"));
                        }
                    }
                    if let Some(value0) = &*put {
                        if !(*value0 <= 9) {
                            return Err(mycelium::ValidationError::broken("UserShape", "put", &*value0, "at most 9"));
                        }
                    }
                    if let Some(value0) = &*get {
                        if !(*value0 <= 9) {
                            return Err(mycelium::ValidationError::broken("UserShape", "get", &*value0, "at most 9"));
                        }
                    }
                    if let Some(value0) = &*root_len {
                        if !(*value0 <= 9) {
                            return Err(mycelium::ValidationError::broken("UserShape", "root_len", &*value0, "at most 9"));
                        }
                    }
                    if let Some(value0) = &*layout {
                        if !(*value0 <= 9) {
                            return Err(mycelium::ValidationError::broken("UserShape", "layout", &*value0, "at most 9"));
                        }
                    }
                    if let Some(value0) = &*check {
                        if !(*value0 <= 9) {
                            return Err(mycelium::ValidationError::broken("UserShape", "check", &*value0, "at most 9"));
                        }
                    }
                    if let Some(value0) = &*json {
                        if !(*value0 <= 9) {
                            return Err(mycelium::ValidationError::broken("UserShape", "json", &*value0, "at most 9"));
                        }
                    }
                    if let Some(value0) = &*name {
                        if !(*value0 <= 9) {
                            return Err(mycelium::ValidationError::broken("UserShape", "name", &*value0, "at most 9"));
                        }
                    }
                    if let Some(value0) = &*t {
                        if !(*value0 <= 9) {
                            return Err(mycelium::ValidationError::broken("UserShape", "t", &*value0, "at most 9"));
                        }
                    }
                    if let Some(value0) = &*big {
                        if !(*value0 <= 9) {
                            return Err(mycelium::ValidationError::broken("UserShape", "big", &*value0, "at most 9"));
                        }
                    }
                    if let Some(value0) = &*view {
                        if !(*value0 <= 9) {
                            return Err(mycelium::ValidationError::broken("UserShape", "view", &*value0, "at most 9"));
                        }
                    }
                    if let Some(value0) = &*mycelium {
                        if !(*value0 <= 9) {
                            return Err(mycelium::ValidationError::broken("UserShape", "mycelium", &*value0, "at most 9"));
                        }
                    }
                    if let Some(value0) = &*rkyv {
                        if !(*value0 <= 9) {
                            return Err(mycelium::ValidationError::broken("UserShape", "rkyv", &*value0, "at most 9"));
                        }
                    }
                    if let Some(value0) = &*wire {
                        if !(*value0 <= 9) {
                            return Err(mycelium::ValidationError::broken("UserShape", "wire", &*value0, "at most 9"));
                        }
                    }
                    if let Some(value0) = &*size_of {
                        if !(*value0 <= 9) {
                            return Err(mycelium::ValidationError::broken("UserShape", "size_of", &*value0, "at most 9"));
                        }
                    }
                    if let Some(value0) = &*vec {
                        if !(*value0 <= 9) {
                            return Err(mycelium::ValidationError::broken("UserShape", "vec", &*value0, "at most 9"));
                        }
                    }
                    if let Some(value0) = &*format {
                        if !(*value0 <= 9) {
                            return Err(mycelium::ValidationError::broken("UserShape", "format", &*value0, "at most 9"));
                        }
                    }
                    if let Some(value0) = &*print {
                        if !(*value0 <= 9) {
                            return Err(mycelium::ValidationError::broken("UserShape", "print", &*value0, "at most 9"));
                        }
                    }
                    if let Some(value0) = &*range {
                        if !(*value0 <= 9) {
                            return Err(mycelium::ValidationError::broken("UserShape", "range", &*value0, "at most 9"));
                        }
                    }
                    if let Some(value0) = &*tuple {
                        if !(*value0 <= 9) {
                            return Err(mycelium::ValidationError::broken("UserShape", "tuple", &*value0, "at most 9"));
                        }
                    }
                    if let Some(value0) = &*len {
                        if !(*value0 <= 9) {
                            return Err(mycelium::ValidationError::broken("UserShape", "len", &*value0, "at most 9"));
                        }
                    }
                    if let Some(value0) = &*dict {
                        if !(*value0 <= 9) {
                            return Err(mycelium::ValidationError::broken("UserShape", "dict", &*value0, "at most 9"));
                        }
                    }
                    if let Some(value0) = &*set {
                        if !(*value0 <= 9) {
                            return Err(mycelium::ValidationError::broken("UserShape", "set", &*value0, "at most 9"));
                        }
                    }
                    if let Some(value0) = &*property {
                        if !(*value0 <= 9) {
                            return Err(mycelium::ValidationError::broken("UserShape", "property", &*value0, "at most 9"));
                        }
                    }
                    if let Some(value0) = &*typing {
                        if !(*value0 <= 9) {
                            return Err(mycelium::ValidationError::broken("UserShape", "typing", &*value0, "at most 9"));
                        }
                    }
                    if let Some(value0) = &*dataclass {
                        if !(*value0 <= 9) {
                            return Err(mycelium::ValidationError::broken("UserShape", "dataclass", &*value0, "at most 9"));
                        }
                    }
                    if let Some(value0) = &*decimal {
                        if !(*value0 <= 9) {
                            return Err(mycelium::ValidationError::broken("UserShape", "decimal", &*value0, "at most 9"));
                        }
                    }
                    if let Some(value0) = &*make {
                        if !(*value0 <= 9) {
                            return Err(mycelium::ValidationError::broken("UserShape", "make", &*value0, "at most 9"));
                        }
                    }
                    if let Some(value0) = &*equal {
                        if !(*value0 <= 9) {
                            return Err(mycelium::ValidationError::broken("UserShape", "equal", &*value0, "at most 9"));
                        }
                    }
                    if let Some(value0) = &*compare {
                        if !(*value0 <= 9) {
                            return Err(mycelium::ValidationError::broken("UserShape", "compare", &*value0, "at most 9"));
                        }
                    }
                    if let Some(value0) = &*ignore {
                        if !(*value0 <= 9) {
                            return Err(mycelium::ValidationError::broken("UserShape", "ignore", &*value0, "at most 9"));
                        }
                    }
                    if let Some(value0) = &*fst {
                        if !(*value0 <= 9) {
                            return Err(mycelium::ValidationError::broken("UserShape", "fst", &*value0, "at most 9"));
                        }
                    }
                    if let Some(value0) = &*failwith {
                        if !(*value0 <= 9) {
                            return Err(mycelium::ValidationError::broken("UserShape", "failwith", &*value0, "at most 9"));
                        }
                    }
                    if let Some(value0) = &*string {
                        if !(*value0 <= 9) {
                            return Err(mycelium::ValidationError::broken("UserShape", "string", &*value0, "at most 9"));
                        }
                    }
                    if let Some(value0) = &*int64 {
                        if !(*value0 <= 9) {
                            return Err(mycelium::ValidationError::broken("UserShape", "int64", &*value0, "at most 9"));
                        }
                    }
                    if let Some(value0) = &*option {
                        if !(*value0 <= 9) {
                            return Err(mycelium::ValidationError::broken("UserShape", "option", &*value0, "at most 9"));
                        }
                    }
                    if let Some(value0) = &*list {
                        if !(*value0 <= 9) {
                            return Err(mycelium::ValidationError::broken("UserShape", "list", &*value0, "at most 9"));
                        }
                    }
                    if let Some(value0) = &*array {
                        if !(*value0 <= 9) {
                            return Err(mycelium::ValidationError::broken("UserShape", "array", &*value0, "at most 9"));
                        }
                    }
                    if let Some(value0) = &*unit {
                        if !(*value0 <= 9) {
                            return Err(mycelium::ValidationError::broken("UserShape", "unit", &*value0, "at most 9"));
                        }
                    }
                }
                _ => {}
            }
            Ok(())
        }
    }

    const _: () = {
        assert!(size_of::<ArchivedUserShape>() == 143);
        assert!(align_of::<ArchivedUserShape>() == 1);
    };

    /// The struct `Tag`.
    #[derive(Clone, Copy, Debug, PartialEq, Default, rkyv::Archive, rkyv::Serialize, rkyv::Deserialize)]
    #[rkyv(crate = mycelium::rkyv, derive(Debug))]
    #[repr(C)]
    pub struct Tag {
        /// The field `x`.
        pub x: u8,
    }

    const _: () = {
        assert!(size_of::<ArchivedTag>() == 1);
        assert!(align_of::<ArchivedTag>() == 1);
        assert!(::std::mem::offset_of!(ArchivedTag, x) == 0);
    };

    impl Tag {
        /// Checks the rules of the contract.
        ///
        /// # Errors
        /// The first rule that the value breaks.
        pub fn validate(&self) -> Result<(), mycelium::ValidationError> {
            Ok(())
        }
    }

    /// The struct `Discriminant`.
    #[derive(Clone, Copy, Debug, PartialEq, Default, rkyv::Archive, rkyv::Serialize, rkyv::Deserialize)]
    #[rkyv(crate = mycelium::rkyv, derive(Debug))]
    #[repr(C)]
    pub struct Discriminant {
        /// The field `x`.
        pub x: u8,
    }

    const _: () = {
        assert!(size_of::<ArchivedDiscriminant>() == 1);
        assert!(align_of::<ArchivedDiscriminant>() == 1);
        assert!(::std::mem::offset_of!(ArchivedDiscriminant, x) == 0);
    };

    impl Discriminant {
        /// Checks the rules of the contract.
        ///
        /// # Errors
        /// The first rule that the value breaks.
        pub fn validate(&self) -> Result<(), mycelium::ValidationError> {
            Ok(())
        }
    }

    /// The struct `Variant`.
    #[derive(Clone, Copy, Debug, PartialEq, Default, rkyv::Archive, rkyv::Serialize, rkyv::Deserialize)]
    #[rkyv(crate = mycelium::rkyv, derive(Debug))]
    #[repr(C)]
    pub struct Variant {
        /// The field `x`.
        pub x: u8,
    }

    const _: () = {
        assert!(size_of::<ArchivedVariant>() == 1);
        assert!(align_of::<ArchivedVariant>() == 1);
        assert!(::std::mem::offset_of!(ArchivedVariant, x) == 0);
    };

    impl Variant {
        /// Checks the rules of the contract.
        ///
        /// # Errors
        /// The first rule that the value breaks.
        pub fn validate(&self) -> Result<(), mycelium::ValidationError> {
            Ok(())
        }
    }

    /// The struct `VariantOne`.
    #[derive(Clone, Copy, Debug, PartialEq, Default, rkyv::Archive, rkyv::Serialize, rkyv::Deserialize)]
    #[rkyv(crate = mycelium::rkyv, derive(Debug))]
    #[repr(C)]
    pub struct VariantOne {
        /// The field `x`.
        pub x: u8,
    }

    const _: () = {
        assert!(size_of::<ArchivedVariantOne>() == 1);
        assert!(align_of::<ArchivedVariantOne>() == 1);
        assert!(::std::mem::offset_of!(ArchivedVariantOne, x) == 0);
    };

    impl VariantOne {
        /// Checks the rules of the contract.
        ///
        /// # Errors
        /// The first rule that the value breaks.
        pub fn validate(&self) -> Result<(), mycelium::ValidationError> {
            Ok(())
        }
    }

    /// The struct `Contract`.
    #[derive(Clone, Copy, Debug, PartialEq, Default, rkyv::Archive, rkyv::Serialize, rkyv::Deserialize)]
    #[rkyv(crate = mycelium::rkyv, derive(Debug))]
    #[repr(C)]
    pub struct Contract {
        /// The field `x`.
        pub x: u8,
    }

    const _: () = {
        assert!(size_of::<ArchivedContract>() == 1);
        assert!(align_of::<ArchivedContract>() == 1);
        assert!(::std::mem::offset_of!(ArchivedContract, x) == 0);
    };

    impl Contract {
        /// Checks the rules of the contract.
        ///
        /// # Errors
        /// The first rule that the value breaks.
        pub fn validate(&self) -> Result<(), mycelium::ValidationError> {
            Ok(())
        }
    }

    /// The struct `Resolver`.
    #[derive(Clone, Copy, Debug, PartialEq, Default, rkyv::Archive, rkyv::Serialize, rkyv::Deserialize)]
    #[rkyv(crate = mycelium::rkyv, derive(Debug))]
    #[repr(C)]
    pub struct Resolver {
        /// The field `x`.
        pub x: u8,
    }

    const _: () = {
        assert!(size_of::<ArchivedResolver>() == 1);
        assert!(align_of::<ArchivedResolver>() == 1);
        assert!(::std::mem::offset_of!(ArchivedResolver, x) == 0);
    };

    impl Resolver {
        /// Checks the rules of the contract.
        ///
        /// # Errors
        /// The first rule that the value breaks.
        pub fn validate(&self) -> Result<(), mycelium::ValidationError> {
            Ok(())
        }
    }

    /// The struct `Place`.
    #[derive(Clone, Copy, Debug, PartialEq, Default, rkyv::Archive, rkyv::Serialize, rkyv::Deserialize)]
    #[rkyv(crate = mycelium::rkyv, derive(Debug))]
    #[repr(C)]
    pub struct Place {
        /// The field `x`.
        pub x: u8,
    }

    const _: () = {
        assert!(size_of::<ArchivedPlace>() == 1);
        assert!(align_of::<ArchivedPlace>() == 1);
        assert!(::std::mem::offset_of!(ArchivedPlace, x) == 0);
    };

    impl Place {
        /// Checks the rules of the contract.
        ///
        /// # Errors
        /// The first rule that the value breaks.
        pub fn validate(&self) -> Result<(), mycelium::ValidationError> {
            Ok(())
        }
    }

    /// The struct `Error`.
    #[derive(Clone, Copy, Debug, PartialEq, Default, rkyv::Archive, rkyv::Serialize, rkyv::Deserialize)]
    #[rkyv(crate = mycelium::rkyv, derive(Debug))]
    #[repr(C)]
    pub struct Error {
        /// The field `x`.
        pub x: u8,
    }

    const _: () = {
        assert!(size_of::<ArchivedError>() == 1);
        assert!(align_of::<ArchivedError>() == 1);
        assert!(::std::mem::offset_of!(ArchivedError, x) == 0);
    };

    impl Error {
        /// Checks the rules of the contract.
        ///
        /// # Errors
        /// The first rule that the value breaks.
        pub fn validate(&self) -> Result<(), mycelium::ValidationError> {
            Ok(())
        }
    }

    /// The struct `UserStruct`.
    #[derive(Clone, Copy, Debug, PartialEq, Default, rkyv::Archive, rkyv::Serialize, rkyv::Deserialize)]
    #[rkyv(crate = mycelium::rkyv, derive(Debug))]
    #[repr(C)]
    pub struct UserStruct {
        /// The field `u0`.
        pub u0: self::Tag,
        /// The field `u1`.
        pub u1: self::Discriminant,
        /// The field `u2`.
        pub u2: self::Variant,
        /// The field `u3`.
        pub u3: self::VariantOne,
        /// The field `u4`.
        pub u4: self::Contract,
        /// The field `u5`.
        pub u5: self::Resolver,
        /// The field `u6`.
        pub u6: self::Place,
        /// The field `u7`.
        pub u7: self::Error,
        /// The field `shape`.
        pub shape: self::UserShape,
    }

    const _: () = {
        assert!(size_of::<ArchivedUserStruct>() == 151);
        assert!(align_of::<ArchivedUserStruct>() == 1);
        assert!(::std::mem::offset_of!(ArchivedUserStruct, u0) == 0);
        assert!(::std::mem::offset_of!(ArchivedUserStruct, u1) == 1);
        assert!(::std::mem::offset_of!(ArchivedUserStruct, u2) == 2);
        assert!(::std::mem::offset_of!(ArchivedUserStruct, u3) == 3);
        assert!(::std::mem::offset_of!(ArchivedUserStruct, u4) == 4);
        assert!(::std::mem::offset_of!(ArchivedUserStruct, u5) == 5);
        assert!(::std::mem::offset_of!(ArchivedUserStruct, u6) == 6);
        assert!(::std::mem::offset_of!(ArchivedUserStruct, u7) == 7);
        assert!(::std::mem::offset_of!(ArchivedUserStruct, shape) == 8);
    };

    impl UserStruct {
        /// Checks the rules of the contract.
        ///
        /// # Errors
        /// The first rule that the value breaks.
        pub fn validate(&self) -> Result<(), mycelium::ValidationError> {
            self.shape.validate().map_err(|e| e.inside("UserStruct", "shape"))?;
            Ok(())
        }
    }

    /// The message `User`.
    ///
    /// Topic `t`, type id 1, version 1, domain `d`.
    #[derive(Clone, Debug, PartialEq, Default, rkyv::Archive, rkyv::Serialize, rkyv::Deserialize)]
    #[rkyv(crate = mycelium::rkyv, derive(Debug))]
    pub struct User {
        /// The field `u0`.
        pub u0: self::Tag,
        /// The field `u1`.
        pub u1: self::Discriminant,
        /// The field `u2`.
        pub u2: self::Variant,
        /// The field `u3`.
        pub u3: self::VariantOne,
        /// The field `u4`.
        pub u4: self::Contract,
        /// The field `u5`.
        pub u5: self::Resolver,
        /// The field `u6`.
        pub u6: self::Place,
        /// The field `u7`.
        pub u7: self::Error,
        /// The field `one`.
        pub one: self::UserStruct,
        /// The field `many`.
        pub many: Vec<self::UserShape>,
        /// The field `words`.
        pub words: self::UserUnit,
        /// The field `data`.
        pub data: self::UserData,
    }

    const _: () = {
        assert!(size_of::<ArchivedUser>() == 172);
        assert!(align_of::<ArchivedUser>() == 4);
        assert!(::std::mem::offset_of!(ArchivedUser, u0) == 0);
        assert!(::std::mem::offset_of!(ArchivedUser, u1) == 1);
        assert!(::std::mem::offset_of!(ArchivedUser, u2) == 2);
        assert!(::std::mem::offset_of!(ArchivedUser, u3) == 3);
        assert!(::std::mem::offset_of!(ArchivedUser, u4) == 4);
        assert!(::std::mem::offset_of!(ArchivedUser, u5) == 5);
        assert!(::std::mem::offset_of!(ArchivedUser, u6) == 6);
        assert!(::std::mem::offset_of!(ArchivedUser, u7) == 7);
        assert!(::std::mem::offset_of!(ArchivedUser, one) == 8);
        assert!(::std::mem::offset_of!(ArchivedUser, many) == 160);
        assert!(::std::mem::offset_of!(ArchivedUser, words) == 168);
        assert!(::std::mem::offset_of!(ArchivedUser, data) == 169);
    };

    impl mycelium::Message for User {
        const NAME: &'static str = "User";
        const TYPE_ID: u16 = 1;
        const TOPIC: &'static str = "t";
        const VERSION: u16 = 1;
        const DIGEST: u64 = 0xfe8b6dda509512cf;

        fn validate(&self) -> Result<(), mycelium::ValidationError> {
            self.one.validate().map_err(|e| e.inside(Self::NAME, "one"))?;
            for (at0, item0) in self.many.iter().enumerate() {
                item0.validate().map_err(|e| e.inside(Self::NAME, format!("{}[{at0}]", "many")))?;
            }
            Ok(())
        }
    }

    impl wire::Wire for User {
        const LAYOUTS: &'static [wire::Layout] = &[
            wire::Layout { version: 1, root_len: 172, digest: 0xfe8b6dda509512cf },
        ];
    }

    /// The message `UserFields`.
    ///
    /// Topic `t`, type id 2, version 2, domain `d`.
    #[derive(Clone, Copy, Debug, PartialEq, rkyv::Archive, rkyv::Serialize, rkyv::Deserialize)]
    #[rkyv(crate = mycelium::rkyv, derive(Debug))]
    #[repr(C)]
    pub struct UserFields {
        /// The field `serializer`.
        pub serializer: Option<u8>,
        /// The field `deserializer`.
        pub deserializer: Option<u8>,
        /// The field `resolver`.
        pub resolver: Option<u8>,
        /// The field `out`.
        pub out: Option<u8>,
        /// The field `value`.
        pub value: Option<u8>,
        /// The field `place`.
        pub place: Option<u8>,
        /// The field `context`.
        pub context: Option<u8>,
        /// The field `tag`.
        pub tag: Option<u8>,
        /// The field `tag_ptr`.
        pub tag_ptr: Option<u8>,
        /// The field `field_ptr`.
        pub field_ptr: Option<u8>,
        /// The field `out_field`.
        pub out_field: Option<u8>,
        /// The field `this`.
        pub this: Option<u8>,
        /// The field `other`.
        pub other: Option<u8>,
        /// The field `e`.
        pub e: Option<u8>,
        /// The field `bytes`.
        pub bytes: Option<u8>,
        /// The field `version`.
        pub version: Option<u8>,
        /// The field `old`.
        pub old: Option<u8>,
        /// The field `message`.
        pub message: Option<u8>,
        /// The field `at0`.
        pub at0: Option<u8>,
        /// The field `item0`.
        pub item0: Option<u8>,
        /// The field `value0`.
        pub value0: Option<u8>,
        /// The field `self_0`.
        pub self_0: Option<u8>,
        /// The field `resolver_0`.
        pub resolver_0: Option<u8>,
        /// The field `visitor`.
        pub visitor: Option<u8>,
        /// The field `key`.
        pub key: Option<u8>,
        /// The field `w`.
        pub w: Option<u8>,
        /// The field `q`.
        pub q: Option<u8>,
        /// The field `r`.
        pub r: Option<u8>,
        /// The field `v`.
        pub v: Option<u8>,
        /// The field `v0`.
        pub v0: Option<u8>,
        /// The field `at`.
        pub at: Option<u8>,
        /// The field `error`.
        pub error: Option<u8>,
        /// The field `field`.
        pub field: Option<u8>,
        /// The field `put`.
        pub put: Option<u8>,
        /// The field `get`.
        pub get: Option<u8>,
        /// The field `root_len`.
        pub root_len: Option<u8>,
        /// The field `layout`.
        pub layout: Option<u8>,
        /// The field `check`.
        pub check: Option<u8>,
        /// The field `json`.
        pub json: Option<u8>,
        /// The field `name`.
        pub name: Option<u8>,
        /// The field `t`.
        pub t: Option<u8>,
        /// The field `big`.
        pub big: Option<u8>,
        /// The field `view`.
        pub view: Option<u8>,
        /// The field `mycelium`.
        pub mycelium: Option<u8>,
        /// The field `rkyv`.
        pub rkyv: Option<u8>,
        /// The field `wire`.
        pub wire: Option<u8>,
        /// The field `size_of`.
        pub size_of: Option<u8>,
        /// The field `vec`.
        pub vec: Option<u8>,
        /// The field `format`.
        pub format: Option<u8>,
        /// The field `print`.
        pub print: Option<u8>,
        /// The field `range`.
        pub range: Option<u8>,
        /// The field `tuple`.
        pub tuple: Option<u8>,
        /// The field `len`.
        pub len: Option<u8>,
        /// The field `dict`.
        pub dict: Option<u8>,
        /// The field `set`.
        pub set: Option<u8>,
        /// The field `property`.
        pub property: Option<u8>,
        /// The field `typing`.
        pub typing: Option<u8>,
        /// The field `dataclass`.
        pub dataclass: Option<u8>,
        /// The field `decimal`.
        pub decimal: Option<u8>,
        /// The field `make`.
        pub make: Option<u8>,
        /// The field `equal`.
        pub equal: Option<u8>,
        /// The field `compare`.
        pub compare: Option<u8>,
        /// The field `ignore`.
        pub ignore: Option<u8>,
        /// The field `fst`.
        pub fst: Option<u8>,
        /// The field `failwith`.
        pub failwith: Option<u8>,
        /// The field `string`.
        pub string: Option<u8>,
        /// The field `int64`.
        pub int64: Option<u8>,
        /// The field `option`.
        pub option: Option<u8>,
        /// The field `list`.
        pub list: Option<u8>,
        /// The field `array`.
        pub array: Option<u8>,
        /// The field `unit`.
        pub unit: Option<u8>,
        /// The field `later`.
        pub later: self::UserShape,
    }

    impl Default for UserFields {
        fn default() -> Self {
            Self {
                serializer: Default::default(),
                deserializer: Default::default(),
                resolver: Default::default(),
                out: Default::default(),
                value: Default::default(),
                place: Default::default(),
                context: Default::default(),
                tag: Default::default(),
                tag_ptr: Default::default(),
                field_ptr: Default::default(),
                out_field: Default::default(),
                this: Default::default(),
                other: Default::default(),
                e: Default::default(),
                bytes: Default::default(),
                version: Default::default(),
                old: Default::default(),
                message: Default::default(),
                at0: Default::default(),
                item0: Default::default(),
                value0: Default::default(),
                self_0: Default::default(),
                resolver_0: Default::default(),
                visitor: Default::default(),
                key: Default::default(),
                w: Default::default(),
                q: Default::default(),
                r: Default::default(),
                v: Default::default(),
                v0: Default::default(),
                at: Default::default(),
                error: Default::default(),
                field: Default::default(),
                put: Default::default(),
                get: Default::default(),
                root_len: Default::default(),
                layout: Default::default(),
                check: Default::default(),
                json: Default::default(),
                name: Default::default(),
                t: Default::default(),
                big: Default::default(),
                view: Default::default(),
                mycelium: Default::default(),
                rkyv: Default::default(),
                wire: Default::default(),
                size_of: Default::default(),
                vec: Default::default(),
                format: Default::default(),
                print: Default::default(),
                range: Default::default(),
                tuple: Default::default(),
                len: Default::default(),
                dict: Default::default(),
                set: Default::default(),
                property: Default::default(),
                typing: Default::default(),
                dataclass: Default::default(),
                decimal: Default::default(),
                make: Default::default(),
                equal: Default::default(),
                compare: Default::default(),
                ignore: Default::default(),
                fst: Default::default(),
                failwith: Default::default(),
                string: Default::default(),
                int64: Default::default(),
                option: Default::default(),
                list: Default::default(),
                array: Default::default(),
                unit: Default::default(),
                later: self::UserShape::Two { serializer: Some(1), deserializer: Some(1), resolver: Some(1), out: Some(1), value: Some(1), place: Some(1), context: Some(1), tag: Some(1), tag_ptr: Some(1), field_ptr: Some(1), out_field: Some(1), this: Some(1), other: Some(1), e: Some(1), bytes: Some(1), version: Some(1), old: Some(1), message: Some(1), at0: Some(1), item0: Some(1), value0: Some(1), self_0: Some(1), resolver_0: Some(1), visitor: Some(1), key: Some(1), w: Some(1), q: Some(1), r: Some(1), v: Some(1), v0: Some(1), at: Some(1), error: Some(1), field: Some(1), put: Some(1), get: Some(1), root_len: Some(1), layout: Some(1), check: Some(1), json: Some(1), name: Some(1), t: Some(1), big: Some(1), view: Some(1), mycelium: Some(1), rkyv: Some(1), wire: Some(1), size_of: Some(1), vec: Some(1), format: Some(1), print: Some(1), range: Some(1), tuple: Some(1), len: Some(1), dict: Some(1), set: Some(1), property: Some(1), typing: Some(1), dataclass: Some(1), decimal: Some(1), make: Some(1), equal: Some(1), compare: Some(1), ignore: Some(1), fst: Some(1), failwith: Some(1), string: Some(1), int64: Some(1), option: Some(1), list: Some(1), array: Some(1), unit: Some(1) },
            }
        }
    }

    const _: () = {
        assert!(size_of::<ArchivedUserFields>() == 285);
        assert!(align_of::<ArchivedUserFields>() == 1);
        assert!(::std::mem::offset_of!(ArchivedUserFields, serializer) == 0);
        assert!(::std::mem::offset_of!(ArchivedUserFields, deserializer) == 2);
        assert!(::std::mem::offset_of!(ArchivedUserFields, resolver) == 4);
        assert!(::std::mem::offset_of!(ArchivedUserFields, out) == 6);
        assert!(::std::mem::offset_of!(ArchivedUserFields, value) == 8);
        assert!(::std::mem::offset_of!(ArchivedUserFields, place) == 10);
        assert!(::std::mem::offset_of!(ArchivedUserFields, context) == 12);
        assert!(::std::mem::offset_of!(ArchivedUserFields, tag) == 14);
        assert!(::std::mem::offset_of!(ArchivedUserFields, tag_ptr) == 16);
        assert!(::std::mem::offset_of!(ArchivedUserFields, field_ptr) == 18);
        assert!(::std::mem::offset_of!(ArchivedUserFields, out_field) == 20);
        assert!(::std::mem::offset_of!(ArchivedUserFields, this) == 22);
        assert!(::std::mem::offset_of!(ArchivedUserFields, other) == 24);
        assert!(::std::mem::offset_of!(ArchivedUserFields, e) == 26);
        assert!(::std::mem::offset_of!(ArchivedUserFields, bytes) == 28);
        assert!(::std::mem::offset_of!(ArchivedUserFields, version) == 30);
        assert!(::std::mem::offset_of!(ArchivedUserFields, old) == 32);
        assert!(::std::mem::offset_of!(ArchivedUserFields, message) == 34);
        assert!(::std::mem::offset_of!(ArchivedUserFields, at0) == 36);
        assert!(::std::mem::offset_of!(ArchivedUserFields, item0) == 38);
        assert!(::std::mem::offset_of!(ArchivedUserFields, value0) == 40);
        assert!(::std::mem::offset_of!(ArchivedUserFields, self_0) == 42);
        assert!(::std::mem::offset_of!(ArchivedUserFields, resolver_0) == 44);
        assert!(::std::mem::offset_of!(ArchivedUserFields, visitor) == 46);
        assert!(::std::mem::offset_of!(ArchivedUserFields, key) == 48);
        assert!(::std::mem::offset_of!(ArchivedUserFields, w) == 50);
        assert!(::std::mem::offset_of!(ArchivedUserFields, q) == 52);
        assert!(::std::mem::offset_of!(ArchivedUserFields, r) == 54);
        assert!(::std::mem::offset_of!(ArchivedUserFields, v) == 56);
        assert!(::std::mem::offset_of!(ArchivedUserFields, v0) == 58);
        assert!(::std::mem::offset_of!(ArchivedUserFields, at) == 60);
        assert!(::std::mem::offset_of!(ArchivedUserFields, error) == 62);
        assert!(::std::mem::offset_of!(ArchivedUserFields, field) == 64);
        assert!(::std::mem::offset_of!(ArchivedUserFields, put) == 66);
        assert!(::std::mem::offset_of!(ArchivedUserFields, get) == 68);
        assert!(::std::mem::offset_of!(ArchivedUserFields, root_len) == 70);
        assert!(::std::mem::offset_of!(ArchivedUserFields, layout) == 72);
        assert!(::std::mem::offset_of!(ArchivedUserFields, check) == 74);
        assert!(::std::mem::offset_of!(ArchivedUserFields, json) == 76);
        assert!(::std::mem::offset_of!(ArchivedUserFields, name) == 78);
        assert!(::std::mem::offset_of!(ArchivedUserFields, t) == 80);
        assert!(::std::mem::offset_of!(ArchivedUserFields, big) == 82);
        assert!(::std::mem::offset_of!(ArchivedUserFields, view) == 84);
        assert!(::std::mem::offset_of!(ArchivedUserFields, mycelium) == 86);
        assert!(::std::mem::offset_of!(ArchivedUserFields, rkyv) == 88);
        assert!(::std::mem::offset_of!(ArchivedUserFields, wire) == 90);
        assert!(::std::mem::offset_of!(ArchivedUserFields, size_of) == 92);
        assert!(::std::mem::offset_of!(ArchivedUserFields, vec) == 94);
        assert!(::std::mem::offset_of!(ArchivedUserFields, format) == 96);
        assert!(::std::mem::offset_of!(ArchivedUserFields, print) == 98);
        assert!(::std::mem::offset_of!(ArchivedUserFields, range) == 100);
        assert!(::std::mem::offset_of!(ArchivedUserFields, tuple) == 102);
        assert!(::std::mem::offset_of!(ArchivedUserFields, len) == 104);
        assert!(::std::mem::offset_of!(ArchivedUserFields, dict) == 106);
        assert!(::std::mem::offset_of!(ArchivedUserFields, set) == 108);
        assert!(::std::mem::offset_of!(ArchivedUserFields, property) == 110);
        assert!(::std::mem::offset_of!(ArchivedUserFields, typing) == 112);
        assert!(::std::mem::offset_of!(ArchivedUserFields, dataclass) == 114);
        assert!(::std::mem::offset_of!(ArchivedUserFields, decimal) == 116);
        assert!(::std::mem::offset_of!(ArchivedUserFields, make) == 118);
        assert!(::std::mem::offset_of!(ArchivedUserFields, equal) == 120);
        assert!(::std::mem::offset_of!(ArchivedUserFields, compare) == 122);
        assert!(::std::mem::offset_of!(ArchivedUserFields, ignore) == 124);
        assert!(::std::mem::offset_of!(ArchivedUserFields, fst) == 126);
        assert!(::std::mem::offset_of!(ArchivedUserFields, failwith) == 128);
        assert!(::std::mem::offset_of!(ArchivedUserFields, string) == 130);
        assert!(::std::mem::offset_of!(ArchivedUserFields, int64) == 132);
        assert!(::std::mem::offset_of!(ArchivedUserFields, option) == 134);
        assert!(::std::mem::offset_of!(ArchivedUserFields, list) == 136);
        assert!(::std::mem::offset_of!(ArchivedUserFields, array) == 138);
        assert!(::std::mem::offset_of!(ArchivedUserFields, unit) == 140);
        assert!(::std::mem::offset_of!(ArchivedUserFields, later) == 142);
    };

    impl mycelium::Message for UserFields {
        const NAME: &'static str = "UserFields";
        const TYPE_ID: u16 = 2;
        const TOPIC: &'static str = "t";
        const VERSION: u16 = 2;
        const DIGEST: u64 = 0x127af529f6265d12;

        fn validate(&self) -> Result<(), mycelium::ValidationError> {
            if let Some(value0) = &self.serializer {
                if !(*value0 <= 9) {
                    return Err(mycelium::ValidationError::broken(Self::NAME, "serializer", &*value0, "at most 9"));
                }
            }
            if let Some(value0) = &self.deserializer {
                if !(*value0 <= 9) {
                    return Err(mycelium::ValidationError::broken(Self::NAME, "deserializer", &*value0, "at most 9"));
                }
            }
            if let Some(value0) = &self.resolver {
                if !(*value0 <= 9) {
                    return Err(mycelium::ValidationError::broken(Self::NAME, "resolver", &*value0, "at most 9"));
                }
            }
            if let Some(value0) = &self.out {
                if !(*value0 <= 9) {
                    return Err(mycelium::ValidationError::broken(Self::NAME, "out", &*value0, "at most 9"));
                }
            }
            if let Some(value0) = &self.value {
                if !(*value0 <= 9) {
                    return Err(mycelium::ValidationError::broken(Self::NAME, "value", &*value0, "at most 9"));
                }
            }
            if let Some(value0) = &self.place {
                if !(*value0 <= 9) {
                    return Err(mycelium::ValidationError::broken(Self::NAME, "place", &*value0, "at most 9"));
                }
            }
            if let Some(value0) = &self.context {
                if !(*value0 <= 9) {
                    return Err(mycelium::ValidationError::broken(Self::NAME, "context", &*value0, "at most 9"));
                }
            }
            if let Some(value0) = &self.tag {
                if !(*value0 <= 9) {
                    return Err(mycelium::ValidationError::broken(Self::NAME, "tag", &*value0, "at most 9"));
                }
            }
            if let Some(value0) = &self.tag_ptr {
                if !(*value0 <= 9) {
                    return Err(mycelium::ValidationError::broken(Self::NAME, "tag_ptr", &*value0, "at most 9"));
                }
            }
            if let Some(value0) = &self.field_ptr {
                if !(*value0 <= 9) {
                    return Err(mycelium::ValidationError::broken(Self::NAME, "field_ptr", &*value0, "at most 9"));
                }
            }
            if let Some(value0) = &self.out_field {
                if !(*value0 <= 9) {
                    return Err(mycelium::ValidationError::broken(Self::NAME, "out_field", &*value0, "at most 9"));
                }
            }
            if let Some(value0) = &self.this {
                if !(*value0 <= 9) {
                    return Err(mycelium::ValidationError::broken(Self::NAME, "this", &*value0, "at most 9"));
                }
            }
            if let Some(value0) = &self.other {
                if !(*value0 <= 9) {
                    return Err(mycelium::ValidationError::broken(Self::NAME, "other", &*value0, "at most 9"));
                }
            }
            if let Some(value0) = &self.e {
                if !(*value0 <= 9) {
                    return Err(mycelium::ValidationError::broken(Self::NAME, "e", &*value0, "at most 9"));
                }
            }
            if let Some(value0) = &self.bytes {
                if !(*value0 <= 9) {
                    return Err(mycelium::ValidationError::broken(Self::NAME, "bytes", &*value0, "at most 9"));
                }
            }
            if let Some(value0) = &self.version {
                if !(*value0 <= 9) {
                    return Err(mycelium::ValidationError::broken(Self::NAME, "version", &*value0, "at most 9"));
                }
            }
            if let Some(value0) = &self.old {
                if !(*value0 <= 9) {
                    return Err(mycelium::ValidationError::broken(Self::NAME, "old", &*value0, "at most 9"));
                }
            }
            if let Some(value0) = &self.message {
                if !(*value0 <= 9) {
                    return Err(mycelium::ValidationError::broken(Self::NAME, "message", &*value0, "at most 9"));
                }
            }
            if let Some(value0) = &self.at0 {
                if !(*value0 <= 9) {
                    return Err(mycelium::ValidationError::broken(Self::NAME, "at0", &*value0, "at most 9"));
                }
            }
            if let Some(value0) = &self.item0 {
                if !(*value0 <= 9) {
                    return Err(mycelium::ValidationError::broken(Self::NAME, "item0", &*value0, "at most 9"));
                }
            }
            if let Some(value0) = &self.value0 {
                if !(*value0 <= 9) {
                    return Err(mycelium::ValidationError::broken(Self::NAME, "value0", &*value0, "at most 9"));
                }
            }
            if let Some(value0) = &self.self_0 {
                if !(*value0 <= 9) {
                    return Err(mycelium::ValidationError::broken(Self::NAME, "self_0", &*value0, "at most 9"));
                }
            }
            if let Some(value0) = &self.resolver_0 {
                if !(*value0 <= 9) {
                    return Err(mycelium::ValidationError::broken(Self::NAME, "resolver_0", &*value0, "at most 9"));
                }
            }
            if let Some(value0) = &self.visitor {
                if !(*value0 <= 9) {
                    return Err(mycelium::ValidationError::broken(Self::NAME, "visitor", &*value0, "at most 9"));
                }
            }
            if let Some(value0) = &self.key {
                if !(*value0 <= 9) {
                    return Err(mycelium::ValidationError::broken(Self::NAME, "key", &*value0, "at most 9"));
                }
            }
            if let Some(value0) = &self.w {
                if !(*value0 <= 9) {
                    return Err(mycelium::ValidationError::broken(Self::NAME, "w", &*value0, "at most 9"));
                }
            }
            if let Some(value0) = &self.q {
                if !(*value0 <= 9) {
                    return Err(mycelium::ValidationError::broken(Self::NAME, "q", &*value0, "at most 9"));
                }
            }
            if let Some(value0) = &self.r {
                if !(*value0 <= 9) {
                    return Err(mycelium::ValidationError::broken(Self::NAME, "r", &*value0, "at most 9"));
                }
            }
            if let Some(value0) = &self.v {
                if !(*value0 <= 9) {
                    return Err(mycelium::ValidationError::broken(Self::NAME, "v", &*value0, "at most 9"));
                }
            }
            if let Some(value0) = &self.v0 {
                if !(*value0 <= 9) {
                    return Err(mycelium::ValidationError::broken(Self::NAME, "v0", &*value0, "at most 9"));
                }
            }
            if let Some(value0) = &self.at {
                if !(*value0 <= 9) {
                    return Err(mycelium::ValidationError::broken(Self::NAME, "at", &*value0, "at most 9"));
                }
            }
            if let Some(value0) = &self.error {
                if !(*value0 <= 9) {
                    return Err(mycelium::ValidationError::broken(Self::NAME, "error", &*value0, "at most 9"));
                }
            }
            if let Some(value0) = &self.field {
                if !(*value0 <= 9) {
                    return Err(mycelium::ValidationError::broken(Self::NAME, "field", &*value0, "at most 9"));
                }
            }
            if let Some(value0) = &self.put {
                if !(*value0 <= 9) {
                    return Err(mycelium::ValidationError::broken(Self::NAME, "put", &*value0, "at most 9"));
                }
            }
            if let Some(value0) = &self.get {
                if !(*value0 <= 9) {
                    return Err(mycelium::ValidationError::broken(Self::NAME, "get", &*value0, "at most 9"));
                }
            }
            if let Some(value0) = &self.root_len {
                if !(*value0 <= 9) {
                    return Err(mycelium::ValidationError::broken(Self::NAME, "root_len", &*value0, "at most 9"));
                }
            }
            if let Some(value0) = &self.layout {
                if !(*value0 <= 9) {
                    return Err(mycelium::ValidationError::broken(Self::NAME, "layout", &*value0, "at most 9"));
                }
            }
            if let Some(value0) = &self.check {
                if !(*value0 <= 9) {
                    return Err(mycelium::ValidationError::broken(Self::NAME, "check", &*value0, "at most 9"));
                }
            }
            if let Some(value0) = &self.json {
                if !(*value0 <= 9) {
                    return Err(mycelium::ValidationError::broken(Self::NAME, "json", &*value0, "at most 9"));
                }
            }
            if let Some(value0) = &self.name {
                if !(*value0 <= 9) {
                    return Err(mycelium::ValidationError::broken(Self::NAME, "name", &*value0, "at most 9"));
                }
            }
            if let Some(value0) = &self.t {
                if !(*value0 <= 9) {
                    return Err(mycelium::ValidationError::broken(Self::NAME, "t", &*value0, "at most 9"));
                }
            }
            if let Some(value0) = &self.big {
                if !(*value0 <= 9) {
                    return Err(mycelium::ValidationError::broken(Self::NAME, "big", &*value0, "at most 9"));
                }
            }
            if let Some(value0) = &self.view {
                if !(*value0 <= 9) {
                    return Err(mycelium::ValidationError::broken(Self::NAME, "view", &*value0, "at most 9"));
                }
            }
            if let Some(value0) = &self.mycelium {
                if !(*value0 <= 9) {
                    return Err(mycelium::ValidationError::broken(Self::NAME, "mycelium", &*value0, "at most 9"));
                }
            }
            if let Some(value0) = &self.rkyv {
                if !(*value0 <= 9) {
                    return Err(mycelium::ValidationError::broken(Self::NAME, "rkyv", &*value0, "at most 9"));
                }
            }
            if let Some(value0) = &self.wire {
                if !(*value0 <= 9) {
                    return Err(mycelium::ValidationError::broken(Self::NAME, "wire", &*value0, "at most 9"));
                }
            }
            if let Some(value0) = &self.size_of {
                if !(*value0 <= 9) {
                    return Err(mycelium::ValidationError::broken(Self::NAME, "size_of", &*value0, "at most 9"));
                }
            }
            if let Some(value0) = &self.vec {
                if !(*value0 <= 9) {
                    return Err(mycelium::ValidationError::broken(Self::NAME, "vec", &*value0, "at most 9"));
                }
            }
            if let Some(value0) = &self.format {
                if !(*value0 <= 9) {
                    return Err(mycelium::ValidationError::broken(Self::NAME, "format", &*value0, "at most 9"));
                }
            }
            if let Some(value0) = &self.print {
                if !(*value0 <= 9) {
                    return Err(mycelium::ValidationError::broken(Self::NAME, "print", &*value0, "at most 9"));
                }
            }
            if let Some(value0) = &self.range {
                if !(*value0 <= 9) {
                    return Err(mycelium::ValidationError::broken(Self::NAME, "range", &*value0, "at most 9"));
                }
            }
            if let Some(value0) = &self.tuple {
                if !(*value0 <= 9) {
                    return Err(mycelium::ValidationError::broken(Self::NAME, "tuple", &*value0, "at most 9"));
                }
            }
            if let Some(value0) = &self.len {
                if !(*value0 <= 9) {
                    return Err(mycelium::ValidationError::broken(Self::NAME, "len", &*value0, "at most 9"));
                }
            }
            if let Some(value0) = &self.dict {
                if !(*value0 <= 9) {
                    return Err(mycelium::ValidationError::broken(Self::NAME, "dict", &*value0, "at most 9"));
                }
            }
            if let Some(value0) = &self.set {
                if !(*value0 <= 9) {
                    return Err(mycelium::ValidationError::broken(Self::NAME, "set", &*value0, "at most 9"));
                }
            }
            if let Some(value0) = &self.property {
                if !(*value0 <= 9) {
                    return Err(mycelium::ValidationError::broken(Self::NAME, "property", &*value0, "at most 9"));
                }
            }
            if let Some(value0) = &self.typing {
                if !(*value0 <= 9) {
                    return Err(mycelium::ValidationError::broken(Self::NAME, "typing", &*value0, "at most 9"));
                }
            }
            if let Some(value0) = &self.dataclass {
                if !(*value0 <= 9) {
                    return Err(mycelium::ValidationError::broken(Self::NAME, "dataclass", &*value0, "at most 9"));
                }
            }
            if let Some(value0) = &self.decimal {
                if !(*value0 <= 9) {
                    return Err(mycelium::ValidationError::broken(Self::NAME, "decimal", &*value0, "at most 9"));
                }
            }
            if let Some(value0) = &self.make {
                if !(*value0 <= 9) {
                    return Err(mycelium::ValidationError::broken(Self::NAME, "make", &*value0, "at most 9"));
                }
            }
            if let Some(value0) = &self.equal {
                if !(*value0 <= 9) {
                    return Err(mycelium::ValidationError::broken(Self::NAME, "equal", &*value0, "at most 9"));
                }
            }
            if let Some(value0) = &self.compare {
                if !(*value0 <= 9) {
                    return Err(mycelium::ValidationError::broken(Self::NAME, "compare", &*value0, "at most 9"));
                }
            }
            if let Some(value0) = &self.ignore {
                if !(*value0 <= 9) {
                    return Err(mycelium::ValidationError::broken(Self::NAME, "ignore", &*value0, "at most 9"));
                }
            }
            if let Some(value0) = &self.fst {
                if !(*value0 <= 9) {
                    return Err(mycelium::ValidationError::broken(Self::NAME, "fst", &*value0, "at most 9"));
                }
            }
            if let Some(value0) = &self.failwith {
                if !(*value0 <= 9) {
                    return Err(mycelium::ValidationError::broken(Self::NAME, "failwith", &*value0, "at most 9"));
                }
            }
            if let Some(value0) = &self.string {
                if !(*value0 <= 9) {
                    return Err(mycelium::ValidationError::broken(Self::NAME, "string", &*value0, "at most 9"));
                }
            }
            if let Some(value0) = &self.int64 {
                if !(*value0 <= 9) {
                    return Err(mycelium::ValidationError::broken(Self::NAME, "int64", &*value0, "at most 9"));
                }
            }
            if let Some(value0) = &self.option {
                if !(*value0 <= 9) {
                    return Err(mycelium::ValidationError::broken(Self::NAME, "option", &*value0, "at most 9"));
                }
            }
            if let Some(value0) = &self.list {
                if !(*value0 <= 9) {
                    return Err(mycelium::ValidationError::broken(Self::NAME, "list", &*value0, "at most 9"));
                }
            }
            if let Some(value0) = &self.array {
                if !(*value0 <= 9) {
                    return Err(mycelium::ValidationError::broken(Self::NAME, "array", &*value0, "at most 9"));
                }
            }
            if let Some(value0) = &self.unit {
                if !(*value0 <= 9) {
                    return Err(mycelium::ValidationError::broken(Self::NAME, "unit", &*value0, "at most 9"));
                }
            }
            self.later.validate().map_err(|e| e.inside(Self::NAME, "later"))?;
            Ok(())
        }
    }

    impl wire::Wire for UserFields {
        const FIXED: bool = true;
        const LAYOUTS: &'static [wire::Layout] = &[
            wire::Layout { version: 1, root_len: 142, digest: 0x206c9e8201ef7c01 },
            wire::Layout { version: 2, root_len: 285, digest: 0x127af529f6265d12 },
        ];

        fn upgrade(bytes: &[u8], version: u16) -> Result<Self, wire::WireError> {
            match version {
                1 => {
                    let old: UserFields_V1 = wire::decode_fixed_layout(Self::NAME, bytes)?;
                    Ok(Self {
                        serializer: old.serializer,
                        deserializer: old.deserializer,
                        resolver: old.resolver,
                        out: old.out,
                        value: old.value,
                        place: old.place,
                        context: old.context,
                        tag: old.tag,
                        tag_ptr: old.tag_ptr,
                        field_ptr: old.field_ptr,
                        out_field: old.out_field,
                        this: old.this,
                        other: old.other,
                        e: old.e,
                        bytes: old.bytes,
                        version: old.version,
                        old: old.old,
                        message: old.message,
                        at0: old.at0,
                        item0: old.item0,
                        value0: old.value0,
                        self_0: old.self_0,
                        resolver_0: old.resolver_0,
                        visitor: old.visitor,
                        key: old.key,
                        w: old.w,
                        q: old.q,
                        r: old.r,
                        v: old.v,
                        v0: old.v0,
                        at: old.at,
                        error: old.error,
                        field: old.field,
                        put: old.put,
                        get: old.get,
                        root_len: old.root_len,
                        layout: old.layout,
                        check: old.check,
                        json: old.json,
                        name: old.name,
                        t: old.t,
                        big: old.big,
                        view: old.view,
                        mycelium: old.mycelium,
                        rkyv: old.rkyv,
                        wire: old.wire,
                        size_of: old.size_of,
                        vec: old.vec,
                        format: old.format,
                        print: old.print,
                        range: old.range,
                        tuple: old.tuple,
                        len: old.len,
                        dict: old.dict,
                        set: old.set,
                        property: old.property,
                        typing: old.typing,
                        dataclass: old.dataclass,
                        decimal: old.decimal,
                        make: old.make,
                        equal: old.equal,
                        compare: old.compare,
                        ignore: old.ignore,
                        fst: old.fst,
                        failwith: old.failwith,
                        string: old.string,
                        int64: old.int64,
                        option: old.option,
                        list: old.list,
                        array: old.array,
                        unit: old.unit,
                        later: self::UserShape::Two { serializer: Some(1), deserializer: Some(1), resolver: Some(1), out: Some(1), value: Some(1), place: Some(1), context: Some(1), tag: Some(1), tag_ptr: Some(1), field_ptr: Some(1), out_field: Some(1), this: Some(1), other: Some(1), e: Some(1), bytes: Some(1), version: Some(1), old: Some(1), message: Some(1), at0: Some(1), item0: Some(1), value0: Some(1), self_0: Some(1), resolver_0: Some(1), visitor: Some(1), key: Some(1), w: Some(1), q: Some(1), r: Some(1), v: Some(1), v0: Some(1), at: Some(1), error: Some(1), field: Some(1), put: Some(1), get: Some(1), root_len: Some(1), layout: Some(1), check: Some(1), json: Some(1), name: Some(1), t: Some(1), big: Some(1), view: Some(1), mycelium: Some(1), rkyv: Some(1), wire: Some(1), size_of: Some(1), vec: Some(1), format: Some(1), print: Some(1), range: Some(1), tuple: Some(1), len: Some(1), dict: Some(1), set: Some(1), property: Some(1), typing: Some(1), dataclass: Some(1), decimal: Some(1), make: Some(1), equal: Some(1), compare: Some(1), ignore: Some(1), fst: Some(1), failwith: Some(1), string: Some(1), int64: Some(1), option: Some(1), list: Some(1), array: Some(1), unit: Some(1) },
                    })
                }
                _ => Err(wire::unknown_version::<Self>(version)),
            }
        }
    }

    /// `UserFields` as its version 1 was laid out.
    #[derive(rkyv::Archive, rkyv::Deserialize)]
    #[rkyv(crate = mycelium::rkyv)]
    struct UserFields_V1 {
        serializer: Option<u8>,
        deserializer: Option<u8>,
        resolver: Option<u8>,
        out: Option<u8>,
        value: Option<u8>,
        place: Option<u8>,
        context: Option<u8>,
        tag: Option<u8>,
        tag_ptr: Option<u8>,
        field_ptr: Option<u8>,
        out_field: Option<u8>,
        this: Option<u8>,
        other: Option<u8>,
        e: Option<u8>,
        bytes: Option<u8>,
        version: Option<u8>,
        old: Option<u8>,
        message: Option<u8>,
        at0: Option<u8>,
        item0: Option<u8>,
        value0: Option<u8>,
        self_0: Option<u8>,
        resolver_0: Option<u8>,
        visitor: Option<u8>,
        key: Option<u8>,
        w: Option<u8>,
        q: Option<u8>,
        r: Option<u8>,
        v: Option<u8>,
        v0: Option<u8>,
        at: Option<u8>,
        error: Option<u8>,
        field: Option<u8>,
        put: Option<u8>,
        get: Option<u8>,
        root_len: Option<u8>,
        layout: Option<u8>,
        check: Option<u8>,
        json: Option<u8>,
        name: Option<u8>,
        t: Option<u8>,
        big: Option<u8>,
        view: Option<u8>,
        mycelium: Option<u8>,
        rkyv: Option<u8>,
        wire: Option<u8>,
        size_of: Option<u8>,
        vec: Option<u8>,
        format: Option<u8>,
        print: Option<u8>,
        range: Option<u8>,
        tuple: Option<u8>,
        len: Option<u8>,
        dict: Option<u8>,
        set: Option<u8>,
        property: Option<u8>,
        typing: Option<u8>,
        dataclass: Option<u8>,
        decimal: Option<u8>,
        make: Option<u8>,
        equal: Option<u8>,
        compare: Option<u8>,
        ignore: Option<u8>,
        fst: Option<u8>,
        failwith: Option<u8>,
        string: Option<u8>,
        int64: Option<u8>,
        option: Option<u8>,
        list: Option<u8>,
        array: Option<u8>,
        unit: Option<u8>,
    }

    const _: () = {
        assert!(size_of::<ArchivedUserFields_V1>() == 142);
        assert!(align_of::<ArchivedUserFields_V1>() == 1);
        assert!(::std::mem::offset_of!(ArchivedUserFields_V1, serializer) == 0);
        assert!(::std::mem::offset_of!(ArchivedUserFields_V1, deserializer) == 2);
        assert!(::std::mem::offset_of!(ArchivedUserFields_V1, resolver) == 4);
        assert!(::std::mem::offset_of!(ArchivedUserFields_V1, out) == 6);
        assert!(::std::mem::offset_of!(ArchivedUserFields_V1, value) == 8);
        assert!(::std::mem::offset_of!(ArchivedUserFields_V1, place) == 10);
        assert!(::std::mem::offset_of!(ArchivedUserFields_V1, context) == 12);
        assert!(::std::mem::offset_of!(ArchivedUserFields_V1, tag) == 14);
        assert!(::std::mem::offset_of!(ArchivedUserFields_V1, tag_ptr) == 16);
        assert!(::std::mem::offset_of!(ArchivedUserFields_V1, field_ptr) == 18);
        assert!(::std::mem::offset_of!(ArchivedUserFields_V1, out_field) == 20);
        assert!(::std::mem::offset_of!(ArchivedUserFields_V1, this) == 22);
        assert!(::std::mem::offset_of!(ArchivedUserFields_V1, other) == 24);
        assert!(::std::mem::offset_of!(ArchivedUserFields_V1, e) == 26);
        assert!(::std::mem::offset_of!(ArchivedUserFields_V1, bytes) == 28);
        assert!(::std::mem::offset_of!(ArchivedUserFields_V1, version) == 30);
        assert!(::std::mem::offset_of!(ArchivedUserFields_V1, old) == 32);
        assert!(::std::mem::offset_of!(ArchivedUserFields_V1, message) == 34);
        assert!(::std::mem::offset_of!(ArchivedUserFields_V1, at0) == 36);
        assert!(::std::mem::offset_of!(ArchivedUserFields_V1, item0) == 38);
        assert!(::std::mem::offset_of!(ArchivedUserFields_V1, value0) == 40);
        assert!(::std::mem::offset_of!(ArchivedUserFields_V1, self_0) == 42);
        assert!(::std::mem::offset_of!(ArchivedUserFields_V1, resolver_0) == 44);
        assert!(::std::mem::offset_of!(ArchivedUserFields_V1, visitor) == 46);
        assert!(::std::mem::offset_of!(ArchivedUserFields_V1, key) == 48);
        assert!(::std::mem::offset_of!(ArchivedUserFields_V1, w) == 50);
        assert!(::std::mem::offset_of!(ArchivedUserFields_V1, q) == 52);
        assert!(::std::mem::offset_of!(ArchivedUserFields_V1, r) == 54);
        assert!(::std::mem::offset_of!(ArchivedUserFields_V1, v) == 56);
        assert!(::std::mem::offset_of!(ArchivedUserFields_V1, v0) == 58);
        assert!(::std::mem::offset_of!(ArchivedUserFields_V1, at) == 60);
        assert!(::std::mem::offset_of!(ArchivedUserFields_V1, error) == 62);
        assert!(::std::mem::offset_of!(ArchivedUserFields_V1, field) == 64);
        assert!(::std::mem::offset_of!(ArchivedUserFields_V1, put) == 66);
        assert!(::std::mem::offset_of!(ArchivedUserFields_V1, get) == 68);
        assert!(::std::mem::offset_of!(ArchivedUserFields_V1, root_len) == 70);
        assert!(::std::mem::offset_of!(ArchivedUserFields_V1, layout) == 72);
        assert!(::std::mem::offset_of!(ArchivedUserFields_V1, check) == 74);
        assert!(::std::mem::offset_of!(ArchivedUserFields_V1, json) == 76);
        assert!(::std::mem::offset_of!(ArchivedUserFields_V1, name) == 78);
        assert!(::std::mem::offset_of!(ArchivedUserFields_V1, t) == 80);
        assert!(::std::mem::offset_of!(ArchivedUserFields_V1, big) == 82);
        assert!(::std::mem::offset_of!(ArchivedUserFields_V1, view) == 84);
        assert!(::std::mem::offset_of!(ArchivedUserFields_V1, mycelium) == 86);
        assert!(::std::mem::offset_of!(ArchivedUserFields_V1, rkyv) == 88);
        assert!(::std::mem::offset_of!(ArchivedUserFields_V1, wire) == 90);
        assert!(::std::mem::offset_of!(ArchivedUserFields_V1, size_of) == 92);
        assert!(::std::mem::offset_of!(ArchivedUserFields_V1, vec) == 94);
        assert!(::std::mem::offset_of!(ArchivedUserFields_V1, format) == 96);
        assert!(::std::mem::offset_of!(ArchivedUserFields_V1, print) == 98);
        assert!(::std::mem::offset_of!(ArchivedUserFields_V1, range) == 100);
        assert!(::std::mem::offset_of!(ArchivedUserFields_V1, tuple) == 102);
        assert!(::std::mem::offset_of!(ArchivedUserFields_V1, len) == 104);
        assert!(::std::mem::offset_of!(ArchivedUserFields_V1, dict) == 106);
        assert!(::std::mem::offset_of!(ArchivedUserFields_V1, set) == 108);
        assert!(::std::mem::offset_of!(ArchivedUserFields_V1, property) == 110);
        assert!(::std::mem::offset_of!(ArchivedUserFields_V1, typing) == 112);
        assert!(::std::mem::offset_of!(ArchivedUserFields_V1, dataclass) == 114);
        assert!(::std::mem::offset_of!(ArchivedUserFields_V1, decimal) == 116);
        assert!(::std::mem::offset_of!(ArchivedUserFields_V1, make) == 118);
        assert!(::std::mem::offset_of!(ArchivedUserFields_V1, equal) == 120);
        assert!(::std::mem::offset_of!(ArchivedUserFields_V1, compare) == 122);
        assert!(::std::mem::offset_of!(ArchivedUserFields_V1, ignore) == 124);
        assert!(::std::mem::offset_of!(ArchivedUserFields_V1, fst) == 126);
        assert!(::std::mem::offset_of!(ArchivedUserFields_V1, failwith) == 128);
        assert!(::std::mem::offset_of!(ArchivedUserFields_V1, string) == 130);
        assert!(::std::mem::offset_of!(ArchivedUserFields_V1, int64) == 132);
        assert!(::std::mem::offset_of!(ArchivedUserFields_V1, option) == 134);
        assert!(::std::mem::offset_of!(ArchivedUserFields_V1, list) == 136);
        assert!(::std::mem::offset_of!(ArchivedUserFields_V1, array) == 138);
        assert!(::std::mem::offset_of!(ArchivedUserFields_V1, unit) == 140);
    };

    /// The messages of the contract: see [`CONTRACT`].
    #[derive(Clone, Copy, Debug)]
    pub struct Contract_;

    /// The messages of the contract, for a bus that frames go through: `MessageBus::builder().contract(CONTRACT)`.
    pub const CONTRACT: Contract_ = Contract_;

    impl Contract_ {
        /// What is known of each message without its type, in the order of the contract.
        pub const ENTRIES: &'static [wire::Entry] = &[
            wire::Entry::of::<User>(),
            wire::Entry::of::<UserFields>(),
        ];
    }

    impl wire::Messages for Contract_ {
        fn each<Visitor_: wire::Visitor>(&self, visitor: &mut Visitor_) {
            visitor.typed::<User>();
            visitor.typed::<UserFields>();
        }
    }
}

#[allow(unused_imports, unreachable_pub)]
pub use self::generated_contracts::*;
}

/// The contract `plain_message`.
pub mod plain_message {
// Generated from the contract Message.names version 1: edit that, not this.

#[allow(missing_docs, dead_code, unreachable_pub, non_camel_case_types)]
#[allow(clippy::all, clippy::pedantic, rustdoc::all)]
mod generated_contracts {
    #[allow(unused_imports)]
    use ::mycelium_mailbox::{self as mycelium, rkyv, wire, Message as _, wire::Wire as _};
    #[allow(unused_imports)]
    use mycelium::scalar::{Decimal, I256, Timestamp, U256};

    /// The enum `UserUnit`.
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, rkyv::Archive, rkyv::Serialize, rkyv::Deserialize)]
    #[rkyv(crate = mycelium::rkyv, derive(Clone, Copy, Debug, PartialEq, Eq, Hash))]
    #[repr(u8)]
    pub enum UserUnit {
        /// The variant `Tag`.
        #[default]
        Tag,
        /// The variant `Discriminant`.
        Discriminant,
        /// The variant `ArchivedTag`.
        ArchivedTag,
    }

    impl UserUnit {
        /// All variants, in the order of the contract.
        pub const ALL: [Self; 3] = [Self::Tag, Self::Discriminant, Self::ArchivedTag];

        /// The variant's name in the contract.
        #[must_use]
        pub const fn name(self) -> &'static str {
            match self {
                Self::Tag => "Tag",
                Self::Discriminant => "Discriminant",
                Self::ArchivedTag => "ArchivedTag",
            }
        }
    }

    impl ArchivedUserUnit {
        /// The variant, copied out of the bytes.
        #[must_use]
        pub const fn to_native(&self) -> UserUnit {
            match self {
                Self::Tag => UserUnit::Tag,
                Self::Discriminant => UserUnit::Discriminant,
                Self::ArchivedTag => UserUnit::ArchivedTag,
            }
        }
    }

    const _: () = {
        assert!(size_of::<ArchivedUserUnit>() == 1);
        assert!(align_of::<ArchivedUserUnit>() == 1);
    };

    /// The enum `UserData`.
    #[derive(Clone, Copy, Debug, PartialEq, rkyv::Archive, rkyv::Serialize, rkyv::Deserialize)]
    #[rkyv(crate = mycelium::rkyv, derive(Debug))]
    pub enum UserData {
        /// The variant `Tag`.
        Tag {
            /// The field `x`.
            x: u8,
        },
        /// The variant `Discriminant`.
        Discriminant {
            /// The field `x`.
            x: u8,
        },
        /// The variant `ArchivedTag`.
        ArchivedTag {
            /// The field `x`.
            x: u8,
        },
    }

    impl Default for UserData {
        fn default() -> Self {
            Self::Tag {
                x: Default::default(),
            }
        }
    }

    impl UserData {
        /// Checks the rules of the contract.
        ///
        /// # Errors
        /// The first rule that the value breaks.
        pub fn validate(&self) -> Result<(), mycelium::ValidationError> {
            Ok(())
        }
    }

    const _: () = {
        assert!(size_of::<ArchivedUserData>() == 2);
        assert!(align_of::<ArchivedUserData>() == 1);
    };

    macro_rules! define {
        ($serializer:ident, $deserializer:ident) => {
            /// The enum `UserShape`.
            #[derive(Clone, Copy, Debug, PartialEq, Default, rkyv::Archive, rkyv::Serialize, rkyv::Deserialize)]
            #[rkyv(crate = mycelium::rkyv, derive(Debug))]
            pub enum UserShape {
                /// The variant `Nothing`.
                #[default]
                Nothing,
                /// The variant `One`.
                One {
                    /// The field `u0`.
                    u0: u8,
                },
                /// The variant `Two`.
                Two {
                    /// The field `serializer`.
                    $serializer: Option<u8>,
                    /// The field `deserializer`.
                    $deserializer: Option<u8>,
                },
            }
        };
    }

    define!(serializer, deserializer);

    impl UserShape {
        /// Checks the rules of the contract.
        ///
        /// # Errors
        /// The first rule that the value breaks.
        pub fn validate(&self) -> Result<(), mycelium::ValidationError> {
            match self {
                Self::Two { serializer, deserializer, .. } => {
                    if let Some(value0) = &*serializer {
                        if !(*value0 <= 9) {
                            return Err(mycelium::ValidationError::broken("UserShape", "serializer", &*value0, "at most 9"));
                        }
                    }
                    if let Some(value0) = &*deserializer {
                        if !(*value0 <= 9) {
                            return Err(mycelium::ValidationError::broken("UserShape", "deserializer", &*value0, "at most 9"));
                        }
                    }
                }
                _ => {}
            }
            Ok(())
        }
    }

    const _: () = {
        assert!(size_of::<ArchivedUserShape>() == 5);
        assert!(align_of::<ArchivedUserShape>() == 1);
    };

    /// The struct `UserStruct`.
    #[derive(Clone, Copy, Debug, PartialEq, Default, rkyv::Archive, rkyv::Serialize, rkyv::Deserialize)]
    #[rkyv(crate = mycelium::rkyv, derive(Debug))]
    #[repr(C)]
    pub struct UserStruct {
        /// The field `u0`.
        pub u0: u8,
        /// The field `shape`.
        pub shape: self::UserShape,
    }

    const _: () = {
        assert!(size_of::<ArchivedUserStruct>() == 6);
        assert!(align_of::<ArchivedUserStruct>() == 1);
        assert!(::std::mem::offset_of!(ArchivedUserStruct, u0) == 0);
        assert!(::std::mem::offset_of!(ArchivedUserStruct, shape) == 1);
    };

    impl UserStruct {
        /// Checks the rules of the contract.
        ///
        /// # Errors
        /// The first rule that the value breaks.
        pub fn validate(&self) -> Result<(), mycelium::ValidationError> {
            self.shape.validate().map_err(|e| e.inside("UserStruct", "shape"))?;
            Ok(())
        }
    }

    /// The message `Tag`.
    ///
    /// Topic `t`, type id 10, version 1, domain `d`.
    /// It is answered by a [`Tag`].
    #[derive(Clone, Copy, Debug, PartialEq, Default, rkyv::Archive, rkyv::Serialize, rkyv::Deserialize)]
    #[rkyv(crate = mycelium::rkyv, derive(Debug))]
    #[repr(C)]
    pub struct Tag {
        /// The field `x`.
        pub x: u8,
    }

    const _: () = {
        assert!(size_of::<ArchivedTag>() == 1);
        assert!(align_of::<ArchivedTag>() == 1);
        assert!(::std::mem::offset_of!(ArchivedTag, x) == 0);
    };

    impl mycelium::Message for Tag {
        const NAME: &'static str = "Tag";
        const TYPE_ID: u16 = 10;
        const TOPIC: &'static str = "t";
        const VERSION: u16 = 1;
        const DIGEST: u64 = 0x0c7bbd6b20858fbd;
    }

    impl mycelium::Query for Tag {
        type Reply = self::Tag;
    }

    impl wire::Wire for Tag {
        const FIXED: bool = true;
        const LAYOUTS: &'static [wire::Layout] = &[
            wire::Layout { version: 1, root_len: 1, digest: 0x0c7bbd6b20858fbd },
        ];
        const REPLY: Option<u16> = Some(<self::Tag as mycelium::Message>::TYPE_ID);
    }

    /// The message `Discriminant`.
    ///
    /// Topic `t`, type id 11, version 1, domain `d`.
    /// It is answered by a [`Discriminant`].
    #[derive(Clone, Copy, Debug, PartialEq, Default, rkyv::Archive, rkyv::Serialize, rkyv::Deserialize)]
    #[rkyv(crate = mycelium::rkyv, derive(Debug))]
    #[repr(C)]
    pub struct Discriminant {
        /// The field `x`.
        pub x: u8,
    }

    const _: () = {
        assert!(size_of::<ArchivedDiscriminant>() == 1);
        assert!(align_of::<ArchivedDiscriminant>() == 1);
        assert!(::std::mem::offset_of!(ArchivedDiscriminant, x) == 0);
    };

    impl mycelium::Message for Discriminant {
        const NAME: &'static str = "Discriminant";
        const TYPE_ID: u16 = 11;
        const TOPIC: &'static str = "t";
        const VERSION: u16 = 1;
        const DIGEST: u64 = 0xc26c25fd965daa58;
    }

    impl mycelium::Query for Discriminant {
        type Reply = self::Discriminant;
    }

    impl wire::Wire for Discriminant {
        const FIXED: bool = true;
        const LAYOUTS: &'static [wire::Layout] = &[
            wire::Layout { version: 1, root_len: 1, digest: 0xc26c25fd965daa58 },
        ];
        const REPLY: Option<u16> = Some(<self::Discriminant as mycelium::Message>::TYPE_ID);
    }

    /// The message `Variant`.
    ///
    /// Topic `t`, type id 12, version 1, domain `d`.
    /// It is answered by a [`Variant`].
    #[derive(Clone, Copy, Debug, PartialEq, Default, rkyv::Archive, rkyv::Serialize, rkyv::Deserialize)]
    #[rkyv(crate = mycelium::rkyv, derive(Debug))]
    #[repr(C)]
    pub struct Variant {
        /// The field `x`.
        pub x: u8,
    }

    const _: () = {
        assert!(size_of::<ArchivedVariant>() == 1);
        assert!(align_of::<ArchivedVariant>() == 1);
        assert!(::std::mem::offset_of!(ArchivedVariant, x) == 0);
    };

    impl mycelium::Message for Variant {
        const NAME: &'static str = "Variant";
        const TYPE_ID: u16 = 12;
        const TOPIC: &'static str = "t";
        const VERSION: u16 = 1;
        const DIGEST: u64 = 0xbd39fe6683f6f3fc;
    }

    impl mycelium::Query for Variant {
        type Reply = self::Variant;
    }

    impl wire::Wire for Variant {
        const FIXED: bool = true;
        const LAYOUTS: &'static [wire::Layout] = &[
            wire::Layout { version: 1, root_len: 1, digest: 0xbd39fe6683f6f3fc },
        ];
        const REPLY: Option<u16> = Some(<self::Variant as mycelium::Message>::TYPE_ID);
    }

    /// The message `VariantOne`.
    ///
    /// Topic `t`, type id 13, version 1, domain `d`.
    /// It is answered by a [`VariantOne`].
    #[derive(Clone, Copy, Debug, PartialEq, Default, rkyv::Archive, rkyv::Serialize, rkyv::Deserialize)]
    #[rkyv(crate = mycelium::rkyv, derive(Debug))]
    #[repr(C)]
    pub struct VariantOne {
        /// The field `x`.
        pub x: u8,
    }

    const _: () = {
        assert!(size_of::<ArchivedVariantOne>() == 1);
        assert!(align_of::<ArchivedVariantOne>() == 1);
        assert!(::std::mem::offset_of!(ArchivedVariantOne, x) == 0);
    };

    impl mycelium::Message for VariantOne {
        const NAME: &'static str = "VariantOne";
        const TYPE_ID: u16 = 13;
        const TOPIC: &'static str = "t";
        const VERSION: u16 = 1;
        const DIGEST: u64 = 0x4f55a7a54e1d6fca;
    }

    impl mycelium::Query for VariantOne {
        type Reply = self::VariantOne;
    }

    impl wire::Wire for VariantOne {
        const FIXED: bool = true;
        const LAYOUTS: &'static [wire::Layout] = &[
            wire::Layout { version: 1, root_len: 1, digest: 0x4f55a7a54e1d6fca },
        ];
        const REPLY: Option<u16> = Some(<self::VariantOne as mycelium::Message>::TYPE_ID);
    }

    /// The message `Contract`.
    ///
    /// Topic `t`, type id 14, version 1, domain `d`.
    /// It is answered by a [`Contract`].
    #[derive(Clone, Copy, Debug, PartialEq, Default, rkyv::Archive, rkyv::Serialize, rkyv::Deserialize)]
    #[rkyv(crate = mycelium::rkyv, derive(Debug))]
    #[repr(C)]
    pub struct Contract {
        /// The field `x`.
        pub x: u8,
    }

    const _: () = {
        assert!(size_of::<ArchivedContract>() == 1);
        assert!(align_of::<ArchivedContract>() == 1);
        assert!(::std::mem::offset_of!(ArchivedContract, x) == 0);
    };

    impl mycelium::Message for Contract {
        const NAME: &'static str = "Contract";
        const TYPE_ID: u16 = 14;
        const TOPIC: &'static str = "t";
        const VERSION: u16 = 1;
        const DIGEST: u64 = 0xed6ade3e6fa43973;
    }

    impl mycelium::Query for Contract {
        type Reply = self::Contract;
    }

    impl wire::Wire for Contract {
        const FIXED: bool = true;
        const LAYOUTS: &'static [wire::Layout] = &[
            wire::Layout { version: 1, root_len: 1, digest: 0xed6ade3e6fa43973 },
        ];
        const REPLY: Option<u16> = Some(<self::Contract as mycelium::Message>::TYPE_ID);
    }

    /// The message `Resolver`.
    ///
    /// Topic `t`, type id 15, version 1, domain `d`.
    /// It is answered by a [`Resolver`].
    #[derive(Clone, Copy, Debug, PartialEq, Default, rkyv::Archive, rkyv::Serialize, rkyv::Deserialize)]
    #[rkyv(crate = mycelium::rkyv, derive(Debug))]
    #[repr(C)]
    pub struct Resolver {
        /// The field `x`.
        pub x: u8,
    }

    const _: () = {
        assert!(size_of::<ArchivedResolver>() == 1);
        assert!(align_of::<ArchivedResolver>() == 1);
        assert!(::std::mem::offset_of!(ArchivedResolver, x) == 0);
    };

    impl mycelium::Message for Resolver {
        const NAME: &'static str = "Resolver";
        const TYPE_ID: u16 = 15;
        const TOPIC: &'static str = "t";
        const VERSION: u16 = 1;
        const DIGEST: u64 = 0x5ced7b2aad914853;
    }

    impl mycelium::Query for Resolver {
        type Reply = self::Resolver;
    }

    impl wire::Wire for Resolver {
        const FIXED: bool = true;
        const LAYOUTS: &'static [wire::Layout] = &[
            wire::Layout { version: 1, root_len: 1, digest: 0x5ced7b2aad914853 },
        ];
        const REPLY: Option<u16> = Some(<self::Resolver as mycelium::Message>::TYPE_ID);
    }

    /// The message `Place`.
    ///
    /// Topic `t`, type id 16, version 1, domain `d`.
    /// It is answered by a [`Place`].
    #[derive(Clone, Copy, Debug, PartialEq, Default, rkyv::Archive, rkyv::Serialize, rkyv::Deserialize)]
    #[rkyv(crate = mycelium::rkyv, derive(Debug))]
    #[repr(C)]
    pub struct Place {
        /// The field `x`.
        pub x: u8,
    }

    const _: () = {
        assert!(size_of::<ArchivedPlace>() == 1);
        assert!(align_of::<ArchivedPlace>() == 1);
        assert!(::std::mem::offset_of!(ArchivedPlace, x) == 0);
    };

    impl mycelium::Message for Place {
        const NAME: &'static str = "Place";
        const TYPE_ID: u16 = 16;
        const TOPIC: &'static str = "t";
        const VERSION: u16 = 1;
        const DIGEST: u64 = 0x05ba16f8360519be;
    }

    impl mycelium::Query for Place {
        type Reply = self::Place;
    }

    impl wire::Wire for Place {
        const FIXED: bool = true;
        const LAYOUTS: &'static [wire::Layout] = &[
            wire::Layout { version: 1, root_len: 1, digest: 0x05ba16f8360519be },
        ];
        const REPLY: Option<u16> = Some(<self::Place as mycelium::Message>::TYPE_ID);
    }

    /// The message `Error`.
    ///
    /// Topic `t`, type id 17, version 1, domain `d`.
    /// It is answered by a [`Error`].
    #[derive(Clone, Copy, Debug, PartialEq, Default, rkyv::Archive, rkyv::Serialize, rkyv::Deserialize)]
    #[rkyv(crate = mycelium::rkyv, derive(Debug))]
    #[repr(C)]
    pub struct Error {
        /// The field `x`.
        pub x: u8,
    }

    const _: () = {
        assert!(size_of::<ArchivedError>() == 1);
        assert!(align_of::<ArchivedError>() == 1);
        assert!(::std::mem::offset_of!(ArchivedError, x) == 0);
    };

    impl mycelium::Message for Error {
        const NAME: &'static str = "Error";
        const TYPE_ID: u16 = 17;
        const TOPIC: &'static str = "t";
        const VERSION: u16 = 1;
        const DIGEST: u64 = 0xd39ad0c223cce7cf;
    }

    impl mycelium::Query for Error {
        type Reply = self::Error;
    }

    impl wire::Wire for Error {
        const FIXED: bool = true;
        const LAYOUTS: &'static [wire::Layout] = &[
            wire::Layout { version: 1, root_len: 1, digest: 0xd39ad0c223cce7cf },
        ];
        const REPLY: Option<u16> = Some(<self::Error as mycelium::Message>::TYPE_ID);
    }

    /// The message `User`.
    ///
    /// Topic `t`, type id 1, version 1, domain `d`.
    #[derive(Clone, Debug, PartialEq, Default, rkyv::Archive, rkyv::Serialize, rkyv::Deserialize)]
    #[rkyv(crate = mycelium::rkyv, derive(Debug))]
    pub struct User {
        /// The field `u0`.
        pub u0: u8,
        /// The field `one`.
        pub one: self::UserStruct,
        /// The field `many`.
        pub many: Vec<self::UserShape>,
        /// The field `words`.
        pub words: self::UserUnit,
        /// The field `data`.
        pub data: self::UserData,
    }

    const _: () = {
        assert!(size_of::<ArchivedUser>() == 20);
        assert!(align_of::<ArchivedUser>() == 4);
        assert!(::std::mem::offset_of!(ArchivedUser, u0) == 0);
        assert!(::std::mem::offset_of!(ArchivedUser, one) == 1);
        assert!(::std::mem::offset_of!(ArchivedUser, many) == 8);
        assert!(::std::mem::offset_of!(ArchivedUser, words) == 16);
        assert!(::std::mem::offset_of!(ArchivedUser, data) == 17);
    };

    impl mycelium::Message for User {
        const NAME: &'static str = "User";
        const TYPE_ID: u16 = 1;
        const TOPIC: &'static str = "t";
        const VERSION: u16 = 1;
        const DIGEST: u64 = 0xdb6907cfcfb2243d;

        fn validate(&self) -> Result<(), mycelium::ValidationError> {
            self.one.validate().map_err(|e| e.inside(Self::NAME, "one"))?;
            for (at0, item0) in self.many.iter().enumerate() {
                item0.validate().map_err(|e| e.inside(Self::NAME, format!("{}[{at0}]", "many")))?;
            }
            Ok(())
        }
    }

    impl wire::Wire for User {
        const LAYOUTS: &'static [wire::Layout] = &[
            wire::Layout { version: 1, root_len: 20, digest: 0xdb6907cfcfb2243d },
        ];
    }

    /// The message `UserFields`.
    ///
    /// Topic `t`, type id 2, version 2, domain `d`.
    #[derive(Clone, Copy, Debug, PartialEq, rkyv::Archive, rkyv::Serialize, rkyv::Deserialize)]
    #[rkyv(crate = mycelium::rkyv, derive(Debug))]
    #[repr(C)]
    pub struct UserFields {
        /// The field `serializer`.
        pub serializer: Option<u8>,
        /// The field `deserializer`.
        pub deserializer: Option<u8>,
        /// The field `later`.
        pub later: self::UserShape,
    }

    impl Default for UserFields {
        fn default() -> Self {
            Self {
                serializer: Default::default(),
                deserializer: Default::default(),
                later: self::UserShape::Two { serializer: Some(1), deserializer: Some(1) },
            }
        }
    }

    const _: () = {
        assert!(size_of::<ArchivedUserFields>() == 9);
        assert!(align_of::<ArchivedUserFields>() == 1);
        assert!(::std::mem::offset_of!(ArchivedUserFields, serializer) == 0);
        assert!(::std::mem::offset_of!(ArchivedUserFields, deserializer) == 2);
        assert!(::std::mem::offset_of!(ArchivedUserFields, later) == 4);
    };

    impl UserFields {
        /// A message with the contract's default in every field that has one.
        #[must_use]
        pub fn new(serializer: Option<u8>, deserializer: Option<u8>) -> Self {
            Self {
                serializer,
                deserializer,
                later: self::UserShape::Two { serializer: Some(1), deserializer: Some(1) },
            }
        }
    }

    impl mycelium::Message for UserFields {
        const NAME: &'static str = "UserFields";
        const TYPE_ID: u16 = 2;
        const TOPIC: &'static str = "t";
        const VERSION: u16 = 2;
        const DIGEST: u64 = 0x69c79189443b257d;

        fn validate(&self) -> Result<(), mycelium::ValidationError> {
            if let Some(value0) = &self.serializer {
                if !(*value0 <= 9) {
                    return Err(mycelium::ValidationError::broken(Self::NAME, "serializer", &*value0, "at most 9"));
                }
            }
            if let Some(value0) = &self.deserializer {
                if !(*value0 <= 9) {
                    return Err(mycelium::ValidationError::broken(Self::NAME, "deserializer", &*value0, "at most 9"));
                }
            }
            self.later.validate().map_err(|e| e.inside(Self::NAME, "later"))?;
            Ok(())
        }
    }

    impl wire::Wire for UserFields {
        const FIXED: bool = true;
        const LAYOUTS: &'static [wire::Layout] = &[
            wire::Layout { version: 1, root_len: 4, digest: 0x9fdea893050dc17d },
            wire::Layout { version: 2, root_len: 9, digest: 0x69c79189443b257d },
        ];

        fn upgrade(bytes: &[u8], version: u16) -> Result<Self, wire::WireError> {
            match version {
                1 => {
                    let old: UserFields_V1 = wire::decode_fixed_layout(Self::NAME, bytes)?;
                    Ok(Self {
                        serializer: old.serializer,
                        deserializer: old.deserializer,
                        later: self::UserShape::Two { serializer: Some(1), deserializer: Some(1) },
                    })
                }
                _ => Err(wire::unknown_version::<Self>(version)),
            }
        }
    }

    /// `UserFields` as its version 1 was laid out.
    #[derive(rkyv::Archive, rkyv::Deserialize)]
    #[rkyv(crate = mycelium::rkyv)]
    struct UserFields_V1 {
        serializer: Option<u8>,
        deserializer: Option<u8>,
    }

    const _: () = {
        assert!(size_of::<ArchivedUserFields_V1>() == 4);
        assert!(align_of::<ArchivedUserFields_V1>() == 1);
        assert!(::std::mem::offset_of!(ArchivedUserFields_V1, serializer) == 0);
        assert!(::std::mem::offset_of!(ArchivedUserFields_V1, deserializer) == 2);
    };

    /// The messages of the contract: see [`CONTRACT`].
    #[derive(Clone, Copy, Debug)]
    pub struct Contract_;

    /// The messages of the contract, for a bus that frames go through: `MessageBus::builder().contract(CONTRACT)`.
    pub const CONTRACT: Contract_ = Contract_;

    impl Contract_ {
        /// What is known of each message without its type, in the order of the contract.
        pub const ENTRIES: &'static [wire::Entry] = &[
            wire::Entry::of::<Tag>(),
            wire::Entry::of::<Discriminant>(),
            wire::Entry::of::<Variant>(),
            wire::Entry::of::<VariantOne>(),
            wire::Entry::of::<Contract>(),
            wire::Entry::of::<Resolver>(),
            wire::Entry::of::<Place>(),
            wire::Entry::of::<Error>(),
            wire::Entry::of::<User>(),
            wire::Entry::of::<UserFields>(),
        ];
    }

    impl wire::Messages for Contract_ {
        fn each<Visitor_: wire::Visitor>(&self, visitor: &mut Visitor_) {
            visitor.typed::<Tag>();
            visitor.typed::<Discriminant>();
            visitor.typed::<Variant>();
            visitor.typed::<VariantOne>();
            visitor.typed::<Contract>();
            visitor.typed::<Resolver>();
            visitor.typed::<Place>();
            visitor.typed::<Error>();
            visitor.typed::<User>();
            visitor.typed::<UserFields>();
        }
    }
}

#[allow(unused_imports, unreachable_pub)]
pub use self::generated_contracts::*;
}

/// The contract `derived_unitenum`.
pub mod derived_unitenum {
// Generated from the contract UnitEnum.names version 1: edit that, not this.

#[allow(missing_docs, dead_code, unreachable_pub, non_camel_case_types)]
#[allow(clippy::all, clippy::pedantic, rustdoc::all)]
mod generated_contracts {
    #[allow(unused_imports)]
    use ::mycelium_mailbox::{self as mycelium, rkyv, wire, Message as _, wire::Wire as _};
    #[allow(unused_imports)]
    use mycelium::scalar::{Decimal, I256, Timestamp, U256};

    /// The enum `ArchivedTag`.
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, rkyv::Archive, rkyv::Serialize, rkyv::Deserialize)]
    #[rkyv(crate = mycelium::rkyv, derive(Clone, Copy, Debug, PartialEq, Eq, Hash))]
    #[repr(u8)]
    pub enum ArchivedTag_ {
        /// The variant `One`.
        #[default]
        One,
        /// The variant `Two`.
        Two,
    }

    impl ArchivedTag_ {
        /// All variants, in the order of the contract.
        pub const ALL: [Self; 2] = [Self::One, Self::Two];

        /// The variant's name in the contract.
        #[must_use]
        pub const fn name(self) -> &'static str {
            match self {
                Self::One => "One",
                Self::Two => "Two",
            }
        }
    }

    impl ArchivedArchivedTag_ {
        /// The variant, copied out of the bytes.
        #[must_use]
        pub const fn to_native(&self) -> ArchivedTag_ {
            match self {
                Self::One => ArchivedTag_::One,
                Self::Two => ArchivedTag_::Two,
            }
        }
    }

    const _: () = {
        assert!(size_of::<ArchivedArchivedTag_>() == 1);
        assert!(align_of::<ArchivedArchivedTag_>() == 1);
    };

    #[allow(unused_imports)]
    pub use self::{ArchivedTag_ as ArchivedTag, ArchivedArchivedTag_ as ArchivedArchivedTag};

    /// The enum `ArchivedVariantOne`.
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, rkyv::Archive, rkyv::Serialize, rkyv::Deserialize)]
    #[rkyv(crate = mycelium::rkyv, derive(Clone, Copy, Debug, PartialEq, Eq, Hash))]
    #[repr(u8)]
    pub enum ArchivedVariantOne_ {
        /// The variant `One`.
        #[default]
        One,
        /// The variant `Two`.
        Two,
    }

    impl ArchivedVariantOne_ {
        /// All variants, in the order of the contract.
        pub const ALL: [Self; 2] = [Self::One, Self::Two];

        /// The variant's name in the contract.
        #[must_use]
        pub const fn name(self) -> &'static str {
            match self {
                Self::One => "One",
                Self::Two => "Two",
            }
        }
    }

    impl ArchivedArchivedVariantOne_ {
        /// The variant, copied out of the bytes.
        #[must_use]
        pub const fn to_native(&self) -> ArchivedVariantOne_ {
            match self {
                Self::One => ArchivedVariantOne_::One,
                Self::Two => ArchivedVariantOne_::Two,
            }
        }
    }

    const _: () = {
        assert!(size_of::<ArchivedArchivedVariantOne_>() == 1);
        assert!(align_of::<ArchivedArchivedVariantOne_>() == 1);
    };

    #[allow(unused_imports)]
    pub use self::{ArchivedVariantOne_ as ArchivedVariantOne, ArchivedArchivedVariantOne_ as ArchivedArchivedVariantOne};

    /// The enum `ArchivedDiscriminant`.
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, rkyv::Archive, rkyv::Serialize, rkyv::Deserialize)]
    #[rkyv(crate = mycelium::rkyv, derive(Clone, Copy, Debug, PartialEq, Eq, Hash))]
    #[repr(u8)]
    pub enum ArchivedDiscriminant {
        /// The variant `One`.
        #[default]
        One,
        /// The variant `Two`.
        Two,
    }

    impl ArchivedDiscriminant {
        /// All variants, in the order of the contract.
        pub const ALL: [Self; 2] = [Self::One, Self::Two];

        /// The variant's name in the contract.
        #[must_use]
        pub const fn name(self) -> &'static str {
            match self {
                Self::One => "One",
                Self::Two => "Two",
            }
        }
    }

    impl ArchivedArchivedDiscriminant {
        /// The variant, copied out of the bytes.
        #[must_use]
        pub const fn to_native(&self) -> ArchivedDiscriminant {
            match self {
                Self::One => ArchivedDiscriminant::One,
                Self::Two => ArchivedDiscriminant::Two,
            }
        }
    }

    const _: () = {
        assert!(size_of::<ArchivedArchivedDiscriminant>() == 1);
        assert!(align_of::<ArchivedArchivedDiscriminant>() == 1);
    };

    /// The enum `OneResolver`.
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, rkyv::Archive, rkyv::Serialize, rkyv::Deserialize)]
    #[rkyv(crate = mycelium::rkyv, derive(Clone, Copy, Debug, PartialEq, Eq, Hash))]
    #[repr(u8)]
    pub enum OneResolver {
        /// The variant `One`.
        #[default]
        One,
        /// The variant `Two`.
        Two,
    }

    impl OneResolver {
        /// All variants, in the order of the contract.
        pub const ALL: [Self; 2] = [Self::One, Self::Two];

        /// The variant's name in the contract.
        #[must_use]
        pub const fn name(self) -> &'static str {
            match self {
                Self::One => "One",
                Self::Two => "Two",
            }
        }
    }

    impl ArchivedOneResolver {
        /// The variant, copied out of the bytes.
        #[must_use]
        pub const fn to_native(&self) -> OneResolver {
            match self {
                Self::One => OneResolver::One,
                Self::Two => OneResolver::Two,
            }
        }
    }

    const _: () = {
        assert!(size_of::<ArchivedOneResolver>() == 1);
        assert!(align_of::<ArchivedOneResolver>() == 1);
    };

    /// The enum `UserUnit`.
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, rkyv::Archive, rkyv::Serialize, rkyv::Deserialize)]
    #[rkyv(crate = mycelium::rkyv, derive(Clone, Copy, Debug, PartialEq, Eq, Hash))]
    #[repr(u8)]
    pub enum UserUnit {
        /// The variant `Tag`.
        #[default]
        Tag,
        /// The variant `Discriminant`.
        Discriminant,
        /// The variant `ArchivedTag`.
        ArchivedTag,
    }

    impl UserUnit {
        /// All variants, in the order of the contract.
        pub const ALL: [Self; 3] = [Self::Tag, Self::Discriminant, Self::ArchivedTag];

        /// The variant's name in the contract.
        #[must_use]
        pub const fn name(self) -> &'static str {
            match self {
                Self::Tag => "Tag",
                Self::Discriminant => "Discriminant",
                Self::ArchivedTag => "ArchivedTag",
            }
        }
    }

    impl ArchivedUserUnit {
        /// The variant, copied out of the bytes.
        #[must_use]
        pub const fn to_native(&self) -> UserUnit {
            match self {
                Self::Tag => UserUnit::Tag,
                Self::Discriminant => UserUnit::Discriminant,
                Self::ArchivedTag => UserUnit::ArchivedTag,
            }
        }
    }

    const _: () = {
        assert!(size_of::<ArchivedUserUnit>() == 1);
        assert!(align_of::<ArchivedUserUnit>() == 1);
    };

    /// The enum `UserData`.
    #[derive(Clone, Copy, Debug, PartialEq, rkyv::Archive, rkyv::Serialize, rkyv::Deserialize)]
    #[rkyv(crate = mycelium::rkyv, derive(Debug))]
    pub enum UserData {
        /// The variant `Tag`.
        Tag {
            /// The field `x`.
            x: u8,
        },
        /// The variant `Discriminant`.
        Discriminant {
            /// The field `x`.
            x: u8,
        },
        /// The variant `ArchivedTag`.
        ArchivedTag {
            /// The field `x`.
            x: u8,
        },
    }

    impl Default for UserData {
        fn default() -> Self {
            Self::Tag {
                x: Default::default(),
            }
        }
    }

    impl UserData {
        /// Checks the rules of the contract.
        ///
        /// # Errors
        /// The first rule that the value breaks.
        pub fn validate(&self) -> Result<(), mycelium::ValidationError> {
            Ok(())
        }
    }

    const _: () = {
        assert!(size_of::<ArchivedUserData>() == 2);
        assert!(align_of::<ArchivedUserData>() == 1);
    };

    macro_rules! define {
        ($serializer:ident, $deserializer:ident) => {
            /// The enum `UserShape`.
            #[derive(Clone, Copy, Debug, PartialEq, Default, rkyv::Archive, rkyv::Serialize, rkyv::Deserialize)]
            #[rkyv(crate = mycelium::rkyv, derive(Debug))]
            pub enum UserShape {
                /// The variant `Nothing`.
                #[default]
                Nothing,
                /// The variant `One`.
                One {
                    /// The field `u0`.
                    u0: self::ArchivedTag,
                    /// The field `u1`.
                    u1: self::ArchivedVariantOne,
                    /// The field `u2`.
                    u2: self::ArchivedDiscriminant,
                    /// The field `u3`.
                    u3: self::OneResolver,
                },
                /// The variant `Two`.
                Two {
                    /// The field `serializer`.
                    $serializer: Option<u8>,
                    /// The field `deserializer`.
                    $deserializer: Option<u8>,
                },
            }
        };
    }

    define!(serializer, deserializer);

    impl UserShape {
        /// Checks the rules of the contract.
        ///
        /// # Errors
        /// The first rule that the value breaks.
        pub fn validate(&self) -> Result<(), mycelium::ValidationError> {
            match self {
                Self::Two { serializer, deserializer, .. } => {
                    if let Some(value0) = &*serializer {
                        if !(*value0 <= 9) {
                            return Err(mycelium::ValidationError::broken("UserShape", "serializer", &*value0, "at most 9"));
                        }
                    }
                    if let Some(value0) = &*deserializer {
                        if !(*value0 <= 9) {
                            return Err(mycelium::ValidationError::broken("UserShape", "deserializer", &*value0, "at most 9"));
                        }
                    }
                }
                _ => {}
            }
            Ok(())
        }
    }

    const _: () = {
        assert!(size_of::<ArchivedUserShape>() == 5);
        assert!(align_of::<ArchivedUserShape>() == 1);
    };

    /// The struct `UserStruct`.
    #[derive(Clone, Copy, Debug, PartialEq, Default, rkyv::Archive, rkyv::Serialize, rkyv::Deserialize)]
    #[rkyv(crate = mycelium::rkyv, derive(Debug))]
    #[repr(C)]
    pub struct UserStruct {
        /// The field `u0`.
        pub u0: self::ArchivedTag,
        /// The field `u1`.
        pub u1: self::ArchivedVariantOne,
        /// The field `u2`.
        pub u2: self::ArchivedDiscriminant,
        /// The field `u3`.
        pub u3: self::OneResolver,
        /// The field `shape`.
        pub shape: self::UserShape,
    }

    const _: () = {
        assert!(size_of::<ArchivedUserStruct>() == 9);
        assert!(align_of::<ArchivedUserStruct>() == 1);
        assert!(::std::mem::offset_of!(ArchivedUserStruct, u0) == 0);
        assert!(::std::mem::offset_of!(ArchivedUserStruct, u1) == 1);
        assert!(::std::mem::offset_of!(ArchivedUserStruct, u2) == 2);
        assert!(::std::mem::offset_of!(ArchivedUserStruct, u3) == 3);
        assert!(::std::mem::offset_of!(ArchivedUserStruct, shape) == 4);
    };

    impl UserStruct {
        /// Checks the rules of the contract.
        ///
        /// # Errors
        /// The first rule that the value breaks.
        pub fn validate(&self) -> Result<(), mycelium::ValidationError> {
            self.shape.validate().map_err(|e| e.inside("UserStruct", "shape"))?;
            Ok(())
        }
    }

    /// The message `User`.
    ///
    /// Topic `t`, type id 1, version 1, domain `d`.
    #[derive(Clone, Debug, PartialEq, Default, rkyv::Archive, rkyv::Serialize, rkyv::Deserialize)]
    #[rkyv(crate = mycelium::rkyv, derive(Debug))]
    pub struct User {
        /// The field `u0`.
        pub u0: self::ArchivedTag,
        /// The field `u1`.
        pub u1: self::ArchivedVariantOne,
        /// The field `u2`.
        pub u2: self::ArchivedDiscriminant,
        /// The field `u3`.
        pub u3: self::OneResolver,
        /// The field `one`.
        pub one: self::UserStruct,
        /// The field `many`.
        pub many: Vec<self::UserShape>,
        /// The field `words`.
        pub words: self::UserUnit,
        /// The field `data`.
        pub data: self::UserData,
    }

    const _: () = {
        assert!(size_of::<ArchivedUser>() == 28);
        assert!(align_of::<ArchivedUser>() == 4);
        assert!(::std::mem::offset_of!(ArchivedUser, u0) == 0);
        assert!(::std::mem::offset_of!(ArchivedUser, u1) == 1);
        assert!(::std::mem::offset_of!(ArchivedUser, u2) == 2);
        assert!(::std::mem::offset_of!(ArchivedUser, u3) == 3);
        assert!(::std::mem::offset_of!(ArchivedUser, one) == 4);
        assert!(::std::mem::offset_of!(ArchivedUser, many) == 16);
        assert!(::std::mem::offset_of!(ArchivedUser, words) == 24);
        assert!(::std::mem::offset_of!(ArchivedUser, data) == 25);
    };

    impl mycelium::Message for User {
        const NAME: &'static str = "User";
        const TYPE_ID: u16 = 1;
        const TOPIC: &'static str = "t";
        const VERSION: u16 = 1;
        const DIGEST: u64 = 0xc994ffd11605cd85;

        fn validate(&self) -> Result<(), mycelium::ValidationError> {
            self.one.validate().map_err(|e| e.inside(Self::NAME, "one"))?;
            for (at0, item0) in self.many.iter().enumerate() {
                item0.validate().map_err(|e| e.inside(Self::NAME, format!("{}[{at0}]", "many")))?;
            }
            Ok(())
        }
    }

    impl wire::Wire for User {
        const LAYOUTS: &'static [wire::Layout] = &[
            wire::Layout { version: 1, root_len: 28, digest: 0xc994ffd11605cd85 },
        ];
    }

    /// The message `UserFields`.
    ///
    /// Topic `t`, type id 2, version 2, domain `d`.
    #[derive(Clone, Copy, Debug, PartialEq, rkyv::Archive, rkyv::Serialize, rkyv::Deserialize)]
    #[rkyv(crate = mycelium::rkyv, derive(Debug))]
    #[repr(C)]
    pub struct UserFields {
        /// The field `serializer`.
        pub serializer: Option<u8>,
        /// The field `deserializer`.
        pub deserializer: Option<u8>,
        /// The field `later`.
        pub later: self::UserShape,
    }

    impl Default for UserFields {
        fn default() -> Self {
            Self {
                serializer: Default::default(),
                deserializer: Default::default(),
                later: self::UserShape::Two { serializer: Some(1), deserializer: Some(1) },
            }
        }
    }

    const _: () = {
        assert!(size_of::<ArchivedUserFields>() == 9);
        assert!(align_of::<ArchivedUserFields>() == 1);
        assert!(::std::mem::offset_of!(ArchivedUserFields, serializer) == 0);
        assert!(::std::mem::offset_of!(ArchivedUserFields, deserializer) == 2);
        assert!(::std::mem::offset_of!(ArchivedUserFields, later) == 4);
    };

    impl UserFields {
        /// A message with the contract's default in every field that has one.
        #[must_use]
        pub fn new(serializer: Option<u8>, deserializer: Option<u8>) -> Self {
            Self {
                serializer,
                deserializer,
                later: self::UserShape::Two { serializer: Some(1), deserializer: Some(1) },
            }
        }
    }

    impl mycelium::Message for UserFields {
        const NAME: &'static str = "UserFields";
        const TYPE_ID: u16 = 2;
        const TOPIC: &'static str = "t";
        const VERSION: u16 = 2;
        const DIGEST: u64 = 0x79ddc1b7b2f09ff4;

        fn validate(&self) -> Result<(), mycelium::ValidationError> {
            if let Some(value0) = &self.serializer {
                if !(*value0 <= 9) {
                    return Err(mycelium::ValidationError::broken(Self::NAME, "serializer", &*value0, "at most 9"));
                }
            }
            if let Some(value0) = &self.deserializer {
                if !(*value0 <= 9) {
                    return Err(mycelium::ValidationError::broken(Self::NAME, "deserializer", &*value0, "at most 9"));
                }
            }
            self.later.validate().map_err(|e| e.inside(Self::NAME, "later"))?;
            Ok(())
        }
    }

    impl wire::Wire for UserFields {
        const FIXED: bool = true;
        const LAYOUTS: &'static [wire::Layout] = &[
            wire::Layout { version: 1, root_len: 4, digest: 0x9fdea893050dc17d },
            wire::Layout { version: 2, root_len: 9, digest: 0x79ddc1b7b2f09ff4 },
        ];

        fn upgrade(bytes: &[u8], version: u16) -> Result<Self, wire::WireError> {
            match version {
                1 => {
                    let old: UserFields_V1 = wire::decode_fixed_layout(Self::NAME, bytes)?;
                    Ok(Self {
                        serializer: old.serializer,
                        deserializer: old.deserializer,
                        later: self::UserShape::Two { serializer: Some(1), deserializer: Some(1) },
                    })
                }
                _ => Err(wire::unknown_version::<Self>(version)),
            }
        }
    }

    /// `UserFields` as its version 1 was laid out.
    #[derive(rkyv::Archive, rkyv::Deserialize)]
    #[rkyv(crate = mycelium::rkyv)]
    struct UserFields_V1 {
        serializer: Option<u8>,
        deserializer: Option<u8>,
    }

    const _: () = {
        assert!(size_of::<ArchivedUserFields_V1>() == 4);
        assert!(align_of::<ArchivedUserFields_V1>() == 1);
        assert!(::std::mem::offset_of!(ArchivedUserFields_V1, serializer) == 0);
        assert!(::std::mem::offset_of!(ArchivedUserFields_V1, deserializer) == 2);
    };

    /// The messages of the contract: see [`CONTRACT`].
    #[derive(Clone, Copy, Debug)]
    pub struct Contract_;

    /// The messages of the contract, for a bus that frames go through: `MessageBus::builder().contract(CONTRACT)`.
    pub const CONTRACT: Contract_ = Contract_;

    impl Contract_ {
        /// What is known of each message without its type, in the order of the contract.
        pub const ENTRIES: &'static [wire::Entry] = &[
            wire::Entry::of::<User>(),
            wire::Entry::of::<UserFields>(),
        ];
    }

    impl wire::Messages for Contract_ {
        fn each<Visitor_: wire::Visitor>(&self, visitor: &mut Visitor_) {
            visitor.typed::<User>();
            visitor.typed::<UserFields>();
        }
    }
}

#[allow(unused_imports, unreachable_pub)]
pub use self::generated_contracts::*;
}

/// The contract `derived_dataenum`.
pub mod derived_dataenum {
// Generated from the contract DataEnum.names version 1: edit that, not this.

#[allow(missing_docs, dead_code, unreachable_pub, non_camel_case_types)]
#[allow(clippy::all, clippy::pedantic, rustdoc::all)]
mod generated_contracts {
    #[allow(unused_imports)]
    use ::mycelium_mailbox::{self as mycelium, rkyv, wire, Message as _, wire::Wire as _};
    #[allow(unused_imports)]
    use mycelium::scalar::{Decimal, I256, Timestamp, U256};

    /// The enum `ArchivedTag`.
    #[derive(Clone, Copy, Debug, PartialEq, rkyv::Archive, rkyv::Serialize, rkyv::Deserialize)]
    #[rkyv(crate = mycelium::rkyv, derive(Debug))]
    pub enum ArchivedTag_ {
        /// The variant `One`.
        One {
            /// The field `x`.
            x: u8,
        },
        /// The variant `Two`.
        Two,
    }

    impl Default for ArchivedTag_ {
        fn default() -> Self {
            Self::One {
                x: Default::default(),
            }
        }
    }

    impl ArchivedTag_ {
        /// Checks the rules of the contract.
        ///
        /// # Errors
        /// The first rule that the value breaks.
        pub fn validate(&self) -> Result<(), mycelium::ValidationError> {
            Ok(())
        }
    }

    const _: () = {
        assert!(size_of::<ArchivedArchivedTag_>() == 2);
        assert!(align_of::<ArchivedArchivedTag_>() == 1);
    };

    #[allow(unused_imports)]
    pub use self::{ArchivedTag_ as ArchivedTag, ArchivedArchivedTag_ as ArchivedArchivedTag};

    /// The enum `ArchivedVariantOne`.
    #[derive(Clone, Copy, Debug, PartialEq, rkyv::Archive, rkyv::Serialize, rkyv::Deserialize)]
    #[rkyv(crate = mycelium::rkyv, derive(Debug))]
    pub enum ArchivedVariantOne_ {
        /// The variant `One`.
        One {
            /// The field `x`.
            x: u8,
        },
        /// The variant `Two`.
        Two,
    }

    impl Default for ArchivedVariantOne_ {
        fn default() -> Self {
            Self::One {
                x: Default::default(),
            }
        }
    }

    impl ArchivedVariantOne_ {
        /// Checks the rules of the contract.
        ///
        /// # Errors
        /// The first rule that the value breaks.
        pub fn validate(&self) -> Result<(), mycelium::ValidationError> {
            Ok(())
        }
    }

    const _: () = {
        assert!(size_of::<ArchivedArchivedVariantOne_>() == 2);
        assert!(align_of::<ArchivedArchivedVariantOne_>() == 1);
    };

    #[allow(unused_imports)]
    pub use self::{ArchivedVariantOne_ as ArchivedVariantOne, ArchivedArchivedVariantOne_ as ArchivedArchivedVariantOne};

    /// The enum `ArchivedDiscriminant`.
    #[derive(Clone, Copy, Debug, PartialEq, rkyv::Archive, rkyv::Serialize, rkyv::Deserialize)]
    #[rkyv(crate = mycelium::rkyv, derive(Debug))]
    pub enum ArchivedDiscriminant {
        /// The variant `One`.
        One {
            /// The field `x`.
            x: u8,
        },
        /// The variant `Two`.
        Two,
    }

    impl Default for ArchivedDiscriminant {
        fn default() -> Self {
            Self::One {
                x: Default::default(),
            }
        }
    }

    impl ArchivedDiscriminant {
        /// Checks the rules of the contract.
        ///
        /// # Errors
        /// The first rule that the value breaks.
        pub fn validate(&self) -> Result<(), mycelium::ValidationError> {
            Ok(())
        }
    }

    const _: () = {
        assert!(size_of::<ArchivedArchivedDiscriminant>() == 2);
        assert!(align_of::<ArchivedArchivedDiscriminant>() == 1);
    };

    /// The enum `OneResolver`.
    #[derive(Clone, Copy, Debug, PartialEq, rkyv::Archive, rkyv::Serialize, rkyv::Deserialize)]
    #[rkyv(crate = mycelium::rkyv, derive(Debug))]
    pub enum OneResolver {
        /// The variant `One`.
        One {
            /// The field `x`.
            x: u8,
        },
        /// The variant `Two`.
        Two,
    }

    impl Default for OneResolver {
        fn default() -> Self {
            Self::One {
                x: Default::default(),
            }
        }
    }

    impl OneResolver {
        /// Checks the rules of the contract.
        ///
        /// # Errors
        /// The first rule that the value breaks.
        pub fn validate(&self) -> Result<(), mycelium::ValidationError> {
            Ok(())
        }
    }

    const _: () = {
        assert!(size_of::<ArchivedOneResolver>() == 2);
        assert!(align_of::<ArchivedOneResolver>() == 1);
    };

    /// The enum `UserUnit`.
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, rkyv::Archive, rkyv::Serialize, rkyv::Deserialize)]
    #[rkyv(crate = mycelium::rkyv, derive(Clone, Copy, Debug, PartialEq, Eq, Hash))]
    #[repr(u8)]
    pub enum UserUnit {
        /// The variant `Tag`.
        #[default]
        Tag,
        /// The variant `Discriminant`.
        Discriminant,
        /// The variant `ArchivedTag`.
        ArchivedTag,
    }

    impl UserUnit {
        /// All variants, in the order of the contract.
        pub const ALL: [Self; 3] = [Self::Tag, Self::Discriminant, Self::ArchivedTag];

        /// The variant's name in the contract.
        #[must_use]
        pub const fn name(self) -> &'static str {
            match self {
                Self::Tag => "Tag",
                Self::Discriminant => "Discriminant",
                Self::ArchivedTag => "ArchivedTag",
            }
        }
    }

    impl ArchivedUserUnit {
        /// The variant, copied out of the bytes.
        #[must_use]
        pub const fn to_native(&self) -> UserUnit {
            match self {
                Self::Tag => UserUnit::Tag,
                Self::Discriminant => UserUnit::Discriminant,
                Self::ArchivedTag => UserUnit::ArchivedTag,
            }
        }
    }

    const _: () = {
        assert!(size_of::<ArchivedUserUnit>() == 1);
        assert!(align_of::<ArchivedUserUnit>() == 1);
    };

    /// The enum `UserData`.
    #[derive(Clone, Copy, Debug, PartialEq, rkyv::Archive, rkyv::Serialize, rkyv::Deserialize)]
    #[rkyv(crate = mycelium::rkyv, derive(Debug))]
    pub enum UserData {
        /// The variant `Tag`.
        Tag {
            /// The field `x`.
            x: u8,
        },
        /// The variant `Discriminant`.
        Discriminant {
            /// The field `x`.
            x: u8,
        },
        /// The variant `ArchivedTag`.
        ArchivedTag {
            /// The field `x`.
            x: u8,
        },
    }

    impl Default for UserData {
        fn default() -> Self {
            Self::Tag {
                x: Default::default(),
            }
        }
    }

    impl UserData {
        /// Checks the rules of the contract.
        ///
        /// # Errors
        /// The first rule that the value breaks.
        pub fn validate(&self) -> Result<(), mycelium::ValidationError> {
            Ok(())
        }
    }

    const _: () = {
        assert!(size_of::<ArchivedUserData>() == 2);
        assert!(align_of::<ArchivedUserData>() == 1);
    };

    macro_rules! define {
        ($serializer:ident, $deserializer:ident) => {
            /// The enum `UserShape`.
            #[derive(Clone, Copy, Debug, PartialEq, Default, rkyv::Archive, rkyv::Serialize, rkyv::Deserialize)]
            #[rkyv(crate = mycelium::rkyv, derive(Debug))]
            pub enum UserShape {
                /// The variant `Nothing`.
                #[default]
                Nothing,
                /// The variant `One`.
                One {
                    /// The field `u0`.
                    u0: self::ArchivedTag,
                    /// The field `u1`.
                    u1: self::ArchivedVariantOne,
                    /// The field `u2`.
                    u2: self::ArchivedDiscriminant,
                    /// The field `u3`.
                    u3: self::OneResolver,
                },
                /// The variant `Two`.
                Two {
                    /// The field `serializer`.
                    $serializer: Option<u8>,
                    /// The field `deserializer`.
                    $deserializer: Option<u8>,
                },
            }
        };
    }

    define!(serializer, deserializer);

    impl UserShape {
        /// Checks the rules of the contract.
        ///
        /// # Errors
        /// The first rule that the value breaks.
        pub fn validate(&self) -> Result<(), mycelium::ValidationError> {
            match self {
                Self::Two { serializer, deserializer, .. } => {
                    if let Some(value0) = &*serializer {
                        if !(*value0 <= 9) {
                            return Err(mycelium::ValidationError::broken("UserShape", "serializer", &*value0, "at most 9"));
                        }
                    }
                    if let Some(value0) = &*deserializer {
                        if !(*value0 <= 9) {
                            return Err(mycelium::ValidationError::broken("UserShape", "deserializer", &*value0, "at most 9"));
                        }
                    }
                }
                _ => {}
            }
            Ok(())
        }
    }

    const _: () = {
        assert!(size_of::<ArchivedUserShape>() == 9);
        assert!(align_of::<ArchivedUserShape>() == 1);
    };

    /// The struct `UserStruct`.
    #[derive(Clone, Copy, Debug, PartialEq, Default, rkyv::Archive, rkyv::Serialize, rkyv::Deserialize)]
    #[rkyv(crate = mycelium::rkyv, derive(Debug))]
    #[repr(C)]
    pub struct UserStruct {
        /// The field `u0`.
        pub u0: self::ArchivedTag,
        /// The field `u1`.
        pub u1: self::ArchivedVariantOne,
        /// The field `u2`.
        pub u2: self::ArchivedDiscriminant,
        /// The field `u3`.
        pub u3: self::OneResolver,
        /// The field `shape`.
        pub shape: self::UserShape,
    }

    const _: () = {
        assert!(size_of::<ArchivedUserStruct>() == 17);
        assert!(align_of::<ArchivedUserStruct>() == 1);
        assert!(::std::mem::offset_of!(ArchivedUserStruct, u0) == 0);
        assert!(::std::mem::offset_of!(ArchivedUserStruct, u1) == 2);
        assert!(::std::mem::offset_of!(ArchivedUserStruct, u2) == 4);
        assert!(::std::mem::offset_of!(ArchivedUserStruct, u3) == 6);
        assert!(::std::mem::offset_of!(ArchivedUserStruct, shape) == 8);
    };

    impl UserStruct {
        /// Checks the rules of the contract.
        ///
        /// # Errors
        /// The first rule that the value breaks.
        pub fn validate(&self) -> Result<(), mycelium::ValidationError> {
            self.shape.validate().map_err(|e| e.inside("UserStruct", "shape"))?;
            Ok(())
        }
    }

    /// The message `User`.
    ///
    /// Topic `t`, type id 1, version 1, domain `d`.
    #[derive(Clone, Debug, PartialEq, Default, rkyv::Archive, rkyv::Serialize, rkyv::Deserialize)]
    #[rkyv(crate = mycelium::rkyv, derive(Debug))]
    pub struct User {
        /// The field `u0`.
        pub u0: self::ArchivedTag,
        /// The field `u1`.
        pub u1: self::ArchivedVariantOne,
        /// The field `u2`.
        pub u2: self::ArchivedDiscriminant,
        /// The field `u3`.
        pub u3: self::OneResolver,
        /// The field `one`.
        pub one: self::UserStruct,
        /// The field `many`.
        pub many: Vec<self::UserShape>,
        /// The field `words`.
        pub words: self::UserUnit,
        /// The field `data`.
        pub data: self::UserData,
    }

    const _: () = {
        assert!(size_of::<ArchivedUser>() == 40);
        assert!(align_of::<ArchivedUser>() == 4);
        assert!(::std::mem::offset_of!(ArchivedUser, u0) == 0);
        assert!(::std::mem::offset_of!(ArchivedUser, u1) == 2);
        assert!(::std::mem::offset_of!(ArchivedUser, u2) == 4);
        assert!(::std::mem::offset_of!(ArchivedUser, u3) == 6);
        assert!(::std::mem::offset_of!(ArchivedUser, one) == 8);
        assert!(::std::mem::offset_of!(ArchivedUser, many) == 28);
        assert!(::std::mem::offset_of!(ArchivedUser, words) == 36);
        assert!(::std::mem::offset_of!(ArchivedUser, data) == 37);
    };

    impl mycelium::Message for User {
        const NAME: &'static str = "User";
        const TYPE_ID: u16 = 1;
        const TOPIC: &'static str = "t";
        const VERSION: u16 = 1;
        const DIGEST: u64 = 0x8ce47b68918a7418;

        fn validate(&self) -> Result<(), mycelium::ValidationError> {
            self.one.validate().map_err(|e| e.inside(Self::NAME, "one"))?;
            for (at0, item0) in self.many.iter().enumerate() {
                item0.validate().map_err(|e| e.inside(Self::NAME, format!("{}[{at0}]", "many")))?;
            }
            Ok(())
        }
    }

    impl wire::Wire for User {
        const LAYOUTS: &'static [wire::Layout] = &[
            wire::Layout { version: 1, root_len: 40, digest: 0x8ce47b68918a7418 },
        ];
    }

    /// The message `UserFields`.
    ///
    /// Topic `t`, type id 2, version 2, domain `d`.
    #[derive(Clone, Copy, Debug, PartialEq, rkyv::Archive, rkyv::Serialize, rkyv::Deserialize)]
    #[rkyv(crate = mycelium::rkyv, derive(Debug))]
    #[repr(C)]
    pub struct UserFields {
        /// The field `serializer`.
        pub serializer: Option<u8>,
        /// The field `deserializer`.
        pub deserializer: Option<u8>,
        /// The field `later`.
        pub later: self::UserShape,
    }

    impl Default for UserFields {
        fn default() -> Self {
            Self {
                serializer: Default::default(),
                deserializer: Default::default(),
                later: self::UserShape::Two { serializer: Some(1), deserializer: Some(1) },
            }
        }
    }

    const _: () = {
        assert!(size_of::<ArchivedUserFields>() == 13);
        assert!(align_of::<ArchivedUserFields>() == 1);
        assert!(::std::mem::offset_of!(ArchivedUserFields, serializer) == 0);
        assert!(::std::mem::offset_of!(ArchivedUserFields, deserializer) == 2);
        assert!(::std::mem::offset_of!(ArchivedUserFields, later) == 4);
    };

    impl UserFields {
        /// A message with the contract's default in every field that has one.
        #[must_use]
        pub fn new(serializer: Option<u8>, deserializer: Option<u8>) -> Self {
            Self {
                serializer,
                deserializer,
                later: self::UserShape::Two { serializer: Some(1), deserializer: Some(1) },
            }
        }
    }

    impl mycelium::Message for UserFields {
        const NAME: &'static str = "UserFields";
        const TYPE_ID: u16 = 2;
        const TOPIC: &'static str = "t";
        const VERSION: u16 = 2;
        const DIGEST: u64 = 0x535bd1a0ae60a4cc;

        fn validate(&self) -> Result<(), mycelium::ValidationError> {
            if let Some(value0) = &self.serializer {
                if !(*value0 <= 9) {
                    return Err(mycelium::ValidationError::broken(Self::NAME, "serializer", &*value0, "at most 9"));
                }
            }
            if let Some(value0) = &self.deserializer {
                if !(*value0 <= 9) {
                    return Err(mycelium::ValidationError::broken(Self::NAME, "deserializer", &*value0, "at most 9"));
                }
            }
            self.later.validate().map_err(|e| e.inside(Self::NAME, "later"))?;
            Ok(())
        }
    }

    impl wire::Wire for UserFields {
        const FIXED: bool = true;
        const LAYOUTS: &'static [wire::Layout] = &[
            wire::Layout { version: 1, root_len: 4, digest: 0x9fdea893050dc17d },
            wire::Layout { version: 2, root_len: 13, digest: 0x535bd1a0ae60a4cc },
        ];

        fn upgrade(bytes: &[u8], version: u16) -> Result<Self, wire::WireError> {
            match version {
                1 => {
                    let old: UserFields_V1 = wire::decode_fixed_layout(Self::NAME, bytes)?;
                    Ok(Self {
                        serializer: old.serializer,
                        deserializer: old.deserializer,
                        later: self::UserShape::Two { serializer: Some(1), deserializer: Some(1) },
                    })
                }
                _ => Err(wire::unknown_version::<Self>(version)),
            }
        }
    }

    /// `UserFields` as its version 1 was laid out.
    #[derive(rkyv::Archive, rkyv::Deserialize)]
    #[rkyv(crate = mycelium::rkyv)]
    struct UserFields_V1 {
        serializer: Option<u8>,
        deserializer: Option<u8>,
    }

    const _: () = {
        assert!(size_of::<ArchivedUserFields_V1>() == 4);
        assert!(align_of::<ArchivedUserFields_V1>() == 1);
        assert!(::std::mem::offset_of!(ArchivedUserFields_V1, serializer) == 0);
        assert!(::std::mem::offset_of!(ArchivedUserFields_V1, deserializer) == 2);
    };

    /// The messages of the contract: see [`CONTRACT`].
    #[derive(Clone, Copy, Debug)]
    pub struct Contract_;

    /// The messages of the contract, for a bus that frames go through: `MessageBus::builder().contract(CONTRACT)`.
    pub const CONTRACT: Contract_ = Contract_;

    impl Contract_ {
        /// What is known of each message without its type, in the order of the contract.
        pub const ENTRIES: &'static [wire::Entry] = &[
            wire::Entry::of::<User>(),
            wire::Entry::of::<UserFields>(),
        ];
    }

    impl wire::Messages for Contract_ {
        fn each<Visitor_: wire::Visitor>(&self, visitor: &mut Visitor_) {
            visitor.typed::<User>();
            visitor.typed::<UserFields>();
        }
    }
}

#[allow(unused_imports, unreachable_pub)]
pub use self::generated_contracts::*;
}

/// The contract `derived_struct`.
pub mod derived_struct {
// Generated from the contract Struct.names version 1: edit that, not this.

#[allow(missing_docs, dead_code, unreachable_pub, non_camel_case_types)]
#[allow(clippy::all, clippy::pedantic, rustdoc::all)]
mod generated_contracts {
    #[allow(unused_imports)]
    use ::mycelium_mailbox::{self as mycelium, rkyv, wire, Message as _, wire::Wire as _};
    #[allow(unused_imports)]
    use mycelium::scalar::{Decimal, I256, Timestamp, U256};

    /// The enum `UserUnit`.
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, rkyv::Archive, rkyv::Serialize, rkyv::Deserialize)]
    #[rkyv(crate = mycelium::rkyv, derive(Clone, Copy, Debug, PartialEq, Eq, Hash))]
    #[repr(u8)]
    pub enum UserUnit {
        /// The variant `Tag`.
        #[default]
        Tag,
        /// The variant `Discriminant`.
        Discriminant,
        /// The variant `ArchivedTag`.
        ArchivedTag,
    }

    impl UserUnit {
        /// All variants, in the order of the contract.
        pub const ALL: [Self; 3] = [Self::Tag, Self::Discriminant, Self::ArchivedTag];

        /// The variant's name in the contract.
        #[must_use]
        pub const fn name(self) -> &'static str {
            match self {
                Self::Tag => "Tag",
                Self::Discriminant => "Discriminant",
                Self::ArchivedTag => "ArchivedTag",
            }
        }
    }

    impl ArchivedUserUnit {
        /// The variant, copied out of the bytes.
        #[must_use]
        pub const fn to_native(&self) -> UserUnit {
            match self {
                Self::Tag => UserUnit::Tag,
                Self::Discriminant => UserUnit::Discriminant,
                Self::ArchivedTag => UserUnit::ArchivedTag,
            }
        }
    }

    const _: () = {
        assert!(size_of::<ArchivedUserUnit>() == 1);
        assert!(align_of::<ArchivedUserUnit>() == 1);
    };

    /// The enum `UserData`.
    #[derive(Clone, Copy, Debug, PartialEq, rkyv::Archive, rkyv::Serialize, rkyv::Deserialize)]
    #[rkyv(crate = mycelium::rkyv, derive(Debug))]
    pub enum UserData {
        /// The variant `Tag`.
        Tag {
            /// The field `x`.
            x: u8,
        },
        /// The variant `Discriminant`.
        Discriminant {
            /// The field `x`.
            x: u8,
        },
        /// The variant `ArchivedTag`.
        ArchivedTag {
            /// The field `x`.
            x: u8,
        },
    }

    impl Default for UserData {
        fn default() -> Self {
            Self::Tag {
                x: Default::default(),
            }
        }
    }

    impl UserData {
        /// Checks the rules of the contract.
        ///
        /// # Errors
        /// The first rule that the value breaks.
        pub fn validate(&self) -> Result<(), mycelium::ValidationError> {
            Ok(())
        }
    }

    const _: () = {
        assert!(size_of::<ArchivedUserData>() == 2);
        assert!(align_of::<ArchivedUserData>() == 1);
    };

    macro_rules! define {
        ($serializer:ident, $deserializer:ident) => {
            /// The enum `UserShape`.
            #[derive(Clone, Copy, Debug, PartialEq, Default, rkyv::Archive, rkyv::Serialize, rkyv::Deserialize)]
            #[rkyv(crate = mycelium::rkyv, derive(Debug))]
            pub enum UserShape {
                /// The variant `Nothing`.
                #[default]
                Nothing,
                /// The variant `One`.
                One {
                    /// The field `u0`.
                    u0: self::ArchivedTag,
                    /// The field `u1`.
                    u1: self::ArchivedVariantOne,
                    /// The field `u2`.
                    u2: self::ArchivedDiscriminant,
                    /// The field `u3`.
                    u3: self::OneResolver,
                },
                /// The variant `Two`.
                Two {
                    /// The field `serializer`.
                    $serializer: Option<u8>,
                    /// The field `deserializer`.
                    $deserializer: Option<u8>,
                },
            }
        };
    }

    define!(serializer, deserializer);

    impl UserShape {
        /// Checks the rules of the contract.
        ///
        /// # Errors
        /// The first rule that the value breaks.
        pub fn validate(&self) -> Result<(), mycelium::ValidationError> {
            match self {
                Self::Two { serializer, deserializer, .. } => {
                    if let Some(value0) = &*serializer {
                        if !(*value0 <= 9) {
                            return Err(mycelium::ValidationError::broken("UserShape", "serializer", &*value0, "at most 9"));
                        }
                    }
                    if let Some(value0) = &*deserializer {
                        if !(*value0 <= 9) {
                            return Err(mycelium::ValidationError::broken("UserShape", "deserializer", &*value0, "at most 9"));
                        }
                    }
                }
                _ => {}
            }
            Ok(())
        }
    }

    const _: () = {
        assert!(size_of::<ArchivedUserShape>() == 5);
        assert!(align_of::<ArchivedUserShape>() == 1);
    };

    /// The struct `ArchivedTag`.
    #[derive(Clone, Copy, Debug, PartialEq, Default, rkyv::Archive, rkyv::Serialize, rkyv::Deserialize)]
    #[rkyv(crate = mycelium::rkyv, derive(Debug))]
    #[repr(C)]
    pub struct ArchivedTag {
        /// The field `x`.
        pub x: u8,
    }

    const _: () = {
        assert!(size_of::<ArchivedArchivedTag>() == 1);
        assert!(align_of::<ArchivedArchivedTag>() == 1);
        assert!(::std::mem::offset_of!(ArchivedArchivedTag, x) == 0);
    };

    impl ArchivedTag {
        /// Checks the rules of the contract.
        ///
        /// # Errors
        /// The first rule that the value breaks.
        pub fn validate(&self) -> Result<(), mycelium::ValidationError> {
            Ok(())
        }
    }

    /// The struct `ArchivedVariantOne`.
    #[derive(Clone, Copy, Debug, PartialEq, Default, rkyv::Archive, rkyv::Serialize, rkyv::Deserialize)]
    #[rkyv(crate = mycelium::rkyv, derive(Debug))]
    #[repr(C)]
    pub struct ArchivedVariantOne {
        /// The field `x`.
        pub x: u8,
    }

    const _: () = {
        assert!(size_of::<ArchivedArchivedVariantOne>() == 1);
        assert!(align_of::<ArchivedArchivedVariantOne>() == 1);
        assert!(::std::mem::offset_of!(ArchivedArchivedVariantOne, x) == 0);
    };

    impl ArchivedVariantOne {
        /// Checks the rules of the contract.
        ///
        /// # Errors
        /// The first rule that the value breaks.
        pub fn validate(&self) -> Result<(), mycelium::ValidationError> {
            Ok(())
        }
    }

    /// The struct `ArchivedDiscriminant`.
    #[derive(Clone, Copy, Debug, PartialEq, Default, rkyv::Archive, rkyv::Serialize, rkyv::Deserialize)]
    #[rkyv(crate = mycelium::rkyv, derive(Debug))]
    #[repr(C)]
    pub struct ArchivedDiscriminant {
        /// The field `x`.
        pub x: u8,
    }

    const _: () = {
        assert!(size_of::<ArchivedArchivedDiscriminant>() == 1);
        assert!(align_of::<ArchivedArchivedDiscriminant>() == 1);
        assert!(::std::mem::offset_of!(ArchivedArchivedDiscriminant, x) == 0);
    };

    impl ArchivedDiscriminant {
        /// Checks the rules of the contract.
        ///
        /// # Errors
        /// The first rule that the value breaks.
        pub fn validate(&self) -> Result<(), mycelium::ValidationError> {
            Ok(())
        }
    }

    /// The struct `OneResolver`.
    #[derive(Clone, Copy, Debug, PartialEq, Default, rkyv::Archive, rkyv::Serialize, rkyv::Deserialize)]
    #[rkyv(crate = mycelium::rkyv, derive(Debug))]
    #[repr(C)]
    pub struct OneResolver {
        /// The field `x`.
        pub x: u8,
    }

    const _: () = {
        assert!(size_of::<ArchivedOneResolver>() == 1);
        assert!(align_of::<ArchivedOneResolver>() == 1);
        assert!(::std::mem::offset_of!(ArchivedOneResolver, x) == 0);
    };

    impl OneResolver {
        /// Checks the rules of the contract.
        ///
        /// # Errors
        /// The first rule that the value breaks.
        pub fn validate(&self) -> Result<(), mycelium::ValidationError> {
            Ok(())
        }
    }

    /// The struct `UserStruct`.
    #[derive(Clone, Copy, Debug, PartialEq, Default, rkyv::Archive, rkyv::Serialize, rkyv::Deserialize)]
    #[rkyv(crate = mycelium::rkyv, derive(Debug))]
    #[repr(C)]
    pub struct UserStruct {
        /// The field `u0`.
        pub u0: self::ArchivedTag,
        /// The field `u1`.
        pub u1: self::ArchivedVariantOne,
        /// The field `u2`.
        pub u2: self::ArchivedDiscriminant,
        /// The field `u3`.
        pub u3: self::OneResolver,
        /// The field `shape`.
        pub shape: self::UserShape,
    }

    const _: () = {
        assert!(size_of::<ArchivedUserStruct>() == 9);
        assert!(align_of::<ArchivedUserStruct>() == 1);
        assert!(::std::mem::offset_of!(ArchivedUserStruct, u0) == 0);
        assert!(::std::mem::offset_of!(ArchivedUserStruct, u1) == 1);
        assert!(::std::mem::offset_of!(ArchivedUserStruct, u2) == 2);
        assert!(::std::mem::offset_of!(ArchivedUserStruct, u3) == 3);
        assert!(::std::mem::offset_of!(ArchivedUserStruct, shape) == 4);
    };

    impl UserStruct {
        /// Checks the rules of the contract.
        ///
        /// # Errors
        /// The first rule that the value breaks.
        pub fn validate(&self) -> Result<(), mycelium::ValidationError> {
            self.shape.validate().map_err(|e| e.inside("UserStruct", "shape"))?;
            Ok(())
        }
    }

    /// The message `User`.
    ///
    /// Topic `t`, type id 1, version 1, domain `d`.
    #[derive(Clone, Debug, PartialEq, Default, rkyv::Archive, rkyv::Serialize, rkyv::Deserialize)]
    #[rkyv(crate = mycelium::rkyv, derive(Debug))]
    pub struct User {
        /// The field `u0`.
        pub u0: self::ArchivedTag,
        /// The field `u1`.
        pub u1: self::ArchivedVariantOne,
        /// The field `u2`.
        pub u2: self::ArchivedDiscriminant,
        /// The field `u3`.
        pub u3: self::OneResolver,
        /// The field `one`.
        pub one: self::UserStruct,
        /// The field `many`.
        pub many: Vec<self::UserShape>,
        /// The field `words`.
        pub words: self::UserUnit,
        /// The field `data`.
        pub data: self::UserData,
    }

    const _: () = {
        assert!(size_of::<ArchivedUser>() == 28);
        assert!(align_of::<ArchivedUser>() == 4);
        assert!(::std::mem::offset_of!(ArchivedUser, u0) == 0);
        assert!(::std::mem::offset_of!(ArchivedUser, u1) == 1);
        assert!(::std::mem::offset_of!(ArchivedUser, u2) == 2);
        assert!(::std::mem::offset_of!(ArchivedUser, u3) == 3);
        assert!(::std::mem::offset_of!(ArchivedUser, one) == 4);
        assert!(::std::mem::offset_of!(ArchivedUser, many) == 16);
        assert!(::std::mem::offset_of!(ArchivedUser, words) == 24);
        assert!(::std::mem::offset_of!(ArchivedUser, data) == 25);
    };

    impl mycelium::Message for User {
        const NAME: &'static str = "User";
        const TYPE_ID: u16 = 1;
        const TOPIC: &'static str = "t";
        const VERSION: u16 = 1;
        const DIGEST: u64 = 0x7e73bae31d8feb8a;

        fn validate(&self) -> Result<(), mycelium::ValidationError> {
            self.one.validate().map_err(|e| e.inside(Self::NAME, "one"))?;
            for (at0, item0) in self.many.iter().enumerate() {
                item0.validate().map_err(|e| e.inside(Self::NAME, format!("{}[{at0}]", "many")))?;
            }
            Ok(())
        }
    }

    impl wire::Wire for User {
        const LAYOUTS: &'static [wire::Layout] = &[
            wire::Layout { version: 1, root_len: 28, digest: 0x7e73bae31d8feb8a },
        ];
    }

    /// The message `UserFields`.
    ///
    /// Topic `t`, type id 2, version 2, domain `d`.
    #[derive(Clone, Copy, Debug, PartialEq, rkyv::Archive, rkyv::Serialize, rkyv::Deserialize)]
    #[rkyv(crate = mycelium::rkyv, derive(Debug))]
    #[repr(C)]
    pub struct UserFields {
        /// The field `serializer`.
        pub serializer: Option<u8>,
        /// The field `deserializer`.
        pub deserializer: Option<u8>,
        /// The field `later`.
        pub later: self::UserShape,
    }

    impl Default for UserFields {
        fn default() -> Self {
            Self {
                serializer: Default::default(),
                deserializer: Default::default(),
                later: self::UserShape::Two { serializer: Some(1), deserializer: Some(1) },
            }
        }
    }

    const _: () = {
        assert!(size_of::<ArchivedUserFields>() == 9);
        assert!(align_of::<ArchivedUserFields>() == 1);
        assert!(::std::mem::offset_of!(ArchivedUserFields, serializer) == 0);
        assert!(::std::mem::offset_of!(ArchivedUserFields, deserializer) == 2);
        assert!(::std::mem::offset_of!(ArchivedUserFields, later) == 4);
    };

    impl UserFields {
        /// A message with the contract's default in every field that has one.
        #[must_use]
        pub fn new(serializer: Option<u8>, deserializer: Option<u8>) -> Self {
            Self {
                serializer,
                deserializer,
                later: self::UserShape::Two { serializer: Some(1), deserializer: Some(1) },
            }
        }
    }

    impl mycelium::Message for UserFields {
        const NAME: &'static str = "UserFields";
        const TYPE_ID: u16 = 2;
        const TOPIC: &'static str = "t";
        const VERSION: u16 = 2;
        const DIGEST: u64 = 0xd263a0f102c2ff56;

        fn validate(&self) -> Result<(), mycelium::ValidationError> {
            if let Some(value0) = &self.serializer {
                if !(*value0 <= 9) {
                    return Err(mycelium::ValidationError::broken(Self::NAME, "serializer", &*value0, "at most 9"));
                }
            }
            if let Some(value0) = &self.deserializer {
                if !(*value0 <= 9) {
                    return Err(mycelium::ValidationError::broken(Self::NAME, "deserializer", &*value0, "at most 9"));
                }
            }
            self.later.validate().map_err(|e| e.inside(Self::NAME, "later"))?;
            Ok(())
        }
    }

    impl wire::Wire for UserFields {
        const FIXED: bool = true;
        const LAYOUTS: &'static [wire::Layout] = &[
            wire::Layout { version: 1, root_len: 4, digest: 0x9fdea893050dc17d },
            wire::Layout { version: 2, root_len: 9, digest: 0xd263a0f102c2ff56 },
        ];

        fn upgrade(bytes: &[u8], version: u16) -> Result<Self, wire::WireError> {
            match version {
                1 => {
                    let old: UserFields_V1 = wire::decode_fixed_layout(Self::NAME, bytes)?;
                    Ok(Self {
                        serializer: old.serializer,
                        deserializer: old.deserializer,
                        later: self::UserShape::Two { serializer: Some(1), deserializer: Some(1) },
                    })
                }
                _ => Err(wire::unknown_version::<Self>(version)),
            }
        }
    }

    /// `UserFields` as its version 1 was laid out.
    #[derive(rkyv::Archive, rkyv::Deserialize)]
    #[rkyv(crate = mycelium::rkyv)]
    struct UserFields_V1 {
        serializer: Option<u8>,
        deserializer: Option<u8>,
    }

    const _: () = {
        assert!(size_of::<ArchivedUserFields_V1>() == 4);
        assert!(align_of::<ArchivedUserFields_V1>() == 1);
        assert!(::std::mem::offset_of!(ArchivedUserFields_V1, serializer) == 0);
        assert!(::std::mem::offset_of!(ArchivedUserFields_V1, deserializer) == 2);
    };

    /// The messages of the contract: see [`CONTRACT`].
    #[derive(Clone, Copy, Debug)]
    pub struct Contract_;

    /// The messages of the contract, for a bus that frames go through: `MessageBus::builder().contract(CONTRACT)`.
    pub const CONTRACT: Contract_ = Contract_;

    impl Contract_ {
        /// What is known of each message without its type, in the order of the contract.
        pub const ENTRIES: &'static [wire::Entry] = &[
            wire::Entry::of::<User>(),
            wire::Entry::of::<UserFields>(),
        ];
    }

    impl wire::Messages for Contract_ {
        fn each<Visitor_: wire::Visitor>(&self, visitor: &mut Visitor_) {
            visitor.typed::<User>();
            visitor.typed::<UserFields>();
        }
    }
}

#[allow(unused_imports, unreachable_pub)]
pub use self::generated_contracts::*;
}

/// The contract `derived_message`.
pub mod derived_message {
// Generated from the contract Message.names version 1: edit that, not this.

#[allow(missing_docs, dead_code, unreachable_pub, non_camel_case_types)]
#[allow(clippy::all, clippy::pedantic, rustdoc::all)]
mod generated_contracts {
    #[allow(unused_imports)]
    use ::mycelium_mailbox::{self as mycelium, rkyv, wire, Message as _, wire::Wire as _};
    #[allow(unused_imports)]
    use mycelium::scalar::{Decimal, I256, Timestamp, U256};

    /// The enum `UserUnit`.
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, rkyv::Archive, rkyv::Serialize, rkyv::Deserialize)]
    #[rkyv(crate = mycelium::rkyv, derive(Clone, Copy, Debug, PartialEq, Eq, Hash))]
    #[repr(u8)]
    pub enum UserUnit {
        /// The variant `Tag`.
        #[default]
        Tag,
        /// The variant `Discriminant`.
        Discriminant,
        /// The variant `ArchivedTag`.
        ArchivedTag,
    }

    impl UserUnit {
        /// All variants, in the order of the contract.
        pub const ALL: [Self; 3] = [Self::Tag, Self::Discriminant, Self::ArchivedTag];

        /// The variant's name in the contract.
        #[must_use]
        pub const fn name(self) -> &'static str {
            match self {
                Self::Tag => "Tag",
                Self::Discriminant => "Discriminant",
                Self::ArchivedTag => "ArchivedTag",
            }
        }
    }

    impl ArchivedUserUnit {
        /// The variant, copied out of the bytes.
        #[must_use]
        pub const fn to_native(&self) -> UserUnit {
            match self {
                Self::Tag => UserUnit::Tag,
                Self::Discriminant => UserUnit::Discriminant,
                Self::ArchivedTag => UserUnit::ArchivedTag,
            }
        }
    }

    const _: () = {
        assert!(size_of::<ArchivedUserUnit>() == 1);
        assert!(align_of::<ArchivedUserUnit>() == 1);
    };

    /// The enum `UserData`.
    #[derive(Clone, Copy, Debug, PartialEq, rkyv::Archive, rkyv::Serialize, rkyv::Deserialize)]
    #[rkyv(crate = mycelium::rkyv, derive(Debug))]
    pub enum UserData {
        /// The variant `Tag`.
        Tag {
            /// The field `x`.
            x: u8,
        },
        /// The variant `Discriminant`.
        Discriminant {
            /// The field `x`.
            x: u8,
        },
        /// The variant `ArchivedTag`.
        ArchivedTag {
            /// The field `x`.
            x: u8,
        },
    }

    impl Default for UserData {
        fn default() -> Self {
            Self::Tag {
                x: Default::default(),
            }
        }
    }

    impl UserData {
        /// Checks the rules of the contract.
        ///
        /// # Errors
        /// The first rule that the value breaks.
        pub fn validate(&self) -> Result<(), mycelium::ValidationError> {
            Ok(())
        }
    }

    const _: () = {
        assert!(size_of::<ArchivedUserData>() == 2);
        assert!(align_of::<ArchivedUserData>() == 1);
    };

    macro_rules! define {
        ($serializer:ident, $deserializer:ident) => {
            /// The enum `UserShape`.
            #[derive(Clone, Copy, Debug, PartialEq, Default, rkyv::Archive, rkyv::Serialize, rkyv::Deserialize)]
            #[rkyv(crate = mycelium::rkyv, derive(Debug))]
            pub enum UserShape {
                /// The variant `Nothing`.
                #[default]
                Nothing,
                /// The variant `One`.
                One {
                    /// The field `u0`.
                    u0: u8,
                },
                /// The variant `Two`.
                Two {
                    /// The field `serializer`.
                    $serializer: Option<u8>,
                    /// The field `deserializer`.
                    $deserializer: Option<u8>,
                },
            }
        };
    }

    define!(serializer, deserializer);

    impl UserShape {
        /// Checks the rules of the contract.
        ///
        /// # Errors
        /// The first rule that the value breaks.
        pub fn validate(&self) -> Result<(), mycelium::ValidationError> {
            match self {
                Self::Two { serializer, deserializer, .. } => {
                    if let Some(value0) = &*serializer {
                        if !(*value0 <= 9) {
                            return Err(mycelium::ValidationError::broken("UserShape", "serializer", &*value0, "at most 9"));
                        }
                    }
                    if let Some(value0) = &*deserializer {
                        if !(*value0 <= 9) {
                            return Err(mycelium::ValidationError::broken("UserShape", "deserializer", &*value0, "at most 9"));
                        }
                    }
                }
                _ => {}
            }
            Ok(())
        }
    }

    const _: () = {
        assert!(size_of::<ArchivedUserShape>() == 5);
        assert!(align_of::<ArchivedUserShape>() == 1);
    };

    /// The struct `UserStruct`.
    #[derive(Clone, Copy, Debug, PartialEq, Default, rkyv::Archive, rkyv::Serialize, rkyv::Deserialize)]
    #[rkyv(crate = mycelium::rkyv, derive(Debug))]
    #[repr(C)]
    pub struct UserStruct {
        /// The field `u0`.
        pub u0: u8,
        /// The field `shape`.
        pub shape: self::UserShape,
    }

    const _: () = {
        assert!(size_of::<ArchivedUserStruct>() == 6);
        assert!(align_of::<ArchivedUserStruct>() == 1);
        assert!(::std::mem::offset_of!(ArchivedUserStruct, u0) == 0);
        assert!(::std::mem::offset_of!(ArchivedUserStruct, shape) == 1);
    };

    impl UserStruct {
        /// Checks the rules of the contract.
        ///
        /// # Errors
        /// The first rule that the value breaks.
        pub fn validate(&self) -> Result<(), mycelium::ValidationError> {
            self.shape.validate().map_err(|e| e.inside("UserStruct", "shape"))?;
            Ok(())
        }
    }

    /// The message `ArchivedTag`.
    ///
    /// Topic `t`, type id 10, version 1, domain `d`.
    /// It is answered by a [`ArchivedTag`].
    #[derive(Clone, Copy, Debug, PartialEq, Default, rkyv::Archive, rkyv::Serialize, rkyv::Deserialize)]
    #[rkyv(crate = mycelium::rkyv, derive(Debug))]
    #[repr(C)]
    pub struct ArchivedTag {
        /// The field `x`.
        pub x: u8,
    }

    const _: () = {
        assert!(size_of::<ArchivedArchivedTag>() == 1);
        assert!(align_of::<ArchivedArchivedTag>() == 1);
        assert!(::std::mem::offset_of!(ArchivedArchivedTag, x) == 0);
    };

    impl mycelium::Message for ArchivedTag {
        const NAME: &'static str = "ArchivedTag";
        const TYPE_ID: u16 = 10;
        const TOPIC: &'static str = "t";
        const VERSION: u16 = 1;
        const DIGEST: u64 = 0x7b6102bcd6f6b8f7;
    }

    impl mycelium::Query for ArchivedTag {
        type Reply = self::ArchivedTag;
    }

    impl wire::Wire for ArchivedTag {
        const FIXED: bool = true;
        const LAYOUTS: &'static [wire::Layout] = &[
            wire::Layout { version: 1, root_len: 1, digest: 0x7b6102bcd6f6b8f7 },
        ];
        const REPLY: Option<u16> = Some(<self::ArchivedTag as mycelium::Message>::TYPE_ID);
    }

    /// The message `ArchivedVariantOne`.
    ///
    /// Topic `t`, type id 11, version 1, domain `d`.
    /// It is answered by a [`ArchivedVariantOne`].
    #[derive(Clone, Copy, Debug, PartialEq, Default, rkyv::Archive, rkyv::Serialize, rkyv::Deserialize)]
    #[rkyv(crate = mycelium::rkyv, derive(Debug))]
    #[repr(C)]
    pub struct ArchivedVariantOne {
        /// The field `x`.
        pub x: u8,
    }

    const _: () = {
        assert!(size_of::<ArchivedArchivedVariantOne>() == 1);
        assert!(align_of::<ArchivedArchivedVariantOne>() == 1);
        assert!(::std::mem::offset_of!(ArchivedArchivedVariantOne, x) == 0);
    };

    impl mycelium::Message for ArchivedVariantOne {
        const NAME: &'static str = "ArchivedVariantOne";
        const TYPE_ID: u16 = 11;
        const TOPIC: &'static str = "t";
        const VERSION: u16 = 1;
        const DIGEST: u64 = 0xc088a06ec9950f30;
    }

    impl mycelium::Query for ArchivedVariantOne {
        type Reply = self::ArchivedVariantOne;
    }

    impl wire::Wire for ArchivedVariantOne {
        const FIXED: bool = true;
        const LAYOUTS: &'static [wire::Layout] = &[
            wire::Layout { version: 1, root_len: 1, digest: 0xc088a06ec9950f30 },
        ];
        const REPLY: Option<u16> = Some(<self::ArchivedVariantOne as mycelium::Message>::TYPE_ID);
    }

    /// The message `ArchivedDiscriminant`.
    ///
    /// Topic `t`, type id 12, version 1, domain `d`.
    /// It is answered by a [`ArchivedDiscriminant`].
    #[derive(Clone, Copy, Debug, PartialEq, Default, rkyv::Archive, rkyv::Serialize, rkyv::Deserialize)]
    #[rkyv(crate = mycelium::rkyv, derive(Debug))]
    #[repr(C)]
    pub struct ArchivedDiscriminant {
        /// The field `x`.
        pub x: u8,
    }

    const _: () = {
        assert!(size_of::<ArchivedArchivedDiscriminant>() == 1);
        assert!(align_of::<ArchivedArchivedDiscriminant>() == 1);
        assert!(::std::mem::offset_of!(ArchivedArchivedDiscriminant, x) == 0);
    };

    impl mycelium::Message for ArchivedDiscriminant {
        const NAME: &'static str = "ArchivedDiscriminant";
        const TYPE_ID: u16 = 12;
        const TOPIC: &'static str = "t";
        const VERSION: u16 = 1;
        const DIGEST: u64 = 0xe1333dcf2c59859e;
    }

    impl mycelium::Query for ArchivedDiscriminant {
        type Reply = self::ArchivedDiscriminant;
    }

    impl wire::Wire for ArchivedDiscriminant {
        const FIXED: bool = true;
        const LAYOUTS: &'static [wire::Layout] = &[
            wire::Layout { version: 1, root_len: 1, digest: 0xe1333dcf2c59859e },
        ];
        const REPLY: Option<u16> = Some(<self::ArchivedDiscriminant as mycelium::Message>::TYPE_ID);
    }

    /// The message `OneResolver`.
    ///
    /// Topic `t`, type id 13, version 1, domain `d`.
    /// It is answered by a [`OneResolver`].
    #[derive(Clone, Copy, Debug, PartialEq, Default, rkyv::Archive, rkyv::Serialize, rkyv::Deserialize)]
    #[rkyv(crate = mycelium::rkyv, derive(Debug))]
    #[repr(C)]
    pub struct OneResolver {
        /// The field `x`.
        pub x: u8,
    }

    const _: () = {
        assert!(size_of::<ArchivedOneResolver>() == 1);
        assert!(align_of::<ArchivedOneResolver>() == 1);
        assert!(::std::mem::offset_of!(ArchivedOneResolver, x) == 0);
    };

    impl mycelium::Message for OneResolver {
        const NAME: &'static str = "OneResolver";
        const TYPE_ID: u16 = 13;
        const TOPIC: &'static str = "t";
        const VERSION: u16 = 1;
        const DIGEST: u64 = 0x8c2ee9170c92ad1b;
    }

    impl mycelium::Query for OneResolver {
        type Reply = self::OneResolver;
    }

    impl wire::Wire for OneResolver {
        const FIXED: bool = true;
        const LAYOUTS: &'static [wire::Layout] = &[
            wire::Layout { version: 1, root_len: 1, digest: 0x8c2ee9170c92ad1b },
        ];
        const REPLY: Option<u16> = Some(<self::OneResolver as mycelium::Message>::TYPE_ID);
    }

    /// The message `User`.
    ///
    /// Topic `t`, type id 1, version 1, domain `d`.
    #[derive(Clone, Debug, PartialEq, Default, rkyv::Archive, rkyv::Serialize, rkyv::Deserialize)]
    #[rkyv(crate = mycelium::rkyv, derive(Debug))]
    pub struct User {
        /// The field `u0`.
        pub u0: u8,
        /// The field `one`.
        pub one: self::UserStruct,
        /// The field `many`.
        pub many: Vec<self::UserShape>,
        /// The field `words`.
        pub words: self::UserUnit,
        /// The field `data`.
        pub data: self::UserData,
    }

    const _: () = {
        assert!(size_of::<ArchivedUser>() == 20);
        assert!(align_of::<ArchivedUser>() == 4);
        assert!(::std::mem::offset_of!(ArchivedUser, u0) == 0);
        assert!(::std::mem::offset_of!(ArchivedUser, one) == 1);
        assert!(::std::mem::offset_of!(ArchivedUser, many) == 8);
        assert!(::std::mem::offset_of!(ArchivedUser, words) == 16);
        assert!(::std::mem::offset_of!(ArchivedUser, data) == 17);
    };

    impl mycelium::Message for User {
        const NAME: &'static str = "User";
        const TYPE_ID: u16 = 1;
        const TOPIC: &'static str = "t";
        const VERSION: u16 = 1;
        const DIGEST: u64 = 0xdb6907cfcfb2243d;

        fn validate(&self) -> Result<(), mycelium::ValidationError> {
            self.one.validate().map_err(|e| e.inside(Self::NAME, "one"))?;
            for (at0, item0) in self.many.iter().enumerate() {
                item0.validate().map_err(|e| e.inside(Self::NAME, format!("{}[{at0}]", "many")))?;
            }
            Ok(())
        }
    }

    impl wire::Wire for User {
        const LAYOUTS: &'static [wire::Layout] = &[
            wire::Layout { version: 1, root_len: 20, digest: 0xdb6907cfcfb2243d },
        ];
    }

    /// The message `UserFields`.
    ///
    /// Topic `t`, type id 2, version 2, domain `d`.
    #[derive(Clone, Copy, Debug, PartialEq, rkyv::Archive, rkyv::Serialize, rkyv::Deserialize)]
    #[rkyv(crate = mycelium::rkyv, derive(Debug))]
    #[repr(C)]
    pub struct UserFields {
        /// The field `serializer`.
        pub serializer: Option<u8>,
        /// The field `deserializer`.
        pub deserializer: Option<u8>,
        /// The field `later`.
        pub later: self::UserShape,
    }

    impl Default for UserFields {
        fn default() -> Self {
            Self {
                serializer: Default::default(),
                deserializer: Default::default(),
                later: self::UserShape::Two { serializer: Some(1), deserializer: Some(1) },
            }
        }
    }

    const _: () = {
        assert!(size_of::<ArchivedUserFields>() == 9);
        assert!(align_of::<ArchivedUserFields>() == 1);
        assert!(::std::mem::offset_of!(ArchivedUserFields, serializer) == 0);
        assert!(::std::mem::offset_of!(ArchivedUserFields, deserializer) == 2);
        assert!(::std::mem::offset_of!(ArchivedUserFields, later) == 4);
    };

    impl UserFields {
        /// A message with the contract's default in every field that has one.
        #[must_use]
        pub fn new(serializer: Option<u8>, deserializer: Option<u8>) -> Self {
            Self {
                serializer,
                deserializer,
                later: self::UserShape::Two { serializer: Some(1), deserializer: Some(1) },
            }
        }
    }

    impl mycelium::Message for UserFields {
        const NAME: &'static str = "UserFields";
        const TYPE_ID: u16 = 2;
        const TOPIC: &'static str = "t";
        const VERSION: u16 = 2;
        const DIGEST: u64 = 0x69c79189443b257d;

        fn validate(&self) -> Result<(), mycelium::ValidationError> {
            if let Some(value0) = &self.serializer {
                if !(*value0 <= 9) {
                    return Err(mycelium::ValidationError::broken(Self::NAME, "serializer", &*value0, "at most 9"));
                }
            }
            if let Some(value0) = &self.deserializer {
                if !(*value0 <= 9) {
                    return Err(mycelium::ValidationError::broken(Self::NAME, "deserializer", &*value0, "at most 9"));
                }
            }
            self.later.validate().map_err(|e| e.inside(Self::NAME, "later"))?;
            Ok(())
        }
    }

    impl wire::Wire for UserFields {
        const FIXED: bool = true;
        const LAYOUTS: &'static [wire::Layout] = &[
            wire::Layout { version: 1, root_len: 4, digest: 0x9fdea893050dc17d },
            wire::Layout { version: 2, root_len: 9, digest: 0x69c79189443b257d },
        ];

        fn upgrade(bytes: &[u8], version: u16) -> Result<Self, wire::WireError> {
            match version {
                1 => {
                    let old: UserFields_V1 = wire::decode_fixed_layout(Self::NAME, bytes)?;
                    Ok(Self {
                        serializer: old.serializer,
                        deserializer: old.deserializer,
                        later: self::UserShape::Two { serializer: Some(1), deserializer: Some(1) },
                    })
                }
                _ => Err(wire::unknown_version::<Self>(version)),
            }
        }
    }

    /// `UserFields` as its version 1 was laid out.
    #[derive(rkyv::Archive, rkyv::Deserialize)]
    #[rkyv(crate = mycelium::rkyv)]
    struct UserFields_V1 {
        serializer: Option<u8>,
        deserializer: Option<u8>,
    }

    const _: () = {
        assert!(size_of::<ArchivedUserFields_V1>() == 4);
        assert!(align_of::<ArchivedUserFields_V1>() == 1);
        assert!(::std::mem::offset_of!(ArchivedUserFields_V1, serializer) == 0);
        assert!(::std::mem::offset_of!(ArchivedUserFields_V1, deserializer) == 2);
    };

    /// The messages of the contract: see [`CONTRACT`].
    #[derive(Clone, Copy, Debug)]
    pub struct Contract_;

    /// The messages of the contract, for a bus that frames go through: `MessageBus::builder().contract(CONTRACT)`.
    pub const CONTRACT: Contract_ = Contract_;

    impl Contract_ {
        /// What is known of each message without its type, in the order of the contract.
        pub const ENTRIES: &'static [wire::Entry] = &[
            wire::Entry::of::<ArchivedTag>(),
            wire::Entry::of::<ArchivedVariantOne>(),
            wire::Entry::of::<ArchivedDiscriminant>(),
            wire::Entry::of::<OneResolver>(),
            wire::Entry::of::<User>(),
            wire::Entry::of::<UserFields>(),
        ];
    }

    impl wire::Messages for Contract_ {
        fn each<Visitor_: wire::Visitor>(&self, visitor: &mut Visitor_) {
            visitor.typed::<ArchivedTag>();
            visitor.typed::<ArchivedVariantOne>();
            visitor.typed::<ArchivedDiscriminant>();
            visitor.typed::<OneResolver>();
            visitor.typed::<User>();
            visitor.typed::<UserFields>();
        }
    }
}

#[allow(unused_imports, unreachable_pub)]
pub use self::generated_contracts::*;
}
