//! [`Waited`]: what a thread has waited for the disk, for tests that count it; [`let_go`]: has a file leave memory.

use std::{fs, fs::File, io, path::Path};

use crate::Map;

/// What this thread has waited for so far.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Waited {
    /// Pages of maps that were not in memory, and that nobody had asked for before.
    pub pages: u64,
    /// Bytes that the disk was told to read.
    pub bytes: u64,
}

impl Waited {
    /// Until now; `None` where the system does not tell.
    #[must_use]
    pub fn so_far() -> Option<Waited> {
        let stat = fs::read_to_string("/proc/thread-self/stat").ok()?;
        // Behind the name, which may hold anything: state, and eight numbers before it.
        let pages = stat.rsplit_once(')')?.1.split_whitespace().nth(9)?.parse().ok()?;
        let io = fs::read_to_string("/proc/thread-self/io").ok()?;
        let bytes = io.lines().find_map(|line| line.strip_prefix("read_bytes: "))?.trim().parse().ok()?;
        Some(Waited { pages, bytes })
    }

    /// Since an earlier moment; `None` if the system told nothing, or if the disk was told to read less than so many
    /// bytes: then these are in memory, as on a disk that is memory, and nothing can be said.
    #[must_use]
    pub fn since(before: Option<Waited>, bytes_min: u64) -> Option<Waited> {
        let (before, now) = (before?, Waited::so_far()?);
        let since = Waited { pages: now.pages - before.pages, bytes: now.bytes - before.bytes };
        (since.bytes >= bytes_min).then_some(since)
    }
}

/// Whether a page of a map in this directory that was asked for, and is touched before it is there, is told from one
/// that nobody asked for. Some systems count both.
pub fn is_asking_told(dir: &Path) -> io::Result<bool> {
    let path = dir.join("asked-for");
    let bytes = vec![1; 1 << 20];
    fs::write(&path, &bytes)?;
    let_go(&path)?;
    let map = Map::of_file(&File::open(&path)?)?;
    map.is_read_at_random();
    map.will_need(0..map.len());
    let before = Waited::so_far();
    let is_there = map.check_readable(0..map.len()).is_ok();
    let waited = Waited::since(before, 0);
    fs::remove_file(&path)?;
    Ok(is_there && waited.is_some_and(|waited| waited.pages == 0))
}

/// Has the system let go of the pages of a file that nobody maps: they are read from the disk again.
pub fn let_go(path: &Path) -> io::Result<()> {
    let file = File::open(path)?;
    file.sync_all()?;
    Ok(rustix::fs::fadvise(&file, 0, None, rustix::fs::Advice::DontNeed)?)
}
