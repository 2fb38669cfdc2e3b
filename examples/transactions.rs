//! A small bank whose books always balance: transfers by transactions, from several threads at once.
//!
//! `cargo run --example transactions [FOLDER]`

use siltstone::{Db, Error, Keyspace, Transaction, WriteBatch};
use std::thread;

const ACCOUNTS: u64 = 10;
const START: u64 = 100;

/// What may come of a transfer, besides an error of the database.
#[derive(Debug, thiserror::Error)]
enum Refused {
    #[error("there are only {0} in the account")]
    NotEnough(u64),
    #[error(transparent)]
    Database(#[from] Error),
}

fn main() -> Result<(), Error> {
    let folder = std::env::args().nth(1).unwrap_or_else(|| "bank".into());
    let db = Db::open(folder)?;
    let accounts = db.keyspace("accounts")?;

    // A batch with conditions is enough where the writes do not depend on what is read: made once, whoever comes first.
    let mut batch = WriteBatch::new();
    batch.require_absent("made");
    batch.put("made", "yes");
    for n in 0..ACCOUNTS {
        batch.within(&accounts).put(n.to_be_bytes(), START.to_be_bytes());
    }
    match db.write(batch) {
        Ok(()) => println!("{ACCOUNTS} accounts made"),
        Err(Error::ConditionFailed { .. }) => println!("the accounts are there"),
        Err(other) => return Err(other),
    }

    thread::scope(|scope| {
        for from in 0..4 {
            let (db, accounts) = (&db, &accounts);
            scope.spawn(move || {
                for n in 1..=20 {
                    if let Err(error) = transfer(db, accounts, from, (from + n) % ACCOUNTS, n) {
                        println!("from {from}: {error}");
                    }
                }
            });
        }
    });

    // A walk counts as read, too: this sum is of one moment, and would conflict if it were to be written down.
    let sum = db.transact(|tx| sum(tx, &accounts))?;
    println!("the sum of all accounts is {sum}, as it was");
    db.close()
}

/// Moves money. When another transfer touches the same accounts meanwhile, it is done again; nobody waits for a lock.
fn transfer(db: &Db, accounts: &Keyspace, from: u64, to: u64, amount: u64) -> Result<(), Refused> {
    db.transact(|tx| {
        let mut accounts = tx.within(accounts)?;
        let has = number(accounts.get(from.to_be_bytes())?.as_deref());
        // An error of the closure ends it, and nothing is written.
        let left = has.checked_sub(amount).ok_or(Refused::NotEnough(has))?;
        accounts.put(from.to_be_bytes(), left.to_be_bytes())?;
        // Its own write is seen, should both be the same account.
        let other = number(accounts.get(to.to_be_bytes())?.as_deref());
        accounts.put(to.to_be_bytes(), (other + amount).to_be_bytes())?;
        Ok(())
    })
}

fn sum(tx: &mut Transaction, accounts: &Keyspace) -> Result<u64, Error> {
    tx.within(accounts)?.iter().map(|pair| pair.map(|(_, value)| number(Some(&value)))).sum()
}

fn number(value: Option<&[u8]>) -> u64 {
    value.and_then(|bytes| bytes.first_chunk()).map_or(0, |bytes| u64::from_be_bytes(*bytes))
}
