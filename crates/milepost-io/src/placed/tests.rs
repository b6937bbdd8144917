use std::{fs, sync::Arc};

use super::Placed;
use crate::{Disk, OpenMode, OsDisk, write_all_at};

#[test]
fn another_directory_of_the_same_name_is_not_touched() {
    let world = tempfile::tempdir().unwrap();
    let (dir, moved) = (world.path().join("store"), world.path().join("moved"));
    fs::create_dir(&dir).unwrap();
    let placed = Placed::new(Arc::new(OsDisk), &dir).unwrap();
    let (a, b) = (dir.join("a"), dir.join("b"));
    let held = placed.open(&a, OpenMode::CreateNew).unwrap();
    fs::rename(&dir, &moved).unwrap();
    for other_is_there in [false, true] {
        if other_is_there {
            fs::create_dir(&dir).unwrap();
            fs::write(&a, "another").unwrap();
        }
        let calls = [
            placed.open(&a, OpenMode::Read).map(drop),
            placed.open(&a, OpenMode::Write).map(drop),
            placed.open(&b, OpenMode::CreateNew).map(drop),
            placed.create_dir(&b),
            placed.list(&dir).map(drop),
            placed.rename(&a, &b),
            placed.remove(&a),
            placed.sync_dir(&dir),
        ];
        for (index, call) in calls.into_iter().enumerate() {
            let error = call.expect_err("it was made");
            assert!(error.to_string().contains("was moved away"), "call {index}: {error}");
        }
    }
    assert_eq!((fs::read(&a).unwrap(), b.exists()), (b"another".to_vec(), false));
    // What is open is where it went; and the name may come to lead there again.
    write_all_at(&*held, b"mine", 0).unwrap();
    fs::remove_dir_all(&dir).unwrap();
    fs::rename(&moved, &dir).unwrap();
    placed.rename(&a, &b).unwrap();
    assert_eq!(fs::read(&b).unwrap(), b"mine");
}
