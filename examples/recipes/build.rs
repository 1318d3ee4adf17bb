//! Makes Rust types of `contracts.yaml`.

fn main() {
    mycelium_codegen::build("contracts.yaml");
}
