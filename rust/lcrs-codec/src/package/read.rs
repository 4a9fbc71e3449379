//! From the bytes of a safetensors file to a description and typed tensors.

use half::f16;
use lcrs_core::{Error, Limits, Result};
use safetensors::tensor::{Dtype, SafeTensorError, SafeTensors};

use crate::tensors::{TensorData, TensorView, Tensors};

/// The metadata key that holds the description.
const DESCRIPTION_KEY: &str = "lcrs";

/// Longest safetensors header: description and tensor list. Known models stay below 1 MiB.
const MAX_HEADER_BYTES: u64 = 16 << 20;

/// The description's text and all tensors of a package file.
///
/// # Errors
/// [`lcrs_core::ErrorKind::Truncated`] if bytes are missing, [`lcrs_core::ErrorKind::Limit`] for a file or header above the
/// limits, [`lcrs_core::ErrorKind::Corrupt`] for everything else that is wrong.
pub(crate) fn read(bytes: &[u8], limits: &Limits) -> Result<(String, Tensors<'static>)> {
    if bytes.len() as u64 > limits.max_bytes {
        return Err(Error::limit(format!("{} bytes, at most {} are allowed", bytes.len(), limits.max_bytes)));
    }
    let length = bytes.first_chunk::<8>().map(|length| u64::from_le_bytes(*length));
    if let Some(length) = length.filter(|length| *length > MAX_HEADER_BYTES) {
        return Err(Error::limit(format!("header of {length} bytes, at most {MAX_HEADER_BYTES} are allowed")));
    }
    let (_, metadata) = SafeTensors::read_metadata(bytes).map_err(explain)?;
    let description = metadata.metadata().as_ref().and_then(|metadata| metadata.get(DESCRIPTION_KEY)).cloned();
    let description = description.ok_or_else(|| Error::corrupt("not a model package: it has no description"))?;
    let file = SafeTensors::deserialize(bytes).map_err(explain)?;
    let mut tensors = Tensors::new();
    for (name, view) in file.iter() {
        let data = typed(view.dtype(), view.data()).map_err(|e| e.at(format!("tensor {name:?}")))?;
        tensors.insert(name.to_owned(), TensorView::new(view.shape().to_vec(), data)?);
    }
    if tensors.len() != file.len() {
        return Err(Error::corrupt("two tensors have the same name"));
    }
    Ok((description, tensors))
}

fn explain(error: SafeTensorError) -> Error {
    let message = format!("not a safetensors file: {error}");
    match error {
        SafeTensorError::HeaderTooSmall | SafeTensorError::InvalidHeaderLength => Error::truncated(message),
        SafeTensorError::MetadataIncompleteBuffer => {
            Error::corrupt("tensors do not fill the file: it was cut off, or has bytes too many")
        }
        _ => Error::corrupt(message),
    }
}

fn typed(dtype: Dtype, bytes: &[u8]) -> Result<TensorData<'static>> {
    Ok(match dtype {
        Dtype::F32 => TensorData::F32(elements(bytes, f32::from_le_bytes).into()),
        Dtype::F16 => TensorData::F16(elements(bytes, f16::from_le_bytes).into()),
        Dtype::I32 => TensorData::I32(elements(bytes, i32::from_le_bytes).into()),
        other => return Err(Error::unsupported(format!("type {other:?}, this build knows F32, F16 and I32"))),
    })
}

fn elements<T, const N: usize>(bytes: &[u8], read: impl Fn([u8; N]) -> T) -> Vec<T> {
    let (chunks, _) = bytes.as_chunks::<N>();
    chunks.iter().map(|chunk| read(*chunk)).collect()
}
