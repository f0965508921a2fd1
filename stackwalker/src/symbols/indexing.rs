//! Makes the index of a symbol file. The crates' own parser reads it, one record at a time, so a record means the same
//! here as in a walk; this module itself knows only the words that begin a record
//! (Breakpad, docs/symbol_files.md: MODULE, FILE, INLINE_ORIGIN, FUNC, PUBLIC, STACK WIN, STACK CFI records; INFO, which
//! it does not have, as the crates take it).

use std::fs::File;
use std::io::{self, BufRead, BufReader};
use std::mem::take;

use breakpad_symbols::SymbolFile;

use super::index::{encode, FileState, Record, Table, Verdict, TABLES};

/// Bytes of a line. How the parser reads a longer line depends on the lines before it.
const LONGEST_LINE: usize = 75_000;
/// The words that begin a new record after any other.
const BEGINNINGS: [&[u8]; 7] = [b"FUNC", b"PUBLIC", b"STACK CFI INIT", b"STACK WIN", b"FILE", b"INFO", b"MODULE"];
const NOTHING: Record = Record { start: 0, size: 0, at: 0, length: 0 };

/// Makes the index of a symbol file. Returns the bytes of the index and its verdict. Fails if the file cannot be read,
/// or changes meanwhile.
pub fn index(file: &File) -> io::Result<(Vec<u8>, Verdict)> {
    let state = FileState::from(&file.metadata()?);
    let mut reading = Reading::default();
    let verdict = reading.read(file)?;
    if FileState::from(&file.metadata()?) != state {
        return Err(io::Error::other("it changed while it was read"));
    }
    if verdict != Verdict::Usable {
        reading = Reading::default();
    }
    let (url, tables) = (reading.url, reading.tables());
    Ok((encode(state, verdict, url, &tables), verdict))
}

#[derive(Default)]
struct Reading {
    functions: Vec<Record>,
    cfi: Vec<Record>,
    win_frame_data: Vec<Record>,
    win_fpo: Vec<Record>,
    publics: Vec<Public>,
    files: Vec<Record>,
    origins: Vec<Record>,
    url: Record,
}

struct Public {
    record: Record,
    name: Box<str>,
    parameter_size: u32,
}

impl Default for Record {
    fn default() -> Self {
        NOTHING
    }
}

impl Reading {
    fn read(&mut self, file: &File) -> io::Result<Verdict> {
        let mut lines = BufReader::with_capacity(1 << 20, file);
        let (mut piece, mut piece_at, mut at) = (vec![], 0, 0);
        let mut line = vec![];
        loop {
            line.clear();
            let length = lines.read_until(b'\n', &mut line)? as u64;
            if length as usize > LONGEST_LINE {
                return Ok(Verdict::Whole);
            }
            let ends = length == 0 || begins_record(&line, &piece);
            if ends && !piece.is_empty() && !self.add(&piece, piece_at) {
                return Ok(if goes_on(&piece, piece_at) { Verdict::Whole } else { Verdict::Corrupt });
            }
            if length == 0 && at == 0 {
                return Ok(Verdict::Corrupt);
            }
            if length == 0 {
                return Ok(Verdict::Usable);
            }
            if ends {
                piece.clear();
                piece_at = at;
            }
            piece.extend_from_slice(&line);
            at += length;
        }
    }

    /// Adds one record and the lines that belong to it, at offset `at`. False if the parser rejects it.
    fn add(&mut self, piece: &[u8], at: u64) -> bool {
        if at > 0 && piece.starts_with(b"MODULE") {
            return false;
        }
        let Ok(parsed) = SymbolFile::from_bytes(piece) else { return false };
        let length = piece.len() as u32;
        for (range, _) in parsed.functions.ranges_values() {
            self.functions.push(covering(range.start, range.end, at, length));
        }
        for (range, _) in parsed.cfi_stack_info.ranges_values() {
            self.cfi.push(covering(range.start, range.end, at, length));
        }
        for (range, _) in parsed.win_stack_framedata_info.ranges_values() {
            add_win(&mut self.win_frame_data, covering(range.start, range.end, at, length));
        }
        for (range, _) in parsed.win_stack_fpo_info.ranges_values() {
            add_win(&mut self.win_fpo, covering(range.start, range.end, at, length));
        }
        for public in parsed.publics {
            let record = Record { start: public.address, size: 0, at, length };
            let (name, parameter_size) = (public.name.into_boxed_str(), public.parameter_size);
            self.publics.push(Public { record, name, parameter_size });
        }
        for number in parsed.files.keys() {
            self.files.push(Record { start: (*number).into(), size: 0, at, length });
        }
        if parsed.url.is_some() {
            self.url = Record { start: 0, size: 0, at, length };
        }
        parsed.inline_origins.is_empty() || self.add_origins(piece, at)
    }

    /// Adds each INLINE_ORIGIN on its own: they may be among the lines of a FUNC.
    fn add_origins(&mut self, piece: &[u8], mut at: u64) -> bool {
        for line in piece.split_inclusive(|byte| *byte == b'\n') {
            if line.starts_with(b"INLINE_ORIGIN") {
                let Ok(parsed) = SymbolFile::from_bytes(line) else { return false };
                for number in parsed.inline_origins.keys() {
                    self.origins.push(Record { start: (*number).into(), size: 0, at, length: line.len() as u32 });
                }
            }
            at += line.len() as u64;
        }
        true
    }

    fn tables(&mut self) -> [Vec<Record>; TABLES.len()] {
        TABLES.map(|table| match table {
            Table::Functions => survivors(take(&mut self.functions)),
            Table::Publics => last_publics(&self.publics),
            Table::Cfi => survivors(take(&mut self.cfi)),
            Table::WinFrameData => survivors(take(&mut self.win_frame_data)),
            Table::WinFpo => survivors(take(&mut self.win_fpo)),
            Table::Files => last_definitions(take(&mut self.files)),
            Table::Origins => last_definitions(take(&mut self.origins)),
        })
    }
}

/// True if the next line may belong to this record: if a MODULE line lacks words, the parser goes on to look for the
/// system and the processor in the next line.
fn goes_on(piece: &[u8], at: u64) -> bool {
    let line = piece.split_inclusive(|byte| *byte == b'\n').next().unwrap_or(piece);
    at == 0 && line.starts_with(b"MODULE") && SymbolFile::from_bytes(line).is_err()
}

/// True if `line` begins a new record after `piece`.
fn begins_record(line: &[u8], piece: &[u8]) -> bool {
    let has_origins = piece.starts_with(b"FUNC");
    BEGINNINGS.iter().any(|beginning| line.starts_with(beginning))
        || (!has_origins && line.starts_with(b"INLINE_ORIGIN"))
}

fn covering(start: u64, end: u64, at: u64, length: u32) -> Record {
    Record { start, size: (end - start + 1) as u32, at, length }
}

fn last_address(record: &Record) -> u64 {
    record.start + u64::from(record.size) - 1
}

/// Adds a STACK WIN as the parser does: it compares each with the previous one of its type.
fn add_win(records: &mut Vec<Record>, record: Record) {
    if let Some(last) = records.last_mut() {
        if record.start <= last_address(last) && last.start <= last_address(&record) {
            if record.start > last.start {
                last.size = (record.start - last.start) as u32;
            } else if (last.start, last.size) != (record.start, record.size) {
                return;
            }
        }
    }
    records.push(record);
}

/// Sorts records by address and drops overlapping ones: those that begin within the last one kept.
fn survivors(mut records: Vec<Record>) -> Vec<Record> {
    records.sort_by_key(|record| (record.start, last_address(record)));
    let mut end = None;
    records.retain(|record| {
        let is_kept = end.is_none_or(|end| record.start > end);
        if is_kept {
            end = Some(last_address(record));
        }
        is_kept
    });
    records
}

/// Keeps one PUBLIC record for each address: the last by name.
fn last_publics(publics: &[Public]) -> Vec<Record> {
    let mut order: Vec<&Public> = publics.iter().collect();
    order.sort_by_key(|public| (public.record.start, &public.name, public.parameter_size));
    let mut records: Vec<Record> = order.iter().map(|public| public.record).collect();
    keep_last(&mut records);
    records
}

/// Keeps one definition of each number: the last in the file.
fn last_definitions(mut records: Vec<Record>) -> Vec<Record> {
    records.sort_by_key(|record| record.start);
    keep_last(&mut records);
    records
}

fn keep_last(records: &mut Vec<Record>) {
    records.reverse();
    records.dedup_by_key(|record| record.start);
    records.reverse();
}
