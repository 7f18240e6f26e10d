//! Small files put together column by column.

use std::collections::BTreeMap;
use std::path::Path;

use hdf5_pure::{EnumTypeBuilder, FileBuilder};

/// A column of a test file.
#[derive(Clone)]
pub enum Data {
    F32(Vec<f32>),
    F64(Vec<f64>),
    I64(Vec<i64>),
    U8(Vec<u8>),
    I8(Vec<i8>),
    Bool(Vec<u8>),
    Text,
}

/// Columns by key: shape and elements.
pub type Columns = BTreeMap<&'static str, (Vec<u64>, Data)>;

/// Two agents, observations of width 3, one command: episodes of 2 and 1 steps.
pub fn columns() -> Columns {
    let obs: Vec<f32> = (0..30).map(|i| (i * i % 17) as f32).collect();
    let actions = vec![0.1, -0.1, 0.2, -0.2, 9.0, 9.0, 0.3, -0.3, 9.0, 9.0];
    BTreeMap::from([
        ("o", (vec![5, 2, 3], Data::F32(obs.clone()))),
        ("s", (vec![5, 2, 3], Data::F32(obs))),
        ("a", (vec![5, 2, 1], Data::F32(actions))),
        ("r", (vec![5, 1], Data::F32(vec![1.0, 2.0, 99.0, 4.0, 99.0]))),
        ("d", (vec![5, 1], Data::F32(vec![0.0, 0.0, 1.0, 0.0, 1.0]))),
        ("timeout", (vec![5, 1], Data::F32(vec![0.0, 0.0, 1.0, 0.0, 0.0]))),
    ])
}

/// The same with three choices instead of one command.
pub fn discrete() -> Columns {
    let mut columns = columns();
    columns.insert("a", (vec![5, 2, 1], Data::I64(vec![0, 1, 2, 0, -1, 77, 1, 1, -1, 77])));
    columns
}

/// Write it as HDF5, contiguous.
pub fn write(path: &Path, columns: &Columns) {
    let mut file = FileBuilder::new();
    for (key, (shape, data)) in columns {
        let dataset = file.create_dataset(key);
        match data {
            Data::F32(v) => dataset.with_f32_data(v),
            Data::F64(v) => dataset.with_f64_data(v),
            Data::I64(v) => dataset.with_i64_data(v),
            Data::U8(v) => dataset.with_u8_data(v),
            Data::I8(v) => dataset.with_i8_data(v),
            Data::Bool(v) => {
                let boolean = EnumTypeBuilder::u8_based().u8_value("FALSE", 0).u8_value("TRUE", 1).build().unwrap();
                dataset.with_enum_u8_data(boolean, v)
            }
            Data::Text => dataset.with_strings(&["x"]).unwrap(),
        };
        dataset.with_shape(shape);
    }
    file.write(path).unwrap();
}
