//! A step that finished says ever after what it has said; one that did not runs again.

use std::cell::Cell;

use milepost::{
    At, CheckpointName, ErrorKind, Policy, Scope, Store, Task,
    task::{Bytes, Step, StepState},
};

use super::attempt;
use crate::{Place, scope};

fn a() -> Scope {
    scope("task/a")
}

/// A step that says what it is given, and counts how often it runs.
fn says(task: &Task, step: impl Into<Step>, what: u32, ran: &Cell<u32>) -> milepost::Result<u32> {
    task.step(step, || {
        ran.set(ran.get() + 1);
        Ok::<_, String>(what)
    })
}

#[test]
fn a_finished_step_says_the_same_ever_after() {
    let (place, ran) = (Place::new(), Cell::new(0));
    for number in 1..=3 {
        let store = place.open();
        let task = attempt(&store, &a(), number);
        assert_eq!(says(&task, "one", 10 * number, &ran).unwrap(), 10);
        assert_eq!(says(&task, ("page", 1), 20 * number, &ran).unwrap(), 20);
        assert_eq!(says(&task, ("page", 2), 30 * number, &ran).unwrap(), 30);
        let bytes = task.step("bytes", || Ok::<_, String>(Bytes(vec![0xff, number as u8]))).unwrap();
        assert_eq!(*bytes, [0xff, 1]);
        task.step("nothing", || Ok::<(), String>(())).unwrap();
        assert_eq!(ran.get(), 3);
        store.close().unwrap();
    }
}

#[test]
fn an_error_is_counted_and_the_step_runs_again() {
    let place = Place::new();
    let store = place.open();
    let ran = Cell::new(0);
    for number in 1..=2 {
        let task = attempt(&store, &a(), number);
        let error = task.step("x", || Err::<u32, _>("no network")).unwrap_err();
        assert_eq!((error.kind(), error.to_string().as_str()), (ErrorKind::Caller, "step x failed: no network"));
        let (path, record) = task.steps().unwrap().remove(0);
        assert_eq!((path.as_str(), record.state, record.attempts), ("x", StepState::Failed, number));
        assert_eq!(record.error.as_deref(), Some("no network"));
    }
    // A loop around the step, in one run.
    let task = attempt(&store, &a(), 3);
    task.step("x", || Err::<u32, _>("no network")).unwrap_err();
    assert_eq!(says(&task, "x", 7, &ran).unwrap(), 7);
    let record = task.steps().unwrap().remove(0).1;
    assert_eq!((record.state, record.attempts, record.error), (StepState::Done, 4, None));
}

#[test]
fn a_panic_is_counted_and_the_step_runs_again() {
    let place = Place::new();
    let store = place.open();
    let ran = Cell::new(0);
    let task = attempt(&store, &a(), 1);
    let panics = || task.step("x", || -> Result<u32, String> { panic!("of the step") });
    std::panic::catch_unwind(std::panic::AssertUnwindSafe(panics)).unwrap_err();
    let record = task.steps().unwrap().remove(0).1;
    assert_eq!((record.state, record.attempts), (StepState::Begun, 1));
    // It was left: the next step is not within it.
    assert_eq!(says(&task, "x", 7, &ran).unwrap(), 7);
    assert_eq!(says(&task, "y", 8, &ran).unwrap(), 8);
    let paths: Vec<_> = task.steps().unwrap().into_iter().map(|(path, _)| path).collect();
    assert_eq!(paths, ["x", "y"]);
}

#[test]
fn steps_within_steps() {
    let place = Place::new();
    let store = place.open();
    let ran = Cell::new(0);
    let run = |number: u32, fails: bool| {
        let task = attempt(&store, &a(), number);
        task.step("outer", || {
            says(&task, "first", number, &ran).map_err(|error| error.to_string())?;
            task.step("middle", || says(&task, "inner", number, &ran)).map_err(|error| error.to_string())?;
            if fails { Err("half way".to_owned()) } else { Ok(number) }
        })?;
        says(&task, "after", number, &ran)
    };
    assert_eq!(run(1, true).unwrap_err().to_string(), "step outer failed: half way");
    assert_eq!(ran.get(), 2);
    assert_eq!(run(2, false).unwrap(), 2);
    assert_eq!(run(3, false).unwrap(), 2);
    assert_eq!(ran.get(), 3, "what finished within a step that did not does not run again");
    let paths: Vec<_> = attempt(&store, &a(), 4).steps().unwrap().into_iter().map(|(path, _)| path).collect();
    assert_eq!(paths, ["after", "outer", "outer/first", "outer/middle", "outer/middle/inner"]);
    // A step whose name has a slash is none of those.
    let task = attempt(&store, &scope("task/b"), 1);
    task.step("outer", || says(&task, "first", 1, &ran)).unwrap();
    assert_eq!(says(&task, "outer/first", 2, &ran).unwrap(), 2);
}

#[test]
fn async_steps_run_beside_each_other() {
    let place = Place::new();
    let store = place.open();
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    for number in 1..=2 {
        let task = attempt(&store, &a(), number);
        let page = async |n: u32| {
            let rows = async || {
                tokio::task::yield_now().await;
                task.step_async("rows", async || Ok::<_, String>(number * n)).await
            };
            task.step_async(("page", n), rows).await.unwrap()
        };
        let pages = runtime.block_on(async { tokio::join!(page(1), page(2), page(3)) });
        assert_eq!(pages, (1, 2, 3));
    }
    let paths: Vec<_> = attempt(&store, &a(), 3).steps().unwrap().into_iter().map(|(path, _)| path).collect();
    assert_eq!(paths, ["page[1]", "page[1]/rows", "page[2]", "page[2]/rows", "page[3]", "page[3]/rows"]);
}

#[test]
fn another_order_is_an_error_that_says_what_changed() {
    let place = Place::new();
    let store = place.open();
    let ran = Cell::new(0);
    let run = |number, names: &[&str]| {
        let task = attempt(&store, &a(), number);
        names.iter().try_for_each(|name| says(&task, *name, 1, &ran).map(drop))
    };
    run(1, &["extract", "load"]).unwrap();
    let cases: [(&[&str], &str); 3] = [
        (&["load", "extract"], "step 1 was \"extract\" when it ran, and is \"load\" now"),
        (&["extract", "check", "load"], "step 2 was \"load\" when it ran, and is \"check\" now"),
        (&["load"], "step 1 was \"extract\" when it ran, and is \"load\" now"),
    ];
    for (names, expected) in cases {
        let error = run(2, names).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Changed);
        assert!(error.to_string().starts_with(expected), "{error}");
    }
    // More at the end are no change, nor is an end that comes earlier.
    run(3, &["extract", "load", "report"]).unwrap();
    run(4, &["extract"]).unwrap();
    assert_eq!(ran.get(), 3);
    // In a loop that forgets to say what differs, the second one would get the result of the first.
    assert_eq!(run(5, &["extract", "extract"]).unwrap_err().kind(), ErrorKind::Invalid);
}

#[test]
fn another_input_is_refused_once_it_has_finished() {
    let place = Place::new();
    let store = place.open();
    let run = |number, input: &str, fails| {
        let task = attempt(&store, &a(), number);
        task.step(Step::new("x").input(input), || if fails { Err("no") } else { Ok(input.len()) })
    };
    run(1, "abc", true).unwrap_err();
    assert_eq!(run(2, "abcd", false).unwrap(), 4);
    let error = run(3, "abc", false).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Changed);
    assert!(error.to_string().starts_with("step x ran with another input (fingerprint "), "{error}");
}

#[test]
fn a_result_of_another_type_is_named() {
    let place = Place::new();
    let store = place.open();
    says(&attempt(&store, &a(), 1), "x", 1, &Cell::new(0)).unwrap();
    let error = attempt(&store, &a(), 2).step("x", || Ok::<Vec<String>, String>(vec![])).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::OtherType);
    let text = error.to_string();
    assert!(
        text.starts_with("the recorded result of step x (commit 3) is no alloc::vec::Vec<alloc::string::String>: ")
    );
}

#[test]
fn a_result_over_the_limit_is_refused_and_the_step_is_not_done() {
    let place = Place::new();
    let store = Store::options().value_bytes_max(1000).open(place.path()).unwrap();
    let error = attempt(&store, &a(), 1).step("x", || Ok::<_, String>("x".repeat(2000))).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Invalid);
    assert!(error.to_string().starts_with("the result of step x can't be recorded: "), "{error}");
    assert_eq!(attempt(&store, &a(), 2).steps().unwrap()[0].1.state, StepState::Failed);
    assert_eq!(attempt(&store, &a(), 3).step("x", || Ok::<_, String>("short".to_owned())).unwrap(), "short");
    // Keys of JSON objects are text.
    let by_pair = || Ok::<_, String>(std::collections::BTreeMap::from([((1, 2), 3)]));
    let error = attempt(&store, &scope("task/b"), 1).step("x", by_pair).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Invalid);
}

#[test]
fn a_zombie_runs_nothing() {
    let (place, ran) = (Place::new(), Cell::new(0));
    let store = place.open();
    let old = attempt(&store, &a(), 1);
    attempt(&store, &a(), 2);
    assert_eq!(says(&old, "x", 1, &ran).unwrap_err().kind(), ErrorKind::Fenced);
    assert_eq!(ran.get(), 0);
    // One that is overtaken while it runs does not get its result in.
    let task = attempt(&store, &a(), 2);
    let overtaken = task.step("x", || Ok::<_, String>(attempt(&store, &a(), 3).scope().to_string()));
    assert_eq!(overtaken.unwrap_err().kind(), ErrorKind::Fenced);
    assert_eq!(says(&attempt(&store, &a(), 3), "x", 7, &ran).unwrap(), 7);
}

#[test]
fn a_replay_runs_what_came_after() {
    let (place, ran) = (Place::new(), Cell::new(0));
    let store = place.open();
    let run = |number: u32| {
        let task = attempt(&store, &a(), number);
        let extract = says(&task, "extract", number, &ran).unwrap();
        task.commit().set(&a(), "state", format!("after {extract}").as_bytes()).durable().unwrap();
        store.checkpoint(&a(), "extracted").unwrap();
        let pages = [1, 2].map(|n| says(&task, ("page", n), number, &ran).unwrap());
        task.commit().set(&a(), "state", b"paged").durable().unwrap();
        (extract, pages, says(&task, "report", number, &ran).unwrap())
    };
    assert_eq!(run(1), (1, [1, 1], 1));
    let ann = || store.task(&a(), milepost::Writer::new("ann").unwrap()).unwrap();
    ann().replay_from(Step::from(("page", 2))).unwrap();
    assert_eq!(store.get(&a(), "state").unwrap().as_deref(), Some(&b"after 1"[..]));
    assert_eq!(run(2), (1, [1, 2], 2));
    ann().replay_from(Step::new("page")).unwrap();
    assert_eq!(run(3), (1, [3, 3], 3));
    ann().replay_from(CheckpointName::parse("extracted").unwrap()).unwrap();
    assert_eq!(run(4), (1, [4, 4], 4));
    ann().replay_from(Step::new("extract")).unwrap();
    assert_eq!(run(5), (5, [5, 5], 5));
    // What they had said before is in the history.
    let said = store.history(&a()).key(".step/report").iter().filter_map(|change| {
        let record: milepost::task::StepRecord = serde_json::from_slice(&change.unwrap().new?).unwrap();
        Some(record.result?.get().to_owned())
    });
    assert_eq!(said.collect::<Vec<_>>(), ["1", "2", "3", "4", "5"]);
    assert_eq!(ann().replay_from(Step::new("never")).unwrap_err().kind(), ErrorKind::NotYet);
    let none = ann().replay_from(CheckpointName::parse("never").unwrap()).unwrap_err();
    assert_eq!(none.kind(), ErrorKind::NoCheckpoint);
    assert_eq!(store.view(At::Latest).unwrap().get(&a(), "state").unwrap().as_deref(), Some(&b"paged"[..]));
}

/// A name that looks like a step of a loop shared its key: the second one got the result of the first.
#[test]
fn no_two_names_are_one_step() {
    let place = Place::new();
    let store = place.open();
    let steps = || {
        [
            Step::new("load[0]"),
            Step::from(("load", "0")),
            Step::from(("load", "0]")),
            Step::from(("load", "[0")),
            Step::from(("load[0]", "0")),
            Step::from(("load", "0][0")),
            Step::new("load[0][0]"),
            Step::new("load%5B0]"),
            Step::new("load%255B0]"),
            Step::from(("load%5B0]", "")),
            Step::from(("load", "")),
            Step::new("load[]"),
            Step::new("load"),
            Step::new("a/b"),
            Step::new("a%2Fb"),
            Step::from(("a", "/b")),
            Step::new("."),
            Step::new("%2E"),
            Step::from(("", "x")),
            Step::new("[x]"),
        ]
    };
    for number in 1..=2 {
        let task = attempt(&store, &a(), number);
        let said: Vec<u32> = steps()
            .into_iter()
            .zip(0..)
            .map(|(step, what)| says(&task, step.in_any_order(), what, &Cell::new(0)).unwrap())
            .collect();
        assert_eq!(said, (0..steps().len() as u32).collect::<Vec<_>>());
    }
    assert_eq!(attempt(&store, &a(), 3).steps().unwrap().len(), steps().len());
    // In a parent as well, whose own name has a bracket.
    let task = attempt(&store, &scope("task/b"), 1);
    task.step(("load", 0), || says(&task, "inner", 1, &Cell::new(0))).unwrap();
    let other = || says(&task, "inner", 2, &Cell::new(0));
    assert_eq!(task.step("load[0]", other).unwrap(), 2);
}

/// What a call was refused for is told again, not that the step was called twice.
#[test]
fn a_refused_call_leaves_its_place() {
    let place = Place::new();
    let store = place.open();
    let ran = Cell::new(0);
    says(&attempt(&store, &a(), 1), Step::new("x").input("abc"), 7, &ran).unwrap();
    store.set(&a(), ".step/other", b"by hand").unwrap();
    let task = attempt(&store, &a(), 2);
    for _ in 0..2 {
        let error = says(&task, Step::new("x").input("abcd"), 1, &ran).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Changed, "{error}");
    }
    for _ in 0..2 {
        let error = task.step(Step::new("x").input("abc"), || Ok::<Vec<String>, String>(vec![])).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::OtherType, "{error}");
    }
    for _ in 0..2 {
        let error = says(&task, "other", 1, &ran).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::OtherType, "{error}");
    }
    assert_eq!(says(&task, Step::new("x").input("abc"), 1, &ran).unwrap(), 7);
    // Now it was called, and once more is twice.
    let error = says(&task, Step::new("x").input("abc"), 1, &ran).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Invalid, "{error}");
    assert_eq!(ran.get(), 1);
}

/// Whether a step would be refused after a replay is known before it, and asking appends nothing.
#[test]
fn what_a_replay_would_refuse_is_known_before() {
    let place = Place::new();
    let store = place.open();
    let task = attempt(&store, &a(), 1);
    says(&task, Step::new("x").input("abc"), 1, &Cell::new(0)).unwrap();
    store.checkpoint(&a(), "x is done").unwrap();
    says(&task, Step::new("y").input("abc"), 1, &Cell::new(0)).unwrap();
    let last = store.last();
    let checkpoint = || CheckpointName::parse("x is done").unwrap();
    let changed = |name: &str| Step::new(name).input("abcd");
    assert_eq!(task.check_replay(checkpoint(), &changed("x")).unwrap_err().kind(), ErrorKind::Changed);
    assert_eq!(task.check_replay(Step::new("y"), &changed("x")).unwrap_err().kind(), ErrorKind::Changed);
    task.check_replay(checkpoint(), &Step::new("x").input("abc")).unwrap();
    task.check_replay(checkpoint(), &changed("y")).unwrap();
    task.check_replay(Step::new("x"), &changed("x")).unwrap();
    let none = CheckpointName::parse("never").unwrap();
    assert_eq!(task.check_replay(none, &changed("x")).unwrap_err().kind(), ErrorKind::NoCheckpoint);
    assert_eq!(task.check_replay(Step::new("never"), &changed("x")).unwrap_err().kind(), ErrorKind::NotYet);
    assert_eq!(store.last(), last);
}

/// The error of a step was recorded whole. One that is longer than a value may be was not recorded at all: the caller
/// was told of the limit instead of what went wrong, and the step was `begun` for ever.
#[test]
fn a_long_error_is_cut_where_it_is_recorded() {
    let place = Place::new();
    let store = Store::options().value_bytes_max(1000).open(place.path()).unwrap();
    let text = "no room for é".repeat(200);
    let error = attempt(&store, &a(), 1).step("x", || Err::<(), _>(text.clone())).unwrap_err();
    assert_eq!((error.kind(), error.to_string()), (ErrorKind::Caller, format!("step x failed: {text}")));
    let record = attempt(&store, &a(), 2).steps().unwrap().remove(0).1;
    let recorded = record.error.unwrap();
    assert_eq!(record.state, StepState::Failed);
    assert!(text.starts_with(recorded.strip_suffix('…').unwrap()) && recorded.len() > 200, "{recorded}");
}

/// A replay that finds nothing to put back was answered with the last commit to an attempt that had been overtaken,
/// where every other pattern refuses it: it went on, and ran into the refusal later.
#[test]
fn a_zombie_replays_nothing() {
    let place = Place::new();
    let store = place.open();
    let old = attempt(&store, &a(), 1);
    store.checkpoint(&a(), "here").unwrap();
    let here = || CheckpointName::parse("here").unwrap();
    let last = store.last();
    assert_eq!(old.replay_from(here()).unwrap(), last);
    attempt(&store, &a(), 2);
    assert_eq!(old.replay_from(here()).unwrap_err().kind(), ErrorKind::Fenced);
}

/// The begin of a step was looked for as the newest change before which there was no record. Where retention had taken
/// the record before a change away, that looked the same, and the scope was put back to a moment within the step.
#[test]
fn a_begin_that_is_not_kept_is_not_replayed_from() {
    let place = Place::new();
    let store = place.open_small();
    store.retention().set(&(&a()).into(), Policy::default().keep_last(2)).unwrap();
    let fails = |number| attempt(&store, &a(), number).step("load", || Err::<u32, _>("no network")).unwrap_err();
    for number in 1..60 {
        assert_eq!(fails(number).kind(), ErrorKind::Caller);
        store.set(&a(), "beside", &[b'x'; 100]).unwrap();
    }
    let done = store.compact().unwrap();
    assert!(done.dropped + done.rewritten > 0, "{done:?}");
    let error = attempt(&store, &a(), 59).replay_from(Step::new("load")).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::BeforeHorizon, "{error}");
    assert!(error.to_string().contains("step load"), "{error}");
    assert_eq!(store.get(&a(), "beside").unwrap().map(|value| value.len()), Some(100));
    assert_eq!(attempt(&store, &a(), 59).steps().unwrap()[0].1.attempts, 59, "nothing was put back");
}
