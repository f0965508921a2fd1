//! Lightbox, a small photo indexer with two bugs.
//!
//! A thread of its own each: `Scanner` finds the photos, two `Thumbnailer` threads make their
//! thumbnails, `IndexWriter` writes them to the index.
//!
//! `lightbox segfault` meets a photo without EXIF data, `lightbox abort` a corrupt page of the index.

mod crash_guard;
mod index;
mod photos;

use std::sync::mpsc::{channel, Receiver, Sender};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use index::{Index, Record};
use photos::Photo;

fn main() {
    let bug = std::env::args().nth(1).expect("which: segfault or abort");
    let _guard = crash_guard::attach();

    let (found, to_thumbnail) = channel();
    let (thumbnailed, to_index) = channel();
    let to_thumbnail = Arc::new(Mutex::new(to_thumbnail));

    let photos = photos::library(bug == "segfault");
    let index = Index::open(bug == "abort");

    let writer = spawn("IndexWriter", move || write_index(index, to_index));
    for number in 1..=2 {
        let (photos, records) = (to_thumbnail.clone(), thumbnailed.clone());
        spawn(&format!("Thumbnailer #{number}"), move || {
            make_thumbnails(&photos, &records)
        });
    }
    // It lives on, as a scanner does that waits for the next card to be put in, and with it the
    // threads that it feeds: a report should show them waiting, not gone.
    spawn("Scanner", move || scan(photos, &found));
    writer.join().expect("the index is written");
}

fn spawn(name: &str, work: impl FnOnce() + Send + 'static) -> thread::JoinHandle<()> {
    thread::Builder::new()
        .name(name.to_owned())
        .spawn(work)
        .expect("a thread")
}

fn scan(photos: Vec<Photo>, found: &Sender<Photo>) {
    // The other threads need this time to come to rest where they wait for work.
    thread::sleep(Duration::from_millis(200));
    for photo in photos {
        found.send(photo).expect("a thumbnailer");
    }
    thread::sleep(Duration::from_secs(60));
}

#[inline(never)]
fn make_thumbnails(photos: &Mutex<Receiver<Photo>>, records: &Sender<Record>) {
    while let Some(photo) = next(photos) {
        let fingerprint = photo.fingerprint();
        records
            .send(Record {
                name: photo.name,
                fingerprint,
            })
            .expect("the index writer");
    }
}

fn next(photos: &Mutex<Receiver<Photo>>) -> Option<Photo> {
    photos
        .lock()
        .expect("the other thumbnailer is well")
        .recv()
        .ok()
}

#[inline(never)]
fn write_index(mut index: Index, records: Receiver<Record>) {
    for record in records {
        index.insert(record);
    }
}
