//! Checkpoints, differences, restores and forks, as transcripts. `! ` marks standard error.

use expect_test::expect;

use super::world::World;

#[test]
fn checkpoints_are_made_listed_and_released() {
    let world = World::new();
    let transcript = world.transcript(&[
        "set a/b k 1 --writer w --attempt 3",
        "checkpoint list",
        "checkpoint create a/b 'first one' --note 'why\u{1b}' --writer w --attempt 3",
        "checkpoint create a/b second --writer w",
        "checkpoint create c third --writer w -o jsonl",
        "set a/b k 2 --writer w",
        "checkpoint list",
        "checkpoint list a -o jsonl",
        "checkpoint list a/b -o csv",
        "get a/b k --at 'checkpoint:first one'",
        "get a/b k --at checkpoint:none",
        "scan --at checkpoint:second",
        "export a/b --at checkpoint:second",
        "log --kind checkpoint",
        "log a/b --since checkpoint:second -o csv",
        "log a/b --attempt 3 -o jsonl",
        "replay a --from checkpoint:second",
        "checkpoint release a/b 'first one' --writer w",
        "checkpoint release a/b 'first one' --writer w",
        "log a/b --kind release -o jsonl",
        "checkpoint create '$/x' n --writer w",
        "checkpoint create a/b '' --writer w",
        "checkpoint create a/b n --note '' --writer w",
    ]);
    expect![[r#""#]].assert_eq(&transcript);
}

#[test]
fn differences_and_restores() {
    let world = World::new();
    let transcript = world.transcript(&[
        "set s k 1 --writer w",
        "set s l 1 --writer w",
        "checkpoint create s good --writer w",
        "set s k 2 --writer w",
        "delete s l --writer w",
        "set s m '=cmd()' --writer w",
        "diff s --from checkpoint:good",
        "diff s --from checkpoint:good --to 4 -o jsonl",
        "diff s --from 1 -o csv",
        "diff s --from now",
        "diff s",
        "restore s --at checkpoint:good --dry-run",
        "restore s --at checkpoint:good --dry-run -o jsonl",
        "restore s --at checkpoint:good --writer w -o jsonl",
        "restore s --at checkpoint:good --writer w",
        "scan s -o csv",
        "restore s --at checkpoint:bad --writer w",
        "restore s --at 99 --writer w",
        "restore s --writer w",
        "replay --from 7",
    ]);
    expect![[r#""#]].assert_eq(&transcript);
}

#[test]
fn forks_and_why_not() {
    let world = World::new();
    let transcript = world.transcript(&[
        "set o k 1 --writer w",
        "set o l 1 --writer w",
        "fork o f --at 1 --writer w",
        "set o k 2 --writer w",
        "scan f",
        "scan",
        "get f k",
        "log f",
        "log f -o jsonl",
        "log f -o csv",
        "diff o f",
        "fork o f --writer w",
        "fork o o --writer w",
        "fork f o --writer w",
        "fork o g --at 99 --writer w",
        "fork o '$/g' --writer w",
        "fork o g --at checkpoint:none --writer w",
        "clear f --writer w",
        "log f",
        "replay f",
        "export f",
    ]);
    expect![[r#""#]].assert_eq(&transcript);
}
