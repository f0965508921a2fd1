//! Walks the stacks of a dump, one thread at a time: no stack is kept once it is printed, or is longer in memory than
//! in the output.

use std::cell::{Cell, RefCell};
use std::collections::{HashSet, VecDeque};
use std::panic::{resume_unwind, AssertUnwindSafe};
use std::sync::atomic::{AtomicUsize, Ordering};

use futures_util::FutureExt;
use minidump::{
    Minidump, MinidumpBreakpadInfo, MinidumpContext, MinidumpException, MinidumpMiscInfo, MinidumpModuleList,
    MinidumpSystemInfo, MinidumpThread, MinidumpThreadList, MinidumpThreadNames, MinidumpUnloadedModuleList, Module,
    UnifiedMemory, UnifiedMemoryList,
};
use minidump_processor::ProcessError;
use minidump_unwind::{walk_stack, CallStack, CallStackInfo, FrameTrust, StackFrame, SymbolProvider, SystemInfo};

use crate::bounds::{self, Bounded};
use crate::lookups::{Lookups, TooMuch};
use crate::report;

const HALF: usize = bounds::FRAMES / 2;

/// The threads of a dump, and everything needed to walk them.
pub struct Threads<'a> {
    threads: MinidumpThreadList<'a>,
    names: MinidumpThreadNames,
    system: MinidumpSystemInfo,
    misc: Option<MinidumpMiscInfo>,
    memory: UnifiedMemoryList<'a>,
    exception: Option<MinidumpException<'a>>,
    /// The id of the thread that wrote the dump, whose stack is of no interest.
    dumping: Option<u32>,
    asking: Option<u32>,
    /// The allowance of the thread that crashed.
    crashed_allowance: Allowance,
    /// The allowance of all other threads together.
    allowance: Allowance,
    printed: RefCell<Printed>,
    too_much: TooMuch,
}

/// The rest of the budget: frames, look-ups of symbols, and bytes of output.
struct Allowance {
    frames: Cell<usize>,
    lookups: AtomicUsize,
    output: Cell<usize>,
}

impl Allowance {
    fn new(output: usize) -> Self {
        Allowance {
            frames: Cell::new(bounds::FRAMES_OF_A_DUMP),
            lookups: AtomicUsize::new(bounds::LOOKUPS_OF_A_DUMP),
            output: Cell::new(output),
        }
    }

    fn has_lookups(&self) -> bool {
        self.lookups.load(Ordering::Relaxed) > 0
    }

    fn is_used_up(&self) -> bool {
        !self.has_lookups() || self.frames.get() == 0 || self.output.get() == 0
    }
}

/// Facts about the stacks printed so far.
struct Printed {
    /// Bytes left for the first frames of threads whose allowance was used up by those before.
    last_frames: usize,
    unfinished: usize,
    /// The modules of frames that were printed, and of those that were cut, by their addresses.
    modules: HashSet<u64>,
    cut_modules: HashSet<u64>,
}

/// The stack of one thread, cut in the middle where it is deep.
#[derive(Default)]
pub struct Stack {
    pub thread_id: u32,
    pub thread_name: Option<String>,
    pub last_error: Option<String>,
    /// The frames at the top.
    pub top: Vec<StackFrame>,
    /// The frames at the bottom, if frames in the middle were left out.
    pub bottom: VecDeque<StackFrame>,
    pub frame_count: usize,
    /// True if the walk stopped early, so that there may be more frames.
    pub is_unfinished: bool,
    /// The error that ended the walk early.
    pub failed: Option<String>,
    /// The modules of frames that were cut, by their addresses.
    cut_modules: HashSet<u64>,
}

impl<'a> Threads<'a> {
    pub fn read(dump: &'a Minidump<'a, &'a [u8]>) -> Result<Self, ProcessError> {
        let threads = dump.get_stream().or(Err(ProcessError::MissingThreadList))?;
        let system = dump.get_stream().or(Err(ProcessError::MissingSystemInfo))?;
        let breakpad: Option<MinidumpBreakpadInfo> = dump.get_stream().ok();
        Ok(Threads {
            threads,
            system,
            names: dump.get_stream().unwrap_or_default(),
            misc: dump.get_stream().ok(),
            memory: dump.get_memory().unwrap_or_default(),
            exception: dump.get_stream().ok(),
            dumping: breakpad.as_ref().and_then(|info| info.dump_thread_id),
            asking: breakpad.as_ref().and_then(|info| info.requesting_thread_id),
            crashed_allowance: Allowance::new(bounds::OUTPUT_OF_A_STACK),
            allowance: Allowance::new(bounds::output_of_stacks(0)),
            printed: RefCell::new(Printed {
                last_frames: bounds::OUTPUT_OF_LAST_FRAMES,
                unfinished: 0,
                modules: HashSet::new(),
                cut_modules: HashSet::new(),
            }),
            too_much: TooMuch::default(),
        })
    }

    /// Sets the output that is left for the stacks after `printed` bytes.
    pub fn make_room_for(&self, printed: usize) {
        self.allowance.output.set(bounds::output_of_stacks(printed));
    }

    pub fn len(&self) -> usize {
        self.threads.threads.len()
    }

    /// The index of the thread that crashed, or that asked for the dump.
    pub fn crashed(&self) -> Option<usize> {
        let crashed = self.crashed_id();
        let is_crashed = |thread: &MinidumpThread| {
            self.dumping != Some(thread.raw.thread_id) && crashed == Some(thread.raw.thread_id)
        };
        self.threads.threads.iter().rposition(is_crashed)
    }

    fn crashed_id(&self) -> Option<u32> {
        self.exception.as_ref().map(MinidumpException::get_crashing_thread_id).or(self.asking)
    }

    pub async fn walk<P: SymbolProvider + Sync>(
        &self,
        number: usize,
        modules: &MinidumpModuleList,
        system: &SystemInfo,
        symbols: &P,
    ) -> Stack {
        let thread = &self.threads.threads[number];
        let id = thread.raw.thread_id;
        let mut stack = Stack { thread_id: id, ..Default::default() };
        if self.dumping == Some(id) {
            return stack;
        }
        stack.thread_name = self.names.get_name(id).map(|name| name.into_owned());
        stack.last_error = thread.last_error(self.system.cpu, &self.memory).map(|error| error.to_string());
        if let Some(context) = self.context(thread) {
            let memory = self.stack_memory(thread, &context);
            let first = StackFrame::from_context(context, FrameTrust::Context);
            let allowance = self.allowance_of(id);
            let symbols = Lookups::new(symbols, &allowance.lookups, &self.too_much);
            stack.walk(number, first, memory, modules, system, &symbols, allowance).await;
        }
        stack
    }

    /// Adds unloaded modules to the frames of a stack, and cuts it to the allowed output.
    pub fn complete(&self, stack: &mut Stack, unloaded_modules: &MinidumpUnloadedModuleList, bounded: &mut Bounded) {
        for frame in stack.top.iter_mut().chain(&mut stack.bottom) {
            name_unloaded_modules(frame, unloaded_modules, bounded);
        }
        let printed = &mut *self.printed.borrow_mut();
        let output = &self.allowance_of(stack.thread_id).output;
        let left = output.get();
        if stack.top.first().is_some_and(|frame| report::frame_size(frame) > left) {
            output.set(0);
            printed.last_frames -= stack.fit(printed.last_frames);
        } else {
            output.set(left - stack.fit(left.min(bounds::OUTPUT_OF_A_STACK)));
        }
        let frames = stack.top.iter().chain(&stack.bottom);
        printed.modules.extend(frames.filter_map(module_address));
        printed.cut_modules.extend(stack.cut_modules.drain());
        if stack.frame_count > bounds::FRAMES {
            bounded.count("frames", stack.frame_count);
        } else if stack.is_cut() {
            bounded.count("frames_not_printed", stack.frame_count - stack.top.len());
        }
        if stack.is_unfinished {
            printed.unfinished += 1;
            bounded.count("unfinished_stacks", printed.unfinished);
        }
    }

    /// Reports the bounds that symbols exceeded.
    pub fn report_bounds(&self, bounded: &mut Bounded) {
        self.too_much.report_bounds(bounded);
        if !(self.allowance.has_lookups() && self.crashed_allowance.has_lookups()) {
            bounded.count("lookups", bounds::LOOKUPS_OF_A_DUMP);
        }
    }

    /// The sorted file names of modules that occur only in cut frames.
    pub fn modules_in_cut_frames<'m>(&self, modules: &'m MinidumpModuleList, bounded: &mut Bounded) -> Vec<&'m str> {
        let printed = self.printed.borrow();
        let met = printed.cut_modules.difference(&printed.modules);
        let met = met.filter_map(|address| modules.module_at_address(*address));
        let mut names: Vec<_> = met.map(|module| report::last_part(&module.name)).collect();
        names.sort_unstable();
        names.dedup();
        if names.len() > bounds::MODULES_IN_CUT_FRAMES {
            bounded.count("modules_in_cut_frames", names.len());
            names.truncate(bounds::MODULES_IN_CUT_FRAMES);
        }
        names
    }

    fn allowance_of(&self, id: u32) -> &Allowance {
        if self.crashed_id() == Some(id) {
            &self.crashed_allowance
        } else {
            &self.allowance
        }
    }

    fn context(&self, thread: &MinidumpThread) -> Option<MinidumpContext> {
        let misc = self.misc.as_ref();
        let of_exception = self
            .exception
            .as_ref()
            .filter(|_| self.crashed_id() == Some(thread.raw.thread_id))
            .and_then(|exception| exception.context(&self.system, misc));
        of_exception.or_else(|| thread.context(&self.system, misc)).map(|context| context.into_owned())
    }

    /// The memory that the stack pointer points into. In the context of an exception, that may be another stack than the
    /// thread's.
    fn stack_memory<'m>(
        &'m self,
        thread: &'m MinidumpThread<'a>,
        context: &MinidumpContext,
    ) -> Option<UnifiedMemory<'m, 'a>> {
        let pointer = context.get_stack_pointer();
        let of_thread = thread.stack_memory(&self.memory);
        if of_thread.and_then(|memory| memory.get_memory_at_address::<u64>(pointer)).is_some() {
            return of_thread;
        }
        self.memory.memory_at_address(pointer).or(of_thread)
    }
}

impl Stack {
    /// True if frames are missing.
    pub fn is_truncated(&self) -> bool {
        self.is_unfinished || self.is_cut()
    }

    fn is_cut(&self) -> bool {
        self.top.len() + self.bottom.len() < self.frame_count
    }

    #[allow(clippy::too_many_arguments)]
    async fn walk<P: SymbolProvider + Sync>(
        &mut self,
        number: usize,
        first: StackFrame,
        memory: Option<UnifiedMemory<'_, '_>>,
        modules: &MinidumpModuleList,
        system: &SystemInfo,
        symbols: &P,
        allowance: &Allowance,
    ) {
        let mut walked = CallStack::with_info(self.thread_id, CallStackInfo::Ok);
        walked.frames.push(first);
        // Frames of `walked` that were taken over already.
        let mut known = 0;
        loop {
            let chunk = if self.frame_count == 0 { bounds::FRAMES } else { HALF };
            let most = if allowance.is_used_up() { 1 } else { chunk.min(allowance.frames.get()) };
            let lookups = &allowance.lookups;
            let result = walk_some(number, known + most, lookups, &mut walked, memory, modules, system, symbols).await;
            let new = walked.frames.len() - known;
            allowance.frames.set(allowance.frames.get().saturating_sub(new));
            let is_cut = matches!(result, Ended::Cut);
            let goes_on = is_cut && new == chunk && !allowance.is_used_up();
            self.is_unfinished = is_cut && !goes_on;
            let again = goes_on.then(|| walked.frames[walked.frames.len().saturating_sub(2)..].to_vec());
            for frame in walked.frames.drain(..).skip(known) {
                self.take(frame);
            }
            if let Ended::Panicked(why) = result {
                self.failed = Some(why);
            }
            let Some(mut again) = again else { return };
            if let Some(last) = again.last_mut() {
                forget_symbols(last);
            }
            known = again.len();
            walked.frames = again;
        }
    }

    fn take(&mut self, frame: StackFrame) {
        self.frame_count += 1;
        if self.bottom.is_empty() && self.top.len() < bounds::FRAMES {
            self.top.push(frame);
            return;
        }
        if self.bottom.is_empty() {
            self.bottom = self.top.drain(HALF..).collect();
        }
        self.bottom.push_back(frame);
        if self.bottom.len() > HALF {
            self.cut_modules.extend(self.bottom.pop_front().as_ref().and_then(module_address));
        }
    }

    /// Keeps as many frames as fit into `room` bytes of output: from the top and, if the stack was cut in the middle,
    /// equally from the bottom. Returns their size in bytes.
    fn fit(&mut self, room: usize) -> usize {
        let each = if self.bottom.is_empty() { room } else { room / 2 };
        let (top, top_size) = fitting(self.top.iter(), each);
        let (bottom, bottom_size) = fitting(self.bottom.iter().rev(), each);
        let left_out = self.bottom.len() - bottom;
        let cut = self.top.drain(top..).chain(self.bottom.drain(..left_out));
        self.cut_modules.extend(cut.filter_map(|frame| module_address(&frame)));
        top_size + bottom_size
    }
}

/// The number of first `frames` that fit into `room` bytes together, and their size in bytes.
fn fitting<'f>(frames: impl Iterator<Item = &'f StackFrame>, room: usize) -> (usize, usize) {
    let (mut count, mut all) = (0, 0);
    for frame in frames {
        let size = report::frame_size(frame);
        if all + size > room {
            break;
        }
        all += size;
        count += 1;
    }
    (count, all)
}

fn module_address(frame: &StackFrame) -> Option<u64> {
    frame.module.as_ref().map(|module| module.raw.base_of_image)
}

/// Adds to a frame without a module the unloaded modules that were at its address, with its offsets in them.
fn name_unloaded_modules(frame: &mut StackFrame, modules: &MinidumpUnloadedModuleList, bounded: &mut Bounded) {
    if frame.module.is_some() {
        return;
    }
    let address = frame.instruction;
    let mut count = 0;
    for module in modules.modules_at_address(address) {
        count += 1;
        if count <= bounds::UNLOADED_MODULES_OF_A_FRAME {
            let offset = address.wrapping_sub(module.base_address());
            frame.unloaded_modules.entry(module.name.clone()).or_default().insert(offset);
        }
    }
    if count > bounds::UNLOADED_MODULES_OF_A_FRAME {
        bounded.count("unloaded_modules_of_a_frame", count);
    }
}

enum Ended {
    AtItsEnd,
    Cut,
    Panicked(String),
}

/// Thrown to end a walk that has reached its bound of frames or look-ups.
struct Cut;

#[allow(clippy::too_many_arguments)]
async fn walk_some<P: SymbolProvider + Sync>(
    number: usize,
    most: usize,
    lookups: &AtomicUsize,
    walked: &mut CallStack,
    memory: Option<UnifiedMemory<'_, '_>>,
    modules: &MinidumpModuleList,
    system: &SystemInfo,
    symbols: &P,
) -> Ended {
    let cut_when_enough = move |index: usize, _: &StackFrame| {
        if index + 1 >= most || lookups.load(Ordering::Relaxed) == 0 {
            resume_unwind(Box::new(Cut));
        }
    };
    let walk = walk_stack(number, cut_when_enough, walked, memory, modules, system, symbols);
    match AssertUnwindSafe(walk).catch_unwind().await {
        Ok(()) => Ended::AtItsEnd,
        Err(thrown) if thrown.is::<Cut>() => Ended::Cut,
        Err(panic) => Ended::Panicked(said(&*panic)),
    }
}

/// Removes the symbols from a frame before the walk goes on from it and looks them up again.
fn forget_symbols(frame: &mut StackFrame) {
    frame.module = None;
    frame.function_name = None;
    frame.function_base = None;
    frame.parameter_size = None;
    frame.source_file_name = None;
    frame.source_line = None;
    frame.source_line_base = None;
    frame.inlines.clear();
}

/// The message of a panic.
pub fn said(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().map(String::as_str).or_else(|| panic.downcast_ref::<&str>().copied());
    text.unwrap_or("no message").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use minidump::format::CONTEXT_AMD64;
    use minidump::{MinidumpContextValidity, MinidumpModule, MinidumpRawContext};

    fn frame(number: u64) -> StackFrame {
        let context = CONTEXT_AMD64 { rip: number, ..Default::default() };
        let context = MinidumpContext { raw: MinidumpRawContext::Amd64(context), valid: MinidumpContextValidity::All };
        let mut frame = StackFrame::from_context(context, FrameTrust::Scan);
        frame.module = Some(MinidumpModule::new(number, 1, "app"));
        frame
    }

    fn stack(frames: u64) -> Stack {
        let mut stack = Stack::default();
        (0..frames).for_each(|number| stack.take(frame(number)));
        stack
    }

    fn numbers(stack: &Stack) -> (Vec<u64>, Vec<u64>) {
        let numbers = |frames: &mut dyn Iterator<Item = &StackFrame>| frames.map(|frame| frame.instruction).collect();
        (numbers(&mut stack.top.iter()), numbers(&mut stack.bottom.iter()))
    }

    #[test]
    fn a_stack_within_the_bound_is_whole() {
        let stack = stack(500);
        assert_eq!(numbers(&stack), ((0..500).collect(), vec![]));
        assert!(!stack.is_truncated());
    }

    #[test]
    fn a_deeper_stack_keeps_both_ends_and_the_modules_in_between() {
        let stack = stack(1_000);
        assert_eq!(numbers(&stack), ((0..250).collect(), (750..1_000).collect()));
        assert_eq!(stack.frame_count, 1_000);
        assert_eq!(stack.cut_modules, (250..750).collect());
        assert!(stack.is_truncated());
    }

    #[test]
    fn frames_without_room_are_cut_from_the_end_or_from_the_middle() {
        let size = report::frame_size(&frame(0));
        let mut shallow = stack(10);
        assert_eq!(shallow.fit(4 * size + 1), 4 * size);
        assert_eq!(numbers(&shallow), ((0..4).collect(), vec![]));
        assert!(shallow.is_truncated());
        let mut deep = stack(1_000);
        assert_eq!(deep.fit(4 * size), 4 * size);
        assert_eq!(numbers(&deep), (vec![0, 1], vec![998, 999]));
        assert_eq!(deep.cut_modules.len(), 996);
    }

    #[test]
    fn a_frame_without_a_module_has_a_bounded_number_of_unloaded_ones() {
        let there = |number| minidump::MinidumpUnloadedModule::new(0x1000, 0x100, &format!("{number:03}"));
        let modules = MinidumpUnloadedModuleList::from_modules((0..100).map(there).collect());
        let mut bounded = Bounded::default();
        let mut frame = frame(0x1010);
        name_unloaded_modules(&mut frame, &modules, &mut bounded);
        assert!(frame.unloaded_modules.is_empty());
        frame.module = None;
        name_unloaded_modules(&mut frame, &modules, &mut bounded);
        assert_eq!(frame.unloaded_modules.len(), bounds::UNLOADED_MODULES_OF_A_FRAME);
        assert_eq!(frame.unloaded_modules["000"], [0x10].into());
        assert_eq!(serde_json::to_string(&bounded).unwrap(), r#"{"unloaded_modules_of_a_frame":100}"#);
    }
}
