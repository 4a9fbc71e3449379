//! PLY files: the element `vertex` of one, in text or in bytes of either order, whatever its properties.
//!
//! The format is Greg Turk's. What the Python program reads and writes is the same, number by number.

use lcrs_codec::{PointCloud, Values};
use lcrs_core::{Error, Limits, Result};
use lcrs_format::ScalarType;

use super::columns::{
    axis, empty, interleaved, last_length, push_bytes, push_word, reserve, writable, write as write_number,
};
use super::header::{parse, Element, Encoding, Header, Property};
use super::shortened::shortened;

const AXES: [&str; 3] = ["x", "y", "z"];

/// The points of a file, and what of it is not in them.
///
/// # Errors
/// `Truncated` or `Corrupt` with the place of what is wrong; `Limit` for more points than are allowed.
pub(super) fn read(bytes: &[u8], limits: &Limits) -> Result<(PointCloud<'static>, Vec<String>)> {
    let header = parse(bytes)?;
    let at = header.elements.iter().position(|element| element.name == "vertex");
    let at = at.ok_or_else(|| Error::corrupt("PLY file has no element 'vertex'"))?;
    let is_plain = |axis: &&str| header.elements[at].properties.iter().any(|p| p.name == *axis && p.count.is_none());
    if let Some(missing) = AXES.iter().find(|axis| !is_plain(axis)) {
        return Err(Error::corrupt(format!("PLY points have no {missing}: x, y, z are needed")));
    }
    let mut rows = Rows::new(bytes, &header);
    for element in &header.elements[..at] {
        rows.skip(element)?;
    }
    let vertex = &header.elements[at];
    let mut columns = rows.columns(vertex, limits)?;
    let mut take = |name: &str| {
        let at = vertex.properties.iter().filter(|p| p.count.is_none()).position(|p| p.name == name);
        at.map(|at| columns[at].take()).unwrap_or_default().unwrap_or(Values::U8(Vec::new().into()))
    };
    let [x, y, z] = AXES.map(&mut take);
    let positions = interleaved([&x, &y, &z]);
    let names = vertex.properties.iter().filter(|p| p.count.is_none()).map(|p| p.name.clone());
    let attributes = names.zip(columns).filter_map(|(name, values)| values.map(|values| (name, values))).collect();
    Ok((PointCloud { positions, attributes }, losses(&header, at)))
}

fn losses(header: &Header, vertex: usize) -> Vec<String> {
    let mut losses = Vec::new();
    for (i, element) in header.elements.iter().enumerate() {
        if i != vertex && element.count > 0 {
            let what = if element.name == "face" {
                "faces".to_owned()
            } else {
                format!("the element {}", shortened(&element.name))
            };
            losses.push(format!("{what} ({})", element.count));
        }
    }
    let lists = header.elements[vertex].properties.iter().filter(|property| property.count.is_some());
    losses.extend(lists.map(|property| format!("the list {} of every point", shortened(&property.name))));
    losses.extend(header.has_comments.then(|| "comments".to_owned()));
    losses
}

/// What is left of a file after its header.
struct Rows<'a> {
    left: &'a [u8],
    encoding: Encoding,
}

impl<'a> Rows<'a> {
    fn new(bytes: &'a [u8], header: &Header) -> Self {
        Self { left: &bytes[header.size..], encoding: header.encoding }
    }

    fn ends(element: &Element, row: u64) -> Error {
        Error::truncated(format!("PLY file ends in {} {row} of {}", shortened(&element.name), element.count))
    }

    /// The next line that is not empty.
    fn line(&mut self) -> Option<&'a str> {
        while !self.left.is_empty() {
            let end = self.left.iter().position(|byte| *byte == b'\n' || *byte == b'\r').unwrap_or(self.left.len());
            let (line, rest) = self.left.split_at(end);
            self.left = rest.get(1..).unwrap_or_default();
            let line = std::str::from_utf8(line).unwrap_or("\u{fffd}").trim();
            if !line.is_empty() {
                return Some(line);
            }
        }
        None
    }

    /// Leaves an element out.
    fn skip(&mut self, element: &Element) -> Result<()> {
        for row in 0..element.count {
            match self.encoding {
                Encoding::Text => drop(self.line().ok_or_else(|| Self::ends(element, row))?),
                _ => self.binary_row(element, row, &mut Vec::new())?,
            }
            if element.properties.is_empty() && self.encoding != Encoding::Text {
                break; // rows of nothing
            }
        }
        Ok(())
    }

    /// The columns of the properties that are no lists.
    fn columns(&mut self, vertex: &Element, limits: &Limits) -> Result<Vec<Option<Values<'static>>>> {
        let plain = || vertex.properties.iter().filter(|property| property.count.is_none());
        // Each number takes a byte at least: more points than bytes are not there.
        let bytes = |property: &Property| match self.encoding {
            Encoding::Text => 1,
            _ => property.number.num_bytes() as u64,
        };
        let row: u64 = plain().map(bytes).sum();
        let there = (self.left.len() as u64 + 1) / row.max(1);
        if vertex.count > there {
            return Err(Self::ends(vertex, there));
        }
        let held: u64 = plain().map(|property| property.number.num_bytes() as u64).sum();
        limits.without(vertex.count.saturating_mul(2 * held), "the points of a file")?;
        let mut columns: Vec<Values<'static>> = plain().map(|property| empty(property.number)).collect();
        for column in &mut columns {
            reserve(column, vertex.count as usize)?;
        }
        for row in 0..vertex.count {
            match self.encoding {
                Encoding::Text => self.text_row(vertex, row, &mut columns)?,
                _ => self.binary_row(vertex, row, &mut columns)?,
            }
        }
        Ok(columns.into_iter().map(Some).collect())
    }

    fn text_row(&mut self, element: &Element, row: u64, columns: &mut [Values<'static>]) -> Result<()> {
        let line = self.line().ok_or_else(|| Self::ends(element, row))?;
        let here = || format!("PLY {} {row}", shortened(&element.name));
        let place = |error: Error| error.at(here());
        let short = || Error::corrupt(format!("{} has too few numbers", here()));
        let mut words = line.split_ascii_whitespace();
        let mut columns = columns.iter_mut();
        for property in &element.properties {
            let word = words.next().ok_or_else(short)?;
            if property.count.is_some() {
                let wrong = |_| place(Error::corrupt(format!("a list of '{}'", shortened(word))));
                let length: u32 = word.parse().map_err(wrong)?;
                for _ in 0..length {
                    words.next().ok_or_else(short)?;
                }
            } else if let Some(column) = columns.next() {
                push_word(column, word).map_err(|e| place(e.at(shortened(&property.name))))?;
            }
        }
        match words.next() {
            Some(_) => Err(Error::corrupt(format!("{} has too many numbers", here()))),
            None => Ok(()),
        }
    }

    fn binary_row(&mut self, element: &Element, row: u64, columns: &mut Vec<Values<'static>>) -> Result<()> {
        let is_big = self.encoding == Encoding::BigEndian;
        let mut columns = columns.iter_mut();
        for property in &element.properties {
            let size = property.number.num_bytes();
            let bytes = match &property.count {
                None => {
                    if let Some(column) = columns.next() {
                        push_bytes(column, self.left, is_big).ok_or_else(|| Self::ends(element, row))?;
                    }
                    size
                }
                Some(count) => {
                    let mut lengths = empty(*count);
                    push_bytes(&mut lengths, self.left, is_big).ok_or_else(|| Self::ends(element, row))?;
                    let length = last_length(&lengths).and_then(|length| length.checked_mul(size));
                    let length = length.ok_or_else(|| {
                        let [element, property] = [&element.name, &property.name].map(|name| shortened(name));
                        Error::corrupt(format!("PLY {element} {row}: list {property} has no length"))
                    })?;
                    length.saturating_add(count.num_bytes())
                }
            };
            self.left = self.left.get(bytes..).ok_or_else(|| Self::ends(element, row))?;
        }
        Ok(())
    }
}

/// A file with the points of a cloud, in little-endian bytes.
///
/// # Errors
/// [`lcrs_core::ErrorKind::InvalidArgument`] if PLY has no type for a column.
pub(super) fn write(cloud: PointCloud<'_>) -> Result<Vec<u8>> {
    let count = cloud.positions.len() / 3;
    let positions = writable("positions", cloud.positions)?;
    let mut columns: Vec<(String, Values<'_>)> =
        AXES.into_iter().zip(0..).map(|(name, at)| (name.to_owned(), axis(&positions, at))).collect();
    for (name, values) in cloud.attributes {
        let values = writable(&name, values)?;
        columns.push((name, values));
    }
    let mut out = format!("ply\nformat binary_little_endian 1.0\nelement vertex {count}\n").into_bytes();
    for (name, values) in &columns {
        out.extend(format!("property {} {name}\n", type_name(values.number())).into_bytes());
    }
    out.extend(b"end_header\n");
    let row: usize = columns.iter().map(|(_, values)| values.number().num_bytes()).sum();
    out.try_reserve_exact(row * count).map_err(|_| Error::limit(format!("no memory for a file of {count} points")))?;
    for i in 0..count {
        columns.iter().for_each(|(_, values)| write_number(values, i, &mut out));
    }
    Ok(out)
}

fn type_name(number: ScalarType) -> &'static str {
    match number {
        ScalarType::I8 => "char",
        ScalarType::U8 => "uchar",
        ScalarType::I16 => "short",
        ScalarType::U16 => "ushort",
        ScalarType::I32 => "int",
        ScalarType::U32 => "uint",
        ScalarType::I64 => "int64",
        ScalarType::U64 => "uint64",
        ScalarType::F32 => "float",
        ScalarType::F64 => "double",
    }
}
