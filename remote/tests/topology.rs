//! Texts of topologies: what is read, each mistake, and plans.

#[path = "topology/mistakes.rs"]
mod mistakes;

use std::collections::BTreeSet;

use mycelium_random::{Random, seeds};
use mycelium_remote::topology::{
    Endpoint, Given, MONOLITH, Mode, NODES_MAX, PlannedTree, QueuePolicy, TOPOLOGY_BYTES_MAX, Topology,
};

use crate::mistakes::MISTAKES;

fn variable(name: &str) -> Option<String> {
    let set = [("RUN", "/run/desk"), ("PORT", "7100"), ("EMPTY", ""), ("HOST_B", "10.0.0.2"), ("LONG", LONG)];
    set.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned())
}

const LONG: &str = match std::str::from_utf8(&[b'x'; 3_000]) {
    Ok(text) => text,
    Err(_) => "",
};

fn parse(text: &str) -> Result<Topology, String> {
    let given = Given { directory: "/srv".as_ref(), variable: &variable };
    Topology::parse(text, &given).map_err(|mistake| {
        assert!(mistake.line > 0 && mistake.column > 0);
        mistake.to_string()
    })
}

/// Nodes `a` with service `s`, `b` with `t`, and what else stands in each table.
fn two(mode: &str, head: &str, a: &str, b: &str) -> String {
    format!(
        "{head}\n[deployment]\nmode = \"{mode}\"\n[[nodes]]\nname = \"a\"\nservices = [\"s\"]\n{a}\n[[nodes]]\nname = \"b\"\n\
         services = [\"t\"]\n{b}\n"
    )
}

/// Of each node what it listens at, and its links.
fn wiring(text: &str) -> Vec<String> {
    let topology = parse(text).unwrap_or_else(|mistake| panic!("{mistake}\n{text}"));
    let mut lines = Vec::new();
    for plan in topology.plans() {
        let listens: Vec<String> = plan.listens.iter().map(Endpoint::to_string).collect();
        lines.push(format!("{} listens at [{}]", plan.node, listens.join(", ")));
        lines.extend(plan.links.iter().map(|link| format!("{} {link} ({})", plan.node, link.why)));
    }
    lines
}

#[test]
fn nodes_of_a_machine_are_linked_as_the_one_that_listens_is() {
    let text = |a: &str, b: &str| two("bundled", "socket_dir = \"/r\"", a, b);
    let shm = "endpoint.kind = \"shm\"";
    let why = "(mode is bundled, so both are on one machine)";
    for (b, b_listens) in [(shm, "shm"), ("", "unix")] {
        let expected = [
            "a listens at [shm /r/a.sock]".to_owned(),
            format!("a dialed by b at shm /r/a.sock {why}"),
            format!("b listens at [{b_listens} /r/b.sock]"),
            format!("b dials a at shm /r/a.sock {why}"),
        ];
        assert_eq!(wiring(&text(shm, b)), expected);
    }
    let unix = wiring(&text("", shm));
    assert!(unix.contains(&format!("b dials a at unix /r/a.sock {why}")), "{unix:?}");
}

#[test]
fn one_file_is_a_monolith_a_bundle_or_distributed_by_its_mode() {
    let text = |mode: &str| {
        two(
            mode,
            "socket_dir = \"${RUN}\"",
            "host = \"10.0.0.1\"\nport = 7001",
            "host = \"${HOST_B}\"\nport = \"${PORT}\"",
        )
        .replace("[[nodes]]\nname = \"a\"", "plaintext = true\n[[nodes]]\nname = \"a\"")
    };
    assert_eq!(wiring(&text("monolith")), ["monolith listens at []"]);
    let unix = "unix /run/desk/a.sock";
    let why = "mode is bundled, so both are on one machine";
    assert_eq!(
        wiring(&text("bundled")),
        [
            format!("a listens at [{unix}]"),
            format!("a dialed by b at {unix} ({why})"),
            "b listens at [unix /run/desk/b.sock]".to_owned(),
            format!("b dials a at {unix} ({why})"),
        ]
    );
    let why = "they are on 10.0.0.1 and 10.0.0.2";
    assert_eq!(
        wiring(&text("distributed")),
        [
            format!("a listens at [{unix}, tcp 10.0.0.1:7001]"),
            format!("a dialed by b at tcp 10.0.0.1:7001 ({why})"),
            "b listens at [unix /run/desk/b.sock]".to_owned(),
            format!("b dials a at tcp 10.0.0.1:7001 ({why})"),
        ]
    );
}

#[test]
fn plans_are_found_by_node_and_by_service() {
    let bundled = parse(&two("bundled", "socket_dir = \"run\"", "", "")).unwrap();
    assert_eq!(bundled.mode(), Mode::Bundled);
    assert_eq!(bundled.plan("a"), bundled.plan("s"));
    assert_eq!(&*bundled.plan("t").unwrap().node, "b");
    let unknown = bundled.plan("stratgy").unwrap_err().to_string();
    assert_eq!(
        unknown,
        "the topology has no node and no service `stratgy`; its nodes are a, b, its services s, t"
    );
    assert!(bundled.plan(MONOLITH).is_err());
    let monolith = parse(&two("monolith", "", "", "")).unwrap();
    for name in ["a", "b", "s", "t", MONOLITH] {
        let plan = monolith.plan(name).unwrap();
        assert_eq!((&*plan.node, plan.services.len(), plan.links.len()), (MONOLITH, 2, 0));
    }
    assert!(monolith.plan("strategy").is_err(), "a name that is wrong in one mode is wrong in each");
}

#[test]
fn tcp_is_used_where_it_is_asked_for_and_where_nothing_else_reaches() {
    let tcp = "endpoint.kind = \"tcp\"\nport = 7001";
    let why = "mode is bundled, so both are on one machine, and `a` asks for TCP; `b` has no port";
    assert_eq!(
        wiring(&two("bundled", "socket_dir = \"/r\"", tcp, "")),
        [
            "a listens at [tcp 127.0.0.1:7001]".to_owned(),
            format!("a dialed by b at tcp 127.0.0.1:7001 ({why})"),
            "b listens at [unix /r/b.sock]".to_owned(),
            format!("b dials a at tcp 127.0.0.1:7001 ({why})"),
        ]
    );
    // The first one has no port, so it dials though its name comes first; the second listens everywhere.
    let open = "host = \"10.0.0.2\"\nport = 7002\nbind = \"0.0.0.0\"";
    let text = two("distributed", "", "", open).replace("mode =", "plaintext = true\nmode =");
    let why = "they are on localhost and 10.0.0.2; `a` has no port";
    assert_eq!(
        wiring(&text),
        [
            "a listens at []".to_owned(),
            format!("a dials b at tcp 10.0.0.2:7002 ({why})"),
            "b listens at [tcp 0.0.0.0:7002]".to_owned(),
            format!("b dialed by a at tcp 10.0.0.2:7002 ({why})"),
        ]
    );
}

#[test]
fn what_is_said_of_links_and_topics_comes_before_what_is_said_of_all() {
    let text = two("bundled", "socket_dir = \"/r\"", "", "")
        + "[defaults]\noverflow = \"drop_newest\"\ncapacity = 64\nhold_ms = 1500\n[[links]]\nbetween = [\"b\", \"a\"]\n\
           overflow = \"fail\"\n[topics.\"market.ticks\"]\ncapacity = 8\n";
    let topology = parse(&text).unwrap();
    let rule = topology.plan("a").unwrap().links[0].rule;
    assert_eq!((rule.queue.overflow, rule.queue.capacity), (Some(QueuePolicy::Fail), Some(64)));
    assert_eq!(rule.hold.map(|hold| hold.as_millis()), Some(1_500));
    let topic = topology.topics()["market.ticks"];
    assert_eq!(topic.or(rule.queue).overflow, Some(QueuePolicy::Fail));
    assert_eq!(topic.or(rule.queue).capacity, Some(8));
    let cut = two("bundled", "socket_dir = \"/r\"", "", "")
        + "[[links]]\nbetween = [\"a\", \"b\"]\nlinked = false\n";
    assert!(parse(&cut).unwrap().plan("a").unwrap().links.is_empty());
}

/// Each process reads the file in its own environment.
#[test]
fn a_node_has_no_variable_by_which_it_would_read_another_file() {
    let read = |port: &str, env: &str| {
        let own = format!("endpoint.kind = \"tcp\"\nport = \"{port}\"\nenv = {{ {env} }}");
        parse(&two("bundled", "socket_dir = \"/r\"", &own, "")).map(|_| ())
    };
    let error = read("${PORT:-7000}", "PORT = \"8080\"").unwrap_err().to_string();
    assert_eq!(
        error,
        "line 9, column 16: this file reads `PORT` from the environment and has \"7100\", and the process of this \
         node would read \"8080\" there, so that they disagree about the rest: give this variable another name, or \
         define `PORT` in [variables]"
    );
    let error = read("7000", "RUN = \"/elsewhere\", X = \"${RUN}\"").unwrap_err().to_string();
    assert!(error.contains("reads `RUN` from the environment and has \"/run/desk\""), "{error}");
    // What is handed on as it is, or is not asked for.
    read("${PORT:-7000}", "PORT = \"${PORT:-7000}\"").unwrap();
    read("7000", "RUN = \"${RUN}\", EMPTY = \"${EMPTY:-}\", OTHER = \"x\"").unwrap();
    read("${EMPTY:-7000}", "EMPTY = \"\"").unwrap();
}

#[test]
fn variables_come_from_the_file_the_environment_and_defaults() {
    let path = |head: &str, dir: &str| {
        let text = two("bundled", &format!("socket_dir = '{dir}'\n{head}"), "", "");
        parse(&text).map(|topology| topology.plan("a").unwrap().listens[0].to_string())
    };
    let file = "[variables]\nBASE = \"${RUN}/x\"\nDEEP = \"${BASE}/y\"";
    assert_eq!(path(file, "${DEEP}").unwrap(), "unix /run/desk/x/y/a.sock");
    assert_eq!(path("", "${NONE:-/d}").unwrap(), "unix /d/a.sock");
    assert_eq!(path("", "${EMPTY:-/d}").unwrap(), "unix /d/a.sock");
    assert_eq!(path("", "/$$x$y").unwrap(), "unix /$x$y/a.sock");
    assert_eq!(path("", "rel").unwrap(), "unix /srv/rel/a.sock");
    let rows = [
        (
            "",
            "${NONE}",
            "line 1, column 14: the variable `NONE` is not set: set it in the environment or in [variables], or write ${NONE:-default}",
        ),
        (
            "[variables]\nBASES = \"/x\"",
            "${BASE}",
            "line 1, column 14: the variable `BASE` is not set: set it in the environment or in [variables], or write ${BASE:-default}; did you mean `BASES`?",
        ),
        (
            "",
            "${RUN",
            "line 1, column 14: `${` has no `}` behind it: close it, or write `$$` for a dollar sign",
        ),
        (
            "",
            "${a-b}",
            "line 1, column 14: `${a-b}` is no variable: write ${NAME} or ${NAME:-default}, or `$$` for a dollar sign",
        ),
        (
            "",
            "${A:-${B}}",
            "line 1, column 14: the default of `A` has a variable in it: give that one a name in [variables]",
        ),
        (
            "[variables]\nA = \"${B}\"\nB = \"${C}\"\nC = \"${B}\"",
            "/x",
            "line 5, column 5: the variable `B` is made of itself (B -> C -> B): give one of them a text without the others",
        ),
        (
            "[variables]\nA = \"${A:-1}\"",
            "/x",
            "line 3, column 5: the variable `A` is made of itself (A -> A): give one of them a text without the others",
        ),
        (
            "[variables]\n1A = \"x\"",
            "/x",
            "line 3, column 6: `1A` is no name of a variable: take letters, digits and `_`, and no digit first",
        ),
        (
            "",
            "${LONG}${LONG}",
            "line 1, column 14: with its variables put in, this text has more than 4096 bytes",
        ),
        (
            "[variables]\nA = 1",
            "/x",
            "line 3, column 5: `A` in `variables` must be a string in quotes, not integer",
        ),
    ];
    for (head, dir, expected) in rows {
        assert_eq!(path(head, dir).unwrap_err(), expected);
    }
}

/// Each mistake has a place, a cause and a remedy.
#[test]
fn each_mistake_says_where_it_is_and_how_to_mend_it() {
    let unix = "socket_dir = \"/r\"";
    let mut wrong = Vec::new();
    let mut compare = |text: &str, expected: &str| {
        let got = parse(text).expect_err(expected);
        wrong.extend((got != expected).then(|| format!("{got}\n{expected}\n")));
    };
    for ([mode, a, b, rest], expected) in MISTAKES {
        let nodes = if mode.is_empty() { String::new() } else { two(mode, unix, a, b) };
        compare(&(nodes + rest), expected);
    }
    let tcp = "endpoint.kind = \"tcp\"\nport = 7";
    compare(
        &(two("bundled", unix, tcp, tcp) + "[[nodes]]\nname = \"c\""),
        "line 9, column 1: `b` and `a` (line 4) listen both at 127.0.0.1:7: give each a port of its own",
    );
    compare(
        &two("bundled", "", "", ""),
        "line 4, column 1: `a` has no path for its socket: write socket_dir = \"run\" at the head of the file, or \
         endpoint.path here",
    );
    let long = "d".repeat(100);
    compare(
        &two("bundled", &format!("socket_dir = \"/{long}\""), "", ""),
        &format!(
            "line 4, column 1: the socket of `a` is /{long}/a.sock, which has 108 bytes: systems take 103; choose a \
             shorter socket_dir"
        ),
    );
    compare(
        &two("bundled", unix, &format!("endpoint.path = \"/{long}/a.s\""), ""),
        &format!(
            "line 4, column 1: the socket of `a` is /{long}/a.s, which has 105 bytes: systems take 103; choose a shorter \
             endpoint.path"
        ),
    );
    assert!(wrong.is_empty(), "got, and expected:\n{}", wrong.join("\n"));
}

#[test]
fn a_node_may_listen_at_other_addresses_by_which_it_is_reached() {
    let listens = |host: &str, bind: &str| {
        let a = format!("host = \"{host}\"\nbind = \"{bind}\"\nport = 1\nendpoint.kind = \"tcp\"");
        let text = two("distributed", "", &a, "").replace("mode =", "plaintext = true\nmode =");
        parse(&text).map(|topology| topology.plan("a").unwrap().listens[0].to_string())
    };
    // Behind a translated address, at all addresses, at its own one, and by a name of this machine.
    for (host, bind, at) in [
        ("203.0.113.7", "10.0.0.1", "10.0.0.1"),
        ("203.0.113.7", "0.0.0.0", "0.0.0.0"),
        ("localhost", "0.0.0.0", "0.0.0.0"),
        ("localhost", "127.0.0.1", "127.0.0.1"),
        ("127.0.0.1", "localhost", "127.0.0.1"),
        ("feed.localhost", "::1", "[::1]"),
        ("h1", "h2", "h2"),
        ("10.0.0.1", "::", "[::]"),
        ("2001:db8::1", "::", "[::]"),
        ("h1", "0.0.0.0", "0.0.0.0"),
    ] {
        assert_eq!(listens(host, bind).as_deref(), Ok(&*format!("tcp {at}:1")), "{host} {bind}");
    }
    for (host, bind) in [("h1", "localhost"), ("127.0.0.1", "127.0.0.2"), ("feed.localhost", "10.0.0.1")] {
        assert!(listens(host, bind).unwrap_err().contains("alone"), "{host} {bind}");
    }
    // Nobody who dials an address of one kind reaches one of the other: 0.0.0.0 has none of IPv6.
    for (host, bind, all) in [
        ("2001:db8::1", "0.0.0.0", "::"),
        ("2001:db8::1", "10.0.0.1", "::"),
        ("::1", "0.0.0.0", "::"),
        ("10.0.0.1", "2001:db8::1", "0.0.0.0"),
    ] {
        let mistake = listens(host, bind).unwrap_err();
        assert!(mistake.contains("alone") && mistake.contains(&format!("bind = \"{all}\"")), "{mistake}");
    }
    // One that asks for TCP listens there also if no node dials it, but not openly to a network.
    let tcp = |host: &str, head: &str| {
        let b = format!("{host}\nendpoint.kind = \"tcp\"\nport = 2");
        let text = two("distributed", "", "endpoint.kind = \"tcp\"\nport = 1", &b);
        let text = text + "[[links]]\nbetween = [\"a\", \"b\"]\nlinked = false\n";
        let listens =
            parse(&text.replace("mode =", &format!("{head}\nmode ="))).unwrap().plan("b").unwrap().listens;
        listens.iter().map(Endpoint::to_string).collect::<Vec<_>>().join(", ")
    };
    assert_eq!(tcp("", ""), "tcp 127.0.0.1:2");
    assert_eq!(tcp("host = \"10.0.0.1\"", ""), "");
    assert_eq!(tcp("host = \"10.0.0.1\"", "tls = \"certs\""), "tcp 10.0.0.1:2");
    assert_eq!(tcp("host = \"10.0.0.1\"", "plaintext = true"), "tcp 10.0.0.1:2");
    // Another node that nobody dials over TCP listens at none.
    let unused = two("distributed", "socket_dir = \"/r\"", "bind = \"10.0.0.1\"\nport = 1", "");
    assert_eq!(wiring(&unused)[0], "a listens at [unix /r/a.sock]");
}

#[test]
fn with_tls_tcp_may_leave_the_machine() {
    let text = two("distributed", "", "host = \"h1\"\nport = 1", "host = \"h2\"");
    let tls = parse(&text.replace("mode =", "tls = \"../certs\"\nmode =")).unwrap();
    assert_eq!(tls.tls(), Some("/srv/../certs".as_ref()));
    assert!(!tls.plaintext() && tls.plan("b").unwrap().links[0].dials);
    assert_eq!(parse(&two("monolith", "", "", "")).unwrap().tls(), None);
}

/// As a system takes them: they begin at the directory of the file, and `..` is the directory above.
#[test]
fn paths_begin_at_the_directory_of_the_file() {
    let listens = |head: &str, a: &str| {
        parse(&two("bundled", head, a, "")).unwrap().plan("a").unwrap().listens[0].to_string()
    };
    for (head, a, expected) in [
        ("socket_dir = \"run\"", "", "unix /srv/run/a.sock"),
        ("socket_dir = \"../run\"", "", "unix /srv/../run/a.sock"),
        ("socket_dir = \"/run\"", "endpoint.path = \"x/../a.sock\"", "unix /srv/x/../a.sock"),
        ("socket_dir = \".\"", "", "unix /srv/./a.sock"),
    ] {
        assert_eq!(listens(head, a), expected);
    }
}

#[test]
fn the_tree_of_a_node_is_a_file_from_the_directory_of_the_topology_on() {
    let trees = |mode: &str, name: &str| {
        let text =
            two(mode, "socket_dir = \"run\"", "tree = \"${EMPTY:-trees}/a.toml\"", "tree = \"/b.toml\"");
        let of = |tree: PlannedTree| {
            format!(
                "{} {} {} {}",
                tree.node,
                tree.services.join(","),
                tree.file.path.display(),
                tree.file.place.line
            )
        };
        parse(&text).unwrap().plan(name).unwrap().trees.into_iter().map(of).collect::<Vec<_>>()
    };
    assert_eq!(trees("bundled", "s"), ["a s /srv/trees/a.toml 7"]);
    assert_eq!(trees("bundled", "b"), ["b t /b.toml 11"]);
    assert_eq!(trees("monolith", "s"), ["a s /srv/trees/a.toml 7", "b t /b.toml 11"]);
    let bare = two("bundled", "socket_dir = \"run\"", "", "");
    assert!(parse(&bare).unwrap().plans().iter().all(|plan| plan.trees.is_empty()));
    for (tree, cause) in [
        ("tree = \"\"", "line 7, column 8: `tree` is an empty text: write a path, or leave it out"),
        ("tree = [\"a.toml\"]", "line 7, column 8: `tree` must be a string, not array"),
    ] {
        assert_eq!(parse(&two("bundled", "socket_dir = \"run\"", tree, "")).unwrap_err(), cause);
    }
}

#[test]
fn rings_and_spinning_are_said_for_all_links_and_for_one() {
    let shm = "endpoint.kind = \"shm\"";
    let text = two("bundled", "socket_dir = \"/r\"", shm, "")
        + "[defaults]\nspin_us = 20.5\nring_kib = 64\n[[links]]\nbetween = [\"a\", \"b\"]\nring_kib = \"1024\"\n";
    let rule = parse(&text).unwrap().plan("b").unwrap().links[0].rule;
    assert_eq!((rule.spin.map(|spin| spin.as_nanos()), rule.ring_kib), (Some(20_500), Some(1_024)));
    // What is said of all means nothing for links over sockets, and is no mistake.
    let text = two("bundled", "socket_dir = \"/r\"", "", "") + "[defaults]\nspin_us = 20\n";
    assert!(parse(&text).is_ok());
}

#[test]
fn times_are_numbers_or_texts_with_variables() {
    let hold = |said: &str| {
        let text = two("bundled", "socket_dir = \"/r\"", "", "") + &format!("[defaults]\nhold_ms = {said}\n");
        parse(&text).unwrap().plan("a").unwrap().links[0].rule.hold.unwrap()
    };
    for (said, micros) in
        [("1500", 1_500_000), ("0.5", 500), ("\"${PORT}\"", 7_100_000), ("\"${NONE:-0.5}\"", 500)]
    {
        assert_eq!(hold(said).as_micros(), micros, "{said}");
    }
}

#[test]
fn the_one_process_of_a_monolith_has_the_environment_and_the_command_of_its_nodes() {
    let plan = |head: &str, a: &str, b: &str| {
        let text = two("monolith", "", a, b).replace("mode =", &format!("{head}\nmode ="));
        parse(&text).unwrap().plan(MONOLITH).unwrap()
    };
    let env = plan("", "env = { X = \"1\", Y = \"2\" }", "env = { Y = \"2\", Z = \"3\" }").env;
    let env: Vec<String> = env.into_iter().map(|(name, value)| format!("{name}={value}")).collect();
    assert_eq!(env, ["X=1", "Y=2", "Z=3"]);
    let (all, own, other) = ("command = [\"all\"]", "command = [\"own\"]", "command = [\"other\"]");
    for (head, a, b, expected) in [
        ("", "", "", ""),
        (all, "", "", "all"),
        ("", own, own, "own"),
        (all, own, own, "own"),
        ("", own, "", ""),
        (all, own, "", "all"),
        (all, own, other, "all"),
    ] {
        assert_eq!(plan(head, a, b).command.join(" "), expected, "{head} {a} {b}");
    }
    let bundled = parse(&two("bundled", "socket_dir = \"/r\"", own, "env = { X = \"1\" }")).unwrap();
    let (a, b) = (bundled.plan("a").unwrap(), bundled.plan("b").unwrap());
    assert_eq!((a.command, b.env), (vec!["own".to_owned()], vec![("X".to_owned(), "1".to_owned())]));
}

#[test]
fn a_topology_has_bounds() {
    let nodes = |count: usize| {
        let nodes: String = (0..count).map(|n| format!("[[nodes]]\nname = \"n{n}\"\n")).collect();
        format!("socket_dir = \"/r\"\n[deployment]\nmode = \"bundled\"\n{nodes}")
    };
    let most = parse(&nodes(NODES_MAX)).unwrap();
    assert_eq!(most.pairs().len(), NODES_MAX * (NODES_MAX - 1) / 2);
    assert_eq!(most.plan("n7").unwrap().links.len(), NODES_MAX - 1);
    assert!(parse(&nodes(NODES_MAX + 1)).unwrap_err().contains("it may have 256"));
    let long = " ".repeat(usize::try_from(TOPOLOGY_BYTES_MAX).unwrap() + 1);
    assert!(parse(&long).unwrap_err().contains("a topology has at most 1048576"));
    // Each variable is put in once, so that they do not grow like powers.
    let chain: String = (1..200).map(|n| format!("V{n} = \"${{V{}}}${{V{}}}\"\n", n - 1, n - 1)).collect();
    let text = two("monolith", &format!("[variables]\nV0 = \"x\"\n{chain}"), "", "");
    assert!(parse(&text).unwrap_err().contains("more than 4096 bytes"));
}

/// Whatever a topology is: each two nodes have one link, one of them dials where the other listens, and both
/// know it.
#[test]
fn two_nodes_never_dial_each_other_and_one_of_them_always_does() {
    let mut sound = 0;
    for seed in seeds(500) {
        let mut random = Random::new(seed);
        let mode = random.pick(&["bundled", "distributed"]);
        let mut text = format!("socket_dir = \"/r\"\n[deployment]\nmode = \"{mode}\"\nplaintext = true\n");
        let mut names: Vec<String> = (0..2 + random.index(6)).map(|n| format!("n{n}")).collect();
        for at in 0..names.len() {
            let other = random.index(names.len());
            names.swap(at, other);
        }
        for (number, name) in names.iter().enumerate() {
            text += &format!("[[nodes]]\nname = \"{name}\"\n");
            if random.chance(60) {
                text +=
                    &format!("host = \"{}\"\n", random.pick(&["h1", "h2", "10.0.0.3", "localhost", "::1"]));
            }
            if random.chance(80) {
                text += &format!("port = {}\n", 7_000 + number);
                text += random.pick(&["", "", "endpoint.kind = \"tcp\"\n"]);
            }
        }
        let Ok(topology) = parse(&text) else { continue };
        sound += 1;
        assert_eq!(topology, parse(&text).unwrap());
        let plans = topology.plans();
        let mut seen = BTreeSet::new();
        for plan in &plans {
            assert_eq!(plan.links.len(), plans.len() - 1, "{text}");
            for link in &plan.links {
                let peer = plans.iter().find(|peer| peer.node == link.peer).unwrap();
                let back = peer.links.iter().find(|back| back.peer == plan.node).unwrap();
                assert_eq!((back.dials, &back.endpoint), (!link.dials, &link.endpoint), "{text}");
                if link.dials {
                    assert!(peer.listens.contains(&link.endpoint), "{text}");
                    assert!(seen.insert((plan.node.clone(), link.peer.clone())));
                }
            }
        }
        assert_eq!(seen.len(), plans.len() * (plans.len() - 1) / 2);
    }
    assert!(sound > 0, "no topology was sound");
    println!("{sound} of them were sound");
}

#[test]
fn a_tool_reaches_a_process_by_its_socket_first_whatever_runs_there() {
    let text = |mode: &str| {
        two(
            mode,
            "socket_dir = \"${RUN}\"",
            "host = \"10.0.0.1\"\nport = 7001",
            "host = \"${HOST_B}\"\nport = 7002",
        )
        .replace("mode =", "plaintext = true\nmode =")
    };
    let reach = |mode: &str, name: &str| {
        let found = parse(&text(mode)).unwrap().reach(name).map_err(|unknown| unknown.to_string());
        found.map(|endpoints| endpoints.iter().map(ToString::to_string).collect::<Vec<_>>())
    };
    let (unix, tcp) = ("unix /run/desk/a.sock".to_owned(), "tcp 10.0.0.1:7001".to_owned());
    assert_eq!(reach("distributed", "s"), Ok(vec![unix.clone(), tcp]));
    assert_eq!(reach("bundled", "a"), Ok(vec![unix]));
    assert!(reach("bundled", "x").unwrap_err().contains("no node and no service `x`"));
    for (mode, homes) in [("distributed", ["a", "b", "a", "b"]), ("monolith", [MONOLITH; 4])] {
        let topology = parse(&text(mode)).unwrap();
        assert_eq!((topology.mode().to_string().as_str(), topology.mode().name()), (mode, mode));
        let found = topology.homes();
        assert_eq!(found.keys().map(|name| &**name).collect::<Vec<_>>(), ["a", "b", "s", "t"]);
        assert_eq!(found.values().map(|home| &**home).collect::<Vec<_>>(), homes);
        assert_eq!(topology.services().map(|name| &**name).collect::<Vec<_>>(), ["s", "t"]);
        let hosts: Vec<_> = topology.nodes().iter().map(|node| (node.host(), node.is_loopback())).collect();
        assert_eq!(hosts, [("10.0.0.1", false), ("10.0.0.2", false)]);
        let pairs = if mode == "monolith" { 0 } else { 1 };
        assert_eq!(
            (topology.pairs().len(), topology.command().len(), topology.topics().len()),
            (pairs, 0, 0)
        );
        assert_eq!(topology.topic_place("ticks"), None);
    }
    let policies = [QueuePolicy::Block, QueuePolicy::DropOldest, QueuePolicy::DropNewest, QueuePolicy::Fail];
    assert_eq!(policies.map(|policy| policy.to_string()), ["block", "drop_oldest", "drop_newest", "fail"]);
}
