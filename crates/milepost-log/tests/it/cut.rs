//! FAULTS B5: files that are cut under their maps on the real disk, at every page. What stands in pages that are there
//! is read; all else is an error that names the file and the commit, and never the end of the process.

use std::{
    io,
    ops::ControlFlow,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use milepost_io::{DirEntry, DirId, DirLock, Disk, DiskFile, Latch, Map, OpenMode, OsDisk, OsEntropy};
use milepost_log::{
    Form, Found, FrameView, Log, LogReader, LogSettings, Rewrote, SegmentId, SegmentKind, Verdict, create,
    format::{
        footer::{self, FooterView},
        frame::frame_bytes,
        header::SegmentHeader,
    },
};
use milepost_types::{Corruption, Seq};

use crate::rig::{STORE, body, frame};

const PAGE: usize = 4096;

/// The real disk. While it is full nothing but headers is written.
#[derive(Clone, Debug, Default)]
struct Filling(Arc<AtomicBool>);

#[derive(Debug)]
struct FillingFile {
    file: Box<dyn DiskFile>,
    is_full: Arc<AtomicBool>,
}

impl Disk for Filling {
    fn open(&self, path: &Path, mode: OpenMode) -> io::Result<Box<dyn DiskFile>> {
        Ok(Box::new(FillingFile { file: OsDisk.open(path, mode)?, is_full: Arc::clone(&self.0) }))
    }
    fn create_dir(&self, path: &Path) -> io::Result<()> {
        OsDisk.create_dir(path)
    }
    fn list(&self, dir: &Path) -> io::Result<Vec<DirEntry>> {
        OsDisk.list(dir)
    }
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        OsDisk.rename(from, to)
    }
    fn remove(&self, path: &Path) -> io::Result<()> {
        OsDisk.remove(path)
    }
    fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        OsDisk.sync_dir(dir)
    }
    fn free_bytes(&self, dir: &Path) -> io::Result<u64> {
        OsDisk.free_bytes(dir)
    }
    fn dir_id(&self, dir: &Path) -> io::Result<DirId> {
        OsDisk.dir_id(dir)
    }
    fn lock_dir(&self, dir: &Path) -> io::Result<Option<Box<dyn DirLock>>> {
        OsDisk.lock_dir(dir)
    }
    fn share_dir(&self, dir: &Path) -> io::Result<Option<Box<dyn DirLock>>> {
        OsDisk.share_dir(dir)
    }
}

impl DiskFile for FillingFile {
    fn begin_sync(&self, _offset: u64, _bytes: u64) {}

    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        self.file.read_at(buffer, offset)
    }
    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<usize> {
        if offset > 0 && self.is_full.load(Ordering::Relaxed) {
            return Err(io::ErrorKind::StorageFull.into());
        }
        self.file.write_at(bytes, offset)
    }
    fn sync(&self) -> io::Result<()> {
        self.file.sync()
    }
    fn bytes(&self) -> io::Result<u64> {
        self.file.bytes()
    }
    fn set_bytes(&self, bytes: u64) -> io::Result<()> {
        self.file.set_bytes(bytes)
    }
    fn allocate(&self, offset: u64, bytes: u64) -> io::Result<()> {
        self.file.allocate(offset, bytes)
    }
    fn map(&self) -> io::Result<Map> {
        self.file.map()
    }
}

/// A log of commits of these sizes, rolled behind them; where each frame begins.
fn filled(disk: &Filling, dir: &Path, sizes: &[usize]) -> (Log, Vec<usize>) {
    let settings = LogSettings { segment_bytes: 1 << 20 };
    let mut log = create(Arc::new(disk.clone()), dir, STORE, 1, &OsEntropy, Latch::default(), settings).unwrap();
    let commits = (1..).map(Seq).zip(sizes).map(|(seq, size)| frame(seq, body(seq, 1, *size)));
    log.writer.append(commits.collect()).unwrap();
    log.writer.sync().unwrap();
    let mut begins = Vec::new();
    let walk = log.reader.for_each_frame(Seq(1), Seq::MAX, &mut |view| {
        begins.push(view.offset as usize);
        ControlFlow::Continue(())
    });
    walk.unwrap();
    (log, begins)
}

fn cut(file: &Path, pages: usize) {
    OsDisk.open(file, OpenMode::Write).unwrap().set_bytes((pages * PAGE) as u64).unwrap();
}

fn assert_named(fault: &Corruption, file: &Path, seq: u64) {
    assert_eq!((&*fault.file, fault.seq), (file, Some(Seq(seq))), "{fault}");
    assert!(fault.to_string().contains("can't be read"), "{fault}");
}

/// The first commits that a walk shows, and the one at which it ends.
fn walked(reader: &LogReader) -> (u64, Option<Corruption>) {
    let mut count = 0;
    let walk = reader.for_each_frame(Seq(1), Seq::MAX, &mut |_| {
        count += 1;
        ControlFlow::Continue(())
    });
    (count, walk.err())
}

/// A segment without a footer: where its frames begin is in memory, so that all is read of it that is left. Whole
/// frames where their checksums have to be made, else what was asked for.
#[test]
fn of_a_segment_without_a_footer_all_is_read_that_is_left() {
    // A header that ends with its page, and a body; a body that ends a word behind a page, and a header; some pages.
    let sizes = [3952, 4096, 100, 3920, 4024, 10_000, 50, 0, 3000, 60];
    for (pages, is_read_before) in (1..8).flat_map(|pages| [(pages, false), (pages, true)]) {
        let (temp, disk) = (tempfile::tempdir().unwrap(), Filling::default());
        let (mut log, begins) = filled(&disk, temp.path(), &sizes);
        assert_eq!(begins[..6], [64, 4056, 8192, 8336, 12_296, 16_360]);
        disk.0.store(true, Ordering::Relaxed);
        log.writer.roll().unwrap();
        disk.0.store(false, Ordering::Relaxed);
        assert_eq!(log.writer.segments()[0].sealed, None);
        let reader = &log.reader;
        let path = reader.segment_stats()[0].file.clone().unwrap();
        if is_read_before {
            assert!(walked(reader) == (10, None));
        }
        cut(&path, pages);
        let left = pages * PAGE;
        let segments = reader.segments();
        let mut readable = Vec::new();
        for ((seq, begin), size) in (1..).zip(begins).zip(sizes) {
            let whole = body(Seq(seq), 1, size);
            let (header_end, end) = (begin + 40, begin + frame_bytes(size));
            let is_met = if is_read_before { header_end <= left } else { end <= left };
            match segments.find(Seq(seq)).map(|found| found.frame().unwrap()) {
                Ok(found) => {
                    assert!(is_met, "{seq} of {pages} pages");
                    for from in [0, size / 2] {
                        let to = size.min(from + 8);
                        let is_left = header_end + to <= left || from == to;
                        match found.body_from(from, 8) {
                            Ok(part) => assert!(is_left && part[..to - from] == whole[from..to], "{seq}, {pages}"),
                            Err(fault) => {
                                assert!(!is_left, "{seq} of {pages} pages: {fault}");
                                assert_named(&fault, &path, seq);
                            }
                        }
                    }
                }
                Err(fault) => {
                    assert!(!is_met, "{seq} of {pages} pages: {fault}");
                    assert_named(&fault, &path, seq);
                }
            }
            match reader.frame(Seq(seq)) {
                Ok(found) => assert!(end <= left && found.frame().unwrap().body() == whole, "{seq} of {pages} pages"),
                Err(fault) => {
                    assert!(end > left, "{seq} of {pages} pages: {fault}");
                    assert_named(&fault, &path, seq);
                }
            }
            readable.push(end <= left);
        }
        let first = readable.iter().take_while(|is_readable| **is_readable).count() as u64;
        let (count, fault) = walked(reader);
        assert_eq!(count, first);
        assert_named(&fault.unwrap(), &path, first + 1);
    }
}

/// Every fifth goes.
fn is_kept(index: usize) -> bool {
    !index.is_multiple_of(5)
}

/// A log whose first segment has many commits, as it was sealed or written anew; its file, and its footer.
fn many(dir: &Path, form: Option<Form>, first_size: usize) -> (Log, Vec<usize>, PathBuf, FooterView) {
    let mut sizes = vec![8; 2500];
    sizes[1] = first_size;
    let (mut log, mut begins) = filled(&Filling::default(), dir, &sizes);
    log.writer.roll().unwrap();
    if let Some(form) = form {
        let mut rewrite = log.rewriter.begin(SegmentId(1)..=SegmentId(1), form).unwrap();
        let mut judge = |view: FrameView<'_>| {
            if is_kept(view.seq.0 as usize - 1) { Verdict::Keep } else { Verdict::Remove }
        };
        let Rewrote::Done(rewritten) = rewrite.step(usize::MAX, &mut judge).unwrap() else { panic!("no end") };
        log.rewriter.replace(&rewritten);
        let mut end = 64;
        for (index, (begin, size)) in begins.iter_mut().zip(&sizes).enumerate() {
            *begin = end;
            end += if is_kept(index) { frame_bytes(*size) } else { 0 };
        }
    }
    let file = log.reader.segment_stats()[0].file.clone().unwrap();
    let bytes = OsDisk.open(&file, OpenMode::Read).unwrap().map().unwrap();
    let header = SegmentHeader::decode(&bytes).unwrap();
    let view = footer::decode_of(&header, &bytes).unwrap();
    (log, begins, file, view)
}

/// A footer is read here and there: each commit is read that is found by what is left of it.
#[test]
fn of_a_footer_all_is_used_that_is_left() {
    for form in [None, Some(Form::Raw)] {
        let temp = tempfile::tempdir().unwrap();
        // Where it says how many are kept before a commit, a page begins.
        let first_size = match form {
            None => 8,
            Some(_) => {
                let (_, _, _, view) = many(&temp.path().join("probe"), form, 8);
                8 + (PAGE - view.kept().unwrap().places(0).1 % PAGE)
            }
        };
        let (log, begins, file, view) = many(&temp.path().join("store"), form, first_size);
        let reader = &log.reader;
        let kind = if form.is_none() { SegmentKind::Sealed } else { SegmentKind::Rewritten };
        assert_eq!(reader.segment_stats()[0].kind, kind);
        let bytes = OsDisk.open(&file, OpenMode::Read).unwrap().bytes().unwrap() as usize;
        for pages in (view.begins_at / PAGE - 1..=bytes / PAGE).rev() {
            cut(&file, pages);
            let left = pages * PAGE;
            let mut rank = 0;
            let mut is_all_there = true;
            for (index, begin) in begins.iter().enumerate() {
                let (seq, is_there) = (index as u64 + 1, form.is_none() || is_kept(index));
                let tables_end = view.kept().map_or(0, |kept| {
                    let (bits_at, ranks_at) = kept.places(index);
                    (bits_at + 8).max(ranks_at + 4)
                });
                let size = if index == 1 { first_size } else { 8 };
                let frame_end = if is_there { (view.offset_at(rank) + 4).max(begin + frame_bytes(size)) } else { 0 };
                rank += usize::from(is_there);
                let is_readable = tables_end.max(frame_end) <= left;
                is_all_there &= is_readable;
                match reader.frame(Seq(seq)) {
                    Ok(Found::Frame(frame)) => {
                        assert!(is_readable && is_there && frame.body() == body(Seq(seq), 1, size), "{seq}, {pages}");
                    }
                    Ok(found) => assert!(is_readable && !is_there && matches!(found, Found::Removed), "{seq}, {pages}"),
                    Err(fault) => {
                        assert!(!is_readable, "{seq} of {pages} pages: {fault}");
                        assert_named(&fault, &file, seq);
                    }
                }
            }
            assert_eq!(walked(reader).1.is_none(), is_all_there, "{pages}");
            assert_eq!(reader.frames(Seq(1), Seq::MAX).all(|frame| frame.is_ok()), is_all_there, "{pages}");
        }
    }
}

/// A page of a table that was right when the log was opened comes back from the disk as another one: blocks that are
/// kept still do not reach as far as the frame says, and that is an error. With the page it is gone.
#[test]
fn a_table_that_changes_under_its_map_is_met() {
    let temp = tempfile::tempdir().unwrap();
    let (mut log, _) = filled(&Filling::default(), temp.path(), &[9000]);
    log.writer.roll().unwrap();
    let mut rewrite = log.rewriter.begin(SegmentId(1)..=SegmentId(1), Form::Compressed).unwrap();
    let Rewrote::Done(rewritten) = rewrite.step(usize::MAX, &mut |_| Verdict::Keep).unwrap() else { panic!("no end") };
    log.rewriter.replace(&rewritten);
    let read = || log.reader.frame(Seq(1)).map(|found| found.frame().unwrap().body().to_vec());
    assert_eq!(read().unwrap(), body(Seq(1), 1, 9000));
    // Where its blocks begin, and where the last one ends.
    let table: Vec<u8> = [64_u32, 104, 3104, 6104, 9104].iter().flat_map(|start| start.to_le_bytes()).collect();
    let path = log.reader.segment_stats()[0].file.clone().unwrap();
    let file = OsDisk.open(&path, OpenMode::Write).unwrap();
    let bytes = OsDisk.open(&path, OpenMode::Read).unwrap().map().unwrap().to_vec();
    let table_at = bytes.windows(table.len()).position(|window| window == table).unwrap() as u64;
    file.write_at(&9000_u32.to_le_bytes(), table_at + 16).unwrap();
    let fault = read().unwrap_err();
    assert_eq!((&fault.file, fault.seq, &*fault.what), (&path, Some(Seq(1)), "the last block ends in a frame"));
    file.write_at(&9104_u32.to_le_bytes(), table_at + 16).unwrap();
    assert_eq!(read().unwrap(), body(Seq(1), 1, 9000));
}
