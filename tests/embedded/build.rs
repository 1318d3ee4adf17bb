//! Makes the message types of the contract, and has the tests find Python's library where they were linked
//! with it.

fn main() {
    mycelium_codegen::build("contracts.yaml");
    if let Ok(folder) = std::env::var("DEP_MYCELIUM_PYTHON_LIBDIR") {
        println!("cargo::rustc-link-arg=-Wl,-rpath,{folder}");
    }
}
