//! Values of a contract from JSON, as `mycelium_codegen::show` writes them, and for people: what has a
//! default may be left out, and so may options.

use mycelium_contract::{Contract, DecimalValue, Field, Message, Type, Value};
use serde_json::Value as Json;

use super::once::Once;

/// Most parts of a value: one number in JSON fills a whole array.
const PARTS_MAX: usize = 1 << 20;

/// The fields of a message.
///
/// # Errors
/// The text is no JSON, a field is missing or unknown, or a value does not fit its type or breaks a rule.
pub(crate) fn message(
    contract: &Contract,
    message: &Message,
    text: &str,
) -> Result<Vec<(String, Value)>, String> {
    let json: Json = serde_json::from_str(text)
        .map_err(|error| format!("this is no JSON: {error}; write the fields like {{\"name\": value}}"))?;
    serde_json::from_str::<Once>(text).map_err(|error| format!("{error}: leave one out"))?;
    let mut reader = Reader { contract, left: PARTS_MAX };
    reader.fields(&message.fields, &message.name, &json, "")
}

/// One value, for a comparison with a field of this type.
pub(crate) fn scalar(contract: &Contract, ty: &Type, json: &Json, at: &str) -> Result<Value, String> {
    Reader { contract, left: PARTS_MAX }.value(ty, json, at)
}

struct Reader<'c> {
    contract: &'c Contract,
    left: usize,
}

impl Reader<'_> {
    fn fields(
        &mut self,
        fields: &[Field],
        of: &str,
        json: &Json,
        at: &str,
    ) -> Result<Vec<(String, Value)>, String> {
        let Json::Object(map) = json else {
            return Err(format!(
                "{}: `{of}` takes its fields, {{\"name\": value}}, not {}",
                place(at),
                shape(json)
            ));
        };
        let names = || fields.iter().map(|field| field.name.as_str());
        if let Some(unknown) = map.keys().find(|key| !names().any(|name| name == *key)) {
            let hint = mycelium_toml::suggestion(unknown, names())
                .unwrap_or_else(|| format!("; its fields are {}", names().collect::<Vec<_>>().join(", ")));
            return Err(format!("{}: `{of}` has no field `{unknown}`{hint}", place(at)));
        }
        let mut values = Vec::with_capacity(fields.len());
        for field in fields {
            let path = if at.is_empty() { field.name.clone() } else { format!("{at}.{}", field.name) };
            let value = match (map.get(&field.name), &field.default) {
                (Some(json), _) => self.value(&field.ty, json, &path)?,
                (None, Some(default)) => default.clone(),
                (None, None) if matches!(field.ty, Type::Option(_)) => Value::None,
                (None, None) => {
                    return Err(format!("`{path}` is missing: `{of}` needs it, of type {}", field.ty));
                }
            };
            if let Some(rule) = field.broken_by(&value) {
                return Err(format!("`{path}` breaks its rule `{}` of the contract", rule.key()));
            }
            values.push((field.name.clone(), value));
        }
        Ok(values)
    }

    fn value(&mut self, ty: &Type, json: &Json, at: &str) -> Result<Value, String> {
        self.left = self
            .left
            .checked_sub(1)
            .ok_or_else(|| format!("the value has more than {PARTS_MAX} parts: publish it from a program"))?;
        let wrong = |expected: &str| format!("{}: {ty} takes {expected}, not {}", place(at), shape(json));
        match (ty, json) {
            (Type::Bool, Json::Bool(value)) => Ok(Value::Bool(*value)),
            (Type::Bool, _) => Err(wrong("true or false")),
            (Type::F32 | Type::F64, _) => float(ty, json).map(Value::Float).ok_or_else(|| wrong("a number")),
            // A number with a fraction has been rounded by now.
            (Type::Decimal, Json::Number(number)) if number.is_f64() => {
                Err(wrong("its digits in quotes, such as \"12.50\""))
            }
            (Type::Decimal, _) => {
                let parsed = digits(json).and_then(|text| DecimalValue::parse(&text));
                parsed.map(Value::Decimal).ok_or_else(|| wrong("a number such as \"12.50\""))
            }
            (Type::U256 | Type::I256, _) => {
                let parsed = digits(json).and_then(|text| Value::parse_wide(&text, *ty == Type::I256));
                parsed.ok_or_else(|| wrong("an integer such as \"10\""))
            }
            (Type::String, Json::String(text)) => Ok(Value::String(text.clone())),
            (Type::String, _) => Err(wrong("a text")),
            (Type::Bytes, Json::String(text)) => {
                hex(text).map(Value::Bytes).ok_or_else(|| wrong("hexadecimal digits such as \"c0ffee\""))
            }
            (Type::Option(_), Json::Null) => Ok(Value::None),
            (Type::Option(of), _) => Ok(Value::Some(Box::new(self.value(of, json, at)?))),
            (Type::Vec(of), Json::Array(items)) => self.list(of, items, at),
            (Type::Array(of, count), Json::Array(items)) if items.len() == *count as usize => {
                self.list(of, items, at)
            }
            (Type::Bytes, _) => Err(wrong("hexadecimal digits such as \"c0ffee\"")),
            (Type::Vec(_), _) => Err(wrong("a list")),
            (Type::Array(_, count), _) => Err(wrong(&format!("a list of {count}"))),
            (Type::Enum(name), _) => self.variant(name, json, at),
            (Type::Struct(name), _) => {
                let fields = self.contract.struct_def(name).map_or(&[][..], |def| &def.fields[..]);
                self.fields(fields, name, json, at).map(Value::Struct)
            }
            _ => {
                let (least, most) = ty.int_range().ok_or_else(|| wrong("what this program does not know"))?;
                let parsed = digits(json).and_then(|text| text.parse::<i128>().ok());
                let fits = parsed.filter(|int| (least..=most).contains(int)).map(Value::Int);
                fits.ok_or_else(|| wrong(&format!("an integer from {least} to {most}")))
            }
        }
    }

    fn list(&mut self, of: &Type, items: &[Json], at: &str) -> Result<Value, String> {
        let each = items.iter().enumerate();
        each.map(|(index, item)| self.value(of, item, &format!("{at}[{index}]")))
            .collect::<Result<_, _>>()
            .map(Value::List)
    }

    fn variant(&mut self, name: &str, json: &Json, at: &str) -> Result<Value, String> {
        let variants = self.contract.enum_def(name).map_or(&[][..], |def| &def.variants[..]);
        let known = || variants.iter().map(|variant| variant.name.as_str());
        let one = |map: &serde_json::Map<String, Json>| map.len() == 1;
        let (wanted, inside) = match json {
            Json::String(text) => (text, None),
            Json::Object(map) if one(map) => match map.iter().next() {
                Some((wanted, inside)) => (wanted, Some(inside)),
                None => return Err(format!("{}: `{name}` takes a variant", place(at))),
            },
            other => {
                return Err(format!(
                    "{}: `{name}` takes the name of a variant, or {{\"Name\": {{fields}}}}, not {}",
                    place(at),
                    shape(other)
                ));
            }
        };
        let Some(variant) = variants.iter().find(|variant| variant.name == *wanted) else {
            let hint = mycelium_toml::suggestion(wanted, known())
                .unwrap_or_else(|| format!("; its variants are {}", known().collect::<Vec<_>>().join(", ")));
            return Err(format!("{}: `{name}` has no variant `{wanted}`{hint}", place(at)));
        };
        let nothing = Json::Object(serde_json::Map::new());
        let fields = self.fields(&variant.fields, wanted, inside.unwrap_or(&nothing), at)?;
        Ok(Value::Variant(wanted.clone(), fields))
    }
}

fn place(at: &str) -> String {
    if at.is_empty() { "the value".to_owned() } else { format!("`{at}`") }
}

fn shape(json: &Json) -> String {
    match json {
        Json::Null => "null".to_owned(),
        Json::Array(items) => format!("a list of {}", items.len()),
        Json::Object(_) => "an object".to_owned(),
        scalar => scalar.to_string(),
    }
}

/// The digits of a number, or of a text that stands for one.
fn digits(json: &Json) -> Option<String> {
    match json {
        Json::Number(number) => Some(number.to_string()),
        Json::String(text) => Some(text.clone()),
        _ => None,
    }
}

fn float(ty: &Type, json: &Json) -> Option<f64> {
    let value = match json {
        Json::Number(number) => number.as_f64()?,
        Json::String(text) => match &**text {
            "NaN" => return Some(f64::NAN),
            "Infinity" => return Some(f64::INFINITY),
            "-Infinity" => return Some(f64::NEG_INFINITY),
            _ => return None,
        },
        _ => return None,
    };
    let fits = if *ty == Type::F32 { f64::from(value as f32) } else { value };
    Some(fits).filter(|value| value.is_finite())
}

fn hex(text: &str) -> Option<Vec<u8>> {
    let digits = text.strip_prefix("0x").unwrap_or(text);
    if !digits.bytes().all(|digit| digit.is_ascii_hexdigit()) || !digits.len().is_multiple_of(2) {
        return None;
    }
    (0..digits.len()).step_by(2).map(|at| u8::from_str_radix(&digits[at..at + 2], 16).ok()).collect()
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use mycelium_codegen::{Model, encode, show};

    use super::*;

    fn contract() -> Contract {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../contracts.yaml");
        Contract::read(&path).unwrap_or_else(|errors| panic!("{errors}"))
    }

    /// The bytes of every golden vector come of its JSON.
    #[test]
    fn golden_vectors_are_read_as_their_values() {
        let contract = contract();
        let model = Model::new(&contract);
        let mut read = 0;
        for of in &contract.messages {
            let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/golden");
            let file = std::fs::read_dir(path).unwrap().map(|entry| entry.unwrap().path()).find(|path| {
                let text = std::fs::read_to_string(path).unwrap_or_default();
                text.contains(&format!("\"message\": \"{}\"", of.name))
            });
            let Some(file) = file else { continue };
            let golden: Json = serde_json::from_str(&std::fs::read_to_string(file).unwrap()).unwrap();
            for vector in golden["vectors"].as_array().unwrap() {
                if vector["version"] != of.version {
                    continue;
                }
                let mut reader = Reader { contract: &contract, left: PARTS_MAX };
                // Those break rules on purpose, so values are read without them.
                let values: Result<Vec<_>, String> = of
                    .fields
                    .iter()
                    .map(|field| {
                        let json = &vector["value"][&field.name];
                        Ok((field.name.clone(), reader.value(&field.ty, json, &field.name)?))
                    })
                    .collect();
                let values = match values {
                    Ok(values) => values,
                    // Nested types have rules too, which some vectors break.
                    Err(error) if error.contains("breaks its rule") => continue,
                    Err(error) => panic!("{}, {}: {error}", of.name, vector["name"]),
                };
                let encoded = encode::message(&model, &of.fields, &values).unwrap();
                assert_eq!(show::hex(&encoded.bytes), vector["bytes"], "{}, {}", of.name, vector["name"]);
                read += 1;
            }
        }
        assert!(read > 100, "{read}");
    }

    #[test]
    fn each_mistake_says_where_it_is_and_what_is_expected() {
        let contract = Contract::parse(
            "schema: {id: a, version: 1}\ndomains: [d]\ntag_ranges: {d: [1, 9]}\nenums:\n  Side: [Buy, Sell]\nstructs:\n  \
             Leg: {fields: {lots: u8}}\nmessages:\n  Order:\n    tlv_type: 1\n    topic: orders\n    domain: d\n    fields:\n      \
             price: {type: f64, validation: {min: 0}}\n      side: Side\n      legs: Vec<Leg>\n      note: Option<String>\n      \
             cash: {type: Decimal, default: 1.50}\n      raw: {type: Bytes, default: \"0xc0ffee\"}\n      pair: {type: \"[u16; 2]\", default: 0}\n",
            "contracts.yaml",
        )
        .unwrap_or_else(|errors| panic!("{errors}"));
        let order = &contract.messages[0];
        let whole = r#"{"price": 1, "side": "Sell", "legs": [{"lots": 3}]}"#;
        let values = message(&contract, order, whole).unwrap();
        let shown = show::json(&Model::new(&contract), &order.fields, &values);
        assert_eq!(
            shown,
            r#"{"price": 1.0, "side": "Sell", "legs": [{"lots": 3}], "note": null, "cash": "1.50", "raw": "c0ffee", "pair": [0, 0]}"#
        );
        let rows = [
            (
                "{",
                "this is no JSON: EOF while parsing an object at line 1 column 1; write the fields like {\"name\": value}",
            ),
            (
                r#"{"price": 1, "side": "Buy", "price": 2}"#,
                "the key `price` stands twice at line 1 column 35: leave one out",
            ),
            (
                r#"{"price": 1, "side": "Buy", "legs": [{"lots": 1, "lots": 2}]}"#,
                "the key `lots` stands twice at line 1 column 55: leave one out",
            ),
            ("[]", "the value: `Order` takes its fields, {\"name\": value}, not a list of 0"),
            ("{}", "`price` is missing: `Order` needs it, of type f64"),
            (r#"{"prise": 1}"#, "the value: `Order` has no field `prise`; did you mean `price`?"),
            (r#"{"price": "1"}"#, "`price`: f64 takes a number, not \"1\""),
            (r#"{"price": -1}"#, "`price` breaks its rule `min` of the contract"),
            (r#"{"price": 1, "side": "Bug"}"#, "`side`: `Side` has no variant `Bug`; did you mean `Buy`?"),
            (
                r#"{"price": 1, "side": "Buy", "legs": [{"lots": 1}, {"lots": 256}]}"#,
                "`legs[1].lots`: u8 takes an integer from 0 to 255, not 256",
            ),
            (
                r#"{"price": 1, "side": "Buy", "legs": [], "cash": "1,5"}"#,
                "`cash`: Decimal takes a number such as \"12.50\", not \"1,5\"",
            ),
            (
                r#"{"price": 1, "side": "Buy", "legs": [], "cash": 0.12345678901234567890}"#,
                "`cash`: Decimal takes its digits in quotes, such as \"12.50\", not 0.12345678901234568",
            ),
            (
                r#"{"price": 1, "side": "Buy", "legs": [], "raw": "+f"}"#,
                "`raw`: Bytes takes hexadecimal digits such as \"c0ffee\", not \"+f\"",
            ),
            (
                r#"{"price": 1, "side": "Buy", "legs": [], "raw": 12}"#,
                "`raw`: Bytes takes hexadecimal digits such as \"c0ffee\", not 12",
            ),
            (
                r#"{"price": 1, "side": "Buy", "legs": [], "pair": [1]}"#,
                "`pair`: [u16; 2] takes a list of 2, not a list of 1",
            ),
        ];
        for (text, expected) in rows {
            assert_eq!(message(&contract, order, text).unwrap_err(), expected, "{text}");
        }
    }
}
