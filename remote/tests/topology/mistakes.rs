//! Mistakes of topologies, and what is said of them.

/// A mode, what stands in the two nodes and behind them (without a mode: the whole text), and the mistake.
pub(crate) type Row = ([&'static str; 4], &'static str);

pub(crate) const MISTAKES: &[Row] = &[
    (
        ["", "", "", ""],
        "line 1, column 1: `[deployment]` is missing: write mode = \"monolith\", \"bundled\" or \"distributed\" there",
    ),
    (["", "", "", "[deployment]\n"], "line 1, column 1: `mode` is missing in [deployment]"),
    (
        ["", "", "", "[deployment]\nmode = \"bundel\""],
        "line 2, column 8: `mode` is \"bundel\", it must be one of monolith, bundled, distributed; did you mean `bundled`?",
    ),
    (
        ["", "", "", "[deployment]\nmode = \"monolith\""],
        "line 1, column 1: there is no node: describe each process in [[nodes]], with its name and services",
    ),
    (["bundled", "", "", "[[nodes]]\nservices = []"], "line 12, column 1: `name` is missing in [[nodes]]"),
    (
        ["bundled", "", "", "[[nodes]]\nname = \"a\""],
        "line 13, column 8: there is a node `a` in line 5 already: give each node a name of its own",
    ),
    (
        ["bundled", "", "", "[[nodes]]\nname = \"c\"\nservice = [\"x\"]"],
        "line 14, column 1: unknown key `service` in [[nodes]]; did you mean `services`?",
    ),
    (
        ["bundled", "", "", "[[nodes]]\nname = \"c\"\nservices = [\"s\"]"],
        "line 14, column 13: the service `s` runs in the node `a` already (line 6): a service runs in one node",
    ),
    (
        ["bundled", "", "", "[[nodes]]\nname = \"c\"\nservices = [\"x\", \"x\"]"],
        "line 14, column 18: `x` stands here twice: take one of them out",
    ),
    (
        ["bundled", "", "", "[[nodes]]\nname = \"c\"\nservices = [\"a\"]"],
        "line 14, column 13: the service `a` is called as the node in line 5, where it does not run: rename one of them",
    ),
    (
        ["bundled", "", "", "[[nodes]]\nname = \"monolith\""],
        "line 13, column 8: `monolith` is how the one process of a monolith is called: take another name",
    ),
    (
        ["bundled", "", "", "[[nodes]]\nname = \"a/b\""],
        "line 13, column 8: `name` is \"a/b\", which is no name: take 1 to 64 of the letters a-z and A-Z, digits, `-`, `_` and `.`, and no `.` first",
    ),
    (
        ["bundled", "", "", "[[nodes]]\nname = \"c\"\nport = 0"],
        "line 14, column 8: `port` is 0, it must lie between 1 and 65535",
    ),
    (
        ["bundled", "", "", "[[nodes]]\nname = \"c\"\nport = \"x\""],
        "line 14, column 8: `port` is \"x\", it must be a whole number between 1 and 65535",
    ),
    (
        ["bundled", "", "", "[[nodes]]\nname = \"c\"\nhost = \"h:1\""],
        "line 14, column 8: `host` is \"h:1\", which has a port in it: write \"h\" and port = 1",
    ),
    (
        ["bundled", "", "", "[[nodes]]\nname = \"c\"\nhost = \"0.0.0.0\""],
        "line 14, column 8: `host` is \"0.0.0.0\", which nobody can dial: write the address of the machine, and bind = \"0.0.0.0\" to listen at all of its addresses",
    ),
    (
        ["bundled", "", "", "[[nodes]]\nname = \"c\"\nendpoint.kind = \"tpc\""],
        "line 14, column 17: `kind` is \"tpc\", it must be one of unix, tcp, shm; did you mean `tcp`?",
    ),
    (
        ["bundled", "", "", "[[nodes]]\nname = \"c\"\nendpoint = { kind = \"tcp\", path = \"x\" }\nport = 1"],
        "line 14, column 35: `path` is that of a Unix socket, and the endpoint is TCP: leave it out, or write kind = \"unix\"",
    ),
    (
        ["bundled", "", "", "[[nodes]]\nname = \"c\"\nendpoint.kind = \"tcp\""],
        "line 14, column 1: `c` is to listen at TCP and has no port: write port = 7000, or another one",
    ),
    (
        ["bundled", "", "", "[[nodes]]\nname = \"c\"\nendpoint.path = \"/r/a.sock\""],
        "line 12, column 1: `c` and `a` (line 4) have one socket, /r/a.sock: give each a path of its own",
    ),
    (
        ["bundled", "", "", "[[nodes]]\nname = \"c\"\nendpoint.path = \"x/..\""],
        "line 14, column 17: `path` is that of a directory: write the path of a socket, such as \"run/desk.sock\"",
    ),
    (
        ["bundled", "", "", "[[nodes]]\nname = \"c\"\nendpoint.path = \"x/\""],
        "line 14, column 17: `path` is that of a directory: write the path of a socket, such as \"run/desk.sock\"",
    ),
    (
        ["bundled", "", "", "[[nodes]]\nname = \"c\"\nhost = \"..\""],
        "line 14, column 8: `host` is \"..\", which is no name or address of a machine: write one such as \"10.0.0.1\" or \"trader-1.example\"",
    ),
    (
        ["", "", "", "[deployment]\nmode = \"bundled\"\nplaintext = true\ntls = \"certs\""],
        "line 4, column 7: `plaintext` says that TCP is not encrypted, and `tls` that it is: take one of both out",
    ),
    (
        ["", "", "", "[deployment]\nmode = \"bundled\"\ntls = \"certs\"\n[[nodes]]\nname = \"Desk\""],
        "line 4, column 1: `Desk` cannot be in a certificate, which `tls` needs: name the node by 1 to 63 small letters, digits, `-`, `_` and `.`, the last three inside only and not beside `.`, what follows the last `.` no number, and not `ca` or `tool`",
    ),
    (
        ["bundled", "", "", "[[links]]\nbetween = [\"a\", \"t\"]"],
        "line 13, column 17: there is no node `t`: it is a service of the node `b`",
    ),
    (
        ["bundled", "", "", "[[links]]\nbetween = [\"a\", \"zz\"]"],
        "line 13, column 17: there is no node `zz`; nodes are a, b",
    ),
    (
        ["bundled", "", "", "[[links]]\nbetween = [\"a\", \"a\"]"],
        "line 13, column 11: both are the same node, which has no link with itself",
    ),
    (
        ["bundled", "", "", "[[links]]\nbetween = [\"a\"]"],
        "line 13, column 11: `between` names two nodes, such as [\"market\", \"trader\"]",
    ),
    (
        ["bundled", "", "", "[[links]]\nbetween = [\"a\", \"b\"]\n[[links]]\nbetween = [\"b\", \"a\"]"],
        "line 14, column 1: what is said of these two nodes stands in line 12 already: say it in one place",
    ),
    (
        ["bundled", "", "", "[[links]]\nbetween = [\"a\", \"b\"]\nlinked = false\ncapacity = 1"],
        "line 15, column 12: these nodes are not linked, so `capacity` means nothing: take it out",
    ),
    (
        ["bundled", "", "", "[defaults]\noverflow = \"conflate\""],
        "line 13, column 12: the queue of a link cannot conflate, because keys are taken from messages and it holds bytes: write \"drop_oldest\", and conflate at the subscriber",
    ),
    (
        ["bundled", "", "", "[topics.t]\ncapacity = 0"],
        "line 13, column 12: `capacity` is 0, it must lie between 1 and 16777216",
    ),
    (
        ["bundled", "", "", "[topics]\nt = 1"],
        "line 13, column 5: a table of [topics] must be a table, not integer",
    ),
    (
        ["distributed", "host = \"h1\"", "host = \"h2\"", ""],
        "line 8, column 1: `a` and `b` cannot reach each other: `a` has no port, and `b` has no port. Give `b` a port, or write linked = false for them in [[links]]",
    ),
    (
        ["distributed", "port = 1", "host = \"h2\"", ""],
        "line 8, column 1: `a` and `b` cannot reach each other: `a` is on localhost, where others do not reach it, and `b` has no port. Give the machine of `a` or `b` its address in `host`, and the node a port, or write linked = false for them in [[links]]",
    ),
    (
        ["distributed", "host = \"h1\"\nport = 1", "host = \"h2\"", ""],
        "line 4, column 1: `b` dials `a` at h1:1, over a network, and links are not encrypted: write tls = \"certs\" in [deployment] (`mycelium certs`), or plaintext = true if nobody else reaches that network",
    ),
    (
        [
            "distributed",
            "host = \"203.0.113.7\"\nbind = \"127.0.0.1\"\nport = 1",
            "host = \"203.0.113.8\"",
            "",
        ],
        "line 4, column 1: `b` dials `a` at 203.0.113.7:1, and `a` listens at 127.0.0.1:1 alone, where nobody reaches it by that address: take `bind` out, or write bind = \"0.0.0.0\"",
    ),
    (
        ["distributed", "bind = \"10.0.0.1\"\nport = 1\nendpoint.kind = \"tcp\"", "", ""],
        "line 4, column 1: `b` dials `a` at 127.0.0.1:1, and `a` listens at 10.0.0.1:1 alone, where nobody reaches it by that address: take `bind` out, or write bind = \"0.0.0.0\"",
    ),
    (
        ["distributed", "host = \"::1\"\nbind = \"127.0.0.1\"\nport = 1\nendpoint.kind = \"tcp\"", "", ""],
        "line 4, column 1: `b` dials `a` at [::1]:1, and `a` listens at 127.0.0.1:1 alone, where nobody reaches it by that address: take `bind` out, or write bind = \"::\"",
    ),
    (
        ["distributed", "host = \"::ffff:127.0.0.1\"\nport = 1", "host = \"h2\"", ""],
        "line 9, column 1: `a` and `b` cannot reach each other: `a` is on localhost, where others do not reach it, and `b` has no port. Give the machine of `a` or `b` its address in `host`, and the node a port, or write linked = false for them in [[links]]",
    ),
    (
        ["bundled", "", "", "[[nodes]]\nname = \"c\"\nhost = \"...\""],
        "line 14, column 8: `host` is \"...\", which is no name or address of a machine: write one such as \"10.0.0.1\" or \"trader-1.example\"",
    ),
    (
        ["bundled", "", "", "[[nodes]]\nname = \"c\"\nendpoint.path = \"/x/../r//./a.sock\""],
        "line 12, column 1: `c` and `a` (line 4) have one socket, /r/a.sock: give each a path of its own",
    ),
    (
        ["bundled", "", "", "[defaults]\nhold_ms = \"${PORT}s\""],
        "line 13, column 11: `hold_ms` is \"7100s\", it must be a number",
    ),
    (
        ["bundled", "", "", "[defaults]\nhold_ms = \"-${PORT}\""],
        "line 13, column 11: `hold_ms` is \"-7100\", it must not be negative",
    ),
    (
        ["bundled", "", "", "[defaults]\nhold_ms = \"1e300\""],
        "line 13, column 11: `hold_ms` is \"1e300\", that is more than 100 years",
    ),
    (
        ["bundled", "", "", "[defaults]\nspin_us = -1"],
        "line 13, column 11: `spin_us` is -1, it must not be negative",
    ),
    (
        ["bundled", "", "", "[defaults]\nspin_us = \"2000000\""],
        "line 13, column 11: `spin_us` is more than 1000000 microseconds, for which a thread would be busy: write less",
    ),
    (
        ["bundled", "", "", "[defaults]\nring_kib = 3"],
        "line 13, column 12: `ring_kib` is 3, it must lie between 4 and 65536",
    ),
    (
        ["bundled", "", "", "[defaults]\nring_kib = \"64 KiB\""],
        "line 13, column 12: `ring_kib` is \"64 KiB\", it must be a whole number between 4 and 65536",
    ),
    (
        [
            "bundled",
            "endpoint.kind = \"unix\"",
            "endpoint.kind = \"shm\"",
            "[[links]]\nbetween = [\"a\", \"b\"]\nring_kib = 64",
        ],
        "line 14, column 12: `ring_kib` is for shared memory, and these nodes are linked over a Unix socket: take it out, or write endpoint.kind = \"shm\" for `a`, which listens, if both are on one machine",
    ),
    (
        ["bundled", "", "", "[[links]]\nbetween = [\"a\", \"b\"]\nlinked = false\nspin_us = 1"],
        "line 15, column 11: these nodes are not linked, so `spin_us` means nothing: take it out",
    ),
    (
        ["monolith", "env = { X = \"1\", Y = \"1\" }", "env = { Y = \"1\", X = \"2\" }", ""],
        "line 8, column 1: `b` and `a` (line 4) set the variable `X` to different values, and in a monolith they are one process: give it one value, or each node a variable of its own",
    ),
    (
        ["bundled", "", "", "[[nodes]]\nname = \"c\"\nenv = { \"a=b\" = \"x\" }"],
        "line 14, column 17: `a=b` is no name of a variable of an environment",
    ),
    (
        ["bundled", "", "", "[[nodes]]\nname = \"c\"\nenv = { MYCELIUM_NODE = \"a\" }"],
        "line 14, column 25: `MYCELIUM_NODE` is set by `mycelium topology run`, which tells each node by such variables who it is: take it out, or give it another name",
    ),
    (
        ["distributed", "host = \"[::1\"", "", ""],
        "line 7, column 8: `host` is \"[::1\", which is no name or address of a machine: write one such as \"10.0.0.1\" or \"trader-1.example\"",
    ),
    (
        ["bundled", "endpoint.path = \"\"", "", ""],
        "line 7, column 17: `path` is an empty text: write a path, or leave it out",
    ),
    (
        ["bundled", "endpoint.path = \"a\\u0000b\"", "", ""],
        "line 7, column 17: `path` has a zero byte in it, which no path may have",
    ),
];
