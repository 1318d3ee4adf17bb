//! Reads arguments as types of users, and says where a mistake is.

use std::collections::{BTreeMap, btree_map};
use std::fmt;

use mycelium_supervisor::declare::suggestion;
use serde_core::de::value::StrDeserializer;
use serde_core::de::{
    self, DeserializeSeed, Deserializer, EnumAccess, IntoDeserializer, MapAccess, SeqAccess, Unexpected,
    VariantAccess, Visitor,
};
use serde_core::forward_to_deserialize_any;

use super::Argument;

/// Why arguments are not read.
#[derive(Debug)]
pub(super) struct ReadError {
    pub(super) argument: Option<String>,
    pub(super) cause: String,
}

impl ReadError {
    /// The same inside of this argument, or this place of a list.
    fn inside(mut self, outer: &str) -> Self {
        self.argument = Some(match self.argument {
            None => outer.to_owned(),
            Some(inner) if inner.starts_with('[') => format!("{outer}{inner}"),
            Some(inner) => format!("{outer}.{inner}"),
        });
        self
    }
}

impl fmt::Display for ReadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.cause)
    }
}

impl std::error::Error for ReadError {}

impl de::Error for ReadError {
    fn custom<T: fmt::Display>(cause: T) -> Self {
        Self { argument: None, cause: cause.to_string() }
    }

    fn missing_field(field: &'static str) -> Self {
        Self { argument: Some(field.to_owned()), cause: "it is missing".to_owned() }
    }

    fn unknown_field(field: &str, expected: &'static [&'static str]) -> Self {
        let cause =
            suggestion(field, expected.iter().copied()).unwrap_or_else(|| match expected.is_empty() {
                true => "; there are no arguments".to_owned(),
                false => format!("; there are {}", expected.join(", ")),
            });
        Self { argument: Some(field.to_owned()), cause: format!("there is no such argument{cause}") }
    }
}

/// All arguments, or a table among them.
#[derive(Clone, Copy)]
pub(super) struct ArgumentTable<'a>(pub(super) &'a BTreeMap<String, Argument>);

impl<'de> Deserializer<'de> for ArgumentTable<'_> {
    type Error = ReadError;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ReadError> {
        visitor.visit_map(Entries { left: self.0.iter(), at: None })
    }

    fn deserialize_unit<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ReadError> {
        // For a factory whose arguments are `()`.
        match self.0.keys().next() {
            None => visitor.visit_unit(),
            Some(name) => Err(de::Error::unknown_field(name, &[])),
        }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, ReadError> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ReadError> {
        visitor.visit_some(self)
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit_struct seq
        tuple tuple_struct map struct enum identifier ignored_any
    }
}

struct Entries<'a> {
    left: btree_map::Iter<'a, String, Argument>,
    at: Option<(&'a str, &'a Argument)>,
}

impl<'de> MapAccess<'de> for Entries<'_> {
    type Error = ReadError;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, ReadError> {
        let Some((name, value)) = self.left.next() else { return Ok(None) };
        self.at = Some((name, value));
        seed.deserialize(StrDeserializer::new(name)).map(Some)
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, ReadError> {
        match self.at.take() {
            Some((name, value)) => seed.deserialize(Value(value)).map_err(|error| error.inside(name)),
            None => Err(de::Error::custom("a value was asked for before its name")),
        }
    }
}

struct Elements<'a>(std::iter::Enumerate<std::slice::Iter<'a, Argument>>);

impl<'de> SeqAccess<'de> for Elements<'_> {
    type Error = ReadError;

    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>, ReadError> {
        let Some((at, value)) = self.0.next() else { return Ok(None) };
        seed.deserialize(Value(value)).map(Some).map_err(|error| error.inside(&format!("[{at}]")))
    }

    fn size_hint(&self) -> Option<usize> {
        Some(self.0.len())
    }
}

#[derive(Clone, Copy)]
struct Value<'a>(&'a Argument);

impl<'de> Deserializer<'de> for Value<'_> {
    type Error = ReadError;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ReadError> {
        match self.0 {
            Argument::Nothing => visitor.visit_unit(),
            Argument::Flag(value) => visitor.visit_bool(*value),
            Argument::Whole(value) => visitor.visit_i64(*value),
            Argument::Large(value) => visitor.visit_u64(*value),
            Argument::Number(value) => visitor.visit_f64(*value),
            Argument::Text(value) => visitor.visit_str(value),
            Argument::List(values) => {
                let mut elements = Elements(values.iter().enumerate());
                let list = visitor.visit_seq(&mut elements)?;
                match elements.0.len() {
                    0 => Ok(list),
                    more => Err(de::Error::custom(format!(
                        "a list of {} values is {more} too long",
                        values.len()
                    ))),
                }
            }
            Argument::Table(values) => ArgumentTable(values).deserialize_any(visitor),
        }
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ReadError> {
        match self.0 {
            Argument::Nothing => visitor.visit_none(),
            _ => visitor.visit_some(self),
        }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, ReadError> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, ReadError> {
        match self.0 {
            Argument::Text(name) => visitor.visit_enum(StrDeserializer::new(name)),
            // A variant with values is a table of one entry: the variant's name, and they.
            Argument::Table(values) if values.len() == 1 => visitor.visit_enum(Variant(values)),
            _ => Err(de::Error::custom("invalid value: expected the name of a variant")),
        }
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit unit_struct seq
        tuple tuple_struct map struct identifier ignored_any
    }
}

struct Variant<'a>(&'a BTreeMap<String, Argument>);

impl<'a, 'de> EnumAccess<'de> for Variant<'a> {
    type Error = ReadError;
    type Variant = Content<'a>;

    fn variant_seed<V: DeserializeSeed<'de>>(self, seed: V) -> Result<(V::Value, Content<'a>), ReadError> {
        let Some((name, value)) = self.0.iter().next() else {
            return Err(de::Error::invalid_value(Unexpected::Map, &"the name of a variant"));
        };
        let name_of: StrDeserializer<'_, ReadError> = name.as_str().into_deserializer();
        Ok((seed.deserialize(name_of)?, Content { name, value }))
    }
}

struct Content<'a> {
    name: &'a str,
    value: &'a Argument,
}

impl<'de> VariantAccess<'de> for Content<'_> {
    type Error = ReadError;

    fn unit_variant(self) -> Result<(), ReadError> {
        match self.value {
            Argument::Nothing => Ok(()),
            _ => Err(ReadError::inside(de::Error::custom("this variant has no values"), self.name)),
        }
    }

    fn newtype_variant_seed<T: DeserializeSeed<'de>>(self, seed: T) -> Result<T::Value, ReadError> {
        seed.deserialize(Value(self.value)).map_err(|error| error.inside(self.name))
    }

    fn tuple_variant<V: Visitor<'de>>(self, _: usize, visitor: V) -> Result<V::Value, ReadError> {
        Value(self.value).deserialize_any(visitor).map_err(|error| error.inside(self.name))
    }

    fn struct_variant<V: Visitor<'de>>(
        self,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, ReadError> {
        Value(self.value).deserialize_any(visitor).map_err(|error| error.inside(self.name))
    }
}
