//! Parses the arguments of this program into one of its commands.

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use lexopt::prelude::*;

use crate::symbols::Store;
use crate::{index_command, modules_command, walk_command};

const HELP: &str = "\
Usage: socorro-stackwalk [options] DUMP
       socorro-stackwalk index [options] FILE...
       socorro-stackwalk modules DUMP
       socorro-stackwalk --version [--verbose]

Prints a minidump as JSON: the crash, the stacks of all threads, modules, the system. The key
socorro_stackwalk has what only this program prints: Crashpad's annotations, the
streams of the dump, exceeded bounds, CPU time.

  --symbols-path DIR   where symbol files are, as <debug file>/<debug id>/<name>.sym; may be given
                       several times, to be searched in this order; a link that leads out of its
                       directory is refused
  --index-path DIR     where the indexes of symbol files are, below the whole path of their directory;
                       without it, beside each directory, in one of that name with .index appended
  --ask DESCRIPTOR     the socket, left open by the program that starts this one, over which to ask
                       for symbols that no directory has
  --ask-timeout N      seconds to wait for answers, in all (default 60)
  --evil-json FILE     annotations: certificates of modules (ModuleSignatureInfo), microcode version
  --json, --no-interactive, --no-color, --symbols-cache DIR, --symbols-tmp DIR
                       options of minidump-stackwalk, without effect here
  --reference          walk as minidump-stackwalk does, with whole symbol files; for comparison
  --version            versions of this program and of the crates that read the dump
  --verbose            with --version: also what this machine enforces of the sandbox
  --help               this text

Example: socorro-stackwalk --symbols-path /var/cache/symbols crash.dmp

An error is one line on stderr that begins with ERROR and the name of the error, for example:
  ERROR MissingThreadList - Error processing dump: The thread list stream was not found

Exit codes:
  0  success
  1  the dump cannot be read: there is no such file, it is not a minidump, or it lacks too much
  2  wrong arguments
  3  the output could not be written, or this program has a bug
If memory runs out, it says so (memory allocation of N bytes failed) and dies of SIGABRT.
";

/// The default time to wait for answers.
const PATIENCE: Duration = Duration::from_secs(60);

pub enum Command {
    Help(&'static str),
    Index(index_command::Options),
    Modules(PathBuf),
    Version { is_verbose: bool },
    Walk(walk_command::Options),
    CheckSandbox(walk_command::Options),
}

pub fn parse(arguments: impl Iterator<Item = OsString>) -> Result<Command, lexopt::Error> {
    let mut arguments = arguments.peekable();
    if arguments.next_if(|word| word == "index").is_some() {
        return index_command::parse(lexopt::Parser::from_args(arguments));
    }
    if arguments.next_if(|word| word == "modules").is_some() {
        return modules_command::parse(lexopt::Parser::from_args(arguments));
    }
    let mut arguments = lexopt::Parser::from_args(arguments);
    let mut options = walk_command::Options {
        ask: None,
        patience: PATIENCE,
        stores: vec![],
        index_path: None,
        evil_json: None,
        reference: false,
        dump: PathBuf::new(),
    };
    let mut dump: Option<OsString> = None;
    let (mut is_version, mut is_verbose, mut is_check) = (false, false, false);
    while let Some(argument) = arguments.next()? {
        match argument {
            Long("symbols-path") => options.stores.push(Store::new(arguments.value()?.into())),
            Long("index-path") => options.index_path = Some(arguments.value()?.into()),
            Long("ask") => options.ask = Some(arguments.value()?.parse()?),
            Long("ask-timeout") => options.patience = Duration::from_secs_f64(seconds(&arguments.value()?)?),
            Long("evil-json") => options.evil_json = Some(arguments.value()?.into()),
            Long("json" | "no-interactive" | "no-color") => (),
            Long("symbols-cache" | "symbols-tmp") => drop(arguments.value()?),
            Long("reference") => options.reference = true,
            Long("help") | Short('h') => return Ok(Command::Help(HELP)),
            Long("version") | Short('V') => is_version = true,
            Long("verbose") => is_verbose = true,
            Long("sandbox-check") => is_check = true,
            Value(path) if dump.is_none() => dump = Some(path),
            other => return Err(other.unexpected()),
        }
    }
    if is_version {
        return Ok(Command::Version { is_verbose });
    }
    if is_verbose {
        return Err("--verbose goes with --version".into());
    }
    let indexes = options.index_path.as_deref();
    options.stores = options.stores.drain(..).map(|store| store.with_indexes(indexes)).collect();
    options.dump = dump.ok_or("no minidump is given")?.into();
    Ok(if is_check { Command::CheckSandbox(options) } else { Command::Walk(options) })
}

fn seconds(text: &OsString) -> Result<f64, lexopt::Error> {
    match text.parse_with(str::parse::<f64>) {
        Ok(seconds) if (0.0..=1e6).contains(&seconds) => Ok(seconds),
        _ => Err("--ask-timeout is a number of seconds".into()),
    }
}
