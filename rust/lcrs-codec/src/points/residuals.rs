//! Whole numbers that are mostly small, to a stream and back, by tables that follow what was coded.
//!
//! A number has a *class*, its bit length, 0 of 0. The one or two bits below its leading one are its *top*; what is below these is
//! written as it is. Classes are coded by a table with a row for each mean of the two classes before; tops by one with a row for each
//! class. Tables change after blocks of numbers only, of 32 at first, then ever more up to [`MAX_BLOCK`].

use lcrs_core::cdf::CdfTable;
use lcrs_core::rans::{Decoder, Encoder, StreamKind};
use lcrs_core::{Error, Limits, Result, Runtime};
use lcrs_format::{read_varint, write_varint};

use crate::blame::blame_data;
use crate::container::from_format;

/// Numbers of the first block, and of the longest.
const FIRST_BLOCK: usize = 32;
const MAX_BLOCK: usize = 4096;

/// What the counts of a row are halved at.
const MAX_COUNT: u32 = 1 << 14;

/// How much one symbol adds to a count that begins at 1.
const INCREMENT: u32 = 24;

/// Numbers from 0 on that follow each other, with how often each was seen.
struct Counts {
    entries: usize,
    rows: Vec<Vec<u32>>,
}

impl Counts {
    fn new(rows: usize, entries: impl Fn(usize) -> usize) -> Self {
        let rows: Vec<Vec<u32>> = (0..rows).map(|row| vec![1; entries(row)]).collect();
        Self { entries: rows.iter().map(Vec::len).max().unwrap_or(0), rows }
    }

    fn count(&mut self, row: usize, symbol: i32) {
        self.rows[row][symbol as usize] += INCREMENT;
    }

    /// Frequencies of 16 bits: each entry has one unit, the escape too; the others are shared out by counts, and what the shares leave
    /// goes to the first of the largest.
    fn table(&mut self) -> Result<CdfTable> {
        let width = self.entries + 2;
        let (mut cdfs, mut lengths) = (Vec::new(), Vec::new());
        for counts in &mut self.rows {
            let mut total: u32 = counts.iter().sum();
            if total > MAX_COUNT {
                counts.iter_mut().for_each(|count| *count = (*count).div_ceil(2));
                total = counts.iter().sum();
            }
            let units = 65536 - 1 - counts.len() as u32;
            let share = |count: u32| 1 + (u64::from(units) * u64::from(count) / u64::from(total)) as u32;
            let rest = 65536 - 1 - counts.iter().map(|count| share(*count)).sum::<u32>();
            let most = counts.iter().max().copied().unwrap_or(0);
            let largest = counts.iter().position(|count| *count == most).unwrap_or(0);
            let begin = cdfs.len();
            let mut sum = 0;
            cdfs.push(0);
            for (entry, count) in counts.iter().enumerate() {
                sum += share(*count) + if entry == largest { rest } else { 0 };
                cdfs.push(sum as i32);
            }
            cdfs.push(65536);
            lengths.push((cdfs.len() - begin) as i32);
            cdfs.resize(begin + width, 0);
        }
        CdfTable::new(&cdfs, width, &lengths, &vec![0; lengths.len()], 16)
    }
}

/// What is known while numbers of some width are coded.
struct Model {
    classes: Counts,
    tops: Counts,
    class_table: CdfTable,
    top_table: CdfTable,
    before: [usize; 2],
    /// Numbers until tables change, and how many that were the last time.
    left: usize,
    block: usize,
}

impl Model {
    fn new(bits: u32) -> Result<Self> {
        let num_classes = bits as usize + 1;
        let mut classes = Counts::new(num_classes, |_| num_classes);
        let mut tops = Counts::new(num_classes, |class| 1 << top_bits(class));
        let (class_table, top_table) = (classes.table()?, tops.table()?);
        Ok(Self { classes, tops, class_table, top_table, before: [0, 0], left: FIRST_BLOCK, block: FIRST_BLOCK })
    }

    fn context(&self) -> i32 {
        (self.before[0] + self.before[1]).div_ceil(2) as i32
    }

    /// Counts a number; between blocks the job may be interrupted.
    fn learn(&mut self, context: i32, class: usize, top: i32, rt: &Runtime) -> Result<()> {
        self.classes.count(context as usize, class as i32);
        if top_bits(class) > 0 {
            self.tops.count(class, top);
        }
        self.before = [class, self.before[0]];
        self.left -= 1;
        if self.left == 0 {
            rt.pool.check()?;
            self.block = (2 * self.block).min(MAX_BLOCK);
            self.left = self.block;
            (self.class_table, self.top_table) = (self.classes.table()?, self.tops.table()?);
        }
        Ok(())
    }
}

/// Bits of a class's top.
fn top_bits(class: usize) -> u32 {
    class.saturating_sub(1).min(2) as u32
}

/// Bits of a class that are written as they are.
fn low_bits(class: usize) -> u32 {
    class as u32 - u32::from(class > 0) - top_bits(class)
}

/// The bytes of numbers of at most `bits` bits.
///
/// # Errors
/// [`lcrs_core::ErrorKind::Limit`] if memory is short, [`lcrs_core::ErrorKind::Interrupted`].
pub(super) fn encode(numbers: &[u64], bits: u32, rt: &Runtime) -> Result<Vec<u8>> {
    let mut encoder = Encoder::new(StreamKind::Lcrs, rt.simd);
    let mut model = Model::new(bits)?;
    let mut low = BitWriter::default();
    for number in numbers {
        let class = (u64::BITS - number.leading_zeros()) as usize;
        let (context, below) = (model.context(), low_bits(class));
        let top = (number >> below & ((1 << top_bits(class)) - 1)) as i32;
        encoder.push(&[class as i32], &[context], &model.class_table)?;
        if top_bits(class) > 0 {
            encoder.push(&[top], &[class as i32], &model.top_table)?;
        }
        low.push(*number, below);
        model.learn(context, class, top, rt)?;
    }
    let stream = encoder.finish()?;
    let mut out = Vec::new();
    write_varint(&mut out, stream.len() as u64);
    out.extend(stream);
    out.extend(low.finish());
    Ok(out)
}

/// The `count` numbers of at most `bits` bits in `data`.
///
/// # Errors
/// `Truncated`, `Corrupt` or `Desync` if they are something else, [`lcrs_core::ErrorKind::Interrupted`].
pub(super) fn decode(data: &[u8], count: usize, bits: u32, rt: &Runtime, limits: &Limits) -> Result<Vec<u64>> {
    let (length, rest) = read_varint(data, "length of a stream").map_err(from_format)?;
    let length = usize::try_from(length).ok().filter(|length| *length <= rest.len());
    let (stream, low) = rest.split_at(length.ok_or_else(|| Error::truncated("a stream ends before its length"))?);
    let mut decoder = Decoder::new(StreamKind::Lcrs, rt.simd, stream)?;
    let mut model = Model::new(bits)?;
    let mut numbers: Vec<u64> = limits.zeroed(count, "values")?;
    let mut low = BitReader::new(low);
    let mut pull = |row: i32, table: &CdfTable, most: usize| {
        let mut symbol = [0];
        decoder.pull(&[row], table, &mut symbol).map_err(blame_data)?;
        match usize::try_from(symbol[0]) {
            Ok(found) if found <= most => Ok(found),
            _ => Err(Error::corrupt(format!("symbol {} of a value (0 to {most})", symbol[0]))),
        }
    };
    for number in &mut numbers {
        let context = model.context();
        let class = pull(context, &model.class_table, bits as usize)?;
        let tops = top_bits(class);
        let top = if tops > 0 { pull(class as i32, &model.top_table, (1 << tops) - 1)? } else { 0 };
        if class > 0 {
            let below = low_bits(class);
            *number = 1 << (class - 1) | (top as u64) << below | low.pull(below)?;
        }
        model.learn(context, class, top as i32, rt)?;
    }
    decoder.finish()?;
    low.finish()?;
    Ok(numbers)
}

/// Bits, the lowest of a byte first.
#[derive(Default)]
pub(super) struct BitWriter {
    out: Vec<u8>,
    pending: u128,
    count: u32,
}

impl BitWriter {
    /// The lowest `bits` bits of a number.
    pub(super) fn push(&mut self, number: u64, bits: u32) {
        let mask = (1_u128 << bits) - 1;
        self.pending |= (u128::from(number) & mask) << self.count;
        self.count += bits;
        while self.count >= 8 {
            self.out.push(self.pending as u8);
            self.pending >>= 8;
            self.count -= 8;
        }
    }

    pub(super) fn finish(mut self) -> Vec<u8> {
        if self.count > 0 {
            self.out.push(self.pending as u8);
        }
        self.out
    }
}

pub(super) struct BitReader<'a> {
    data: &'a [u8],
    pending: u128,
    count: u32,
}

impl<'a> BitReader<'a> {
    pub(super) fn new(data: &'a [u8]) -> Self {
        Self { data, pending: 0, count: 0 }
    }

    pub(super) fn pull(&mut self, bits: u32) -> Result<u64> {
        while self.count < bits {
            let (byte, rest) = self.data.split_first().ok_or_else(|| Error::truncated("bits of values end early"))?;
            self.pending |= u128::from(*byte) << self.count;
            self.count += 8;
            self.data = rest;
        }
        let found = self.pending & ((1 << bits) - 1);
        self.pending >>= bits;
        self.count -= bits;
        Ok(found as u64)
    }

    /// Checks that nothing is left but the zeros that fill the last byte.
    pub(super) fn finish(self) -> Result<()> {
        if self.pending != 0 || self.count >= 8 || !self.data.is_empty() {
            return Err(Error::corrupt("values go on after the last"));
        }
        Ok(())
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use lcrs_core::Simd;
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(12))]

        #[test]
        fn numbers_come_back(bits in 1_u32..=64, seeds in prop::collection::vec((any::<u64>(), 0_u32..64), 0..200)) {
            let numbers: Vec<u64> = seeds.iter().map(|(seed, shift)| (seed >> shift) & (u64::MAX >> (64 - bits))).collect();
            let data = encode(&numbers, bits, &Runtime::serial()).unwrap();
            for simd in Simd::available() {
                let rt = Runtime::new(simd, 1).unwrap();
                prop_assert_eq!(&encode(&numbers, bits, &rt).unwrap(), &data);
                prop_assert_eq!(&decode(&data, numbers.len(), bits, &rt, &Limits::default()).unwrap(), &numbers);
            }
            for cut in (0..data.len()).step_by(1 + data.len() / 8) {
                prop_assert!(decode(&data[..cut], numbers.len(), bits, &Runtime::serial(), &Limits::default()).is_err());
            }
        }
    }

    #[test]
    fn small_numbers_cost_little() {
        let numbers: Vec<u64> = (0..20_000_u64).map(|i| u64::from(i % 7 == 0)).collect();
        let data = encode(&numbers, 16, &Runtime::serial()).unwrap();
        assert!(8 * data.len() < 13_000, "{} bits", 8 * data.len()); // the entropy is 11,833
    }
}
