//! Symbols as a walk is given them: names that are not too long, not too many inlined functions, and all counted.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};

use async_trait::async_trait;
use minidump::Module;
use minidump_unwind::{
    FileError, FileKind, FillSymbolError, FrameSymbolizer, FrameWalker, SymbolProvider, SymbolStats,
};

use crate::bounds::{self, beginning, Bounded};

/// Bytes of a module's names that cost as much as a look-up.
const NAME_OF_A_LOOKUP: usize = 256;

/// The symbols of one thread.
pub struct Lookups<'a, P> {
    symbols: &'a P,
    /// How many look-ups are left, of this thread and of others.
    left: &'a AtomicUsize,
    too_much: &'a TooMuch,
}

/// The longest name of those that were cut, and the most inlined functions of a frame.
#[derive(Default)]
pub struct TooMuch {
    longest_name: AtomicUsize,
    most_inlines: AtomicUsize,
}

impl TooMuch {
    pub fn say(&self, bounded: &mut Bounded) {
        for (name, most) in [("symbol_names", &self.longest_name), ("inlines", &self.most_inlines)] {
            let most = most.load(Ordering::Relaxed);
            if most > 0 {
                bounded.count(name, most);
            }
        }
    }
}

impl<'a, P: SymbolProvider + Sync> Lookups<'a, P> {
    pub fn new(symbols: &'a P, left: &'a AtomicUsize, too_much: &'a TooMuch) -> Self {
        Lookups { symbols, left, too_much }
    }

    fn count(&self, module: &(dyn Module + Sync), inlines: usize) {
        let cost = 1 + module.code_file().len() / NAME_OF_A_LOOKUP + inlines;
        self.left.store(self.left.load(Ordering::Relaxed).saturating_sub(cost), Ordering::Relaxed);
    }
}

#[async_trait]
impl<P: SymbolProvider + Sync> SymbolProvider for Lookups<'_, P> {
    async fn fill_symbol(
        &self,
        module: &(dyn Module + Sync),
        frame: &mut (dyn FrameSymbolizer + Send),
    ) -> Result<(), FillSymbolError> {
        let mut short = ShortNames { frame, room: bounds::SYMBOL_NAMES_OF_A_FRAME, longest: 0, inlines: 0 };
        let result = self.symbols.fill_symbol(module, &mut short).await;
        self.count(module, short.inlines);
        self.too_much.longest_name.fetch_max(short.longest, Ordering::Relaxed);
        if short.inlines > bounds::INLINES_OF_A_FRAME {
            self.too_much.most_inlines.fetch_max(short.inlines, Ordering::Relaxed);
        }
        result
    }

    async fn walk_frame(&self, module: &(dyn Module + Sync), walker: &mut (dyn FrameWalker + Send)) -> Option<()> {
        self.count(module, 0);
        self.symbols.walk_frame(module, walker).await
    }

    async fn get_file_path(&self, module: &(dyn Module + Sync), file_kind: FileKind) -> Result<PathBuf, FileError> {
        self.symbols.get_file_path(module, file_kind).await
    }

    fn stats(&self) -> HashMap<String, SymbolStats> {
        self.symbols.stats()
    }
}

/// Hands on to a frame what its names have room for.
struct ShortNames<'a> {
    frame: &'a mut (dyn FrameSymbolizer + Send),
    room: usize,
    /// Bytes of the longest name that was cut.
    longest: usize,
    inlines: usize,
}

impl ShortNames<'_> {
    fn cut<'t>(&mut self, name: &'t str) -> &'t str {
        let short = beginning(name, self.room.min(bounds::SYMBOL_NAME));
        self.room -= short.len();
        if short.len() < name.len() {
            self.longest = self.longest.max(name.len());
        }
        short
    }
}

impl FrameSymbolizer for ShortNames<'_> {
    fn get_instruction(&self) -> u64 {
        self.frame.get_instruction()
    }

    fn set_function(&mut self, name: &str, base: u64, parameter_size: u32) {
        let name = self.cut(name);
        self.frame.set_function(name, base, parameter_size);
    }

    fn set_source_file(&mut self, file: &str, line: u32, base: u64) {
        let file = self.cut(file);
        self.frame.set_source_file(file, line, base);
    }

    /// Those that are called first are the outer ones, and they stay.
    fn add_inline_frame(&mut self, name: &str, file: Option<&str>, line: Option<u32>) {
        self.inlines += 1;
        if self.inlines <= bounds::INLINES_OF_A_FRAME {
            let name = self.cut(name);
            let file = file.map(|file| self.cut(file));
            self.frame.add_inline_frame(name, file, line);
        }
    }
}
