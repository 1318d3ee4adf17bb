//! A runtime that a Rust program has made, as code in C has it. Here and not in the documentation: other
//! tests build this library anew for C, which examples would be linked with.
#![forbid(unsafe_code)]

#[test]
fn a_runtime_of_a_rust_program_is_shared_with_c() {
    let table = "mycelium contract 1\nschema acme 1\nmessage Tick 7 1 ticks\nfield price 1 i64\n";
    let runtime = mycelium_hosted::Runtime::builder().contract_text(table, "ticks").unwrap().start().unwrap();
    let handle = mycelium_ffi::share(runtime.clone()).unwrap();
    assert_eq!(mycelium_ffi::mycelium_check_schema(handle, runtime.known().digest()), 0);
    assert_eq!(mycelium_ffi::mycelium_free(handle), 0); // which closes it
    assert!(runtime.is_closed());
}
