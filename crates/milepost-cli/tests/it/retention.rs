//! Policies, holds and erasures, as transcripts. `! ` marks standard error.

use expect_test::expect;

use super::world::World;

#[test]
fn retention_is_said_listed_explained_and_taken_back() {
    let world = World::new();
    let transcript = world.transcript(&[
        "retain list",
        "set task/etl k 1 --writer w",
        "set task/etl k 2 --writer w",
        "retain list",
        "retain set task --keep 30d --last 1 --writer w",
        "retain set / --last 3 --writer w",
        "retain set audit --everything --writer w",
        "retain set task",
        "retain set task --keep soon",
        "retain set task --last 1 --everything",
        "retain hold task 'case 17' --note why --writer w",
        "retain list",
        "retain list -o jsonl",
        "retain list -o csv",
        "retain explain task/etl",
        "retain release task 'case 17' --writer w",
        "retain release task 'case 17' --writer w",
        "retain unset task --writer w",
        "retain unset task --writer w",
        "retain explain task/etl -o jsonl",
        "erase task/etl k --writer w",
        "erase task --with-below --writer w",
        "erase task k --with-below",
        "get task/etl k --at 1",
        "log --writer w",
        "log --kind erase -o jsonl",
        "replay --from 3 -o csv",
    ]);
    expect![[r#"
        $ milepost retain list
        ! milepost: there is no store: no .milepost in <dir> or a directory above it; name one with --store DIR or MILEPOST_STORE, or make one by a first `milepost set SCOPE KEY VALUE`
        exit 2
        $ milepost set task/etl k 1 --writer w
        1
        ! milepost: made a new store at <dir>/.milepost
        $ milepost set task/etl k 2 --writer w
        2
        $ milepost retain list
        $ milepost retain set task --keep 30d --last 1 --writer w
        3
        $ milepost retain set / --last 3 --writer w
        4
        $ milepost retain set audit --everything --writer w
        5
        $ milepost retain set task
        ! milepost: retain set: say what is kept: --keep TIME, --last N, --expire-ended TIME, --everything, --cold TIME or --idempotency TIME
        exit 2
        $ milepost retain set task --keep soon
        ! milepost: --keep: "soon" is no duration; write, for instance, 90s, 15m or "2h 30m"
        exit 2
        $ milepost retain set task --last 1 --everything
        ! error: the argument '--last <N>' cannot be used with '--everything'
        ! 
        ! Usage: milepost retain set --last <N> <PREFIX>
        ! 
        ! For more information, try '--help'.
        exit 2
        $ milepost retain hold task 'case 17' --note why --writer w
        6
        $ milepost retain list
        SEQ  TIME                              WRITER  PREFIX  WHAT    NAME     SAYS
        4    9999-99-99 99:99:99.999999+00:00  w       /       policy           keep the last 3
        5    9999-99-99 99:99:99.999999+00:00  w       audit   policy           keep everything
        3    9999-99-99 99:99:99.999999+00:00  w       task    policy           keep 30d and the last 1
        6    9999-99-99 99:99:99.999999+00:00  w       task    hold    case 17  why
        $ milepost retain list -o jsonl
        {"prefix":"","keep_last":3,"seq":4,"at":"9999-99-99T99:99:99.999999Z","writer":"w"}
        {"prefix":"audit","seq":5,"at":"9999-99-99T99:99:99.999999Z","writer":"w"}
        {"prefix":"task","keep_for_us":2592000000000,"keep_last":1,"seq":3,"at":"9999-99-99T99:99:99.999999Z","writer":"w"}
        {"prefix":"task","name":"case 17","note":"why","seq":6,"at":"9999-99-99T99:99:99.999999Z","writer":"w"}
        $ milepost retain list -o csv
        seq,at,writer,attempt,prefix,what,name,says
        4,9999-99-99T99:99:99.999999Z,w,,/,policy,,keep the last 3
        5,9999-99-99T99:99:99.999999Z,w,,audit,policy,,keep everything
        3,9999-99-99T99:99:99.999999Z,w,,task,policy,,keep 30d and the last 1
        6,9999-99-99T99:99:99.999999Z,w,,task,hold,case 17,why
        $ milepost retain explain task/etl
        NAME                     VALUE
        policy                   keep 30d and the last 1 (said of task)
        hold                     case 17 (on task): why
        can be read from         the first commit
        after a compaction from  the first commit
        older points that stay   0
        scopes                   1
        versions                 2
        go with a compaction     0
        the next one goes at     no time decides it
        $ milepost retain release task 'case 17' --writer w
        7
        $ milepost retain release task 'case 17' --writer w
        ! milepost: task has no hold case 17, and there is no other: nothing was released
        exit 1
        $ milepost retain unset task --writer w
        8
        $ milepost retain unset task --writer w
        8
        ! milepost: task has no policy of its own: nothing was appended
        $ milepost retain explain task/etl -o jsonl
        {"prefix":"task/etl","policy_prefix":"","policy":"keep the last 3","policy_seq":4,"horizon":0,"next_horizon":8,"points":0,"scopes":1,"versions":2,"goes_now":0}
        $ milepost erase task/etl k --writer w
        9
        ! milepost: 2 values are erased from every moment of task/etl, with 2 bytes; `milepost compact` takes them out of the files now
        $ milepost erase task --with-below --writer w
        10
        ! milepost: 0 values are erased from every moment of task, with 0 bytes; `milepost compact` takes them out of the files now
        $ milepost erase task k --with-below
        ! error: the argument '[KEY]' cannot be used with '--with-below'
        ! 
        ! Usage: milepost erase <SCOPE> <KEY>
        ! 
        ! For more information, try '--help'.
        exit 2
        $ milepost get task/etl k --at 1
        ! milepost: key k of scope task/etl has no value as of seq 1
        exit 1
        $ milepost log --writer w
        SEQ  TIME                              WRITER  SCOPE     KEY      CHANGE
        10   9999-99-99 99:99:99.999999+00:00  w       task               erased and all below, 0 bytes of values
        9    9999-99-99 99:99:99.999999+00:00  w       task/etl  k        erased, 2 bytes of values
        8    9999-99-99 99:99:99.999999+00:00  w       task               unretain
        7    9999-99-99 99:99:99.999999+00:00  w       task      case 17  unhold
        6    9999-99-99 99:99:99.999999+00:00  w       task      case 17  hold: why
        5    9999-99-99 99:99:99.999999+00:00  w       audit              retain: keep everything
        4    9999-99-99 99:99:99.999999+00:00  w                          retain: keep the last 3
        3    9999-99-99 99:99:99.999999+00:00  w       task               retain: keep 30d and the last 1
        $ milepost log --kind erase -o jsonl
        {"seq":10,"at":"9999-99-99T99:99:99.999999Z","writer":"w","change":"erase","prefix":"task","bytes":0}
        {"seq":9,"at":"9999-99-99T99:99:99.999999Z","writer":"w","change":"erase","scope":"task/etl","key":"k","bytes":2}
        $ milepost replay --from 3 -o csv
        seq,at,writer,attempt,event,scope,key,value,value_base64
        3,9999-99-99T99:99:99.999999Z,w,,retain,task,,keep 30d and the last 1,
        4,9999-99-99T99:99:99.999999Z,w,,retain,,,keep the last 3,
        5,9999-99-99T99:99:99.999999Z,w,,retain,audit,,keep everything,
        6,9999-99-99T99:99:99.999999Z,w,,hold,task,case 17,why,
        7,9999-99-99T99:99:99.999999Z,w,,unhold,task,case 17,,
        8,9999-99-99T99:99:99.999999Z,w,,unretain,task,,,
        9,9999-99-99T99:99:99.999999Z,w,,erase,task/etl,k,,
        10,9999-99-99T99:99:99.999999Z,w,,erase_prefix,task,,,
    "#]].assert_eq(&transcript);
}

#[test]
fn a_task_that_has_ended_goes_with_all_that_is_below_it() {
    let world = World::new();
    let shown = world.transcript(&[
        "retain set task --expire-ended 0s --writer w",
        "set task/etl cursor 42 --writer w",
        "set task/etl/part n 7 --writer w",
        "set task/other cursor 1 --writer w",
        "end task/etl --writer w --attempt 1",
        "retain list -o jsonl",
        "retain explain task/etl",
        "compact -o jsonl",
        "scan",
        "log task/etl -o jsonl",
        "end task/etl --writer w --attempt 0",
        "retain set task --everything --expire-ended 1d",
    ]);
    expect![[r#"
        $ milepost retain set task --expire-ended 0s --writer w
        1
        ! milepost: made a new store at <dir>/.milepost
        $ milepost set task/etl cursor 42 --writer w
        2
        $ milepost set task/etl/part n 7 --writer w
        3
        $ milepost set task/other cursor 1 --writer w
        4
        $ milepost end task/etl --writer w --attempt 1
        6
        $ milepost retain list -o jsonl
        {"prefix":"task","expire_ended_us":0,"seq":1,"at":"9999-99-99T99:99:99.999999Z","writer":"w"}
        $ milepost retain explain task/etl
        NAME                              VALUE
        policy                            keep everything, expire 0s after the end (said of task)
        can be read from                  the first commit
        after a compaction from           the first commit
        older points that stay            0
        tasks that have ended             1
        of them kept by a hold or a fork  0
        the next of them expires at       9999-99-99 99:99:99.999999+00:00
        scopes                            2
        versions                          3
        go with a compaction              3
        the next one goes at              no time decides it
        $ milepost compact -o jsonl
        {"dropped":0,"rewritten":1,"made_cold":0,"bytes_before":736,"bytes_after":512,"runs":0,"not_covered":[]}
        $ milepost scan
        KEYS  SEQ  SCOPE
        1     4    task/other
        $ milepost log task/etl -o jsonl
        {"seq":7,"at":"9999-99-99T99:99:99.999999Z","writer":"retention","change":"erase","scope":"task/etl/part","bytes":0}
        {"seq":7,"at":"9999-99-99T99:99:99.999999Z","writer":"retention","change":"erase","scope":"task/etl","bytes":0}
        $ milepost end task/etl --writer w --attempt 0
        ! milepost: attempt 0 of writer w for scope task/etl is not the highest: attempt 1 of writer w was seen; a newer attempt has taken over
        exit 1
        $ milepost retain set task --everything --expire-ended 1d
        ! error: the argument '--everything' cannot be used with '--expire-ended <TIME>'
        ! 
        ! Usage: milepost retain set --everything <PREFIX>
        ! 
        ! For more information, try '--help'.
        exit 2
    "#]].assert_eq(&shown);
}

/// What a longer policy kept below a task went with the task, and `explain` said that nothing would go.
#[test]
fn what_a_longer_policy_keeps_stays_when_the_task_goes() {
    let world = World::new();
    let shown = world.transcript(&[
        "retain set task --keep 0s --expire-ended 0s --writer w",
        "retain set task/1/audit --everything --writer w",
        "set task/1 k x --writer w",
        "set task/1/part k x --writer w",
        "set task/1/audit k KEEPME --writer w",
        "end task/1 --writer w",
        "retain explain task/1/audit",
        "retain explain task/1/part",
        "retain explain task/1/part -o jsonl",
        "compact -o csv",
        "scan",
        "get task/1/audit k",
        "log --kind erase -o jsonl",
    ]);
    expect![[r#"
        $ milepost retain set task --keep 0s --expire-ended 0s --writer w
        1
        ! milepost: made a new store at <dir>/.milepost
        $ milepost retain set task/1/audit --everything --writer w
        2
        $ milepost set task/1 k x --writer w
        3
        $ milepost set task/1/part k x --writer w
        4
        $ milepost set task/1/audit k KEEPME --writer w
        5
        $ milepost end task/1 --writer w
        6
        $ milepost retain explain task/1/audit
        NAME                       VALUE
        policy                     keep everything (said of task/1/audit)
        can be read from           the first commit
        after a compaction from    the first commit
        older points that stay     0
        a task above it has ended  task/1
        it expires for that at     never: its own policy, a hold or a fork keeps it
        scopes                     1
        versions                   1
        go with a compaction       0
        the next one goes at       no time decides it
        $ milepost retain explain task/1/part
        NAME                       VALUE
        policy                     keep 0s, expire 0s after the end (said of task)
        can be read from           the first commit
        after a compaction from    commit 6 (9999-99-99 99:99:99.999999+00:00)
        older points that stay     0
        a task above it has ended  task/1
        it expires for that at     9999-99-99 99:99:99.999999+00:00
        scopes                     1
        versions                   1
        go with a compaction       1
        the next one goes at       no time decides it
        $ milepost retain explain task/1/part -o jsonl
        {"prefix":"task/1/part","policy_prefix":"task","policy":"keep 0s, expire 0s after the end","policy_seq":1,"horizon":0,"next_horizon":6,"points":0,"scopes":1,"versions":1,"goes_now":1,"ended_above":"task/1","expires_at":"9999-99-99T99:99:99.999999Z"}
        $ milepost compact -o csv
        dropped,rewritten,made_cold,bytes_before,bytes_after,runs
        0,1,0,720,520,0
        $ milepost scan
        KEYS  SEQ  SCOPE
        1     5    task/1/audit
        $ milepost get task/1/audit k
        KEEPME⏎
        $ milepost log --kind erase -o jsonl
        {"seq":7,"at":"9999-99-99T99:99:99.999999Z","writer":"retention","change":"erase","scope":"task/1/part","bytes":0}
        {"seq":7,"at":"9999-99-99T99:99:99.999999Z","writer":"retention","change":"erase","scope":"task/1","bytes":0}
    "#]].assert_eq(&shown);
}

/// An erasure promised that a compaction takes its bytes; then came a hold, nothing went, and nobody said why.
#[test]
fn what_was_erased_before_a_hold_is_counted() {
    let world = World::new();
    let shown = world.transcript(&[
        "set user/1 k CANARY --writer w",
        "set user/1 k CANARY-2 --writer w",
        "set user/2 k CANARY --writer w",
        "erase user/1 k --writer w",
        "retain hold user/1 h1 --writer w",
        "retain hold user h0 --writer w",
        "retain hold user/1 h2 --writer w",
        "compact -o csv",
        "retain explain user/1",
        "retain explain user -o jsonl",
        "retain explain user/2 -o jsonl",
        "get user/1 k",
        "retain release user/1 h1 --writer w",
        "retain release user/1 h2 --writer w",
        "retain release user h0 --writer w",
        "compact -o csv",
        "retain explain user/1 -o jsonl",
    ]);
    expect![[r#"
        $ milepost set user/1 k CANARY --writer w
        1
        ! milepost: made a new store at <dir>/.milepost
        $ milepost set user/1 k CANARY-2 --writer w
        2
        $ milepost set user/2 k CANARY --writer w
        3
        $ milepost erase user/1 k --writer w
        4
        ! milepost: 2 values are erased from every moment of user/1, with 14 bytes; `milepost compact` takes them out of the files now
        $ milepost retain hold user/1 h1 --writer w
        5
        $ milepost retain hold user h0 --writer w
        6
        $ milepost retain hold user/1 h2 --writer w
        7
        $ milepost compact -o csv
        dropped,rewritten,made_cold,bytes_before,bytes_after,runs
        0,0,0,0,0,0
        ! milepost: 2 erased values are still in the files: the hold "h0" on user keeps them until its release
        $ milepost retain explain user/1
        NAME                                VALUE
        policy                              none speaks of it: everything is kept
        hold                                h0 (on user)
        can be read from                    the first commit
        after a compaction from             the first commit
        older points that stay              0
        erased values that wait for a hold  2
        scopes                              1
        versions                            3
        go with a compaction                0
        the next one goes at                no time decides it
        $ milepost retain explain user -o jsonl
        {"prefix":"user","hold_prefix":"user","hold":"h0","hold_seq":6,"holds_below":[{"hold":"h1","prefix":"user/1","seq":5},{"hold":"h2","prefix":"user/1","seq":7}],"horizon":0,"next_horizon":0,"points":0,"scopes":2,"versions":4,"goes_now":0,"erased_held":2}
        $ milepost retain explain user/2 -o jsonl
        {"prefix":"user/2","hold_prefix":"user","hold":"h0","hold_seq":6,"horizon":0,"next_horizon":0,"points":0,"scopes":1,"versions":1,"goes_now":0}
        $ milepost get user/1 k
        ! milepost: key k of scope user/1 has no value
        exit 1
        $ milepost retain release user/1 h1 --writer w
        8
        $ milepost retain release user/1 h2 --writer w
        9
        $ milepost retain release user h0 --writer w
        10
        $ milepost compact -o csv
        dropped,rewritten,made_cold,bytes_before,bytes_after,runs
        0,1,0,896,776,0
        $ milepost retain explain user/1 -o jsonl
        {"prefix":"user/1","horizon":0,"next_horizon":0,"points":0,"scopes":1,"versions":1,"goes_now":0}
    "#]].assert_eq(&shown);
    assert_eq!(world.files_with("CANARY-2"), Vec::<String>::new());
}

/// A legal hold stayed where somebody had misspelt its name, and the command had said that all was well.
#[test]
fn a_release_of_no_hold_is_an_error_that_names_those_there_are() {
    let world = World::new();
    let shown = world.transcript(&[
        "set task/1 k x --writer w",
        "retain release task case17",
        "retain hold task 'case 17' --writer w",
        "retain release task case17",
        "retain release task/1 'case 17'",
        "retain release task case17 -o jsonl",
        "log -o jsonl",
        "retain release task 'case 17' --writer w",
    ]);
    expect![[r#"
        $ milepost set task/1 k x --writer w
        1
        ! milepost: made a new store at <dir>/.milepost
        $ milepost retain release task case17
        ! milepost: task has no hold case17, and there is no other: nothing was released
        exit 1
        $ milepost retain hold task 'case 17' --writer w
        2
        $ milepost retain release task case17
        ! milepost: task has no hold case17: nothing was released; the holds there are: "case 17" on task
        exit 1
        $ milepost retain release task/1 'case 17'
        ! milepost: task/1 has no hold case 17: nothing was released; the holds there are: "case 17" on task
        exit 1
        $ milepost retain release task case17 -o jsonl
        ! milepost: task has no hold case17: nothing was released; the holds there are: "case 17" on task
        exit 1
        $ milepost log -o jsonl
        {"seq":2,"at":"9999-99-99T99:99:99.999999Z","writer":"w","change":"hold","prefix":"task","name":"case 17"}
        {"seq":1,"at":"9999-99-99T99:99:99.999999Z","writer":"w","change":"set","scope":"task/1","key":"k","new":"x"}
        $ milepost retain release task 'case 17' --writer w
        3
    "#]]
    .assert_eq(&shown);
    for n in 0..12 {
        world.ok(["retain", "hold", "task", &format!("case {n}")]);
    }
    let refused = world.run(["retain", "release", "task", "case17"]);
    assert!(refused.code == Some(1) && refused.stderr.contains("2 more (`milepost retain list`)"), "{refused:?}");
}

/// What goes back to a moment before an erasure says what it lacks, in every form.
#[test]
fn what_was_erased_since_is_said_by_restore_fork_and_diff() {
    let world = World::new();
    let transcript = world.transcript(&[
        "set user/17 mail ann@example.org --writer w",
        "set user/17 name ann --writer w",
        "set user/17 theme dark --writer w",
        "erase user/17 mail --writer w",
        "set user/17 name bob --writer w",
        "restore user/17 --at 3 --dry-run",
        "restore user/17 --at 3 --dry-run -o jsonl",
        "restore user/17 --at 3 --dry-run -o csv",
        "diff user/17 --from 3",
        "diff user/17 --from 4 -o jsonl",
        "fork user/17 copy/17 --at 3 --writer w -o jsonl",
        "restore user/17 --at 3 --writer w -o jsonl",
        "restore user/17 --at 3 --writer w",
        "erase user/17 --writer w",
        "diff user/17 copy/17 --from 3 --to 6 -o jsonl",
        "compact",
        "restore user/17 --at 3 --dry-run",
        "restore user/17 --at 3 --writer w",
    ]);
    expect![[r#"
        $ milepost set user/17 mail ann@example.org --writer w
        1
        ! milepost: made a new store at <dir>/.milepost
        $ milepost set user/17 name ann --writer w
        2
        $ milepost set user/17 theme dark --writer w
        3
        $ milepost erase user/17 mail --writer w
        4
        ! milepost: 1 value is erased from every moment of user/17, with 15 bytes; `milepost compact` takes them out of the files now
        $ milepost set user/17 name bob --writer w
        5
        $ milepost restore user/17 --at 3 --dry-run
        DIFFERENCE  KEY   CHANGE
        changed     name  bob → ann
        erased      mail  → (erased by 4)
        ! milepost: what was erased of scope user/17 since that moment stays gone: 1 key had a value then
        $ milepost restore user/17 --at 3 --dry-run -o jsonl
        {"difference":"changed","key":"name","old":"bob","new":"ann"}
        {"difference":"erased","key":"mail","new_erased_by":4}
        ! milepost: what was erased of scope user/17 since that moment stays gone: 1 key had a value then
        $ milepost restore user/17 --at 3 --dry-run -o csv
        difference,key,old,old_base64,new,new_base64,old_erased_by,new_erased_by,is_sure
        changed,name,bob,,ann,,,,
        erased,mail,,,,,,4,
        ! milepost: what was erased of scope user/17 since that moment stays gone: 1 key had a value then
        $ milepost diff user/17 --from 3
        DIFFERENCE  KEY   CHANGE
        changed     name  ann → bob
        erased      mail  (erased by 4) →
        $ milepost diff user/17 --from 4 -o jsonl
        {"difference":"changed","key":"name","old":"ann","new":"bob"}
        $ milepost fork user/17 copy/17 --at 3 --writer w -o jsonl
        {"seq":6,"at":"9999-99-99T99:99:99.999999Z","erased_keys":1}
        ! milepost: what was erased of scope user/17 since that moment stays gone: 1 key had a value then (`restore --dry-run` of the origin names them)
        $ milepost restore user/17 --at 3 --writer w -o jsonl
        {"seq":7,"at":"9999-99-99T99:99:99.999999Z","erased_keys":1}
        ! milepost: what was erased of scope user/17 since that moment stays gone: 1 key had a value then (--dry-run names them)
        $ milepost restore user/17 --at 3 --writer w
        7
        ! milepost: scope user/17 is as it was then, but for what was erased since: nothing was appended
        ! milepost: what was erased of scope user/17 since that moment stays gone: 1 key had a value then (--dry-run names them)
        $ milepost erase user/17 --writer w
        8
        ! milepost: 4 values are erased from every moment of user/17, with 13 bytes; `milepost compact` takes them out of the files now
        $ milepost diff user/17 copy/17 --from 3 --to 6 -o jsonl
        {"difference":"erased","key":"mail","old_erased_by":8}
        {"difference":"erased","key":"name","old_erased_by":8}
        {"difference":"erased","key":"theme","old_erased_by":8}
        {"difference":"erased_scope","old_erased_by":8}
        {"difference":"erased","key":"name","new_erased_by":8}
        {"difference":"erased","key":"theme","new_erased_by":8}
        {"difference":"erased_scope","new_erased_by":8}
        $ milepost compact
        DROPPED  REWRITTEN  MADE COLD  BYTES BEFORE  BYTES AFTER  INDEX RUNS
        0        1          0          808           440          0
        $ milepost restore user/17 --at 3 --dry-run
        DIFFERENCE    KEY   CHANGE
        erased        mail  → (erased by 8, if it had a value then)
        erased_scope        → (all of it was erased by 8, names that compaction took not listed)
        ! milepost: what was erased of scope user/17 since that moment stays gone: 1 key may have had a value then; commit 8 erased all of it, and names that compaction took are not counted
        $ milepost restore user/17 --at 3 --writer w
        8
        ! milepost: scope user/17 is as it was then, but for what was erased since: nothing was appended
        ! milepost: what was erased of scope user/17 since that moment stays gone: 1 key may have had a value then; commit 8 erased all of it, and names that compaction took are not counted (--dry-run names them)
    "#]].assert_eq(&transcript);
}

/// A variable of a script that was not set became the root: all of the store was erased, and nobody was asked.
#[test]
fn nothing_is_not_the_whole_store() {
    let world = World::new();
    world.ok(["set", "a/b", "k", "v"]);
    for args in [
        &["erase", "", "--with-below"][..],
        &["retain", "set", "", "--last", "0"],
        &["retain", "unset", ""],
        &["retain", "hold", "", "name"],
        &["retain", "release", "", "name"],
    ] {
        let ran = world.run(args);
        assert_eq!(ran.code, Some(2), "{args:?}: {ran:?}");
        assert!(ran.stderr.contains("it is empty; / is every scope"), "{args:?}: {ran:?}");
    }
    assert_eq!(world.ok(["get", "a/b", "k"]), "v");
    world.ok(["erase", "/", "--with-below"]);
    assert_eq!(world.run(["get", "a/b", "k"]).code, Some(1));
}

/// A mistyped name of a store made a new one, in which there was nothing to erase: exit 0, and the value was there.
#[test]
fn what_needs_a_store_makes_none() {
    let world = World::new();
    for args in [
        &["erase", "a", "k"][..],
        &["compact"],
        &["restore", "a", "--at", "1"],
        &["fork", "a", "b"],
        &["clear", "a"],
        &["delete", "a", "k"],
        &["retain", "unset", "a"],
        &["retain", "release", "a", "name"],
        &["checkpoint", "release", "a", "name"],
    ] {
        let args = [args, &["--store", "mistyped"]].concat();
        let ran = world.run(&args);
        assert_eq!(ran.code, Some(2), "{args:?}: {ran:?}");
        assert!(!world.dir().join("mistyped").exists(), "{args:?}");
    }
}

/// A second hold of the same name took the first one's note away, and the release of one released both.
#[test]
fn a_hold_is_not_replaced() {
    let world = World::new();
    world.ok(["retain", "hold", "user", "case", "--note", "the court's"]);
    let again = world.run(["retain", "hold", "user", "case", "--note", "the court's"]);
    assert_eq!(again.code, Some(0), "{again:?}");
    assert!(again.stderr.contains("has this hold already: nothing was appended"), "{again:?}");
    let other = world.run(["retain", "hold", "user", "case"]);
    assert_eq!(other.code, Some(1), "{other:?}");
    let says = "the hold \"case\" on user stands since commit 1, with the note \"the court's\": choose another name";
    assert!(other.stderr.contains(says), "{other:?}");
    assert!(world.ok(["retain", "list"]).contains("the court's"));
}

/// What belongs to no scope was refused as a prefix of so many bytes, "allowed are 0 to 0".
#[test]
fn what_belongs_to_no_scope_is_said_of_all() {
    let world = World::new();
    for option in ["--cold", "--idempotency"] {
        let ran = world.run(["retain", "set", "task", option, "1d"]);
        assert_eq!(ran.code, Some(2), "{ran:?}");
        assert!(ran.stderr.contains("it is said of / alone, and not of task"), "{ran:?}");
        world.ok(["retain", "set", "/", option, "1d"]);
    }
}
