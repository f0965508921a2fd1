//! socorro-stackwalk: turns a minidump into JSON.

mod asking;
mod attempts;
mod bounds;
mod certificates;
mod crash;
mod crashpad;
mod index_command;
mod lookups;
mod modules_command;
mod report;
mod sandbox;
mod streams;
mod symbols;
#[cfg(test)]
mod tests;
mod view;
mod walk;

use std::alloc::{handle_alloc_error, Layout};
use std::env;
use std::ffi::OsString;
use std::fmt;
use std::fs::{File, OpenOptions};
use std::future::Future;
use std::io::{self, BufWriter, Write};
use std::os::fd::RawFd;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::pin::{pin, Pin};
use std::process::ExitCode;
use std::time::Duration;

use futures_util::stream::{self, StreamExt};
use lexopt::prelude::*;
use memmap2::Mmap;
use minidump::{Minidump, MinidumpModuleList, MinidumpUnloadedModuleList};
use minidump_processor::{process_minidump_with_options, ProcessError, ProcessState, ProcessorOptions};
use minidump_unwind::{simple_symbol_supplier, MultiSymbolProvider, SymbolProvider, Symbolizer};

use crate::asking::Asking;
use crate::certificates::Annotations;
use crate::sandbox::Enforcement;
use crate::symbols::{OnDemand, Store};

const HELP: &str = "\
Usage: socorro-stackwalk [options] DUMP
       socorro-stackwalk index [options] FILE...
       socorro-stackwalk modules DUMP
       socorro-stackwalk --version [--verbose]

Prints as JSON what a minidump says: the crash, the stacks of all threads, modules, the system.
Below the key socorro_stackwalk stands what minidump-stackwalk does not say: Crashpad's
annotations, the streams of the dump, what of it was too much, CPU time.

  --symbols-path DIR   where symbol files are, as <debug file>/<debug id>/<name>.sym; may be given
                       several times, the first that has a file counts; a link that leads out of
                       its directory is refused
  --index-path DIR     where the indexes of symbol files are, below the whole path of their directory;
                       else beside each directory, in one of its name with .index behind
  --ask DESCRIPTOR     ask for symbols that no directory has over this socket, which the program that
                       starts this one left open
  --ask-timeout N      seconds that answers are waited for in all, 60 else
  --evil-json FILE     annotations: certificates of modules (ModuleSignatureInfo), microcode version
  --json, --no-interactive, --no-color, --symbols-cache DIR, --symbols-tmp DIR
                       as minidump-stackwalk has them: without effect
  --reference          walk as minidump-stackwalk does, with whole symbol files; for comparison
  --version            versions of this program and of the crates that read the dump
  --verbose            with --version: what of its sandbox this machine enforces, too
  --help               this text

Example: socorro-stackwalk --symbols-path /var/cache/symbols crash.dmp

What goes wrong is said in one line on stderr that begins with ERROR and its name, for example:
  ERROR MissingThreadList - Error processing dump: The thread list stream was not found

Exit codes:
  0  well
  1  the dump cannot be read: there is no such file, it is no minidump, or it lacks too much
  2  wrong arguments
  3  the output could not be written, or this program has a fault
Where there is not enough memory it says so (memory allocation of N bytes failed) and dies of SIGABRT.
";

const PATIENCE: Duration = Duration::from_secs(60);
const UNREADABLE: u8 = 1;
const WRONG_ARGUMENTS: u8 = 2;
const FAULT: u8 = 3;

enum Command {
    Help(&'static str),
    Index(index_command::Options),
    Modules(PathBuf),
    Version { is_verbose: bool },
    Walk(Options),
    CheckSandbox(Options),
}

struct Options {
    ask: Option<RawFd>,
    patience: Duration,
    stores: Vec<Store>,
    evil_json: Option<PathBuf>,
    reference: bool,
    dump: PathBuf,
}

fn main() -> ExitCode {
    let command = match parse(env::args_os().skip(1)) {
        Ok(command) => command,
        Err(error) => {
            say(&format!("socorro-stackwalk: {error}; see socorro-stackwalk --help"));
            return ExitCode::from(WRONG_ARGUMENTS);
        }
    };
    // A panic is an error of one line like others.
    std::panic::set_hook(Box::new(|_| ()));
    match std::panic::catch_unwind(|| run(&command)) {
        Ok(Ok(code)) => code,
        Ok(Err(failure)) => {
            if !failure.is_closed_pipe() {
                say(&format!("ERROR {failure}"));
            }
            ExitCode::from(failure.exit_code())
        }
        Err(panic) => {
            say(&format!("ERROR Panic - {}", walk::said(&*panic)));
            ExitCode::from(FAULT)
        }
    }
}

/// Prints one line on stderr, whatever stands in it.
fn say(line: &str) {
    let line = bounds::beginning(line, 2 * bounds::MESSAGE);
    let plain = line.chars().map(|character| if character.is_control() { ' ' } else { character });
    let _ = writeln!(io::stderr(), "{}", plain.collect::<String>());
}

enum Failure {
    /// The file of the dump.
    File(io::Error),
    Unreadable(minidump::Error),
    Unprocessable(ProcessError),
    Output(io::Error),
}

impl Failure {
    fn exit_code(&self) -> u8 {
        match self {
            Failure::File(_) | Failure::Unreadable(_) | Failure::Unprocessable(_) => UNREADABLE,
            Failure::Output(_) => FAULT,
        }
    }

    /// Whether no one reads what is printed any more, and so needs no word.
    fn is_closed_pipe(&self) -> bool {
        matches!(self, Failure::Output(error) if error.kind() == io::ErrorKind::BrokenPipe)
    }
}

/// As minidump-stackwalk logs it, by the names that the crates have for errors.
impl fmt::Display for Failure {
    fn fmt(&self, to: &mut fmt::Formatter) -> fmt::Result {
        match self {
            Failure::File(error) if error.kind() == io::ErrorKind::NotFound => {
                write!(to, "{} - Error reading dump: {error}", minidump::Error::FileNotFound.name())
            }
            Failure::File(error) => write!(to, "{} - Error reading dump: {error}", minidump::Error::IoError.name()),
            Failure::Unreadable(error) => write!(to, "{} - Error reading dump: {error}", error.name()),
            Failure::Unprocessable(error) => write!(to, "{} - Error processing dump: {error}", error.name()),
            Failure::Output(error) => write!(to, "{} - Error writing output: {error}", minidump::Error::IoError.name()),
        }
    }
}

impl From<minidump::Error> for Failure {
    fn from(error: minidump::Error) -> Self {
        Failure::Unreadable(error)
    }
}

impl From<ProcessError> for Failure {
    fn from(error: ProcessError) -> Self {
        Failure::Unprocessable(error)
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Failure::Output(error)
    }
}

fn run(command: &Command) -> Result<ExitCode, Failure> {
    let mut out = BufWriter::with_capacity(1 << 17, io::stdout().lock());
    match command {
        Command::Help(text) => out.write_all(text.as_bytes())?,
        Command::Index(options) => return Ok(index_command::run(options, &mut out)?),
        Command::Modules(dump) => modules_command::run(&open(dump).map_err(Failure::File)?, &mut out)?,
        Command::Version { is_verbose } => write_version(*is_verbose, &mut out)?,
        Command::Walk(options) => process(options, &mut out)?,
        Command::CheckSandbox(options) => check_sandbox(options, &mut out)?,
    }
    out.flush()?;
    Ok(ExitCode::SUCCESS)
}

fn process(options: &Options, out: impl Write) -> Result<(), Failure> {
    let file = open(&options.dump).map_err(Failure::File)?;
    sandbox::enter(&readable(options));
    if options.reference {
        return reference(options, &file, out);
    }
    let symbols = OnDemand::new(options.stores.clone(), options.asking());
    if view::is_too_large(&file) {
        return whole(options, &file, &symbols, out);
    }
    let view = view::View::open(&file).map_err(|error| not_mapped(&file, error))??;
    walk(view, &streams::read(&file), options.evil_json.as_deref(), &symbols, out)
}

fn open(path: &Path) -> io::Result<File> {
    // Else a pipe that no one writes to would be waited for.
    let file = OpenOptions::new().read(true).custom_flags(libc::O_NONBLOCK).open(path)?;
    if !file.metadata()?.is_file() {
        return Err(io::Error::other("it is not a regular file"));
    }
    Ok(file)
}

/// Where memory runs out we end as everywhere else where it does.
fn not_mapped(file: &File, error: io::Error) -> Failure {
    if error.raw_os_error() == Some(libc::ENOMEM) {
        let length = file.metadata().map_or(0, |metadata| metadata.len());
        handle_alloc_error(Layout::from_size_align(length as usize, 1).unwrap_or(Layout::new::<u8>()));
    }
    Failure::File(error)
}

/// What may be opened beside the dump.
fn readable(options: &Options) -> Vec<&Path> {
    let symbols = options.stores.iter().flat_map(Store::directories);
    symbols.chain(options.evil_json.as_deref()).collect()
}

fn write_version(is_verbose: bool, out: &mut impl Write) -> io::Result<()> {
    writeln!(out, "socorro-stackwalk {} ({})", env!("CARGO_PKG_VERSION"), env!("SOCORRO_STACKWALK_CRATES"))?;
    if is_verbose {
        let program = env::current_exe().unwrap_or("/dev/null".into());
        let mut sandbox = sandbox::enter(&[]);
        let denied = |name: &str| name == attempts::DENIED_BY_LANDLOCK || attempts::DENIED_BY_SECCOMP.contains(&name);
        sandbox.doubt(&attempts::attempt(denied, &program, None));
        writeln!(out, "landlock: {}", sandbox.landlock)?;
        writeln!(out, "seccomp: {}", sandbox.seccomp)?;
    }
    Ok(())
}

/// Prints what fails, and how, in the sandbox of a walk with these options; for tests.
fn check_sandbox(options: &Options, out: &mut impl Write) -> io::Result<()> {
    let sockets = attempts::Sockets::new().ok();
    let sandbox = sandbox::enter(&readable(options));
    let attempts = attempts::attempt(|_| true, &options.dump, sockets.as_ref());
    let said = |enforcement: &Enforcement| enforcement.to_string();
    let checked = serde_json::json!({
        "attempts": attempts, "landlock": said(&sandbox.landlock), "seccomp": said(&sandbox.seccomp),
    });
    writeln!(out, "{checked}")
}

/// The crates' own way.
fn reference(options: &Options, file: &File, out: impl Write) -> Result<(), Failure> {
    let mut symbols = MultiSymbolProvider::new();
    // Without a directory no module is asked for, and so none misses symbols.
    if !options.stores.is_empty() {
        let directories = options.stores.iter().map(|store| store.directory.clone()).collect();
        symbols.add(Box::new(Symbolizer::new(simple_symbol_supplier(directories))));
    }
    by_the_crates(options, file, &symbols, |walk| crash::ready(walk), out)
}

/// The crates' own way with our symbols, for a dump of several gigabytes: a view of it, with something behind it that
/// its 32-bit places reach, cannot be made.
fn whole(options: &Options, file: &File, symbols: &OnDemand, out: impl Write) -> Result<(), Failure> {
    by_the_crates(options, file, &symbols.for_thread(0), |walk| symbols.drive(walk), out)
}

fn by_the_crates<S: SymbolProvider + Sync>(
    options: &Options,
    file: &File,
    symbols: &S,
    drive: impl FnOnce(Processing<'_>) -> Result<ProcessState, ProcessError>,
    mut out: impl Write,
) -> Result<(), Failure> {
    let mut processor = ProcessorOptions::stable_basic();
    processor.evil_json = options.evil_json.as_deref();
    let bytes = unsafe { Mmap::map(file) }.map_err(|error| not_mapped(file, error))?;
    let dump = Minidump::read(bytes)?;
    let state = drive(Box::pin(process_minidump_with_options(&dump, symbols, processor)))?;
    state.print_json(&mut out, false).map_err(io::Error::from)?;
    Ok(out.flush()?)
}

type Processing<'a> = Pin<Box<dyn Future<Output = Result<ProcessState, ProcessError>> + 'a>>;

fn walk(
    mut view: view::View,
    streams: &[streams::Stream],
    annotations: Option<&Path>,
    symbols: &OnDemand,
    out: impl Write,
) -> Result<(), Failure> {
    view.show_crash_only();
    let mut crash = crash::read(&Minidump::read(view.bytes())?)?;
    view.show_all();
    let bounded = &mut std::mem::take(&mut view.bounded);
    let dump = Minidump::read(view.bytes())?;
    let annotations = annotations.map(|path| Annotations::read(path, bounded)).unwrap_or_default();
    crash.complete(&dump, &annotations);
    let modules = dump.get_stream().unwrap_or_else(|_| MinidumpModuleList::new());
    let unloaded_modules = dump.get_stream().unwrap_or_else(|_| MinidumpUnloadedModuleList::new());
    let surroundings = report::Surroundings {
        width: crash.state.system_info.cpu.pointer_width(),
        certificates: &annotations.certificates,
    };
    let threads = walk::Threads::read(&dump)?;
    let crashed = threads.crashed();

    let mut report = report::Report::new(out)?;
    for (key, mut value) in report::without_lists(crash.fields) {
        if key == "crash_info" {
            value["crashing_thread"] = crashed.into();
        }
        report.field(&key, &value)?;
    }
    report.field("thread_count", &threads.len())?;
    threads.make_room_for(report.written());
    let mut crashed_stack = None;
    let mut errors = vec![];
    let mut walking = 0.0;
    report.begin_array("threads")?;
    let walks = stream::iter(0..threads.len()).map(async |number| {
        let symbols = symbols.for_thread(number);
        (number, threads.walk(number, &modules, &crash.state.system_info, &symbols).await)
    });
    let mut walks = pin!(walks.buffered(symbols.threads_at_a_time()));
    loop {
        let begun = report::Seconds::used();
        let next = symbols.drive(walks.next());
        walking += report::Seconds::used() - begun;
        let Some((number, mut stack)) = next else { break };
        errors.extend(report::WalkError::of(number, &stack).filter(|_| errors.len() < bounds::ERRORS));
        threads.complete(&mut stack, &unloaded_modules, bounded);
        report.item(&report::ThreadReport { stack: &stack, crashed: None, surroundings })?;
        if Some(number) == crashed && !stack.top.is_empty() {
            crashed_stack = Some(stack);
        }
    }
    report.end_array()?;
    if let Some(stack) = &crashed_stack {
        report.field("crashing_thread", &report::ThreadReport { stack, crashed, surroundings })?;
    }
    report::write_modules(&mut report, &modules, &symbols.statistics(), surroundings, bounded)?;
    report::write_unloaded_modules(&mut report, &unloaded_modules, surroundings, bounded)?;
    report::write_handles(&mut report, dump.get_stream().ok().as_ref(), bounded)?;
    threads.say(bounded);
    let modules_in_cut_frames = &threads.modules_in_cut_frames(&modules, bounded);
    let crashpad = crashpad::read(&dump, view.bytes(), bounded);
    let symbols = report::few_symbols(symbols.uses(), bounded);
    let own = report::Own {
        bounded,
        crashpad: crashpad.as_ref(),
        errors: &errors,
        seconds: report::Seconds::new(report::Seconds::used(), walking),
        streams,
        modules_in_cut_frames,
        symbols,
    };
    report.field(report::OWN_KEY, &own)?;
    report.end()?;
    Ok(())
}

fn seconds(text: &OsString) -> Result<f64, lexopt::Error> {
    match text.parse_with(str::parse::<f64>) {
        Ok(seconds) if (0.0..=1e6).contains(&seconds) => Ok(seconds),
        _ => Err("--ask-timeout is a number of seconds".into()),
    }
}

impl Options {
    fn asking(&self) -> Option<Asking> {
        self.ask.map(|descriptor| Asking::new(descriptor, self.patience))
    }
}

fn parse(arguments: impl Iterator<Item = OsString>) -> Result<Command, lexopt::Error> {
    let mut arguments = arguments.peekable();
    if arguments.next_if(|word| word == "index").is_some() {
        return index_command::parse(lexopt::Parser::from_args(arguments));
    }
    if arguments.next_if(|word| word == "modules").is_some() {
        return modules_command::parse(lexopt::Parser::from_args(arguments));
    }
    let mut arguments = lexopt::Parser::from_args(arguments);
    let mut options = Options {
        ask: None,
        patience: PATIENCE,
        stores: vec![],
        evil_json: None,
        reference: false,
        dump: PathBuf::new(),
    };
    let mut dump: Option<OsString> = None;
    let mut indexes: Option<PathBuf> = None;
    let (mut is_version, mut is_verbose, mut is_check) = (false, false, false);
    while let Some(argument) = arguments.next()? {
        match argument {
            Long("symbols-path") => options.stores.push(Store::new(arguments.value()?.into())),
            Long("index-path") => indexes = Some(PathBuf::from(arguments.value()?)),
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
    options.stores = options.stores.drain(..).map(|store| store.with_indexes(indexes.as_deref())).collect();
    options.dump = dump.ok_or("no minidump is given")?.into();
    Ok(if is_check { Command::CheckSandbox(options) } else { Command::Walk(options) })
}
