//! Lists of versions: of a key, newest first; the same in the form that a walk keeps.
//!
//! Invariant: versions come in strict order and are of commits that the run covers, else the list is damaged.

use milepost_types::Corruption;

use super::Run;
use crate::{
    Version,
    format::{
        block::Older,
        list::{Group, INDEX_BYTES, Order, index_entry},
        meta::Section,
        step::Place,
    },
    pages::Damage,
};

/// Where a list stands.
#[derive(Clone, Copy, Debug)]
pub(super) struct List {
    pub(super) order: Order,
    pub(super) count: u64,
    pub(super) at: u32,
    /// From where its first step is counted.
    pub(super) from: Place,
}

impl List {
    fn section(&self, run: &Run) -> Section {
        match self.order {
            Order::NewestFirst => run.meta.sections.versions,
            Order::OldestFirst => run.meta.sections.changes,
        }
    }

    /// Where in the file it stands, for errors.
    pub(super) fn file_at(&self, run: &Run) -> u64 {
        self.section(run).at + u64::from(self.at)
    }

    /// The index of a list of several groups.
    fn index<'a>(&self, run: &'a Run) -> Result<&'a [u8], Damage> {
        let bytes = self.order.groups(self.count).checked_mul(INDEX_BYTES as u64);
        let bytes = bytes.ok_or(Damage { at: self.file_at(run), what: "a list is longer than its section" })?;
        run.pages.bytes(self.section(run), u64::from(self.at), bytes)
    }

    /// The versions of a group.
    pub(super) fn group<'a>(&self, run: &'a Run, group: u64) -> Result<Group<'a>, Damage> {
        let section = self.section(run);
        let (groups, size) = (self.order.groups(self.count), self.order.group());
        if groups <= 1 {
            let bytes = run.pages.bytes_up_to(section, u64::from(self.at), self.order.group_bytes_max() as u64)?;
            return Ok(Group::new(bytes, self.from, self.count));
        }
        // Only the entries of this group and the next one are read: an index may be long.
        let entry_at = group.checked_mul(INDEX_BYTES as u64).and_then(|by| by.checked_add(u64::from(self.at)));
        let entry_at = entry_at.ok_or(Damage { at: self.file_at(run), what: "a list is longer than its section" })?;
        let is_last = group + 1 == groups;
        let entries = run.pages.bytes(section, entry_at, if is_last { 12 } else { 24 })?;
        let (seq, begin) = index_entry(entries, 0);
        let end = if is_last { self.at } else { index_entry(entries, 1).1 };
        let count = u64::from(end).checked_sub(u64::from(begin));
        let count = count.ok_or(Damage { at: self.file_at(run), what: "a group ends before it begins" })?;
        let bytes = run.pages.bytes(section, u64::from(begin), count)?;
        let from = if group == 0 { self.from } else { Place { seq, record: 0 } };
        Ok(Group::new(bytes, from, size.min(self.count - group * size)))
    }

    /// The first group whose first version is not on this side of `seq`: above it in a list that runs down, below it in
    /// one that runs up. How many groups there are if all are.
    pub(super) fn groups_before(&self, run: &Run, seq: u64) -> Result<u64, Damage> {
        let groups = self.order.groups(self.count);
        if groups <= 1 {
            return Ok(groups);
        }
        let index = self.index(run)?;
        let is_before = |group: usize| match self.order {
            Order::NewestFirst => index_entry(index, group).0 > seq,
            Order::OldestFirst => index_entry(index, group).0 < seq,
        };
        let (mut low, mut high) = (0, groups as usize);
        while low < high {
            let middle = usize::midpoint(low, high);
            if is_before(middle) {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        Ok(low as u64)
    }
}

/// A walk over a list: what a borrowing iterator and a walk that owns its run have in common.
#[derive(Clone, Debug)]
pub(crate) struct ListPlace {
    list: List,
    next_group: u64,
    /// The last version read, for the order.
    last: Option<Version>,
}

impl ListPlace {
    /// From this group on.
    pub(super) fn new(list: List, group: u64, last: Option<Version>) -> ListPlace {
        ListPlace { list, next_group: group, last }
    }

    /// The next group; `None` behind the last.
    pub(super) fn next_group<'a>(&mut self, run: &'a Run) -> Result<Option<Group<'a>>, Damage> {
        if self.next_group >= self.list.order.groups(self.list.count) {
            return Ok(None);
        }
        self.next_group += 1;
        self.list.group(run, self.next_group - 1).map(Some)
    }

    /// Reads a version and checks it; `None` at the end of the group.
    pub(super) fn read(&mut self, run: &Run, group: &mut Group<'_>) -> Result<Option<Version>, Damage> {
        let at = self.list.file_at(run);
        let Some(version) = group.read_version().map_err(Damage::at(at))? else {
            return Ok(None);
        };
        run.check_seq(version.seq, at)?;
        if self.last.is_some_and(|last| !self.list.order.follows(last, version)) {
            return Err(Damage { at, what: "versions are not in order" });
        }
        self.last = Some(version);
        Ok(Some(version))
    }

    /// Appends the next group to `out`; whether there was one.
    pub(crate) fn read_group(&mut self, run: &Run, out: &mut Vec<Version>) -> Result<bool, Corruption> {
        let read = |place: &mut ListPlace, out: &mut Vec<Version>| {
            let Some(mut group) = place.next_group(run)? else {
                return Ok(false);
            };
            while let Some(version) = place.read(run, &mut group)? {
                out.push(version);
            }
            Ok(true)
        };
        read(self, out).map_err(|damage| run.corrupt(damage))
    }
}

/// The versions of a key, newest first.
#[derive(Clone, Debug)]
pub struct Versions<'a> {
    run: &'a Run,
    newest: Version,
    older: Option<Older>,
    /// The version that comes next, if it is the newest.
    next: Option<Version>,
    place: Option<ListPlace>,
    group: Option<Group<'a>>,
}

impl<'a> Versions<'a> {
    pub(super) fn new(run: &'a Run, newest: Version, older: Option<Older>) -> Versions<'a> {
        Versions { run, newest, older, next: Some(newest), place: None, group: None }
    }

    /// The newest.
    #[must_use]
    pub fn newest(&self) -> Version {
        self.newest
    }

    /// How many there are, from the newest to the oldest.
    #[must_use]
    pub fn count_all(&self) -> u64 {
        1 + self.older.map_or(0, |older| older.count)
    }

    /// Whether these are the same versions, in the same place.
    pub(super) fn is_same(&self, other: &Versions<'_>) -> bool {
        self.newest == other.newest && self.older == other.older
    }

    /// The newest at or before `seq`, whatever was read before. Reads one group of versions at most, or the first of
    /// the next as well.
    pub fn as_of(&self, seq: u64) -> Result<Option<Version>, Corruption> {
        if self.newest.seq <= seq {
            return Ok(Some(self.newest));
        }
        let Some(list) = self.list() else {
            return Ok(None);
        };
        self.search(&list, seq).map_err(|damage| self.run.corrupt(damage))
    }

    fn search(&self, list: &List, seq: u64) -> Result<Option<Version>, Damage> {
        let first = list.groups_before(self.run, seq)?.saturating_sub(1);
        let mut place = ListPlace::new(*list, first, None);
        while let Some(mut group) = place.next_group(self.run)? {
            while let Some(version) = place.read(self.run, &mut group)? {
                if version.seq <= seq {
                    return Ok(Some(version));
                }
            }
        }
        Ok(None)
    }

    /// The list of the older ones.
    fn list(&self) -> Option<List> {
        let Older { count, at } = self.older?;
        Some(List { order: Order::NewestFirst, count, at, from: Place::of(self.newest) })
    }

    /// The place before the first of the older ones.
    pub(crate) fn older_place(&self) -> Option<ListPlace> {
        self.list().map(|list| ListPlace::new(list, 0, Some(self.newest)))
    }

    fn read(&mut self) -> Result<Option<Version>, Damage> {
        if let Some(newest) = self.next.take() {
            self.place = self.older_place();
            return Ok(Some(newest));
        }
        let Some(place) = &mut self.place else {
            return Ok(None);
        };
        loop {
            if let Some(group) = &mut self.group
                && let Some(version) = place.read(self.run, group)?
            {
                return Ok(Some(version));
            }
            self.group = place.next_group(self.run)?;
            if self.group.is_none() {
                return Ok(None);
            }
        }
    }
}

impl Iterator for Versions<'_> {
    type Item = Result<Version, Corruption>;

    fn next(&mut self) -> Option<Result<Version, Corruption>> {
        let read = self.read().map_err(|damage| self.run.corrupt(damage));
        if read.is_err() {
            // Nothing behind damage can be trusted.
            (self.place, self.group) = (None, None);
        }
        read.transpose()
    }
}
