//! Lets a program write its own minidump when it crashes.
//!
//! `crash_guard_attach("app.dmp")` is all that it has to call, at its start: from Rust, or from C as
//! `void crash_guard_attach(const char *)`. A crashed process can neither stop its own threads nor be trusted to
//! allocate memory, so a child that was made before does the writing.

use std::ffi::{c_char, CStr};
use std::fs::File;
use std::io::{Read, Write};
use std::mem::{forget, size_of};
use std::os::unix::net::UnixStream;
use std::process::exit;

use crash_handler::{make_crash_event, CrashContext, CrashEventResult, CrashHandler};
use minidump_writer::minidump_writer::MinidumpWriterConfig;
use minidump_writer::CrashContextExt;

/// Has a minidump written to this path when the program crashes.
///
/// # Safety
///
/// `path` is a string that ends with a zero, and the program has one thread yet.
#[no_mangle]
pub unsafe extern "C" fn crash_guard_attach(path: *const c_char) {
    let path = CStr::from_ptr(path).to_str().expect("a path in UTF-8");
    let (ours, theirs) = UnixStream::pair().expect("a socket");
    if libc::fork() == 0 {
        drop(ours);
        wait_and_write(theirs, path);
    }
    drop(theirs);
    let event = make_crash_event(move |crash| {
        let mut writer = &ours;
        let told = writer.write_all(crash.as_bytes());
        let _ = told.and_then(|()| writer.read_exact(&mut [0]));
        // The program goes on to die of its signal.
        CrashEventResult::Handled(false)
    });
    // It watches until the process ends.
    forget(CrashHandler::attach(event).expect("signal handlers"));
}

fn wait_and_write(mut program: UnixStream, path: &str) -> ! {
    let mut bytes = [0; size_of::<CrashContext>()];
    if program.read_exact(&mut bytes).is_err() {
        exit(0); // it ended without a crash
    }
    let crash = CrashContext::from_bytes(&bytes).expect("a crash");
    let mut writer = MinidumpWriterConfig::new(crash.pid, crash.tid);
    writer.set_crash_context(CrashContextExt { inner: crash });
    let mut file = File::create(path).expect("a file that can be written");
    writer.write(&mut file).expect("a minidump");
    program.write_all(&[0]).expect("a program that waits");
    exit(0)
}
