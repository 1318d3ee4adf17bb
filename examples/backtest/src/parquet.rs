//! Writes results as Apache Parquet: one row group, with what was run among the key-value pairs of the file.

use std::io::{self, Write};
use std::sync::Arc;

use parquet::basic::{Compression, Repetition, Type as Physical};
use parquet::data_type::{DoubleType, Int32Type};
use parquet::errors::Result;
use parquet::file::metadata::KeyValue;
use parquet::file::properties::WriterProperties;
use parquet::file::writer::{SerializedFileWriter, SerializedRowGroupWriter};
use parquet::schema::types::{Type, TypePtr};

use crate::results::{COLUMNS, Row, figures};

/// Writes `fast`, `slow` and the statistics; the windows and `n_trades` as 32-bit integers, the rest as
/// doubles. What is not defined is NaN. `about` goes into the file's metadata: what was run, on which terms.
///
/// # Errors
/// Those of the writer.
pub fn write(rows: &[Row], about: &[(&str, String)], out: impl Write + Send) -> io::Result<()> {
    write_file(rows, about, out).map_err(io::Error::other)
}

fn write_file(rows: &[Row], about: &[(&str, String)], out: impl Write + Send) -> Result<()> {
    let pairs = about.iter().map(|(key, value)| KeyValue::new((*key).to_owned(), value.clone())).collect();
    let properties = WriterProperties::builder()
        .set_compression(Compression::UNCOMPRESSED)
        .set_key_value_metadata(Some(pairs))
        .build();
    let mut file = SerializedFileWriter::new(out, Arc::new(schema()?), Arc::new(properties))?;
    let mut group = file.next_row_group()?;
    integers(&mut group, rows, |(pair, _)| pair.fast)?;
    integers(&mut group, rows, |(pair, _)| pair.slow)?;
    for (at, name) in COLUMNS.into_iter().enumerate() {
        if is_count(name) {
            integers(&mut group, rows, |(_, statistics)| statistics.n_trades)?;
        } else {
            doubles(&mut group, rows, |(_, statistics)| figures(statistics)[at])?;
        }
    }
    group.close()?;
    file.close()?;
    Ok(())
}

fn is_count(column: &str) -> bool {
    column == "n_trades"
}

fn schema() -> Result<Type> {
    let mut columns = vec![column("fast", Physical::INT32)?, column("slow", Physical::INT32)?];
    for name in COLUMNS {
        columns.push(column(name, if is_count(name) { Physical::INT32 } else { Physical::DOUBLE })?);
    }
    Type::group_type_builder("results").with_fields(columns).build()
}

fn column(name: &str, physical: Physical) -> Result<TypePtr> {
    Ok(Arc::new(Type::primitive_type_builder(name, physical).with_repetition(Repetition::REQUIRED).build()?))
}

fn integers<W: Write + Send>(
    group: &mut SerializedRowGroupWriter<'_, W>,
    rows: &[Row],
    of: impl Fn(&Row) -> u32,
) -> Result<()> {
    let values: Vec<i32> = rows.iter().map(|row| i32::try_from(of(row)).unwrap_or(i32::MAX)).collect();
    let Some(mut column) = group.next_column()? else { return Ok(()) };
    column.typed::<Int32Type>().write_batch(&values, None, None)?;
    column.close()
}

fn doubles<W: Write + Send>(
    group: &mut SerializedRowGroupWriter<'_, W>,
    rows: &[Row],
    of: impl Fn(&Row) -> f64,
) -> Result<()> {
    let values: Vec<f64> = rows.iter().map(of).collect();
    let Some(mut column) = group.next_column()? else { return Ok(()) };
    column.typed::<DoubleType>().write_batch(&values, None, None)?;
    column.close()
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
            sharpe_bt: 0.1,
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
