//! Metadata of pictures as a dict and back.

use lcrs_codec::{Cicp, PictureMetadata};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::PyDict;

use crate::arrays::to_bytes;

pub(crate) fn to_dict<'py>(py: Python<'py>, metadata: &PictureMetadata) -> PyResult<Bound<'py, PyDict>> {
    let bytes = |data: &Option<Vec<u8>>| data.as_ref().map(|data| to_bytes(py, data)).transpose();
    let dict = PyDict::new(py);
    dict.set_item("icc", bytes(&metadata.icc)?)?;
    dict.set_item("exif", bytes(&metadata.exif)?)?;
    dict.set_item("xmp", bytes(&metadata.xmp)?)?;
    dict.set_item("iptc", bytes(&metadata.iptc)?)?;
    dict.set_item("resolution", metadata.resolution)?;
    let cicp = metadata.cicp.map(|cicp| (cicp.primaries, cicp.transfer, cicp.matrix, cicp.is_full_range));
    dict.set_item("cicp", cicp)?;
    dict.set_item("gamma", metadata.gamma)?;
    let [wx, wy, rx, ry, gx, gy, bx, by] = metadata.chromaticities.unwrap_or_default();
    dict.set_item("chromaticities", metadata.chromaticities.map(|_| (wx, wy, rx, ry, gx, gy, bx, by)))?;
    Ok(dict)
}

/// What `to_dict` makes; names may be missing, but none may be unknown.
pub(crate) fn from_dict(dict: Option<&Bound<'_, PyDict>>) -> PyResult<PictureMetadata> {
    let mut metadata = PictureMetadata::default();
    for (name, value) in dict.into_iter().flatten() {
        match name.extract::<String>()?.as_str() {
            "icc" => metadata.icc = value.extract()?,
            "exif" => metadata.exif = value.extract()?,
            "xmp" => metadata.xmp = value.extract()?,
            "iptc" => metadata.iptc = value.extract()?,
            "resolution" => metadata.resolution = value.extract()?,
            "cicp" => {
                let cicp: Option<(u8, u8, u8, bool)> = value.extract()?;
                metadata.cicp = cicp.map(|(primaries, transfer, matrix, is_full_range)| Cicp {
                    primaries,
                    transfer,
                    matrix,
                    is_full_range,
                });
            }
            "gamma" => metadata.gamma = value.extract()?,
            "chromaticities" => metadata.chromaticities = value.extract()?,
            other => return Err(PyValueError::new_err(format!("metadata has no '{other}'"))),
        }
    }
    Ok(metadata)
}
