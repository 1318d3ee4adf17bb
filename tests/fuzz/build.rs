//! Makes message types of the contract that only tests know: it has what no sane one has.

fn main() {
    mycelium_codegen::build("../../bindings/codegen/tests/torture.yaml");
}
