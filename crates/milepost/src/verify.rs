//! [`verify`]: reads every byte of a store and says what it finds; [`has_writer`]: whether anybody writes to it. They
//! change nothing.

use std::path::Path;

use milepost_engine::{Parts, Report};

use crate::Result;

/// Reads every byte of the store in a directory, checks it, and reports: clean, a torn tail, or damage with its places.
/// Also works beside a writer. `progress` is told the bytes read and the bytes in all.
///
/// ```
/// use milepost::{Scope, Store, Verdict};
/// # let dir = tempfile::tempdir().unwrap();
/// let store = Store::open(dir.path())?;
/// store.set(&Scope::parse("a")?, "k", b"1")?;
/// store.close()?;
/// let report = milepost::verify(dir.path(), &mut |_done, _all| ())?;
/// assert!(matches!(report.verdict, Verdict::Clean));
/// assert_eq!(report.commits, 1);
/// # Ok::<(), milepost::Error>(())
/// ```
pub fn verify(dir: impl AsRef<Path>, progress: &mut dyn FnMut(u64, u64)) -> Result<Report> {
    Ok(milepost_engine::verify(&Parts::real().disk, dir.as_ref(), progress)?)
}

/// Whether a process has the store in a directory open for writing now: for who waits for what another one does. What
/// that process had made durable is seen by whoever looks, or refreshes, after this has said no.
///
/// ```
/// # let dir = tempfile::tempdir().unwrap();
/// let store = milepost::Store::open(dir.path())?;
/// assert!(milepost::has_writer(dir.path()));
/// store.close()?;
/// assert!(!milepost::has_writer(dir.path()));
/// # Ok::<(), milepost::Error>(())
/// ```
#[must_use]
pub fn has_writer(dir: impl AsRef<Path>) -> bool {
    milepost_engine::has_writer(&*Parts::real().disk, dir.as_ref())
}
