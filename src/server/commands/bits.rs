//! Strings as bits, the highest of each byte first.

use super::arguments::{count, flag, integer, is, syntax};
use super::strings::{part, text_of};
use super::{Answered, Refusal, error};
use crate::dataset::txn::Txn;
use crate::protocol::Reply;
use crate::protocol::resp::Args;
use crate::store::Value;

const BAD_OFFSET: &str = "ERR bit offset is not an integer or out of range";

/// The most bits a string has.
const MAX_BITS: i64 = 1 << 32;

fn offset(arg: &[u8]) -> Result<usize, Refusal> {
    let offset = crate::protocol::resp::number::parse_i64(arg).filter(|at| (0..MAX_BITS).contains(at));
    offset.map_or_else(|| error(BAD_OFFSET), |at| Ok(at as usize))
}

fn bit_at(text: &[u8], at: usize) -> bool {
    text.get(at / 8).is_some_and(|byte| byte & (0x80 >> (at % 8)) != 0)
}

/// GETBIT key offset
pub(super) fn getbit(txn: &mut Txn<'_>, args: Args<'_>) -> Answered {
    let at = offset(args.at(2))?;
    let Some(entry) = txn.look_up(args.at(1))? else { return flag(false) };
    flag(bit_at(&entry.text()?, at))
}

/// SETBIT key offset 0|1
pub(super) fn setbit(txn: &mut Txn<'_>, args: Args<'_>) -> Answered {
    let at = offset(args.at(2))?;
    let on = match args.at(3) {
        b"0" => false,
        b"1" => true,
        _ => return error("ERR bit is not an integer or out of range"),
    };
    let old = txn.find(args.at(1))?;
    let (mut text, expiry) = text_of(old.as_ref())?;
    let was = bit_at(&text, at);
    text.resize(text.len().max(at / 8 + 1), 0);
    if let Some(byte) = text.get_mut(at / 8) {
        let bit = 0x80 >> (at % 8);
        *byte = if on { *byte | bit } else { *byte & !bit };
    }
    txn.put(args.at(1), &Value::Bytes(text.into()), expiry)?;
    flag(was)
}

/// BITCOUNT key [start end [BYTE | BIT]]
pub(super) fn bitcount(txn: &mut Txn<'_>, args: Args<'_>) -> Answered {
    let by_bit = match (args.len(), args.get(4)) {
        (2 | 4, _) => false,
        (5, Some(unit)) if is(unit, "byte") => false,
        (5, Some(unit)) if is(unit, "bit") => true,
        _ => return syntax(),
    };
    let bounds = if args.len() == 2 { (0, -1) } else { (integer(args.at(2))?, integer(args.at(3))?) };
    let Some(entry) = txn.look_up(args.at(1))? else { return Ok(Reply::Number(0)) };
    let text = entry.text()?;
    let len = if by_bit { text.len() * 8 } else { text.len() };
    let Some(part) = part(len, bounds.0, bounds.1) else { return Ok(Reply::Number(0)) };
    Ok(count(if by_bit {
        part.filter(|at| bit_at(&text, *at)).count()
    } else {
        text.get(part).unwrap_or_default().iter().map(|byte| byte.count_ones() as usize).sum()
    }))
}
