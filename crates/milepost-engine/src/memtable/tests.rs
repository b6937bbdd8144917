use milepost_types::{
    EventRef, Meta, Seq,
    body::{Body, BodyEncoder},
    limits,
};

use super::{FORK, Memtable, Met, Name, checkpoints_of};

fn body(events: &[EventRef<'_>]) -> Vec<u8> {
    let mut encoder = BodyEncoder::new(limits::VALUE_BYTES_MAX);
    for event in events {
        encoder.copy(event).unwrap();
    }
    encoder.finish(&Meta::default()).unwrap()
}

fn set<'a>(scope: &'a str, key: &'a str) -> EventRef<'a> {
    EventRef::Set { scope, key, value: b"v", content_type: None, expires_at: None }
}

fn insert(memtable: &Memtable, seq: u64, events: &[EventRef<'_>]) {
    memtable.insert(Seq(seq), &Body::parse(&body(events)).unwrap()).unwrap();
}

fn live(memtable: &Memtable, scope: &str, key: &str, seq: u64) -> bool {
    matches!(memtable.look(&Name::new(7, scope, key), Seq(seq), |_| {}), Met::Version(_))
}

#[test]
fn a_cleared_prefix_takes_what_is_at_and_below_it_and_nothing_beside() {
    let memtable = Memtable::new(7);
    let scopes = ["a", "a/b", "a/b/c", "a/bc", "ab", "$/kept"];
    for (index, scope) in scopes.iter().enumerate() {
        insert(&memtable, index as u64 + 1, &[set(scope, "k")]);
    }
    insert(&memtable, 7, &[EventRef::ClearPrefix { prefix: "a/b" }]);
    let gone = |seq| scopes.map(|scope| !live(&memtable, scope, "k", seq));
    assert_eq!(gone(6), [false; 6]);
    assert_eq!(gone(7), [false, true, true, false, false, false]);
    insert(&memtable, 8, &[EventRef::ClearPrefix { prefix: "" }, set("a/b", "k")]);
    assert_eq!(gone(8), [true, false, true, true, true, false], "the root does not reach what the store keeps");
    assert_eq!(gone(7), [false, true, true, false, false, false], "the past stays");

    assert_eq!(memtable.touched("a/b/c", Seq(6)), 3);
    assert_eq!(memtable.last_prefix_clear("a/b/c", Seq(6)), None);
    assert_eq!(memtable.last_prefix_clear("a/b/c", Seq(7)).map(|mark| mark.seq), Some(7));
    assert_eq!(memtable.last_prefix_clear("a/bc", Seq(7)), None);
    assert_eq!(memtable.touched("a/b", Seq(1)), 0, "before it was there");
    assert_eq!(memtable.touched("never", Seq(8)), 0, "a clear makes no scope");
    let names: Vec<String> = memtable.sorted_scopes().iter().map(|(name, _)| name.to_string()).collect();
    assert_eq!(names, ["$/kept", "/", "a", "a/b", "a/b/", "a/b/c", "a/bc", "ab"]);
    assert_eq!(memtable.sizes().scopes, 5, "what the store keeps for itself does not count");
    assert_eq!((memtable.last_set("a/b/c"), memtable.last_set("a/b")), (3, 8));
}

#[test]
fn a_commit_that_failed_leaves_nothing_behind() {
    let memtable = Memtable::new(7);
    insert(&memtable, 1, &[set("a", "k"), set("a/b", "k")]);
    let failed = [
        set("a", "k"),
        set("a", "new"),
        EventRef::Delete { scope: "a/b", key: "k" },
        EventRef::Clear { scope: "a" },
        EventRef::ClearPrefix { prefix: "a" },
        EventRef::Checkpoint { scope: "a", name: "c", note: None },
        EventRef::Fork { scope: "f", origin: "a", point: Seq(1) },
    ];
    insert(&memtable, 2, &failed);
    assert!(!live(&memtable, "a", "k", 2));
    assert!(live(&memtable, &checkpoints_of("a"), "c", 2) && live(&memtable, FORK, "f", 2));
    memtable.forget(Seq(1), &Body::parse(&body(&failed)).unwrap()).unwrap();
    assert!(live(&memtable, "a", "k", 2) && live(&memtable, "a/b", "k", 2) && !live(&memtable, "a", "new", 2));
    assert!(!live(&memtable, &checkpoints_of("a"), "c", 2) && !live(&memtable, FORK, "f", 2));
    assert_eq!(memtable.touched("a", Seq(2)), 1);
    insert(&memtable, 2, &[set("a", "new")]);
    assert!(live(&memtable, "a", "new", 2) && !live(&memtable, "a", "new", 1));
    let keys: Vec<String> =
        memtable.sorted(memtable.scope("a").unwrap()).iter().map(|listed| listed.key.to_string()).collect();
    assert_eq!(keys, ["k", "new"]);
}

/// Keys are sorted by a number made of what follows the beginning that they share; those that it does not tell apart,
/// or that end within it, stand in order, too.
/// Two commits failed, the first of them a clear, and the next one got the `Seq` of the clear, which had no version
/// of a key: it was below the first version that memory had seen, and folding it panicked.
#[test]
fn a_seq_is_used_again_after_a_commit_without_a_version_failed() {
    let memtable = Memtable::new(7);
    let failed = [body(&[EventRef::Clear { scope: "a" }]), body(&[set("a", "k"), set("b", "k")])];
    for (seq, body) in (5..).zip(&failed) {
        memtable.insert(Seq(seq), &Body::parse(body).unwrap()).unwrap();
    }
    failed.iter().rev().for_each(|body| memtable.forget(Seq(4), &Body::parse(body).unwrap()).unwrap());
    insert(&memtable, 5, &[set("a", "k")]);
    insert(&memtable, 6, &[set("c", "k")]);
    assert_eq!(["a", "b", "c"].map(|scope| live(&memtable, scope, "k", 6)), [true, false, true]);
    assert_eq!(["a", "b", "c"].map(|scope| live(&memtable, scope, "k", 5)), [true, false, false]);
}

#[test]
fn keys_stand_in_order_whatever_they_share() {
    let long = "x".repeat(40);
    let rows: [&[&str]; 6] = [
        &["b", "a", "c"],
        &["only"],
        &["file-10", "file-9", "file-1", "file-", "file-10\u{1}"],
        &["ab", "a", "abc", "ab\u{1}", "aa"],
        &["ä", "z", "\u{10ffff}", "a"],
        &[&format!("{long}b"), &format!("{long}a"), &long, "y", &format!("{long}ab"), "x"],
    ];
    for keys in rows {
        let memtable = Memtable::new(7);
        keys.iter().zip(1..).for_each(|(key, seq)| insert(&memtable, seq, &[set("s", key)]));
        let listed = memtable.sorted(memtable.scope("s").unwrap());
        let mut expected = keys.to_vec();
        expected.sort_unstable();
        assert!(listed.iter().map(|listed| &*listed.key).eq(expected), "{keys:?}");
    }
}
