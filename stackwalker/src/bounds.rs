//! How much of a dump counts. What a stranger writes must cost no more than a crash may: 100 MB and 2 seconds.

use std::collections::BTreeMap;

/// Entries of the directory that are looked at.
pub const STREAMS: usize = 1_000;
pub const THREADS: usize = 4_096;
pub const MODULES: usize = 10_000;
/// Windows remembers 64.
pub const UNLOADED_MODULES: usize = 1_000;
pub const UNLOADED_MODULES_OF_A_FRAME: usize = 64;
pub const MEMORY_REGIONS: usize = 100_000;
pub const MEMORY_INFO: usize = 65_536;
/// Lines of /proc/self/maps, and bytes of all of them.
pub const MEMORY_MAPS: usize = 65_536;
pub const MEMORY_MAPS_BYTES: usize = 8 << 20;
pub const HANDLES: usize = 20_000;
/// Bytes of a text about the process or its system.
pub const TEXT: usize = 64 << 10;
pub const CPU_INFO: usize = 4 << 20;
/// Bytes of JSON, of which two become a hundred in memory.
pub const SOFT_ERRORS: usize = 128 << 10;
/// Bytes of all records, and of one string where they are more.
pub const MAC_CRASH_INFO: usize = 256 << 10;
pub const MAC_CRASH_INFO_STRING: usize = 2_048;

/// Frames of a thread. Of more the first and the last half stay.
pub const FRAMES: usize = 500;
/// Frames of all threads but the one that crashed, and of that one.
pub const FRAMES_OF_A_DUMP: usize = 200_000;
/// Look-ups of symbols, for the same frames. One costs a microsecond at most.
pub const LOOKUPS_OF_A_DUMP: usize = 1_000_000;

/// Threads whose walk failed that are told of, and bytes of why.
pub const ERRORS: usize = 100;
pub const MESSAGE: usize = 500;

/// Crashpad's annotations of all modules and the process together: how many, and bytes of all their text.
pub const ANNOTATIONS: usize = 5_000;
pub const ANNOTATION_TEXT: usize = 512 << 10;
pub const ANNOTATED_MODULES: usize = 1_000;
/// Bytes of one annotation. No client of Crashpad writes longer ones.
pub const ANNOTATION_NAME: usize = 256;
pub const ANNOTATION_VALUE: usize = 20_480;

/// Bytes of a name of a function or of a file, as symbols have it, and of all names of one frame.
pub const SYMBOL_NAME: usize = 16 << 10;
pub const SYMBOL_NAMES_OF_A_FRAME: usize = 48 << 10;
pub const INLINES_OF_A_FRAME: usize = 128;

/// Bytes that are printed. Whoever reads them stops at 16 MB.
pub const OUTPUT: usize = 15 << 20;
pub const OUTPUT_OF_A_STACK: usize = 1536 << 10;
pub const OUTPUT_OF_MODULES: usize = 3 << 20;
pub const OUTPUT_OF_UNLOADED_MODULES: usize = 512 << 10;
pub const OUTPUT_OF_HANDLES: usize = 1536 << 10;
pub const OUTPUT_OF_OWN: usize = 1 << 20;
pub const OUTPUT_OF_SYMBOLS: usize = 256 << 10;
/// Bytes of the first frames of threads that come after the output of all stacks was used up.
pub const OUTPUT_OF_LAST_FRAMES: usize = 512 << 10;
/// Bytes that all stacks may take, when so many are printed already.
pub fn output_of_stacks(printed: usize) -> usize {
    const OTHERS: usize = 2 * OUTPUT_OF_A_STACK
        + OUTPUT_OF_MODULES
        + OUTPUT_OF_UNLOADED_MODULES
        + OUTPUT_OF_HANDLES
        + OUTPUT_OF_OWN
        + OUTPUT_OF_LAST_FRAMES;
    OUTPUT.saturating_sub(OTHERS + printed)
}

/// Modules that stand under the own key because only frames that were cut have them.
pub const MODULES_IN_CUT_FRAMES: usize = 1_000;
/// Bytes of a module's symbol address, and of who signed it.
pub const SYMBOL_URL: usize = 4_096;
pub const CERTIFICATE: usize = 1_024;
pub const CERTIFIED_MODULES: usize = 20_000;

/// How long the names of a list may be, in bytes of UTF-16.
pub struct Names {
    all: usize,
    shortest: usize,
    longest: usize,
    /// The part behind the last separator, the only one that frames show.
    pub last_part: usize,
}

pub const MODULE_NAMES: Names = Names { all: 4 << 20, shortest: 512, longest: 2_048, last_part: 1_024 };
pub const UNLOADED_MODULE_NAMES: Names = Names { all: 1 << 20, shortest: 512, longest: 1_024, last_part: 1_024 };
pub const THREAD_NAMES: Names = Names { all: 512 << 10, shortest: 128, longest: 4_096, last_part: 4_096 };
pub const HANDLE_NAMES: Names = Names { all: 4 << 20, shortest: 128, longest: 4_096, last_part: 4_096 };
pub const OTHER_NAMES: Names = Names { all: 8_192, shortest: 8_192, longest: 8_192, last_part: 8_192 };

impl Names {
    /// Bytes that each of `count` names may have.
    pub fn longest_of(&self, count: usize) -> usize {
        (self.all / count.max(1)).clamp(self.shortest, self.longest) & !1
    }
}

/// At most `longest` bytes of `text`, whole characters.
pub fn beginning(text: &str, longest: usize) -> &str {
    let mut end = longest.min(text.len());
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}

/// What was more than its bound: its name, and the largest number that the dump had of it.
#[derive(Clone, Default, serde::Serialize)]
#[serde(transparent)]
pub struct Bounded(BTreeMap<&'static str, usize>);

impl Bounded {
    pub fn count(&mut self, name: &'static str, number: usize) {
        let largest = self.0.entry(name).or_default();
        *largest = number.max(*largest);
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_beginning_has_whole_characters() {
        assert_eq!(beginning("aé", 3), "aé");
        assert_eq!(beginning("aé", 2), "a");
        assert_eq!(beginning("é", 0), "");
    }

    #[test]
    fn names_are_shorter_where_there_are_more_of_them() {
        assert_eq!(MODULE_NAMES.longest_of(0), 2_048);
        assert_eq!(MODULE_NAMES.longest_of(100), 2_048);
        assert_eq!(MODULE_NAMES.longest_of(MODULES), 512);
        assert!(MODULES * MODULE_NAMES.longest_of(MODULES) < 6 << 20);
    }
}
