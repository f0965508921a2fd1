//! The bounds of a dump. Even a hostile one must cost no more than 100 MB and 2 seconds.

use std::collections::BTreeMap;

/// Entries of the stream directory that are read.
pub const STREAMS: usize = 1_000;
pub const THREADS: usize = 4_096;
pub const MODULES: usize = 10_000;
/// Windows keeps 64.
pub const UNLOADED_MODULES: usize = 1_000;
pub const UNLOADED_MODULES_OF_A_FRAME: usize = 64;
pub const MEMORY_REGIONS: usize = 100_000;
pub const MEMORY_INFO: usize = 65_536;
/// Lines of /proc/self/maps, and their bytes together.
pub const MEMORY_MAPS: usize = 65_536;
pub const MEMORY_MAPS_BYTES: usize = 8 << 20;
pub const HANDLES: usize = 20_000;
/// Bytes of a text about the process or its system.
pub const TEXT: usize = 64 << 10;
pub const CPU_INFO: usize = 4 << 20;
/// Bytes of JSON: two of them can take a hundred in memory.
pub const SOFT_ERRORS: usize = 128 << 10;
/// Bytes of all records; if they are more, bytes of each string.
pub const MAC_CRASH_INFO: usize = 256 << 10;
pub const MAC_CRASH_INFO_STRING: usize = 2_048;

/// Frames of a thread. A deeper stack keeps half of this number at each end.
pub const FRAMES: usize = 500;
/// Frames of the crashed thread, and of all other threads together.
pub const FRAMES_OF_A_DUMP: usize = 200_000;
/// Look-ups of symbols for the same frames. Each takes a microsecond at most.
pub const LOOKUPS_OF_A_DUMP: usize = 1_000_000;

/// Failed walks that are reported, and bytes of each message.
pub const ERRORS: usize = 100;
pub const MESSAGE: usize = 500;

/// Crashpad's annotations of the process and all modules together: their number, and bytes of their text.
pub const ANNOTATIONS: usize = 5_000;
pub const ANNOTATION_TEXT: usize = 512 << 10;
pub const ANNOTATED_MODULES: usize = 1_000;
/// Bytes of an annotation's name and value. No Crashpad client writes longer ones.
pub const ANNOTATION_NAME: usize = 256;
pub const ANNOTATION_VALUE: usize = 20_480;

/// Bytes of a function's or a file's name in symbols, and of all names of a frame.
pub const SYMBOL_NAME: usize = 16 << 10;
pub const SYMBOL_NAMES_OF_A_FRAME: usize = 48 << 10;
pub const INLINES_OF_A_FRAME: usize = 128;

/// Bytes of output. The processor stops reading at 16 MB.
pub const OUTPUT: usize = 15 << 20;
pub const OUTPUT_OF_A_STACK: usize = 1536 << 10;
pub const OUTPUT_OF_MODULES: usize = 3 << 20;
pub const OUTPUT_OF_UNLOADED_MODULES: usize = 512 << 10;
pub const OUTPUT_OF_HANDLES: usize = 1536 << 10;
pub const OUTPUT_OF_OWN: usize = 1 << 20;
pub const OUTPUT_OF_SYMBOLS: usize = 256 << 10;
/// Bytes of first frames, for the threads that are left when the stacks' share of the output is used up.
pub const OUTPUT_OF_LAST_FRAMES: usize = 512 << 10;
/// The bytes of output that are left for stacks after `printed` bytes of them.
pub fn output_of_stacks(printed: usize) -> usize {
    const OTHERS: usize = 2 * OUTPUT_OF_A_STACK
        + OUTPUT_OF_MODULES
        + OUTPUT_OF_UNLOADED_MODULES
        + OUTPUT_OF_HANDLES
        + OUTPUT_OF_OWN
        + OUTPUT_OF_LAST_FRAMES;
    OUTPUT.saturating_sub(OTHERS + printed)
}

/// Modules listed under the own key because they occur only in cut frames.
pub const MODULES_IN_CUT_FRAMES: usize = 1_000;
/// Bytes of a module's symbol URL, and of its signer's name.
pub const SYMBOL_URL: usize = 4_096;
pub const CERTIFICATE: usize = 1_024;
pub const CERTIFIED_MODULES: usize = 20_000;

/// The lengths that names of a list may have, in bytes of UTF-16.
pub struct Names {
    all: usize,
    shortest: usize,
    longest: usize,
    /// The part after the last separator, the only one that frames show.
    pub last_part: usize,
}

pub const MODULE_NAMES: Names = Names { all: 4 << 20, shortest: 512, longest: 2_048, last_part: 1_024 };
pub const UNLOADED_MODULE_NAMES: Names = Names { all: 1 << 20, shortest: 512, longest: 1_024, last_part: 1_024 };
pub const THREAD_NAMES: Names = Names { all: 512 << 10, shortest: 128, longest: 4_096, last_part: 4_096 };
pub const HANDLE_NAMES: Names = Names { all: 4 << 20, shortest: 128, longest: 4_096, last_part: 4_096 };
pub const OTHER_NAMES: Names = Names { all: 8_192, shortest: 8_192, longest: 8_192, last_part: 8_192 };

impl Names {
    /// The longest that each of `count` names may be.
    pub fn longest_of(&self, count: usize) -> usize {
        (self.all / count.max(1)).clamp(self.shortest, self.longest) & !1
    }
}

/// The longest prefix of `text`, at most `longest` bytes, that does not cut a character.
pub fn beginning(text: &str, longest: usize) -> &str {
    let mut end = longest.min(text.len());
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}

/// The bounds that a dump exceeded: for each its name, and the largest number found.
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
    fn a_beginning_does_not_cut_a_character() {
        assert_eq!(beginning("aé", 3), "aé");
        assert_eq!(beginning("aé", 2), "a");
        assert_eq!(beginning("é", 0), "");
    }

    #[test]
    fn more_names_may_each_be_shorter() {
        assert_eq!(MODULE_NAMES.longest_of(0), 2_048);
        assert_eq!(MODULE_NAMES.longest_of(100), 2_048);
        assert_eq!(MODULE_NAMES.longest_of(MODULES), 512);
        assert!(MODULES * MODULE_NAMES.longest_of(MODULES) < 6 << 20);
    }
}
