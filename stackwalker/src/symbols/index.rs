//! Reads and writes the index of a symbol file, which says where its records are. A walk reads a few pages of it.
//!
//! The first page says which file the index belongs to, and where the tables are; each page has a checksum of its own. A
//! table holds records, sorted by address or by number. Where several records cover the same addresses, it holds the one
//! that the crates keep.
//!
//! The format is this program's own. All numbers are little-endian, and each page of 4096 bytes ends with the CRC-32 of
//! its number (8 bytes) and its content. The first page has, from byte 0 on:
//!
//! | at | bytes | |
//! |---|---|---|
//! | 0 | 8 | `symindex` |
//! | 8 | 4 | the format's number, `FORMAT` |
//! | 12 | 4 | the verdict: 0 usable, 1 corrupt, 2 to be read whole |
//! | 16 | 8 | the version of the crates, `RULES` |
//! | 24 | 32 | the symbol file's size, inode, and modification time in seconds and nanoseconds, 8 bytes each |
//! | 56 | 24 | the record of INFO URL; its length is 0 if there is none |
//! | 80 | 56 | the number of records of each table, in the order of `TABLES`, 8 bytes each |
//!
//! The tables follow in that order. Each begins on a new page and has 170 records of 24 bytes a page: start (8 bytes),
//! offset in the symbol file (8), size (4), length (4).

use std::collections::hash_map::{Entry, HashMap};
use std::fs::{File, Metadata};
use std::io;
use std::os::unix::fs::{FileExt, MetadataExt};

pub const PAGE: usize = 4096;
const CONTENT: usize = PAGE - 4;
const MAGIC: &[u8; 8] = b"symindex";
const FORMAT: u32 = 2;
/// The version of the crates whose rules the index follows.
const RULES: &[u8; 8] = b"0.27.0\0\0";
const RECORD: usize = 24;
const RECORDS_A_PAGE: u64 = (CONTENT / RECORD) as u64;
const MOST_CACHED: usize = 4096;

/// One record of a symbol file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Record {
    /// The record's address, or the number of a FILE or INLINE_ORIGIN.
    pub start: u64,
    /// Bytes of code that the record covers; 0 if none.
    pub size: u32,
    /// Offset and length of the record in the symbol file, with the lines that belong to it.
    pub at: u64,
    pub length: u32,
}

impl Record {
    pub fn covers(&self, address: u64) -> bool {
        address >= self.start && address - self.start < self.size.into()
    }
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Table {
    Functions,
    Publics,
    Cfi,
    WinFrameData,
    WinFpo,
    Files,
    Origins,
}

pub const TABLES: [Table; 7] =
    [Table::Functions, Table::Publics, Table::Cfi, Table::WinFrameData, Table::WinFpo, Table::Files, Table::Origins];

/// The state of a file: it differs after each change of the file.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct FileState {
    size: u64,
    inode: u64,
    seconds: i64,
    nanoseconds: i64,
}

impl From<&Metadata> for FileState {
    fn from(metadata: &Metadata) -> Self {
        FileState {
            size: metadata.size(),
            inode: metadata.ino(),
            seconds: metadata.mtime(),
            nanoseconds: metadata.mtime_nsec(),
        }
    }
}

/// The verdict of an index on its symbol file.
#[derive(Clone, Copy, PartialEq, Eq, Debug, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// Each record can be read on its own.
    Usable,
    /// The crates reject the file.
    Corrupt,
    /// It has to be read whole.
    Whole,
}

#[derive(Debug)]
pub enum IndexError {
    /// The index belongs to another state of the file, or to another version of this program.
    Outdated,
    Damaged,
    Missing,
    Unreadable,
}

impl From<io::Error> for IndexError {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::UnexpectedEof => IndexError::Damaged,
            _ => IndexError::Unreadable,
        }
    }
}

/// The first page of an index.
pub struct Header {
    pub state: FileState,
    pub verdict: Verdict,
    /// The record of INFO URL; empty if there is none.
    pub url: Record,
    pub counts: [u64; TABLES.len()],
}

pub struct Index {
    file: File,
    header: Header,
    pages: HashMap<u64, Box<[u8; PAGE]>>,
}

impl Index {
    /// Opens the index in `file`. Fails if the index is not of a symbol file in this state.
    pub fn open(file: File, state: FileState) -> Result<Index, IndexError> {
        let header = Header::decode(&*read_page(&file, 0)?)?;
        if header.state != state {
            return Err(IndexError::Outdated);
        }
        Ok(Index { file, header, pages: HashMap::new() })
    }

    pub fn verdict(&self) -> &Verdict {
        &self.header.verdict
    }

    pub fn url(&self) -> Option<Record> {
        (self.header.url.length > 0).then_some(self.header.url)
    }

    /// The record of `table` with the highest start that is not above `address`.
    pub fn at_or_before(&mut self, table: Table, address: u64) -> Result<Option<Record>, IndexError> {
        let count = self.header.counts[table as usize];
        let first = self.header.first_page(table);
        // Search for the page first: then its records need no look-up of a page each.
        let (mut low, mut high) = (0, count.div_ceil(RECORDS_A_PAGE));
        while low < high {
            let middle = low + (high - low) / 2;
            if u64_at(self.page(first + middle)?, 0) <= address {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        let Some(number) = low.checked_sub(1) else { return Ok(None) };
        let records = (count - number * RECORDS_A_PAGE).min(RECORDS_A_PAGE) as usize;
        let page = self.page(first + number)?;
        let (mut low, mut high) = (0, records);
        while low < high {
            let middle = low + (high - low) / 2;
            if u64_at(page, middle * RECORD) <= address {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        let Some(last) = low.checked_sub(1) else { return Ok(None) };
        Ok(Some(Record::decode(&page[last * RECORD..(last + 1) * RECORD])))
    }

    pub fn covering(&mut self, table: Table, address: u64) -> Result<Option<Record>, IndexError> {
        Ok(self.at_or_before(table, address)?.filter(|record| record.covers(address)))
    }

    pub fn numbered(&mut self, table: Table, number: u32) -> Result<Option<Record>, IndexError> {
        Ok(self.at_or_before(table, number.into())?.filter(|record| record.start == u64::from(number)))
    }

    fn page(&mut self, number: u64) -> Result<&[u8; PAGE], IndexError> {
        if self.pages.len() >= MOST_CACHED && !self.pages.contains_key(&number) {
            self.pages.clear();
        }
        Ok(match self.pages.entry(number) {
            Entry::Occupied(page) => page.into_mut(),
            Entry::Vacant(place) => place.insert(read_page(&self.file, number)?),
        })
    }
}

fn read_page(file: &File, number: u64) -> Result<Box<[u8; PAGE]>, IndexError> {
    let mut page = Box::new([0; PAGE]);
    match file.read_exact_at(&mut page[..], number * PAGE as u64) {
        Err(error) => Err(error.into()),
        Ok(()) if page[CONTENT..] != checksum(&page[..CONTENT], number) => Err(IndexError::Damaged),
        Ok(()) => Ok(page),
    }
}

fn checksum(content: &[u8], number: u64) -> [u8; 4] {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(&number.to_le_bytes());
    hasher.update(content);
    hasher.finalize().to_le_bytes()
}

/// The bytes of an index file. `tables` must be sorted.
pub fn encode(state: FileState, verdict: Verdict, url: Record, tables: &[Vec<Record>; TABLES.len()]) -> Vec<u8> {
    let counts = tables.each_ref().map(|records| records.len() as u64);
    let mut bytes = vec![];
    add_page(&mut bytes, Header { state, verdict, url, counts }.encode());
    for records in tables {
        for chunk in records.chunks(RECORDS_A_PAGE as usize) {
            add_page(&mut bytes, chunk.iter().flat_map(|record| record.encode()).collect());
        }
    }
    bytes
}

fn add_page(bytes: &mut Vec<u8>, mut content: Vec<u8>) {
    content.resize(CONTENT, 0);
    let number = (bytes.len() / PAGE) as u64;
    bytes.extend_from_slice(&content);
    bytes.extend_from_slice(&checksum(&content, number));
}

impl Record {
    fn encode(&self) -> Vec<u8> {
        let mut bytes = self.start.to_le_bytes().to_vec();
        bytes.extend(self.at.to_le_bytes());
        bytes.extend(self.size.to_le_bytes());
        bytes.extend(self.length.to_le_bytes());
        bytes
    }

    fn decode(bytes: &[u8]) -> Record {
        Record { start: u64_at(bytes, 0), at: u64_at(bytes, 8), size: u32_at(bytes, 16), length: u32_at(bytes, 20) }
    }
}

impl Header {
    fn encode(&self) -> Vec<u8> {
        let mut bytes = MAGIC.to_vec();
        bytes.extend(FORMAT.to_le_bytes());
        bytes.extend((self.verdict as u32).to_le_bytes());
        bytes.extend(RULES);
        for value in [self.state.size, self.state.inode, self.state.seconds as u64, self.state.nanoseconds as u64] {
            bytes.extend(value.to_le_bytes());
        }
        bytes.extend(self.url.encode());
        for count in self.counts {
            bytes.extend(count.to_le_bytes());
        }
        bytes
    }

    fn decode(bytes: &[u8]) -> Result<Header, IndexError> {
        if &bytes[..8] != MAGIC {
            return Err(IndexError::Damaged);
        }
        if u32_at(bytes, 8) != FORMAT || &bytes[16..24] != RULES {
            return Err(IndexError::Outdated);
        }
        let verdict = match u32_at(bytes, 12) {
            0 => Verdict::Usable,
            1 => Verdict::Corrupt,
            _ => Verdict::Whole,
        };
        let state = FileState {
            size: u64_at(bytes, 24),
            inode: u64_at(bytes, 32),
            seconds: u64_at(bytes, 40) as i64,
            nanoseconds: u64_at(bytes, 48) as i64,
        };
        let url = Record::decode(&bytes[56..56 + RECORD]);
        let mut counts = [0; TABLES.len()];
        for (number, count) in counts.iter_mut().enumerate() {
            *count = u64_at(bytes, 56 + RECORD + number * 8);
        }
        Ok(Header { state, verdict, url, counts })
    }

    fn first_page(&self, table: Table) -> u64 {
        let before = &self.counts[..table as usize];
        1 + before.iter().map(|count| count.div_ceil(RECORDS_A_PAGE)).sum::<u64>()
    }
}

fn u64_at(bytes: &[u8], at: usize) -> u64 {
    u64::from_le_bytes(bytes[at..at + 8].try_into().unwrap_or_default())
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap_or_default())
}
