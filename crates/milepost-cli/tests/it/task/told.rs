//! What messages name: the program, the words, and the options of this command line.

use super::super::world::World;

/// The message did not say which program can't be started.
#[test]
fn a_program_that_is_not_there_is_named() {
    let ran = World::new().run(["step", "nf", "--", "/no/such", "word"]);
    assert_eq!(ran.code, Some(127), "{ran:?}");
    assert!(ran.stderr.contains("step nf failed: can't start /no/such: No such file or directory"), "{ran:?}");
}

/// Messages spoke of what a program does with the library ("replay the task from it", "restart it if its request
/// changed"), and of the changed words showed a fingerprint.
#[test]
fn a_refusal_names_the_options_that_this_command_line_has() {
    let world = World::new();
    world.ok(["step", "hello", "--", "echo", "1"]);
    let ran = world.run(["step", "hello", "--", "echo", "two words"]);
    assert_eq!(ran.code, Some(1), "{ran:?}");
    assert!(ran.stderr.contains("step hello ran other words before, of which only a fingerprint is kept"), "{ran:?}");
    assert!(ran.stderr.contains("now:    echo 'two words'"), "{ran:?}");
    assert!(ran.stderr.contains("--again") && !ran.stderr.contains("replay the task"), "{ran:?}");

    let run = |poll: &str, more: &[&str]| {
        let args = ["job", "run", "j", "--submit", "echo id-7", "--find", "true", "--poll", poll, "--every", "1ms"];
        world.run([&args[..], more].concat())
    };
    // How long was told to the nanosecond.
    let ran = run("echo pending RUNNING", &["--request", "one", "--timeout", "300ms"]);
    assert_eq!(ran.code, Some(9), "{ran:?}");
    let (_, waited) = ran.stderr.split_once("has not ended within ").unwrap();
    let (waited, rest) = waited.split_once("ms").unwrap();
    assert!(waited.bytes().all(|byte| byte.is_ascii_digit()), "{ran:?}");
    assert!(rest.contains("its status is RUNNING; it goes on"), "{ran:?}");

    let ran = run("echo failed no room", &["--request", "one"]);
    assert_eq!(ran.code, Some(1), "{ran:?}");
    assert!(ran.stderr.contains("job j failed (remote id id-7): no room"), "{ran:?}");
    assert!(ran.stderr.contains("--restart-if-failed"), "{ran:?}");

    let ran = run("true", &["--request", "another one"]);
    assert_eq!(ran.code, Some(1), "{ran:?}");
    assert!(ran.stderr.contains("now:    \"another one\" (fingerprint "), "{ran:?}");
    assert!(ran.stderr.contains("--restart-if-changed") && ran.stderr.contains("milepost job reset j"), "{ran:?}");

    world.ok(["job", "reset", "j"]);
    run("exit 1", &[]);
    world.ok(["job", "cancel", "j", "--with", "true"]);
    let ran = run("true", &[]);
    assert_eq!(ran.code, Some(1), "{ran:?}");
    assert!(ran.stderr.contains("was cancelled (remote id id-7)") && ran.stderr.contains("--restart-if-failed"));
}
