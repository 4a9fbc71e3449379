//! Reading the integer tables of a package.

use lcrs_core::cdf::CdfTable;
use lcrs_core::{Error, Result};

use crate::blame::blame_data;
use crate::graph::Attributes;
use crate::tensors::{find, Lookup};

/// The table that member `table` describes: `{"cdf", "lengths", "offsets", "precision"}`.
pub(crate) fn parse_table(members: &mut Attributes<'_>, tensors: Lookup<'_, '_>) -> Result<CdfTable> {
    let read = |members: &mut Attributes<'_>| {
        let cdf = find(tensors, members.text("cdf")?)?;
        let lengths = find(tensors, members.text("lengths")?)?;
        let offsets = find(tensors, members.text("offsets")?)?;
        let precision = members.count("precision", 1, 16)?;
        let (&[rows, width], &[num_lengths], &[num_offsets]) = (cdf.shape(), lengths.shape(), offsets.shape()) else {
            return Err(Error::corrupt("'cdf' must have two sides, 'lengths' and 'offsets' one"));
        };
        if rows != num_lengths || rows != num_offsets {
            return Err(Error::corrupt(format!("{rows} rows, {num_lengths} lengths and {num_offsets} offsets")));
        }
        CdfTable::new(cdf.to_i32()?, width, lengths.to_i32()?, offsets.to_i32()?, precision as u32).map_err(blame_data)
    };
    let value = members.required("table")?;
    let mut table_members = Attributes::new(value, "it").map_err(|e| e.at("table"))?;
    let table = read(&mut table_members).map_err(|e| e.at("table"))?;
    table_members.finish().map_err(|e| e.at("table"))?;
    Ok(table)
}

/// A vector of finite numbers that member `key` names.
pub(crate) fn parse_vector(
    members: &mut Attributes<'_>,
    key: &'static str,
    tensors: Lookup<'_, '_>,
) -> Result<Vec<f32>> {
    let name = members.text(key)?;
    let tensor = find(tensors, name)?;
    if tensor.shape().len() != 1 {
        return Err(Error::corrupt(format!("tensor {name:?} has shape {:?}, must have one side", tensor.shape())));
    }
    Ok(tensor.to_f32().map_err(|e| e.at(format!("tensor {name:?}")))?.into_owned())
}
