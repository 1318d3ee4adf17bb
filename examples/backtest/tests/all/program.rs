//! The command line of a strategy of one's own.

use std::path::{Path, PathBuf};

use backtest::prelude::*;
use backtest::program::{Program, Sheet};

/// Long while the fast average is above the slow one.
struct Crossing {
    averages: (Sma, Sma),
    cross: Cross,
}

impl Crossing {
    fn new(fast: usize, slow: usize) -> Self {
        Self { averages: (Sma::new(fast), Sma::new(slow)), cross: Cross::default() }
    }
}

impl Strategy for Crossing {
    fn next(&mut self, ctx: &mut StrategyContext<'_>) {
        let (fast, slow) = (self.averages.0.push(ctx.price()), self.averages.1.push(ctx.price()));
        match self.cross.push(fast, slow) {
            Some(Signal::Up) => _ = ctx.buy(Size::All),
            Some(Signal::Down) => _ = ctx.close(),
            None => {}
        }
    }
}

fn crossing() -> Program<Crossing> {
    backtest::program!(Crossing::new(fast: usize = 10, slow: usize = 50) where fast < slow)
}

fn stocks() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("data/stocks.csv")
}

/// Runs a command on the GOOG bars.
fn on_goog<S: Strategy>(program: &Program<S>, command: &str, flags: &[&str]) -> Result<String, String> {
    let stocks = stocks();
    let data = ["it", command, "--data", stocks.to_str().expect("a plain path"), "--symbol", "GOOG"];
    program.execute([&data, flags].concat()).map_err(|error| error.to_string())
}

fn read(file: &Path) -> String {
    std::fs::read_to_string(file).unwrap_or_else(|error| panic!("{}: {error}", file.display()))
}

fn path(file: &Path) -> &str {
    file.to_str().expect("a plain path")
}

#[test]
fn run_prints_figures_and_notes_and_writes_what_was_asked_for() {
    let folder = tempfile::tempdir().expect("a folder");
    let out = folder.path().join("new");
    let flags = ["--commission", "0.002", "--fast", "5", "--out", path(&out)];
    let text = on_goog(&crossing(), "run", &flags).expect("it runs");
    for part in [
        "Crossing with fast 5, slow 50",
        "GOOG: 2148 bars from 2004-08-19 to 2013-03-01",
        "sortino ",
        "kelly ",
        "expected_shortfall_95_pct ",
    ] {
        assert!(text.contains(part), "{part} in {text}");
    }
    let lines = |name: &str| read(&out.join(name)).lines().count();
    let json: serde_json::Value = serde_json::from_str(&read(&out.join("report.json"))).expect("JSON");
    let trades = json["figures"]["trades"].as_u64().expect("a number") as usize;
    assert!(trades > 20);
    assert_eq!((lines("trades.csv"), lines("equity.csv")), (trades + 1, 2149));
    assert_eq!(lines("orders.csv"), json["orders"].as_array().expect("orders").len() + 1);
    let header = read(&out.join("trades.csv")).lines().next().expect("a header").to_owned();
    let none = on_goog(&crossing(), "run", &["--cash", "50", "--out", path(&out)]).expect("it runs");
    assert_eq!(read(&out.join("trades.csv")).trim_end(), header, "a table without rows has its columns");
    assert!(none.contains("note: no order could be filled: 50 buys no lot at"), "{none}");
}

#[test]
fn a_strategy_without_parameters_is_a_program_too() {
    #[derive(Default)]
    struct Hold;
    impl Strategy for Hold {
        fn next(&mut self, ctx: &mut StrategyContext<'_>) {
            if ctx.is_flat() {
                ctx.buy(Size::All);
            }
        }
    }
    let text = on_goog(&backtest::program!(Hold), "run", &[]).expect("it runs");
    assert!(text.starts_with("Hold\nGOOG: 2148 bars"), "{text}");
    let folder = tempfile::tempdir().expect("a folder");
    let text = on_goog(&backtest::program!(Hold), "sweep", &["--out", path(folder.path())]).expect("it runs");
    assert!(text.contains("\n1 instances on "), "{text}");
}

#[test]
fn rows_have_the_figures_that_were_chosen_in_each_command_that_searches() {
    let folder = tempfile::tempdir().expect("a folder");
    let ranges = ["--fast", "5..=20:5", "--slow", "40,60", "--objective", "return_pct"];
    let chosen = [&ranges[..], &["--figures", "sortino, win_rate_pct"]].concat();
    let sweep = |flags: &[&str], name: &str| {
        let out = folder.path().join(name);
        let text = on_goog(&crossing(), "sweep", &[flags, &["--parquet", "--out", path(&out)]].concat());
        let sheet = Sheet::parse(&read(&out.join("results.csv")), false).expect("rows");
        (text.expect("it runs"), sheet)
    };
    let (text, sheet) = sweep(&chosen, "chosen");
    assert_eq!((sheet.chosen.join(" "), sheet.rows.len()), ("sortino win_rate_pct".to_owned(), 8));
    assert!(text.lines().any(|line| line.contains("sortino win_rate_pct        score")), "{text}");
    // They are those of the run itself, and the others are what they were.
    let row = sheet.rows.iter().find(|row| row.point == [10.0, 60.0]).expect("a row");
    let json = on_goog(&crossing(), "run", &["--fast", "10", "--slow", "60", "--json"]).expect("it runs");
    let json: serde_json::Value = serde_json::from_str(&json).expect("JSON");
    let figures = ["sortino", "win_rate_pct"].map(|name| json["figures"][name].as_f64());
    assert_eq!(figures, [Some(row.chosen[0]), Some(row.chosen[1])]);
    let (_, usual) = sweep(&ranges, "usual");
    for (row, usual) in sheet.rows.iter().zip(&usual.rows) {
        assert_eq!((&row.point, row.figures, row.score), (&usual.point, usual.figures, usual.score));
    }
    // Parts, and a heat map that has them.
    let parts = ["1/2", "2/2"].map(|shard| {
        sweep_part(&[&chosen[..], &["--shard", shard, "--out", path(folder.path())]].concat());
        folder.path().join(format!("results-{}.csv", shard.replace('/', "-of-")))
    });
    let merge = ["it", "merge", path(&parts[0]), path(&parts[1]), "--json", "--out", path(folder.path())];
    let merged = crossing().execute(merge).expect("they are of one search");
    let merged: serde_json::Value = serde_json::from_str(&merged).expect("JSON");
    assert_eq!(merged["digest"], format!("{:016x}", sheet.digest()));
    assert!(merged["best"][0]["sortino"].is_number(), "{merged}");
    let page = folder.path().join("page.html");
    on_goog(&crossing(), "report", &[&chosen[..], &["--out", path(&page)]].concat()).expect("it runs");
    assert!(read(&page).contains("\"win_rate_pct\""));
}

fn sweep_part(flags: &[&str]) {
    on_goog(&crossing(), "sweep", flags).expect("it runs");
}

#[test]
fn mistakes_name_the_flag_and_what_can_be_written() {
    let folder = tempfile::tempdir().expect("a folder");
    let out = ["--out", path(folder.path())];
    let refused = |command: &str, flags: &[&str]| on_goog(&crossing(), command, flags).expect_err("refused");
    for (flags, part) in [
        (&["--commission", "2"][..], "--commission is 2"),
        (&["--lot", "0"], "--lot is 0, must be a number above 0"),
        (&["--fast", "x"], "--fast `x` is no whole number; write `14`, `5..=30`"),
        (&["--fast", "5..=9"], "--fast takes one value here; `sweep` takes ranges"),
        (&["--fast", "60"], "`fast < slow` is wanted, and here is fast 60, slow 50"),
        (&["--cash", "-5"], "--cash is -5, must be above 0"),
        (&["--quick", "60"], "unexpected argument '--quick'"),
    ] {
        let error = refused("run", flags);
        assert!(error.contains(part), "{flags:?}: {error}");
    }
    for (flags, part) in [
        (&["--fast", "60..=70"][..], "none of 11 points is allowed"),
        (&["--objective", "luck"], "--objective is `luck`, and must be one of: alpha_pct"),
        (&["--figures", "luck"], "--figures has `luck`, and may have: duration_days, equity_peak"),
        (&["--figures", "calmar,sqn,calmar"], "--figures names `calmar` twice"),
        (&["--figures", "return_pct"], "--figures names `return_pct`, which each row has"),
        (&["--where", "fast <"], "--where a number or the name of a parameter is missing"),
        (&["--shard", "5/4"], "write `1/4` to `4/4`"),
        (&["--shard", "0/4"], "write `1/4` to `4/4`"),
        (&["--samples", "99999999999"], "at most 10000000 fit"),
        (&["--fast", "1..=1000000", "--slow", "1..=1000000"], "make 1000000000000 points"),
    ] {
        let error = refused("sweep", &[&out[..], flags].concat());
        assert!(error.contains(part), "{flags:?}: {error}");
    }
    let named = backtest::program!(Crossing::new(fast: usize = 10, beta: usize = 50));
    for command in ["sweep", "optimise", "report"] {
        let flags = [&out[..], &["--figures", "sortino,beta"]].concat();
        let error = on_goog(&named, command, &flags).expect_err("two columns of one name");
        let part =
            "--figures names `beta`, which is a parameter of the strategy: call the parameter otherwise";
        assert!(error.contains(part), "{command}: {error}");
    }
    let taken = backtest::program!(Crossing::new(fast: usize = 1, out: usize = 2));
    let error = on_goog(&taken, "run", &[]).expect_err("a name that is taken");
    assert!(error.contains("--out is a parameter of the strategy and has this name already"), "{error}");
}

#[test]
fn help_says_what_each_command_does() {
    let help = |words: &[&str]| {
        let asked = crossing().execute([&["it"], words].concat());
        asked.expect_err("help ends the command").to_string()
    };
    let commands = help(&["--help"]);
    for (command, does) in [
        ("run", "Run once, print the figures"),
        ("sweep", "Run for many values, on all cores; write results.csv"),
        ("walk-forward", "Choose values on the past and trade what follows"),
        ("report", "Write everything on one page"),
        ("merge", "Make one of the parts of a sweep"),
    ] {
        let is_told = |line: &str| line.trim_start().starts_with(command) && line.ends_with(does);
        assert!(commands.lines().any(is_told), "{command} in {commands}");
        assert!(help(&[command, "--help"]).starts_with(does), "{command}");
    }
}

const GRID: [&str; 6] = ["--fast", "5..=12", "--slow", "9..=30:3", "--objective", "sharpe"];

/// Runs the grid and returns what `--json` prints.
fn sweep(out: &Path, flags: &[&str]) -> serde_json::Value {
    let text = on_goog(&crossing(), "sweep", &[&GRID[..], &["--json", "--out", path(out)], flags].concat());
    serde_json::from_str(&text.expect("it runs")).expect("JSON")
}

#[test]
fn the_digest_is_the_same_for_any_number_of_threads_and_parts() {
    let folder = tempfile::tempdir().expect("a folder");
    let at = |name: &str| folder.path().join(name);
    let whole = sweep(&at("whole"), &["--threads", "1", "--parquet"]);
    // 8 times 8 pairs, less those that `fast < slow` forbids: 9..=12 beside 9, and 12 beside 12.
    assert_eq!((&whole["points"], &whole["rows"], &whole["missing"]), (&59.into(), &59.into(), &0.into()));
    assert_eq!(sweep(&at("three"), &["--threads", "3"])["digest"], whole["digest"]);
    let mut files = Vec::new();
    for part in ["3/3", "1/3", "2/3"] {
        let part_of = sweep(&at("parts"), &["--shard", part]);
        assert!(part_of["rows"].as_u64().is_some_and(|rows| (19..=20).contains(&rows)), "{part_of}");
        assert_ne!(part_of["digest"], whole["digest"]);
        files.push(at("parts").join(format!("results-{}.csv", part.replace('/', "-of-"))));
    }
    let merge = |files: &[PathBuf], flags: &[&str]| {
        let files: Vec<&str> = files.iter().map(|file| path(file)).collect();
        let merged = at("merged");
        let arguments = [&["it", "merge"], &files[..], &["--out", path(&merged), "--json"], flags].concat();
        let text = crossing().execute(arguments).map_err(|error| error.to_string())?;
        Ok::<serde_json::Value, String>(serde_json::from_str(&text).expect("JSON"))
    };
    let merged = merge(&files, &["--parquet"]).expect("parts of one sweep");
    assert_eq!((&merged["digest"], &merged["best"]), (&whole["digest"], &whole["best"]));
    for name in ["results.csv", "results.parquet"] {
        let bytes = |folder: &str| std::fs::read(at(folder).join(name)).expect("it was written");
        assert!(bytes("merged") == bytes("whole"), "{name}");
    }
    assert_eq!(merge(&files[..2], &[]).expect("two parts")["missing"], 20);
    // A part of another search, a file twice, and what is no such file.
    sweep(&at("other"), &["--shard", "1/3", "--cash", "999"]);
    files[1] = at("other").join("results-1-of-3.csv");
    let error = merge(&files, &[]).expect_err("another search");
    assert!(error.contains("results-1-of-3.csv: it is of another search: `terms` is `cash 999,"), "{error}");
    files[1] = stocks();
    assert!(merge(&files, &[]).expect_err("prices").contains("stocks.csv: these are no rows of a sweep"));
    files[1] = files[0].clone();
    assert_eq!(merge(&files, &[]).expect("a file twice")["missing"], 20);
}

#[test]
fn a_sweep_that_was_killed_goes_on_where_it_was() {
    let folder = tempfile::tempdir().expect("a folder");
    let whole = sweep(&folder.path().join("whole"), &[]);
    let out = folder.path().join("killed");
    std::fs::create_dir(&out).expect("a folder");
    let mut sheet =
        Sheet::parse(&read(&folder.path().join("whole/results.csv")), false).expect("what was written");
    // As a process leaves it that was killed after 21 rows, in the middle of the next one.
    sheet.rows.reverse();
    sheet.rows.truncate(21);
    // A result that no run has would be noticed: it is not run again.
    sheet.rows[7].figures[0] = 1.0;
    let partial = out.join("results.partial.csv");
    std::fs::write(&partial, sheet.text() + "58,12,30,77").expect("written");
    let resumed = sweep(&out, &[]);
    assert_eq!(resumed["rows"], 59);
    assert_ne!(resumed["digest"], whole["digest"], "the row that was changed is still there");
    assert!(!partial.exists(), "what is whole leaves no part behind");
    // On other terms it does not go on, unless it is told to begin anew.
    std::fs::write(&partial, sheet.text()).expect("written");
    let flags = [&GRID[..], &["--out", path(&out), "--cash", "5000"]].concat();
    let error = on_goog(&crossing(), "sweep", &flags).expect_err("of another search");
    assert!(
        error.contains("`terms` is `cash 10000,") && error.contains("begin anew with --fresh"),
        "{error}"
    );
    assert_eq!(sweep(&out, &["--fresh"])["digest"], whole["digest"]);
}

#[test]
fn a_sweep_whose_terms_hold_a_line_break_goes_on_and_is_merged() {
    let folder = tempfile::tempdir().expect("a folder");
    let (out, two) = (folder.path().join("out"), folder.path().join("two"));
    let flags = ["--where", "slow >= 2\n  * fast"];
    let whole = sweep(&out, &flags);
    let results = out.join("results.csv");
    let mut sheet = Sheet::parse(&read(&results), false).expect("what was written");
    sheet.rows.truncate(5);
    std::fs::write(out.join("results.partial.csv"), sheet.text()).expect("written");
    assert_eq!(sweep(&out, &flags)["digest"], whole["digest"]);
    sweep(&two, &[&flags[..], &["--shard", "1/2"]].concat());
    let part = two.join("results-1-of-2.csv");
    let merged = crossing().execute(["it", "merge", path(&results), path(&part), "--out", path(&two)]);
    merged.map_err(|error| error.to_string()).expect("parts of one sweep");
}

/// Holds above an average, or below it.
struct Side {
    average: Sma,
    is_above: bool,
}

impl Side {
    fn new(window: usize, above: bool) -> Self {
        Self { average: Sma::new(window), is_above: above }
    }
}

impl Strategy for Side {
    fn next(&mut self, ctx: &mut StrategyContext<'_>) {
        let Some(average) = self.average.push(ctx.price()) else { return };
        if (ctx.price() > average) == self.is_above {
            ctx.target(Size::All)
        } else {
            ctx.target(0.0)
        };
    }
}

#[test]
fn a_switch_is_true_or_false_in_each_file_of_a_sweep_and_of_its_parts() {
    let program = backtest::program!(Side::new(window: usize = 20, above: bool = true));
    let folder = tempfile::tempdir().expect("a folder");
    let at = |name: &str| folder.path().join(name);
    let sweep = |name: &str, flags: &[&str]| {
        let out = at(name);
        let usual =
            ["--window", "10,20", "--above", "false,true", "--parquet", "--arrow", "--out", path(&out)];
        on_goog(&program, "sweep", &[&usual[..], flags].concat()).expect("it runs")
    };
    let (shown, told) = (sweep("whole", &[]), sweep("again", &["--json"]));
    let column = |line: &str| line.split_whitespace().nth(1).map(str::to_owned);
    let above: Vec<String> = shown.lines().filter_map(column).take(5).collect();
    assert!(above.iter().skip(1).all(|value| value == "true" || value == "false"), "{shown}");
    let told: serde_json::Value = serde_json::from_str(&told).expect("JSON");
    assert!(told["best"][0]["above"].is_boolean() && told["best"][0]["window"].is_number(), "{told}");
    let rows = read(&at("whole/results.csv"));
    let rows: Vec<&str> =
        rows.lines().filter(|line| line.starts_with(|c: char| c.is_ascii_digit())).collect();
    let begins = |(row, begin): (&&str, &str)| row.starts_with(begin);
    let expected = ["0,10,false,", "1,10,true,", "2,20,false,", "3,20,true,"];
    assert!(rows.iter().zip(expected).all(begins) && rows.len() == 4, "{rows:?}");
    // The parts know it too, and one that holds no point is none the less merged.
    let mut parts = Vec::new();
    for part in 1..=5 {
        let text = sweep("parts", &["--shard", &format!("{part}/5")]);
        assert_eq!(text.contains("\n1 instances on "), part != 5, "{text}");
        parts.push(at("parts").join(format!("results-{part}-of-5.csv")));
        assert!(!at("parts").join(format!("results-{part}-of-5.partial.csv")).exists());
    }
    parts.reverse();
    let (merged, parts) = (at("merged"), parts.iter().map(|part| path(part)).collect::<Vec<_>>());
    let flags = ["--parquet", "--arrow", "--out", path(&merged)];
    let text = program.execute([&["it", "merge"], &parts[..], &flags].concat()).expect("parts of one sweep");
    assert!(text.lines().filter_map(column).take(5).eq(above), "{text}");
    for name in ["results.csv", "results.parquet", "results.arrow"] {
        let bytes = |folder: &str| std::fs::read(at(folder).join(name)).expect("it was written");
        assert!(bytes("merged") == bytes("whole"), "{name}");
    }
}

#[test]
fn two_sweeps_do_not_write_to_one_file() {
    let folder = tempfile::tempdir().expect("a folder");
    let whole = sweep(&folder.path().join("whole"), &[]);
    let out = folder.path().join("shared");
    std::fs::create_dir(&out).expect("a folder");
    let partial = out.join("results.partial.csv");
    // What a process leaves that was killed before its first byte.
    let other = std::fs::File::create(&partial).expect("made");
    other.lock().expect("a file of its own");
    let flags = [&GRID[..], &["--out", path(&out), "--fresh"]].concat();
    let error = on_goog(&crossing(), "sweep", &flags).expect_err("somebody else writes");
    assert!(error.contains("results.partial.csv: another sweep is writing to it; wait"), "{error}");
    assert!(!out.join("results.csv").exists());
    // Another part has a file of its own.
    sweep(&out, &["--shard", "1/2"]);
    drop(other);
    assert_eq!(sweep(&out, &[])["digest"], whole["digest"]);
    assert!(!partial.exists());
}

#[test]
fn a_window_beyond_all_memory_is_a_window_that_never_fills() {
    let flags = ["--fast", "5", "--slow", "9007199254740991"];
    let text = on_goog(&crossing(), "run", &flags).expect("it runs");
    assert!(text.contains("trades                                           0"), "{text}");
    let folder = tempfile::tempdir().expect("a folder");
    let flags =
        ["--fast", "5..=6", "--slow", "9007199254740990,9007199254740991", "--out", path(folder.path())];
    on_goog(&crossing(), "sweep", &flags).expect("it runs");
    let mut extreme = Highest::new(usize::MAX);
    assert_eq!([extreme.push(1.0), extreme.push(2.0)], [None, None]);
}

#[test]
fn parts_of_another_build_are_refused() {
    let folder = tempfile::tempdir().expect("a folder");
    let at = |name: &str| folder.path().join(name);
    sweep(&at("whole"), &[]);
    let text = read(&at("whole/results.csv"));
    let build = text.lines().find_map(|line| line.strip_prefix("# build: ")).expect("the build is told");
    assert!(build.len() == 16 && build.bytes().all(|byte| byte.is_ascii_hexdigit()), "{build}");
    // The program does not go on with a file that another version has left.
    let mut sheet = Sheet::parse(&text, false).expect("what was written");
    sheet.rows.truncate(7);
    let other = sheet.text().replace(build, "0123456789abcdef");
    std::fs::create_dir(at("killed")).expect("a folder");
    std::fs::write(at("killed/results.partial.csv"), &other).expect("written");
    let killed = at("killed");
    let flags = [&GRID[..], &["--out", path(&killed)]].concat();
    let error = on_goog(&crossing(), "sweep", &flags).expect_err("another build");
    assert!(error.contains("`build` is `0123456789abcdef`") && error.contains("--fresh"), "{error}");
    // Nor is it merged.
    std::fs::write(at("other.csv"), &other).expect("written");
    let (one, two) = (at("whole/results.csv"), at("other.csv"));
    let arguments = ["it", "merge", path(&one), path(&two), "--out", path(folder.path())];
    let error = crossing().execute(arguments).expect_err("another build").to_string();
    assert!(error.contains("other.csv") && error.contains("`build`"), "{error}");
}

#[test]
fn samples_constraints_and_objectives_of_ones_own() {
    let folder = tempfile::tempdir().expect("a folder");
    let flags = [
        "--fast",
        "5..=100",
        "--slow",
        "10..=200",
        "--samples",
        "40",
        "--where",
        "slow >= 2 * fast",
        "--json",
    ];
    let draw = |name: &str, seed: &str| {
        let out = folder.path().join(name);
        let all = [&flags[..], &["--seed", seed, "--out", path(&out)]].concat();
        let text = on_goog(&crossing(), "sweep", &all).expect("it runs");
        (text, Sheet::parse(&read(&out.join("results.csv")), false).expect("what was written"))
    };
    let (first, second, other) = (draw("a", "7"), draw("b", "7"), draw("c", "8"));
    assert_eq!(first, second);
    assert_ne!(first, other);
    assert_eq!(first.1.rows.len(), 40);
    assert!(first.1.rows.iter().all(|row| row.point[1] >= 2.0 * row.point[0]));
    // An objective of one's own, and a figure to be minimised.
    let few = backtest::program!(
        Crossing::new(fast: usize = 10, slow: usize = 50) where fast < slow,
        objective |report: &Report| -(report.trades.len() as f64)
    );
    for (objective, expected) in [(None, true), (Some("-n_trades"), true), (Some("trades"), false)] {
        let out = folder.path().join(format!("{objective:?}"));
        let mut flags = vec!["--fast", "5..=9", "--slow", "20..=60:10", "--json", "--out", path(&out)];
        flags.extend(objective.map(|name| ["--objective", name]).iter().flatten());
        on_goog(&few, "sweep", &flags).expect("it runs");
        let sheet = Sheet::parse(&read(&out.join("results.csv")), false).expect("what was written");
        let trades = |row: &backtest::program::SheetRow| row.figures[2];
        let best = trades(sheet.ranked(1)[0]);
        let all = sheet.rows.iter().map(trades);
        let extreme = if expected { all.reduce(f64::min) } else { all.reduce(f64::max) };
        assert_eq!(Some(best), extreme, "{objective:?}");
    }
}

/// Is worth the more, the nearer its parameters are to a peak.
struct Peak(f64);

impl Strategy for Peak {
    fn next(&mut self, ctx: &mut StrategyContext<'_>) {
        if ctx.bar().index == 0 && !self.0.is_nan() {
            ctx.note(format!("|{}", self.0));
        }
    }
}

impl Peak {
    fn new(a: usize, b: usize) -> Self {
        Self(-(a as f64 - 37.0).powi(2) - (b as f64 - 81.0).powi(2))
    }

    /// One whose points but for a corner have no score, as those of a strategy that does not trade.
    fn cornered(a: usize, b: usize) -> Self {
        Self(if a.min(b) > 85 { -(a as f64 - 95.0).powi(2) - (b as f64 - 90.0).powi(2) } else { f64::NAN })
    }
}

/// What a [`Peak`] has noted.
fn worth(report: &Report) -> f64 {
    report.notes.iter().find_map(|note| note.split_once('|')?.1.parse().ok()).unwrap_or(f64::NAN)
}

/// A file of two bars in this folder.
fn two_bars(folder: &Path) -> PathBuf {
    let prices = folder.join("prices.csv");
    std::fs::write(&prices, "Date,Open,High,Low,Close\n2020-01-01,1,2,1,2\n2020-01-02,1,2,1,2\n")
        .expect("written");
    prices
}

#[test]
fn an_optimiser_seeks_no_place_without_a_score() {
    let folder = tempfile::tempdir().expect("a folder");
    let (prices, out) = (two_bars(folder.path()), folder.path().join("out"));
    let program = backtest::program!(Peak::cornered(a: usize = 1, b: usize = 1), objective worth);
    let flags = ["--a", "1..=100", "--b", "1..=100", "--json", "--out", path(&out)];
    let told = program.execute([&["it", "optimise", "--data", path(&prices)][..], &flags].concat());
    let told: serde_json::Value = serde_json::from_str(&told.expect("it runs")).expect("JSON");
    assert_eq!(told["rows"], 320);
    let sheet = Sheet::parse(&read(&out.join("results.csv")), false).expect("what was written");
    let scored = sheet.rows.iter().filter(|row| row.point[0].min(row.point[1]) > 85.0).count();
    assert!(scored > 30, "{scored} of {} points, where one of fifty has a score", sheet.rows.len());
}

#[test]
fn an_optimiser_comes_to_the_peak_and_the_same_way_for_any_number_of_threads() {
    let folder = tempfile::tempdir().expect("a folder");
    let prices = two_bars(folder.path());
    let program = backtest::program!(
        Peak::new(a: usize = 1, b: usize = 1) where a != b,
        objective worth
    );
    let run = |name: &str, flags: &[&str]| {
        let out = folder.path().join(name);
        let all =
            ["it", "optimise", "--data", path(&prices), "--b", "1..=100", "--json", "--out", path(&out)];
        let all = [&all[..], flags].concat();
        let text = program.execute(all).map_err(|error| error.to_string())?;
        Ok::<serde_json::Value, String>(serde_json::from_str(&text).expect("JSON"))
    };
    let one = run("one", &["--a", "1..=100", "--threads", "1"]).expect("it runs");
    assert_eq!((&one["rows"], &one["missing"]), (&320.into(), &0.into()));
    assert_eq!(one["best"][0]["score"], 0.0, "the peak, with one of 31 points: {}", one["best"]);
    assert_eq!(run("three", &["--a", "1..=100", "--threads", "3"]).expect("it runs"), one);
    assert_ne!(run("seed", &["--a", "1..=100", "--seed", "2"]).expect("it runs")["digest"], one["digest"]);
    let sheet = Sheet::parse(&read(&folder.path().join("one/results.csv")), false).expect("what was written");
    assert!(sheet.rows.iter().all(|row| row.point[0] != row.point[1]));
    assert!(sheet.rows.windows(2).all(|pair| pair[0].index < pair[1].index), "each point once");
    // Less than was asked for is there, and most of it is found.
    let few = run("few", &["--a", "37"]).expect("it runs");
    assert!(few["rows"].as_u64().is_some_and(|rows| (90..=99).contains(&rows)), "{few}");
    for (flags, part) in [
        (["--a", "1..=9", "--samples", "9"], "--samples is for `sweep`"),
        (["--a", "3,4,3", "--runs", "9"], "--a names 3 twice"),
    ] {
        let error = run("refused", &flags).expect_err("refused");
        assert!(error.contains(part), "{error}");
    }
}

#[test]
fn a_session_is_a_flag_and_a_part_of_the_terms() {
    let error = on_goog(&crossing(), "run", &["--session", "9:30-16:00"]).expect_err("refused");
    assert!(error.contains("--session") && error.contains("09:30-16:00 America/New_York"), "{error}");
    let error = on_goog(&crossing(), "run", &["--session", "09:30-16:00"]).expect_err("bars of a day");
    assert!(error.contains("Bars of a day have no hours"), "{error}");
    let whole = |flags: &[&str]| on_goog(&crossing(), "run", flags).expect("it runs");
    assert_eq!(whole(&["--session", "00:00-12:00"]), whole(&[]), "all bars of a day begin at midnight");
}
