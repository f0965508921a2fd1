//! `socorro-stackwalk index`: makes the indexes of symbol files.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::{Mutex, PoisonError};
use std::thread;

use lexopt::prelude::*;
use serde::Serialize;

use crate::command_line::Command;
use crate::symbols::index::{FileState, Index, Verdict};
use crate::symbols::indexing;
use crate::symbols::Store;

const HELP: &str = "\
Usage: socorro-stackwalk index [options] FILE...

Makes the index of each symbol file that has none, so that a walk reads of it only what it needs. The
index of STORE/<debug file>/<debug id>/<name>.sym is put into STORE.index, below the same path.
Prints a line for each file, a JSON object: its path; what its index says of it (usable, corrupt, or
whole: it has to be read in full); whether the index was made now; or the error.

  --index-path DIR    put indexes into DIR instead, below the whole path of their store
  --anew              also make those that are there already
  --end-with-stdin    end, and leave nothing unfinished behind, once standard input ends
  --help              this text

Example: socorro-stackwalk index /var/cache/symbols/*/*/*.sym

Exit codes: 0 each file has an index, 1 some have not, 2 wrong arguments.
";

const SOME_FAILED: u8 = 1;

/// The file that is being written.
static UNFINISHED: Mutex<Option<PathBuf>> = Mutex::new(None);

#[derive(Default)]
pub struct Options {
    index_path: Option<PathBuf>,
    anew: bool,
    end_with_stdin: bool,
    files: Vec<PathBuf>,
}

#[derive(Serialize, Default)]
struct Line {
    file: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    verdict: Option<Verdict>,
    #[serde(skip_serializing_if = "Option::is_none")]
    made: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
}

pub fn parse(mut arguments: lexopt::Parser) -> Result<Command, lexopt::Error> {
    let mut options = Options::default();
    while let Some(argument) = arguments.next()? {
        match argument {
            Long("index-path") => options.index_path = Some(arguments.value()?.into()),
            Long("anew") => options.anew = true,
            Long("end-with-stdin") => options.end_with_stdin = true,
            Long("help") | Short('h') => return Ok(Command::Help(HELP)),
            Value(path) => options.files.push(path.into()),
            other => return Err(other.unexpected()),
        }
    }
    if options.files.is_empty() {
        return Err("no symbol file is given".into());
    }
    Ok(Command::Index(options))
}

pub fn run(options: &Options, out: &mut impl Write) -> io::Result<ExitCode> {
    if options.end_with_stdin {
        thread::spawn(end_with_stdin);
    }
    let mut code = ExitCode::SUCCESS;
    for file in &options.files {
        let mut line = Line { file: file.display().to_string(), ..Line::default() };
        match index(file, options) {
            Ok((verdict, made)) => (line.verdict, line.made) = (Some(verdict), Some(made)),
            Err(error) => {
                line.error = Some(error.to_string());
                code = ExitCode::from(SOME_FAILED);
            }
        }
        serde_json::to_writer(&mut *out, &line)?;
        writeln!(out)?;
        out.flush()?;
    }
    Ok(code)
}

/// Makes the index of `path` if necessary. Returns its verdict, and true if it was made now.
fn index(path: &Path, options: &Options) -> io::Result<(Verdict, bool)> {
    let (store, relative) = Store::of(path).ok_or(io::Error::other("it is not in a symbol store"))?;
    let target = store.with_indexes(options.index_path.as_deref()).index_path(&relative);
    let file = File::open(path)?;
    let state = FileState::from(&file.metadata()?);
    if !options.anew {
        if let Ok(index) = File::open(&target).map_err(Into::into).and_then(|index| Index::open(index, state)) {
            return Ok((*index.verdict(), false));
        }
    }
    let (bytes, verdict) = indexing::index(&file)?;
    write(&target, &bytes)?;
    Ok((verdict, true))
}

/// Writes a temporary file, and moves it into its place once it is complete.
fn write(target: &Path, bytes: &[u8]) -> io::Result<()> {
    if let Some(directory) = target.parent() {
        fs::create_dir_all(directory)?;
    }
    let mut name = target.as_os_str().to_os_string();
    name.push(format!(".{}", std::process::id()));
    let unfinished = PathBuf::from(name);
    *UNFINISHED.lock().unwrap_or_else(PoisonError::into_inner) = Some(unfinished.clone());
    let written = fs::write(&unfinished, bytes).and_then(|()| fs::rename(&unfinished, target));
    if written.is_err() {
        let _ = fs::remove_file(&unfinished);
    }
    *UNFINISHED.lock().unwrap_or_else(PoisonError::into_inner) = None;
    written
}

fn end_with_stdin() {
    let mut buffer = [0; 64];
    while io::stdin().read(&mut buffer).is_ok_and(|count| count > 0) {}
    // Keep the lock until the process ends, so that no new file is begun.
    let unfinished = UNFINISHED.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(path) = &*unfinished {
        let _ = fs::remove_file(path);
    }
    std::process::exit(SOME_FAILED.into());
}
