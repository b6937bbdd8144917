use super::*;

fn manifest() -> BackupManifest {
    let row = |first: u64, last: u64, segment, is_whole| PieceRow {
        first_seq: first,
        last_seq: last,
        last_at: last as i64 * 10,
        bytes: 4096,
        hash: [last as u8; 32],
        segment,
        salt: 77,
        last_crc: 5,
        is_whole,
    };
    BackupManifest {
        store: [7; 16],
        number: 3,
        epoch: 9,
        made_at: 1_700_000_000_000_000,
        last_seq: 30,
        last_at: 300,
        new_bytes: 4096,
        pieces: vec![row(1, 10, 1, true), row(11, 20, 2, false), row(21, 30, 2, false)],
        horizons: vec![HorizonRow { prefix: "a".to_owned(), seq: 7, at: 70 }],
    }
}

#[test]
fn what_is_encoded_is_decoded() {
    assert_eq!(decode(&encode(&manifest()), 3), Ok(manifest()));
    let empty = BackupManifest { pieces: Vec::new(), last_seq: 0, ..manifest() };
    assert_eq!(decode(&encode(&empty), 3), Ok(empty));
    // The last segments were dropped.
    let mut tail_gone = BackupManifest { last_seq: 44, last_at: 440, ..manifest() };
    tail_gone.pieces.truncate(1);
    assert_eq!(decode(&encode(&tail_gone), 3), Ok(tail_gone));
    let mut at_the_end = manifest();
    end_at(&mut at_the_end, u64::MAX - 2);
    at_the_end.pieces[2].segment = SEGMENT_MAX;
    assert_eq!(decode(&encode(&at_the_end), 3), Ok(at_the_end.clone()));
    at_the_end.pieces.truncate(1);
    assert_eq!(decode(&encode(&at_the_end), 3), Ok(at_the_end));
    // Between two pieces a segment was dropped.
    let mut gap = manifest();
    (gap.pieces[1].first_seq, gap.pieces[1].segment, gap.pieces[2].segment) = (13, 3, 3);
    assert_eq!(decode(&encode(&gap), 3), Ok(gap));
    let store = StoreId([9; 16]);
    assert_eq!(decode_store(&encode_store(store)), Ok(store));
}

/// The last commit is this one, in the last piece.
fn end_at(manifest: &mut BackupManifest, last: u64) {
    (manifest.pieces[2].last_seq, manifest.last_seq) = (last, last);
}

#[test]
fn every_cut_and_every_flipped_bit_is_named() {
    for (bytes, is_store) in [(encode(&manifest()), false), (encode_store(StoreId([9; 16])), true)] {
        let fails = |bytes: &[u8]| if is_store { decode_store(bytes).is_err() } else { decode(bytes, 3).is_err() };
        for length in 0..bytes.len() {
            assert!(fails(&bytes[..length]), "cut at {length}");
        }
        for bit in 0..8 * bytes.len() {
            let mut flipped = bytes.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert!(fails(&flipped), "bit {bit}");
        }
    }
}

/// Whoever can make the checksums right must still not be able to name what no backup lists.
#[test]
fn pieces_that_do_not_follow_each_other_are_refused() {
    type Change = fn(&mut BackupManifest);
    let broken: [(&str, Change); 17] = [
        ("another number", |m| m.number = 4),
        ("a gap", |m| m.pieces[1].first_seq = 12),
        ("an overlap", |m| m.pieces[1].first_seq = 10),
        ("seq 0", |m| m.pieces[0].first_seq = 0),
        ("backwards", |m| m.pieces[2].last_seq = 20),
        ("time goes back", |m| m.pieces[1].last_at = 100),
        ("whole behind a part", |m| m.pieces[2].is_whole = true),
        ("one number for two segments", |m| (m.pieces[1].is_whole, m.pieces[1].segment) = (true, 1)),
        ("no segment", |m| m.pieces[0].segment = 0),
        ("another end", |m| m.last_seq = 31),
        ("an end behind a part", |m| (m.last_seq, m.last_at) = (31, 310)),
        ("an end before the last piece", |m| {
            m.pieces.truncate(1);
            (m.last_seq, m.last_at) = (9, 90);
        }),
        ("an end earlier than the last piece", |m| {
            m.pieces.truncate(1);
            (m.last_seq, m.last_at) = (31, 100);
        }),
        ("two times of the end", |m| {
            m.pieces.truncate(1);
            (m.last_seq, m.last_at) = (10, 101);
        }),
        ("no seq behind the end", |m| {
            m.pieces.truncate(1);
            (m.last_seq, m.last_at) = (u64::MAX - 1, 101);
        }),
        ("no seq behind a piece", |m| end_at(m, u64::MAX - 1)),
        ("no segment behind the last", |m| m.pieces[2].segment = SEGMENT_MAX + 1),
    ];
    for (what, change) in broken {
        let mut manifest = manifest();
        change(&mut manifest);
        assert!(matches!(decode(&encode(&manifest), 3), Err(Fault::Corrupt { .. })), "{what}");
    }
    let mut newer = encode(&manifest());
    newer[8] = 2;
    let crc = crc32fast::hash(&newer[..20]);
    newer[20..24].copy_from_slice(&crc.to_le_bytes());
    assert_eq!(decode(&newer, 3), Err(Fault::NewerFormat { found: 2 }));
}
