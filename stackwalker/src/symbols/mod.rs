//! Symbols as a walk asks for them: of each module the file that the directories have, through its index where there is
//! one, else whole.

pub mod index;
pub mod indexing;
mod records;

use std::collections::{BTreeMap, HashMap};
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use breakpad_symbols::{
    breakpad_sym_lookup, FileError, FileKind, FillSymbolError, FrameSymbolizer, FrameWalker, SymbolError, SymbolFile,
    SymbolStats,
};
use minidump::Module;
use minidump_unwind::SymbolProvider;
use serde::Serialize;

use self::index::{FileState, Index, IndexError, Verdict};
use self::records::IndexedFile;

const SUFFIX: &str = ".index";
/// Levels of a symbol file in its store: debug file, debug id, name.
const LEVELS: usize = 3;

/// A directory of symbol files, and the one of their indexes.
#[derive(Clone)]
pub struct Store {
    pub directory: PathBuf,
    indexes: PathBuf,
}

impl Store {
    /// The indexes lie beside it, in a directory of its name with `.index` behind.
    pub fn new(directory: PathBuf) -> Store {
        let mut indexes = directory.components().as_path().as_os_str().to_os_string();
        indexes.push(SUFFIX);
        Store { directory, indexes: indexes.into() }
    }

    pub fn with_indexes(mut self, indexes: PathBuf) -> Store {
        self.indexes = indexes;
        self
    }

    /// Where the index of the symbol file `path`, relative to the directory, is.
    pub fn index_path(&self, path: &Path) -> PathBuf {
        let mut name = self.indexes.join(path).into_os_string();
        name.push(SUFFIX);
        name.into()
    }
}

/// Writes the index of the symbol file at `path` to where a walk looks for it; `indexes` is the directory of the
/// indexes of its store.
pub fn write_index(path: &Path, indexes: Option<&Path>) -> io::Result<()> {
    let path = std::path::absolute(path)?;
    let directory = path.ancestors().nth(LEVELS).ok_or(io::Error::other("it lies in no store of symbols"))?;
    let mut store = Store::new(directory.to_path_buf());
    if let Some(indexes) = indexes {
        store = store.with_indexes(indexes.to_path_buf());
    }
    let bytes = indexing::index(&File::open(&path)?)?;
    let target = store.index_path(path.strip_prefix(directory).unwrap_or(&path));
    fs::create_dir_all(target.parent().unwrap_or(directory))?;
    let unfinished = target.with_extension(format!("{}.unfinished", std::process::id()));
    fs::write(&unfinished, bytes)?;
    fs::rename(&unfinished, &target).inspect_err(|_| drop(fs::remove_file(&unfinished)))
}

/// How a module's symbols were used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Use {
    Index,
    /// Read whole, for want of an index.
    Whole,
    /// Read whole, as its index says.
    WholeByIndex,
    /// Read whole, for its index cannot be relied on.
    WholeForDamagedIndex,
    Corrupt,
    Unreadable,
}

enum Symbols {
    Indexed(Box<IndexedFile>),
    Whole(Box<SymbolFile>),
    None,
}

/// The symbols of one module.
struct ModuleSymbols {
    symbols: Symbols,
    statistics: SymbolStats,
    /// Where the file is; None where there is none.
    path: Option<PathBuf>,
    used: Option<Use>,
}

/// What identifies a module to the crates, which ask for the symbols of each once.
type Key = (String, Option<String>, Option<String>, Option<String>);

#[derive(Default)]
struct Known {
    modules: Vec<ModuleSymbols>,
    by_key: HashMap<Key, usize>,
    by_base: HashMap<u64, usize>,
    statistics: HashMap<String, SymbolStats>,
}

/// Gives a walk the symbols of `stores`, the first that has a file counts.
pub struct OnDemand {
    stores: Vec<Store>,
    known: Mutex<Known>,
}

impl OnDemand {
    pub fn new(stores: Vec<Store>) -> OnDemand {
        OnDemand { stores, known: Mutex::default() }
    }

    /// How the symbols of each module that has some were used, by their path in a store.
    pub fn uses(&self) -> BTreeMap<String, Use> {
        let known = self.known();
        let used = known.modules.iter().filter_map(|module| Some((module.path.as_ref()?, module.used?)));
        used.map(|(path, used)| (path.to_string_lossy().into_owned(), used)).collect()
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        // A panic of the crates in a lookup leaves nothing half done that the next one would take for whole.
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn ask<Q: Question>(&self, module: &(dyn Module + Sync), question: &mut Q) -> Option<Q::Answer> {
        let known = &mut *self.known();
        let number = known.number(module, &self.stores);
        known.modules[number].ask(question)
    }
}

impl Known {
    fn number(&mut self, module: &(dyn Module + Sync), stores: &[Store]) -> usize {
        if let Some(number) = self.by_base.get(&module.base_address()) {
            return *number;
        }
        let number = *self.by_key.entry(key(module)).or_insert_with(|| {
            let found = ModuleSymbols::find(module, stores);
            let name = module.code_file().rsplit(['/', '\\']).next().unwrap_or_default().to_string();
            self.statistics.insert(name, found.statistics.clone());
            self.modules.push(found);
            self.modules.len() - 1
        });
        self.by_base.insert(module.base_address(), number);
        number
    }
}

fn key(module: &(dyn Module + Sync)) -> Key {
    (
        module.code_file().to_string(),
        module.code_identifier().map(|id| id.to_string()),
        module.debug_file().map(|file| file.to_string()),
        module.debug_identifier().map(|id| id.to_string()),
    )
}

impl ModuleSymbols {
    fn find(module: &(dyn Module + Sync), stores: &[Store]) -> ModuleSymbols {
        let mut none =
            ModuleSymbols { symbols: Symbols::None, statistics: SymbolStats::default(), path: None, used: None };
        let Some(lookup) = breakpad_sym_lookup(module) else { return none };
        for store in stores {
            let path = store.directory.join(&lookup.cache_rel);
            if !fs::metadata(&path).is_ok_and(|metadata| metadata.is_file()) {
                continue;
            }
            let index = store.index_path(Path::new(&lookup.cache_rel));
            none.path = Some(PathBuf::from(&lookup.cache_rel));
            return none.read(&path, &index);
        }
        none
    }

    fn read(mut self, path: &Path, index: &Path) -> ModuleSymbols {
        let file = match File::open(path) {
            Ok(file) => file,
            Err(_) => {
                self.used = Some(Use::Unreadable);
                return self;
            }
        };
        let index = File::open(index).map_err(IndexError::Unreadable).and_then(|index| {
            let state = FileState::from(&file.metadata()?);
            Index::open(index, state)
        });
        let used = match index {
            Ok(index) => match index.verdict() {
                Verdict::Usable => {
                    self.use_index(file, index);
                    return self;
                }
                Verdict::Corrupt => {
                    self.is_corrupt();
                    return self;
                }
                Verdict::Whole => Use::WholeByIndex,
            },
            Err(IndexError::Damaged) => Use::WholeForDamagedIndex,
            Err(_) => Use::Whole,
        };
        self.read_whole(file, used);
        self
    }

    fn use_index(&mut self, file: File, index: Index) {
        let whole = file.try_clone();
        let mut indexed = IndexedFile::new(file, index);
        match (indexed.url(), whole) {
            (Ok(url), _) => {
                self.is_loaded(url, Use::Index);
                self.symbols = Symbols::Indexed(Box::new(indexed));
            }
            (Err(_), Ok(file)) => self.read_whole(file, Use::WholeForDamagedIndex),
            (Err(_), Err(_)) => self.used = Some(Use::Unreadable),
        }
    }

    fn read_whole(&mut self, file: File, used: Use) {
        match SymbolFile::parse(file, |_| ()) {
            Ok(symbols) => {
                self.is_loaded(symbols.url.clone(), used);
                self.symbols = Symbols::Whole(Box::new(symbols));
            }
            Err(SymbolError::ParseError(..)) => self.is_corrupt(),
            Err(_) => self.used = Some(Use::Unreadable),
        }
    }

    fn is_loaded(&mut self, url: Option<String>, used: Use) {
        self.statistics.loaded_symbols = true;
        self.statistics.symbol_url = url;
        self.used = Some(used);
    }

    fn is_corrupt(&mut self) {
        self.statistics.loaded_symbols = true;
        self.statistics.corrupt_symbols = true;
        self.used = Some(Use::Corrupt);
    }

    /// Puts a question to the index, or where that or its file turns out to be damaged, to the whole file.
    ///
    /// What the index said until then was right, for each page of it is checked by itself.
    fn ask<Q: Question>(&mut self, question: &mut Q) -> Option<Q::Answer> {
        if let Symbols::Indexed(indexed) = &mut self.symbols {
            if let Ok(answer) = question.to_index(indexed) {
                return Some(answer);
            }
            self.used = Some(Use::WholeForDamagedIndex);
            self.symbols = indexed.whole().map_or(Symbols::None, |symbols| Symbols::Whole(Box::new(symbols)));
        }
        match &self.symbols {
            Symbols::Whole(symbols) => Some(question.to_whole(symbols)),
            _ => None,
        }
    }
}

/// What a walk asks of the symbols of a module.
trait Question {
    type Answer;

    fn to_index(&mut self, file: &mut IndexedFile) -> Result<Self::Answer, IndexError>;
    fn to_whole(&mut self, file: &SymbolFile) -> Self::Answer;
}

struct FillSymbol<'a>(&'a (dyn Module + Sync), &'a mut (dyn FrameSymbolizer + Send));

impl Question for FillSymbol<'_> {
    type Answer = ();

    fn to_index(&mut self, file: &mut IndexedFile) -> Result<(), IndexError> {
        file.fill_symbol(self.0, self.1)
    }

    fn to_whole(&mut self, file: &SymbolFile) {
        file.fill_symbol(self.0, self.1);
    }
}

struct WalkFrame<'a>(&'a (dyn Module + Sync), &'a mut (dyn FrameWalker + Send));

impl Question for WalkFrame<'_> {
    type Answer = Option<()>;

    fn to_index(&mut self, file: &mut IndexedFile) -> Result<Option<()>, IndexError> {
        file.walk_frame(self.0, self.1)
    }

    fn to_whole(&mut self, file: &SymbolFile) -> Option<()> {
        file.walk_frame(self.0, self.1)
    }
}

#[async_trait]
impl SymbolProvider for OnDemand {
    async fn fill_symbol(
        &self,
        module: &(dyn Module + Sync),
        frame: &mut (dyn FrameSymbolizer + Send),
    ) -> Result<(), FillSymbolError> {
        if self.stores.is_empty() {
            return Err(FillSymbolError {});
        }
        self.ask(module, &mut FillSymbol(module, frame)).ok_or(FillSymbolError {})
    }

    async fn walk_frame(&self, module: &(dyn Module + Sync), walker: &mut (dyn FrameWalker + Send)) -> Option<()> {
        if self.stores.is_empty() {
            return None;
        }
        self.ask(module, &mut WalkFrame(module, walker)).flatten()
    }

    async fn get_file_path(&self, _: &(dyn Module + Sync), _: FileKind) -> Result<PathBuf, FileError> {
        Err(FileError::NotFound)
    }

    fn stats(&self) -> HashMap<String, SymbolStats> {
        self.known().statistics.clone()
    }
}
