//! What can be wrong, and what each error says to do.

use std::os::unix::process::ExitStatusExt as _;
use std::process::Command;

use mycelium::MessageBus;
use mycelium::tree::Child;
use mycelium_embedded::CONTRACT;
use mycelium_embedded::checks::{WATCHDOG, publish, root, turn};
use mycelium_ocaml::{OCamlChild, OCamlRuntime};

use crate::common::desk;

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn each_mistake_says_what_to_do() {
    let _turn = turn().await;
    let (bus, ocaml) = desk();
    for (name, parts) in [
        (
            "modell",
            vec!["no actor of OCaml is registered as \"modell\"", "model, never", "Mycelium.Hosted.register"],
        ),
        ("", vec!["registered as \"\""]),
        ("a\0b", vec!["zero byte"]),
        ("foreign", vec!["generated with 0x0000000000000001", "the message Tick differs", "mycelium gen"]),
        ("raises", vec!["Failure(\"no limits file\")", "Called from"]),
    ] {
        let error = ocaml.actor(name).unwrap_err().to_string();
        for part in parts {
            assert!(error.contains(part), "{name:?}: {part} in {error}");
        }
    }
    let never = Child::ocaml("never", &ocaml.actor("never").unwrap());
    let error = root(0).child(never).start(&bus).await.unwrap_err().to_string();
    assert!(error.contains("no database"), "{error}");
    assert!(ocaml.address("root/nobody").unwrap_err().to_string().contains("root/nobody"));
    let without = OCamlRuntime::builder(&bus).start().unwrap_err();
    assert!(without.to_string().contains("OCamlBuilder::contract"), "{without}");
    ocaml.close(WATCHDOG).await.unwrap();
    // A bus that was not given the contract: the publisher that the model is made with says so.
    let bare = MessageBus::new();
    let ocaml = OCamlRuntime::builder(&bare).contract(CONTRACT).start().unwrap();
    let error = ocaml.actor("model").unwrap_err().to_string();
    assert!(error.contains("give it the contract"), "{error}");
}

/// Names the test whose process ends.
const DEEP: &str = "MYCELIUM_TEST_DEEP";

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_recursion_without_end_ends_the_process_and_says_whose_it_is() {
    const SIGABRT: i32 = 6;
    if std::env::var_os(DEEP).is_some() {
        let (bus, ocaml) = desk();
        let child = Child::ocaml("deep", &ocaml.actor("deep").unwrap());
        let _tree = root(0).child(child).start(&bus).await.unwrap();
        publish(&bus, [1]).await;
        tokio::time::sleep(WATCHDOG).await;
        return;
    }
    let name = "mistakes::a_recursion_without_end_ends_the_process_and_says_whose_it_is";
    let mut again = Command::new(std::env::current_exe().unwrap());
    let output = again.args([name, "--exact", "--nocapture"]).env(DEEP, "1").output().unwrap();
    let text = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.signal(), Some(SIGABRT), "{text}");
    assert!(text.contains("thread 'deep'") && text.contains("has overflowed its stack"), "{text}");
}
