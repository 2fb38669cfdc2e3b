//! Walks that are interrupted, and gone on with later: by another request, perhaps after a restart.
//!
//! A page needs nothing to be kept: the token says what is left, and whoever comes back walks over that in the database as it is
//! then. So a key that was added meanwhile in what is left shows, and the key that was handed out last may be gone.

use super::close::Handle;
use super::keyspace::Keyspace;
use super::range::Range;
use super::snapshot::Snapshot;
use super::token::Token;
use crate::engine::key::KeyspaceId;
use crate::engine::key::range_bounds;
use crate::engine::slice::Slice;
use crate::{Error, Result};
use std::ops::Bound;
use std::sync::Arc;

/// Some pairs of a range, and how to go on.
#[derive(Debug, Clone)]
pub struct Page {
    /// The pairs, in the order of the walk.
    pub pairs: Vec<(Slice, Slice)>,
    /// What [`Keyspace::resume`] goes on with; `None` when there was nothing left.
    pub next: Option<Vec<u8>>,
}

impl Range {
    /// The next `limit` pairs at most, and a token for what is left behind them.
    ///
    /// ```
    /// # use siltstone::Db;
    /// # let folder = tempfile::tempdir().unwrap();
    /// # let db = Db::open(folder.path().join("db"))?;
    /// for key in ["a", "b", "c"] {
    ///     db.put(key, key)?;
    /// }
    /// let first = db.iter().page(2)?;
    /// assert_eq!(first.pairs.len(), 2);
    /// let token = first.next.unwrap(); // to the client, and back
    /// db.delete("b")?;
    /// let second = db.resume(&token)?.page(2)?;
    /// assert_eq!(second.pairs[0].0, b"c");
    /// assert!(second.next.is_none());
    /// # Ok::<(), siltstone::Error>(())
    /// ```
    ///
    /// # Errors
    /// What the walk gives.
    pub fn page(mut self, limit: usize) -> Result<Page> {
        let pairs = self.by_ref().take(limit).collect::<Result<Vec<_>>>()?;
        let token = self.resume_token()?;
        let next = self.next().transpose()?.map(|_| token);
        Ok(Page { pairs, next })
    }

    /// As [`Range::page`], going down from the upper end.
    ///
    /// # Errors
    /// As [`Range::page`].
    pub fn page_back(mut self, limit: usize) -> Result<Page> {
        let pairs = self.by_ref().rev().take(limit).collect::<Result<Vec<_>>>()?;
        let token = self.resume_token()?;
        let next = self.next_back().transpose()?.map(|_| token);
        Ok(Page { pairs, next })
    }

    /// What is left of the walk, at both ends, as bytes for [`Keyspace::resume`]: of some dozen bytes, the name of the keyspace and
    /// two keys. Whoever gets them can read these keys.
    ///
    /// # Errors
    /// The error of the walk, when it could not even begin; [`Error::InvalidArgument`] when the keyspace has been dropped.
    pub fn resume_token(&self) -> Result<Vec<u8>> {
        let (handle, id) = self.place()?;
        let name = name_of(handle, id)?;
        let (lower, upper) = self.rest();
        let behind_all = range_bounds::<&[u8]>(id, &..).1;
        let user_key = |key: &[u8]| key.get(id.prefix_len()..).unwrap_or_default().to_vec();
        let upper = upper.filter(|upper| behind_all.as_deref() != Some(upper)).map(user_key);
        let (database, lower) = (handle.inner().database, user_key(&lower));
        Ok(Token { database, keyspace: &name, lower: &lower, upper: upper.as_deref() }.encode())
    }
}

impl Keyspace {
    /// What was left of a walk over this keyspace, as it is now: the range that [`Range::resume_token`], or a [`Page`], has given
    /// this token for. Either direction can be gone on with. Tokens do not age, and outlive the process.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] for bytes that are no token, or one of another database or keyspace.
    pub fn resume(&self, token: &[u8]) -> Result<Range> {
        let (lower, upper) = rest_in(token, self.handle(), self.name())?;
        let bounds = (Bound::Included(lower), upper.map_or(Bound::Unbounded, Bound::Excluded));
        Ok(self.range::<&[u8]>(bounds))
    }
}

impl Snapshot {
    /// As [`Keyspace::resume`], at the moment of the snapshot.
    ///
    /// # Errors
    /// As [`Keyspace::resume`].
    pub fn resume(&self, token: &[u8]) -> Result<Range> {
        let (handle, id) = self.place();
        let (lower, upper) = rest_in(token, handle, &name_of(handle, id)?)?;
        let bounds = (Bound::Included(lower), upper.map_or(Bound::Unbounded, Bound::Excluded));
        Ok(self.range::<&[u8]>(bounds))
    }
}

/// The lowest user key that is left of a walk, and the lowest behind.
type Rest<'a> = (&'a [u8], Option<&'a [u8]>);

fn rest_in<'a>(token: &'a [u8], handle: &Handle, keyspace: &str) -> Result<Rest<'a>> {
    let token = Token::decode(token)?;
    if token.database != handle.inner().database {
        return Err(Error::invalid(
            "the resume token belongs to another database: go on there, or begin the range anew",
        ));
    }
    if token.keyspace != keyspace {
        let (theirs, ours) = (token.keyspace, keyspace);
        return Err(Error::invalid(format!(
            "the resume token belongs to the keyspace \"{theirs}\" and not to \"{ours}\": go on there"
        )));
    }
    Ok((token.lower, token.upper))
}

/// The name of the keyspace with this number.
fn name_of(handle: &Arc<Handle>, id: KeyspaceId) -> Result<String> {
    if id == KeyspaceId::DEFAULT {
        return Ok(String::new());
    }
    let names = handle.inner().keyspaces.lock();
    match names.iter().find(|(_, traits)| traits.id == id) {
        Some((name, _)) => Ok(name.clone()),
        None => Err(Error::invalid("the keyspace of the range is gone: there is nothing to go on with")),
    }
}
