//! Questions to an actor of another bus.

use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use mycelium::{Actor, BoxError, Context, Exposed, LinkOptions, Query, Responder};

use super::{Back, Kind, SocketPath, There, bus, listen_with, run};
use crate::harness::median;

impl Query for There {
    type Reply = Back;
}

/// Answers with what it is asked.
struct Echo;

impl Actor for Echo {
    type Error = BoxError;
}

impl Responder<There> for Echo {
    type Reply = Back;
    async fn answer(&mut self, question: &There, _: &mut Context<Self>) -> Back {
        Back { words: question.words }
    }
}

/// One question at a time; p50 in nanoseconds.
pub(super) fn asked(kind: Kind, number: u64, options: &LinkOptions) -> f64 {
    let socket = SocketPath::new();
    let ((tell, told), (ends, end)) = (mpsc::channel(), tokio::sync::oneshot::channel::<()>());
    let echo = thread::spawn({
        let (socket, options) = (socket.clone(), options.clone());
        move || {
            run(async move {
                let desk = bus("desk");
                let actor = desk.spawn(Echo).expect("the actor starts");
                desk.expose("echo", Exposed::new().answers::<There>(&actor)).expect("the only one");
                tell.send(listen_with(&desk, kind, &socket, options)).expect("somebody waits");
                end.await.expect("the other side lives");
                desk.shutdown().await.expect("nothing is left");
            });
        }
    });
    let options = options.clone();
    let p50 = run(async move {
        let market = bus("market");
        market.connect_with(told.recv().expect("the other side lives"), options).expect("an address");
        let echo = market.reply_recipient::<There>("desk/echo").expect("a path");
        while !echo.is_alive() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        let mut samples = Vec::with_capacity(usize::try_from(number).unwrap_or_default());
        for word in 0..number {
            let begin = Instant::now();
            let answer = echo.ask(There { words: [word; 8] }).await.expect("an answer");
            samples.push(begin.elapsed().as_nanos() as f64);
            assert_eq!(answer.words[7], word);
        }
        market.shutdown().await.expect("nothing is left");
        ends.send(()).expect("the other side waits");
        median(&samples)
    });
    echo.join().expect("the other side does not panic");
    p50
}
