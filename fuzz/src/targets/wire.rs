//! The wire protocols: requests out of any bytes, and whole conversations with a server.
//!
//! What holds for each of them is here: the same bytes are the same requests however they arrive.

pub mod framed;
pub mod json_lines;
pub mod resp;
pub mod session;
pub mod text;

/// What a decoder says of the bytes that are there.
enum Next {
    /// Nothing whole; so many bytes are done with.
    More(usize),
    /// A request or a refusal, and how many bytes are done with.
    Outcome(String, usize),
    /// Nothing after this can be understood.
    Broken(String),
}

/// What a decoder makes of all of an input.
#[derive(Debug, PartialEq, Eq)]
struct Parsed {
    /// Each request or refusal, and where in the input the decoder was after it; 0 when nothing after it can be understood.
    outcomes: Vec<(String, usize)>,
    /// Nothing after the last outcome can be understood.
    broken: bool,
}

/// What new decoders make of an input, which does not depend on how it arrives.
fn same_however_it_arrives<D: FnMut(&[u8]) -> Next>(input: &[u8], decoder: impl Fn() -> D) -> Parsed {
    let whole = parse(input, &[input.len()], decoder());
    let bytes: Vec<usize> = (1..=input.len()).collect();
    assert_eq!(parse(input, &bytes, decoder()), whole, "byte by byte");
    let pieces = arrivals(input);
    assert_eq!(parse(input, &pieces, decoder()), whole, "in pieces that end at {pieces:?}");
    whole
}

/// Where pieces of the input end: different for different inputs, the same for the same.
fn arrivals(input: &[u8]) -> Vec<usize> {
    let mut random = u64::from(crc32fast::hash(input)) | 1 << 40;
    let mut ends = Vec::new();
    let mut at = 0;
    while at < input.len() {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        at = (at + 1 + random as usize % 40).min(input.len());
        ends.push(at);
    }
    ends
}

fn parse(input: &[u8], arrivals: &[usize], mut decoder: impl FnMut(&[u8]) -> Next) -> Parsed {
    let mut parsed = Parsed { outcomes: Vec::new(), broken: false };
    let mut at = 0;
    for arrived in arrivals {
        loop {
            match decoder(&input[at..*arrived]) {
                Next::More(skip) => {
                    at += skip;
                    break;
                }
                Next::Outcome(outcome, consumed) => {
                    assert!(consumed > 0 && at + consumed <= *arrived);
                    at += consumed;
                    parsed.outcomes.push((outcome, at));
                }
                Next::Broken(outcome) => {
                    parsed.outcomes.push((outcome, 0));
                    parsed.broken = true;
                    return parsed;
                }
            }
        }
    }
    parsed
}
