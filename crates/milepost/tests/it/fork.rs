//! A handle in a forked child says so; the parent is unhurt, and nothing hangs at the child's exit.

use std::{
    future::Future as _,
    pin::Pin,
    task::{Context, Poll, Waker},
};

use milepost::{At, ErrorKind, Seq, Store};
use rustix::process::{Pid, WaitOptions, waitpid};

use super::{Place, get, scope};

/// Runs `child` in a forked process, which exits with what it returns.
#[expect(unsafe_code, reason = "there is no safe fork: that is what is tested")]
fn start(child: impl FnOnce() -> i32) -> Pid {
    // SAFETY: the child runs code that other threads of the test binary may hold locks of, such as the allocator's;
    // glibc's fork leaves the allocator usable in the child, and the child ends by `_exit` without running anything
    // else.
    let pid = unsafe { libc::fork() };
    if pid == 0 {
        let code = std::panic::catch_unwind(std::panic::AssertUnwindSafe(child)).unwrap_or(99);
        // SAFETY: ends this process at once.
        unsafe { libc::_exit(code) };
    }
    Pid::from_raw(pid).unwrap()
}

fn exit_code(pid: Pid) -> i32 {
    let (_, status) = waitpid(Some(pid), WaitOptions::empty()).unwrap().unwrap();
    status.exit_status().unwrap_or(98)
}

fn in_a_child(child: impl FnOnce() -> i32) -> i32 {
    exit_code(start(child))
}

#[test]
fn the_child_is_told_and_the_parent_goes_on() {
    let place = Place::new();
    let store = place.open();
    let a = scope("a");
    store.set(&a, "k", b"1").unwrap();
    let mut watch = store.watch(Seq::FIRST);
    let said = in_a_child(|| {
        let kinds = [
            store.set(&a, "k", b"child").map(drop).unwrap_err().kind(),
            store.commit().set(&a, "k", b"child").submit().map(drop).unwrap_err().kind(),
            store.close().unwrap_err().kind(),
        ];
        if kinds == [ErrorKind::Forked; 3] { 0 } else { 1 }
    });
    // Reads are told as well: what the child would see stands still while the parent goes on.
    let read = in_a_child(|| {
        let kinds = [
            store.get(&a, "k").map(drop).unwrap_err().kind(),
            store.view(At::Latest).map(drop).unwrap_err().kind(),
            store.history(&a).iter().next().unwrap().map(drop).unwrap_err().kind(),
            store.replay(Seq::FIRST).next().unwrap().map(drop).unwrap_err().kind(),
            watch.try_next().map(drop).unwrap_err().kind(),
        ];
        if kinds == [ErrorKind::Forked; 5] { 0 } else { 1 }
    });
    assert_eq!(read, 0, "a read of the child was not told, or hung");
    assert_eq!(said, 0, "the child was not told, or hung");
    store.set(&a, "k", b"2").unwrap();
    assert_eq!(get(&store, &a, "k").as_deref(), Some(&b"2"[..]));
    store.close().unwrap();
    assert_eq!(place.open().last().seq.0, 2);
}

/// A commit that was on its way at the fork is the parent's: its ticket tells the child so, however it is asked,
/// instead of ending it or never coming to an end.
#[test]
fn a_ticket_from_before_the_fork_tells_the_child() {
    let place = Place::new();
    let store = place.open();
    let (a, large) = (scope("a"), vec![7; 4 << 20]);
    for is_awaited in [false, true] {
        // One that was durable when the process forked says that in both.
        let told = (0..50).any(|_| {
            let mut ticket = Some(store.commit().set(&a, "k", &large).submit().unwrap());
            let code = in_a_child(|| {
                let mut ticket = ticket.take().unwrap();
                let outcome = if is_awaited {
                    match Pin::new(&mut ticket).poll(&mut Context::from_waker(Waker::noop())) {
                        Poll::Ready(outcome) => outcome,
                        Poll::Pending => return 3,
                    }
                } else {
                    ticket.wait()
                };
                match outcome.map(drop).map_err(|error| error.kind()) {
                    Ok(()) => 1,
                    Err(ErrorKind::Forked) => 0,
                    Err(_) => 2,
                }
            });
            assert!(code <= 1, "{code}, awaited: {is_awaited}");
            ticket.take().unwrap().wait().unwrap();
            code == 0
        });
        assert!(told, "each commit was durable before the process could fork");
    }
    store.close().unwrap();
}

/// It ends as programs end, with what runs then: the threads of the handle are not there, and nothing waits for them.
#[test]
fn a_child_that_exits_does_not_hang() {
    let place = Place::new();
    let store = place.open();
    store.set(&scope("a"), "k", b"1").unwrap();
    let handle = store.clone();
    let child = start(move || {
        drop(handle);
        std::process::exit(7)
    });
    assert_eq!(exit_code(child), 7);
    assert_eq!(Store::open(place.path()).unwrap_err().kind(), ErrorKind::InUse);
    store.set(&scope("a"), "k", b"2").unwrap();
    store.close().unwrap();
    assert_eq!(place.open().last().seq.0, 2);
}

/// The child drops its copy of the handle: neither the lock nor the files of the parent may suffer.
#[test]
fn a_child_that_drops_the_handle_hurts_nobody() {
    let place = Place::new();
    let store = place.open();
    let a = scope("a");
    store.set(&a, "k", b"1").unwrap();
    let mut handle = Some(store.clone());
    assert_eq!(in_a_child(|| i32::from(handle.take().is_none())), 0);
    assert_eq!(Store::open(place.path()).unwrap_err().kind(), ErrorKind::InUse);
    store.set(&a, "k", b"2").unwrap();
}

/// A child that lives on does not keep the store from its next owner.
#[test]
fn a_child_that_lives_on_does_not_hold_the_lock() {
    let place = Place::new();
    let store = place.open();
    store.set(&scope("a"), "k", b"1").unwrap();
    let (mut from_parent, mut to_child) = std::io::pipe().unwrap();
    let child = start(|| {
        // Ends when the parent writes.
        let mut byte = [0];
        i32::from(std::io::Read::read_exact(&mut from_parent, &mut byte).is_err())
    });
    store.close().unwrap();
    let reopened = Store::open(place.path()).map(|store| store.last().seq.0);
    std::io::Write::write_all(&mut to_child, &[1]).unwrap();
    assert_eq!(exit_code(child), 0);
    assert_eq!(reopened.unwrap(), 1);
}
