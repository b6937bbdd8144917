//! What lies in quarantine, once something was erased that may stand there.

use std::path::Path;

use milepost_engine::CompactError;
use milepost_io::{Disk, Fault, FaultKind, Op};

use super::Rig;
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
}
