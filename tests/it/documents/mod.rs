//! An index changes an answer, a unique value is there twice, or half a change is seen.
//!
//! | module | what it has |
//! |---|---|
//! | [`data`] | documents, indexes, queries and changes out of a seed |
//! | [`naive`] | what a query means, told once more and in the plainest way, on a list in memory |
//! | [`crash`] | the power is cut before every file operation |
//! | [`race`] | writers that want the same, readers and builders beside them |
//! | [`stream`] | a million documents are looked through in the memory of a few |
//! | [`covered`] | what an index shows is what its documents would, also where it cannot tell |
//! | [`agree`] | index, scan and list give the same answers, between random changes and power cuts |

mod agree;
mod covered;
mod crash;
mod data;
mod naive;
mod race;
mod stream;
