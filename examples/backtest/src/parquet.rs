//! Writes results as Apache Parquet: one row group, with what was run among the key-value pairs of the file.

use std::io::{self, Write};
use std::sync::Arc;

use parquet::basic::{Compression, LogicalType, Repetition, TimeUnit, Type as Physical};
use parquet::data_type::{BoolType, ByteArray, ByteArrayType, DoubleType, Int32Type, Int64Type};
use parquet::errors::Result;
use parquet::file::metadata::KeyValue;
use parquet::file::properties::WriterProperties;
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::types::{Type, TypePtr};

use crate::program::Sheet;
use crate::results::{COLUMNS, Row, figures};

/// The values of one column.
pub(crate) enum ColumnData {
    /// 32-bit integers.
    Counts(Vec<i32>),
    /// 64-bit integers.
    Integers(Vec<i64>),
    /// Doubles; what is not defined is NaN.
    Numbers(Vec<f64>),
    /// Truth values.
    Switches(Vec<bool>),
    /// UTF-8 text.
    Texts(Vec<String>),
    /// Nanoseconds since 1970, as a timestamp of UTC.
    Times(Vec<i64>),
}

/// Columns, and what is said about them.
type TableAbout = (Vec<(String, ColumnData)>, Vec<(String, String)>);

/// Writes `fast`, `slow` and the statistics; the windows and `n_trades` as 32-bit integers, the rest as
/// doubles. A figure that is not defined is NaN. `about` goes into the file's metadata: what was run, on
/// which terms.
///
/// # Errors
/// Those of the writer.
pub fn write(rows: &[Row], about: &[(&str, String)], out: impl Write + Send) -> io::Result<()> {
    let (columns, about) = row_table(rows, about);
    write_table("results", &columns, &about, out)
}

/// The same as an Arrow IPC file.
///
/// # Errors
/// Those of the writer.
pub fn write_as_arrow(rows: &[Row], about: &[(&str, String)], out: impl Write) -> io::Result<()> {
    let (columns, about) = row_table(rows, about);
    crate::arrow::write_table(&columns, &about, out)
}

fn row_table(rows: &[Row], about: &[(&str, String)]) -> TableAbout {
    let window = |of: fn(&Row) -> u32| ColumnData::Counts(rows.iter().map(|row| count(of(row))).collect());
    let mut columns = vec![
        ("fast".to_owned(), window(|(pair, _)| pair.fast)),
        ("slow".to_owned(), window(|(pair, _)| pair.slow)),
    ];
    for (at, name) in COLUMNS.into_iter().enumerate() {
        let data = if is_count(name) {
            window(|(_, statistics)| statistics.n_trades)
        } else {
            ColumnData::Numbers(rows.iter().map(|(_, statistics)| figures(statistics)[at]).collect())
        };
        columns.push((name.to_owned(), data));
    }
    let about: Vec<(String, String)> =
        about.iter().map(|(key, value)| ((*key).to_owned(), value.clone())).collect();
    (columns, about)
}

/// Writes the rows of a search: `index` as 64-bit integers, `n_trades` as 32-bit ones, switches as truth
/// values, the rest as doubles. The search and the digest go into the file's metadata.
///
/// # Errors
/// Those of the writer.
pub fn write_sheet(sheet: &Sheet, out: impl Write + Send) -> io::Result<()> {
    let (columns, about) = sheet_table(sheet);
    write_table("results", &columns, &about, out)
}

/// The same as an Arrow IPC file.
///
/// # Errors
/// Those of the writer.
pub fn write_sheet_as_arrow(sheet: &Sheet, out: impl Write) -> io::Result<()> {
    let (columns, about) = sheet_table(sheet);
    crate::arrow::write_table(&columns, &about, out)
}

/// The columns of a search, and what is said about it.
fn sheet_table(sheet: &Sheet) -> TableAbout {
    let rows = &sheet.rows;
    let index = rows.iter().map(|row| i64::try_from(row.index).unwrap_or(i64::MAX)).collect();
    let mut columns = vec![("index".to_owned(), ColumnData::Integers(index))];
    for (at, name) in sheet.parameters.iter().enumerate() {
        let values = rows.iter().map(|row| row.point[at]);
        let data = if sheet.switches.contains(&at) {
            ColumnData::Switches(values.map(|value| value != 0.0).collect())
        } else {
            ColumnData::Numbers(values.collect())
        };
        columns.push((name.clone(), data));
    }
    for (at, name) in COLUMNS.into_iter().enumerate() {
        let data = if is_count(name) {
            ColumnData::Counts(rows.iter().map(|row| row.figures[at] as i32).collect())
        } else {
            ColumnData::Numbers(rows.iter().map(|row| row.figures[at]).collect())
        };
        columns.push((name.to_owned(), data));
    }
    for (at, name) in sheet.chosen.iter().enumerate() {
        columns.push((name.clone(), ColumnData::Numbers(rows.iter().map(|row| row.chosen[at]).collect())));
    }
    columns.push(("score".to_owned(), ColumnData::Numbers(rows.iter().map(|row| row.score).collect())));
    let mut about = sheet.about.clone();
    about.push(("digest".to_owned(), format!("{:016x}", sheet.digest())));
    (columns, about)
}

/// Writes columns of equal length as a table of one row group.
///
/// # Errors
/// Those of the writer.
pub(crate) fn write_table(
    name: &str,
    columns: &[(String, ColumnData)],
    about: &[(String, String)],
    out: impl Write + Send,
) -> io::Result<()> {
    write_file(name, columns, about, out).map_err(io::Error::other)
}

fn write_file(
    name: &str,
    columns: &[(String, ColumnData)],
    about: &[(String, String)],
    out: impl Write + Send,
) -> Result<()> {
    let pairs = about.iter().map(|(key, value)| KeyValue::new(key.clone(), value.clone())).collect();
    let properties = WriterProperties::builder()
        .set_compression(Compression::UNCOMPRESSED)
        .set_key_value_metadata(Some(pairs))
        .build();
    let fields = columns.iter().map(|(name, data)| field(name, data)).collect::<Result<Vec<TypePtr>>>()?;
    let schema = Type::group_type_builder(name).with_fields(fields).build()?;
    let mut file = SerializedFileWriter::new(out, Arc::new(schema), Arc::new(properties))?;
    let mut group = file.next_row_group()?;
    for (_, data) in columns {
        let Some(mut column) = group.next_column()? else { break };
        match data {
            ColumnData::Counts(values) => column.typed::<Int32Type>().write_batch(values, None, None)?,
            ColumnData::Integers(values) | ColumnData::Times(values) => {
                column.typed::<Int64Type>().write_batch(values, None, None)?
            }
            ColumnData::Numbers(values) => column.typed::<DoubleType>().write_batch(values, None, None)?,
            ColumnData::Switches(values) => column.typed::<BoolType>().write_batch(values, None, None)?,
            ColumnData::Texts(values) => {
                let values: Vec<ByteArray> = values.iter().map(|text| text.as_str().into()).collect();
                column.typed::<ByteArrayType>().write_batch(&values, None, None)?
            }
        };
        column.close()?;
    }
    group.close()?;
    file.close()?;
    Ok(())
}

fn field(name: &str, data: &ColumnData) -> Result<TypePtr> {
    let (physical, logical) = match data {
        ColumnData::Counts(_) => (Physical::INT32, None),
        ColumnData::Integers(_) => (Physical::INT64, None),
        ColumnData::Numbers(_) => (Physical::DOUBLE, None),
        ColumnData::Switches(_) => (Physical::BOOLEAN, None),
        ColumnData::Texts(_) => (Physical::BYTE_ARRAY, Some(LogicalType::String)),
        ColumnData::Times(_) => {
            let utc = true;
            (Physical::INT64, Some(LogicalType::timestamp(utc, TimeUnit::NANOS)))
        }
    };
    let builder = Type::primitive_type_builder(name, physical).with_repetition(Repetition::REQUIRED);
    Ok(Arc::new(builder.with_logical_type(logical).build()?))
}

fn count(value: u32) -> i32 {
    i32::try_from(value).unwrap_or(i32::MAX)
}

fn is_count(column: &str) -> bool {
    column == "n_trades"
}

#[cfg(test)]
mod tests {
    use parquet::file::reader::{FileReader, SerializedFileReader};
    use parquet::record::RowAccessor;

    use super::*;
    use crate::config::Pair;
    use crate::ledger::Statistics;

    #[test]
    fn every_bit_is_read_back_with_the_terms() {
        let statistics = Statistics {
            equity_final: 1.0 / 3.0,
            return_pct: -1e-300,
            n_trades: 7,
            max_drawdown_pct: -1.5,
            sharpe_simple_daily252: f64::NAN,
            sharpe_daily252: 0.1,
            cagr_pct: 1e-7,
            exposure_pct: 100.0,
        };
        let rows: Vec<Row> = (1..=3).map(|fast| (Pair { fast, slow: 9 }, statistics)).collect();
        let path = tempfile::NamedTempFile::new().expect("a file");
        let out = path.reopen().expect("the same file");
        write(&rows, &[("cash", "10000".to_owned())], out).expect("it is written");

        let read = SerializedFileReader::new(path.reopen().expect("the same file")).expect("a table");
        let about = read.metadata().file_metadata().key_value_metadata().expect("the terms").clone();
        assert_eq!(about, [KeyValue::new("cash".to_owned(), "10000".to_owned())]);
        let got: Vec<_> = read.get_row_iter(None).expect("rows").map(|row| row.expect("a row")).collect();
        assert_eq!(got.len(), rows.len());
        for (got, (pair, statistics)) in got.iter().zip(&rows) {
            assert_eq!(got.get_int(0).ok(), i32::try_from(pair.fast).ok());
            for (at, figure) in figures(statistics).into_iter().enumerate() {
                if is_count(COLUMNS[at]) {
                    assert_eq!(got.get_int(at + 2).expect("a count"), 7);
                } else {
                    assert_eq!(got.get_double(at + 2).expect("a figure").to_bits(), figure.to_bits());
                }
            }
        }
    }
}
