//! A dump as the crates are given it: the file as it is, and behind it a directory of our own and the lists that were
//! made shorter, so that what a stranger wrote into a count or a length acts on nothing.

use std::collections::HashMap;
use std::fs::File;
use std::io;
use std::os::fd::AsRawFd;
use std::ptr;

use minidump::format::MINIDUMP_STREAM_TYPE as StreamType;
use minidump::Endian;

use crate::bounds::{self, Bounded};

/// Address space behind the file, of which only what is written becomes memory.
const ROOM: usize = 64 << 20;
const HEADER: usize = 32;
const DIRECTORY_ENTRY: usize = 12;
const STREAM_COUNT_AT: usize = 8;
const DIRECTORY_AT: usize = 12;
const THREAD: usize = 48;
const MODULE: usize = 108;
const MODULE_NAME_AT: usize = 20;
const MODULE_CODEVIEW_AT: usize = 76;
const UNLOADED_MODULE: usize = 24;
const UNLOADED_MODULE_NAME_AT: usize = 20;
const THREAD_NAME: usize = 12;
const MEMORY: usize = 16;
const BREAKPAD_DUMP_THREAD_VALID: u32 = 1;

/// Where something of the dump stands.
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

/// Where names that are too long stand, and where their beginnings do.
type ShortNames = HashMap<u32, u32>;

pub struct View {
    start: *mut u8,
    room: usize,
    file_length: usize,
    /// The end of what is written behind the file.
    end: usize,
    endian: Endian,
    streams: Vec<Stream>,
    pub bounded: Bounded,
}

impl View {
    /// Maps `file`. None where it is no minidump whose directory can be read, or too large to have something behind it
    /// that its 32-bit places reach: such a one is for the crates alone.
    pub fn open(file: &File) -> io::Result<Option<View>> {
        let file_length = usize::try_from(file.metadata()?.len()).unwrap_or(usize::MAX);
        let tail = file_length.next_multiple_of(4096);
        if file_length < HEADER || tail > u32::MAX as usize - ROOM {
            return Ok(None);
        }
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
        let Some(streams) = view.read_directory() else {
            return Ok(None);
        };
        view.streams = streams;
        view.shorten();
        view.write_directory(&view.streams.clone());
        Ok(Some(view))
    }

    /// The dump, with lists that are not too long.
    pub fn bytes(&self) -> &[u8] {
        unsafe { std::slice::from_raw_parts(self.start, self.end) }
    }

    /// Shows the crates a dump with no thread but the one that crashed, which the dump says to have written it, and
    /// without modules: they then say all of the crash itself, and walk nothing. Undone by `show_all`.
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
        if let Some(records) = self.list(StreamType::ThreadListStream, THREAD) {
            let id = self.crashed_thread();
            let mut crashed = vec![];
            for record in self.records(records, THREAD) {
                if Some(self.u32_in(record, 0)) == id {
                    crashed = record.to_vec();
                }
            }
            let threads = self.append_list(&crashed, THREAD);
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

    fn shorten(&mut self) {
        self.shorten_threads();
        self.shorten_modules();
        self.shorten_unloaded_modules();
        self.shorten_thread_names();
        self.cut_list(StreamType::MemoryListStream, MEMORY, bounds::MEMORY_REGIONS, "memory_regions");
    }

    fn shorten_threads(&mut self) {
        let Some(list) = self.list(StreamType::ThreadListStream, THREAD) else { return };
        let count = list.size as usize / THREAD;
        if count <= bounds::THREADS {
            return;
        }
        let crashed = self.crashed_thread();
        let mut kept = self.bytes_at(list)[..bounds::THREADS * THREAD].to_vec();
        let last = kept.len() - THREAD;
        let is_kept = kept.chunks_exact(THREAD).any(|record| Some(self.u32_in(record, 0)) == crashed);
        if let Some(record) =
            self.records(list, THREAD).find(|record| !is_kept && Some(self.u32_in(record, 0)) == crashed)
        {
            let record = record.to_vec();
            kept[last..].copy_from_slice(&record);
        }
        self.replace(StreamType::ThreadListStream, &kept, THREAD);
        self.bounded.count("threads", count);
    }

    fn shorten_modules(&mut self) {
        let Some(list) = self.list(StreamType::ModuleListStream, MODULE) else { return };
        let count = list.size as usize / MODULE;
        let mut kept = self.bytes_at(list)[..count.min(bounds::MODULES) * MODULE].to_vec();
        let mut changed = count > bounds::MODULES;
        if changed {
            self.bounded.count("modules", count);
        }
        let longest = bounds::longest_name(kept.len() / MODULE);
        let mut shorter = ShortNames::new();
        for record in kept.chunks_exact_mut(MODULE) {
            changed |= self.shorten_name(record, MODULE_NAME_AT, longest, &mut shorter);
            let codeview = self.u32_in(record, MODULE_CODEVIEW_AT);
            if codeview as usize > longest {
                record[MODULE_CODEVIEW_AT..][..4].copy_from_slice(&self.u32_bytes(longest as u32));
                self.bounded.count("debug_records", codeview as usize);
                changed = true;
            }
        }
        if changed {
            self.replace(StreamType::ModuleListStream, &kept, MODULE);
        }
    }

    fn shorten_unloaded_modules(&mut self) {
        // Its header tells the size of itself and of a record.
        let Some(stream) = self.stream(StreamType::UnloadedModuleListStream) else { return };
        let bytes = self.bytes_at(stream);
        if bytes.len() < 12 {
            return;
        }
        let (header, record_size, count) =
            (self.u32_in(bytes, 0) as usize, self.u32_in(bytes, 4) as usize, self.u32_in(bytes, 8) as usize);
        let Some(records) = bytes.get(header..) else { return };
        if record_size != UNLOADED_MODULE || header < 12 || records.len() / UNLOADED_MODULE < count {
            return;
        }
        let kept_count = count.min(bounds::UNLOADED_MODULES);
        let mut kept = records[..kept_count * UNLOADED_MODULE].to_vec();
        let mut changed = kept_count < count;
        if changed {
            self.bounded.count("unloaded_modules", count);
        }
        let longest = bounds::longest_name(kept_count);
        let mut shorter = ShortNames::new();
        for record in kept.chunks_exact_mut(UNLOADED_MODULE) {
            changed |= self.shorten_name(record, UNLOADED_MODULE_NAME_AT, longest, &mut shorter);
        }
        if changed {
            let mut stream = vec![];
            for value in [12, UNLOADED_MODULE as u32, kept_count as u32] {
                stream.extend(self.u32_bytes(value));
            }
            stream.extend(kept);
            let location = self.append(&stream);
            self.relocate(StreamType::UnloadedModuleListStream, location);
        }
    }

    fn shorten_thread_names(&mut self) {
        self.cut_list(StreamType::ThreadNamesStream, THREAD_NAME, bounds::THREADS, "thread_names");
        let Some(list) = self.list(StreamType::ThreadNamesStream, THREAD_NAME) else { return };
        let mut kept = self.bytes_at(list).to_vec();
        let longest = bounds::longest_name(kept.len() / THREAD_NAME);
        let mut shorter = ShortNames::new();
        let mut changed = false;
        for record in kept.chunks_exact_mut(THREAD_NAME) {
            // A 64-bit place, of which the crates take what fits.
            changed |= self.shorten_name(record, if self.is_little() { 4 } else { 8 }, longest, &mut shorter);
        }
        if changed {
            self.replace(StreamType::ThreadNamesStream, &kept, THREAD_NAME);
        }
    }

    /// Lets the name that `record` points to at `place` be at most `longest` bytes: a longer one is pointed to as a
    /// copy of its beginning.
    fn shorten_name(&mut self, record: &mut [u8], place: usize, longest: usize, shorter: &mut ShortNames) -> bool {
        let at = self.u32_in(record, place);
        let Some(length) = self.u32_at(at as usize) else { return false };
        if length as usize <= longest {
            return false;
        }
        let Some(text) = self.file().get(at as usize + 4..at as usize + 4 + longest) else { return false };
        let mut name = self.u32_bytes(longest as u32).to_vec();
        name.extend(text);
        let moved = *shorter.entry(at).or_insert_with(|| self.append(&name).at);
        self.bounded.count("names", length as usize);
        record[place..][..4].copy_from_slice(&self.u32_bytes(moved));
        true
    }

    fn cut_list(&mut self, kind: StreamType, record_size: usize, most: usize, name: &'static str) {
        let Some(list) = self.list(kind, record_size) else { return };
        let count = list.size as usize / record_size;
        if count > most {
            let kept = self.bytes_at(list)[..most * record_size].to_vec();
            self.replace(kind, &kept, record_size);
            self.bounded.count(name, count);
        }
    }

    /// The thread that the dump says to have crashed, or to have asked for the dump.
    fn crashed_thread(&self) -> Option<u32> {
        if let Some(exception) = self.stream(StreamType::ExceptionStream) {
            return self.u32_at(exception.at as usize);
        }
        let info = self.bytes_at(self.stream(StreamType::BreakpadInfoStream)?);
        const REQUESTING_THREAD_VALID: u32 = 2;
        (info.len() >= 12 && self.u32_in(info, 0) & REQUESTING_THREAD_VALID != 0).then(|| self.u32_in(info, 8))
    }

    fn read_directory(&mut self) -> Option<Vec<Stream>> {
        self.endian = match self.file().get(..4)? {
            b"MDMP" => Endian::Little,
            b"PMDM" => Endian::Big,
            _ => return None,
        };
        let count = self.u32_at(STREAM_COUNT_AT)? as usize;
        let start = self.u32_at(DIRECTORY_AT)? as usize;
        let directory = self.file().get(start..start.checked_add(count.checked_mul(DIRECTORY_ENTRY)?)?)?;
        if count > bounds::STREAMS {
            return None;
        }
        let mut streams: Vec<Stream> = vec![];
        for entry in directory.chunks_exact(DIRECTORY_ENTRY) {
            let kind = self.u32_in(entry, 0);
            // Of several of a kind the last one counts.
            streams.retain(|stream| stream.kind != kind);
            streams
                .push(Stream { kind, location: Location { size: self.u32_in(entry, 4), at: self.u32_in(entry, 8) } });
        }
        Some(streams)
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

    /// The records of a list behind its count (and four bytes of padding, which some have). None where the crates will
    /// refuse it.
    fn list(&self, kind: StreamType, record_size: usize) -> Option<Location> {
        let stream = self.stream(kind)?;
        let bytes = self.slice(stream)?;
        let count = self.u32_in(bytes.get(..4)?, 0);
        let size = u32::try_from((count as usize).checked_mul(record_size)?).ok()?;
        let padding = stream.size.checked_sub(4)?.checked_sub(size)?;
        (padding == 0 || padding == 4).then_some(Location { size, at: stream.at + 4 + padding })
    }

    fn records(&self, list: Location, record_size: usize) -> impl Iterator<Item = &[u8]> {
        self.bytes_at(list).chunks_exact(record_size)
    }

    fn replace(&mut self, kind: StreamType, records: &[u8], record_size: usize) {
        let location = self.append_list(records, record_size);
        self.relocate(kind, location);
    }

    fn relocate(&mut self, kind: StreamType, location: Location) {
        for stream in self.streams.iter_mut().filter(|stream| stream.kind == kind as u32) {
            stream.location = location;
        }
    }

    fn append_list(&mut self, records: &[u8], record_size: usize) -> Location {
        let mut list = self.u32_bytes((records.len() / record_size) as u32).to_vec();
        list.extend(records);
        self.append(&list)
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

    fn slice(&self, location: Location) -> Option<&[u8]> {
        self.bytes().get(location.at as usize..(location.at as usize).checked_add(location.size as usize)?)
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

    fn u32_bytes(&self, value: u32) -> [u8; 4] {
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
