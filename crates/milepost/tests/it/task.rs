//! The task patterns: what each promises, and who tries to break it.

mod job; // submitted once, found again
mod step; // a result stays what it is
mod watermark; // it never goes back but by a reset

use milepost::{ErrorKind, Scope, Store, Task, Writer};

/// A task of this scope in an attempt.
fn attempt(store: &Store, scope: &Scope, number: u32) -> Task {
    store.task(scope, Writer::new("worker").unwrap().attempt(number)).unwrap()
}

/// FAULTS A9: a worker that was held up finds that another one has taken the task over, by a higher attempt: whatever
/// it goes on with is refused, and leaves nothing. So it is with handles that it had before, and with one it opens
/// now.
#[test]
fn an_overtaken_attempt_is_refused_whatever_it_writes() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path()).unwrap();
    let scope = Scope::parse("task/a").unwrap();
    let old = attempt(&store, &scope, 1);
    let watermark = old.watermark::<i64>("id").unwrap();
    watermark.advance(1).unwrap();
    let progress = old.progress("items").unwrap();
    progress.done("a").unwrap();
    progress.failed("b", "no").unwrap();
    progress.flush().unwrap();
    old.step("x", || Ok::<_, String>(1)).unwrap();
    old.commit().checkpoint(&scope, "before").durable().unwrap();
    let job = old.job("j").unwrap();
    let asset = Scope::parse("asset").unwrap();

    let new = attempt(&store, &scope, 2);
    let last = store.last();
    type Act<'a> = Box<dyn Fn() -> milepost::Result<()> + 'a>;
    let acts: Vec<(&str, Act<'_>)> = vec![
        ("commit", Box::new(|| old.commit().set(&scope, "k", b"1").durable().map(drop))),
        ("commit elsewhere", Box::new(|| old.on(&asset).commit().set(&asset, "k", b"1").durable().map(drop))),
        ("end", Box::new(|| old.end().map(drop))),
        ("step", Box::new(|| old.step("y", || -> Result<u32, String> { panic!("it ran") }).map(drop))),
        ("replay", Box::new(|| old.replay_from(milepost::task::Step::new("x")).map(drop))),
        ("watermark", Box::new(|| watermark.advance(2).map(drop))),
        ("watermark elsewhere", Box::new(|| old.on(&asset).watermark::<i64>("id")?.advance(2).map(drop))),
        ("watermark put back", Box::new(|| watermark.reset(0, "why not").map(drop))),
        ("job", Box::new(|| job.run(|_| never(), |_| never(), |_| never()).map(drop))),
        ("progress", Box::new(|| progress.done("c").and_then(|()| progress.flush()))),
        ("progress put back", Box::new(|| progress.reset_all())),
        ("progress tried again", Box::new(|| progress.retry_failed().map(drop))),
        ("opened anew", Box::new(|| store.task(&scope, Writer::new("worker")?.attempt(1)).map(drop))),
    ];
    for (what, act) in &acts {
        let error = act().expect_err(what);
        assert_eq!(error.kind(), ErrorKind::Fenced, "{what}: {error}");
        assert_eq!(store.last().seq, last.seq, "{what} left something");
    }
    new.watermark::<i64>("id").unwrap().advance(7).unwrap();
    assert_eq!(watermark.get().unwrap(), Some(7), "reads go on");
}

/// What is not asked of anybody once the task is taken over.
fn never<T>() -> Result<T, String> {
    panic!("it was asked")
}
