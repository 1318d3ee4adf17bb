//! What the decisions cost, without any actor behind them: `cargo bench -p mycelium-supervisor`.
//!
//! The shell here answers at once, so the figures are the core's own.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use mycelium_supervisor::{
    Action, ChildRef, ChildSpec, ChildStatus, Event, ExitReason, Flags, Strategy, Supervisor,
};

const WORKERS: usize = 100_000;
const CHILDREN: usize = 10_000;
const CRASHES: usize = 20_000;

struct Shell {
    supervisor: Supervisor<()>,
    queue: VecDeque<Event<()>>,
    actions: Vec<Action<()>>,
    now: Duration,
}

impl Shell {
    fn new(strategy: Strategy, children: usize) -> Self {
        // The period is a nanosecond and time moves on with each crash, so that the intensity is never
        // exceeded.
        let flags = Flags { strategy, intensity: 1, period: Duration::from_nanos(1), ..Flags::default() };
        let specs = (0..children).map(|i| ChildSpec::worker(format!("worker-{i}"), ())).collect();
        let supervisor = Supervisor::new(flags, specs, 0).expect("the specifications are valid");
        Self { supervisor, queue: VecDeque::new(), actions: Vec::new(), now: Duration::ZERO }
    }

    fn run(&mut self, event: Event<()>) {
        self.queue.push_back(event);
        while let Some(event) = self.queue.pop_front() {
            self.supervisor.step(self.now, event, &mut self.actions);
            for action in self.actions.drain(..) {
                match action {
                    Action::Start { child, .. } => self.queue.push_back(Event::Started(child)),
                    Action::Stop { child, .. } => {
                        self.queue.push_back(Event::Exited(child, ExitReason::Shutdown));
                    }
                    _ => {}
                }
            }
        }
    }

    fn running(&self, id: &str) -> ChildRef {
        match self.supervisor.child(id).map(|child| child.status) {
            Some(ChildStatus::Running(child)) => child,
            other => panic!("{id} does not run: {other:?}"),
        }
    }

    fn crash(&mut self, id: &str) -> Duration {
        let child = self.running(id);
        self.now += Duration::from_micros(1);
        let begun = Instant::now();
        self.run(Event::Exited(child, ExitReason::Killed));
        begun.elapsed()
    }
}

fn report(what: &str, per: &str, elapsed: Duration, count: usize) {
    let each = elapsed.as_secs_f64() * 1e9 / count as f64;
    println!("{what:<58} {:>9.2} ms, {each:>8.1} ns per {per}", elapsed.as_secs_f64() * 1e3);
}

fn main() {
    for strategy in [Strategy::OneForOne, Strategy::OneForAll] {
        let mut shell = Shell::new(strategy, WORKERS);
        let begun = Instant::now();
        shell.run(Event::Init);
        report(
            &format!("{strategy:?}: start {WORKERS} workers in order"),
            "worker",
            begun.elapsed(),
            WORKERS,
        );
        let begun = Instant::now();
        shell.run(Event::Shutdown(ExitReason::Shutdown));
        report(
            &format!("{strategy:?}: stop {WORKERS} workers in reverse"),
            "worker",
            begun.elapsed(),
            WORKERS,
        );
        assert!(shell.supervisor.has_ended());
    }

    let mut shell = Shell::new(Strategy::OneForOne, CHILDREN);
    shell.run(Event::Init);
    let mut times: Vec<Duration> =
        (0..CRASHES).map(|i| shell.crash(&format!("worker-{}", (i * 7_919) % CHILDREN))).collect();
    times.sort_unstable();
    println!(
        "OneForOne: crash to restarted among {CHILDREN} children: median {:?}, 99 % {:?}, worst {:?}",
        times[CRASHES / 2],
        times[CRASHES / 100 * 99],
        times[CRASHES - 1]
    );

    let mut shell = Shell::new(Strategy::RestForOne, CHILDREN);
    shell.run(Event::Init);
    let last = format!("worker-{}", CHILDREN - 1);
    let elapsed: Duration = (0..CRASHES).map(|_| shell.crash(&last)).sum();
    report(&format!("RestForOne: {CRASHES} crashes of the last of {CHILDREN}"), "crash", elapsed, CRASHES);
    let elapsed = shell.crash("worker-0");
    report(&format!("RestForOne: one crash of the first of {CHILDREN}"), "child", elapsed, CHILDREN);
}
