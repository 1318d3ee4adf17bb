//! What can be wrong, and what each error says to do.

use mycelium::MessageBus;
use mycelium_embedded::CONTRACT;
use mycelium_python::PythonRuntime;

use crate::common::{WATCHDOG, desk, turn};

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn each_mistake_says_what_to_do() {
    let _turn = turn().await;
    let (bus, python) = desk("mistakes");
    for (class, parts) in [
        ("models", vec!["\"module:Class\""]),
        (":Model", vec!["\"module:Class\""]),
        ("nowhere.models:Model", vec!["there is no module nowhere", "PythonBuilder::path", "models'"]),
        ("models:Modl", vec!["has no Modl", "its actors are", "Model, Retries"]),
        ("models:not_an_actor", vec!["is 3", "subclass of mycelium.Actor"]),
        ("models:Tick", vec!["subclass of mycelium.Actor"]),
        ("mycelium:Actor", vec!["subclass of mycelium.Actor"]),
        (
            "broken:Any",
            vec!["needs a_package_that_nobody_has", "pip install a_package_that_nobody_has", "of /"],
        ),
        (
            "models:Foreign",
            vec!["digest 0x0000000000000001", "Tick of the runtime's contract", "mycelium gen"],
        ),
    ] {
        let error = python.actor(class).unwrap_err();
        for part in parts {
            assert!(error.to_string().contains(part), "{class}: {part} in {error}");
        }
    }
    let error = python.actor_with("models:Model", [("bye", 3.into())]).unwrap_err();
    assert!(error.to_string().contains("unexpected keyword argument 'bye'"), "{error}");
    assert!(error.to_string().contains("PythonRuntime::actor_with"), "{error}");
    assert!(error.traceback().is_some_and(|traceback| traceback.contains("_host.py")), "{error:?}");
    assert!(python.address("root/nobody").unwrap_err().to_string().contains("root/nobody"));

    let taken = PythonRuntime::builder(&bus).contract(CONTRACT).name("mistakes").start().unwrap_err();
    assert!(taken.to_string().contains("PythonBuilder::name"), "{taken}");
    let without = PythonRuntime::builder(&bus).start().unwrap_err();
    assert!(without.to_string().contains("PythonBuilder::contract"), "{without}");
    let outside = std::thread::scope(|scope| {
        scope.spawn(|| PythonRuntime::builder(&bus).contract(CONTRACT).start().unwrap_err()).join().unwrap()
    });
    assert!(outside.to_string().contains("PythonBuilder::runtime"), "{outside}");
    python.close(WATCHDOG).await.unwrap();
    // A bus that was not given the contract: its first subscription says so.
    let bare = MessageBus::new();
    let python = PythonRuntime::builder(&bare).contract(CONTRACT).name("bare").start().unwrap();
    let child = python.actor("models:Model").unwrap().child("model");
    let error = crate::common::root(0).child(child).start(&bare).await.unwrap_err();
    assert!(error.to_string().contains("contract"), "{error}");
}
