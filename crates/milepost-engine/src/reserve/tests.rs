use milepost_io::{Crash, Fault, FaultKind, Op, SimDisk};

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
    // The smallest one is enough for a log of this size; it is looked at when half as much is there.
    let first = RESERVE_BYTES_MIN * LOG_PARTS / 2;
    assert!(!reserve.note_growth(first - 1) && reserve.note_growth(first) && reserve.take_look());
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

/// Bytes of the file.
fn file_bytes(disk: &SimDisk) -> u64 {
    disk.file_bytes(Path::new("/s/RESERVE")).unwrap().len() as u64
}

/// A log of which the reserve is as large as this: so many rows of segments.
fn log_worth(bytes: u64) -> LogSize {
    LogSize { segments: bytes / SEGMENT_ROW_BYTES, ..SMALL }
}

/// Each may have so much of it, to the last byte, and not a byte more: a third stays of what a rewrite asks, a sixth of
/// what removals ask, and of all the block in which its size stands.
#[test]
fn each_may_have_its_part_to_the_last_byte() {
    for (what, most) in [(For::Manifest, 15), (For::Removal, 13), (For::Rewrite, 10)] {
        let most = most * BLOCK_BYTES;
        for (need, given) in [(1, 2 * BLOCK_BYTES), (most - 1, most), (most, most), (most + 1, 0)] {
            let disk = disk();
            let reserve = open(&disk);
            reserve.keep_for(SMALL);
            assert_eq!(reserve.to_give(what), most, "{what:?}");
            assert_eq!(reserve.give(what, need), given > 0, "{what:?}, {need}");
            assert_eq!(reserve.stats(), ReserveStats { bytes: WHOLE - given, whole: WHOLE }, "{what:?}, {need}");
            assert_eq!((reserve.is_short(), file_bytes(&disk)), (given > 0, WHOLE - given), "{what:?}, {need}");
        }
    }
    // What the disk does not take back is not given.
    let disk = disk();
    let reserve = Arc::new(open(&disk));
    reserve.keep_for(SMALL);
    let what = FaultKind::Error(5);
    disk.inject(Fault { on: Op::SetBytes, file: None, nth: 0, times: u64::MAX, what });
    assert!(!reserve.give(For::Manifest, 1) && reserve.lend().is_none() && !reserve.is_short());
    disk.clear_faults();
    assert!(reserve.lend().is_some());
}

/// It grows when the log is worth a quarter more than it is, and a quarter of what is free is enough for that; then the
/// file is as large as it says.
#[test]
fn it_grows_by_a_quarter_at_least_and_takes_a_quarter_of_the_room_at_most() {
    let more = WHOLE + WHOLE / GROWTH_PARTS;
    for (worth, free, grows) in [
        (more - BLOCK_BYTES, u64::MAX, false),
        (more, u64::MAX, true),
        (more, PLENTY_PARTS * (more - WHOLE), true),
        (more, PLENTY_PARTS * (more - WHOLE) - 1, false),
        (4 * WHOLE, PLENTY_PARTS * 3 * WHOLE, true),
        (4 * WHOLE, PLENTY_PARTS * 3 * WHOLE - 1, false),
    ] {
        let disk = disk();
        let reserve = open(&disk);
        assert!(reserve.keep_for(SMALL));
        disk.set_capacity(free.checked_add(WHOLE));
        assert_eq!(reserve.keep_for(log_worth(worth)), grows, "{worth} of {free}");
        let whole = if grows { worth } else { WHOLE };
        assert_eq!(reserve.stats(), ReserveStats { bytes: whole, whole });
        assert_eq!(file_bytes(&disk), whole, "{worth} of {free}");
        assert_eq!(open(&disk).stats(), ReserveStats { bytes: whole, whole }, "{worth} of {free}");
    }
}

/// A crash may leave it larger than it says: what nobody counts is given back. A short one stays short.
#[test]
fn an_opening_cuts_what_is_more_than_the_whole() {
    for (bytes, left) in [(WHOLE + 1, WHOLE), (WHOLE, WHOLE), (WHOLE - 1, WHOLE - 1)] {
        let disk = disk();
        open(&disk).keep_for(SMALL);
        let mut file = disk.file_bytes(Path::new("/s/RESERVE")).unwrap();
        file.resize(bytes as usize, 0);
        disk.put_file(Path::new("/s/RESERVE"), &file);
        let reserve = open(&disk);
        assert_eq!((file_bytes(&disk), reserve.stats().bytes, reserve.is_short()), (left, left, left < WHOLE));
    }
}

/// While something is tried there is twice as much each time, until it is done or there is no more. What MANIFEST had
/// comes back when it is written; what anything else had is in use.
#[test]
fn what_is_tried_gets_twice_as_much_each_time() {
    let of = |what, attempts_needed: usize| {
        let disk = disk();
        let reserve = open(&disk);
        reserve.keep_for(SMALL);
        let mut attempts = 0;
        let done = reserve.with(
            what,
            |need: &u64| Some(*need),
            || {
                attempts += 1;
                if attempts < attempts_needed { Err(2 * BLOCK_BYTES) } else { Ok(attempts) }
            },
        );
        (done, attempts, reserve.stats().bytes / BLOCK_BYTES, reserve.is_short())
    };
    assert_eq!(of(For::Manifest, 1), (Ok(1), 1, 16, false), "nothing was asked");
    assert_eq!(of(For::Manifest, 2), (Ok(2), 2, 16, false));
    assert_eq!(of(For::Manifest, 3), (Ok(3), 3, 16, false));
    // Two blocks and one, four and one; eight are not there.
    assert_eq!(of(For::Manifest, 9), (Err(2 * BLOCK_BYTES), 3, 8, true));
    assert_eq!(of(For::Removal, 2), (Ok(2), 2, 13, true));
    // What is not lacking room is not tried again, and what others had is not taken from them.
    let disk = disk();
    let reserve = open(&disk);
    reserve.keep_for(SMALL);
    assert!(reserve.give(For::Removal, 1));
    let mut attempts = 0;
    let done = reserve.with(
        For::Manifest,
        |_: &u64| None,
        || {
            attempts += 1;
            Err::<(), _>(5)
        },
    );
    assert_eq!((done, attempts, reserve.stats().bytes), (Err(5), 1, WHOLE - 2 * BLOCK_BYTES));
    assert_eq!(reserve.with(For::Manifest, |_: &u64| None, || Ok(())), Ok(()));
    assert_eq!((reserve.stats().bytes, reserve.is_short()), (WHOLE - 2 * BLOCK_BYTES, true));
}

/// What comes back behind MANIFEST is as much as there is room for, by halves, and no more than was given.
#[test]
fn as_much_comes_back_as_there_is_room_for() {
    // Twelve blocks are missing: twelve, six, three, two or one of them are tried.
    for (room, taken) in [(12, 12), (20, 12), (11, 6), (6, 6), (5, 3), (2, 2), (1, 1), (0, 0)] {
        let disk = disk();
        let reserve = open(&disk);
        reserve.keep_for(SMALL);
        let mut attempts = 0;
        let done = reserve.with(
            For::Manifest,
            |need: &u64| Some(*need),
            || {
                attempts += 1;
                let bytes = reserve.stats().bytes;
                if attempts == 1 {
                    return Err(11 * BLOCK_BYTES);
                }
                disk.set_capacity(Some(bytes + room * BLOCK_BYTES));
                Ok(bytes)
            },
        );
        let left = done.unwrap();
        assert_eq!(left, WHOLE - 12 * BLOCK_BYTES);
        assert_eq!(reserve.stats().bytes, left + taken * BLOCK_BYTES, "room for {room}");
        assert_eq!(file_bytes(&disk), left + taken * BLOCK_BYTES, "room for {room}");
        assert_eq!(reserve.is_short(), taken < 12, "room for {room}");
    }
}

/// Room that is just enough is taken, and the missing bytes are said of what is not; while something is lent, there has
/// to be so much room that it is enough for both.
#[test]
fn it_is_made_whole_where_there_is_room_to_the_last_byte() {
    for is_lent in [false, true] {
        let disk = disk();
        let reserve = Arc::new(open(&disk));
        reserve.keep_for(SMALL);
        let lent = reserve.lend().unwrap();
        let missing = WHOLE - reserve.stats().bytes;
        let lent = is_lent.then_some(lent);
        let room = if is_lent { PLENTY_PARTS * missing } else { missing };
        disk.set_capacity(Some(WHOLE - missing + room - 1));
        let lacking = reserve.make_whole().unwrap_err();
        assert_eq!((lacking.need, lacking.free), (missing, Some(Room::Free(room - 1))), "lent: {is_lent}");
        assert_eq!((reserve.is_short(), file_bytes(&disk)), (true, WHOLE - missing));
        disk.set_capacity(Some(WHOLE - missing + room));
        reserve.make_whole().unwrap();
        assert_eq!((reserve.is_short(), file_bytes(&disk), reserve.stats().bytes), (false, WHOLE, WHOLE));
        drop(lent);
    }
}

/// One that can't be made leaves nothing, and is tried again.
#[test]
fn one_that_can_not_be_made_is_tried_again() {
    for on in [Op::Remove, Op::Create, Op::Allocate, Op::Write, Op::Sync] {
        let disk = disk();
        let reserve = open(&disk);
        if on == Op::Remove {
            disk.put_file(Path::new("/s/RESERVE"), b"in the way");
        }
        disk.inject(Fault { on, file: Some("RESERVE".to_owned()), nth: 0, times: 1, what: FaultKind::Error(5) });
        assert!(!reserve.keep_for(SMALL), "{on:?}");
        assert_eq!((reserve.stats(), reserve.is_short()), (ReserveStats::default(), false), "{on:?}");
        assert!(reserve.keep_for(SMALL), "{on:?}");
        assert_eq!((reserve.stats().bytes, file_bytes(&disk)), (WHOLE, WHOLE), "{on:?}");
    }
}
