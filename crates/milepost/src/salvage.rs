//! [`salvage`]: the explicit way out of damage.

use std::path::Path;

use milepost_engine::{Parts, Salvaged, Settings};

use crate::Result;

/// Copies what is whole of the damaged store in `dir` into a new one in `into`, which must be empty or not there. The
/// damaged store is only read; nobody may write to it meanwhile.
///
/// Every commit keeps its `Seq`, its timestamp and its writer. In the place of one that is lost stands a commit that
/// says so, in the scope `$/lost`. The damaged bytes are laid into the new store's `quarantine/`. `progress` is told
/// the bytes read and the bytes in all.
///
/// ```
/// use milepost::{Scope, Store};
/// # let dir = tempfile::tempdir().unwrap();
/// let (state, salvaged) = (dir.path().join("state"), dir.path().join("salvaged"));
/// let store = Store::open(&state)?;
/// store.set(&Scope::parse("a")?, "k", b"1")?;
/// store.close()?;
/// let done = milepost::salvage(&state, &salvaged, &mut |_done, _all| ())?;
/// assert_eq!((done.commits, done.lost_count()), (1, 0));
/// # Ok::<(), milepost::Error>(())
/// ```
pub fn salvage(dir: impl AsRef<Path>, into: impl AsRef<Path>, progress: &mut dyn FnMut(u64, u64)) -> Result<Salvaged> {
    Ok(milepost_engine::salvage(Parts::real(), dir.as_ref(), into.as_ref(), Settings::default(), progress)?)
}
