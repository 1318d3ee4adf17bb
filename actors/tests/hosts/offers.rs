//! What hosts offer and what they do not, as rows of the table in `docs/semantics.md`.

/// What one host offers. A body that needs what a host does not offer says so: `conformance!(body, not
/// isolate: names)`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Offers {
    pub topics: bool,
    pub capacity_counts_all: bool,
    pub mailboxes: bool,
    pub trees: bool,
    pub one_order: bool,
    pub exact_time: bool,
    pub failures_alone: bool,
    pub limits: bool,
    pub names: bool,
    pub outsiders: bool,
    pub stats_of_all: bool,
    pub drain: bool,
    pub outside: bool,
    pub links: bool,
    pub state: bool,
}

/// A row: how it is called, who offers it, and what the reader should know.
pub(crate) struct Row {
    pub what: &'static str,
    pub of: fn(&Offers) -> bool,
    pub note: &'static str,
}

pub(crate) const ROWS: &[Row] = &[
    Row {
        what: "topics, queues with a bound, overflow policies",
        of: |offers| offers.topics,
        note: "a direct route calls the handlers one after the other",
    },
    Row {
        what: "a capacity counts all that was published and not handled, the message in hand too",
        of: |offers| offers.capacity_counts_all,
        note: "differs: in an isolate it counts what has come to an actor that waits",
    },
    Row {
        what: "`tell`, `ask`, timers, handlers that wait, services, watches and dependencies",
        of: |offers| offers.mailboxes,
        note: "a handler that waits is an error of a direct route",
    },
    Row {
        what: "supervision trees, health probes, references that outlive restarts, retries of the message in hand",
        of: |offers| offers.trees,
        note: "in an isolate all children have virtual time: actors, services and supervisors",
    },
    Row {
        what: "one order of all events; a run that repeats byte for byte",
        of: |offers| offers.one_order,
        note: "live, different senders have no order among each other",
    },
    Row {
        what: "virtual time",
        of: |offers| offers.exact_time,
        note: "a test may stop tokio's clock on a runtime of one thread",
    },
    Row {
        what: "an actor without a supervisor fails alone",
        of: |offers| offers.failures_alone,
        note: "in an isolate the run ends then unless `on_failure` says that it goes on, and so it does when a tree gives up",
    },
    Row {
        what: "bounds of a whole bus: `topic_capacity`, `inbox_capacity`, `ask_limit`",
        of: |offers| offers.limits,
        note: "differs: an isolate has `QUEUE_CAPACITY` for all queues without a capacity of their own",
    },
    Row { what: "names: `spawn_named`, `lookup`, `lookup_pool`", of: |offers| offers.names, note: "" },
    Row {
        what: "publishers and subscribers outside of all actors, on any thread",
        of: |offers| offers.outsiders,
        note: "an isolate is published to by whoever runs it",
    },
    Row {
        what: "`stats` of each queue, of each member and of the trees",
        of: |offers| offers.stats_of_all,
        note: "an isolate has `stats` of its run and of each topic",
    },
    Row { what: "drain, dead letters by name", of: |offers| offers.drain, note: "" },
    Row {
        what: "the outside world: threads, sockets, processes, signals, plain futures",
        of: |offers| offers.outside,
        note: "an isolate names who waits for it",
    },
    Row {
        what: "links: `expose`, `recipient`, `publisher_to`",
        of: |offers| offers.links,
        note: "a child that is exposed is in an isolate one as any other",
    },
    Row {
        what: "the state of an actor between two events: `with`, `take`; bounds and stop flags of a run",
        of: |offers| offers.state,
        note: "",
    },
];

pub(crate) const LIVE: Offers = Offers {
    topics: true,
    capacity_counts_all: true,
    mailboxes: true,
    trees: true,
    one_order: false,
    exact_time: false,
    failures_alone: true,
    limits: true,
    names: true,
    outsiders: true,
    stats_of_all: true,
    drain: true,
    outside: true,
    links: true,
    state: false,
};

pub(crate) const ISOLATE: Offers = Offers {
    topics: true,
    capacity_counts_all: false,
    mailboxes: true,
    trees: true,
    one_order: true,
    exact_time: true,
    failures_alone: true,
    limits: false,
    names: true,
    outsiders: false,
    stats_of_all: false,
    drain: true,
    outside: false,
    links: false,
    state: true,
};

/// Actors that `routing_config!` calls; no host of this suite.
pub(crate) const DIRECT: Offers = Offers {
    topics: false,
    capacity_counts_all: false,
    mailboxes: false,
    trees: false,
    one_order: true,
    exact_time: false,
    failures_alone: false,
    limits: false,
    names: false,
    outsiders: false,
    stats_of_all: false,
    drain: false,
    outside: false,
    links: false,
    state: true,
};
