//! One client: read, answer everything that is whole in one pass, send it, read again.
//!
//! ```text
//!          +-----------------------------------------------------+
//!          v                                                     |
//! fill input --> pass: decode and carry out each line --> settle --> send
//!    |             |             ^
//!    |             | takes long  | done
//!    |             v             |
//!    |           a thread that may block; room; the rest of a long range
//!    |
//!    | end, time is up,   or nothing after this can be understood:
//!    v stopping           send, then close gently
//!  close
//! ```
//!
//! Nothing is read while answers are under way, so a client that does not read its replies soon cannot send either: its
//! requests wait in its own buffers (server N4).

use super::Shared;
use super::answers::Answer;
use super::budget::{FREE_BYTES, Share};
use super::failure::busy;
use super::pass::{Pass, Place, SLICE, Stop};
use super::service::{Later, LongRange};
use crate::protocol::Reply;
use crate::protocol::json_lines;
use std::io;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::time::{Instant, sleep, sleep_until, timeout};

/// How long a connection that is closed for an error still takes what the client sends, so that the reply is read
/// before the connection is reset.
const LINGER: Duration = Duration::from_secs(1);
/// How much of that is read at a time.
const LINGER_BYTES: usize = 16 << 10;

/// How long a stopping server waits for requests that are on their way.
const GRACE: Duration = Duration::from_millis(100);

/// The state of one client's connection.
pub(super) struct Connection {
    stream: TcpStream,
    shared: Arc<Shared>,
    /// True once the server stops.
    stopping: watch::Receiver<bool>,
    pass: Pass,
    output: Vec<u8>,
    /// How long it has kept its thread since it last gave way to others.
    used: Duration,
}

/// What came of waiting for input.
enum Filled {
    /// There is more.
    More,
    /// There is no memory for more.
    NoMemory,
    /// The server stops.
    Stopping,
    /// There will be no more.
    End,
}

/// Whether the client is to be served further.
#[derive(PartialEq, Eq)]
enum Next {
    Fill,
    Close,
}

impl Connection {
    /// A connection that has read nothing.
    pub(super) fn new(stream: TcpStream, shared: Arc<Shared>, stopping: watch::Receiver<bool>) -> Connection {
        let pass = Pass::new(shared.config.max_line_bytes, &shared.budget);
        Connection { stream, shared, stopping, pass, output: Vec::new(), used: Duration::ZERO }
    }

    /// Serves the client to the end.
    pub(super) async fn serve(mut self) -> io::Result<()> {
        self.stream.set_nodelay(true)?;
        let mut deadline = after(self.shared.config.handshake_timeout);
        loop {
            // Once the server stops, what is on its way is read, one buffer of it, and answered.
            let stopping = *self.stopping.borrow();
            let limit = if stopping { after(GRACE) } else { deadline };
            match self.fill(stopping, limit).await? {
                Filled::More => {}
                Filled::NoMemory => {
                    self.pass.add(Answer::Reply(busy()));
                    self.send().await?;
                    return self.close_gently().await;
                }
                Filled::Stopping => continue,
                Filled::End => return Ok(()),
            }
            if self.answer_input(&mut deadline).await? == Next::Close || stopping {
                return self.close_gently().await;
            }
        }
    }

    /// Waits for input until the deadline, or until the server stops if it was not stopping before.
    async fn fill(&mut self, stopping: bool, deadline: Instant) -> io::Result<Filled> {
        let Some(input) = self.pass.input() else { return Ok(Filled::NoMemory) };
        tokio::select! {
            biased;
            read = self.stream.read_buf(input) => match read? {
                0 => Ok(Filled::End),
                _ => Ok(Filled::More),
            },
            // It fails when the server is gone without stopping first.
            stop = self.stopping.wait_for(|stopping| *stopping), if !stopping => {
                Ok(if stop.is_ok() { Filled::Stopping } else { Filled::End })
            }
            () = sleep_until(deadline) => Ok(Filled::End),
        }
    }

    /// Answers all whole lines of the input.
    async fn answer_input(&mut self, deadline: &mut Instant) -> io::Result<Next> {
        loop {
            let stop = self.pass().await?;
            if !self.pass.answers.is_empty() {
                self.send().await?;
                *deadline = after(self.shared.config.idle_timeout);
            }
            self.give_way().await;
            match stop {
                Stop::Input => return Ok(Next::Fill),
                Stop::Broken => return Ok(Next::Close),
                Stop::Length | Stop::Long | Stop::Later(_) => {}
            }
        }
    }

    /// Carries out lines until there is enough to send, or no whole line.
    async fn pass(&mut self) -> io::Result<Stop> {
        loop {
            let began = Instant::now();
            let mut stop = self.pass.run(&self.shared.service, Place::Runtime);
            self.used += began.elapsed();
            if let Stop::Long = stop {
                stop = self.pass_elsewhere().await?;
            }
            let Stop::Later(later) = stop else { return Ok(stop) };
            let answer = self.finish(later).await?;
            self.pass.add(answer);
            if self.pass.answers.is_full() {
                return Ok(Stop::Length);
            }
        }
    }

    /// Goes on with the pass where blocking is allowed.
    async fn pass_elsewhere(&mut self) -> io::Result<Stop> {
        let mut pass = std::mem::replace(&mut self.pass, Pass::new(0, &self.shared.budget));
        let shared = Arc::clone(&self.shared);
        let run = move || {
            let stop = pass.run(&shared.service, Place::Blocking);
            (pass, stop)
        };
        let (pass, stop) = blocking(run).await?;
        self.pass = pass;
        Ok(stop)
    }

    /// Waits for what a request needs, and does it.
    async fn finish(&mut self, later: Later) -> io::Result<Answer> {
        let write = match later {
            Later::Range(range) => return self.gather(range).await,
            Later::Write(write) => write,
        };
        let room = self.shared.service.room(&write).await;
        if !write.is_long() {
            return Ok(self.shared.service.write(write, room));
        }
        let shared = Arc::clone(&self.shared);
        blocking(move || shared.service.write(write, room)).await
    }

    /// Gathers a long range, in turns with others.
    async fn gather(&mut self, mut range: LongRange) -> io::Result<Answer> {
        loop {
            // Only closing it would fail, and nobody does.
            let turn = self.shared.long_ranges.acquire().await;
            let reply;
            (range, reply) = blocking(move || {
                let reply = range.turn();
                (range, reply)
            })
            .await?;
            drop(turn);
            if let Some(reply) = reply {
                return Ok(Answer::Reply(reply));
            }
        }
    }

    /// Sends the answers when their writes are durable; in one write as long as they are short.
    async fn send(&mut self) -> io::Result<()> {
        self.pass.answers.settle().await;
        let mut answers = self.pass.answers.take();
        let mut began = Instant::now();
        for answer in answers.drain(..) {
            match answer {
                Answer::Reply(reply) if is_long(&reply) => {
                    self.write_output().await?;
                    self.send_long(reply).await?;
                    began = Instant::now();
                }
                Answer::Reply(reply) => json_lines::encode(&reply, &mut self.output),
                Answer::Refusal(refusal) => refusal.encode(&mut self.output),
                Answer::Commit(_) => debug_assert!(false, "a write is answered after its commit"),
            }
            if self.output.len() >= FREE_BYTES {
                self.write_output().await?;
            }
        }
        self.used += began.elapsed();
        self.write_output().await?;
        self.output.shrink_to(2 * FREE_BYTES);
        self.pass.answers.sent(answers);
        Ok(())
    }

    async fn write_output(&mut self) -> io::Result<()> {
        timeout(self.shared.config.idle_timeout, self.stream.write_all(&self.output)).await??;
        self.output.clear();
        Ok(())
    }

    /// Sends a reply that is long, and so is encoded where it keeps nobody waiting.
    async fn send_long(&mut self, reply: Reply) -> io::Result<()> {
        let share = self.shared.budget.share();
        // The share lives until all is sent.
        let (encoded, _share) = blocking(move || encode_long(reply, share)).await?;
        timeout(self.shared.config.idle_timeout, self.stream.write_all(&encoded)).await?
    }

    /// Lets others have the thread when this one has had it for long.
    async fn give_way(&mut self) {
        if self.used >= SLICE {
            self.used = Duration::ZERO;
            tokio::task::yield_now().await;
        }
    }

    /// Ends the replies, and takes what the client still sends for a moment: closing with unread bytes would reset the
    /// connection, and with it replies that the client has not read yet.
    async fn close_gently(mut self) -> io::Result<()> {
        self.stream.shutdown().await?;
        // What it held is given back now.
        drop((self.pass, self.output));
        let drained = async {
            let mut unread = Vec::with_capacity(LINGER_BYTES);
            while self.stream.read_buf(&mut unread).await? > 0 {
                unread.clear();
            }
            Ok(())
        };
        timeout(LINGER, drained).await.unwrap_or(Ok(()))
    }
}

/// Whether a reply may have more bytes than are encoded beside other work.
fn is_long(reply: &Reply) -> bool {
    let weight = reply.weight();
    // Most are so short that their bytes need not be looked at.
    weight > FREE_BYTES / 6 && (weight > FREE_BYTES || json_lines::most_bytes(reply) > FREE_BYTES)
}

/// The bytes of a reply, in memory that the share holds; of the reply that there is none, where there is none.
fn encode_long(reply: Reply, mut share: Share) -> (Vec<u8>, Share) {
    let most = json_lines::most_bytes(&reply);
    let reply = if share.hold(most) { reply } else { busy() };
    let mut encoded = Vec::with_capacity(json_lines::most_bytes(&reply));
    json_lines::encode(&reply, &mut encoded);
    (encoded, share)
}

/// Runs `work` on a thread that may block.
async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> io::Result<T> {
    tokio::task::spawn_blocking(work).await.map_err(|error| match error.try_into_panic() {
        // A bug: the connection ends by it as if it had happened here.
        Ok(panic) => std::panic::resume_unwind(panic),
        // The runtime ends.
        Err(error) => io::Error::other(error),
    })
}

/// The moment when a limit that begins now is reached. The runtime's clock counts here: time that the engine need not
/// know of.
fn after(limit: Duration) -> Instant {
    sleep(limit).deadline()
}
