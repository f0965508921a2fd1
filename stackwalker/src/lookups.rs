//! Symbols as a walk is given them: names that are not too long, not too many inlined functions, and all counted.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use minidump::Module;
use minidump_unwind::{
    FileError, FileKind, FillSymbolError, FrameSymbolizer, FrameWalker, SymbolProvider, SymbolStats,
};

use crate::bounds::{self, beginning, Bounded};

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

    fn count(&self, lookups: usize) {
        self.left.store(self.left.load(Ordering::Relaxed).saturating_sub(lookups), Ordering::Relaxed);
    }
}

/// How many look-ups the rules of one frame cost that took so long; none where they are like those of a compiler.
fn lookups_in(spent: Duration) -> usize {
    const USUAL: Duration = Duration::from_millis(1);
    const LOOKUPS_IN_A_MICROSECOND: usize = 2;
    if spent < USUAL {
        return 0;
    }
    spent.as_micros() as usize * LOOKUPS_IN_A_MICROSECOND
}

/// CPU time of this thread: on the clock, a machine that has other work would count too.
fn cpu_time() -> Duration {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    unsafe { libc::clock_gettime(libc::CLOCK_THREAD_CPUTIME_ID, &mut time) };
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
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
        // An inlined function costs as much as a look-up.
        self.count(1 + short.inlines);
        self.too_much.longest_name.fetch_max(short.longest, Ordering::Relaxed);
        if short.inlines > bounds::INLINES_OF_A_FRAME {
            self.too_much.most_inlines.fetch_max(short.inlines, Ordering::Relaxed);
        }
        result
    }

    async fn walk_frame(&self, module: &(dyn Module + Sync), walker: &mut (dyn FrameWalker + Send)) -> Option<()> {
        // The symbols are there already: the frame was looked up before.
        let begun = cpu_time();
        let result = self.symbols.walk_frame(module, walker).await;
        self.count(1 + lookups_in(cpu_time().saturating_sub(begun)));
        result
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_that_take_long_cost_look_ups_and_one_stop_of_the_process_does_not_cost_all() {
        assert_eq!(lookups_in(Duration::from_micros(900)), 0);
        assert_eq!(lookups_in(Duration::from_millis(10)), 20_000);
    }

    #[test]
    fn a_frame_is_given_names_that_are_not_too_long_and_the_outer_inlined_functions() {
        struct Frame(Vec<usize>);
        impl FrameSymbolizer for Frame {
            fn get_instruction(&self) -> u64 {
                0
            }
            fn set_function(&mut self, name: &str, _: u64, _: u32) {
                self.0.push(name.len());
            }
            fn set_source_file(&mut self, file: &str, _: u32, _: u64) {
                self.0.push(file.len());
            }
            fn add_inline_frame(&mut self, name: &str, _: Option<&str>, _: Option<u32>) {
                self.0.push(name.len());
            }
        }
        let mut frame = Frame(vec![]);
        let mut short = ShortNames { frame: &mut frame, room: 20_000, longest: 0, inlines: 0 };
        short.set_function(&"é".repeat(10_000), 0, 0);
        short.set_source_file("file", 1, 0);
        for _ in 0..1_000 {
            short.add_inline_frame("inlined", Some("file"), None);
        }
        assert_eq!((short.longest, short.inlines), (20_000, 1_000));
        assert_eq!(frame.0[..3], [bounds::SYMBOL_NAME, 4, 7]);
        assert_eq!(frame.0.len(), 2 + bounds::INLINES_OF_A_FRAME);
    }
}
