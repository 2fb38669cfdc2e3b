//! An index changes an answer, a unique value is there twice, or half a change is seen.
//!
//! | module | what it has |
//! |---|---|
//! | [`data`] | documents, indexes, queries and changes out of a seed |
//! | [`naive`] | what a query and a change mean, told once more and in the plainest way, on a list in memory |
//! | [`crash`] | the power is cut before every file operation |
//! | [`dates`] | columns of dates are compared as moments |
//! | [`kill`] | a process that writes documents is killed |
//! | [`race`] | writers that want the same, readers and builders beside them |
//! | [`between`] | what comes between the shape of a table and a view of it |
//! | [`stream`] | a million documents are looked through in the memory of a few |
//! | [`covered`] | what an index shows is what its documents would, also where it cannot tell |
//! | [`ahead`] | documents are read in groups, but never more of them than may be wanted |
//! | [`agree`] | index, scan and list give the same answers, between random changes |
//! | [`storm`] | the same, between power cuts and racing writers, whose logs say what may be there |

mod agree;
mod ahead;
mod between;
mod covered;
mod crash;
mod data;
mod dates;
mod kill;
mod naive;
mod race;
mod storm;
mod stream;
