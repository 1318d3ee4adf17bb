//! What Mycelium must reach, as rows: target, measured, verdict.

use std::fmt::Write as _;

use crate::harness::{OURS, Report};

/// How a row is measured.
enum Measure {
    /// The peer's figure divided by ours: higher is better.
    Faster(&'static str),
    /// The best of several peers, divided by ours.
    FasterThanBest(&'static [&'static str]),
    /// Our figure divided by the peer's: lower is better.
    Share(&'static str),
    /// Our figure itself.
    Figure,
    /// Our figure divided by ours in another case.
    Growth(&'static str),
}

/// A row: in a scenario and a case, what is measured and its bound.
struct Target {
    what: &'static str,
    scenario: &'static str,
    case: &'static str,
    measure: Measure,
    bound: f64,
}

const fn row(
    what: &'static str,
    scenario: &'static str,
    case: &'static str,
    measure: Measure,
    bound: f64,
) -> Target {
    Target { what, scenario, case, measure, bound }
}

use Measure::{Faster, FasterThanBest, Figure, Growth, Share};

const BROADCASTS: &[&str] = &["tokio broadcast", "tokio broadcast of Arc"];

/// `{}` in a case stands for the runtime flavour: such a row is measured on both.
const TARGETS: &[Target] = &[
    row(
        "publish, throughput against kameo tell",
        "throughput",
        "1 to 1, 64 B, {}",
        Faster("kameo tell(1024)"),
        12.0,
    ),
    row(
        "publish, throughput against tokio mpsc",
        "throughput",
        "1 to 1, 64 B, {}",
        Faster("tokio mpsc(1024)"),
        3.0,
    ),
    row("publish call p50, subscriber idle, ns", "publish", "subscriber idle, 64 B, {}", Figure, 50.0),
    row("publish call p50, subscriber busy, ns", "publish", "subscriber busy, 64 B, {}", Figure, 50.0),
    row(
        "16 publishers against tokio mpsc",
        "many-to-one",
        "16 to 1, 64 B, {}",
        Faster("tokio mpsc(1024)"),
        3.0,
    ),
    row(
        "publisher's call, 16 subscribers over 1",
        "fanout",
        "publisher's call, 1 to 16, 64 B, {}",
        Growth("publisher's call, 1 to 1, 64 B, {}"),
        2.0,
    ),
    row(
        "publish until all have handled it, 16 subscribers over 1",
        "fanout",
        "1 to 16, 64 B, {}",
        Growth("1 to 1, 64 B, {}"),
        2.0,
    ),
    row(
        "fan-out to 16, 64 B, against tokio broadcast",
        "fanout",
        "1 to 16, 64 B, {}",
        Faster(BROADCASTS[0]),
        10.0,
    ),
    row(
        "fan-out to 16, 1 KiB, against the better tokio broadcast",
        "fanout",
        "1 to 16, 1 KiB, {}",
        FasterThanBest(BROADCASTS),
        2.0,
    ),
    row("ask round trip over kameo's", "ask", "{}", Share("kameo ask"), 0.7),
    row("ask round trip over a bare mpsc and oneshot", "ask", "{}", Share("tokio mpsc + oneshot"), 1.2),
    row("spawn + stop of 100,000 over kameo's", "crowd", "spawn + stop, {}", Share("kameo"), 1.3),
    row("bytes per idle actor", "memory", "100,000 idle actors, multi_thread(2)", Figure, 8192.0),
    row("routing_config! over direct calls", "routing", "two handlers", Share("direct calls"), 1.2),
    row("create an isolate, us", "isolate", "create with two actors", Figure, 10.0),
    row("bytes per isolate", "isolate", "10,000 alive, two actors each, each has run", Figure, 10_000.0),
    row(
        "event in an isolate, of a stream, ns",
        "isolate",
        "publish to handled, 64 B, a stream",
        Figure,
        15.0,
    ),
    row(
        "event in an isolate, each causes the next, ns",
        "isolate",
        "publish to handled, 64 B, each causes the next",
        Figure,
        14.0,
    ),
    row("demo grid, CPU-s per 1,000 runs", "backtest", "GOOG grid", Figure, 0.09),
    row("demo grid over the plain loop", "backtest", "GOOG grid", Share("plain loop"), 6.0),
    row("encode over rkyv, fixed", "codec", "encode, 104 B fixed", Share("rkyv"), 1.2),
    row("encode over rkyv, strings", "codec", "encode, two strings and ten f64", Share("rkyv"), 1.2),
    row("access over rkyv, fixed", "codec", "validated access, 104 B fixed", Share("rkyv"), 1.2),
    row(
        "access over rkyv, strings",
        "codec",
        "validated access, two strings and ten f64",
        Share("rkyv"),
        1.2,
    ),
    row(
        "publish bytes over decode and publish, fixed",
        "wire",
        "publish bytes, 104 B fixed",
        Share("decode and publish"),
        1.3,
    ),
    row(
        "publish bytes over decode and publish, strings",
        "wire",
        "publish bytes, two strings and ten f64",
        Share("decode and publish"),
        1.3,
    ),
    row(
        "receive bytes over receive and rkyv, fixed",
        "wire",
        "receive bytes, 104 B fixed",
        Share("receive and rkyv"),
        1.3,
    ),
    row(
        "receive bytes over receive and rkyv, strings",
        "wire",
        "receive bytes, two strings and ten f64",
        Share("receive and rkyv"),
        1.3,
    ),
    row("crash to next message, us", "crash", "{}", Figure, 10.0),
    row("the same for one of 10,000 children, us", "family", "one of 10,000 children, {}", Figure, 50.0),
    row("start a tree of 100,000 workers, s", "tree", "start 100,000 workers, {}", Figure, 2.0),
    row("stop it in reverse, s", "tree", "stop 100,000 workers, {}", Figure, 2.0),
    row(
        "publish to a child in backoff over a busy one",
        "backoff",
        "publish to a child in backoff, {}",
        Share("to a busy child"),
        1.2,
    ),
];

/// The rows whose scenarios ran, as a Markdown table; `None` when there are none.
pub(crate) fn table(report: &Report) -> Option<String> {
    let mut lines = String::new();
    for target in TARGETS {
        let flavours: &[&str] =
            if target.case.contains("{}") { &["current_thread", "multi_thread(2)"] } else { &[""] };
        for flavour in flavours {
            let Some(value) = measured(report, target, flavour) else { continue };
            let more = matches!(target.measure, Faster(_) | FasterThanBest(_));
            let (sign, good) =
                if more { ("at least", value >= target.bound) } else { ("at most", value <= target.bound) };
            let unit = if matches!(target.measure, Figure) { "" } else { "x" };
            let verdict = if good { "reached" } else { "**missed**" };
            let on = if flavour.is_empty() { String::new() } else { format!(", {flavour}") };
            let bound = target.bound;
            let digits = if value < 1.0 {
                3
            } else if value < 1_000.0 {
                2
            } else {
                0
            };
            let what = target.what;
            writeln!(lines, "| {what}{on} | {sign} {bound}{unit} | {value:.digits$}{unit} | {verdict} |")
                .ok()?;
        }
    }
    let head = "| what | target | measured | verdict |\n|---|---|---|---|\n";
    (!lines.is_empty()).then(|| format!("{head}{lines}"))
}

fn measured(report: &Report, target: &Target, flavour: &str) -> Option<f64> {
    let case = target.case.replace("{}", flavour);
    let of = |contender: &str| report.median(target.scenario, &case, contender);
    let ours = of(OURS)?;
    Some(match &target.measure {
        Faster(peer) => of(peer)? / ours,
        FasterThanBest(peers) => peers.iter().filter_map(|peer| of(peer)).reduce(f64::min)? / ours,
        Share(peer) => ours / of(peer)?,
        Figure => ours,
        Growth(base) => ours / report.median(target.scenario, &base.replace("{}", flavour), OURS)?,
    })
}
