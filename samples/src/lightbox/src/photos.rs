//! Photos, and their fingerprints from the C++ library `liblightbox_photos.so`.

pub struct Photo {
    pub name: String,
    file: Vec<u8>,
}

#[link(name = "lightbox_photos")]
extern "C" {
    fn lightbox_fingerprint(photo: *const u8, size: usize) -> u32;
}

impl Photo {
    pub fn fingerprint(&self) -> u32 {
        // Safety: the library reads `size` bytes, and keeps no pointer.
        unsafe { lightbox_fingerprint(self.file.as_ptr(), self.file.len()) }
    }

    fn new(name: &str, with_exif: bool) -> Self {
        Self {
            name: name.to_owned(),
            file: tiff(with_exif),
        }
    }
}

/// A few photos, one of them without EXIF data where that is asked for.
pub fn library(one_without_exif: bool) -> Vec<Photo> {
    vec![
        Photo::new("beach.tif", true),
        Photo::new("harbour.tif", true),
        Photo::new("scanned.tif", !one_without_exif),
    ]
}

/// A TIFF file: its header, the directory with the one tag "orientation: upside down" if wanted,
/// and some light.
fn tiff(with_directory: bool) -> Vec<u8> {
    const AFTER_HEADER: u32 = 8;
    let mut file = b"II\x2a\0".to_vec();
    if with_directory {
        file.extend(AFTER_HEADER.to_le_bytes());
        file.extend(1u16.to_le_bytes());
        file.extend([0x12, 0x01, 3, 0, 1, 0, 0, 0, 3, 0, 0, 0]);
    } else {
        file.extend(0u32.to_le_bytes());
    }
    file.extend((0..4096u32).map(|i| (i / 16) as u8));
    file
}
