//! Lets a program write its own minidump when it crashes. For Linux.
//!
//! `crash_guard::attach("app.dmp")` is all that it calls; in C and C++ `crash_guard_attach`, of `crash_guard.h`.
//!
//! A crashed process can neither be trusted to allocate memory nor stop its own threads. So there is another one from
//! the start, the guard, a fork of the program. It has a child of its own write each dump: one that hangs is ended.
//! The program waits for the guard, not for ever, and goes on to die of its signal as it would without.

use std::error::Error;
use std::ffi::{c_char, CStr, OsStr};
use std::fs::{self, OpenOptions};
use std::io::{self, Cursor, ErrorKind, Read, Write};
use std::mem::{forget, size_of, zeroed};
use std::os::fd::AsRawFd;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::OpenOptionsExt;
use std::os::unix::net::UnixStream;
use std::panic::{catch_unwind, AssertUnwindSafe};
use std::path::Path;
use std::ptr::null_mut;
use std::time::{Duration, Instant};

use crash_handler::{make_crash_event, CrashContext, CrashEventResult, CrashHandler};
use minidump_writer::minidump_writer::MinidumpWriterConfig;
use minidump_writer::CrashContextExt;

/// Seconds that the writing of a dump may take.
const TIME_LIMIT: u32 = 10;

/// Seconds that the program waits for a guard that does not answer.
const PATIENCE: u64 = 12;

/// Has a minidump written to this path when the program crashes.
///
/// To be called once, first in `main`, before there is a second thread.
pub fn attach(path: impl AsRef<Path>) -> io::Result<()> {
    let (program, guard) = UnixStream::pair()?;
    program.set_read_timeout(Some(Duration::from_secs(PATIENCE)))?;
    let program = start_guard(program, guard, path.as_ref())?;
    // Safety: the event runs in a signal handler. It allocates nothing and takes no lock.
    let event = unsafe {
        make_crash_event(move |crash| {
            report(crash, &program);
            // The program is to die of its signal, or by the handler that was there before.
            CrashEventResult::Handled(false)
        })
    };
    // It watches until the process ends.
    forget(CrashHandler::attach(event).map_err(io::Error::other)?);
    Ok(())
}

/// `attach` for C: 0, or -1 with a line on standard error.
///
/// # Safety
///
/// `path` is a string that ends with a zero.
#[no_mangle]
pub unsafe extern "C" fn crash_guard_attach(path: *const c_char) -> i32 {
    let path = OsStr::from_bytes(CStr::from_ptr(path).to_bytes());
    match attach(path) {
        Ok(()) => 0,
        Err(error) => {
            eprintln!("crash_guard: cannot watch for crashes: {error}");
            -1
        }
    }
}

/// Tells the guard of a crash, and waits until the dump is written.
fn report(crash: &CrashContext, mut guard: &UnixStream) {
    let bytes = crash.as_bytes();
    let (data, length) = (bytes.as_ptr().cast(), bytes.len());
    // A write to a guard that is gone would end the program with SIGPIPE.
    let sent = unsafe { libc::send(guard.as_raw_fd(), data, length, libc::MSG_NOSIGNAL) };
    if sent != length as isize {
        return;
    }
    let deadline = Instant::now() + Duration::from_secs(PATIENCE);
    // The guard stops and continues the program, by which reading is interrupted.
    while let Err(error) = guard.read(&mut [0]) {
        if error.kind() != ErrorKind::Interrupted || Instant::now() > deadline {
            return;
        }
    }
}

/// Returns the program's end of the socket.
fn start_guard(program: UnixStream, guard: UnixStream, path: &Path) -> io::Result<UnixStream> {
    // Safety: of the threads only this one goes on in the child. That one ends without the program's exit handlers.
    unsafe {
        // Ctrl-C, and what `killall` sends, is for the program: from its beginning, the guard gets none of it. The
        // alarm is the writer's time limit.
        let (mut signals, mut before) = (zeroed(), zeroed());
        libc::sigfillset(&mut signals);
        libc::sigdelset(&mut signals, libc::SIGALRM);
        libc::sigprocmask(libc::SIG_SETMASK, &signals, &mut before);
        let child = libc::fork();
        if child == 0 {
            drop(program);
            let _ = catch_unwind(AssertUnwindSafe(|| {
                // Not a child of the program, which may wait for all that it has.
                if libc::fork() == 0 {
                    watch(guard, path);
                }
            }));
            libc::_exit(0);
        }
        let forked = if child == -1 {
            Err(io::Error::last_os_error())
        } else {
            libc::waitpid(child, null_mut(), 0);
            Ok(program)
        };
        libc::sigprocmask(libc::SIG_SETMASK, &before, null_mut());
        forked
    }
}

/// Writes a dump for each crash, until the program has ended. There can be several: its forks crash here, too.
unsafe fn watch(mut program: UnixStream, path: &Path) {
    libc::signal(libc::SIGALRM, libc::SIG_DFL);

    let mut bytes = [0; size_of::<CrashContext>()];
    while program.read_exact(&mut bytes).is_ok() {
        let Some(crash) = CrashContext::from_bytes(&bytes) else {
            return;
        };
        let pid = crash.pid;
        let mut unfinished = path.as_os_str().to_owned();
        unfinished.push(format!(".{pid}.part"));
        let unfinished = Path::new(&unfinished);
        let writer = libc::fork();
        if writer == 0 {
            libc::alarm(TIME_LIMIT);
            if let Err(error) = write(crash, unfinished, path) {
                eprintln!("crash_guard: cannot write {}: {error}", path.display());
            }
            return;
        }
        libc::waitpid(writer, null_mut(), 0);
        // A writer that was ended has left these.
        let _ = fs::remove_file(unfinished);
        libc::kill(pid, libc::SIGCONT);
        let _ = program.write_all(&[0]);
    }
}

fn write(crash: CrashContext, unfinished: &Path, path: &Path) -> Result<(), Box<dyn Error>> {
    let mut writer = MinidumpWriterConfig::new(crash.pid, crash.tid);
    writer.set_crash_context(CrashContextExt { inner: crash });
    // In memory at first: the program stands still as long as it is looked at.
    let dump = writer.write(&mut Cursor::new(Vec::new()))?;
    // What was in the program's memory is for its user only.
    let mut options = OpenOptions::new();
    let mut file = options
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(unfinished)?;
    file.write_all(&dump)?;
    Ok(fs::rename(unfinished, path)?)
}
