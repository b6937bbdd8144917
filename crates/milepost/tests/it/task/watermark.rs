//! A watermark only grows, whoever moves it and however many at once.

use milepost::{
    ErrorKind, Policy, SetOptions, Timestamp, Writer, limits,
    task::{AnyMark, Mark, Stood},
};

use super::attempt;
use crate::{Dice, Place, scope};

/// Marks of one type in their order: each pair is tried both ways.
fn order<T: Mark + Clone + PartialEq + std::fmt::Debug>(marks: &[T]) {
    let place = Place::new();
    let store = place.open();
    let task = attempt(&store, &scope("task/a"), 1);
    for (low, lower) in marks.iter().enumerate() {
        for (high, higher) in marks.iter().enumerate().skip(low + 1) {
            let watermark = task.watermark::<T>(&format!("{low}-{high}")).unwrap();
            watermark.advance(lower.clone()).unwrap();
            watermark.advance(higher.clone()).unwrap();
            assert_eq!(watermark.advance(lower.clone()).unwrap_err().kind(), ErrorKind::Conflict);
            assert_eq!(watermark.get().unwrap().as_ref(), Some(higher));
        }
    }
}

#[test]
fn the_order_of_bytes_is_that_of_values() {
    order(&[i64::MIN, -70_000, -256, -255, -1, 0, 1, 255, 256, 70_000, i64::MAX]);
    order(&[i64::MIN, -1, 0, 1_764_000_000_000_000, i64::MAX].map(Timestamp));
    order(&["", "a", "a\0", "aa", "b", "é", "字"].map(str::to_owned));
    order(&[vec![], vec![0], vec![0, 0], vec![1], vec![0xff], vec![0xff, 0xff]]);
}

#[test]
fn an_advance_can_be_repeated() {
    let place = Place::new();
    let store = place.open();
    let watermark = attempt(&store, &scope("task/a"), 1).watermark::<i64>("id").unwrap();
    let first = watermark.advance(5).unwrap();
    let last = store.last();
    assert_eq!(watermark.advance(5).unwrap(), first);
    assert_eq!(store.last(), last, "nothing is appended");
}

#[test]
fn another_type_is_refused_by_name() {
    let place = Place::new();
    let store = place.open();
    let (a, task) = (scope("task/a"), attempt(&store, &scope("task/a"), 1));
    task.watermark("at").unwrap().advance(42).unwrap();
    let texts = task.watermark::<String>("at").unwrap();
    let tries = [
        texts.advance("zz".into()).unwrap_err(),
        texts.advance_if(None, "zz".into()).unwrap_err(),
        texts.reset("zz".into(), "because").unwrap_err(),
        texts.get().unwrap_err(),
    ];
    for error in tries {
        assert_eq!(error.kind(), ErrorKind::OtherType);
        assert_eq!(error.to_string(), "watermark at is of type integer, asked for was one of type text");
    }
    // The history of it is one of values that are no text.
    assert!(matches!(texts.history().next().unwrap().unwrap().to, Stood::Foreign(_)));
    // What is no watermark at all is left as it is.
    store.set(&a, ".watermark/mine", b"42").unwrap();
    let error = task.watermark("mine").unwrap().advance(43).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::OtherType);
    assert!(error.to_string().starts_with("key .watermark/mine of scope task/a is no watermark"), "{error}");
}

#[test]
fn advance_if_names_where_it_is() {
    let place = Place::new();
    let store = place.open();
    let watermark = attempt(&store, &scope("task/a"), 1).watermark::<i64>("id").unwrap();
    let error = watermark.advance_if(Some(1), 2).unwrap_err();
    assert_eq!(error.to_string(), "watermark id was expected at 1, and is at nothing");
    watermark.advance_if(None, 2).unwrap();
    assert_eq!(watermark.advance_if(None, 3).unwrap_err().kind(), ErrorKind::Conflict);
    assert_eq!(watermark.advance_if(Some(2), 1).unwrap_err().kind(), ErrorKind::Conflict);
    assert_eq!(watermark.get().unwrap(), Some(2));
}

#[test]
fn a_reset_is_recorded_with_who_and_why() {
    let place = Place::new();
    let store = place.open();
    let a = scope("task/a");
    let watermark = attempt(&store, &a, 1).watermark::<i64>("id").unwrap();
    watermark.advance(7).unwrap();
    let ann = store.task(&a, Writer::new("ann").unwrap()).unwrap();
    ann.watermark::<i64>("id").unwrap().reset(3, "late orders").unwrap();
    watermark.advance(4).unwrap();
    let moves: Vec<_> = watermark.history().map(Result::unwrap).collect();
    let seen: Vec<_> = moves.iter().map(|m| (m.from.mark(), m.to.mark(), m.reason.as_deref())).collect();
    let late = Some("late orders");
    assert_eq!(seen, [(None, Some(&7), None), (Some(&7), Some(&3), late), (Some(&3), Some(&4), None)]);
    let writers: Vec<_> = moves.iter().map(|m| m.writer.as_ref().unwrap().to_string()).collect();
    assert_eq!(writers, ["worker#1", "ann", "worker#1"]);
    assert_eq!(watermark.reset(1, "").unwrap_err().kind(), ErrorKind::Invalid);
}

/// The lower of two that advance at once is refused, or comes first; the highest is there at the end.
#[test]
fn many_advance_at_once() {
    let place = Place::new();
    let store = place.open();
    let orders = scope("asset/orders");
    std::thread::scope(|threads| {
        for me in 0..8u64 {
            let (store, orders) = (&store, &orders);
            threads.spawn(move || {
                let task = attempt(store, &scope(&format!("task/{me}")), 1).on(orders);
                let watermark = task.watermark::<i64>("id").unwrap();
                let mut dice = Dice(me);
                for round in 0..50 {
                    let to = round * 10 + dice.roll(40) as i64;
                    match watermark.advance(to) {
                        Ok(_) => assert!(watermark.get().unwrap().unwrap() >= to),
                        Err(error) => assert_eq!(error.kind(), ErrorKind::Conflict, "{error}"),
                    }
                }
                watermark.advance(1000 + me as i64).ok();
            });
        }
    });
    let watermark = attempt(&store, &orders, 1).watermark::<i64>("id").unwrap();
    assert_eq!(watermark.get().unwrap(), Some(1007));
    let moves: Vec<_> = watermark.history().map(Result::unwrap).collect();
    assert!(moves.iter().all(|m| m.from.mark() < m.to.mark()), "it went back");
    assert!(moves.windows(2).all(|pair| pair[0].to.mark() == pair[1].from.mark()));
}

#[test]
fn a_zombie_moves_nothing() {
    let place = Place::new();
    let store = place.open();
    let a = scope("task/a");
    let old = attempt(&store, &a, 1).watermark::<i64>("id").unwrap();
    old.advance(1).unwrap();
    attempt(&store, &a, 2);
    // What would change nothing is refused as well: it was once told that it had advanced, or was behind, and went on.
    let changes_nothing = [old.advance(1), old.advance(0), old.advance_if(Some(7), 9), old.advance_if(Some(1), 1)];
    let last = store.last();
    for error in
        [old.advance(5), old.advance_if(Some(1), 5), old.reset(0, "why not")].into_iter().chain(changes_nothing)
    {
        let error = error.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Fenced, "{error}");
        let says =
            "attempt 1 of writer worker for scope task/a is not the highest: attempt 2 of writer worker was seen";
        assert!(error.to_string().starts_with(says), "{error}");
    }
    assert_eq!((old.get().unwrap(), store.last()), (Some(1), last));
    // Whoever has the newest attempt is told what there is, and that appends nothing.
    let new = attempt(&store, &a, 2).watermark::<i64>("id").unwrap();
    let before = store.last();
    assert_eq!(new.advance(1).unwrap().seq, store.get(&a, ".watermark/id").unwrap().unwrap().seq());
    assert_eq!(new.advance(0).unwrap_err().kind(), ErrorKind::Conflict);
    assert_eq!(store.last(), before);
}

#[test]
fn the_length_has_a_limit() {
    let place = Place::new();
    let store = place.open();
    let watermark = attempt(&store, &scope("task/a"), 1).watermark::<AnyMark>("id").unwrap();
    watermark.advance(AnyMark::Bytes(vec![1; limits::WATERMARK_BYTES_MAX])).unwrap();
    let error = watermark.advance(AnyMark::Bytes(vec![2; limits::WATERMARK_BYTES_MAX + 1])).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Invalid);
}

/// What retention has taken away is gone; what is kept says all that it did, the reason too: that is in the commit of
/// the move, which can be read where the state as of it can't.
#[test]
fn history_after_retention_has_compacted() {
    let place = Place::new();
    let store = place.open_small();
    let a = scope("task/a");
    store.retention().set(&(&a).into(), Policy::default().keep_last(2)).unwrap();
    let watermark = attempt(&store, &a, 1).watermark::<i64>("id").unwrap();
    for to in 0..100 {
        watermark.advance(to).unwrap();
        store.set(&a, "beside", &[b'x'; 100]).unwrap();
    }
    watermark.reset(50, "the orders of Monday came late").unwrap();
    // What comes behind seals the segment of the reset.
    for _ in 0..100 {
        store.set(&a, "beside", &[b'x'; 100]).unwrap();
    }
    let done = store.compact().unwrap();
    assert!(done.dropped + done.rewritten > 0, "{done:?}");
    let moves: Vec<_> = watermark.history().map(Result::unwrap).collect();
    let last = moves.last().unwrap();
    assert_eq!((last.to.mark(), last.reason.as_deref()), (Some(&50), Some("the orders of Monday came late")));
    assert!(moves.len() < 101, "compaction took none");
    assert!(matches!(moves[0].from, Stood::Removed), "{:?}", moves[0]);
    assert!(moves.iter().rev().skip(1).all(|moved| moved.reason.is_none()));
}

/// Written once by hand, a watermark that was put right had no history for good: a value of the past that is no mark
/// was an error of all of it. A row says what was there, and the next one follows.
#[test]
fn a_stray_write_is_a_row_of_the_history() {
    let place = Place::new();
    let store = place.open();
    let a = scope("task/a");
    let task = attempt(&store, &a, 1);
    let watermark = task.watermark::<i64>("id").unwrap();
    watermark.advance(7).unwrap();
    store.set(&a, ".watermark/id", b"99").unwrap();
    assert_eq!(watermark.get().unwrap_err().kind(), ErrorKind::OtherType);
    store.delete(&a, ".watermark/id").unwrap();
    // One that says that it is a watermark, and has too few bytes for it.
    let integer = milepost::ContentType::parse("application/x-milepost-watermark;type=integer").unwrap();
    let options = SetOptions { content_type: Some(integer), ..SetOptions::default() };
    store.commit().set_with(&a, ".watermark/id", b"abc", &options).durable().unwrap();
    store.delete(&a, ".watermark/id").unwrap();
    task.watermark::<String>("id").unwrap().advance("text".into()).unwrap();
    store.delete(&a, ".watermark/id").unwrap();
    watermark.advance(8).unwrap();
    watermark.reset(5, "put right").unwrap();
    let text = |stood: &Stood<i64>| match stood {
        Stood::Nowhere => "nowhere".to_owned(),
        Stood::At(mark) => mark.to_string(),
        Stood::Foreign(value) => format!("foreign {}", value.escape_ascii()),
        other => format!("{other:?}"),
    };
    let seen: Vec<_> = watermark.history().map(|moved| moved.unwrap()).map(|m| (text(&m.from), text(&m.to))).collect();
    let expected = [
        ("nowhere", "7"),
        ("7", "foreign 99"),
        ("foreign 99", "nowhere"),
        ("nowhere", "foreign abc"),
        ("foreign abc", "nowhere"),
        ("nowhere", "foreign text"),
        ("foreign text", "nowhere"),
        ("nowhere", "8"),
        ("8", "5"),
    ];
    assert_eq!(seen, expected.map(|(from, to)| (from.to_owned(), to.to_owned())));
    assert_eq!(watermark.get().unwrap(), Some(5));
}

/// A restore, or a replay of steps, sets the same keys as a reset does, and its row in the history said the reason of
/// the reset that was put back with them: a move that nobody had made for that reason.
#[test]
fn what_was_put_back_has_no_reason() {
    let place = Place::new();
    let store = place.open();
    let a = scope("task/a");
    let task = attempt(&store, &a, 1);
    let watermark = task.watermark::<i64>("id").unwrap();
    watermark.advance(9).unwrap();
    watermark.reset(1, "A").unwrap();
    store.checkpoint(&a, "cp1").unwrap();
    watermark.advance(2).unwrap();
    task.step("load", || Ok::<_, String>(watermark.reset(0, "B").unwrap().seq.0)).unwrap();
    watermark.advance(3).unwrap();
    // The same again for the same reason is a reset all the same.
    watermark.reset(0, "B").unwrap();
    task.replay_from(milepost::task::Step::new("load")).unwrap();
    store.restore(&a, milepost::At::checkpoint(&a, "cp1")).unwrap().durable().unwrap();
    let moves: Vec<_> = watermark.history().map(Result::unwrap).collect();
    let seen: Vec<_> = moves.iter().map(|m| (*m.to.mark().unwrap(), m.reason.as_deref())).collect();
    let expected =
        [(9, None), (1, Some("A")), (2, None), (0, Some("B")), (3, None), (0, Some("B")), (2, None), (1, None)];
    assert_eq!(seen, expected);
}
