//! An index changes an answer, a unique value is there twice, or half a change is seen.
//!
//! | module | what it has |
//! |---|---|
//! | [`data`] | documents, indexes, queries and changes out of a seed |
//! | [`naive`] | what a query means, told once more and in the plainest way, on a list in memory |
//! | [`agree`] | index, scan and list give the same answers, between random changes and power cuts |

mod agree;
mod data;
mod naive;
