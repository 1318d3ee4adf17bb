//! Anything that calls itself a topology.

use mycelium_remote::topology::{Given, NODES_MAX, Topology};

use crate::Target;

pub(crate) const TARGET: Target = Target {
    name: "topology",
    reads: "topologies in TOML",
    run,
    seeds,
    words: &[
        b"socket_dir = \"/r\"\n",
        b"[deployment]\n",
        b"mode = \"monolith\"\n",
        b"mode = \"bundled\"\n",
        b"mode = \"distributed\"\n",
        b"plaintext = true\n",
        b"[[nodes]]\nname = \"a\"\n",
        b"services = [\"s\"]\n",
        b"host = \"10.0.0.1\"\n",
        b"bind = \"0.0.0.0\"\n",
        b"port = 7000\n",
        b"endpoint.kind = \"tcp\"\n",
        b"endpoint.path = \"x\"\n",
        b"command = [\"x\"]\n",
        b"env = { A = \"b\" }\n",
        b"[variables]\nA = \"${B}\"\n",
        b"${A}",
        b"${SET:-x}",
        b"$$",
        b"[defaults]\n",
        b"[[links]]\nbetween = [\"a\", \"b\"]\n",
        b"linked = false\n",
        b"[topics.t]\n",
        b"overflow = \"drop_oldest\"\n",
        b"capacity = 1\n",
        b"hold_ms = 1\n",
    ],
};

fn run(bytes: &[u8]) -> bool {
    let variable = |name: &str| (name == "SET").then(|| "a".to_owned());
    let given = Given { directory: "/srv".as_ref(), variable: &variable };
    let Ok(text) = std::str::from_utf8(bytes) else { return false };
    let topology = match Topology::parse(text, &given) {
        Ok(topology) => topology,
        Err(mistake) => {
            assert!(mistake.line > 0 && mistake.column > 0 && !mistake.cause.is_empty(), "{mistake:?}");
            assert!(mistake.cause.chars().count() < 1_100, "a long cause: {mistake:?}");
            return false;
        }
    };
    assert!(topology.nodes().len() <= NODES_MAX);
    let plans = topology.plans();
    for plan in &plans {
        assert_eq!(topology.plan(&plan.node).as_ref(), Ok(plan));
        for link in plan.links.iter().filter(|link| link.dials) {
            let peer = topology.plan(&link.peer).expect("a peer is a node");
            let back = peer.links.iter().find(|back| back.peer == plan.node).expect("a link has two ends");
            assert!(!back.dials && back.endpoint == link.endpoint, "{link:?} {back:?}");
        }
    }
    true
}

fn seeds() -> Vec<Vec<u8>> {
    vec![
        b"socket_dir = \"/r\"\n[deployment]\nmode = \"bundled\"\n[[nodes]]\nname = \"a\"\nservices = [\"s\"]\n[[nodes]]\nname = \"b\"\n"
            .to_vec(),
        b"[variables]\nP = \"7000\"\n[deployment]\nmode = \"distributed\"\nplaintext = true\n[[nodes]]\nname = \"a\"\nhost = \
          \"h1\"\nport = \"${P}\"\n[[nodes]]\nname = \"b\"\nhost = \"h2\"\n[[links]]\nbetween = [\"a\", \"b\"]\nhold_ms = 5\n"
            .to_vec(),
        b"[deployment]\nmode = \"monolith\"\n[[nodes]]\nname = \"a\"\nservices = [\"s\"]\n[topics.t]\ncapacity = 5\n".to_vec(),
    ]
}
