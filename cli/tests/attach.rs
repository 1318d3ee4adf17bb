//! `mycelium tap`, `pub`, `ask`, `latency`, `bench` and `doctor`: processes that attach to a node, which this
//! test is.
#![cfg(unix)]
#![forbid(unsafe_code)]

#[path = "attach/node.rs"]
mod node;

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use mycelium::{Actor, BoxError, Context, Exposed, Message, Responder, Subscription, Timestamp};
use tokio::net::{UnixSocket, UnixStream};

include!("../../bindings/codegen/tests/generated/contracts.rs");

use node::{Node, finish, runs, signal, tick, until};

#[test]
fn a_tap_shows_what_is_published_by_its_contract() {
    runs(async {
        let node = Node::start().await;
        let ticks = node.bus.publisher::<Tick>().unwrap();
        let tap = node.command(&["tap", "market.*", "--count", "2", "--json"]).spawn().unwrap();
        until(|| node.tool("Tick").is_some()).await;
        ticks.publish(tick(1, 1.5)).await.unwrap();
        ticks.publish(tick(2, 0.1)).await.unwrap();
        let (code, out, err) = finish(tap).await;
        assert_eq!((code, err.as_str()), (Some(0), ""));
        let lines: Vec<serde_json::Value> =
            out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!(lines.len(), 2);
        assert_eq!((&lines[0]["topic"], &lines[0]["message"]), (&"market.ticks".into(), &"Tick".into()));
        let value = serde_json::json!({
            "timestamp": 1_700_000_000_000_000_000_i64, "price": 1.5, "size": 2.5, "index": 1, "asset": 7
        });
        assert_eq!(lines[0]["value"], value);
        assert!(lines[0]["published"].as_i64().unwrap() > 1_700_000_000_000_000_000);

        // Each is another tool: the link of the one before would be taken for its own.
        until(|| node.bus.stats().links.is_empty()).await;
        let filter = "price > 100 && index != 3";
        let tap = node.command(&["tap", "market.ticks", "--count", "1", "--filter", filter]).spawn().unwrap();
        until(|| node.tool("Tick").is_some()).await;
        for (index, price) in [(1, 50.0), (2, 100.0), (3, 101.0), (4, 102.0)] {
            ticks.publish(tick(index, price)).await.unwrap();
        }
        let (code, out, err) = finish(tap).await;
        assert_eq!((code, err.as_str()), (Some(0), ""));
        let (_, shown) = out.split_once(' ').unwrap();
        let timestamp = "\"timestamp\": 1700000000000000000";
        let expected = format!(
            "market.ticks Tick {{{timestamp}, \"price\": 102.0, \"size\": 2.5, \"index\": 4, \"asset\": 7}}\n"
        );
        assert_eq!(shown, expected);

        until(|| node.bus.stats().links.is_empty()).await;
        let tap =
            node.command(&["tap", "market.ticks", "--rate", "--json", "--count", "50"]).spawn().unwrap();
        until(|| node.tool("Tick").is_some()).await;
        for index in 0..50 {
            ticks.publish(tick(index, 1.0)).await.unwrap();
        }
        let (code, out, _) = finish(tap).await;
        let count = |line: &str| {
            serde_json::from_str::<serde_json::Value>(line).unwrap()["messages"].as_u64().unwrap()
        };
        assert_eq!((code, out.lines().map(count).sum::<u64>()), (Some(0), 50));
    });
}

/// The last messages of a node are those that one looks for.
#[test]
fn a_tap_shows_all_that_has_come_though_its_node_has_ended() {
    runs(async {
        const COUNT: u32 = 4_000;
        let node = Node::start().await;
        let ticks = node.bus.publisher::<Tick>().unwrap();
        let tap = node.command(&["tap", "market.ticks", "--json"]).spawn().unwrap();
        until(|| node.tool("Tick").is_some()).await;
        for index in 0..COUNT {
            ticks.publish(tick(index, 1.0)).await.unwrap();
        }
        // They have come, and nobody has read what it prints.
        until(|| node.tool("Tick").is_none_or(|link| link.waiting == 0)).await;
        node.bus.shutdown().await.unwrap();
        tokio::time::sleep(std::time::Duration::from_millis(500)).await;
        let (code, out, err) = finish(tap).await;
        assert_eq!(code, Some(1), "{err}");
        assert!(err.contains("error: the link to `desk` is lost: "), "{err}");
        assert_eq!(out.lines().count(), COUNT as usize, "{err}");
    });
}

#[test]
fn a_tap_ends_in_order_on_ctrl_c_and_leaves_nothing_at_its_node() {
    runs(async {
        let node = Node::start().await;
        for end in ["-INT", "-TERM"] {
            let tap = node.command(&["tap", "*"]).spawn().unwrap();
            until(|| node.tool("Tick").is_some()).await;
            signal(&tap, end);
            let (code, _, err) = finish(tap).await;
            assert_eq!((code, err.as_str()), (Some(0), ""));
            until(|| node.bus.stats().links.is_empty()).await;
        }
        // It may also be killed.
        let mut tap = node.command(&["tap", "*"]).spawn().unwrap();
        until(|| node.tool("Tick").is_some()).await;
        tap.kill().unwrap();
        tap.wait().unwrap();
        until(|| node.bus.stats().links.is_empty()).await;
    });
}

#[test]
fn a_tap_that_is_stopped_slows_no_publisher_and_tells_when_its_node_ends() {
    runs(async {
        let node = Node::start().await;
        let ticks = node.bus.publisher::<Tick>().unwrap();
        let mut count = 50_000;
        let mut tap = loop {
            until(|| node.bus.stats().links.is_empty()).await;
            let mut tap = node.command(&["tap", "market.ticks"]).spawn().unwrap();
            until(|| node.tool("Tick").is_some()).await;
            signal(&tap, "-STOP");
            for index in 0..count {
                ticks.publish(tick(index, 1.0)).await.unwrap();
            }
            // A node that was held up for long has given up a peer that says nothing meanwhile.
            let is_linked = node.tool("Tick").is_some();
            signal(&tap, "-CONT");
            if is_linked {
                break tap;
            }
            tap.kill().unwrap();
            tap.wait().unwrap();
            // Fewer take less time where they took too long, down to a bound.
            count /= 2;
            assert!(count > 100, "the node has given up its peer at each try");
        };
        // It shows what is left: the newest.
        let mut lines = BufReader::new(tap.stdout.take().unwrap()).lines();
        let newest = format!("\"index\": {},", count - 1);
        let last = tokio::task::spawn_blocking(move || {
            lines.by_ref().map_while(Result::ok).find(|line| line.contains(&newest)).map(|_| lines)
        });
        let rest = last.await.unwrap().expect("the last tick is shown");
        node.bus.shutdown().await.unwrap();
        drop(rest);
        let (code, _, err) = finish(tap).await;
        assert_eq!(code, Some(1), "{err}");
        assert!(err.contains("error: the link to `desk` is lost: "), "{err}");
    });
}

#[test]
fn pub_ends_though_its_subscriber_left_meanwhile_and_another_one_has_come() {
    runs(async {
        for pause in [300, 3_000, 10_000].map(Duration::from_millis) {
            if has_published_for_nobody(pause).await {
                return;
            }
        }
        panic!("on a busy machine the tool may hear too late who subscribes, but not each time");
    });
}

/// Has the tool publish while nobody subscribes, and before and behind that: whether it has. What it reads
/// within a pause it does not always read with what it has heard of subscribers.
async fn has_published_for_nobody(pause: Duration) -> bool {
    let node = Node::start().await;
    let mut first = node.bus.subscriber::<Tick>().unwrap();
    let mut publish = node.command(&["pub", "market.ticks", "--json", "-"]);
    let mut publish = publish.stdin(Stdio::piped()).spawn().unwrap();
    let mut input = publish.stdin.take().unwrap();
    let mut say = |index: u32| {
        let value = format!("\"timestamp\": 5, \"price\": 1, \"size\": 2, \"index\": {index}, \"asset\": 7");
        writeln!(input, "{{{value}}}").unwrap();
    };
    say(1);
    assert_eq!(first.recv().await.map(|tick| tick.index), Some(1));
    drop(first);
    tokio::time::sleep(pause).await;
    say(2);
    say(3);
    tokio::time::sleep(pause).await;
    let mut second = node.bus.subscriber::<Tick>().unwrap();
    // Up to one that comes through: the tool has heard of the other subscriber then.
    let (mut said, mut heard) = (3, 1);
    loop {
        said += 1;
        say(said);
        let hear = async {
            loop {
                let index = second.recv().await.map(|tick| tick.index);
                heard += 1;
                if index.is_none_or(|index| index >= said) {
                    return;
                }
            }
        };
        if tokio::time::timeout(pause, hear).await.is_ok() {
            break;
        }
    }
    // A link counts what it has received a moment after that is there.
    let received = || node.bus.stats().links[0].received;
    while received() < heard {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    let missing = u64::from(said) - received();
    drop(input);
    let (code, out, err) = finish(publish).await;
    let expected =
        format!("error: {missing} of {said} are not there: nobody at `desk` subscribed meanwhile\n");
    assert!(
        missing == 0 || (code, out.as_str(), err.as_str()) == (Some(1), "", &*expected),
        "{code:?} {out} {err}"
    );
    missing > 0
}

#[test]
fn pub_sends_what_somebody_subscribes_to_once_it_is_a_value_of_the_contract() {
    runs(async {
        let node = Node::start().await;
        let value = r#"{"timestamp": 5, "price": 1.5, "size": 2, "index": 1, "asset": 7}"#;
        let (code, out, err) = node.call(&["pub", "market.ticks", "--json", value]).await;
        assert_eq!((code, out.as_str()), (Some(1), ""));
        assert_eq!(err, "error: nobody at `desk` subscribes to `Tick`; it wants Evolved\n");

        let mut ticks = node.bus.subscriber_with(Subscription::<Tick>::block().capacity(4)).unwrap();
        let (code, out, err) = node.call(&["pub", "market.ticks", "--json", value]).await;
        assert_eq!((code, out.as_str(), err.as_str()), (Some(0), "sent 1 `Tick` to `desk`\n", ""));
        let got = ticks.recv().await.map(|tick| *tick);
        assert_eq!(got, Some(Tick { timestamp: Timestamp::from_nanos(5), size: 2.0, ..tick(1, 1.5) }));

        // A slow subscriber makes it wait, and loses nothing.
        let mut publish = node.command(&["pub", "market.ticks", "--json", "-"]);
        let mut publish = publish.stdin(Stdio::piped()).spawn().unwrap();
        let mut input = publish.stdin.take().unwrap();
        let wrote = tokio::task::spawn_blocking(move || {
            (0..500).for_each(|index| {
                let value = format!(
                    "{{\"timestamp\": 5, \"price\": 1, \"size\": 2, \"index\": {index}, \"asset\": 7}}\n"
                );
                input.write_all(value.as_bytes()).unwrap();
            });
        });
        for index in 0..500 {
            assert_eq!(ticks.recv().await.map(|tick| tick.index), Some(index));
        }
        wrote.await.unwrap();
        let (code, out, _) = finish(publish).await;
        assert_eq!((code, out.as_str()), (Some(0), "sent 500 `Tick` to `desk`\n"));

        let rows: [(&[&str], &str); 5] = [
            (
                &["pub", "market.tiks", "--json", "{}"],
                "error: no message of the contracts has the topic `market.tiks`; did you mean `market.ticks`?\n",
            ),
            (
                &["pub", "market.ticks", "--json", "{}"],
                "error: `timestamp` is missing: `Tick` needs it, of type Timestamp\n",
            ),
            (
                &["pub", "market.ticks", "--json", r#"{"timestamp": 5, "price": 0}"#],
                "error: `price` breaks its rule `greater_than` of the contract\n",
            ),
            (
                &["tap", "market.tick"],
                "error: no message of the contracts has the topic `market.tick`; did you mean `market.ticks`?\n",
            ),
            (
                &["tap", "market.ticks", "--filter", "prise > 1"],
                "error: the filter asks for `prise`, which no message of these topics has; did you mean `price`?\n",
            ),
        ];
        for (args, expected) in rows {
            assert_eq!(node.call(args).await, (Some(2), String::new(), expected.to_owned()), "{args:?}");
        }
        let (code, _, err) = node.call(&["tap", "*", "--node", "dusk", "--within", "0.3"]).await;
        assert_eq!(
            (code, err.contains("no node and no service `dusk`; did you mean `desk`?")),
            (Some(2), true),
            "{err}"
        );
        // On a busy machine it may not have looked when its time is over.
        for (within, told) in [("0.3", "300ms"), ("30", "30s")] {
            let absent = ["tap", "*", "--connect", "run/none.sock", "--within", within];
            let (code, _, err) = node.call(&absent).await;
            assert!(code == Some(2) && err.starts_with("error: no link to unix "), "{code:?} {err}");
            if err.contains(&format!("within {told}: No such file")) {
                break;
            }
            assert!(within == "0.3" && err.contains("within 300ms: nobody has answered"), "{err}");
        }
    });
}

struct Risk;
impl Actor for Risk {
    type Error = BoxError;
}
impl Responder<Lookup> for Risk {
    type Reply = Evolved;
    async fn answer(&mut self, lookup: &Lookup, _: &mut Context<Self>) -> Evolved {
        if lookup.id == 0 {
            std::future::pending::<()>().await;
        }
        Evolved { id: lookup.id, note: "asked".to_owned(), ..Evolved::default() }
    }
}

#[test]
fn ask_prints_the_answer_or_says_why_there_is_none() {
    runs(async {
        let node = Node::start().await;
        let risk = node.bus.spawn(Risk).unwrap();
        node.bus.expose("risk", Exposed::new().answers::<Lookup>(risk)).unwrap();
        let (code, out, err) = node.call(&["ask", "desk/risk", "--json", r#"{"id": 7}"#]).await;
        assert_eq!((code, err.as_str()), (Some(0), ""));
        let answer: serde_json::Value = serde_json::from_str(&out).unwrap();
        assert_eq!((&answer["id"], &answer["note"]), (&7.into(), &"asked".into()));

        let id = ["--json", r#"{"id": 7}"#];
        // Another node's process: the path says which node is asked.
        let mut elsewhere = node.command(&["ask", "desk/risk", id[0], id[1]]);
        let (code, _, err) = finish(elsewhere.env("MYCELIUM_NODE", "dosk").spawn().unwrap()).await;
        assert_eq!((code, err.as_str()), (Some(0), ""));
        let rows: [(&[&str], i32, &str); 5] = [
            (
                &["ask", "desk/risk", id[0], id[1], "--node", "dosk"],
                2,
                "error: --node says `dosk`, and the path says `desk`: leave out --node",
            ),
            (
                &["ask", "desk/rusk", id[0], id[1]],
                1,
                "error: desk/rusk: no answer: nobody is exposed under this name there",
            ),
            (
                &["ask", "desk/risk", "--json", r#"{"id": 0}"#, "--timeout", "0.2"],
                1,
                "error: desk/risk: it has not answered within 200ms",
            ),
            (&["ask", "desk", id[0], id[1]], 2, "error: `desk` is no path of an actor: write NODE/ACTOR"),
            (
                &["ask", "dosk/risk", id[0], id[1], "--connect", "run/desk.sock"],
                2,
                "error: `desk` answers there, and not `dosk`: ask desk/risk",
            ),
        ];
        for (args, expected, start) in rows {
            let (code, out, err) = node.call(args).await;
            assert_eq!((code, out.as_str()), (Some(expected), ""), "{args:?} {err}");
            assert!(err.starts_with(start), "{args:?}: {err}");
        }
    });
}

#[test]
fn latency_measures_round_trips() {
    runs(async {
        let node = Node::start().await;
        let mut command = Command::new(env!("CARGO_BIN_EXE_mycelium"));
        command
            .args(["latency", "--count", "50", "--json"])
            .current_dir(&node.directory)
            .stdout(Stdio::piped());
        let (code, out, _) = finish(command.spawn().unwrap()).await;
        let found: serde_json::Value = serde_json::from_str(&out).unwrap();
        assert_eq!((code, &found["node"], &found["round_trips"]), (Some(0), &"desk".into(), &50.into()));
        let keys = ["min_ns", "p50_ns", "p90_ns", "p99_ns", "p999_ns", "max_ns"];
        let times = keys.map(|key| found[key].as_u64().unwrap());
        assert!(times[0] > 0 && times.is_sorted(), "{out}");
    });
}

#[test]
fn bench_measures_pings_and_messages_and_ends_in_bounded_count_and_time() {
    runs(async {
        let node = Node::start().await;
        let mut ticks = node.bus.subscriber::<Tick>().unwrap();
        let value = r#"{"timestamp": 1, "price": 1.5, "size": 2.5, "index": 3, "asset": 7}"#;
        let bench = |more: &[&str]| {
            let mut args = vec!["bench", "market.ticks", "--message", "Tick", "--value", value];
            args.extend(more);
            node.command(&args).spawn().unwrap()
        };
        let reading = async {
            for _ in 0..1_000 {
                assert_eq!(ticks.recv().await.unwrap().index, 3);
            }
        };
        let ((), (code, out, err)) =
            tokio::join!(reading, finish(bench(&["--count", "1000", "--json", "--seconds", "60"])));
        assert_eq!((code, err.as_str()), (Some(0), ""));
        let found: serde_json::Value = serde_json::from_str(&out).unwrap();
        assert_eq!(found["node"], "desk");
        let (pings, messages) = (&found["pings"], &found["messages"]);
        assert_eq!((&pings["count"], &pings["pipelined"]), (&1_000.into(), &32.into()));
        let keys = ["min_ns", "p50_ns", "p90_ns", "p99_ns", "p999_ns", "max_ns"];
        let times = keys.map(|key| pings[key].as_u64().unwrap());
        assert!(times[0] > 0 && times.is_sorted(), "{out}");
        assert_eq!((&messages["message"], &messages["count"]), (&"Tick".into(), &1_000.into()));
        assert!(messages["value_bytes"].as_u64().unwrap() > 0, "{out}");
        for rate in [&pings["per_second"], &messages["per_second"], &messages["bytes_per_second"]] {
            assert!(rate.as_u64().unwrap() > 0, "{out}");
        }

        // A subscriber that takes nothing more: the time ends it, and what is not acknowledged is said. On a
        // busy machine there may be room for all that is published in so short a time.
        for seconds in ["0.2", "2", "20"] {
            let (code, out, err) =
                finish(bench(&["--count", "100000000", "--seconds", seconds, "--within", "5"])).await;
            assert!(out.contains("per second; each there and back") && out.contains("p99.9"), "{out}");
            if code != Some(0) {
                assert!(code == Some(1) && err.contains("a subscriber there does not keep up"), "{err}");
                break;
            }
            assert_ne!(seconds, "20", "there is always room");
        }

        // Pings alone need no contract.
        let mut command = Command::new(env!("CARGO_BIN_EXE_mycelium"));
        command.args(["bench", "--count", "10", "--pipeline", "1"]).current_dir(&node.directory);
        let (code, out, _) = finish(command.stdout(Stdio::piped()).spawn().unwrap()).await;
        assert!(code == Some(0) && out.starts_with("desk: 10 pings, 1 at a time, in "), "{out}");

        for (args, expected) in [
            (&["bench", "market.tiks", "--value", "{}"][..], "did you mean `market.ticks`?"),
            (&["bench", "market.ticks"], "--value"),
            (&["bench", "--seconds", "3601"], "at most 3600 seconds"),
        ] {
            let (code, _, err) = node.call(args).await;
            assert!(code == Some(2) && err.contains(expected), "{err}");
        }
        drop(ticks);
    });
}

#[test]
fn latency_that_is_interrupted_before_it_has_measured_says_so_in_json_too() {
    runs(async {
        let node = Node::start().await;
        let mut command = Command::new(env!("CARGO_BIN_EXE_mycelium"));
        command.args(["latency", "--interval", "3600", "--json"]).current_dir(&node.directory);
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let tool = command.spawn().unwrap();
        until(|| !node.bus.stats().links.is_empty()).await;
        signal(&tool, "-INT");
        let (code, out, err) = finish(tool).await;
        let found: serde_json::Value = serde_json::from_str(&out).unwrap_or_else(|_| panic!("{out}{err}"));
        assert_eq!((code, &found["round_trips"], &found["max_ns"]), (Some(0), &0.into(), &0.into()));
    });
}

#[test]
fn bench_says_that_nobody_subscribes() {
    runs(async {
        let node = Node::start().await;
        let args = ["bench", "market.ticks", "--message", "Tick", "--count", "1", "--value"];
        let value = r#"{"timestamp": 1, "price": 1.5, "size": 2.5, "index": 3, "asset": 7}"#;
        let (code, _, err) = node.call(&[&args[..], &[value]].concat()).await;
        assert!(code == Some(1) && err.contains("nobody at `desk` subscribes to `Tick`"), "{err}");
    });
}

#[test]
fn doctor_tells_what_is_wrong_with_a_node_and_its_directory() {
    runs(async {
        use std::os::unix::fs::PermissionsExt;
        let node = Node::start().await;
        let (code, out, err) = node.call(&["doctor"]).await;
        assert_eq!((code, err.as_str()), (Some(0), ""), "{out}");
        assert!(
            out.contains("`desk` answers, round trip ") && out.contains("nobody else may enter"),
            "{out}"
        );
        assert!(out.contains("means the same by each message that both know"), "{out}");

        // A dead process has left a socket behind, and so it is with a node that does not run.
        let dead = node.directory.join("run/dead.sock");
        drop(std::os::unix::net::UnixListener::bind(&dead).unwrap());
        let (code, out, _) = node.call(&["doctor"]).await;
        let left = format!("warning {}: nobody listens there: a dead process has left it", dead.display());
        assert!(code == Some(0) && out.contains(&left), "{out}");
        let (code, out, _) = node.call(&["doctor", "--connect", "run/dead.sock", "--quiet"]).await;
        assert_eq!(code, Some(1), "{out}");
        // Somebody else answers there than was asked for.
        let other = ["doctor", "--connect", "run/desk.sock", "--node", "audit", "--within", "1", "--quiet"];
        let (code, out, _) = node.call(&other).await;
        assert!(code == Some(1) && out.contains("wrong   audit at "), "{out}");
        let (code, out, _) = node.call(&["doctor", "--connect", "run/none.sock", "--quiet"]).await;
        assert!(code == Some(1) && out.contains("there is no socket: the node does not run"), "{out}");

        // A process that is stopped takes no connection.
        let (stopped, full) = (UnixSocket::new_stream().unwrap(), node.directory.join("run/full.sock"));
        stopped.bind(&full).unwrap();
        let (mut connected, _stopped) = (Vec::new(), stopped.listen(1).unwrap());
        while let Ok(socket) = UnixStream::connect(&full).await {
            connected.push(socket);
        }
        let (code, out, _) = node.call(&["doctor", "--connect", "run/full.sock", "--quiet"]).await;
        assert!(code == Some(1) && out.contains("its process is stopped, or does not look"), "{out}");
        std::fs::remove_file(full).unwrap();

        // Others may enter.
        let run = node.directory.join("run");
        std::fs::set_permissions(&run, PermissionsExt::from_mode(0o755)).unwrap();
        let (code, out, _) = node.call(&["doctor", "--quiet"]).await;
        assert!(code == Some(1) && out.contains("others may enter it (0755)"), "{out}");
        std::fs::set_permissions(&run, PermissionsExt::from_mode(0o700)).unwrap();

        // Another contract.
        let other = node.directory.join("other.yaml");
        let text =
            std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../contracts.yaml")).unwrap();
        let (before, tick) = text.split_once("\n  Tick:\n").unwrap();
        let tick = tick.replacen("asset: { type: u16,", "asset: { type: u32,", 1);
        std::fs::write(&other, format!("{before}\n  Tick:\n{tick}")).unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_mycelium"));
        command.args(["doctor", "--quiet", "--contract", "other.yaml"]).current_dir(&node.directory);
        let (code, out, _) = finish(command.stdout(Stdio::piped()).spawn().unwrap()).await;
        assert!(code == Some(1) && out.contains("message `Tick`: means something else: "), "{out}");
        let mut command = Command::new(env!("CARGO_BIN_EXE_mycelium"));
        command.args(["tap", "market.ticks", "--contract", "other.yaml"]).current_dir(&node.directory);
        let (code, _, err) = finish(command.stderr(Stdio::piped()).spawn().unwrap()).await;
        assert!(code == Some(2) && err.contains("contradict each other"), "{err}");
        assert_eq!(Tick::NAME, "Tick");
    });
}

#[test]
fn a_line_that_cannot_be_published_is_named_with_what_was_sent_before() {
    runs(async {
        let node = Node::start().await;
        let mut ticks = node.bus.subscriber::<Tick>().unwrap();
        let rows: [(&[u8], &str); 2] = [
            (b"{]\n", "error: line 3: this is no JSON: key must be a string at line 1 column 2; write"),
            (
                b"{\"price\": \"\xff\"}\n",
                "error: line 3: it is no UTF-8: write JSON as UTF-8; 1 were sent before\n",
            ),
        ];
        for (wrong, expected) in rows {
            let mut publish = node.command(&["pub", "market.ticks", "--json", "-"]);
            let mut publish = publish.stdin(Stdio::piped()).spawn().unwrap();
            let mut input = publish.stdin.take().unwrap();
            let good = r#"{"timestamp": 5, "price": 1, "size": 2, "index": 1, "asset": 7}"#;
            writeln!(input, "{good}\n").unwrap();
            input.write_all(wrong).unwrap();
            assert_eq!(ticks.recv().await.map(|tick| tick.index), Some(1));
            drop(input);
            let (code, _, err) = finish(publish).await;
            assert!(code == Some(2) && err.starts_with(expected), "{err}");
            assert!(err.ends_with("; 1 were sent before\n"), "{err}");
        }
    });
}
