//! The quarantine: what was cut from the log holds nothing for good that was erased since.

use std::{
    fs,
    io::{BufRead as _, BufReader, Write as _},
};

use super::world::World;

const CANARY: &str = "canary@example.org";

/// A value that was acknowledged, damaged where it stood last, and cut as a torn tail by the next opening.
fn cut(world: &World) {
    let mut child = world.command(["append"]).spawn().unwrap();
    let event = format!(r#"{{"event":"set","scope":"u/1","key":"mail","value":"{CANARY}"}}"#);
    let line = format!("{{\"events\":[{event}]}}\n");
    child.stdin.as_mut().unwrap().write_all(line.as_bytes()).unwrap();
    let mut told = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut told).unwrap();
    child.kill().unwrap();
    child.wait().unwrap();
    let file = world.files_with(CANARY).into_iter().max().unwrap();
    let mut bytes = fs::read(&file).unwrap();
    let last = bytes.windows(CANARY.len()).rposition(|window| window == CANARY.as_bytes()).unwrap();
    // Of the value nothing is changed: the key before it is.
    bytes[last - 3] ^= 1;
    fs::write(&file, bytes).unwrap();
    assert_eq!(world.verify().code, Some(3));
    world.ok(["set", "other", "k", "1"]);
}

fn quarantined(world: &World) -> Vec<String> {
    world.files_with(CANARY).into_iter().filter(|file| file.contains("/quarantine/")).collect()
}

fn bytes(world: &World) -> u64 {
    let stats: serde_json::Value = serde_json::from_str(&world.ok(["stats", "-o", "jsonl"])).unwrap();
    stats["quarantine_bytes"].as_u64().unwrap()
}

/// The bytes of a torn tail stayed in `quarantine/` for good, whatever was erased.
#[test]
fn what_was_cut_goes_with_an_erasure_that_comes_after_it() {
    let world = World::new();
    world.ok(["set", "u/1", "name", "Ann"]);
    cut(&world);
    assert_eq!(quarantined(&world).len(), 1);
    assert!(bytes(&world) > CANARY.len() as u64);
    world.ok(["set", "u/1", "mail", CANARY]);
    world.ok(["compact"]);
    assert_eq!(quarantined(&world).len(), 1, "nothing was erased yet");
    world.ok(["erase", "u/1", "--with-below"]);
    let done = world.ok(["compact", "-o", "jsonl"]);
    assert!(done.trim_end().ends_with(r#""not_covered":[]}"#), "{done}");
    assert_eq!(world.files_with(CANARY), [""; 0]);
    assert_eq!(bytes(&world), 0);
    // What is cut later that erasure does not speak of.
    cut(&world);
    world.ok(["compact"]);
    assert_eq!(quarantined(&world).len(), 1);
    assert_eq!(world.ok(["get", "other", "k"]), "1");
    assert_eq!(world.verify().code, Some(0));
}

/// What was cut may be of what is held: it stays, and whoever erases is told.
#[test]
fn a_hold_keeps_it_and_is_told() {
    let world = World::new();
    cut(&world);
    world.ok(["set", "u/1", "mail", CANARY]);
    world.ok(["retain", "hold", "court", "case 17"]);
    let told: serde_json::Value = serde_json::from_str(&world.ok(["erase", "u/1", "-o", "jsonl"])).unwrap();
    assert!(told["not_covered"][0].as_str().unwrap().ends_with("/quarantine"), "{told}");
    let done: serde_json::Value = serde_json::from_str(&world.ok(["compact", "-o", "jsonl"])).unwrap();
    assert_eq!(done["not_covered"], told["not_covered"]);
    let ran = world.run(["erase", "u/1", "mail"]);
    assert!(ran.stderr.contains("quarantine is not covered") && !ran.stderr.contains("backups"), "{ran:?}");
    assert_eq!(world.files_with(CANARY), quarantined(&world));
    assert_eq!(quarantined(&world).len(), 1);
    world.ok(["retain", "release", "court", "case 17"]);
    world.ok(["compact"]);
    assert_eq!(world.files_with(CANARY), [""; 0]);
}

/// A salvage lays what is damaged into the new store, erased or not.
#[test]
fn what_a_salvage_has_laid_there_goes_with_an_erasure() {
    let world = World::new();
    world.ok(["set", "u/1", "mail", CANARY]);
    world.ok(["set", "u/1", "name", "Ann"]);
    let file = world.files_with(CANARY).pop().unwrap();
    let mut bytes = fs::read(&file).unwrap();
    let at = bytes.windows(CANARY.len()).position(|window| window == CANARY.as_bytes()).unwrap();
    bytes[at - 3] ^= 1;
    fs::write(&file, bytes).unwrap();
    assert_eq!(world.run(["salvage", "saved"]).code, Some(11));
    let left = || super::world::files_with(&world.dir().join("saved"), CANARY);
    assert_eq!(left().len(), 1);
    world.ok(["compact", "--store", "saved"]);
    assert_eq!(left().len(), 1);
    world.ok(["erase", "u/1", "--store", "saved"]);
    world.ok(["compact", "--store", "saved"]);
    assert_eq!(left(), [""; 0]);
}
