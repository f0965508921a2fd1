//! Ends in the way that it is asked for: `barge ENDING`. Built twice: panics abort, and panics unwind.

use std::alloc::{alloc, handle_alloc_error, Layout};
use std::cell::RefCell;
use std::collections::HashMap;
use std::fmt::Debug;
use std::hint::black_box;
use std::panic;
use std::process::abort;
use std::ptr::null_mut;
use std::thread;

#[derive(Debug)]
struct Coal {
    tons: u32,
}

trait Load: Debug {
    fn tons(&self) -> u32;
}

impl Load for Coal {
    #[inline(never)]
    fn tons(&self) -> u32 {
        self.tons / black_box(0)
    }
}

struct Barge {
    loads: Vec<u32>,
    name: Option<String>,
}

impl Barge {
    #[inline(never)]
    fn name(&self) -> &str {
        self.name.as_deref().unwrap()
    }

    #[inline(never)]
    fn captain(&self) -> u32 {
        self.name.as_ref().expect("a barge without a captain").len() as u32
    }

    #[inline(never)]
    fn parse(&self, text: &str) -> u32 {
        text.parse().unwrap()
    }

    #[inline(never)]
    fn load_at(&self, place: usize) -> u32 {
        self.loads[place]
    }

    #[inline(never)]
    fn loads_from(&self, place: usize) -> &[u32] {
        &self.loads[place..]
    }

    #[inline(never)]
    fn sink(&self) -> u32 {
        panic!("the barge sinks with {} loads", self.loads.len())
    }

    #[inline(never)]
    fn turn(&self) -> u32 {
        unreachable!()
    }

    #[inline(never)]
    fn share(&self, number: u32) -> u32 {
        100 / number
    }

    #[inline(never)]
    fn add(&self, tons: u32) -> u32 {
        tons.plus(self.loads[0])
    }

    #[inline(never)]
    #[allow(unconditional_recursion)]
    fn depth(&self, lock: u32) -> u32 {
        let room = black_box([lock; 256]);
        room[lock as usize % 256] + self.depth(black_box(lock + 1))
    }

    #[inline(never)]
    fn give_up(&self) -> u32 {
        abort()
    }

    #[inline(never)]
    fn borrow_twice(&self) -> u32 {
        let crew = RefCell::new(3);
        let _first = crew.borrow_mut();
        let second = crew.borrow_mut();
        *second
    }

    #[inline(never)]
    fn initial(&self, text: &str) -> u32 {
        text[..black_box(1)].len() as u32
    }

    #[inline(never)]
    fn take_all(&self) -> u32 {
        let layout = Layout::array::<u32>(isize::MAX as usize / 8).unwrap();
        let memory = unsafe { alloc(layout) };
        if black_box(memory).is_null() {
            handle_alloc_error(layout);
        }
        0
    }

    #[inline(never)]
    fn reserve(&self) -> u32 {
        let loads: Vec<u32> = Vec::with_capacity(black_box(isize::MAX as usize / 8));
        black_box(&loads).len() as u32
    }

    #[inline(never)]
    fn reserve_too_much(&self) -> u32 {
        let loads: Vec<u32> = Vec::with_capacity(black_box(usize::MAX));
        black_box(&loads).len() as u32
    }

    #[inline(never)]
    fn write_to(&self, place: *mut u32) -> u32 {
        unsafe { *place = 7 };
        7
    }

    #[inline(never)]
    fn sum(&self, loads: &[Option<u32>]) -> u32 {
        loads.iter().map(|load| load.unwrap()).sum()
    }

    #[inline(never)]
    fn price(&self, prices: &HashMap<&str, u32>) -> u32 {
        prices["coal"]
    }
}

trait Plus {
    fn plus(self, other: Self) -> Self;
}

impl Plus for u32 {
    #[inline(always)]
    fn plus(self, other: u32) -> u32 {
        self.checked_add(other)
            .expect("attempt to add with overflow")
    }
}

#[inline(never)]
fn weigh(load: &dyn Load) -> u32 {
    load.tons()
}

#[inline(never)]
fn tow(barge: Barge) -> u32 {
    thread::Builder::new()
        .name("tow".into())
        .spawn(move || barge.sink())
        .unwrap()
        .join()
        .unwrap_or(0)
}

extern "C" {
    fn qsort(
        base: *mut u32,
        number: usize,
        size: usize,
        compare: extern "C" fn(*const u32, *const u32) -> i32,
    );
}

#[inline(never)]
extern "C" fn compare(_one: *const u32, _other: *const u32) -> i32 {
    panic!("cannot be compared")
}

#[inline(never)]
fn sort(loads: &mut [u32]) -> u32 {
    unsafe { qsort(loads.as_mut_ptr(), loads.len(), 4, compare) };
    loads[0]
}

struct Anchor;

impl Drop for Anchor {
    #[inline(never)]
    fn drop(&mut self) {
        panic!("the anchor is lost")
    }
}

#[inline(never)]
fn drop_anchor(barge: &Barge) -> u32 {
    let _anchor = Anchor;
    barge.sink()
}

#[inline(never)]
fn sink_with_hook(barge: &Barge) -> u32 {
    let default = panic::take_hook();
    panic::set_hook(Box::new(move |panic| {
        default(panic);
        abort()
    }));
    barge.sink()
}

fn main() {
    let ending = std::env::args().nth(1).expect("an ending");
    let barge = Barge {
        loads: vec![u32::MAX, 2],
        name: black_box(None),
    };
    let result = match ending.as_str() {
        "unwrap" => barge.name().len() as u32,
        "expect" => barge.captain(),
        "unwrap-error" => barge.parse("seven"),
        "index" => barge.load_at(black_box(7)),
        "slice" => barge.loads_from(black_box(7)).len() as u32,
        "panic" => barge.sink(),
        "unreachable" => barge.turn(),
        "division-by-zero" => barge.share(black_box(0)),
        "trait-method" => weigh(black_box(&Coal { tons: 3 })),
        "overflow" => barge.add(black_box(1)),
        "stack-overflow" => barge.depth(black_box(0)),
        "abort" => barge.give_up(),
        "refcell" => barge.borrow_twice(),
        "char-boundary" => barge.initial(black_box("ü")),
        "out-of-memory" => barge.take_all(),
        "out-of-memory-in-vec" => barge.reserve(),
        "capacity-overflow" => barge.reserve_too_much(),
        "null-write" => barge.write_to(black_box(null_mut())),
        "closure" => barge.sum(black_box(&[Some(1), None])),
        "missing-key" => barge.price(black_box(&HashMap::from([("sand", 1)]))),
        "thread" => tow(barge),
        "ffi" => sort(black_box(&mut [2, 1])),
        "drop" => drop_anchor(&barge),
        "hook" => sink_with_hook(&barge),
        _ => 0,
    };
    println!("{result}");
}
