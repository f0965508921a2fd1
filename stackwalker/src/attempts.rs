//! Tries what the sandbox denies, and what it must not deny: only what was tried is reported as enforced.

use std::collections::BTreeMap;
use std::ffi::CString;
use std::fs::{File, OpenOptions};
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::ptr;

use libc::c_long;

/// The number of the error of each attempt, by its name; 0 if it succeeded.
pub type Outcomes = BTreeMap<&'static str, i32>;

/// Attempts that seccomp denies on every machine that has it.
pub const DENIED_BY_SECCOMP: [&str; 5] = ["exec", "fork", "io_uring", "ptrace", "socket"];
/// The attempt that only Landlock denies.
pub const DENIED_BY_LANDLOCK: &str = "read";

/// A pair of connected sockets, which cannot be made in the sandbox.
pub struct Sockets(UnixStream, UnixStream);

impl Sockets {
    pub fn new() -> io::Result<Self> {
        UnixStream::pair().map(|(one, other)| Sockets(one, other))
    }
}

/// Makes the attempts that are `wanted`. `path` is an existing file, which stays unchanged even if nothing is denied.
pub fn attempt(wanted: impl Fn(&str) -> bool, path: &Path, sockets: Option<&Sockets>) -> Outcomes {
    let null = ptr::null::<u8>();
    let parent = unsafe { libc::getppid() };
    let name = CString::new(path.as_os_str().as_bytes()).unwrap_or_default();
    let pointer = name.as_ptr();
    let mode = path.metadata().map_or(0o600, |metadata| metadata.mode() & 0o7777).into();
    let attempts: [(&str, &dyn Fn() -> io::Result<()>); 20] = [
        ("read", &|| File::open(path).map(drop)),
        ("list", &|| path.parent().unwrap_or(path).read_dir().map(drop)),
        ("write", &|| OpenOptions::new().append(true).open(path).map(drop)),
        ("create", &|| create(&path.with_file_name("made-by-socorro-stackwalk"))),
        ("rename", &|| std::fs::rename(path, path)),
        ("remove", &|| std::fs::remove_dir(path)),
        ("openat2", &|| call(libc::SYS_openat2, [0, 0, 0, 0])),
        ("fork", &fork),
        ("clone3", &|| call(libc::SYS_clone3, [0, 0, 0, 0])),
        // A file that cannot be run, so that the call returns.
        ("exec", &|| call(libc::SYS_execve, [c"/".as_ptr() as c_long, 0, 0, 0])),
        ("ptrace", &|| call(libc::SYS_ptrace, [libc::PTRACE_DETACH as c_long, parent.into(), 0, 0])),
        ("signal", &|| call(libc::SYS_kill, [parent.into(), 0, 0, 0])),
        ("limit", &|| call(libc::SYS_prlimit64, [parent.into(), libc::RLIMIT_CORE as c_long, 0, 0])),
        ("socket", &|| descriptor(libc::SYS_socket, [libc::AF_INET.into(), libc::SOCK_STREAM.into(), 0, 0])),
        ("io_uring", &|| descriptor(libc::SYS_io_uring_setup, [1, null as c_long, 0, 0])),
        ("unshare", &|| call(libc::SYS_unshare, [0, 0, 0, 0])),
        ("chmod", &|| call(libc::SYS_fchmodat, [libc::AT_FDCWD.into(), pointer as c_long, mode, 0])),
        ("thread", &|| std::thread::Builder::new().spawn(|| ()).map(|thread| drop(thread.join()))),
        ("map", &map),
        ("send_descriptor", &|| send_descriptor(sockets)),
    ];
    let wanted = attempts.iter().filter(|(name, _)| wanted(name));
    wanted.map(|(name, attempt)| (*name, outcome(attempt()))).collect()
}

fn outcome(result: io::Result<()>) -> i32 {
    result.err().map_or(0, |error| error.raw_os_error().unwrap_or(libc::EIO))
}

fn call(number: c_long, [first, second, third, fourth]: [c_long; 4]) -> io::Result<()> {
    checked(unsafe { libc::syscall(number, first, second, third, fourth) }).map(drop)
}

/// A call that returns a descriptor.
fn descriptor(number: c_long, [first, second, third, fourth]: [c_long; 4]) -> io::Result<()> {
    let descriptor = checked(unsafe { libc::syscall(number, first, second, third, fourth) })?;
    unsafe { libc::close(descriptor as i32) };
    Ok(())
}

fn checked(result: c_long) -> io::Result<c_long> {
    if result < 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(result)
}

fn create(path: &Path) -> io::Result<()> {
    OpenOptions::new().write(true).create_new(true).open(path)?;
    std::fs::remove_file(path)
}

fn fork() -> io::Result<()> {
    match checked(unsafe { libc::fork() }.into())? {
        0 => unsafe { libc::_exit(0) },
        child => checked(unsafe { libc::waitpid(child as i32, ptr::null_mut(), 0) }.into()).map(drop),
    }
}

fn map() -> io::Result<()> {
    let (access, kind) = (libc::PROT_READ | libc::PROT_WRITE, libc::MAP_PRIVATE | libc::MAP_ANONYMOUS);
    let start = unsafe { libc::mmap(ptr::null_mut(), 1 << 20, access, kind, -1, 0) };
    if start == libc::MAP_FAILED {
        return Err(io::Error::last_os_error());
    }
    unsafe { libc::munmap(start, 1 << 20) };
    Ok(())
}

/// Sends a descriptor to this process, and receives it.
fn send_descriptor(sockets: Option<&Sockets>) -> io::Result<()> {
    let Some(Sockets(one, other)) = sockets else { return Err(io::ErrorKind::NotConnected.into()) };
    let mut byte = 1u8;
    let mut data = libc::iovec { iov_base: ptr::from_mut(&mut byte).cast(), iov_len: 1 };
    let mut control = [0u64; 8];
    let mut message: libc::msghdr = unsafe { std::mem::zeroed() };
    message.msg_iov = &mut data;
    message.msg_iovlen = 1;
    message.msg_control = control.as_mut_ptr().cast();
    unsafe {
        message.msg_controllen = libc::CMSG_SPACE(4) as _;
        let header = libc::CMSG_FIRSTHDR(&message);
        (*header).cmsg_level = libc::SOL_SOCKET;
        (*header).cmsg_type = libc::SCM_RIGHTS;
        (*header).cmsg_len = libc::CMSG_LEN(4) as _;
        libc::CMSG_DATA(header).cast::<i32>().write_unaligned(one.as_raw_fd());
        checked(libc::sendmsg(one.as_raw_fd(), &message, 0) as c_long)?;
        checked(libc::recvmsg(other.as_raw_fd(), &mut message, libc::MSG_CMSG_CLOEXEC) as c_long)?;
        let header = libc::CMSG_FIRSTHDR(&message);
        if header.is_null() {
            return Err(io::ErrorKind::InvalidData.into());
        }
        checked(libc::close(libc::CMSG_DATA(header).cast::<i32>().read_unaligned()).into()).map(drop)
    }
}
