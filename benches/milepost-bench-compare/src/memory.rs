//! [`Peak`]: the most memory of its own that this process had while something went on. Maps of files are not its own.

use std::{
    fs, io,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread::{self, JoinHandle},
    time::Duration,
};

/// How often it is looked at.
const LOOK: Duration = Duration::from_millis(10);

/// Looks again and again, by a thread of its own, until it is ended.
pub(crate) struct Peak {
    ended: Arc<AtomicBool>,
    watcher: JoinHandle<io::Result<u64>>,
    before: u64,
}

impl Peak {
    /// Begins to look.
    pub(crate) fn watch() -> io::Result<Peak> {
        let (ended, before) = (Arc::new(AtomicBool::new(false)), anonymous_bytes()?);
        let is_over = Arc::clone(&ended);
        let watcher = thread::spawn(move || {
            let mut most = 0;
            while !is_over.load(Ordering::Relaxed) {
                most = most.max(anonymous_bytes()?);
                thread::sleep(LOOK);
            }
            Ok(most)
        });
        Ok(Peak { ended, watcher, before })
    }

    /// The most bytes there were, without those that were there when it began.
    pub(crate) fn end(self) -> io::Result<u64> {
        self.ended.store(true, Ordering::Relaxed);
        let most = self.watcher.join().map_err(|_| io::Error::other("who looks at the memory panicked"))??;
        Ok(most.saturating_sub(self.before))
    }
}

fn anonymous_bytes() -> io::Result<u64> {
    let told = fs::read_to_string("/proc/self/status")?;
    let line = told.lines().find_map(|line| line.strip_prefix("RssAnon:"));
    let kibibytes = line.and_then(|line| line.split_whitespace().next()).and_then(|number| number.parse::<u64>().ok());
    kibibytes.map(|count| count << 10).ok_or_else(|| io::Error::other("/proc/self/status says nothing of RssAnon"))
}
