//! The stacks of a dump, one thread at a time: none is kept once it is printed, and none is longer in memory than
//! what is printed of it.

use std::cell::Cell;
use std::collections::VecDeque;
use std::panic::{resume_unwind, AssertUnwindSafe};

use futures_util::FutureExt;
use minidump::{
    Minidump, MinidumpBreakpadInfo, MinidumpContext, MinidumpException, MinidumpMiscInfo, MinidumpModuleList,
    MinidumpSystemInfo, MinidumpThread, MinidumpThreadList, MinidumpThreadNames, UnifiedMemory, UnifiedMemoryList,
};
use minidump_processor::ProcessError;
use minidump_unwind::{walk_stack, CallStack, CallStackInfo, FrameTrust, StackFrame, SymbolProvider, SystemInfo};

use crate::bounds;

const ALLOWANCE: Allowance = Allowance { walked: bounds::FRAMES_OF_A_DUMP, printed: bounds::PRINTED_FRAMES };
const HALF: usize = bounds::FRAMES / 2;

/// The threads of a dump, and what is needed to walk them.
pub struct Threads<'a> {
    threads: MinidumpThreadList<'a>,
    names: MinidumpThreadNames,
    system: MinidumpSystemInfo,
    misc: Option<MinidumpMiscInfo>,
    memory: UnifiedMemoryList<'a>,
    exception: Option<MinidumpException<'a>>,
    /// The thread that wrote the dump, which has no stack of interest.
    dumping: Option<u32>,
    asking: Option<u32>,
    allowance: Cell<Allowance>,
}

/// Frames that may still be looked at, and printed, of all threads but the one that crashed.
#[derive(Clone, Copy)]
struct Allowance {
    walked: usize,
    printed: usize,
}

/// The stack of one thread, cut in the middle where it is deep.
pub struct Stack {
    pub thread_id: u32,
    pub thread_name: Option<String>,
    pub last_error: Option<String>,
    /// The frames at the top, each with its number.
    pub top: Vec<StackFrame>,
    /// The frames at the bottom, where some between were left out.
    pub bottom: VecDeque<StackFrame>,
    pub frame_count: usize,
    /// Whether there may be more frames, which nobody looked at.
    pub is_unfinished: bool,
    /// Why the walk ended before its end.
    pub failed: Option<String>,
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
            allowance: Cell::new(ALLOWANCE),
        })
    }

    pub fn len(&self) -> usize {
        self.threads.threads.len()
    }

    /// The number of the thread that crashed, or that asked for the dump.
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
        let mut stack = Stack {
            thread_id: id,
            thread_name: None,
            last_error: None,
            top: vec![],
            bottom: VecDeque::new(),
            frame_count: 0,
            is_unfinished: false,
            failed: None,
        };
        if self.dumping == Some(id) {
            return stack;
        }
        stack.thread_name = self.names.get_name(id).map(|name| name.into_owned());
        stack.last_error = thread.last_error(self.system.cpu, &self.memory).map(|error| error.to_string());
        if let Some(context) = self.context(thread) {
            let memory = self.stack_memory(thread, &context);
            let first = StackFrame::from_context(context, FrameTrust::Context);
            let is_crashed = self.crashed_id() == Some(id);
            let own = Cell::new(ALLOWANCE);
            let allowance = if is_crashed { &own } else { &self.allowance };
            stack.walk(number, first, memory, modules, system, symbols, allowance).await;
        }
        stack
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

    /// The memory that the stack pointer points into: the context of an exception may have another stack than its thread.
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
    #[allow(clippy::too_many_arguments)]
    async fn walk<P: SymbolProvider + Sync>(
        &mut self,
        number: usize,
        first: StackFrame,
        memory: Option<UnifiedMemory<'_, '_>>,
        modules: &MinidumpModuleList,
        system: &SystemInfo,
        symbols: &P,
        allowance: &Cell<Allowance>,
    ) {
        let mut walked = CallStack::with_info(self.thread_id, CallStackInfo::Ok);
        walked.frames.push(first);
        // Frames of `walked` that were taken over already.
        let mut known = 0;
        loop {
            let left = allowance.get();
            let chunk = if self.frame_count == 0 { bounds::FRAMES.min(left.printed) } else { HALF };
            let most = chunk.min(left.walked).max(1);
            let result = walk_some(number, known + most, &mut walked, memory, modules, system, symbols).await;
            let new = walked.frames.len() - known;
            let mut left = allowance.get();
            left.walked = left.walked.saturating_sub(new);
            if self.frame_count == 0 {
                left.printed = left.printed.saturating_sub(new);
            }
            allowance.set(left);
            let is_cut = matches!(result, Ended::Cut);
            let goes_on = is_cut && left.walked > 0 && self.frame_count + new >= bounds::FRAMES;
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
            self.bottom.pop_front();
        }
    }
}

enum Ended {
    AtItsEnd,
    Cut,
    Panicked(String),
}

/// Thrown out of a walk that has found as many frames as it may.
struct Cut;

async fn walk_some<P: SymbolProvider + Sync>(
    number: usize,
    most: usize,
    walked: &mut CallStack,
    memory: Option<UnifiedMemory<'_, '_>>,
    modules: &MinidumpModuleList,
    system: &SystemInfo,
    symbols: &P,
) -> Ended {
    let cut_when_enough = move |index: usize, _: &StackFrame| {
        if index + 1 >= most {
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

/// Leaves of a frame what the walk goes on from: it looks its symbols up again.
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

/// What a panic says.
pub fn said(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().map(String::as_str).or_else(|| panic.downcast_ref::<&str>().copied());
    text.unwrap_or("no message").to_string()
}
