//! A bus with OCaml.

use mycelium::{MessageBus, Tree};
use mycelium_embedded::checks::WATCHDOG;
use mycelium_embedded::{CONTRACT, Words};
use mycelium_ocaml::{Encoded, OCamlRuntime};

/// A bus, and the OCaml for it.
pub(crate) fn desk() -> (MessageBus, OCamlRuntime) {
    let bus = MessageBus::builder().contract(CONTRACT).build();
    let ocaml = OCamlRuntime::builder(&bus).contract(CONTRACT).start().unwrap();
    (bus, ocaml)
}

/// The answer of the actor at this path, or the text of its error.
pub(crate) async fn ask(ocaml: &OCamlRuntime, path: &str, text: &str) -> Result<String, String> {
    let query = Encoded::of(&Words { text: text.into() }).unwrap();
    let asked = ocaml.address(path).unwrap();
    let answer = tokio::time::timeout(WATCHDOG, asked.asked(query)).await.expect("it answers");
    let answer = answer.map_err(|error| error.to_string())?;
    Ok(answer.decode::<Words>().unwrap().text.to_string())
}

pub(crate) async fn end(tree: Tree, ocaml: OCamlRuntime, bus: MessageBus) {
    tree.shutdown().await.unwrap();
    ocaml.close(WATCHDOG).await.unwrap();
    bus.shutdown().await.unwrap();
}
