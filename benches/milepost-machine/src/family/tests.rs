use std::process::{self, Command, Stdio};

use super::pids;

#[test]
fn what_was_started_belongs_to_it_until_it_ends() {
    let mut child = Command::new("cat").stdin(Stdio::piped()).spawn().unwrap();
    let with_it = pids();
    drop(child.stdin.take());
    child.wait().unwrap();
    assert_eq!(with_it[0], process::id());
    assert!(with_it.contains(&child.id()) && !pids().contains(&child.id()), "{with_it:?}");
}
