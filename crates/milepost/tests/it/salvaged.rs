//! A store out of which compaction has taken values, in copies of every kind: a value that is left never answers for
//! one that is gone, whatever of the store was damaged.

use std::{fs, path::Path};

use milepost::{At, ErrorKind, Import, Policy, Salvaged, Scope, ScopePrefix, Seq, Store, backup};

use crate::exported;

fn scope(text: &str) -> Scope {
    Scope::parse(text).unwrap()
}

/// Of `a` the newest value is kept, and what its checkpoint names; of `b` everything, unless the policy is the root's.
fn thinned(dir: &Path, policy: &str) -> Store {
    let store = Store::options().segment_bytes(4096).open(dir).unwrap();
    let set = |value: &str| {
        let commit = store.commit().set(&scope("a"), "k", value.as_bytes());
        commit.set(&scope("b"), "k", value.as_bytes()).durable().unwrap();
    };
    ["v1", "v2"].iter().for_each(|value| set(value));
    store.checkpoint(&scope("a"), "named").unwrap();
    ["v4", "v5"].iter().for_each(|value| set(value));
    store.set(&scope("a"), "k", b"v6").unwrap();
    set("v7");
    let place = ScopePrefix::parse(policy).unwrap();
    store.retention().set(&place, Policy::default().keep_last(1)).unwrap();
    store.compact().unwrap();
    store.set(&scope("a"), "k", b"v9").unwrap();
    store
}

/// What each place says as of each moment, or why it does not, and as of the checkpoint.
fn says(store: &Store) -> Vec<Result<Option<String>, ErrorKind>> {
    let moments = (1..=9).map(|seq| At::Seq(Seq(seq))).chain([At::checkpoint(&scope("a"), "named")]);
    let mut said = Vec::new();
    for at in moments {
        for place in ["a", "b"] {
            let got = store.view(at.clone()).and_then(|view| view.get(&scope(place), "k"));
            let text = |value: milepost::Value| String::from_utf8(value.to_vec()).unwrap();
            said.push(got.map(|value| value.map(text)).map_err(|error| error.kind()));
        }
    }
    said
}

/// Each change of a key, with what was there before; `None` where that is gone.
fn changes(store: &Store) -> Vec<(Seq, String, Option<String>)> {
    let of = |change: milepost::Result<milepost::Change>| {
        let change = change.unwrap();
        let old = change.old.map_or("nothing".to_owned(), |old| String::from_utf8(old.to_vec()).unwrap());
        (change.seq, change.scope.to_string(), (!change.old_removed).then_some(old))
    };
    store.history(ScopePrefix::root()).key("k").iter().map(of).collect()
}

/// Whether a copy says what the store says, or nothing.
fn agrees(copy: &Store, store: &Store, what: &str) {
    for (index, (copied, said)) in says(copy).iter().zip(says(store)).enumerate() {
        assert!(*copied == said || *copied == Err(ErrorKind::BeforeHorizon), "{what}, {index}: {copied:?}, {said:?}");
    }
    let (copied, told) = (changes(copy), changes(store));
    assert_eq!(copied.len(), told.len(), "{what}: {copied:?}, {told:?}");
    for (copied, told) in copied.iter().zip(&told) {
        assert!(copied == told || copied.2.is_none(), "{what}: {copied:?}, {told:?}");
    }
}

fn imported(lines: &[Vec<u8>], into: &Path) -> Store {
    let mut import = Import::begin(into).unwrap();
    lines.iter().for_each(|line| import.line(line).unwrap());
    import.finish().unwrap();
    Store::open(into).unwrap()
}

fn salvaged(dir: &Path, into: &Path) -> (Salvaged, Store) {
    let done = milepost::salvage(dir, into, &mut |_, _| ()).unwrap();
    (done, Store::open(into).unwrap())
}

fn damage_manifest(dir: &Path) {
    let path = dir.join("MANIFEST");
    let mut bytes = fs::read(&path).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(path, bytes).unwrap();
}

/// From where on the past can be read MANIFEST alone says. A salvage without it told the value that was left for one
/// that was gone, without a word; so did one of a store that was imported, of which no body shows that it was thinned.
#[test]
fn without_manifest_nothing_that_is_gone_is_answered_for() {
    for policy in ["", "a"] {
        for is_imported in [false, true] {
            let what = format!("policy of {policy:?}, imported: {is_imported}");
            let dir = tempfile::tempdir().unwrap();
            let (at, to) = (dir.path().join("state"), dir.path().join("salvaged"));
            let mut store = thinned(&at, policy);
            let mut damaged = at;
            if is_imported {
                damaged = dir.path().join("imported");
                store = imported(&exported(&store), &damaged);
            }
            let copy = dir.path().join("copy");
            let whole = imported(&exported(&store), &copy);
            store.close().unwrap();
            damage_manifest(&damaged);
            let (done, salvaged) = salvaged(&damaged, &to);
            assert!(done.lost.is_empty() && !done.is_whole(), "{what}: {done:?}");
            let closed: Vec<_> = done.closed.iter().map(|of| (of.prefix.as_str(), of.seq)).collect();
            assert_eq!(closed, [(policy, Seq(9))], "{what}");
            assert_eq!(salvaged.retention().horizons(), done.closed, "{what}");
            agrees(&salvaged, &whole, &what);
            let said = says(&salvaged);
            assert_eq!(said[4], Err(ErrorKind::BeforeHorizon), "{what}");
            assert_eq!(said[18], Ok(Some("v2".to_owned())), "{what}: the checkpoint keeps what it names");
            // Of a place that no policy ever spoke of all is there.
            assert_eq!(said[5] == Ok(Some("v2".to_owned())), policy == "a", "{what}: {said:?}");
            let again = imported(&exported(&salvaged), &dir.path().join("again"));
            agrees(&again, &whole, &what);
        }
    }
}

/// Without a policy nothing but what was erased ever goes: then all of the past can be read.
#[test]
fn without_manifest_and_without_a_policy_the_past_stays() {
    let dir = tempfile::tempdir().unwrap();
    let (at, to) = (dir.path().join("state"), dir.path().join("salvaged"));
    let store = Store::open(&at).unwrap();
    for value in ["v1", "v2", "v3"] {
        store.set(&scope("a"), "k", value.as_bytes()).unwrap();
        store.set(&scope("b"), "k", value.as_bytes()).unwrap();
    }
    store.erase(&scope("a"), "k").unwrap();
    store.retention().set(&ScopePrefix::root(), Policy::default()).unwrap();
    store.compact().unwrap();
    let said = says(&store);
    store.close().unwrap();
    fs::remove_file(at.join("MANIFEST")).unwrap();
    let (done, salvaged) = salvaged(&at, &to);
    assert!(done.lost.is_empty() && done.closed.is_empty(), "{done:?}");
    // Whether a segment is missing at the end nobody can say.
    assert!(!done.is_end_known && !done.is_whole(), "{done:?}");
    assert_eq!(says(&salvaged), said);
}

/// MANIFEST and the newest segments were gone, and a salvage said that nothing was lost: nobody knew of them. Runs do,
/// as far as they go.
#[test]
fn without_manifest_the_index_knows_of_segments_that_are_missing() {
    let dir = tempfile::tempdir().unwrap();
    let at = dir.path().join("state");
    let options = Store::options().segment_bytes(4096).memory_bytes(milepost::limits::MEMORY_BYTES_MIN);
    let store = options.open(&at).unwrap();
    for n in 0..200 {
        store.set(&scope("a"), &format!("{n}"), &[b'x'; 200]).unwrap();
    }
    store.close().unwrap();
    let covered = milepost::verify(&at, &mut |_, _| ()).unwrap();
    assert!(covered.runs > 0, "{covered:?}");
    let mut segments: Vec<_> = fs::read_dir(at.join("log")).unwrap().map(|entry| entry.unwrap().path()).collect();
    segments.sort();
    assert!(segments.len() > 3, "{segments:?}");
    segments.drain(2..).for_each(|path| fs::remove_file(path).unwrap());
    fs::remove_file(at.join("MANIFEST")).unwrap();
    let (done, copy) = salvaged(&at, &dir.path().join("salvaged"));
    assert!(!done.is_whole() && done.lost_count() > 0, "{done:?}");
    assert_eq!((copy.last().seq.0, done.lost[0].first), (done.commits + done.lost_count(), Seq(done.commits + 1)));
    // Without the index nobody knows, and that is said.
    fs::remove_dir_all(at.join("index")).unwrap();
    let (done, _) = salvaged(&at, &dir.path().join("again"));
    assert!(done.lost.is_empty() && !done.is_end_known && !done.is_whole(), "{done:?}");
}

/// A restore that was not finished is less than its backup, and a salvage called that the whole.
#[test]
fn what_is_not_finished_is_not_salvaged() {
    let dir = tempfile::tempdir().unwrap();
    let at = dir.path().join("state");
    let import = Import::begin(&at).unwrap();
    drop(import);
    let refused = milepost::salvage(&at, dir.path().join("salvaged"), &mut |_, _| ()).unwrap_err();
    assert!(refused.to_string().contains("not finished; run that again"), "{refused}");
    assert!(!dir.path().join("salvaged").exists());
}

/// In a log that is filled, a value that stands before another one need not have been what that replaced. Histories of
/// a salvaged and of an imported store said so: `v2` was told for the value that was gone.
#[test]
fn a_history_of_a_copy_tells_no_other_value_for_one_that_is_gone() {
    let dir = tempfile::tempdir().unwrap();
    let (at, copies) = (dir.path().join("state"), dir.path().join("copies"));
    let store = thinned(&at, "");
    assert!(changes(&store).iter().any(|(.., old)| old.is_none()));
    let imported = imported(&exported(&store), &dir.path().join("imported"));
    store.backup(&copies).unwrap();
    let restored = dir.path().join("restored");
    backup::restore(&copies, &restored, backup::Until::Newest, &mut |_, _| ()).unwrap();
    store.close().unwrap();
    let (done, whole) = salvaged(&at, &dir.path().join("salvaged"));
    assert!(done.is_whole() && done.damage.is_empty(), "{done:?}");
    let store = Store::open(&at).unwrap();
    agrees(&imported, &store, "imported");
    agrees(&Store::open(&restored).unwrap(), &store, "restored");
    agrees(&whole, &store, "salvaged");
    // What comes later is told as ever, once the horizon is behind it.
    for copy in [&whole, &imported] {
        copy.set(&scope("a"), "k", b"newer").unwrap();
        copy.compact().unwrap();
        copy.set(&scope("a"), "k", b"newest").unwrap();
        assert_eq!(changes(copy).last().unwrap().2.as_deref(), Some("newer"));
    }
}

/// Decision 21: a removed commit keeps its time. A salvage stamped it anew, right before the next one that was there.
#[test]
fn a_salvage_keeps_when_removed_commits_were_made() {
    let dir = tempfile::tempdir().unwrap();
    let (at, to) = (dir.path().join("state"), dir.path().join("salvaged"));
    let store = thinned(&at, "");
    let lines = exported(&store);
    assert!(lines.iter().filter(|line| line.starts_with(br#"{"removed":"#)).count() >= 2);
    let times = |store: &Store| -> Vec<_> { (1..=9).map(|seq| store.view(Seq(seq)).unwrap().at().unwrap()).collect() };
    let before = times(&store);
    store.close().unwrap();
    let (_, salvaged) = salvaged(&at, &to);
    let text =
        |lines: &[Vec<u8>]| lines.iter().map(|line| String::from_utf8_lossy(line).into_owned()).collect::<Vec<_>>();
    assert_eq!(text(&exported(&salvaged)), text(&lines));
    assert_eq!(times(&salvaged), before);
}
