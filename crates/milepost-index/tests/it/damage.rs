use std::path::Path;

use milepost_index::{Mark, OpenRunError, Run, RunFacts, RunId, Version};
use milepost_io::{Disk, Map, OpenMode, OsDisk, write_all_at};

use crate::rig::{Model, STORE, Shape, check, dir, disk, history, open};

/// A small run with all that there is in one: lists of several groups, clears, long names.
fn small() -> Model {
    let mut model = Model::new(100, 400);
    for nth in 0..300_u32 {
        let seq = 100 + u64::from(nth);
        let kind = (nth % 3) as u8;
        model.put("a", "hot", Version { seq, record: nth % 2, kind });
        if nth % 8 == 0 {
            model.put("a", &format!("key-{nth:04}"), Version { seq, record: 9, kind: 0 });
        }
        if nth % 16 == 0 {
            model.put(&format!("task/{nth}"), "cursor", Version { seq, record: 11, kind: 0 });
        }
        if nth % 50 == 0 {
            model.clear("a", Mark { seq, record: 12 });
        }
    }
    model
}

fn read(bytes: Vec<u8>, facts: &RunFacts) -> Result<Run, OpenRunError> {
    Run::read(Path::new("/store/index/000007.run"), Map::of_bytes(bytes), STORE, facts)
}

/// A run that opens answers right, or says that it is damaged.
fn is_right_or_refused(model: &Model, opened: Result<Run, OpenRunError>) -> bool {
    match opened {
        Err(_) => true,
        // The check compares every answer with the model, and panics at a wrong one.
        Ok(run) => check(model, &run).is_err() && run.verify().is_err(),
    }
}

#[test]
fn every_flipped_bit_is_seen() {
    let (disk, model) = (disk(), small());
    let facts = model.build(&disk, 7).unwrap();
    let whole = disk.file_bytes(&RunId(7).path(&dir())).unwrap();
    check(&model, &read(whole.clone(), &facts).unwrap()).unwrap();
    // Every bit of the ends, every 13th between: each answer is compared for each.
    let ends = |byte: usize| byte < 80 || byte + 700 > whole.len();
    for bit in (0..whole.len() * 8).filter(|bit| ends(bit / 8) || bit % 13 == 0) {
        let mut bytes = whole.clone();
        bytes[bit / 8] ^= 1 << (bit % 8);
        assert!(is_right_or_refused(&model, read(bytes, &facts)), "bit {bit} of {}", whole.len() * 8);
    }
}

#[test]
fn every_truncation_is_refused() {
    let (disk, model) = (disk(), small());
    let facts = model.build(&disk, 7).unwrap();
    let whole = disk.file_bytes(&RunId(7).path(&dir())).unwrap();
    for bytes in 0..whole.len() {
        let error = read(whole[..bytes].to_vec(), &facts).err();
        assert!(error.is_some(), "{bytes} of {} bytes", whole.len());
    }
    disk.truncate(&RunId(7).path(&dir()), 0);
    assert!(matches!(open(&disk, &facts), Err(OpenRunError::Corrupt(_))));
}

/// Damage is met where it is: what lies in other pages is still answered, right.
#[test]
fn damage_in_one_page_leaves_the_others() {
    let model = history(11, Shape { events: 6000, scopes: 30, keys: 3000, hot: 0 });
    let disk = disk();
    let facts = model.build(&disk, 7).unwrap();
    let whole = disk.file_bytes(&RunId(7).path(&dir())).unwrap();
    let seed = milepost_index::ScopeHash::seed(&STORE);
    let (mut answered, mut refused) = (0, 0);
    for page in (0..whole.len() / 4096).step_by(5) {
        let mut bytes = whole.clone();
        bytes[page * 4096 + 1234] ^= 4;
        let run = read(bytes, &facts).unwrap();
        for (name, scope) in &model.scopes {
            let hash = milepost_index::ScopeHash::of(seed, name);
            for (key, versions) in scope.keys.iter().step_by(7) {
                match run.find(hash.key(key), name, key, u64::MAX) {
                    Ok(found) => assert_eq!(found, versions.last().copied()),
                    Err(corruption) => {
                        assert_eq!(corruption.offset, page as u64 * 4096);
                        refused += 1;
                        continue;
                    }
                }
                answered += 1;
            }
        }
    }
    assert!(answered > 10 * refused && refused > 0, "{answered} answered, {refused} refused");
}

#[test]
fn only_the_expected_file_is_opened() {
    let (disk, model) = (disk(), small());
    let facts = model.build(&disk, 7).unwrap();
    let path = RunId(7).path(&dir());
    let right = disk.file_bytes(&path).unwrap();
    let try_with = |bytes: &[u8]| {
        disk.put_file(&path, bytes);
        open(&disk, &facts)
    };
    assert!(try_with(&right).is_ok());

    let error = Run::open(&disk, &dir(), *b"another store id", &facts).unwrap_err();
    assert!(matches!(error, OpenRunError::OtherStore { .. }), "{error}");

    // An older copy: the same run before one more version was in it.
    let mut older = model.clone();
    older.scopes.get_mut("a").unwrap().keys.get_mut("hot").unwrap().pop();
    older.build(&disk, 7).unwrap();
    let copy = disk.file_bytes(&path).unwrap();
    let error = try_with(&copy).unwrap_err();
    assert!(matches!(error, OpenRunError::OtherCopy { .. }), "{error}");

    let mut range = model.clone();
    range.last_seq += 1;
    range.build(&disk, 7).unwrap();
    let error = try_with(&disk.file_bytes(&path).unwrap()).unwrap_err();
    assert!(matches!(error, OpenRunError::OtherCopy { .. }), "{error}");

    model.build(&disk, 8).unwrap();
    let error = try_with(&disk.file_bytes(&RunId(8).path(&dir())).unwrap()).unwrap_err();
    assert!(matches!(error, OpenRunError::Misnamed { found: RunId(8), .. }), "{error}");

    let mut newer = right.clone();
    newer[8] = 2;
    let crc = crc32(&newer[..60]);
    newer[60..64].copy_from_slice(&crc.to_le_bytes());
    let error = try_with(&newer).unwrap_err();
    assert!(matches!(error, OpenRunError::NewerFormat { found: 2, supported: 1, .. }), "{error}");

    // Whoever reads the error knows whether the file was cut, or is damaged where it ends.
    let length = right.len();
    let mut other_end = right.clone();
    other_end[length - 1] ^= 1;
    for (bytes, is_cut) in [
        (&[&right[..], &[0]].concat()[..], false),
        (&other_end, false),
        (&right[..length - 1], true),
        (&right[..length / 2], true),
        (&right[..64], true),
    ] {
        let error = try_with(bytes).unwrap_err();
        assert!(matches!(error, OpenRunError::Corrupt(_)), "{error}");
        let says_so = error.to_string().contains(&format!(": {} of {length} bytes", bytes.len()));
        assert_eq!(says_so, is_cut, "{} bytes: {error}", bytes.len());
    }

    disk.remove_name(&path);
    let error = open(&disk, &facts).unwrap_err();
    assert!(matches!(error, OpenRunError::Missing { .. }), "{error}");
}

fn crc32(bytes: &[u8]) -> u32 {
    crc32fast::hash(bytes)
}

/// FAULTS B5: a run that is cut between its mapping and its opening: what its ends say can't be read, and that is said.
#[test]
fn a_run_cut_before_its_ends_were_read() {
    let (disk, model) = (disk(), small());
    let facts = model.build(&disk, 7).unwrap();
    let whole = disk.file_bytes(&RunId(7).path(&dir())).unwrap();
    let temp = tempfile::tempdir().unwrap();
    let path = facts.id.path(temp.path());
    let file = OsDisk.open(&path, OpenMode::CreateNew).unwrap();
    let last_page = (whole.len() - 1) / 4096 * 4096;
    assert!(last_page > 0);
    for bytes in [0, 4096, last_page] {
        write_all_at(&*file, &whole, 0).unwrap();
        let map = OsDisk.open(&path, OpenMode::Read).unwrap().map().unwrap();
        file.set_bytes(bytes as u64).unwrap();
        let Err(OpenRunError::Corrupt(corruption)) = Run::read(&path, map, STORE, &facts) else {
            panic!("{bytes} bytes were enough")
        };
        assert!(corruption.what.contains("can't be read") && corruption.offset >= bytes as u64, "{corruption}");
        assert_eq!(corruption.file, path);
    }
}

/// FAULTS B5: a run that is cut while it is mapped: right answers from what is there, named errors for the rest.
#[test]
fn a_run_cut_under_its_map() {
    let model = history(11, Shape { events: 6000, scopes: 30, keys: 3000, hot: 0 });
    let disk = disk();
    let facts = model.build(&disk, 7).unwrap();
    let temp = tempfile::tempdir().unwrap();
    let path = facts.id.path(temp.path());
    let whole = disk.file_bytes(&RunId(7).path(&dir())).unwrap();
    let file = OsDisk.open(&path, OpenMode::CreateNew).unwrap();
    write_all_at(&*file, &whole, 0).unwrap();
    let run = Run::open(&OsDisk, temp.path(), STORE, &facts).unwrap();
    check(&model, &run).unwrap();
    let seed = milepost_index::ScopeHash::seed(&STORE);
    for bytes in [whole.len() / 2, whole.len() / 5, 0] {
        file.set_bytes(bytes as u64).unwrap();
        let mut refused = 0;
        for (name, scope) in &model.scopes {
            let hash = milepost_index::ScopeHash::of(seed, name);
            for (key, versions) in &scope.keys {
                match run.find(hash.key(key), name, key, u64::MAX) {
                    Ok(found) => assert_eq!(found, versions.last().copied()),
                    Err(fault) => {
                        assert!(fault.offset >= bytes as u64 && fault.file == path, "{fault}");
                        refused += 1;
                    }
                }
            }
        }
        assert!(refused > 0, "cut to {bytes} bytes");
        assert!(Run::open(&OsDisk, temp.path(), STORE, &facts).is_err());
    }
}
