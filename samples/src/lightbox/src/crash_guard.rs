//! Tells the reporter, a process at the other end of standard input, of a crash.
//!
//! A message is a letter, a length (32 bits, little-endian) and so many bytes: `A`, what a check
//! said that failed, or `C`, the crash itself (registers, signal, thread).

use std::ffi::{c_char, CStr};
use std::io::{self, Read, Write};
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::sync::atomic::{AtomicPtr, Ordering};

use crash_handler::{make_crash_event, CrashContext, CrashEventResult, CrashHandler};

#[link(name = "lightbox_index")]
extern "C" {
    static lightbox_abort_message: AtomicPtr<c_char>;
}

/// Watches for crashes for as long as the result lives.
pub fn attach() -> CrashHandler {
    let reporter = io::stdin().as_fd().try_clone_to_owned();
    let reporter = reporter.map(UnixStream::from).expect("a reporter");
    // Safety: the event runs in a signal handler. It allocates nothing and takes no lock.
    let event = unsafe {
        make_crash_event(move |crash| CrashEventResult::Handled(report(crash, &reporter).is_ok()))
    };
    CrashHandler::attach(event).expect("signal handlers")
}

/// Returns only if the reporter does not answer: it looks at this thread as it stands here, and
/// then ends the process.
fn report(crash: &CrashContext, mut reporter: &UnixStream) -> io::Result<()> {
    // Safety: it is null or a string literal of the library.
    let message = unsafe { lightbox_abort_message.load(Ordering::SeqCst).as_ref() };
    if let Some(message) = message {
        send(
            reporter,
            b'A',
            unsafe { CStr::from_ptr(message) }.to_bytes(),
        )?;
    }
    send(reporter, b'C', crash.as_bytes())?;
    reporter.read_exact(&mut [0])
}

fn send(mut reporter: &UnixStream, letter: u8, bytes: &[u8]) -> io::Result<()> {
    reporter.write_all(&[letter])?;
    reporter.write_all(&(bytes.len() as u32).to_le_bytes())?;
    reporter.write_all(bytes)
}
