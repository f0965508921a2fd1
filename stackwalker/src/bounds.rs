//! How much of a dump counts. What a stranger writes must cost no more than a crash may: 100 MB and 2 seconds.

use std::collections::BTreeMap;

pub const STREAMS: usize = 1_000;
pub const THREADS: usize = 4_096;
pub const MODULES: usize = 10_000;
pub const UNLOADED_MODULES: usize = 10_000;
pub const MEMORY_REGIONS: usize = 200_000;

/// Frames of a thread. Of more the first and the last half stay.
pub const FRAMES: usize = 500;
/// Frames of a dump that are looked at. The threads that come after them have one frame each.
pub const FRAMES_OF_A_DUMP: usize = 200_000;
/// Frames of a dump that are printed.
pub const PRINTED_FRAMES: usize = 40_000;

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

/// Bytes of all names of a list together.
const NAMES: usize = 8 << 20;
const SHORTEST_BOUND: usize = 512;
const LONGEST_BOUND: usize = 8_192;

/// Bytes that each of `count` names may have.
pub fn longest_name(count: usize) -> usize {
    (NAMES / count.max(1)).clamp(SHORTEST_BOUND, LONGEST_BOUND) & !1
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
#[derive(Default, serde::Serialize)]
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
