use milepost_engine::{
    ChangeKind, CommitError, Engine, HistoryQuery, NoFork, Parts, Refusal, Settings, Subject, Threads,
};
use milepost_types::{
    At, Key, Precondition, Scope, ScopePrefix, Seq, Timestamp,
    limits::{self, FORK_DEPTH_MAX},
};

use crate::{Checked, open, scope};

/// `k=v` sets, `-k` deletes, `!` clears the scope, `!!` all scopes below the first segment.
fn write(store: &Checked, of: &str, what: &[&str]) -> Seq {
    let mut request = store.request();
    for step in what {
        match step.split_once('=') {
            Some((key, value)) => request.add_set(&scope(of), key, value.as_bytes()).unwrap(),
            None if *step == "!" => request.add_clear(&scope(of)).unwrap(),
            None if *step == "!!" => {
                request.add_clear_prefix(&ScopePrefix::parse(of.split('/').next().unwrap()).unwrap()).unwrap();
            }
            None => request.add_delete(&scope(of), &step[1..]).unwrap(),
        }
    }
    store.commit(request).unwrap().seq
}

fn try_fork(store: &Checked, of: &str, origin: &str, point: u64) -> Result<Seq, NoFork> {
    let mut request = store.request();
    request.add_fork(&scope(of), &scope(origin), Seq(point)).unwrap();
    match store.commit(request) {
        Ok(receipt) => Ok(receipt.seq),
        Err(CommitError::Refused(refusal)) => match *refusal {
            Refusal::Fork { why, .. } => Err(why),
            other => panic!("{other:?}"),
        },
        Err(error) => panic!("{error:?}"),
    }
}

fn fork(store: &Checked, of: &str, origin: &str, point: u64) -> Seq {
    try_fork(store, of, origin, point).unwrap()
}

/// What a scope holds as of a commit, by a scan, and key by key.
fn seen(store: &Checked, of: &str, at: impl Into<At>) -> String {
    let view = store.view(at.into()).unwrap();
    let entries: Vec<_> = view.scan(of, "").map(Result::unwrap).collect();
    for entry in &entries {
        let value = view.get(of, entry.key.as_str()).unwrap().unwrap();
        assert_eq!((&*value, value.seq()), (&*entry.value, entry.value.seq()));
    }
    for key in ["a", "b", "c", "d"] {
        let listed = entries.iter().any(|entry| entry.key.as_str() == key);
        let value = view.get(of, key).unwrap();
        assert_eq!(value.is_some(), listed, "{key} of {of} at {}", view.seq());
        let many = view.get_many(of, &[key]).unwrap().pop().unwrap();
        assert_eq!(many.map(|value| value.to_vec()), value.as_ref().map(|value| value.to_vec()));
        assert_eq!(view.versions(of, &[key]).unwrap(), [value.map(|value| value.seq())]);
    }
    let is_listed = view.scopes(&ScopePrefix::root()).unwrap().contains(&scope(of));
    assert_eq!(is_listed, !entries.is_empty(), "{of} among the scopes");
    let text = |entry: &milepost_engine::Entry| format!("{}={}", entry.key, String::from_utf8_lossy(&entry.value));
    entries.iter().map(text).collect::<Vec<_>>().join(" ")
}

fn history(store: &Checked, query: HistoryQuery) -> Vec<String> {
    let text = |value: &Option<milepost_engine::Value>| match value {
        Some(value) => String::from_utf8_lossy(value).into_owned(),
        None => "-".to_owned(),
    };
    let line = |change: milepost_engine::Change| {
        let (seq, kind) = (change.seq, change.kind.name());
        match &change.subject {
            Subject::Key(key) => format!("{seq} {kind} {key} {}>{}", text(&change.old), text(&change.new)),
            Subject::Checkpoint { name, note } => {
                format!("{seq} {kind} {name} {}", note.as_ref().map_or("-", |note| note.as_str()))
            }
            Subject::Fork { origin, point } => format!("{seq} {kind} {origin}@{point}"),
            Subject::Policy { .. } | Subject::Hold { .. } | Subject::Erased { .. } => format!("{seq} {kind}"),
        }
    };
    store.history(query).unwrap().map(|change| line(change.unwrap())).collect()
}

fn of(prefix: &str) -> HistoryQuery {
    HistoryQuery { prefix: ScopePrefix::parse(prefix).unwrap(), ..HistoryQuery::default() }
}

#[test]
fn a_fork_shows_its_origin_as_it_was_and_goes_its_own_way() {
    let dir = tempfile::tempdir().unwrap();
    for round in 0..2 {
        let store = open(dir.path());
        if round == 0 {
            write(&store, "o", &["a=1", "b=1"]);
            write(&store, "o", &["a=2", "c=2"]);
            assert_eq!(fork(&store, "f", "o", 1), Seq(3));
            write(&store, "o", &["a=3", "b=3", "d=3"]);
            write(&store, "f", &["b=4", "d=4"]);
            write(&store, "f", &["-a"]);
            write(&store, "f", &["a=5"]);
        }
        for (at, expected) in
            [(2, ""), (3, "a=1 b=1"), (4, "a=1 b=1"), (5, "a=1 b=4 d=4"), (6, "b=4 d=4"), (7, "a=5 b=4 d=4")]
        {
            assert_eq!(seen(&store, "f", Seq(at)), expected, "at {at}, round {round}");
        }
        assert_eq!(seen(&store, "o", At::Latest), "a=3 b=3 c=2 d=3");
        assert_eq!(store.get("f", "a").unwrap().as_deref(), Some(&b"5"[..]));
    }
    let store = open(dir.path());
    assert_eq!(write(&store, "f", &["-c"]), Seq(7), "what the origin has got since is not there to be deleted");
    let lines = ["3 fork o@1", "5 set b 1>4", "5 set d ->4", "6 delete a 1>-", "7 set a ->5"];
    assert_eq!(history(&store, of("f")), lines);
    let only = HistoryQuery { key: Some(Key::parse("b").unwrap()), ..of("f") };
    assert_eq!(history(&store, only), ["5 set b 1>4"]);
}

#[test]
fn a_clear_hides_what_was_read_through_to() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    write(&store, "o", &["a=1", "b=1"]);
    fork(&store, "t/f", "o", 1);
    fork(&store, "t/g", "o", 1);
    write(&store, "t/f", &["b=2"]);
    assert_eq!(write(&store, "t/f", &["!", "c=3"]), Seq(5));
    assert_eq!(seen(&store, "t/f", At::Latest), "c=3");
    assert_eq!(seen(&store, "t/f", Seq(4)), "a=1 b=2");
    let lines = ["2 fork o@1", "4 set b 1>2", "5 clear a 1>-", "5 clear b 2>-", "5 set c ->3"];
    assert_eq!(history(&store, of("t/f")), lines);
    // A clear of the prefix takes a fork that has nothing of its own.
    assert_eq!(write(&store, "t/g", &["!!"]), Seq(6));
    assert_eq!(seen(&store, "t/g", At::Latest), "");
    assert_eq!(seen(&store, "t/g", Seq(5)), "a=1 b=1");
    assert_eq!(history(&store, of("t/g")), ["3 fork o@1", "6 clear a 1>-", "6 clear b 1>-"]);
    assert_eq!(write(&store, "t/g", &["!"]), Seq(6), "it is empty already");
    assert_eq!(write(&store, "t/g", &["!!"]), Seq(6));
    assert_eq!(seen(&store, "o", At::Latest), "a=1 b=1");
}

#[test]
fn forks_of_forks_are_read_through_to_the_end_and_not_deeper_than_allowed() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    write(&store, "f0", &["a=0", "b=0"]);
    let mut last = 1;
    for depth in 1..=FORK_DEPTH_MAX {
        let (of, origin) = (format!("f{depth}"), format!("f{}", depth - 1));
        fork(&store, &of, &origin, last);
        last = write(&store, &of, &[&format!("c={depth}")]).0;
        write(&store, &origin, &["b=late"]);
    }
    let deepest = format!("f{FORK_DEPTH_MAX}");
    assert_eq!(seen(&store, &deepest, At::Latest), format!("a=0 b=0 c={FORK_DEPTH_MAX}"));
    assert_eq!(try_fork(&store, "x", &deepest, last), Err(NoFork::TooDeep { origin: scope(&deepest) }));
    let version = store.view(At::Latest).unwrap().scope_version(&deepest).unwrap();
    let nothing = NoFork::NoKeys { origin: scope(&deepest), point: Seq(1), version };
    assert_eq!(try_fork(&store, "x", &deepest, 1), Err(nothing), "before it was a fork it is no line");
}

#[test]
fn every_refusal_says_why_and_appends_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    write(&store, "o", &["a=1"]);
    write(&store, "full", &["a=1"]);
    fork(&store, "f", "o", 1);
    write(&store, "emptied", &["a=1"]);
    write(&store, "emptied", &["-a"]);
    let last = store.last().seq;
    for (of, origin, point, why, text) in [
        ("o", "o", 1, NoFork::Itself, "scope o can't be forked as itself; to go back to an earlier state, restore it"),
        (
            "new",
            "o",
            6,
            NoFork::PointAhead { point: Seq(6), last },
            "scope new can't be forked as another was at 6: there is no such commit yet, the last one is 5",
        ),
        (
            "f",
            "full",
            2,
            NoFork::IsFork { since: Seq(3) },
            "scope f can't be forked again: it is a fork since commit 3; choose another name, or restore it",
        ),
        (
            "full",
            "o",
            1,
            NoFork::HasState { version: Seq(2) },
            "scope full can't be forked since it holds keys, its version is 2; clear it first, or choose another name",
        ),
        (
            "trial",
            "typo",
            5,
            NoFork::NoKeys { origin: scope("typo"), point: Seq(5), version: Seq::ZERO },
            "scope trial can't be forked as scope typo was at 5: nothing was ever written to a scope of this name",
        ),
        (
            "trial",
            "emptied",
            5,
            NoFork::NoKeys { origin: scope("emptied"), point: Seq(5), version: Seq(5) },
            "scope trial can't be forked as scope emptied was at 5: it held no key then; its version is 5 now",
        ),
        (
            "trial",
            "full",
            1,
            NoFork::NoKeys { origin: scope("full"), point: Seq(1), version: Seq(2) },
            "scope trial can't be forked as scope full was at 1: it held no key then; its version is 2 now",
        ),
    ] {
        let refused = try_fork(&store, of, origin, point).unwrap_err();
        assert_eq!(refused, why);
        assert_eq!(Refusal::Fork { scope: scope(of), why }.to_string(), text);
        assert_eq!(store.last().seq, last);
    }
    assert_eq!(fork(&store, "emptied", "o", 1), Seq(6));
    assert_eq!(seen(&store, "emptied", At::Latest), "a=1", "the delete stands before the fork");
    let reserved = Scope::from_stored("$/fence").unwrap();
    let mut request = store.request();
    assert!(request.add_fork(&reserved, &scope("o"), Seq(1)).is_err());
    assert!(request.add_fork(&scope("n"), &reserved, Seq(1)).is_err());
}

/// What is looked at are the keys as they were: in memory or in runs, of the scope or of what it was forked from.
#[test]
fn a_scope_that_held_keys_is_forked_wherever_they_are() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    write(&store, "o", &["a=1"]);
    write(&store, "o", &["-a"]);
    write(&store, "o", &["b=1"]);
    fork(&store, "f", "o", 1);
    for (of, origin, point, sees) in [("g", "o", 1, "a=1"), ("h", "f", 4, "a=1"), ("i", "o", 3, "b=1")] {
        fork(&store, of, origin, point);
        assert_eq!(seen(&store, of, At::Latest), sees);
    }
    let nothing = |origin: &str, point, version| {
        Err(NoFork::NoKeys { origin: scope(origin), point: Seq(point), version: Seq(version) })
    };
    assert_eq!(try_fork(&store, "n", "o", 2), nothing("o", 2, 3));
    write(&store, "f", &["!"]);
    assert_eq!(try_fork(&store, "n", "f", store.last().seq.0), nothing("f", 8, 8));
    // Nor does what has expired count.
    let gone = Some(Timestamp(store.last().at.0 + 1));
    let set = store.commit(store.request().set_with(&scope("e"), "a", b"1", None, gone).unwrap()).unwrap();
    assert_eq!(try_fork(&store, "n", "e", set.seq.0), nothing("e", set.seq.0, set.seq.0));
}

/// What had expired before the fork once hid the origin's value.
#[test]
fn an_expired_value_of_its_own_does_not_hide_the_origin() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    write(&store, "o", &["a=1", "b=1"]);
    let gone = Some(Timestamp(store.last().at.0 + 1));
    store.commit(store.request().set_with(&scope("f"), "a", b"old", None, gone).unwrap()).unwrap();
    fork(&store, "f", "o", 1);
    assert_eq!(seen(&store, "f", At::Latest), "a=1 b=1");
    let later = Some(Timestamp::MAX);
    store.commit(store.request().set_with(&scope("f"), "b", b"2", None, later).unwrap()).unwrap();
    assert_eq!(seen(&store, "f", At::Latest), "a=1 b=2");
    assert_eq!(seen(&store, "f", At::Time(Timestamp::MAX)), "a=1", "expired after the fork it does hide it");
}

#[test]
fn within_a_commit_and_a_batch_a_fork_is_seen_by_what_follows() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    write(&store, "o", &["a=1", "b=1", "c=1"]);
    let (f, o) = (scope("f"), scope("o"));
    let mut request = store.request().set(&f, "a", b"0").unwrap().delete(&f, "a").unwrap();
    request.add_fork(&f, &o, Seq(1)).unwrap();
    request.add_delete(&f, "a").unwrap();
    request.add_delete(&f, "absent").unwrap();
    request.add_set(&f, "b", b"2").unwrap();
    assert_eq!(store.commit(request).unwrap().seq, Seq(2));
    assert_eq!(store.commit_at(Seq(2)).unwrap().unwrap().events.len(), 5);
    assert_eq!(seen(&store, "f", At::Latest), "b=2 c=1");
    // Set first, it holds a key.
    let mut request = store.request().set(&scope("g"), "d", b"0").unwrap();
    request.add_fork(&scope("g"), &o, Seq(1)).unwrap();
    assert!(store.commit(request).is_err());
    // Twice, cleared between or not.
    for clear in [false, true] {
        let mut request = store.request();
        request.add_fork(&scope("g"), &o, Seq(1)).unwrap();
        if clear {
            request.add_clear(&scope("g")).unwrap();
        }
        request.add_fork(&scope("g"), &o, Seq(1)).unwrap();
        assert!(store.commit(request).is_err());
    }
    // Forked and cleared, by itself and by a prefix: both are events.
    let mut request = store.request();
    request.add_fork(&scope("t/g"), &o, Seq(1)).unwrap();
    request.add_clear_prefix(&ScopePrefix::parse("t").unwrap()).unwrap();
    request.add_clear(&scope("t/g")).unwrap();
    assert_eq!(store.commit(request).unwrap().seq, Seq(3));
    assert_eq!(store.commit_at(Seq(3)).unwrap().unwrap().events.len(), 2);
    assert_eq!(seen(&store, "t/g", At::Latest), "");
    // Several commits in flight.
    let (mut first, mut second) = (store.request(), store.request());
    first.add_fork(&scope("h"), &o, Seq(1)).unwrap();
    second.add_fork(&scope("h"), &o, Seq(1)).unwrap();
    let third = store.request().delete(&scope("h"), "a").unwrap();
    let tickets = [first, second, third].map(|request| store.submit(request).unwrap());
    let [first, second, third] = tickets.map(|ticket| ticket.wait());
    assert!(first.is_ok() && second.is_err());
    assert_eq!(third.unwrap().seq.0, first.unwrap().seq.0 + 1);
    assert_eq!(seen(&store, "h", At::Latest), "b=1 c=1");
}

#[test]
fn conditions_and_repeats_see_through_a_fork() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    write(&store, "o", &["a=1"]);
    fork(&store, "f", "o", 1);
    let (f, a) = (scope("f"), Key::parse("a").unwrap());
    let with = |condition| store.commit(store.request().require(condition).set(&f, "x", b"").unwrap());
    assert!(with(Precondition::KeyAbsent { scope: f.clone(), key: a.clone() }).is_err());
    assert!(with(Precondition::ScopeAt { scope: f.clone(), seq: Seq(1) }).is_err());
    assert_eq!(store.view(At::Latest).unwrap().scope_version("f").unwrap(), Seq(2), "a fork touches its scope");
    assert_eq!(store.view(Seq(1).into()).unwrap().scope_version("f").unwrap(), Seq::ZERO);
    with(Precondition::KeyAt { scope: f.clone(), key: a.clone(), seq: Seq(1) }).unwrap();
    with(Precondition::ScopeAt { scope: f.clone(), seq: Seq(3) }).unwrap();
    with(Precondition::ValueBelow { scope: f.clone(), key: a, bound: b"2".to_vec() }).unwrap();
    let keyed = || {
        let mut request = store.request().idempotency_key("once").unwrap();
        request.add_fork(&scope("g"), &scope("o"), Seq(1)).unwrap();
        request.delete(&scope("g"), "absent").unwrap()
    };
    let first = store.commit(keyed()).unwrap();
    assert_eq!(store.commit(keyed()).unwrap(), first, "a repeat is no second fork");
    assert_eq!(store.commit_at(first.seq).unwrap().unwrap().events.len(), 2, "kept to the byte");
    let mut wrong = store.request().idempotency_key("another").unwrap();
    wrong.add_fork(&scope("g"), &scope("o"), Seq(1)).unwrap();
    assert!(store.commit(wrong).is_err(), "a key does not spare the judge");
}

/// Forks and checkpoints are versions as any other: they go into runs, and an opening finds them there.
#[test]
fn runs_hold_forks_and_checkpoints() {
    let dir = tempfile::tempdir().unwrap();
    let settings =
        Settings { threads: Threads::Stepped, memory_bytes: limits::MEMORY_BYTES_MIN, ..Settings::default() };
    let open = || Checked { engine: Engine::open(Parts::real(), dir.path(), settings.clone()).unwrap() };
    let settle = |store: &Checked| while store.step_index() {};
    let store = open();
    write(&store, "o", &["a=1", "b=1"]);
    let mut request = store.request();
    request.add_checkpoint(&scope("o"), "c", None).unwrap();
    store.commit(request).unwrap();
    fork(&store, "f", "o", 1);
    write(&store, "o", &["a=2"]);
    for filler in 0..200 {
        write(&store, "filler", &[&format!("k{filler}=1")]);
        settle(&store);
    }
    assert!(store.stats().runs > 0);
    let check = |store: &Checked| {
        assert_eq!(seen(store, "f", At::Latest), "a=1 b=1");
        assert_eq!(seen(store, "f", Seq(2)), "");
        assert_eq!(seen(store, "o", At::checkpoint(&scope("o"), "c")), "a=1 b=1");
        assert_eq!(store.checkpoints(&ScopePrefix::root()).unwrap().len(), 1);
        assert_eq!(history(store, of("f"))[0], "3 fork o@1");
        assert_eq!(try_fork(store, "f", "o", 1), Err(NoFork::IsFork { since: Seq(3) }));
    };
    check(&store);
    drop(store);
    let store = open();
    check(&store);
    write(&store, "f", &["-a"]);
    assert_eq!(seen(&store, "f", At::Latest), "b=1", "deleted in memory, inherited from a run");
}

#[test]
fn history_is_filtered_by_kind_and_attempt() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let writer = |attempt| milepost_types::Writer::new("w").unwrap().attempt(attempt);
    store.commit(store.request().writer(writer(1)).set(&scope("o"), "a", b"1").unwrap()).unwrap();
    let mut request = store.request().writer(writer(2)).set(&scope("o"), "a", b"2").unwrap();
    let note = milepost_types::Note::parse("why").unwrap();
    request.add_checkpoint(&scope("o"), "c", Some(&note)).unwrap();
    store.commit(request).unwrap();
    let mut request = store.request();
    request.add_release(&scope("o"), "c").unwrap();
    store.commit(request).unwrap();
    fork(&store, "o/f", "o", 2);
    let all = ["1 set a ->1", "2 set a 1>2", "2 checkpoint c why", "3 release c -", "4 fork o@2"];
    assert_eq!(history(&store, of("")), all);
    assert_eq!(history(&store, HistoryQuery { newest_first: true, ..of("o") })[0], "4 fork o@2");
    for (kind, expected) in [
        (ChangeKind::Set, &all[..2]),
        (ChangeKind::Checkpoint, &all[2..3]),
        (ChangeKind::Release, &all[3..4]),
        (ChangeKind::Fork, &all[4..]),
        (ChangeKind::Clear, &[]),
    ] {
        assert_eq!(history(&store, HistoryQuery { kind: Some(kind), ..of("") }), expected);
    }
    assert_eq!(history(&store, HistoryQuery { attempt: Some(2), ..of("") }), &all[1..3]);
    assert_eq!(history(&store, HistoryQuery { since: Some(Seq(3)), until: Some(Seq(3)), ..of("") }), &all[3..4]);
}
