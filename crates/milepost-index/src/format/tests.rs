//! Round trips, bytes that are wrong, and bytes drawn one by one.

use proptest::prelude::*;

use super::{
    NAME_BYTES_MAX, PAGE_BYTES, bits,
    block::{BLOCK_KEYS, Block, BlockEncoder, Entry, Older},
    front::{Agreement, Spelled, shared},
    header::{HeaderFault, RUN_HEADER_BYTES, RunHeader},
    list::{Group, ListEncoder, Order, find_older},
    meta::{self, Meta, TRAILER_BYTES, Tail},
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

    /// What is read eight bytes at a time is what stands there: short, long, longer than it must be, or cut.
    #[test]
    fn varints_are_what_their_bytes_say(bytes in proptest::collection::vec((any::<u8>(), 0..4_u8), 0..24)) {
        let bytes: Vec<u8> = bytes.into_iter().map(|(byte, ends)| if ends == 0 { byte & 0x7f } else { byte | 0x80 }).collect();
        let mut fields = Fields::new(&bytes);
        while !fields.is_at_end() {
            let at = fields.at();
            let long = bytes[at..].iter().take_while(|byte| **byte >= 0x80).count();
            let mut right = bytes.get(at + long).map(|_| 0_u128);
            for (byte, shift) in bytes[at..].iter().take(long + 1).zip((0..).step_by(7)).take(18) {
                right = right.map(|value| value | u128::from(byte & 0x7f) << shift);
            }
            let right = right.filter(|value| long < 10 && u64::try_from(*value).is_ok());
            let found = fields.varint();
            prop_assert_eq!(found.ok().map(u128::from), right, "{:x?} at {}", bytes, at);
            let Some(_) = right else { break };
            prop_assert_eq!(fields.at(), at + long + 1);
        }
    }

    /// The quick way to an older version finds what the walk over its group does.
    #[test]
    fn an_older_version_is_found_as_a_walk_finds_it(
        steps in proptest::collection::vec((0..5_u64, 0..600_u32, 0..4_u8), 1..17),
        wanted in 0..80_u64,
    ) {
        let newest = Version { seq: 100, record: 7, kind: 0 };
        let (mut versions, mut last) = (Vec::new(), newest);
        for (by, record, kind) in steps {
            let next = Version { seq: last.seq - by, record, kind };
            if Order::NewestFirst.follows(last, next) {
                versions.push(next);
                last = next;
            }
        }
        let mut list = ListEncoder::new(Order::NewestFirst);
        let mut bytes = Vec::new();
        list.begin(0, Place::of(newest));
        for version in &versions {
            let at = bytes.len() as u32;
            list.push(&mut bytes, at, *version);
        }
        let at = bytes.len() as u32;
        list.finish(&mut bytes, at);
        let (count, seq) = (versions.len() as u64, 20 + wanted);
        let mut group = Group::new(&bytes, Place::of(newest), count);
        let mut walked = None;
        while let Some(version) = group.read_version().unwrap().filter(|_| walked.is_none()) {
            walked = Some(version).filter(|version| version.seq <= seq);
        }
        prop_assert_eq!(find_older(&bytes, Place::of(newest), count, seq), Ok(walked));
        prop_assert_eq!(walked, versions.iter().copied().find(|version| version.seq <= seq));
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

    #[test]
    fn bits_come_back(numbers in proptest::collection::vec((any::<u64>(), 0..=64_u32), 1..40)) {
        let cut = |(number, bits): (u64, u32)| if bits == 0 { 0 } else { number >> (64 - bits) };
        let (mut put, mut set) = (Vec::new(), vec![0; 40 * 8]);
        let mut writer = bits::BitWriter::new(&mut put);
        let mut at = 0;
        for one in &numbers {
            writer.put(cut(*one), one.1);
            bits::set(&mut set, at, cut(*one), one.1);
            at += one.1 as usize;
        }
        writer.finish();
        prop_assert_eq!(put.len(), at.div_ceil(8));
        prop_assert_eq!(&put, &set[..put.len()]);
        at = 0;
        for one in &numbers {
            prop_assert_eq!(bits::get(&put, at, one.1), cut(*one));
            at += one.1 as usize;
        }
    }

    /// Names of one length or of several, of digits, of letters, of any bytes; versions near each other or not.
    #[test]
    fn blocks_come_back(
        names in prop_oneof![
            proptest::collection::btree_set("[ab]{1,6}", 1..65),
            proptest::collection::btree_set("[0-9a-f]{8}-[0-9]{2}", 1..65),
            proptest::collection::btree_set("dir/[0-9a-f]{32}[a-z]{3}\\.txt", 1..65),
            proptest::collection::btree_set("[a-z]{2}/\\PC{1,9}", 1..65),
        ],
        versions in proptest::collection::vec((any::<u64>(), any::<u32>(), 0..16_u8, any::<u32>(), any::<u32>()), 64),
        near in 0..4_u32,
    ) {
        let mut encoder = BlockEncoder::default();
        let keys: Vec<&[u8]> = names.iter().map(String::as_bytes).collect();
        let entry = |(seq, record, kind, count, at): (u64, u32, u8, u32, u32)| Entry {
            newest: Version { seq: seq >> (16 * near), record: record >> (8 * near), kind: if near > 1 { 3 } else { kind } },
            older: (count % 3 == 1)
                .then_some(Older { count: u64::from(count >> (8 * near)).max(1), at: at >> (8 * near) }),
        };
        let entries: Vec<Entry> = versions.iter().copied().map(entry).collect();
        keys.iter().zip(&entries).for_each(|(key, entry)| encoder.push(key, entry.newest, entry.older));
        prop_assert_eq!(encoder.is_full(), keys.len() == BLOCK_KEYS);
        let mut done = 0;
        while !encoder.is_empty() {
            let (count, bytes) = encoder.cut(300);
            let block = Block::read(bytes).unwrap();
            prop_assert_eq!(block.scope(), 300);
            let (mut text, mut read, mut first) = (Vec::new(), Vec::new(), Vec::new());
            block.read_all(&mut text, &mut read).unwrap();
            block.put_first_key(&mut first).unwrap();
            prop_assert_eq!(read.len(), count);
            prop_assert_eq!(&first, keys[done]);
            let mut begin = 0;
            for (index, (end, entry)) in read.iter().enumerate() {
                prop_assert_eq!(&text[begin..*end], keys[done + index]);
                prop_assert_eq!(entry, &entries[done + index]);
                begin = *end;
            }
            for (index, key) in keys.iter().enumerate() {
                let here = (done..done + count).contains(&index);
                prop_assert_eq!(block.find(key).unwrap(), here.then_some(entries[index]));
            }
            for cut in 0..bytes.len() {
                prop_assert!(Block::read(&bytes[..cut]).is_err());
            }
            done += count;
        }
        prop_assert_eq!(done, keys.len());
    }

    /// Whatever the bytes are, a block is read to an end or an error.
    #[test]
    fn no_bytes_are_too_wrong_for_a_block(
        bytes in proptest::collection::vec(any::<u8>(), 0..200),
        names in proptest::collection::btree_set("[0-9a-f]{8}-[0-9]{2}", 1..65),
        flips in proptest::collection::vec((any::<usize>(), 0..8_u32), 1..4),
    ) {
        let mut encoder = BlockEncoder::default();
        let version = Version { seq: 70, record: 300, kind: 0 };
        names.iter().for_each(|name| encoder.push(name.as_bytes(), version, None));
        let mut wrong = encoder.cut(3).1.to_vec();
        for (at, bit) in flips {
            let at = at % wrong.len();
            wrong[at] ^= 1 << bit;
        }
        for bytes in [bytes, wrong] {
            if let Ok(block) = Block::read(&bytes) {
                let _ = block.find(b"key");
                let _ = block.find(names.first().unwrap().as_bytes());
                let _ = block.put_first_key(&mut Vec::new());
                let _ = block.read_all(&mut Vec::new(), &mut Vec::new());
            }
        }
    }

    #[test]
    fn slots_lead_to_every_number(count in 1..600_u64, sparse in 0..3_u32, seed: u64) {
        let spread = [1, 16, 1 << 22][sparse as usize];
        let shape = Shape::of(count, count * spread);
        let mut table = vec![0; shape.bytes() as usize];
        let hash = |nth: u64| (seed ^ nth).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        for nth in 0..count {
            insert(shape, &mut table, hash(nth), nth * spread);
        }
        let lines: Vec<&[u8; LINE_BYTES]> = table.as_chunks().0.iter().collect();
        prop_assert_eq!(lines.iter().map(|line| shape.taken(line)).sum::<u64>(), count);
        for nth in 0..count {
            prop_assert!(candidates(shape, &lines, hash(nth)).contains(&(nth * spread)));
        }
    }
}

fn insert(shape: Shape, table: &mut [u8], hash: u64, number: u64) {
    let is_in = shape.insert(table, 0, shape.home(hash), hash, number) || shape.insert(table, 0, 0, hash, number);
    assert!(is_in, "there are more slots than numbers");
}

fn candidates(shape: Shape, lines: &[&[u8; LINE_BYTES]], hash: u64) -> Vec<u64> {
    let mut found = Vec::new();
    let mut line = shape.home(hash);
    loop {
        let hits = shape.look(lines[line as usize], hash);
        found.extend(
            (0..64).filter(|slot| hits.slots >> slot & 1 == 1).map(|slot| shape.number(lines[line as usize], slot)),
        );
        if hits.ends {
            return found;
        }
        line = shape.after(line);
    }
}

/// A full line overflows into the next, the last one into the first.
#[test]
fn slots_go_round() {
    // In one line; in lines where all belong into the first, and into the last.
    for (count, lines, first) in [(30, 1, u64::MAX), (100, 4, 150), (100, 4, u64::MAX)] {
        let shape = Shape::of(count, count);
        assert_eq!(shape.lines(), lines);
        let mut table = vec![0; shape.bytes() as usize];
        for nth in 0..count {
            insert(shape, &mut table, first - nth, nth);
        }
        let lines: Vec<&[u8; LINE_BYTES]> = table.as_chunks().0.iter().collect();
        for nth in 0..count {
            assert_eq!(candidates(shape, &lines, first - nth), vec![nth], "{nth} of {count}");
        }
    }
}

#[test]
fn a_line_has_as_many_slots_as_numbers_leave() {
    for (numbers, line_of_100) in [(1, 2), (100, 4), (1 << 16, 6), (1 << 26, 9), (1 << 32, 11)] {
        assert_eq!(Shape::of(100, numbers).lines(), line_of_100, "{numbers}");
    }
    assert_eq!(Shape::of(0, 0).lines(), 0);
    assert_eq!(Shape::of(1, 1).lines(), 1);
    assert_eq!(Shape::of(64, 1).lines(), 2, "one slot is empty");
}

#[test]
fn a_block_of_columns_drawn_byte_by_byte() {
    let mut block = BlockEncoder::default();
    let older = Some(Older { count: 5, at: 200 });
    for (key, seq, record, older) in [
        ("a-07f.x", 1001, 0, None),
        ("a-0e1.y", 1003, 12, older),
        ("a-fa9.x", 1002, 12, Some(Older { count: 1, at: 207 })),
    ] {
        block.push(key.as_bytes(), Version { seq, record, kind: 2 }, older);
    }
    let expected: Vec<u8> = [
        &[0xac, 0x02][..],   // scope 300
        &[2, 0x2f],          // 3 keys of kind 2, in columns; older versions, several Seqs and records
        &[0xe9, 0x07, 2],    // Seq 1001 or above, 2 bits
        &[0, 4],             // record 0 or above, 4 bits
        &[3, 0xc8, 0x01, 3], // up to 5 older versions; lists at 200 or behind, 3 bits
        &[7],                // keys of 7 bytes
        &[1, b'a', b'-'],    // two that are the same
        &[1 << 6 | 2],       // three digits
        &[0, b'.'],          // one that is the same
        &[1 << 7, b'x'],     // one of one bit
        // Rows of 13 bits: three digits and the last byte.
        &[0b0000_0111, 0b1111_0000, 0b0111_0000, 0b1111_1110, 0b1010_0100],
        // Rows of 12 bits: Seq, record, how many, where.
        &[0x00, 0x0b, 0x28, 0x70, 0xf0],
    ]
    .concat();
    assert_eq!(block.cut(300), (3, &*expected));
    let entry = Block::read(&expected).unwrap().find(b"a-0e1.y").unwrap();
    assert_eq!(entry, Some(Entry { newest: Version { seq: 1003, record: 12, kind: 2 }, older }));
}

/// A record is written as how much more it is, as itself, or as a difference: at and beside the limits of each.
#[test]
fn a_step_drawn_byte_by_byte() {
    let rows: [(u32, u32, &[u8]); 9] = [
        (10, 10, &[0]),
        (10, 11, &[1 << 6, 0]),
        (10, 266, &[1 << 6, 255]),
        (10, 267, &[3 << 6, 0x82, 0x04]),
        (300, 0, &[2 << 6, 0]),
        (300, 255, &[2 << 6, 255]),
        (300, 256, &[3 << 6, 87]),
        // Nothing goes round.
        (u32::MAX, 3, &[2 << 6, 3]),
        (u32::MAX, u32::MAX - 9, &[3 << 6, 17]),
    ];
    for (from, record, expected) in rows {
        let mut bytes = Vec::new();
        step::put(&mut bytes, Place { seq: 7, record: from }, Version { seq: 7, record, kind: 0 });
        assert_eq!(bytes, expected, "{from} to {record}");
    }
    for (seq, expected) in [(7, &[0][..]), (8, &[1 << 4]), (6, &[2 << 4]), (9, &[3 << 4, 4]), (5, &[3 << 4, 3])] {
        let mut bytes = Vec::new();
        step::put(&mut bytes, Place { seq: 7, record: 9 }, Version { seq, record: 9, kind: 0 });
        assert_eq!(bytes, expected, "seq 7 to {seq}");
    }
}

/// A stretch of none, and one whose distances are wider than records.
#[test]
fn a_stretch_that_can_not_be_is_refused() {
    for (count, bits, is_sound) in [(1, 0, true), (0, 0, false), (0, 33, false), (2, 32, true), (2, 33, false)] {
        let bytes = [&[1, 1, count, 5, bits][..], &[0; 9]].concat();
        let mut group = Group::new(&bytes, Place { seq: 7, record: 0 }, 2);
        assert_eq!(group.read_version(), Ok(Some(Version { seq: 7, record: 0, kind: 1 })));
        let second = group.read_version();
        let right = is_sound.then_some(Version { seq: 7, record: 5, kind: 1 });
        assert_eq!(second.ok().flatten(), right, "{count} of {bits} bits");
    }
}

/// One commit of many events takes a few bits an event, and stands beside commits of one.
#[test]
fn a_stretch_of_changes_drawn_byte_by_byte() {
    let version = |(seq, record): (u64, u32)| Version { seq, record, kind: 1 };
    let mut encoder = ListEncoder::new(Order::OldestFirst);
    let records = [(7, 20), (8, 20), (8, 41), (8, 60), (8, 82), (8, 101), (9, 20)];
    encoder.begin(40, Place { seq: 7, record: 0 });
    let mut bytes = Vec::new();
    records.iter().for_each(|one| encoder.push(&mut bytes, 40, version(*one)));
    assert_eq!(encoder.finish(&mut bytes, 40), 40);
    let expected = [
        &[1 | 1 << 6, 19][..],           // the same Seq, record 20 more
        &[1 | 1 << 4],                   // one Seq more, the same record
        &[1, 4, 19, 2, 0b1000_1100][..], // four more of that commit: 19 bytes from each to the next, and 2, 0, 3, 0
        &[1 | 1 << 4 | 2 << 6, 20],      // one Seq more, record 20
    ]
    .concat();
    assert_eq!(bytes, expected);
    let mut group = Group::new(&bytes, Place { seq: 7, record: 0 }, 7);
    for one in records {
        assert_eq!(group.read_version(), Ok(Some(version(one))));
    }
    assert_eq!(group.read_version(), Ok(None));
}

/// A stretch is written where it takes less than a step for each version, and not where it takes as much.
#[test]
fn a_stretch_is_written_where_it_takes_less() {
    let step = |by: u32| [1 | 1 << 6, (by - 1) as u8];
    let steps = |all: &[u32]| all.iter().flat_map(|by| step(*by)).collect::<Vec<u8>>();
    for (distances, expected) in [
        (&[10, 10][..], steps(&[10, 10])),
        (&[10, 10, 10], vec![1, 3, 10, 0]),
        (&[10, 20, 256], steps(&[10, 20, 256])),
        (&[10, 20, 30, 256], steps(&[10, 20, 30, 256])),
        (&[10, 20, 30, 40, 256], vec![1, 5, 10, 8, 0, 10, 20, 30, 246]),
    ] {
        let mut encoder = ListEncoder::new(Order::OldestFirst);
        let (mut bytes, mut record) = (vec![9; 3], 20);
        encoder.begin(3, Place { seq: 8, record: 0 });
        encoder.push(&mut bytes, 3, Version { seq: 8, record, kind: 1 });
        for by in distances {
            record += by;
            encoder.push(&mut bytes, 3, Version { seq: 8, record, kind: 1 });
        }
        assert_eq!(encoder.finish(&mut bytes, 3), 3);
        assert_eq!(bytes, [&[9, 9, 9][..], &step(20), &expected].concat(), "{distances:?}");
    }
}

/// Versions stand in strict order of their addresses; those of one address, in a list of changes, in that of their
/// kinds.
#[test]
fn versions_follow_each_other_in_strict_order() {
    let version = |(seq, record, kind): (u64, u32, u8)| Version { seq, record, kind };
    let middle = (5, 20, 2);
    for (next, newest_first, oldest_first) in [
        ((4, 90, 9), true, false),
        ((5, 19, 9), true, false),
        ((5, 20, 1), false, false),
        (middle, false, false),
        ((5, 20, 3), false, true),
        ((5, 21, 0), false, true),
        ((6, 0, 0), false, true),
    ] {
        let follows = |order: Order| order.follows(version(middle), version(next));
        let found = (follows(Order::NewestFirst), follows(Order::OldestFirst));
        assert_eq!(found, (newest_first, oldest_first), "{next:?}");
    }
}

/// Names of no one length share what they begin with.
#[test]
fn a_block_of_spelled_keys_drawn_byte_by_byte() {
    let mut block = BlockEncoder::default();
    for key in ["cursor", "cursor/next", "x"] {
        block.push(key.as_bytes(), Version { seq: 7, record: 9, kind: 0 }, None);
    }
    let expected: Vec<u8> = [
        &[0][..],
        &[2, 0, 7, 9], // 3 keys of one Seq, record and kind
        &[15],         // bytes of all keys
        &[5],
        b"cursor",
        &[4],
        b"/next",
        &[11 << 4],
        b"x",
    ]
    .concat();
    assert_eq!(block.cut(0), (3, &*expected));
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

/// A checksum that is right says who wrote it, not that this program can read it.
#[test]
fn a_newer_version_is_told_from_a_header_that_cannot_be() {
    let header = RunHeader { id: 7, store: [3; 16], first_seq: 5, last_seq: 9 };
    let with = |at: usize, field: &[u8]| {
        let mut bytes = header.encode();
        bytes[at..at + field.len()].copy_from_slice(field);
        let crc = crc32fast::hash(&bytes[..60]);
        bytes[60..].copy_from_slice(&crc.to_le_bytes());
        RunHeader::decode(&bytes)
    };
    assert_eq!(with(8, &[2]), Err(HeaderFault::Newer { found: 2 }));
    assert_eq!(with(9, &[1]), Err(HeaderFault::Newer { found: 257 }));
    assert_eq!(with(8, &[0]), Err(HeaderFault::Content));
    for reserved in (10..16).chain(56..60) {
        assert_eq!(with(reserved, &[1]), Err(HeaderFault::Content), "byte {reserved}");
    }
    let covering = |first_seq: u64, last_seq: u64| with(40, &[first_seq, last_seq].map(u64::to_le_bytes).concat());
    for (first_seq, last_seq) in [(1, 1), (5, 5), (1, u64::MAX)] {
        assert_eq!(covering(first_seq, last_seq), Ok(RunHeader { first_seq, last_seq, ..header }));
    }
    for (first_seq, last_seq) in [(0, 0), (0, 9), (5, 4), (u64::MAX, 0)] {
        assert_eq!(covering(first_seq, last_seq), Err(HeaderFault::Content), "{first_seq} to {last_seq}");
    }
}

/// Each name is greater than the one before, shares no more than that has, and is no longer than names are.
#[test]
fn names_that_do_not_follow_each_other_are_refused() {
    let most = [b'x'; NAME_BYTES_MAX];
    for (before, shared, rest, follows) in [
        (&b""[..], 0, &b"a"[..], true),
        (b"", 0, b"", false),
        (b"", 1, b"a", false),
        (b"abc", 0, b"b", true),
        (b"abc", 0, b"a", false),
        (b"abc", 0, b"B", false),
        (b"abc", 1, b"c", true),
        (b"abc", 1, b"b", false),
        (b"abc", 1, b"a", false),
        (b"abc", 3, b"\0", true),
        (b"abc", 3, b"", false),
        (b"abc", 2, b"", false),
        (b"abc", 4, b"d", false),
        (b"", 0, &most, true),
        (b"", 0, &[b'x'; NAME_BYTES_MAX + 1], false),
        (b"abc", 3, &most[3..], true),
        (b"abc", 3, &most[2..], false),
    ] {
        let mut name = Spelled::default();
        if !before.is_empty() {
            name.next(0, before).unwrap();
        }
        let next = name.next(shared, rest);
        let (what, length) = (String::from_utf8_lossy(before), rest.len());
        assert_eq!(next.is_ok(), follows, "{shared} bytes of {what:?} and {length} more");
        let right = if follows { [&before[..shared], rest].concat() } else { before.to_vec() };
        assert_eq!(name.bytes(), right, "{what:?}");
        // Behind a name that is spelled out any may come.
        name.clear();
        assert_eq!((name.next(0, b"a"), name.text()), (Ok(()), Ok("a")));
    }
    let mut name = Spelled::default();
    name.next(0, &[0xff]).unwrap();
    assert!(name.text().is_err());
}

/// How many versions a key has is written in the bits that it takes. A block that said 2^32 or more was written, and
/// refused when it was read.
#[test]
fn numbers_at_the_edges_come_back() {
    let edges = [1, (1 << 31) - 1, 1 << 31, u64::from(u32::MAX), 1 << 32, (1 << 32) + 1, u64::MAX];
    let record = |number: u64| u32::try_from(number).unwrap_or(u32::MAX);
    for low in edges {
        for high in edges {
            let entry = |number: u64, kind| Entry {
                newest: Version { seq: number, record: record(number), kind },
                older: Some(Older { count: number, at: record(number) }),
            };
            let entries = [entry(low, 0), entry(high, 3)];
            let mut encoder = BlockEncoder::default();
            [b"a", b"b"].iter().zip(&entries).for_each(|(key, entry)| encoder.push(*key, entry.newest, entry.older));
            let (count, bytes) = encoder.cut(u32::MAX);
            let block = Block::read(bytes).unwrap_or_else(|error| panic!("{low} {high}: {error:?}"));
            let (mut text, mut read) = (Vec::new(), Vec::new());
            block.read_all(&mut text, &mut read).unwrap();
            let read: Vec<Entry> = read.into_iter().map(|(_, entry)| entry).collect();
            assert_eq!((count, &read[..]), (2, &entries[..]), "{low} {high}");
        }
    }
}

/// Numbers are put side by side in a word before they go to the bytes: also where they fill it to its last bit.
#[test]
fn numbers_that_fill_a_word_come_back() {
    let rows =
        [&[56, 8, 1, 56][..], &[64, 1, 64], &[32, 32, 32, 1], &[1, 1, 56, 6, 2], &[8; 17], &[63, 1, 1], &[1; 130]];
    for widths in rows {
        let number = |nth: usize| (u64::MAX >> (64 - widths[nth])) - nth as u64 % 2;
        let mut bytes = Vec::new();
        let mut writer = bits::BitWriter::new(&mut bytes);
        widths.iter().zip(0..).for_each(|(bits, nth)| writer.put(number(nth), *bits));
        writer.finish();
        let mut at = 0;
        for (bits, nth) in widths.iter().zip(0..) {
            assert_eq!(bits::get(&bytes, at, *bits), number(nth), "{bits} bits at {at} of {widths:?}");
            at += *bits as usize;
        }
        assert_eq!(bytes.len(), at.div_ceil(8));
    }
}

/// Where the end begins is known from the last bytes alone: what is looked at before that is as little as can be.
#[test]
fn the_end_of_a_run_says_where_it_begins() {
    let header = RunHeader { id: 7, store: [3; 16], first_seq: 5, last_seq: 9 }.encode();
    for pages in [0, 1, 2, 700] {
        let (tail, _) = meta::encode(&header, &vec![9; pages], &Meta::default());
        for before in [0, RUN_HEADER_BYTES, pages * PAGE_BYTES + 1] {
            let file = [&vec![0; before][..], &tail].concat();
            assert_eq!(Tail::begins_at(&file), Some(before), "{pages} pages");
        }
        // A file that lost its beginning, by one byte and by more.
        assert_eq!(Tail::begins_at(&tail[1..]), None);
        assert_eq!(Tail::begins_at(&tail[tail.len() - TRAILER_BYTES..]), None);
        assert_eq!(Tail::begins_at(&tail[tail.len() - TRAILER_BYTES + 1..]), None);
    }
}
