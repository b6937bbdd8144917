//! [`Diff`]: in which keys two states differ.

use milepost_engine::Difference;

use crate::Result;

/// The keys in which two states differ, in order, as [`crate::Store::diff`] and [`crate::View::diff`] find them.
///
/// ```
/// # use milepost::{At, Scope, Seq, Store};
/// # let dir = tempfile::tempdir().unwrap();
/// # let (store, scope) = (Store::open(dir.path())?, Scope::parse("a/b")?);
/// let before = store.set(&scope, "cursor", b"41")?;
/// store.set(&scope, "cursor", b"42")?;
/// for difference in store.diff(&scope, before.seq, At::Latest)? {
///     let difference = difference?;
///     println!("{} {}: {:?} -> {:?}", difference.kind().name(), difference.key, difference.old, difference.new);
/// }
/// # Ok::<(), milepost::Error>(())
/// ```
#[must_use = "a diff reads no values until it is iterated"]
pub struct Diff(pub(crate) milepost_engine::Diff);

impl Iterator for Diff {
    type Item = Result<Difference>;

    fn next(&mut self) -> Option<Result<Difference>> {
        Some(self.0.next()?.map_err(Into::into))
    }
}

impl std::fmt::Debug for Diff {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Diff")
    }
}
