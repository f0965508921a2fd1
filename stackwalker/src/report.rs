//! The JSON: the fields of minidump-stackwalk, and what only this program knows below a key of its own. Threads are
//! printed as they are walked; what is said of modules comes behind them.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::io::{self, Write};

use minidump::system_info::PointerWidth;
use minidump::MinidumpUnloadedModuleList;
use minidump::{MinidumpContextValidity, MinidumpHandleDataStream, MinidumpModule, MinidumpModuleList, Module};
use minidump_unwind::{InlineFrame, StackFrame, SymbolStats};
use serde::ser::{SerializeMap, SerializeSeq};
use serde::{Serialize, Serializer};
use serde_json::{Map, Value};

use crate::bounds::Bounded;
use crate::symbols::UseReport;
use crate::walk::Stack;

/// The key below which stands what minidump-stackwalk does not say.
pub const OWN_KEY: &str = "socorro_stackwalk";

/// What stands below `OWN_KEY`.
#[derive(Serialize)]
pub struct Own<'a> {
    #[serde(skip_serializing_if = "Bounded::is_empty")]
    pub bounded: &'a Bounded,
    /// What became of the symbols of modules, by their path in a store.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub symbols: BTreeMap<String, UseReport>,
}

/// What frames of one dump have in common.
#[derive(Clone, Copy)]
pub struct Surroundings<'a> {
    pub width: PointerWidth,
    pub unloaded_modules: &'a MinidumpUnloadedModuleList,
    pub certificates: &'a HashMap<String, String>,
}

/// Writes one JSON object, field by field.
pub struct Report<W: Write> {
    out: W,
    is_empty: bool,
}

impl<W: Write> Report<W> {
    pub fn new(mut out: W) -> io::Result<Self> {
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

/// Takes from the fields of a crash those that this module writes itself.
pub fn without_lists(mut fields: Map<String, Value>) -> Map<String, Value> {
    for key in ["crashing_thread", "handles", "modules", "thread_count", "threads", "unloaded_modules"] {
        fields.remove(key);
    }
    fields
}

/// One thread: as an entry of `threads`, or with its number and registers as the `crashing_thread`.
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
        if !stack.bottom.is_empty() || stack.is_unfinished {
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

/// What stands in a list of frames in place of those that were cut.
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
        fields.serialize_entry("unloaded_modules", &self.unloaded_modules())?;
        fields.end()
    }
}

impl FrameReport<'_> {
    /// The modules that were at the address of a frame before, with the frame's offsets in them.
    fn unloaded_modules(&self) -> Option<Vec<UnloadedAt>> {
        if self.frame.module.is_some() {
            return None;
        }
        let Surroundings { unloaded_modules, width, .. } = self.surroundings;
        let mut offsets: BTreeMap<&str, BTreeSet<u64>> = BTreeMap::new();
        for module in unloaded_modules.modules_at_address(self.frame.instruction) {
            let offset = self.frame.instruction.wrapping_sub(module.raw.base_of_image);
            offsets.entry(&module.name).or_default().insert(offset);
        }
        let found = offsets.into_iter().map(|(module, offsets)| UnloadedAt {
            module: module.to_string(),
            offsets: offsets.into_iter().map(|value| Hex { value, width }).collect(),
        });
        let found: Vec<_> = found.collect();
        (!found.is_empty()).then_some(found)
    }
}

#[derive(Serialize)]
struct UnloadedAt {
    module: String,
    offsets: Vec<Hex>,
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

/// Writes what is said of each module; `statistics` tells by file name what became of its symbols.
pub fn write_modules<W: Write>(
    report: &mut Report<W>,
    modules: &MinidumpModuleList,
    statistics: &HashMap<String, SymbolStats>,
    surroundings: Surroundings,
) -> io::Result<()> {
    report.begin_array("modules")?;
    for module in modules.iter() {
        report.item(&module_fields(module, statistics.get(file_name(module)), surroundings))?;
    }
    report.end_array()
}

#[derive(Serialize)]
struct ModuleFields {
    base_addr: Hex,
    cert_subject: Option<String>,
    code_id: String,
    corrupt_symbols: bool,
    debug_file: String,
    debug_id: String,
    end_addr: Hex,
    filename: String,
    loaded_symbols: bool,
    missing_symbols: bool,
    symbol_url: Option<String>,
    version: Option<String>,
}

fn module_fields(module: &MinidumpModule, known: Option<&SymbolStats>, surroundings: Surroundings) -> ModuleFields {
    let filename = file_name(module);
    let hex = |value: u64| Hex { value, width: surroundings.width };
    let debug_file = module.debug_file().unwrap_or_default();
    ModuleFields {
        base_addr: hex(module.raw.base_of_image),
        cert_subject: surroundings.certificates.get(filename).cloned(),
        code_id: module.code_identifier().unwrap_or_default().as_str().to_string(),
        corrupt_symbols: known.is_some_and(|known| known.corrupt_symbols),
        debug_file: last_part(&debug_file).to_string(),
        debug_id: module.debug_identifier().unwrap_or_default().breakpad().to_string(),
        end_addr: hex(module.raw.base_of_image.wrapping_add(module.raw.size_of_image.into())),
        filename: filename.to_string(),
        loaded_symbols: known.is_some_and(|known| known.loaded_symbols),
        missing_symbols: known.is_some_and(|known| !known.loaded_symbols),
        symbol_url: known.and_then(|known| known.symbol_url.clone()),
        version: module.version().map(|version| version.into_owned()),
    }
}

pub fn write_unloaded_modules<W: Write>(report: &mut Report<W>, surroundings: Surroundings) -> io::Result<()> {
    #[derive(Serialize)]
    struct Fields<'a> {
        base_addr: Hex,
        cert_subject: Option<&'a String>,
        code_id: String,
        end_addr: Hex,
        filename: &'a str,
    }
    let hex = |value: u64| Hex { value, width: surroundings.width };
    report.begin_array("unloaded_modules")?;
    for module in surroundings.unloaded_modules.iter() {
        report.item(&Fields {
            base_addr: hex(module.raw.base_of_image),
            cert_subject: surroundings.certificates.get(&module.name),
            code_id: module.code_identifier().unwrap_or_default().as_str().to_string(),
            end_addr: hex(module.raw.base_of_image.wrapping_add(module.raw.size_of_image.into())),
            filename: &module.name,
        })?;
    }
    report.end_array()
}

pub fn write_handles<W: Write>(report: &mut Report<W>, handles: Option<&MinidumpHandleDataStream>) -> io::Result<()> {
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
    for handle in handles.iter() {
        report.item(&Fields {
            handle: handle.raw.handle().copied(),
            object_name: handle.object_name.as_deref(),
            type_name: handle.type_name.as_deref(),
        })?;
    }
    report.end_array()
}

/// An address or an offset, as wide as those of the dump's system.
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

fn file_name(module: &MinidumpModule) -> &str {
    last_part(&module.name)
}

/// What stands behind the last separator of a path of either system.
pub fn last_part(path: &str) -> &str {
    path.rsplit(['/', '\\']).next().unwrap_or(path)
}
