//! FAULTS F2: one process makes a hundred thousand commits and compacts beside them, so that segments and runs are
//! unlinked all the time; another one reads, holds on to what it saw, and moves on.

use std::{
    collections::VecDeque,
    io::{BufRead, BufReader, Write},
    sync::mpsc::TryRecvError,
};

use milepost::{At, ErrorKind, Policy, Scope, ScopePrefix, Seq, Store, Value, Verdict, View};

use super::{Process, store_of};

const COMMITS: u64 = 100_000;
/// Commits after which the writer waits until the reader has seen them, and compacts.
const ROUND: u64 = 2_000;
/// Commits in flight.
const TOGETHER: usize = 64;
const KEYS: u64 = 64;
/// Views that the reader holds at once.
const HELD: usize = 12;

/// Whether all versions are kept of the scope that a commit is for, or the newest of each key only. Every eighth time
/// that the keys are gone through they are; and never for so long that whole segments go.
fn is_kept(seq: u64) -> bool {
    (seq / KEYS).is_multiple_of(8) && (seq / 8192).is_multiple_of(2)
}

/// A commit sets one key to its own `Seq`, repeated; the first one says what is kept.
fn scope_of(is_kept: bool) -> Scope {
    Scope::parse(if is_kept { "audit" } else { "state" }).unwrap()
}

fn key(seq: u64) -> String {
    format!("k{:02}", seq % KEYS)
}

fn value(seq: u64) -> Vec<u8> {
    [seq.to_le_bytes(); 4].concat()
}

/// What the key of a number is at a moment.
fn right(kept: bool, number: u64, at: u64) -> Option<Vec<u8>> {
    let newest = at - (at - number.min(at)) % KEYS;
    let mut versions = (2..=newest).rev().step_by(KEYS as usize).filter(|seq| seq % KEYS == number);
    versions.find(|seq| is_kept(*seq) == kept).map(value)
}

/// A view of one process is unchanged, whatever another one takes away: every answer of one that is held is right at
/// any later time, of one that is opened at a moment of the past it is right or said to be gone where not all versions
/// are kept; a value in use keeps its bytes. And the reader gets to see the last commit.
#[test]
fn a_reader_holds_what_it_saw_while_another_process_compacts() {
    let place = tempfile::tempdir().unwrap();
    let store = place.path().join("store");
    let mut writer = Process::start("beside::the_writer", &store);
    let mut told = BufReader::new(writer.0.stdout.take().unwrap()).lines().map_while(|line| line.ok());
    let mut reader: Option<(Process, _)> = None;
    let mut next = |wanted: &str| loop {
        let line = told.next().expect("the writer goes on");
        if let Some(rest) = line.strip_prefix(wanted) {
            return rest.to_owned();
        }
    };
    for round in 1..=COMMITS / ROUND {
        next("ROUND");
        let (process, lines) = reader.get_or_insert_with(|| {
            let mut process = Process::start("beside::the_reader", &store);
            let lines = BufReader::new(process.0.stdout.take().unwrap()).lines().map_while(|line| line.ok());
            (process, lines)
        });
        // It does not wait for the reader to look again at what it holds: that goes on beside the next round.
        writeln!(process.0.stdin.as_mut().unwrap(), "{}", round * ROUND).unwrap();
        assert!(lines.any(|line| line == "HOLDS"), "the reader ended in round {round}");
        writeln!(writer.0.stdin.as_mut().unwrap()).unwrap();
    }
    let compacted = next("COMPACTED ");
    let (mut process, mut lines) = reader.unwrap();
    drop(process.0.stdin.take());
    let seen = lines.find_map(|line| line.strip_prefix("SEEN ").map(str::to_owned)).expect("the reader's last word");
    assert!(process.0.wait().unwrap().success());
    println!("segments and runs: {compacted}; the reader: {seen}");
    let numbers = |line: &str| line.split(' ').map(|word| word.parse::<u64>().unwrap()).collect::<Vec<_>>();
    let [right, gone, moved] = numbers(&seen)[..] else { panic!("{seen}") };
    assert!(right > 10_000 && gone > 100 && moved > 20, "{seen}: nothing was held that went");
    let [dropped, rewritten, runs] = numbers(&compacted)[..] else { panic!("{compacted}") };
    assert!(dropped + rewritten > 50 && runs > 0, "{compacted}: or this tests nothing");
    drop(writer.0.stdin.take());
    assert!(writer.0.wait().unwrap().success());
    let report = milepost::verify(&store, &mut |_, _| ()).unwrap();
    assert!(matches!(report.verdict, Verdict::Clean), "{report:?}");
}

#[test]
fn the_writer() {
    let Some(dir) = store_of("beside::the_writer") else { return };
    let store = Store::options().memory_bytes(256 << 10).segment_bytes(128 << 10).open(dir).unwrap();
    let [state, audit] = [false, true].map(scope_of);
    store.retention().set(&ScopePrefix::from(&state), Policy::default().keep_last(1)).unwrap();
    let mut tickets = VecDeque::new();
    for seq in 2..COMMITS + 2 {
        let scope = if is_kept(seq) { &audit } else { &state };
        tickets.push_back((seq, store.commit().set(scope, &key(seq), &value(seq)).submit().unwrap()));
        while tickets.len() > TOGETHER || (seq % ROUND == 1 && !tickets.is_empty()) {
            let (seq, ticket) = tickets.pop_front().unwrap();
            assert_eq!(ticket.wait().unwrap().seq, Seq(seq));
        }
        if seq % ROUND == 1 {
            println!("\nROUND");
            std::io::stdin().read_line(&mut String::new()).unwrap();
            store.compact().unwrap();
        }
    }
    let done = store.compacted();
    println!("\nCOMPACTED {} {} {}", done.dropped, done.rewritten, done.runs);
    std::io::stdin().read_line(&mut String::new()).unwrap();
    store.close().unwrap();
}

/// What the reader holds of a moment.
struct Held {
    view: View,
    /// Values in use, as they were when they were read: of keys whose later versions are set all the time.
    values: Vec<(u64, Value)>,
}

/// What the reader has met: right answers of views that it holds, answers that what is asked for is gone, and moves.
#[derive(Default)]
struct Met {
    right: u64,
    gone: u64,
    moved: u64,
}

#[test]
fn the_reader() {
    let Some(dir) = store_of("beside::the_reader") else { return };
    let store = Store::read_only(dir).unwrap();
    let (told, tells) = std::sync::mpsc::channel();
    std::thread::spawn(move || std::io::stdin().lines().for_each(|line| told.send(line.unwrap()).unwrap()));
    let (mut held, mut met) = (VecDeque::<Held>::new(), Met::default());
    loop {
        let was = store.last().seq;
        match tells.try_recv() {
            Ok(line) => {
                // The writer waits: what it told is the last commit there is.
                let last = line.parse::<u64>().unwrap() + 1;
                assert_eq!(store.refresh().unwrap().seq, Seq(last));
                check_latest(&store, last);
                held.push_back(hold(&store));
                println!("\nHOLDS");
            }
            Err(TryRecvError::Empty) => drop(store.refresh().unwrap()),
            Err(TryRecvError::Disconnected) => break,
        }
        met.moved += u64::from(store.last().seq > was);
        if held.back().is_none_or(|held| store.last().seq.0 > held.view.seq().0 + ROUND / 3) {
            held.push_back(hold(&store));
        }
        if held.len() > HELD {
            // Neither always the oldest, nor always a young one.
            held.remove(store.last().seq.0 as usize % held.len());
        }
        held.iter().for_each(|held| check_held(held, &mut met));
        check_past(&store, &mut met);
    }
    println!("\nSEEN {} {} {}", met.right, met.gone, met.moved);
}

/// Without a commit under way, what is newest is there for all keys.
fn check_latest(store: &Store, last: u64) {
    for kept in [false, true] {
        for number in 0..KEYS {
            let found = store.get(&scope_of(kept), &key(number)).unwrap();
            assert_eq!(found.map(|value| value.to_vec()), right(kept, number, last), "{kept} {number} at {last}");
        }
    }
}

fn hold(store: &Store) -> Held {
    let view = store.view(At::Latest).unwrap();
    let value = |number| Some((number, view.get(&scope_of(false), &key(number)).ok().flatten()?));
    Held { values: (0..KEYS).step_by(7).filter_map(value).collect(), view }
}

fn check_held(held: &Held, met: &mut Met) {
    let at = held.view.seq().0;
    for (number, value) in &held.values {
        assert_eq!(Some(value.to_vec()), right(false, *number, at), "a value of {number} in use since {at}");
    }
    (0..KEYS).for_each(|number| check_get((&held.view, true), number, met));
    let audit: Vec<_> = held.view.scan(&scope_of(true), "").map(|entry| entry.unwrap().value.to_vec()).collect();
    assert_eq!(audit, (0..KEYS).filter_map(|number| right(true, number, at)).collect::<Vec<_>>(), "at {at}");
}

/// A moment long ago, opened now.
fn check_past(store: &Store, met: &mut Met) {
    let last = store.last().seq.0;
    let view = store.view(At::Seq(Seq(met.right.wrapping_mul(7919) % last + 1))).unwrap();
    (0..KEYS).for_each(|number| check_get((&view, false), number, met));
}

fn check_get((view, is_held): (&View, bool), number: u64, met: &mut Met) {
    let at = view.seq().0;
    for kept in [false, true] {
        match view.get(&scope_of(kept), &key(number)) {
            Ok(found) => {
                let found = found.map(|value| value.to_vec());
                assert_eq!(found, right(kept, number, at), "{kept} {number} at {at}");
                met.right += 1;
            }
            Err(error)
                if !kept && !is_held && matches!(error.kind(), ErrorKind::Removed | ErrorKind::BeforeHorizon) =>
            {
                met.gone += 1;
            }
            Err(error) => panic!("{kept} {number} at {at}: {error}"),
        }
    }
}
