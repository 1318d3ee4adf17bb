//! Makes the message types of the contract, and has the program find Python's library where it was linked
//! with it.

fn main() {
    mycelium_codegen::build("contracts.yaml");
    if let Ok(folder) = std::env::var("DEP_MYCELIUM_PYTHON_LIBDIR") {
        println!("cargo::rustc-link-arg=-Wl,-rpath,{folder}");
    }
}
