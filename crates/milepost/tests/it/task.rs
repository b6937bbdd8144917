//! The task patterns: what each promises, and who tries to break it.

mod job; // submitted once, found again
mod step; // a result stays what it is
mod watermark; // it never goes back but by a reset

use milepost::{Scope, Store, Task, Writer};

/// A task of this scope in an attempt.
fn attempt(store: &Store, scope: &Scope, number: u32) -> Task {
    store.task(scope, Writer::new("worker").unwrap().attempt(number)).unwrap()
}
