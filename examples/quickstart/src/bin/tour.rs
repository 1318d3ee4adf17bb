//! The same actors four ways: live, in an isolate, in a sweep of isolates, and called directly.
#![forbid(unsafe_code)]

use std::time::Duration;

use mycelium::{
    Context, Isolate, MainResult, Message, MessageBus, Result, ServiceContext, Sweep, actor, service,
};
mycelium::contracts!();

#[derive(Default)]
struct Averager {
    sum: u64,
    seen: u64,
}
struct Mean;

#[actor]
impl Averager {
    #[on] // the policy is `block`: a publisher waits while 1,024 ticks are queued, and none is lost
    async fn tick(&mut self, tick: &Tick, ctx: &mut Context<Self>) -> Result<()> {
        tick.validate()?;
        self.sum += tick.value;
        self.seen += 1;
        ctx.publish(Average { mean: self.mean(&Mean), seen: self.seen }).await
    }
    #[ask]
    fn mean(&self, _: &Mean) -> f64 {
        self.sum as f64 / self.seen as f64
    }
}

#[derive(Default)]
struct Screen {
    shown: f64,
}

#[actor]
impl Screen {
    #[on(policy = conflate, key = |_| 0, capacity = 1)] // a slow screen needs the latest average only
    fn average(&mut self, average: &Average) {
        self.shown = average.mean;
    }
}

struct Metronome {
    beats: u64,
}

#[service]
impl Metronome {
    async fn run(&mut self, ctx: &ServiceContext) -> Result<()> {
        for value in 1..=self.beats {
            ctx.publish(Tick { value }).await?;
            ctx.sleep(Duration::from_millis(1)).await;
        }
        Ok(())
    }
}

async fn live() -> Result<f64> {
    let bus = MessageBus::new();
    let averager = bus.spawn(Averager::default())?;
    let metronome = bus.spawn_service(Metronome { beats: 10 })?;
    metronome.ended().await;
    let mean = averager.ask(Mean).await?; // typed: the answer to `Mean` is an `f64`
    bus.shutdown().await?;
    Ok(mean)
}

fn isolated(mut isolate: Isolate, beats: u64) -> Result<f64> {
    let averager = isolate.spawn(Averager::default())?;
    isolate.spawn_service(Metronome { beats })?;
    isolate.run()?; // the metronome's sleeps pass in virtual time
    Ok(isolate.ask(&averager, Mean)?)
}

fn swept() -> Result<f64> {
    let report =
        Sweep::new(1..=1_000u32).seed(42).run(|beats, trial| isolated(trial.isolate(), u64::from(*beats)))?;
    Ok(report.values().sum::<f64>())
}

mycelium::routing_config! {
    struct Routes {
        Tick => [averager: Averager],
        Average => [screen: Screen],
    }
}

fn direct() -> Result<f64> {
    let mut routes = Routes::new(Averager::default(), Screen::default());
    routes.route(&Tick { value: 7 })?;
    Ok(routes.screen().shown)
}

#[tokio::main]
async fn main() -> MainResult {
    println!("live:     {}", live().await?);
    println!("isolated: {}", isolated(Isolate::new(42), 10)?);
    println!("swept:    {}", swept()?);
    println!("direct:   {}", direct()?);
    Ok(())
}
