//! `socorro-stackwalk DUMP`: walks a minidump thread by thread, or with `--reference` as the crates do.

use std::fs::File;
use std::future::Future;
use std::io::{self, Write};
use std::os::fd::RawFd;
use std::path::{Path, PathBuf};
use std::pin::{pin, Pin};
use std::time::Duration;

use futures_util::stream::{self, StreamExt};
use memmap2::Mmap;
use minidump::{Minidump, MinidumpModuleList, MinidumpUnloadedModuleList};
use minidump_processor::{process_minidump_with_options, ProcessError, ProcessState, ProcessorOptions};
use minidump_unwind::{simple_symbol_supplier, MultiSymbolProvider, SymbolProvider, Symbolizer};

use crate::asking::Asking;
use crate::certificates::Annotations;
use crate::dump_file::{self, not_mapped};
use crate::failure::{say, Failure};
use crate::symbols::{OnDemand, Store};
use crate::{bounds, crash, crashpad, report, sandbox, streams, view, walk};

pub struct Options {
    pub ask: Option<RawFd>,
    pub patience: Duration,
    pub stores: Vec<Store>,
    pub index_path: Option<PathBuf>,
    pub evil_json: Option<PathBuf>,
    pub reference: bool,
    pub dump: PathBuf,
}

impl Options {
    /// Paths that may be opened besides the dump.
    pub fn readable(&self) -> Vec<&Path> {
        let symbols = self.stores.iter().flat_map(Store::directories);
        symbols.chain(self.evil_json.as_deref()).collect()
    }

    /// Warns of files given as directories. Nothing is read from them, as if they were missing.
    fn warn_of_files_as_directories(&self) {
        let stores = self.stores.iter().map(|store| ("--symbols-path", &store.directory));
        for (option, path) in stores.chain(self.index_path.iter().map(|path| ("--index-path", path))) {
            if path.metadata().is_ok_and(|metadata| !metadata.is_dir()) {
                let path = path.display();
                say(&format!("socorro-stackwalk: {option} {path} is not a directory, nothing is read from it"));
            }
        }
    }

    fn asking(&self) -> Option<Asking> {
        self.ask.map(|descriptor| Asking::new(descriptor, self.patience))
    }
}

pub fn run(options: &Options, out: impl Write) -> Result<(), Failure> {
    let file = dump_file::open(&options.dump)?;
    options.warn_of_files_as_directories();
    sandbox::enter(&options.readable());
    if options.reference {
        return reference(options, &file, out);
    }
    let symbols = OnDemand::new(options.stores.clone(), options.asking());
    if view::is_too_large(&file) {
        return whole(options, &file, &symbols, out);
    }
    let view = view::View::open(&file).map_err(|error| not_mapped(&file, error))??;
    walk_threads(view, &streams::read(&file), options.evil_json.as_deref(), &symbols, out)
}

fn walk_threads(
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
    threads.report_bounds(bounded);
    let modules_in_cut_frames = &threads.modules_in_cut_frames(&modules, bounded);
    let crashpad = crashpad::read(&dump, view.bytes(), bounded);
    let symbols = report::bounded_symbols(symbols.uses(), bounded);
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

/// Walks through the crates' entry point with our symbols. For a dump of several gigabytes, which cannot have a view
/// because its 32-bit pointers reach nothing after it.
fn whole(options: &Options, file: &File, symbols: &OnDemand, out: impl Write) -> Result<(), Failure> {
    by_the_crates(options, file, &symbols.for_thread(0), |walk| symbols.drive(walk), out)
}

/// Walks through the crates' entry point.
fn reference(options: &Options, file: &File, out: impl Write) -> Result<(), Failure> {
    let mut symbols = MultiSymbolProvider::new();
    // Without a directory no symbols are looked up, so no module is reported as missing them.
    if !options.stores.is_empty() {
        let directories = options.stores.iter().map(|store| store.directory.clone()).collect();
        symbols.add(Box::new(Symbolizer::new(simple_symbol_supplier(directories))));
    }
    by_the_crates(options, file, &symbols, |walk| crash::ready(walk), out)
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
