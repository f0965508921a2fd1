//! socorro-stackwalk: turns a minidump into JSON.

mod asking;
mod attempts;
mod bounds;
mod certificates;
mod command_line;
mod crash;
mod crashpad;
mod dump_file;
mod failure;
mod index_command;
mod lookups;
mod modules_command;
mod report;
mod sandbox;
mod streams;
mod symbols;
#[cfg(test)]
mod tests;
mod version_command;
mod view;
mod walk;
mod walk_command;

use std::env;
use std::io::{self, BufWriter, Write};
use std::panic::{catch_unwind, set_hook};
use std::process::ExitCode;

use crate::command_line::Command;
use crate::failure::Failure;

fn main() -> ExitCode {
    let command = match command_line::parse(env::args_os().skip(1)) {
        Ok(command) => command,
        Err(error) => return Failure::Arguments(error).report(),
    };
    // A panic is printed as one line, like any error.
    set_hook(Box::new(|_| ()));
    match catch_unwind(|| run(&command)) {
        Ok(Ok(code)) => code,
        Ok(Err(failure)) => failure.report(),
        Err(panic) => Failure::Panic(walk::said(&*panic)).report(),
    }
}

fn run(command: &Command) -> Result<ExitCode, Failure> {
    let mut out = BufWriter::with_capacity(1 << 17, io::stdout().lock());
    match command {
        Command::Help(text) => out.write_all(text.as_bytes())?,
        Command::Index(options) => return Ok(index_command::run(options, &mut out)?),
        Command::Modules(dump) => modules_command::run(dump, &mut out)?,
        Command::Version { is_verbose } => version_command::run(*is_verbose, &mut out)?,
        Command::Walk(options) => walk_command::run(options, &mut out)?,
        Command::CheckSandbox(options) => version_command::check_sandbox(options, &mut out)?,
    }
    out.flush()?;
    Ok(ExitCode::SUCCESS)
}
