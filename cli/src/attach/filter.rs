//! `--filter`: comparisons of fields, such as `price > 100 && (venue == "XNAS" || urgent)`.
//!
//! A filter is read once, and looked up in each message that is tapped: a field is found by its path, and
//! what it is compared with is read as a value of its type. So decimals and wide integers are compared
//! exactly.

use std::cmp::Ordering;

use mycelium_contract::{Contract, Field, Message, Type, Value};
use serde_json::Value as Json;

use super::json;

/// How deep parentheses and `!` may be nested.
const DEPTH_MAX: usize = 32;
/// The longest filter, in bytes.
const LEN_MAX: usize = 4_096;

/// What was written.
#[derive(Debug)]
pub(crate) struct Filter(Expression);

#[derive(Debug)]
enum Expression {
    All(Vec<Expression>),
    Any(Vec<Expression>),
    Not(Box<Expression>),
    Compare { path: Vec<Step>, written: String, relation: Relation, with: Json },
}

#[derive(Clone, Debug, PartialEq)]
enum Step {
    Field(String),
    Element(usize),
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Relation {
    Equal,
    NotEqual,
    Less,
    AtMost,
    Greater,
    AtLeast,
    Contains,
}

/// A filter of the messages of one type.
#[derive(Debug)]
pub(crate) enum Test {
    All(Vec<Test>),
    Any(Vec<Test>),
    Not(Box<Test>),
    /// The message has no such field.
    Never,
    Compare(Compare),
}

#[derive(Debug)]
pub(crate) struct Compare {
    path: Vec<Step>,
    ty: Type,
    relation: Relation,
    /// `None`: with no value at all, `null`.
    with: Option<Value>,
}

impl Filter {
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        if text.len() > LEN_MAX {
            return Err(format!("the filter has {} bytes, it may have {LEN_MAX}", text.len()));
        }
        let mut parser = Parser { tokens: tokens(text)?, at: 0, text };
        let expression = parser.any(0)?;
        match parser.peek() {
            None => Ok(Self(expression)),
            Some(_) => Err(parser.expected("&& or ||")),
        }
    }

    /// The filter for messages of this type.
    pub(crate) fn of(&self, contract: &Contract, message: &Message) -> Result<Test, String> {
        bind(&self.0, contract, message)
    }

    /// The first path that none of these messages has.
    pub(crate) fn unknown(&self, contracts: &[Contract], messages: &[(usize, &Message)]) -> Option<String> {
        fn paths<'e>(expression: &'e Expression, all: &mut Vec<(&'e [Step], &'e str)>) {
            match expression {
                Expression::All(of) | Expression::Any(of) => of.iter().for_each(|one| paths(one, all)),
                Expression::Not(of) => paths(of, all),
                Expression::Compare { path, written, .. } => all.push((path, written)),
            }
        }
        let mut all = Vec::new();
        paths(&self.0, &mut all);
        let known = |path: &[Step]| {
            messages.iter().any(|(of, message)| resolve(&contracts[*of], &message.fields, path).is_some())
        };
        let (_, written) = all.into_iter().find(|(path, _)| !known(path))?;
        let names =
            || messages.iter().flat_map(|(_, message)| &message.fields).map(|field| field.name.as_str());
        let hint = mycelium_toml::suggestion(written, names()).unwrap_or_else(|| {
            let mut names: Vec<&str> = names().collect();
            names.sort_unstable();
            names.dedup();
            format!("; their fields are {}", names.join(", "))
        });
        Some(format!("the filter asks for `{written}`, which no message of these topics has{hint}"))
    }
}

impl Test {
    pub(crate) fn passes(&self, values: &[(String, Value)]) -> bool {
        match self {
            Self::All(all) => all.iter().all(|test| test.passes(values)),
            Self::Any(any) => any.iter().any(|test| test.passes(values)),
            Self::Not(test) => !test.passes(values),
            Self::Never => false,
            Self::Compare(compare) => compare.passes(values),
        }
    }
}

impl Compare {
    fn passes(&self, values: &[(String, Value)]) -> bool {
        let found = find(values, &self.path);
        let (Some(found), Some(with)) = (found, &self.with) else {
            return match self.relation {
                Relation::Equal => found.is_none() && self.with.is_none(),
                Relation::NotEqual => found.is_none() != self.with.is_none(),
                _ => false,
            };
        };
        let order = || match (found, with) {
            (Value::Bool(found), Value::Bool(with)) => Some(found.cmp(with)),
            (Value::Bytes(found), Value::Bytes(with)) => Some(found.cmp(with)),
            _ => found.order(&self.ty, with),
        };
        match self.relation {
            Relation::Equal => order() == Some(Ordering::Equal),
            Relation::NotEqual => order() != Some(Ordering::Equal),
            Relation::Less => order() == Some(Ordering::Less),
            Relation::Greater => order() == Some(Ordering::Greater),
            Relation::AtMost => order().is_some_and(Ordering::is_le),
            Relation::AtLeast => order().is_some_and(Ordering::is_ge),
            Relation::Contains => match (found, with) {
                (Value::String(found), Value::String(with)) => found.contains(with.as_str()),
                _ => false,
            },
        }
    }
}

/// The value at this path; `None` where an option has none, or a list is shorter.
fn find<'v>(values: &'v [(String, Value)], path: &[Step]) -> Option<&'v Value> {
    let (first, rest) = path.split_first()?;
    let Step::Field(name) = first else { return None };
    let mut value = &values.iter().find(|(field, _)| field == name)?.1;
    for step in rest {
        value = match (inside(value)?, step) {
            (Value::Struct(fields), Step::Field(name)) => &fields.iter().find(|(field, _)| field == name)?.1,
            (Value::List(items), Step::Element(at)) => items.get(*at)?,
            _ => return None,
        };
    }
    inside(value)
}

fn inside(value: &Value) -> Option<&Value> {
    match value {
        Value::None => None,
        Value::Some(value) => Some(value),
        value => Some(value),
    }
}

/// The type at this path, without options.
fn resolve<'c>(contract: &'c Contract, fields: &'c [Field], path: &[Step]) -> Option<&'c Type> {
    let (Step::Field(name), rest) = path.split_first()? else { return None };
    let field =
        |fields: &'c [Field], name: &str| fields.iter().find(|field| field.name == name).map(|of| &of.ty);
    let plain = |ty: &'c Type| if let Type::Option(of) = ty { of } else { ty };
    let mut ty = plain(field(fields, name)?);
    for step in rest {
        ty = plain(match (ty, step) {
            (Type::Struct(name), Step::Field(inner)) => field(&contract.struct_def(name)?.fields, inner)?,
            (Type::Vec(of) | Type::Array(of, _), Step::Element(_)) => of,
            _ => return None,
        });
    }
    Some(ty)
}

fn bind(expression: &Expression, contract: &Contract, message: &Message) -> Result<Test, String> {
    let each =
        |of: &[Expression]| of.iter().map(|one| bind(one, contract, message)).collect::<Result<_, _>>();
    Ok(match expression {
        Expression::All(of) => Test::All(each(of)?),
        Expression::Any(of) => Test::Any(each(of)?),
        Expression::Not(of) => Test::Not(Box::new(bind(of, contract, message)?)),
        Expression::Compare { path, written, relation, with } => {
            let Some(ty) = resolve(contract, &message.fields, path) else { return Ok(Test::Never) };
            let comparable = match ty {
                Type::Vec(_) | Type::Array(..) | Type::Struct(_) => with.is_null(),
                Type::Enum(_) => with.is_null() || matches!(relation, Relation::Equal | Relation::NotEqual),
                Type::String => true,
                _ => *relation != Relation::Contains,
            };
            if !comparable {
                return Err(format!(
                    "`{written}` of `{}` is of type {ty}, which cannot be compared so",
                    message.name
                ));
            }
            let with = match (ty, with) {
                (_, Json::Null) => None,
                // The name of the variant is compared, not what it has inside.
                (Type::Enum(name), Json::String(variant)) => {
                    let def = contract.enum_def(name);
                    if !def.is_some_and(|def| def.variants.iter().any(|of| of.name == *variant)) {
                        return Err(format!(
                            "`{written}` of `{}`: `{name}` has no variant `{variant}`",
                            message.name
                        ));
                    }
                    Some(Value::Variant(variant.clone(), Vec::new()))
                }
                (ty @ (Type::F32 | Type::F64), Json::String(digits)) => {
                    let number = digits.parse::<f64>().ok().and_then(serde_json::Number::from_f64);
                    let with = number.map_or_else(|| with.clone(), Json::Number);
                    Some(json::scalar(contract, ty, &with, written).map_err(in_filter)?)
                }
                (ty, with) => {
                    let read = json::scalar(contract, ty, with, written);
                    Some(read.map_err(in_filter)?)
                }
            };
            Test::Compare(Compare { path: path.clone(), ty: ty.clone(), relation: *relation, with })
        }
    })
}

#[expect(clippy::needless_pass_by_value, reason = "it is given to `map_err`")]
fn in_filter(error: String) -> String {
    format!("in the filter, {error}")
}

#[derive(Clone, Debug, PartialEq)]
enum Token {
    Open,
    Close,
    And,
    Or,
    Not,
    Relation(Relation),
    Path(Vec<Step>, String),
    Value(Json),
}

/// A parser by descent, one function for each level.
struct Parser<'t> {
    tokens: Vec<(usize, Token)>,
    at: usize,
    text: &'t str,
}

impl Parser<'_> {
    fn peek(&self) -> Option<&Token> {
        self.tokens.get(self.at).map(|(_, token)| token)
    }

    fn takes(&mut self, token: &Token) -> bool {
        let takes = self.peek() == Some(token);
        self.at += usize::from(takes);
        takes
    }

    fn expected(&self, what: &str) -> String {
        match self.tokens.get(self.at) {
            Some((at, _)) => {
                let (before, rest) = self.text.split_at(*at);
                format!("the filter takes {what} at character {}: `{rest}`", number_behind(before))
            }
            None => format!("the filter ends where it takes {what}"),
        }
    }

    fn any(&mut self, depth: usize) -> Result<Expression, String> {
        let mut any = vec![self.all(depth)?];
        while self.takes(&Token::Or) {
            any.push(self.all(depth)?);
        }
        Ok(if any.len() == 1 { any.remove(0) } else { Expression::Any(any) })
    }

    fn all(&mut self, depth: usize) -> Result<Expression, String> {
        let mut all = vec![self.one(depth)?];
        while self.takes(&Token::And) {
            all.push(self.one(depth)?);
        }
        Ok(if all.len() == 1 { all.remove(0) } else { Expression::All(all) })
    }

    fn one(&mut self, depth: usize) -> Result<Expression, String> {
        if depth == DEPTH_MAX {
            return Err(format!("the filter is nested more than {DEPTH_MAX} deep"));
        }
        if self.takes(&Token::Not) {
            return Ok(Expression::Not(Box::new(self.one(depth + 1)?)));
        }
        if self.takes(&Token::Open) {
            let inner = self.any(depth + 1)?;
            return if self.takes(&Token::Close) { Ok(inner) } else { Err(self.expected("`)`")) };
        }
        let Some(Token::Path(path, written)) = self.peek().cloned() else {
            return Err(self.expected("a field"));
        };
        self.at += 1;
        let Some(Token::Relation(relation)) = self.peek().cloned() else {
            // A flag by itself.
            let with = Json::Bool(true);
            return Ok(Expression::Compare { path, written, relation: Relation::Equal, with });
        };
        self.at += 1;
        let with = match self.peek().cloned() {
            Some(Token::Value(value)) => value,
            // The name of a variant, without quotes.
            Some(Token::Path(steps, name)) if steps.len() == 1 => Json::String(name),
            _ => {
                return Err(self.expected("a number, a \"text\", true, false, null or the name of a variant"));
            }
        };
        self.at += 1;
        Ok(Expression::Compare { path, written, relation, with })
    }
}

const SYMBOLS: &[(&str, Token)] = &[
    ("&&", Token::And),
    ("||", Token::Or),
    ("==", Token::Relation(Relation::Equal)),
    ("!=", Token::Relation(Relation::NotEqual)),
    ("<=", Token::Relation(Relation::AtMost)),
    (">=", Token::Relation(Relation::AtLeast)),
    ("<", Token::Relation(Relation::Less)),
    (">", Token::Relation(Relation::Greater)),
    ("~", Token::Relation(Relation::Contains)),
    ("!", Token::Not),
    ("(", Token::Open),
    (")", Token::Close),
];

/// The number of the character behind these.
fn number_behind(before: &str) -> usize {
    before.chars().count() + 1
}

fn tokens(text: &str) -> Result<Vec<(usize, Token)>, String> {
    let mut tokens = Vec::new();
    let mut rest = text;
    loop {
        rest = rest.trim_start();
        let at = text.len() - rest.len();
        let Some(first) = rest.chars().next() else { return Ok(tokens) };
        let symbol = SYMBOLS.iter().find(|(symbol, _)| rest.starts_with(symbol));
        let (token, len) = if let Some((symbol, token)) = symbol {
            (token.clone(), symbol.len())
        } else if first == '"' {
            let mut values = serde_json::Deserializer::from_str(rest).into_iter::<Json>();
            match values.next() {
                Some(Ok(value)) => (Token::Value(value), values.byte_offset()),
                _ => {
                    return Err(format!(
                        "the text at character {} of the filter has no end",
                        number_behind(&text[..at])
                    ));
                }
            }
        } else if first.is_ascii_digit() || first == '-' {
            let ends = |c: char| !(c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '+'));
            let len = rest.find(ends).unwrap_or(rest.len());
            (Token::Value(number(&rest[..len])?), len)
        } else if first.is_ascii_alphabetic() || first == '_' {
            let ends = |c: char| !(c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '[' | ']'));
            let len = rest.find(ends).unwrap_or(rest.len());
            (word(&rest[..len])?, len)
        } else {
            return Err(format!(
                "the filter cannot have `{first}` at character {}",
                number_behind(&text[..at])
            ));
        };
        tokens.push((at, token));
        rest = &rest[len..];
    }
}

/// As it is written where it has digits alone: what it becomes depends on the type of the field.
fn number(text: &str) -> Result<Json, String> {
    let json: Json =
        serde_json::from_str(text).map_err(|_| format!("`{text}` in the filter is no number"))?;
    Ok(if json.is_f64() { Json::String(text.to_owned()) } else { json })
}

fn word(text: &str) -> Result<Token, String> {
    match text {
        "true" => return Ok(Token::Value(Json::Bool(true))),
        "false" => return Ok(Token::Value(Json::Bool(false))),
        "null" => return Ok(Token::Value(Json::Null)),
        _ => {}
    }
    let wrong = || format!("`{text}` in the filter is no path of a field, such as `legs[0].price`");
    let mut path = Vec::new();
    for part in text.split('.') {
        let (name, elements) = part.split_at(part.find('[').unwrap_or(part.len()));
        if name.is_empty() {
            return Err(wrong());
        }
        path.push(Step::Field(name.to_owned()));
        for element in elements.split_inclusive(']') {
            let number = element.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
            path.push(Step::Element(number.and_then(|number| number.parse().ok()).ok_or_else(wrong)?));
        }
    }
    Ok(Token::Path(path, text.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn contract() -> Contract {
        Contract::parse(
            "schema: {id: a, version: 1}\ndomains: [d]\ntag_ranges: {d: [1, 9]}\nenums:\n  Side: [Buy, Sell]\nstructs:\n  \
             Leg: {fields: {lots: u8}}\nmessages:\n  Order:\n    tlv_type: 1\n    topic: orders\n    domain: d\n    fields:\n      \
             price: Decimal\n      side: Side\n      legs: Vec<Leg>\n      note: Option<String>\n      urgent: bool\n      big: U256\n      \
             size: f64\n",
            "contracts.yaml",
        )
        .unwrap_or_else(|errors| panic!("{errors}"))
    }

    #[test]
    fn comparisons_are_those_of_the_types_of_the_fields() {
        let contract = contract();
        let order = &contract.messages[0];
        let values = json::message(
            &contract,
            order,
            r#"{"price": "0.30", "side": "Buy", "legs": [{"lots": 3}], "note": "a \"b\"", "urgent": true,
                "big": "100000000000000000000", "size": 1e3}"#,
        )
        .unwrap();
        let rows = [
            ("price == 0.3", true),
            ("price > 0.2999999999999999999999", true),
            ("price >= 0.30 && price <= 0.300", true),
            ("price < 0.3", false),
            ("side == Buy", true),
            ("side == \"Sell\"", false),
            ("side != Sell", true),
            ("legs[0].lots == 3", true),
            ("legs[1].lots == 3", false),
            ("legs[1].lots == null", true),
            ("note ~ \"\\\"b\"", true),
            ("note == null", false),
            ("note != null", true),
            ("urgent", true),
            ("!urgent", false),
            ("!(urgent && size < 5)", true),
            ("big == \"100000000000000000000\"", true),
            ("big > 99999999999999999999", true),
            ("size < 1000.50 && size > 999.75", true),
            ("size == 1000 || nothing == 1", true),
            ("nothing == 1", false),
            ("urgent && size == 1 || price == 0.3", true),
        ];
        for (text, expected) in rows {
            let filter = Filter::parse(text).unwrap_or_else(|error| panic!("{text}: {error}"));
            let test = filter.of(&contract, order).unwrap_or_else(|error| panic!("{text}: {error}"));
            assert_eq!(test.passes(&values), expected, "{text}");
        }
    }

    #[test]
    fn each_mistake_is_named() {
        let contract = contract();
        let order = &contract.messages[0];
        let rows = [
            ("", "the filter ends where it takes a field"),
            (
                "price >",
                "the filter ends where it takes a number, a \"text\", true, false, null or the name of a variant",
            ),
            ("price 5", "the filter takes && or || at character 7: `5`"),
            ("(price > 5", "the filter ends where it takes `)`"),
            ("price > \"x", "the text at character 9 of the filter has no end"),
            ("price > 1-2", "`1-2` in the filter is no number"),
            ("a[x] == 1", "`a[x]` in the filter is no path of a field, such as `legs[0].price`"),
            ("price = 5", "the filter cannot have `=` at character 7"),
            ("note == \"\u{e4}\" \u{a7}", "the filter cannot have `\u{a7}` at character 13"),
            ("note == \"\u{e4}\" 5", "the filter takes && or || at character 13: `5`"),
            ("side == Bye", "`side` of `Order`: `Side` has no variant `Bye`"),
            ("side < Buy", "`side` of `Order` is of type Side, which cannot be compared so"),
            ("legs == 1", "`legs` of `Order` is of type Vec<Leg>, which cannot be compared so"),
            ("urgent == 5", "in the filter, `urgent`: bool takes true or false, not 5"),
            ("price ~ \"5\"", "`price` of `Order` is of type Decimal, which cannot be compared so"),
        ];
        for (text, expected) in rows {
            let found = Filter::parse(text).and_then(|filter| filter.of(&contract, order).map(drop));
            assert_eq!(found.unwrap_err(), expected, "{text}");
        }
        let deep = format!("{}urgent", "!".repeat(40));
        assert_eq!(Filter::parse(&deep).unwrap_err(), "the filter is nested more than 32 deep");
        let unknown = Filter::parse("prce > 1").unwrap();
        let unknown = unknown.unknown(std::slice::from_ref(&contract), &[(0, order)]);
        let expected =
            "the filter asks for `prce`, which no message of these topics has; did you mean `price`?";
        assert_eq!(unknown.as_deref(), Some(expected));
    }
}
