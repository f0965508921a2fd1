//! Bounds the lists of a dump: how many records stay, and where they may point.
//!
//! Sizes and offsets are those of Microsoft's minidumpapiset.h: MINIDUMP_THREAD, MINIDUMP_MODULE, MINIDUMP_UNLOADED_MODULE,
//! MINIDUMP_MEMORY_DESCRIPTOR, MINIDUMP_HANDLE_DESCRIPTOR, MINIDUMP_HANDLE_DESCRIPTOR_2, MINIDUMP_EXCEPTION_STREAM,
//! MINIDUMP_SYSTEM_INFO, MINIDUMP_THREAD_NAME, MINIDUMP_MEMORY_INFO, MINIDUMP_MEMORY64_LIST. The boot arguments are
//! Mozilla's: MINIDUMP_MAC_BOOTARGS in format.rs of the crate minidump-common.

use std::collections::HashMap;

use minidump::format::MINIDUMP_STREAM_TYPE as StreamType;

use super::{Location, View, NOWHERE};
use crate::bounds::{self, Names};

/// The offsets in a record at which it points elsewhere.
struct Layout {
    size: usize,
    /// Offsets of pointers to names: at each target are a length and the UTF-16 text.
    names: &'static [usize],
    /// Offsets of the sizes of other data; a pointer to the data follows each size.
    data: &'static [usize],
}

const THREAD: Layout = Layout { size: 48, names: &[], data: &[32, 40] };
const MODULE: Layout = Layout { size: 108, names: &[20], data: &[MODULE_DEBUG_RECORD] };
const MODULE_DEBUG_RECORD: usize = 76;
const UNLOADED_MODULE: Layout = Layout { size: 24, names: &[20], data: &[] };
const MEMORY: Layout = Layout { size: 16, names: &[], data: &[8] };
const HANDLE: Layout = Layout { size: 32, names: &[8, 12], data: &[] };
const LONG_HANDLE: Layout = Layout { size: 40, ..HANDLE };
/// The offset of a pointer to a linked list of objects, which no stackwalker prints.
const LONG_HANDLE_OBJECTS: usize = 32;
const EXCEPTION: Layout = Layout { size: 168, names: &[], data: &[160] };
const SYSTEM_INFO: Layout = Layout { size: 56, names: &[24], data: &[] };
/// Layouts for little-endian and big-endian dumps: only the low half of a 64-bit pointer matters.
const THREAD_NAME: [Layout; 2] =
    [Layout { size: 12, names: &[4], data: &[] }, Layout { size: 12, names: &[8], data: &[] }];
const BOOT_ARGUMENTS: [Layout; 2] = THREAD_NAME;
const MEMORY_INFO_SIZE: usize = 48;
const MEMORY64_SIZE: usize = 16;
const MEMORY64_HEADER: usize = 16;

/// The places of names that are too long, each with that of its shortened copy.
type ShortNames = HashMap<u32, u32>;

impl View {
    pub(super) fn shorten_lists(&mut self) {
        self.shorten_threads();
        self.shorten_modules();
        self.shorten_unloaded_modules();
        let thread_name = &THREAD_NAME[usize::from(!self.is_little())];
        let most = bounds::THREADS;
        self.shorten_list(StreamType::ThreadNamesStream, thread_name, most, "thread_names", &bounds::THREAD_NAMES);
        let (memory, most) = (StreamType::MemoryListStream, bounds::MEMORY_REGIONS);
        self.shorten_list(memory, &MEMORY, most, "memory_regions", &bounds::OTHER_NAMES);
        self.shorten_memory64();
        self.shorten_memory_info();
        self.shorten_handles();
        self.mend_single(StreamType::ExceptionStream, &EXCEPTION);
        self.mend_single(StreamType::SystemInfoStream, &SYSTEM_INFO);
        let boot_arguments = &BOOT_ARGUMENTS[usize::from(!self.is_little())];
        self.mend_single(StreamType::MozMacosBootargsStream, boot_arguments);
    }

    /// Appends a list with only the crashed thread, or an empty one. Returns its location, and the thread's id if known.
    pub(super) fn crashed_thread_alone(&mut self) -> Option<(Location, Option<u32>)> {
        let records = self.bytes_at(self.list(StreamType::ThreadListStream, THREAD.size)?);
        let id = self.crashed_thread();
        let is_crashed = |record: &&[u8]| Some(self.u32_in(record, 0)) == id;
        let crashed = records.chunks_exact(THREAD.size).rfind(is_crashed).unwrap_or_default().to_vec();
        Some((self.append_list(&crashed, THREAD.size), id))
    }

    fn shorten_threads(&mut self) {
        let Some(list) = self.list(StreamType::ThreadListStream, THREAD.size) else { return };
        let records = self.bytes_at(list);
        let count = records.len() / THREAD.size;
        let mut kept = records[..count.min(bounds::THREADS) * THREAD.size].to_vec();
        let mut changed = kept.len() < records.len();
        if changed {
            let crashed = self.crashed_thread();
            let is_crashed = |record: &&[u8]| Some(self.u32_in(record, 0)) == crashed;
            if !kept.chunks_exact(THREAD.size).any(|record| is_crashed(&record)) {
                if let Some(record) = records.chunks_exact(THREAD.size).rfind(is_crashed) {
                    let last = kept.len() - THREAD.size;
                    kept[last..].copy_from_slice(record);
                }
            }
            self.bounded.count("threads", count);
        }
        changed |= self.mend(&mut kept, &THREAD, &bounds::OTHER_NAMES);
        if changed {
            self.replace(StreamType::ThreadListStream, &kept, THREAD.size);
        }
    }

    fn shorten_modules(&mut self) {
        let Some(list) = self.list(StreamType::ModuleListStream, MODULE.size) else { return };
        let records = self.bytes_at(list);
        let count = records.len() / MODULE.size;
        let mut kept = records[..count.min(bounds::MODULES) * MODULE.size].to_vec();
        let mut changed = kept.len() < records.len();
        if changed {
            self.bounded.count("modules", count);
        }
        changed |= self.mend(&mut kept, &MODULE, &bounds::MODULE_NAMES);
        let longest = bounds::MODULE_NAMES.longest_of(kept.len() / MODULE.size);
        for record in kept.chunks_exact_mut(MODULE.size) {
            let debug_record = self.location_in(record, MODULE_DEBUG_RECORD);
            let size = debug_record.size as usize;
            if size > longest && debug_record.at != NOWHERE {
                let shorter = whole_characters(self.bytes_at(debug_record), longest) as u32;
                record[MODULE_DEBUG_RECORD..][..4].copy_from_slice(&self.u32_bytes(shorter));
                self.bounded.count("debug_records", size);
                changed = true;
            }
        }
        if changed {
            self.replace(StreamType::ModuleListStream, &kept, MODULE.size);
        }
    }

    fn shorten_unloaded_modules(&mut self) {
        let kind = StreamType::UnloadedModuleListStream;
        let Some(records) = self.extended_list(kind, UNLOADED_MODULE.size) else { return };
        let count = records.len() / UNLOADED_MODULE.size;
        let mut kept = records[..count.min(bounds::UNLOADED_MODULES) * UNLOADED_MODULE.size].to_vec();
        let mut changed = kept.len() < records.len();
        if changed {
            self.bounded.count("unloaded_modules", count);
        }
        changed |= self.mend(&mut kept, &UNLOADED_MODULE, &bounds::UNLOADED_MODULE_NAMES);
        if changed {
            self.replace_extended(kind, &kept, UNLOADED_MODULE.size);
        }
    }

    fn shorten_memory_info(&mut self) {
        let kind = StreamType::MemoryInfoListStream;
        let Some(records) = self.extended_list(kind, MEMORY_INFO_SIZE) else { return };
        let count = records.len() / MEMORY_INFO_SIZE;
        if count > bounds::MEMORY_INFO {
            let kept = records[..bounds::MEMORY_INFO * MEMORY_INFO_SIZE].to_vec();
            self.replace_extended(kind, &kept, MEMORY_INFO_SIZE);
            self.bounded.count("memory_info", count);
        }
    }

    /// The regions of a `Memory64List` follow one another in the file, so the list gives only their sizes.
    fn shorten_memory64(&mut self) {
        let kind = StreamType::Memory64ListStream;
        let Some(list) = self.stream(kind) else { return };
        let bytes = self.bytes_at(list);
        if bytes.len() < MEMORY64_HEADER {
            return;
        }
        let records = &bytes[MEMORY64_HEADER..];
        let (count, mut place) = (self.u64_in(bytes, 0), self.u64_in(bytes, 8));
        if count.checked_mul(MEMORY64_SIZE as u64) != Some(records.len() as u64) {
            return;
        }
        let first = place;
        let is_whole_file = self.is_whole_file();
        let mut kept_count = 0;
        for record in records.chunks_exact(MEMORY64_SIZE).take(bounds::MEMORY_REGIONS) {
            match place.checked_add(self.u64_in(record, 8)) {
                Some(end) if end <= self.file_length as u64 => place = end,
                _ if is_whole_file => return self.relocate(kind, Location { at: NOWHERE, ..list }),
                _ => break,
            }
            kept_count += 1;
        }
        if kept_count < count {
            let mut kept = self.u64_bytes(kept_count).to_vec();
            kept.extend(self.u64_bytes(first));
            kept.extend(&records[..kept_count as usize * MEMORY64_SIZE]);
            let location = self.append(&kept);
            self.relocate(kind, location);
            self.bounded.count("memory_regions", count as usize);
        }
    }

    fn shorten_handles(&mut self) {
        let kind = StreamType::HandleDataStream;
        let Some(stream) = self.stream(kind) else { return };
        let bytes = self.bytes_at(stream);
        if bytes.len() < 12 {
            return;
        }
        let [header, size, count] = [0, 4, 8].map(|at| self.u32_in(bytes, at) as usize);
        let layout = match size {
            _ if count == 0 => return,
            32 => &HANDLE,
            40 => &LONG_HANDLE,
            // The crates notice the wrong size only after they have allocated memory for `count` records.
            _ => return self.relocate(kind, Location { at: NOWHERE, ..stream }),
        };
        let Some(records) = bytes.get(header..).and_then(|records| records.get(..count * size)) else { return };
        let mut kept = records[..count.min(bounds::HANDLES) * size].to_vec();
        let mut changed = kept.len() < records.len();
        if changed {
            self.bounded.count("handles", count);
        }
        if size == LONG_HANDLE.size {
            for record in kept.chunks_exact_mut(size) {
                let objects = &mut record[LONG_HANDLE_OBJECTS..][..4];
                changed |= objects != [0; 4];
                objects.fill(0);
            }
        }
        changed |= self.mend(&mut kept, layout, &bounds::HANDLE_NAMES);
        if changed {
            self.replace_extended(kind, &kept, size);
        }
    }

    fn shorten_list(&mut self, kind: StreamType, layout: &Layout, most: usize, name: &'static str, names: &Names) {
        let Some(list) = self.list(kind, layout.size) else { return };
        let records = self.bytes_at(list);
        let count = records.len() / layout.size;
        let mut kept = records[..count.min(most) * layout.size].to_vec();
        let mut changed = count > most;
        if changed {
            self.bounded.count(name, count);
        }
        changed |= self.mend(&mut kept, layout, names);
        if changed {
            self.replace(kind, &kept, layout.size);
        }
    }

    fn mend_single(&mut self, kind: StreamType, layout: &Layout) {
        let Some(stream) = self.stream(kind) else { return };
        let Some(record) = self.bytes_at(stream).get(..layout.size) else { return };
        let mut record = record.to_vec();
        if self.mend(&mut record, layout, &bounds::OTHER_NAMES) {
            let location = self.append(&record);
            self.relocate(kind, location);
        }
    }

    /// Removes pointers out of the file from `records`, and shortens names that are too long. True if anything changed.
    fn mend(&mut self, records: &mut [u8], layout: &Layout, names: &Names) -> bool {
        let longest = names.longest_of(records.len() / layout.size);
        let mut shorter = ShortNames::new();
        let mut changed = false;
        for record in records.chunks_exact_mut(layout.size) {
            for place in layout.names {
                changed |= self.mend_name(record, *place, longest, names.last_part, &mut shorter);
            }
            for place in layout.data {
                if !self.is_in_file(self.location_in(record, *place)) {
                    record[place + 4..][..4].copy_from_slice(&self.u32_bytes(NOWHERE));
                    changed = true;
                }
            }
        }
        changed
    }

    /// Shortens the name that `record` points to at offset `place` to `longest` bytes: the record then points to a copy
    /// of its beginning.
    fn mend_name(
        &mut self,
        record: &mut [u8],
        place: usize,
        longest: usize,
        last_part: usize,
        shorter: &mut ShortNames,
    ) -> bool {
        let at = self.u32_in(record, place);
        let length = self.u32_at(at as usize);
        let text = length.and_then(|length| self.file().get(at as usize + 4..)?.get(..length as usize));
        if at == 0 {
            // The record has no name.
            return false;
        }
        let (Some(length), Some(text)) = (length, text) else {
            record[place..][..4].copy_from_slice(&self.u32_bytes(NOWHERE));
            return true;
        };
        if length as usize <= longest.min(last_part) {
            return false;
        }
        let text = self.shortened(text, longest, last_part);
        if text.len() == length as usize {
            return false;
        }
        let moved = match shorter.get(&at) {
            Some(moved) => *moved,
            None => {
                let mut name = self.u32_bytes(text.len() as u32).to_vec();
                name.extend(text);
                let moved = self.append(&name).at;
                shorter.insert(at, moved);
                moved
            }
        };
        self.bounded.count("names", length as usize);
        record[place..][..4].copy_from_slice(&self.u32_bytes(moved));
        true
    }

    /// The beginning of a name in UTF-16: at most `longest` bytes, of which `last_part` after the last path separator.
    fn shortened<'t>(&self, text: &'t [u8], longest: usize, last_part: usize) -> &'t [u8] {
        let unit = |at: usize| {
            let bytes = [text[at], text[at + 1]];
            if self.is_little() {
                u16::from_le_bytes(bytes)
            } else {
                u16::from_be_bytes(bytes)
            }
        };
        let mut end = text.len().min(longest);
        let separators = [u16::from(b'/'), u16::from(b'\\')];
        let behind = (0..end / 2).rev().map(|number| 2 * number).find(|at| separators.contains(&unit(*at)));
        end = end.min(behind.map_or(0, |at| at + 2) + last_part);
        // Do not cut a surrogate pair in half.
        if end < text.len() && end >= 2 && (0xd800..0xdc00).contains(&unit((end & !1) - 2)) {
            end = (end & !1) - 2;
        }
        &text[..end]
    }

    fn location_in(&self, record: &[u8], place: usize) -> Location {
        Location { size: self.u32_in(record, place), at: self.u32_in(record, place + 4) }
    }

    fn is_whole_file(&self) -> bool {
        self.file_length < super::LONGEST_FILE
    }

    /// The records of a list, after its count and, in some dumps, four bytes of padding. None if the crates will reject
    /// the list.
    fn list(&self, kind: StreamType, record_size: usize) -> Option<Location> {
        let stream = self.stream(kind)?;
        let count = self.u32_in(self.bytes_at(stream).get(..4)?, 0);
        let size = u32::try_from((count as usize).checked_mul(record_size)?).ok()?;
        let padding = stream.size.checked_sub(4)?.checked_sub(size)?;
        (padding == 0 || padding == 4).then_some(Location { size, at: stream.at + 4 + padding })
    }

    /// The records of a list whose header gives its own size and that of a record. None if the crates will reject the
    /// list.
    fn extended_list(&self, kind: StreamType, record_size: usize) -> Option<&[u8]> {
        let bytes = self.bytes_at(self.stream(kind)?);
        if bytes.len() < 12 {
            return None;
        }
        let [header, size, count] = [0, 4, 8].map(|at| self.u32_in(bytes, at) as usize);
        if size != record_size || header < 12 {
            return None;
        }
        bytes.get(header..)?.get(..count.checked_mul(record_size)?)
    }

    fn replace(&mut self, kind: StreamType, records: &[u8], record_size: usize) {
        let location = self.append_list(records, record_size);
        self.relocate(kind, location);
    }

    fn append_list(&mut self, records: &[u8], record_size: usize) -> Location {
        let mut list = self.u32_bytes((records.len() / record_size) as u32).to_vec();
        list.extend(records);
        self.append(&list)
    }

    fn replace_extended(&mut self, kind: StreamType, records: &[u8], record_size: usize) {
        let mut stream = vec![];
        for value in [12, record_size as u32, (records.len() / record_size) as u32] {
            stream.extend(self.u32_bytes(value));
        }
        stream.extend(records);
        let location = self.append(&stream);
        self.relocate(kind, location);
    }
}

/// The length of the longest prefix, at most `longest` bytes, that does not cut a UTF-8 character.
pub(super) fn whole_characters(text: &[u8], longest: usize) -> usize {
    let is_within = |at: usize| text.get(at).is_some_and(|byte| byte & 0xc0 == 0x80);
    let end = text.len().min(longest);
    (end.saturating_sub(3)..=end).rev().find(|at| !is_within(*at)).unwrap_or(end)
}
