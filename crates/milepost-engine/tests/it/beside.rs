use std::{path::Path, sync::Arc};

use milepost_engine::{CommitError, Engine, Parts, Settings, Threads};
use milepost_io::{Disk, SimDisk};
use milepost_types::{At, Seq};

use crate::{open, scope};

#[test]
fn a_reader_beside_a_writer_sees_one_moment_and_moves_on() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let set = |n: u64| store.commit(store.request().set(&scope("s"), "k", &n.to_le_bytes()).unwrap()).unwrap();
    set(1);
    let reader = Engine::open_read_only(Parts::real(), dir.path()).unwrap();
    let view = reader.view(At::Latest).unwrap();
    for n in 2..=300 {
        set(n);
    }
    assert_eq!(view.get("s", "k").unwrap().unwrap().to_vec(), 1u64.to_le_bytes());
    assert_eq!(reader.get("s", "k").unwrap().unwrap().seq(), Seq(1));
    assert_eq!(reader.refresh().unwrap().seq, Seq(300));
    assert_eq!(reader.get("s", "k").unwrap().unwrap().to_vec(), 300u64.to_le_bytes());
    assert_eq!(view.get("s", "k").unwrap().unwrap().to_vec(), 1u64.to_le_bytes());
    let request = reader.request().set(&scope("s"), "k", b"").unwrap();
    assert!(matches!(reader.commit(request), Err(CommitError::ReadOnly)));
    let mut watch = reader.watch(Seq(301));
    assert!(watch.try_next().unwrap().is_none());
    set(301);
    assert_eq!(watch.next_timeout(std::time::Duration::from_secs(30)).unwrap().unwrap().seq, Seq(301));
}

/// Who reads without an index waits while all of the log is folded, and is told how far it is; an index leaves the
/// rest.
#[test]
fn a_reader_is_told_how_much_of_the_log_it_has_to_fold() {
    let settings =
        Settings { segment_bytes: 64 << 10, memory_bytes: 64 << 10, threads: Threads::Stepped, ..Settings::default() };
    let disk = SimDisk::new(1);
    let parts = || Parts { disk: Arc::new(disk.clone()), ..Parts::real() };
    let store = Engine::open(parts(), Path::new("/s"), settings).unwrap();
    for n in 0..5000_u64 {
        store.commit(store.request().set(&scope("s"), &format!("{n:04}"), &[7; 50]).unwrap()).unwrap();
        if n < 4000 {
            while store.step_index() {}
        }
    }
    let log_bytes = store.stats().log_bytes;
    let told = || {
        let mut told: Vec<(u64, u64)> = Vec::new();
        let mut tell = |done, all| told.push((done, all));
        let reader = Engine::open_read_only_with_progress(parts(), Path::new("/s"), &mut tell).unwrap();
        assert_eq!(reader.view(At::Latest).unwrap().scan("s", "").count(), 5000);
        assert!(told.is_sorted() && told.iter().all(|(done, all)| done <= all), "{told:?}");
        told
    };
    let of_the_rest = told();
    assert!(of_the_rest.iter().all(|(_, all)| *all < log_bytes / 2), "{of_the_rest:?} of {log_bytes}");
    for run in disk.names().iter().filter(|name| name.extension().is_some_and(|kind| kind == "run")) {
        disk.remove(run).unwrap();
    }
    let of_all = told();
    assert!(of_all.len() == 4 && of_all[3].0 > log_bytes / 3 && of_all[3].1 >= log_bytes, "{of_all:?} of {log_bytes}");
}
