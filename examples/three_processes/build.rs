//! Makes the message types of the contract, for `mycelium::contracts!()` to include.

fn main() {
    mycelium_codegen::build("contracts.yaml");
}
