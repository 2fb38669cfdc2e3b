//! Commits that are awaited.

use crate::futures::{all, small};
use crate::support::block_on;
use siltstone::vfs::mem::MemVfs;
use siltstone::{Background, Durability, Error};
use std::sync::Arc;

#[test]
fn they_commit_in_tasks_as_they_do_in_threads() {
    for background in [Background::Threads, Background::Stepped] {
        let vfs = Arc::new(MemVfs::new());
        let db = small(vfs).background(background).open("/db").unwrap();
        db.put("a", "1").unwrap();
        let begin = || {
            let mut tx = db.transaction();
            tx.get("a").unwrap();
            tx.put("b", "2").unwrap();
            tx
        };
        let only_reads = db.transaction();
        only_reads.get("a").unwrap();
        let (first, dropped) = (begin(), begin());
        drop(dropped.commit_async(Durability::Sync));
        block_on(first.commit_async(Durability::Sync)).unwrap();
        assert_eq!(db.get("b").unwrap().unwrap(), "2");
        let many = (0..20).map(|n| {
            let mut tx = db.transaction();
            tx.get("other").unwrap();
            tx.put(format!("many{n}"), "").unwrap();
            tx.commit_async(Durability::Sync)
        });
        assert!(all(many.collect()).into_iter().all(|done| done.is_ok()));

        // In a buffer, and in a table that came meanwhile.
        for flush in [false, true] {
            let (tx, sound) = (begin(), begin());
            db.put("unread", "").unwrap();
            if flush {
                db.flush().unwrap();
            }
            block_on(sound.commit_async(Durability::Os)).unwrap();
            db.put("a", "of others").unwrap();
            if flush {
                db.flush().unwrap();
            }
            let refused = block_on(tx.commit_async(Durability::Os)).unwrap_err();
            assert!(refused.is_conflict(), "{background:?}, flushed {flush}: {refused}");
        }
        block_on(only_reads.commit_async(Durability::Sync)).unwrap();
        let late = begin();
        db.close().unwrap();
        assert!(matches!(block_on(late.commit_async(Durability::Sync)), Err(Error::Closed)));
    }
}
