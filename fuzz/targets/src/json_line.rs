//! Commits as lines of JSON: what is read is written as one canonical line, and read again as the same commit.

use milepost::{
    Commit, Seq, Timestamp,
    json::{CommitLine, parse_commit, parse_time, time_text, write_commit},
};

/// Eight bytes of a timestamp, then any bytes as a line and as a time.
pub fn check(bytes: &[u8]) {
    let Some((at, line)) = bytes.split_first_chunk::<8>() else {
        return;
    };
    let at = Timestamp(i64::from_le_bytes(*at));
    if let Some(text) = time_text(at) {
        assert_eq!(parse_time(&text), Ok(at));
    }
    if let Ok(text) = std::str::from_utf8(line) {
        // Times that are finer than ours are cut, and stay the same from then on.
        if let Ok(time) = parse_time(text) {
            assert_eq!(parse_time(&time_text(time).unwrap()), Ok(time));
        }
    }
    if let Ok(read) = parse_commit(line) {
        let canonical = written(&read, at);
        assert!(!canonical.contains(&b'\n'), "one line");
        let again = parse_commit(&canonical).unwrap();
        // What must hold is asked of a store, and not kept.
        assert_eq!(again, CommitLine { require: Vec::new(), ..read });
        assert_eq!(written(&again, at), canonical);
    }
}

fn written(line: &CommitLine, at: Timestamp) -> Vec<u8> {
    let CommitLine { meta, events, .. } = line.clone();
    let mut out = Vec::new();
    write_commit(&mut out, &Commit { seq: Seq(7), at, meta, digest: None, events });
    out
}
