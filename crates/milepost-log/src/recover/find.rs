//! [`find`]: reads a log from its first frame to its end, without changing anything.
//!
//! May run beside a process that writes the log, if the caller does not hold the store's lock: what is read of the open
//! segment is synced here, read again, and shown only if it is still the same. A place that looks damaged is read
//! again, because a read beside a write may see a later page before an earlier one.

mod compacted;
mod segment;

use std::{
    io,
    ops::ControlFlow,
    path::{Path, PathBuf},
    sync::Arc,
};

use milepost_io::{Disk, DiskFile, Map, OpenMode, read_some_at};
use milepost_types::{Corruption, Seq, Timestamp};

use self::segment::Segment;
use super::{
    FoundLog, FoundOpen, Tail, Unsealed, Visit,
    listing::{self, Listing},
    scan::{Expected, Position, Stop},
};
use crate::{
    CleanMark, FrameView, Known, KnownSegment, LogError, SealedFacts, SegmentId, SegmentName, StoreId,
    chain::Chain,
    format::{
        footer::{self, FooterView, TRAILER_BYTES},
        frame::Frame,
        header::{FORMAT_VERSION, HeaderFault, SEGMENT_HEADER_BYTES, SegmentHeader},
    },
    names,
    segment::{HeapWriter, Offsets, Part, Sealed, read_footer},
};

/// Walks every frame in order, calling `visit`, and finds where the log ends. Reads only.
///
/// `dir` is the store's directory. An error names the damage or the missing file; then nothing of the log is returned,
/// but `visit` was called for the frames before it.
pub fn find(disk: Arc<dyn Disk>, dir: &Path, known: &Known<'_>, visit: &mut Visit<'_>) -> Result<FoundLog, LogError> {
    find_from(disk, dir, known, Seq::FIRST, visit)
}

/// The same for whoever knows the commits below `from` already: they are not visited, and segments that end below it
/// are not walked, if the manifest lists their footers. Damage in those is met by whoever reads it.
pub fn find_from(
    disk: Arc<dyn Disk>,
    dir: &Path,
    known: &Known<'_>,
    from: Seq,
    visit: &mut Visit<'_>,
) -> Result<FoundLog, LogError> {
    let listing = listing::list(&*disk, dir)?;
    let names = planned(&listing, dir, known)?;
    let (parts, unsealed) = (Vec::new(), Vec::new());
    let mut finder = Finder { disk: &*disk, dir, known, from, names, ahead: None, chain: None, parts, unsealed };
    let visit: &mut Visit<'_> = &mut |frame| if frame.seq < from { ControlFlow::Continue(()) } else { visit(frame) };
    let mut index = 0;
    let (open, tail) = loop {
        match finder.segment(index, visit)? {
            Walked::Closed => index += 1,
            Walked::Open(open, tail) => break (open, tail),
        }
        if index == finder.names.len() {
            finder.expect_another()?;
        }
    };
    finder.check_nothing_beyond(&listing, &open)?;
    let last_seq = open.chain.next_seq.prev();
    let closed_cleanly = known.clean.is_some_and(|mark| mark.last_seq == last_seq);
    let (retired, mut strays) = finder.leftovers(&listing);
    let generation = listing.rewritten.iter().map(|name| name.generation).max().unwrap_or(0);
    let generation = known.segments.iter().map(|segment| segment.generation).fold(generation, u32::max);
    strays.extend(listing.strays);
    strays.sort_unstable();
    let Finder { parts, unsealed, .. } = finder;
    Ok(FoundLog {
        dir: dir.to_owned(),
        store: known.store,
        parts,
        unsealed,
        open,
        tail,
        closed_cleanly,
        unfinished: listing.unfinished.iter().map(|name| names::log_dir(dir).join(name)).collect(),
        retired,
        generation,
        strays,
        disk,
    })
}

/// The segments to walk: those that the manifest lists, and those begun since.
fn planned(listing: &Listing, dir: &Path, known: &Known<'_>) -> Result<Vec<SegmentName>, LogError> {
    let log_dir = names::log_dir(dir);
    let mut planned: Vec<SegmentName> = known.segments.iter().map(KnownSegment::name).collect();
    for (index, segment) in known.segments.iter().enumerate() {
        if segment.dropped.is_none() && !listing.holds(segment.name()) {
            let next = known.segments.get(index + 1).map(|next| next.first_seq.prev());
            return Err(LogError::MissingSegment {
                file: names::segment(&log_dir, segment.name()),
                first: segment.first_seq,
                last: segment.sealed.map(|facts| facts.last_seq).or(next),
            });
        }
    }
    if planned.is_empty() {
        let first = listing.segments.first().ok_or_else(|| LogError::NoLog { dir: dir.to_owned() })?;
        planned.push(names::first_written(*first));
    }
    while let Some(next) =
        planned.last().map(|last| SegmentId(last.id.0 + 1)).filter(|id| listing.segments.contains(id))
    {
        planned.push(names::first_written(next));
    }
    Ok(planned)
}

struct Finder<'a> {
    disk: &'a dyn Disk,
    dir: &'a Path,
    known: &'a Known<'a>,
    /// Segments that end below it need not be walked.
    from: Seq,
    names: Vec<SegmentName>,
    /// The segment behind the one that is walked.
    ahead: Option<Opened>,
    /// The state after the last frame of the segments walked so far.
    chain: Option<Chain>,
    parts: Vec<Part>,
    unsealed: Vec<Unsealed>,
}

/// A segment's file.
struct Opened {
    index: usize,
    path: PathBuf,
    file: Box<dyn DiskFile>,
    header: SegmentHeader,
}

/// What a walk over one segment came to.
enum Walked {
    /// It is followed by another one.
    Closed,
    /// It is the one that is appended to.
    Open(FoundOpen, Tail),
}

impl Finder<'_> {
    /// Walks the segment with this index.
    fn segment(&mut self, index: usize, visit: &mut Visit<'_>) -> Result<Walked, LogError> {
        if let Some(known) = self.known_segment(self.names[index]).copied()
            && known.dropped.is_some()
        {
            return self.pass_dropped(known).map(|()| Walked::Closed);
        }
        let segment = self.begin(index)?;
        let facts = self.known_segment(segment.header.name()).and_then(|known| known.sealed);
        let sealed = sealed_content(&segment, facts)?;
        // A footer that the manifest does not list may be in the cache only: its sync may have failed, or never been
        // made. Where another segment follows, the repair writes it again. Where none does, it proves that one is
        // missing.
        match sealed.filter(|_| facts.is_some() || segment.expected.next_first.is_none()) {
            Some((map, footer)) if facts.is_some() && footer.last_seq < self.from => {
                self.pass_sealed(segment, map, footer).map(|()| Walked::Closed)
            }
            Some((map, footer)) if footer.kept().is_some() => {
                self.walk_rewritten(segment, map, footer, visit).map(|()| Walked::Closed)
            }
            Some((map, footer)) => self.walk_sealed(segment, map, footer, visit).map(|()| Walked::Closed),
            None if segment.header.generation > 0 => {
                Err(segment
                    .corrupt(0, "the segment was written anew, and MANIFEST does not list its footer".to_owned()))
            }
            None if segment.expected.next_first.is_some() => self.walk_unsealed(segment, visit),
            None => self.walk_open(segment, visit),
        }
    }

    /// Opens a segment, checks its header against all that is known, and says what to expect in it.
    fn begin(&mut self, index: usize) -> Result<Segment, LogError> {
        let name = self.names[index];
        let Opened { path, file, header, .. } = self.opened(index)?;
        let corrupt = |what: String| {
            LogError::Corrupt(Corruption { file: path.clone(), offset: 0, seq: Some(header.first_seq), what })
        };
        let listed = self.known_segment(name).map(|known| known.first_seq);
        for expected in self.chain.map(|chain| chain.next_seq).into_iter().chain(listed) {
            if expected != header.first_seq {
                let found = header.first_seq;
                return Err(corrupt(format!("the segment begins with seq {found}, expected was {expected}")));
            }
        }
        if self.chain.is_some_and(|chain| chain.epoch > header.epoch) {
            return Err(corrupt("the segment is of an earlier epoch than the one before it".to_owned()));
        }
        let next_first = self.next_first(index)?;
        if next_first.is_some_and(|next| next <= header.first_seq) {
            return Err(corrupt("the next segment begins with the same seq or an earlier one".to_owned()));
        }
        let last_at = self.chain.map_or(Timestamp::MIN, |chain| chain.last_at);
        let expected = Expected { next_first, promised: self.promised(name), footer: None };
        let position = Position { at: SEGMENT_HEADER_BYTES, chain: Chain::begin(&header, last_at) };
        Ok(Segment { header, path, file: Arc::from(file), expected, position })
    }

    /// The first `Seq` of the segment that follows, if one does.
    fn next_first(&mut self, index: usize) -> Result<Option<Seq>, LogError> {
        let Some(name) = self.names.get(index + 1) else {
            return Ok(None);
        };
        if let Some(known) = self.known_segment(*name).filter(|known| known.dropped.is_some()) {
            return Ok(Some(known.first_seq));
        }
        let next = self.opened(index + 1)?;
        let first = next.header.first_seq;
        self.ahead = Some(next);
        Ok(Some(first))
    }

    /// A segment's file and header, opened now if it was not a moment ago.
    fn opened(&mut self, index: usize) -> Result<Opened, LogError> {
        if let Some(opened) = self.ahead.take_if(|ahead| ahead.index == index) {
            return Ok(opened);
        }
        let (name, store) = (self.names[index], self.known.store);
        let path = names::segment(&names::log_dir(self.dir), name);
        let file = self.disk.open(&path, OpenMode::Read).map_err(LogError::io("open", &path))?;
        let header = read_header(&*file, &path, name, store)?;
        Ok(Opened { index, path, file, header })
    }

    fn known_segment(&self, name: SegmentName) -> Option<&KnownSegment> {
        self.known.segments.iter().find(|segment| segment.name() == name)
    }

    /// Up to which commit the manifest promises that all is there.
    fn promised(&self, name: SegmentName) -> (Seq, &'static str) {
        let sealed = self.known_segment(name).and_then(|known| known.sealed).map_or(Seq::ZERO, |facts| facts.last_seq);
        // Of the segments before, the mark says nothing that their footers, or where the next one begins, do not say.
        let closed = self.known.clean.filter(|mark| mark.segment == name.id).map_or(Seq::ZERO, |mark| mark.last_seq);
        if sealed >= closed {
            (sealed, "the manifest says that the segment was sealed with it")
        } else {
            (closed, "the manifest says that the log was closed after it")
        }
    }

    /// A sealed segment whose frames nobody asks for: its footer says where they are.
    fn pass_sealed(&mut self, segment: Segment, map: Map, footer: FooterView) -> Result<(), LogError> {
        let header = &segment.header;
        let closed_here = self.known.clean.filter(|mark| mark.last_seq == footer.last_seq);
        let agrees = footer.first_seq == header.first_seq
            && segment.expected.next_first.is_none_or(|next| next.prev() == footer.last_seq)
            && closed_here.is_none_or(|mark| ends_at(mark, header.id, footer.frames_end as u64));
        if !agrees {
            let what = "the footer does not say what the manifest or the next segment says".to_owned();
            return Err(segment.corrupt(footer.begins_at, what));
        }
        let mut chain = segment.position.chain;
        chain.next_seq = Seq(footer.last_seq.0 + 1);
        chain.last_at = footer.last_at;
        let offsets = Offsets::of_footer(footer);
        let sealed = Sealed::new(header, segment.path.clone(), map, offsets, footer.first_at, footer.frames_end);
        self.parts.push(Part::of_sealed(sealed));
        self.chain = Some(chain);
        Ok(())
    }

    fn walk_sealed(
        &mut self,
        mut segment: Segment,
        map: Map,
        footer: FooterView,
        visit: &mut Visit<'_>,
    ) -> Result<(), LogError> {
        let (header, path) = (segment.header, segment.path.clone());
        segment.expected.footer = Some(footer);
        segment.expected.promised = (segment.expected.promised.0.max(footer.last_seq), "the footer lists it");
        let offsets = Offsets::Footer(footer);
        let sealed = Sealed::new(&header, path, map.clone(), offsets, footer.first_at, footer.begins_at);
        let mut index = 0;
        let mut misplaced = false;
        map.will_need(0..map.len());
        map.check_readable(0..map.len()).map_err(|fault| {
            let begun = (0..footer.frames()).take_while(|index| footer.offset(&map, *index) as usize <= fault.at);
            let seq = Some(Seq(header.first_seq.0 + begun.count().saturating_sub(1) as u64));
            let (file, offset) = (segment.path.clone(), fault.at as u64);
            LogError::Corrupt(Corruption { file, offset, seq, what: fault.to_string() })
        })?;
        let stop = segment.walk(&map, self.known.clean, &mut |frame, at| {
            misplaced |= index >= footer.frames()
                || footer.offset(&map, index) as usize != at
                || !footer.fits(&map, index, frame.header.at);
            if !misplaced {
                sealed.set_checked(index);
            }
            index += 1;
            visit(FrameView::of(frame, header.name(), at as u64))
        })?;
        let chain = segment.position.chain;
        let first_at = if index == 0 { None } else { sealed.stamp(0).ok() };
        let agrees = !misplaced
            && stop == Stop::Sealed
            && footer.first_seq == header.first_seq
            && first_at == Some(footer.first_at)
            && chain.last_at == footer.last_at
            && chain.prev_crc == footer.last_crc;
        if !agrees {
            let what = "the footer does not say what the frames say".to_owned();
            return Err(segment.corrupt(footer.begins_at, what));
        }
        self.parts.push(Part::of_sealed(sealed));
        self.chain = Some(chain);
        Ok(())
    }

    /// A segment that is followed by another one and has no footer that counts: its frames are left in its file.
    fn walk_unsealed(&mut self, mut segment: Segment, visit: &mut Visit<'_>) -> Result<Walked, LogError> {
        let mut heap = segment.heap();
        let id = segment.header.name();
        segment.walk_file(self.known.clean, &mut |frame, at| leave(&mut heap, frame, id, at, visit))?;
        let Position { at, chain } = segment.position;
        let unsealed =
            Unsealed { index: self.parts.len(), header: segment.header, last_crc: chain.prev_crc, end: at as u64 };
        self.unsealed.push(unsealed);
        self.parts.push(Part::Heap(Arc::clone(heap.heap())));
        self.chain = Some(chain);
        Ok(Walked::Closed)
    }

    fn walk_open(&mut self, mut segment: Segment, visit: &mut Visit<'_>) -> Result<Walked, LogError> {
        let mut heap = segment.heap();
        let id = segment.header.name();
        let mut take = |frame: &Frame<'_>, at: usize| leave(&mut heap, frame, id, at, visit);
        let stop = if self.known.is_locked {
            let stop = segment.walk_file(self.known.clean, &mut take)?;
            // What is in the cache may not be on the disk yet, and only durable commits are shown.
            segment.sync()?;
            stop
        } else {
            segment.walk_beside_writer(self.known.clean, &mut take)?
        };
        let Position { at, chain } = segment.position;
        let tail = match stop {
            Stop::Torn(bytes) => Tail::Torn { file: segment.path.clone(), offset: at as u64, bytes: bytes as u64 },
            Stop::End if chain.next_seq == Seq::FIRST => Tail::Empty,
            Stop::End => Tail::Clean,
            Stop::Sealed | Stop::UnfinishedSeal | Stop::Corrupt(_) | Stop::Interrupted => {
                unreachable!("no footer, no segment behind it, and the walk has told of the others: {stop:?}")
            }
        };
        let Segment { header, file, .. } = segment;
        Ok(Walked::Open(FoundOpen { header, file, heap, chain, end: at as u64 }, tail))
    }

    /// The last segment was sealed: so another one had been begun. A writer may have begun it a moment ago.
    fn expect_another(&mut self) -> Result<(), LogError> {
        let last = self.names.last().expect("a segment was walked");
        let next = SegmentId(last.id.0 + 1);
        if listing::list(self.disk, self.dir)?.segments.contains(&next) {
            self.names.push(names::first_written(next));
            return Ok(());
        }
        Err(self.missing(next, None))
    }

    fn missing(&self, id: SegmentId, last: Option<Seq>) -> LogError {
        let file = names::segment(&names::log_dir(self.dir), names::first_written(id));
        LogError::MissingSegment { file, first: self.chain.map_or(Seq::FIRST, |chain| chain.next_seq), last }
    }

    /// A segment behind the last one, or the one in which the log was closed, proves that some are missing.
    fn check_nothing_beyond(&mut self, listing: &Listing, open: &FoundOpen) -> Result<(), LogError> {
        self.chain = Some(open.chain);
        let last = open.header.id;
        if listing.segments.last().is_some_and(|found| *found > last) {
            return Err(self.missing(SegmentId(last.0 + 1), None));
        }
        match self.known.clean {
            Some(mark) if mark.segment > last => Err(self.missing(mark.segment, Some(mark.last_seq))),
            _ => Ok(()),
        }
    }

    /// Segments that are on the disk but not in the log: those of this store that compaction has dropped or written
    /// anew, or was about to, and strays.
    fn leftovers(&self, listing: &Listing) -> (Vec<PathBuf>, Vec<String>) {
        let log_dir = names::log_dir(self.dir);
        let (mut retired, mut strays) = (Vec::new(), Vec::new());
        for name in listing.names().filter(|name| !self.names.contains(name)) {
            let path = names::segment(&log_dir, name);
            let header = self.disk.open(&path, OpenMode::Read).map_err(LogError::io("open", &path));
            let ours = header.and_then(|file| read_header(&*file, &path, name, self.known.store)).is_ok();
            // Without a manifest nobody knows what was dropped.
            let is_past = !self.known.segments.is_empty() && self.names.last().is_some_and(|last| name.id < last.id);
            if ours && is_past {
                retired.push(path);
            } else {
                strays.push(format!("{name}.seg"));
            }
        }
        (retired, strays)
    }
}

/// Whether the mark fits a last frame that ends here: the log was closed right there, or in an empty segment after it.
fn ends_at(mark: CleanMark, id: SegmentId, end: u64) -> bool {
    (mark.segment == id && mark.end == end) || (mark.segment > id && mark.end == SEGMENT_HEADER_BYTES as u64)
}

/// Shows a frame, and leaves it where it stands.
fn leave(
    heap: &mut HeapWriter,
    frame: &Frame<'_>,
    id: SegmentName,
    at: usize,
    visit: &mut Visit<'_>,
) -> ControlFlow<()> {
    heap.leave(&frame.header, at as u32);
    visit(FrameView::of(frame, id, at as u64))
}

/// The map and the footer of a sealed segment; `None` if it has none and the manifest does not say that it was sealed.
fn sealed_content(segment: &Segment, facts: Option<SealedFacts>) -> Result<Option<(Map, FooterView)>, LogError> {
    let path = &segment.path;
    let bytes = segment.file.bytes().map_err(LogError::io("read the size of", path))?;
    let mut tail = [0; TRAILER_BYTES];
    let tail_at = bytes.saturating_sub(TRAILER_BYTES as u64);
    let read = read_some_at(&*segment.file, &mut tail, tail_at).map_err(LogError::io("read", path))?;
    let ends_with_trailer = footer::ends_with_trailer(&tail[..read]);
    let damaged = |offset, what| {
        Err(LogError::Corrupt(Corruption { file: path.clone(), offset, seq: Some(segment.header.first_seq), what }))
    };
    if let Some(facts) = facts
        && facts.bytes != bytes
    {
        return damaged(bytes, format!("the sealed segment has {bytes} bytes, expected were {}", facts.bytes));
    }
    if !ends_with_trailer && facts.is_none() {
        return Ok(None);
    }
    // If the system can't give a map, the bytes are read.
    let map = segment.file.map().or_else(|_| read_to_end(&*segment.file, 0).map(Map::of_bytes));
    let map = map.map_err(LogError::io("read", path))?;
    let footer = match read_footer(&map, &segment.header) {
        Ok(footer) => footer,
        Err(fault) => return damaged(fault.at as u64, fault.to_string()),
    };
    match footer {
        Ok(footer)
            if facts.is_none_or(|facts| (facts.crc, facts.last_seq) == (footer.archive_crc, footer.last_seq)) =>
        {
            Ok(Some((map, footer)))
        }
        Ok(_) => damaged(tail_at, "the footer is not the one that the manifest lists".to_owned()),
        Err(fault) if facts.is_some() => damaged(tail_at, fault.to_string()),
        // Not known to be sealed: frames that end like a footer, or a seal that was not finished.
        Err(_) => Ok(None),
    }
}

/// What is said of a file that a newer program wrote.
pub(crate) fn newer(path: &Path, found: u16) -> LogError {
    LogError::NewerFormat { file: path.to_owned(), found: u32::from(found), supported: u32::from(FORMAT_VERSION) }
}

/// Reads and checks the header of a segment's file.
pub(crate) fn read_header(
    file: &dyn DiskFile,
    path: &Path,
    name: SegmentName,
    store: StoreId,
) -> Result<SegmentHeader, LogError> {
    let mut bytes = [0; SEGMENT_HEADER_BYTES];
    let read = read_some_at(file, &mut bytes, 0).map_err(LogError::io("read", path))?;
    let header = SegmentHeader::decode(&bytes[..read]).map_err(|fault| match fault {
        HeaderFault::Newer { found } => newer(path, found),
        HeaderFault::Short | HeaderFault::Magic | HeaderFault::Crc | HeaderFault::Content => {
            LogError::Corrupt(Corruption { file: path.to_owned(), offset: 0, seq: None, what: fault.to_string() })
        }
    })?;
    if header.store != store {
        return Err(LogError::OtherStore { file: path.to_owned(), expected: store, found: header.store });
    }
    if header.name() != name {
        return Err(LogError::Misnamed { file: path.to_owned(), found: header.name() });
    }
    Ok(header)
}

/// Reads a file from an offset to its end.
pub(crate) fn read_to_end(file: &dyn DiskFile, offset: u64) -> io::Result<Vec<u8>> {
    let bytes = usize::try_from(file.bytes()?.saturating_sub(offset)).map_err(io::Error::other)?;
    let mut buffer = vec![0; bytes];
    let read = read_some_at(file, &mut buffer, offset)?;
    buffer.truncate(read);
    Ok(buffer)
}
