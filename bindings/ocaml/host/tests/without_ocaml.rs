//! A program without OCaml builds, and is told what it lacks.
#![forbid(unsafe_code)]

use mycelium::MessageBus;
use mycelium_ocaml::OCamlRuntime;

/// A contract without messages.
struct Nothing;
impl mycelium::wire::Messages for Nothing {
    fn each<V: mycelium::wire::Visitor>(&self, _: &mut V) {}
}

#[tokio::test]
async fn a_program_without_ocaml_is_told_how_to_link_it() {
    let bus = MessageBus::builder().build();
    for _ in 0..2 {
        let error = OCamlRuntime::builder(&bus).contract(Nothing).start().unwrap_err().to_string();
        assert!(error.contains("no OCaml is linked into this program"), "{error}");
        assert!(error.contains("mycelium_ocaml_build::OCaml"), "{error}");
    }
    let error = OCamlRuntime::builder(&bus).start().unwrap_err().to_string();
    assert!(error.contains("OCamlBuilder::contract"), "{error}");
}

#[test]
fn outside_of_tokio_it_asks_for_a_runtime() {
    let bus =
        std::thread::spawn(|| tokio::runtime::Runtime::new().unwrap().block_on(async { MessageBus::new() }));
    let bus = bus.join().unwrap();
    let error = OCamlRuntime::builder(&bus).contract(Nothing).start().unwrap_err().to_string();
    assert!(error.contains("OCamlBuilder::runtime"), "{error}");
}
