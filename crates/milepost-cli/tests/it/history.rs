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
    expect![[r#"
        $ milepost set a/b k 1 --writer w --attempt 3
        1
        ! milepost: made a new store at <dir>/.milepost
        $ milepost checkpoint list
        $ milepost checkpoint create a/b 'first one' --note 'why' --writer w --attempt 3
        2
        $ milepost checkpoint create a/b second --writer w
        3
        $ milepost checkpoint create c third --writer w -o jsonl
        {"seq":4,"at":"9999-99-99T99:99:99.999999Z"}
        $ milepost set a/b k 2 --writer w
        5
        $ milepost checkpoint list
        SEQ  TIME                              WRITER  SCOPE  NAME       NOTE
        2    9999-99-99 99:99:99.999999+00:00  w#3     a/b    first one  why\u{1b}
        3    9999-99-99 99:99:99.999999+00:00  w       a/b    second
        4    9999-99-99 99:99:99.999999+00:00  w       c      third
        $ milepost checkpoint list a -o jsonl
        {"scope":"a/b","name":"first one","note":"why\u001b","seq":2,"at":"9999-99-99T99:99:99.999999Z","writer":"w","attempt":3}
        {"scope":"a/b","name":"second","seq":3,"at":"9999-99-99T99:99:99.999999Z","writer":"w"}
        $ milepost checkpoint list a/b -o csv
        seq,at,writer,attempt,scope,name,note
        2,9999-99-99T99:99:99.999999Z,w,3,a/b,first one,why
        3,9999-99-99T99:99:99.999999Z,w,,a/b,second,
        $ milepost get a/b k --at 'checkpoint:first one'
        1⏎
        $ milepost get a/b k --at checkpoint:none
        ! milepost: scope a/b has no checkpoint none; its newest are: second, first one
        exit 1
        $ milepost scan --at checkpoint:second
        ! milepost: --at: a checkpoint is one of a scope; name the scope that the command is about, or a seq or a time
        exit 2
        $ milepost export a/b --at checkpoint:second
        {"scope":"a/b","key":"k","value":"1","seq":1,"at":"9999-99-99T99:99:99.999999Z"}
        $ milepost log --kind checkpoint
        SEQ  TIME                              WRITER  SCOPE  KEY        CHANGE
        4    9999-99-99 99:99:99.999999+00:00  w       c      third      checkpoint
        3    9999-99-99 99:99:99.999999+00:00  w       a/b    second     checkpoint
        2    9999-99-99 99:99:99.999999+00:00  w#3     a/b    first one  checkpoint: why\u{1b}
        $ milepost log a/b --since checkpoint:second -o csv
        seq,at,writer,attempt,change,scope,key,old,old_base64,old_removed,new,new_base64
        5,9999-99-99T99:99:99.999999Z,w,,set,a/b,k,1,,,2,
        3,9999-99-99T99:99:99.999999Z,w,,checkpoint,a/b,second,,,,,
        $ milepost log a/b --attempt 3 -o jsonl
        {"seq":2,"at":"9999-99-99T99:99:99.999999Z","writer":"w","attempt":3,"change":"checkpoint","scope":"a/b","name":"first one","note":"why\u001b"}
        {"seq":1,"at":"9999-99-99T99:99:99.999999Z","writer":"w","attempt":3,"change":"set","scope":"a/b","key":"k","new":"1"}
        $ milepost replay a --from checkpoint:second
        ! milepost: scope a has no checkpoint second; it has none; make one, or name a seq or a time
        exit 1
        $ milepost checkpoint release a/b 'first one' --writer w
        6
        $ milepost checkpoint release a/b 'first one' --writer w
        6
        ! milepost: scope a/b had no checkpoint first one: nothing was appended
        $ milepost log a/b --kind release -o jsonl
        {"seq":6,"at":"9999-99-99T99:99:99.999999Z","writer":"w","change":"release","scope":"a/b","name":"first one"}
        $ milepost checkpoint create '$/x' n --writer w
        ! milepost: SCOPE: scope "$/x" is below the reserved root $, which the store keeps for itself; choose another first segment
        exit 2
        $ milepost checkpoint create a/b '' --writer w
        ! milepost: NAME: checkpoint name has 0 bytes, allowed are 1 to 1024
        exit 2
        $ milepost checkpoint create a/b n --note '' --writer w
        ! milepost: --note: note has 0 bytes, allowed are 1 to 4096
        exit 2
    "#]].assert_eq(&transcript);
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
    expect![[r#"
        $ milepost set s k 1 --writer w
        1
        ! milepost: made a new store at <dir>/.milepost
        $ milepost set s l 1 --writer w
        2
        $ milepost checkpoint create s good --writer w
        3
        $ milepost set s k 2 --writer w
        4
        $ milepost delete s l --writer w
        5
        $ milepost set s m '=cmd()' --writer w
        6
        $ milepost diff s --from checkpoint:good
        DIFFERENCE  KEY  CHANGE
        changed     k    1 → 2
        removed     l    1 → ∅
        added       m    ∅ → =cmd()
        $ milepost diff s --from checkpoint:good --to 4 -o jsonl
        {"difference":"changed","key":"k","old":"1","new":"2"}
        $ milepost diff s --from 1 -o csv
        difference,key,old,old_base64,new,new_base64,old_erased_by,new_erased_by,is_sure
        changed,k,1,,2,,,,
        added,m,,,'=cmd(),,,,
        $ milepost diff s --from now
        $ milepost diff s
        ! error: the following required arguments were not provided:
        !   <OTHER>
        ! 
        ! Usage: milepost diff <SCOPE> <OTHER>
        ! 
        ! For more information, try '--help'.
        exit 2
        $ milepost restore s --at checkpoint:good --dry-run
        DIFFERENCE  KEY  CHANGE
        changed     k    2 → 1
        added       l    ∅ → 1
        removed     m    =cmd() → ∅
        $ milepost restore s --at checkpoint:good --dry-run -o jsonl
        {"difference":"changed","key":"k","old":"2","new":"1"}
        {"difference":"added","key":"l","new":"1"}
        {"difference":"removed","key":"m","old":"=cmd()"}
        $ milepost restore s --at checkpoint:good --writer w -o jsonl
        {"seq":7,"at":"9999-99-99T99:99:99.999999Z"}
        $ milepost restore s --at checkpoint:good --writer w
        7
        ! milepost: scope s is as it was then: nothing was appended
        $ milepost scan s -o csv
        scope,key,value,value_base64,content_type,expires_at,seq,at
        s,k,1,,,,7,9999-99-99T99:99:99.999999Z
        s,l,1,,,,7,9999-99-99T99:99:99.999999Z
        $ milepost restore s --at checkpoint:bad --writer w
        ! milepost: scope s has no checkpoint bad; its newest are: good
        exit 1
        $ milepost restore s --at 99 --writer w
        ! milepost: there is no commit 99 yet, the last one is 7
        exit 1
        $ milepost restore s --writer w
        ! error: the following required arguments were not provided:
        !   --at <MOMENT>
        ! 
        ! Usage: milepost restore --at <MOMENT> --writer <NAME> <SCOPE>
        ! 
        ! For more information, try '--help'.
        exit 2
        $ milepost replay --from 7
        SEQ  TIME                              WRITER  EVENT   SCOPE  KEY  VALUE
        7    9999-99-99 99:99:99.999999+00:00  w       set     s      k    1
        7    9999-99-99 99:99:99.999999+00:00  w       set     s      l    1
        7    9999-99-99 99:99:99.999999+00:00  w       delete  s      m
    "#]]
    .assert_eq(&transcript);
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
        "fork typo g --writer w",
        "clear f --writer w",
        "log f",
        "replay f",
        "export f",
    ]);
    expect![[r#"
        $ milepost set o k 1 --writer w
        1
        ! milepost: made a new store at <dir>/.milepost
        $ milepost set o l 1 --writer w
        2
        $ milepost fork o f --at 1 --writer w
        3
        $ milepost set o k 2 --writer w
        4
        $ milepost scan f
        KEY  SEQ  TIME                              VALUE
        k    1    9999-99-99 99:99:99.999999+00:00  1
        $ milepost scan
        KEYS  SEQ  SCOPE
        1     3    f
        2     4    o
        $ milepost get f k
        1⏎
        $ milepost log f
        SEQ  TIME                              WRITER  SCOPE  KEY  CHANGE
        3    9999-99-99 99:99:99.999999+00:00  w       f           fork of o at 1
        $ milepost log f -o jsonl
        {"seq":3,"at":"9999-99-99T99:99:99.999999Z","writer":"w","change":"fork","scope":"f","origin":"o","point":1}
        $ milepost log f -o csv
        seq,at,writer,attempt,change,scope,key,old,old_base64,old_removed,new,new_base64
        3,9999-99-99T99:99:99.999999Z,w,,fork,f,,,,,o@1,
        $ milepost diff o f
        DIFFERENCE  KEY  CHANGE
        changed     k    2 → 1
        removed     l    1 → ∅
        $ milepost fork o f --writer w
        ! milepost: scope f can't be forked again: it is a fork since commit 3; choose another name, or restore it
        exit 1
        $ milepost fork o o --writer w
        ! milepost: scope o can't be forked as itself; to go back to an earlier state, restore it
        exit 2
        $ milepost fork f o --writer w
        ! milepost: scope o can't be forked since it holds keys, its version is 4; clear it first, or choose another name
        exit 1
        $ milepost fork o g --at 99 --writer w
        ! milepost: there is no commit 99 yet, the last one is 4
        exit 1
        $ milepost fork o '$/g' --writer w
        ! milepost: SCOPE: scope "$/g" is below the reserved root $, which the store keeps for itself; choose another first segment
        exit 2
        $ milepost fork o g --at checkpoint:none --writer w
        ! milepost: scope o has no checkpoint none; it has none; make one, or name a seq or a time
        exit 1
        $ milepost fork typo g --writer w
        ! milepost: scope g can't be forked as scope typo was at 4: nothing was ever written to a scope of this name
        exit 2
        $ milepost clear f --writer w
        5
        $ milepost log f
        SEQ  TIME                              WRITER  SCOPE  KEY  CHANGE
        5    9999-99-99 99:99:99.999999+00:00  w       f      k    1 → ∅
        3    9999-99-99 99:99:99.999999+00:00  w       f           fork of o at 1
        $ milepost replay f
        SEQ  TIME                              WRITER  EVENT  SCOPE  KEY  VALUE
        3    9999-99-99 99:99:99.999999+00:00  w       fork   f           o@1
        5    9999-99-99 99:99:99.999999+00:00  w       clear  f
        $ milepost export f
        {"seq":3,"at":"9999-99-99T99:99:99.999999Z","writer":"w","events":[{"event":"fork","scope":"f","origin":"o","point":1}]}
        {"seq":5,"at":"9999-99-99T99:99:99.999999Z","writer":"w","events":[{"event":"clear","scope":"f"}]}
    "#]].assert_eq(&transcript);
}

/// `restore --at` a time before the first commit deleted every key, and a history of commits to come was empty.
#[test]
fn moments_at_which_nothing_was_or_is_yet() {
    let world = World::new();
    let transcript = world.transcript(&[
        "set a k 1 --writer w",
        "set a k 2 --writer w",
        "get a k --at 2020-01-01",
        "scan a --at 2020-01-01",
        "restore a --at 2020-01-01 --writer w",
        "fork a f --at 2020-01-01 --writer w",
        "diff a --from 2020-01-01",
        "restore a --at 0 --dry-run",
        "log a --since 2020-01-01 -o jsonl",
        "log a --since 3",
        "log a --until 9",
        "replay a --from 2020-01-01",
        "get a k",
    ]);
    expect![[r#"
        $ milepost set a k 1 --writer w
        1
        ! milepost: made a new store at <dir>/.milepost
        $ milepost set a k 2 --writer w
        2
        $ milepost get a k --at 2020-01-01
        ! milepost: there was nothing yet at 9999-99-99T99:99:99.999999Z, the first commit is 1 (9999-99-99T99:99:99.999999Z)
        exit 1
        $ milepost scan a --at 2020-01-01
        ! milepost: there was nothing yet at 9999-99-99T99:99:99.999999Z, the first commit is 1 (9999-99-99T99:99:99.999999Z)
        exit 1
        $ milepost restore a --at 2020-01-01 --writer w
        ! milepost: there was nothing yet at 9999-99-99T99:99:99.999999Z, the first commit is 1 (9999-99-99T99:99:99.999999Z)
        exit 1
        $ milepost fork a f --at 2020-01-01 --writer w
        ! milepost: there was nothing yet at 9999-99-99T99:99:99.999999Z, the first commit is 1 (9999-99-99T99:99:99.999999Z)
        exit 1
        $ milepost diff a --from 2020-01-01
        ! milepost: there was nothing yet at 9999-99-99T99:99:99.999999Z, the first commit is 1 (9999-99-99T99:99:99.999999Z)
        exit 1
        $ milepost restore a --at 0 --dry-run
        DIFFERENCE  KEY  CHANGE
        removed     k    2 → ∅
        $ milepost log a --since 2020-01-01 -o jsonl
        {"seq":2,"at":"9999-99-99T99:99:99.999999Z","writer":"w","change":"set","scope":"a","key":"k","old":"1","new":"2"}
        {"seq":1,"at":"9999-99-99T99:99:99.999999Z","writer":"w","change":"set","scope":"a","key":"k","new":"1"}
        $ milepost log a --since 3
        ! milepost: there is no commit 3 yet, the last one is 2
        exit 1
        $ milepost log a --until 9
        ! milepost: there is no commit 9 yet, the last one is 2
        exit 1
        $ milepost replay a --from 2020-01-01
        SEQ  TIME                              WRITER  EVENT  SCOPE  KEY  VALUE
        1    9999-99-99 99:99:99.999999+00:00  w       set    a      k    1
        2    9999-99-99 99:99:99.999999+00:00  w       set    a      k    2
        $ milepost get a k
        2⏎
    "#]].assert_eq(&transcript);
}

/// A restore of more than a commit holds was refused with the size alone, and its dry run said nothing of it.
#[test]
fn a_restore_of_too_much_names_the_way() {
    let world = World::new();
    let value = vec![b'v'; 14 << 20];
    for key in ["1", "2", "3", "4", "5"] {
        assert_eq!(world.feed(["set", "a", key, "-"], &value).code, Some(0));
    }
    world.ok(["checkpoint", "create", "a", "full"]);
    world.ok(["clear", "a"]);
    for args in
        [&["restore", "a", "--at", "checkpoint:full", "--dry-run"][..], &["restore", "a", "--at", "checkpoint:full"]]
    {
        let ran = world.run(args);
        assert_eq!(ran.code, Some(2), "{}", ran.stderr);
        assert!(ran.stderr.contains("`milepost fork a OTHER --at 'checkpoint:full'`"), "{}", ran.stderr);
    }
    // The way that it names.
    world.ok(["fork", "a", "was", "--at", "checkpoint:full"]);
    world.ok(["fork", "was", "a"]);
    assert_eq!(world.run(["get", "a", "3"]).stdout.len(), value.len());
}
