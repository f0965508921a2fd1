//! Bounds the symbols that a walk uses: the length of names, the number of inlined functions and of look-ups.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

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
    cpu_time: CpuTime,
}

/// The longest name of those that were cut, and the most inlined functions of a frame.
#[derive(Default)]
pub struct TooMuch {
    longest_name: AtomicUsize,
    most_inlines: AtomicUsize,
}

impl TooMuch {
    pub fn report_bounds(&self, bounded: &mut Bounded) {
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
        Lookups { symbols, left, too_much, cpu_time: CpuTime::new() }
    }

    fn count(&self, lookups: usize) {
        self.left.store(self.left.load(Ordering::Relaxed).saturating_sub(lookups), Ordering::Relaxed);
    }
}

/// How many look-ups to charge for the rules of a frame that took this long; none for a compiler's rules.
fn lookups_in(spent: Duration) -> usize {
    const LOOKUPS_IN_A_MICROSECOND: usize = 2;
    if spent < USUAL {
        return 0;
    }
    spent.as_micros() as usize * LOOKUPS_IN_A_MICROSECOND
}

/// The longest time for a frame's rules that a compiler wrote.
const USUAL: Duration = Duration::from_millis(1);

/// The CPU time of this thread between one slow frame and the next.
///
/// Reading it is a system call, and reading the clock is not. But the clock counts other work of the machine too. So
/// CPU time is read only if the clock says that a frame was slow, and all such frames are charged no more than it.
struct CpuTime {
    /// CPU time at the end of the last slow frame, in nanoseconds.
    charged: AtomicU64,
}

impl CpuTime {
    fn new() -> Self {
        CpuTime { charged: AtomicU64::new(Self::used()) }
    }

    /// The CPU time of a frame that began at `begun` and ends now; zero if it was not slow.
    fn since(&self, begun: Instant) -> Duration {
        let elapsed = begun.elapsed();
        if elapsed < USUAL {
            return Duration::ZERO;
        }
        let used = Self::used();
        elapsed.min(Duration::from_nanos(used.saturating_sub(self.charged.swap(used, Ordering::Relaxed))))
    }

    /// CPU time of this thread, in nanoseconds.
    fn used() -> u64 {
        let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
        unsafe { libc::clock_gettime(libc::CLOCK_THREAD_CPUTIME_ID, &mut time) };
        time.tv_sec as u64 * 1_000_000_000 + time.tv_nsec as u64
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
        let begun = Instant::now();
        let result = self.symbols.walk_frame(module, walker).await;
        self.count(1 + lookups_in(self.cpu_time.since(begun)));
        result
    }

    async fn get_file_path(&self, module: &(dyn Module + Sync), file_kind: FileKind) -> Result<PathBuf, FileError> {
        self.symbols.get_file_path(module, file_kind).await
    }

    fn stats(&self) -> HashMap<String, SymbolStats> {
        self.symbols.stats()
    }
}

/// Passes names on to a frame, as far as there is room for them.
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

    /// Adds an inlined function. The outermost come first, so they are kept.
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
    fn slow_rules_cost_look_ups_and_a_single_stop_of_the_process_does_not_cost_all() {
        assert_eq!(lookups_in(Duration::from_micros(900)), 0);
        assert_eq!(lookups_in(Duration::from_millis(10)), 20_000);
    }

    #[test]
    fn a_frame_that_waits_is_charged_with_the_cpu_time_that_was_used_since_the_last_slow_one() {
        let cpu_time = CpuTime::new();
        let begun = Instant::now();
        std::thread::sleep(Duration::from_millis(300));
        assert!(cpu_time.since(begun) < Duration::from_millis(100));
        let begun = Instant::now();
        // Longer than is asserted: what was used before `begun` counts as CPU time and not as time of the frame.
        while CpuTime::used() < cpu_time.charged.load(Ordering::Relaxed) + 40_000_000 {}
        assert!(cpu_time.since(begun) >= Duration::from_millis(20));
        assert!(cpu_time.since(begun) < Duration::from_millis(20));
    }

    #[test]
    fn a_frame_gets_bounded_names_and_the_outer_inlined_functions() {
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
