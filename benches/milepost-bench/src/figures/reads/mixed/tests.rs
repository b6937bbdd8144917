use std::{
    io,
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use super::{Reader, run};

#[test]
fn readers_read_while_the_writer_writes() {
    let (reads, mut writes) = (AtomicU64::new(0), 0);
    let read = |_: &mut Reader| {
        reads.fetch_add(1, Ordering::Relaxed);
        Ok(())
    };
    let write = || {
        writes += 1;
        Ok(())
    };
    let mixed = run(Duration::from_millis(20), 2, read, write).unwrap();
    assert!(writes > 0 && reads.load(Ordering::Relaxed) >= 2 * 64);
    assert!(mixed.reader.value > 0.0 && mixed.writer > 0.0);
}

#[test]
fn a_wrong_value_or_a_failed_commit_fails_the_turn() {
    let time = Duration::from_millis(5);
    assert!(run(time, 2, |_| Err(io::Error::other("wrong value")), || Ok(())).is_err());
    assert!(run(time, 2, |_| Ok(()), || Err(io::Error::other("disk full"))).is_err());
}

#[test]
fn dice_reach_every_number_below_the_limit() {
    let mut reader = Reader::new(1);
    let mut seen = [0; 10];
    for _ in 0..10_000 {
        seen[reader.below(10) as usize] += 1;
    }
    assert!(seen.iter().all(|&count| (800..1200).contains(&count)), "{seen:?}");
}
