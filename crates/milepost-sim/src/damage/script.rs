//! What the specimens are made of, commit by commit.
//!
//! Invariant: every commit is appended, and the last two are small: they are in no run.

use milepost_types::{
    CheckpointName, ContentType, Event, Fence, HoldName, Key, Meta, Note, Policy, Scope, ScopePrefix, Seq, Timestamp,
    Writer,
};

use crate::{model::Ask, world::BEGINNING};

/// Sets, deletes and clears.
pub(super) fn plain() -> Vec<Ask> {
    vec![
        small("k", "first", 9),
        small("k1", "second", 30),
        small("k2", "rolls", 3_500),
        small("k", "third", 900),
        with(
            small("key/with/path", "fourth", 12),
            vec![set("a", "k", b"beside".to_vec()), Event::Delete { scope: scope("a/b"), key: key("k1") }],
        ),
        with(
            small("k", "last but one", 20),
            vec![Event::Clear { scope: scope("a") }, set("a", "k1", b"after".to_vec())],
        ),
        small("k1", "last", 20),
    ]
}

/// Every kind of event and of claim, of which compaction takes some: what was erased, and of the place with a policy
/// all but the newest version. Something is left of every commit.
pub(super) fn all() -> Vec<Ask> {
    let typed = ContentType::parse("application/x-rkyv;type=cursor;fingerprint=0123456789abcdef").expect("a type");
    let claimed = Meta {
        writer: Some(Writer::new("worker-1").expect("a writer").attempt(3)),
        idempotency_key: Some("once".into()),
        fences: vec![Fence { scope: scope("a/b"), token: 3 }],
    };
    let prefix = |path: &str| ScopePrefix::parse(path).expect("a prefix");
    let hold = || HoldName::parse("case 17").expect("a name");
    let note = |text: &str| Some(Note::parse(text).expect("a note"));
    let fork = |to: &str, point: u64| Event::Fork { scope: scope(to), origin: scope("a/b"), point: Seq(point) };
    let checkpoint = |name: &str, note| Event::Checkpoint { scope: scope("a/b"), name: named(name), note };
    let expiring = Event::Set {
        scope: scope("a/b"),
        key: key("k2"),
        value: b"for a while".to_vec(),
        content_type: Some(typed.clone()),
        expires_at: Some(Timestamp(BEGINNING.0 + 5_500)),
    };
    let (task, away) = ("task/etl/2026-11-24/load/0", "größe\n");
    let keep_one = Policy::default().keep_last(1);
    vec![
        Ask { meta: claimed, ..with(small("k", "first", 9), vec![set("a/bc", "k", vec![b'x'; 300])]) },
        with(small("k1", "second", 9), vec![expiring, set(task, "k", b"one".to_vec())]),
        with(
            small("k1", "third", 9),
            vec![checkpoint("after-40000", note("before the bad file")), checkpoint("k", None)],
        ),
        with(small("k", "fourth", 9), vec![fork("a/fork", 3), set("a/fork", "k1", b"its own".to_vec())]),
        with(
            small("key/with/path", "fifth", 3_000),
            vec![set(task, "k", b"two".to_vec()), set(away, "ключ", vec![b'y'; 300]), fork("fork", 4)],
        ),
        with(small("k1", "rolls", 2_000), vec![Event::Release { scope: scope("a/b"), name: named("k") }]),
        with(
            small("k", "seventh", 9),
            vec![
                Event::Retain { prefix: prefix("task"), policy: keep_one },
                Event::Retain { prefix: prefix("a/b/c"), policy: keep_one },
                Event::Unretain { prefix: prefix("a/b/c") },
                Event::Hold { prefix: prefix("a/b"), name: hold(), note: note("asked for by the court") },
                Event::Hold { prefix: prefix("fork"), name: hold(), note: None },
                Event::Unhold { prefix: prefix("fork"), name: hold() },
            ],
        ),
        with(
            small("k", "eighth", 9),
            vec![
                Event::Erase { scope: scope("a/bc"), key: key("k"), bytes: 300 },
                Event::EraseScope { scope: scope(away), bytes: 300 },
                Event::ErasePrefix { prefix: prefix("none"), bytes: 0 },
                Event::ClearPrefix { prefix: prefix("a/fork") },
                set(task, "k", b"three".to_vec()),
            ],
        ),
        // More than a segment.
        small("k2", "large", 5_000),
        small("k", "last but one", 9),
        small("k1", "last", 9),
    ]
}

fn small(name: &str, value: &str, bytes: usize) -> Ask {
    let mut value = value.as_bytes().to_vec();
    value.resize(bytes.max(value.len()), b'=');
    Ask { events: vec![set("a/b", name, value)], ..Ask::default() }
}

fn with(mut ask: Ask, more: Vec<Event>) -> Ask {
    ask.events.extend(more);
    ask
}

fn set(of: &str, name: &str, value: Vec<u8>) -> Event {
    Event::Set { scope: scope(of), key: key(name), value, content_type: None, expires_at: None }
}

fn scope(path: &str) -> Scope {
    Scope::parse(path).expect("a scope")
}

fn key(name: &str) -> Key {
    Key::parse(name).expect("a key")
}

fn named(name: &str) -> CheckpointName {
    CheckpointName::parse(name).expect("a name")
}
