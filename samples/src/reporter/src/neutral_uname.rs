//! Keeps the kernel of the machine that makes the samples out of them.
//!
//! A minidump names the kernel, as `uname` tells it. This `uname` takes the place of the C library's, for
//! the minidump writer too, and names Debian 12's.

use std::ffi::{c_char, c_int};

#[no_mangle]
extern "C" fn uname(names: &mut libc::utsname) -> c_int {
    fill(&mut names.sysname, "Linux");
    fill(&mut names.nodename, "localhost");
    fill(&mut names.release, "6.1.0-18-amd64");
    fill(&mut names.version, "#1 SMP PREEMPT_DYNAMIC Debian 6.1.76-1");
    fill(&mut names.machine, "x86_64");
    0
}

fn fill(field: &mut [c_char], text: &str) {
    field.fill(0);
    for (place, byte) in field.iter_mut().zip(text.bytes()) {
        *place = byte as c_char;
    }
}
