use std::path::Path;

use super::deepest_mount;

#[test]
fn the_deepest_and_latest_mount_counts() {
    let mounts =
        "/dev/a / ext4 rw 0 0\ntmpfs /tmp tmpfs rw 0 0\n/dev/b /tmp/disk xfs rw 0 0\n/dev/c /tmp/disk btrfs rw 0 0\n";
    for (dir, kind) in
        [("/home/x", "ext4"), ("/tmp", "tmpfs"), ("/tmpx", "ext4"), ("/tmp/disk/a", "btrfs"), ("/tmp/disks", "tmpfs")]
    {
        assert_eq!(deepest_mount(mounts, Path::new(dir)).as_deref(), Some(kind), "{dir}");
    }
    assert_eq!(deepest_mount("", Path::new("/")), None);
}
