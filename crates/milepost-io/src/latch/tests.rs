use std::sync::atomic::{AtomicUsize, Ordering};

use super::*;

/// Says EIO to its first sync and OK to all others, as Linux does.
#[derive(Debug, Default)]
struct Forgetful {
    syncs: Arc<AtomicUsize>,
}

impl DiskFile for Forgetful {
    fn begin_sync(&self, _offset: u64, _bytes: u64) {}

    fn read_at(&self, buffer: &mut [u8], _: u64) -> io::Result<usize> {
        Ok(buffer.len())
    }
    fn write_at(&self, bytes: &[u8], _: u64) -> io::Result<usize> {
        Ok(bytes.len())
    }
    fn sync(&self) -> io::Result<()> {
        match self.syncs.fetch_add(1, Ordering::Relaxed) {
            0 => Err(io::Error::from_raw_os_error(5)),
            _ => Ok(()),
        }
    }
    fn bytes(&self) -> io::Result<u64> {
        Ok(0)
    }
    fn set_bytes(&self, _: u64) -> io::Result<()> {
        Ok(())
    }
    fn allocate(&self, _: u64, _: u64) -> io::Result<()> {
        Ok(())
    }
    fn map(&self) -> io::Result<Map> {
        Ok(Map::of_bytes(Vec::new()))
    }
}

/// FAULTS B1: the sync that says OK after one that failed is never asked.
#[test]
fn a_failed_sync_is_final() {
    let syncs = Arc::new(AtomicUsize::new(0));
    let latch = Latch::default();
    let file = LatchedFile::new(Box::new(Forgetful { syncs: Arc::clone(&syncs) }), Path::new("a.seg"), &latch);
    assert!(file.sync().is_err());
    assert!(file.sync().is_err());
    assert!(file.write_at(b"x", 0).is_err());
    assert!(file.set_bytes(0).is_err());
    assert_eq!(file.read_at(&mut [0; 4], 0).unwrap(), 4, "reads go on");
    assert_eq!(syncs.load(Ordering::Relaxed), 1, "the sync was not tried again");
    let failure = latch.failure().unwrap();
    assert_eq!((failure.file.as_path(), failure.operation.as_str()), (Path::new("a.seg"), "sync"));
    latch.trip(Path::new("b.seg"), "sync", &io::Error::other("later"));
    assert_eq!(latch.failure().unwrap(), failure, "the first failure stays");
}
