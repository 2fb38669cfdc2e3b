//! Patterns of keys, by the rules of Redis.
//!
//! ```text
//! *        any bytes                     [abc] [a-z] [^a]   one byte of a class, or not of it
//! ?        one byte                      \x                 the byte x
//! ```
//!
//! A class without its `]` goes to the end of the pattern. Matching goes back to the last star only, so it costs at most the
//! product of both lengths, whatever the pattern: `a*a*a*b` is no trap.

/// Whether `text` is what `pattern` describes, all of it.
pub fn matches(pattern: &[u8], text: &[u8]) -> bool {
    let (mut p, mut t) = (pattern, text);
    // Where to go on when what follows the last star did not fit: behind the star, one byte further in the text.
    let mut retry: Option<(&[u8], &[u8])> = None;
    loop {
        if let [b'*', rest @ ..] = p {
            p = rest;
            retry = Some((p, t));
            continue;
        }
        if let ([], []) = (p, t) {
            return true;
        }
        if let Some((rest_p, rest_t)) = one(p, t) {
            (p, t) = (rest_p, rest_t);
            continue;
        }
        let Some((after_star, [_, further @ ..])) = retry else { return false };
        retry = Some((after_star, further));
        (p, t) = (after_star, further);
    }
}

/// What is left of both when the pattern's next piece, no star, is the next byte.
fn one<'p, 't>(pattern: &'p [u8], text: &'t [u8]) -> Option<(&'p [u8], &'t [u8])> {
    let ([first, rest @ ..], [byte, after @ ..]) = (pattern, text) else { return None };
    let (fits, rest) = match (first, rest) {
        (b'?', _) => (true, rest),
        (b'[', _) => class(rest, *byte),
        (b'\\', [escaped, rest @ ..]) => (escaped == byte, rest),
        _ => (first == byte, rest),
    };
    fits.then_some((rest, after))
}

/// Whether a class, whose `[` is read, has `byte`, and what follows the class.
fn class(pattern: &[u8], byte: u8) -> (bool, &[u8]) {
    let (negated, mut rest) = match pattern {
        [b'^', rest @ ..] => (true, rest),
        _ => (false, pattern),
    };
    let mut found = false;
    loop {
        rest = match rest {
            [] => break,
            [b']', after @ ..] => {
                rest = after;
                break;
            }
            [b'\\', escaped, after @ ..] => {
                found |= *escaped == byte;
                after
            }
            [low, b'-', high, after @ ..] => {
                found |= (*low.min(high)..=*low.max(high)).contains(&byte);
                after
            }
            [other, after @ ..] => {
                found |= *other == byte;
                after
            }
        };
    }
    (found != negated, rest)
}

/// The bytes that everything a pattern describes begins with.
pub fn prefix(pattern: &[u8]) -> Vec<u8> {
    let mut prefix = Vec::new();
    let mut rest = pattern;
    loop {
        rest = match rest {
            [b'\\', escaped, after @ ..] => {
                prefix.push(*escaped);
                after
            }
            [] | [b'*' | b'?' | b'[' | b'\\', ..] => return prefix,
            [plain, after @ ..] => {
                prefix.push(*plain);
                after
            }
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(pattern: &str, fits: &[&str], others: &[&str]) {
        for text in fits {
            assert!(matches(pattern.as_bytes(), text.as_bytes()), "{pattern} {text}");
            assert!(text.as_bytes().starts_with(&prefix(pattern.as_bytes())), "{pattern} {text}");
        }
        for text in others {
            assert!(!matches(pattern.as_bytes(), text.as_bytes()), "{pattern} {text}");
        }
    }

    #[test]
    fn the_rules_of_redis() {
        check("*", &["", "a", "abc"], &[]);
        check("", &[""], &["a"]);
        check("h?llo", &["hello", "hallo"], &["hllo", "heello"]);
        check("h*llo", &["hllo", "heeeello"], &["hell", "hlloo"]);
        check("h[ae]llo", &["hello", "hallo"], &["hillo", "hllo"]);
        check("h[^e]llo", &["hallo"], &["hello"]);
        check("h[a-c]llo", &["hallo", "hbllo"], &["hdllo"]);
        check("h[c-a]llo", &["hbllo"], &["hdllo"]);
        check("h\\*llo", &["h*llo"], &["hello"]);
        check("[\\]]", &["]"], &["\\"]);
        check("[abc", &["a"], &["d", ""]);
        check("a*b*c", &["abc", "aXbYc", "abbcc"], &["acb", "ab"]);
        check("user:*:name", &["user:1:name", "user::name"], &["user:1:nam"]);
        check("*a*", &["a", "bab"], &["", "b"]);
        check("\\", &["\\"], &["a"]);
    }

    #[test]
    fn no_pattern_takes_long() {
        let pattern = "a*".repeat(2_000) + "b";
        assert!(!matches(pattern.as_bytes(), &[b'a'; 20_000]));
    }
}
