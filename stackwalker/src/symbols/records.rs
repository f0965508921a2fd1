//! What a symbol file says of one address, from the few records that matter to it: cut out of the file and read by
//! the crates, so that they mean what they mean in the whole file.

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::FileExt;

use breakpad_symbols::{FrameSymbolizer, FrameWalker, SymbolError, SymbolFile};
use minidump::Module;

use super::index::{Index, IndexError, Record, Table};

/// Bytes of records that are remembered as read.
const MOST_REMEMBERED: usize = 8 << 20;

pub struct IndexedFile {
    file: File,
    index: Index,
    read: HashMap<Records, SymbolFile>,
    remembered: usize,
}

/// The records that matter to an address, by where they stand.
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
        IndexedFile { file, index, read: HashMap::new(), remembered: 0 }
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
        let mut found = vec![];
        let mut records = Records::default();
        if let Some(function) = self.index.covering(Table::Functions, address)? {
            records.function = Some(function.at);
            found.push(function);
            // They know the size of a function's parameters better.
            self.add_win(address, &mut records, &mut found)?;
        } else if let Some(public) = self.index.at_or_before(Table::Publics, address)? {
            records.public = Some(public.at);
            found.push(public);
            if let Some(before) = self.index.at_or_before(Table::Functions, address)? {
                records.function_before = Some(before.at);
                found.push(before);
            }
        } else {
            return Ok(());
        }
        self.read(records, &found)?;
        self.name_sources(records, address)?;
        self.read[&records].fill_symbol(module, frame);
        Ok(())
    }

    pub fn walk_frame(&mut self, module: &dyn Module, walker: &mut dyn FrameWalker) -> Result<Option<()>, IndexError> {
        let Some(address) = walker.get_instruction().checked_sub(module.base_address()) else { return Ok(None) };
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
        self.read(records, &found)?;
        Ok(self.read[&records].walk_frame(module, walker))
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

    /// Sees to it that `records` are read.
    fn read(&mut self, records: Records, found: &[Record]) -> Result<(), IndexError> {
        if self.read.contains_key(&records) {
            return Ok(());
        }
        let mut text = vec![];
        for record in found {
            if records.function_before == Some(record.at) {
                // Only where it is counts.
                text.extend(format!("FUNC {:x} {:x} 0 -\n", record.start, record.size).bytes());
            } else {
                text.extend(self.text(*record)?);
            }
        }
        if self.remembered + text.len() > MOST_REMEMBERED {
            self.read.clear();
            self.remembered = 0;
        }
        self.remembered += text.len();
        let mut symbols = parsed(&text)?;
        // Those among the lines of a function may be defined anew elsewhere: the index knows which one counts.
        symbols.inline_origins.clear();
        self.read.insert(records, symbols);
        Ok(())
    }

    /// Adds to what was read of a function the names that its lines and inlined calls have at `address`.
    fn name_sources(&mut self, records: Records, address: u64) -> Result<(), IndexError> {
        let Some(symbols) = self.read.get_mut(&records) else { return Ok(()) };
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

/// Reads a file from its beginning, wherever its position is.
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

/// What the index says to be good is good, or the file is another one by now.
fn parsed(text: &[u8]) -> Result<SymbolFile, IndexError> {
    SymbolFile::from_bytes(text).map_err(|_| IndexError::Damaged)
}
