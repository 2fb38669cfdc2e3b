//! One pass over a connection's input: every whole request becomes an answer, without waiting for anything.
//!
//! A pass begins on a thread of the runtime, where nothing may take long. It stops before a request that may, and goes on
//! where blocking is allowed, with all that follows: a pipeline of ranges is handed over once and not for each. It stops as
//! well at what must be waited for, which the connection then does; the request is carried out again after that.
//!
//! (A1) What takes long: a request of more than [`LONG_BYTES`], for it is parsed and copied; a range, for entries that were
//!      deleted are stepped over one by one, and nobody knows how many there are; reads that need a disk, and an engine that
//!      may block; what is made to take long, such as looking at a password.
//! (A2) A pass ends after [`SLICE`], or with many answers, so that a long pipeline neither keeps others waiting nor gathers
//!      without bound.
//! (A3) Writes that are gathered are written before anything else is answered, and when the pass stops.

use super::Shared;
use super::answers::{Answer, Answers, What};
use super::budget::{FREE_BYTES, Share};
use super::door::{Door, Next, Protocol, Whole};
use super::execute::{Asking, Later, Step};
use super::failure::{busy, describe};
use super::place::Place;
use super::service::{LONG_BYTES, Service, Written};
use super::session::Session;
use super::tally::Tally;
use crate::Error;
use crate::dataset::gather::Gather;
use crate::protocol::{Form, Reply, Request};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

/// How long a pass may keep a thread of the runtime, and one where blocking is allowed.
pub(super) const SLICE: Duration = Duration::from_micros(250);
const LONG_SLICE: Duration = Duration::from_millis(5);

/// After how many answers the time is looked at.
const LOOK_EVERY: usize = 16;

/// How many times a request's length the memory for carrying it out may be: its strings without escapes, the members of its
/// objects, the batch.
const WORK_FACTOR: usize = 6;

/// How much is read at a time.
const READ_BYTES: usize = 16 << 10;

/// The input of a connection, and the answers to it.
pub(super) struct Pass {
    shared: Arc<Shared>,
    pub(super) session: Session,
    door: Door,
    gather: Gather,
    tally: Tally,
    input: Vec<u8>,
    /// How many bytes of the input are answered.
    start: usize,
    pub(super) answers: Answers,
    /// When the last request was done.
    at: Instant,
    /// What the input takes.
    held: Share,
    /// What carrying out a long request takes.
    work: Share,
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
    /// What comes next must be waited for, by the connection.
    Later(Later),
}

impl Pass {
    /// A connection that has read nothing, on a port of a protocol.
    pub(super) fn new(shared: Arc<Shared>, session: Session, protocol: Protocol) -> Pass {
        let (service, budget) = (&shared.service, &shared.budget);
        Pass {
            session,
            door: Door::new(protocol, service.config.max_line_bytes, service.users.are_required()),
            gather: Gather::default(),
            tally: Tally::default(),
            input: Vec::new(),
            start: 0,
            answers: Answers::new(budget),
            at: Instant::now(),
            held: budget.share(),
            work: budget.share(),
            shared,
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
            _ => (2 * len).min(self.shared.service.config.max_line_bytes).max(len) + READ_BYTES,
        };
        if !self.held.hold(wanted) {
            return None;
        }
        self.input.reserve_exact(wanted - len);
        Some(&mut self.input)
    }

    /// Whether nothing of a request has come.
    pub(super) fn is_idle(&self) -> bool {
        self.input.len() == self.start
    }

    /// Gives back the memory of an input in which there is nothing: many clients are connected and silent.
    pub(super) fn rest(&mut self) {
        self.input = Vec::new();
        self.start = 0;
        self.held.release();
    }

    /// Carries out requests until it must stop.
    pub(super) fn run(&mut self, place: Place) -> Stop {
        let shared = Arc::clone(&self.shared);
        let service = &shared.service;
        let began = Instant::now();
        self.at = began;
        let slice = if place == Place::Runtime { SLICE } else { LONG_SLICE };
        let stop = loop {
            if let Some(stop) = self.request(service, place) {
                break stop;
            }
            let looks = self.answers.len().is_multiple_of(LOOK_EVERY);
            if self.answers.is_full() || (looks && self.at.duration_since(began) > slice) {
                break Stop::Length;
            }
        };
        self.session.show(began);
        self.tally.settle(&service.metrics);
        self.flush(service, place).unwrap_or(stop)
    }

    /// Carries out one request, or says why not.
    fn request(&mut self, service: &Service, place: Place) -> Option<Stop> {
        let input = self.input.get(self.start..).unwrap_or_default();
        let strangers = self.session.user.is_none() && service.users.are_required();
        let len = match self.door.next(input, service.config.max_line_bytes, strangers) {
            Next::Whole { len } => len,
            Next::More { skip } => {
                self.start += skip;
                return Some(Stop::Input);
            }
            Next::Broken(answer) => return Some(self.broken(service, place, answer)),
        };
        if len > LONG_BYTES && place == Place::Runtime {
            return Some(Stop::Long);
        }
        if len > LONG_BYTES && !self.work.hold(len.saturating_mul(WORK_FACTOR)) {
            if let Some(stop) = self.flush(service, place) {
                return Some(stop);
            }
            let form = self.door.form(self.session.version);
            self.done(len, Some(Answer::reply(busy(), form)));
            return None;
        }
        let version = self.session.version;
        let (request, form) = match self.door.decode(input, len, version) {
            Whole::Request(request, form) => (request, form),
            Whole::Nothing => {
                self.done(len, None);
                return None;
            }
            Whole::Refused(bytes) => {
                if let Some(stop) = self.flush(service, place) {
                    return Some(stop);
                }
                let form = self.door.form(version);
                self.done(len, Some(Answer::new(What::Bytes(bytes), form)));
                return None;
            }
            Whole::Broken(bytes) => {
                let form = self.door.form(version);
                return Some(self.broken(service, place, Answer::new(What::Bytes(bytes), form)));
            }
        };
        let (session, gather, tally) = (&mut self.session, &mut self.gather, &mut self.tally);
        let step = service.execute(&mut Asking { session, gather, tally, place }, &request);
        // Looking at the clock is dear beside a write that is only gathered.
        if !matches!(step, Step::Gathered) || self.answers.len().is_multiple_of(LOOK_EVERY) {
            let (began, ended) = (self.at, Instant::now());
            self.at = ended;
            if let Request::Command(args) = &request {
                let now = || crate::dataset::txn::ms_of_time(service.data.engine().now()) / 1000;
                service.slow_log.look(ended.duration_since(began), &self.session.client, *args, now);
            }
        }
        self.take(service, place, step, len, form)
    }

    /// What comes of what came of a request.
    fn take(&mut self, service: &Service, place: Place, step: Step, len: usize, form: Form) -> Option<Stop> {
        let (what, last) = match step {
            Step::Done(what) => (what, false),
            Step::Close(what) => (what, true),
            Step::Gathered => (What::Gathered, false),
            Step::Silent => {
                self.done(len, None);
                return None;
            }
            Step::HangUp => return Some(Stop::Broken),
            Step::Flush => return self.flush(service, place),
            Step::Elsewhere => return Some(Stop::Long),
            Step::Later(later) => return Some(Stop::Later(later)),
        };
        self.tally.commands += 1;
        self.tally.errors += u64::from(matches!(&what, What::Reply(reply) if reply.is_error()));
        let form = self.heard(form);
        self.done(len, Some(Answer::new(what, form)));
        last.then_some(Stop::Broken)
    }

    /// The form in which a reply is sent: none at all when the client does not want it.
    fn heard(&mut self, form: Form) -> Form {
        match form {
            // It may have changed by the request itself, and counts for its reply already.
            Form::Resp(_) if self.session.wants_reply() => Form::Resp(self.session.version),
            Form::Resp(_) => Form::Silent,
            form => form,
        }
    }

    /// A request of `len` bytes is done with.
    fn done(&mut self, len: usize, answer: Option<Answer>) {
        self.start += len;
        self.door.done();
        self.work.release();
        // Nobody may be taken for whoever an earlier request was found to be of.
        self.session.verdict = None;
        if let Some(answer) = answer {
            self.answers.push(answer);
        }
    }

    fn broken(&mut self, service: &Service, place: Place, answer: Answer) -> Stop {
        if let Some(stop) = self.flush(service, place) {
            return stop;
        }
        self.answers.push(answer);
        Stop::Broken
    }

    /// Writes what is gathered (A3); what has to be waited for first.
    fn flush(&mut self, service: &Service, place: Place) -> Option<Stop> {
        if self.gather.is_empty() {
            return None;
        }
        match service.write_gathered(&mut self.gather, place) {
            Written::Done(written) => {
                self.answers.gathered(written);
                None
            }
            Written::Room(bytes) => Some(Stop::Later(Later::Room(bytes))),
            Written::Elsewhere => Some(Stop::Long),
        }
    }

    /// There was no room for what is to be written next: it is answered by that.
    pub(super) fn no_room(&mut self, error: Error) {
        if !self.gather.is_empty() {
            self.gather.clear();
            return self.answers.gathered(Err(error));
        }
        self.answer_next(Reply::Failed(describe(&error)));
    }

    /// Answers the next request, which was begun already.
    pub(super) fn answer_next(&mut self, reply: Reply) {
        let input = self.input.get(self.start..).unwrap_or_default();
        let service = &self.shared.service;
        let Next::Whole { len } = self.door.next(input, service.config.max_line_bytes, false) else { return };
        let form = match self.door.decode(input, len, self.session.version) {
            Whole::Request(_, form) => form,
            _ => self.door.form(self.session.version),
        };
        self.tally.commands += 1;
        let form = self.heard(form);
        self.done(len, Some(Answer::reply(reply, form)));
    }

    /// What is said before the client has said anything.
    pub(super) fn greeting(&self) -> Option<&'static [u8]> {
        matches!(self.door, Door::Text(_)).then_some(crate::protocol::text::GREETING)
    }

    /// How a reply is written that belongs to no request.
    pub(super) fn form(&self) -> Form {
        self.door.form(self.session.version)
    }
}

impl Drop for Pass {
    fn drop(&mut self) {
        let service = &self.shared.service;
        service.forget_watches(&mut self.session);
        service.clients.leave(&self.session.client);
    }
}
