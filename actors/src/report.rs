//! The error of `main`.

use std::error::Error;
use std::fmt;

use crate::BoxError;

/// An error that `main` returns: it prints as its text, and below it the causes that are not in that text.
/// Any error becomes one by `?`.
///
/// Rust prints the `Debug` of what `main` fails with, which for most errors is not for people to read. That
/// of a report is.
///
/// ```
/// use mycelium::MainResult;
///
/// fn main() -> MainResult {
///     let port: u16 = "8080".parse()?;
///     assert_eq!(port, 8080);
///     Ok(())
/// }
/// ```
///
/// This is printed:
/// ```
/// # use mycelium::Report;
/// let error = "eighty".parse::<u16>().unwrap_err();
/// assert_eq!(format!("{:?}", Report::from(error)), "invalid digit found in string");
/// ```
pub struct Report(BoxError);

/// The result of `main`: [`Report`] says why it prints better than [`Result`](crate::Result).
///
/// ```
/// # use mycelium::{MainResult, MessageBus};
/// #[tokio::main(flavor = "current_thread")]
/// async fn main() -> MainResult {
///     let bus = MessageBus::new();
///     Ok(bus.shutdown().await?) // an error prints as its text, with its causes
/// }
/// ```
pub type MainResult<T = ()> = Result<T, Report>;

impl Report {
    /// The error itself; `downcast_ref` tells its type.
    pub fn into_inner(self) -> BoxError {
        self.0
    }
}

impl<E> From<E> for Report
where
    BoxError: From<E>,
{
    fn from(error: E) -> Self {
        Self(BoxError::from(error))
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

/// How many causes are printed below an error.
const CAUSES_MAX: usize = 32;

impl fmt::Debug for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut said = self.0.to_string();
        f.write_str(&said)?;
        let causes = std::iter::successors(self.0.source(), |error| Error::source(*error));
        for cause in causes.take(CAUSES_MAX) {
            let text = cause.to_string();
            // Many errors have their cause in their own text, for those who print that alone.
            if !said.contains(&text) {
                write!(f, "\n  caused by: {text}")?;
                said = text;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug)]
    struct Outer(std::num::ParseIntError);
    impl fmt::Display for Outer {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("the port is no number")
        }
    }
    impl Error for Outer {
        fn source(&self) -> Option<&(dyn Error + 'static)> {
            Some(&self.0)
        }
    }

    // Topologies are not modelled.
    #[cfg(not(shuttle))]
    #[test]
    fn a_cause_that_the_text_has_already_is_not_printed_again() {
        let error = crate::topology::read("/none.toml").unwrap_err();
        assert!(error.source().is_some());
        assert_eq!(format!("{:?}", Report::from(error)).matches("No such file").count(), 1);
    }

    #[test]
    fn what_main_fails_with_prints_as_text_with_its_causes() {
        fn fails() -> MainResult {
            Err(Outer("x".parse::<u8>().unwrap_err()))?;
            Ok(())
        }
        let report = fails().unwrap_err();
        let text = "the port is no number\n  caused by: invalid digit found in string";
        assert_eq!(format!("{report:?}"), text);
        assert_eq!(report.to_string(), "the port is no number");
        assert!(report.into_inner().is::<Outer>());
        // Boxed errors and texts, too.
        let boxed: BoxError = "plain".into();
        assert_eq!([Report::from(boxed), Report::from("plain")].map(|it| format!("{it:?}")), ["plain"; 2]);
    }
}
