use super::*;

fn known(dir: &str) -> KnownBackup {
    let last = Receipt { seq: Seq(41), at: Timestamp(-7) };
    KnownBackup { dir: dir.to_owned(), number: 3, last, made_at: Timestamp(1_700_000_000_000_000) }
}

#[test]
fn what_is_written_is_read() {
    for dir in ["/backups", "a\nnumber 9\n", " ", "dir "] {
        assert_eq!(of_note(&note(&known(dir))), Some(known(dir)), "{dir:?}");
        assert_eq!(of_entry(entry(&known(dir)).as_bytes(), dir), Some(known(dir)), "{dir:?}");
    }
    assert_eq!(note(&known("/b")), "number 3\nseq 41\nat -7\nmade_at 1700000000000000\ndir /b");
}

#[test]
fn what_can_t_be_read_says_nothing() {
    let whole = note(&known("/b"));
    for length in 0..whole.len() - 1 {
        assert_eq!(of_note(&whole[..length]), None, "cut at {length}");
    }
    for text in ["", "seq 41\nnumber 3\nat 1\nmade_at 1\ndir /b", "number x\nseq 41\nat 1\nmade_at 1\ndir /b"] {
        assert_eq!(of_note(text), None, "{text:?}");
    }
}
