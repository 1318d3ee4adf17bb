//! One run as four actors on a bus of its own.

use std::fmt;

use mycelium::{ActorRef, Isolate, RunError, SpawnError};

use crate::actors::{CrossoverStrategy, Exchange, Feed, Portfolio};
use crate::config::{Pair, Terms};
use crate::ledger::{Ledger, Statistics};
use crate::source::Source;

/// An instance that has not run yet.
pub struct Instance {
    isolate: Isolate,
    portfolio: ActorRef<Portfolio>,
}

/// What a run leaves.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// The statistics.
    pub statistics: Statistics,
    /// The equity of every bar, if it was asked for.
    pub curve: Option<Vec<f64>>,
    /// Messages that were published and handled.
    pub events: u64,
}

/// An instance could not be made or did not come to its end.
#[derive(Debug)]
#[non_exhaustive]
pub enum InstanceError {
    /// An actor could not be spawned.
    Spawn(SpawnError),
    /// The run ended early.
    Run(RunError),
    /// The terms of the market are out of range.
    Market(crate::engine::MarketError),
    /// The prices make no tape.
    Tape(crate::tape::TapeError),
    /// The actor that keeps the results was not there to be asked for them.
    ResultsLost,
}

impl Instance {
    /// Makes the bus and its actors.
    ///
    /// # Errors
    /// [`InstanceError::Spawn`], if two message types share an id.
    pub fn new(
        source: impl Source,
        pair: Pair,
        terms: &Terms,
        ledger: Ledger,
    ) -> Result<Self, InstanceError> {
        // No actor of this example draws random numbers from its context.
        let mut isolate = Isolate::new(0);
        let portfolio = isolate.spawn(Portfolio::new(ledger)).map_err(InstanceError::Spawn)?;
        isolate.spawn(CrossoverStrategy::new(pair, *terms)).map_err(InstanceError::Spawn)?;
        isolate.spawn(Exchange::new(*terms)).map_err(InstanceError::Spawn)?;
        isolate.spawn_service(Feed::new(source)).map_err(InstanceError::Spawn)?;
        Ok(Self { isolate, portfolio })
    }

    /// Runs to the end of the source.
    ///
    /// # Errors
    /// The actor that failed, with its reason.
    pub fn run(mut self) -> Result<Outcome, InstanceError> {
        let events = self.isolate.run().map_err(InstanceError::Run)?.events;
        let portfolio = self.isolate.take(&self.portfolio).ok_or(InstanceError::ResultsLost)?;
        let (statistics, curve) = portfolio.ledger.finish();
        Ok(Outcome { statistics, curve, events })
    }
}

/// Makes and runs one instance.
///
/// # Errors
/// See [`InstanceError`].
pub fn run(source: impl Source, pair: Pair, terms: &Terms) -> Result<Outcome, InstanceError> {
    Instance::new(source, pair, terms, Ledger::new(terms.cash))?.run()
}

impl fmt::Display for InstanceError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Spawn(error) => write!(f, "cannot make the instance: {error}"),
            Self::Run(error) => write!(f, "the instance ended early: {error}"),
            Self::Tape(error) => write!(f, "the prices cannot be traded on: {error}"),
            Self::Market(error) => write!(f, "{error}"),
            Self::ResultsLost => {
                f.write_str("the actor that keeps the results has ended before they were read")
            }
        }
    }
}

impl std::error::Error for InstanceError {}
