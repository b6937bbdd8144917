//! Outputs in the order of the input, however their commands end.

use std::{
    hint::spin_loop,
    io::{BufRead, BufReader, Write},
};

use rustix::process::{Pid, Signal, kill_process};

use super::{World, each_args, numbers};

/// Each command waits for the one behind it in its pair, so that they end in another order than they began.
const CROSSED: &str = r#"
    echo "$1 says"
    if [ $(($1 % 2)) = 1 ]; then until [ -e "$(($1 + 1))" ]; do sleep 0.01; done; sleep 0.1; fi
    echo "$1 ends"; echo "err $1" >&2; : > "$1""#;

#[test]
fn outputs_are_printed_in_the_order_of_the_input() {
    let world = World::new();
    let expected: String = (1..=20).map(|n| format!("{n} says\n{n} ends\n")).collect();
    let ran = world.each(&["-j2", "--print", "-k"], CROSSED, numbers(20)).says(0, &["20 done"]).prints(&expected);
    let errors: Vec<&str> = ran.stderr.lines().filter(|line| line.starts_with("err")).collect();
    assert_eq!(errors, (1..=20).map(|n| format!("err {n}")).collect::<Vec<_>>());
    // Without it, the second of each pair comes first.
    let world = World::new();
    let ran = world.each(&["-j2", "--print"], CROSSED, numbers(2)).says(0, &["2 done"]);
    ran.prints("2 says\n2 ends\n1 says\n1 ends\n");
    // Nothing is printed, so there is no order.
    world.each(&["--keep-order"], CROSSED, "").says(2, &["--print"]);
}

/// Long, silent, failing, repeated, done before: none holds up or goes before another.
#[test]
fn order_is_kept_among_items_of_all_kinds() {
    let world = World::new();
    let script = r#"case "$1" in
        slow) until [ -e go ]; do sleep 0.01; done; echo slow;;
        long) yes | head -c 300000;;
        silent) ;;
        bad) echo bad; exit 1;;
        last) : > go; echo last;;
        *) echo "$1";;
    esac"#;
    world.each(&["-j1"], script, "before\n").says(0, &["1 done"]);
    let input = "before\nslow\nlong\nsilent\nslow\nbad\nlast\nmore\n";
    let long = "y\n".repeat(150_000);
    world
        .each(&["-j2", "--print", "-k", "--keep-output", "7", "--retries", "1", "--retry-delay", "1ms"], script, input)
        .says(1, &["5 done, 1 failed, 1 done before, 1 repeated in the input"])
        .prints(format!("slow\n{long}bad\nlast\nmore\n"));
}

/// The first in line is ended with the run: what waited behind it is printed all the same.
#[test]
fn what_waits_behind_a_command_that_is_ended_is_printed() {
    let world = World::new();
    let script = r#"[ "$1" = long ] && while :; do sleep 600; done; echo "$1"; echo "$1" >> log"#;
    let options = ["-j2", "--print", "-k"];
    let mut child = world.milepost(each_args(&options, script)).spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    stdin.write_all(b"a\nlong\nb\nc\n").unwrap();
    let mut stderr = BufReader::new(child.stderr.take().unwrap());
    while world.lines("log").len() < 3 {
        spin_loop();
    }
    let mut hear = |words: &str| {
        let mut line = String::new();
        while !line.contains(words) {
            line.clear();
            assert_ne!(stderr.read_line(&mut line).unwrap(), 0, "it ended without saying {words:?}");
        }
    };
    for words in ["waiting for the running commands", "ending the running commands"] {
        kill_process(Pid::from_child(&child), Signal::INT).unwrap();
        hear(words);
    }
    hear("3 done in");
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(130));
    assert_eq!(String::from_utf8_lossy(&output.stdout), "a\nb\nc\n");
}
