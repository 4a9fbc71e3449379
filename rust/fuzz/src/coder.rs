//! The entropy coder on arbitrary bytes.

use lcrs_core::cdf::{pmf_to_quantized_cdf, CdfTable};
use lcrs_core::rans::{self, Decoder, StreamKind};
use lcrs_core::{Runtime, Simd};

/// What a fuzz input is made into: a kind, a table, indexes, and the bytes that are left.
struct Case<'a> {
    kind: StreamKind,
    table: CdfTable,
    indexes: Vec<i32>,
    rest: &'a [u8],
}

impl<'a> Case<'a> {
    /// Byte 0: kind, precision, whether tails are heavy; byte 1: number of rows; then for each row an offset and up to 63
    /// weights; then two bytes for the number of symbols, most of which mean 8191 at most, and an eighth of them eight
    /// times as many.
    fn parse(data: &'a [u8]) -> Option<Self> {
        let (&[first, second], mut rest) = data.split_first_chunk()?;
        let kind = StreamKind::ALL[usize::from(first & 1)];
        let precision = 16 - u32::from(first >> 1 & 7).saturating_sub(4); // mostly 16, down to 13
        let (mut rows, mut offsets) = (vec![], vec![]);
        for _ in 0..=second % 80 {
            let (&[shift, low, size], left) = rest.split_first_chunk()?;
            let (weights, left) = left.split_at_checked(usize::from(size % 64))?;
            let pmf: Vec<f32> = weights.iter().chain(&[1]).map(|&w| f32::from(w).powi(3)).collect();
            let sum: f32 = pmf.iter().sum();
            let pmf: Vec<f32> = pmf.iter().map(|p| p / sum).collect();
            rows.push(pmf_to_quantized_cdf(&pmf, precision).ok()?);
            offsets.push(i32::from(low as i8) << (shift % 24));
            rest = left;
        }
        let width = rows.iter().map(Vec::len).max()?;
        let padded: Vec<i32> =
            rows.iter().flat_map(|r| (0..width).map(|k| r.get(k).map_or(0, |&c| c as i32))).collect();
        let lengths: Vec<i32> = rows.iter().map(|row| row.len() as i32).collect();
        let table = CdfTable::new(&padded, width, &lengths, &offsets, precision).ok()?;
        let table = if first >> 7 == 1 { table.with_heavy_tails() } else { table };
        let (&count, rest) = rest.split_first_chunk()?;
        let mut seed = u32::from(u16::from_le_bytes(count));
        let count = (seed % 8192) << if seed < 7 * 8192 { 0 } else { 3 };
        let indexes = (0..count)
            .map(|_| {
                seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                (seed >> 8) as i32 % rows.len() as i32
            })
            .collect();
        Some(Self { kind, table, indexes, rest })
    }

    /// Symbols from the bytes that are left, repeated as often as needed; most of them inside their rows.
    fn symbols(&self) -> Vec<i32> {
        let bytes = self.rest.iter().copied().chain([0]).cycle();
        let symbol = |(&index, byte): (&i32, u8)| {
            let row = self.table.row(index as usize);
            match byte {
                255 => i32::MIN,
                254 => i32::MAX,
                253 => row.offset.wrapping_sub(1),
                _ => row.offset.wrapping_add(i32::from(byte) % row.length as i32),
            }
        };
        self.indexes.iter().zip(bytes).map(symbol).collect()
    }

    fn decode(&self, simd: Simd, data: &[u8]) -> Option<Vec<i32>> {
        let rt = Runtime::new(simd, 1).ok()?;
        let mut out = vec![0; self.indexes.len()];
        rans::decode(self.kind, &rt, data, &self.indexes, &self.table, &mut out).ok().map(|()| out)
    }
}

/// Bytes that nobody encoded decode to symbols or an error, the same on every path.
pub fn decode_garbage(data: &[u8]) {
    let Some(case) = Case::parse(data) else { return };
    let plain = case.decode(Simd::Scalar, case.rest);
    for simd in Simd::available() {
        assert_eq!(case.decode(simd, case.rest), plain, "{simd:?}");
    }
}

/// Symbols come back, in one piece and in pieces whose sizes the input says.
pub fn round_trip(data: &[u8]) {
    let Some(case) = Case::parse(data) else { return };
    let (symbols, rt) = (case.symbols(), Runtime::serial());
    let stream = rans::encode(case.kind, &rt, &symbols, &case.indexes, &case.table).expect("legal arguments");
    assert!(stream.len() <= rans::encoded_bound(case.kind, symbols.len()));
    let mut decoder = Decoder::new(case.kind, rt.simd, &stream).expect("a stream");
    let (mut out, mut at) = (vec![0; symbols.len()], 0);
    for size in case.rest.iter().copied().chain([7]).cycle() {
        if at == symbols.len() {
            break;
        }
        let piece = at..symbols.len().min(at + 1 + usize::from(size));
        decoder.pull(&case.indexes[piece.clone()], &case.table, &mut out[piece.clone()]).expect("symbols");
        at = piece.end;
    }
    decoder.finish().expect("the end");
    assert_eq!(out, symbols);
}

/// Every path writes the same bytes and reads the same symbols.
pub fn paths_agree(data: &[u8]) {
    let Some(case) = Case::parse(data) else { return };
    let symbols = case.symbols();
    let encode = |simd| {
        let rt = Runtime::new(simd, 1).expect("one thread");
        rans::encode(case.kind, &rt, &symbols, &case.indexes, &case.table).expect("legal arguments")
    };
    let plain = encode(Simd::Scalar);
    for simd in Simd::available() {
        assert_eq!(encode(simd), plain, "{simd:?}");
        assert_eq!(case.decode(simd, &plain).as_ref(), Some(&symbols), "{simd:?}");
    }
}
