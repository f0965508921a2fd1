//! The view of a dump that the crates read: the unchanged file, followed by a new directory and the shortened lists, so
//! that hostile counts and lengths have no effect.
//!
//! Header and directory are Microsoft's MINIDUMP_HEADER and MINIDUMP_DIRECTORY (minidumpapiset.h), the Breakpad stream is
//! MDRawBreakpadInfo of Breakpad's src/google_breakpad/common/minidump_format.h.

mod lists;
mod texts;

use std::fs::File;
use std::io;
use std::os::fd::AsRawFd;
use std::ptr;

use minidump::format::MINIDUMP_STREAM_TYPE as StreamType;
use minidump::{Endian, Error, Minidump};

use crate::bounds::{self, Bounded};

/// Bytes of address space after the file. Only written pages take memory.
const ROOM: usize = 64 << 20;
const PAGE: usize = 4096;
/// Bytes of a file: its 32-bit pointers must reach the data after it.
const LONGEST_FILE: usize = u32::MAX as usize + 1 - ROOM - PAGE;
const HEADER: usize = 32;
const DIRECTORY_ENTRY: usize = 12;
const STREAM_COUNT_AT: usize = 8;
const DIRECTORY_AT: usize = 12;
/// The pointer that replaces pointers out of the file: nothing can be read there.
const NOWHERE: u32 = u32::MAX;
const BREAKPAD_DUMP_THREAD_VALID: u32 = 1;
const BREAKPAD_REQUESTING_THREAD_VALID: u32 = 2;

/// The size and the offset of a part of the dump.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Location {
    size: u32,
    at: u32,
}

#[derive(Clone, Copy)]
struct Stream {
    kind: u32,
    location: Location,
}

pub struct View {
    start: *mut u8,
    room: usize,
    file_length: usize,
    /// The end of the data written after the file.
    end: usize,
    endian: Endian,
    streams: Vec<Stream>,
    pub bounded: Bounded,
}

/// True if a file cannot have a view, because data after it would be out of reach.
pub fn is_too_large(file: &File) -> bool {
    file.metadata().is_ok_and(|metadata| metadata.len() > LONGEST_FILE as u64)
}

impl View {
    /// Maps `file`. Fails if it is not a minidump.
    pub fn open(file: &File) -> io::Result<Result<View, Error>> {
        let file_length = usize::try_from(file.metadata()?.len()).unwrap_or(usize::MAX).min(LONGEST_FILE);
        if file_length < HEADER {
            return Ok(Err(Error::MissingHeader));
        }
        let tail = file_length.next_multiple_of(PAGE);
        let room = tail + ROOM;
        let start = unsafe { map(room, file, file_length)? };
        let mut view = View {
            start,
            room,
            file_length,
            end: tail,
            endian: Endian::Little,
            streams: vec![],
            bounded: Bounded::default(),
        };
        Ok(view.read_directory().map(|streams| {
            view.streams = streams;
            view.shorten_lists();
            view.shorten_texts();
            view.show_all();
            view
        }))
    }

    /// The dump, with bounded lists.
    pub fn bytes(&self) -> &[u8] {
        unsafe { std::slice::from_raw_parts(self.start, self.end) }
    }

    /// Hides all modules, and all threads but the crashed one, which is declared as the thread that wrote the dump: the
    /// crates then report everything about the crash and walk no stack. Undone by `show_all`.
    pub fn show_crash_only(&mut self) {
        let mut streams = self.streams.clone();
        const LATER: [StreamType; 5] = [
            StreamType::ModuleListStream,
            StreamType::UnloadedModuleListStream,
            StreamType::ThreadNamesStream,
            StreamType::HandleDataStream,
            StreamType::BreakpadInfoStream,
        ];
        streams.retain(|stream| !LATER.iter().any(|kind| *kind as u32 == stream.kind));
        if let Some((threads, id)) = self.crashed_thread_alone() {
            streams.retain(|stream| stream.kind != StreamType::ThreadListStream as u32);
            streams.push(Stream { kind: StreamType::ThreadListStream as u32, location: threads });
            let mut breakpad = vec![];
            for value in [BREAKPAD_DUMP_THREAD_VALID, id.unwrap_or(0), 0] {
                breakpad.extend(self.u32_bytes(value));
            }
            let location = self.append(&breakpad);
            streams.push(Stream { kind: StreamType::BreakpadInfoStream as u32, location });
        }
        self.write_directory(&streams);
    }

    pub fn show_all(&mut self) {
        self.write_directory(&self.streams.clone());
    }

    /// The id of the thread that crashed or, without an exception, of the one that asked for the dump.
    fn crashed_thread(&self) -> Option<u32> {
        if let Some(exception) = self.stream(StreamType::ExceptionStream) {
            return self.u32_at(exception.at as usize);
        }
        let info = self.bytes_at(self.stream(StreamType::BreakpadInfoStream)?);
        (info.len() >= 12 && self.u32_in(info, 0) & BREAKPAD_REQUESTING_THREAD_VALID != 0).then(|| self.u32_in(info, 8))
    }

    fn read_directory(&mut self) -> Result<Vec<Stream>, Error> {
        // Check the header alone: without the rest, the crates miss the directory of most dumps.
        match Minidump::read(&self.file()[..HEADER]) {
            Ok(_) | Err(Error::MissingDirectory) => (),
            Err(error) => return Err(error),
        }
        if self.file().starts_with(b"PMDM") {
            self.endian = Endian::Big;
        }
        let number = |at| self.u32_at(at).map(|number| number as usize).ok_or(Error::MissingHeader);
        let (count, start) = (number(STREAM_COUNT_AT)?, number(DIRECTORY_AT)?);
        if count > 0 && start + count * DIRECTORY_ENTRY > self.file_length {
            return Err(Error::MissingDirectory);
        }
        let entries = count.min(bounds::STREAMS);
        let directory = self.file().get(start..start + entries * DIRECTORY_ENTRY).unwrap_or_default().to_vec();
        let mut streams: Vec<Stream> = vec![];
        for entry in directory.chunks_exact(DIRECTORY_ENTRY) {
            let kind = self.u32_in(entry, 0);
            let location = Location { size: self.u32_in(entry, 4), at: self.u32_in(entry, 8) };
            let location = match location {
                _ if !self.is_in_file(location) => Location { at: NOWHERE, ..location },
                // This stream may overlap the part of the header that is rewritten.
                Location { at, size } if (at as usize) < HEADER && size < 4096 => {
                    let stream = self.bytes_at(location).to_vec();
                    self.append(&stream)
                }
                _ => location,
            };
            // If there are several of a kind, the last one counts.
            streams.retain(|stream| stream.kind != kind);
            streams.push(Stream { kind, location });
        }
        if count > entries {
            self.bounded.count("streams", count);
        }
        Ok(streams)
    }

    fn write_directory(&mut self, streams: &[Stream]) {
        let mut directory = vec![];
        for stream in streams {
            for value in [stream.kind, stream.location.size, stream.location.at] {
                directory.extend(self.u32_bytes(value));
            }
        }
        let location = self.append(&directory);
        let (count, at) = (self.u32_bytes(streams.len() as u32), self.u32_bytes(location.at));
        let header = unsafe { std::slice::from_raw_parts_mut(self.start, HEADER) };
        header[STREAM_COUNT_AT..][..4].copy_from_slice(&count);
        header[DIRECTORY_AT..][..4].copy_from_slice(&at);
    }

    fn stream(&self, kind: StreamType) -> Option<Location> {
        let location = self.streams.iter().find(|stream| stream.kind == kind as u32)?.location;
        self.slice(location).map(|_| location)
    }

    fn relocate(&mut self, kind: StreamType, location: Location) {
        for stream in self.streams.iter_mut().filter(|stream| stream.kind == kind as u32) {
            stream.location = location;
        }
    }

    fn remove(&mut self, kind: StreamType) {
        self.streams.retain(|stream| stream.kind != kind as u32);
    }

    fn append(&mut self, bytes: &[u8]) -> Location {
        assert!(self.end + bytes.len() <= self.room, "no room for what stands in for the lists of this dump");
        let at = self.end;
        unsafe { ptr::copy_nonoverlapping(bytes.as_ptr(), self.start.add(at), bytes.len()) };
        self.end = (at + bytes.len()).next_multiple_of(4);
        Location { size: bytes.len() as u32, at: at as u32 }
    }

    fn file(&self) -> &[u8] {
        &self.bytes()[..self.file_length]
    }

    fn is_in_file(&self, location: Location) -> bool {
        location.at as usize + location.size as usize <= self.file_length
    }

    fn slice(&self, location: Location) -> Option<&[u8]> {
        self.bytes().get(location.at as usize..location.at as usize + location.size as usize)
    }

    fn bytes_at(&self, location: Location) -> &[u8] {
        self.slice(location).unwrap_or_default()
    }

    fn u32_at(&self, at: usize) -> Option<u32> {
        self.file().get(at..at.checked_add(4)?).map(|bytes| self.u32_in(bytes, 0))
    }

    fn u32_in(&self, bytes: &[u8], at: usize) -> u32 {
        let bytes = bytes[at..][..4].try_into().unwrap_or_default();
        if self.is_little() {
            u32::from_le_bytes(bytes)
        } else {
            u32::from_be_bytes(bytes)
        }
    }

    fn u64_in(&self, bytes: &[u8], at: usize) -> u64 {
        let bytes = bytes[at..][..8].try_into().unwrap_or_default();
        if self.is_little() {
            u64::from_le_bytes(bytes)
        } else {
            u64::from_be_bytes(bytes)
        }
    }

    fn u32_bytes(&self, value: u32) -> [u8; 4] {
        if self.is_little() {
            value.to_le_bytes()
        } else {
            value.to_be_bytes()
        }
    }

    fn u64_bytes(&self, value: u64) -> [u8; 8] {
        if self.is_little() {
            value.to_le_bytes()
        } else {
            value.to_be_bytes()
        }
    }

    fn is_little(&self) -> bool {
        self.endian == Endian::Little
    }
}

impl Drop for View {
    fn drop(&mut self) {
        unsafe { libc::munmap(self.start.cast(), self.room) };
    }
}

/// Maps `length` bytes of `file` at the beginning of `room` bytes, private and writable.
unsafe fn map(room: usize, file: &File, length: usize) -> io::Result<*mut u8> {
    let writable = libc::PROT_READ | libc::PROT_WRITE;
    let apart = libc::MAP_PRIVATE | libc::MAP_NORESERVE;
    let start = libc::mmap(ptr::null_mut(), room, writable, apart | libc::MAP_ANONYMOUS, -1, 0);
    if start == libc::MAP_FAILED {
        return Err(io::Error::last_os_error());
    }
    if libc::mmap(start, length, writable, apart | libc::MAP_FIXED, file.as_raw_fd(), 0) == libc::MAP_FAILED {
        let error = io::Error::last_os_error();
        libc::munmap(start, room);
        return Err(error);
    }
    Ok(start.cast())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;
    use std::os::fd::FromRawFd;

    const THREADS: u32 = StreamType::ThreadListStream as u32;
    const MODULES: u32 = StreamType::ModuleListStream as u32;
    const EXCEPTION: u32 = StreamType::ExceptionStream as u32;

    fn words(values: &[u32]) -> Vec<u8> {
        values.iter().flat_map(|value| value.to_le_bytes()).collect()
    }

    /// A dump: header, directory, `rest`, and `streams` one after the other.
    fn dump(rest: &[u8], streams: &[(u32, Vec<u8>)]) -> Vec<u8> {
        let mut dump = b"MDMP".to_vec();
        dump.extend(words(&[0xa793, streams.len() as u32, HEADER as u32, 0, 0, 0, 0]));
        let mut at = rest_at(streams.len()) + rest.len();
        for (kind, bytes) in streams {
            dump.extend(words(&[*kind, bytes.len() as u32, at as u32]));
            at += bytes.len();
        }
        dump.extend(rest);
        streams.iter().for_each(|(_, bytes)| dump.extend(bytes));
        dump
    }

    fn rest_at(streams: usize) -> usize {
        HEADER + streams * DIRECTORY_ENTRY
    }

    fn open(dump: &[u8]) -> Result<View, Error> {
        let mut file = unsafe { File::from_raw_fd(libc::memfd_create(c"dump".as_ptr(), 0)) };
        file.write_all(dump).unwrap();
        View::open(&file).unwrap()
    }

    fn thread(number: u32, stack: Location) -> Vec<u8> {
        words(&[number, 0, 0, 0, 0, 0, 0x1000, 0, stack.size, stack.at, 0, 0])
    }

    fn thread_list(threads: impl ExactSizeIterator<Item = Vec<u8>>) -> Vec<u8> {
        let mut list = words(&[threads.len() as u32]);
        threads.for_each(|record| list.extend(record));
        list
    }

    fn thread_ids(view: &View) -> Vec<u32> {
        let dump = Minidump::read(view.bytes()).unwrap();
        let threads: minidump::MinidumpThreadList = dump.get_stream().unwrap();
        threads.threads.iter().map(|thread| thread.raw.thread_id).collect()
    }

    fn bounded(view: &View) -> String {
        serde_json::to_string(&view.bounded).unwrap()
    }

    #[test]
    fn a_file_that_is_not_a_minidump_gives_the_error_of_the_crates() {
        assert_eq!(open(b"").err(), Some(Error::MissingHeader));
        assert_eq!(open(&[0; 100]).err(), Some(Error::HeaderMismatch));
        let whole = dump(b"", &[(THREADS, thread_list([].into_iter()))]);
        for length in 0..whole.len() {
            assert_eq!(open(&whole[..length]).err(), Minidump::read(&whole[..length]).err(), "{length}");
        }
    }

    #[test]
    fn the_crashed_one_of_too_many_threads_stays() {
        let threads = (0..10_000).map(|number| thread(number, Location { size: 0, at: 0 }));
        let mut exception = words(&[9_000]);
        exception.resize(168, 0);
        let mut view = open(&dump(b"", &[(THREADS, thread_list(threads)), (EXCEPTION, exception)])).unwrap();
        let mut expected: Vec<u32> = (0..4_095).collect();
        expected.push(9_000);
        assert_eq!(thread_ids(&view), expected);
        assert_eq!(bounded(&view), r#"{"threads":10000}"#);
        view.show_crash_only();
        assert_eq!(thread_ids(&view), [9_000]);
        view.show_all();
        assert_eq!(thread_ids(&view), expected);
    }

    #[test]
    fn a_pointer_beyond_the_end_of_the_file_is_removed() {
        let stacks = [Location { size: 8, at: 44 }, Location { size: 4_000, at: 44 }, Location { size: 1, at: 4_096 }];
        let threads = stacks.into_iter().map(|stack| thread(1, stack));
        let view = open(&dump(&[1; 8], &[(THREADS, thread_list(threads))])).unwrap();
        let dump = Minidump::read(view.bytes()).unwrap();
        let threads: minidump::MinidumpThreadList = dump.get_stream().unwrap();
        let no_other = minidump::UnifiedMemoryList::default();
        let stacks = threads.threads.iter().map(|thread| thread.stack_memory(&no_other).map(|stack| stack.bytes()));
        assert_eq!(stacks.collect::<Vec<_>>(), [Some(&[1; 8][..]), None, None]);
        assert_eq!(bounded(&view), "{}");
    }

    #[test]
    fn a_long_name_is_cut_between_characters_and_one_of_usual_length_stays() {
        let long = "/lib/".to_string() + &"x\u{1f600}".repeat(2_000);
        let mut names = vec![];
        let mut modules = words(&[2]);
        for name in ["/lib/usual.so", &long] {
            let at = (rest_at(1) + names.len()) as u32;
            let units: Vec<u8> = name.encode_utf16().flat_map(u16::to_le_bytes).collect();
            names.extend(words(&[units.len() as u32]));
            names.extend(units);
            let mut module = words(&[0x1000, 0, 0x10, 0, 0, at]);
            module.resize(108, 0);
            modules.extend(module);
        }
        let view = open(&dump(&names, &[(MODULES, modules)])).unwrap();
        let dump = Minidump::read(view.bytes()).unwrap();
        let modules: minidump::MinidumpModuleList = dump.get_stream().unwrap();
        let names: Vec<_> = modules.iter().map(|module| module.name.as_str()).collect();
        assert_eq!(names[0], "/lib/usual.so");
        assert!(long.starts_with(names[1]) && names[1].len() > 500, "{}", names[1]);
        assert_eq!(bounded(&view), r#"{"names":12010}"#);
    }

    #[test]
    fn entries_of_a_directory_are_bounded() {
        let mut streams = vec![(THREADS, thread_list([].into_iter()))];
        streams.extend((0..5_000).map(|number| (0x10000 + number, vec![])));
        let view = open(&dump(b"", &streams)).unwrap();
        assert_eq!(Minidump::read(view.bytes()).unwrap().all_streams().count(), 1_000);
        assert_eq!(bounded(&view), r#"{"streams":5001}"#);
    }
}
