//! Which step the calling thread is in: the parent of one that is called there.
//!
//! Invariant: what is entered is left, by a panic as well; a future that is not being polled is not entered.

use std::{
    cell::RefCell,
    pin::pin,
    task::{Context, Poll},
};

use crate::task::Task;

thread_local! {
    /// Stores, scopes and paths of the steps that this thread is in, the outermost first.
    static WITHIN: RefCell<Vec<(usize, String, String)>> = const { RefCell::new(Vec::new()) };
}

/// The inside of a step, left when dropped.
pub(super) struct Within(());

/// Enters a step on this thread.
pub(super) fn enter(task: &Task, path: &str) -> Within {
    let entry = (task.places.identity(), task.scope.as_str().to_owned(), path.to_owned());
    WITHIN.with_borrow_mut(|steps| steps.push(entry));
    Within(())
}

impl Drop for Within {
    fn drop(&mut self) {
        WITHIN.with_borrow_mut(|steps| drop(steps.pop()));
    }
}

/// The innermost step of this task that the thread is in; empty if it is in none.
pub(super) fn parent(task: &Task) -> String {
    let is_own = |entry: &&(usize, String, String)| entry.0 == task.places.identity() && entry.1 == task.scope.as_str();
    WITHIN.with_borrow(|steps| steps.iter().rev().find(is_own).map(|entry| entry.2.clone())).unwrap_or_default()
}

/// A future that is within a step whenever it is polled.
pub(super) async fn polled<F: Future>(task: &Task, path: &str, future: F) -> F::Output {
    let mut future = pin!(future);
    std::future::poll_fn(|context: &mut Context<'_>| -> Poll<F::Output> {
        let _within = enter(task, path);
        future.as_mut().poll(context)
    })
    .await
}
