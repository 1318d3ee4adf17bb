//! An actor that answers by rote.

use std::fmt;

use crate::{Actor, BoxError, Context, Responder};

/// An actor that answers each `Q` with what a function says, in place of one that the code under test asks.
/// Spawn it where the code runs, and hand out its [`reply_recipient`](crate::ActorRef::reply_recipient).
///
/// ```
/// use mycelium::testing::Answers;
/// use mycelium::{BoxError, Isolate};
///
/// struct Price(&'static str);
/// # fn main() -> Result<(), BoxError> {
/// let mut isolate = Isolate::new(1);
/// let desk = isolate.spawn(Answers::new(|query: &Price| query.0.len() as i64))?;
/// assert_eq!(isolate.ask(&desk, Price("ACME"))?, 4);
/// # Ok(())
/// # }
/// ```
pub struct Answers<Q, R> {
    answer: Box<dyn FnMut(&Q) -> R + Send + Sync>,
}

impl<Q, R> Answers<Q, R> {
    /// One that answers what `answer` says.
    #[must_use]
    pub fn new(answer: impl FnMut(&Q) -> R + Send + Sync + 'static) -> Self {
        Self { answer: Box::new(answer) }
    }
}

impl<Q: Send + Sync + 'static, R: Send + 'static> Actor for Answers<Q, R> {
    type Error = BoxError;
    fn name() -> &'static str {
        "Answers"
    }
}

impl<Q: Send + Sync + 'static, R: Send + 'static> Responder<Q> for Answers<Q, R> {
    type Reply = R;
    async fn answer(&mut self, query: &Q, _: &mut Context<Self>) -> R {
        (self.answer)(query)
    }
}

impl<Q, R> fmt::Debug for Answers<Q, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Answers").finish_non_exhaustive()
    }
}
