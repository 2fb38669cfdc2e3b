//! One client: read, answer everything that is whole in one pass, send it in one write, read again.
//!
//! ```text
//!          +----------------------------------------------+
//!          v                                              |
//! fill input --> decode and execute each line --> settle --> send
//!    |                    |
//!    | end, time is up,   | nothing after this can be understood
//!    v stopping           v
//!  close                send, then close gently
//! ```
//!
//! Nothing is read while answers are under way, so a client that does not read its replies soon cannot send either: its
//! requests wait in its own buffers (server N4).

use super::answers::{Answer, Answers};
use super::config::Config;
use super::service::Service;
use crate::protocol::json_lines::{Decoded, Decoder};
use std::io;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::time::{Instant, sleep, sleep_until, timeout};

/// How much is read at a time. A buffer that a larger request filled is given back after it.
const READ_BYTES: usize = 16 << 10;
const KEPT_BYTES: usize = 256 << 10;

/// How long a connection that is closed for an error still takes what the client sends, so that the reply is read
/// before the connection is reset.
const LINGER: Duration = Duration::from_secs(1);

/// How long a stopping server waits for requests that are on their way.
const GRACE: Duration = Duration::from_millis(100);

/// The state of one client's connection.
pub(super) struct Connection {
    stream: TcpStream,
    service: Arc<Service>,
    config: Arc<Config>,
    /// True once the server stops.
    stopping: watch::Receiver<bool>,
    decoder: Decoder,
    input: Vec<u8>,
    /// How many bytes of the input are answered.
    start: usize,
    answers: Answers,
    output: Vec<u8>,
}

/// Why a pass ended.
enum PassEnd {
    /// More bytes are needed.
    Input,
    /// It was long enough.
    Length,
    /// Nothing more is to be understood.
    Broken,
}

/// What came of waiting for input.
enum Filled {
    /// There is more.
    More,
    /// The server stops.
    Stopping,
    /// There will be no more.
    End,
}

impl Connection {
    /// A connection that has read nothing.
    pub(super) fn new(
        stream: TcpStream,
        service: Arc<Service>,
        config: Arc<Config>,
        stopping: watch::Receiver<bool>,
    ) -> Connection {
        Connection {
            stream,
            service,
            decoder: Decoder::new(config.max_line_bytes),
            config,
            stopping,
            input: Vec::new(),
            start: 0,
            answers: Answers::default(),
            output: Vec::new(),
        }
    }

    /// Serves the client to the end.
    pub(super) async fn serve(mut self) -> io::Result<()> {
        self.stream.set_nodelay(true)?;
        let mut deadline = after(self.config.handshake_timeout);
        loop {
            // Once the server stops, what is on its way is read, one buffer of it, and answered.
            let stopping = *self.stopping.borrow();
            let limit = if stopping { after(GRACE) } else { deadline };
            match self.fill(stopping, limit).await? {
                Filled::More => {}
                Filled::Stopping => continue,
                Filled::End => return Ok(()),
            }
            if self.answer_input(&mut deadline).await? || stopping {
                return self.close_gently().await;
            }
        }
    }

    /// Waits for input until the deadline, or until the server stops if it was not stopping before.
    async fn fill(&mut self, stopping: bool, deadline: Instant) -> io::Result<Filled> {
        self.input.drain(..self.start);
        self.start = 0;
        if self.input.is_empty() {
            self.input.shrink_to(KEPT_BYTES);
        }
        self.input.reserve(READ_BYTES);
        tokio::select! {
            biased;
            read = self.stream.read_buf(&mut self.input) => match read? {
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

    /// Answers all whole lines of the input; true when the connection is to be closed.
    async fn answer_input(&mut self, deadline: &mut Instant) -> io::Result<bool> {
        loop {
            let end = self.pass().await;
            if !self.answers.is_empty() {
                self.send().await?;
                *deadline = after(self.config.idle_timeout);
            }
            match end {
                PassEnd::Input => return Ok(false),
                PassEnd::Length => tokio::task::yield_now().await,
                PassEnd::Broken => return Ok(true),
            }
        }
    }

    /// Carries out lines until the answers are many or the input has no whole line.
    async fn pass(&mut self) -> PassEnd {
        loop {
            let input = self.input.get(self.start..).unwrap_or_default();
            let (answer, consumed) = match self.decoder.decode(input) {
                Decoded::Incomplete { consumed } => {
                    self.start += consumed;
                    return PassEnd::Input;
                }
                Decoded::Request { request, consumed } => (self.service.execute(request).await, consumed),
                Decoded::Refused { refusal, consumed } => (Answer::Refusal(refusal), consumed),
                Decoded::Broken { refusal } => {
                    self.answers.push(Answer::Refusal(refusal));
                    return PassEnd::Broken;
                }
            };
            self.start += consumed;
            self.answers.push(answer);
            if self.answers.is_full() {
                return PassEnd::Length;
            }
        }
    }

    /// Sends the answers in one write when their writes are durable.
    async fn send(&mut self) -> io::Result<()> {
        self.answers.settle().await;
        self.answers.encode(&mut self.output);
        timeout(self.config.idle_timeout, self.stream.write_all(&self.output)).await??;
        self.output.clear();
        self.output.shrink_to(KEPT_BYTES);
        Ok(())
    }

    /// Ends the replies, and takes what the client still sends for a moment: closing with unread bytes would reset the
    /// connection, and with it replies that the client has not read yet.
    async fn close_gently(&mut self) -> io::Result<()> {
        self.stream.shutdown().await?;
        let drained = async {
            loop {
                self.input.clear();
                self.input.reserve(READ_BYTES);
                if self.stream.read_buf(&mut self.input).await? == 0 {
                    return Ok(());
                }
            }
        };
        timeout(LINGER, drained).await.unwrap_or(Ok(()))
    }
}

/// The moment when a limit that begins now is reached. The runtime's clock counts here: time that the engine need not
/// know of.
fn after(limit: Duration) -> Instant {
    sleep(limit).deadline()
}
