//! Names that the generated code, the derives of Rust, or a language use themselves: each is refused by the
//! check with a place and a remedy, or compiles and works in all languages, as a type of any kind.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use mycelium_codegen::{Model, Options, golden, ocaml_library, python, python_msgspec, rust, show};
use mycelium_contract::{Code, Contract, Diagnostic};
use mycelium_mailbox::wire::{Encoder, Wire};

use crate::common::{aligned, root};
use crate::{cases, ocaml};

/// Names that `rkyv`, `bytecheck` and our own Rust code use, in two groups: those of the second are derived
/// of those of the first, so a contract may not have both.
const RUST: [&[&str]; 2] = [
    &["Tag", "Discriminant", "Variant", "VariantOne", "Contract", "Resolver", "Place", "Error"],
    &["ArchivedTag", "ArchivedVariantOne", "ArchivedDiscriminant", "OneResolver"],
];

/// Names that Python, OCaml, or a user of Rust knows for something else.
const OTHERS: &[&str] = &[
    "ArrayLabels",
    "Atomic",
    "Bigarray",
    "Bus",
    "BytesLabels",
    "Callback",
    "Cancel",
    "CheckBytes",
    "Class",
    "ClassVar",
    "Complex",
    "Condition",
    "Context",
    "Decode",
    "DecodeError",
    "Deque",
    "Deserializer",
    "Digest",
    "Domain",
    "Either",
    "Encode",
    "EncodeError",
    "Entry",
    "Enum",
    "Ephemeron",
    "Fallible",
    "Field",
    "Filename",
    "Flag",
    "Format",
    "Fun",
    "Gc",
    "Hashtbl",
    "In",
    "IntEnum",
    "InvalidError",
    "Json",
    "Layout",
    "Lazy",
    "Lexing",
    "Map",
    "Marshal",
    "Messages",
    "Model",
    "Module",
    "Mycelium",
    "NotImplemented",
    "Obj",
    "Ordering",
    "Out",
    "Parsing",
    "Part1",
    "PhantomData",
    "Portable",
    "Printexc",
    "Printf",
    "Query",
    "Queue",
    "Random",
    "Range",
    "Reader",
    "Rc",
    "Scanf",
    "Seq",
    "Serializer",
    "Set",
    "Stack",
    "StdLabels",
    "StringLabels",
    "Struct",
    "Sys",
    "TryFrom",
    "Type",
    "Uchar",
    "Uint64",
    "Union",
    "Unit",
    "ValidationError",
    "ValueError",
    "View",
    "Visitor",
    "Warning",
    "Weak",
    "Wire",
    "WireError",
];

/// Names that no definition may have: the check says so.
const REFUSED: &[&str] = &[
    "Self",
    "None",
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
    "Message",
    "Archive",
    "Archived",
    "Serialize",
    "Deserialize",
    "Default",
    "Debug",
    "Clone",
    "Copy",
    "Hash",
    "List",
    "Array",
    "Int",
    "Float",
    "Bool",
    "Char",
    "Buffer",
    "Stdlib",
    "Exception",
    "CONTRACT",
    "MESSAGES",
];

/// Fields of a struct, a message and a variant: arguments, locals and bindings of what is generated or
/// derived.
const FIELDS: &[&str] = &[
    "serializer",
    "deserializer",
    "resolver",
    "out",
    "value",
    "place",
    "context",
    "tag",
    "tag_ptr",
    "field_ptr",
    "out_field",
    "this",
    "other",
    "e",
    "bytes",
    "version",
    "old",
    "message",
    "at0",
    "item0",
    "value0",
    "self_0",
    "resolver_0",
    "visitor",
    "key",
    "w",
    "q",
    "r",
    "v",
    "v0",
    "at",
    "error",
    "field",
    "put",
    "get",
    "root_len",
    "layout",
    "check",
    "json",
    "name",
    "t",
    "big",
    "view",
    "mycelium",
    "rkyv",
    "wire",
    "size_of",
    "vec",
    "format",
    "print",
    "range",
    "tuple",
    "len",
    "dict",
    "set",
    "property",
    "typing",
    "dataclass",
    "decimal",
    "make",
    "equal",
    "compare",
    "ignore",
    "fst",
    "failwith",
    "string",
    "int64",
    "option",
    "list",
    "array",
    "unit",
];

/// Variants with and without fields.
const VARIANTS: &[&str] = &[
    "Tag",
    "Discriminant",
    "ArchivedTag",
    "Archived",
    "Resolver",
    "Error",
    "Output",
    "Target",
    "Item",
    "Ok",
    "Err",
    "Some",
    "Option",
    "Result",
    "Vec",
    "String",
    "Variant",
    "VariantOne",
    "One",
    "Name",
    "Mro",
];

/// How a name is defined.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Role {
    UnitEnum,
    DataEnum,
    Struct,
    Message,
}

const ROLES: [Role; 4] = [Role::UnitEnum, Role::DataEnum, Role::Struct, Role::Message];

/// A contract that defines all names in this role and uses each of them in a struct, a variant and a message.
/// One that is `small` has no more than these names.
fn text(names: &[&str], role: Role, small: bool) -> String {
    let (field_names, variants) = if small { (&FIELDS[..2], &VARIANTS[..3]) } else { (FIELDS, VARIANTS) };
    let mut text =
        format!("schema: {{id: {role:?}.names, version: 1}}\ndomains: [d]\ntag_ranges: {{d: [1, 999]}}\n");
    let own = |wanted: Role, line: fn(&str) -> String| {
        let names = if role == wanted { names } else { &[] };
        names.iter().map(|name| line(name)).collect::<String>()
    };
    let uses: Vec<String> = match role {
        Role::Message => vec!["u0: u8".to_owned()],
        _ => names.iter().enumerate().map(|(at, name)| format!("u{at}: {name}")).collect(),
    };
    let field = |name: &&str| format!("{name}: {{type: Option<u8>, validation: {{max: 9}}}}");
    let uses = uses.join(", ");
    let fields = field_names.iter().map(field).collect::<Vec<_>>().join(", ");
    let unit: Vec<String> = variants.iter().map(|name| format!("      - {name}\n")).collect();
    let data: Vec<String> =
        variants.iter().map(|name| format!("      - {name}: {{fields: {{x: u8}}}}\n")).collect();
    text.push_str("enums:\n");
    text.push_str(&own(Role::UnitEnum, |name| format!("  {name}: [One, Two]\n")));
    text.push_str(&own(Role::DataEnum, |name| {
        format!("  {name}:\n    variants:\n      - One: {{fields: {{x: u8}}}}\n      - Two\n")
    }));
    let _ = write!(
        text,
        "  UserUnit:\n    variants:\n{}  UserData:\n    variants:\n{}  UserShape:\n    variants:\n      \
         - Nothing\n      - One: {{fields: {{{uses}}}}}\n      - Two: {{fields: {{{fields}}}}}\n",
        unit.concat(),
        data.concat()
    );
    text.push_str("structs:\n");
    text.push_str(&own(Role::Struct, |name| format!("  {name}: {{fields: {{x: u8}}}}\n")));
    let _ = write!(text, "  UserStruct: {{fields: {{{uses}, shape: UserShape}}}}\nmessages:\n");
    if role == Role::Message {
        for (at, name) in names.iter().enumerate() {
            let _ = writeln!(
                text,
                "  {name}: {{tlv_type: {}, topic: t, domain: d, reply: {name}, fields: {{x: u8}}}}",
                at + 10
            );
        }
    }
    let _ = write!(
        text,
        "  User: {{tlv_type: 1, topic: t, domain: d, fields: {{{uses}, one: UserStruct, \
         many: Vec<UserShape>, words: UserUnit, data: UserData}}}}\n  \
         UserFields: {{tlv_type: 2, topic: t, domain: d, version: 2, fields: {{{fields}, \
         later: {{type: UserShape, since: 2, default: {{Two: {{{}}}}}}}}}}}\n",
        field_names.iter().map(|name| format!("{name}: 1")).collect::<Vec<_>>().join(", ")
    );
    text
}

fn contract(names: &[&str], role: Role, small: bool) -> Contract {
    let text = text(names, role, small);
    Contract::parse(&text, "names.yaml").unwrap_or_else(|errors| panic!("{errors}"))
}

/// What stands in the committed source: a module for each group in each role.
fn committed() -> impl Iterator<Item = (String, Contract)> {
    let groups = RUST.into_iter().zip(["plain", "derived"]);
    groups.flat_map(|(names, group)| {
        let of = move |role| {
            // Fields and variants are the same in all of them: once is enough for so much text.
            let small = (role, group) != (Role::Struct, "plain");
            (format!("{group}_{role:?}").to_lowercase(), contract(names, role, small))
        };
        ROLES.into_iter().map(of)
    })
}

/// The Rust types of contracts full of names that other code uses.
#[allow(unreachable_pub, reason = "it stands for the module of a user")]
mod types {
    include!("../generated/taken.rs");
}

#[test]
fn the_committed_source_is_up_to_date() {
    let mut source = String::from("// The types of contracts full of names that other code uses.\n");
    for (name, contract) in committed() {
        let types = rust(&contract, &Options::default().crate_path("::mycelium_mailbox"));
        let _ = write!(source, "\n/// The contract `{name}`.\npub mod {name} {{\n{types}}}\n");
    }
    crate::expect_file(&root().join("bindings/codegen/tests/generated/taken.rs"), &source);
}

#[test]
fn a_name_that_generated_code_needs_is_refused_with_its_place_and_a_remedy() {
    for name in REFUSED {
        for role in ROLES {
            let text = text(&[name], role, true);
            let errors = Contract::parse(&text, "names.yaml").expect_err(name);
            let reserved = |error: &&Diagnostic| error.code == Code::RESERVED_WORD;
            let first = errors.list().iter().find(reserved).unwrap_or_else(|| panic!("{errors}"));
            assert!(first.at.line > 0 && first.source.contains(name), "{errors}");
            assert!(first.remedy.contains(&format!("such as `{name}Kind`")), "{errors}");
        }
    }
}

/// The same bytes out of what was read of them.
fn round_trips<M: Wire>(contract: &Contract) {
    let model = Model::new(contract);
    let message = contract.message(M::NAME).expect("it is there");
    for vector in golden::vectors(&model, message).expect("boundary values fit") {
        let (bytes, root_len) = (aligned(&vector.encoded.bytes), vector.encoded.root_len as u32);
        let read = M::decode_version(&bytes, vector.version, root_len).unwrap_or_else(|e| panic!("{e}"));
        if vector.version == M::VERSION {
            let mut encoder = Encoder::new();
            assert_eq!(encoder.encode(&read).expect("it is small"), &bytes[..], "{}", vector.name);
        }
    }
}

#[test]
fn rust_takes_all_names() {
    let contracts: Vec<Contract> = committed().map(|(_, contract)| contract).collect();
    let mut rest = contracts.iter();
    macro_rules! all {
        ($($module:ident)*) => {
            $(
                let contract = rest.next().expect("it is committed");
                round_trips::<types::$module::User>(contract);
                round_trips::<types::$module::UserFields>(contract);
            )*
        };
    }
    all!(plain_unitenum plain_dataenum plain_struct plain_message);
    all!(derived_unitenum derived_dataenum derived_struct derived_message);
    // As the contract calls it, in the scope that the derives open.
    assert_eq!(types::plain_unitenum::Tag::ALL[1].name(), "Two");
    assert_eq!(format!("{:?}", types::derived_dataenum::ArchivedTag::One { x: 3 }), "One { x: 3 }");
    let mut shape = types::plain_struct::UserFields::default().later;
    if let types::plain_struct::UserShape::Two { serializer, .. } = &mut shape {
        *serializer = Some(10);
    }
    let told = shape.validate().expect_err("it is too large").to_string();
    assert_eq!(told, "UserShape.serializer is 10, must be at most 9");
}

/// A line for each value: the message's name, its version, the length of its root, and its bytes.
fn lines(contract: &Contract) -> (String, usize) {
    let (model, mut text) = (Model::new(contract), String::new());
    let mut count = 0;
    for message in &contract.messages {
        for vector in golden::vectors(&model, message).expect("boundary values fit") {
            if vector.version == message.version {
                let (name, encoded) = (&message.name, &vector.encoded);
                let _ = writeln!(text, "{name} {} {}", encoded.root_len, show::hex(&encoded.bytes));
                count += 1;
            }
        }
    }
    (text, count)
}

/// All contracts: the names of Rust, and those of other languages, in each role.
fn all() -> impl Iterator<Item = (String, Contract)> {
    let others = ROLES
        .into_iter()
        .map(|role| (format!("others_{role:?}").to_lowercase(), contract(OTHERS, role, false)));
    committed().chain(others)
}

#[test]
fn python_takes_all_names() {
    let interpreter = PathBuf::from(cases::install("tests/python/install.sh", None));
    let script = "import importlib, sys\nsys.path.insert(0, sys.argv[1])\n\
                  package = importlib.import_module(sys.argv[2])\ncount = 0\n\
                  class Struct:\n    def __init_subclass__(cls, **how): pass\n\
                  class Stub: pass\n\
                  # msgspec is not installed everywhere: this much of it makes the classes.\n\
                  stub = Stub()\nstub.Struct, stub.field = Struct, lambda **how: None\nsys.modules['msgspec'] = stub\n\
                  other = importlib.import_module(sys.argv[2] + '_msgspec')\n\
                  assert other.__all__ == package.__all__ and all(hasattr(other, name) for name in other.__all__)\n\
                  for line in open(sys.argv[3]):\n    name, root_len, value = line.split()\n    \
                  message = getattr(package, name).decode(bytes.fromhex(value), root_len=int(root_len))\n    \
                  assert message.encode().hex() == value, line\n    \
                  try:\n        message.validate()\n    except package._wire.ValidationError as error:\n        \
                  assert 'must be at most 9' in str(error), error\n    count += 1\nprint(count)\n";
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("names-python");
    for (name, contract) in all() {
        let package = folder.join(&name);
        fs::create_dir_all(&package).expect("a folder");
        for file in python(&contract) {
            fs::write(package.join(file.name), file.text).expect("a file");
        }
        let other = folder.join(format!("{name}_msgspec"));
        fs::create_dir_all(&other).expect("a folder");
        for file in python_msgspec(&contract) {
            fs::write(other.join(file.name), file.text).expect("a file");
        }
        let (values, count) = lines(&contract);
        let path = folder.join(format!("{name}.values"));
        fs::write(&path, values).expect("a file");
        let mut command = Command::new(&interpreter);
        let output =
            command.args(["-c", script]).arg(&folder).arg(&name).arg(&path).output().expect("Python");
        let told = String::from_utf8_lossy(&output.stdout);
        assert_eq!(told.trim(), count.to_string(), "{name}: {}", String::from_utf8_lossy(&output.stderr));
    }
}

#[test]
fn ocaml_takes_all_names() {
    let all: Vec<_> = all()
        .map(|(name, mut contract)| {
            // The libraries of one project have names of their own.
            contract.schema.id = format!("names.{name}");
            let library = ocaml_library(&contract);
            let (values, count) = lines(&contract);
            (name, contract, names_program(&library), values, count)
        })
        .collect();
    let files: Vec<_> = all
        .iter()
        .map(|(_, _, text, values, _)| [("program/names.ml", &text[..]), ("cases", values)])
        .collect();
    let parts = all.iter().zip(&files).map(|((name, contract, ..), files)| ocaml::Part {
        name,
        contract,
        program: "names",
        files,
    });
    let told = ocaml::projects("names", &parts.collect::<Vec<_>>());
    for ((name, .., count), told) in all.iter().zip(told) {
        assert_eq!(told, count.to_string(), "{name}");
    }
}

/// The program that reads, writes and validates each value, and prints how many came as they were.
fn names_program(library: &str) -> String {
    format!(
        "module Library = {}{}\n\
         let unhex text = Bytes.init (String.length text / 2) (fun at -> \
         Char.chr (int_of_string (\"0x\" ^ String.sub text (2 * at) 2)))\n\
         let find name = List.find (fun (module M : Library.MESSAGE) -> M.name = name) Library.messages\n\
         let () =\n  let lines = open_in Sys.argv.(1) in\n  let count = ref 0 in\n  \
         (try while true do match String.split_on_char ' ' (input_line lines) with\n    \
         | [name; _; hex] ->\n      let (module M : Library.MESSAGE) = find name in\n      \
         (match M.decode (unhex hex) with\n      \
         | Ok value -> if M.encode value = unhex hex then incr count; ignore (M.validate value)\n      \
         | Error error -> print_endline (name ^ \": \" ^ Library.error_to_string error))\n    \
         | _ -> () done with End_of_file -> ());\n  print_int !count\n",
        library[..1].to_uppercase(),
        &library[1..]
    )
}
