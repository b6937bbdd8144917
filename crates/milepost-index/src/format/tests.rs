use proptest::prelude::*;

use super::{
    block::{self, BlockEncoder, Entries, Older},
    front::{Agreement, Spelled, shared},
    header::RunHeader,
    slots::{LINE_BYTES, Shape},
    step::{self, Place, STEP_BYTES_MAX},
    varint::{self, Fields},
};
use crate::Version;

proptest! {
    #[test]
    fn varints_come_back(value: u64, signed: i64) {
        let mut bytes = Vec::new();
        varint::put(&mut bytes, value);
        varint::put(&mut bytes, value >> (value % 64));
        let mut fields = Fields::new(&bytes);
        prop_assert_eq!(fields.varint(), Ok(value));
        prop_assert_eq!(fields.varint(), Ok(value >> (value % 64)));
        prop_assert!(fields.is_at_end());
        prop_assert_eq!(varint::unzigzag(varint::zigzag(signed)), signed);
    }

    #[test]
    fn steps_come_back(seq: u64, record: u32, by in -70_000..70_000_i64, record_by in -300..300_i64, far: bool, kind in 0..16_u8) {
        let from = Place { seq, record };
        let version = if far {
            Version { seq: !seq, record: !record, kind }
        } else {
            Version { seq: seq.wrapping_add_signed(by), record: record.wrapping_add_signed(record_by as i32), kind }
        };
        for next in [version, Version { seq, ..version }, Version { record, ..version }, Version { seq: seq.wrapping_add(1), ..version }] {
            let mut bytes = Vec::new();
            step::put(&mut bytes, from, next);
            prop_assert!(bytes.len() <= STEP_BYTES_MAX);
            let mut fields = Fields::new(&bytes);
            prop_assert_eq!(step::read(&mut fields, from), Ok(next));
            prop_assert!(fields.is_at_end());
            for cut in 0..bytes.len() {
                prop_assert!(step::read(&mut Fields::new(&bytes[..cut]), from).is_err());
            }
        }
    }

    /// Agreement walks over names that share what they like, not only the most.
    #[test]
    fn agreement_is_equality(names in proptest::collection::vec("[ab]{1,6}", 1..20), wanted in "[ab]{1,6}", less in 0..3_usize) {
        let mut agreement = Agreement::with(wanted.as_bytes());
        let mut before = String::new();
        for name in &names {
            let shared = shared(before.as_bytes(), name.as_bytes()).saturating_sub(less);
            agreement.next(shared, &name.as_bytes()[shared..]);
            prop_assert_eq!(agreement.is_whole(), *name == wanted, "{} and {}", name, wanted);
            before.clone_from(name);
        }
    }

    /// Whatever the bytes are, a block is read to an end or an error.
    #[test]
    fn no_bytes_are_too_wrong_for_a_block(bytes in proptest::collection::vec(any::<u8>(), 0..200), place in 0..16_usize) {
        let _ = block::find(&bytes, 1, place, b"key");
        if let Ok(mut entries) = Entries::new(&bytes, 1) {
            let mut spelled = Spelled::default();
            while let Ok(Some(entry)) = entries.read_entry() {
                let _ = spelled.next(entry.shared, entry.rest);
            }
        }
    }

    #[test]
    fn slots_lead_to_every_number(count in 1..600_u64, sparse in 0..3_u32, seed: u64) {
        let spread = [1, 16, 1 << 30][sparse as usize];
        let shape = Shape::of(count, count * spread);
        let mut table = vec![0; shape.bytes() as usize];
        let hash = |nth: u64| (seed ^ nth).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        for nth in 0..count {
            shape.insert(&mut table, hash(nth), nth * spread);
        }
        let lines: Vec<&[u8; LINE_BYTES]> = table.as_chunks().0.iter().collect();
        prop_assert_eq!(lines.iter().map(|line| shape.taken(line)).sum::<u64>(), count);
        for nth in 0..count {
            prop_assert!(candidates(shape, &lines, hash(nth)).contains(&(nth * spread)));
        }
    }
}

fn candidates(shape: Shape, lines: &[&[u8; LINE_BYTES]], hash: u64) -> Vec<u64> {
    let mut found = Vec::new();
    let mut line = shape.home(hash);
    loop {
        let hits = shape.look(lines[line as usize], hash);
        found.extend(
            (0..16)
                .filter(|slot| hits.slots >> slot & 1 == 1)
                .map(|slot| shape.number(lines[line as usize], slot).unwrap()),
        );
        if hits.ends {
            return found;
        }
        line = shape.after(line);
    }
}

/// The last line overflows into the first.
#[test]
fn slots_go_round() {
    let shape = Shape::of(30, 30);
    let mut table = vec![0; shape.bytes() as usize];
    for nth in 0..30 {
        shape.insert(&mut table, u64::MAX - nth, nth);
    }
    let lines: Vec<&[u8; LINE_BYTES]> = table.as_chunks().0.iter().collect();
    for nth in 0..30 {
        assert_eq!(candidates(shape, &lines, u64::MAX - nth), vec![nth]);
    }
}

#[test]
fn slots_are_wide_where_numbers_are_long() {
    for (numbers, line_of_100) in [(100, 8), (1 << 26, 16)] {
        assert_eq!(Shape::of(100, numbers).lines(), line_of_100, "{numbers}");
    }
    assert_eq!(Shape::of(0, 0).lines(), 0);
    assert_eq!(Shape::of(1, 1).lines(), 1);
    assert_eq!(Shape::of(u64::from(u32::MAX) * 16, 1 << 36).lines(), (u64::from(u32::MAX) * 16 * 5).div_ceil(32));
}

#[test]
fn a_block_drawn_byte_by_byte() {
    let mut block = BlockEncoder::new();
    block.begin(300, 1000);
    block.push(b"cursor", Version { seq: 1001, record: 0, kind: 0 }, None);
    block.push(b"cursor/next", Version { seq: 1003, record: 12, kind: 2 }, Some(Older { count: 5, at: 200 }));
    block.push(b"x", Version { seq: 1002, record: 70_000, kind: 1 }, Some(Older { count: 1, at: 207 }));
    let expected: Vec<u8> = [
        &[0xac, 0x02][..], // scope 300
        &[5 << 1],
        b"cursor",
        &[1 << 4], // nothing left out, 6 bytes; one Seq more, same record
        &[1 | 4 << 1],
        b"/next",
        &[2 | 3 << 4 | 1 << 6, 4, 11], // 5 bytes, older ones; Seq 2 more, record 12 more
        &[5, 0xc8, 0x01],              // 5 of them, at 200
        &[1 | 7 << 5, 4],
        b"x",
        &[1 | 2 << 4 | 3 << 6], // 11 bytes left out; one Seq less
        &[0xc8, 0xc5, 0x08],    // record 69 988 more, zigzag
        &[1, 7],
    ]
    .concat();
    assert_eq!(block.bytes(), expected);
    let found = block::find(&expected, 1000, 1, b"cursor/next").unwrap().unwrap();
    assert_eq!(found, (300, Version { seq: 1003, record: 12, kind: 2 }, Some(Older { count: 5, at: 200 })));
    assert_eq!(block::find(&expected, 1000, 2, b"cursor/next"), Ok(None));
    assert!(block::find(&expected, 1000, 3, b"x").is_err());
}

#[test]
fn every_bit_of_a_header_counts() {
    let header = RunHeader { id: 7, store: [3; 16], first_seq: 5, last_seq: 9 };
    let bytes = header.encode();
    assert_eq!(RunHeader::decode(&bytes), Ok(header));
    for bit in 0..bytes.len() * 8 {
        let mut flipped = bytes;
        flipped[bit / 8] ^= 1 << (bit % 8);
        assert!(RunHeader::decode(&flipped).is_err(), "bit {bit}");
    }
    for cut in 0..bytes.len() {
        assert!(RunHeader::decode(&bytes[..cut]).is_err());
    }
}
