//! [`salvage`]: the explicit way out of damage. Copies what is whole of a damaged store into a new one.
//!
//! Every commit keeps its place: its `Seq`, its timestamp, its writer. Where one is lost, a commit stands in its place
//! that says so, below `$/lost`: so every address that somebody knows is still right, and history shows the gap. Where
//! very many are lost side by side, the first of them says it for all. The
//! damaged bytes are laid beside, in the new store's `quarantine/`. Decision record 20.
//!
//! From where on the past can be read MANIFEST alone says. Without it the past is closed up to the last commit where a
//! policy may have taken anything: a value that is left must not answer for one that is gone. How far the log went
//! MANIFEST says as well, and runs, as far as they go.
//!
//! Invariant: the damaged store is only read. What the new one holds was whole, and nothing whole is left out silently.

use std::{
    collections::{BTreeMap, BTreeSet},
    io::ErrorKind,
    ops::RangeInclusive,
    path::{Path, PathBuf},
    sync::Arc,
};

use milepost_io::{Disk, OpenMode, write_all_at};
use milepost_log::{
    Bounds, FrameView, KnownSegment, Reached, Remnant, SegmentId, SegmentName, StoreId, Wreck, begin_behind, wrecks,
};
use milepost_types::{
    Corruption, EventRef, Receipt, Scope, ScopePrefix, Seq, Timestamp, Writer,
    body::{Body, BodyError},
};

use crate::{
    FillError, Filling, Horizon, OpenError, Parts, Purpose, Settings, Stamped,
    backup::{self, RESTORED_EPOCHS},
    engine::quarantine::QUARANTINE,
    error::Unreadable,
    filling::{Ground, NARROW_COMMITS, refuse_unfinished},
    index,
    manifest::{self, Manifest, SegmentRow, SegmentState},
    open,
    retention::Horizons,
    state::{LOST, lost_key},
};

/// Who commits in the place of a lost commit.
const SALVAGER: &str = "milepost salvage";

/// Of so many lost commits side by side there is a commit in the place of each; of more, in the place of the first.
const LOST_EACH_MAX: u64 = 1 << 16;

/// Commits that are lost.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lost {
    /// The first.
    pub first: Seq,
    /// The last.
    pub last: Seq,
    /// Where they stood, and what is wrong there.
    pub place: Corruption,
}

/// Damaged bytes, and where they were laid.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Quarantined {
    /// Where they stand, and what is wrong with them.
    pub place: Corruption,
    /// How many.
    pub bytes: u64,
    /// The copy of them in the new store; `None` if there is nothing to copy.
    pub copy: Option<PathBuf>,
}

/// What [`salvage`] has done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Salvaged {
    /// Whose store it is, in hexadecimal.
    pub store: String,
    /// Whole commits that were copied.
    pub commits: u64,
    /// The last commit of the new store.
    pub last: Receipt,
    /// What is lost, in order.
    pub lost: Vec<Lost>,
    /// What is damaged, lost commits or not.
    pub damage: Vec<Quarantined>,
    /// The remains of a batch that was never acknowledged: no loss.
    pub torn: Option<Quarantined>,
    /// Places whose past can't be read in the new store before its last commit, though it may have been whole:
    /// MANIFEST, which said from where on it is, could not be read.
    pub closed: Vec<Horizon>,
    /// Whether MANIFEST could be read, which says how far the log went at least. Without it commits behind the last one
    /// may be lost with their segments, and nobody knows.
    pub is_end_known: bool,
}

impl Salvaged {
    /// Whether the new store surely answers all that the damaged one did.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        self.lost.is_empty() && self.closed.is_empty() && self.is_end_known
    }

    /// How many commits are lost.
    #[must_use]
    pub fn lost_count(&self) -> u64 {
        self.lost.iter().map(|lost| lost.last.0 - lost.first.0 + 1).sum()
    }
}

/// Copies what is whole of the store in `dir` into a new one in `into`, which must be empty or not there. Nobody can
/// open that before it is done. `progress` is told the bytes read and the bytes in all.
pub fn salvage(
    parts: Parts,
    dir: &Path,
    into: &Path,
    settings: Settings,
    progress: &mut dyn FnMut(u64, u64),
) -> Result<Salvaged, FillError> {
    let disk = Arc::clone(&parts.disk);
    let Some(entries) = open::entries(&*disk, dir)? else {
        return Err(OpenError::Missing { dir: dir.to_owned() }.into());
    };
    // What is there is less than the store that was to be made, and nothing in it says how much less.
    refuse_unfinished(dir, &entries)?;
    // Held to the end: nobody writes to what is being read.
    let _lock = open::lock(&*disk, dir)?;
    let (known, manifest_damage) = known(&*disk, dir)?;
    let found = wrecks(&*disk, dir).map_err(|error| OpenError::of_log(dir, error))?;
    let store = known.as_ref().map(|known| StoreId(known.store)).or_else(|| whose(&found));
    let Some(store) = store else { return Err(nothing(dir).into()) };
    let segments: Vec<&Wreck> = found.iter().filter(|wreck| is_of(wreck, store, known.as_ref())).collect();
    // Without MANIFEST nobody knows whether what was before the first segment is lost or was let go.
    let first = known.as_ref().and_then(|known| known.segments.first()).map_or(Seq::FIRST, |row| Seq(row.first_seq));
    let epoch = next_epoch(known.as_ref(), &segments, dir)?;
    let ground = Ground::take(parts, into, Purpose::Salvage)?;
    backup::copy_notes(&*disk, dir, into);
    let log = begin(&ground, store, first, epoch)?;
    let quarantine = Quarantine { disk: Arc::clone(&disk), dir: into.to_owned(), epoch };
    let filling = ground.open((store, epoch), &log, settings, &mut |_, _| {})?;
    let horizons = known.as_ref().map(|known| manifest::known_horizons(&known.horizons));
    // Without MANIFEST what was indexed says how far the log went at least.
    let promised = known.as_ref().map_or_else(|| index::covered(&*disk, dir, store.0), promised);
    let mut salvage = Salvage {
        filling,
        quarantine,
        dir: dir.to_owned(),
        next: first,
        commits: 0,
        removed: known.iter().flat_map(dropped).collect(),
        horizons,
        is_thinned: false,
        thinned_by: BTreeSet::new(),
        lost: Vec::new(),
        damage: Vec::new(),
        torn: None,
        suspect: None,
        failed: None,
    };
    salvage.damage.extend(manifest_damage.map(|place| Quarantined { place, bytes: 0, copy: None }));
    let mut come = Reached::before(first, promised);
    let total = open::log_bytes(&*disk, &dir.join(open::LOG), &[]);
    for (index, wreck) in segments.iter().enumerate() {
        let bounds = bounds(&segments, index, known.as_ref());
        salvage.segment(&*disk, wreck, &bounds, &mut come)?;
        progress((total / segments.len() as u64) * (index as u64 + 1), total);
    }
    salvage.finish(store, come)
}

/// How many segments there are, and all places of the log that are damaged, in order: an opening stops at the first.
/// `give` is called for every whole frame.
pub(crate) fn damage(
    disk: &dyn Disk,
    dir: &Path,
    known: &Manifest,
    give: &mut dyn FnMut(&FrameView<'_>),
) -> Result<(u64, Vec<Corruption>), OpenError> {
    let of_log = |error| OpenError::of_log(dir, error);
    let found = wrecks(disk, dir).map_err(of_log)?;
    let segments: Vec<&Wreck> = found.iter().filter(|wreck| is_of(wreck, StoreId(known.store), Some(known))).collect();
    let first = known.segments.first().map_or(Seq::FIRST, |row| Seq(row.first_seq));
    let (mut come, mut damage) = (Reached::before(first, promised(known)), Vec::new());
    for (index, wreck) in segments.iter().enumerate() {
        let bounds = bounds(&segments, index, Some(known));
        let read = wreck.each(disk, &bounds, &mut come, &mut |remnant| match remnant {
            Remnant::Frame(frame) => give(&frame),
            Remnant::Damage { offset, what, .. } => {
                damage.push(Corruption { file: wreck.file.clone(), offset, seq: None, what });
            }
            Remnant::Removed { .. } | Remnant::Torn { .. } => {}
        });
        read.map_err(of_log)?;
    }
    Ok((segments.len() as u64, damage))
}

fn bounds(segments: &[&Wreck], index: usize, known: Option<&Manifest>) -> Bounds {
    let wreck = segments[index];
    let later = segments[index + 1..].iter().find_map(|next| next.first.filter(|first| Some(*first) > wreck.first));
    Bounds { next_first: later, is_sealed: is_sealed(wreck, known) }
}

/// What MANIFEST says, if it can be read, and what is wrong with it.
fn known(disk: &dyn Disk, dir: &Path) -> Result<(Option<Manifest>, Option<Corruption>), OpenError> {
    match manifest::read(disk, dir) {
        Ok(Some(manifest)) => Ok((Some(manifest), None)),
        Ok(None) => {
            // Nothing to salvage, unless it is MANIFEST alone that is missing.
            match open::no_manifest(disk, dir)? {
                OpenError::ManifestMissing { .. } => {}
                error => return Err(error),
            }
            let (file, what) = (dir.join(manifest::MANIFEST), "it is missing".to_owned());
            Ok((None, Some(Corruption { file, offset: 0, seq: None, what })))
        }
        Err(OpenError::Corrupt(corruption)) => Ok((None, Some(corruption))),
        Err(error) => Err(error),
    }
}

/// Whose segments these are, by the header of the first that has one.
fn whose(found: &[Wreck]) -> Option<StoreId> {
    found.iter().find_map(|wreck| wreck.header).map(|header| header.store)
}

fn nothing(dir: &Path) -> OpenError {
    let why = "it has neither a MANIFEST nor a segment that says whose it is".to_owned();
    OpenError::NotAStore { dir: dir.to_owned(), why }
}

/// Whether a file is one of the store's, by its header, and one that counts, by MANIFEST: it is listed, or was begun
/// later.
fn is_of(wreck: &Wreck, store: StoreId, known: Option<&Manifest>) -> bool {
    let counts = |known: &Manifest| {
        let is_it = |row: &SegmentRow| (row.id, row.generation) == (wreck.named.id.0, wreck.named.generation);
        let is_later = known.segments.last().is_none_or(|last| wreck.named.id.0 > last.id);
        is_later || known.segments.iter().any(is_it)
    };
    wreck.header.is_none_or(|header| header.store == store) && known.is_none_or(counts)
}

fn is_sealed(wreck: &Wreck, known: Option<&Manifest>) -> bool {
    let rows = known.map(|known| &known.segments[..]).unwrap_or_default();
    rows.iter().any(|row| row.id == wreck.named.id.0 && matches!(row.state, SegmentState::Sealed(_)))
}

/// Commits that were dropped with their segments: the first and the last of each row, and when they were stamped.
fn dropped(known: &Manifest) -> impl Iterator<Item = ((Seq, Seq), Stamps)> {
    known.segments.iter().filter_map(|row| match &row.state {
        SegmentState::Dropped(facts) => {
            Some(((Seq(row.first_seq), Seq(facts.last_seq)), vec![Timestamp(facts.first_at), Timestamp(facts.last_at)]))
        }
        SegmentState::Open | SegmentState::Sealed(_) => None,
    })
}

/// The last commit of which MANIFEST says that it was durable.
fn promised(known: &Manifest) -> Seq {
    let sealed = known.segments.iter().filter_map(|row| match &row.state {
        SegmentState::Sealed(row) => Some(row.last_seq),
        SegmentState::Dropped(row) => Some(row.last_seq),
        SegmentState::Open => None,
    });
    let runs = known.runs.iter().map(|run| run.last_seq);
    let closed = known.clean.iter().map(|clean| clean.last_seq);
    // A segment is begun behind a commit that was durable.
    let begun = known.segments.iter().map(|row| row.first_seq.saturating_sub(1));
    Seq(sealed.chain(runs).chain(closed).chain(begun).max().unwrap_or(0))
}

fn next_epoch(known: Option<&Manifest>, segments: &[&Wreck], dir: &Path) -> Result<u32, OpenError> {
    let headers = segments.iter().filter_map(|wreck| wreck.header).map(|header| header.epoch);
    let last = headers.chain(known.map(|known| known.epoch)).max().unwrap_or(0);
    let next = last.checked_add(RESTORED_EPOCHS).filter(|epoch| *epoch < u32::MAX);
    next.ok_or_else(|| open::exhausted_epoch(dir))
}

/// A log that begins later than with the first commit, where retention has taken what was before.
fn begin(ground: &Ground, store: StoreId, first: Seq, epoch: u32) -> Result<Vec<KnownSegment>, OpenError> {
    if first == Seq::FIRST {
        return Ok(Vec::new());
    }
    let (disk, dir) = (&*ground.parts.disk, &ground.dir);
    let log = dir.join(open::LOG);
    disk.create_dir(&log).map_err(|error| OpenError::no_room_or_io(disk, dir, 4096, "create", &log, error))?;
    disk.sync_dir(dir).map_err(|error| OpenError::io("sync", dir, error))?;
    let begun = begin_behind(disk, dir, store, (SegmentId::FIRST, first), epoch, &*ground.parts.entropy);
    begun.map_err(|error| OpenError::of_log(dir, error))?;
    Ok(vec![KnownSegment::open(SegmentId::FIRST, first)])
}

/// Where damaged bytes are laid.
struct Quarantine {
    disk: Arc<dyn Disk>,
    /// The new store's directory.
    dir: PathBuf,
    epoch: u32,
}

impl Quarantine {
    /// Lays damaged bytes there, under a name of their own.
    fn lay(&self, segment: SegmentName, offset: u64, bytes: &[u8]) -> Result<Option<PathBuf>, OpenError> {
        if bytes.is_empty() {
            return Ok(None);
        }
        let below = self.dir.join(QUARANTINE);
        // A damaged block is told by its place in the file, a frame in a whole one by where it stood before it was
        // compressed: the two may be one number.
        let named = |again: u32| match again {
            0 => below.join(format!("{segment}-{offset}-{}.bytes", self.epoch)),
            _ => below.join(format!("{segment}-{offset}-{again}-{}.bytes", self.epoch)),
        };
        let (mut again, mut path) = (0, named(0));
        let mut laid = || {
            self.disk.create_dir(&below)?;
            self.disk.sync_dir(&self.dir)?;
            let file = loop {
                match self.disk.open(&path, OpenMode::CreateNew) {
                    Err(error) if error.kind() == ErrorKind::AlreadyExists => again += 1,
                    opened => break opened?,
                }
                path = named(again);
            };
            write_all_at(&*file, bytes, 0).map_err(|short| short.error)?;
            file.sync()?;
            self.disk.sync_dir(&below)
        };
        let done = laid();
        let failed =
            |error| OpenError::no_room_or_io(&*self.disk, &self.dir, bytes.len() as u64, "write", &path, error);
        done.map_err(failed)?;
        Ok(Some(path))
    }
}

/// When each of some commits side by side was stamped, or, where they are many, the first and the last of them.
type Stamps = Vec<Timestamp>;

/// A salvage under way.
struct Salvage {
    filling: Filling,
    quarantine: Quarantine,
    /// The damaged store.
    dir: PathBuf,
    /// The commit that comes next.
    next: Seq,
    commits: u64,
    /// Commits that were removed on purpose: the first and the last of each stretch, in order.
    removed: BTreeMap<(Seq, Seq), Stamps>,
    /// From where on the past can be read; `None` without MANIFEST, which alone says it.
    horizons: Option<Horizons>,
    /// Whether anything was seen to be removed.
    is_thinned: bool,
    /// Places of which a policy said, ever, that not everything is kept.
    thinned_by: BTreeSet<ScopePrefix>,
    lost: Vec<Lost>,
    damage: Vec<Quarantined>,
    torn: Option<Quarantined>,
    /// The last damage behind which no commit has come yet: what is lost next is lost there.
    suspect: Option<Corruption>,
    failed: Option<FillError>,
}

impl Salvage {
    fn segment(
        &mut self,
        disk: &dyn Disk,
        wreck: &Wreck,
        bounds: &Bounds,
        come: &mut Reached,
    ) -> Result<(), FillError> {
        let read = wreck.each(disk, bounds, come, &mut |remnant| {
            if self.failed.is_none() {
                self.failed = self.take(wreck, remnant).err();
            }
        });
        match (read, self.failed.take()) {
            (_, Some(failed)) => Err(failed),
            (Err(error), None) => Err(OpenError::of_log(&self.dir, error).into()),
            (Ok(()), None) => Ok(()),
        }
    }

    fn take(&mut self, wreck: &Wreck, remnant: Remnant<'_>) -> Result<(), FillError> {
        let place = |offset, seq, what| Corruption { file: wreck.file.clone(), offset, seq, what };
        match remnant {
            Remnant::Frame(frame) => {
                let read = Body::parse(frame.body).and_then(|body| self.read(&body));
                let Err(error) = read else {
                    return self.keep(Receipt { seq: frame.seq, at: frame.at }, frame.body);
                };
                match Unreadable::new(wreck.file.clone(), frame.offset, frame.seq, &error) {
                    Unreadable::Newer(commit) => Err(OpenError::NewerCommit(commit).into()),
                    Unreadable::Corrupt(corruption) => self.damaged(wreck, corruption, frame.body),
                    Unreadable::Removed(_) => unreachable!("a walk asks for no address"),
                }
            }
            Remnant::Removed { first, last, stamps } => {
                self.is_thinned = true;
                let is_narrow = last.0 - first.0 < NARROW_COMMITS;
                let known = || match is_narrow {
                    true => (first.0..=last.0).map(|seq| stamps.at(Seq(seq))).collect(),
                    false => vec![stamps.at(first), stamps.at(last)],
                };
                self.removed.entry((first, last)).or_insert_with(known);
                Ok(())
            }
            Remnant::Damage { offset, bytes, what } => self.damaged(wreck, place(offset, Some(self.next), what), bytes),
            Remnant::Torn { offset, bytes } => {
                let copy = self.quarantine.lay(wreck.named, offset, bytes)?;
                let what = "the remains of a batch that was never acknowledged".to_owned();
                let place = place(offset, Some(self.next), what);
                self.torn = Some(Quarantined { place, bytes: bytes.len() as u64, copy });
                Ok(())
            }
        }
    }

    fn damaged(&mut self, wreck: &Wreck, place: Corruption, bytes: &[u8]) -> Result<(), FillError> {
        let copy = self.quarantine.lay(wreck.named, place.offset, bytes)?;
        // Of several places before the next whole commit the first is named: what is lost begins there.
        self.suspect.get_or_insert_with(|| place.clone());
        self.damage.push(Quarantined { place, bytes: bytes.len() as u64, copy });
        Ok(())
    }

    fn keep(&mut self, place: Receipt, body: &[u8]) -> Result<(), FillError> {
        self.fill(place.seq.prev(), place.at)?;
        self.suspect = None;
        self.filling.push_body(place, body.to_vec())?;
        self.commits += 1;
        self.next = Seq(place.seq.0 + 1);
        Ok(())
    }

    /// Goes on through a commit where none is: some were removed, the others are lost. The next is stamped `before`.
    fn fill(&mut self, through: Seq, before: Timestamp) -> Result<(), FillError> {
        // As late as can be: right before the next whole commit.
        let stamp = |seq: Seq| Timestamp(before.0.saturating_sub_unsigned(through.0 + 1 - seq.0));
        while self.removed.first_key_value().is_some_and(|((first, _), _)| *first <= through) {
            let Some(((first, last), stamps)) = self.removed.pop_first() else { break };
            if last > through {
                // The file of a segment that was dropped is there all the same, whole in part. When each commit of the
                // rest was made it does not say.
                self.removed.entry((Seq(through.0 + 1), last)).or_default();
            }
            let last = last.min(through);
            // Two copies of a segment may both say it.
            if last < self.next {
                continue;
            }
            if first > self.next {
                self.lose(self.next, first.prev(), stamp(self.next).0)?;
            }
            let stretch = first..=last;
            self.pass(&stretch, &stamps, &stamp)?;
        }
        if self.next <= through {
            self.lose(self.next, through, stamp(self.next).0)?;
        }
        Ok(())
    }

    /// Goes on behind a stretch that was removed, none of it stamped after `latest`.
    fn pass(
        &mut self,
        stretch: &RangeInclusive<Seq>,
        stamps: &[Timestamp],
        latest: &dyn Fn(Seq) -> Timestamp,
    ) -> Result<(), FillError> {
        let (first, last) = stretch.clone().into_inner();
        let count = last.0 - first.0 + 1;
        if stamps.len() as u64 == count {
            for seq in self.next.0..=last.0 {
                // What is lost beside it has taken a late stamp, perhaps its own; and some are known as a little too
                // early.
                let last_at = self.filling.last().at.0;
                let own = stamps[(seq - first.0) as usize].0;
                let at = Timestamp(own.max(last_at.saturating_add(1)).min(latest(Seq(seq)).0));
                self.filling.pass(Seq(seq), Stamped::Between(at, at))?;
            }
        } else {
            let fits = |(first_at, last_at): &(Timestamp, Timestamp)| {
                let has_room = last_at.0.saturating_sub(first_at.0).cast_unsigned() >= count - 1;
                let is_behind = self.next == first && *first_at > self.filling.last().at;
                has_room && is_behind && *last_at <= latest(last)
            };
            let known = stamps.first().copied().zip(stamps.last().copied());
            let (first_at, last_at) = known.filter(fits).unwrap_or_else(|| (latest(self.next), latest(last)));
            self.filling.pass(last, Stamped::Between(first_at, last_at))?;
        }
        self.next = Seq(last.0 + 1);
        Ok(())
    }

    /// Puts a commit in the place of each that is lost, the first stamped `at`. Of very many the first stands for all.
    fn lose(&mut self, first: Seq, last: Seq, at: i64) -> Result<(), FillError> {
        let missing = || {
            let (file, what) = (self.dir.join(open::LOG), "no segment there holds it".to_owned());
            Corruption { file, offset: 0, seq: Some(first), what }
        };
        let place = Corruption { seq: Some(first), ..self.suspect.take().unwrap_or_else(missing) };
        let said = format!("{}, at byte {} of {}", place.what, place.offset, place.file.display());
        let stamp = |seq: u64| Timestamp(at.saturating_add_unsigned(seq - first.0));
        if last.0 - first.0 >= LOST_EACH_MAX {
            self.mark(Receipt { seq: first, at: stamp(first.0) }, &format!("lost: commits {first} to {last}: {said}"))?;
            self.filling.pass(last, Stamped::Between(stamp(first.0 + 1), stamp(last.0)))?;
        } else {
            for seq in first.0..=last.0 {
                self.mark(Receipt { seq: Seq(seq), at: stamp(seq) }, &format!("lost: {said}"))?;
            }
        }
        self.lost.push(Lost { first, last, place });
        self.next = Seq(last.0 + 1);
        Ok(())
    }

    /// A commit that says what is lost.
    fn mark(&mut self, place: Receipt, said: &str) -> Result<(), FillError> {
        let lost = Scope::from_stored(LOST).expect("a name that is always right");
        let mut request = self.filling.request();
        request = request.writer(Writer::new(SALVAGER).expect("a name that is always right"));
        let refused = |source| FillError::Refused { seq: place.seq, source };
        request.add_kept(&lost, &lost_key(place.seq), said.as_bytes()).map_err(refused)?;
        self.filling.push(place, request, None)
    }

    fn finish(mut self, store: StoreId, come: Reached) -> Result<Salvaged, FillError> {
        if come.promised >= self.next {
            let last_at = self.filling.last().at.0.max(come.last.at.0);
            let before = last_at.saturating_add_unsigned(come.promised.0 + 2 - self.next.0);
            self.fill(come.promised, Timestamp(before))?;
        }
        let is_end_known = self.horizons.is_some();
        let closed = if is_end_known { Vec::new() } else { self.closed() };
        let Salvage { filling, horizons, commits, lost, damage, torn, .. } = self;
        let filling = match horizons {
            Some(horizons) => filling.with_known(horizons),
            None => filling.with_horizons(closed.clone()),
        };
        let last = filling.finish()?;
        Ok(Salvaged { store: store.to_string(), commits, last, lost, damage, torn, closed, is_end_known })
    }

    /// Places of whose past something may be gone without a trace: where a policy took it, in this store or in one that
    /// this was imported or restored from. Policies stay in the log for good; where any commit is missing one may be
    /// among them.
    fn closed(&self) -> Vec<Horizon> {
        let Receipt { seq, at } = self.filling.last();
        let is_any_lost = !self.lost.is_empty() || (self.torn.is_some() && self.is_thinned);
        let places = if is_any_lost { BTreeSet::from([ScopePrefix::root()]) } else { self.thinned_by.clone() };
        let horizon = |prefix| Horizon { prefix, seq, at };
        places.into_iter().map(horizon).collect()
    }

    /// Reads a body to its end.
    fn read(&mut self, body: &Body<'_>) -> Result<(), BodyError> {
        self.is_thinned |= body.is_thinned();
        body.meta()?;
        let mut events = body.events();
        while let Some(found) = events.next()? {
            if let EventRef::Retain { prefix, policy } = found.event
                && !policy.keeps_everything()
            {
                self.thinned_by.extend(ScopePrefix::parse(prefix));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
