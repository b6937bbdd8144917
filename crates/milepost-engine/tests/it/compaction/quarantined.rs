//! What lies in quarantine, once something was erased that may stand there.

use std::path::Path;

use milepost_engine::CompactError;
use milepost_io::{Disk, Fault, FaultKind, Op};

use super::{Rig, place};
use crate::scope;

/// The name says in which epoch the bytes were laid there: what came later, no erasure of before speaks of.
#[test]
fn what_an_erasure_came_after_goes_from_quarantine_or_it_is_told_that_it_did_not() {
    let rig = Rig::new(14);
    rig.set("a", "k0", b"secret");
    let dir = Path::new("/s/quarantine");
    rig.disk.create_dir(dir).unwrap();
    let [before, later, other] = ["000001-1.bytes", "000001-9.bytes", "notes"].map(|name| dir.join(name));
    [&before, &later, &other].iter().for_each(|path| rig.disk.put_file(path, b"secret"));
    rig.disk.create_dir(&dir.join("000002-1.bytes")).unwrap();
    assert_eq!(rig.store.stats().quarantine_bytes, 12, "what has another name is not counted");
    let is_there = || [&before, &later, &other].map(|path| rig.disk.names().contains(path));
    rig.compact();
    assert_eq!(is_there(), [true; 3], "nothing was erased");

    let mut erase = rig.store.request();
    erase.add_erase_scope(&scope("a"), 6).unwrap();
    rig.store.commit(erase).unwrap();
    let fail = |errno| {
        let what = FaultKind::Error(errno);
        rig.disk.inject(Fault { on: Op::Remove, file: Some("quarantine".to_owned()), nth: 0, times: 1, what });
    };
    fail(5);
    let told = rig.store.compact(&mut |_, _| {}).unwrap_err();
    assert!(matches!(told, CompactError::Quarantine(_)), "{told:?}");
    let told = told.to_string();
    assert!(told.contains("000001-1.bytes") && told.contains("compact again"), "{told}");
    assert_eq!(is_there(), [true; 3]);

    // Somebody else removes it meanwhile: as good.
    fail(2);
    rig.compact();
    rig.compact();
    assert_eq!(is_there(), [false, true, true]);
    assert_eq!(rig.store.stats().quarantine_bytes, 6);
}

/// Where anything is held, what may have been erased stays in quarantine, and whoever erases is told so; of what
/// nothing was erased since nothing is told.
#[test]
fn what_a_hold_keeps_in_quarantine_is_told() {
    let dir = Path::new("/s/quarantine");
    for (name, is_erased, is_held, is_kept) in [
        ("000001-1.bytes", true, true, true),
        ("000001-1.bytes", true, false, false),
        ("000001-1.bytes", false, true, false),
        ("000001-9.bytes", true, true, false),
        ("notes", true, true, false),
    ] {
        let rig = Rig::new(15);
        rig.set("a", "k0", b"secret");
        rig.disk.create_dir(dir).unwrap();
        rig.disk.put_file(&dir.join(name), b"secret");
        let mut request = rig.store.request();
        if is_held {
            request.add_hold(&place("d"), "audit", None).unwrap();
        }
        if is_erased {
            request.add_erase_scope(&scope("a"), 6).unwrap();
        }
        request.add_set(&scope("b"), "k", b"1").unwrap();
        rig.store.commit(request).unwrap();
        let what = format!("{name}, erased: {is_erased}, held: {is_held}");
        let kept = is_kept.then(|| dir.to_owned());
        assert_eq!(rig.store.quarantine_kept().unwrap(), kept, "{what}");
        rig.compact();
        rig.compact();
        let is_gone = is_erased && !is_held;
        assert_eq!(rig.disk.names().contains(&dir.join(name)), !is_gone, "{what}");
        assert_eq!(rig.store.quarantine_kept().unwrap(), kept, "{what}");
    }
}
