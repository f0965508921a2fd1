//! `socorro-stackwalk modules`: the modules of a minidump, without a walk.

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use lexopt::prelude::*;
use minidump::{Minidump, MinidumpModule, MinidumpModuleList, Module};
use serde::Serialize;

use crate::command_line::Command;
use crate::failure::Failure;
use crate::report::last_part;
use crate::view::View;
use crate::{dump_file, sandbox};

const HELP: &str = "\
Usage: socorro-stackwalk modules DUMP

Prints the modules of a minidump, a JSON array of objects: the path of the program or library
(code_file), its code_id, debug_file and debug_id; empty where unknown.

Example: socorro-stackwalk modules crash.dmp
";

#[derive(Serialize)]
struct Fields {
    code_file: String,
    code_id: String,
    debug_file: String,
    debug_id: String,
}

impl From<&MinidumpModule> for Fields {
    fn from(module: &MinidumpModule) -> Self {
        Fields {
            code_file: module.code_file().into_owned(),
            code_id: module.code_identifier().map(|id| id.to_string()).unwrap_or_default(),
            debug_file: last_part(&module.debug_file().unwrap_or_default()).to_string(),
            debug_id: module.debug_identifier().map(|id| id.breakpad().to_string()).unwrap_or_default(),
        }
    }
}

pub fn parse(mut arguments: lexopt::Parser) -> Result<Command, lexopt::Error> {
    let mut dump = None;
    while let Some(argument) = arguments.next()? {
        match argument {
            Long("help") | Short('h') => return Ok(Command::Help(HELP)),
            Value(path) if dump.is_none() => dump = Some(PathBuf::from(path)),
            other => return Err(other.unexpected()),
        }
    }
    dump.map(Command::Modules).ok_or("no minidump is given".into())
}

pub fn run(path: &Path, out: &mut impl Write) -> Result<(), Failure> {
    let file = dump_file::open(path)?;
    sandbox::enter(&[]);
    let view = View::open(&file).map_err(Failure::File)??;
    let dump = Minidump::read(view.bytes())?;
    let modules: MinidumpModuleList = dump.get_stream().unwrap_or_default();
    let fields: Vec<Fields> = modules.iter().map(Fields::from).collect();
    serde_json::to_writer(&mut *out, &fields).map_err(io::Error::from)?;
    Ok(writeln!(out)?)
}
