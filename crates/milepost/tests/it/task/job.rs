//! A job is submitted once, whatever happens between; what is recorded decides what a run does first.

use std::{cell::RefCell, collections::BTreeSet, time::Duration};

use milepost::{
    ErrorKind, Result, Store,
    backup::{self, Until},
    task::{Bytes, Job, JobRecord, JobState, Pace, Polled},
};

use super::attempt;
use crate::{Place, scope};

/// A remote side that does what it is told and keeps account.
#[derive(Default)]
struct Remote {
    submitted: RefCell<Vec<String>>,
    calls: RefCell<Vec<String>>,
    polls: RefCell<Vec<Polled>>,
}

impl Remote {
    /// One whose polls see this, the last one again and again.
    fn new(polls: impl IntoIterator<Item = Polled>) -> Remote {
        let mut polls: Vec<_> = polls.into_iter().collect();
        polls.reverse();
        Remote { polls: RefCell::new(polls), ..Remote::default() }
    }

    fn run(&self, job: &Job) -> Result<Bytes> {
        job.run(|token| self.submit(token), |token| self.find(token), |id| self.poll(id))
    }

    fn submit(&self, token: &str) -> Result<String, String> {
        self.calls.borrow_mut().push("submit".into());
        self.submitted.borrow_mut().push(token.to_owned());
        Ok(format!("id-{}", self.submitted.borrow().len()))
    }

    fn find(&self, token: &str) -> Result<Option<String>, String> {
        self.calls.borrow_mut().push("find".into());
        let at = self.submitted.borrow().iter().position(|known| known == token);
        Ok(at.map(|at| format!("id-{}", at + 1)))
    }

    fn poll(&self, id: &str) -> Result<Polled, String> {
        self.calls.borrow_mut().push(format!("poll {id}"));
        let mut polls = self.polls.borrow_mut();
        if polls.len() > 1 { Ok(polls.pop().unwrap()) } else { Ok(polls[0].clone()) }
    }

    fn calls(&self) -> Vec<String> {
        self.calls.take()
    }
}

fn done() -> Polled {
    Polled::Finished("ok".into())
}

fn pending(status: &str) -> Polled {
    Polled::Pending(status.into())
}

const AT_ONCE: Pace = Pace { first: Duration::ZERO, longest: Duration::ZERO, timeout: None };

fn job(store: &Store, number: u32) -> Job {
    attempt(store, &scope("task/a"), number).job("build").unwrap().pace(AT_ONCE)
}

#[test]
fn a_finished_job_answers_for_ever() {
    let place = Place::new();
    let store = place.open();
    let remote = Remote::new([pending("QUEUED"), pending("RUNNING"), pending("RUNNING"), done()]);
    assert_eq!(&*remote.run(&job(&store, 1)).unwrap(), b"ok");
    assert_eq!(remote.calls(), ["submit", "poll id-1", "poll id-1", "poll id-1", "poll id-1"]);
    let last = store.last().seq;
    // The claim, the intent, the id, two statuses, the end.
    assert_eq!(last.0, 6);
    assert_eq!(&*remote.run(&job(&store, 2)).unwrap(), b"ok");
    assert_eq!(remote.calls(), Vec::<String>::new());
}

#[test]
fn a_retry_goes_on_with_the_job_that_is_there() {
    let place = Place::new();
    let store = place.open();
    let remote = Remote::new([done()]);
    let down = |_: &str| Err("down".to_owned());
    // The submit fails before anything reached the remote side.
    let error = job(&store, 1).run(|_| Err("refused"), |_| Ok(None), |_| Ok(done())).unwrap_err();
    assert_eq!((error.kind(), error.to_string().as_str()), (ErrorKind::Caller, "submit of job build failed: refused"));
    // It reached it, but the answer did not come back.
    let lost = |token: &str| remote.submit(token).and(Err("lost".to_owned()));
    job(&store, 2).run(lost, |token| remote.find(token), down).unwrap_err();
    assert_eq!(remote.calls(), ["find", "submit"]);
    // It is found, and the poll fails.
    job(&store, 3).run(|_| unreachable!(), |token| remote.find(token), down).unwrap_err();
    assert_eq!(remote.calls(), ["find"]);
    assert_eq!(&*remote.run(&job(&store, 4)).unwrap(), b"ok");
    assert_eq!(remote.calls(), ["poll id-1"]);
}

#[test]
fn a_changed_request_is_refused_unless_told_otherwise() {
    let place = Place::new();
    let store = place.open();
    let remote = Remote::new([done()]);
    remote.run(&job(&store, 1).request("commit 1")).unwrap();
    remote.calls();
    let error = remote.run(&job(&store, 2).request("commit 2")).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Changed);
    assert!(error.to_string().starts_with("job build was begun with another request (fingerprint "), "{error}");
    assert_eq!(remote.run(&job(&store, 2)).unwrap_err().kind(), ErrorKind::Changed);
    assert_eq!(remote.calls(), Vec::<String>::new());
    remote.run(&job(&store, 3).request("commit 2").restart_if_changed()).unwrap();
    assert_eq!(remote.calls(), ["submit", "poll id-2"]);
    remote.run(&job(&store, 3).request("commit 2").restart_if_changed()).unwrap();
    assert_eq!(remote.calls(), Vec::<String>::new());
}

#[test]
fn a_failed_job_stays_so_unless_told_otherwise() {
    let place = Place::new();
    let store = place.open();
    let remote = Remote::new([Polled::Failed("no memory".into()), Polled::Cancelled, done()]);
    let error = remote.run(&job(&store, 1)).unwrap_err();
    assert_eq!(
        (error.kind(), error.to_string().as_str()),
        (ErrorKind::Failed, "job build failed (remote id id-1): no memory")
    );
    assert_eq!(remote.run(&job(&store, 2)).unwrap_err().to_string(), error.to_string());
    let error = remote.run(&job(&store, 2).restart_if_failed()).unwrap_err();
    assert_eq!(error.to_string(), "job build was cancelled (remote id id-2)");
    remote.run(&job(&store, 2).restart_if_failed()).unwrap();
    remote.run(&job(&store, 2).restart_if_failed()).unwrap();
    let tokens = remote.submitted.take();
    assert_eq!(tokens.len(), 3);
    assert!(tokens[0] != tokens[1] && tokens[1] != tokens[2], "a new intent has a new token: {tokens:?}");
    job(&store, 2).reset().unwrap();
    remote.run(&job(&store, 2)).unwrap();
    assert_eq!(remote.submitted.take().len(), 1);
}

#[test]
fn a_poll_that_never_ends_is_over_in_time() {
    let place = Place::new();
    let store = place.open();
    let remote = Remote::new([pending("RUNNING")]);
    let pace = Pace { timeout: Some(Duration::from_millis(20)), ..AT_ONCE };
    let error = remote.run(&job(&store, 1).pace(pace)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::TimedOut);
    assert!(error.to_string().contains("its status is RUNNING; it goes on"), "{error}");
    let record = job(&store, 1).get().unwrap().unwrap();
    assert_eq!((record.state, record.status.as_deref()), (JobState::Submitted, Some("RUNNING")));
    assert_eq!(remote.submitted.borrow().len(), 1);
}

/// A future that never is ready is dropped when the time is over.
#[test]
fn an_async_poll_that_never_returns_is_dropped() {
    let place = Place::new();
    let store = place.open();
    let pace = Pace { timeout: Some(Duration::from_millis(20)), ..AT_ONCE };
    let job = job(&store, 1).pace(pace);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    let error = runtime.block_on(job.run_async(
        async |_| Ok::<_, String>("7".to_owned()),
        async |_| Ok(None),
        async |_| std::future::pending().await,
        tokio::time::sleep,
    ));
    assert_eq!(error.unwrap_err().kind(), ErrorKind::TimedOut);
    // The next run has all the time it wants.
    let job = self::job(&store, 1).pace(AT_ONCE);
    let polls = RefCell::new(vec![done(), pending("RUNNING")]);
    let result = runtime.block_on(job.run_async(
        async |_| unreachable!(),
        async |_| unreachable!(),
        async |id| Ok::<_, String>(polls.borrow_mut().pop().filter(|_| id == "7").unwrap()),
        tokio::time::sleep,
    ));
    assert_eq!(&*result.unwrap(), b"ok");
}

#[test]
fn a_cancelled_job_ends_the_run_that_waits_for_it() {
    let place = Place::new();
    let store = place.open();
    let waiting = job(&store, 1);
    let mut polls = 0;
    let error = waiting.run(
        |_| Ok::<_, String>("7".into()),
        |_| Ok(None),
        |_| {
            polls += 1;
            let remote = |record: &JobRecord| if record.id.as_deref() == Some("7") { Ok(()) } else { Err("which?") };
            job(&store, 1).cancel(remote).unwrap();
            Ok(pending("RUNNING"))
        },
    );
    assert_eq!(error.unwrap_err().to_string(), "job build was cancelled (remote id 7)");
    assert_eq!(polls, 1);
    // One that has ended is not cancelled again, nor is one that never began.
    waiting.cancel(|_| -> Result<(), String> { unreachable!() }).unwrap();
    waiting.reset().unwrap();
    waiting.cancel(|_| -> Result<(), String> { unreachable!() }).unwrap();
    // What the remote side does not let go is not recorded as cancelled.
    waiting.run(|_| Ok("8".into()), |_| Ok(None), |_| Err("down")).unwrap_err();
    assert_eq!(waiting.cancel(|_| Err("no")).unwrap_err().kind(), ErrorKind::Caller);
    assert_eq!(waiting.get().unwrap().unwrap().state, JobState::Submitted);
}

/// Who cancels while the submit is under way knows no id, and the remote side no token yet. The id that came back was
/// recorded nowhere and told to nobody, and the job ran on.
#[test]
fn a_job_that_is_cancelled_while_it_is_submitted_keeps_its_id() {
    let place = Place::new();
    let store = place.open();
    let (submitting, mut asked) = (job(&store, 1), 0);
    let error = submitting.run(
        |_| {
            let remote = |record: &JobRecord| {
                asked += 1;
                if record.id.is_none() { Ok(()) } else { Err("which?") }
            };
            job(&store, 1).cancel(remote).unwrap();
            Ok::<_, String>("7".into())
        },
        |_| Ok(None),
        |_| unreachable!(),
    );
    assert_eq!(error.unwrap_err().to_string(), "job build was cancelled (remote id 7)");
    let record = submitting.get().unwrap().unwrap();
    assert_eq!((asked, record.state, record.id.as_deref()), (1, JobState::Cancelled, Some("7")));
}

/// A store that was put back from a backup counts its commits on from there: an intent had the token of another one,
/// which the remote side knew, and the result of that was taken for its own.
#[test]
fn no_token_comes_twice_after_a_backup_was_restored() {
    let place = Place::new();
    let (store, elsewhere) = (place.open(), tempfile::tempdir().unwrap());
    let (backups, restored) = (elsewhere.path().join("backups"), elsewhere.path().join("restored"));
    store.task(&scope("task/build"), milepost::Writer::new("w").unwrap().attempt(1)).unwrap();
    store.backup(&backups).unwrap();
    let tokens_of = |store: &Store| -> BTreeSet<String> {
        let job = job(store, 1);
        let token = |_| {
            job.run(|_| Err("down"), |_| Ok(None), |_| Ok(done())).unwrap_err();
            let token = job.get().unwrap().unwrap().token;
            job.reset().unwrap();
            token
        };
        (0..5).map(token).collect()
    };
    let before = tokens_of(&store);
    store.close().unwrap();
    backup::restore(&backups, &restored, Until::Newest, &mut |_, _| {}).unwrap();
    let again = Store::open(&restored).unwrap();
    // As many commits as the note of the backup was.
    again.set(&scope("other"), "k", b"1").unwrap();
    let after = tokens_of(&again);
    assert_eq!((before.len(), after.len()), (5, 5));
    assert!(before.is_disjoint(&after), "{before:?} {after:?}");
    again.close().unwrap();
}

#[test]
fn a_zombie_submits_nothing() {
    let place = Place::new();
    let store = place.open();
    let remote = Remote::new([done()]);
    let old = job(&store, 1);
    let new = job(&store, 2);
    assert_eq!(remote.run(&old).unwrap_err().kind(), ErrorKind::Fenced);
    assert_eq!(remote.calls(), Vec::<String>::new());
    remote.run(&new).unwrap();
    assert_eq!(remote.submitted.borrow().len(), 1);
}

/// A newer attempt takes over between the submit and its record.
#[test]
fn what_a_zombie_submitted_is_found() {
    let place = Place::new();
    let store = place.open();
    let remote = Remote::new([done()]);
    let taken_over = |token: &str| {
        let id = remote.submit(token);
        attempt(&store, &scope("task/a"), 2);
        id
    };
    let error = job(&store, 1).run(taken_over, |token| remote.find(token), |id| remote.poll(id)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Fenced);
    remote.run(&job(&store, 2)).unwrap();
    assert_eq!(remote.calls(), ["submit", "find", "poll id-1"]);
}

#[test]
fn one_run_at_a_time() {
    let place = Place::new();
    let store = place.open();
    let again = |_: &str| {
        let error = job(&store, 1).run(|_| Err("twice"), |_| Err("twice"), |_| Err("twice")).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Busy);
        Ok::<_, String>("7".into())
    };
    job(&store, 1).run(again, |_| Ok(None), |_| Ok(done())).unwrap();
    job(&store, 1).run(|_| Err("twice"), |_| Err("twice"), |_| Err("twice")).unwrap();
}

#[test]
fn what_is_no_job_is_left_as_it_is() {
    let place = Place::new();
    let store = place.open();
    store.set(&scope("task/a"), ".job/build", b"mine").unwrap();
    let remote = Remote::new([done()]);
    let error = remote.run(&job(&store, 1)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::OtherType);
    assert!(error.to_string().starts_with("key .job/build of scope task/a is no job: commit 1 set it"), "{error}");
    assert_eq!(remote.calls(), Vec::<String>::new());
}

#[test]
fn any_bytes_are_a_result() {
    let place = Place::new();
    let store = place.open();
    for (number, bytes) in [&b""[..], b"text", &[0xff, 0, 7]].into_iter().enumerate() {
        let job = attempt(&store, &scope("task/a"), 1).job(&number.to_string()).unwrap();
        let run = || job.run(|_| Ok::<_, String>("7".into()), |_| Ok(None), |_| Ok(Polled::Finished(bytes.into())));
        assert_eq!(&*run().unwrap(), bytes);
        assert_eq!(&*run().unwrap(), bytes);
    }
}

/// What is found is an intent of an earlier run: whoever goes on with it must still be the newest attempt when it acts.
#[test]
fn a_zombie_does_not_go_on_with_an_intent() {
    let place = Place::new();
    let store = place.open();
    let remote = Remote::new([done()]);
    let old = job(&store, 1);
    old.run(|_| Err("refused"), |_| Ok(None), |_| Ok(done())).unwrap_err();
    let new = job(&store, 2);
    assert_eq!(remote.run(&old).unwrap_err().kind(), ErrorKind::Fenced);
    assert_eq!(remote.calls(), Vec::<String>::new());
    // A newer one takes over while it looks for the token.
    let taken_over = |token: &str| {
        job(&store, 3);
        remote.find(token)
    };
    let error = new.run(|token| remote.submit(token), taken_over, |id| remote.poll(id)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Fenced);
    assert_eq!(remote.calls(), ["find"]);
    remote.run(&job(&store, 3)).unwrap();
    assert_eq!(remote.calls(), ["find", "submit", "poll id-1"]);
}

#[test]
fn a_zombie_cancels_nothing() {
    let place = Place::new();
    let store = place.open();
    let old = job(&store, 1);
    old.run(|_| Ok("7".to_owned()), |_| Ok(None), |_| Err("down")).unwrap_err();
    let new = job(&store, 2);
    let mut cancelled = 0;
    let mut cancel = |job: &Job| {
        job.cancel(|_| {
            cancelled += 1;
            Ok::<_, String>(())
        })
    };
    assert_eq!(cancel(&old).unwrap_err().kind(), ErrorKind::Fenced);
    cancel(&new).unwrap();
    assert_eq!(cancelled, 1, "the zombie called its cancel");
}

/// A job is cancelled, by somebody who claims nothing, while a run looks for its token.
#[test]
fn an_intent_that_is_cancelled_meanwhile_is_not_submitted() {
    let place = Place::new();
    let store = place.open();
    let remote = Remote::new([done()]);
    let job = store.task(&scope("task/a"), milepost::Writer::new("w").unwrap()).unwrap().job("build").unwrap();
    job.run(|_| Err("refused"), |_| Ok(None), |_| Ok(done())).unwrap_err();
    let cancelled = |token: &str| {
        job.cancel(|_| Ok::<_, String>(())).unwrap();
        remote.find(token)
    };
    let error = job.run(|token| remote.submit(token), cancelled, |id| remote.poll(id)).unwrap_err();
    assert_eq!(error.to_string(), "job build was cancelled");
    assert_eq!(remote.calls(), ["find"]);
}

/// A result that no value can hold is refused by name; the job is where it was.
#[test]
fn a_result_over_the_limit_is_refused() {
    let place = Place::new();
    let store = place.open();
    let job = job(&store, 1);
    let long = Polled::Finished(vec![b'x'; milepost::limits::VALUE_BYTES_MAX].into());
    let error = job.run(|_| Ok::<_, String>("7".into()), |_| Ok(None), |_| Ok(long.clone())).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Invalid);
    let text = error.to_string();
    assert!(text.starts_with("what the remote side says of job build can't be recorded: value has 167"), "{text}");
    assert!(text.ends_with("; keep it elsewhere and return where it is"), "{text}");
    assert_eq!(job.get().unwrap().unwrap().state, JobState::Submitted);
    job.run(|_| Err("twice"), |_| Err("twice"), |_| Ok(done())).unwrap();
}
