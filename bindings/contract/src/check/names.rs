//! How names are spelled, and which words no name may be.

use crate::Code;
use crate::check::keys::Entry;
use crate::diagnostic::{Report, Span, clip};
use crate::limits::NAME_BYTES_MAX;

/// Words no field may be called, since it bears the same name in every language. `open` is a keyword of OCaml
/// too; no price bar can do without it, so it is allowed and OCaml calls it `open_`.
const RESERVED_LOWER: &[(&str, &[&str])] = &[
    (
        "Rust",
        &[
            "abstract", "as", "async", "await", "become", "box", "break", "const", "continue", "crate", "do",
            "dyn", "else", "enum", "extern", "false", "final", "fn", "for", "gen", "if", "impl", "in", "let",
            "loop", "macro", "match", "mod", "move", "mut", "override", "priv", "pub", "ref", "return",
            "self", "static", "struct", "super", "trait", "true", "try", "type", "typeof", "unsafe",
            "unsized", "use", "virtual", "where", "while", "yield",
        ],
    ),
    (
        "Python",
        &[
            "and", "assert", "class", "def", "del", "elif", "except", "finally", "from", "global", "import",
            "is", "lambda", "nonlocal", "not", "or", "pass", "raise", "with",
        ],
    ),
    (
        "OCaml",
        &[
            "asr",
            "begin",
            "constraint",
            "done",
            "downto",
            "end",
            "exception",
            "external",
            "fun",
            "function",
            "functor",
            "include",
            "inherit",
            "initializer",
            "land",
            "lazy",
            "lor",
            "lsl",
            "lsr",
            "lxor",
            "method",
            "module",
            "mutable",
            "new",
            "nonrec",
            "object",
            "of",
            "private",
            "rec",
            "sig",
            "then",
            "to",
            "val",
            "when",
        ],
    ),
    ("the generated code", &["decode", "encode", "validate"]),
];

/// Words no message, struct or enum may be called: types, traits and constants that generated code uses by
/// their short names.
const RESERVED_TYPES: &[&str] = &[
    "Self",
    "None",
    "True",
    "False",
    "Some",
    "Ok",
    "Err",
    "Option",
    "Result",
    "Vec",
    "Box",
    "String",
    "Bytes",
    "Timestamp",
    "Decimal",
    "U256",
    "I256",
    "Bool",
    "Int",
    "Float",
    "Drop",
    "Fn",
    "FnMut",
    "FnOnce",
    "Send",
    "Sync",
    "Sized",
    "Copy",
    "Clone",
    "Default",
    "Debug",
    "Iterator",
    "IntoIterator",
    "From",
    "Into",
    "AsRef",
    "AsMut",
    "PartialEq",
    "Eq",
    "PartialOrd",
    "Ord",
    "Hash",
    "ToString",
    "ToOwned",
    "Extend",
    "Unpin",
    "Archive",
    "Archived",
    "Serialize",
    "Deserialize",
    "Message",
    "List",
    "Array",
    "Stdlib",
    "Int32",
    "Int64",
    "Char",
    "Buffer",
    "Exception",
    "CONTRACT",
    "MESSAGES",
];

/// Words no variant may be called: they cannot be written after a dot in Python, or stand alone in Rust, or
/// hide a constant of the generated type.
const RESERVED_VARIANTS: &[&str] = &["Self", "None", "True", "False", "ALL"];

/// The word no field of a variant may be called. In the text that digests are made of, `variant Bytes` would
/// be the line of a field and that of a variant: two layouts would have one digest.
const RESERVED_IN_VARIANTS: &str = "variant";

/// What a name is the name of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Naming {
    /// A message, struct or enum.
    Type,
    Variant,
    Field,
    VariantField,
    Domain,
}

impl Naming {
    fn fits(self, name: &str) -> bool {
        let mut chars = name.chars();
        let first = chars.next().unwrap_or('0');
        match self {
            Naming::Type | Naming::Variant => {
                first.is_ascii_uppercase() && chars.all(|c| c.is_ascii_alphanumeric())
            }
            Naming::Field | Naming::VariantField | Naming::Domain => {
                first.is_ascii_lowercase()
                    && chars.all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_')
                    && !name.ends_with('_')
                    && !name.contains("__")
            }
        }
    }

    fn style(self) -> &'static str {
        match self {
            Naming::Type | Naming::Variant => "UpperCamelCase: a capital, then letters and digits",
            Naming::Field | Naming::VariantField | Naming::Domain => {
                "snake_case: a small letter, then small letters, digits and single `_` between them"
            }
        }
    }

    /// The name as it would be spelled right, when letters suffice for that.
    fn respell(self, name: &str) -> Option<String> {
        let mut spelled = String::new();
        let mut word_begins = true;
        let mut before_is_small = false;
        for c in name.chars() {
            if !c.is_ascii_alphanumeric() {
                word_begins = true;
                continue;
            }
            match self {
                Naming::Type | Naming::Variant if word_begins => spelled.push(c.to_ascii_uppercase()),
                Naming::Type | Naming::Variant => spelled.push(c),
                Naming::Field | Naming::VariantField | Naming::Domain => {
                    let breaks = word_begins || (c.is_ascii_uppercase() && before_is_small);
                    if breaks && !spelled.is_empty() {
                        spelled.push('_');
                    }
                    spelled.push(c.to_ascii_lowercase());
                }
            }
            word_begins = false;
            before_is_small = c.is_ascii_lowercase() || c.is_ascii_digit();
        }
        (self.fits(&spelled) && spelled != name).then_some(spelled)
    }
}

/// Checks spelling and reserved words of a name in the file.
pub(crate) fn check(entry: &Entry<'_>, naming: Naming, what: &str, report: &mut Report<'_>) -> bool {
    let shown = clip(entry.name);
    if entry.name.len() > NAME_BYTES_MAX {
        let cause = format!("the name `{shown}` has {} bytes, above {NAME_BYTES_MAX}", entry.name.len());
        report.add(Code::LIMIT, entry.span, cause, "shorten it");
        return false;
    }
    if !naming.fits(entry.name) {
        let remedy = match naming.respell(entry.name) {
            Some(better) => format!("write `{better}`: {what}s are {}", naming.style()),
            None => format!("{what}s are {}", naming.style()),
        };
        report.add(
            Code::BAD_NAME,
            entry.span,
            format!("`{shown}` is no name for {} {what}", if what == "enum" { "an" } else { "a" }),
            remedy,
        );
        return false;
    }
    if let Some(owner) = reserved(entry.name, naming) {
        let whose = if naming == Naming::VariantField { " of a variant" } else { "" };
        let cause =
            format!("`{shown}` is a reserved word of {owner}, so no {what}{whose} can have this name");
        let remedy = match naming {
            Naming::Field | Naming::VariantField | Naming::Domain => {
                format!("add a word, such as `{0}_value` or `the_{0}`", entry.name)
            }
            Naming::Type | Naming::Variant => format!("add a word, such as `{}Kind`", entry.name),
        };
        report.add(Code::RESERVED_WORD, entry.span, cause, remedy);
        return false;
    }
    true
}

fn reserved(name: &str, naming: Naming) -> Option<&'static str> {
    match naming {
        Naming::Type => RESERVED_TYPES.contains(&name).then_some("the generated code"),
        Naming::Variant => RESERVED_VARIANTS.contains(&name).then_some("Rust, Python or the generated code"),
        Naming::VariantField if name == RESERVED_IN_VARIANTS => Some("digests"),
        Naming::Field | Naming::VariantField => {
            RESERVED_LOWER.iter().find(|(_, words)| words.contains(&name)).map(|(language, _)| *language)
        }
        Naming::Domain => None,
    }
}

/// Checks a topic or schema id: words of letters, digits and `_`, with `.`, `/` or `-` between them.
pub(crate) fn check_path(text: &str, what: &str, code: Code, span: Span, report: &mut Report<'_>) -> bool {
    let word = |w: &str| !w.is_empty() && w.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    if text.len() <= NAME_BYTES_MAX && text.split(['.', '/', '-']).all(word) {
        return true;
    }
    let remedy = format!(
        "a {what} has at most {NAME_BYTES_MAX} bytes: words of letters, digits and `_`, with `.`, `/` or `-` between"
    );
    report.add(code, span, format!("`{}` is no {what}", clip(text)), remedy);
    false
}
