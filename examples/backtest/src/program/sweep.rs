//! `sweep` and `merge`: one strategy for many values of its parameters.

use std::fmt::Write as _;
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use clap::ArgMatches;

use super::args::{MergeFlags, Search, SheetFlags, SweepFlags, flags};
use super::explore::{check_blocks, explore, panel, sober, unscored, warning};
use super::report::{PageOfRun, page};
use super::sheet::{Sheet, SheetError, SheetRow};
use super::traded::Traded;
use super::{ParameterKind, Tunable};
use crate::commands::{CommandError, effort, make_folder, write};
use crate::limits::FILE_BYTES_MAX;
use crate::report::Effort;
use crate::results::COLUMNS;
use crate::search::BlockSums;

pub(super) fn execute(program: &dyn Tunable, matches: &ArgMatches) -> Result<String, CommandError> {
    let flags: SweepFlags = flags(matches)?;
    check_blocks(flags.overfitting)?;
    let search = flags.figures.chosen_by(flags.explore.search.search(program, matches)?, program)?;
    let traded = flags.explore.market.open()?;
    let out = &flags.output.out;
    make_folder(out)?;
    let part = flags.shard.map(|shard| format!("-{}-of-{}", shard.number, shard.of)).unwrap_or_default();
    let wanted: Vec<usize> =
        (0..search.points.count()).filter(|at| flags.shard.is_none_or(|shard| shard.holds(*at))).collect();
    let mut sheet = empty(program, &search, &traded);
    let (place, rows) =
        (out.join(format!("results{part}.partial.csv")), out.join(format!("results{part}.csv")));
    let checkpoint = Checkpoint::open((&place, &rows), &mut sheet, flags.fresh)?;
    // A file that was another shard's has others as well. They rise.
    sheet.rows.retain(|row| wanted.binary_search(&row.index).is_ok());
    if flags.overfitting != 0 {
        // Rows of a file have no returns: they are run again.
        sheet.rows.clear();
    }
    let done: std::collections::HashSet<usize> = sheet.rows.iter().map(|row| row.index).collect();
    let missing: Vec<usize> = wanted.iter().copied().filter(|index| !done.contains(index)).collect();
    if !done.is_empty() {
        eprintln!("note: goes on after {} of {} points, from {}", done.len(), wanted.len(), checkpoint.taken);
    }
    let (threads, blocks) = (flags.explore.search.threads, flags.overfitting);
    let mut finished =
        explore(program, &search, &traded.backtest, &missing, threads, blocks, |row| checkpoint.add(row))?;
    let warning = warning(program, &search, &finished, missing.len());
    let mut sums = Vec::new();
    for (_, (row, own)) in std::mem::take(&mut finished.rows) {
        sheet.rows.push(row);
        sums.extend(own);
    }
    sheet.sort();
    finished.effort.digest = sheet.digest();
    let warning = match flags.shard {
        // Of more parts than points some are empty: their files are merged as those of the others.
        Some(shard) if wanted.is_empty() => Some(shard.without_points(search.points.count())),
        _ => unscored(&search, &sheet, traded.backtest.bars(), warning),
    };
    let best = sheet.best();
    if best.is_none() && !wanted.is_empty() {
        return Err(CommandError::NothingFinished(warning.unwrap_or_default()));
    }
    let missing = (wanted.len() - sheet.rows.len(), warning);
    let whole = missing.0 == 0;
    if let Some(kept) = kept(&rows, &sheet, finished.interrupted).filter(|_| !whole) {
        let place = place.display();
        let kept = format!("{kept}; the rows of this sweep are in {place}: without --fresh it goes on there");
        if flags.output.json {
            eprintln!("warning: {kept}");
        }
        checkpoint.close(false)?;
        return Ok(told(&sheet, &flags.output, &kept, &missing, Some(&finished.effort)));
    }
    let mut text = results(&sheet, &flags.output, &part, &missing, Some(&finished.effort))?;
    if let (None, Some(best)) = (flags.shard, best) {
        let searched = Searched {
            program,
            search: &search,
            traded: &traded,
            sheet: &sheet,
            sums: &sums,
            blocks,
            warning: missing.1.as_deref(),
            output: &flags.output,
        };
        text.push_str(&searched.page(best)?);
    }
    checkpoint.close(whole)?;
    Ok(text)
}

/// A search whose rows are there.
pub(super) struct Searched<'a> {
    pub(super) program: &'a dyn Tunable,
    pub(super) search: &'a Search,
    pub(super) traded: &'a Traded,
    pub(super) sheet: &'a Sheet,
    pub(super) sums: &'a [BlockSums],
    pub(super) blocks: usize,
    pub(super) warning: Option<&'a str>,
    pub(super) output: &'a SheetFlags,
}

impl Searched<'_> {
    /// Writes the page, with the run of the best row, and says what that is worth.
    pub(super) fn page(&self, best: usize) -> Result<String, CommandError> {
        let Self { program, sheet, traded, .. } = *self;
        let point = sheet.rows[best].point.clone();
        let report = program.report(&traded.backtest, &point)?;
        let facts = if sheet.rows.len() > 1 && !sheet.is_unscored() {
            sober(sheet, &report, traded.backtest.bars(), self.sums, self.blocks)
        } else {
            Vec::new()
        };
        let html = page(&PageOfRun {
            program,
            traded,
            point: &point,
            report: &report,
            search: panel(program, self.search, sheet),
            facts: &facts,
            folds: None,
            warning: self.warning,
            unscored: sheet.is_unscored(),
        });
        let place = self.output.out.join("report.html");
        write(&place, |out| out.write_all(html?.as_bytes()))?;
        let mut text = String::new();
        if !self.output.json {
            for (name, value) in &facts {
                let _ = writeln!(text, "{name}: {value}");
            }
            let _ = writeln!(text, "wrote {}", place.display());
        }
        Ok(text)
    }
}

pub(super) fn merge(matches: &ArgMatches) -> Result<String, CommandError> {
    let flags: MergeFlags = flags(matches)?;
    let mut merged: Option<Sheet> = None;
    for file in &flags.files {
        let sheet = load(file)?;
        match &mut merged {
            None => merged = Some(sheet),
            Some(merged) => merged.merge(sheet).map_err(|error| unusable(file, &error))?,
        }
    }
    let Some(mut sheet) = merged else {
        return Err(CommandError::NothingFinished("no file was given".to_owned()));
    };
    sheet.sort();
    make_folder(&flags.output.out)?;
    let missing = sheet.points.saturating_sub(sheet.rows.len());
    let warning =
        (missing != 0).then(|| format!("{missing} of {} points are in none of the files.", sheet.points));
    results(&sheet, &flags.output, "", &(missing, warning), None)
}

/// A sheet without rows, with what makes two searches the same one.
pub(super) fn empty(program: &dyn Tunable, search: &Search, traded: &Traded) -> Sheet {
    let about = [
        ("program", program.name().to_owned()),
        ("build", super::build::digest().to_owned()),
        ("data", traded.fingerprint()),
        ("terms", traded.terms.clone()),
        ("space", search.space.clone()),
        ("objective", search.objective.name.clone()),
    ];
    Sheet {
        // As a file has it: a line for each. A name from a file could hold a line break, and a condition.
        about: about.map(|(key, value)| (key.to_owned(), value.replace(['\n', '\r'], " "))).to_vec(),
        parameters: program.parameters().iter().map(|parameter| parameter.name.to_owned()).collect(),
        switches: switches(program),
        chosen: search.chosen.iter().map(|figure| figure.name.to_owned()).collect(),
        points: search.points.count(),
        rows: Vec::new(),
    }
}

/// The places of the parameters that are switches.
fn switches(program: &dyn Tunable) -> Vec<usize> {
    let parameters = program.parameters().iter().enumerate();
    let switches = parameters.filter(|(_, parameter)| parameter.kind == ParameterKind::Switch);
    switches.map(|(at, _)| at).collect()
}

/// Writes a sheet and says what is in it.
pub(super) fn results(
    sheet: &Sheet,
    flags: &SheetFlags,
    part: &str,
    (missing, warning): &(usize, Option<String>),
    took: Option<&Effort>,
) -> Result<String, CommandError> {
    let written = write_sheet(sheet, flags, part)?;
    Ok(told(sheet, flags, &format!("wrote {written}"), &(*missing, warning.clone()), took))
}

/// Writes a sheet, and tells where to.
fn write_sheet(sheet: &Sheet, flags: &SheetFlags, part: &str) -> Result<String, CommandError> {
    let csv = flags.out.join(format!("results{part}.csv"));
    write(&csv, |out| out.write_all(sheet.text().as_bytes()))?;
    let mut written = csv.display().to_string();
    if flags.parquet {
        let place = flags.out.join(format!("results{part}.parquet"));
        write(&place, |out| crate::parquet::write_sheet(sheet, out))?;
        let _ = write!(written, " and {}", place.display());
    }
    if flags.arrow {
        let place = flags.out.join(format!("results{part}.arrow"));
        write(&place, |out| crate::parquet::write_sheet_as_arrow(sheet, out))?;
        let _ = write!(written, " and {}", place.display());
    }
    Ok(written)
}

/// Says what is in a sheet, and with `end` where it is.
fn told(
    sheet: &Sheet,
    flags: &SheetFlags,
    end: &str,
    (missing, warning): &(usize, Option<String>),
    took: Option<&Effort>,
) -> String {
    if let Some(warning) = warning {
        eprintln!("warning: {warning}");
    }
    let best = sheet.ranked(flags.top);
    if flags.json {
        let row = |row: &&SheetRow| {
            let mut object = serde_json::json!({ "index": row.index, "score": row.score });
            for (at, (name, value)) in sheet.parameters.iter().zip(&row.point).enumerate() {
                object[name] = sheet.json(at, *value);
            }
            let names = COLUMNS.into_iter().chain(sheet.chosen.iter().map(String::as_str));
            for (name, value) in names.zip(row.figures.iter().chain(&row.chosen)) {
                object[name] = (*value).into();
            }
            object
        };
        let object = serde_json::json!({
            "points": sheet.points,
            "rows": sheet.rows.len(),
            "missing": missing,
            "digest": format!("{:016x}", sheet.digest()),
            "best": best.iter().map(row).collect::<Vec<_>>(),
        });
        return format!("{object}\n");
    }
    let mut text = table(sheet, &best);
    match took {
        Some(took) => text.push_str(&effort(took)),
        None => _ = writeln!(text, "\ndigest of all results {:016x}", sheet.digest()),
    }
    let _ = writeln!(text, "{end}");
    text
}

fn table(sheet: &Sheet, best: &[&SheetRow]) -> String {
    let mut text = String::new();
    for name in &sheet.parameters {
        let _ = write!(text, "{name:>10} ");
    }
    let heads = [
        ("equity", 12),
        ("return %", 12),
        ("trades", 12),
        ("drawdown %", 12),
        ("sharpe", 12),
        ("sharpe_daily252", 15),
        ("cagr %", 12),
        ("exposed %", 12),
    ];
    for (head, width) in heads {
        let _ = write!(text, "{head:>width$} ");
    }
    for name in &sheet.chosen {
        let _ = write!(text, "{name:>12} ");
    }
    let _ = writeln!(text, "{:>12}", "score");
    for row in best {
        for (at, value) in row.point.iter().enumerate() {
            let value =
                sheet.json(at, *value).as_bool().map_or_else(|| value.to_string(), |on| on.to_string());
            let _ = write!(text, "{value:>10} ");
        }
        for ((head, width), figure) in heads.into_iter().zip(row.figures) {
            let decimals = if head == "trades" { 0 } else { 4 };
            let _ = write!(text, "{figure:>width$.decimals$} ");
        }
        for (name, figure) in sheet.chosen.iter().zip(&row.chosen) {
            let width = name.len().max(12);
            let _ = write!(text, "{figure:>width$.4} ");
        }
        let _ = writeln!(text, "{:>12.4}", row.score);
    }
    text
}

fn unusable(file: &Path, error: &dyn std::fmt::Display) -> CommandError {
    CommandError::Unusable { file: file.display().to_string(), reason: error.to_string() }
}

fn at_odds(file: &Path, error: &SheetError) -> CommandError {
    unusable(file, &format!("{error}; choose another --out, or begin anew with --fresh"))
}

fn load(file: &Path) -> Result<Sheet, CommandError> {
    let text = File::open(file).and_then(read).map_err(|error| unusable(file, &error))?;
    Sheet::parse(&text, false).map_err(|error| unusable(file, &error))
}

/// That these rows of an earlier sweep stay as they are, and why, if one that is not whole would replace them
/// by less. Those of another search stay if it was interrupted: it may have been started by mistake.
fn kept(rows: &Path, sheet: &Sheet, interrupted: bool) -> Option<String> {
    let why = match load(rows).map(|before| (sheet.check_same(&before), before.rows.len())) {
        Ok((Ok(()), before)) if before > sheet.rows.len() => {
            format!("has {before} rows, and this sweep {}", sheet.rows.len())
        }
        Ok((Err(SheetError::Other { key, this, .. }), _)) if interrupted => {
            format!("is of another search: `{key}` is `{this}` there")
        }
        Err(_) if interrupted && rows.exists() => "holds no rows of a sweep".to_owned(),
        _ => return None,
    };
    Some(format!("{} {why}: it stays as it is, and so does what was written with it", rows.display()))
}

fn read(open: File) -> io::Result<String> {
    let size = open.metadata()?.len();
    if size > FILE_BYTES_MAX {
        return Err(io::Error::other(format!("it has {size} bytes, more than {FILE_BYTES_MAX}")));
    }
    let mut text = String::new();
    io::Read::read_to_string(&mut io::BufReader::new(open), &mut text)?;
    Ok(text)
}

/// Locks a file for as long as the process lives, so that no other sweep adds its rows to it. A file system
/// that knows no locks does without.
fn hold(file: &File, place: &Path) -> Result<(), CommandError> {
    match file.try_lock() {
        Err(TryLockError::WouldBlock) => {
            let reason = "another sweep is writing to it; wait for its end, or choose another --out";
            Err(unusable(place, &reason))
        }
        Ok(()) | Err(TryLockError::Error(_)) => Ok(()),
    }
}

/// The rows of a sweep as they come, so that one that was interrupted can go on.
struct Checkpoint {
    place: PathBuf,
    /// The files of the rows that were there before.
    taken: String,
    file: Mutex<(File, Option<io::Error>)>,
    switches: Vec<usize>,
    /// The file that was there before, and is locked as the one that has taken its place.
    _before: File,
}

impl Checkpoint {
    /// Takes the rows of an earlier attempt into the sheet, and goes on behind them. The results of one that
    /// was whole, in the file `rows`, are taken too if they are of the same search.
    fn open((place, rows): (&Path, &Path), sheet: &mut Sheet, fresh: bool) -> Result<Self, CommandError> {
        let failed = |error| CommandError::Write { to: place.display().to_string(), error };
        let mut before = OpenOptions::new();
        let before = before.read(true).append(true).create(true).open(place).map_err(failed)?;
        hold(&before, place)?;
        let text = before.try_clone().and_then(read).map_err(|error| unusable(place, &error))?;
        let mut taken = Vec::new();
        // An empty one was made by a process that was killed at once.
        if !text.is_empty() && !fresh {
            let before = Sheet::parse(&text, true);
            before.and_then(|before| sheet.merge(before)).map_err(|error| at_odds(place, &error))?;
            taken.push(place.display().to_string());
        }
        let whole = load(rows).ok().filter(|whole| !fresh && sheet.check_same(whole).is_ok());
        if let Some(whole) = whole {
            sheet.merge(whole).map_err(|error| at_odds(rows, &error))?;
            taken.push(rows.display().to_string());
        }
        sheet.rows.retain(|row| row.index < sheet.points);
        // Written anew, beside its place first: what was cut off is gone then, and no kill leaves less than
        // there was.
        let beside = place.with_extension("part");
        let written = || -> io::Result<File> {
            let mut file = OpenOptions::new().append(true).create(true).open(&beside)?;
            file.set_len(0)?;
            file.write_all(sheet.text().as_bytes())?;
            Ok(file)
        };
        let file = written().map_err(failed)?;
        hold(&file, place)?;
        std::fs::rename(&beside, place).map_err(failed)?;
        let (place, taken) = (place.to_owned(), taken.join(" and "));
        let switches = sheet.switches.clone();
        Ok(Self { place, taken, file: Mutex::new((file, None)), switches, _before: before })
    }

    /// Adds a row, in one piece. After an error no more are added: the sweep itself goes on.
    fn add(&self, row: &SheetRow) {
        let mut held = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        let (file, failed) = &mut *held;
        if failed.is_none() {
            *failed = file.write_all(row.line(&self.switches).as_bytes()).err();
        }
    }

    /// Removes the file if the results are whole.
    fn close(self, whole: bool) -> Result<(), CommandError> {
        let (_, failed) = self.file.into_inner().unwrap_or_else(PoisonError::into_inner);
        if let Some(error) = failed {
            eprintln!("warning: {} could not be written: {error}", self.place.display());
        }
        if whole {
            let error = |error| CommandError::Write { to: self.place.display().to_string(), error };
            std::fs::remove_file(&self.place).map_err(error)?;
        }
        Ok(())
    }
}
