//! socorro-stackwalk: turns a minidump into JSON.

mod asking;
mod bounds;
mod certificates;
mod crash;
mod lookups;
mod report;
mod symbols;
mod view;
mod walk;

use std::ffi::OsString;
use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::os::fd::RawFd;
use std::path::{Path, PathBuf};
use std::pin::pin;
use std::process::ExitCode;
use std::time::Duration;

use futures_util::stream::{self, StreamExt};
use lexopt::prelude::*;
use minidump::{Minidump, MinidumpModuleList, MinidumpUnloadedModuleList};
use minidump_processor::{process_minidump_with_options, ProcessError, ProcessorOptions};
use minidump_unwind::{simple_symbol_supplier, MultiSymbolProvider, Symbolizer};

use self::asking::Asking;
use self::certificates::Annotations;
use self::symbols::{OnDemand, Store};

const HELP: &str = "\
Usage: socorro-stackwalk [options] DUMP

Prints as JSON what a minidump says: the crash, the stacks of all threads, modules, the system.

  --symbols-path DIR   where symbol files are, as <debug file>/<debug id>/<name>.sym; may be given
                       several times, the first that has a file counts
  --indexes DIR        where the indexes of that directory's files are; DIR.index beside it else
  --ask DESCRIPTOR     ask for symbols that no directory has over this socket, which the program that
                       starts this one left open
  --ask-timeout N      seconds that answers are waited for in all, 60 else
  --evil-json FILE     annotations: certificates of modules (ModuleSignatureInfo), microcode version
  --reference          walk as minidump-stackwalk does, with whole symbol files; for comparison
  --version            versions of this program and of the crates that read the dump
  --help               this text

Example: socorro-stackwalk --symbols-path /var/cache/symbols crash.dmp

Exit codes: 0 well, 1 the dump cannot be read, 2 wrong arguments, 3 a fault of this program.
";

const INDEX_HELP: &str = "\
Usage: socorro-stackwalk index [--indexes DIR] FILE...

Makes the index of each symbol file, so that a walk reads of it only what it needs. The index of
STORE/<debug file>/<debug id>/<name>.sym is put into STORE.index, below the same path, or into DIR.

Example: socorro-stackwalk index /var/cache/symbols/*/*/*.sym
";

const PATIENCE: Duration = Duration::from_secs(60);
const UNREADABLE: u8 = 1;
const WRONG_ARGUMENTS: u8 = 2;
const FAULT: u8 = 3;

struct Options {
    ask: Option<RawFd>,
    patience: Duration,
    stores: Vec<Store>,
    evil_json: Option<PathBuf>,
    reference: bool,
    dump: PathBuf,
}

fn main() -> ExitCode {
    if std::env::args_os().nth(1).is_some_and(|word| word == "index") {
        return indexes(lexopt::Parser::from_args(std::env::args_os().skip(2)));
    }
    let options = match parse(lexopt::Parser::from_env()) {
        Ok(Some(options)) => options,
        Ok(None) => return ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("socorro-stackwalk: {error}; see socorro-stackwalk --help");
            return ExitCode::from(WRONG_ARGUMENTS);
        }
    };
    // A panic is an error of one line like others.
    std::panic::set_hook(Box::new(|_| ()));
    match std::panic::catch_unwind(|| run(&options)) {
        Ok(Ok(())) => ExitCode::SUCCESS,
        Ok(Err(Failure::Unreadable(error))) => {
            eprintln!("ERROR {} - Error reading dump: {error}", error.name());
            ExitCode::from(UNREADABLE)
        }
        Ok(Err(Failure::Unprocessable(error))) => {
            eprintln!("ERROR {} - Error processing dump: {error}", error.name());
            ExitCode::from(UNREADABLE)
        }
        Ok(Err(Failure::Output(error))) => {
            eprintln!("ERROR {error}");
            ExitCode::from(FAULT)
        }
        Err(panic) => {
            eprintln!("ERROR Panic - {}", walk::said(&*panic));
            ExitCode::from(FAULT)
        }
    }
}

enum Failure {
    Unreadable(minidump::Error),
    Unprocessable(ProcessError),
    Output(io::Error),
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

fn run(options: &Options) -> Result<(), Failure> {
    let out = BufWriter::with_capacity(1 << 17, io::stdout().lock());
    if options.reference {
        return reference(options, out);
    }
    let file = File::open(&options.dump).map_err(|_| minidump::Error::FileNotFound)?;
    let symbols = OnDemand::new(options.stores.clone(), options.asking());
    walk(view::View::open(&file)??, options.evil_json.as_deref(), &symbols, out)
}

/// The crates' own way.
fn reference(options: &Options, mut out: impl Write) -> Result<(), Failure> {
    let mut processor = ProcessorOptions::stable_basic();
    processor.evil_json = options.evil_json.as_deref();
    let mut symbols = MultiSymbolProvider::new();
    // Without a directory no module is asked for, and so none misses symbols.
    if !options.stores.is_empty() {
        let directories = options.stores.iter().map(|store| store.directory.clone()).collect();
        symbols.add(Box::new(Symbolizer::new(simple_symbol_supplier(directories))));
    }
    let dump = Minidump::read_path(&options.dump)?;
    let state = crash::ready(process_minidump_with_options(&dump, &symbols, processor))?;
    state.print_json(&mut out, false).map_err(io::Error::from)?;
    Ok(out.flush()?)
}

fn walk(mut view: view::View, annotations: Option<&Path>, symbols: &OnDemand, out: impl Write) -> Result<(), Failure> {
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
    report.begin_array("threads")?;
    let walks = stream::iter(0..threads.len()).map(async |number| {
        let symbols = symbols.for_thread(number);
        (number, threads.walk(number, &modules, &crash.state.system_info, &symbols).await)
    });
    let mut walks = pin!(walks.buffered(symbols.threads_at_a_time()));
    while let Some((number, mut stack)) = symbols.drive(walks.next()) {
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
    let symbols = report::few_symbols(symbols.uses(), bounded);
    let own = report::Own { bounded, modules_in_cut_frames, symbols };
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

/// Makes the indexes of symbol files.
fn indexes(mut arguments: lexopt::Parser) -> ExitCode {
    let (mut directory, mut files) = (None, vec![]);
    loop {
        match arguments.next() {
            Ok(Some(Long("indexes"))) => directory = arguments.value().ok().map(PathBuf::from),
            Ok(Some(Long("help") | Short('h'))) => {
                print!("{INDEX_HELP}");
                return ExitCode::SUCCESS;
            }
            Ok(Some(Value(path))) => files.push(PathBuf::from(path)),
            Ok(None) if !files.is_empty() => break,
            _ => {
                eprintln!("socorro-stackwalk: wrong arguments; see socorro-stackwalk index --help");
                return ExitCode::from(WRONG_ARGUMENTS);
            }
        }
    }
    let mut code = ExitCode::SUCCESS;
    for file in files {
        if let Err(error) = symbols::write_index(&file, directory.as_deref()) {
            eprintln!("ERROR cannot index {}: {error}", file.display());
            code = ExitCode::from(UNREADABLE);
        }
    }
    code
}

/// None where what was asked for is printed.
fn parse(mut arguments: lexopt::Parser) -> Result<Option<Options>, lexopt::Error> {
    let mut options = Options {
        ask: None,
        patience: PATIENCE,
        stores: vec![],
        evil_json: None,
        reference: false,
        dump: PathBuf::new(),
    };
    let mut dump: Option<OsString> = None;
    while let Some(argument) = arguments.next()? {
        match argument {
            Long("symbols-path") => options.stores.push(Store::new(arguments.value()?.into())),
            Long("indexes") => {
                let store = options.stores.pop().ok_or("--indexes goes behind its --symbols-path")?;
                options.stores.push(store.with_indexes(arguments.value()?.into()));
            }
            Long("ask") => options.ask = Some(arguments.value()?.parse()?),
            Long("ask-timeout") => options.patience = Duration::from_secs_f64(seconds(&arguments.value()?)?),
            Long("evil-json") => options.evil_json = Some(arguments.value()?.into()),
            Long("reference") => options.reference = true,
            Long("help") | Short('h') => {
                print!("{HELP}");
                return Ok(None);
            }
            Long("version") | Short('V') => {
                println!("socorro-stackwalk {}", env!("CARGO_PKG_VERSION"));
                return Ok(None);
            }
            Value(path) if dump.is_none() => dump = Some(path),
            other => return Err(other.unexpected()),
        }
    }
    options.dump = dump.ok_or("no minidump is given")?.into();
    Ok(Some(options))
}
