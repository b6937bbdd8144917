//! Runs whose checksums are right and whose parts do not fit each other, as a mistake of a builder would leave them:
//! they are refused, and what is wrong is named.

use std::path::Path;

use milepost_index::{
    KeyHash, Mark, Near, OpenRunError, Run, RunFacts, RunId, ScopeHash, Version,
    format::{
        PAGE_BYTES,
        header::RunHeader,
        list::INDEX_BYTES,
        meta::{self, Meta, Section, TRAILER_BYTES, Tail},
        scope::{CLEAR_BYTES, SCOPE_BYTES},
        slots::Shape,
    },
};
use milepost_io::Map;
use milepost_types::Corruption;

use crate::rig::{Model, STORE, check, dir, disk};

/// A small run with all that there is in one: lists of several groups, clears, names beyond a restart.
fn small() -> Model {
    let mut model = Model::new(100, 300);
    for nth in 0..140_u64 {
        model.put("a", "hot", Version { seq: 100 + nth + nth / 7, record: (nth % 3) as u32, kind: (nth % 2) as u8 });
    }
    for nth in 0..5 {
        model.put("a", &format!("item-{nth}"), Version { seq: 270, record: 9 + 20 * nth, kind: 0 });
        model.put(&format!("task/{nth}"), "cursor", Version { seq: 280 + u64::from(nth), record: 11, kind: 2 });
    }
    model.clear("a", Mark { seq: 120, record: 12 });
    model.clear("a", Mark { seq: 290, record: 12 });
    model.clear("b", Mark { seq: 295, record: 1 });
    model
}

/// A run's file, and where everything stands in it.
struct Written {
    file: Vec<u8>,
    facts: RunFacts,
    tail: Tail,
}

impl Written {
    fn of(model: &Model) -> Written {
        let disk = disk();
        let facts = model.build(&disk, 7).unwrap();
        let file = disk.file_bytes(&RunId(7).path(&dir())).unwrap();
        let tail = Tail::decode(&file).unwrap();
        Written { file, facts, tail }
    }

    fn meta(&self) -> Meta {
        self.tail.meta
    }

    /// The same, changed.
    fn with(&self, change: impl FnOnce(&mut [u8])) -> Written {
        let mut file = self.file.clone();
        change(&mut file);
        Written { file, ..*self }
    }

    /// The same, saying something else of itself.
    fn with_meta(&self, meta: &Meta) -> Written {
        let Tail { table_at, pages, .. } = self.tail;
        let (tail, _) = meta::encode(self.file[..64].first_chunk().unwrap(), &vec![0; pages], meta);
        let file = [&self.file[..table_at], &tail].concat();
        Written { file, ..*self }
    }

    /// A number of a table, another one.
    fn with_u32(&self, at: u64, number: u32) -> Written {
        self.with(|file| file[at as usize..][..4].copy_from_slice(&number.to_le_bytes()))
    }

    fn u32(&self, at: u64) -> u32 {
        u32::from_le_bytes(*self.file[at as usize..].first_chunk().unwrap())
    }

    /// Opens it as a run of other commits.
    fn covering(&self, first_seq: u64, last_seq: u64) -> Result<Run, OpenRunError> {
        let header = RunHeader { id: 7, store: STORE, first_seq, last_seq }.encode();
        let narrow = self.with(|file| file[..64].copy_from_slice(&header));
        let facts = RunFacts { first_seq, last_seq, ..self.facts };
        Written { facts, ..narrow }.open()
    }

    /// Opens it as if it had been written so: all checksums are made right.
    fn open(mut self) -> Result<Run, OpenRunError> {
        let Tail { table_at, pages, .. } = self.tail;
        for page in 0..pages {
            let crc = crc32fast::hash(&self.file[page * PAGE_BYTES..table_at.min((page + 1) * PAGE_BYTES)]);
            self.file[table_at + 4 * page..][..4].copy_from_slice(&crc.to_le_bytes());
        }
        let crc_at = self.file.len() - TRAILER_BYTES + 12;
        let crc = crc32fast::hash(&[&self.file[..64], &self.file[table_at..crc_at]].concat());
        self.file[crc_at..][..4].copy_from_slice(&crc.to_le_bytes());
        let facts = RunFacts { crc, ..self.facts };
        Run::read(Path::new("/store/index/000007.run"), Map::of_bytes(self.file), STORE, &facts)
    }

    /// What a verification says of it.
    fn verified(self) -> (String, u64) {
        let error = self.open().unwrap().verify().unwrap_err();
        (error.what, error.offset)
    }

    /// Slots that lead to one number for all of these hashes, in the place of those that are there.
    fn with_slots(&self, at: u64, shape: Shape, hashes: &[u64], number: u64) -> Written {
        let mut table = vec![0; shape.bytes() as usize];
        for hash in hashes {
            assert!(shape.insert(&mut table, 0, shape.home(*hash), *hash, number));
        }
        self.with(|file| file[at as usize..][..table.len()].copy_from_slice(&table))
    }
}

fn scope_hash(scope: &str) -> ScopeHash {
    ScopeHash::of(ScopeHash::seed(&STORE), scope)
}

fn find(run: &Run, scope: &str, key: &str) -> Result<Option<Version>, Corruption> {
    run.find(scope_hash(scope).key(key), scope, key, u64::MAX)
}

/// All ways to a version: by hash, among many, by a finger that asks a second time as well, in order.
fn all_ways(run: &Run, scope: &str, key: &str) -> [Result<Option<Version>, Corruption>; 5] {
    let keys: [(KeyHash, &str); 1] = [(scope_hash(scope).key(key), key)];
    let (mut found, view) = (Vec::new(), run.scope(scope_hash(scope), scope).unwrap().unwrap());
    let many = run.find_each(scope, &keys, u64::MAX, &mut found).map(|()| found[0]);
    let near = |nth| {
        let mut finger = run.finger(view)?;
        let known = |near| if let Near::Known(found) = near { found } else { panic!("{near:?}") };
        for _ in 0..nth {
            finger.find(&format!("{key}-"), u64::MAX)?;
        }
        finger.find(key, u64::MAX).map(known)
    };
    let in_order =
        run.keys_from(&view, key).and_then(|mut keys| Ok(keys.read_next()?.map(|(_, found)| found.newest())));
    [find(run, scope, key), many, near(0), near(2), in_order]
}

/// Bytes changed alone, checksums made right: whatever still passes a verification answers every question as before.
/// What nothing else in a run repeats is left as it is: when a scope was changed, and by what it was cleared.
#[test]
fn what_is_wrong_under_right_checksums_is_refused_or_changes_no_answer() {
    let model = small();
    let whole = Written::of(&model);
    let sections = whole.meta().sections;
    let is_said_once = |at: u64| {
        let within = |section: Section| (at.wrapping_sub(section.at) < section.bytes).then(|| at - section.at);
        let is_seqs = |at| (16..32).contains(&(at % SCOPE_BYTES as u64));
        within(sections.clears).is_some() || within(sections.scopes).is_some_and(is_seqs)
    };
    let (mut refused, mut harmless) = (0, 0);
    for at in (64..whole.tail.table_at).step_by(5).filter(|at| !is_said_once(*at as u64)) {
        let changed = whole.with(|file| file[at] ^= 1 << (at % 8));
        match changed.open() {
            Ok(run) if run.verify().is_ok() => {
                check(&model, &run).unwrap();
                harmless += 1;
            }
            Ok(_) | Err(_) => refused += 1,
        }
    }
    // Zeros between sections and behind the last slot of a line.
    assert!(refused > harmless, "{refused} refused, {harmless} harmless");
    let meta_at = whole.tail.table_at + 4 * whole.tail.pages;
    for at in (meta_at..whole.file.len() - TRAILER_BYTES).step_by(3) {
        if let Ok(run) = whole.with(|file| file[at] ^= 1 << (at % 8)).open() {
            assert!(run.verify().is_err(), "byte {at}");
        }
    }
}

/// The `Seq` at the head of the index, by which searches go: a walk does not need it, and verified runs without it.
#[test]
fn an_index_of_a_list_begins_with_the_first_version_of_the_list() {
    let whole = Written::of(&small());
    let sections = whole.meta().sections;
    let older = sections.versions.at + sections.versions.bytes - 139_u64.div_ceil(16) * INDEX_BYTES as u64;
    let changes = sections.changes.at + u64::from(whole.u32(sections.scopes.at + 48));
    for index in [older, changes] {
        for byte in 0..8 {
            let error = whole.with(|file| file[index as usize + byte] ^= 1).verified();
            assert_eq!(error, ("the index of a list begins with another version than the list".to_owned(), index));
        }
    }
}

/// A version of a commit before the run's first or behind its last is no answer, whichever way it is come to.
#[test]
fn a_version_that_the_run_does_not_cover_is_damage_on_every_way() {
    let model = small();
    let whole = Written::of(&model);
    let covering = |first_seq, last_seq| whole.covering(first_seq, last_seq).unwrap();
    let newest = |scope: &str, key: &str| model.scopes[scope].keys[key].last().copied();
    let what = "a version is of a commit that the run does not cover";
    // The newest of "hot" is the first of all that are newest, that of "item-3" is among the last.
    let hot = &model.scopes["a"].keys["hot"];
    let first = hot[139].seq;
    let rows = [
        ("item-3", 100, 270, true),
        ("item-3", 100, 269, false),
        ("hot", first, 300, true),
        ("hot", first + 1, 300, false),
    ];
    for (key, first, last, is_covered) in rows {
        let run = covering(first, last);
        for (way, found) in all_ways(&run, "a", key).into_iter().enumerate() {
            match found {
                Ok(found) => assert!(is_covered && found == newest("a", key), "{first} to {last}, way {way}"),
                Err(error) => assert!(!is_covered && error.what == what, "{first} to {last}, way {way}: {error}"),
            }
        }
    }
    // Older versions, changes and clears.
    for (seq, is_covered) in [(hot[70].seq, true), (hot[70].seq + 1, false)] {
        let run = covering(seq, 300);
        let versions = run.versions(scope_hash("a").key("hot"), "a", "hot").unwrap().unwrap();
        assert_eq!(versions.as_of(hot[70].seq).is_ok(), is_covered);
    }
    let run = covering(121, 289);
    let view = run.scope(scope_hash("a"), "a").unwrap().unwrap();
    let told = |result: Result<(), Corruption>| result.map_err(|error| error.what);
    assert_eq!(told(run.clears(&view).map(drop)), Err(what.to_owned()));
    assert_eq!(told(run.last_clear(&view, 120).map(drop)), Err(what.to_owned()));
    assert_eq!(told(run.last_clear(&view, 290).map(drop)), Err(what.to_owned()));
    let run = covering(120, 290);
    assert_eq!(run.clears(&view).map(|clears| clears.len()), Ok(2));
    assert_eq!(run.last_clear(&view, 300), Ok(Some(Mark { seq: 290, record: 12 })));
}

/// Asked once more behind an error, a finger gave the version that the error was about.
#[test]
fn a_finger_that_met_damage_meets_it_again() {
    let whole = Written::of(&small());
    let run = whole.covering(100, 269).unwrap();
    let mut finger = run.finger(run.scope(scope_hash("a"), "a").unwrap().unwrap()).unwrap();
    // Of a block that was asked for one key nothing else is looked at.
    assert_eq!(
        finger.find("hot", u64::MAX).map_err(|error| error.what),
        Ok(Near::Known(find(&run, "a", "hot").unwrap()))
    );
    for key in ["hot", "item-3", "item-3", "item-4"] {
        let error = finger.find(key, u64::MAX).unwrap_err();
        assert_eq!(error.what, "a version is of a commit that the run does not cover", "{key}");
    }
}

/// The last number that a slot can lead to, and one more.
#[test]
fn slots_that_lead_nowhere_are_told() {
    let whole = Written::of(&small());
    let (meta, sections) = (whole.meta(), whole.meta().sections);
    let (scopes, blocks) = (u64::from(meta.scopes), u64::from(meta.blocks));
    assert!(!scopes.is_power_of_two() && !blocks.is_power_of_two(), "one more has room in a slot");
    let names = ["a", "b", "task/0", "task/1", "task/2", "task/3", "task/4"];
    let hashes = names.map(|name| scope_hash(name).0);
    let scopes_lead_to =
        |number| whole.with_slots(sections.scope_slots.at, meta.scope_shape(), &hashes, number).open().unwrap();
    let run = scopes_lead_to(scopes - 1);
    assert_eq!(run.scope(scope_hash("a"), "a"), Ok(None), "it is there under another name");
    assert_eq!(run.scope(scope_hash("task/4"), "task/4").map(|view| view.map(|view| view.ordinal())), Ok(Some(6)));
    let error = scopes_lead_to(scopes).scope(scope_hash("a"), "a").unwrap_err();
    assert_eq!((&*error.what, error.offset), ("a slot leads to no scope", sections.scope_slots.at));

    let hashes = names.map(|name| scope_hash(name).key("cursor").0);
    let keys_lead_to =
        |number| whole.with_slots(sections.key_slots.at, meta.key_shape(), &hashes, number).open().unwrap();
    let run = keys_lead_to(blocks - 1);
    assert_eq!(find(&run, "task/3", "cursor"), Ok(None));
    assert!(find(&run, "task/4", "cursor").unwrap().is_some());
    let error = find(&keys_lead_to(blocks), "task/4", "cursor").unwrap_err();
    assert_eq!((&*error.what, error.offset), ("a slot leads to no block", sections.key_slots.at));
    let keys = [(scope_hash("task/4").key("cursor"), "cursor")];
    let error = keys_lead_to(blocks).find_each("task/4", &keys, u64::MAX, &mut Vec::new()).unwrap_err();
    assert_eq!((&*error.what, error.offset), ("a slot leads to no block", sections.key_slots.at));
}

/// Tables that say where things begin and end, and blocks that say whose they are.
#[test]
fn parts_that_overlap_or_are_of_others_are_named_with_their_place() {
    let whole = Written::of(&small());
    let (meta, sections) = (whole.meta(), whole.meta().sections);
    let told = |error: Corruption| (error.what, error.offset);

    let offsets = sections.block_offsets.at;
    let run = whole.with_u32(offsets, whole.u32(offsets + 4) + 1).open().unwrap();
    let error = find(&run, "a", "hot").unwrap_err();
    assert_eq!(told(error), ("a block ends before it begins".to_owned(), sections.blocks.at));

    let restarts = sections.restarts.at;
    let run = whole.with_u32(restarts, whole.u32(restarts + 4) + 1).open().unwrap();
    let error = run.scope(scope_hash("a"), "a").unwrap_err();
    assert_eq!(told(error), ("names end before they begin".to_owned(), sections.names.at));

    // The block of the last scope, said to be of the first one, and of one that there is not.
    let begins = u64::from(whole.u32(offsets + 4 * u64::from(meta.blocks - 1)));
    let of_scope = |scope: u8| whole.with(|file| file[(sections.blocks.at + begins) as usize] = scope).open().unwrap();
    let run = of_scope(0);
    assert_eq!(find(&run, "task/4", "cursor"), Ok(None));
    let view = run.scope(scope_hash("task/4"), "task/4").unwrap().unwrap();
    let another = ("a block is of another scope".to_owned(), sections.blocks.at + begins);
    assert_eq!(run.keys_from(&view, "").err().map(told), Some(another.clone()));
    assert_eq!(run.finger(view).err().map(told), Some(another));
    let error = find(&of_scope(meta.scopes as u8), "task/4", "cursor").unwrap_err();
    assert_eq!(told(error), ("a block is of a scope that there is not".to_owned(), sections.names.at));

    // The index of the list of "hot", at the end of its section: its first group, said to begin behind the second.
    let groups = 139_u64.div_ceil(16);
    let index = sections.versions.at + sections.versions.bytes - groups * INDEX_BYTES as u64;
    let run = whole.with_u32(index + 8, whole.u32(index + 8 + INDEX_BYTES as u64) + 1).open().unwrap();
    let versions = run.versions(scope_hash("a").key("hot"), "a", "hot").unwrap().unwrap();
    let error = versions.clone().find_map(Result::err).unwrap();
    assert_eq!(told(error), ("a group ends before it begins".to_owned(), index));
    assert!(versions.as_of(105).is_ok(), "other groups are read as they are");
}

/// A verification compares what is said in two places, and says where it differs.
#[test]
fn a_verification_names_what_does_not_agree() {
    let whole = Written::of(&small());
    let (meta, sections) = (whole.meta(), whole.meta().sections);
    let record = |scope: usize| sections.scopes.at + (scope * SCOPE_BYTES) as u64;
    let said = |what: &str, section: Section| (what.to_owned(), section.at);

    let keys = whole.u32(record(0) + 8);
    let more_or_fewer = said("a scope holds more or fewer keys than it says", sections.scopes);
    assert_eq!(whole.with_u32(record(0) + 8, keys + 1).verified(), more_or_fewer);
    assert_eq!(whole.with_u32(record(0) + 8, keys - 1).verified(), more_or_fewer);
    let other_kinds = said("a scope holds other kinds of versions than it says", sections.scopes);
    assert_eq!(whole.with_u32(record(0) + 52, 0b111).verified(), other_kinds);
    assert_eq!(whole.with_u32(record(0) + 52, 0b001).verified(), other_kinds);
    let order = said("the blocks of scopes are not in order", sections.scopes);
    assert_eq!(whole.with_u32(record(3), whole.u32(record(2))).verified(), order);
    let changes = said("changes are not the versions of the keys", sections.changes);
    assert_eq!(whole.with_u32(record(2) + 48, whole.u32(record(3) + 48)).verified(), changes);

    // Two clears of "a", then one of "b".
    let clears = said("clears are not in order", sections.clears);
    let clear = |nth: usize| {
        sections.clears.at as usize + nth * CLEAR_BYTES..sections.clears.at as usize + (nth + 1) * CLEAR_BYTES
    };
    assert_eq!(whole.with(|file| file.copy_within(clear(1), clear(0).start)).verified(), clears, "one twice");
    let swapped = whole.with(|file| {
        let (first, second) = (file[clear(0)].to_vec(), file[clear(1)].to_vec());
        file[clear(0)].copy_from_slice(&second);
        file[clear(1)].copy_from_slice(&first);
    });
    assert_eq!(swapped.verified(), clears);
    assert_eq!(whole.with_u32(record(1) + 32, CLEAR_BYTES as u32).verified(), clears, "one of another scope");
    assert_eq!(whole.with_u32(record(1) + 36, 0).verified(), clears, "one of nobody");

    let more_or_less = said("scopes hold more or less than the run", sections.scopes);
    let versions = Meta { versions: meta.versions + 1, ..meta };
    assert_eq!(whole.with_meta(&versions).verified(), more_or_less);

    let no_slots = |at: u64, shape: Shape| whole.with_slots(at, shape, &[], 0).verified();
    let no_key = said("no slot leads to a key", sections.key_slots);
    assert_eq!(no_slots(sections.key_slots.at, meta.key_shape()), no_key);
    let no_scope = said("no slot leads to a scope", sections.scope_slots);
    assert_eq!(no_slots(sections.scope_slots.at, meta.scope_shape()), no_scope);
    // One slot more is taken than there are names: the first empty one of the last line.
    for (section, shape) in [(sections.key_slots, meta.key_shape()), (sections.scope_slots, meta.scope_shape())] {
        let surplus = whole.with(|file| {
            let table = &mut file[section.at as usize..(section.at + section.bytes) as usize];
            assert!(shape.insert(table, 0, 0, 77, 0));
        });
        assert_eq!(surplus.verified(), said("more or fewer slots are taken than there are names", section));
    }
}
