//! Directories of TIFF files, which EXIF blocks are made of. Everything is checked against the length of the block; what is
//! damaged says nothing.

/// One tag.
#[derive(Debug, Clone, Copy)]
struct Entry {
    tag: u16,
    kind: u16,
    count: u32,
    /// Where its values lie in the block, and how many bytes they are.
    at: usize,
    length: usize,
}

/// The first directory of a TIFF file or an EXIF block, or one that another tells of.
pub(super) struct Directory<'a> {
    data: &'a [u8],
    is_little: bool,
    entries: Vec<Entry>,
    /// Where the block says where the next directory is.
    next_at: usize,
}

const ORIENTATION: u16 = 0x0112;
const X_RESOLUTION: u16 = 0x011A;
const Y_RESOLUTION: u16 = 0x011B;
const RESOLUTION_UNIT: u16 = 0x0128;
const NEW_SUBFILE_TYPE: u16 = 0x00FE;
const PROFILE: u16 = 0x8773;
const CAMERA: u16 = 0x8769;
const PLACE: u16 = 0x8825;
const CAMERA_WIDTH: u16 = 0xA002;
const CAMERA_HEIGHT: u16 = 0xA003;

/// Directories of a file that are looked at.
const MAX_DIRECTORIES: usize = 10_000;

impl<'a> Directory<'a> {
    /// The first directory.
    pub(super) fn first(data: &'a [u8]) -> Option<Self> {
        let is_little = match data.first_chunk::<4>()? {
            b"II*\0" => true,
            b"MM\0*" => false,
            _ => return None,
        };
        let start = u32_at(data, 4, is_little)?;
        Self::at(data, is_little, start as usize)
    }

    fn at(data: &'a [u8], is_little: bool, start: usize) -> Option<Self> {
        let count = usize::from(u16_at(data, start, is_little)?);
        let mut entries = Vec::new();
        for place in (start + 2..).step_by(12).take(count) {
            let (tag, kind) = (u16_at(data, place, is_little)?, u16_at(data, place + 2, is_little)?);
            let count = u32_at(data, place + 4, is_little)?;
            let size = match kind {
                1 | 2 | 6 | 7 => 1,
                3 | 8 => 2,
                4 | 9 | 11 | 13 => 4,
                5 | 10 | 12 => 8,
                _ => continue,
            };
            let length = size * u64::from(count);
            let at = if length <= 4 { place + 8 } else { u32_at(data, place + 8, is_little)? as usize };
            if at as u64 + length > data.len() as u64 {
                return None;
            }
            entries.push(Entry { tag, kind, count, at, length: length as usize });
        }
        Some(Self { data, is_little, entries, next_at: start + 2 + 12 * count })
    }

    fn entry(&self, tag: u16) -> Option<&Entry> {
        self.entries.iter().find(|entry| entry.tag == tag)
    }

    fn integer(&self, tag: u16) -> Option<u32> {
        let entry = self.entry(tag).filter(|entry| entry.count > 0)?;
        match entry.kind {
            1 => self.data.get(entry.at).map(|byte| u32::from(*byte)),
            3 => u16_at(self.data, entry.at, self.is_little).map(u32::from),
            4 => u32_at(self.data, entry.at, self.is_little),
            _ => None,
        }
    }

    fn rational(&self, tag: u16) -> Option<f64> {
        let entry = self.entry(tag).filter(|entry| entry.kind == 5 && entry.count > 0)?;
        let above = u32_at(self.data, entry.at, self.is_little)?;
        let below = u32_at(self.data, entry.at + 4, self.is_little)?;
        (above > 0 && below > 0).then(|| f64::from(above) / f64::from(below))
    }

    /// How the picture is to be seen, from 1 to 8, if it says so; 1 if that is damaged.
    pub(super) fn orientation(&self) -> Option<u8> {
        self.entry(ORIENTATION)?;
        let number = self.integer(ORIENTATION).and_then(|number| u8::try_from(number).ok());
        Some(number.filter(|number| (1..=8).contains(number)).unwrap_or(1))
    }

    /// Whether it says something of the photo, not only of how a file stores it.
    pub(super) fn is_descriptive(&self) -> bool {
        self.entries.iter().any(|entry| {
            matches!(entry.tag, 0x010E..=0x0110 | 0x0131 | 0x0132 | 0x013B | 0x013C | 0x4746 | 0x4749 | 0x8298 | 0xC4A5)
                || matches!(entry.tag, 0x9C9B..=0x9C9F | CAMERA | PLACE)
        })
    }

    /// Whether there are IPTC records, on their own or among Photoshop's resources.
    pub(super) fn has_iptc(&self) -> bool {
        self.entry(0x83BB).is_some()
    }

    /// Pixels an inch, if it says so.
    pub(super) fn resolution(&self) -> Option<(f64, f64)> {
        let scale = match self.integer(RESOLUTION_UNIT).unwrap_or(2) {
            2 => 1.0,
            3 => 2.54,
            _ => return None,
        };
        Some((self.rational(X_RESOLUTION)? * scale, self.rational(Y_RESOLUTION)? * scale))
    }

    /// The colour profile.
    pub(super) fn profile(&self) -> Option<&'a [u8]> {
        let entry = self.entry(PROFILE)?;
        self.data.get(entry.at..entry.at + entry.length)
    }

    fn below(&self, tag: u16) -> Option<Self> {
        let entry = self.entry(tag).filter(|entry| matches!(entry.kind, 4 | 13) && entry.count == 1)?;
        Self::at(self.data, self.is_little, u32_at(self.data, entry.at, self.is_little)? as usize)
    }

    fn next(&self) -> Option<Self> {
        let start = u32_at(self.data, self.next_at, self.is_little).filter(|start| *start != 0)?;
        Self::at(self.data, self.is_little, start as usize)
    }

    /// Pages of the file; reduced copies and masks do not count.
    pub(super) fn count_pages(self) -> usize {
        let pages = std::iter::successors(Some(self), Self::next).take(MAX_DIRECTORIES);
        pages.filter(|page| page.integer(NEW_SUBFILE_TYPE).unwrap_or(0) & 0b101 == 0).count()
    }
}

/// The EXIF block of a picture whose orientation has been applied: of a width and height, and whether that changed it. Then a
/// thumbnail in the block no longer fits, and is no longer pointed to. Nothing if the block says no more than the orientation.
///
/// # Errors
/// A few words on a damaged block.
pub(super) fn upright(mut exif: Vec<u8>, size: (u32, u32), is_turned: bool) -> Result<Option<Vec<u8>>, &'static str> {
    let Some(block) = Directory::first(&exif) else { return Err("a damaged EXIF block") };
    if block.entries.iter().all(|entry| entry.tag == ORIENTATION) {
        return Ok(None);
    }
    let (is_little, next_at) = (block.is_little, block.next_at);
    let mut changes: Vec<(Entry, u32)> = block.entry(ORIENTATION).map(|entry| (*entry, 1)).into_iter().collect();
    if is_turned {
        let camera = block.below(CAMERA);
        for (tag, side) in [(CAMERA_WIDTH, size.0), (CAMERA_HEIGHT, size.1)] {
            changes.extend(camera.as_ref().and_then(|camera| camera.entry(tag)).map(|entry| (*entry, side)));
        }
    }
    for (entry, number) in changes.into_iter().filter(|(entry, _)| entry.count == 1) {
        match (entry.kind, u16::try_from(number)) {
            (3, Ok(number)) => {
                let bytes = if is_little { number.to_le_bytes() } else { number.to_be_bytes() };
                exif[entry.at..entry.at + 2].copy_from_slice(&bytes);
            }
            (4, _) => {
                let bytes = if is_little { number.to_le_bytes() } else { number.to_be_bytes() };
                exif[entry.at..entry.at + 4].copy_from_slice(&bytes);
            }
            _ => {}
        }
    }
    if let Some(pointer) = exif.get_mut(next_at..next_at + 4).filter(|_| is_turned) {
        pointer.fill(0);
    }
    Ok(Some(exif))
}

fn u16_at(data: &[u8], at: usize, is_little: bool) -> Option<u16> {
    let bytes = *data.get(at..)?.first_chunk()?;
    Some(if is_little { u16::from_le_bytes(bytes) } else { u16::from_be_bytes(bytes) })
}

fn u32_at(data: &[u8], at: usize, is_little: bool) -> Option<u32> {
    let bytes = *data.get(at..)?.first_chunk()?;
    Some(if is_little { u32::from_le_bytes(bytes) } else { u32::from_be_bytes(bytes) })
}
