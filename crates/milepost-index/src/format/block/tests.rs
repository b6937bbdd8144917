//! Heads of blocks that can't be, keys that are not in order, and the first and the last key.

use super::*;

/// A block of keys in columns, with all that a head may say; where its fields stand is drawn beside the format's tests.
fn full() -> Vec<u8> {
    let mut block = BlockEncoder::default();
    for (key, seq, record, count) in [("a-07f", 1001, 0, 1), ("a-0e1", 1003, 12, 5), ("a-fa9", 1002, 12, 2)] {
        let older = Some(Older { count, at: 200 + record });
        block.push(key.as_bytes(), Version { seq, record, kind: 2 }, older);
    }
    block.cut(9).1.to_vec()
}

/// What no builder writes is refused by what is wrong with it, before anything is read that depends on it.
#[test]
fn a_head_that_cannot_be_is_refused() {
    let whole = full();
    // Scope, keys, flags; Seq and bits; record and bits; bits of counts, place of lists and bits; bytes of a key.
    assert_eq!(whole[..13], [9, 2, 0x2f, 0xe9, 0x07, 2, 0, 4, 3, 0xc8, 0x01, 4, 5]);
    assert_eq!(Block::read(&whole).map(|block| block.scope()), Ok(9));
    let length = Malformed("a key is empty, or too long");
    for (at, byte, what) in [
        (1, 1 << 7 | 2, Malformed("a bit of a block that is always zero is not")),
        (1, SEVERAL_KINDS | 2, TOO_WIDE),
        (5, 0, TOO_WIDE),
        (5, 65, TOO_WIDE),
        (7, 0, TOO_WIDE),
        (7, 33, TOO_WIDE),
        (8, 0, TOO_WIDE),
        (8, 65, TOO_WIDE),
        (11, 33, TOO_WIDE),
        (11, u8::MAX, TOO_WIDE),
        (12, 0, length),
    ] {
        let mut bytes = whole.clone();
        bytes[at] = byte;
        assert_eq!(Block::read(&bytes).err(), Some(what), "byte {at}: {byte}");
    }
    for (bytes, is_length) in [(NAME_BYTES_MAX as u64, true), (NAME_BYTES_MAX as u64 + 1, false)] {
        let mut head = whole[..12].to_vec();
        varint::put(&mut head, bytes);
        head.extend_from_slice(&whole[13..]);
        assert_eq!(Block::read(&head).err() != Some(length), is_length, "a key of {bytes} bytes");
    }
    let behind = [&whole[..], &[0]].concat();
    assert_eq!(Block::read(&behind).err(), Some(Malformed("bytes behind a block")));
}

/// Rows of one bit: the keys are "a" and "b", or the block is damaged.
#[test]
fn keys_that_do_not_ascend_are_damage() {
    let mut block = BlockEncoder::default();
    for key in ["a", "b"] {
        block.push(key.as_bytes(), Version { seq: 7, record: 9, kind: 0 }, None);
    }
    let whole = block.cut(0).1.to_vec();
    for (rows, ascends) in [(0b0100_0000, true), (0, false), (0b1000_0000, false), (0b1100_0000, false)] {
        let bytes = [&whole[..whole.len() - 1], &[rows]].concat();
        let (mut keys, mut entries) = (Vec::new(), Vec::new());
        let read = Block::read(&bytes).unwrap().read_all(&mut keys, &mut entries);
        assert_eq!(read, if ascends { Ok(()) } else { Err(Malformed("keys are not in order")) }, "{rows:#b}");
    }
}

/// Whether keys stand in columns or are spelled, and however many there are.
#[test]
fn the_first_and_the_last_key_are_known_without_the_others() {
    let even: Vec<String> = (0..BLOCK_KEYS).map(|nth| format!("item-{nth:03}")).collect();
    let uneven: Vec<String> = (1..=SPELLED_KEYS).map(|nth| "ab".repeat(nth)).collect();
    for keys in [&even, &uneven] {
        for count in [1, 2, 3, keys.len()] {
            let mut block = BlockEncoder::default();
            for key in &keys[..count] {
                block.push(key.as_bytes(), Version { seq: 7, record: 9, kind: 0 }, None);
            }
            let (cut, bytes) = block.cut(0);
            let (mut first, mut last) = (b"before".to_vec(), b"before".to_vec());
            Block::read(bytes).unwrap().put_first_key(&mut first).unwrap();
            Block::read(bytes).unwrap().put_last_key(&mut last).unwrap();
            assert_eq!(first, format!("before{}", keys[0]).as_bytes());
            assert_eq!(last, format!("before{}", keys[cut - 1]).as_bytes(), "{cut} of {count}");
        }
    }
}
