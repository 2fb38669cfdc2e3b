//! Little of what a system gives: descriptors, address space, stack.
//!
//! What has to be small for a whole process is so for a process of its own: this test binary once more with one test, or
//! the program, started by a shell that lowers the limit.

mod budget;
mod descriptors;
#[cfg(feature = "cli")]
mod program;
mod stack;

use std::process::Command;

/// Set for the process that a limit holds for.
#[cfg(unix)]
const CHILD: &str = "SILTSTONE_LIMITS_CHILD";

/// Runs `command` where the shell's `ulimit` is called with `limit` first.
#[cfg(unix)]
fn limited(limit: &str, command: &Command) -> Command {
    let mut shell = Command::new("sh");
    shell.args(["-c", &format!("ulimit {limit}; exec \"$@\""), "sh"]);
    shell.arg(command.get_program()).args(command.get_args());
    command.get_current_dir().inspect(|folder| _ = shell.current_dir(folder));
    shell.env_remove("RUST_LOG");
    shell
}

/// Runs the test `name` of this binary once more, in a process with `limit` that finds [`CHILD`] in its environment.
#[cfg(unix)]
#[track_caller]
fn run_limited(limit: &str, name: &str) {
    let mut this = Command::new(std::env::current_exe().unwrap());
    this.args([name, "--exact", "--nocapture", "--test-threads=1"]);
    let output = limited(limit, &this).env(CHILD, "1").output().unwrap();
    let said = [output.stdout, output.stderr].concat();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&said));
}
