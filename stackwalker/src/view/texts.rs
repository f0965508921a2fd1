//! Bounds the texts of a dump: files of /proc, errors of the crash reporter, and the crash information of macOS.
//!
//! Sizes and offsets of the last are those of MINIDUMP_MAC_CRASH_INFO and its records, in format.rs of the crate
//! minidump-common.

use minidump::format::MINIDUMP_STREAM_TYPE as StreamType;

use super::lists::whole_characters;
use super::{Location, View, NOWHERE};
use crate::bounds;

const TEXTS: [(StreamType, usize, &str); 4] = [
    (StreamType::LinuxLsbRelease, bounds::TEXT, "lsb_release"),
    (StreamType::LinuxProcStatus, bounds::TEXT, "proc_status"),
    (StreamType::MozLinuxLimits, bounds::TEXT, "proc_limits"),
    (StreamType::LinuxCpuInfo, bounds::CPU_INFO, "cpu_info"),
];
const MAC_HEADER: usize = 12;
const MAC_RECORDS: usize = 20;
const MAC_RECORD: usize = 8;
/// The bytes before a record's strings: enough for the numbers of every version.
const MAC_NUMBERS: usize = 64;
const MAC_STRINGS: usize = 5;
/// How many bytes are searched for the end of a string.
const MAC_SEARCHED: usize = 64 << 10;

impl View {
    pub(super) fn shorten_texts(&mut self) {
        for (kind, longest, name) in TEXTS {
            self.shorten_text(kind, longest, name);
        }
        let are_cut = self.shorten_text(StreamType::LinuxMaps, bounds::MEMORY_MAPS_BYTES, "memory_maps_bytes");
        self.shorten_maps(are_cut);
        let kind = StreamType::MozSoftErrors;
        if let Some(soft_errors) = self.stream(kind).filter(|text| text.size as usize > bounds::SOFT_ERRORS) {
            // Half of a JSON text cannot be read, so all of it goes.
            self.remove(kind);
            self.bounded.count("soft_errors", soft_errors.size as usize);
        }
        self.shorten_mac_crash_info();
    }

    /// Cuts a text of more than `longest` bytes, after a line end if there is one. Returns true if it was cut.
    fn shorten_text(&mut self, kind: StreamType, longest: usize, name: &'static str) -> bool {
        let Some(text) = self.stream(kind).filter(|text| text.size as usize > longest) else { return false };
        let bytes = &self.bytes_at(text)[..longest];
        let line_end = bytes.iter().rposition(|byte| *byte == b'\n').map(|at| at + 1);
        let size = line_end.unwrap_or_else(|| whole_characters(self.bytes_at(text), longest));
        self.relocate(kind, Location { size: size as u32, at: text.at });
        self.bounded.count(name, text.size as usize);
        true
    }

    /// Keeps the allowed number of lines. Their number is reported only if the text was not cut before.
    fn shorten_maps(&mut self, is_cut: bool) {
        let Some(maps) = self.stream(StreamType::LinuxMaps) else { return };
        let bytes = self.bytes_at(maps);
        let line_ends = || bytes.iter().enumerate().filter(|(_, byte)| **byte == b'\n').map(|(at, _)| at + 1);
        let Some(end) = line_ends().nth(bounds::MEMORY_MAPS - 1).filter(|end| *end < bytes.len()) else { return };
        let lines = line_ends().count();
        self.relocate(StreamType::LinuxMaps, Location { size: end as u32, at: maps.at });
        if !is_cut {
            self.bounded.count("memory_maps", lines);
        }
    }

    fn shorten_mac_crash_info(&mut self) {
        let kind = StreamType::MozMacosCrashInfoStream;
        let Some(stream) = self.stream(kind) else { return };
        let header_size = MAC_HEADER + MAC_RECORDS * MAC_RECORD;
        let Some(header) = self.bytes_at(stream).get(..header_size) else { return };
        let mut header = header.to_vec();
        let count = (self.u32_in(&header, 4) as usize).min(MAC_RECORDS);
        let strings_at = self.u32_in(&header, 8) as usize;
        let numbers = strings_at.min(MAC_NUMBERS);
        let locations: Vec<_> = (0..count)
            .map(|number| MAC_HEADER + number * MAC_RECORD)
            .map(|at| (at, Location { size: self.u32_in(&header, at), at: self.u32_in(&header, at + 4) }))
            .collect();
        if locations.iter().any(|(_, location)| !self.is_in_file(*location)) {
            return self.relocate(kind, Location { at: NOWHERE, ..stream });
        }
        let size: usize = locations.iter().map(|(_, location)| location.size as usize).sum();
        if size <= bounds::MAC_CRASH_INFO {
            return;
        }
        for (at, location) in locations {
            let record = self.bytes_at(location);
            let mut shorter = record[..numbers.min(record.len())].to_vec();
            let mut rest = record.get(strings_at..).unwrap_or_default();
            for _ in 0..MAC_STRINGS {
                let searched = &rest[..rest.len().min(MAC_SEARCHED)];
                let length = searched.iter().position(|byte| *byte == 0);
                let text = &searched[..length.unwrap_or(searched.len())];
                shorter.extend(&text[..whole_characters(text, bounds::MAC_CRASH_INFO_STRING)]);
                shorter.push(0);
                // Without the end of this string, the beginning of the next one is unknown.
                rest = length.map_or(&[], |length| &rest[length + 1..]);
            }
            let location = self.append(&shorter);
            header[at..][..4].copy_from_slice(&self.u32_bytes(location.size));
            header[at + 4..][..4].copy_from_slice(&self.u32_bytes(location.at));
        }
        header[8..][..4].copy_from_slice(&self.u32_bytes(numbers as u32));
        let location = self.append(&header);
        self.relocate(kind, location);
        self.bounded.count("mac_crash_info", size);
    }
}
