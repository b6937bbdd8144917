use std::{
    io,
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use super::{run, run_here};

#[test]
fn acts_are_counted_without_the_warm_up() {
    let done = AtomicU64::new(0);
    let act = || {
        done.fetch_add(1, Ordering::Relaxed);
        Ok(())
    };
    let load = run(3, Duration::from_millis(20), |_| act).unwrap();
    assert!(load.acts >= 3 && load.acts < done.load(Ordering::Relaxed));
    assert!(load.elapsed >= Duration::from_millis(20));
    assert_eq!(load.latency.len(), load.acts);
    let before = done.load(Ordering::Relaxed);
    let load = run_here(Duration::from_millis(20), act).unwrap();
    assert!(load.acts >= 1 && load.acts < done.load(Ordering::Relaxed) - before);
}

/// In the warm-up too: the others must not wait for a thread that gave up.
#[test]
fn an_act_that_fails_fails_the_load() {
    let fail = |thread: usize| move || if thread == 1 { Err(io::Error::other("no")) } else { Ok(()) };
    assert!(run(3, Duration::from_millis(5), fail).is_err());
    assert!(run_here(Duration::from_millis(5), fail(1)).is_err());
}
