//! [`Source`]: scopes, keys and versions in order, to make a run of; [`RunSource`]: those of a run.
//!
//! Invariant: a source gives scopes in ascending order, keys of a scope in ascending order, clears oldest first,
//! versions of a key newest first, changes of a scope oldest first. What is read from a run and is not so, is damage.

use std::sync::Arc;

use milepost_types::Corruption;

use crate::{
    Mark, Run, ScopeSeqs, ScopeView, Version,
    format::block::Entry,
    run::{KeyPlace, ListPlace, ScopePlace},
};

/// A walk over scopes and keys, to be driven in this order: for each scope its clears, then for each key its versions,
/// then the changes of the scope. What was not read to its end is left out.
pub trait Source: Send {
    /// Goes to the next scope; `false` behind the last.
    fn next_scope(&mut self) -> Result<bool, Corruption>;
    /// The scope's name.
    fn scope(&self) -> &str;
    /// When it was changed.
    fn seqs(&self) -> ScopeSeqs;
    /// The next event that cleared the scope.
    fn next_clear(&mut self) -> Result<Option<Mark>, Corruption>;
    /// Goes to the next key of the scope; `false` behind the last.
    fn next_key(&mut self) -> Result<bool, Corruption>;
    /// The key.
    fn key(&self) -> &str;
    /// Whether the key is the first of a block that may be written as it is.
    fn is_at_block(&self) -> bool {
        false
    }
    /// Gives the block that the key is the first of as a whole, so that the next key is the one behind it: if each of
    /// its keys has one version, and if so many blocks, from this one on, are there and hold no key but those below
    /// `bound`.
    fn take_block(&mut self, _bound: Option<&str>, _blocks: u32) -> Result<Option<WholeBlock<'_>>, Corruption> {
        Ok(None)
    }
    /// The next older version of the key; the newest first.
    fn next_version(&mut self) -> Result<Option<Version>, Corruption>;
    /// Whether it gives the versions of a scope in the order of events as well. Where one source does not, the versions
    /// of a scope are collected in memory and sorted.
    fn has_changes(&self) -> bool {
        false
    }
    /// The next change of the scope.
    fn next_change(&mut self) -> Result<Option<Version>, Corruption> {
        Ok(None)
    }
}

/// A block of keys of one version each, to be written as it stands in a run.
#[derive(Clone, Copy, Debug)]
pub struct WholeBlock<'a> {
    /// Its bytes behind the number of its scope.
    pub(crate) unscoped: &'a [u8],
    /// Its keys, one behind the other.
    pub(crate) keys: &'a str,
    /// Where each of them ends, and its version.
    pub(crate) entries: &'a [(usize, Entry)],
}

/// The walk over a run.
#[derive(Debug)]
pub struct RunSource {
    run: Arc<Run>,
    scopes: ScopePlace,
    scope: String,
    view: Option<ScopeView>,
    clears: std::vec::IntoIter<Mark>,
    keys: Option<KeyPlace>,
    key: String,
    versions: Walk,
    changes: Walk,
}

/// A walk over a list of versions, a group at a time.
#[derive(Debug, Default)]
struct Walk {
    group: Vec<Version>,
    read: usize,
    place: Option<ListPlace>,
}

impl Walk {
    /// Begins anew: with one version or none, then the list.
    fn begin(&mut self, first: Option<Version>, place: Option<ListPlace>) {
        self.group.clear();
        self.group.extend(first);
        (self.read, self.place) = (0, place);
    }

    fn next(&mut self, run: &Run) -> Result<Option<Version>, Corruption> {
        if self.read == self.group.len() {
            self.group.clear();
            self.read = 0;
            if let Some(place) = &mut self.place {
                place.read_group(run, &mut self.group)?;
            }
        }
        let next = self.group.get(self.read).copied();
        self.read += usize::from(next.is_some());
        Ok(next)
    }
}

impl RunSource {
    /// Before the first scope.
    #[must_use]
    pub fn new(run: Arc<Run>) -> RunSource {
        RunSource {
            run,
            scopes: ScopePlace::default(),
            scope: String::new(),
            view: None,
            clears: Vec::new().into_iter(),
            keys: None,
            key: String::new(),
            versions: Walk::default(),
            changes: Walk::default(),
        }
    }
}

impl Source for RunSource {
    fn next_scope(&mut self) -> Result<bool, Corruption> {
        let run = &*self.run;
        let Some((name, view)) = self.scopes.read_scope(run)? else {
            self.view = None;
            return Ok(false);
        };
        self.scope.clear();
        self.scope.push_str(name);
        self.clears = run.clears(&view)?.into_iter();
        self.keys = Some(KeyPlace::new(&view));
        self.changes.begin(None, Some(run.change_place(&view)));
        self.view = Some(view);
        Ok(true)
    }

    fn scope(&self) -> &str {
        &self.scope
    }

    fn seqs(&self) -> ScopeSeqs {
        self.view.map(|view| view.seqs()).unwrap_or_default()
    }

    fn next_clear(&mut self) -> Result<Option<Mark>, Corruption> {
        Ok(self.clears.next())
    }

    fn next_key(&mut self) -> Result<bool, Corruption> {
        let run = &*self.run;
        let Some(keys) = &mut self.keys else {
            return Ok(false);
        };
        let Some((key, versions)) = keys.read_key(run)? else {
            return Ok(false);
        };
        self.key.clear();
        self.key.push_str(key);
        self.versions.begin(Some(versions.newest()), versions.older_place());
        Ok(true)
    }

    fn key(&self) -> &str {
        &self.key
    }

    fn is_at_block(&self) -> bool {
        self.keys.as_ref().is_some_and(KeyPlace::is_at_block)
    }

    fn take_block(&mut self, bound: Option<&str>, blocks: u32) -> Result<Option<WholeBlock<'_>>, Corruption> {
        match &mut self.keys {
            Some(keys) => keys.take_block(&self.run, bound, blocks),
            None => Ok(None),
        }
    }

    fn next_version(&mut self) -> Result<Option<Version>, Corruption> {
        self.versions.next(&self.run)
    }

    fn has_changes(&self) -> bool {
        true
    }

    fn next_change(&mut self) -> Result<Option<Version>, Corruption> {
        self.changes.next(&self.run)
    }
}
