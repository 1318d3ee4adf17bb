//! A message as the rest of Mycelium sees it: a plain value with a stable identity.
//!
//! Types generated from `contracts.yaml` implement [`Message`]; a type that never leaves the process may
//! implement it by hand.

use std::fmt;

/// A value that topics carry.
///
/// The identity is made of constants, so nothing is looked up by name on the publish path. `TYPE_ID` is the
/// `tlv_type` of the contract and must be unique within one bus: a bus refuses the second type that claims
/// one.
///
/// ```
/// use mycelium_mailbox::Message;
///
/// #[derive(Clone, Debug)]
/// struct Tick { price: i64 }
///
/// impl Message for Tick {
///     const NAME: &'static str = "Tick";
///     const TYPE_ID: u16 = 7;
///     const TOPIC: &'static str = "ticks";
/// }
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is no message of a contract, which topics carry",
    label = "has no topic",
    note = "sent to one actor alone it needs none: in the `#[actor]` block write `#[on(direct)]` in place of `#[on]`",
    note = "to publish it, add it to `contracts.yaml`, or implement `Message` by hand"
)]
pub trait Message: Clone + fmt::Debug + Send + Sync + 'static {
    /// The name in the contract, used in logs, counters and errors.
    const NAME: &'static str;
    /// The `tlv_type` of the contract. Unique within a bus.
    const TYPE_ID: u16;
    /// The topic that carries this message.
    const TOPIC: &'static str;
    /// The version of the contract's message, starting at 1.
    const VERSION: u16 = 1;
    /// Digest of the wire layout of this version and of all variants of its enums: two sides with one digest
    /// agree on every bit. 0 for a type without a contract, which cannot leave the process.
    const DIGEST: u64 = 0;

    /// Checks the rules that the contract states for this message.
    ///
    /// # Errors
    /// The first rule that the value breaks. Types without rules never fail.
    fn validate(&self) -> Result<(), ValidationError> {
        Ok(())
    }
}

/// A message that is asked, and the one that answers it, as the contract ties them (`reply`). Generated code
/// implements it.
///
/// An actor may answer the message with any type at all; what is asked from another process is answered with
/// this one.
///
/// ```
/// use mycelium_mailbox::{Message, Query};
///
/// #[derive(Clone, Debug)]
/// struct EquityQuery;
/// #[derive(Clone, Debug)]
/// struct Equity(f64);
/// impl Message for EquityQuery {
///     const NAME: &'static str = "EquityQuery";
///     const TYPE_ID: u16 = 1;
///     const TOPIC: &'static str = "account.queries";
/// }
/// impl Message for Equity {
///     const NAME: &'static str = "Equity";
///     const TYPE_ID: u16 = 2;
///     const TOPIC: &'static str = "account.equity";
/// }
/// impl Query for EquityQuery {
///     type Reply = Equity;
/// }
/// fn answer_to<Q: Query>() -> &'static str {
///     Q::Reply::NAME
/// }
/// assert_eq!(answer_to::<EquityQuery>(), "Equity");
/// ```
pub trait Query: Message {
    /// The answer.
    type Reply: Message;
}

/// A field of a message breaks a rule of its contract.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ValidationError {
    /// The message's name in the contract.
    pub message: &'static str,
    /// The field, with dots and indices for nested ones (`legs[2].price`).
    pub field: String,
    /// The rule and the offending value, as a sentence: `is 0, must be at least 1`.
    pub reason: String,
}

impl ValidationError {
    /// Names the field of `message` that breaks a rule, and how.
    pub fn new(message: &'static str, field: impl Into<String>, reason: impl Into<String>) -> Self {
        Self { message, field: field.into(), reason: reason.into() }
    }

    /// The value of `field` must be something that it is not, such as `at least 1`. For generated code.
    #[cold]
    pub fn broken(
        message: &'static str,
        field: impl Into<String>,
        value: &dyn fmt::Debug,
        must: &str,
    ) -> Self {
        const SHOWN_CHARS_MAX: usize = 80;
        let mut shown = format!("{value:?}");
        if let Some((end, _)) = shown.char_indices().nth(SHOWN_CHARS_MAX) {
            shown.truncate(end);
            shown.push_str("...");
        }
        Self::new(message, field, format!("is {shown}, must be {must}"))
    }

    /// As [`ValidationError::broken`], for a length in bytes or elements.
    #[cold]
    pub fn broken_length(message: &'static str, field: impl Into<String>, len: usize, must: &str) -> Self {
        Self::new(message, field, format!("has length {len}, must have {must}"))
    }

    /// The same error, seen from the message that holds the value in its field `outer`. For generated code.
    ///
    /// ```
    /// use mycelium_mailbox::ValidationError;
    ///
    /// let leg = ValidationError::new("Leg", "price", "is 0, must be above 0");
    /// assert_eq!(leg.inside("Order", "legs[2]").to_string(), "Order.legs[2].price is 0, must be above 0");
    /// ```
    #[must_use]
    pub fn inside(self, message: &'static str, outer: impl fmt::Display) -> Self {
        Self { message, field: format!("{outer}.{}", self.field), reason: self.reason }
    }
}

impl fmt::Display for ValidationError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{} {}", self.message, self.field, self.reason)
    }
}

impl std::error::Error for ValidationError {}
