//! The one place where threads are started.

use std::{
    io,
    thread::{Builder, JoinHandle},
};

use parking_lot::Mutex;

/// Starts a thread with a name that `top` and a debugger show.
pub fn spawn<T: Send + 'static>(name: &str, run: impl FnOnce() -> T + Send + 'static) -> io::Result<JoinHandle<T>> {
    Builder::new().name(name.to_owned()).spawn(run)
}

/// Runs `aside` on a thread of its own while `here` runs on this one, and waits for both. Where no thread can be had
/// they run one after the other. A thread costs some 20 µs: for work that takes much longer.
pub fn beside<A: Send, B>(aside: impl FnOnce() -> A + Send, here: impl FnOnce() -> B) -> (A, B) {
    let aside = Mutex::new(Some(aside));
    let run = || aside.lock().take().map(|aside| aside());
    std::thread::scope(|scope| {
        let thread = Builder::new().name("milepost-aside".to_owned()).spawn_scoped(scope, run);
        let there = here();
        let first = match thread {
            Ok(thread) => thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)),
            Err(_) => run(),
        };
        (first.expect("taken by the one who runs it"), there)
    })
}
