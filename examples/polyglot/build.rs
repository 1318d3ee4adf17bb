//! Makes the message types of the contract, compiles the OCaml and links it in, and has the program find
//! Python's library where it was linked with it.

fn main() {
    mycelium_codegen::build("contracts.yaml");
    #[cfg(feature = "ocaml")]
    mycelium_ocaml_build::OCaml::new("ocaml", "risk").contract("contracts.yaml").link_bins();
    if let Ok(folder) = std::env::var("DEP_MYCELIUM_PYTHON_LIBDIR") {
        println!("cargo::rustc-link-arg=-Wl,-rpath,{folder}");
    }
}
