//! One client: read, answer everything that is whole in one pass, send it, read again.
//!
//! ```text
//!          +-----------------------------------------------------+
//!          v                                                     |
//! fill input --> pass: decode and carry out each request --> settle --> send
//!    |             |             ^
//!    |             | takes long  | done
//!    |             v             |
//!    |           a thread that may block; room; the rest of a long range
//!    |
//!    | end, time is up,   or nothing after this can be understood:
//!    v stopping, killed   send, then close gently
//!  close
//! ```
//!
//! Nothing is read while answers are under way, so a client that does not read its replies soon cannot send either: its
//! requests wait in its own buffers (server N4).

use super::Shared;
use super::answers::Answer;
use super::budget::{FREE_BYTES, Share};
use super::execute::Later;
use super::failure::busy;
use super::metrics::Metrics;
use super::pass::{Pass, SLICE, Stop};
use super::place::Place;
use super::stream::Stream;
use super::users::{Question, Verdict};
use super::waits::{Interrupt, Waits};
use crate::protocol::{Form, Reply};
use std::io;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::watch;
use tokio::time::{Instant, sleep, timeout, timeout_at};

/// How long a connection that is closed for an error still takes what the client sends, so that the reply is read
/// before the connection is reset.
const LINGER: Duration = Duration::from_secs(1);
/// How much of that is read at a time.
const LINGER_BYTES: usize = 16 << 10;

/// How long a stopping server waits for requests that are on their way.
const GRACE: Duration = Duration::from_millis(100);

/// The state of one client's connection.
pub(super) struct Connection {
    stream: Stream,
    shared: Arc<Shared>,
    /// True once the server stops.
    stopping: watch::Receiver<bool>,
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
    /// There will be no more, or no more is wanted.
    End,
}

/// Whether the client is to be served further.
#[derive(PartialEq, Eq)]
enum Next {
    Fill,
    Close,
}

/// A pass, which goes from place to place.
type Boxed = Box<Pass>;

impl Connection {
    /// A connection that has read nothing.
    pub(super) fn new(stream: Stream, shared: Arc<Shared>, stopping: watch::Receiver<bool>) -> Connection {
        Connection { stream, shared, stopping, output: Vec::new(), used: Duration::ZERO }
    }

    /// Serves the client to the end.
    pub(super) async fn serve(mut self, mut pass: Boxed) -> io::Result<()> {
        self.stream.socket().set_nodelay(true)?;
        let mut deadline = after(self.shared.service.config.handshake_timeout);
        let mut waits = Waits::new(Arc::clone(&pass.session.client), deadline);
        if let Some(greeting) = pass.greeting() {
            timeout_at(deadline, self.write(greeting)).await??;
        }
        loop {
            // Once the server stops, what is on its way is read, one buffer of it, and answered.
            let stopping = *self.stopping.borrow();
            let limit = if stopping { after(GRACE) } else { deadline };
            match self.fill(&mut pass, &mut waits, stopping, limit).await? {
                Filled::More => {}
                Filled::NoMemory => {
                    let form = pass.form();
                    pass.answers.push(Answer::reply(busy(), form));
                    self.send(&mut pass).await?;
                    return self.close_gently(pass).await;
                }
                Filled::Stopping => continue,
                Filled::End => return Ok(()),
            }
            let next;
            (pass, next) = self.answer_input(pass, &mut deadline).await?;
            if next == Next::Close || stopping {
                return self.close_gently(pass).await;
            }
        }
    }

    /// Waits for input until the deadline, or until the server stops if it was not stopping before.
    async fn fill(
        &mut self,
        pass: &mut Boxed,
        waits: &mut Waits,
        stopping: bool,
        deadline: Instant,
    ) -> io::Result<Filled> {
        loop {
            // What has come already is taken at once. A client that is silent keeps no memory for what it may send.
            let idle = pass.is_idle();
            let Some(input) = pass.input() else { return Ok(Filled::NoMemory) };
            let interrupt = tokio::select! {
                biased;
                read = self.stream.read_buf(input) => return filled(&self.shared, read),
                () = std::future::ready(()), if idle => {
                    pass.rest();
                    tokio::select! {
                        biased;
                        ready = self.stream.readable() => {
                            ready?;
                            continue;
                        }
                        interrupt = waits.interrupt(deadline) => interrupt,
                    }
                }
                interrupt = waits.interrupt(deadline), if !idle => interrupt,
            };
            if interrupt == Interrupt::Late || pass.session.client.is_killed() {
                return Ok(Filled::End);
            }
            if !stopping && *self.stopping.borrow() {
                return Ok(Filled::Stopping);
            }
        }
    }

    /// Answers all whole requests of the input.
    async fn answer_input(&mut self, mut pass: Boxed, deadline: &mut Instant) -> io::Result<(Boxed, Next)> {
        loop {
            let stop;
            (pass, stop) = self.pass(pass).await?;
            if !pass.answers.is_empty() {
                self.send(&mut pass).await?;
                *deadline = after(self.shared.service.config.idle_timeout);
            }
            self.give_way().await;
            match stop {
                Stop::Input => return Ok((pass, Next::Fill)),
                Stop::Broken => return Ok((pass, Next::Close)),
                Stop::Length | Stop::Long | Stop::Later(_) => {}
            }
        }
    }

    /// Carries out requests until there is enough to send, or no whole one.
    async fn pass(&mut self, mut pass: Boxed) -> io::Result<(Boxed, Stop)> {
        loop {
            let began = Instant::now();
            let mut stop = pass.run(Place::Runtime);
            self.used += began.elapsed();
            if let Stop::Long = stop {
                (pass, stop) = blocking(move || {
                    let stop = pass.run(Place::Blocking);
                    (pass, stop)
                })
                .await?;
            }
            let Stop::Later(later) = stop else { return Ok((pass, stop)) };
            self.wait(&mut pass, later).await?;
            if pass.answers.is_full() {
                return Ok((pass, Stop::Length));
            }
        }
    }

    /// Waits for what a request needs.
    async fn wait(&mut self, pass: &mut Boxed, later: Later) -> io::Result<()> {
        match later {
            Later::Room(bytes) => {
                if let Err(error) = self.shared.service.room(bytes).await {
                    pass.no_room(error);
                }
            }
            Later::Pause(left) => sleep(left).await,
            Later::Verify(question) => pass.session.verdict = Some(self.verify(question).await?),
            Later::Range(mut range) => loop {
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
                    pass.answer_next(reply);
                    break;
                }
            },
        }
        Ok(())
    }

    /// Has it looked at what this is about: by few at a time, for it is made to take long.
    async fn verify(&self, question: Question) -> io::Result<Verdict> {
        let _turn = self.shared.verifying.acquire().await;
        let shared = Arc::clone(&self.shared);
        blocking(move || shared.service.look_at(question)).await
    }

    /// Sends the answers when their writes are durable; in one write as long as they are short.
    async fn send(&mut self, pass: &mut Boxed) -> io::Result<()> {
        pass.answers.settle().await;
        let mut answers = pass.answers.take();
        let mut began = Instant::now();
        for answer in answers.drain(..) {
            match answer.into_parts() {
                (Ok(reply), form) if is_long(&reply, form) => {
                    self.write_output().await?;
                    self.send_long(reply, form).await?;
                    began = Instant::now();
                }
                (Ok(reply), form) => form.encode(&reply, &mut self.output),
                (Err(bytes), _) => self.output.extend_from_slice(&bytes),
            }
            if self.output.len() >= FREE_BYTES {
                self.write_output().await?;
            }
        }
        self.used += began.elapsed();
        self.write_output().await?;
        pass.answers.sent(answers);
        Ok(())
    }

    async fn write_output(&mut self) -> io::Result<()> {
        /// A buffer of so many bytes is kept for the next replies; a larger one is given back.
        const KEEP: usize = 1024;
        if self.output.is_empty() {
            return Ok(());
        }
        Metrics::add(&self.shared.service.metrics.bytes_out, self.output.len() as u64);
        let output = std::mem::take(&mut self.output);
        timeout(self.shared.service.config.idle_timeout, self.write(&output)).await??;
        self.output = output;
        self.output.clear();
        self.output.shrink_to(KEEP);
        Ok(())
    }

    /// Sends a reply that is long, and so is encoded where it keeps nobody waiting.
    async fn send_long(&mut self, reply: Reply, form: Form) -> io::Result<()> {
        let share = self.shared.budget.share();
        // The share lives until all is sent.
        let (encoded, _share) = blocking(move || encode_long(reply, form, share)).await?;
        Metrics::add(&self.shared.service.metrics.bytes_out, encoded.len() as u64);
        timeout(self.shared.service.config.idle_timeout, self.write(&encoded)).await?
    }

    /// Sends these bytes. What is encrypted may be held back until it is told that there is no more for now.
    async fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.stream.write_all(bytes).await?;
        self.stream.flush().await
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
    async fn close_gently(mut self, pass: Boxed) -> io::Result<()> {
        // Where it is encrypted, there are last words, which somebody has to read.
        timeout(LINGER, self.stream.shutdown()).await??;
        // What it held is given back now.
        drop((pass, self.output));
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

/// What it is that so many bytes were read.
fn filled(shared: &Shared, read: io::Result<usize>) -> io::Result<Filled> {
    let bytes = read?;
    Metrics::add(&shared.service.metrics.bytes_in, bytes as u64);
    Ok(if bytes == 0 { Filled::End } else { Filled::More })
}

/// Whether a reply may have more bytes than are encoded beside other work.
fn is_long(reply: &Reply, form: Form) -> bool {
    let weight = reply.weight();
    // Most are so short that their bytes need not be looked at.
    weight > FREE_BYTES / 6 && (weight > FREE_BYTES || form.most_bytes(reply) > FREE_BYTES)
}

/// The bytes of a reply, in memory that the share holds; of the reply that there is none, where there is none.
fn encode_long(reply: Reply, form: Form, mut share: Share) -> (Vec<u8>, Share) {
    let most = form.most_bytes(&reply);
    let reply = if share.hold(most) { reply } else { busy() };
    let mut encoded = Vec::with_capacity(form.most_bytes(&reply));
    form.encode(&reply, &mut encoded);
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
