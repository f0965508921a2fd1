//! Crashes in the way that it is asked for: `shelf abort|panic|overflow FILE`, with its minidump in the file.

use std::hint::black_box;

struct Book {
    pages: u32,
}

struct Shelf {
    books: Vec<Book>,
}

impl Shelf {
    #[inline(never)]
    fn give_up(&self) -> u32 {
        std::process::abort() // abort
    }

    #[inline(never)]
    fn pages_at(&self, place: usize) -> u32 {
        self.books[place].pages // panic
    }

    #[inline(never)]
    #[allow(unconditional_recursion)]
    fn pages_from(&self, place: usize) -> u32 {
        let room = black_box([place as u32; 256]);
        room[place % 256] + self.pages_from(black_box(place + 1)) // overflow
    }
}

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    crash_guard::attach(&arguments[2]).expect("a guard");
    let shelf = Shelf {
        books: vec![Book { pages: 300 }],
    };
    let pages = match arguments[1].as_str() {
        "abort" => shelf.give_up(),
        "panic" => shelf.pages_at(black_box(7)),
        _ => shelf.pages_from(0),
    };
    println!("{pages}");
}
