//! Tests that need the program's own code: dependencies as they were built, and walks that panic.

use std::collections::HashMap;
use std::path::PathBuf;

use async_trait::async_trait;
use minidump::{Minidump, Module};
use minidump_synth::{amd64_context, DumpString, Memory, SynthMinidump, SystemInfo, Thread};
use minidump_unwind::{
    FileError, FileKind, FillSymbolError, FrameSymbolizer, FrameWalker, SymbolProvider, SymbolStats,
};
use serde_json::{json, Map, Value};
use test_assembler::{Endian, Section};

use crate::crash::{self, ready};
use crate::report::WalkError;
use crate::{bounds, walk};

#[test]
fn keys_of_maps_are_sorted() {
    let map: Map<String, Value> = serde_json::from_str(r#"{"b": {"d": 1, "c": 2}, "a": 3}"#).unwrap();
    assert_eq!(Value::Object(map).to_string(), r#"{"a":3,"b":{"c":2,"d":1}}"#);
}

/// Panics with a message at every question.
struct Panicking(&'static str);

#[async_trait]
impl SymbolProvider for Panicking {
    async fn fill_symbol(
        &self,
        _: &(dyn Module + Sync),
        _: &mut (dyn FrameSymbolizer + Send),
    ) -> Result<(), FillSymbolError> {
        panic!("{}", self.0)
    }

    async fn walk_frame(&self, _: &(dyn Module + Sync), _: &mut (dyn FrameWalker + Send)) -> Option<()> {
        panic!("{}", self.0)
    }

    async fn get_file_path(&self, _: &(dyn Module + Sync), _: FileKind) -> Result<PathBuf, FileError> {
        Err(FileError::NotFound)
    }

    fn stats(&self) -> HashMap<String, SymbolStats> {
        HashMap::new()
    }
}

/// A thread in a module, on amd64.
fn dump() -> Vec<u8> {
    const AMD64: u16 = 9;
    let little = Endian::Little;
    let name = DumpString::new("app", little);
    let module = minidump_synth::Module::new(little, 0x40_0000, 0x1000, &name, 0, 0, None);
    let stack = Memory::with_section(Section::with_endian(little).append_repeated(0, 64), 0x7000);
    let context = amd64_context(little, 0x40_0100, 0x7000);
    let thread = Thread::new(little, 7, &stack, &context);
    let dump = SynthMinidump::with_endian(little)
        .add_system_info(SystemInfo::new(little).set_processor_architecture(AMD64))
        .add_module(module)
        .add(name)
        .add_memory(stack)
        .add_thread(thread)
        .add(context);
    dump.finish().unwrap()
}

#[test]
fn a_walk_that_panics_is_reported_and_keeps_its_frames() {
    let bytes = dump();
    let dump = Minidump::read(&bytes[..]).unwrap();
    let crash = crash::read(&dump).unwrap();
    let modules = dump.get_stream().unwrap();
    let threads = walk::Threads::read(&dump).unwrap();

    let stack = ready(threads.walk(0, &modules, &crash.state.system_info, &Panicking("an odd record")));
    assert_eq!(stack.frame_count, 1);
    let error = WalkError::of(0, &stack).unwrap();
    assert_eq!(serde_json::to_value(error).unwrap(), json!({"error": "an odd record", "thread": 0}));
}

#[test]
fn a_message_is_cut_between_characters() {
    assert_eq!(bounds::beginning("aä", 2), "a");
    assert_eq!(bounds::beginning("aä", 3), "aä");
    assert_eq!(bounds::beginning("aä", 100), "aä");
    assert_eq!(bounds::beginning("ä", 0), "");
}
