//! A harness as a process of its own, which may fail, die or hang.

use super::Harness;
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::{Duration, Instant};

/// How a run ended.
#[derive(Debug, PartialEq, Eq)]
pub enum Outcome {
    /// All tests passed.
    Passed,
    /// The name of a test that failed, or another way it ended.
    Found(String),
}

/// Runs the harness with a bug (none when it is empty), until a test fails, all have passed, or patience is at its end.
pub fn run(harness: &Harness, bug: &str, patience: Duration) -> Outcome {
    // What a killed process leaves behind goes with this folder.
    let folder = tempfile::tempdir().unwrap();
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(harness.tests).args(["--test-threads", "1"]).envs(harness.budget.iter().copied());
    command.env("SILTSTONE_PLANTED", bug).env("TMPDIR", folder.path()).env("RUST_BACKTRACE", "0");
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
    in_a_group(&mut command);
    let mut child = command.spawn().unwrap();
    let outcome = watch(&mut child, patience, bug);
    end(&mut child);
    outcome
}

/// Reads what the test binary says about its tests, up to the first that fails. Without a bug all is read, and shown if one
/// fails, for nobody expects that.
fn watch(child: &mut Child, patience: Duration, bug: &str) -> Outcome {
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let (say, hear) = channel();
    std::thread::spawn(move || lines.map_while(Result::ok).try_for_each(|line| say.send(line)));
    let deadline = Instant::now() + patience;
    let (mut found, mut said, mut goes_on) = (None, String::new(), true);
    while goes_on && (found.is_none() || bug.is_empty()) {
        let line =
            hear.recv_timeout(deadline.saturating_duration_since(Instant::now())).unwrap_or_else(|end| {
                goes_on = false;
                found.get_or_insert(
                    if end == RecvTimeoutError::Timeout { "hangs" } else { "ends the process" }.into(),
                );
                String::new()
            });
        if let Some(test) = line.strip_prefix("test ").and_then(|rest| rest.strip_suffix(" ... FAILED")) {
            found.get_or_insert(test.into());
        }
        if let Some(counts) = line.strip_prefix("test result: ok. ") {
            assert!(!counts.starts_with("0 passed"), "the harness has no tests");
            return Outcome::Passed;
        }
        said += &line;
        said.push('\n');
    }
    if bug.is_empty() {
        println!("{said}");
    }
    Outcome::Found(found.unwrap_or_default())
}

/// Gives the process a group, which what it starts is part of.
fn in_a_group(command: &mut Command) {
    #[cfg(unix)]
    std::os::unix::process::CommandExt::process_group(command, 0);
    #[cfg(not(unix))]
    let _ = command;
}

/// Ends the process with everything it has started.
fn end(child: &mut Child) {
    #[cfg(unix)]
    {
        // It has not been waited for, so the number is its own still.
        let kill = format!("kill -KILL -{}", child.id());
        let _ = Command::new("sh").args(["-c", &kill]).stderr(Stdio::null()).status();
    }
    let _ = child.kill();
    child.wait().unwrap();
}
