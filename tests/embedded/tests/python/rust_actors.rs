//! Rust actors of the program that Python makes by name.

use mycelium::tree::Factories;
use mycelium::{Context, Result, actor};
use mycelium_embedded::{Tick, Told};
use mycelium_python::pyo3::prelude::*;
use serde::Deserialize;

use crate::common::{desk, desk_with, publish, told, turn};

#[derive(Deserialize)]
struct Times {
    times: i64,
    by: String,
}

/// Answers a tick with a multiple of it.
struct Multiplies {
    times: i64,
    by: String,
}

#[actor]
impl Multiplies {
    #[on]
    async fn tick(&mut self, tick: &Tick, ctx: &mut Context<Self>) -> Result {
        ctx.publish(Told { number: tick.number * self.times, by: self.by.clone() }).await
    }
}

fn factories() -> Factories {
    Factories::new().actor_with("multiplies", |of: &Times| Multiplies { times: of.times, by: of.by.clone() })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn python_makes_actors_of_the_program_by_name_in_isolates_and_trees() {
    let _turn = turn().await;
    let (bus, python) = desk_with("named", |builder| builder.factories(factories()));
    let (plain, of_plain) = desk("plain");
    let mut tolds = bus.subscriber::<Told>().unwrap();
    let call = async |function: &'static str, name: &'static str| {
        let call = move || {
            Python::attach(|py| {
                let models = py.import("models")?;
                models.call_method1(function, (name,))?.extract::<Vec<(i64, String)>>()
            })
            .map_err(|error: PyErr| error.to_string())
        };
        tokio::task::spawn_blocking(call).await.unwrap()
    };
    assert_eq!(
        call("multiplied", "").await.unwrap(),
        [(21, "isolate".to_owned()), (35, "isolate".to_owned())]
    );
    assert_eq!(call("starts_multiplies", "named").await.unwrap(), []);
    publish(&bus, [4]).await;
    assert_eq!(told(&mut tolds, 1).await, [(12, "tree".to_owned())]);
    // A bus has the actors that it was given.
    let error = call("starts_multiplies", "plain").await.unwrap_err();
    assert!(error.starts_with("FactoryError: no actor or service `multiplies` is registered"), "{error}");
    for (bus, python) in [(bus, python), (plain, of_plain)] {
        python.close(crate::common::WATCHDOG).await.unwrap();
        bus.shutdown().await.unwrap();
    }
}
