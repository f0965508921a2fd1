//! Runs a program; when it crashes, writes its minidump and its annotations.
//!
//! `reporter DIRECTORY NAME=VALUE... -- PROGRAM ARGUMENT...`
//!
//! leaves `upload_file_minidump.dmp` and `raw_crash.json` (the annotations named, and what the
//! failed check said that made the program abort) in the directory. A process apart does this, as a crashed process can
//! neither be trusted to allocate memory nor stop its own threads. The messages that come from the program
//! are described at its side, in `lightbox/src/crash_guard.rs`.

mod neutral_uname;

use std::collections::BTreeMap;
use std::error::Error;
use std::fs::{self, File};
use std::io::{self, Read};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use minidump_writer::crash_context::CrashContext;
use minidump_writer::minidump_writer::MinidumpWriterConfig;
use minidump_writer::CrashContextExt;

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let directory = PathBuf::from(arguments.next().ok_or("no directory")?);
    let mut annotations = BTreeMap::new();
    for annotation in arguments.by_ref().take_while(|argument| argument != "--") {
        let (name, value) = annotation
            .split_once('=')
            .ok_or("an annotation is NAME=VALUE")?;
        annotations.insert(name.to_owned(), value.to_owned());
    }

    let (ours, theirs) = UnixStream::pair()?;
    let mut program = start(&arguments.collect::<Vec<_>>(), theirs)?;
    let crash = wait_for_crash(&ours, &mut annotations);
    if let Ok(crash) = &crash {
        write_minidump(&directory.join("upload_file_minidump.dmp"), crash)?;
        write_json(&directory.join("raw_crash.json"), &annotations)?;
    }
    program.kill()?;
    program.wait()?;
    crash
        .map(|_| ())
        .map_err(|error| format!("the program ended without a crash: {error}").into())
}

/// Starts the program with nothing of this process's environment, directory, input and output: a
/// minidump tells of them.
fn start(command: &[String], reporter: UnixStream) -> Result<Child, Box<dyn Error>> {
    let (program, arguments) = command.split_first().ok_or("no program")?;
    let child = Command::new(program)
        .args(arguments)
        .env_clear()
        .current_dir("/")
        .stdin(OwnedFd::from(reporter))
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()?;
    Ok(child)
}

fn wait_for_crash(
    mut program: &UnixStream,
    annotations: &mut BTreeMap<String, String>,
) -> io::Result<CrashContext> {
    loop {
        let (mut letter, mut length) = ([0], [0; 4]);
        program.read_exact(&mut letter)?;
        program.read_exact(&mut length)?;
        let mut bytes = vec![0; u32::from_le_bytes(length) as usize];
        program.read_exact(&mut bytes)?;
        if letter == *b"C" {
            return CrashContext::from_bytes(&bytes)
                .ok_or_else(|| io::Error::other("a crash of the wrong size"));
        }
        annotations.insert(
            "AbortMessage".to_owned(),
            String::from_utf8_lossy(&bytes).into_owned(),
        );
    }
}

fn write_minidump(path: &Path, crash: &CrashContext) -> Result<(), Box<dyn Error>> {
    let mut writer = MinidumpWriterConfig::new(crash.pid, crash.tid);
    writer.set_crash_context(CrashContextExt {
        inner: crash.clone(),
    });
    writer.write(&mut File::create(path)?)?;
    Ok(())
}

fn write_json(path: &Path, annotations: &BTreeMap<String, String>) -> Result<(), Box<dyn Error>> {
    Ok(fs::write(
        path,
        serde_json::to_string_pretty(annotations)? + "\n",
    )?)
}
