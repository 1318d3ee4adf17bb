//! The text of a type, such as `Vec<Option<u64>>`, to a [`Type`].

use std::collections::HashMap;

use crate::diagnostic::{Report, clip, did_you_mean};
use crate::limits::{ARRAY_LENGTH_MAX, TYPE_BYTES_MAX, TYPE_DEPTH_MAX};
use crate::yaml::{Kind, Node};
use crate::{Code, Type};

/// Which of the user's names are enums, and which structs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Definition {
    Enum,
    Struct,
}

pub(crate) type Definitions = HashMap<String, Definition>;

/// Words that users of other languages try, with what to write.
const FORBIDDEN: &[(&str, &str)] = &[
    ("usize", "its size differs between machines; write `u64`"),
    ("isize", "its size differs between machines; write `i64`"),
    ("char", "write `String`, or `u32` for a code point"),
    ("str", "write `String`"),
    ("u128", "write `U256`, or two fields of `u64`"),
    ("i128", "write `I256`, or two fields"),
    ("f16", "write `f32`"),
    ("HashMap", "maps have no order on the wire; write a struct with key and value and a `Vec` of it"),
    ("BTreeMap", "maps are not part of the wire; write a struct with key and value and a `Vec` of it"),
    ("Map", "maps are not part of the wire; write a struct with key and value and a `Vec` of it"),
    ("map", "maps are not part of the wire; write a struct with key and value and a `Vec` of it"),
    ("dict", "maps are not part of the wire; write a struct with key and value and a `Vec` of it"),
    ("HashSet", "write `Vec`"),
    ("BTreeSet", "write `Vec`"),
    ("Box", "write the type itself"),
    ("Rc", "shared values cannot travel; write the type itself"),
    ("Arc", "shared values cannot travel; write the type itself"),
    ("any", "write a data enum of what it may be"),
];

/// Other languages' names of types that we have.
const FOREIGN: &[(&str, &str)] = &[
    ("int", "i64"),
    ("integer", "i64"),
    ("uint", "u64"),
    ("long", "i64"),
    ("short", "i16"),
    ("byte", "u8"),
    ("float", "f64"),
    ("double", "f64"),
    ("number", "f64"),
    ("boolean", "bool"),
    ("text", "String"),
    ("datetime", "Timestamp"),
    ("time", "Timestamp"),
    ("duration", "i64"),
    ("list", "Vec<T>"),
    ("array", "[T; N]"),
    ("optional", "Option<T>"),
];

/// Reads the type that a node spells. `None` when it was reported as wrong.
pub(crate) fn read(node: &Node, defined: &Definitions, report: &mut Report<'_>) -> Option<Type> {
    let text = match &node.kind {
        Kind::Text(text) => text.clone(),
        // Unquoted, `[u8; 4]` is a YAML list of the one text `u8; 4`.
        Kind::List(list) => match list.as_slice() {
            [Node { kind: Kind::Text(inside), .. }] => format!("[{inside}]"),
            _ => {
                let remedy = "an array is `[u8; 4]`, with `;` between type and length";
                report.add(Code::BAD_TYPE, node.span, "a list is no type", remedy);
                return None;
            }
        },
        _ => {
            let cause = format!("a type is text such as `u64`, not {}", node.shape());
            let remedy = match node.kind {
                Kind::Null => "write a type behind the colon, such as `u64`",
                Kind::Map(_) => "define it under `structs` or `enums`, and write its name",
                _ => "write a type such as `u64`; a value belongs under `default`",
            };
            report.add(Code::BAD_TYPE, node.span, cause, remedy);
            return None;
        }
    };
    if text.len() > TYPE_BYTES_MAX {
        let cause = format!("the type has {} bytes, above {TYPE_BYTES_MAX}", text.len());
        report.add(Code::LIMIT, node.span, cause, "define a struct for its parts");
        return None;
    }
    let mut parser = Parser { rest: &text, defined, hints: !report.is_full() };
    let parsed = parser.parse(1).and_then(|ty| match parser.rest.trim() {
        "" => Ok(ty),
        more => Err(malformed(&format!("`{}` is left over after the type", clip(more)))),
    });
    match parsed {
        Ok(ty) => Some(ty),
        Err(Wrong { code, cause, remedy }) => {
            report.add(code, node.span, cause, remedy);
            None
        }
    }
}

struct Wrong {
    code: Code,
    cause: String,
    remedy: String,
}

fn malformed(cause: &str) -> Wrong {
    let remedy =
        "types are written like `u64`, `[u8; 32]`, `Vec<f64>`, `Option<String>`, or the name of a definition";
    Wrong { code: Code::BAD_TYPE, cause: cause.to_owned(), remedy: remedy.to_owned() }
}

struct Parser<'t> {
    rest: &'t str,
    defined: &'t Definitions,
    /// Whether to search for what the user may have meant, which costs time.
    hints: bool,
}

impl<'t> Parser<'t> {
    fn parse(&mut self, depth: usize) -> Result<Type, Wrong> {
        if depth > TYPE_DEPTH_MAX {
            return Err(Wrong {
                code: Code::LIMIT,
                cause: format!("the type nests deeper than {TYPE_DEPTH_MAX}"),
                remedy: "define a struct for its parts".into(),
            });
        }
        if self.eat('[') {
            return self.array(depth);
        }
        let word = self.word();
        match word {
            "" => Err(malformed(&match self.rest.trim_start().chars().next() {
                Some(c) => format!("`{c}` stands where a type belongs"),
                None => "the type is missing or ends early".to_owned(),
            })),
            "Vec" => Ok(Type::Vec(Box::new(self.argument(depth)?))),
            "Option" => match self.argument(depth)? {
                Type::Option(_) => Err(Wrong {
                    code: Code::NESTED_OPTION,
                    cause: "an `Option` directly inside an `Option`".into(),
                    remedy: "write one `Option`, or a data enum that names the cases".into(),
                }),
                inner => Ok(Type::Option(Box::new(inner))),
            },
            _ => self.named(word),
        }
    }

    fn array(&mut self, depth: usize) -> Result<Type, Wrong> {
        let of = self.parse(depth + 1)?;
        if !self.eat(';') {
            return Err(malformed("an array needs `;` and its length after the element type"));
        }
        let digits = self.word();
        let is_plain = digits == "0" || !digits.starts_with('0');
        let Some(length) = digits.parse::<u64>().ok().filter(|_| is_plain) else {
            return Err(malformed(&format!("`{}` is no array length", clip(digits))));
        };
        if !self.eat(']') {
            return Err(malformed("the `]` of an array is missing"));
        }
        match u32::try_from(length) {
            Ok(length @ 1..=ARRAY_LENGTH_MAX) => Ok(Type::Array(Box::new(of), length)),
            _ => Err(Wrong {
                code: Code::BAD_ARRAY_LENGTH,
                cause: format!("an array of {length} elements; 1 to {ARRAY_LENGTH_MAX} are allowed"),
                remedy: "write `Vec<T>` for a length that varies or is large".into(),
            }),
        }
    }

    fn argument(&mut self, depth: usize) -> Result<Type, Wrong> {
        if !self.eat('<') {
            return Err(malformed("`Vec` and `Option` need their type, as in `Vec<u64>`"));
        }
        let inner = self.parse(depth + 1)?;
        if !self.eat('>') {
            return Err(malformed("the `>` after a type is missing"));
        }
        Ok(inner)
    }

    fn named(&self, word: &str) -> Result<Type, Wrong> {
        if let Some(simple) = Type::SIMPLE.iter().find(|t| t.keyword() == Some(word)) {
            return Ok(simple.clone());
        }
        match self.defined.get(word) {
            Some(Definition::Enum) => return Ok(Type::Enum(word.to_owned())),
            Some(Definition::Struct) => return Ok(Type::Struct(word.to_owned())),
            None => {}
        }
        if let Some((_, remedy)) = FORBIDDEN.iter().find(|(name, _)| *name == word) {
            let cause = format!("the type `{word}` is not allowed in contracts");
            return Err(Wrong { code: Code::FORBIDDEN_TYPE, cause, remedy: (*remedy).to_owned() });
        }
        let remedy = match self.nearest(word) {
            Some(near) => format!("did you mean `{near}`?"),
            None => "define it under `enums` or `structs`".to_owned(),
        };
        Err(Wrong { code: Code::UNKNOWN_TYPE, cause: format!("unknown type `{}`", clip(word)), remedy })
    }

    fn nearest(&self, word: &str) -> Option<&str> {
        if !self.hints {
            return None;
        }
        let foreign = did_you_mean(word, FOREIGN.iter().map(|(name, _)| *name));
        let foreign =
            foreign.and_then(|near| FOREIGN.iter().find(|(name, _)| *name == near)).map(|(_, ours)| *ours);
        let mut known: Vec<&str> = self.defined.keys().map(String::as_str).collect();
        known.sort_unstable();
        known.extend(["Vec", "Option"]);
        for simple in &Type::SIMPLE {
            known.extend(simple.keyword());
        }
        did_you_mean(word, known).or(foreign)
    }

    fn eat(&mut self, wanted: char) -> bool {
        let trimmed = self.rest.trim_start();
        match trimmed.strip_prefix(wanted) {
            Some(rest) => {
                self.rest = rest;
                true
            }
            None => false,
        }
    }

    fn word(&mut self) -> &'t str {
        let trimmed = self.rest.trim_start();
        let end = trimmed.find(|c: char| !(c.is_alphanumeric() || c == '_')).unwrap_or(trimmed.len());
        let (word, rest) = trimmed.split_at(end);
        self.rest = rest;
        word
    }
}
