use std::io::{self, Read, Write};

use super::{ItemError, Items, Separator, count};

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

fn read_all(input: impl Read, separator: Separator) -> Vec<(u64, Result<String, ItemError>)> {
    let mut items = Items::new(input, separator);
    let mut all = Vec::new();
    while let Some(read) = items.next().unwrap() {
        all.push((read.line, read.item.map(str::to_owned)));
    }
    all
}

fn check(input: &[u8], separator: Separator, expected: &[(u64, Result<&str, ItemError>)]) {
    let expected: Vec<_> = expected.iter().map(|(line, item)| (*line, item.clone().map(str::to_owned))).collect();
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
    use Separator::{Newline, Nul};
    let (fits, over) = ("x".repeat(1024), "x".repeat(1025));
    check(
        format!("{fits}\n{over}\nlast\n").as_bytes(),
        Newline,
        &[(1, Ok(&fits)), (2, Err(ItemError::TooLong { bytes: 1025 })), (3, Ok("last"))],
    );
    check(b"ok\n\xc3\x28\nok", Newline, &[(1, Ok("ok")), (2, Err(ItemError::NotUtf8 { offset: 0 })), (3, Ok("ok"))]);
    check(b"a\0b\nc", Newline, &[(1, Err(ItemError::Nul)), (2, Ok("c"))]);
    check(b"a\xff\0", Nul, &[(1, Err(ItemError::NotUtf8 { offset: 1 }))]);
}

#[test]
fn a_line_without_end_takes_no_memory() {
    let mut items = Items::new(io::repeat(b'x').take(300 << 20).chain(&b"\nb"[..]), Separator::Newline);
    let first = items.next().unwrap().unwrap().item.map(str::to_owned);
    assert_eq!(first, Err(ItemError::TooLong { bytes: 300 << 20 }));
    assert!(items.item.capacity() <= 4096, "{} bytes held", items.item.capacity());
    assert_eq!(items.next().unwrap().unwrap().item, Ok("b"));
}
