//! CRC-32, bound to the place the bytes belong to.
//!
//! The checksum of a piece covers the database id, the kind and number of the file and the offset in it before the bytes
//! themselves. So a block that is intact but lies in the wrong place, file or database fails like a damaged one.

/// What a file is. On disk: never renumber.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum FileKind {
    /// A write-ahead log segment.
    Log = 1,
    /// A sorted table.
    Table = 2,
    /// The manifest.
    Manifest = 3,
    /// The file that names the manifest.
    Current = 4,
}

impl FileKind {
    /// The kind with this number on disk.
    #[must_use]
    pub fn from_u8(v: u8) -> Option<FileKind> {
        Some(match v {
            1 => FileKind::Log,
            2 => FileKind::Table,
            3 => FileKind::Manifest,
            4 => FileKind::Current,
            _ => return None,
        })
    }
}

/// Which file a checksum belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// The database's random id.
    pub database: u64,
    /// What kind of file it is.
    pub kind: FileKind,
    /// Its number.
    pub number: u64,
}

impl Place {
    /// The checksum of `parts`, one after the other, at `offset` of this file.
    #[must_use]
    pub fn crc(&self, offset: u64, parts: &[&[u8]]) -> u32 {
        let mut hasher = self.hasher(offset);
        for part in parts {
            hasher.update(part);
        }
        hasher.finalize()
    }

    /// The checksum of what is yet to come at `offset` of this file.
    #[must_use]
    pub fn hasher(&self, offset: u64) -> crc32fast::Hasher {
        let mut seed = [0u8; 25];
        let (database, rest) = seed.split_at_mut(8);
        let (number, rest) = rest.split_at_mut(8);
        let (place, kind) = rest.split_at_mut(8);
        database.copy_from_slice(&self.database.to_le_bytes());
        number.copy_from_slice(&self.number.to_le_bytes());
        place.copy_from_slice(&offset.to_le_bytes());
        kind.copy_from_slice(&[self.kind as u8]);
        let mut hasher = crc32fast::Hasher::new();
        hasher.update(&seed);
        hasher
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_place_counts() {
        let at = Place { database: 1, kind: FileKind::Table, number: 2 };
        let crc = at.crc(3, &[b"abc"]);
        assert_eq!(crc, at.crc(3, &[b"a", b"bc"]));
        assert_ne!(crc, at.crc(4, &[b"abc"]));
        assert_ne!(crc, Place { number: 3, ..at }.crc(3, &[b"abc"]));
        assert_ne!(crc, Place { database: 3, ..at }.crc(3, &[b"abc"]));
        assert_ne!(crc, Place { kind: FileKind::Log, ..at }.crc(3, &[b"abc"]));
    }
}
