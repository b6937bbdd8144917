use milepost_engine::ReadError;
use milepost_types::{At, Event, Note, ScopePrefix, Seq};

use crate::{Checked, open, scope};

fn set(store: &Checked, key: &str, value: &[u8]) -> Seq {
    store.commit(store.request().set(&scope("s"), key, value).unwrap()).unwrap().seq
}

fn checkpoint(store: &Checked, name: &str) -> Seq {
    let mut request = store.request();
    request.add_checkpoint(&scope("s"), name, None).unwrap();
    store.commit(request).unwrap().seq
}

fn release(store: &Checked, name: &str) -> Seq {
    let mut request = store.request();
    request.add_release(&scope("s"), name).unwrap();
    store.commit(request).unwrap().seq
}

fn seen(store: &Checked, name: &str) -> Option<Vec<u8>> {
    let view = store.view(At::checkpoint(&scope("s"), name)).unwrap();
    view.get("s", "k").unwrap().map(|value| value.to_vec())
}

#[test]
fn a_checkpoint_is_the_state_after_its_commit_and_the_newest_of_its_name_counts() {
    let dir = tempfile::tempdir().unwrap();
    for round in 0..2 {
        let store = open(dir.path());
        if round == 0 {
            set(&store, "k", b"1");
            assert_eq!(checkpoint(&store, "c"), Seq(2));
            let mut both = store.request().set(&scope("s"), "k", b"2").unwrap();
            both.add_checkpoint(&scope("s"), "d", Some(&Note::parse("why").unwrap())).unwrap();
            both.add_set(&scope("s"), "k", b"3").unwrap();
            store.commit(both).unwrap();
            set(&store, "k", b"4");
        }
        assert_eq!(seen(&store, "c"), Some(b"1".to_vec()), "round {round}");
        assert_eq!(seen(&store, "d"), Some(b"3".to_vec()), "the state after the whole commit");
        assert_eq!(store.view(At::checkpoint(&scope("s"), "c")).unwrap().seq(), Seq(2));
    }
    let store = open(dir.path());
    assert_eq!(checkpoint(&store, "c"), Seq(5));
    assert_eq!(seen(&store, "c"), Some(b"4".to_vec()));
    assert_eq!(
        store.view(At::Latest).unwrap().scope_version("s").unwrap(),
        Seq(4),
        "a checkpoint does not touch the state"
    );
}

#[test]
fn a_checkpoint_that_is_not_there_names_those_that_are() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let missed = |name: &str| match store.view(At::checkpoint(&scope("s"), name)) {
        Err(error @ ReadError::NoCheckpoint { .. }) => error.to_string(),
        other => panic!("{other:?}"),
    };
    assert_eq!(missed("c"), "scope s has no checkpoint c; it has none; make one, or name a seq or a time");
    for name in ["a", "b", "c", "d", "e", "f", "g\n"] {
        checkpoint(&store, name);
    }
    release(&store, "e");
    assert_eq!(missed("e"), "scope s has no checkpoint e; its newest are: g\\n, f, d, c, b");
    assert_eq!(missed(""), "scope s has no checkpoint ; its newest are: g\\n, f, d, c, b");
}

#[test]
fn a_release_lets_the_name_go_and_one_of_an_absent_name_is_no_event() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    set(&store, "k", b"1");
    assert_eq!(release(&store, "c"), Seq(1), "nothing to release");
    checkpoint(&store, "c");
    let mut twice = store.request();
    twice.add_release(&scope("s"), "c").unwrap();
    twice.add_release(&scope("s"), "c").unwrap();
    assert_eq!(store.commit(twice).unwrap().seq, Seq(3));
    assert_eq!(store.commit_at(Seq(3)).unwrap().unwrap().events.len(), 1);
    assert!(store.view(At::checkpoint(&scope("s"), "c")).is_err());
    // Within one commit it sees the checkpoint before it.
    let mut both = store.request();
    both.add_checkpoint(&scope("s"), "c", None).unwrap();
    both.add_release(&scope("s"), "c").unwrap();
    assert_eq!(store.commit(both).unwrap().seq, Seq(4));
    assert_eq!(store.commit_at(Seq(4)).unwrap().unwrap().events.len(), 2);
}

#[test]
fn a_clear_leaves_the_checkpoints_and_no_name_is_taken_from_the_reserved_root() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    set(&store, "k", b"1");
    checkpoint(&store, "c");
    store.commit(store.request().clear(&scope("s")).unwrap()).unwrap();
    set(&store, "k", b"2");
    store.commit(store.request().clear_prefix(&ScopePrefix::root()).unwrap()).unwrap();
    assert_eq!(seen(&store, "c"), Some(b"1".to_vec()));
    assert!(store.view(At::Latest).unwrap().scopes(&ScopePrefix::root()).unwrap().is_empty());

    let reserved = milepost_types::Scope::from_stored("$/checkpoint/s").unwrap();
    let mut request = store.request();
    assert!(request.add_checkpoint(&reserved, "c", None).is_err());
    assert!(request.add_release(&reserved, "c").is_err());
    for (scope, origin) in [(reserved.clone(), scope("s")), (scope("t"), reserved)] {
        assert!(request.add_event(&Event::Fork { scope, origin, point: Seq(1) }).is_err());
    }
    assert_eq!(request.events(), 0);
}
