//! What each command answers, as transcripts. `! ` marks standard error.

use std::{
    fs,
    io::Read,
    process::{Command, Stdio},
};

use expect_test::expect;
use milepost::Store;

use super::world::{World, clean, skipped};

#[test]
fn set_get_delete_clear_scan() {
    let world = World::new();
    let transcript = world.transcript(&[
        "set task/etl/load cursor 41 --writer w --attempt 1",
        "set task/etl/load cursor 42 --writer w --attempt 2",
        "set task/etl/load file part-0042 --writer w",
        "set task/etl other 1 --writer w",
        "get task/etl/load cursor",
        "get task/etl/load cursor --at 1",
        "get task/etl/load nothing",
        "get task/etl/load cursor --at 0",
        "get task/etl/load cursor --at 9",
        "get task/etl/load cursor -o jsonl",
        "get task/etl/load cursor -o csv",
        "scan",
        "scan task/etl/load",
        "scan task/etl/load cur",
        "scan task/etl/load -o jsonl",
        "scan nothing/here",
        "scan --at 1 -o csv",
        "scan task/etl --below",
        "scan task/etl cur --below -o jsonl",
        "scan --below --at 1 -o csv",
        "scan nothing --below",
        "delete task/etl/load file --writer w",
        "delete task/etl/load file --writer w",
        "clear task/etl/load --writer w",
        "clear --prefix task -o jsonl --writer w",
        "scan",
    ]);
    expect![[r#"
        $ milepost set task/etl/load cursor 41 --writer w --attempt 1
        1
        ! milepost: made a new store at <dir>/.milepost
        $ milepost set task/etl/load cursor 42 --writer w --attempt 2
        2
        $ milepost set task/etl/load file part-0042 --writer w
        3
        $ milepost set task/etl other 1 --writer w
        4
        $ milepost get task/etl/load cursor
        42⏎
        $ milepost get task/etl/load cursor --at 1
        41⏎
        $ milepost get task/etl/load nothing
        ! milepost: key nothing of scope task/etl/load has no value
        exit 1
        $ milepost get task/etl/load cursor --at 0
        ! milepost: key cursor of scope task/etl/load has no value at that moment, which is before the first commit
        exit 1
        $ milepost get task/etl/load cursor --at 9
        ! milepost: there is no commit 9 yet, the last one is 4
        exit 1
        $ milepost get task/etl/load cursor -o jsonl
        {"scope":"task/etl/load","key":"cursor","value":"42","seq":2,"at":"9999-99-99T99:99:99.999999Z"}
        $ milepost get task/etl/load cursor -o csv
        scope,key,value,value_base64,content_type,expires_at,seq,at
        task/etl/load,cursor,42,,,,2,9999-99-99T99:99:99.999999Z
        $ milepost scan
        KEYS  SEQ  SCOPE
        1     4    task/etl
        2     3    task/etl/load
        $ milepost scan task/etl/load
        KEY     SEQ  TIME                              VALUE
        cursor  2    9999-99-99 99:99:99.999999+00:00  42
        file    3    9999-99-99 99:99:99.999999+00:00  part-0042
        $ milepost scan task/etl/load cur
        KEY     SEQ  TIME                              VALUE
        cursor  2    9999-99-99 99:99:99.999999+00:00  42
        $ milepost scan task/etl/load -o jsonl
        {"scope":"task/etl/load","key":"cursor","value":"42","seq":2,"at":"9999-99-99T99:99:99.999999Z"}
        {"scope":"task/etl/load","key":"file","value":"part-0042","seq":3,"at":"9999-99-99T99:99:99.999999Z"}
        $ milepost scan nothing/here
        $ milepost scan --at 1 -o csv
        scope,keys,seq
        task/etl/load,1,1
        $ milepost scan task/etl --below
        SCOPE          KEY     SEQ  TIME                              VALUE
        task/etl       other   4    9999-99-99 99:99:99.999999+00:00  1
        task/etl/load  cursor  2    9999-99-99 99:99:99.999999+00:00  42
        task/etl/load  file    3    9999-99-99 99:99:99.999999+00:00  part-0042
        $ milepost scan task/etl cur --below -o jsonl
        {"scope":"task/etl/load","key":"cursor","value":"42","seq":2,"at":"9999-99-99T99:99:99.999999Z"}
        $ milepost scan --below --at 1 -o csv
        scope,key,value,value_base64,content_type,expires_at,seq,at
        task/etl/load,cursor,41,,,,1,9999-99-99T99:99:99.999999Z
        $ milepost scan nothing --below
        $ milepost delete task/etl/load file --writer w
        5
        $ milepost delete task/etl/load file --writer w
        5
        ! milepost: key file of scope task/etl/load had no value: nothing was appended
        $ milepost clear task/etl/load --writer w
        6
        $ milepost clear --prefix task -o jsonl --writer w
        {"seq":7,"at":"9999-99-99T99:99:99.999999Z"}
        $ milepost scan
    "#]]
    .assert_eq(&transcript);
}

#[test]
fn conditions_claims_and_expiry() {
    let world = World::new();
    let transcript = world.transcript(&[
        "set lock/nightly owner me --if-absent --writer w",
        "set lock/nightly owner you --if-absent --writer w",
        "set lock/nightly owner you --if-version 7 --writer w",
        "set lock/nightly owner you --if-version 1 --writer w",
        "delete lock/nightly owner --if-version 1 --writer w",
        "set lock/nightly owner me --fence 3 --writer w",
        "set lock/nightly owner zombie --fence 2 --writer w",
        "set lock/nightly n 1 --idempotency-key once --writer w",
        "set lock/nightly n 1 --idempotency-key once --writer w",
        "set lock/nightly n 2 --idempotency-key once --writer w",
        "set a short 1 --expires-in '1 hour' --content-type text/plain --writer w -o csv",
        "set a long 1 --expires-at '2099-01-01 00:00' --writer w",
        "get a long -o csv",
        "set a -- -5 -6",
        "get a -- -5",
        "set a negative -5",
        "get a negative",
    ]);
    expect![[r#"
        $ milepost set lock/nightly owner me --if-absent --writer w
        1
        ! milepost: made a new store at <dir>/.milepost
        $ milepost set lock/nightly owner you --if-absent --writer w
        ! milepost: key owner of scope lock/nightly was required to be absent; its version is 1
        exit 1
        $ milepost set lock/nightly owner you --if-version 7 --writer w
        ! milepost: key owner of scope lock/nightly was required to be at version 7; its version is 1
        exit 1
        $ milepost set lock/nightly owner you --if-version 1 --writer w
        2
        $ milepost delete lock/nightly owner --if-version 1 --writer w
        ! milepost: key owner of scope lock/nightly was required to be at version 1; its version is 2
        exit 1
        $ milepost set lock/nightly owner me --fence 3 --writer w
        3
        $ milepost set lock/nightly owner zombie --fence 2 --writer w
        ! milepost: fencing token 2 of writer w for scope lock/nightly is not the highest: 3 of writer w was seen; a newer attempt has taken over
        exit 1
        $ milepost set lock/nightly n 1 --idempotency-key once --writer w
        4
        $ milepost set lock/nightly n 1 --idempotency-key once --writer w
        4
        $ milepost set lock/nightly n 2 --idempotency-key once --writer w
        ! milepost: idempotency key once was used by commit 4 for other content; use a new key for a new request
        exit 1
        $ milepost set a short 1 --expires-in '1 hour' --content-type text/plain --writer w -o csv
        seq,at
        5,9999-99-99T99:99:99.999999Z
        $ milepost set a long 1 --expires-at '2099-01-01 00:00' --writer w
        6
        $ milepost get a long -o csv
        scope,key,value,value_base64,content_type,expires_at,seq,at
        a,long,1,,,9999-99-99T99:99:99.999999Z,6,9999-99-99T99:99:99.999999Z
        $ milepost set a -- -5 -6
        7
        $ milepost get a -- -5
        -6⏎
        $ milepost set a negative -5
        8
        $ milepost get a negative
        -5⏎
    "#]].assert_eq(&transcript);
}

#[test]
fn log_replay_export() {
    let world = World::new();
    let transcript = world.transcript(&[
        "set task/etl/load cursor 41 --writer one --attempt 1",
        "set task/etl/load cursor 42 --writer two",
        "set asset/orders rows 7 --writer one --attempt 2",
        "clear --prefix task --writer two",
        "log",
        "log task -n 1",
        "log --key cursor --writer one",
        "log --since 2 --until 3",
        "log asset -o csv",
        "log task -o jsonl",
        "replay --from 3",
        "replay asset -o jsonl",
        "replay -o csv --from 4",
        "export --at 3",
        "export --at 3 asset",
        "export asset",
        "watch --from 2 -n 2",
        "watch task -o jsonl --from 1 -n 1",
    ]);
    expect![[r#"
        $ milepost set task/etl/load cursor 41 --writer one --attempt 1
        1
        ! milepost: made a new store at <dir>/.milepost
        $ milepost set task/etl/load cursor 42 --writer two
        2
        $ milepost set asset/orders rows 7 --writer one --attempt 2
        3
        $ milepost clear --prefix task --writer two
        4
        $ milepost log
        SEQ  TIME                              WRITER  SCOPE          KEY     CHANGE
        4    9999-99-99 99:99:99.999999+00:00  two     task/etl/load  cursor  42 → ∅
        3    9999-99-99 99:99:99.999999+00:00  one#2   asset/orders   rows    ∅ → 7
        2    9999-99-99 99:99:99.999999+00:00  two     task/etl/load  cursor  41 → 42
        1    9999-99-99 99:99:99.999999+00:00  one#1   task/etl/load  cursor  ∅ → 41
        $ milepost log task -n 1
        SEQ  TIME                              WRITER  SCOPE          KEY     CHANGE
        4    9999-99-99 99:99:99.999999+00:00  two     task/etl/load  cursor  42 → ∅
        $ milepost log --key cursor --writer one
        SEQ  TIME                              WRITER  SCOPE          KEY     CHANGE
        1    9999-99-99 99:99:99.999999+00:00  one#1   task/etl/load  cursor  ∅ → 41
        $ milepost log --since 2 --until 3
        SEQ  TIME                              WRITER  SCOPE          KEY     CHANGE
        3    9999-99-99 99:99:99.999999+00:00  one#2   asset/orders   rows    ∅ → 7
        2    9999-99-99 99:99:99.999999+00:00  two     task/etl/load  cursor  41 → 42
        $ milepost log asset -o csv
        seq,at,writer,attempt,change,scope,key,old,old_base64,old_removed,new,new_base64
        3,9999-99-99T99:99:99.999999Z,one,2,set,asset/orders,rows,,,,7,
        $ milepost log task -o jsonl
        {"seq":4,"at":"9999-99-99T99:99:99.999999Z","writer":"two","change":"clear","scope":"task/etl/load","key":"cursor","old":"42"}
        {"seq":2,"at":"9999-99-99T99:99:99.999999Z","writer":"two","change":"set","scope":"task/etl/load","key":"cursor","old":"41","new":"42"}
        {"seq":1,"at":"9999-99-99T99:99:99.999999Z","writer":"one","attempt":1,"change":"set","scope":"task/etl/load","key":"cursor","new":"41"}
        $ milepost replay --from 3
        SEQ  TIME                              WRITER  EVENT         SCOPE         KEY   VALUE
        3    9999-99-99 99:99:99.999999+00:00  one#2   set           asset/orders  rows  7
        4    9999-99-99 99:99:99.999999+00:00  two     clear_prefix  task
        $ milepost replay asset -o jsonl
        {"seq":3,"at":"9999-99-99T99:99:99.999999Z","writer":"one","attempt":2,"events":[{"event":"set","scope":"asset/orders","key":"rows","value":"7"}]}
        $ milepost replay -o csv --from 4
        seq,at,writer,attempt,event,scope,key,value,value_base64
        4,9999-99-99T99:99:99.999999Z,two,,clear_prefix,task,,,
        $ milepost export --at 3
        {"scope":"asset/orders","key":"rows","value":"7","seq":3,"at":"9999-99-99T99:99:99.999999Z"}
        {"scope":"task/etl/load","key":"cursor","value":"42","seq":2,"at":"9999-99-99T99:99:99.999999Z"}
        $ milepost export --at 3 asset
        {"scope":"asset/orders","key":"rows","value":"7","seq":3,"at":"9999-99-99T99:99:99.999999Z"}
        $ milepost export asset
        {"seq":3,"at":"9999-99-99T99:99:99.999999Z","writer":"one","attempt":2,"events":[{"event":"set","scope":"asset/orders","key":"rows","value":"7"}]}
        $ milepost watch --from 2 -n 2
        SEQ  TIME                              WRITER  EVENT  SCOPE          KEY     VALUE
        2    9999-99-99 99:99:99.999999+00:00  two     set    task/etl/load  cursor  42
        3    9999-99-99 99:99:99.999999+00:00  one#2   set    asset/orders   rows    7
        $ milepost watch task -o jsonl --from 1 -n 1
        {"seq":1,"at":"9999-99-99T99:99:99.999999Z","writer":"one","attempt":1,"events":[{"event":"set","scope":"task/etl/load","key":"cursor","value":"41"}]}
    "#]].assert_eq(&transcript);
}

#[test]
fn names_are_escaped_on_screen_and_harmless_in_csv() {
    let world = World::new();
    let esc = "\u{1b}[31mred";
    world.ok(["set", "odd/\u{202e}txt", esc, "=1+1\nnext", "--writer", "=cmd()|' /C calc'!A0"]);
    world.ok(["set", "odd/\u{202e}txt", "=key", "", "--writer", "new\nline"]);
    world.ok(["set", "odd/\u{202e}txt", "bytes", "-", "--writer", "<script>"]);
    let screen = world.transcript(&["scan", "log", "replay"]);
    assert!(screen.chars().all(|c| c == '\n' || !c.is_control()), "{screen:?}");
    let files = world.transcript(&["log -o jsonl", "log -o csv", "replay -o csv --from 2"]);
    // As they are in files, which are not screens; shown here so that they can be seen.
    let transcript = screen + &files.replace('\u{202e}', "⟨202e⟩").replace('\u{1b}', "⟨1b⟩");
    expect![[r#"
        $ milepost scan
        KEYS  SEQ  SCOPE
        3     3    odd/\u{202e}txt
        $ milepost log
        SEQ  TIME                              WRITER                SCOPE            KEY            CHANGE
        3    9999-99-99 99:99:99.999999+00:00  <script>              odd/\u{202e}txt  bytes          ∅ →
        2    9999-99-99 99:99:99.999999+00:00  new\nline             odd/\u{202e}txt  =key           ∅ →
        1    9999-99-99 99:99:99.999999+00:00  =cmd()|' /C calc'!A0  odd/\u{202e}txt  \u{1b}[31mred  ∅ → =1+1\nnext
        $ milepost replay
        SEQ  TIME                              WRITER                EVENT  SCOPE            KEY            VALUE
        1    9999-99-99 99:99:99.999999+00:00  =cmd()|' /C calc'!A0  set    odd/\u{202e}txt  \u{1b}[31mred  =1+1\nnext
        2    9999-99-99 99:99:99.999999+00:00  new\nline             set    odd/\u{202e}txt  =key
        3    9999-99-99 99:99:99.999999+00:00  <script>              set    odd/\u{202e}txt  bytes
        $ milepost log -o jsonl
        {"seq":3,"at":"9999-99-99T99:99:99.999999Z","writer":"<script>","change":"set","scope":"odd/⟨202e⟩txt","key":"bytes","new":""}
        {"seq":2,"at":"9999-99-99T99:99:99.999999Z","writer":"new\nline","change":"set","scope":"odd/⟨202e⟩txt","key":"=key","new":""}
        {"seq":1,"at":"9999-99-99T99:99:99.999999Z","writer":"=cmd()|' /C calc'!A0","change":"set","scope":"odd/⟨202e⟩txt","key":"\u001b[31mred","new":"=1+1\nnext"}
        $ milepost log -o csv
        seq,at,writer,attempt,change,scope,key,old,old_base64,old_removed,new,new_base64
        3,9999-99-99T99:99:99.999999Z,<script>,,set,odd/⟨202e⟩txt,bytes,,,,,
        2,9999-99-99T99:99:99.999999Z,"new
        line",,set,odd/⟨202e⟩txt,'=key,,,,,
        1,9999-99-99T99:99:99.999999Z,'=cmd()|' /C calc'!A0,,set,odd/⟨202e⟩txt,⟨1b⟩[31mred,,,,"'=1+1
        next",
        $ milepost replay -o csv --from 2
        seq,at,writer,attempt,event,scope,key,value,value_base64
        2,9999-99-99T99:99:99.999999Z,"new
        line",,set,odd/⟨202e⟩txt,'=key,,
        3,9999-99-99T99:99:99.999999Z,<script>,,set,odd/⟨202e⟩txt,bytes,,
    "#]].assert_eq(&transcript);
}

/// FAULTS H6: notes come from people, as names do.
#[test]
fn notes_are_escaped_on_screen_and_harmless_in_csv() {
    let world = World::new();
    world.ok(["set", "a", "k", "1"]);
    let note = "=cmd()\u{1b}[31m\n<script>";
    world.ok(["checkpoint", "create", "a", "c", "--note", note]);
    for command in [&["checkpoint", "list", "a"][..], &["log", "a"], &["replay"]] {
        let screen = world.ok(command);
        assert!(screen.contains("cmd()\\u{1b}[31m\\n<script>"), "{command:?}: {screen:?}");
        assert!(screen.chars().all(|c| c == '\n' || !c.is_control()), "{command:?}: {screen:?}");
        let csv = world.ok([command, &["-o", "csv"]].concat());
        assert!(csv.contains("'=cmd()") && !csv.contains(",=") && !csv.contains(",\"="), "{command:?}: {csv}");
        let json = world.ok([command, &["-o", "jsonl"]].concat());
        assert!(json.contains(r#""=cmd()\u001b[31m\n<script>""#), "{command:?}: {json}");
    }
}

#[test]
fn values_are_kept_to_the_byte() {
    let world = World::new();
    let bytes: Vec<u8> = (0..=255).chain(*b"\r\n\0").collect();
    for from in [&["set", "a", "k", "-"][..], &["set", "a", "k"]] {
        assert_eq!(world.feed(from, &bytes).code, Some(0));
        assert_eq!(world.run(["get", "a", "k"]).stdout, bytes);
    }
    let ran = world.run(["get", "a", "k", "-o", "jsonl"]);
    assert!(ran.text().contains(r#""value_base64":"AAECAwQF"#), "{ran:?}");
    assert_eq!(world.feed(["set", "a", "empty", ""], b"not this").code, Some(0));
    assert_eq!(world.run(["get", "a", "empty"]).stdout, b"");
}

#[test]
fn stats_and_verify() {
    let world = World::with_commits(3);
    let stats = world.ok(["stats", "-o", "jsonl"]);
    for part in [r#""seq":3"#, r#""scopes_ever":1"#, r#""keys_ever":3"#, r#""versions":3"#, r#""segments":1"#] {
        assert!(stats.contains(part), "{stats} does not say {part}");
    }
    expect![[r#"
        $ milepost verify
        clean: 3 commits (seq 1 to 3), 3 events, 1 segment, 0 runs, 66 bytes
        $ milepost verify --json
        {"verdict":"clean","commits":3,"events":3,"segments":1,"runs":0,"bytes":66,"first":1,"last":3,"last_at":"9999-99-99T99:99:99.999999Z","missing_runs":[],"strays":[]}
        $ milepost verify -o csv
        ! milepost: --output: verify has no CSV; use --json
        exit 2
    "#]].assert_eq(&world.transcript(&["verify", "verify --json", "verify -o csv"]));
    let names: Vec<_> = world.ok(["stats"]).lines().map(|line| line.split(' ').next().unwrap().to_owned()).collect();
    assert_eq!(names[..3], ["NAME", "dir", "store"]);
}

/// An export taken in elsewhere is the same export, but for its stamps.
#[test]
fn export_goes_into_append() {
    let (from, to) = (World::with_commits(50), World::new());
    from.ok(["clear", "a/b", "--writer", "w"]);
    let exported = from.ok(["export"]);
    assert_eq!(exported.lines().count(), 51);
    let ran = to.feed(["append"], exported.as_bytes());
    assert_eq!((ran.code, ran.text()), (Some(0), (1..=51).map(|n| format!("{n}\n")).collect()), "{}", ran.stderr);
    let events =
        |text: &str| text.lines().map(|line| line[line.find("writer").unwrap()..].to_owned()).collect::<Vec<_>>();
    assert_eq!(events(&to.ok(["export"])), events(&exported));
    assert_eq!(to.ok(["export"]), to.ok(["export"]), "the same log gives the same bytes");
}

#[test]
fn the_store_is_found_from_below_and_by_name() {
    let world = World::new();
    world.ok(["set", "a", "k", "1"]);
    let below = world.dir().join("x/y");
    fs::create_dir_all(&below).unwrap();
    let at = |args: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_milepost"));
        clean(&mut command, &below);
        command.args(args);
        command
    };
    let said = |mut command: Command| String::from_utf8(command.output().unwrap().stdout).unwrap();
    assert_eq!(said(at(&["get", "a", "k"])), "1");
    assert_eq!(said(at(&["set", "a", "k", "2"])), "2\n");
    assert!(!below.join(".milepost").exists());
    let other = world.dir().join("other");
    let mut named = at(&["set", "a", "k", "3"]);
    named.env("MILEPOST_STORE", &other);
    assert_eq!(said(named), "1\n");
    assert_eq!(said(at(&["get", "a", "k", "--store", "../../other"])), "3");
    let mut both = at(&["--store", "../../.milepost", "get", "a", "k"]);
    both.env("MILEPOST_STORE", &other);
    assert_eq!(said(both), "2");
}

/// Moments in time: as of a stamp the state is that commit's, a microsecond earlier it is the one before.
#[test]
fn moments_of_the_past() {
    let world = World::new();
    world.ok(["set", "a", "k", "1"]);
    world.ok(["set", "a", "k", "2"]);
    let json = world.ok(["export"]);
    let stamp = json.lines().nth(1).unwrap().split('"').nth(5).unwrap().to_owned();
    assert_eq!(world.ok(["get", "a", "k", "--at", &stamp]), "2");
    for (at, value) in [("now", "2"), ("2", "2"), ("1", "1"), ("0s ago", "2")] {
        assert_eq!(world.ok(["get", "a", "k", "--at", at]), value, "{at}");
    }
    assert_eq!(world.run(["get", "a", "k", "--at", "10 minutes ago"]).code, Some(1));
    assert_eq!(world.ok(["log", "--since", &stamp]).lines().count(), 2);
    assert_eq!(world.ok(["log", "--until", "yesterday"]), "");
    assert_eq!(world.ok(["replay", "--from", &stamp, "-o", "jsonl"]).lines().count(), 1);
}

#[test]
fn help_teaches() {
    let world = World::new();
    for args in [&["--help"][..], &["set", "--help"], &["append", "--help"], &["verify", "--help"], &["each", "--help"]]
    {
        let help = world.ok(args);
        assert!(help.contains("xample") || help.contains("first minute"), "{args:?}: {help}");
        assert!(help.lines().all(|line| line.chars().count() <= 125), "{args:?} has long lines");
    }
    assert!(world.ok(["--help"]).contains("Exit codes:"));
    assert!(world.ok(["--version"]).starts_with("milepost 0."));
}

#[test]
fn completions_and_manual() {
    let world = World::new();
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        assert!(world.ok(["completions", shell]).contains("milepost"), "{shell}");
    }
    assert!(world.ok(["man"]).starts_with(".ie"));
    fs::create_dir(world.dir().join("man1")).unwrap();
    world.ok(["man", "man1"]);
    let mut pages: Vec<_> = fs::read_dir(world.dir().join("man1"))
        .unwrap()
        .map(|page| page.unwrap().file_name().into_string().unwrap())
        .collect();
    pages.sort();
    assert!(pages.contains(&"milepost.1".to_owned()) && pages.contains(&"milepost-set.1".to_owned()), "{pages:?}");
    assert!(pages.len() >= 40, "{pages:?}");
    // Every page that another one refers to is there, those of commands below commands among them.
    assert!(pages.contains(&"milepost-backup-create.1".to_owned()), "{pages:?}");
    for page in &pages {
        let text = fs::read_to_string(world.dir().join("man1").join(page)).unwrap().replace("\\-", "-");
        let named = text.split(|c: char| !(c.is_ascii_alphanumeric() || "-()".contains(c)));
        let named: Vec<_> = named.filter_map(|word| word.strip_suffix("(1)")).collect();
        assert!(named.iter().all(|name| pages.contains(&format!("{name}.1"))), "{page} refers to {named:?}");
        assert!(text.contains(concat!("milepost ", env!("CARGO_PKG_VERSION"))), "{page} does not say of which version");
    }
}

/// A receipt that can't be written: the commit is durable all the same, and whoever asked for it is told so.
#[test]
fn a_receipt_that_can_not_be_written() {
    let world = World::with_commits(3);
    for args in [&["set", "a", "k", "1"][..], &["delete", "a", "k"], &["clear", "a/b"]] {
        let full = fs::File::options().write(true).open("/dev/full").unwrap();
        let seq = Store::read_only(world.store()).unwrap().last().seq.0 + 1;
        let output = world.command(args).stdin(Stdio::null()).stdout(full).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(8), "{args:?}: {said}");
        assert!(said.contains(&format!("commit {seq} is durable, but that can't be written")), "{args:?}: {said}");
        assert_eq!(Store::read_only(world.store()).unwrap().last().seq.0, seq);
    }
}

/// Whoever reads may have had enough: that is no error, and nothing is said.
#[test]
fn a_broken_pipe_ends_quietly() {
    let world = World::with_commits(3000);
    for args in [&["replay"][..], &["export"], &["log", "-o", "csv"], &["scan", "a/b"]] {
        let mut child = world.command(args).stdout(Stdio::piped()).spawn().unwrap();
        drop(child.stdin.take());
        let mut first = [0; 10];
        let mut stdout = child.stdout.take().unwrap();
        stdout.read_exact(&mut first).unwrap();
        drop(stdout);
        let output = child.wait_with_output().unwrap();
        assert_eq!((output.status.code(), &*String::from_utf8_lossy(&output.stderr)), (Some(0), ""), "{args:?}");
    }
}

/// A watch beside a writer shows each commit as it comes, and ends when nobody reads it any more.
#[test]
fn watch_follows_another_process() {
    let world = World::with_commits(1);
    let mut watch = world.command(["watch", "-o", "jsonl", "--from", "1"]).spawn().unwrap();
    let mut reader = std::io::BufReader::new(watch.stdout.take().unwrap());
    let mut next = || {
        let mut line = String::new();
        std::io::BufRead::read_line(&mut reader, &mut line).unwrap();
        line
    };
    assert!(next().starts_with(r#"{"seq":1,"#));
    for n in 2..6 {
        world.ok(["set", "a", "k", "x"]);
        assert!(next().starts_with(&format!(r#"{{"seq":{n},"#)));
    }
    drop(reader);
    assert_eq!(watch.wait().unwrap().code(), Some(0), "watch did not end when nobody read it");
}

/// Runs a command line on a terminal of 80 columns; `None`, said loudly, where none can be made.
fn on_terminal(world: &World, test: &str, args: &str) -> Option<String> {
    let mut command = Command::new("script");
    clean(&mut command, world.dir());
    command.args(["-qec", &format!("'{}' {args}", env!("CARGO_BIN_EXE_milepost")), "/dev/null"]);
    let output = command.stdin(Stdio::null()).output().ok();
    if output.is_none() {
        skipped(test, "`script`, which makes a terminal, is missing");
    }
    output.map(|output| String::from_utf8(output.stdout).unwrap().replace('\r', ""))
}

/// The times took so many columns that of a value there was nothing to be seen.
#[test]
fn values_are_seen_on_a_terminal() {
    let world = World::new();
    world.ok(["set", "task/etl/load", "cursor", "41", "--writer", "ann@w", "--attempt", "3"]);
    for args in ["log", "replay", "watch --from 1 -n 1", "scan task/etl/load"] {
        let Some(shown) = on_terminal(&world, "commands::values_are_seen_on_a_terminal", args) else { return };
        let row = shown.lines().nth(1).unwrap();
        assert!(row.ends_with("41") && row.chars().count() <= 80, "{args}: {shown}");
        assert!(args.starts_with("scan") || row.contains("ann@w#3"), "{args}: {shown}");
    }
}

/// An empty answer left a person wondering: a scope that only has others below it looks like one that does not exist.
#[test]
fn nothing_is_said_to_be_nothing_on_a_terminal() {
    let world = World::new();
    world.ok(["set", "task/etl/load", "cursor", "41"]);
    for (args, says) in [
        ("scan task", "scope task holds no keys; `milepost scan` lists the scopes that hold any"),
        ("scan task/etl/load x", "holds no keys that begin with \"x\""),
        ("log nope", "no such change"),
        ("replay nope", "no such commit"),
        ("results", "no job ran in this store"),
    ] {
        let Some(shown) = on_terminal(&world, "commands::nothing_is_said_to_be_nothing_on_a_terminal", args) else {
            return;
        };
        assert!(shown.contains(says), "{args}: {shown}");
        let ran = world.run(args.split(' '));
        assert_eq!((ran.code, &*ran.text(), &*ran.stderr), (Some(0), "", ""), "{args}, to a file");
    }
}

/// On a terminal nothing acts on the screen: neither a value nor a name, in no format. Elsewhere bytes are as they are.
#[test]
fn a_terminal_is_not_acted_on() {
    let world = World::new();
    let bad = "x\u{1b}[2J\u{7}\u{9b}31my";
    world.ok(["set", bad, bad, bad, "--writer", bad]);
    let test = "commands::a_terminal_is_not_acted_on";
    if on_terminal(&world, test, "--version").is_none() {
        return;
    }
    for args in ["scan", "log", "replay", "log -o csv", "log -o jsonl", "replay -o csv", "export", "export --at now"] {
        let shown = on_terminal(&world, test, args).unwrap();
        assert!(shown.chars().all(|c| matches!(c, '\n' | '\r') || !c.is_control()), "{args}: {shown:?}");
    }
    let name = "$(printf 'x\\033[2J\\007\\302\\23331my')";
    let shown = on_terminal(&world, test, &format!("get \"{name}\" \"{name}\"")).unwrap();
    assert_eq!(shown, "x\\u{1b}[2J\\u{7}\\u{9b}31my\n");
    assert_eq!(world.ok(["get", bad, bad]), bad);
}

/// A seq that is not there yet was an error of `log`, and of `replay` an empty answer that nobody was told of.
#[test]
fn a_replay_from_behind_the_last_commit_is_refused() {
    let world = World::with_commits(3);
    let [log, replay] = [["log", "--since", "5"], ["replay", "--from", "5"]].map(|args| world.run(args));
    assert_eq!((replay.code, log.code), (Some(1), Some(1)), "{replay:?} {log:?}");
    assert_eq!(replay.stderr, log.stderr);
    for from in ["now", "3"] {
        assert_eq!(world.run(["replay", "--from", from]).code, Some(0), "{from}");
    }
    // Whoever watches waits for it.
    let mut watch = world.command(["watch", "--from", "5", "-n", "1", "-o", "jsonl"]).spawn().unwrap();
    world.ok(["set", "a", "k", "4"]);
    world.ok(["set", "a", "k", "5"]);
    let mut seen = String::new();
    watch.stdout.take().unwrap().read_to_string(&mut seen).unwrap();
    assert!(watch.wait().unwrap().success() && seen.starts_with("{\"seq\":5,"), "{seen}");
}
