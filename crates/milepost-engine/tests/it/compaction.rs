//! Compaction: what retention does not keep leaves the disk, and every read that is possible answers as before: here,
//! after opening again, after a crash at any operation, and with an index that is made anew.

mod beside;
mod counted;
pub(crate) mod everywhere;
mod expired;
mod left;
mod quarantined;
mod remembered;
mod salvaged;
mod told;
mod unattended;
mod watched;

use std::{path::Path, sync::Arc, time::Duration};

use milepost_engine::{
    ChangeKind, CommitError, Compacted, Difference, Engine, HistoryQuery, Index, NoFork, Parts, ReadError, Refusal,
    Settings, Threads, View,
};
use milepost_io::{Clock, Process, SimClock, SimDisk, SimEntropy, SimRng};
use milepost_types::{At, CheckpointName, HoldName, Policy, ScopePrefix, Seq, Timestamp};

use crate::scope;
use everywhere::{Failed, crash_everywhere, fail_everywhere};

pub(crate) const DIR: &str = "/s";
pub(crate) const SCOPES: [&str; 5] = ["a", "a/b", "a/c", "d", "e"];
pub(crate) const KEYS: [&str; 5] = ["k0", "k1", "k2", "k3", "k4"];

/// A store on a disk of its own, with a clock that moves on by a second with each commit.
pub(crate) struct Rig {
    pub(crate) disk: SimDisk,
    pub(crate) clock: Arc<SimClock>,
    pub(crate) store: Engine,
}

impl Rig {
    pub(crate) fn new(seed: u64) -> Rig {
        let clock = Arc::new(SimClock::new(Timestamp(1_700_000_000_000_000)));
        let disk = SimDisk::new(seed);
        let store = open(&disk, &clock, Index::Keep);
        Rig { disk, clock, store }
    }

    /// What another process takes, on the same machine.
    pub(crate) fn parts(&self) -> Parts {
        parts(&self.disk, &self.clock)
    }

    pub(crate) fn set(&self, of: &str, key: &str, value: &[u8]) -> Seq {
        self.clock.advance(1_000_000);
        let request = self.store.request().set(&scope(of), key, value).unwrap();
        let seq = self.store.commit(request).unwrap().seq;
        while self.store.step_index() {}
        seq
    }

    pub(crate) fn retain(&self, prefix: &str, policy: Policy) {
        let mut request = self.store.request();
        request.add_retain(&place(prefix), &policy).unwrap();
        self.store.commit(request).unwrap();
    }

    /// Begins a pass, and leaves it where it has only moved the horizons.
    pub(crate) fn move_horizons(&self) {
        for _ in 0..2 {
            self.store.step_compact().unwrap();
        }
    }

    pub(crate) fn compact(&self) -> Compacted {
        let mut steps = 0;
        let mut count = |_, _| {
            steps += 1;
            assert!(steps < 10_000, "a compaction comes to an end");
        };
        let done = self.store.compact(&mut count).unwrap();
        while self.store.step_recycle() {}
        done
    }

    /// Bytes of the files of the log.
    pub(crate) fn file_bytes(&self) -> u64 {
        self.store.segments().iter().map(|segment| segment.file_bytes).sum()
    }

    pub(crate) fn again(self, index: Index) -> Rig {
        let Rig { disk, clock, store } = self;
        store.close().unwrap();
        drop(store);
        let store = open(&disk, &clock, index);
        Rig { disk, clock, store }
    }
}

fn parts(disk: &SimDisk, clock: &Arc<SimClock>) -> Parts {
    Parts {
        disk: Arc::new(disk.clone()),
        clock: Arc::clone(clock) as Arc<dyn Clock>,
        entropy: Arc::new(SimEntropy::new(7)),
        process: Process::simulated(),
    }
}

pub(crate) fn open(disk: &SimDisk, clock: &Arc<SimClock>, index: Index) -> Engine {
    let settings = Settings {
        segment_bytes: 4 << 10,
        memory_bytes: 8 << 10,
        threads: Threads::Stepped,
        index,
        ..Settings::default()
    };
    Engine::open(parts(disk, clock), Path::new(DIR), settings).unwrap()
}

pub(crate) fn place(prefix: &str) -> ScopePrefix {
    ScopePrefix::parse(prefix).unwrap()
}

/// Bytes of the frames in the log.
fn frame_bytes(store: &Engine) -> u64 {
    store.segments().iter().map(|segment| segment.frame_bytes).sum()
}

/// Every file in which these bytes stand.
pub(crate) fn files_with(disk: &SimDisk, bytes: &[u8]) -> Vec<String> {
    let holds = |path: &std::path::PathBuf| {
        disk.file_bytes(path).is_some_and(|file| file.windows(bytes.len()).any(|window| window == bytes))
    };
    disk.names().iter().filter(|path| holds(path)).map(|path| path.display().to_string()).collect()
}

/// The first few from a commit on, the last few, and some between.
fn moments(first: u64, last: u64) -> impl Iterator<Item = u64> {
    let is_asked = move |seq: &u64| *seq < first + 6 || *seq + 6 > last || seq.is_multiple_of(7);
    (first..=last).filter(is_asked)
}

/// What a store answers: at moments from the horizon of each scope on, and at every checkpoint.
pub(crate) fn answers(store: &Engine) -> Vec<String> {
    let mut answers = Vec::new();
    let last = store.last().seq;
    for of in SCOPES {
        let horizon = store.horizons().into_iter().filter(|row| row.prefix.holds(of));
        let horizon = horizon.max_by_key(|row| row.prefix.as_str().len()).map_or(Seq::ZERO, |row| row.seq);
        let checkpoints = store.checkpoints(&place(of)).unwrap();
        // Each moment differs from the one before, and those of checkpoints, which are older, from the last.
        let mut now: Option<View> = None;
        let names = checkpoints.iter().filter(|found| found.scope.as_str() == of);
        let named = names.map(|found| At::Checkpoint { scope: scope(of), name: found.name.to_string() });
        for at in moments(horizon.0, last.0).map(|seq| At::Seq(Seq(seq))).chain(named) {
            let view = store.view(at.clone()).unwrap();
            for entry in view.scan(of, "") {
                let entry = entry.unwrap_or_else(|error| panic!("{of} at {at:?}: {error}"));
                let value = &entry.value;
                answers.push(format!(
                    "{at:?} {of} {} {:?} {} {:?}",
                    entry.key,
                    value.to_vec(),
                    value.seq(),
                    value.at()
                ));
            }
            for key in KEYS {
                let found = view.get(of, key).unwrap().map(|value| value.to_vec());
                answers.push(format!("{at:?} {of} {key} {found:?}"));
            }
            for difference in view.diff(of, now.as_ref().unwrap_or(&view), of).unwrap() {
                let Difference { key, old, new } = difference.unwrap();
                let [old, new] = [old, new].map(|value| value.map(|value| value.to_vec()));
                answers.push(format!("{at:?} {of} {key} {old:?} {new:?} since"));
            }
            now = Some(view);
        }
    }
    answers.extend(remembered::keys(store));
    answers
}

pub(crate) fn same(now: &[String], before: &[String], when: &str) {
    let differs = now.iter().zip(before).find(|(now, before)| now != before);
    assert_eq!(differs, None, "{when}");
    assert_eq!(now.len(), before.len(), "{when}");
}

#[test]
fn what_was_replaced_leaves_the_disk_and_what_is_kept_is_read_as_before() {
    let rig = Rig::new(1);
    rig.set("d", "kept", b"for ever");
    rig.retain("a", Policy::default().keep_last(2));
    for n in 0..400u64 {
        rig.set("a", KEYS[n as usize % 5], &[n as u8; 40]);
    }
    let before = frame_bytes(&rig.store);
    let done = rig.compact();
    assert!(done.rewritten > 0 && done.bytes_after * 4 < done.bytes_before, "{done:?}");
    assert!(frame_bytes(&rig.store) * 4 < before);
    let last = rig.store.last().seq;
    // The horizon: the last commit there was.
    let refused = rig.store.view(At::Seq(last.prev())).unwrap().get("a", "k0");
    assert!(matches!(refused, Err(ReadError::BeforeHorizon { horizon, .. }) if horizon == last), "{refused:?}");
    assert_eq!(rig.store.view(At::Seq(Seq(1))).unwrap().get("d", "kept").unwrap().unwrap().to_vec(), b"for ever");
    for rig in [rig.again(Index::Keep)].map(|rig| rig.again(Index::Rebuild)) {
        for n in 395..400u64 {
            let value = rig.store.get("a", KEYS[n as usize % 5]).unwrap().unwrap();
            assert_eq!(value.to_vec(), [n as u8; 40]);
        }
        let query = HistoryQuery { prefix: place("a"), ..HistoryQuery::default() };
        let history: Vec<_> = rig.store.history(query).unwrap().map(|change| change.unwrap()).collect();
        let sets = history.iter().filter(|change| change.kind == ChangeKind::Set).count();
        assert_eq!(sets, 10, "the last two of each");
        // Again: there is nothing to do.
        let again = rig.compact();
        assert_eq!((again.dropped, again.rewritten), (0, 0));
        assert!(rig.store.replay(Seq::FIRST).into_iter().count() < 30);
    }
}

#[test]
fn segments_that_die_whole_are_dropped_without_being_written_anew() {
    let rig = Rig::new(2);
    rig.retain("a", Policy::default().keep_for(Duration::ZERO));
    for n in 0..300u64 {
        rig.set("a/b", &format!("item/{n:04}"), &[n as u8; 60]);
    }
    rig.store.commit(rig.store.request().clear(&scope("a/b")).unwrap()).unwrap();
    let done = rig.compact();
    assert!(done.dropped > 0 && done.rewritten <= 2, "{done:?}");
    assert!(frame_bytes(&rig.store) < 1500, "{}", frame_bytes(&rig.store));
    let rig = rig.again(Index::Rebuild);
    assert_eq!(rig.store.view(At::Latest).unwrap().scan("a/b", "").count(), 0);
    rig.set("a/b", "new", b"1");
    assert_eq!(rig.store.get("a/b", "new").unwrap().unwrap().to_vec(), b"1");
}

/// FAULTS J6: what was erased is in no file, whatever its segment is worth.
#[test]
fn what_was_erased_is_in_no_file() {
    for (key, with_below) in [(Some("secret"), false), (None, false), (None, true)] {
        let rig = Rig::new(3);
        for n in 0..60u64 {
            rig.set("d", &format!("other/{n}"), &[n as u8; 50]);
            if n % 20 == 3 {
                rig.set("a/b", "secret", format!("the number is 4711/{n}").as_bytes());
            }
        }
        assert!(!files_with(&rig.disk, b"the number is 4711").is_empty());
        let mut request = rig.store.request();
        match key {
            Some(key) => request.add_erase(&scope("a/b"), key, 3).unwrap(),
            None if with_below => request.add_erase_prefix(&place("a"), 3).unwrap(),
            None => request.add_erase_scope(&scope("a/b"), 3).unwrap(),
        }
        rig.store.commit(request).unwrap();
        rig.compact();
        assert_eq!(files_with(&rig.disk, b"the number is 4711"), Vec::<String>::new());
        for n in 0..60u64 {
            let value = rig.store.view(At::Seq(rig.store.last().seq)).unwrap().get("d", &format!("other/{n}")).unwrap();
            assert_eq!(value.unwrap().to_vec(), [n as u8; 50]);
        }
        let query = HistoryQuery { prefix: place("a"), ..HistoryQuery::default() };
        let kinds: Vec<_> = rig.store.history(query).unwrap().map(|change| change.unwrap().kind).collect();
        assert_eq!(kinds, [ChangeKind::Erase]);
    }
}

#[test]
fn a_hold_keeps_everything_and_a_view_what_it_sees() {
    let rig = Rig::new(4);
    rig.retain("", Policy::default().keep_last(1));
    let mut request = rig.store.request();
    request.add_hold(&place("d"), HoldName::parse("audit").unwrap().as_str(), None).unwrap();
    rig.store.commit(request).unwrap();
    let mut seen = Vec::new();
    for n in 0..120u64 {
        let at = rig.set("a", "k0", &[n as u8; 40]);
        rig.set("d", "k0", &[n as u8; 40]);
        if n % 40 == 7 {
            seen.push((n, rig.store.view(At::Seq(at)).unwrap()));
        }
    }
    rig.compact();
    for (n, view) in &seen {
        assert_eq!(view.get("a", "k0").unwrap().unwrap().to_vec(), [*n as u8; 40]);
    }
    for n in 0..120u64 {
        let value = rig.store.view(At::Seq(Seq(2 * n + 4))).unwrap().get("d", "k0").unwrap().unwrap();
        assert_eq!(value.to_vec(), [n as u8; 40]);
    }
    let bytes = frame_bytes(&rig.store);
    drop(seen);
    rig.compact();
    assert!(frame_bytes(&rig.store) < bytes, "what the views held is gone");
}

/// Who follows the commits keeps those that are to come, and none that were shown.
#[test]
fn who_follows_the_commits_keeps_those_that_come_yet() {
    let rig = Rig::new(4);
    rig.retain("a", Policy::default().keep_last(1));
    for n in 0..60 {
        rig.set("a", "k0", &[n; 200]);
    }
    let mut watch = rig.store.watch(Seq::FIRST);
    assert_eq!(watch.try_next().unwrap().map(|commit| commit.seq), Some(Seq::FIRST));
    let frames = || rig.store.segments().iter().map(|segment| segment.frames).sum::<u64>();
    rig.compact();
    assert_eq!(frames(), 61, "all but the first come yet");
    let shown = std::iter::from_fn(|| watch.try_next().unwrap()).count();
    assert_eq!(shown, 60);
    rig.compact();
    assert_eq!(frames(), 2, "the policy, and the value that is there");
    let last = rig.set("a", "k0", b"new");
    assert_eq!(watch.try_next().unwrap().map(|commit| commit.seq), Some(last));
}

#[test]
fn nobody_forks_from_what_is_gone() {
    let rig = Rig::new(5);
    let early = rig.set("a", "k0", b"1");
    let mut request = rig.store.request();
    request.add_checkpoint(&scope("a"), CheckpointName::parse("first").unwrap().as_str(), None).unwrap();
    let named = rig.store.commit(request).unwrap().seq;
    rig.set("a", "k0", b"2");
    rig.retain("a", Policy::default().keep_last(1));
    rig.compact();
    let fork = |name: &str, point: Seq| {
        let mut request = rig.store.request();
        request.add_fork(&scope(name), &scope("a"), point).unwrap();
        rig.store.commit(request)
    };
    match fork("e", early) {
        Err(CommitError::Refused(refusal)) => assert!(
            matches!(&*refusal, Refusal::Fork { why: NoFork::BeforeHorizon { point, .. }, .. } if *point == early),
            "{refusal:?}"
        ),
        other => panic!("{other:?}"),
    }
    let restored = rig.store.restoration(&scope("a"), At::Seq(early));
    assert!(matches!(restored, Err(ReadError::BeforeHorizon { asked, .. }) if asked == early), "{restored:?}");
    let text = fork("e", early).unwrap_err().to_string();
    assert!(text.contains("as scope a was at 1: its past is kept from commit 4 on"), "{text}");
    fork("e", named).unwrap();
    assert_eq!(rig.store.get("e", "k0").unwrap().unwrap().to_vec(), b"1");
    // The fork keeps what it reads through to, the checkpoint let go or not.
    let mut request = rig.store.request();
    request.add_release(&scope("a"), "first").unwrap();
    rig.store.commit(request).unwrap();
    rig.compact();
    assert_eq!(rig.store.get("e", "k0").unwrap().unwrap().to_vec(), b"1");
    assert_eq!(rig.store.get("a", "k0").unwrap().unwrap().to_vec(), b"2");
}

/// One commit, drawn.
pub(crate) fn drawn(rig: &Rig, rng: &mut SimRng, n: u64) {
    rig.clock.advance(rng.below(5_000_000));
    let (of, key) = (SCOPES[rng.index(5)], KEYS[rng.index(5)]);
    let mut request = rig.store.request();
    match rng.below(40) {
        0..22 => {
            for _ in 0..=rng.below(4) {
                let value = vec![n as u8; rng.index(60)];
                let soon = Timestamp(rig.clock.now().0 + rng.below(40_000_000) as i64);
                let expires_at = Some(soon).filter(|_| rng.below(5) == 0);
                let (of, key) = (scope(SCOPES[rng.index(5)]), KEYS[rng.index(5)]);
                request = request.set_with(&of, key, &value, None, expires_at).unwrap();
            }
        }
        22..27 => request = request.delete(&scope(of), key).unwrap(),
        27 => request = request.clear(&scope(of)).unwrap(),
        28 => request.add_clear_prefix(&place("a")).unwrap(),
        29 | 30 => request.add_checkpoint(&scope(of), ["x", "y"][rng.index(2)], None).unwrap(),
        31 => request.add_release(&scope(of), ["x", "y"][rng.index(2)]).unwrap(),
        32 => request.add_fork(&scope(of), &scope(SCOPES[rng.index(5)]), Seq(rng.below(n))).unwrap(),
        33 => {
            let last = Policy::default().keep_last(1 + rng.below(3));
            let time = Policy::default().keep_for(Duration::from_secs(rng.below(60)));
            let (prefix, mut policy) = (["", "a", "a/b", "d"][rng.index(4)], [last, time][rng.index(2)]);
            if prefix.is_empty() {
                policy = policy.idempotency_for(Duration::from_secs(25));
            }
            request.add_retain(&place(prefix), &policy).unwrap();
        }
        34 => request.add_unretain(&place(["", "a", "a/b", "d"][rng.index(4)])).unwrap(),
        35 => request.add_hold(&place(["a", "d"][rng.index(2)]), "h", None).unwrap(),
        36 => request.add_unhold(&place(["a", "d"][rng.index(2)]), "h").unwrap(),
        37 => request.add_erase(&scope(of), key, 1).unwrap(),
        38 => request.add_erase_scope(&scope(of), 1).unwrap(),
        _ => {
            request = request.idempotency_key(&format!("once/{n}")).unwrap();
            request = request.set(&scope(of), key, b"once").unwrap();
        }
    }
    if rng.below(4) == 0 {
        request = request.fence(&scope(SCOPES[rng.index(5)]), n / 30).unwrap();
    }
    // Refused: a fork onto state, an erasure of what is held; a token is never lower than one before.
    let _ = rig.store.commit(request);
    while rng.below(3) > 0 && rig.store.step_index() {}
}

#[test]
fn every_read_that_is_possible_answers_as_before() {
    for seed in 0..40 {
        let mut rng = SimRng::new(seed);
        let mut rig = Rig::new(seed);
        for round in 0..4u64 {
            for n in 0..60 {
                drawn(&rig, &mut rng, 1 + round * 60 + n);
            }
            rig.move_horizons();
            let before = answers(&rig.store);
            let compacted = rig.compact();
            same(&answers(&rig.store), &before, &format!("seed {seed}, round {round}, {compacted:?}"));
            let index = if rng.coin() { Index::Keep } else { Index::Rebuild };
            rig = rig.again(index);
            same(&answers(&rig.store), &before, &format!("seed {seed}, round {round}, {index:?}, {compacted:?}"));
        }
    }
}

#[test]
fn a_crash_at_any_operation_changes_nothing_that_anyone_can_see() {
    let (points, ended) = crash_everywhere(100..104, 150, &|store| store.compact(&mut |_, _| {}).is_ok());
    assert!(points > 150 && ended.len() == 2, "{points} crashes, {ended:?}");
}

/// FAULTS B1, B2, C2: a disk that fails under a compaction loses nothing. The attempt is told and can be made again;
/// only where the disk leaves in doubt which MANIFEST is there, no commit is taken any more.
#[test]
fn a_disk_that_fails_costs_the_attempt_and_nothing_else() {
    let Failed { failed, stopped, went_on } = fail_everywhere(200, 150, &|store| store.compact(&mut |_, _| {}));
    assert!(failed > 10 && stopped > 0 && went_on > 20, "{failed} failed, {stopped} stopped, {went_on} went on");
}

/// By itself, beside commits, with threads and files of the machine.
#[test]
fn it_runs_by_itself() {
    let dir = tempfile::tempdir().unwrap();
    let settings = Settings { segment_bytes: 64 << 10, memory_bytes: 256 << 10, ..Settings::default() };
    let store = Engine::open(Parts::real(), dir.path(), settings).unwrap();
    let mut request = store.request();
    request.add_retain(&place(""), &Policy::default().keep_last(1)).unwrap();
    store.commit(request).unwrap();
    let deadline = std::time::Instant::now() + Duration::from_secs(60);
    let mut n = 0_u64;
    while store.compacted().rewritten + store.compacted().dropped < 3 {
        assert!(std::time::Instant::now() < deadline, "{:?} after {n} commits", store.compacted());
        let value = [n as u8; 500];
        let request = store.request().set(&scope("a"), KEYS[n as usize % 5], &value).unwrap();
        store.commit(request).unwrap();
        n += 1;
    }
    for back in 1..=5 {
        let n = n - back;
        assert_eq!(store.get("a", KEYS[n as usize % 5]).unwrap().unwrap().to_vec(), [n as u8; 500]);
    }
    assert!(frame_bytes(&store) < n * 500, "{} bytes after {n} commits", frame_bytes(&store));
    store.close().unwrap();
    let report = milepost_engine::verify(&Parts::real().disk, dir.path(), &mut |_, _| {}).unwrap();
    assert_eq!(report.verdict, milepost_engine::Verdict::Clean);
}

/// A value that is being read keeps its segment's file; when it goes, the file does within a second.
#[test]
fn room_comes_back_when_the_last_reader_goes() {
    let dir = tempfile::tempdir().unwrap();
    let settings = Settings { segment_bytes: 64 << 10, ..Settings::default() };
    let store = Engine::open(Parts::real(), dir.path(), settings).unwrap();
    let set = |n: u64| store.commit(store.request().set(&scope("a"), "k", &n.to_le_bytes().repeat(500)).unwrap());
    set(0).unwrap();
    let value = store.get("a", "k").unwrap().unwrap();
    for n in 1..60 {
        set(n).unwrap();
    }
    // Read anew: out of the sealed file.
    let old = store.view(At::Seq(Seq(1))).unwrap().get("a", "k").unwrap().unwrap();
    let file = store.segments()[0].file.clone().unwrap();
    let mut request = store.request();
    request.add_retain(&place(""), &Policy::default().keep_last(1)).unwrap();
    store.commit(request).unwrap();
    store.compact(&mut |_, _| {}).unwrap();
    assert!(file.exists(), "somebody reads it");
    assert_eq!(*old, *value);
    drop((old, value));
    let begun = std::time::Instant::now();
    while file.exists() {
        assert!(begun.elapsed() < Duration::from_secs(1), "its room is not back");
        std::thread::yield_now();
    }
    store.close().unwrap();
}
