//! The header of a PLY file: elements with their properties.

use lcrs_core::{Error, Result};
use lcrs_format::ScalarType;

use super::shortened::shortened;

/// How numbers are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Encoding {
    Text,
    LittleEndian,
    BigEndian,
}

/// The type of a number by its name.
fn scalar_type(name: &str) -> Option<ScalarType> {
    Some(match name {
        "char" | "int8" => ScalarType::I8,
        "uchar" | "uint8" => ScalarType::U8,
        "short" | "int16" => ScalarType::I16,
        "ushort" | "uint16" => ScalarType::U16,
        "int" | "int32" => ScalarType::I32,
        "uint" | "uint32" => ScalarType::U32,
        "int64" => ScalarType::I64,
        "uint64" => ScalarType::U64,
        "float" | "float32" => ScalarType::F32,
        "double" | "float64" => ScalarType::F64,
        _ => return None,
    })
}

/// A number, or a list of numbers with their count before it, of each row of an element.
#[derive(Debug, Clone)]
pub(super) struct Property {
    pub name: String,
    pub number: ScalarType,
    pub count: Option<ScalarType>,
}

/// Rows of the same properties.
#[derive(Debug, Clone)]
pub(super) struct Element {
    pub name: String,
    pub count: u64,
    pub properties: Vec<Property>,
}

#[derive(Debug)]
pub(super) struct Header {
    pub encoding: Encoding,
    pub elements: Vec<Element>,
    pub has_comments: bool,
    /// Where it ends.
    pub size: usize,
}

/// Longest header.
const MAX_BYTES: usize = 1 << 20;

/// Reads the header.
///
/// # Errors
/// [`lcrs_core::ErrorKind::Corrupt`] with the line that is wrong.
pub(super) fn parse(bytes: &[u8]) -> Result<Header> {
    let (mut encoding, mut elements, mut has_comments): (_, Vec<Element>, _) = (None, Vec::new(), false);
    let (mut at, mut number) = (0, 0);
    let mut is_bare = false;
    loop {
        let head = &bytes[at..bytes.len().min(MAX_BYTES)];
        let end = head.iter().position(|byte| *byte == b'\n' || *byte == b'\r');
        let end =
            end.ok_or_else(|| Error::truncated(format!("PLY header has no end_header in {} bytes", at + head.len())))?;
        let line = String::from_utf8_lossy(&head[..end]).into_owned();
        let is_double = head[end..].starts_with(b"\r\n");
        number += 1;
        // Where the first line ends in a carriage return alone, a line feed after another one is a byte of the points.
        is_bare |= number == 1 && head[end] == b'\r' && !is_double;
        at += end + if is_double && !is_bare { 2 } else { 1 };
        let wrong =
            |what: &str| Error::corrupt(format!("PLY header, line {number}: {what}: '{}'", shortened(line.trim())));
        let words: Vec<&str> = line.split_whitespace().collect();
        match words.as_slice() {
            ["ply"] if number == 1 => {}
            _ if number == 1 => return Err(wrong("no PLY file begins so")),
            [] => {}
            ["comment" | "obj_info", ..] => has_comments = true,
            ["format", kind, "1.0"] if encoding.is_none() => {
                encoding = Some(match *kind {
                    "ascii" => Encoding::Text,
                    "binary_little_endian" => Encoding::LittleEndian,
                    "binary_big_endian" => Encoding::BigEndian,
                    _ => return Err(wrong("ascii, binary_little_endian and binary_big_endian are known")),
                });
            }
            ["element", name, count] if elements.iter().all(|other| other.name != *name) => {
                let digits = count.bytes().all(|byte| byte.is_ascii_digit());
                let count = count.parse().ok().filter(|_| digits);
                let count = count.ok_or_else(|| wrong("the number of rows is none"))?;
                elements.push(Element { name: (*name).to_owned(), count, properties: Vec::new() });
            }
            ["property", rest @ ..] => {
                let property = property(rest).ok_or_else(|| wrong("a type and a name are needed"))?;
                let properties = elements.last_mut().map(|element| &mut element.properties);
                let properties = properties.ok_or_else(|| wrong("a property before any element"))?;
                if properties.iter().any(|other| other.name == property.name) {
                    return Err(wrong("a property is there twice"));
                }
                properties.push(property);
            }
            ["end_header"] => break,
            _ => return Err(wrong("this is no line of a header")),
        }
    }
    let encoding = encoding.ok_or_else(|| Error::corrupt("PLY header does not say its format"))?;
    Ok(Header { encoding, elements, has_comments, size: at })
}

fn property(words: &[&str]) -> Option<Property> {
    let (count, kind, name) = match words {
        ["list", count, kind, name] => {
            let count = scalar_type(count).filter(|count| !count.is_float());
            (Some(count?), kind, name)
        }
        [kind, name] => (None, kind, name),
        _ => return None,
    };
    Some(Property { name: (*name).to_owned(), number: scalar_type(kind)?, count })
}
