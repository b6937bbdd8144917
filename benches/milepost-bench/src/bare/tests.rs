use std::{collections::BTreeSet, fs, path::Path, thread};

use super::{BareFile, VARIANTS, push_frame};

const THREADS: u32 = 8;
const FRAMES: u32 = 200;

/// The payloads of the frames in a file, up to the first zeros.
fn payloads(path: &Path) -> Vec<u32> {
    let bytes = fs::read(path).unwrap();
    let (mut rest, mut payloads) = (&bytes[..], Vec::new());
    while let Some((header, after)) = rest.split_first_chunk::<8>() {
        let len = u32::from_le_bytes(*header.first_chunk().unwrap()) as usize;
        if len == 0 {
            break;
        }
        let (payload, after) = after.split_at(len);
        assert_eq!(header[4..], crc32fast::hash(payload).to_le_bytes());
        payloads.push(u32::from_le_bytes(payload.try_into().unwrap()));
        rest = after;
    }
    payloads
}

/// A baseline that loses a frame would be a fast one.
#[test]
fn every_variant_writes_every_frame_once_and_in_order() {
    let dir = tempfile::tempdir_in(".").unwrap();
    for variant in VARIANTS {
        let path = dir.path().join("log");
        let log = (variant.make)(BareFile::create(&path, 1 << 16).unwrap());
        thread::scope(|scope| {
            for of_thread in 0..THREADS {
                let (log, path) = (&log, &path);
                scope.spawn(move || {
                    for number in 0..FRAMES {
                        let (mut frame, payload) = (Vec::new(), of_thread * FRAMES + number);
                        push_frame(&mut frame, &[&payload.to_le_bytes()]);
                        log.commit(&frame).unwrap();
                        if number + 1 == FRAMES {
                            assert!(payloads(path).contains(&payload), "{}: acknowledged, not written", variant.name);
                        }
                    }
                });
            }
        });
        drop(log);
        let found = payloads(&path);
        assert_eq!(found.len() as u32, THREADS * FRAMES, "{}", variant.name);
        assert_eq!(found.iter().collect::<BTreeSet<_>>().len(), found.len(), "{}", variant.name);
        for of_thread in 0..THREADS {
            assert!(found.iter().filter(|&&payload| payload / FRAMES == of_thread).is_sorted(), "{}", variant.name);
        }
        fs::remove_file(&path).unwrap();
    }
}

/// Nobody waits forever for a batch that could not be written, whether as leader, follower or next leader.
#[test]
fn every_variant_tells_every_caller_of_a_failure() {
    let dir = tempfile::tempdir_in(".").unwrap();
    for variant in VARIANTS {
        let path = dir.path().join("log");
        let log = (variant.make)(BareFile::create(&path, 64).unwrap());
        thread::scope(|scope| {
            for _ in 0..THREADS {
                scope.spawn(|| {
                    for _ in 0..3 {
                        log.commit(&[1; 65]).expect_err("a file of 64 bytes");
                    }
                });
            }
        });
        fs::remove_file(&path).unwrap();
    }
}

#[test]
fn a_full_file_goes_round() {
    let dir = tempfile::tempdir_in(".").unwrap();
    let path = dir.path().join("log");
    let mut file = BareFile::create(&path, 10).unwrap();
    for byte in 1..=4 {
        file.write(&[byte; 4]).unwrap();
    }
    file.sync().unwrap();
    assert_eq!(fs::read(&path).unwrap(), [3, 3, 3, 3, 4, 4, 4, 4, 0, 0]);
}
