//! A store out of which compaction has taken commits: backed up and restored, exported and imported, salvaged. Each
//! copy says the same, and what was removed is no loss.

use std::{
    path::Path,
    time::{Duration, Instant},
};

use milepost::{Compacted, Import, Policy, Scope, ScopePrefix, SegmentKind, Seq, Store, Verdict, backup, json};

use crate::exported;

fn scope(text: &str) -> Scope {
    Scope::parse(text).unwrap()
}

/// Two scopes: of one the newest versions are kept, the other is cleared and of the past; and what is written since.
fn compacted(dir: &Path) -> Store {
    let store = Store::options().segment_bytes(4096).open(dir).unwrap();
    let newest = Policy::default().keep_last(1);
    store.retention().set(&ScopePrefix::root(), newest).unwrap();
    let past = Policy::default().keep_for(Duration::ZERO);
    store.retention().set(&ScopePrefix::parse("task").unwrap(), past).unwrap();
    for n in 0..200u32 {
        let value = n.to_string().repeat(20);
        store.set(&scope("asset"), &format!("k{}", n % 7), value.as_bytes()).unwrap();
        store.set(&scope("task/1"), &format!("item/{n}"), value.as_bytes()).unwrap();
    }
    store.clear(&scope("task/1")).unwrap();
    let once =
        store.commit().idempotency_key("once").set(&scope("asset"), "k0", b"new").set(&scope("asset"), "k8", b"8");
    once.durable().unwrap();
    store.commit().idempotency_key("gone").set(&scope("asset"), "k1", b"new").durable().unwrap();
    store.set(&scope("asset"), "k0", b"newer").unwrap();
    store.set(&scope("asset"), "k1", b"newer").unwrap();
    let done = store.compact().unwrap();
    assert!(done.dropped > 0 && done.rewritten > 0, "{done:?}");
    store.set(&scope("asset"), "k9", b"after").unwrap();
    let kinds: Vec<SegmentKind> = store.segments().unwrap().iter().map(|found| found.segment.kind).collect();
    assert!(kinds.contains(&SegmentKind::Rewritten), "{kinds:?}");
    store
}

/// What a store says now, and every commit that it has.
fn says(store: &Store) -> Vec<String> {
    let view = store.view(milepost::At::Latest).unwrap();
    let mut says = Vec::new();
    for scope in view.scopes(&ScopePrefix::root()).unwrap() {
        for entry in view.scan(&scope, "") {
            let entry = entry.unwrap();
            says.push(format!("{scope} {} {:?} {}", entry.key, entry.value.to_vec(), entry.value.seq()));
        }
    }
    says.extend(lines(store));
    says
}

fn lines(store: &Store) -> Vec<String> {
    let line = |commit: milepost::Result<milepost::Commit>| {
        let mut line = Vec::new();
        json::write_commit(&mut line, &commit.unwrap());
        String::from_utf8(line).unwrap()
    };
    store.replay(Seq::FIRST).map(line).collect()
}

/// Keys that were used before compaction took all of their commits, or some, stand for what they stood for: a
/// repetition is answered with the first outcome, and another request is refused.
fn keys_stand(store: &Store) {
    let commit = |key: &str, first: &[u8]| {
        let commit = store.commit().idempotency_key(key);
        if key == "gone" {
            return commit.set(&scope("asset"), "k1", first).durable();
        }
        commit.set(&scope("asset"), "k0", first).set(&scope("asset"), "k8", b"8").durable()
    };
    for (key, seq) in [("once", 404), ("gone", 405)] {
        assert_eq!(commit(key, b"new").map(|receipt| receipt.seq.0).ok(), Some(seq), "{key}");
        assert_eq!(commit(key, b"other").unwrap_err().kind(), milepost::ErrorKind::Conflict, "{key}");
    }
}

fn is_clean(dir: &Path) {
    let report = milepost::verify(dir, &mut |_, _| ()).unwrap();
    assert_eq!(report.verdict, Verdict::Clean, "{report:?}");
}

#[test]
fn a_backup_of_it_is_restored_with_its_gaps() {
    let dir = tempfile::tempdir().unwrap();
    let (at, copies, to) = (dir.path().join("state"), dir.path().join("copies"), dir.path().join("restored"));
    let store = compacted(&at);
    let first = store.backup(&copies).unwrap().last.seq;
    let expected_first = lines(&store);
    store.set(&scope("asset"), "k0", b"newest").unwrap();
    store.compact().unwrap();
    // Each backup is noted in the store, behind what it holds.
    let (expected, last) = (says(&store), store.last());
    assert_eq!(store.backup(&copies).unwrap().last, last);
    backup::restore(&copies, &to, backup::Until::Newest, &mut |_, _| ()).unwrap();
    is_clean(&to);
    let restored = Store::open(&to).unwrap();
    assert_eq!(says(&restored), expected);
    // The same request is still known for the same.
    let again =
        restored.commit().idempotency_key("once").set(&scope("asset"), "k0", b"new").set(&scope("asset"), "k8", b"8");
    assert_eq!(again.durable().unwrap().seq, Seq(404));
    // The newest backup keeps nothing of the past; one that was made then knows it.
    let middle = dir.path().join("middle");
    let until = |seq| backup::restore(&copies, &middle, backup::Until::Seq(seq), &mut |_, _| ());
    let refused = until(last.seq.prev()).unwrap_err();
    assert!(refused.to_string().contains("not everything is kept"), "{refused}");
    until(first).unwrap();
    is_clean(&middle);
    let middle = Store::open(&middle).unwrap();
    assert_eq!(middle.last().seq, first);
    // Making a backup is noted behind what it holds.
    assert_eq!(lines(&middle)[..], expected_first[..lines(&middle).len()]);
    assert!(lines(&middle).len() + 1 >= expected_first.len());
}

#[test]
fn what_it_exports_is_imported_with_its_gaps() {
    let dir = tempfile::tempdir().unwrap();
    let store = compacted(&dir.path().join("state"));
    let copy = dir.path().join("copy");
    let mut import = Import::begin(&copy).unwrap();
    let mut next = Seq::FIRST;
    let line = |first: Seq, last: Seq| {
        let mut line = Vec::new();
        json::write_removed(&mut line, first, last, None);
        line
    };
    for commit in store.replay(Seq::FIRST) {
        let commit = commit.unwrap();
        if commit.seq > next {
            // Not with a gap that nothing is said of, and not with another one.
            let mut own = Vec::new();
            json::write_commit(&mut own, &commit);
            assert!(import.line(&own).is_err());
            assert!(import.line(&line(Seq(next.0 + 1), commit.seq)).is_err());
            import.line(&line(next, commit.seq.prev())).unwrap();
        }
        next = Seq(commit.seq.0 + 1);
        let mut own = Vec::new();
        json::write_commit(&mut own, &commit);
        import.line(&own).unwrap();
    }
    assert_eq!(import.finish().unwrap(), store.last());
    is_clean(&copy);
    let copy = Store::open(&copy).unwrap();
    assert_eq!(says(&copy), says(&store));
    let digests = says(&copy).iter().filter(|line| line.contains("\"digest\":")).count();
    assert_eq!(digests, 2);
    keys_stand(&store);
    keys_stand(&copy);
    // What is thinned there again says the same.
    let last = copy.set(&scope("asset"), "k8", b"newer").unwrap();
    copy.compact().unwrap();
    assert_eq!(copy.last(), last);
    keys_stand(&copy);
}

/// What a store says as of a moment, or why it does not.
fn says_at(store: &Store, at: impl Into<milepost::At>) -> Result<Vec<String>, String> {
    let said = |error: milepost::Error| format!("{:?}", error.kind());
    let view = store.view(at).map_err(said)?;
    let mut says = Vec::new();
    for place in ["asset", "task/1"] {
        for entry in view.scan(&scope(place), "") {
            match entry {
                Ok(entry) => says.push(format!("{place} {} {}", entry.key, entry.value.seq())),
                Err(error) => says.push(said(error)),
            }
        }
    }
    Ok(says)
}

/// An import did not know from where on the past can be read: it showed a past out of which versions were gone.
#[test]
fn an_import_says_the_same_as_of_every_moment() {
    let dir = tempfile::tempdir().unwrap();
    let store = compacted(&dir.path().join("state"));
    let lines = exported(&store);
    assert!(lines.iter().any(|line| line.starts_with(br#"{"horizon":"#)) && lines.len() > 10);
    let mut import = Import::begin(dir.path().join("copy")).unwrap();
    lines.iter().for_each(|line| import.line(line).unwrap());
    assert_eq!(import.finish().unwrap(), store.last());
    is_clean(&dir.path().join("copy"));
    let copy = Store::open(dir.path().join("copy")).unwrap();
    assert!(exported(&copy) == lines, "the copy exports something else");
    assert_eq!(copy.retention().horizons(), store.retention().horizons());
    let mut kinds = std::collections::BTreeSet::new();
    for seq in 1..=store.last().seq.0 {
        let said = says_at(&store, Seq(seq));
        assert_eq!(says_at(&copy, Seq(seq)), said, "as of {seq}");
        kinds.insert(format!("{said:?}").contains("BeforeHorizon"));
    }
    assert_eq!(kinds.len(), 2, "some moments can be read and some can't");
}

#[test]
fn what_was_removed_is_no_loss_to_a_salvage() {
    let dir = tempfile::tempdir().unwrap();
    let at = dir.path().join("state");
    let store = compacted(&at);
    let before = says(&store);
    store.close().unwrap();
    for without_manifest in [false, true] {
        let to = dir.path().join(format!("salvaged-{without_manifest}"));
        if without_manifest {
            std::fs::remove_file(at.join("MANIFEST")).unwrap();
        }
        let done = milepost::salvage(&at, &to, &mut |_, _| ()).unwrap();
        is_clean(&to);
        let salvaged = Store::open(&to).unwrap();
        if without_manifest {
            // Which commits were dropped with their segments, nothing else says.
            let kept: Vec<String> = says(&salvaged).into_iter().filter(|line| !line.contains("$/lost")).collect();
            assert_eq!(kept, before);
        } else {
            assert_eq!(done.lost_count(), 0, "{done:?}");
            assert_eq!(says(&salvaged), before);
        }
        keys_stand(&salvaged);
    }
}

/// The thread of a store that stays open does nothing while it is paused, and goes on by itself afterwards.
#[test]
fn it_goes_on_by_itself_when_a_pause_ends() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::options().segment_bytes(4096).open(dir.path()).unwrap();
    let pause = store.pause_compaction();
    store.retention().set(&ScopePrefix::root(), Policy::default().keep_last(1)).unwrap();
    for n in 0..1000u32 {
        store.set(&scope("asset"), "k", n.to_string().repeat(20).as_bytes()).unwrap();
    }
    let files = |store: &Store| store.segments().unwrap().iter().filter(|of| of.segment.file.is_some()).count();
    assert_eq!(store.compacted(), Compacted::default());
    assert!(files(&store) > 10 && store.stats().is_compaction_paused && store.stats().horizons.is_empty());
    drop(pause);
    let begun = Instant::now();
    while files(&store) > 10 {
        assert!(begun.elapsed() < Duration::from_secs(60), "nothing was compacted: {:?}", store.compacted());
        std::thread::yield_now();
    }
    assert!(store.compacted().bytes_before > 0 && !store.stats().is_compaction_paused);
    assert_eq!(store.get(&scope("asset"), "k").unwrap().unwrap().to_vec(), "999".repeat(20).as_bytes());
    store.close().unwrap();
    is_clean(dir.path());
}

/// The footer of a segment keeps of a commit a step only, which is early where the commits of a block lie far apart: an
/// export stamped those that were gone before the commit that they follow, and no import took it. Now the lines of a
/// copy are those of the store, so it can be exported and imported again and again.
#[test]
fn commits_far_apart_are_exported_and_imported_with_their_gaps() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::options().segment_bytes(4096).open(dir.path().join("state")).unwrap();
    // Two bursts with a microsecond or a few between their commits, and a pause in the block of 64.
    for burst in 0..2 {
        let tickets: Vec<_> = (0..30)
            .map(|n| {
                store.commit().set(&scope(if n % 9 == 0 { "keep" } else { "some" }), "key", b"value").submit().unwrap()
            })
            .collect();
        for ticket in tickets {
            ticket.wait().unwrap();
        }
        std::thread::sleep(Duration::from_millis(if burst == 0 { 600 } else { 0 }));
    }
    let newest = Policy::default().keep_last(1);
    store.retention().set(&ScopePrefix::parse("some").unwrap(), newest).unwrap();
    store.set(&scope("some"), "key", b"last").unwrap();
    // Until it is in a sealed segment.
    for n in 0..40 {
        store.set(&scope("filler"), &format!("{n}"), &[b'x'; 200]).unwrap();
    }
    store.compact().unwrap();
    let expected = exported(&store);
    assert!(expected.iter().filter(|line| line.starts_with(b"{\"removed\"")).count() > 3);
    let mut from = store;
    for copy in ["once", "twice"] {
        let to = dir.path().join(copy);
        let (mut import, mut export, mut line) = (Import::begin(&to).unwrap(), from.export(), Vec::new());
        while export.next_line(&mut line).unwrap() {
            import.line(&line).unwrap();
        }
        assert_eq!(import.finish().unwrap(), from.last());
        is_clean(&to);
        from = Store::options().segment_bytes(4096).open(&to).unwrap();
        from.compact().unwrap();
        assert!(exported(&from) == expected, "the copy made {copy} exports something else");
    }
}
