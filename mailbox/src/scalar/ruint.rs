//! Arithmetic on [`U256`] and [`I256`] by way of the crate `ruint`, whose `U256` is that of
//! `alloy-primitives` too. Those of the library wrap round silently; operators here panic, as those of
//! [`Decimal`](super::Decimal) do.

use std::ops::Neg;

use ruint::aliases::U256 as Library;

use super::{I256, U256};

impl From<U256> for Library {
    fn from(value: U256) -> Self {
        Self::from_limbs(value.to_limbs())
    }
}

impl From<Library> for U256 {
    fn from(value: Library) -> Self {
        Self::from_limbs(value.into_limbs())
    }
}

/// The operations of `U256`, each the library's.
macro_rules! unsigned {
    ($($name:ident: $what:literal;)*) => {
        impl U256 {
            $(
                #[doc = $what]
                #[must_use]
                pub fn $name(self, other: Self) -> Option<Self> {
                    let (left, right): (Library, Library) = (self.into(), other.into());
                    left.$name(right).map(Self::from)
                }
            )*
        }
    };
}

unsigned! {
    checked_add: "The sum; `None` above 2^256 - 1.";
    checked_sub: "The difference; `None` below zero.";
    checked_mul: "The product; `None` above 2^256 - 1.";
    checked_div: "The quotient, rounded towards zero; `None` where `other` is zero.";
    checked_rem: "The remainder; `None` where `other` is zero.";
}

impl U256 {
    /// This number so many times multiplied with itself; `None` above 2^256 - 1.
    ///
    /// ```
    /// use mycelium_mailbox::scalar::U256;
    ///
    /// let ether = U256::from(10u64).checked_pow(18).ok_or("too large")?;
    /// let mut balance = ether * U256::from(3u64);
    /// balance -= ether / U256::from(2u64);
    /// assert_eq!(balance.to_string(), "2500000000000000000");
    /// assert_eq!(U256::ZERO.checked_sub(U256::ONE), None);
    /// # Ok::<(), &str>(())
    /// ```
    #[must_use]
    pub fn checked_pow(self, exponent: u32) -> Option<Self> {
        let this: Library = self.into();
        this.checked_pow(Library::from(exponent)).map(Self::from)
    }
}

operators!(U256: U256::ZERO, U256::ONE);
operators!(I256: I256::ZERO, I256::ONE);

impl Neg for I256 {
    type Output = Self;

    /// # Panics
    /// The distance of [`I256::MIN`] from zero is no `I256`.
    fn neg(self) -> Self {
        Self::ZERO - self
    }
}

/// The library has no signed integers: these calculate with the magnitude, and give it its sign back.
impl I256 {
    /// The sum; `None` outside of -2^255 .. 2^255 - 1.
    #[must_use]
    pub fn checked_add(self, other: Self) -> Option<Self> {
        let sum = Self::from_limbs(self.bits().wrapping_add(other.bits()).into_limbs());
        let overflows = self.is_negative() == other.is_negative() && sum.is_negative() != self.is_negative();
        (!overflows).then_some(sum)
    }

    /// The difference; `None` outside of -2^255 .. 2^255 - 1.
    #[must_use]
    pub fn checked_sub(self, other: Self) -> Option<Self> {
        let difference = Self::from_limbs(self.bits().wrapping_sub(other.bits()).into_limbs());
        let overflows =
            self.is_negative() != other.is_negative() && difference.is_negative() != self.is_negative();
        (!overflows).then_some(difference)
    }

    /// The product; `None` outside of -2^255 .. 2^255 - 1.
    #[must_use]
    pub fn checked_mul(self, other: Self) -> Option<Self> {
        let product = self.magnitude().checked_mul(other.magnitude())?;
        Self::signed(self.is_negative() != other.is_negative(), product)
    }

    /// The quotient, rounded towards zero; `None` where `other` is zero, and for -2^255 / -1.
    #[must_use]
    pub fn checked_div(self, other: Self) -> Option<Self> {
        let quotient = self.magnitude().checked_div(other.magnitude())?;
        Self::signed(self.is_negative() != other.is_negative(), quotient)
    }

    /// The remainder, with the sign of `self`; `None` where `other` is zero.
    #[must_use]
    pub fn checked_rem(self, other: Self) -> Option<Self> {
        let remainder = self.magnitude().checked_rem(other.magnitude())?;
        Self::signed(self.is_negative(), remainder)
    }

    /// This number so many times multiplied with itself; `None` outside of -2^255 .. 2^255 - 1.
    #[must_use]
    pub fn checked_pow(self, exponent: u32) -> Option<Self> {
        let power = self.magnitude().checked_pow(Library::from(exponent))?;
        Self::signed(self.is_negative() && exponent % 2 == 1, power)
    }

    fn bits(self) -> Library {
        Library::from_limbs(self.to_limbs())
    }

    /// The distance from zero: up to 2^255.
    fn magnitude(self) -> Library {
        if self.is_negative() { self.bits().wrapping_neg() } else { self.bits() }
    }

    fn signed(negative: bool, magnitude: Library) -> Option<Self> {
        let value =
            Self::from_limbs(if negative { magnitude.wrapping_neg() } else { magnitude }.into_limbs());
        (value.magnitude() == magnitude && (magnitude.is_zero() || value.is_negative() == negative))
            .then_some(value)
    }
}
