//! Errors of this program: each is one line on stderr, and an exit code.

use std::fmt;
use std::io::{self, Write};
use std::process::ExitCode;

use minidump_processor::ProcessError;

use crate::bounds;

const UNREADABLE: u8 = 1;
const WRONG_ARGUMENTS: u8 = 2;
const FAULT: u8 = 3;

pub enum Failure {
    Arguments(lexopt::Error),
    /// The dump's file cannot be read.
    File(io::Error),
    Unreadable(minidump::Error),
    Unprocessable(ProcessError),
    Output(io::Error),
    /// The message of the panic.
    Panic(String),
}

impl Failure {
    /// Prints the error, and returns the exit code.
    pub fn report(&self) -> ExitCode {
        match self {
            Failure::Arguments(_) => say(&format!("socorro-stackwalk: {self}; see socorro-stackwalk --help")),
            // Nobody reads the output any more.
            Failure::Output(error) if error.kind() == io::ErrorKind::BrokenPipe => (),
            _ => say(&format!("ERROR {self}")),
        }
        ExitCode::from(match self {
            Failure::Arguments(_) => WRONG_ARGUMENTS,
            Failure::File(_) | Failure::Unreadable(_) | Failure::Unprocessable(_) => UNREADABLE,
            Failure::Output(_) | Failure::Panic(_) => FAULT,
        })
    }
}

/// Formats errors like the log of minidump-stackwalk, with the crates' names.
impl fmt::Display for Failure {
    fn fmt(&self, to: &mut fmt::Formatter) -> fmt::Result {
        match self {
            Failure::Arguments(error) => write!(to, "{error}"),
            Failure::File(error) if error.kind() == io::ErrorKind::NotFound => {
                write!(to, "{} - Error reading dump: {error}", minidump::Error::FileNotFound.name())
            }
            Failure::File(error) => write!(to, "{} - Error reading dump: {error}", minidump::Error::IoError.name()),
            Failure::Unreadable(error) => write!(to, "{} - Error reading dump: {error}", error.name()),
            Failure::Unprocessable(error) => write!(to, "{} - Error processing dump: {error}", error.name()),
            Failure::Output(error) => write!(to, "{} - Error writing output: {error}", minidump::Error::IoError.name()),
            Failure::Panic(why) => write!(to, "Panic - {why}"),
        }
    }
}

impl From<minidump::Error> for Failure {
    fn from(error: minidump::Error) -> Self {
        Failure::Unreadable(error)
    }
}

impl From<ProcessError> for Failure {
    fn from(error: ProcessError) -> Self {
        Failure::Unprocessable(error)
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Failure::Output(error)
    }
}

/// Prints one line on stderr, whatever its characters.
pub fn say(line: &str) {
    let line = bounds::beginning(line, 2 * bounds::MESSAGE);
    let plain = line.chars().map(|character| if character.is_control() { ' ' } else { character });
    let _ = writeln!(io::stderr(), "{}", plain.collect::<String>());
}
