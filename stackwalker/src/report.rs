//! Writes the JSON: the fields of minidump-stackwalk and, below a key of its own, those that only this program has.
//! Each thread is printed once it is walked, and the modules after all threads.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::io::{self, Write};
use std::rc::Rc;
use std::time::Duration;

use minidump::system_info::PointerWidth;
use minidump::MinidumpUnloadedModuleList;
use minidump::{MinidumpContextValidity, MinidumpHandleDataStream, MinidumpModule, MinidumpModuleList, Module};
use minidump_unwind::{InlineFrame, StackFrame, SymbolStats};
use serde::ser::{SerializeMap, SerializeSeq};
use serde::{Serialize, Serializer};
use serde_json::{Map, Value};

use crate::bounds::{self, beginning, Bounded};
use crate::crashpad::Crashpad;
use crate::streams::Stream;
use crate::symbols::UseReport;
use crate::walk::Stack;

/// The key of everything that minidump-stackwalk does not print.
pub const OWN_KEY: &str = "socorro_stackwalk";

/// The value of `OWN_KEY`.
#[derive(Serialize)]
pub struct Own<'a> {
    #[serde(skip_serializing_if = "Bounded::is_empty")]
    pub bounded: &'a Bounded,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub crashpad: Option<&'a Crashpad>,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    pub errors: &'a [WalkError],
    pub seconds: Seconds,
    pub streams: &'a [Stream],
    /// The file names of modules that occur only in cut frames: symbols were looked up in them.
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    pub modules_in_cut_frames: &'a [&'a str],
    /// How the symbols of modules were used, by their path in a store.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub symbols: BTreeMap<String, UseReport>,
}

/// The error of a thread whose walk failed.
#[derive(Serialize)]
pub struct WalkError {
    error: String,
    /// The thread's index in `threads`.
    thread: usize,
}

impl WalkError {
    /// The error of the walk of `stack`, the stack of thread number `thread`; None if the walk did not fail.
    pub fn of(thread: usize, stack: &Stack) -> Option<Self> {
        let why = stack.failed.as_ref()?;
        Some(WalkError { error: bounds::beginning(why, bounds::MESSAGE).to_string(), thread })
    }
}

/// CPU time of this process.
#[derive(Default, Serialize)]
pub struct Seconds {
    pub total: f64,
    /// The part of `total` that the walks took.
    pub walking: f64,
}

impl Seconds {
    pub fn used() -> f64 {
        let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
        unsafe { libc::clock_gettime(libc::CLOCK_PROCESS_CPUTIME_ID, &mut time) };
        Duration::new(time.tv_sec as u64, time.tv_nsec as u32).as_secs_f64()
    }

    /// Rounds to microseconds.
    pub fn new(total: f64, walking: f64) -> Self {
        let rounded = |seconds: f64| (seconds * 1e6).round() / 1e6;
        Seconds { total: rounded(total), walking: rounded(walking) }
    }
}

/// Drops the uses of symbols that exceed the bound of the output.
pub fn bounded_symbols(mut symbols: BTreeMap<String, UseReport>, bounded: &mut Bounded) -> BTreeMap<String, UseReport> {
    let (count, mut size) = (symbols.len(), 0);
    symbols.retain(|path, _| {
        size += printed_size(path);
        size <= bounds::OUTPUT_OF_SYMBOLS
    });
    if symbols.len() < count {
        bounded.count("symbols", count);
    }
    symbols
}

/// Facts that all frames and modules of a dump share.
#[derive(Clone, Copy)]
pub struct Surroundings<'a> {
    pub width: PointerWidth,
    pub certificates: &'a HashMap<String, Rc<str>>,
}

/// Writes one JSON object, field by field.
pub struct Report<W: Write> {
    out: Counting<W>,
    is_empty: bool,
}

/// Counts the bytes that are written.
struct Counting<W> {
    out: W,
    written: usize,
}

impl<W: Write> Write for Counting<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.out.write(bytes)?;
        self.written += written;
        Ok(written)
    }

    fn write_all(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.written += bytes.len();
        self.out.write_all(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

impl<W: Write> Report<W> {
    pub fn new(out: W) -> io::Result<Self> {
        let mut out = Counting { out, written: 0 };
        out.write_all(b"{")?;
        Ok(Report { out, is_empty: true })
    }

    pub fn field(&mut self, key: &str, value: &impl Serialize) -> io::Result<()> {
        self.key(key)?;
        serde_json::to_writer(&mut self.out, value).map_err(io::Error::from)
    }

    pub fn begin_array(&mut self, key: &str) -> io::Result<()> {
        self.key(key)?;
        self.is_empty = true;
        self.out.write_all(b"[")
    }

    pub fn item(&mut self, value: &impl Serialize) -> io::Result<()> {
        self.separate()?;
        serde_json::to_writer(&mut self.out, value).map_err(io::Error::from)
    }

    /// Writes items until they take `most` bytes. If some are left out, counts all of them as `name` in `bounded`.
    pub fn items<T: Serialize>(
        &mut self,
        items: impl ExactSizeIterator<Item = T>,
        most: usize,
        name: &'static str,
        bounded: &mut Bounded,
    ) -> io::Result<()> {
        let (all, end) = (items.len(), self.written() + most);
        for item in items {
            if self.written() > end {
                bounded.count(name, all);
                break;
            }
            self.item(&item)?;
        }
        Ok(())
    }

    /// The number of bytes written so far.
    pub fn written(&self) -> usize {
        self.out.written
    }

    pub fn end_array(&mut self) -> io::Result<()> {
        self.is_empty = false;
        self.out.write_all(b"]")
    }

    pub fn end(mut self) -> io::Result<()> {
        self.out.write_all(b"}\n")?;
        self.out.flush()
    }

    fn key(&mut self, key: &str) -> io::Result<()> {
        self.separate()?;
        serde_json::to_writer(&mut self.out, key)?;
        self.out.write_all(b":")
    }

    fn separate(&mut self) -> io::Result<()> {
        if !self.is_empty {
            self.out.write_all(b",")?;
        }
        self.is_empty = false;
        Ok(())
    }
}

/// Removes from the fields of a crash those that this module writes.
pub fn without_lists(mut fields: Map<String, Value>) -> Map<String, Value> {
    for key in ["crashing_thread", "handles", "modules", "thread_count", "threads", "unloaded_modules"] {
        fields.remove(key);
    }
    fields
}

/// One thread: an entry of `threads`, or the `crashing_thread`, which also has its index and registers.
pub struct ThreadReport<'a> {
    pub stack: &'a Stack,
    pub crashed: Option<usize>,
    pub surroundings: Surroundings<'a>,
}

impl Serialize for ThreadReport<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let stack = self.stack;
        let mut fields = serializer.serialize_map(None)?;
        fields.serialize_entry("frame_count", &stack.frame_count)?;
        fields.serialize_entry("frames", &FramesReport(self))?;
        fields.serialize_entry("last_error_value", &stack.last_error)?;
        fields.serialize_entry("thread_id", &stack.thread_id)?;
        fields.serialize_entry("thread_name", &stack.thread_name)?;
        if let Some(number) = self.crashed {
            fields.serialize_entry("threads_index", &number)?;
        }
        if stack.is_truncated() {
            fields.serialize_entry("truncated", &true)?;
        }
        fields.end()
    }
}

struct FramesReport<'a>(&'a ThreadReport<'a>);

impl Serialize for FramesReport<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let ThreadReport { stack, crashed, surroundings } = *self.0;
        let mut frames = serializer.serialize_seq(None)?;
        for (number, frame) in stack.top.iter().enumerate() {
            let with_registers = number == 0 && crashed.is_some();
            frames.serialize_element(&FrameReport { number, frame, with_registers, surroundings })?;
        }
        let below = stack.frame_count - stack.bottom.len();
        if below > stack.top.len() {
            frames.serialize_element(&Gap(below - stack.top.len()))?;
        }
        for (index, frame) in stack.bottom.iter().enumerate() {
            let number = below + index;
            frames.serialize_element(&FrameReport { number, frame, with_registers: false, surroundings })?;
        }
        frames.end()
    }
}

/// The entry in place of frames that were cut.
struct Gap(usize);

impl Serialize for Gap {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let message = format!("{} frames truncated", with_thousands(self.0));
        let mut fields = serializer.serialize_map(Some(1))?;
        fields.serialize_entry("truncated", &BTreeMap::from([("msg", message)]))?;
        fields.end()
    }
}

fn with_thousands(number: usize) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

struct FrameReport<'a> {
    number: usize,
    frame: &'a StackFrame,
    with_registers: bool,
    surroundings: Surroundings<'a>,
}

impl Serialize for FrameReport<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let frame = self.frame;
        let module = frame.module.as_ref();
        let address = frame.instruction;
        let hex = |value: u64| Hex { value, width: self.surroundings.width };
        let mut fields = serializer.serialize_map(None)?;
        fields.serialize_entry("file", &frame.source_file_name)?;
        fields.serialize_entry("frame", &self.number)?;
        fields.serialize_entry("function", &frame.function_name)?;
        fields.serialize_entry("function_offset", &frame.function_base.map(|base| hex(address.wrapping_sub(base))))?;
        fields.serialize_entry("inlines", &(!frame.inlines.is_empty()).then(|| Inlines(&frame.inlines)))?;
        fields.serialize_entry("line", &frame.source_line)?;
        fields.serialize_entry("missing_symbols", &frame.function_name.is_none())?;
        fields.serialize_entry("module", &module.map(|module| last_part(&module.name)))?;
        let module_offset = module.map(|module| hex(address.wrapping_sub(module.raw.base_of_image)));
        fields.serialize_entry("module_offset", &module_offset)?;
        fields.serialize_entry("offset", &hex(address))?;
        if self.with_registers {
            fields.serialize_entry("registers", &Registers(frame))?;
        }
        fields.serialize_entry("trust", frame.trust.as_str())?;
        let unloaded_modules = &self.frame.unloaded_modules;
        let unloaded_modules = (!unloaded_modules.is_empty()).then_some(UnloadedModules(unloaded_modules, hex));
        fields.serialize_entry("unloaded_modules", &unloaded_modules)?;
        fields.end()
    }
}

/// The size of a printed frame in bytes, or slightly more.
pub fn frame_size(frame: &StackFrame) -> usize {
    const NUMBERS_AND_KEYS: usize = 320;
    const INLINE: usize = 50;
    const UNLOADED_MODULE: usize = 30;
    const OFFSET: usize = 21;
    let optional = |text: Option<&str>| text.map_or(0, printed_size);
    let module = optional(frame.module.as_ref().map(|module| last_part(&module.name)));
    let function = optional(frame.function_name.as_deref()) + optional(frame.source_file_name.as_deref());
    let inlines = frame
        .inlines
        .iter()
        .map(|inline| INLINE + printed_size(&inline.function_name) + optional(inline.source_file_name.as_deref()));
    let unloaded_modules = frame.unloaded_modules.iter();
    let unloaded_modules =
        unloaded_modules.map(|(name, offsets)| UNLOADED_MODULE + printed_size(name) + OFFSET * offsets.len());
    NUMBERS_AND_KEYS + module + function + inlines.sum::<usize>() + unloaded_modules.sum::<usize>()
}

/// The size of a text in JSON, in bytes.
fn printed_size(text: &str) -> usize {
    let size_of = |byte: u8| match byte {
        b'"' | b'\\' => 2,
        0..0x20 => 6,
        _ => 1,
    };
    text.bytes().map(size_of).sum()
}

struct UnloadedModules<'a, H>(&'a BTreeMap<String, BTreeSet<u64>>, H);

impl<H: Fn(u64) -> Hex> Serialize for UnloadedModules<'_, H> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct UnloadedModule<'a> {
            module: &'a str,
            offsets: Vec<Hex>,
        }
        serializer.collect_seq(self.0.iter().map(|(module, offsets)| UnloadedModule {
            module,
            offsets: offsets.iter().map(|offset| self.1(*offset)).collect(),
        }))
    }
}

struct Inlines<'a>(&'a [InlineFrame]);

impl Serialize for Inlines<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct Inline<'a> {
            file: Option<&'a str>,
            function: &'a str,
            line: Option<u32>,
        }
        serializer.collect_seq(self.0.iter().map(|inline| Inline {
            file: inline.source_file_name.as_deref(),
            function: &inline.function_name,
            line: inline.source_line,
        }))
    }
}

struct Registers<'a>(&'a StackFrame);

impl Serialize for Registers<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let context = &self.0.context;
        let valid = context.general_purpose_registers().iter().filter(|register| match &context.valid {
            MinidumpContextValidity::All => true,
            MinidumpContextValidity::Some(valid) => valid.contains(*register),
        });
        serializer.collect_map(valid.map(|register| (register, context.format_register(register))))
    }
}

/// Writes the fields of each module. `statistics`, by file name, says what became of its symbols.
pub fn write_modules<W: Write>(
    report: &mut Report<W>,
    modules: &MinidumpModuleList,
    statistics: &HashMap<String, SymbolStats>,
    surroundings: Surroundings,
    bounded: &mut Bounded,
) -> io::Result<()> {
    report.begin_array("modules")?;
    let modules: Vec<_> = modules.iter().collect();
    let fields =
        modules.into_iter().map(|module| module_fields(module, statistics.get(last_part(&module.name)), surroundings));
    report.items(fields, bounds::OUTPUT_OF_MODULES, "modules", bounded)?;
    for url in statistics.values().filter_map(|known| known.symbol_url.as_ref()) {
        if url.len() > bounds::SYMBOL_URL {
            bounded.count("symbol_urls", url.len());
        }
    }
    report.end_array()
}

#[derive(Serialize)]
struct ModuleFields<'a> {
    base_addr: Hex,
    cert_subject: Option<&'a str>,
    code_id: String,
    corrupt_symbols: bool,
    debug_file: String,
    debug_id: String,
    end_addr: Hex,
    filename: &'a str,
    loaded_symbols: bool,
    missing_symbols: bool,
    symbol_url: Option<&'a str>,
    version: Option<String>,
}

fn module_fields<'a>(
    module: &'a MinidumpModule,
    known: Option<&'a SymbolStats>,
    surroundings: Surroundings<'a>,
) -> ModuleFields<'a> {
    let filename = last_part(&module.name);
    let hex = |value: u64| Hex { value, width: surroundings.width };
    let debug_file = module.debug_file().unwrap_or_default();
    ModuleFields {
        base_addr: hex(module.raw.base_of_image),
        cert_subject: surroundings.certificates.get(filename).map(|signer| &**signer),
        code_id: module.code_identifier().unwrap_or_default().as_str().to_string(),
        corrupt_symbols: known.is_some_and(|known| known.corrupt_symbols),
        debug_file: last_part(&debug_file).to_string(),
        debug_id: module.debug_identifier().unwrap_or_default().breakpad().to_string(),
        end_addr: hex(module.raw.base_of_image.wrapping_add(module.raw.size_of_image.into())),
        filename,
        loaded_symbols: known.is_some_and(|known| known.loaded_symbols),
        missing_symbols: known.is_some_and(|known| !known.loaded_symbols),
        symbol_url: known.and_then(|known| Some(beginning(known.symbol_url.as_ref()?, bounds::SYMBOL_URL))),
        version: module.version().map(|version| version.into_owned()),
    }
}

pub fn write_unloaded_modules<W: Write>(
    report: &mut Report<W>,
    modules: &MinidumpUnloadedModuleList,
    surroundings: Surroundings,
    bounded: &mut Bounded,
) -> io::Result<()> {
    #[derive(Serialize)]
    struct Fields<'a> {
        base_addr: Hex,
        cert_subject: Option<&'a str>,
        code_id: String,
        end_addr: Hex,
        filename: &'a str,
    }
    let hex = |value: u64| Hex { value, width: surroundings.width };
    report.begin_array("unloaded_modules")?;
    let modules: Vec<_> = modules.iter().collect();
    let fields = modules.into_iter().map(|module| Fields {
        base_addr: hex(module.raw.base_of_image),
        cert_subject: surroundings.certificates.get(&module.name).map(|signer| &**signer),
        code_id: module.code_identifier().unwrap_or_default().as_str().to_string(),
        end_addr: hex(module.raw.base_of_image.wrapping_add(module.raw.size_of_image.into())),
        filename: &module.name,
    });
    report.items(fields, bounds::OUTPUT_OF_UNLOADED_MODULES, "unloaded_modules", bounded)?;
    report.end_array()
}

pub fn write_handles<W: Write>(
    report: &mut Report<W>,
    handles: Option<&MinidumpHandleDataStream>,
    bounded: &mut Bounded,
) -> io::Result<()> {
    #[derive(Serialize)]
    struct Fields<'a> {
        handle: Option<u64>,
        object_name: Option<&'a str>,
        type_name: Option<&'a str>,
    }
    let Some(handles) = handles else {
        return report.field("handles", &());
    };
    report.begin_array("handles")?;
    let handles: Vec<_> = handles.iter().collect();
    let fields = handles.into_iter().map(|handle| Fields {
        handle: handle.raw.handle().copied(),
        object_name: handle.object_name.as_deref(),
        type_name: handle.type_name.as_deref(),
    });
    report.items(fields, bounds::OUTPUT_OF_HANDLES, "handles", bounded)?;
    report.end_array()
}

/// An address or an offset, with as many digits as addresses of the dump's system have.
#[derive(Clone, Copy)]
pub struct Hex {
    pub value: u64,
    pub width: PointerWidth,
}

impl Serialize for Hex {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let digits = match self.width {
            PointerWidth::Bits32 => 8.max(16 - self.value.leading_zeros() as usize / 4),
            _ => 16,
        };
        let mut text = *b"0x0000000000000000";
        for (index, place) in text[2..2 + digits].iter_mut().rev().enumerate() {
            *place = b"0123456789abcdef"[(self.value >> (4 * index)) as usize & 15];
        }
        serializer.serialize_str(std::str::from_utf8(&text[..2 + digits]).unwrap_or_default())
    }
}

/// The part of a path after its last separator, `/` or `\`.
pub fn last_part(path: &str) -> &str {
    path.rsplit(['/', '\\']).next().unwrap_or(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_printed_size_of_a_text_is_not_underestimated() {
        for text in ["", "a", "\"\\/", "\0\n\t\u{8}\u{1f}", "\u{7f}é\u{2028}\u{1f600}"] {
            assert!(printed_size(text) >= serde_json::to_string(text).unwrap().len() - 2, "{text:?}");
        }
    }

    #[test]
    fn items_are_left_out_above_their_bound_and_their_number_is_reported() {
        let mut bounded = Bounded::default();
        let mut report = Report::new(vec![]).unwrap();
        report.begin_array("few").unwrap();
        report.items([1, 2, 3].iter(), 100, "few", &mut bounded).unwrap();
        report.end_array().unwrap();
        report.begin_array("many").unwrap();
        report.items(0..1_000, 10, "many", &mut bounded).unwrap();
        report.end_array().unwrap();
        assert_eq!(serde_json::to_string(&bounded).unwrap(), r#"{"many":1000}"#);
        assert_eq!(String::from_utf8(report.out.out).unwrap(), r#"{"few":[1,2,3],"many":[0,1,2,3,4,5]"#);
    }
}
