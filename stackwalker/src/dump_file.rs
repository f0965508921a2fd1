//! Opens and maps the file of a minidump.

use std::alloc::{handle_alloc_error, Layout};
use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use crate::failure::Failure;

pub fn open(path: &Path) -> Result<File, Failure> {
    // Otherwise it would wait for a pipe that nobody writes to.
    let file = OpenOptions::new().read(true).custom_flags(libc::O_NONBLOCK).open(path).map_err(Failure::File)?;
    if !file.metadata().map_err(Failure::File)?.is_file() {
        return Err(Failure::File(io::Error::other("it is not a regular file")));
    }
    Ok(file)
}

/// If memory runs out, ends like any failed allocation.
pub fn not_mapped(file: &File, error: io::Error) -> Failure {
    if error.raw_os_error() == Some(libc::ENOMEM) {
        let length = file.metadata().map_or(0, |metadata| metadata.len());
        handle_alloc_error(Layout::from_size_align(length as usize, 1).unwrap_or(Layout::new::<u8>()));
    }
    Failure::File(error)
}
