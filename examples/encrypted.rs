//! Files of your own: a database of which nothing can be read on disk without the key.
//!
//! ```sh
//! cargo run --release --example encrypted              # in a temporary folder
//! cargo run --release --example encrypted -- folder    # and keeps the database and its key
//! ```
//!
//! [`EncryptedVfs`] wraps any other file system. All that the engine keeps goes through [`Vfs`] and [`File`], the log, the tables
//! and the list of tables alike, so this is all there is to do.
//!
//! # How a file is encrypted
//!
//! ```text
//! salt             16 random bytes, made with the file
//! block 0, 1, …    16 bytes each:  AES(key, plain ^ mask) ^ mask,  mask = AES(other key, salt ^ number of the block)
//! padding          p bytes of zeros, p < 16: so many bytes at the end of the last block do not belong to the file
//! ```
//!
//! (E1) A block is encrypted by itself and in place, as disks are (the construction is XEX): so bytes can be written anywhere,
//!      and a write that a power cut tears harms no block that it did not touch. A longer unit with a checksum of its own
//!      would be torn together with what had been synced in it. The engine's own checksums, which are encrypted
//!      like the rest, notice a change.
//! (E2) The length of the file tells its own: `16 * whole blocks - padding`, less the salt. A power cut between the writing of a
//!      block and that of the padding leaves up to 15 zeros more, as it may in any file (V3 of `siltstone::vfs`).
//! (E3) Who sees the same block of a file at two times sees whether it has changed, and nothing else.
//!
//! Not hidden: names, lengths and times of files. For real secrets have somebody look at it who knows more than its authors.

#![allow(
    clippy::indexing_slicing,
    reason = "an example is read more often than run: each range is beside its proof"
)]

use aes::Aes256;
use aes::cipher::{BlockCipherDecrypt, BlockCipherEncrypt, KeyInit};
use siltstone::vfs::std::StdVfs;
use siltstone::vfs::{File, Mapped, Mode, Vfs};
use siltstone::{Db, Options};
use std::fmt::{self, Debug};
use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

const BLOCK: u64 = 16;
type Block = [u8; BLOCK as usize];

/// Two keys.
pub type Secret = [[u8; 32]; 2];

/// The two ciphers.
struct Keys {
    data: Aes256,
    masks: Aes256,
}

/// Another file system, with everything in its files encrypted.
#[derive(Clone)]
pub struct EncryptedVfs {
    inner: Arc<dyn Vfs>,
    keys: Arc<Keys>,
}

impl EncryptedVfs {
    /// Encrypts what goes to `inner`.
    pub fn new(inner: Arc<dyn Vfs>, secret: &Secret) -> EncryptedVfs {
        let [data, masks] = secret.map(|key| Aes256::new(&key.into()));
        EncryptedVfs { inner, keys: Arc::new(Keys { data, masks }) }
    }
}

impl Debug for EncryptedVfs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Never the keys.
        f.debug_struct("EncryptedVfs").field("inner", &self.inner).finish_non_exhaustive()
    }
}

/// Names are passed on; only what is in files differs.
impl Vfs for EncryptedVfs {
    fn open(&self, path: &Path, mode: Mode) -> io::Result<Box<dyn File>> {
        let inner = self.inner.open(path, mode)?;
        let salt = match plain_len(inner.len()?) {
            // A file without a salt has nothing in it yet.
            0 if mode != Mode::Read && inner.len()? < BLOCK => {
                let mut salt = Block::default();
                getrandom::fill(&mut salt).map_err(io::Error::other)?;
                inner.write_at(&salt, 0)?;
                salt
            }
            _ => read_block(&*inner, 0)?,
        };
        let masks = Masks { keys: Arc::clone(&self.keys), salt: u128::from_le_bytes(salt) };
        Ok(Box::new(EncryptedFile { inner, masks, writing: Mutex::new(()) }))
    }

    fn create_dir_all(&self, path: &Path) -> io::Result<()> {
        self.inner.create_dir_all(path)
    }

    fn sync_dir(&self, path: &Path) -> io::Result<()> {
        self.inner.sync_dir(path)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.inner.rename(from, to)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        self.inner.remove(path)
    }

    fn list(&self, dir: &Path) -> io::Result<Vec<String>> {
        self.inner.list(dir)
    }

    fn len(&self, path: &Path) -> io::Result<Option<u64>> {
        Ok(self.inner.len(path)?.map(plain_len))
    }

    fn lock(&self, path: &Path) -> io::Result<Option<Box<dyn Send + Sync>>> {
        self.inner.lock(path)
    }
}

/// What a file of so many bytes holds (E2).
fn plain_len(len: u64) -> u64 {
    let padding = len % BLOCK;
    (len - padding).saturating_sub(BLOCK + padding)
}

/// How long a file is that holds so much.
fn stored_len(plain: u64) -> u64 {
    let blocks = plain.div_ceil(BLOCK);
    BLOCK + blocks * BLOCK + (blocks * BLOCK - plain)
}

/// A whole block of the file below, of zeros where there is none.
fn read_block(file: &dyn File, at: u64) -> io::Result<Block> {
    let mut block = Block::default();
    read_full(file, &mut block, at)?;
    Ok(block)
}

/// Fills `buf` as far as the file goes.
fn read_full(file: &dyn File, mut buf: &mut [u8], mut at: u64) -> io::Result<()> {
    while !buf.is_empty() {
        match file.read_at(buf, at) {
            Ok(0) => break,
            Ok(n) => (buf, at) = (&mut buf[n..], at + n as u64),
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            Err(e) => return Err(e),
        }
    }
    Ok(())
}

/// What differs from block to block of a file.
struct Masks {
    keys: Arc<Keys>,
    salt: u128,
}

impl Masks {
    fn mask(&self, number: u64) -> u128 {
        let mut mask = (self.salt ^ u128::from(number)).to_le_bytes().into();
        self.keys.masks.encrypt_block(&mut mask);
        u128::from_le_bytes(mask.into())
    }

    fn apply(&self, number: u64, block: &mut [u8], cipher: impl FnOnce(&Aes256, &mut aes::Block)) {
        let mask = self.mask(number).to_le_bytes();
        let xor = |block: &mut [u8]| block.iter_mut().zip(mask).for_each(|(byte, mask)| *byte ^= mask);
        xor(block);
        if let Ok(block) = <&mut aes::Block>::try_from(&mut *block) {
            cipher(&self.keys.data, block);
        }
        xor(block);
    }

    /// Encrypts whole blocks, of which the first has this number.
    fn encrypt(&self, first: u64, plain: &mut [u8]) {
        for (number, block) in (first..).zip(plain.chunks_mut(BLOCK as usize)) {
            self.apply(number, block, |cipher, block| cipher.encrypt_block(block));
        }
    }

    /// The way back.
    fn decrypt(&self, first: u64, stored: &mut [u8]) {
        for (number, block) in (first..).zip(stored.chunks_mut(BLOCK as usize)) {
            self.apply(number, block, |cipher, block| cipher.decrypt_block(block));
        }
    }
}

struct EncryptedFile {
    inner: Box<dyn File>,
    masks: Masks,
    /// Held while blocks are changed of which a part stays.
    writing: Mutex<()>,
}

impl EncryptedFile {
    /// The plain bytes of the blocks that hold `from..to`, zeros where the file ends; and the number of the first.
    fn blocks(&self, from: u64, to: u64) -> io::Result<(u64, Vec<u8>)> {
        let (first, end) = (from / BLOCK, to.div_ceil(BLOCK));
        let mut plain = vec![0; ((end - first) * BLOCK) as usize];
        let there = self.len()?.div_ceil(BLOCK).clamp(first, end);
        let (stored, _) = plain.split_at_mut(((there - first) * BLOCK) as usize);
        read_full(&*self.inner, stored, (first + 1) * BLOCK)?;
        self.masks.decrypt(first, stored);
        Ok((first, plain))
    }

    /// Writes `buf` at `offset`, with the parts of its first and last block that it does not cover.
    fn write(&self, buf: &[u8], offset: u64) -> io::Result<()> {
        if buf.is_empty() {
            return Ok(());
        }
        let (old_len, end) = (self.len()?, offset + buf.len() as u64);
        // What lies between the old end and the new bytes becomes zeros.
        let from = offset.min(old_len);
        let (first, mut plain) =
            match from == offset && from.is_multiple_of(BLOCK) && end.is_multiple_of(BLOCK) {
                true => (from / BLOCK, vec![0; buf.len()]),
                false => self.blocks(from, end)?,
            };
        let at = (offset - first * BLOCK) as usize;
        plain[at..at + buf.len()].copy_from_slice(buf);
        self.masks.encrypt(first, &mut plain);
        self.inner.write_at(&plain, (first + 1) * BLOCK)?;
        if end > old_len { self.inner.set_len(stored_len(end)) } else { Ok(()) }
    }
}

impl File for EncryptedFile {
    fn read_at(&self, buf: &mut [u8], offset: u64) -> io::Result<usize> {
        let end = self.len()?.min(offset.saturating_add(buf.len() as u64));
        if offset >= end {
            return Ok(0);
        }
        let (first, plain) = self.blocks(offset, end)?;
        let (at, len) = ((offset - first * BLOCK) as usize, (end - offset) as usize);
        buf[..len].copy_from_slice(&plain[at..at + len]);
        Ok(len)
    }

    fn write_at(&self, buf: &[u8], offset: u64) -> io::Result<()> {
        let _alone = self.writing.lock().unwrap_or_else(PoisonError::into_inner);
        self.write(buf, offset)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        let _alone = self.writing.lock().unwrap_or_else(PoisonError::into_inner);
        let old = self.len()?;
        if len > old {
            // Zeros are encrypted like everything else.
            return self.write(&vec![0; (len - old) as usize], old);
        }
        if len < old && !len.is_multiple_of(BLOCK) {
            let (first, mut plain) = self.blocks(len, len + 1)?;
            plain[(len % BLOCK) as usize..].fill(0);
            self.masks.encrypt(first, &mut plain);
            self.inner.write_at(&plain, (first + 1) * BLOCK)?;
        }
        self.inner.set_len(stored_len(len))
    }

    fn len(&self) -> io::Result<u64> {
        Ok(plain_len(self.inner.len()?))
    }

    fn sync_data(&self) -> io::Result<()> {
        self.inner.sync_data()
    }

    /// A table is decrypted as a whole when it is opened; a cache of decrypted blocks would be the next thing to write.
    fn map(&self) -> io::Result<Arc<dyn Mapped>> {
        let len = self.len()?;
        let (_, mut plain) = self.blocks(0, len)?;
        plain.truncate(len as usize);
        Ok(Arc::new(plain))
    }
}

/// Opens the database in `folder` with a key.
pub fn open(folder: &Path, secret: &Secret) -> siltstone::Result<Db> {
    Options::default().vfs(Arc::new(EncryptedVfs::new(Arc::new(StdVfs), secret))).open(folder)
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let temporary = tempfile::tempdir()?;
    let folder = std::env::args_os().nth(1).map_or_else(|| temporary.path().to_owned(), Into::into);
    std::fs::create_dir_all(&folder)?;
    let (data, key_file) = (folder.join("data"), folder.join("key"));
    if !key_file.exists() {
        let mut secret = [0; 64];
        getrandom::fill(&mut secret)?;
        std::fs::write(&key_file, secret)?;
    }
    let keys = std::fs::read(&key_file)?;
    let (keys, _) = keys.as_chunks::<32>();
    let secret: Secret = keys.try_into().map_err(|_| "the key file has not 64 bytes")?;

    let db = open(&data, &secret)?;
    db.put("treasure", "under the third oak")?;
    db.flush()?;
    db.close()?;
    let mut readable = 0;
    for file in std::fs::read_dir(&data)? {
        let bytes = std::fs::read(file?.path())?;
        readable += usize::from(["treasure", "third oak"].iter().any(|word| contains(&bytes, word)));
    }
    println!("{readable} files in {} show a word of it", data.display());

    println!("with the key: {:?}", open(&data, &secret)?.get("treasure")?);
    let mut wrong = secret;
    wrong[0][0] ^= 1;
    match open(&data, &wrong) {
        Ok(_) => println!("opened with a wrong key, which must not be"),
        Err(error) => println!("with another key: {error}"),
    }
    Ok(())
}

/// Whether `bytes` show `word`.
pub fn contains(bytes: &[u8], word: &str) -> bool {
    bytes.windows(word.len()).any(|window| window == word.as_bytes())
}
