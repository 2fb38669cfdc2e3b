//! `CURRENT`, `src/engine/manifest/current.rs`.

use super::{HEADER, Place, piece, set};

/// Where the checksum stands.
const CRC_AT: usize = HEADER + 32;

/// Makes the checksum right.
pub fn repair(place: &Place, file: &mut [u8]) {
    if let Some(body) = piece(file, HEADER, 32) {
        let crc = place.crc(HEADER, &[body]);
        set(file, CRC_AT, crc);
    }
}

/// One that says the database was not closed.
pub fn dirty(database: u64, manifest: u64) -> Vec<u8> {
    let place = Place { kind: super::CURRENT, database, number: manifest };
    let mut file = place.header();
    file.resize(CRC_AT + 4, 0);
    repair(&place, &mut file);
    file
}
