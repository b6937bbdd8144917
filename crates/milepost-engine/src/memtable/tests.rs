use milepost_types::{
    EventRef, Meta, Policy, Seq,
    body::{Body, BodyEncoder},
    limits,
};

use super::{
    FORK, Kind, Mark, Memtable, Met, Name, ScopeState, Version, checkpoints_of, erased_keys_of, erased_scope,
    held_prefix, holds_of, key_prefix, lost_key, prefix_key,
};

mod listed;

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
        for (count, key) in (1..).zip(keys) {
            insert(&memtable, count, &[set("s", key)]);
            // Those that come later find their places among those that were asked for before.
            if count % 2 == 0 || count == keys.len() as u64 {
                let listed = memtable.sorted(memtable.scope("s").unwrap());
                let mut expected = keys[..count as usize].to_vec();
                expected.sort_unstable();
                assert!(listed.iter().map(|listed| &*listed.key).eq(expected), "{count} of {keys:?}");
            }
        }
    }
}

/// A clear meets what stands before it: not what stands at its own place, as the delete of an erased key does, and not
/// what comes behind it.
#[test]
fn a_mark_stands_after_what_is_before_it() {
    let mark = Mark { seq: 5, record: 7 };
    for (seq, record, is_met) in [(4, 9, true), (5, 6, true), (5, 7, false), (5, 8, false), (6, 0, false)] {
        let version = Version { seq, record, kind: Kind::Set };
        assert_eq!(mark.stands_after(&version), is_met, "{version:?}");
    }
}

/// Memory counts commits from the first that it holds, in 32 bits: another memtable begins long before they end, and a
/// commit that would not be told from others is known as such.
#[test]
fn commits_that_lie_too_far_apart_are_known() {
    let memtable = Memtable::new(7);
    assert!(!memtable.is_far(Seq::MAX) && !memtable.is_out_of_reach(Seq::MAX), "what holds none begins anywhere");
    insert(&memtable, 100, &[set("a", "k")]);
    let before = 99;
    for (commits, is_far, is_out_of_reach) in [
        (1, false, false),
        (1 << 31, false, false),
        ((1 << 31) + 1, true, false),
        (3 << 30, true, false),
        ((3 << 30) + 1, true, true),
        (1 << 40, true, true),
    ] {
        let seq = Seq(before + commits);
        assert_eq!((memtable.is_far(seq), memtable.is_out_of_reach(seq)), (is_far, is_out_of_reach), "{commits}");
    }
    let last = before + (3 << 30);
    insert(&memtable, last, &[set("a", "k")]);
    let seqs: Vec<u64> = memtable.versions("a", "k").iter().map(|version| version.seq).collect();
    assert_eq!(seqs, [100, last]);
    assert_eq!(memtable.newest("a", "k", Seq(last - 1)).map(|version| version.seq), Some(100));
}

/// Whoever looks for a fork, an erasure or a policy asks first whether there is any at all.
#[test]
fn forks_erasures_and_what_retention_is_told_are_known_at_once() {
    let policy = Policy::default();
    for (event, has_forks, last_erasure, last_told) in [
        (set("a", "k"), false, 0, 0),
        (EventRef::Clear { scope: "a" }, false, 0, 0),
        (EventRef::Checkpoint { scope: "a", name: "c", note: None }, false, 0, 0),
        (EventRef::Fork { scope: "f", origin: "a", point: Seq(1) }, true, 0, 0),
        (EventRef::Retain { prefix: "a", policy }, false, 0, 5),
        (EventRef::Unretain { prefix: "a" }, false, 0, 5),
        (EventRef::Hold { prefix: "a", name: "h", note: None }, false, 0, 5),
        (EventRef::Unhold { prefix: "a", name: "h" }, false, 0, 5),
        (EventRef::Erase { scope: "a", key: "k", bytes: 1 }, false, 5, 5),
        (EventRef::EraseScope { scope: "a", bytes: 1 }, false, 5, 5),
        (EventRef::ErasePrefix { prefix: "a", bytes: 1 }, false, 5, 5),
    ] {
        let memtable = Memtable::new(7);
        insert(&memtable, 5, &[event]);
        insert(&memtable, 6, &[set("b", "k")]);
        let known = (memtable.has_forks(), memtable.last_erasure(), memtable.last_told());
        assert_eq!(known, (has_forks, last_erasure, last_told), "{event:?}");
        for (before, last) in [(3, last_told.max(3)), (9, 9)] {
            memtable.told_before(before);
            assert_eq!(memtable.last_told(), last, "what the memtable before it was told counts as well");
        }
    }
}

/// A run is made once a memtable takes so many bytes: what it says of them is what it has handed out, and no more than
/// a few times what is kept in it.
#[test]
fn bytes_are_near_to_what_is_kept() {
    let memtable = Memtable::new(7);
    let grown = |memtable: &Memtable, before: u64| memtable.bytes() - before;
    let empty = memtable.bytes();
    assert!((40 << 10..41 << 10).contains(&empty), "tables of 1024 keys and scopes: {empty}");
    let names: Vec<String> = (0..700).map(|number| format!("{number:060}")).collect();
    names.iter().zip(1..).for_each(|(scope, seq)| insert(&memtable, seq, &[EventRef::Clear { scope }]));
    let of_scope = grown(&memtable, empty) / 700;
    let least = size_of::<ScopeState>() as u64;
    assert!((least + 60..least + 200).contains(&of_scope), "{of_scope} bytes of a scope");

    let before = memtable.bytes();
    names.iter().zip(1..).for_each(|(name, seq)| insert(&memtable, seq, &[set(&names[0], &name[52..])]));
    let of_key = grown(&memtable, before) / 700;
    assert!((40..=64).contains(&of_key), "{of_key} bytes of a key");

    let before = memtable.bytes();
    (1000..2000).for_each(|seq| insert(&memtable, seq, &[set(&names[0], &names[0][52..])]));
    let of_version = grown(&memtable, before) / 1000;
    assert!((8..32).contains(&of_version), "{of_version} bytes of a version");
}

/// These names are in the files of every store.
#[test]
fn what_the_store_keeps_for_itself_has_names_that_lead_back() {
    assert_eq!(checkpoints_of("a/b"), "$/checkpoint/a/b");
    for (prefix, name) in [("", "$/hold"), ("a", "$/hold/a"), ("a/b", "$/hold/a/b")] {
        assert_eq!((&*holds_of(prefix), held_prefix(name)), (name, Some(prefix)));
    }
    assert_eq!(["$/holds", "$/holds/a", "$/checkpoint/a", "a"].map(held_prefix), [None; 4]);
    assert_eq!((&*erased_keys_of("a/b"), erased_scope("$/erased/a/b")), ("$/erased/a/b", Some("a/b")));
    assert_eq!(
        ["$/erased", "$/erased-below", "$/hold/a"].map(erased_scope),
        [None; 3],
        "these hold no keys of a scope"
    );
    for (prefix, key) in [("", "/"), ("a", "a"), ("a/b", "a/b")] {
        assert_eq!((prefix_key(prefix), key_prefix(key)), (key, prefix));
    }
    let lost = [9, 10, u64::MAX].map(|seq| lost_key(Seq(seq)));
    assert_eq!(lost[0], "00000000000000000009");
    assert!(lost.is_sorted(), "in the order of commits: {lost:?}");
}
