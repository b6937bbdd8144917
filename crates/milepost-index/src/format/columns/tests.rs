//! Which columns are found for keys, drawn byte by byte, and which keys are found by them, and no others.

use super::*;

const SAME: u8 = 0;
const DIGITS_OF: u8 = 1 << 6;
const RANGE: u8 = 1 << 7;

/// The head of a range of so many bytes, of so many bits each.
fn range(count: u8, bits: u8) -> u8 {
    RANGE | (bits - 1) << 4 | (count - 1)
}

#[test]
fn columns_are_as_long_as_they_may_be_and_rows_as_short() {
    let [x, zero, nine] = ["x", "0", "9"].map(|byte| byte.repeat(65));
    let [g, h] = ["g", "h"].map(|byte| byte.repeat(17));
    let [xyg, xyh] = [&g, &h].map(|range| format!("xy{range}"));
    let rows: [(&[&str], Vec<u8>, usize); 16] = [
        (&["abc"], vec![SAME | 2, b'a', b'b', b'c'], 4),
        // Eight digits beside each other are a range of three bits, more of them are digits; letters are a range.
        (&["a0", "a7"], vec![SAME, b'a', range(1, 3), b'0'], 4 + 1),
        (&["a0", "a8"], vec![SAME, b'a', DIGITS_OF], 3 + 1),
        (&["aa", "af"], vec![SAME, b'a', range(1, 3), b'a'], 4 + 1),
        (&["0", ":"], vec![range(1, 4), b'0'], 2 + 1),
        (&["0", "g"], vec![range(1, 6), b'0'], 2 + 2),
        (&["ag", "az"], vec![SAME, b'a', range(1, 5), b'g'], 4 + 2),
        // Beside each other where neither gets wider by it.
        (&["ab", "ba"], vec![range(2, 1), b'a'], 2 + 1),
        (&["ab", "bc"], vec![range(1, 1), b'a', range(1, 1), b'b'], 4 + 1),
        (&["ak", "bo"], vec![range(1, 1), b'a', range(1, 3), b'k'], 4 + 1),
        (&["g0", "h9"], vec![range(1, 1), b'g', DIGITS_OF], 3 + 2),
        (&["0g", "9h"], vec![DIGITS_OF, range(1, 1), b'g'], 3 + 2),
        // As many as the head of a column can count, and one more.
        (&[&x], [&[SAME | 63][..], &[b'x'; 64], &[SAME, b'x']].concat(), 67),
        (&[&zero, &nine], vec![DIGITS_OF | 63, DIGITS_OF], 2 + 65),
        (&[&g, &h], vec![range(16, 1), b'g', range(1, 1), b'g'], 4 + 5),
        (&[&xyg, &xyh], vec![SAME | 1, b'x', b'y', range(16, 1), b'g', range(1, 1), b'g'], 7 + 5),
    ];
    for (keys, columns, bytes) in rows {
        let mut encoder = ColumnEncoder::default();
        let planned = encoder.plan(keys.concat().as_bytes(), keys[0].len(), keys.len());
        assert_eq!((encoder.columns(), planned), (&columns[..], bytes), "{keys:?}");
        check(&keys.iter().map(|key| (*key).to_owned()).collect::<Vec<_>>(), &[]);
    }
}

/// Every key has the row that it has, and no other key has one.
fn check(keys: &[String], absent: &[String]) {
    let (mut encoder, length) = (ColumnEncoder::default(), keys[0].len());
    encoder.plan(keys.concat().as_bytes(), length, keys.len());
    let mut rows = Vec::new();
    let mut writer = BitWriter::new(&mut rows);
    keys.iter().for_each(|key| encoder.put_row(key.as_bytes(), &mut writer));
    writer.finish();
    let columns = Columns::read(&mut Fields::new(encoder.columns()), length).unwrap();
    assert_eq!(rows.len(), bits::bytes_of(keys.len(), columns.row_bits()));
    for (row, key) in keys.iter().enumerate() {
        assert_eq!(columns.find(&rows, keys.len(), key.as_bytes()), Ok(Some(row)), "{key} of {keys:?}");
        let mut out = Vec::new();
        columns.put_key(&rows, row, &mut out).unwrap();
        assert_eq!(out, key.as_bytes());
    }
    for key in absent {
        assert_eq!(columns.find(&rows, keys.len(), key.as_bytes()), Ok(None), "{key} of {keys:?}");
    }
    let mut all = Vec::new();
    columns.put_keys(&rows, keys.len(), &mut all).unwrap();
    assert_eq!(all, keys.concat().as_bytes());
}

/// A byte above or below its range is in no row: it is not taken for one that is by the bits that it has too many.
#[test]
fn what_is_beside_a_range_is_not_found() {
    let own = |keys: &[&str]| keys.iter().map(|key| (*key).to_owned()).collect::<Vec<_>>();
    let absent = own(&["ab", "ac", "ad", "bc", "ca", "a`", "`a", "`b", "", "a", "aaa", "ba\0"]);
    check(&own(&["aa", "ba", "bb"]), &absent);
    check(&own(&["x0g", "x9h"]), &own(&["x0h", "x9g", "x:g", "x/h", "xag", "xfh", "xgg", "y0g", "x0i", "x0f"]));
}

/// A search goes by the first 64 bits of a row, in which a digit may stand in part; what is behind them counts as well.
#[test]
fn long_rows_are_told_apart_to_their_last_bit() {
    let zeros = "0".repeat(15);
    let tails = ["00000", "00009", "10000", "80000", "f0000"];
    for before in [["g", "h"], ["gg", "hh"], ["ggg", "hhh"], ["gggg", "hhhh"]] {
        let mut keys: Vec<String> = tails.iter().map(|tail| format!("{}{zeros}{tail}", before[0])).collect();
        keys.push(format!("{}{}", before[1], "f".repeat(20)));
        let absent = ["00001", "00008", "0000g", "10009", "90000", "e0000", "g0000", "f000f"];
        check(&keys, &absent.map(|tail| format!("{}{zeros}{tail}", before[0])));
    }
}
