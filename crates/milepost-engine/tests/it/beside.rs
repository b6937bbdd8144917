use milepost_engine::{CommitError, Engine, Parts};
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
