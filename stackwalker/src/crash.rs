//! All that the crates say of a crash but its threads and modules.

use std::future::Future;
use std::pin::pin;
use std::task::{Context, Poll, Waker};

use minidump::{Minidump, MinidumpModuleList};
use minidump_processor::{process_minidump_with_options, ProcessError, ProcessState, ProcessorOptions};
use minidump_unwind::{string_symbol_supplier, Symbolizer};
use serde_json::{Map, Value};

/// What `print_json` says of the crash and of its system, and the subjects of the certificates by module.
pub struct Crash {
    pub fields: Map<String, Value>,
    pub state: ProcessState,
}

/// `dump` must be one that shows the crash only.
pub fn read(dump: &Minidump<'_, &[u8]>, options: ProcessorOptions) -> Result<Crash, ProcessError> {
    let nothing = Symbolizer::new(string_symbol_supplier(Default::default()));
    let mut state = ready(process_minidump_with_options(dump, &nothing, options))?;
    state.modules = MinidumpModuleList::new();
    let mut json = vec![];
    state.print_json(&mut json, false).map_err(|_| ProcessError::UnknownError)?;
    let fields = serde_json::from_slice(&json).map_err(|_| ProcessError::UnknownError)?;
    Ok(Crash { fields, state })
}

/// What a future gives that never waits.
pub fn ready<T>(future: impl Future<Output = T>) -> T {
    let mut future = pin!(future);
    loop {
        if let Poll::Ready(result) = future.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
            return result;
        }
    }
}
