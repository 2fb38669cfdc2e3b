//! One pass over a connection's input: every whole line becomes an answer, without waiting for anything.
//!
//! A pass begins on a thread of the runtime, where nothing may take long. It stops before a request that may, and goes on
//! where blocking is allowed, with all that follows: a pipeline of ranges is handed over once and not for each. It stops as
//! well at what must be waited for, which the connection then does.
//!
//! (A1) What takes long: a line of more than [`LONG_BYTES`], for it is parsed and copied; a range, for entries that were
//!      deleted are stepped over one by one, and nobody knows how many there are; reads of an engine that may block.
//! (A2) A pass ends after [`SLICE`], or with many answers, so that a long pipeline neither keeps others waiting nor gathers
//!      without bound.

use super::answers::{Answer, Answers};
use super::budget::{Budget, FREE_BYTES, Share};
use super::failure::busy;
use super::service::{LONG_BYTES, Later, Service, Step};
use crate::protocol::json_lines::{Decoded, Decoder, Refusal};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

/// How long a pass may keep a thread of the runtime, and one where blocking is allowed.
pub(super) const SLICE: Duration = Duration::from_micros(250);
const LONG_SLICE: Duration = Duration::from_millis(5);

/// After how many answers the time is looked at.
const LOOK_EVERY: usize = 16;

/// How many times a line's length the memory for carrying it out may be: its strings without escapes, the members of its
/// objects, the batch.
const WORK_FACTOR: usize = 6;

/// How much is read at a time.
const READ_BYTES: usize = 16 << 10;

/// The input of a connection, and the answers to it.
#[derive(Debug)]
pub(super) struct Pass {
    decoder: Decoder,
    /// The input never needs to be longer: a longer line is refused.
    max_line_bytes: usize,
    input: Vec<u8>,
    /// How many bytes of the input are answered.
    start: usize,
    pub(super) answers: Answers,
    /// What the input takes.
    held: Share,
    /// What carrying out a long line takes.
    work: Share,
}

/// Where a pass runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    /// On a thread that serves many connections.
    Runtime,
    /// Where blocking is allowed.
    Blocking,
}

/// Why a pass stopped.
#[derive(Debug)]
pub(super) enum Stop {
    /// More bytes are needed.
    Input,
    /// It was long enough.
    Length,
    /// Nothing more is to be understood, or wanted.
    Broken,
    /// What comes next takes long (A1).
    Long,
    /// What comes next must be waited for, by the connection, which then adds the answer.
    Later(Later),
}

impl Pass {
    /// A connection that has read nothing.
    pub(super) fn new(max_line_bytes: usize, budget: &Arc<Budget>) -> Pass {
        Pass {
            decoder: Decoder::new(max_line_bytes),
            max_line_bytes,
            input: Vec::new(),
            start: 0,
            answers: Answers::new(budget),
            held: budget.share(),
            work: budget.share(),
        }
    }

    /// The input, with room for more. `None` when there is no memory for it.
    pub(super) fn input(&mut self) -> Option<&mut Vec<u8>> {
        self.input.drain(..self.start);
        self.start = 0;
        if self.input.is_empty() {
            self.input.shrink_to(FREE_BYTES);
        }
        let (len, capacity) = (self.input.len(), self.input.capacity());
        let wanted = match capacity - len {
            READ_BYTES.. => capacity,
            _ => (2 * len).min(self.max_line_bytes).max(len) + READ_BYTES,
        };
        if !self.held.hold(wanted) {
            return None;
        }
        self.input.reserve_exact(wanted - len);
        Some(&mut self.input)
    }

    /// Carries out lines until it must stop.
    pub(super) fn run(&mut self, service: &Service, place: Place) -> Stop {
        let began = Instant::now();
        let slice = if place == Place::Runtime { SLICE } else { LONG_SLICE };
        loop {
            if let Some(stop) = self.line(service, place) {
                return stop;
            }
            let looks = self.answers.len().is_multiple_of(LOOK_EVERY);
            if self.answers.is_full() || (looks && began.elapsed() > slice) {
                return Stop::Length;
            }
        }
    }

    /// Carries out one line, or says why not.
    fn line(&mut self, service: &Service, place: Place) -> Option<Stop> {
        let input = self.input.get(self.start..).unwrap_or_default();
        let Some(len) = self.decoder.line_len(input) else {
            return Some(match self.decoder.decode(input) {
                Decoded::Broken { refusal } => self.broken(refusal),
                _ => Stop::Input,
            });
        };
        if len > LONG_BYTES && place == Place::Runtime {
            return Some(Stop::Long);
        }
        if len > LONG_BYTES && !self.work.hold(len.saturating_mul(WORK_FACTOR)) {
            self.decoder.skip_line();
            self.start += len + 1;
            self.add(Answer::Reply(busy()));
            return None;
        }
        let step = match self.decoder.decode(input.get(..=len).unwrap_or_default()) {
            Decoded::Request { request, .. } if place == Place::Runtime && service.may_block(&request) => {
                return Some(Stop::Long);
            }
            Decoded::Request { request, .. } => service.begin(request),
            Decoded::Refused { refusal, .. } => Step::Done(Answer::Refusal(refusal)),
            Decoded::Broken { refusal } => return Some(self.broken(refusal)),
            // A blank line.
            Decoded::Incomplete { .. } => {
                self.start += len + 1;
                return None;
            }
        };
        self.start += len + 1;
        match step {
            Step::Done(answer) => self.add(answer),
            Step::Later(later) => return Some(Stop::Later(later)),
        }
        None
    }

    fn broken(&mut self, refusal: Refusal) -> Stop {
        self.answers.push(Answer::Refusal(refusal));
        Stop::Broken
    }

    /// Adds the answer to a line that is done with.
    pub(super) fn add(&mut self, answer: Answer) {
        self.work.release();
        self.answers.push(answer);
    }
}
