//! What only processes of their own show: how much memory one takes, and that one may read beside another whose
//! compaction takes files away.
//!
//! Each is this test's executable, told by the environment what it is, as in `killed.rs`.

#![expect(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    clippy::print_stdout,
    reason = "tests in processes that say what they have seen"
)]

#[path = "processes/beside.rs"]
mod beside; // FAULTS F2
#[path = "processes/bomb.rs"]
mod bomb; // FAULTS H4
#[path = "processes/memory.rs"]
mod memory; // FAULTS A8
#[path = "processes/room.rs"]
mod room; // what a reader held comes back

use std::{
    env,
    path::PathBuf,
    process::{Child, Command, Stdio},
};

const ROLE: &str = "MILEPOST_TEST_ROLE";

/// A process that is killed in the end, if it has not ended by then.
struct Process(Child);

impl Process {
    /// This executable, running one of its tests on a store.
    fn start(test: &str, store: &std::path::Path) -> Process {
        let mut command = Command::new(env::current_exe().unwrap());
        command.args(["--exact", test, "--nocapture"]).env(ROLE, test).env("STORE", store);
        Process(command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap())
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        self.0.wait().unwrap();
    }
}

/// The store of the process that is this test; `None` where it is run as a test of its own.
fn store_of(test: &str) -> Option<PathBuf> {
    env::var_os(ROLE).is_some_and(|given| given == test).then(|| env::var_os("STORE").unwrap().into())
}
