//! Progress for people: a bar on a terminal, occasional lines elsewhere.

use std::io::{IsTerminal, Write};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::Progress;

/// Time between two lines where stderr is no terminal. A sweep that ends sooner prints nothing there.
const LINE_INTERVAL: Duration = Duration::from_secs(5);

/// A progress callback that shows `label` and a bar on stderr.
pub(super) fn show(label: &str) -> impl FnMut(&Progress) + use<> {
    let mut bar = std::io::stderr().is_terminal().then(|| bar(label));
    let mut lines = Lines { label: label.to_owned(), next: LINE_INTERVAL };
    move |progress| match &mut bar {
        Some(bar) => draw(bar, progress),
        None => {
            if let Some(line) = lines.line(progress) {
                // A closed stderr is no reason to end a sweep.
                let _ = writeln!(std::io::stderr(), "{line}");
            }
        }
    }
}

fn bar(label: &str) -> ProgressBar {
    let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr()).with_prefix(label.to_owned());
    let style = ProgressStyle::with_template("{prefix} {wide_bar} {msg}");
    bar.with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
}

fn draw(bar: &ProgressBar, progress: &Progress) {
    // Each call draws: the one that completes the picture comes last.
    let total = progress.total as u64;
    if bar.length() != Some(total) {
        bar.set_length(total);
    }
    bar.set_position(progress.done as u64);
    bar.set_message(progress.to_string());
    if progress.finished {
        bar.abandon();
    }
}

/// Decides when a line is due.
struct Lines {
    label: String,
    next: Duration,
}

impl Lines {
    fn line(&mut self, progress: &Progress) -> Option<String> {
        let printed_before = self.next > LINE_INTERVAL;
        if progress.elapsed < self.next && !(progress.finished && printed_before) {
            return None;
        }
        self.next = progress.elapsed + LINE_INTERVAL;
        Some(format!("{}: {progress}", self.label))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_rare_and_a_short_sweep_prints_none() {
        let at = |seconds: u64, finished: bool| Progress {
            done: seconds as usize,
            total: 12,
            failed: 0,
            elapsed: Duration::from_secs(seconds),
            stopping: false,
            finished,
        };
        let new = || Lines { label: "grid".to_owned(), next: LINE_INTERVAL };
        let mut short = new();
        assert_eq!(short.line(&at(1, false)), None);
        assert_eq!(short.line(&at(2, true)), None);
        let mut long = new();
        let printed: Vec<u64> =
            (0..=12).filter(|second| long.line(&at(*second, *second == 12)).is_some()).collect();
        assert_eq!(printed, [5, 10, 12]);
        assert_eq!(long.line(&at(15, false)).as_deref(), None);
        assert_eq!(long.line(&at(17, false)).unwrap(), "grid: 17/12 (142 %), 1/s, 0.0 s left");
    }
}
