//! Finds the symbols for a walk: looks for each module's file in the directories, and reads it through its index or, if
//! it has none, whole.

pub mod index;
pub mod indexing;
mod records;

use std::collections::{BTreeMap, HashMap};
use std::fs::{self, File};
use std::future::{poll_fn, Future};
use std::mem;
use std::path::{Path, PathBuf};
use std::pin::pin;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

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
use crate::asking::{Answer, Asking};
use crate::report::last_part;

const SUFFIX: &str = ".index";
/// Levels of the path of a symbol file in its store: debug file, debug id, name.
const LEVELS: usize = 3;
const THREADS_AT_A_TIME: usize = 32;

/// A directory of symbol files, and the directory of their indexes.
#[derive(Clone)]
pub struct Store {
    pub directory: PathBuf,
    indexes: PathBuf,
}

impl Store {
    /// A store whose indexes are beside it, in a directory of its name with `.index` appended.
    pub fn new(directory: PathBuf) -> Store {
        let mut indexes = directory.components().as_path().as_os_str().to_os_string();
        indexes.push(SUFFIX);
        Store { directory, indexes: indexes.into() }
    }

    /// Moves the indexes below `indexes`, if given, under the whole path of the store.
    pub fn with_indexes(mut self, indexes: Option<&Path>) -> Store {
        if let (Some(indexes), Ok(path)) = (indexes, std::path::absolute(&self.directory)) {
            self.indexes = indexes.join(path.strip_prefix("/").unwrap_or(&path));
        }
        self
    }

    /// The store of the symbol file at `path`, and the file's path in the store.
    pub fn of(path: &Path) -> Option<(Store, PathBuf)> {
        let path = std::path::absolute(path).ok()?;
        let directory = path.ancestors().nth(LEVELS)?;
        let relative = path.strip_prefix(directory).ok()?;
        Some((Store::new(directory.to_path_buf()), relative.to_path_buf()))
    }

    /// The directories that a walk reads.
    pub fn directories(&self) -> [&Path; 2] {
        [&self.directory, &self.indexes]
    }

    /// True if `path`, with all links resolved, is in the directory.
    fn holds(&self, path: &Path) -> bool {
        match (path.canonicalize(), self.directory.canonicalize()) {
            (Ok(path), Ok(directory)) => path.starts_with(directory),
            _ => false,
        }
    }

    /// The path of the index of a symbol file, whose `path` is relative to the directory.
    pub fn index_path(&self, path: &Path) -> PathBuf {
        let mut name = self.indexes.join(path).into_os_string();
        name.push(SUFFIX);
        name.into()
    }
}

/// How a module's symbols were used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Use {
    Index,
    /// Read whole, because there is no index.
    Whole,
    /// Read whole, as its index says.
    WholeByIndex,
    /// Read whole, because its index is damaged.
    WholeForDamagedIndex,
    Corrupt,
    Unreadable,
    /// Its path is a link that leads out of its store.
    Refused,
    /// They did not come in time for this walk.
    Later,
}

enum Symbols {
    Indexed(Box<IndexedFile>),
    Whole(Box<SymbolFile>),
    None,
    /// Asked for; the wakers are of the threads that wait for the answer.
    Awaited(Vec<Waker>),
}

/// The symbols of one module.
struct ModuleSymbols {
    symbols: Symbols,
    statistics: SymbolStats,
    /// The path that the file has, or would have, in a store; None if unknown.
    path: Option<String>,
    /// None if there is no file.
    used: Option<Use>,
    was_asked_for: bool,
    /// The module's file name, the key of its statistics.
    name: String,
    /// The thread and the question, by number, that wanted the symbols first.
    first_wanted: (usize, usize),
}

/// Code file, code id, debug file and debug id: they identify a module for the crates.
type Key = (String, Option<String>, Option<String>, Option<String>);

#[derive(Default)]
struct Known {
    modules: Vec<ModuleSymbols>,
    by_key: HashMap<Key, usize>,
    by_base: HashMap<u64, usize>,
    questions: usize,
    asking: Option<Asking>,
}

/// How the symbols of a module were used.
#[derive(Serialize)]
pub struct UseReport {
    #[serde(skip_serializing_if = "Option::is_none")]
    used: Option<Use>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    asked_for: bool,
}

/// Provides a walk with symbols from the first of `stores` that has the file. If none has it, asks for it, if there is a
/// socket for that.
pub struct OnDemand {
    stores: Vec<Store>,
    known: Mutex<Known>,
    may_ask: bool,
}

impl OnDemand {
    pub fn new(stores: Vec<Store>, asking: Option<Asking>) -> OnDemand {
        let may_ask = asking.is_some();
        OnDemand { stores, known: Mutex::new(Known { asking, ..Known::default() }), may_ask }
    }

    /// The use of symbols by their path in a store, for each module whose symbols were found or asked for.
    pub fn uses(&self) -> BTreeMap<String, UseReport> {
        let known = self.known();
        let reports = known.modules.iter().filter(|module| module.used.is_some() || module.was_asked_for);
        let report = |module: &ModuleSymbols| {
            let report = UseReport { used: module.used, asked_for: module.was_asked_for };
            Some((module.path.clone()?, report))
        };
        reports.filter_map(report).collect()
    }

    /// Statistics by file name. If several modules have the same name, the one counts that minidump-stackwalk would ask
    /// for last, because it does not distinguish them.
    pub fn statistics(&self) -> HashMap<String, SymbolStats> {
        let known = self.known();
        let mut modules: Vec<&ModuleSymbols> = known.modules.iter().collect();
        modules.sort_by_key(|module| module.first_wanted);
        modules.into_iter().map(|module| (module.name.clone(), module.statistics.clone())).collect()
    }

    /// How many threads may be walked at a time: others go on while one waits for symbols.
    pub fn threads_at_a_time(&self) -> usize {
        if self.may_ask {
            THREADS_AT_A_TIME
        } else {
            1
        }
    }

    /// Runs a walk to its end, and waits for answers whenever it needs them.
    pub fn drive<T>(&self, walk: impl Future<Output = T>) -> T {
        let mut walk = pin!(walk);
        loop {
            if let Poll::Ready(result) = walk.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
                return result;
            }
            self.known().wait_for_answers();
        }
    }

    /// The symbols as one thread asks for them.
    pub fn for_thread(&self, thread: usize) -> ThreadSymbols<'_> {
        ThreadSymbols { symbols: self, thread }
    }

    fn has_sources(&self) -> bool {
        self.may_ask || !self.stores.is_empty()
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        // A panic of the crates during a look-up leaves nothing inconsistent behind.
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn ask<Q: Question>(
        &self,
        thread: usize,
        module: &(dyn Module + Sync),
        question: &mut Q,
    ) -> Option<Q::Answer> {
        if !self.has_sources() {
            return None;
        }
        let number = self.known().number(thread, module, &self.stores);
        poll_fn(|context| self.known().is_there(number, context)).await;
        self.known().modules[number].ask(question)
    }
}

impl Known {
    fn number(&mut self, thread: usize, module: &(dyn Module + Sync), stores: &[Store]) -> usize {
        self.questions += 1;
        let wanted = (thread, self.questions);
        if let Some(number) = self.by_base.get(&module.base_address()) {
            self.modules[*number].was_wanted(wanted);
            return *number;
        }
        let number = *self.by_key.entry(key(module)).or_insert_with(|| {
            let number = self.modules.len();
            let mut found = ModuleSymbols::find(module, stores, wanted);
            if found.path.is_some() && found.used.is_none() {
                if let Some(asking) = &mut self.asking {
                    if asking.ask(number, module) {
                        found.symbols = Symbols::Awaited(vec![]);
                        found.was_asked_for = true;
                    }
                }
            }
            self.modules.push(found);
            number
        });
        self.modules[number].was_wanted(wanted);
        self.by_base.insert(module.base_address(), number);
        number
    }

    fn is_there(&mut self, number: usize, context: &mut Context) -> Poll<()> {
        match &mut self.modules[number].symbols {
            Symbols::Awaited(waiting) => {
                waiting.push(context.waker().clone());
                Poll::Pending
            }
            _ => Poll::Ready(()),
        }
    }

    fn wait_for_answers(&mut self) {
        let Some(asking) = self.asking.as_mut().filter(|asking| asking.is_waiting()) else {
            panic!("a walk waits for an answer to no question");
        };
        for (number, answer) in asking.wait() {
            self.modules[number].is_answered(answer);
        }
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

/// The path of a module's symbol file in a store. None if the module has no id, or if the name of its debug file cannot
/// be that of a directory.
fn path_in_store(module: &(dyn Module + Sync)) -> Option<String> {
    let path = breakpad_sym_lookup(module)?.cache_rel;
    let is_name = !matches!(path.split('/').next(), None | Some("" | "." | ".."));
    is_name.then_some(path)
}

impl ModuleSymbols {
    fn find(module: &(dyn Module + Sync), stores: &[Store], first_wanted: (usize, usize)) -> ModuleSymbols {
        let mut found = ModuleSymbols {
            symbols: Symbols::None,
            statistics: SymbolStats::default(),
            path: None,
            used: None,
            was_asked_for: false,
            name: last_part(&module.code_file()).to_string(),
            first_wanted,
        };
        let Some(relative) = path_in_store(module) else { return found };
        found.path = Some(relative.clone());
        for store in stores {
            let path = store.directory.join(&relative);
            if !fs::metadata(&path).is_ok_and(|metadata| metadata.is_file()) {
                continue;
            }
            if !store.holds(&path) {
                found.used = Some(Use::Refused);
                break;
            }
            match File::open(path) {
                Ok(file) => found.read(file, File::open(store.index_path(Path::new(&relative))).ok()),
                Err(_) => found.used = Some(Use::Unreadable),
            }
            break;
        }
        found
    }

    fn was_wanted(&mut self, when: (usize, usize)) {
        self.first_wanted = when.min(self.first_wanted);
    }

    fn is_answered(&mut self, answer: Answer) {
        let Symbols::Awaited(waiting) = mem::replace(&mut self.symbols, Symbols::None) else { return };
        match answer {
            Answer::File { symbols, index } => self.read(symbols, index),
            Answer::Later => self.used = Some(Use::Later),
            Answer::None => (),
        }
        waiting.into_iter().for_each(Waker::wake);
    }

    fn read(&mut self, file: File, index: Option<File>) {
        let index = index.ok_or(IndexError::Missing).and_then(|index| {
            let state = FileState::from(&file.metadata()?);
            Index::open(index, state)
        });
        let used = match index {
            Ok(index) => match index.verdict() {
                Verdict::Usable => return self.use_index(file, index),
                Verdict::Corrupt => return self.is_corrupt(),
                Verdict::Whole => Use::WholeByIndex,
            },
            Err(IndexError::Damaged) => Use::WholeForDamagedIndex,
            Err(_) => Use::Whole,
        };
        self.read_whole(file, used);
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

    /// Answers from the index, or from the whole file if the index or the file turns out to be damaged.
    ///
    /// Earlier answers from the index remain valid, because each page has its own checksum.
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

/// A walk's question to the symbols of a module.
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

/// The symbols as one thread asks for them.
pub struct ThreadSymbols<'a> {
    symbols: &'a OnDemand,
    thread: usize,
}

#[async_trait]
impl SymbolProvider for ThreadSymbols<'_> {
    async fn fill_symbol(
        &self,
        module: &(dyn Module + Sync),
        frame: &mut (dyn FrameSymbolizer + Send),
    ) -> Result<(), FillSymbolError> {
        let mut question = FillSymbol(module, frame);
        self.symbols.ask(self.thread, module, &mut question).await.ok_or(FillSymbolError {})
    }

    async fn walk_frame(&self, module: &(dyn Module + Sync), walker: &mut (dyn FrameWalker + Send)) -> Option<()> {
        let mut question = WalkFrame(module, walker);
        self.symbols.ask(self.thread, module, &mut question).await.flatten()
    }

    fn stats(&self) -> HashMap<String, SymbolStats> {
        self.symbols.statistics()
    }

    async fn get_file_path(&self, _: &(dyn Module + Sync), _: FileKind) -> Result<PathBuf, FileError> {
        Err(FileError::NotFound)
    }
}
