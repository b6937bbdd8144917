//! A disk without room, and one whose syncs fail, under a job.

use std::{fs, process::Command};

use super::{World, feed, numbers};

/// A small file system of its own where the store of a world is.
struct Tmpfs<'a>(&'a World);

impl<'a> Tmpfs<'a> {
    /// `None` where mounting is not allowed.
    fn mount(world: &'a World, size: &str) -> Option<Tmpfs<'a>> {
        fs::create_dir(world.store()).unwrap();
        let options = format!("size={size}");
        let mounted = Command::new("mount").args(["-t", "tmpfs", "-o", &options, "tmpfs"]).arg(world.store()).output();
        if mounted.is_ok_and(|output| output.status.success()) {
            return Some(Tmpfs(world));
        }
        skip("mounting a tmpfs is not allowed here");
        None
    }

    fn grow(&self, size: &str) {
        let options = format!("remount,size={size}");
        let status = Command::new("mount").args(["-o", &options]).arg(self.0.store()).status().unwrap();
        assert!(status.success());
    }
}

impl Drop for Tmpfs<'_> {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg(self.0.store()).status();
    }
}

#[expect(clippy::print_stderr, reason = "a test that can't be made here must not pass for one that passed")]
fn skip(why: &str) {
    eprintln!("SKIPPED: {why}");
}

#[test]
fn a_full_disk_ends_the_run_and_with_room_it_goes_on() {
    const ITEMS: usize = 120;
    const SLOTS: usize = 2;
    let world = World::new();
    let Some(tmpfs) = Tmpfs::mount(&world, "4m") else { return };
    let script = r#"echo "$1" >> log; head -c 60000 /dev/zero"#;
    let end = world.each(&["-j2"], script, numbers(ITEMS));
    let end = end.says(6, &["the disk is full", "run the same command again", "marks durable at seq"]);
    assert!(world.lines("log").len() < ITEMS, "it stops when there is no room: {}", end.stderr);
    tmpfs.grow("64m");
    world.each(&["-j2"], script, numbers(ITEMS)).says(0, &["done before"]);
    let repeats = world.lines("log").len() - ITEMS;
    assert!(repeats <= 2 * SLOTS, "{repeats} items ran again: more than can have been on their way");
    world.run(["verify"], "").says(0, &[]);
}

#[test]
fn a_failed_sync_ends_the_run_and_the_next_one_goes_on() {
    let world = World::new();
    let mut command = Command::new("strace");
    command.args([
        "-f",
        "-qq",
        "-o",
        "/dev/null",
        "-e",
        "trace=fdatasync",
        "-e",
        "inject=fdatasync:error=EIO:when=20+",
    ]);
    let binary = world.milepost(super::each_args(&["-j2"], r#"echo "$1" >> log"#));
    command.arg(binary.get_program()).args(binary.get_args()).current_dir(world.path("."));
    command
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped());
    let can_trace = Command::new("strace").args(["-o", "/dev/null", "true"]).status();
    if !can_trace.is_ok_and(|status| status.success()) {
        skip("strace is missing or may not trace here");
        return;
    }
    feed(command, numbers(200).as_bytes())
        .says(7, &["whether the commit is durable is unknown", "run the same command again"]);
    let before = world.lines("log").len();
    assert!(before < 200, "it stops when nothing can be made durable");
    world.each(&["-j2"], r#"echo "$1" >> log"#, numbers(200)).says(0, &["done before"]);
    // The kernel took every write, so nothing that had ended runs again.
    assert_eq!(world.lines("log").len(), 200);
}
