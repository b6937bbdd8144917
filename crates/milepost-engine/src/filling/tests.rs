//! How much of what is taken over is on its way at a time.

use std::{path::Path, sync::Arc};

use milepost_io::{Process, SimClock, SimDisk, SimEntropy};
use milepost_types::{Meta, Scope};

use super::*;
use crate::Threads;

fn begin() -> Filling {
    let clock = Arc::new(SimClock::new(Timestamp(1_700_000_000_000_000)));
    let (disk, entropy) = (Arc::new(SimDisk::new(1)), Arc::new(SimEntropy::new(7)));
    let parts = Parts { disk, clock, entropy, process: Process::simulated() };
    let settings = Settings { threads: Threads::Stepped, ..Settings::default() };
    Filling::begin(parts, Path::new("/store"), Purpose::Import, settings).unwrap()
}

/// The body of a commit, of so many bytes.
fn body_of(bytes: usize) -> Vec<u8> {
    let with = |value: usize| {
        let mut encoder = BodyEncoder::new(2 * UNDER_WAY_BYTES_MAX);
        encoder.set(&Scope::parse("a").unwrap(), "k", &vec![7; value], None, None).unwrap();
        encoder.finish(&Meta::default()).unwrap()
    };
    let around = with(bytes - 60).len() - (bytes - 60);
    let body = with(bytes - around);
    assert_eq!(body.len(), bytes);
    body
}

/// Takes a commit over, and says how many are on their way then, and with how many bytes.
fn push(filling: &mut Filling, body: Vec<u8>) -> (usize, usize) {
    let last = filling.last();
    let place = Receipt { seq: last.seq.next().unwrap(), at: Timestamp(last.at.0.max(0) + 1) };
    filling.push_body(place, body).unwrap();
    (filling.under_way.len(), filling.under_way_bytes)
}

/// What is larger than all that may be on its way goes alone.
#[test]
fn commits_on_their_way_have_no_more_bytes_than_they_may() {
    let mut filling = begin();
    let mut push = |bytes| push(&mut filling, body_of(bytes));
    assert_eq!(push(100), (1, 100));
    assert_eq!(push(UNDER_WAY_BYTES_MAX - 100), (2, UNDER_WAY_BYTES_MAX), "as many as may be");
    assert_eq!(push(100), (2, UNDER_WAY_BYTES_MAX), "only the first has to be there before");
    assert_eq!(push(101), (2, 201), "one byte too many: the large one has to be there before");
    assert_eq!(push(UNDER_WAY_BYTES_MAX + 1), (1, UNDER_WAY_BYTES_MAX + 1));
    assert_eq!(push(100), (1, 100));
    assert_eq!(filling.finish().unwrap().seq, Seq(6));
}

#[test]
fn no_more_commits_are_on_their_way_than_may_be() {
    let mut filling = begin();
    for count in 1..=UNDER_WAY_MAX {
        assert_eq!(push(&mut filling, BodyEncoder::nothing()).0, count);
    }
    assert_eq!(push(&mut filling, BodyEncoder::nothing()).0, UNDER_WAY_MAX);
    assert_eq!(filling.finish().unwrap().seq, Seq(UNDER_WAY_MAX as u64 + 1));
}
