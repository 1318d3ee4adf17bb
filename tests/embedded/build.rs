//! Makes the message types of the contract, compiles the OCaml of the tests, and has them find Python's
//! library where they were linked with it.

fn main() {
    mycelium_codegen::build("contracts.yaml");
    #[cfg(feature = "ocaml")]
    mycelium_ocaml_build::OCaml::new("ocaml", "desk").contract("contracts.yaml").link_tests();
    if let Ok(folder) = std::env::var("DEP_MYCELIUM_PYTHON_LIBDIR") {
        println!("cargo::rustc-link-arg=-Wl,-rpath,{folder}");
    }
}
