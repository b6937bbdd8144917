use std::{
    fs,
    path::{Path, PathBuf},
};

use milepost_engine::{Engine, Filling, OpenError, Parts, Purpose, ReadError, Settings, verify};
use milepost_log::format::{Seed, frame::FRAME_HEADER_BYTES, header::SEGMENT_HEADER_BYTES};
use milepost_types::{At, Receipt, Seq, Timestamp};

use crate::{open, scope};

/// Changes a byte of the first commit's body as only a writer could: `at` behind where `found` stands in it, with both
/// checksums. Gives the file and what it holds then.
fn patch(dir: &Path, found: &[u8], at: usize, byte: u8) -> (PathBuf, Vec<u8>) {
    let segment = fs::read_dir(dir.join("log")).unwrap().map(|entry| entry.unwrap().path()).next().unwrap();
    let mut bytes = fs::read(&segment).unwrap();
    let salt = u64::from_le_bytes(bytes[40..48].try_into().unwrap());
    let frame = &mut bytes[SEGMENT_HEADER_BYTES..];
    let body_bytes = u32::from_le_bytes(frame[..4].try_into().unwrap()) as usize;
    let body = &mut frame[FRAME_HEADER_BYTES..FRAME_HEADER_BYTES + body_bytes];
    let begin = body.windows(found.len()).position(|window| window == found).unwrap();
    body[begin + at] = byte;
    let body_crc = crc32fast::hash(body);
    frame[4..8].copy_from_slice(&body_crc.to_le_bytes());
    let crc = Seed::of_salt(salt).crc(&frame[..36]);
    frame[36..40].copy_from_slice(&crc.to_le_bytes());
    fs::write(&segment, &bytes).unwrap();
    (segment, bytes)
}

/// FAULTS E1: a commit with a kind of event that this version does not know was called damage, and a store that only
/// needs an upgrade was taken for a broken one.
#[test]
fn a_commit_of_a_newer_version_is_no_damage_and_nothing_is_written() {
    let dir = tempfile::tempdir().unwrap();
    {
        let store = open(dir.path());
        store.commit(store.request().clear(&scope("s")).unwrap()).unwrap();
        store.commit(store.request().set(&scope("s"), "k", b"v").unwrap()).unwrap();
    }
    let (segment, bytes) = patch(dir.path(), b"\x01\x00\x01k\x01", 0, 0x0f);

    let says = |error: OpenError| match error {
        OpenError::NewerCommit(commit) => {
            assert_eq!((commit.seq, &commit.file), (Seq(1), &segment));
            assert!(commit.to_string().contains("0x0f"), "{commit}");
            assert!(commit.to_string().ends_with("upgrade to read it"), "{commit}");
        }
        other => panic!("{other}"),
    };
    says(Engine::open(Parts::real(), dir.path(), Settings::default()).unwrap_err());
    says(Engine::open_read_only(Parts::real(), dir.path()).unwrap_err());
    says(verify(&Parts::real().disk, dir.path(), &mut |_, _| {}).unwrap_err());
    assert_eq!(fs::read(&segment).unwrap(), bytes);
}

/// A crafted fork of itself from its own commit: following it would never end.
#[test]
fn a_fork_that_leads_in_a_circle_is_damage() {
    let dir = tempfile::tempdir().unwrap();
    {
        // One that was made before is taken over as it is: a new one is refused from a scope without keys.
        let mut store = Filling::begin(Parts::real(), dir.path(), Purpose::Import, Settings::default()).unwrap();
        let mut request = store.request();
        request.add_fork(&scope("ff"), &scope("oo"), Seq::ZERO).unwrap();
        store.push(Receipt { seq: Seq(1), at: Timestamp(1) }, request, None).unwrap();
        store.finish().unwrap();
    }
    patch(dir.path(), b"\x07\x02oo\x00", 4, 1);
    patch(dir.path(), b"\x07\x02oo\x01", 2, b'f');
    patch(dir.path(), b"\x07\x02fo\x01", 3, b'f');
    let engine = Engine::open_read_only(Parts::real(), dir.path()).unwrap();
    let view = engine.view(At::Latest).unwrap();
    for error in [
        view.get("ff", "k").map(drop).unwrap_err(),
        view.scan("ff", "").next().unwrap().map(drop).unwrap_err(),
        engine.history(Default::default()).map(drop).unwrap_err(),
    ] {
        assert!(matches!(&error, ReadError::Corrupt(found) if found.seq == Some(Seq(1))), "{error}");
    }
}
