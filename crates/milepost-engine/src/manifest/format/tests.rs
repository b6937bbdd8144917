use super::*;

fn sample() -> Manifest {
    Manifest {
        store: *b"0123456789abcdef",
        epoch: 7,
        segments: vec![
            SegmentRow {
                id: 1,
                first_seq: 1,
                generation: 7,
                state: SegmentState::Sealed(SealedRow { last_seq: 9, bytes: 4096, crc: 0xdead_beef }),
            },
            SegmentRow {
                id: 3,
                first_seq: 10,
                generation: 0,
                state: SegmentState::Dropped(DroppedRow { last_seq: 19, first_at: -5, last_at: 77 }),
            },
            SegmentRow { id: 5, first_seq: 20, generation: 0, state: SegmentState::Open },
        ],
        runs: vec![RunRow { id: 5, first_seq: 1, last_seq: 8, bytes: 777, crc: 0xfeed_f00d }],
        clean: Some(CleanRow { segment: 2, end: 640, last_seq: 12 }),
        horizons: vec![HorizonRow { prefix: "task/etl".to_owned(), seq: 5, at: -7 }],
        written: WrittenRow { frame_bytes: 1, log_bytes: 1 << 40, index_bytes: 3, other_bytes: u64::MAX },
    }
}

#[test]
fn what_goes_in_comes_out() {
    assert_eq!(decode(&encode(&sample())).unwrap(), sample());
}

/// FAULTS D1, D2: every bit and every length.
#[test]
fn every_flipped_bit_and_every_truncation_is_named() {
    let bytes = encode(&sample());
    for bit in 0..bytes.len() * 8 {
        let mut flipped = bytes.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        assert!(decode(&flipped).is_err(), "bit {bit}");
    }
    for length in 0..bytes.len() {
        assert!(decode(&bytes[..length]).is_err(), "length {length}");
    }
}

/// FAULTS E1: a newer version is told apart from damage, and from none.
#[test]
fn a_newer_format_is_refused_by_name() {
    let of_version = |version: u32| {
        let mut bytes = encode(&sample());
        bytes[8..12].copy_from_slice(&version.to_le_bytes());
        let crc = crc32fast::hash(&bytes[..20]);
        bytes[20..24].copy_from_slice(&crc.to_le_bytes());
        decode(&bytes)
    };
    assert_eq!(of_version(FORMAT_VERSION), Ok(sample()));
    assert_eq!(of_version(9), Err(Fault::NewerFormat { found: 9 }));
    assert_eq!(of_version(0), Err(corrupt(8, "it has no version")));
}
