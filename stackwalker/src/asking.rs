//! Asks the program that started this one for symbols that no directory has, over a socket that it left open.
//!
//! Each message is one JSON object. A question is `{"number": 3, "debug_file": "xul.pdb", "debug_id": "..", "code_file":
//! "xul.dll", "code_id": ".."}`; the answers come in any order: `{"number": 3, "answer": "file"}` with the descriptor of
//! the symbol file, perhaps followed by that of its index; `none` if there are no such symbols; `later` if they do not
//! come in time.

use std::collections::VecDeque;
use std::fs::File;
use std::io;
use std::mem;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::ptr;
use std::time::{Duration, Instant};

use minidump::Module;
use serde::{Deserialize, Serialize};

use crate::report::last_part;

/// Questions of one dump.
const MOST: usize = 500;
/// Questions without an answer. This many fit into the socket, so that neither side waits for the other to read.
const MOST_OUTSTANDING: usize = 16;
const LONGEST_NAME: usize = 4096;
const LONGEST_ANSWER: usize = 4096;
const DESCRIPTORS: usize = 2;

#[derive(Serialize)]
struct Question {
    number: usize,
    debug_file: String,
    debug_id: String,
    code_file: String,
    code_id: String,
}

#[derive(Deserialize)]
struct Message {
    number: usize,
    answer: String,
}

pub enum Answer {
    File { symbols: File, index: Option<File> },
    None,
    Later,
}

/// The socket and the questions asked on it.
pub struct Asking {
    socket: OwnedFd,
    asked: usize,
    outstanding: Vec<usize>,
    waiting: VecDeque<Question>,
    /// The time left to wait for answers.
    patience: Duration,
    pub waited: Duration,
}

impl Asking {
    /// Takes over `descriptor`, a socket that keeps messages apart (SOCK_SEQPACKET).
    pub fn new(descriptor: RawFd, patience: Duration) -> Asking {
        let socket = unsafe { OwnedFd::from_raw_fd(descriptor) };
        Asking { socket, asked: 0, outstanding: vec![], waiting: VecDeque::new(), patience, waited: Duration::ZERO }
    }

    /// Asks for the symbols of a module, which the caller knows as `number`. False if that is useless.
    pub fn ask(&mut self, number: usize, module: &dyn Module) -> bool {
        let question = Question {
            number,
            debug_file: last_part(&module.debug_file().unwrap_or_default()).to_string(),
            debug_id: module.debug_identifier().unwrap_or_default().breakpad().to_string(),
            code_file: module.code_file().into_owned(),
            code_id: module.code_identifier().map(|id| id.to_string()).unwrap_or_default(),
        };
        let names = [&question.debug_file, &question.code_file, &question.code_id];
        if self.asked >= MOST || self.patience.is_zero() || names.iter().any(|name| name.len() > LONGEST_NAME) {
            return false;
        }
        self.asked += 1;
        self.waiting.push_back(question);
        self.send();
        true
    }

    pub fn is_waiting(&self) -> bool {
        !self.outstanding.is_empty() || !self.waiting.is_empty()
    }

    /// Waits for one answer. A question without an answer in time gets `Later`.
    pub fn wait(&mut self) -> Vec<(usize, Answer)> {
        let started = Instant::now();
        let answer = self.receive();
        let took = started.elapsed();
        self.waited += took;
        self.patience = self.patience.saturating_sub(took);
        let answers = match answer {
            Ok(Some((number, answer))) if self.outstanding.contains(&number) => {
                self.outstanding.retain(|other| *other != number);
                vec![(number, answer)]
            }
            // A number that nobody asked for is of no use, and not waited for twice.
            Ok(Some(_)) => vec![],
            Ok(None) | Err(_) => {
                self.patience = Duration::ZERO;
                let never_sent = self.waiting.drain(..).map(|question| question.number);
                let numbers: Vec<usize> = self.outstanding.drain(..).chain(never_sent).collect();
                numbers.into_iter().map(|number| (number, Answer::Later)).collect()
            }
        };
        self.send();
        answers
    }

    fn send(&mut self) {
        while self.outstanding.len() < MOST_OUTSTANDING {
            let Some(question) = self.waiting.pop_front() else { return };
            let message = serde_json::to_vec(&question).unwrap_or_default();
            let flags = libc::MSG_NOSIGNAL;
            // A question that cannot be sent has no answer until its time is over.
            unsafe { libc::send(self.socket.as_raw_fd(), message.as_ptr().cast(), message.len(), flags) };
            self.outstanding.push(question.number);
        }
    }

    /// The next answer; None if none comes in time, or no more will come.
    fn receive(&mut self) -> io::Result<Option<(usize, Answer)>> {
        let deadline = Instant::now() + self.patience;
        loop {
            let mut wanted = libc::pollfd { fd: self.socket.as_raw_fd(), events: libc::POLLIN, revents: 0 };
            let left = deadline.saturating_duration_since(Instant::now());
            let milliseconds = left.as_millis().min(i32::MAX as u128) as i32;
            match unsafe { libc::poll(&mut wanted, 1, milliseconds) } {
                0 => return Ok(None),
                -1 if io::Error::last_os_error().kind() == io::ErrorKind::Interrupted => continue,
                -1 => return Err(io::Error::last_os_error()),
                _ => break,
            }
        }
        let (text, mut descriptors) = receive(self.socket.as_raw_fd())?;
        if text.is_empty() {
            return Ok(None);
        }
        let message: Message = serde_json::from_slice(&text)?;
        let answer = match message.answer.as_str() {
            "file" if !descriptors.is_empty() => {
                let symbols = File::from(descriptors.remove(0));
                Answer::File { symbols, index: descriptors.pop().map(File::from) }
            }
            "later" => Answer::Later,
            _ => Answer::None,
        };
        Ok(Some((message.number, answer)))
    }
}

/// One message, with the descriptors that came with it.
fn receive(socket: RawFd) -> io::Result<(Vec<u8>, Vec<OwnedFd>)> {
    let mut text = vec![0; LONGEST_ANSWER];
    // Aligned for the headers in it.
    let mut control = [0_u64; 16];
    let mut part = libc::iovec { iov_base: text.as_mut_ptr().cast(), iov_len: text.len() };
    let mut header: libc::msghdr = unsafe { mem::zeroed() };
    header.msg_iov = &mut part;
    header.msg_iovlen = 1;
    header.msg_control = control.as_mut_ptr().cast();
    header.msg_controllen = mem::size_of_val(&control) as _;
    let length = unsafe { libc::recvmsg(socket, &mut header, libc::MSG_CMSG_CLOEXEC) };
    if length < 0 {
        return Err(io::Error::last_os_error());
    }
    text.truncate(length as usize);
    let mut descriptors = vec![];
    let mut next = unsafe { libc::CMSG_FIRSTHDR(&header) };
    while let Some(found) = unsafe { next.as_ref() } {
        if (found.cmsg_level, found.cmsg_type) == (libc::SOL_SOCKET, libc::SCM_RIGHTS) {
            let bytes = found.cmsg_len - unsafe { libc::CMSG_LEN(0) } as usize;
            for place in 0..bytes / mem::size_of::<RawFd>() {
                let at = unsafe { libc::CMSG_DATA(found).cast::<RawFd>().add(place) };
                descriptors.push(unsafe { OwnedFd::from_raw_fd(ptr::read_unaligned(at)) });
            }
        }
        next = unsafe { libc::CMSG_NXTHDR(&header, found) };
    }
    descriptors.truncate(DESCRIPTORS);
    Ok((text, descriptors))
}
