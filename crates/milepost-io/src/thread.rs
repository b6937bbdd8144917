//! The one place where threads are started.

use std::{
    io,
    thread::{Builder, JoinHandle},
};

/// Starts a thread with a name that `top` and a debugger show.
pub fn spawn<T: Send + 'static>(name: &str, run: impl FnOnce() -> T + Send + 'static) -> io::Result<JoinHandle<T>> {
    Builder::new().name(name.to_owned()).spawn(run)
}
