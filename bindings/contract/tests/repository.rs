//! The repository's own `contracts.yaml`.

use std::path::Path;

use mycelium_contract::{Contract, Layouts, Value};

fn contract() -> Contract {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../contracts.yaml");
    Contract::read(&path).unwrap_or_else(|errors| panic!("{errors}"))
}

#[test]
fn it_is_correct_and_exercises_every_type_and_rule() {
    let contract = contract();
    let text = format!("{contract:?}");
    for part in ["Min(", "Max(", "GreaterThan(", "LessThan(", "MultipleOf(", "NotZero", "Finite", "OneOf("] {
        assert!(text.contains(part), "no message uses {part}");
    }
    for part in
        ["MinLength(", "MaxLength(", "NotEmpty", "Ascii", "Each(", "Array(", "Vec(", "Option(", "Struct("]
    {
        assert!(text.contains(part), "no message uses {part}");
    }
    for simple in mycelium_contract::Type::SIMPLE {
        assert!(text.contains(&format!("ty: {simple:?}")), "no message uses {simple}");
    }
}

#[test]
fn defaults_and_versions_are_read() {
    let contract = contract();
    let evolved = contract.message("Evolved").unwrap();
    assert_eq!([1, 2, 3].map(|v| evolved.fields_of(v).len()), [2, 6, 17]);
    assert_eq!(evolved.field("parent").unwrap().default, Some(Value::None));
    assert_eq!(evolved.field("grid").unwrap().default, Some(Value::List(vec![Value::Int(9); 4])));
    let layouts = Layouts::of(&contract);
    assert_eq!(layouts.record(&contract.message("Bar").unwrap().fields).layout.size, 64);
    assert!(!layouts.record(&evolved.fields).layout.fixed);
    assert!(layouts.record(evolved.fields_of(1)).layout.fixed);
}
