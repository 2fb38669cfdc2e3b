//! What is to be known of a command before it is carried out.

use super::Run;
use crate::protocol::resp::Args;

/// A command.
pub(in crate::server) struct Spec {
    /// Its name, in lower case.
    pub(in crate::server) name: &'static str,
    pub(in crate::server) arity: i32,
    pub(in crate::server) run: Run,
    pub(in crate::server) lock: Lock,
    pub(in crate::server) flags: &'static [Flag],
    pub(in crate::server) keys: (i32, i32, i32),
}

/// Which locks a command on data needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::server) enum Lock {
    /// None: it reads once.
    None,
    /// Those of its keys.
    Keys,
    /// Those of all keys.
    All,
}

/// What is to be known of a command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::server) enum Flag {
    /// It writes.
    Write,
    /// It only reads.
    Readonly,
    /// It takes the same time whatever it meets.
    Fast,
    /// It is for those who look after the server.
    Admin,
    /// Strangers may use it.
    NoAuth,
    /// It is carried out at once between MULTI and EXEC, and makes no sense there.
    Alone,
}

impl Spec {
    /// Whether it has this flag.
    pub(in crate::server) fn has(&self, flag: Flag) -> bool {
        self.flags.contains(&flag)
    }

    /// Whether it is never queued for EXEC.
    pub(in crate::server) fn is_alone(&self) -> bool {
        self.has(Flag::Alone)
    }

    /// Whether so many arguments are right.
    pub(in crate::server) fn takes(&self, args: usize) -> bool {
        let wanted = self.arity.unsigned_abs() as usize;
        if self.arity < 0 { args >= wanted } else { args == wanted }
    }

    /// The keys among its arguments.
    pub(in crate::server) fn keys_of<'a>(&self, args: Args<'a>) -> impl Iterator<Item = &'a [u8]> + use<'a> {
        let (first, last, step) = self.keys;
        let last = if last < 0 { args.len() as i32 + last } else { last };
        let count = if first == 0 || last < first { 0 } else { (last - first) as usize + 1 };
        let (first, step) = (first.max(0) as usize, step.max(1) as usize);
        (first..first + count).step_by(step).map(move |at| args.at(at))
    }
}

/// All commands.
pub(in crate::server) struct Commands {
    /// In the order in which they are told.
    pub(in crate::server) all: &'static [Spec],
    /// The one of a name, in upper or lower case.
    pub(in crate::server) find: fn(&[u8]) -> Option<&'static Spec>,
}
