//! What the task patterns keep under a key: any bytes as a step, a job or a watermark. What is read is written again as
//! the same, and what can't be read is left as it is.

use milepost::{
    ContentType, ErrorKind, Scope, SetOptions, Store, Task, Writer,
    task::{AnyMark, Bytes, Polled, StepState},
};

use crate::store::empty;

/// The key of each pattern, and what its values have for a content type.
const PATTERNS: [(&str, &str); 6] = [
    (".step/x", "application/json;milepost=step"),
    (".job/x", "application/json;milepost=job"),
    (".watermark/x", "application/x-milepost-watermark;type=integer"),
    (".watermark/x", "application/x-milepost-watermark;type=timestamp"),
    (".watermark/x", "application/x-milepost-watermark;type=text"),
    (".watermark/x", "application/x-milepost-watermark;type=bytes"),
];

/// A byte for whose record the others are, then those.
pub fn check(bytes: &[u8]) {
    let Some((whose, record)) = bytes.split_first() else { return };
    let (key, content_type) = PATTERNS[usize::from(*whose) % PATTERNS.len()];
    let (store, scope) = (empty(), Scope::parse("task/load").unwrap());
    let options = SetOptions { content_type: ContentType::parse(content_type).ok(), ..SetOptions::default() };
    store.commit().set_with(&scope, key, record, &options).durable().unwrap();
    let task = store.task(&scope, Writer::new("worker-7").unwrap().attempt(1)).unwrap();
    let is_left = match key {
        ".step/x" => step(&task),
        ".job/x" => job(&task),
        _ => watermark(&task),
    };
    if is_left {
        assert_eq!(*store.get(&scope, key).unwrap().unwrap(), *record, "what can't be read was changed");
    }
}

/// Whether it must be as it was.
fn step(task: &Task) -> bool {
    let run = || task.step("x", || Ok::<_, String>(Bytes::from("ran")));
    let Ok(steps) = task.steps() else {
        assert!(matches!(run().unwrap_err().kind(), ErrorKind::OtherType | ErrorKind::Corrupt));
        return true;
    };
    let (name, record) = &steps[0];
    assert_eq!(name, "x");
    let text = serde_json::to_string(record).unwrap();
    let again: milepost::task::StepRecord = serde_json::from_str(&text).unwrap();
    assert_eq!(serde_json::to_string(&again).unwrap(), text);
    if record.state == StepState::Done {
        let _ = run();
        return true;
    }
    if run().is_ok() {
        assert_eq!(task.steps().unwrap()[0].1.state, StepState::Done);
    }
    false
}

fn job(task: &Task) -> bool {
    let job = task.job("x").unwrap().restart_if_changed();
    let Ok(record) = job.get() else {
        assert!(run(&job).is_err());
        return true;
    };
    let record = record.unwrap();
    let text = serde_json::to_string(&record).unwrap();
    assert_eq!(serde_json::from_str::<milepost::task::JobRecord>(&text).unwrap(), record);
    if run(&job).is_ok() {
        assert_eq!(job.get().unwrap().unwrap().state, milepost::task::JobState::Finished);
    }
    false
}

fn run(job: &milepost::task::Job) -> milepost::Result<Bytes> {
    let id = || "id".to_owned();
    job.run(|_| Ok::<_, String>(id()), |_| Ok(Some(id())), |_| Ok(Polled::Finished(Bytes::from("ran"))))
}

fn watermark(task: &Task) -> bool {
    let named = |name: &str| task.watermark::<AnyMark>(name).unwrap();
    let Ok(found) = named("x").get() else {
        assert!(named("x").advance(AnyMark::Integer(7)).is_err());
        return true;
    };
    let found = found.unwrap();
    assert!(!found.to_string().contains('\u{1b}') || matches!(found, AnyMark::Text(_)));
    if let Ok(receipt) = named("y").advance(found.clone()) {
        assert_eq!(named("y").get().unwrap(), Some(found.clone()));
        assert_eq!(named("y").advance(found.clone()).unwrap(), receipt, "it stands where it stood");
    }
    for moved in named("x").history() {
        assert_eq!(moved.unwrap().to.mark(), Some(&found));
    }
    true
}

/// A record of each pattern, as it is written.
pub(crate) fn seeds() -> Vec<(&'static str, Vec<u8>)> {
    let written = |whose: u8, key: &str, write: &dyn Fn(&Task)| {
        let (store, scope): (Store, _) = (empty(), Scope::parse("task/load").unwrap());
        write(&store.task(&scope, Writer::new("worker-7").unwrap()).unwrap());
        [&[whose][..], &store.get(&scope, key).unwrap().unwrap()].concat()
    };
    let marked = |whose: u8, mark: AnyMark| {
        let write = |task: &Task| {
            task.watermark("x").unwrap().advance(mark.clone()).unwrap();
        };
        written(whose, ".watermark/x", &write)
    };
    let done = |task: &Task| drop(task.step("x", || Ok::<_, String>(Bytes::from(vec![0xff, 0]))).unwrap());
    let failed = |task: &Task| drop(task.step("x", || Err::<Bytes, _>("no network")).unwrap_err());
    let submitted = |task: &Task| {
        let poll = |_: &str| Err("no network");
        let job = task.job("x").unwrap().request("a");
        drop(job.run(|_| Ok("id".to_owned()), |_| Ok(None), poll).unwrap_err());
    };
    let begun_too_often = format!(r#"{{"state":"begun","attempts":{}}}"#, u32::MAX).into_bytes();
    vec![
        ("step-done", written(0, ".step/x", &done)),
        ("step-failed", written(0, ".step/x", &failed)),
        ("step-begun-too-often", [&[0][..], &begun_too_often].concat()),
        ("job-finished", written(1, ".job/x", &|task| drop(run(&task.job("x").unwrap()).unwrap()))),
        ("job-submitted", written(1, ".job/x", &submitted)),
        (
            "job-result-in-base64",
            b"\x01{\"state\":\"finished\",\"token\":\"t\",\"result\":{\"base64\":\"/wA=\"}}".to_vec(),
        ),
        ("job-submitted-without-id", b"\x01{\"state\":\"submitted\",\"token\":\"t\"}".to_vec()),
        ("integer", marked(2, AnyMark::Integer(-7))),
        ("timestamp", marked(3, AnyMark::Timestamp(milepost::Timestamp(i64::MIN)))),
        ("text", marked(4, AnyMark::Text("orders/é".to_owned()))),
        ("bytes", marked(5, AnyMark::Bytes(vec![0, 0xff]))),
        ("integer-cut", vec![2, 0x80, 0, 0]),
    ]
}
