//! [`verify`]: reads every byte of a store and says what it finds. Changes nothing.

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
