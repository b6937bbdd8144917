//! Limits are exact: the limit itself is taken, one more is refused by name, and nothing is appended.

use milepost::{ContentType, ErrorKind, Fence, Key, Scope, ScopePrefix, Seq, Writer, limits};

use super::{Place, get, scope};

#[test]
fn sizes() {
    let place = Place::new();
    let store = place.open();
    let a = scope("a");
    let key = |bytes| "k".repeat(bytes);
    for (bytes, taken) in [(0, false), (1, true), (limits::KEY_BYTES_MAX, true), (limits::KEY_BYTES_MAX + 1, false)] {
        let before = store.last().seq;
        let set = store.set(&a, &key(bytes), b"");
        assert_eq!(set.is_ok(), taken, "a key of {bytes} bytes: {set:?}");
        assert_eq!(store.last().seq > before, taken);
        if let Err(error) = set {
            assert_eq!(error.kind(), ErrorKind::Invalid);
            assert_eq!(error.to_string(), format!("key has {bytes} bytes, allowed are 1 to 1024"));
        }
    }
    let most = limits::VALUE_BYTES_MAX;
    for (bytes, taken) in [(0, true), (most, true), (most + 1, false)] {
        let before = store.last().seq;
        let value = vec![7; bytes];
        let set = store.set(&a, "v", &value);
        assert_eq!(set.is_ok(), taken, "a value of {bytes} bytes");
        assert_eq!(store.last().seq > before, taken);
        match set {
            Ok(_) => assert!(get(&store, &a, "v").unwrap() == value),
            Err(error) => assert_eq!(error.to_string(), format!("value has {bytes} bytes, allowed are 0 to {most}")),
        }
    }
}

#[test]
fn events_of_a_commit() {
    let place = Place::new();
    let store = place.open();
    let a = scope("a");
    assert_eq!(store.commit().durable().unwrap_err().kind(), ErrorKind::Invalid);
    let many = |count: usize| (0..count).fold(store.commit(), |commit, i| commit.set(&a, &i.to_string(), b""));
    let error = many(limits::COMMIT_EVENTS_MAX + 1).durable().unwrap_err();
    assert_eq!(error.to_string(), "commit has 1000001 events, allowed are 1 to 1000000");
    assert_eq!(store.last().seq, Seq::ZERO);
    many(limits::COMMIT_EVENTS_MAX).durable().unwrap();
    assert_eq!(store.commit_at(Seq(1)).unwrap().unwrap().events.len(), limits::COMMIT_EVENTS_MAX);
}

#[test]
fn a_commit_may_be_larger_than_a_segment() {
    let place = Place::new();
    let store = place.open_small();
    let a = scope("a");
    let value = vec![b'x'; limits::SEGMENT_BYTES_MIN as usize * 4];
    for i in 0..3 {
        store.set(&a, &format!("before {i}"), b"small").unwrap();
        store.set(&a, &i.to_string(), &value).unwrap();
    }
    store.close().unwrap();
    let store = place.open();
    assert!((0..3).all(|i| get(&store, &a, &i.to_string()).as_ref() == Some(&value)));
}

#[test]
fn a_commit_of_too_many_bytes_is_refused_before_it_is_written() {
    let place = Place::new();
    let store = place.open();
    let a = scope("a");
    let value = vec![0; limits::VALUE_BYTES_MAX];
    let commit = (0..4).fold(store.commit(), |commit, i| commit.set(&a, &i.to_string(), &value));
    let error = commit.durable().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Invalid);
    assert!(error.to_string().contains("commit has"), "{error}");
    assert_eq!(store.last().seq, Seq::ZERO);
}

#[test]
fn names_of_all_kinds() {
    let place = Place::new();
    let store = place.open();
    let a = scope("a");
    let text = |bytes: usize| "x".repeat(bytes);
    assert!(Writer::new(&text(256)).is_ok() && Writer::new(&text(257)).is_err() && Writer::new("").is_err());
    assert!(ContentType::parse(&text(127)).is_ok() && ContentType::parse(&text(128)).is_err());
    assert!(Scope::parse(&text(1024)).is_ok() && Scope::parse(&text(1025)).is_err());
    let depth = |segments: usize| vec!["s"; segments].join("/");
    assert!(Scope::parse(&depth(32)).is_ok() && Scope::parse(&depth(33)).is_err());
    for (bytes, taken) in [(0, false), (1, true), (256, true), (257, false)] {
        let set = store.commit().idempotency_key(&text(bytes)).set(&a, "k", b"").durable();
        assert_eq!(set.is_ok(), taken, "an idempotency key of {bytes} bytes");
    }
    // The highest of all is nobody's: no later one could take the scope over.
    for (token, taken) in
        [(0, true), (limits::FENCING_TOKEN_MAX - 1, true), (limits::FENCING_TOKEN_MAX, false), (u64::MAX, false)]
    {
        let set = store.commit().fence(&scope("f"), token).set(&a, "k", b"").durable();
        assert_eq!(set.is_ok(), taken, "a fencing token of {token}");
    }
    let _ = Fence { scope: a.clone(), token: 1 };
    let require = |count: usize| (0..count).fold(store.commit(), |c, _| c.require_absent(&a, "none")).set(&a, "k", b"");
    assert!(require(limits::PRECONDITIONS_MAX).durable().is_ok());
    assert_eq!(require(limits::PRECONDITIONS_MAX + 1).durable().unwrap_err().kind(), ErrorKind::Invalid);
}

#[test]
fn the_reserved_root_is_not_written_to() {
    let place = Place::new();
    let store = place.open();
    assert_eq!(Scope::parse("$/idempotency").map_err(milepost::Error::from).unwrap_err().kind(), ErrorKind::Invalid);
    let stored = Scope::from_stored("$/x").unwrap();
    let prefix = ScopePrefix::parse("$").unwrap();
    assert_eq!(store.set(&stored, "k", b"").unwrap_err().kind(), ErrorKind::Invalid);
    assert_eq!(store.commit().clear_prefix(&prefix).durable().unwrap_err().kind(), ErrorKind::Invalid);
    assert_eq!(store.last().seq, Seq::ZERO);
}

/// The error of the first wrong step comes out, and the steps after it do nothing.
#[test]
fn the_first_wrong_step_is_the_one_told() {
    let place = Place::new();
    let store = place.open();
    let a = scope("a");
    let commit = store.commit().set(&a, "good", b"").set(&a, "", b"").set(&a, &"k".repeat(2000), b"");
    assert_eq!(commit.event_count(), 0);
    assert_eq!(commit.durable().unwrap_err().to_string(), "key has 0 bytes, allowed are 1 to 1024");
    let submitted = store.commit().require_absent(&a, "").set(&a, "k", b"").submit();
    assert_eq!(submitted.unwrap_err().kind(), ErrorKind::Invalid);
    assert_eq!(store.last().seq, Seq::ZERO);
    assert!(Key::parse("k").is_ok());
}
