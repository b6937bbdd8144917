use super::*;
use crate::SimDisk;

/// FAULTS C5: a limit on a file's size was once told as a full disk, to people with a terabyte free.
#[test]
fn a_full_disk_is_told_from_a_limit_on_a_files_size() {
    let disk = SimDisk::new(1);
    disk.create_dir(Path::new("/s")).unwrap();
    disk.set_capacity(Some(disk.used_bytes() + 100));
    for (errno, room, says) in [
        (libc::ENOSPC, Some(Room::Free(100)), "the disk of /s is full: 5 bytes are needed, 100 are free"),
        (libc::EDQUOT, Some(Room::Free(100)), "the disk of /s is full: 5 bytes are needed, 100 are free"),
        (
            libc::EFBIG,
            Some(Room::FileLimit),
            "the limit on a file's size is reached in /s (`ulimit -f`, or the file system's): 5 bytes more are needed",
        ),
        (libc::EIO, None, ""),
        (libc::EROFS, None, ""),
    ] {
        let error = io::Error::from_raw_os_error(errno);
        let found = Room::lacking(&disk, Path::new("/s"), &error);
        assert_eq!((found, Room::is_lacking(&error)), (room, room.is_some()), "{error}");
        if let Some(found) = found {
            assert_eq!(found.too_little_for(5, Some(Path::new("/s"))).to_string(), says);
            assert_eq!(found.too_little_for(5, None).to_string(), says.replace(" of /s", "").replace(" in /s", ""));
        }
    }
}
