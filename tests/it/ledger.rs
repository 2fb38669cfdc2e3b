//! What a writer sent, what was acknowledged, and so which states it may find after a crash.
//!
//! Commands of one writer take effect in the order it sent them, each wholly or not at all. After a crash its keys must
//! therefore be in the state after *some* prefix of its commands, and that prefix holds every acknowledged one. A lost
//! acknowledgement, half a batch, a value that was never sent, and a later write without an earlier one all fail this.
//!
//! A key belongs to one writer. Values are JSON texts.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Keys and values.
pub type Entries = BTreeMap<String, Arc<str>>;

/// One step: what it sets, and what it deletes.
pub type Command = Vec<(String, Option<Arc<str>>)>;

/// The book of one writer, kept outside the database.
#[derive(Default)]
pub struct Ledger {
    /// The state before `sent`, known from the last look at the database.
    settled: Entries,
    sent: Vec<Command>,
    acknowledged: usize,
    /// Every key ever sent.
    keys: BTreeSet<String>,
    /// Those that are there once all of `sent` is carried out.
    present: BTreeSet<String>,
}

/// What became of the commands since the last look.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Settled {
    pub sent: usize,
    pub acknowledged: usize,
    /// At least as many as were acknowledged.
    pub kept: usize,
}

impl Ledger {
    /// Notes a command. To be done before its first byte is sent.
    pub fn send(&mut self, command: Command) {
        for (key, value) in &command {
            self.keys.insert(key.clone());
            match value {
                Some(_) => self.present.insert(key.clone()),
                None => self.present.remove(key),
            };
        }
        self.sent.push(command);
    }

    /// Notes that the oldest command without an answer was carried out.
    pub fn acknowledge(&mut self) {
        self.acknowledged += 1;
        assert!(self.acknowledged <= self.sent.len(), "more answers than commands");
    }

    pub fn acknowledge_all(&mut self) {
        self.acknowledged = self.sent.len();
    }

    /// How many commands have no answer.
    pub fn waiting(&self) -> usize {
        self.sent.len() - self.acknowledged
    }

    pub fn keys(&self) -> &BTreeSet<String> {
        &self.keys
    }

    /// Whether `key` is there once all that was sent is carried out.
    pub fn has(&self, key: &str) -> bool {
        self.present.contains(key)
    }

    /// The state known from the last look.
    pub fn settled(&self) -> &Entries {
        &self.settled
    }

    /// Looks at what the database holds: is there a prefix of the commands, with every acknowledged one, that leads to it?
    /// Then that is the state to go on from. Other writers' keys in `found` are passed over.
    ///
    /// # Errors
    /// What is wrong, key by key.
    pub fn settle(&mut self, found: &Entries) -> Result<Settled, String> {
        let mut state = self.settled.clone();
        for (key, value) in self.sent.iter().take(self.acknowledged).flatten() {
            apply(&mut state, key, value);
        }
        let as_found = |state: &Entries, key: &str| state.get(key) == found.get(key);
        let wrong: BTreeSet<&String> = self.keys.iter().filter(|key| !as_found(&state, key)).collect();
        let mut differing = wrong.clone();
        let mut kept = self.acknowledged;
        while !differing.is_empty() {
            let Some(command) = self.sent.get(kept) else { return Err(self.explain(&wrong, found)) };
            kept += 1;
            for (key, value) in command {
                apply(&mut state, key, value);
            }
            for (key, _) in command {
                if as_found(&state, key) {
                    differing.remove(key)
                } else {
                    differing.insert(key)
                };
            }
        }
        let settled = Settled { sent: self.sent.len(), acknowledged: self.acknowledged, kept };
        self.present = state.keys().cloned().collect();
        self.settled = state;
        self.sent.clear();
        self.acknowledged = 0;
        Ok(settled)
    }

    fn explain(&self, wrong: &BTreeSet<&String>, found: &Entries) -> String {
        let mut text = format!(
            "no prefix of {} commands, {} of them acknowledged, leads to what was found; it differs from the acknowledged state at {} keys:",
            self.sent.len(),
            self.acknowledged,
            wrong.len()
        );
        // First the keys that no command without an answer explains.
        let explained =
            |key: &str| self.origin(key, found.get(key)).is_some_and(|at| at >= self.acknowledged);
        let mut wrong: Vec<&String> = wrong.iter().copied().collect();
        wrong.sort_by_key(|key| explained(key));
        for key in wrong.into_iter().take(8) {
            let has = found.get(key);
            let expected = self.commands_on(key).filter(|(at, _)| *at < self.acknowledged).last();
            text += &format!(
                "\n  {key}: {}; the last acknowledged is {}",
                match (has, self.origin(key, has)) {
                    (None, _) => "absent".to_string(),
                    (Some(value), Some(at)) => format!("{} of command {at}", short(value)),
                    (Some(value), None) if self.settled.get(key) == has =>
                        format!("{} of before", short(value)),
                    (Some(value), None) => format!("{}, which was never sent", short(value)),
                },
                expected.map_or("of before".into(), |(at, value)| {
                    format!("{} of command {at}", value.as_deref().map_or("a deletion", short))
                })
            );
        }
        text
    }

    fn commands_on<'a>(&'a self, key: &'a str) -> impl Iterator<Item = (usize, &'a Option<Arc<str>>)> {
        let commands = self.sent.iter().enumerate();
        commands.flat_map(move |(at, c)| c.iter().filter(move |(k, _)| k == key).map(move |(_, v)| (at, v)))
    }

    fn origin(&self, key: &str, value: Option<&Arc<str>>) -> Option<usize> {
        self.commands_on(key).filter(|(_, sent)| sent.as_ref() == value).last().map(|(at, _)| at)
    }
}

fn apply(state: &mut Entries, key: &str, value: &Option<Arc<str>>) {
    match value {
        Some(value) => state.insert(key.into(), Arc::clone(value)),
        None => state.remove(key),
    };
}

/// The beginning of a value, which holds its stamp.
fn short(value: &str) -> &str {
    value.char_indices().nth(40).map_or(value, |(at, _)| &value[..at])
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Commands `key=value` and `key-`, several in one batch joined by commas; the first `acknowledged` are.
    fn ledger(commands: &str, acknowledged: usize) -> Ledger {
        let mut ledger = Ledger::default();
        for command in commands.split_whitespace() {
            let step = |text: &str| match text.split_once('=') {
                Some((key, value)) => (key.to_string(), Some(value.into())),
                None => (text.trim_end_matches('-').to_string(), None),
            };
            ledger.send(command.split(',').map(step).collect());
        }
        (0..acknowledged).for_each(|_| ledger.acknowledge());
        ledger
    }

    fn found(entries: &str) -> Entries {
        let pairs = entries.split_whitespace().map(|entry| entry.split_once('=').unwrap());
        pairs.map(|(key, value)| (key.to_string(), value.into())).collect()
    }

    #[track_caller]
    fn keeps(commands: &str, acknowledged: usize, entries: &str, kept: usize) {
        let mut ledger = ledger(commands, acknowledged);
        let settled = ledger.settle(&found(entries)).unwrap();
        assert_eq!(settled.kept, kept);
        assert_eq!(*ledger.settled(), found(entries));
        assert_eq!(ledger.waiting(), 0);
    }

    #[track_caller]
    fn refuses(commands: &str, acknowledged: usize, entries: &str, why: &str) {
        let wrong = ledger(commands, acknowledged).settle(&found(entries)).unwrap_err();
        assert!(wrong.contains(why), "{why:?} is not in {wrong}");
    }

    #[test]
    fn a_prefix_with_all_that_was_acknowledged_is_accepted() {
        let commands = "a=1 b=2 a=3,c=3 b-";
        keeps(commands, 4, "a=3 c=3", 4);
        keeps(commands, 0, "", 0);
        keeps(commands, 1, "a=1 b=2", 2);
        keeps(commands, 2, "a=3 b=2 c=3", 3);
        keeps("a=1 a- a=2 a-", 1, "", 2);
    }

    #[test]
    fn what_is_lost_torn_reordered_or_made_up_is_refused() {
        let commands = "a=1 b=2 a=3,c=3 b-";
        refuses(commands, 2, "a=1", "b: absent; the last acknowledged is 2 of command 1");
        refuses(commands, 2, "a=3 b=2", "a: 3 of command 2; the last acknowledged is 1 of command 0");
        refuses(commands, 0, "b=2", "b: 2 of command 1; the last acknowledged is of before");
        refuses(commands, 0, "a=1 b=7", "b: 7, which was never sent");
        refuses(commands, 4, "a=3 b=2 c=3", "the last acknowledged is a deletion of command 3");
    }

    #[test]
    fn the_next_round_begins_where_this_one_ended() {
        let mut ledger = ledger("a=1 b=2", 1);
        assert!(ledger.has("b"));
        ledger.settle(&found("a=1")).unwrap();
        assert!(ledger.has("a") && !ledger.has("b"));
        ledger.send(vec![("a".into(), Some("9".into()))]);
        assert!(ledger.settle(&found("")).unwrap_err().contains("a: absent"));
        assert_eq!(ledger.settle(&found("a=1")).unwrap(), Settled { sent: 1, acknowledged: 0, kept: 0 });
    }
}
