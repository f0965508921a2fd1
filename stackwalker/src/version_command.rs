//! `socorro-stackwalk --version`, and the parts of the sandbox that are enforced.

use std::env;
use std::io::{self, Write};

use crate::sandbox::Enforcement;
use crate::{attempts, sandbox, walk_command};

pub fn run(is_verbose: bool, out: &mut impl Write) -> io::Result<()> {
    writeln!(out, "socorro-stackwalk {} ({})", env!("CARGO_PKG_VERSION"), env!("SOCORRO_STACKWALK_CRATES"))?;
    if is_verbose {
        let program = env::current_exe().unwrap_or("/dev/null".into());
        let mut sandbox = sandbox::enter(&[]);
        let denied = |name: &str| name == attempts::DENIED_BY_LANDLOCK || attempts::DENIED_BY_SECCOMP.contains(&name);
        sandbox.doubt(&attempts::attempt(denied, &program, None));
        writeln!(out, "landlock: {}", sandbox.landlock)?;
        writeln!(out, "seccomp: {}", sandbox.seccomp)?;
    }
    Ok(())
}

/// Prints which attempts fail, and how, in the sandbox of a walk with these options; for tests.
pub fn check_sandbox(options: &walk_command::Options, out: &mut impl Write) -> io::Result<()> {
    let sockets = attempts::Sockets::new().ok();
    let sandbox = sandbox::enter(&options.readable());
    let attempts = attempts::attempt(|_| true, &options.dump, sockets.as_ref());
    let said = |enforcement: &Enforcement| enforcement.to_string();
    let checked = serde_json::json!({
        "attempts": attempts, "landlock": said(&sandbox.landlock), "seccomp": said(&sandbox.seccomp),
    });
    writeln!(out, "{checked}")
}
