//! Looks up addresses in a symbol file through its index: the few records that matter to an address are cut out of the
//! file, and the crates read them, so they mean the same as in the whole file.

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::FileExt;

use breakpad_symbols::{FrameSymbolizer, FrameWalker, SymbolError, SymbolFile};
use minidump::Module;

use super::index::{Index, IndexError, Record, Table};

/// Bytes of records that are kept in memory.
const MOST_REMEMBERED: usize = 8 << 20;
/// Addresses whose places in `read` are kept.
const MOST_ADDRESSES: usize = 1 << 12;

pub struct IndexedFile {
    file: File,
    index: Index,
    read: Vec<SymbolFile>,
    remembered: usize,
    /// Positions in `read`.
    by_records: HashMap<Records, usize>,
    /// The same, by address, because most threads wait in the same few functions.
    symbols_at: HashMap<u64, Option<usize>>,
    rules_at: HashMap<u64, Option<usize>>,
}

/// The offsets, in the symbol file, of the records that matter to an address.
#[derive(PartialEq, Eq, Hash, Clone, Copy, Default)]
struct Records {
    function: Option<u64>,
    function_before: Option<u64>,
    public: Option<u64>,
    frame_data: Option<u64>,
    fpo: Option<u64>,
    cfi: Option<u64>,
}

impl IndexedFile {
    pub fn new(file: File, index: Index) -> IndexedFile {
        IndexedFile {
            file,
            index,
            read: vec![],
            remembered: 0,
            by_records: HashMap::new(),
            symbols_at: HashMap::new(),
            rules_at: HashMap::new(),
        }
    }

    /// The whole file.
    pub fn whole(&self) -> Result<SymbolFile, SymbolError> {
        SymbolFile::parse(FromStart { file: &self.file, at: 0 }, |_| ())
    }

    /// The file's INFO URL.
    pub fn url(&mut self) -> Result<Option<String>, IndexError> {
        let Some(record) = self.index.url() else { return Ok(None) };
        Ok(parsed(&self.text(record)?)?.url)
    }

    pub fn fill_symbol(&mut self, module: &dyn Module, frame: &mut dyn FrameSymbolizer) -> Result<(), IndexError> {
        let Some(address) = frame.get_instruction().checked_sub(module.base_address()) else { return Ok(()) };
        let place = match self.symbols_at.get(&address) {
            Some(place) => *place,
            None => {
                let place = self.find_symbol(address)?;
                remember(&mut self.symbols_at, address, place);
                place
            }
        };
        if let Some(place) = place {
            self.read[place].fill_symbol(module, frame);
        }
        Ok(())
    }

    pub fn walk_frame(&mut self, module: &dyn Module, walker: &mut dyn FrameWalker) -> Result<Option<()>, IndexError> {
        let Some(address) = walker.get_instruction().checked_sub(module.base_address()) else { return Ok(None) };
        let place = match self.rules_at.get(&address) {
            Some(place) => *place,
            None => {
                let place = self.find_rules(address)?;
                remember(&mut self.rules_at, address, place);
                place
            }
        };
        Ok(place.and_then(|place| self.read[place].walk_frame(module, walker)))
    }

    /// The position in `read` of the function at `address`, completed with the names of its sources.
    fn find_symbol(&mut self, address: u64) -> Result<Option<usize>, IndexError> {
        let mut found = vec![];
        let mut records = Records::default();
        if let Some(function) = self.index.covering(Table::Functions, address)? {
            records.function = Some(function.at);
            found.push(function);
            // STACK WIN records have a better size of the parameters.
            self.add_win(address, &mut records, &mut found)?;
        } else if let Some(public) = self.index.at_or_before(Table::Publics, address)? {
            records.public = Some(public.at);
            found.push(public);
            if let Some(before) = self.index.at_or_before(Table::Functions, address)? {
                records.function_before = Some(before.at);
                found.push(before);
            }
        } else {
            return Ok(None);
        }
        let place = self.read(records, &found)?;
        self.name_sources(place, address)?;
        Ok(Some(place))
    }

    /// The position in `read` of the rules that unwind a frame at `address`.
    fn find_rules(&mut self, address: u64) -> Result<Option<usize>, IndexError> {
        let mut found = vec![];
        let mut records = Records::default();
        self.add_win(address, &mut records, &mut found)?;
        if let Some(cfi) = self.index.covering(Table::Cfi, address)? {
            records.cfi = Some(cfi.at);
            found.push(cfi);
        }
        if found.is_empty() {
            return Ok(None);
        }
        self.read(records, &found).map(Some)
    }

    fn add_win(&mut self, address: u64, records: &mut Records, found: &mut Vec<Record>) -> Result<(), IndexError> {
        if let Some(win) = self.index.covering(Table::WinFrameData, address)? {
            records.frame_data = Some(win.at);
            found.push(win);
        }
        if let Some(win) = self.index.covering(Table::WinFpo, address)? {
            records.fpo = Some(win.at);
            found.push(win);
        }
        Ok(())
    }

    /// The position of these records in `read`. Reads them if necessary.
    fn read(&mut self, records: Records, found: &[Record]) -> Result<usize, IndexError> {
        if let Some(place) = self.by_records.get(&records) {
            return Ok(*place);
        }
        let mut text = vec![];
        for record in found {
            if records.function_before == Some(record.at) {
                // Only its address and size matter.
                text.extend(format!("FUNC {:x} {:x} 0 -\n", record.start, record.size).bytes());
            } else {
                text.extend(self.text(*record)?);
            }
        }
        if self.remembered + text.len() > MOST_REMEMBERED {
            self.read.clear();
            self.by_records.clear();
            self.symbols_at.clear();
            self.rules_at.clear();
            self.remembered = 0;
        }
        self.remembered += text.len();
        let mut symbols = parsed(&text)?;
        // An INLINE_ORIGIN within a function may be redefined elsewhere: the index knows which definition counts.
        symbols.inline_origins.clear();
        self.read.push(symbols);
        self.by_records.insert(records, self.read.len() - 1);
        Ok(self.read.len() - 1)
    }

    /// Adds the names of the source files and inlined functions at `address` to the function that was read.
    fn name_sources(&mut self, place: usize, address: u64) -> Result<(), IndexError> {
        let symbols = &mut self.read[place];
        let Some(function) = symbols.functions.get(address) else { return Ok(()) };
        let (mut files, mut origins) = (vec![], vec![]);
        let call_at = |depth| function.get_inlinee_at_depth(depth, address);
        for (file, _, _, origin) in (0..).map_while(call_at) {
            files.push(file);
            origins.push(origin);
        }
        files.extend(function.get_innermost_sourceloc(address).map(|(file, _, _)| file));
        let (mut more, file) = (vec![], &self.file);
        let mut wants = |table, number, known: bool| -> Result<(), IndexError> {
            if !known {
                if let Some(record) = self.index.numbered(table, number)? {
                    more.extend(text(file, record)?);
                }
            }
            Ok(())
        };
        for number in files {
            wants(Table::Files, number, symbols.files.contains_key(&number))?;
        }
        for number in origins {
            wants(Table::Origins, number, symbols.inline_origins.contains_key(&number))?;
        }
        if !more.is_empty() {
            let named = parsed(&more)?;
            symbols.files.extend(named.files);
            symbols.inline_origins.extend(named.inline_origins);
            self.remembered += more.len();
        }
        Ok(())
    }

    fn text(&self, record: Record) -> Result<Vec<u8>, IndexError> {
        text(&self.file, record)
    }
}

fn remember(places: &mut HashMap<u64, Option<usize>>, address: u64, place: Option<usize>) {
    if places.len() >= MOST_ADDRESSES {
        places.clear();
    }
    places.insert(address, place);
}

/// Reads a file from its beginning, whatever its current position is.
pub struct FromStart<'a> {
    file: &'a File,
    at: u64,
}

impl Read for FromStart<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.file.read_at(buffer, self.at)?;
        self.at += count as u64;
        Ok(count)
    }
}

fn text(file: &File, record: Record) -> Result<Vec<u8>, IndexError> {
    let mut text = vec![0; record.length as usize];
    file.read_exact_at(&mut text, record.at)?;
    Ok(text)
}

/// Parses a record that the index has; it fails only if the file was damaged or replaced.
fn parsed(text: &[u8]) -> Result<SymbolFile, IndexError> {
    SymbolFile::from_bytes(text).map_err(|_| IndexError::Damaged)
}
