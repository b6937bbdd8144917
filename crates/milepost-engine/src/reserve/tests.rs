use milepost_io::{Crash, SimDisk};

use super::*;

const DIR: &str = "/s";
const WHOLE: u64 = RESERVE_BYTES_MIN;
const SMALL: LogSize = LogSize { bytes: 0, segments: 1, segment_bytes: 64 << 20 };

fn disk() -> SimDisk {
    let disk = SimDisk::new(1);
    disk.create_dir(Path::new(DIR)).unwrap();
    disk.sync_dir(Path::new("/")).unwrap();
    disk
}

fn open(disk: &SimDisk) -> Reserve {
    Reserve::open(Arc::new(disk.clone()), Path::new(DIR))
}

#[test]
fn it_is_as_large_as_the_log_is_worth() {
    let log = |bytes, segments| LogSize { bytes, segments, segment_bytes: 1 << 20 };
    for (log, expected) in [
        (log(0, 1), WHOLE),
        (log(500_000, 1), WHOLE),
        (log(8 << 20, 9), 768 << 10),
        (log(1 << 40, 9), 1536 << 10),
        (log(1 << 40, 100_000), 25_600_000),
    ] {
        assert_eq!(log.reserve_bytes(), expected, "{log:?}");
    }
}

#[test]
fn what_was_given_comes_back_when_there_is_room_and_nobody_forgets_it() {
    let disk = disk();
    let reserve = open(&disk);
    assert!(!reserve.give(For::Manifest, 1), "there is none");
    assert!(reserve.keep_for(SMALL) && !reserve.keep_for(SMALL));
    disk.set_capacity(Some(WHOLE));
    let file = disk.open(Path::new("/s/f"), OpenMode::CreateNew).unwrap();
    let write = |bytes: u64| file.write_at(&vec![1; bytes as usize], file.bytes().unwrap());
    assert!(write(1).is_err());
    assert!(reserve.give(For::Removal, 1) && reserve.is_short());
    assert_eq!(write(5).unwrap(), 5);
    let lacking = reserve.make_whole().unwrap_err();
    assert_eq!((lacking.need, lacking.free), (2 * BLOCK_BYTES, Some(Room::Free(2 * BLOCK_BYTES - 5))));
    drop(reserve);
    let reserve = open(&disk);
    assert!(reserve.is_short() && reserve.stats() == ReserveStats { bytes: WHOLE - 2 * BLOCK_BYTES, whole: WHOLE });
    file.set_bytes(0).unwrap();
    reserve.make_whole().unwrap();
    assert!(!reserve.is_short() && write(1).is_err());
}

/// What gives the most room back gets the least, so that the rest is still there for what makes it count.
#[test]
fn some_of_it_is_for_manifest_alone() {
    let disk = disk();
    let reserve = Arc::new(open(&disk));
    reserve.keep_for(SMALL);
    let lent = reserve.lend().unwrap();
    assert_eq!(reserve.to_give(For::Rewrite), 0);
    assert!(reserve.lend().is_none(), "there is nothing left of it");
    let lent_again = Lent(Arc::clone(&reserve));
    reserve.is_lent.store(true, Ordering::Relaxed);
    disk.set_capacity(Some(WHOLE + BLOCK_BYTES));
    assert!(reserve.make_whole().is_err(), "it is in use");
    while reserve.give(For::Removal, 1) {}
    assert!(reserve.to_give(For::Manifest) >= 8 << 10);
    while reserve.give(For::Manifest, 1) {}
    assert_eq!(reserve.stats().bytes, BLOCK_BYTES);
    drop((lent, lent_again));
    reserve.make_whole().unwrap();
    assert_eq!(reserve.stats().bytes, WHOLE);
}

/// Commits were refused, as if the disk were full, beside any amount of free room, while a segment was written anew
/// that had begun on a full disk.
#[test]
fn what_is_lent_is_taken_back_where_there_is_plenty_for_both() {
    let disk = disk();
    let reserve = Arc::new(open(&disk));
    reserve.keep_for(SMALL);
    disk.set_capacity(Some(WHOLE));
    let _lent = reserve.lend().unwrap();
    assert!(reserve.make_whole().is_err(), "it is in use");
    disk.set_capacity(Some(64 * WHOLE));
    reserve.make_whole().unwrap();
    assert_eq!(reserve.stats().bytes, WHOLE);
}

#[test]
fn where_there_is_not_plenty_of_room_there_is_none() {
    let disk = disk();
    disk.set_capacity(Some(PLENTY_PARTS * WHOLE - 1));
    assert!(!open(&disk).keep_for(SMALL));
    disk.set_capacity(Some(PLENTY_PARTS * WHOLE));
    assert!(open(&disk).keep_for(SMALL));
}

/// A crash at any operation while it is made, grown, cut and made whole: what is found is a reserve or none.
#[test]
fn a_crash_leaves_a_reserve_or_none() {
    let mut points = 0;
    for operations in 0.. {
        let disk = disk();
        disk.power_off_after(operations);
        let reserve = open(&disk);
        reserve.keep_for(SMALL);
        reserve.keep_for(LogSize { bytes: 8 << 20, ..SMALL });
        reserve.give(For::Removal, 10_000);
        let _ = reserve.make_whole();
        let was_off = disk.is_off();
        for how in Crash::ALL {
            for seed in 0..5 {
                let crashed = disk.crash(how, seed);
                let found = open(&crashed);
                let ReserveStats { bytes, whole } = found.stats();
                assert!(bytes <= whole && [0, WHOLE, 768 << 10].contains(&whole), "{operations}: {bytes} of {whole}");
                found.make_whole().unwrap();
                assert!(whole >= WHOLE || found.keep_for(SMALL), "{operations}");
                points += 1;
            }
        }
        if !was_off {
            break;
        }
    }
    assert!(points > 200, "{points}");
}

#[test]
fn what_can_t_be_understood_is_made_anew() {
    let too_small = head(1);
    let too_large = head(u64::MAX);
    for text in ["", "milepost reserve 1\n", &too_small, &too_large, "milepost reserve 2\n"] {
        let disk = disk();
        disk.put_file(Path::new("/s/RESERVE"), text.as_bytes());
        let reserve = open(&disk);
        assert_eq!(reserve.stats(), ReserveStats::default(), "{text:?}");
        assert!(reserve.keep_for(SMALL), "{text:?}");
    }
}

/// A flipped bit in one digit was a reserve of as many bytes as no disk has: it counted as short, and the store refused
/// every commit for want of room, or took the room of a disk that had it.
#[test]
fn a_flipped_bit_is_no_other_size() {
    let disk = disk();
    assert!(open(&disk).keep_for(SMALL));
    let path = Path::new("/s/RESERVE");
    for bit in 0..8 * HEAD_BYTES as u64 {
        let disk = disk.copy();
        disk.flip_bit(path, bit);
        let reserve = open(&disk);
        assert_eq!(reserve.stats(), ReserveStats::default(), "bit {bit}");
        assert!(!reserve.is_short() && reserve.keep_for(SMALL), "bit {bit}");
    }
}

/// It is looked at again each time that the open segment has grown by a part, and once for each of these.
#[test]
fn a_look_is_wanted_whenever_the_open_segment_has_grown_by_a_part() {
    let reserve = open(&disk());
    while reserve.take_look() {}
    let mut bytes = 4_000_000;
    assert!(reserve.note_growth(bytes) && reserve.take_look() && !reserve.take_look());
    for _ in 0..3 {
        let next = bytes + bytes / GROWTH_PARTS;
        assert!(!reserve.note_growth(next - 1) && !reserve.take_look(), "{next}");
        assert!(reserve.note_growth(next) && reserve.take_look(), "{next}");
        bytes = next;
    }
    reserve.look_again();
    assert!(!reserve.note_growth(2 * bytes), "it is wanted already");
    assert!(reserve.take_look() && !reserve.take_look());
}
