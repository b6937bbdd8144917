use std::io::{self, Read, Write};

use super::{ITEM_BYTES_MAX, ItemError, Items, Separator, count};

/// Hands out one byte at a time, interrupted before each.
struct Slow<'a>(&'a [u8], bool);

impl Read for Slow<'_> {
    fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
        self.1 = !self.1;
        if self.1 {
            return Err(io::ErrorKind::Interrupted.into());
        }
        let n = self.0.len().min(1).min(to.len());
        to[..n].copy_from_slice(&self.0[..n]);
        self.0 = &self.0[n..];
        Ok(n)
    }
}

fn read_all(input: impl Read, separator: Separator) -> Vec<(u64, Result<Vec<u8>, ItemError>)> {
    let mut items = Items::new(input, separator);
    let mut all = Vec::new();
    while let Some(read) = items.next().unwrap() {
        all.push((read.line, read.item.map(<[u8]>::to_vec)));
    }
    all
}

fn check(input: &[u8], separator: Separator, expected: &[(u64, Result<&str, ItemError>)]) {
    let expected: Vec<_> =
        expected.iter().map(|(line, item)| (*line, item.clone().map(|text| text.as_bytes().to_vec()))).collect();
    assert_eq!(read_all(input, separator), expected);
    assert_eq!(read_all(Slow(input, false), separator), expected, "byte by byte");
    let mut file = tempfile::tempfile().unwrap();
    file.write_all(b"before\n").unwrap();
    file.write_all(input).unwrap();
    assert_eq!(count(&file, 7, separator), Some(expected.len() as u64));
}

#[test]
fn items_are_taken_byte_for_byte() {
    use Separator::{Newline, Nul};
    check(b"", Newline, &[]);
    check(b"\n\n\n", Newline, &[]);
    check(b"a", Newline, &[(1, Ok("a"))]);
    check(b"a\n", Newline, &[(1, Ok("a"))]);
    check(b"a\n\nb", Newline, &[(1, Ok("a")), (3, Ok("b"))]);
    check(b" a b \r\n-rf\n\"'\\", Newline, &[(1, Ok(" a b \r")), (2, Ok("-rf")), (3, Ok("\"'\\"))]);
    check("ü\u{202e}x\n".as_bytes(), Newline, &[(1, Ok("ü\u{202e}x"))]);
    check(b"a\nb\0\0c\0", Nul, &[(1, Ok("a\nb")), (3, Ok("c"))]);
}

#[test]
fn what_is_no_item_is_refused_with_its_line() {
    use Separator::Newline;
    let (fits, over) = ("x".repeat(ITEM_BYTES_MAX), "x".repeat(ITEM_BYTES_MAX + 1));
    check(
        format!("{fits}\n{over}\nlast\n").as_bytes(),
        Newline,
        &[(1, Ok(&fits)), (2, Err(ItemError::TooLong { bytes: ITEM_BYTES_MAX as u64 + 1 })), (3, Ok("last"))],
    );
    check(b"a\0b\nc", Newline, &[(1, Err(ItemError::Nul)), (2, Ok("c"))]);
}

#[test]
fn a_line_without_end_takes_no_memory() {
    let mut items = Items::new(io::repeat(b'x').take(300 << 20).chain(&b"\nb"[..]), Separator::Newline);
    let first = items.next().unwrap().unwrap().item.map(<[u8]>::to_vec);
    assert_eq!(first, Err(ItemError::TooLong { bytes: 300 << 20 }));
    assert!(items.item.capacity() <= 2 * (ITEM_BYTES_MAX + 1), "{} bytes held", items.item.capacity());
    assert_eq!(items.next().unwrap().unwrap().item, Ok(&b"b"[..]));
}

#[test]
fn an_item_need_not_be_text() {
    let all: Vec<u8> = (1..=255).collect();
    let lines: Vec<_> = all.split(|&byte| byte == b'\n').map(<[u8]>::to_vec).collect();
    let expected: Vec<_> = (1..).zip(lines.into_iter().map(Ok)).collect();
    assert_eq!(read_all(&all[..], Separator::Newline), expected);
    assert_eq!(read_all(&all[..], Separator::Nul), [(1, Ok(all))]);
}
