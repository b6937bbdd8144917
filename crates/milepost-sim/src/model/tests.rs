//! The reference is checked against small stories told by hand, so that it can be trusted to judge the engine.

use milepost_types::{
    At, CheckpointName, Event, Fence, Key, Meta, Precondition, Scope, ScopePrefix, Seq, Timestamp, Writer, limits,
};

use super::{Ask, ChangeKind, Model, NoFork, Outcome, Query, Refused, Subject};

fn scope(text: &str) -> Scope {
    Scope::parse(text).unwrap()
}

fn key(text: &str) -> Key {
    Key::parse(text).unwrap()
}

fn set(at: &str, name: &str, value: &str) -> Event {
    set_until(at, name, value, None)
}

fn set_until(at: &str, name: &str, value: &str, end: Option<i64>) -> Event {
    Event::Set {
        scope: scope(at),
        key: key(name),
        value: value.as_bytes().to_vec(),
        content_type: None,
        expires_at: end.map(Timestamp),
    }
}

fn delete(at: &str, name: &str) -> Event {
    Event::Delete { scope: scope(at), key: key(name) }
}

fn ask(events: Vec<Event>) -> Ask {
    Ask { events, ..Ask::default() }
}

fn requiring(condition: Precondition) -> Ask {
    Ask { require: vec![condition], events: vec![set("z", "z", "z")], ..Ask::default() }
}

/// Commits at wall times 10, 20, 30 … and says how each came out.
fn told(asks: Vec<Ask>) -> (Model, Vec<Outcome>) {
    let mut model = Model::default();
    let outcomes =
        asks.iter().zip(1..).map(|(ask, turn): (_, i64)| model.commit_next(ask, Timestamp(turn * 10))).collect();
    (model, outcomes)
}

fn read(model: &Model, at: At, scope: &str, key: &str) -> Option<String> {
    let moment = model.moment(&at, Timestamp(1_000)).unwrap();
    let state = model.state(moment.seq);
    state.get(scope, key, moment.now).map(|version| String::from_utf8(version.value.to_vec()).unwrap())
}

#[test]
fn each_moment_keeps_its_own_answer() {
    let clear = Event::Clear { scope: scope("a") };
    let (model, _) = told(vec![
        ask(vec![set("a", "k", "1")]),
        ask(vec![set("a", "k", "2"), set("a", "l", "x")]),
        ask(vec![delete("a", "k")]),
        ask(vec![clear]),
    ]);
    let rows = [
        (At::Seq(Seq(0)), None, None),
        (At::Seq(Seq(1)), Some("1"), None),
        (At::Seq(Seq(2)), Some("2"), Some("x")),
        (At::Seq(Seq(3)), None, Some("x")),
        (At::Seq(Seq(4)), None, None),
        (At::Time(Timestamp(19)), Some("1"), None),
        (At::Time(Timestamp(20)), Some("2"), Some("x")),
        (At::Latest, None, None),
    ];
    for (at, k, l) in rows {
        assert_eq!(
            (read(&model, at.clone(), "a", "k").as_deref(), read(&model, at.clone(), "a", "l").as_deref()),
            (k, l),
            "{at:?}"
        );
    }
    assert_eq!(model.moment(&At::Seq(Seq(5)), Timestamp(0)), None);
    assert_eq!(model.moment(&At::Time(Timestamp(9)), Timestamp(0)), None, "before the first commit");
}

#[test]
fn what_changes_nothing_leaves_no_trace() {
    let rows = [
        (vec![delete("a", "nothing")], 0),
        (vec![Event::Clear { scope: scope("nothing") }], 0),
        (vec![Event::ClearPrefix { prefix: ScopePrefix::parse("nothing").unwrap() }], 0),
        (vec![delete("a", "k")], 1),
        (vec![delete("a", "k"), delete("a", "k")], 1),
        (vec![delete("a", "k"), Event::Clear { scope: scope("a") }], 1),
        (vec![set("b", "n", "1"), delete("b", "n"), delete("b", "n")], 2),
        (
            vec![
                Event::ClearPrefix { prefix: ScopePrefix::root() },
                Event::ClearPrefix { prefix: ScopePrefix::root() },
            ],
            1,
        ),
    ];
    for (events, left) in rows {
        let (model, outcomes) = told(vec![ask(vec![set("a", "k", "1")]), ask(events.clone())]);
        match &outcomes[1] {
            Outcome::Appended(commit) => assert_eq!(commit.events.len(), left, "{events:?}"),
            Outcome::Nothing(receipt) => assert_eq!((receipt.seq, left), (Seq(1), 0), "{events:?}"),
            other => panic!("{events:?}: {other:?}"),
        }
        assert_eq!(model.len(), if left == 0 { 1 } else { 2 });
    }
}

#[test]
fn an_expired_value_is_absent_from_its_last_moment_on() {
    let (model, outcomes) = told(vec![
        ask(vec![set_until("a", "k", "1", Some(20))]),
        ask(vec![delete("a", "k")]),
        requiring(Precondition::KeyAbsent { scope: scope("a"), key: key("k") }),
    ]);
    assert!(matches!(outcomes[1], Outcome::Nothing(_)), "{outcomes:?}");
    assert!(matches!(outcomes[2], Outcome::Appended(_)), "{outcomes:?}");
    assert_eq!(read(&model, At::Time(Timestamp(19)), "a", "k").as_deref(), Some("1"));
    assert_eq!(read(&model, At::Time(Timestamp(20)), "a", "k"), None);
    assert_eq!(read(&model, At::Seq(Seq(1)), "a", "k").as_deref(), Some("1"));
    assert_eq!(read(&model, At::Latest, "a", "k"), None);
}

#[test]
fn conditions_are_judged_before_the_commit() {
    let at = |name: &str, seq| Precondition::KeyAt { scope: scope("a"), key: key(name), seq: Seq(seq) };
    let absent = |name: &str| Precondition::KeyAbsent { scope: scope("a"), key: key(name) };
    let scoped = |name: &str, seq| Precondition::ScopeAt { scope: scope(name), seq: Seq(seq) };
    let below = |bound: &str| Precondition::ValueBelow { scope: scope("a"), key: key("k"), bound: bound.into() };
    let rows = [
        (absent("n"), None),
        (absent("k"), Some(Some(Seq(2)))),
        (at("k", 2), None),
        (at("k", 1), Some(Some(Seq(2)))),
        (at("n", 1), Some(None)),
        (scoped("a", 3), None),
        (scoped("a", 2), Some(Some(Seq(3)))),
        (scoped("never", 0), None),
        (scoped("never", 1), Some(None)),
        (below("3"), None),
        (below("2"), Some(Some(Seq(2)))),
        (below("1"), Some(Some(Seq(2)))),
    ];
    for (condition, refused) in rows {
        let (_, outcomes) = told(vec![
            ask(vec![set("a", "k", "1")]),
            ask(vec![set("a", "k", "2")]),
            ask(vec![set("a", "l", "2")]),
            requiring(condition.clone()),
        ]);
        match (&outcomes[3], refused) {
            (Outcome::Appended(_), None) => {}
            (Outcome::Refused(Refused::Precondition(failed, actual)), Some(expected)) => {
                assert_eq!((failed, *actual), (&condition, expected));
            }
            (outcome, _) => panic!("{condition:?}: {outcome:?}"),
        }
    }
}

#[test]
fn a_repeated_request_gets_its_first_outcome() {
    let keyed = |value: &str| Ask {
        meta: Meta { idempotency_key: Some("once".into()), ..Meta::default() },
        events: vec![set("a", "k", value), delete("a", "nothing")],
        require: vec![Precondition::KeyAbsent { scope: scope("a"), key: key("k") }],
    };
    let (model, outcomes) = told(vec![keyed("1"), ask(vec![set("a", "k", "9")]), keyed("1"), keyed("2")]);
    assert!(matches!(outcomes[2], Outcome::Repeated(receipt) if receipt.seq == Seq(1)), "{outcomes:?}");
    assert_eq!(outcomes[3], Outcome::Refused(Refused::Conflict(Seq(1))));
    assert_eq!(model.len(), 2);
}

#[test]
fn a_lower_token_is_refused_and_so_is_an_equal_one_of_another() {
    let fenced = |name: &str, token| Ask {
        meta: Meta {
            writer: Some(Writer::new(name).unwrap()),
            fences: vec![Fence { scope: scope("a"), token }],
            ..Meta::default()
        },
        events: vec![set("a", "k", "1")],
        ..Ask::default()
    };
    let rows = [("w", 4, false), ("w", 5, true), ("v", 5, false), ("v", 6, true)];
    for (name, token, taken) in rows {
        let (_, outcomes) = told(vec![fenced("w", 5), fenced(name, token)]);
        assert_eq!(matches!(outcomes[1], Outcome::Appended(_)), taken, "{name} {token}: {outcomes:?}");
    }
}

#[test]
fn stamps_rise_whatever_the_clock_does_but_not_by_a_leap() {
    let mut model = Model::default();
    let first = Timestamp(1_600_000_000_000_000);
    model.commit_next(&ask(vec![set("a", "k", "1")]), first);
    for wall in [0, i64::MIN, first.0, first.0 + 1] {
        model.commit_next(&ask(vec![set("a", "k", "1")]), Timestamp(wall));
    }
    let stamps: Vec<i64> = model.kept().iter().map(|kept| kept.commit.at.0 - first.0).collect();
    assert_eq!(stamps, [0, 1, 2, 3, 4]);
    let leap = Timestamp(first.0 + 4 + limits::CLOCK_JUMP_MAX_US + 1);
    assert_eq!(model.judge(&ask(vec![set("a", "k", "1")]), leap), Outcome::Refused(Refused::ClockJump));
}

#[test]
fn history_tells_old_and_new_and_keys_that_a_clear_took() {
    let (model, _) = told(vec![
        ask(vec![set("a", "k", "1"), set("a/b", "l", "1")]),
        ask(vec![set("a", "k", "2")]),
        ask(vec![Event::ClearPrefix { prefix: ScopePrefix::parse("a").unwrap() }]),
    ]);
    let told: Vec<_> =
        model.history(&Query::default()).into_iter().map(|c| (c.seq.0, c.scope, c.subject, c.kind)).collect();
    let row = |seq, scope: &str, key: &str, kind| (seq, scope.to_owned(), Subject::Key(key.to_owned()), kind);
    let all = [
        row(1, "a", "k", ChangeKind::Set),
        row(1, "a/b", "l", ChangeKind::Set),
        row(2, "a", "k", ChangeKind::Set),
        row(3, "a", "k", ChangeKind::Clear),
        row(3, "a/b", "l", ChangeKind::Clear),
    ];
    assert_eq!(told, all);
    let last = Query { since: Some(Seq(2)), key: Some("k".into()), newest_first: true, ..Query::default() };
    let olds: Vec<_> = model.history(&last).into_iter().map(|change| change.old.map(|(seq, _)| seq)).collect();
    assert_eq!(olds, [Some(Seq(2)), Some(Seq(1))]);
}

#[test]
fn a_fork_copies_what_was_there_and_a_checkpoint_names_a_commit() {
    let fork =
        |of: &str, origin: &str, point| Event::Fork { scope: scope(of), origin: scope(origin), point: Seq(point) };
    let name = || CheckpointName::parse("c").unwrap();
    let (model, outcomes) = told(vec![
        ask(vec![set("a", "k", "1"), set("a", "l", "1")]),
        ask(vec![set("a", "k", "2"), Event::Checkpoint { scope: scope("a"), name: name(), note: None }]),
        ask(vec![fork("f", "a", 1), delete("f", "l")]),
        ask(vec![fork("f", "a", 1)]),
        ask(vec![fork("a", "f", 1)]),
        ask(vec![fork("g", "a", 4)]),
        ask(vec![fork("g", "g", 1)]),
        ask(vec![fork("g", "typo", 1)]),
        ask(vec![Event::Release { scope: scope("a"), name: name() }]),
        ask(vec![Event::Release { scope: scope("a"), name: name() }]),
    ]);
    assert_eq!(read(&model, At::Latest, "f", "k").as_deref(), Some("1"));
    assert_eq!(read(&model, At::Latest, "f", "l"), None);
    assert_eq!(read(&model, At::Latest, "a", "k").as_deref(), Some("2"));
    let refused = |of: &str, why| Outcome::Refused(Refused::Fork(scope(of), why));
    assert_eq!(outcomes[3], refused("f", NoFork::IsFork(Seq(3))));
    assert_eq!(outcomes[4], refused("a", NoFork::HasState(Seq(2))));
    assert_eq!(outcomes[5], refused("g", NoFork::PointAhead(Seq(4), Seq(3))));
    assert_eq!(outcomes[6], refused("g", NoFork::Itself));
    assert_eq!(outcomes[7], refused("g", NoFork::NoKeys(Seq::ZERO)));
    assert!(matches!(outcomes[9], Outcome::Nothing(receipt) if receipt.seq == Seq(4)));
    assert_eq!(model.state(Seq(3)).checkpoint("a", "c"), Some(Seq(2)));
    assert_eq!(model.state(Seq(4)).checkpoint("a", "c"), None);
    let told: Vec<_> = model.history(&Query::default()).into_iter().map(|c| (c.seq.0, c.kind)).skip(3).collect();
    let all = [(2, ChangeKind::Checkpoint), (3, ChangeKind::Fork), (3, ChangeKind::Delete), (4, ChangeKind::Release)];
    assert_eq!(told, all);
}
