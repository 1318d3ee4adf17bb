//! Makes the message types of the contract.

fn main() {
    mycelium_codegen::build("contracts.yaml");
}
