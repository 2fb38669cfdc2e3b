//! LCS: the longest common subsequence of two strings, by the textbook table.

use super::arguments::{count, integer, is, syntax};
use super::strings::text_of;
use super::{Answered, error};
use crate::dataset::txn::Txn;
use crate::protocol::Reply;
use crate::protocol::resp::Args;

/// The table has a number for each pair of bytes; more than this are refused.
const MAX_CELLS: usize = 16 << 20;

/// What of the answer is wanted.
#[derive(Default)]
struct Wanted {
    len: bool,
    index: bool,
    match_len: bool,
    least: usize,
}

/// A stretch that both strings have: where it lies in each, and how long it is.
struct Match {
    one: usize,
    other: usize,
    len: usize,
}

/// LCS key1 key2 [LEN] [IDX] [MINMATCHLEN n] [WITHMATCHLEN]
pub(super) fn lcs(txn: &mut Txn<'_>, args: Args<'_>) -> Answered {
    let mut wanted = Wanted::default();
    let mut rest = args.from(3);
    while let Some(word) = rest.next() {
        match word {
            word if is(word, "len") => wanted.len = true,
            word if is(word, "idx") => wanted.index = true,
            word if is(word, "withmatchlen") => wanted.match_len = true,
            word if is(word, "minmatchlen") => {
                let Some(number) = rest.next() else { return syntax() };
                wanted.least = usize::try_from(integer(number)?).unwrap_or(0);
            }
            _ => return syntax(),
        }
    }
    if wanted.len && wanted.index {
        return error("ERR If you want both the length and indexes, please just use IDX.");
    }
    let one = text_of(txn.find(args.at(1))?.as_ref())?.0;
    let other = text_of(txn.find(args.at(2))?.as_ref())?.0;
    if (one.len() + 1).saturating_mul(other.len() + 1) > MAX_CELLS {
        return error("ERR the strings are too long for their longest common subsequence");
    }
    let (bytes, matches) = longest(&one, &other);
    Ok(if wanted.len {
        count(bytes.len())
    } else if wanted.index {
        indexes(&matches, bytes.len(), &wanted)
    } else {
        Reply::bytes(bytes)
    })
}

/// The bytes of the subsequence, and the stretches it is made of, the last first.
fn longest(one: &[u8], other: &[u8]) -> (Vec<u8>, Vec<Match>) {
    let width = other.len() + 1;
    let mut table = vec![0_u32; (one.len() + 1) * width];
    let cell = |table: &[u32], i: usize, j: usize| table.get(i * width + j).copied().unwrap_or(0);
    for (i, a) in one.iter().enumerate() {
        for (j, b) in other.iter().enumerate() {
            let best = if a == b {
                cell(&table, i, j) + 1
            } else {
                cell(&table, i, j + 1).max(cell(&table, i + 1, j))
            };
            if let Some(slot) = table.get_mut((i + 1) * width + j + 1) {
                *slot = best;
            }
        }
    }
    let (mut bytes, mut matches) = (Vec::new(), Vec::<Match>::new());
    let (mut i, mut j) = (one.len(), other.len());
    while i > 0 && j > 0 {
        match (one.get(i - 1), other.get(j - 1)) {
            (Some(a), Some(b)) if a == b => {
                (i, j) = (i - 1, j - 1);
                bytes.push(*a);
                match matches.last_mut() {
                    Some(last) if (last.one, last.other) == (i + 1, j + 1) => {
                        *last = Match { one: i, other: j, len: last.len + 1 };
                    }
                    _ => matches.push(Match { one: i, other: j, len: 1 }),
                }
            }
            _ if cell(&table, i - 1, j) > cell(&table, i, j - 1) => i -= 1,
            _ => j -= 1,
        }
    }
    bytes.reverse();
    (bytes, matches)
}

fn indexes(matches: &[Match], len: usize, wanted: &Wanted) -> Reply {
    let span = |start: usize, len: usize| Reply::List(vec![count(start), count(start + len - 1)]);
    let shown = matches.iter().filter(|found| found.len >= wanted.least).map(|found| {
        let mut parts = vec![span(found.one, found.len), span(found.other, found.len)];
        if wanted.match_len {
            parts.push(count(found.len));
        }
        Reply::List(parts)
    });
    Reply::Map(vec![
        (Reply::bytes("matches"), Reply::List(shown.collect())),
        (Reply::bytes("len"), count(len)),
    ])
}
