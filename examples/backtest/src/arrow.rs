//! Writes results as an Arrow IPC file: one record batch, with what was run in the metadata of its schema.
//! pandas reads it with `pandas.read_feather`, polars with `polars.read_ipc`, which maps it into memory.

use std::io::{self, Write};
use std::sync::Arc;

use arrow_array::{
    ArrayRef, BooleanArray, Float64Array, Int32Array, Int64Array, RecordBatch, StringArray,
    TimestampNanosecondArray,
};
use arrow_ipc::writer::FileWriter;
use arrow_schema::{ArrowError, Field, Schema};

use crate::parquet::ColumnData;

/// Writes columns of equal length.
///
/// # Errors
/// Those of the writer.
pub(crate) fn write_table(
    columns: &[(String, ColumnData)],
    about: &[(String, String)],
    out: impl Write,
) -> io::Result<()> {
    write_file(columns, about, out).map_err(io::Error::other)
}

fn write_file(
    columns: &[(String, ColumnData)],
    about: &[(String, String)],
    out: impl Write,
) -> Result<(), ArrowError> {
    let arrays: Vec<ArrayRef> = columns.iter().map(|(_, data)| array(data)).collect();
    let field = |((name, _), array): (&(String, ColumnData), &ArrayRef)| {
        Field::new(name, array.data_type().clone(), false)
    };
    let fields: Vec<Field> = columns.iter().zip(&arrays).map(field).collect();
    let metadata: std::collections::HashMap<String, String> = about.iter().cloned().collect();
    let schema = Arc::new(Schema::new(fields).with_metadata(metadata));
    let batch = RecordBatch::try_new(Arc::clone(&schema), arrays)?;
    let mut file = FileWriter::try_new(out, &schema)?;
    file.write(&batch)?;
    file.finish()
}

fn array(data: &ColumnData) -> ArrayRef {
    match data {
        ColumnData::Counts(values) => Arc::new(Int32Array::from(values.clone())),
        ColumnData::Integers(values) => Arc::new(Int64Array::from(values.clone())),
        ColumnData::Numbers(values) => Arc::new(Float64Array::from(values.clone())),
        ColumnData::Switches(values) => Arc::new(BooleanArray::from(values.clone())),
        ColumnData::Texts(values) => Arc::new(StringArray::from_iter_values(values)),
        ColumnData::Times(values) => {
            Arc::new(TimestampNanosecondArray::from(values.clone()).with_timezone("UTC"))
        }
    }
}
