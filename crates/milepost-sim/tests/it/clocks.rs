use milepost_engine::{CommitError, Engine, ReadError, Refusal};
use milepost_sim::{
    machine::Machine,
    model::{Ask, Model, Outcome, Refused},
    world::request,
};
use milepost_types::{At, Event, Key, Scope, Seq, Timestamp, limits};

const HOUR: i64 = 3_600_000_000;
const YEAR: i64 = 365 * 24 * HOUR;
const NOW: i64 = 1_795_000_000_000_000;

fn set(value: &str, expires_at: Option<i64>) -> Ask {
    let event = Event::Set {
        scope: Scope::parse("a").unwrap(),
        key: Key::parse("k").unwrap(),
        value: value.as_bytes().to_vec(),
        content_type: None,
        expires_at: expires_at.map(Timestamp),
    };
    Ask { events: vec![event], ..Ask::default() }
}

/// Commits when the clock says so, in the engine and in the model, and compares.
fn commit(machine: &Machine, engine: &Engine, model: &mut Model, ask: &Ask, wall: i64) -> Outcome {
    machine.clock.set(Timestamp(wall));
    let answer = engine.commit(request(engine, ask).unwrap());
    let outcome = model.commit_next(ask, Timestamp(wall));
    match (&answer, &outcome) {
        (Ok(receipt), Outcome::Appended(commit)) => assert_eq!((receipt.seq, receipt.at), (commit.seq, commit.at)),
        (Ok(receipt), Outcome::Repeated(first)) => assert_eq!(receipt, first),
        (Err(CommitError::Refused(refusal)), Outcome::Refused(refused)) => match (&**refusal, refused) {
            (Refusal::ClockJump { .. }, Refused::ClockJump) | (Refusal::Exhausted, Refused::Exhausted) => {}
            (Refusal::IdempotencyConflict { first, .. }, Refused::Conflict(model)) => assert_eq!(first, model),
            other => panic!("at {wall}: {other:?}"),
        },
        other => panic!("at {wall}: {other:?}"),
    }
    outcome
}

fn read(engine: &Engine, at: At) -> Option<Vec<u8>> {
    engine.view(at).unwrap().get("a", "k").unwrap().map(|value| value.to_vec())
}

/// FAULTS G1: back an hour, back fifty years, frozen, 1970 and before: stamps rise, past moments keep their answers.
#[test]
fn a_clock_that_runs_back_or_stands_still_changes_no_past() {
    for jump in [0, -1, -HOUR, -50 * YEAR, -NOW, -NOW - 1, i64::MIN - NOW.wrapping_neg()] {
        let machine = Machine::new(1, 4 << 10, Timestamp(NOW));
        let mut model = Model::default();
        let engine = machine.open().unwrap();
        commit(&machine, &engine, &mut model, &set("before", None), NOW);
        for value in ["first after", "second after"] {
            let outcome = commit(&machine, &engine, &mut model, &set(value, None), NOW.saturating_add(jump));
            assert!(matches!(outcome, Outcome::Appended(_)), "jump {jump}: {outcome:?}");
        }
        assert_eq!(read(&engine, At::Time(Timestamp(NOW))).unwrap(), b"before", "jump {jump}");
        assert_eq!(read(&engine, At::Time(Timestamp(NOW + 1))).unwrap(), b"first after", "jump {jump}");
        assert_eq!(read(&engine, At::Latest).unwrap(), b"second after", "jump {jump}");
    }
}

/// FAULTS G1: what has expired stays gone when the clock goes back.
#[test]
fn an_expired_value_does_not_come_back_with_the_clock() {
    let machine = Machine::new(1, 4 << 10, Timestamp(NOW));
    let mut model = Model::default();
    let engine = machine.open().unwrap();
    commit(&machine, &engine, &mut model, &set("short", Some(NOW + 10)), NOW);
    commit(&machine, &engine, &mut model, &Ask { events: vec![other_key()], ..Ask::default() }, NOW + 20);
    machine.clock.set(Timestamp(NOW - HOUR));
    assert_eq!(read(&engine, At::Latest), None);
    assert_eq!(read(&engine, At::Seq(Seq(1))).unwrap(), b"short");
}

/// FAULTS G1, its limit: reads leave nothing behind, so without a commit since nobody remembers that the clock was
/// there. A mark in memory would help no other process, and a leap of the clock (G2) would then expire all for good.
#[test]
fn without_a_commit_since_the_clock_alone_decides() {
    let machine = Machine::new(1, 4 << 10, Timestamp(NOW));
    let mut model = Model::default();
    let engine = machine.open().unwrap();
    commit(&machine, &engine, &mut model, &set("short", Some(NOW + 10)), NOW);
    machine.clock.set(Timestamp(NOW + 20));
    let held = engine.view(At::Latest).unwrap();
    assert_eq!(read(&engine, At::Latest), None);
    machine.clock.set(Timestamp(NOW + 5));
    assert_eq!(read(&engine, At::Latest).unwrap(), b"short");
    assert_eq!(held.get("a", "k").unwrap().map(|value| value.to_vec()), None, "a view keeps its moment");
}

fn other_key() -> Event {
    Event::Set {
        scope: Scope::parse("a").unwrap(),
        key: Key::parse("other").unwrap(),
        value: Vec::new(),
        content_type: None,
        expires_at: None,
    }
}

/// FAULTS G2: fifty years ahead for a second is refused, and nothing is left of it when the clock is right again.
#[test]
fn a_leap_ahead_is_refused_and_leaves_nothing() {
    let machine = Machine::new(1, 4 << 10, Timestamp(NOW));
    let mut model = Model::default();
    let engine = machine.open().unwrap();
    commit(&machine, &engine, &mut model, &set("kept", Some(NOW + YEAR)), NOW);
    let ahead = commit(&machine, &engine, &mut model, &set("ahead", None), NOW + 50 * YEAR);
    assert_eq!(ahead, Outcome::Refused(Refused::ClockJump));
    let edge = NOW + limits::CLOCK_JUMP_MAX_US;
    let beyond = commit(&machine, &engine, &mut model, &set("beyond", None), edge + 1);
    assert_eq!(beyond, Outcome::Refused(Refused::ClockJump));
    machine.clock.set(Timestamp(NOW + 1));
    assert_eq!(read(&engine, At::Latest).unwrap(), b"kept", "nothing expired for good");
    let right = commit(&machine, &engine, &mut model, &set("right", None), NOW + 2);
    assert!(matches!(right, Outcome::Appended(commit) if commit.at == Timestamp(NOW + 2)));
    let allowed = commit(&machine, &engine, &mut model, &set("edge", None), NOW + 2 + limits::CLOCK_JUMP_MAX_US);
    assert!(matches!(allowed, Outcome::Appended(_)), "{allowed:?}");
}

/// FAULTS G3: at the end of time commits are refused, cleanly, also after another opening; reads go on.
#[test]
fn stamps_end_without_wrapping() {
    let machine = Machine::new(1, 4 << 10, Timestamp(i64::MAX - 2));
    let mut model = Model::default();
    let mut engine = machine.open().unwrap();
    for left in [2, 1, 0] {
        let outcome = commit(&machine, &engine, &mut model, &set("late", None), i64::MAX - 2);
        assert!(matches!(outcome, Outcome::Appended(commit) if commit.at.0 == i64::MAX - left));
    }
    for _ in 0..2 {
        for wall in [i64::MAX, 0, i64::MIN] {
            let outcome = commit(&machine, &engine, &mut model, &set("later", None), wall);
            assert_eq!(outcome, Outcome::Refused(Refused::Exhausted));
        }
        assert_eq!(read(&engine, At::Latest).unwrap(), b"late");
        assert_eq!(read(&engine, At::Time(Timestamp::MAX)).unwrap(), b"late");
        engine.close().unwrap();
        drop(engine);
        engine = machine.open().unwrap();
    }
}

/// FAULTS G2, G3, H5: a request that was answered is answered again, with its first outcome, whatever the clock says.
///
/// A job whose answer was lost asked again after the clock had leapt, was told of the clock, and took its work for not
/// done: the place was judged before the key, though a repetition takes no place.
#[test]
fn a_repetition_is_answered_before_the_clock_is_judged() {
    let keyed = |value: &str| {
        let mut ask = set(value, None);
        ask.meta.idempotency_key = Some("once".to_owned());
        ask
    };
    for (first, wall) in [(NOW, NOW + 50 * YEAR), (NOW, i64::MAX), (i64::MAX, i64::MAX), (i64::MAX, 0)] {
        let machine = Machine::new(1, 4 << 10, Timestamp(first));
        let mut model = Model::default();
        let mut engine = machine.open().unwrap();
        commit(&machine, &engine, &mut model, &keyed("v"), first);
        for _ in 0..2 {
            let new = commit(&machine, &engine, &mut model, &set("new", None), wall);
            assert!(
                matches!(new, Outcome::Refused(Refused::ClockJump | Refused::Exhausted)),
                "{first} {wall}: {new:?}"
            );
            let again = commit(&machine, &engine, &mut model, &keyed("v"), wall);
            assert!(matches!(again, Outcome::Repeated(receipt) if receipt.seq == Seq(1)), "{first} {wall}: {again:?}");
            let other = commit(&machine, &engine, &mut model, &keyed("other"), wall);
            assert_eq!(other, Outcome::Refused(Refused::Conflict(Seq(1))), "{first} {wall}");
            engine.close().unwrap();
            drop(engine);
            engine = machine.open().unwrap();
        }
    }
}

/// FAULTS G3: expiries of 0, before 1970 and at both ends of time.
#[test]
fn expiries_at_the_ends_of_time() {
    let rows = [
        (None, true),
        (Some(i64::MAX), true),
        (Some(NOW + 1), true),
        (Some(NOW), false),
        (Some(1), false),
        (Some(0), false),
        (Some(-1), false),
        (Some(i64::MIN), false),
    ];
    for (end, lives) in rows {
        let machine = Machine::new(1, 4 << 10, Timestamp(NOW));
        let mut model = Model::default();
        let engine = machine.open().unwrap();
        commit(&machine, &engine, &mut model, &set("v", end), NOW);
        assert_eq!(read(&engine, At::Seq(Seq(1))).is_some(), lives, "expires at {end:?}");
        assert_eq!(read(&engine, At::Time(Timestamp(NOW))).is_some(), lives, "expires at {end:?}");
        assert_eq!(read(&engine, At::Time(Timestamp::MAX)).is_some(), end.is_none(), "expires at {end:?}");
        // Before the first commit there is no moment, in a store with one.
        let before = engine.view(At::Time(Timestamp(NOW - 1))).map(|view| view.seq());
        let named = Err((Timestamp(NOW - 1), Seq(1), Timestamp(NOW)));
        let before = before.map_err(|error| match error {
            ReadError::BeforeFirst { asked, first, at } => (asked, first, at),
            error => panic!("{error}"),
        });
        assert_eq!(before, named);
    }
}
