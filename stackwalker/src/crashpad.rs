//! Reads the annotations that a client of Crashpad wrote into its dump. The crates read them whole or not at all; this
//! reads whatever it can, within bounds.
//!
//! The sizes and places are those of Crashpad's minidump/minidump_extensions.h.

use std::collections::BTreeMap;

use minidump::format::MINIDUMP_STREAM_TYPE as StreamType;
use minidump::{Endian, Minidump};
use serde::Serialize;

use crate::bounds::{self, Bounded};
use crate::report::last_part;

// MinidumpCrashpadInfo
const INFO: usize = 52;
const REPORT_ID_AT: usize = 4;
const CLIENT_ID_AT: usize = 20;
const ID: usize = 16;
const SIMPLE_ANNOTATIONS_AT: usize = 36;
const MODULES_AT: usize = 44;

// MinidumpModuleCrashpadInfoLink, MinidumpModuleCrashpadInfo
const LINK: usize = 12;
const LINK_LOCATION_AT: usize = 4;
const MODULE_INFO: usize = 28;
const MODULE_LIST_ANNOTATIONS_AT: usize = 4;
const MODULE_SIMPLE_ANNOTATIONS_AT: usize = 12;
const MODULE_OBJECTS_AT: usize = 20;

// MinidumpRVAList, MinidumpSimpleStringDictionaryEntry, MinidumpAnnotation; types: client/annotation.h, Annotation::Type
const PLACE: usize = 4;
const PAIR: usize = 8;
const OBJECT: usize = 12;
const INVALID: u16 = 0;
const STRING: u16 = 1;

// MINIDUMP_MODULE (Microsoft, minidumpapiset.h)
const MODULE: usize = 108;
const MODULE_NAME_AT: usize = 20;

#[derive(Serialize)]
pub struct Crashpad {
    /// All text annotations by name. The first of a name counts: those of the process, then those of its modules in their
    /// order, as when Crashpad uploads a dump.
    annotations: BTreeMap<String, String>,
    client_id: Option<String>,
    modules: Vec<ModuleAnnotations>,
    report_id: Option<String>,
    /// The annotations of the process.
    simple_annotations: BTreeMap<String, String>,
}

#[derive(Serialize)]
struct ModuleAnnotations {
    annotation_objects: Vec<Object>,
    list_annotations: Vec<String>,
    module: Option<String>,
    /// The module's index in the dump's list.
    module_index: u32,
    simple_annotations: BTreeMap<String, String>,
}

#[derive(Serialize)]
struct Object {
    name: String,
    /// `string`, `invalid`, or the number of a type of the client's own.
    #[serde(rename = "type")]
    kind: String,
    /// The text of a string; hexadecimal digits for other types.
    value: String,
}

/// Reads Crashpad's data from `dump`, whose bytes are `all`. Counts in `bounded` what was left out.
pub fn read(dump: &Minidump<'_, &[u8]>, all: &[u8], bounded: &mut Bounded) -> Option<Crashpad> {
    let info = dump.get_raw_stream(StreamType::CrashpadInfoStream as u32).ok()?.get(..INFO)?;
    let modules = dump.get_raw_stream(StreamType::ModuleListStream as u32).unwrap_or_default();
    let mut reader = Reader {
        all,
        is_little: dump.endian == Endian::Little,
        module_list: modules,
        annotations: bounds::ANNOTATIONS,
        text: bounds::ANNOTATION_TEXT,
        bounded,
    };
    if reader.u32_in(info, 0) == 0 {
        // Version 0 marks an unused structure.
        return None;
    }
    let simple_annotations = reader.simple_annotations(info, SIMPLE_ANNOTATIONS_AT);
    let modules = reader.modules(info);
    Some(Crashpad {
        annotations: merged(&simple_annotations, &modules),
        client_id: reader.id(&info[CLIENT_ID_AT..][..ID]),
        modules,
        report_id: reader.id(&info[REPORT_ID_AT..][..ID]),
        simple_annotations,
    })
}

fn merged(of_process: &BTreeMap<String, String>, modules: &[ModuleAnnotations]) -> BTreeMap<String, String> {
    let mut merged = of_process.clone();
    for module in modules {
        let simple = module.simple_annotations.iter();
        let strings = module.annotation_objects.iter().filter(|object| object.kind == "string");
        for (name, value) in simple.chain(strings.map(|object| (&object.name, &object.value))) {
            merged.entry(name.clone()).or_insert_with(|| value.clone());
        }
    }
    merged
}

struct Reader<'a> {
    all: &'a [u8],
    is_little: bool,
    module_list: &'a [u8],
    /// The numbers of annotations, and of bytes of their text, that may still be read.
    annotations: usize,
    text: usize,
    bounded: &'a mut Bounded,
}

impl<'a> Reader<'a> {
    fn modules(&mut self, info: &[u8]) -> Vec<ModuleAnnotations> {
        let links = self.records(info, MODULES_AT, LINK);
        let count = links.len() / LINK;
        if count > bounds::ANNOTATED_MODULES {
            self.bounded.count("annotated_modules", count);
        }
        let mut modules = vec![];
        for link in links.chunks_exact(LINK).take(bounds::ANNOTATED_MODULES) {
            let at = self.u32_in(link, LINK_LOCATION_AT + 4) as usize;
            let Some(module) = self.bytes(at, MODULE_INFO) else { continue };
            let index = self.u32_in(link, 0);
            modules.push(ModuleAnnotations {
                annotation_objects: self.objects(module),
                list_annotations: self.list_annotations(module),
                module: self.module_name(index as usize),
                module_index: index,
                simple_annotations: self.simple_annotations(module, MODULE_SIMPLE_ANNOTATIONS_AT),
            });
        }
        modules
    }

    fn simple_annotations(&mut self, info: &[u8], place: usize) -> BTreeMap<String, String> {
        let mut annotations = BTreeMap::new();
        for pair in self.annotation_records(info, place, PAIR) {
            let (name, value) = (self.u32_in(pair, 0), self.u32_in(pair, 4));
            if let (Some(name), Some(value)) = (self.name(name), self.value(value)) {
                annotations.insert(name, value);
            }
        }
        annotations
    }

    fn list_annotations(&mut self, module: &[u8]) -> Vec<String> {
        let places = self.annotation_records(module, MODULE_LIST_ANNOTATIONS_AT, PLACE);
        places.filter_map(|place| self.value(self.u32_in(place, 0))).collect()
    }

    fn objects(&mut self, module: &[u8]) -> Vec<Object> {
        let mut objects = vec![];
        for record in self.annotation_records(module, MODULE_OBJECTS_AT, OBJECT) {
            let kind = self.u16_in(record, 4);
            let value = self.u32_in(record, 8);
            let value = if kind == STRING { self.value(value) } else { self.hexadecimal(value) };
            let (Some(name), Some(value)) = (self.name(self.u32_in(record, 0)), value) else { continue };
            let kind = match kind {
                INVALID => "invalid".to_string(),
                STRING => "string".to_string(),
                number => format!("0x{number:04x}"),
            };
            objects.push(Object { name, kind, value });
        }
        objects
    }

    /// The records of a list of annotations, as many as may still be read.
    fn annotation_records(
        &mut self,
        info: &[u8],
        place: usize,
        record_size: usize,
    ) -> impl Iterator<Item = &'a [u8]> + use<'a> {
        let records = self.records(info, place, record_size);
        let count = records.len() / record_size;
        if count > self.annotations {
            self.bounded.count("annotations", bounds::ANNOTATIONS - self.annotations + count);
        }
        let kept = count.min(self.annotations);
        self.annotations -= kept;
        records.chunks_exact(record_size).take(kept)
    }

    /// The records of a list, without its count. Its size and pointer are at offset `place` of `info`.
    fn records(&self, info: &[u8], place: usize, record_size: usize) -> &'a [u8] {
        let (size, at) = (self.u32_in(info, place) as usize, self.u32_in(info, place + 4) as usize);
        let Some((count, records)) = self.bytes(at, size).and_then(|list| list.split_at_checked(4)) else {
            return &[];
        };
        let count = (self.u32_in(count, 0) as usize).min(records.len() / record_size);
        &records[..count * record_size]
    }

    fn name(&mut self, at: u32) -> Option<String> {
        self.text(at, bounds::ANNOTATION_NAME, "annotation_names")
    }

    fn value(&mut self, at: u32) -> Option<String> {
        self.text(at, bounds::ANNOTATION_VALUE, "annotation_values")
    }

    fn text(&mut self, at: u32, longest: usize, name: &'static str) -> Option<String> {
        let bytes = self.counted(at, longest, name)?;
        // Decode a whole character beyond the bound, which is then cut off.
        let text = String::from_utf8_lossy(&bytes[..bytes.len().min(longest + 4)]);
        let text = bounds::beginning(&text, longest).to_string();
        self.pay(text.len()).then_some(text)
    }

    fn hexadecimal(&mut self, at: u32) -> Option<String> {
        let longest = bounds::ANNOTATION_VALUE / 2;
        let bytes = self.counted(at, longest, "annotation_values")?;
        let bytes = &bytes[..bytes.len().min(longest)];
        self.pay(2 * bytes.len()).then(|| bytes.iter().map(|byte| format!("{byte:02x}")).collect())
    }

    /// The bytes after their count, which is at `at`. A count above `longest` is noted in `bounded`.
    fn counted(&mut self, at: u32, longest: usize, name: &'static str) -> Option<&'a [u8]> {
        let count = self.u32_in(self.bytes(at as usize, 4)?, 0) as usize;
        let bytes = self.bytes(at as usize + 4, count)?;
        if count > longest {
            self.bounded.count(name, count);
        }
        Some(bytes)
    }

    /// Takes `bytes` from the budget of text. False if less is left.
    fn pay(&mut self, bytes: usize) -> bool {
        if bytes > self.text {
            self.bounded.count("annotation_text", bounds::ANNOTATION_TEXT - self.text + bytes);
            return false;
        }
        self.text -= bytes;
        true
    }

    /// The file name of a module by its index in the dump's own list, because the crates leave modules out of theirs.
    fn module_name(&self, index: usize) -> Option<String> {
        let count = self.u32_in(self.module_list.get(..4)?, 0) as usize;
        let records = self.module_list.get(self.module_list.len().checked_sub(count.checked_mul(MODULE)?)?..)?;
        let record = records.get(index.checked_mul(MODULE)?..)?.get(..MODULE)?;
        let at = self.u32_in(record, MODULE_NAME_AT) as usize;
        let length = (self.u32_in(self.bytes(at, 4)?, 0) as usize).min(bounds::MODULE_NAMES.longest_of(count));
        let units: Vec<u16> = self.bytes(at + 4, length)?.chunks_exact(2).map(|unit| self.u16_in(unit, 0)).collect();
        Some(last_part(&String::from_utf16_lossy(&units)).to_string())
    }

    /// An id as Crashpad prints it; None if it is all zeros.
    fn id(&self, guid: &[u8]) -> Option<String> {
        if guid.iter().all(|byte| *byte == 0) {
            return None;
        }
        let (first, second, third) = (self.u32_in(guid, 0), self.u16_in(guid, 4), self.u16_in(guid, 6));
        let rest: String = guid[8..].iter().map(|byte| format!("{byte:02x}")).collect();
        Some(format!("{first:08x}-{second:04x}-{third:04x}-{}-{}", &rest[..4], &rest[4..]))
    }

    fn bytes(&self, at: usize, size: usize) -> Option<&'a [u8]> {
        self.all.get(at..at.checked_add(size)?)
    }

    fn u32_in(&self, bytes: &[u8], at: usize) -> u32 {
        let bytes = bytes[at..][..4].try_into().unwrap_or_default();
        if self.is_little {
            u32::from_le_bytes(bytes)
        } else {
            u32::from_be_bytes(bytes)
        }
    }

    fn u16_in(&self, bytes: &[u8], at: usize) -> u16 {
        let bytes = bytes[at..][..2].try_into().unwrap_or_default();
        if self.is_little {
            u16::from_le_bytes(bytes)
        } else {
            u16::from_be_bytes(bytes)
        }
    }
}
