//! What this program and that of `documents` share: [`measure`] (what work costs), [`settle`] (waiting for background work), and
//! [`table`] (what results are printed as).

pub mod measure;
pub mod settle;
pub mod table;
