//! Round trips, and lines that must be refused.

use expect_test::expect;
use milepost_types::{
    CheckpointName, Commit, ContentType, Digest, Event, Fence, HoldName, Key, Meta, Note, Policy, Scope, ScopePrefix,
    Seq, Timestamp, Writer, limits,
};
use proptest::prelude::*;

use super::{CommitLine, JsonError, add_commit, parse_commit, parse_time, time_text, write_commit};

fn line(commit: &Commit) -> String {
    let mut out = Vec::new();
    write_commit(&mut out, commit);
    String::from_utf8(out).unwrap()
}

fn scope(text: &str) -> Scope {
    Scope::parse(text).unwrap()
}

fn key(text: &str) -> Key {
    Key::parse(text).unwrap()
}

fn name(text: &str) -> CheckpointName {
    CheckpointName::parse(text).unwrap()
}

fn prefix(text: &str) -> ScopePrefix {
    ScopePrefix::parse(text).unwrap()
}

fn hold(text: &str) -> HoldName {
    HoldName::parse(text).unwrap()
}

fn full() -> Commit {
    Commit {
        seq: Seq(7),
        at: Timestamp(1_795_489_920_000_001),
        meta: Meta {
            writer: Some(Writer::new("wörker \u{1b}").unwrap().attempt(3)),
            idempotency_key: Some("k\"1".into()),
            fences: vec![Fence { scope: scope("a/b"), token: 3 }],
        },
        digest: Some(Digest([0xa7; 16])),
        events: vec![
            Event::Set {
                scope: scope("a/b"),
                key: key("k\n"),
                value: b"text\0".to_vec(),
                content_type: Some(ContentType::TEXT),
                expires_at: Some(Timestamp(1)),
            },
            Event::Set {
                scope: scope("a/b"),
                key: key("b"),
                value: vec![0xff, 0],
                content_type: None,
                expires_at: Some(Timestamp::MAX),
            },
            Event::Delete { scope: scope("a/b"), key: key("k") },
            Event::Clear { scope: scope("a") },
            Event::ClearPrefix { prefix: ScopePrefix::root() },
            Event::Checkpoint { scope: scope("a"), name: name("after\n"), note: Some(Note::parse("why").unwrap()) },
            Event::Checkpoint { scope: scope("a"), name: name("n"), note: None },
            Event::Release { scope: scope("a"), name: name("n") },
            Event::Fork { scope: scope("c"), origin: scope("a/b"), point: Seq(u64::MAX) },
            Event::Retain { prefix: ScopePrefix::root(), policy: Policy { keep_last: Some(3), ..Policy::default() } },
            Event::Retain { prefix: prefix("a"), policy: Policy::default() },
            Event::Unretain { prefix: prefix("a") },
            Event::Hold { prefix: prefix("a"), name: hold("case\n17"), note: Some(Note::parse("why").unwrap()) },
            Event::Unhold { prefix: prefix("a"), name: hold("case") },
            Event::Erase { scope: scope("a"), key: Key::parse("k").unwrap(), bytes: 9 },
            Event::EraseScope { scope: scope("a"), bytes: u64::MAX },
            Event::ErasePrefix { prefix: prefix("a"), bytes: 0 },
        ],
    }
}

#[test]
fn the_format_is_pinned() {
    expect![[r#"{"seq":7,"at":"2026-11-24T03:12:00.000001Z","writer":"wörker \u001b","attempt":3,"idempotency_key":"k\"1","digest":"a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7","fences":[{"scope":"a/b","token":3}],"events":[{"event":"set","scope":"a/b","key":"k\n","value":"text\u0000","content_type":"text/plain","expires_at":"1970-01-01T00:00:00.000001Z"},{"event":"set","scope":"a/b","key":"b","value_base64":"/wA=","expires_at":9223372036854775807},{"event":"delete","scope":"a/b","key":"k"},{"event":"clear","scope":"a"},{"event":"clear_prefix","prefix":""},{"event":"checkpoint","scope":"a","name":"after\n","note":"why"},{"event":"checkpoint","scope":"a","name":"n"},{"event":"release","scope":"a","name":"n"},{"event":"fork","scope":"c","origin":"a/b","point":18446744073709551615},{"event":"retain","prefix":"","keep_last":3},{"event":"retain","prefix":"a"},{"event":"unretain","prefix":"a"},{"event":"hold","prefix":"a","name":"case\n17","note":"why"},{"event":"unhold","prefix":"a","name":"case"},{"event":"erase","scope":"a","key":"k","bytes":9},{"event":"erase_scope","scope":"a","bytes":18446744073709551615},{"event":"erase_prefix","prefix":"a","bytes":0}]}"#]]
    .assert_eq(&line(&full()));
}

#[test]
fn what_is_written_is_read_as_the_same() {
    let commit = full();
    let read = parse_commit(line(&commit).as_bytes()).unwrap();
    assert_eq!(read, CommitLine { meta: commit.meta, require: Vec::new(), events: commit.events });
}

#[test]
fn times_at_the_ends() {
    for (micros, text) in [
        (0, Some("1970-01-01T00:00:00.000000Z")),
        (-1, Some("1969-12-31T23:59:59.999999Z")),
        (-62_167_219_200_000_000, Some("0000-01-01T00:00:00.000000Z")),
        (-62_167_219_200_000_001, None),
        (i64::MIN, None),
        (i64::MAX, None),
    ] {
        let written = time_text(Timestamp(micros));
        assert_eq!(written.as_deref(), text);
        if let Some(text) = written {
            assert_eq!(parse_time(&text).unwrap(), Timestamp(micros));
        }
    }
}

fn refused(line: &str, says: &str) {
    let error = parse_commit(line.as_bytes()).expect_err(line).to_string();
    assert!(error.contains(says), "{error:?} does not say {says:?}");
    assert!(error.len() < 4096, "an error of {} bytes", error.len());
}

#[test]
fn bad_lines_are_refused() {
    let set = |rest: &str| format!(r#"{{"events":[{{"event":"set","scope":"a","key":"k","value":"1"{rest}}}]}}"#);
    parse_commit(set("").as_bytes()).unwrap();
    for (line, says) in [
        ("", "EOF"),
        ("[]", "column"),
        ("null", "one JSON object"),
        ("{}", "missing field `events`"),
        (r#"{"events":[]} x"#, "trailing characters, at column 15"),
        (r#"{"events":[],"events":[]}"#, "duplicate field `events`"),
        (r#"{"events":[],"wirter":"a"}"#, "unknown field `wirter`"),
        (r#"{"events":[],"attempt":1}"#, "attempt: it needs the field writer"),
        (r#"{"events":[],"writer":"a","attempt":-1}"#, "-1"),
        (r#"{"events":[],"writer":"a","attempt":4294967296}"#, "4294967296"),
        (r#"{"events":[],"writer":""}"#, "writer has 0 bytes"),
        (r#"{"events":[],"idempotency_key":""}"#, "idempotency key has 0 bytes"),
        (r#"{"events":[],"idempotency_key":"k","digest":"A7"}"#, "digest: not 32 hexadecimal digits in lower case"),
        (r#"{"events":[],"digest":"a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7"}"#, "digest: it needs the field idempotency_key"),
        (r#"{"events":[],"seq":0}"#, "the first commit is 1"),
        (r#"{"events":[],"seq":18446744073709551616}"#, "column"),
        (r#"{"events":[],"at":"noon"}"#, "\"noon\" is no time"),
        (r#"{"events":[],"at":9223372036854775808}"#, "more microseconds than a time has"),
        (r#"{"events":[],"at":[]}"#, "expected a time"),
        (r#"{"events":[],"fences":[{"scope":"$/x","token":1}]}"#, "fence 0: scope \"$/x\" is below the reserved root"),
        (r#"{"events":[{}]}"#, "missing field `event`"),
        (r#"{"events":[{"event":"sett"}]}"#, "unknown variant `sett`"),
        (r#"{"events":[{"event":"set","key":"k","value":"1"}]}"#, "event 0: a set needs the field scope"),
        (r#"{"events":[{"event":"set","scope":"a","value":"1"}]}"#, "event 0: a set needs the field key"),
        (r#"{"events":[{"event":"set","scope":"a","key":"k","value":null}]}"#, "needs the field value"),
        (r#"{"events":[{"event":"checkpoint","scope":"a"}]}"#, "event 0: a checkpoint needs the field name"),
        (r#"{"events":[{"event":"checkpoint","scope":"a","name":""}]}"#, "event 0: checkpoint name has 0 bytes"),
        (r#"{"events":[{"event":"checkpoint","scope":"a","name":"n","note":""}]}"#, "event 0: note has 0 bytes"),
        (
            r#"{"events":[{"event":"release","scope":"a","name":"n","note":"x"}]}"#,
            "event 0: a release has no field note",
        ),
        (r#"{"events":[{"event":"fork","scope":"a","origin":"b"}]}"#, "event 0: a fork needs the field point"),
        (r#"{"events":[{"event":"fork","scope":"a","point":1}]}"#, "event 0: a fork needs the field origin"),
        (r#"{"events":[{"event":"fork","scope":"a","origin":"$/b","point":1}]}"#, "is below the reserved root"),
        (r#"{"events":[{"event":"fork","scope":"a","origin":"b","point":-1}]}"#, "-1"),
        (r#"{"events":[{"event":"clear","scope":"a","name":"n"}]}"#, "event 0: a clear has no field name"),
        (r#"{"events":[{"event":"set","scope":"a","key":"","value":"1"}]}"#, "event 0: key has 0 bytes"),
        (r#"{"events":[{"event":"set","scope":"a//b","key":"k","value":"1"}]}"#, "event 0: segment 2"),
        (r#"{"events":[{"event":"set","scope":"a","key":"\ud800","value":"1"}]}"#, "column"),
        (
            r#"{"events":[{"event":"clear","scope":"a"},{"event":"clear","scope":"a","key":"k"}]}"#,
            "event 1: a clear has no field key",
        ),
        (r#"{"events":[{"event":"clear_prefix","scope":"a"}]}"#, "a clear_prefix has no field scope"),
        (r#"{"events":[{"event":"delete","scope":"a","key":"k","value":"1"}]}"#, "a delete has no field value"),
        (
            r#"{"events":[],"require":[{"condition":"key_at","scope":"a","key":"k"}]}"#,
            "require 0: key_at needs the field seq",
        ),
        (
            r#"{"events":[],"require":[{"condition":"scope_at","scope":"a","key":"k","seq":1}]}"#,
            "scope_at has no field key",
        ),
    ] {
        refused(line, says);
    }
    for (rest, says) in [
        (r#","value":"2""#, "duplicate field `value`"),
        (r#","value_base64":"MQ==""#, "both value and value_base64"),
        (r#","content_type":"ä""#, "visible ASCII"),
        (r#","expires_at":"tomorrow""#, "is no time"),
        (r#","expires_at":1.5"#, "expected a time"),
        (r#","ttl":1"#, "unknown field `ttl`"),
    ] {
        refused(&set(rest), says);
    }
    refused(r#"{"events":[{"event":"set","scope":"a","key":"k","value_base64":"?"}]}"#, "value_base64 is no base64");
    refused(std::str::from_utf8(b"{\"events\":[{\"event\":\"set\",\"scope\":\"\x7f\",\"key\":0}]}").unwrap(), "column");
    assert!(parse_commit(b"{\"events\":[{\"event\":\"clear\",\"scope\":\"\xff\"}]}").is_err());
}

/// Depth and length are refused by count, before they cost memory or stack.
#[test]
fn bombs_are_refused() {
    let deep = 100_000;
    refused(&"[".repeat(deep), "column");
    refused(&format!(r#"{{"events":{}"#, "[".repeat(deep)), "column");
    refused(&format!(r#"{{"events":[],"x":{}"#, "{\"a\":".repeat(deep)), "unknown field `x`");
    refused(&format!(r#"{{"events":[],"seq":{}}}"#, "9".repeat(10 << 20)), "column");
    let fences = r#"{"scope":"a","token":1},"#.repeat(limits::FENCES_MAX + 1);
    refused(&format!(r#"{{"events":[],"fences":[{}]}}"#, fences.trim_end_matches(',')), "at most 1024 items");
}

proptest! {
    #[test]
    fn any_bytes_are_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let _ = parse_commit(&bytes);
    }

    #[test]
    fn any_commit_comes_back(
        seq in 1u64.., at in any::<i64>(), value in proptest::collection::vec(any::<u8>(), 0..40),
        name in "[^\0]{1,40}", expires in proptest::option::of(any::<i64>()), attempt in proptest::option::of(any::<u32>()),
    ) {
        let name_bytes = name.len() <= 256;
        prop_assume!(name_bytes);
        let writer = Writer::new(&name).unwrap();
        let writer = attempt.map_or(writer.clone(), |attempt| writer.attempt(attempt));
        let commit = Commit {
            seq: Seq(seq),
            at: Timestamp(at),
            meta: Meta { writer: Some(writer), idempotency_key: Some(name.clone()), fences: Vec::new() },
            digest: None,
            events: vec![Event::Set {
                scope: scope("a"),
                key: key(&name),
                value,
                content_type: None,
                expires_at: expires.map(Timestamp),
            }],
        };
        let text = line(&commit);
        prop_assert!(!text.contains('\n'));
        let read = parse_commit(text.as_bytes()).unwrap();
        prop_assert_eq!(read, CommitLine { meta: commit.meta, require: Vec::new(), events: commit.events });
    }
}

/// What is added event by event is what the whole line says; what is refused is refused with the same words.
#[test]
fn a_line_added_to_a_commit_is_the_line_that_is_read() {
    let dir = tempfile::tempdir().unwrap();
    let store = crate::Store::open(dir.path()).unwrap();
    let head = r#"{"writer":"w","idempotency_key":"IDK","fences":[{"scope":"a","token":1}],"events":"#;
    let events = r#"[{"event":"set","scope":"a","key":"k","value":"1"}, {"event":"clear_prefix","prefix":"b"}]}"#;
    let line = format!("{head}{events}");
    let whole = parse_commit(line.as_bytes()).unwrap();
    let seq = add_commit(line.as_bytes(), store.commit()).unwrap().durable().unwrap().seq;
    let added = store.commit_at(seq).unwrap().unwrap();
    assert_eq!((added.meta, added.events), (whole.meta, whole.events));
    for refused in [
        r#"{"events":[{"event":"clear","scope":"a"},{"event":"cler","scope":"a"}]}"#,
        r#"{"events":[{"event":"clear","scope":"a"},{"event":"clear","scope":""}],"attempt":1}"#,
        r#"{"events":[{"event":"clear","scope":"a"},{"event":"clear","scope":""}]}"#,
        r#"{"events":{}}"#,
        r#"{"events":[],"events":[]}"#,
        r#"{"writer":"w"}"#,
    ] {
        let error = add_commit(refused.as_bytes(), store.commit()).err();
        assert_eq!(error, parse_commit(refused.as_bytes()).err(), "{refused}");
        assert!(error.is_some(), "{refused}");
    }
}

/// The column is that of the whole line, also of what stands among the events.
#[test]
fn a_column_counts_from_the_beginning_of_its_line() {
    for line in [
        r#"{"events": [{"event":"clear","scope":"a"},{"event":"cler","scope":"a"}]}"#,
        "{\n \"writer\":\"w\",\n\"events\":[{\"event\":\"cler\",\"scope\":\"a\"}]}",
        "{\"events\":[{\"event\":\"clear\",\"scope\":\"a\"},\n{\"event\":\"cler\"}]}",
    ] {
        let Err(JsonError::Syntax { column, what }) = parse_commit(line.as_bytes()) else { panic!("{line}") };
        assert!(what.starts_with("unknown variant `cler`"), "{what}");
        let last = line.lines().last().unwrap();
        // The quote that ends the name.
        assert_eq!(column, last.find("cler\"").unwrap() + "cler\"".len(), "{line}");
    }
}
