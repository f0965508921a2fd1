//! Lists the streams of a dump, from its file: MINIDUMP_HEADER and MINIDUMP_DIRECTORY of Microsoft's minidumpapiset.h.

use std::fs::File;
use std::os::unix::fs::FileExt;

use minidump::format::MINIDUMP_STREAM_TYPE as StreamType;
use num_traits::FromPrimitive;
use serde::Serialize;

use crate::bounds;

const HEADER: usize = 32;
const STREAM_COUNT_AT: usize = 8;
const DIRECTORY_AT: usize = 12;
const DIRECTORY_ENTRY: usize = 12;

#[derive(Debug, PartialEq, Serialize)]
pub struct Stream {
    pub size: u32,
    /// The name of a known type, or the number of another.
    #[serde(rename = "type")]
    pub kind: String,
}

/// The streams in the order of the directory; none if it cannot be read.
pub fn read(file: &File) -> Vec<Stream> {
    let mut header = [0; HEADER];
    if file.read_exact_at(&mut header, 0).is_err() {
        return vec![];
    }
    let number = if header.starts_with(b"PMDM") { u32::from_be_bytes } else { u32::from_le_bytes };
    let number_in = |bytes: &[u8], at: usize| number(bytes[at..][..4].try_into().unwrap_or_default());
    let count = (number_in(&header, STREAM_COUNT_AT) as usize).min(bounds::STREAMS);
    let mut directory = vec![0; count * DIRECTORY_ENTRY];
    if file.read_exact_at(&mut directory, number_in(&header, DIRECTORY_AT).into()).is_err() {
        return vec![];
    }
    let entries = directory.chunks_exact(DIRECTORY_ENTRY);
    entries.map(|entry| Stream { size: number_in(entry, 4), kind: name(number_in(entry, 0)) }).collect()
}

fn name(kind: u32) -> String {
    match StreamType::from_u32(kind) {
        Some(known) => format!("{known:?}"),
        None => format!("0x{kind:08x}"),
    }
}
