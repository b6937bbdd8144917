//! Backups' own files that say something else than their pieces do, with every checksum right, and epochs at their end.

use std::{path::Path, sync::Arc};

use milepost_io::{Disk, Latch, SimClock, SimDisk};
use milepost_types::Scope;

use super::{format::BackupManifest, names, place::Place, *};
use crate::{Engine, Parts, Settings, Threads, manifest};

const STORE: &str = "/s";
const BACKUPS: &str = "/backups";
const RESTORED: &str = "/restored";
const SECOND: i64 = 1_000_000;
const BEGIN: i64 = 1_700_000_000 * SECOND;

/// A store and its backups, with a clock that is set for each commit.
struct Rig {
    disk: SimDisk,
    clock: SimClock,
}

impl Rig {
    fn new() -> Rig {
        Rig { disk: SimDisk::new(1), clock: SimClock::new(Timestamp(BEGIN)) }
    }

    fn copy(&self) -> Rig {
        Rig { disk: self.disk.copy(), clock: self.clock.clone() }
    }

    fn open(&self) -> Engine {
        let settings = Settings { threads: Threads::Stepped, segment_bytes: 4096, ..Settings::default() };
        Engine::open(Parts::simulated(&self.disk, &self.clock), Path::new(STORE), settings).unwrap()
    }

    /// A commit a second, from this one after the beginning on.
    fn commit(&self, engine: &Engine, count: u64, from: i64) {
        for n in 0..count {
            self.clock.set(Timestamp(BEGIN + (from + n as i64) * SECOND));
            let scope = Scope::parse("a").unwrap();
            let request = engine.request().set(&scope, &format!("{:02}", engine.last().seq.0), &[7; 300]).unwrap();
            engine.commit(request).unwrap();
        }
    }

    fn create(&self, engine: &Engine) -> Result<Backup, BackupError> {
        create(engine, Path::new(BACKUPS), Rollback::Refuse, &mut |_, _| {})
    }

    fn manifest(&self) -> BackupManifest {
        let place = Place::open(Arc::new(self.disk.clone()), Path::new(BACKUPS)).unwrap();
        place.backups.last().unwrap().clone()
    }

    /// Has the backup say something else.
    fn forge(&self, manifest: &BackupManifest) {
        let path = names::backup_path(Path::new(BACKUPS), manifest.number);
        self.disk.put_file(&path, format::encode(manifest));
    }

    fn verify(&self) -> Vec<String> {
        let disk: Arc<dyn Disk> = Arc::new(self.disk.clone());
        let report = verify(&disk, Path::new(BACKUPS), None, &mut |_, _| {}).unwrap();
        let damage = report.backups.into_iter().flat_map(|(_, damage)| damage).chain(report.damage);
        damage.map(|damage| damage.what).collect()
    }

    fn restore(&self) -> Result<Restored, BackupError> {
        let parts = Parts::simulated(&self.disk, &self.clock);
        let settings = Settings { threads: Threads::Stepped, ..Settings::default() };
        restore(parts, Path::new(BACKUPS), Path::new(RESTORED), Until::Newest, settings, &mut |_, _| {})
    }
}

/// Of each piece a backup says what it is. Where one of these is not so the piece is another one, though it is whole:
/// that is told, and it is not restored.
#[test]
fn a_piece_that_is_not_what_the_backup_says_is_told() {
    let rig = Rig::new();
    let engine = rig.open();
    rig.commit(&engine, 30, 0);
    let made = rig.create(&engine).unwrap();
    let manifest = rig.manifest();
    assert!(manifest.pieces[1].is_whole && !manifest.pieces[2].is_whole, "{made:?}");
    assert_eq!(rig.verify(), [""; 0]);
    type Change = fn(&mut BackupManifest, usize);
    let changes: [(&str, Change); 4] = [
        ("its length", |m, index| m.pieces[index].bytes += 1),
        ("its segment", |m, index| m.pieces[index].segment += 40),
        ("its salt", |m, index| m.pieces[index].salt += 1),
        ("when it ends", |m, index| {
            m.pieces[index].last_at -= 1;
            if index + 1 == m.pieces.len() {
                m.last_at -= 1;
            }
        }),
    ];
    for index in 0..manifest.pieces.len() {
        for (what, change) in changes {
            let rig = rig.copy();
            let mut forged = manifest.clone();
            change(&mut forged, index);
            rig.forge(&forged);
            assert_eq!(rig.verify(), ["the piece does not say what the backup says of it"], "{what} of {index}");
            match rig.restore() {
                Err(BackupError::Corrupt(damage)) => {
                    assert_eq!(damage.file, manifest.pieces[index].id().path(Path::new(BACKUPS)), "{what} of {index}");
                }
                other => panic!("{what} of {index}: {other:?}"),
            }
        }
    }
    rig.restore().unwrap();
}

/// Time goes on from each piece to the next: one that begins before the last one ends, or at that moment, is none that
/// follows it.
#[test]
fn a_piece_that_begins_before_the_last_one_ends_is_told() {
    let first = Rig::new();
    first.open().close().unwrap();
    let other = first.copy();
    let engine = first.open();
    first.commit(&engine, 30, 1000);
    first.create(&engine).unwrap();
    let manifest = first.manifest();
    let (count, ends) = (manifest.pieces[0].last_seq, manifest.pieces[0].last_at);
    for begins in [ends - SECOND, ends, ends + SECOND] {
        let other = other.copy();
        let engine = other.open();
        other.commit(&engine, count, 0);
        other.commit(&engine, 30 - count, (begins - BEGIN) / SECOND);
        other.create(&engine).unwrap();
        let rows = other.manifest();
        assert_eq!(rows.pieces[1].first_seq, count + 1);
        let rig = first.copy();
        let forged = BackupManifest {
            pieces: [&manifest.pieces[..1], &rows.pieces[1..]].concat(),
            last_at: rows.last_at,
            ..manifest.clone()
        };
        for row in &rows.pieces[1..] {
            let path = row.id().path(Path::new(BACKUPS));
            rig.disk.put_file(&path, other.disk.file_bytes(&path).unwrap());
        }
        rig.forge(&forged);
        if begins > ends {
            assert_eq!((rig.verify().len(), rig.restore().unwrap().last.seq), (0, Seq(30)));
            continue;
        }
        assert_eq!(rig.verify(), ["the piece begins before the one in front of it ends"], "{begins}");
        match rig.restore() {
            Err(BackupError::Corrupt(damage)) => {
                assert_eq!(damage.file, rows.pieces[1].id().path(Path::new(BACKUPS)), "{begins}");
            }
            other => panic!("{begins}: {other:?}"),
        }
    }
}

/// A restored store is opened in an epoch far above all that is known. Where there is none so far above that it can be
/// opened, nothing is begun.
#[test]
fn no_store_is_restored_that_could_not_be_opened() {
    let rig = Rig::new();
    let engine = rig.open();
    rig.commit(&engine, 3, 0);
    rig.create(&engine).unwrap();
    let manifest = rig.manifest();
    let most = u32::MAX - 1 - RESTORED_EPOCHS;
    for (epoch, is_possible) in [(most, true), (most + 1, false), (u32::MAX, false)] {
        let rig = rig.copy();
        rig.forge(&BackupManifest { epoch, ..manifest.clone() });
        match rig.restore() {
            Ok(done) => assert_eq!((is_possible, done.epoch), (true, epoch + RESTORED_EPOCHS + 1)),
            Err(BackupError::NoEpoch { last }) => {
                assert!(!is_possible && last.seq == Seq(3), "{epoch}");
                assert!(rig.disk.list(Path::new(RESTORED)).is_err(), "{epoch}: nothing was begun");
            }
            Err(error) => panic!("{epoch}: {error}"),
        }
    }
}

/// A store that has fewer commits than its newest backup was put back to an older copy, unless its epoch is so far
/// above that it was restored.
#[test]
fn a_store_with_fewer_commits_was_restored_if_its_epoch_says_so() {
    let rig = Rig::new();
    let engine = rig.open();
    rig.commit(&engine, 20, 0);
    let older = rig.copy();
    rig.commit(&engine, 1, 20);
    let made = rig.create(&engine).unwrap();
    let far = made.epoch + RESTORED_EPOCHS;
    for (epoch, more, is_refused) in
        [(far - 1, 0, true), (far, 0, false), (far + 1, 0, false), (made.epoch + 1, 0, true), (made.epoch + 1, 9, true)]
    {
        let older = older.copy();
        for path in rig.disk.names().into_iter().filter(|path| path.starts_with(BACKUPS)) {
            older.disk.put_file(&path, rig.disk.file_bytes(&path).unwrap());
        }
        // An opening raises it.
        let mut manifest = manifest::read(&older.disk, Path::new(STORE)).unwrap().unwrap();
        manifest.epoch = epoch - 1;
        manifest::write(&older.disk, Path::new(STORE), &manifest, &Latch::default()).unwrap();
        let engine = older.open();
        assert_eq!(engine.stats().epoch, epoch);
        older.commit(&engine, more, 100);
        match older.create(&engine) {
            Ok(made) => assert_eq!((is_refused, made.last.seq), (false, Seq(20 + more)), "{epoch}, {more} more"),
            Err(BackupError::RolledBack { number, backed_up, store }) => {
                assert!(is_refused, "{epoch}, {more} more");
                assert_eq!((number, backed_up, store), (1, Seq(21), Seq(20 + more)));
            }
            Err(error) => panic!("{epoch}, {more} more: {error}"),
        }
    }
}

/// What a backup holds that the store has lost may be given up. Then nothing of it is in the next one, though a part of
/// the same segment was brought before, from the same place on.
#[test]
fn what_was_given_up_is_in_no_later_backup() {
    let rig = Rig::new();
    let engine = rig.open();
    rig.commit(&engine, 20, 0);
    rig.create(&engine).unwrap();
    let older = rig.copy();
    rig.commit(&engine, 2, 20);
    rig.create(&engine).unwrap();
    for more in [0, 1, 2, 5] {
        let older = older.copy();
        for path in rig.disk.names().into_iter().filter(|path| path.starts_with(BACKUPS)) {
            older.disk.put_file(&path, rig.disk.file_bytes(&path).unwrap());
        }
        let engine = older.open();
        older.commit(&engine, more, 100);
        assert!(matches!(older.create(&engine), Err(BackupError::RolledBack { .. })), "{more} more");
        let made = create(&engine, Path::new(BACKUPS), Rollback::Accept, &mut |_, _| {}).unwrap();
        assert_eq!((made.number, made.last), (3, engine.last()), "{more} more");
        assert_eq!(older.verify(), [""; 0], "{more} more");
        assert_eq!(older.restore().unwrap().last, engine.last(), "{more} more");
        let parts = Parts::simulated(&older.disk, &older.clock);
        let restored = Engine::open_read_only(parts, Path::new(RESTORED)).unwrap();
        let commits = |of: &Engine| of.replay(Seq::FIRST).into_iter().map(|commit| commit.unwrap()).collect::<Vec<_>>();
        assert_eq!(commits(&restored), commits(&engine), "{more} more");
    }
}
