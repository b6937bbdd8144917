use std::fs;

use milepost::Seq;

use super::{Handover, Left, format::parse, read};

fn left(records: &[(&str, &[u8])]) -> Left {
    let records = records.iter().map(|(item, mark)| (item.as_bytes().to_vec(), mark.to_vec())).collect();
    Left { run: Seq(7), job: "sums".to_owned(), records }
}

#[test]
fn what_was_pushed_is_read_back() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("handover");
    assert_eq!(read(&path).unwrap(), None);
    let mut handover = Handover::create(&path, Seq(7), "sums").unwrap();
    assert_eq!(read(&path).unwrap(), Some(left(&[])));
    handover.push(b"a", b"0 1").unwrap();
    handover.push(b"b c", b"").unwrap();
    assert_eq!(read(&path).unwrap(), Some(left(&[("a", b"0 1"), ("b c", b"")])));

    // Overwritten from the start: newest first, then whatever old record is still whole.
    handover.all_durable();
    handover.push(b"d", b"1 2").unwrap();
    assert_eq!(read(&path).unwrap(), Some(left(&[("d", b"1 2"), ("b c", b"")])));
    handover.push(b"longer than before", b"1 2").unwrap();
    assert_eq!(read(&path).unwrap(), Some(left(&[("d", b"1 2"), ("longer than before", b"1 2")])));

    // Of another run: the records do not pass.
    let bytes = fs::read(&path).unwrap();
    let mut other = Handover::create(&path, Seq(8), "sums").unwrap();
    other.push(b"d", b"1 2").unwrap();
    let mut mixed = fs::read(&path).unwrap();
    mixed.extend_from_slice(&bytes[mixed.len()..]);
    assert_eq!(parse(&mixed).unwrap().records, [(b"d".to_vec(), b"1 2".to_vec())]);
}

#[test]
fn no_truncation_and_no_flipped_bit_invents_a_record() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("handover");
    let mut handover = Handover::create(&path, Seq(7), "sums").unwrap();
    let records: [(&str, &[u8]); 3] = [("a", b"0 1"), ("b", b"1 2 out=1\nx"), ("c", b"0 3")];
    for (item, mark) in records {
        handover.push(item.as_bytes(), mark).unwrap();
    }
    let bytes = fs::read(&path).unwrap();
    let whole = parse(&bytes).unwrap();
    for end in 0..bytes.len() {
        if let Some(cut) = parse(&bytes[..end]) {
            assert!(whole.records.starts_with(&cut.records) && cut.records.len() < 3, "cut at {end}");
        }
    }
    for bit in 0..bytes.len() * 8 {
        let mut flipped = bytes.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        if let Some(read) = parse(&flipped) {
            assert!(whole.records.starts_with(&read.records) && read.records.len() < 3, "bit {bit}");
        }
    }
}

#[test]
fn an_item_of_any_bytes_and_length_is_read_back() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("handover");
    let item = [&b"\xff\n"[..], &[b'x'; 100_000]].concat();
    Handover::create(&path, Seq(7), "sums").unwrap().push(&item, b"0 1").unwrap();
    assert_eq!(read(&path).unwrap().unwrap().records, [(item, b"0 1".to_vec())]);
}
