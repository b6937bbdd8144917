//! FAULTS H4: a store on disk whose cold blocks are bombs, with checksums that are right: the memory of whoever reads
//! it stays what it was, and each read of one is a named error.

use std::{fs, path::Path};

use milepost::{At, ErrorKind, Seq, Store};

use super::{
    memory::{MIB, done, most_of, scope},
    store_of,
};

const KEYS: u64 = 2000;
/// Where a segment's header has its salt: docs/format.md.
const SALT_AT: usize = 40;
const SEGMENT_HEADER_BYTES: usize = 64;
const BLOCK_HEADER_BYTES: usize = 16;
/// More than a process takes that reads a store of this size, and much less than a bomb makes.
const ALLOWED: u64 = 12 * MIB;

fn key(number: u64) -> String {
    format!("k{number:06}")
}

/// A value that a compressor makes smaller by a quarter: so its blocks have room for a bomb.
fn value(number: u64) -> Vec<u8> {
    let mut state = number + 1;
    let digits = (0..1500).map(|_| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        b' ' + (state >> 58) as u8
    });
    digits.collect()
}

fn cold_store(dir: &Path) {
    // So little memory that there is an index: else an opening reads all blocks, and refuses the store.
    let store = Store::options().memory_bytes(256 << 10).segment_bytes(1 << 20).open(dir).unwrap();
    for first in (0..KEYS).step_by(100) {
        let commit = (first..first + 100).fold(store.commit(), |commit, n| commit.set(&scope(), &key(n), &value(n)));
        commit.durable().unwrap();
    }
    store.compact_cold(&mut |_, _| ()).unwrap();
    store.close().unwrap();
}

/// Puts a bomb of 64 MiB into every block, as long as what stood there; how many. With `claim`, they also say how large
/// they are.
fn plant(dir: &Path, claim: Option<u32>) -> usize {
    let bomb = zstd::bulk::compress(&vec![0; 64 << 20], 3).unwrap();
    let mut planted = 0;
    for entry in fs::read_dir(dir.join("log")).unwrap() {
        let path = entry.unwrap().path();
        let mut bytes = fs::read(&path).unwrap();
        let salt = bytes[SALT_AT..SALT_AT + 8].to_vec();
        let sum = |header: &[u8], stored: &[u8]| {
            let mut hasher = crc32fast::Hasher::new();
            [&salt, header, stored].iter().for_each(|part| hasher.update(part));
            hasher.finalize().to_le_bytes()
        };
        let mut at = SEGMENT_HEADER_BYTES;
        while at + BLOCK_HEADER_BYTES < bytes.len() {
            let field = |from: usize| u32::from_le_bytes(bytes[from..from + 4].try_into().unwrap()) as usize;
            let (stored_at, raw, stored) = (at + BLOCK_HEADER_BYTES, field(at + 4), field(at + 8));
            let end = stored_at + stored;
            // Behind the last block, or in a segment that is not cold.
            if end > bytes.len() || sum(&bytes[at..at + 12], &bytes[stored_at..end]) != bytes[at + 12..at + 16] {
                break;
            }
            // An opening reads the first one, and refuses the store.
            if at > SEGMENT_HEADER_BYTES && stored < raw && stored >= bomb.len() + 8 {
                // Filled up with a frame that a decompressor skips.
                let rest = (stored - bomb.len() - 8) as u32;
                let skipped = [0x184d_2a50_u32.to_le_bytes(), rest.to_le_bytes()].concat();
                bytes[stored_at..stored_at + bomb.len()].copy_from_slice(&bomb);
                bytes[stored_at + bomb.len()..][..8].copy_from_slice(&skipped);
                if let Some(claim) = claim {
                    bytes[at + 4..at + 8].copy_from_slice(&claim.to_le_bytes());
                }
                let crc = sum(&bytes[at..at + 12], &bytes[stored_at..end]);
                bytes[at + 12..at + 16].copy_from_slice(&crc);
                planted += 1;
            }
            at = end;
        }
        fs::write(&path, bytes).unwrap();
    }
    planted
}

#[test]
fn a_store_of_bombs_takes_no_memory() {
    for claim in [None, Some(u32::MAX), Some((64 << 10) + 1)] {
        let place = tempfile::tempdir().unwrap();
        let store = place.path().join("store");
        cold_store(&store);
        let most = most_of("bomb::a_reader_of_bombs_or_not", &store);
        assert!(most.own < ALLOWED, "whole: {most:?}");
        let planted = plant(&store, claim);
        assert!(planted > 100, "{planted} bombs: or this tests nothing");
        let most = most_of("bomb::a_reader_of_bombs", &store);
        println!("{planted} bombs, claiming {claim:?}: {most:?}");
        assert!(most.own < ALLOWED, "{most:?}, allowed are {ALLOWED}");
    }
}

#[test]
fn a_reader_of_bombs_or_not() {
    let Some(dir) = store_of("bomb::a_reader_of_bombs_or_not") else { return };
    let store = Store::read_only(dir).unwrap();
    assert_eq!(store.view(At::Latest).unwrap().scan(&scope(), "").map(Result::unwrap).count() as u64, KEYS);
    done(store);
}

/// Gets, a scan and a replay: right, or a corruption that is named; most are the latter.
#[test]
fn a_reader_of_bombs() {
    let Some(dir) = store_of("bomb::a_reader_of_bombs") else { return };
    let store = Store::read_only(&dir).unwrap();
    let mut refused = 0;
    for number in 0..KEYS {
        match store.get(&scope(), &key(number)) {
            Ok(found) => assert_eq!(found.unwrap().to_vec(), value(number)),
            Err(error) => {
                assert_eq!(error.kind(), ErrorKind::Corrupt, "{error}");
                assert!(error.to_string().contains(".seg"), "it names the file: {error}");
                refused += 1;
            }
        }
    }
    assert!(refused > KEYS / 2, "{refused}");
    let view = store.view(At::Latest).unwrap();
    assert!(view.scan(&scope(), "").any(|entry| entry.is_err_and(|error| error.kind() == ErrorKind::Corrupt)));
    assert!(store.replay(Seq(1)).any(|commit| commit.is_err_and(|error| error.kind() == ErrorKind::Corrupt)));
    let report = milepost::verify(&dir, &mut |_, _| ()).unwrap();
    assert!(matches!(report.verdict, milepost::Verdict::Corrupt(_)), "{report:?}");
    done(store);
}
