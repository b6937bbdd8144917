//! The commands of the canonical run, and where to look for what each has done.

use super::super::world::{World, line};

/// The value that the prepared store has erased, and still has in its files.
pub(super) const ERASED: &str = "erased@example.org";
/// The value that a command erases.
pub(super) const ERASES: &str = "erases@example.org";

/// A command, and what must be true of it.
pub(super) struct Case {
    /// Its words.
    pub(super) args: &'static [&'static str],
    /// What it is fed.
    pub(super) input: String,
    /// Commands that are run afterwards. What the last one answers tells whether this one has done its work.
    pub(super) look: &'static [&'static [&'static str]],
    /// It may come half way: otherwise all of its work is done or nothing.
    pub(super) in_parts: bool,
    /// Where it has not done its work, it does so when it is run again.
    pub(super) again: bool,
    /// What is in no file of the store once it has done its work, and a compaction after it has.
    pub(super) erases: Option<&'static str>,
}

impl Case {
    fn fed(mut self, input: String) -> Case {
        self.input = input;
        self
    }

    fn in_parts(self) -> Case {
        Case { in_parts: true, ..self }
    }

    fn again(self) -> Case {
        Case { again: true, ..self }
    }

    fn erases(self, value: &'static str) -> Case {
        Case { erases: Some(value), ..self }
    }
}

fn case(args: &'static [&'static str], look: &'static [&'static [&'static str]]) -> Case {
    Case { args, input: String::new(), look, in_parts: false, again: false, erases: None }
}

/// A job that leaves a line for each time that it was submitted.
const JOB: &[&str] = &[
    "job",
    "run",
    "j",
    "--submit",
    "echo x >>submitted && echo 1",
    "--find",
    "if test -s submitted; then echo 1; fi",
    "--poll",
    "echo finished ok",
    "--every",
    "1ms",
];
/// The file of those lines.
pub(super) const SUBMITTED: &str = "submitted";

/// All commands that write, and two that only read.
pub(super) fn cases() -> Vec<Case> {
    let mut cases = of_state();
    cases.extend(of_the_past());
    cases.extend(of_whole_stores());
    cases.extend([case(&["get", "a/b", "k1"], &[&["get", "a/b", "k1"]]), case(&["verify"], &[&["verify"]])]);
    cases
}

fn of_state() -> Vec<Case> {
    vec![
        case(&["set", "a/b", "k4", "4"], &[&["get", "a/b", "k4"]]),
        case(&["delete", "a/b", "extra"], &[&["scan", "a/b"]]),
        case(&["clear", "many"], &[&["scan", "many"]]),
        case(&["append"], &[&["scan", "a/b"]]).fed((4..7).map(|n| line(n) + "\n").collect()).in_parts(),
        case(
            &["each", "-j", "1", "--job", "job", "--retry-failed", "--", "true"],
            &[&["results", "--job", "job", "-o", "csv"]],
        )
        .fed("x\ny\nz\n".into())
        .in_parts()
        .again(),
        case(&["watermark", "advance", "asset", "id", "8"], &[&["watermark", "get", "asset", "id"]]),
        case(&["watermark", "reset", "asset", "id", "3", "--reason", "late"], &[&["watermark", "get", "asset", "id"]]),
        case(&["step", "s", "--", "echo", "done"], &[&["get", "task/script", ".step/s"]]).in_parts().again(),
        case(JOB, &[&["job", "get", "j", "-o", "csv"]]).in_parts().again(),
        case(&["job", "cancel", "going", "--with", "true"], &[&["job", "get", "going", "-o", "csv"]]).in_parts(),
        case(&["job", "reset", "going"], &[&["job", "get", "going"]]),
        case(&["end", "asset"], &[&["log", "asset", "-o", "jsonl"]]),
    ]
}

fn of_the_past() -> Vec<Case> {
    vec![
        case(&["checkpoint", "create", "a/b", "second"], &[&["checkpoint", "list"]]),
        case(&["checkpoint", "release", "a/b", "first"], &[&["checkpoint", "list"]]),
        case(&["restore", "a/b", "--at", "checkpoint:first"], &[&["scan", "a/b"]]),
        case(&["fork", "a/b", "forked", "--at", "checkpoint:first"], &[&["scan", "forked"]]),
        case(&["retain", "set", "many", "--last", "2"], &[&["retain", "list"]]),
        case(&["retain", "unset", "few"], &[&["retain", "list"]]),
        case(&["retain", "hold", "a", "case 18"], &[&["retain", "list"]]),
        case(&["retain", "release", "a/b", "case 17"], &[&["retain", "list"]]),
        case(&["erase", "user", "erases"], &[&["log", "user", "-o", "jsonl"]]).erases(ERASES),
        case(&["compact"], &[&["export"]]).in_parts().again().erases(ERASED),
        case(&["compact", "--cold"], &[&["export"]]).in_parts().again().erases(ERASED),
        case(&["index", "rebuild"], &[&["export"]]).in_parts().again(),
    ]
}

/// Those that make or keep copies. Each copy is looked at with the binary, too.
fn of_whole_stores() -> Vec<Case> {
    let backed_up: &[&[&str]] = &[
        &["backup", "verify", "backups.milepost"],
        &["backup", "restore", "backups.milepost", "looked"],
        &["export", "--store", "looked"],
    ];
    let made: &[&[&str]] = &[&["export", "--store", "made.milepost"]];
    vec![
        case(&["backup", "create", "backups.milepost"], backed_up).again(),
        case(&["backup", "prune", "backups.milepost", "--keep", "1"], backed_up).in_parts().again(),
        case(&["backup", "restore", "backups.milepost", "made.milepost"], made).again(),
        case(&["import", "commits.jsonl", "--store", "made.milepost"], made).again(),
        case(&["salvage", "made.milepost"], made).again(),
        case(&["salvage", "made.milepost", "--store", "hurt.milepost"], made).again(),
    ]
}

/// The store that they run in, with what they need beside it.
pub(super) fn prepared() -> World {
    let world = World::with_commits(3);
    world.ok(["checkpoint", "create", "a/b", "first"]);
    world.ok(["set", "a/b", "extra", "1"]);
    for n in ["1", "2", "3"] {
        world.ok(["set", "many", "k", n]);
    }
    world.ok(["retain", "set", "few", "--last", "1"]);
    world.ok(["set", "few", "k", "1"]);
    world.ok(["set", "few", "k", "2"]);
    world.ok(["retain", "hold", "a/b", "case 17"]);
    world.ok(["watermark", "advance", "asset", "id", "7"]);
    // Submitted, and then there is no answer.
    let going = ["job", "run", "going", "--submit", "echo 1", "--find", "true", "--poll", "false"];
    assert_eq!(world.run(going).code, Some(10));
    world.ok(["backup", "create", "backups.milepost"]);
    world.ok(["set", "user", "erases", ERASES]);
    world.ok(["set", "user", "erased", ERASED]);
    world.ok(["erase", "user", "erased"]);
    world.ok(["backup", "create", "backups.milepost"]);
    world.ok(["set", "a/b", "extra", "2"]);
    std::fs::write(world.dir().join("commits.jsonl"), world.ok(["export"])).unwrap();
    hurt(&world);
    world
}

/// A copy of the store in which a value is not what it was.
fn hurt(world: &World) {
    world.copied(".milepost", world.dir().join("hurt.milepost"));
    let log = world.dir().join("hurt.milepost/log");
    for entry in std::fs::read_dir(log).unwrap() {
        let path = entry.unwrap().path();
        let mut bytes = std::fs::read(&path).unwrap();
        if let Some(at) = bytes.windows(ERASES.len()).position(|window| window == ERASES.as_bytes()) {
            bytes[at] ^= 1;
            std::fs::write(path, bytes).unwrap();
        }
    }
}
