//! Lists of versions: of a key, newest first; the same in the form that a walk keeps.
//!
//! Invariant: versions come in strict order and are of commits that the run covers, else the list is damaged.

use milepost_types::Corruption;

use super::Run;
use crate::{
    Version,
    format::{
        block::{Entry, Older},
        list::{self, Group, INDEX_BYTES, Order, index_entry},
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

/// A group as it is written: where it begins in its section, up to where it ends or beyond, from where its first step
/// is counted, and how many versions it has.
struct Written<'a> {
    at: u32,
    bytes: &'a [u8],
    from: Place,
    count: u64,
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

    /// So many entries of the index of a list of several groups, from this group on. The rest of it is not touched: an
    /// index may be long.
    #[inline]
    fn index<'a>(&self, run: &'a Run, group: u64, entries: u64) -> Result<&'a [u8], Damage> {
        // Below 2^32 groups, and 12 bytes each: no overflow.
        let at = u64::from(self.at) + group * INDEX_BYTES as u64;
        run.pages.bytes(self.section(run), at, entries * INDEX_BYTES as u64)
    }

    /// The `Seq` of the first version of a group of a list of several.
    #[inline]
    fn head(&self, run: &Run, group: u64) -> Result<u64, Damage> {
        Ok(index_entry(self.index(run, group, 1)?, 0).0)
    }

    /// The versions of a group.
    #[inline]
    fn written<'a>(&self, run: &'a Run, group: u64) -> Result<Written<'a>, Damage> {
        let section = self.section(run);
        let (groups, size) = (self.order.groups(self.count), self.order.group());
        if groups <= 1 {
            let bytes = run.pages.bytes_up_to(section, u64::from(self.at), self.order.group_bytes_max() as u64)?;
            return Ok(Written { at: self.at, bytes, from: self.from, count: self.count });
        }
        let is_last = group + 1 == groups;
        let entries = self.index(run, group, if is_last { 1 } else { 2 })?;
        let (seq, begin) = index_entry(entries, 0);
        let end = if is_last { self.at } else { index_entry(entries, 1).1 };
        let count = u64::from(end).checked_sub(u64::from(begin));
        let count = count.ok_or(Damage { at: self.file_at(run), what: "a group ends before it begins" })?;
        let bytes = run.pages.bytes(section, u64::from(begin), count)?;
        let from = if group == 0 { self.from } else { Place { seq, record: 0 } };
        Ok(Written { at: begin, bytes, from, count: size.min(self.count - group * size) })
    }

    /// The first group whose first version is not on this side of `seq`: above it in a list that runs down, below it in
    /// one that runs up. How many groups there are if all are.
    pub(super) fn groups_before(&self, run: &Run, seq: u64) -> Result<u64, Damage> {
        let groups = self.order.groups(self.count);
        if groups <= 1 {
            return Ok(groups);
        }
        let is_before = |group: u64| match self.order {
            Order::NewestFirst => self.head(run, group).map(|head| head > seq),
            Order::OldestFirst => self.head(run, group).map(|head| head < seq),
        };
        let last = groups - 1;
        if is_before(last)? {
            return Ok(groups);
        }
        // Commits come at an even pace, mostly: a guess, then steps that double, touch two lines of the index where a
        // search by halves touches six.
        let (mut low, mut high) = (0, last);
        let guess = guess(self.from.seq, self.head(run, last)?, seq, last);
        let mut step = 1;
        if is_before(guess)? {
            low = guess + 1;
            while low + step <= high && is_before(low + step - 1)? {
                low += step;
                step *= 2;
            }
            high = high.min(low + step - 1);
        } else {
            high = guess;
            while high >= low + step && !is_before(high - step)? {
                high -= step;
                step *= 2;
            }
            low = low.max((high + 1).saturating_sub(step));
        }
        while low < high {
            let middle = u64::midpoint(low, high);
            if is_before(middle)? {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        Ok(low)
    }
}

/// Verification: the index of a list says the `Seq` of its first version, by which searches go and walks don't.
impl List {
    pub(super) fn verify_head(&self, run: &Run) -> Result<(), Damage> {
        if self.order.groups(self.count) <= 1 {
            return Ok(());
        }
        let at = self.file_at(run);
        let Written { bytes, from, count, .. } = self.written(run, 0)?;
        let first = Group::new(bytes, from, count).read_version().map_err(Damage::at(at))?;
        if first.map(|version| version.seq) != Some(self.head(run, 0)?) {
            return Err(Damage { at, what: "the index of a list begins with another version than the list" });
        }
        Ok(())
    }
}

/// Where between 0 and `last` a `Seq` stands if those from `first_seq` to `last_seq`, up or down, are spread evenly.
fn guess(first_seq: u64, last_seq: u64, seq: u64, last: u64) -> u64 {
    let (all, part) = (first_seq.abs_diff(last_seq), first_seq.abs_diff(seq).min(first_seq.abs_diff(last_seq)));
    let share = match part.checked_mul(last) {
        Some(product) => product / all.max(1),
        None => (u128::from(part) * u128::from(last) / u128::from(all.max(1))) as u64,
    };
    share.min(last)
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
        let Written { at, bytes, from, count } = self.list.written(run, self.next_group - 1)?;
        // Where a list of one group ends is not known: each of its versions takes a byte at least.
        let piece = &bytes[..bytes.len().min(count as usize)];
        run.pages.will_read_on(self.list.section(run).at + u64::from(at), piece);
        Ok(Some(Group::new(bytes, from, count)))
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
    pub(super) fn new(run: &'a Run, Entry { newest, older }: Entry) -> Versions<'a> {
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

    /// The newest at or before `seq`, whatever was read before. Reads one group of versions at most, or the first of
    /// the next as well.
    pub fn as_of(&self, seq: u64) -> Result<Option<Version>, Corruption> {
        self.find_as_of(seq).map_err(|damage| self.run.corrupt(damage))
    }

    #[inline]
    pub(super) fn find_as_of(&self, seq: u64) -> Result<Option<Version>, Damage> {
        if self.newest.seq <= seq {
            return Ok(Some(self.newest));
        }
        self.list().map_or(Ok(None), |list| self.search(&list, seq))
    }

    fn search(&self, list: &List, seq: u64) -> Result<Option<Version>, Damage> {
        let groups = list.order.groups(list.count);
        let first = match groups {
            0 | 1 => 0,
            2 => u64::from(list.head(self.run, 1)? > seq),
            _ => list.groups_before(self.run, seq)?.saturating_sub(1),
        };
        // No look at the order here, which a walk and a verification take: it would double the time.
        for group in first..groups {
            let Written { bytes, from, count, .. } = list.written(self.run, group)?;
            let at = list.file_at(self.run);
            if let Some(version) = list::find_older(bytes, from, count, seq).map_err(Damage::at(at))? {
                self.run.check_seq(version.seq, at)?;
                return Ok(Some(version));
            }
        }
        Ok(None)
    }

    /// The list of the older ones.
    fn list(&self) -> Option<List> {
        let Older { count, at } = self.older?;
        Some(List { order: Order::NewestFirst, count, at, from: Place::of(self.newest) })
    }

    pub(super) fn verify_head(&self) -> Result<(), Damage> {
        self.list().map_or(Ok(()), |list| list.verify_head(self.run))
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

#[cfg(test)]
mod tests;
