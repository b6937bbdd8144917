//! [`Listing`]: the items in one state, with what was said of each.

use milepost_engine::Value;
use milepost_types::{At, Scope, Seq};

use super::{error::ProgressError, item::item_of, shared::Shared};
use crate::{Result, Scan, View};

/// An item and what was said of it.
///
/// ```
/// # use milepost::{Scope, Store};
/// # let dir = tempfile::tempdir().unwrap();
/// # let store = Store::open(dir.path())?;
/// let progress = store.progress(&Scope::parse("task/load")?, "checksum")?;
/// progress.done_with(b"caf\xe9", b"d41d8cd9")?;
/// progress.flush()?;
/// assert_eq!(progress.results()?.next().unwrap()?.item, b"caf\xe9");
/// # Ok::<(), milepost::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Marked {
    /// Its name, to the byte.
    pub item: Vec<u8>,
    /// The result, the error or the reason; also when it was said.
    pub value: Value,
}

/// Items in the order of their names, as they were when they were asked for.
///
/// ```
/// # use milepost::{Scope, Store};
/// # let dir = tempfile::tempdir().unwrap();
/// # let store = Store::open(dir.path())?;
/// let progress = store.progress(&Scope::parse("task/load")?, "checksum")?;
/// assert_eq!(progress.results()?.count(), 0);
/// # Ok::<(), milepost::Error>(())
/// ```
#[must_use = "a listing reads nothing until it is iterated"]
pub struct Listing {
    view: View,
    scan: Scan,
    long: Scope,
    /// What stands at or before it is left out.
    behind: Seq,
}

impl Listing {
    pub(super) fn new(shared: &Shared, place: &Scope) -> Result<Listing> {
        let view = shared.store.view(At::Latest)?;
        let counts = shared.counts(&view)?.0.unwrap_or_default();
        let behind = if *place == shared.places.failed { Seq(counts.retried) } else { Seq::ZERO };
        Ok(Listing { scan: view.scan(place, ""), view, long: shared.places.long.clone(), behind })
    }

    fn item(&self, key: &str) -> Result<Vec<u8>> {
        if let Some(item) = item_of(key) {
            return Ok(item);
        }
        match self.view.get(&self.long, key)? {
            Some(item) => Ok(item.to_vec()),
            None => Err(ProgressError::Beside { scope: self.long.clone(), key: key.to_owned() }.into()),
        }
    }
}

impl Iterator for Listing {
    type Item = Result<Marked>;

    fn next(&mut self) -> Option<Result<Marked>> {
        loop {
            let entry = match self.scan.next()? {
                Ok(entry) => entry,
                Err(error) => return Some(Err(error)),
            };
            if entry.value.seq() > self.behind {
                return Some(self.item(entry.key.as_str()).map(|item| Marked { item, value: entry.value }));
            }
        }
    }
}

impl std::fmt::Debug for Listing {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Listing")
    }
}
