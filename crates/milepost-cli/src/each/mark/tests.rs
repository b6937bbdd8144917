use super::{Ending, Kept, Mark};

fn mark(ending: Ending, micros: u64, attempt: u32) -> Mark<'static> {
    Mark { ending, micros, attempt, stdout: Kept::default(), stderr: Kept::default() }
}

fn whole(bytes: &[u8]) -> Kept<'_> {
    Kept { bytes, total_bytes: bytes.len() as u64 }
}

fn check(mark: Mark<'_>, expected: &[u8]) {
    let mut bytes = Vec::new();
    mark.encode(&mut bytes);
    assert_eq!(bytes.escape_ascii().to_string(), expected.escape_ascii().to_string());
    assert_eq!(Mark::parse(&bytes), Ok(mark));
    for end in 0..bytes.len() {
        assert_ne!(Mark::parse(&bytes[..end]), Ok(mark), "cut at {end}");
    }
}

#[test]
fn marks_read_back_as_written() {
    let cut = |bytes, total_bytes| Kept { bytes, total_bytes };
    check(mark(Ending::Exit(0), 523, 1), b"0 523");
    check(mark(Ending::Exit(0), 0, 1), b"0 0");
    check(mark(Ending::Exit(255), u64::MAX, u32::MAX), b"255 18446744073709551615 try=4294967295");
    check(mark(Ending::Signal(9), 7, 2), b"sig9 7 try=2");
    check(mark(Ending::NotStarted, 7, 1), b"start 7");
    check(mark(Ending::TimedOut, 7, 2), b"time 7 try=2");
    check(Mark { stdout: whole(b"a\nb\n"), ..mark(Ending::Exit(0), 1, 1) }, b"0 1 out=4\na\nb\n");
    check(Mark { stderr: whole(b"\xff\0"), ..mark(Ending::Exit(1), 1, 1) }, b"1 1 err=2\n\xff\0");
    check(Mark { stdout: cut(b"", 10), ..mark(Ending::Exit(0), 1, 1) }, b"0 1 out=0/10\n");
    check(
        Mark { stdout: cut(b"ab", 99), stderr: cut(b"c", 2), ..mark(Ending::Exit(0), 1, 3) },
        b"0 1 try=3 out=2/99 err=1/2\nabc",
    );
    let huge = [7; 1000];
    let most = Kept { bytes: &huge, total_bytes: u64::MAX };
    check(
        Mark { stdout: most, stderr: most, ..mark(Ending::Exit(255), u64::MAX, u32::MAX) },
        &[
            b"255 18446744073709551615 try=4294967295 out=1000/18446744073709551615 err=1000/18446744073709551615\n",
            &huge[..],
            &huge[..],
        ]
        .concat(),
    );
}

#[test]
fn nothing_else_is_a_mark() {
    let rows: &[&[u8]] = &[
        b"",
        b" ",
        b"0",
        b"0 ",
        b"00 1",
        b"0 01",
        b"+0 1",
        b"256 1",
        b"sig 1",
        b"sig256 1",
        b"started 1",
        b"timed 1",
        b"0 1 ",
        b"0 1 try",
        b"0 1 try=0",
        b"0 1 try=1",
        b"0 1 try=4294967296",
        b"0 18446744073709551616",
        b"0 1 try=2 try=3",
        b"0 1 new=1",
        b"0 1 err=1 out=1\nab",
        b"0 1 out=1",
        b"0 1 out=0\n",
        b"0 1 out=1\n",
        b"0 1 out=1\nab",
        b"0 1 out=2/1\nab",
        b"0 1 out=1/1\na",
        b"0 1\n",
        b"0 1\nab",
        b"0 1 out=18446744073709551615 err=1\n",
        b"\xff 1",
        b"{\"ok\":true}",
        &[b'0'; 4000],
    ];
    for row in rows {
        assert!(Mark::parse(row).is_err(), "{}", row.escape_ascii());
    }
}

#[test]
fn endings_are_named_for_people() {
    let rows = [
        (Ending::Exit(3), "exit 3"),
        (Ending::Signal(9), "SIGKILL"),
        (Ending::Signal(200), "signal 200"),
        (Ending::NotStarted, "not started"),
        (Ending::TimedOut, "timed out"),
    ];
    for (ending, text) in rows {
        assert_eq!(ending.to_string(), text);
    }
}
