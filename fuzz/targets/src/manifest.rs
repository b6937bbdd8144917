//! MANIFEST: whatever stands in it, a store opens or says why not, and what it then shows are commits that were made.
//!
//! The decoder is the engine's own; it is reached by opening a store whose MANIFEST was exchanged.

use milepost_engine::{Engine, OpenError};
use milepost_types::{Commit, Scope};

use crate::store::{self, Original, original, replayed};

const HEADER_BYTES: usize = 32;

/// Any bytes as a whole MANIFEST, and as what stands behind its header.
pub fn check(bytes: &[u8]) {
    open_with(bytes);
    open_with(&with_header(bytes));
    if let Some(archive) = bytes.get(HEADER_BYTES..) {
        open_with(&with_header(archive));
    }
}

/// A header that fits, before these bytes.
fn with_header(archive: &[u8]) -> Vec<u8> {
    let mut bytes = b"MPSTMANF\x01\0\0\0".to_vec();
    bytes.extend_from_slice(&(archive.len() as u32).to_le_bytes());
    bytes.extend_from_slice(&crc32fast::hash(archive).to_le_bytes());
    let crc = crc32fast::hash(&bytes);
    bytes.extend_from_slice(&crc.to_le_bytes());
    bytes.resize(HEADER_BYTES, 0);
    bytes.extend_from_slice(archive);
    bytes
}

/// The genuine one: of the store that the others are exchanged in.
pub(crate) fn genuine() -> Vec<u8> {
    original().machine.disk.file_bytes(&store::manifest()).unwrap()
}

fn open_with(manifest: &[u8]) {
    let Original { machine, commits, .. } = original();
    let disk = machine.disk.copy();
    disk.put_file(&store::manifest(), manifest);
    let machine = machine.with_disk(disk);
    let _ = machine.verify();
    if let Ok(reader) = machine.open_read_only() {
        shows_what_was_made(&reader, commits);
    }
    match machine.open() {
        Ok(engine) => {
            shows_what_was_made(&engine, commits);
            // What is appended now is found again.
            let request = engine.request().set(&Scope::parse("a").unwrap(), "k", b"v").unwrap();
            if let Ok(receipt) = engine.commit(request) {
                let _ = engine.close();
                drop(engine);
                let engine = machine.open().unwrap();
                assert!(engine.last().seq >= receipt.seq, "an acknowledged commit is gone");
            }
        }
        Err(OpenError::Missing { .. }) => panic!("a store with segments is no missing store"),
        Err(_) => {}
    }
}

/// A made-up MANIFEST may leave out the first segments. The commits that are shown are the ones that were made.
fn shows_what_was_made(engine: &Engine, commits: &[Commit]) {
    if let Some(shown) = replayed(engine) {
        for commit in shown {
            assert_eq!(Some(&commit), commits.iter().find(|made| made.seq == commit.seq));
        }
    }
}
