//! The index, which is the C++ library `liblightbox_index.so`.

use std::ffi::{c_char, CString};

pub struct Record {
    pub name: String,
    pub fingerprint: u32,
}

pub struct Index(*mut LibraryIndex);

/// What only the library knows.
#[repr(C)]
struct LibraryIndex([u8; 0]);

#[link(name = "lightbox_index")]
extern "C" {
    fn lightbox_index_open(corrupt: bool) -> *mut LibraryIndex;
    fn lightbox_index_insert(index: *mut LibraryIndex, name: *const c_char, fingerprint: u32);
}

// Safety: the library does not mind which thread it is, if it is one at a time.
unsafe impl Send for Index {}

impl Index {
    /// Opens the index, one with a corrupt page if that is wanted.
    pub fn open(corrupt: bool) -> Self {
        // Safety: there is nothing that must hold before.
        Self(unsafe { lightbox_index_open(corrupt) })
    }

    pub fn insert(&mut self, record: Record) {
        let name = CString::new(record.name).expect("a name without NUL");
        // Safety: the index stays open for good, and the library copies the name.
        unsafe { lightbox_index_insert(self.0, name.as_ptr(), record.fingerprint) }
    }
}
