//! Why a query got no answer: whom it was for, and whether they may have handled it.

use std::fmt;
use std::time::Duration;

use crate::{Identity, RunError, StopReason};

/// A query got no answer.
///
/// An error names whom the query was for, and says whether they may have handled it
/// ([`may_have_been_handled`](Self::may_have_been_handled)): one that was not handled can be put again, an
/// order that may have been sent must be looked for first.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum AskError {
    /// The actor had ended, or it ended, failed over the query or dropped it before it answered.
    Stopped(Box<Asked>),
    /// The deadline passed first. If the actor has the query it may still answer; nobody listens.
    Timeout(Box<Asked>),
    /// An actor asked itself: it would wait for its own answer for ever.
    Itself(Box<Asked>),
    /// The call came from a thread that does not run the isolate.
    WrongThread,
    /// The actor is not of this isolate: another one has it, or a live bus.
    OtherBus,
    /// The isolate's run ended before the answer came: see [`Isolate::ask`](crate::Isolate::ask).
    RunEnded(Box<RunError>),
    /// The actor is one of another bus, and cannot be reached or does not answer.
    Remote(Box<Asked>, RemoteError),
}

/// Whom a query was for, and how far it came.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Asked {
    /// Whom the query was for; an actor of another bus by its path, such as `desk/risk`. Of a pool that is
    /// the worker that had the query, or else the pool. `None` where nobody is known.
    pub whom: Option<Identity>,
    /// Whether the query may have come to the actor, which may have handled it then.
    pub sent: bool,
    /// Why the actor has ended. `None`: it has not, or that is not known yet. An actor that failed and is
    /// restarted has not ended.
    pub ended: Option<StopReason>,
    /// How long the answer was waited for, where that was bounded.
    pub limit: Option<Duration>,
}

impl Asked {
    pub(crate) fn of(whom: Identity) -> Self {
        Self { whom: Some(whom), ..Self::default() }
    }

    /// It had come to the actor.
    #[must_use]
    pub(crate) fn sent(self) -> Self {
        Self { sent: true, ..self }
    }

    #[must_use]
    pub(crate) fn ended(self, ended: Option<StopReason>) -> Self {
        Self { ended, ..self }
    }

    #[must_use]
    pub(crate) fn limit(self, limit: Option<Duration>) -> Self {
        Self { limit, ..self }
    }
}

impl AskError {
    /// The error of code that waits in a way of its own and gives up after `limit`: as far as it knows, the
    /// query may have been handled.
    ///
    /// ```
    /// use mycelium::AskError;
    /// use std::time::Duration;
    ///
    /// let error = AskError::timed_out(None, Duration::from_secs(1));
    /// assert!(error.may_have_been_handled());
    /// ```
    #[must_use]
    pub fn timed_out(whom: Option<Identity>, limit: Duration) -> Self {
        Self::Timeout(Box::new(Asked { whom, sent: true, ended: None, limit: Some(limit) }))
    }

    #[cold]
    pub(crate) fn stopped(asked: Asked) -> Self {
        Self::Stopped(Box::new(asked))
    }

    #[cold]
    pub(crate) fn timeout(asked: Asked) -> Self {
        Self::Timeout(Box::new(asked))
    }

    #[cold]
    pub(crate) fn itself(whom: Identity) -> Self {
        Self::Itself(Box::new(Asked::of(whom)))
    }

    #[cold]
    pub(crate) fn remote(whom: Option<Identity>, error: RemoteError) -> Self {
        let sent = error.may_have_been_handled();
        Self::Remote(Box::new(Asked { whom, sent, ..Asked::default() }), error)
    }

    /// With whom it is of and how long was waited, where it does not say that yet.
    #[must_use]
    pub(crate) fn of(mut self, by: Identity, waited: Option<Duration>) -> Self {
        if let Self::Stopped(asked) | Self::Timeout(asked) | Self::Itself(asked) | Self::Remote(asked, _) =
            &mut self
        {
            asked.whom.get_or_insert(by);
            asked.limit = asked.limit.or(waited);
        }
        self
    }

    /// Whether the actor may have handled the query, in part at least. If not, the query can be put again
    /// without harm.
    ///
    /// ```
    /// # use mycelium::{AskError, Isolate, actor};
    /// # struct Book(u64);
    /// # struct Buy;
    /// # #[actor] impl Book { #[ask] fn buy(&mut self, _: &Buy) -> u64 { self.0 += 1; self.0 } }
    /// # let mut isolate = Isolate::new(1);
    /// # let book = isolate.spawn(Book(0))?;
    /// book.stop();
    /// isolate.run()?;
    /// match isolate.ask(&book, Buy) {
    ///     Ok(number) => println!("order {number}"),
    ///     Err(error) if error.may_have_been_handled() => println!("look for the order: {error}"),
    ///     Err(error) => println!("there is no order: {error}"), // this one
    /// }
    /// # assert!(!isolate.ask(&book, Buy).unwrap_err().may_have_been_handled());
    /// # Ok::<(), mycelium::BoxError>(())
    /// ```
    #[must_use]
    pub fn may_have_been_handled(&self) -> bool {
        matches!(self, Self::RunEnded(_)) || self.asked().is_some_and(|asked| asked.sent)
    }

    /// Whom the query was for and how far it came, where the error knows that.
    #[must_use]
    pub fn asked(&self) -> Option<&Asked> {
        match self {
            Self::Stopped(asked) | Self::Timeout(asked) | Self::Itself(asked) | Self::Remote(asked, _) => {
                Some(asked)
            }
            Self::WrongThread | Self::OtherBus | Self::RunEnded(_) => None,
        }
    }
}

/// The name of one who is known, or what stands for it.
pub(super) struct Whom<'a>(pub(super) Option<&'a Identity>);

impl fmt::Display for Whom<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(whom) => whom.fmt(f),
            None => f.write_str("the actor"),
        }
    }
}

impl fmt::Display for AskError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let whom = Whom(self.asked().and_then(|asked| asked.whom.as_ref()));
        match self {
            Self::Stopped(asked) => match (asked.sent, &asked.ended) {
                (false, Some(reason)) => write!(f, "{whom} was not asked: it {reason}"),
                (false, None) => write!(f, "{whom} was not asked: it has ended, or is not there yet"),
                (true, Some(reason)) => {
                    write!(f, "{whom} did not answer: it {reason}; it may have handled the question before")
                }
                (true, None) => write!(
                    f,
                    "{whom} did not answer: it failed over the question, dropped it or ends; it may have handled a part \
                     of it, and its log says why"
                ),
            },
            Self::Timeout(asked) => match (asked.sent, asked.limit) {
                (false, Some(limit)) => {
                    write!(f, "{whom} was not asked: there was no room in its inbox for {limit:?}")
                }
                (false, None) => write!(f, "{whom} was not asked: there was no room in its inbox in time"),
                (true, Some(limit)) => write!(
                    f,
                    "{whom} did not answer within {limit:?}; it may still handle the question: find out before you ask \
                     again"
                ),
                (true, None) => write!(
                    f,
                    "{whom} did not answer yet: the answer needs time to pass; call `run_for`, or ask with \
                     `isolate.block_on(reference.ask(..))`"
                ),
            },
            Self::Itself(_) => {
                write!(f, "{whom} was not asked: it is the one that asks, and would wait for ever; call the method instead")
            }
            Self::WrongThread => {
                f.write_str("not asked: this reference belongs to an isolate, which runs on one thread")
            }
            Self::OtherBus => f.write_str(
                "not asked: the actor is not of this isolate, which shares nothing with other isolates and buses; spawn it \
                 here, or use the isolate that it is of, between two runs",
            ),
            Self::RunEnded(error) => write!(f, "no answer: the run ended before it: {error}"),
            Self::Remote(_, error) => write!(f, "no answer of {whom}: {error}"),
        }
    }
}

impl std::error::Error for AskError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::RunEnded(error) => Some(error),
            Self::Remote(_, error) => Some(error),
            _ => None,
        }
    }
}

/// Why an actor of another bus was not told or asked, or does not answer.
// A word, so that an `AskError`, and the outcome of an ask, are two words without odd bytes to move.
#[repr(u64)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum RemoteError {
    /// There is no link to a bus of this name, or it was given up.
    NotLinked,
    /// Nobody is exposed under this name there, or who was has ended.
    NoActor,
    /// The actor takes no such message, or both buses do not mean the same by it.
    NotTaken,
    /// The message is longer than the bus there reads.
    TooLong,
    /// The message breaks a rule of its contract, or cannot be written as bytes.
    Invalid,
    /// The link was given up, or the process there has died, before the answer came. The question may have
    /// been handled.
    Lost,
    /// Code there has panicked while the question was read or its answer written.
    Panicked,
    /// The answer cannot be sent or read.
    Unanswerable,
}

impl RemoteError {
    /// Whether an actor of another bus may have handled what has this error.
    #[must_use]
    pub fn may_have_been_handled(self) -> bool {
        matches!(self, Self::Lost | Self::Panicked | Self::Unanswerable)
    }
}

impl fmt::Display for RemoteError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NotLinked => {
                "there is no link to a bus of this name; look at `MessageBus::stats().links`, and wait for \
                 `Dialer::linked` before"
            }
            Self::NoActor => {
                "nobody is exposed under this name there, or who was has ended; call `MessageBus::expose` on that bus"
            }
            Self::NotTaken => {
                "the actor there takes no such message; add it to what is exposed (`Exposed::takes`, `Exposed::answers`), and \
                 generate both programs from one contract"
            }
            Self::TooLong => "the message is longer than the bus there reads; split it, or raise its limit",
            Self::Invalid => "the message breaks a rule of its contract, or cannot be written as bytes",
            Self::Lost => {
                "the link was given up, or the process there has died, before the answer came; the question may have been handled"
            }
            Self::Panicked => "code there has panicked; see the log of that process",
            Self::Unanswerable => {
                "the answer cannot be sent or read; generate both programs from one contract, and look at their logs"
            }
        })
    }
}

impl std::error::Error for RemoteError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_takes_two_words_in_a_result() {
        assert!(size_of::<AskError>() <= 16);
        assert_eq!(size_of::<Result<u64, AskError>>(), 16);
    }
}
