//! The crates' output for a crash, without its threads and modules.

use std::future::Future;
use std::pin::pin;
use std::task::{Context, Poll, Waker};

use minidump::{Minidump, MinidumpLinuxCpuInfo, MinidumpModuleList};
use minidump_processor::{process_minidump, ProcessError, ProcessState};
use minidump_unwind::{string_symbol_supplier, Symbolizer};
use serde_json::{Map, Value};

use crate::certificates::Annotations;

/// The output of `print_json` for the crash and its system.
pub struct Crash {
    pub fields: Map<String, Value>,
    pub state: ProcessState,
}

/// Reads the crash. `dump` must be a view that shows only the crash.
pub fn read(dump: &Minidump<'_, &[u8]>) -> Result<Crash, ProcessError> {
    let nothing = Symbolizer::new(string_symbol_supplier(Default::default()));
    let mut state = ready(process_minidump(dump, &nothing))?;
    state.modules = MinidumpModuleList::new();
    let mut json = vec![];
    state.print_json(&mut json, false).map_err(|_| ProcessError::UnknownError)?;
    let fields = serde_json::from_slice(&json).map_err(|_| ProcessError::UnknownError)?;
    Ok(Crash { fields, state })
}

impl Crash {
    /// Adds the fields that come from annotations.
    pub fn complete(&mut self, dump: &Minidump<'_, &[u8]>, annotations: &Annotations) {
        let has_certificates = !annotations.certificates.is_empty();
        self.fields.insert("modules_contains_cert_info".to_string(), has_certificates.into());
        let cpu_info: MinidumpLinuxCpuInfo = dump.get_stream().unwrap_or_default();
        let tells_microcode =
            cpu_info.iter().any(|(key, value)| key.as_bytes() == b"microcode" && value.to_str().is_ok());
        if let (false, Some(version)) = (tells_microcode, annotations.microcode_version()) {
            self.fields["system_info"]["cpu_microcode_version"] = version;
        }
    }
}

/// The result of a future that never waits.
pub fn ready<T>(future: impl Future<Output = T>) -> T {
    let mut future = pin!(future);
    loop {
        if let Poll::Ready(result) = future.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
            return result;
        }
    }
}
