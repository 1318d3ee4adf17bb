//! `docs/sweeps.md`

use std::sync::Arc;
use std::time::Duration;

use mycelium::sweep::Trial;
use mycelium::{Context, Isolate, Result, actor};

/// Counts how often the faster of two periods comes round in the input.
struct MyActor {
    fast: u32,
    slow: u32,
    input: Arc<[u32]>,
    figures: u32,
}
#[actor]
impl MyActor {
    #[started]
    fn begin(&mut self, ctx: &mut Context<Self>) {
        ctx.schedule_after(Duration::from_secs(1), ());
    }
    #[on(direct)]
    fn look(&mut self, _: &()) {
        let hits = self.input.iter().filter(|at| **at % self.fast == 0 && **at % self.slow != 0);
        self.figures += u32::try_from(hits.count()).unwrap_or(u32::MAX);
    }
}
impl MyActor {
    fn new(fast: u32, slow: u32, input: Arc<[u32]>) -> Self {
        Self { fast, slow, input, figures: 0 }
    }
    fn into_figures(self) -> u32 {
        self.figures
    }
}

#[test]
fn a_sweep() -> Result {
    let input: Arc<[u32]> = (1..=8).collect();

    use mycelium::sweep::{Grid, Sweep};

    let report = Sweep::new(Grid::new((5..=104u32, 110..=209u32))).seed(42).run(|&(fast, slow), trial| {
        let mut isolate = trial.isolate(); // seeded for this instance
        let actor = isolate.spawn(MyActor::new(fast, slow, Arc::clone(&input)))?;
        isolate.run()?;
        let actor = isolate.take(&actor).ok_or("the actor has ended")?;
        Ok(actor.into_figures())
    })?;
    for row in &report.results {
        println!("{:?} -> {:?}", row.params, row.result);
    }

    assert_eq!((report.results.len(), report.values().sum::<u32>()), (10_000, 400));
    Ok(())
}

struct Heart(u32);
#[actor]
impl Heart {
    #[started]
    fn begin(&mut self, ctx: &mut Context<Self>) {
        ctx.schedule_every(Duration::from_secs(1), ());
    }
    #[on(direct)]
    fn beat(&mut self, _: &()) {
        self.0 += 1;
    }
}

#[test]
fn a_run_with_an_end() -> Result {
    let mut isolate = Isolate::new(1);
    let heart = isolate.spawn(Heart(0))?;

    isolate.run_for(Duration::from_secs(6 * 3600))?; // or `run_until`: a run with a heartbeat needs an end

    assert_eq!(isolate.with(&heart, |heart| heart.0), Some(21_600));
    Ok(())
}

fn instance(params: &u32, trial: &Trial) -> Result<u64> {
    if *params == 3 {
        return Err("three".into());
    }
    Ok(trial.seed())
}

#[test]
fn one_instance_again() -> Result {
    let report = mycelium::Sweep::new(0..5u32).seed(7).run(instance)?;

    let failure = &report.failures[0];
    let result = instance(&failure.params, &Trial::new(failure.index, failure.seed));

    assert_eq!(result.unwrap_err().to_string(), "three");
    Ok(())
}

#[cfg(all(feature = "ctrl-c", feature = "progress"))]
pub(super) fn a_sweep_that_can_be_stopped() -> Result {
    use mycelium::sweep::{StopFlag, Sweep};
    let space = 0..5u32;

    let stop = StopFlag::new();
    stop.stop_on_ctrl_c()?; // feature `ctrl-c`; once per process
    let report = Sweep::new(space)
        .stop(&stop)
        .progress_bar("grid") // feature `progress`
        .run(instance)?;
    if report.cancelled { /* partial results are in report.results */ }

    assert!(!report.cancelled && report.results.len() == 4);
    Ok(())
}

#[test]
fn input_that_memory_does_not_keep() -> Result {
    use mycelium::sweep::SpillWriter;

    let mut prices = SpillWriter::new(64 << 20); // bytes in memory
    for price in 0..1_000_000 {
        prices.push(f64::from(price))?;
    }
    let prices = prices.finish()?; // a `SharedSlice<f64>`, to clone for each instance
    assert_eq!(prices.len(), 1_000_000);

    Ok(())
}
