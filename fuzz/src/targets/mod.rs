//! What each target does with its bytes, and what must hold.

pub mod documents;
pub mod files;
pub mod log_chain;
pub mod ops;
pub mod pieces;
pub mod values;
pub mod wire;

/// A target: bytes in, a panic when something does not hold.
pub type Target = fn(&[u8]);

/// All of them, by the names of their programs and corpora.
pub const ALL: [(&str, Target); 25] = [
    ("batch_decode", pieces::batch),
    ("block_decode", pieces::block),
    ("bounds", values::bounds),
    ("compression_frame", pieces::compression_frame),
    ("compression_round_trip", pieces::compression_round_trip),
    ("current", files::current),
    ("document_raw", documents::document_raw),
    ("document_text", documents::document_text),
    ("filter_decode", pieces::filter),
    ("index_decode", pieces::index),
    ("inspect", files::inspect),
    ("log_chain", log_chain::log_chain),
    ("log_reader", files::log_reader),
    ("manifest_reader", files::manifest_reader),
    ("ops_crash", ops::crash::ops_crash),
    ("ops_faults", ops::faults::ops_faults),
    ("ops_model", ops::model::ops_model),
    ("properties_decode", pieces::properties),
    ("table_scan", files::table_scan),
    ("value_codec", values::value_codec),
    ("wire_framed", wire::framed::wire_framed),
    ("wire_request", wire::json_lines::wire_request),
    ("wire_resp", wire::resp::wire_resp),
    ("wire_session", wire::session::wire_session),
    ("wire_text", wire::text::wire_text),
];

/// The target of this name. A constant, so that nothing of the search is left in a fuzzing program.
///
/// # Panics
/// When there is none.
#[must_use]
pub const fn target(name: &str) -> Target {
    let mut i = 0;
    while i < ALL.len() {
        if same(ALL[i].0.as_bytes(), name.as_bytes()) {
            return ALL[i].1;
        }
        i += 1;
    }
    panic!("there is no target of this name")
}

const fn same(a: &[u8], b: &[u8]) -> bool {
    let mut i = 0;
    while i < a.len() && i < b.len() && a[i] == b[i] {
        i += 1;
    }
    i == a.len() && i == b.len()
}
