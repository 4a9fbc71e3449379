//! From the bytes of a safetensors file to a description and typed tensors.

use std::collections::BTreeMap;
use std::io::Read;

use half::f16;
use lcrs_core::{Error, Limits, Result};
use safetensors::tensor::{Dtype, Metadata, SafeTensorError};

use super::budget::check_json;
use crate::reading::{read_up_to, ReadError};
use crate::tensors::{TensorData, TensorView, Tensors};

/// The metadata key that holds the description.
const DESCRIPTION_KEY: &str = "lcrs";

/// Longest safetensors header: description and tensor list. Known models stay below 1 MiB.
const MAX_HEADER_BYTES: u64 = 16 << 20;

/// How it begins what is said of files of other kinds.
const NO_PACKAGE: &str = "not a model package (.lcrm)";

/// Bytes of the number before the header.
const PREFIX: usize = size_of::<u64>();

/// The description's text and all tensors of a package file.
///
/// # Errors
/// [`lcrs_core::ErrorKind::Truncated`] if bytes are missing, [`lcrs_core::ErrorKind::Limit`] for a file or header above the
/// limits, [`lcrs_core::ErrorKind::Corrupt`] for everything else that is wrong.
pub(crate) fn read(bytes: &[u8], limits: &Limits) -> Result<(String, Tensors<'static>)> {
    check_length(bytes.len() as u64, limits)?;
    let end = header_end(bytes)?
        .ok_or_else(|| Error::truncated(format!("{NO_PACKAGE}, or cut short: it has {} bytes", bytes.len())))?;
    let header = bytes.get(PREFIX..end).ok_or_else(|| cut_short(end - PREFIX, bytes.len() - PREFIX))?;
    let header = parse_header(header, limits)?;
    let data = &bytes[end..];
    if header.data_len() != data.len() {
        let (wanted, found) = (header.data_len(), data.len());
        let message = format!("tensors of {wanted} bytes in {found}: it was cut off, or has bytes too many");
        return Err(if found < wanted { Error::truncated(message) } else { Error::corrupt(message) });
    }
    let description = description_of(&header)?;
    let mut tensors = Tensors::new();
    for (name, info) in header.tensors().into_iter().collect::<BTreeMap<_, _>>() {
        let (start, end) = info.data_offsets;
        let data = typed(info.dtype, &data[start..end], limits).map_err(|e| e.at(format!("tensor {name:?}")))?;
        tensors.insert(name, TensorView::new(info.shape.clone(), data)?);
    }
    Ok((description, tensors))
}

/// The description's text, for which no more than the header is read.
pub(super) fn read_description(source: &mut dyn Read, limits: &Limits) -> std::result::Result<String, ReadError> {
    let mut bytes = Vec::new();
    read_up_to(source, PREFIX as u64, &mut bytes)?;
    let short = || Error::truncated(format!("{NO_PACKAGE}, or cut short: it has {} bytes", bytes.len()));
    let length = header_end(&bytes)?.ok_or_else(short)? - PREFIX;
    let mut header = Vec::new();
    read_up_to(source, length as u64, &mut header)?;
    if header.len() < length {
        return Err(cut_short(length, header.len()).into());
    }
    Ok(description_of(&parse_header(&header, limits)?)?)
}

fn description_of(header: &Metadata) -> Result<String> {
    let description = header.metadata().as_ref().and_then(|metadata| metadata.get(DESCRIPTION_KEY)).cloned();
    description.ok_or_else(|| Error::corrupt(format!("{NO_PACKAGE}: it has no description")))
}

/// How many bytes must be at hand before more can be said of a package file that begins with `first`. As soon as that is
/// not more than `first` has, it is the length of the file.
///
/// # Errors
/// As [`read`] for what the first bytes show.
pub(super) fn bytes_needed(first: &[u8], limits: &Limits) -> Result<u64> {
    let Some(end) = header_end(first)? else { return Ok(PREFIX as u64) };
    let Some(header) = first.get(PREFIX..end) else { return Ok(end as u64) };
    let length = (end as u64).saturating_add(parse_header(header, limits)?.data_len() as u64);
    check_length(length, limits).map(|()| length)
}

/// Refuses a file of more than the allowed bytes.
///
/// # Errors
/// [`lcrs_core::ErrorKind::Limit`].
pub(super) fn check_length(length: u64, limits: &Limits) -> Result<()> {
    if length > limits.max_bytes {
        return Err(Error::limit(format!("{length} bytes, at most {} are allowed (max_bytes)", limits.max_bytes)));
    }
    Ok(())
}

/// Where the header ends; `None` if there are not enough bytes to tell.
fn header_end(bytes: &[u8]) -> Result<Option<usize>> {
    let Some(length) = bytes.first_chunk().map(|length| u64::from_le_bytes(*length)) else { return Ok(None) };
    let message = || {
        format!("{NO_PACKAGE}: it does not begin with the length of a header, which has 1 to {MAX_HEADER_BYTES} bytes")
    };
    match usize::try_from(length) {
        Ok(0) => Err(Error::corrupt(message())),
        Ok(length) if length as u64 <= MAX_HEADER_BYTES => Ok(Some(PREFIX + length)),
        _ => Err(Error::limit(message())),
    }
}

/// The list of tensors, which must follow one another without a gap, and the metadata.
fn parse_header(header: &[u8], limits: &Limits) -> Result<Metadata> {
    let text = std::str::from_utf8(header).map_err(|e| explain(SafeTensorError::InvalidHeader(e)))?;
    check_json(text, 1, limits).map_err(|error| error.at(NO_PACKAGE))?;
    serde_json::from_str(text).map_err(|e| explain(SafeTensorError::InvalidHeaderDeserialization(e)))
}

/// A header that ends early, of a package or of what is none.
fn cut_short(length: usize, there: usize) -> Error {
    Error::truncated(format!("{NO_PACKAGE}, or cut short: header of {length} bytes, {there} are there"))
}

fn explain(error: SafeTensorError) -> Error {
    Error::corrupt(format!("{NO_PACKAGE}: {error}"))
}

fn typed(dtype: Dtype, bytes: &[u8], limits: &Limits) -> Result<TensorData<'static>> {
    Ok(match dtype {
        Dtype::F32 => TensorData::F32(elements(bytes, f32::from_le_bytes, limits)?.into()),
        Dtype::F16 => TensorData::F16(elements(bytes, f16::from_le_bytes, limits)?.into()),
        Dtype::I32 => TensorData::I32(elements(bytes, i32::from_le_bytes, limits)?.into()),
        other => return Err(Error::unsupported(format!("type {other:?}, this build knows F32, F16 and I32"))),
    })
}

fn elements<T: Clone + Default, const N: usize>(
    bytes: &[u8],
    read: impl Fn([u8; N]) -> T,
    limits: &Limits,
) -> Result<Vec<T>> {
    let (chunks, _) = bytes.as_chunks::<N>();
    let mut elements = limits.zeroed(chunks.len(), "tensor")?;
    elements.iter_mut().zip(chunks).for_each(|(element, chunk)| *element = read(*chunk));
    Ok(elements)
}
