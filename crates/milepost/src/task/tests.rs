//! Names of what the patterns keep.

use milepost_types::{Scope, Writer};

use crate::{ErrorKind, Store, Task};

fn task() -> (tempfile::TempDir, Task) {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path()).unwrap();
    let task = store.task(&Scope::parse("task/a").unwrap(), Writer::new("w").unwrap()).unwrap();
    (dir, task)
}

#[test]
fn names_become_keys_and_segments() {
    let (_dir, task) = task();
    assert_eq!(task.key("job", "name of a job", "emr/1").unwrap().as_str(), ".job/emr/1");
    let cases = [("plain", "plain"), ("a/b", "a%2Fb"), ("50%", "50%25"), ("a%2Fb", "a%252Fb"), ("..", "%2E%2E")];
    for (name, expected) in cases {
        let scope = task.scope_below("progress", name).unwrap();
        assert_eq!(scope.as_str(), format!("task/a/.progress/{expected}"));
    }
}

#[test]
fn names_have_the_limits_of_keys() {
    let (_dir, task) = task();
    let longest = "x".repeat(1024 - ".job/".len());
    assert!(task.key("job", "name of a job", &longest).is_ok());
    for name in ["", "a\0b", &format!("{longest}x")] {
        assert_eq!(task.key("job", "name of a job", name).unwrap_err().kind(), ErrorKind::Invalid, "{name:?}");
    }
    assert_eq!(task.scope_below("progress", "").unwrap_err().kind(), ErrorKind::Invalid);
}

/// Opening twice in one attempt is what a restart is; an attempt of the same number elsewhere is an accident.
#[test]
fn claims() {
    let (_dir, task) = task();
    let (store, scope) = (task.store(), task.scope());
    let open = |name: &str, attempt| store.task(scope, Writer::new(name).unwrap().attempt(attempt));
    let first = open("a", 1).unwrap();
    open("a", 1).unwrap();
    let error = open("b", 1).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Fenced);
    assert!(
        error.to_string().contains("attempt 1 of writer b for scope task/a is taken: it is that of writer a; a new"),
        "{error}"
    );
    open("b", 2).unwrap();
    let error = first.commit().set(scope, "k", b"").durable().unwrap_err();
    let text = "attempt 1 of writer a for scope task/a is not the highest: attempt 2 of writer b was seen";
    assert!(error.to_string().contains(text), "{error}");
    assert_eq!(open("a", 1).unwrap_err().kind(), ErrorKind::Fenced);
    // One without an attempt claims nothing, and is not refused.
    task.commit().set(scope, "k", b"").durable().unwrap();
    // Nor does a claim hold for the scopes below.
    let below = Scope::parse("task/a/b").unwrap();
    first.store().task(&below, Writer::new("a").unwrap().attempt(1)).unwrap();
}

/// FAULTS: the highest number there is would be the last attempt for good, and it is what `-1` becomes.
#[test]
fn the_highest_attempt_is_refused() {
    let (_dir, task) = task();
    let open = |number| task.store().task(task.scope(), Writer::new("a").unwrap().attempt(number));
    let error = open(u32::MAX).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Invalid);
    assert_eq!(error.to_string(), "attempt has 4294967295 as its number, allowed are 0 to 4294967294");
    open(1).unwrap();
    open(u32::MAX - 1).unwrap();
}

/// What is too long is said of the name that was given, with the limit that it has there.
#[test]
fn a_long_name_is_told_as_it_was_given() {
    let (_dir, task) = task();
    let texts = |bytes: usize| {
        let name = "x".repeat(bytes);
        [
            task.watermark::<i64>(&name).err().map(|error| error.to_string()),
            task.job(&name).err().map(|error| error.to_string()),
            task.step(name.as_str(), || Ok::<_, String>(1)).err().map(|error| error.to_string()),
        ]
    };
    assert_eq!(texts(1007), [None, None, None]);
    let told = |what: &str, most: usize, given: usize| {
        Some(format!("name of a {what} has {given} bytes, allowed are 1 to {most}"))
    };
    assert_eq!(texts(1020), [told("watermark", 1007, 1020), told("job", 1019, 1020), told("step", 1018, 1020)]);
    assert_eq!(texts(0), [told("watermark", 1007, 0), told("job", 1019, 0), told("step", 1018, 0)]);
}
