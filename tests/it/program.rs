//! Running the built program, for the modules that test it from outside.

use std::io::{BufRead, BufReader, Read, Write};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc;
use std::thread::JoinHandle;
use std::time::Duration;
use tempfile::TempDir;

/// Long enough for a slow machine; what takes longer hangs.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// A folder to run the program in; its database is the default one, `data`.
pub struct Place(TempDir);

/// What a run said.
#[derive(Debug)]
pub struct Run {
    pub status: i32,
    pub stdout: Vec<u8>,
    pub stderr: String,
}

impl Place {
    pub fn new() -> Place {
        Place(tempfile::tempdir().unwrap())
    }

    pub fn path(&self) -> &Path {
        self.0.path()
    }

    pub fn file(&self, name: &str, content: impl AsRef<[u8]>) {
        std::fs::write(self.path().join(name), content).unwrap();
    }

    pub fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_siltstone"));
        command.current_dir(self.path()).args(args).env_remove("RUST_LOG");
        command
    }

    pub fn run(&self, args: &[&str]) -> Run {
        self.run_with_input(args, b"")
    }

    pub fn run_with_input(&self, args: &[&str], input: &[u8]) -> Run {
        let mut command = self.command(args);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        // A program that does not want its input may close it.
        let _ = child.stdin.take().unwrap().write_all(input);
        let output = child.wait_with_output().unwrap();
        let stderr = String::from_utf8(output.stderr).unwrap();
        Run { status: output.status.code().unwrap(), stdout: output.stdout, stderr }
    }

    /// Runs what must go well, and gives what it printed.
    #[track_caller]
    pub fn ok(&self, args: &[&str]) -> String {
        let run = self.run(args);
        assert_eq!(run.status, 0, "{args:?}: {run:?}");
        String::from_utf8(run.stdout).unwrap()
    }

    /// Runs what must fail with this status, telling this.
    #[track_caller]
    pub fn fails(&self, args: &[&str], status: i32, told: &str) {
        let run = self.run(args);
        assert_eq!(run.status, status, "{args:?}: {run:?}");
        assert!(run.stderr.contains(told), "{args:?}: {told:?} is not in {run:?}");
        assert!(run.stdout.is_empty(), "{args:?}: {run:?}");
    }
}

/// `siltstone serve` on a free port. It is killed with its owner, and no other process is.
pub struct Server {
    child: Child,
    /// Reads what it says on stderr all the while: it must never wait for us.
    said: Option<JoinHandle<String>>,
    pub address: String,
    /// The line it gives to try it with.
    pub hint: String,
}

impl Server {
    /// Starts it, and waits until it says where it listens.
    #[track_caller]
    pub fn start(place: &Place, args: &[&str]) -> Server {
        let command = place.command(&[&["serve", "--listen", "127.0.0.1:0"], args].concat());
        Server::run(command)
    }

    /// Runs `command`, which becomes such a server.
    #[track_caller]
    pub fn run(mut command: Command) -> Server {
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut err = child.stderr.take().unwrap();
        let said = Some(std::thread::spawn(move || {
            let mut said = Vec::new();
            err.read_to_end(&mut said).unwrap();
            String::from_utf8(said).unwrap()
        }));
        let mut server = Server { child, said, address: String::new(), hint: String::new() };
        let (said, hear) = mpsc::channel();
        let out = BufReader::new(server.child.stdout.take().unwrap());
        std::thread::spawn(move || out.lines().map_while(Result::ok).try_for_each(|line| said.send(line)));
        let mut line = || match hear.recv_timeout(PATIENCE) {
            Ok(line) => line,
            Err(error) => panic!("no word of where it listens ({error}): {:?}", server.kill()),
        };
        let (first, _, hint) = (line(), line(), line());
        server.address = first.strip_prefix("listening on ").unwrap().into();
        server.hint = hint;
        server
    }

    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Ends it without a word, as by a power cut that the disk survived. Gives what it had said on stderr.
    pub fn kill(&mut self) -> String {
        let _ = self.child.kill();
        self.wait().1
    }

    /// Waits for its end.
    pub fn wait(&mut self) -> (ExitStatus, String) {
        let status = self.child.wait().unwrap();
        (status, self.said.take().map(|said| said.join().unwrap()).unwrap_or_default())
    }

    /// Asks it to stop, and gives what it had said on stderr by its end, which must be a good one.
    #[track_caller]
    pub fn stop(&mut self) -> String {
        assert!(Command::new("kill").arg(self.id().to_string()).status().unwrap().success());
        let (status, said) = self.wait();
        assert_eq!(status.code(), Some(0), "{said}");
        said
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.kill();
    }
}
