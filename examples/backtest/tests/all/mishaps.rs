//! Searches that do not come to their end, or that begin in vain.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use backtest::prelude::*;
use backtest::program::{Parameter, Program, Sheet};
use serde_json::Value;

fn path(file: &Path) -> &str {
    file.to_str().expect("a plain path")
}

fn stocks() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("data/stocks.csv")
}

/// Runs a command on the GOOG bars.
fn on_goog<S: Strategy>(program: &Program<S>, command: &str, flags: &[&str]) -> Result<String, String> {
    let stocks = stocks();
    let data = ["it", command, "--data", path(&stocks), "--symbol", "GOOG"];
    program.execute([&data, flags].concat()).map_err(|error| error.to_string())
}

/// Buys and sells, and counts its runs. When it is told so, all runs fail whose parameter is above 3.
#[derive(Clone, Default)]
struct Counted {
    runs: Arc<AtomicUsize>,
    fails: Arc<AtomicBool>,
}

impl Counted {
    fn program(&self) -> Program<impl Strategy + use<>> {
        let Self { runs, fails } = self.clone();
        Program::new("Counted", vec![Parameter::new::<usize>("every", 5)], move |point: &[f64]| {
            runs.fetch_add(1, Ordering::Relaxed);
            let (every, fails) = (point[0] as u32, point[0] > 3.0 && fails.load(Ordering::Relaxed));
            move |ctx: &mut StrategyContext<'_>| {
                assert!(!fails, "it was told to fail");
                match ctx.bar().index % (2 * every) {
                    0 => _ = ctx.buy(5),
                    at if at == every => _ = ctx.close(),
                    _ => {}
                }
            }
        })
    }

    /// How many runs there were since it was asked last.
    fn taken(&self) -> usize {
        self.runs.swap(0, Ordering::Relaxed)
    }
}

/// All files of a folder, with their names.
fn files(folder: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let files = std::fs::read_dir(folder).expect("a folder").map(|file| file.expect("an entry").path());
    let mut files: Vec<_> = files.map(|file| (file.clone(), std::fs::read(file).expect("a file"))).collect();
    files.sort();
    files
}

#[test]
fn a_sweep_that_is_whole_is_not_run_again() {
    let folder = tempfile::tempdir().expect("a folder");
    let (counted, out) = (Counted::default(), folder.path().join("out"));
    let program = counted.program();
    let sweep = |flags: &[&str]| {
        let own = ["--every", "1..=9", "--out", path(&out), "--json"];
        let text = on_goog(&program, "sweep", &[&own[..], flags].concat())?;
        Ok::<Value, String>(serde_json::from_str(&text).expect("JSON"))
    };
    let whole = sweep(&[]).expect("it runs");
    assert!(counted.taken() >= 9);
    let rows = std::fs::read(out.join("results.csv")).expect("rows");
    assert_eq!(sweep(&[]), Ok(whole.clone()));
    // The page alone is made anew, of the best run.
    assert_eq!(counted.taken(), 1);
    assert!(rows == std::fs::read(out.join("results.csv")).expect("rows"));
    assert_eq!(sweep(&["--fresh"]), Ok(whole.clone()));
    assert!(counted.taken() >= 9);
    // Rows of another search are none of this one, and are replaced by a whole one.
    assert_ne!(sweep(&["--cash", "5000"]).expect("it runs")["digest"], whole["digest"]);
    assert!(counted.taken() >= 9);
    let part = |flags: &[&str]| sweep(&[&["--shard", "1/2"], flags].concat()).expect("it runs");
    assert_eq!((part(&[])["rows"].clone(), counted.taken()), (5.into(), 5));
    assert_eq!((part(&[])["rows"].clone(), counted.taken()), (5.into(), 0));
}

#[test]
fn a_sweep_that_is_not_whole_replaces_no_larger_one() {
    let folder = tempfile::tempdir().expect("a folder");
    let (counted, out) = (Counted::default(), folder.path().join("out"));
    let program = counted.program();
    let own = ["--every", "1..=9", "--out", path(&out), "--parquet", "--arrow"];
    let sweep = |flags: &[&str]| on_goog(&program, "sweep", &[&own[..], flags].concat()).expect("it runs");
    sweep(&[]);
    let before = files(&out);
    assert_eq!(before.len(), 4);
    counted.fails.store(true, Ordering::Relaxed);
    for (flags, why) in [
        (&["--fresh"][..], "has 9 rows, and this sweep 3"),
        (&["--fresh", "--overfitting", "4"], "has 9 rows, and this sweep 3"),
    ] {
        let text = sweep(flags);
        assert!(text.contains(why) && text.contains("results.partial.csv"), "{text}");
        assert!(!text.contains("wrote "), "{text}");
        let partial = out.join("results.partial.csv");
        let kept = Sheet::parse(&std::fs::read_to_string(&partial).expect("rows"), false).expect("rows");
        assert_eq!(kept.rows.len(), 3);
        std::fs::remove_file(partial).expect("it was there");
        assert!(files(&out) == before, "{flags:?}");
    }
    // All points of another search were tried: what is done is written, as where nothing was.
    let text = sweep(&["--fresh", "--cash", "5000"]);
    assert!(text.contains("wrote ") && files(&out) != before, "{text}");
    std::fs::remove_dir_all(&out).expect("it was there");
    assert!(sweep(&[]).contains("wrote "));
    // As much is no loss.
    assert!(sweep(&[]).contains("wrote "));
}

#[test]
fn a_fold_that_fails_leaves_those_before_it() {
    let bars = backtest::data::load(&stocks(), Some("GOOG")).expect("the example's data").bars;
    let folder = tempfile::tempdir().expect("a folder");
    // With 500 bars of training and 400 of test, no training before the third test sees this bar.
    let fatal = |at: usize| {
        let time = bars[at].timestamp;
        Program::new("Fatal", Vec::new(), move |_: &[f64]| {
            move |ctx: &mut StrategyContext<'_>| {
                assert!(ctx.bar().timestamp != time, "this bar is its end");
                match ctx.bar().index % 10 {
                    0 => _ = ctx.buy(5),
                    5 => _ = ctx.close(),
                    _ => {}
                }
            }
        })
    };
    let out = folder.path().join("out");
    let flags = ["--train", "500", "--test", "400", "--json", "--out", path(&out)];
    let text = on_goog(&fatal(1_400), "walk-forward", &flags).expect("two folds are there");
    let walk: Value = serde_json::from_str(&text).expect("JSON");
    assert_eq!(walk["folds"].as_array().map(Vec::len), Some(2));
    let warning = walk["warning"].as_str().expect("a warning");
    assert!(warning.contains("fold 3 of 5") && warning.contains("this bar is its end"), "{warning}");
    assert!(walk["figures"]["trades"].as_u64().is_some_and(|trades| trades > 60), "{walk}");
    assert!(out.join("trades.csv").exists());
    // Without any fold there is nothing to show.
    let error = on_goog(&fatal(600), "walk-forward", &flags).expect_err("no fold");
    assert!(error.contains("fold 1 of 5") && error.contains("this bar is its end"), "{error}");
}

#[test]
fn what_cannot_be_written_or_cut_is_refused_before_a_run() {
    let folder = tempfile::tempdir().expect("a folder");
    let counted = Counted::default();
    let program = counted.program();
    let file = folder.path().join("file");
    std::fs::write(&file, "").expect("written");
    let (within, deep) = (file.join("out"), folder.path().join("a/b/page.html"));
    let page = within.join("page.html");
    for (command, flags, part) in [
        ("walk-forward", &["--out", path(&within)][..], "cannot write "),
        ("monte-carlo", &["--paths", "3", "--out", path(&within)], "cannot write "),
        ("report", &["--every", "1..=3", "--out", path(&page)], "cannot write "),
        ("report", &["--train", "5000", "--test", "9", "--out", path(&deep)], "--train "),
    ] {
        let error = on_goog(&program, command, flags).expect_err("refused");
        assert!(error.contains(part), "{command}: {error}");
        assert_eq!(counted.taken(), 0, "{command}");
    }
    on_goog(&program, "report", &["--out", path(&deep)]).expect("its folder is made");
    assert!(deep.exists());
}

/// What the page of a command says is missing.
fn missing(page: &Path) -> String {
    let html = std::fs::read_to_string(page).expect("a page");
    let start = "<script type=\"application/json\" id=\"data\">";
    let text = html.split(start).nth(1).and_then(|rest| rest.split("</script>").next()).expect("the data");
    let data: Value = serde_json::from_str(text).expect("JSON");
    data["warning"].as_str().unwrap_or_default().to_owned()
}

#[test]
fn a_warning_hides_no_other_one() {
    let folder = tempfile::tempdir().expect("a folder");
    let (page, out) = (folder.path().join("page.html"), folder.path().join("out"));
    // One point fails, and the others trade behind the training of the first fold alone.
    let late = Program::new("Late", vec![Parameter::new::<usize>("every", 5)], |point: &[f64]| {
        let every = point[0] as u32;
        move |ctx: &mut StrategyContext<'_>| {
            assert!(every != 4, "it fails");
            match ctx.bar().index {
                at if at < 1_000 => {}
                at if at % (2 * every) == 0 => _ = ctx.buy(5),
                at if at % every == 0 => _ = ctx.close(),
                _ => {}
            }
        }
    });
    let flags = ["--every", "3..=6", "--train", "500", "--test", "400", "--objective", "win_rate_pct"];
    on_goog(&late, "report", &[&flags[..], &["--out", path(&page)]].concat()).expect("it runs");
    let text = missing(&page);
    assert!(text.contains("1 points failed") && text.contains("The walk-forward finds nothing"), "{text}");
    // Most points of each generation fail.
    let counted = Counted::default();
    counted.fails.store(true, Ordering::Relaxed);
    let flags = ["--every", "1..=60", "--runs", "60", "--generation", "10", "--out", path(&out)];
    on_goog(&counted.program(), "optimise", &flags).expect("it runs");
    let text = missing(&out.join("report.html"));
    assert_eq!(text.matches("points failed").count(), 4, "{text}");
    assert!(text.contains("So it was in 2 more generations."), "{text}");
}

#[test]
fn fewer_samples_than_were_asked_for_are_told() {
    let folder = tempfile::tempdir().expect("a folder");
    let flags = ["--every", "1..=20000", "--where", "every < 12", "--samples", "20"];
    let flags = [&flags[..], &["--out", path(folder.path())]].concat();
    on_goog(&Counted::default().program(), "sweep", &flags).expect("it runs");
    let text = missing(&folder.path().join("report.html"));
    assert!(text.contains(" of 20 samples were found"), "{text}");
}

#[test]
fn a_part_is_not_cross_validated() {
    let folder = tempfile::tempdir().expect("a folder");
    let counted = Counted::default();
    let flags = ["--every", "1..=9", "--shard", "1/2", "--overfitting", "4", "--out", path(folder.path())];
    let error = on_goog(&counted.program(), "sweep", &flags).expect_err("refused");
    assert!(error.contains("--shard") && error.contains("cannot be used with"), "{error}");
    assert_eq!(counted.taken(), 0);
}
