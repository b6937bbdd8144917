//! `step --again`: what runs again, and what goes with it.

use super::super::world::World;

/// Steps and jobs of all scripts share a scope where none is named: to run a step again took the jobs away that were
/// submitted since, so that the next run submitted them once more, and the steps of other scripts without a word.
#[test]
fn a_step_that_runs_again_takes_no_job_of_the_shared_scope_away() {
    let world = World::new();
    let job = ["job", "run", "j1", "--submit", "echo id", "--find", "true", "--poll", "echo finished ok"];
    world.ok(["step", "hello", "--", "echo", "1"]);
    world.ok(["step", "two", "--", "echo", "2"]);
    world.ok(job);
    world.ok(["watermark", "advance", "task/script", "id", "7"]);
    let ran = world.run(["step", "hello", "--again", "--", "echo", "3"]);
    assert_eq!(ran.code, Some(1), "{ran:?}");
    let says = "step hello: the scope task/script, which all share that name none, would go back to what it was before, \
                and with it job j1 (finished), .watermark/id, step two: nothing was done";
    assert!(ran.stderr.contains(says), "{ran:?}");
    assert!(ran.stderr.contains("--scope task/script, if that is meant"), "{ran:?}");
    assert!(world.ok(["job", "get", "j1"]).contains("finished"));
    assert_eq!(world.ok(["step", "two", "--", "echo", "2"]), "2\n");
    // Who names the scope means it, and is told what went.
    let ran = world.run(["step", "hello", "--again", "--scope", "task/script", "--", "echo", "3"]);
    assert_eq!((ran.code, &*ran.text()), (Some(0), "3\n"), "{ran:?}");
    assert!(ran.stderr.contains("step hello runs again; with it went job j1 (finished), .watermark/id, step two"));
    assert_eq!(world.run(["job", "get", "j1"]).code, Some(1));
    let help = world.ok(["step", "--help"]);
    assert!(help.contains("With --again all goes that came into the scope after the step began"), "{help}");
}

/// Steps that came after it are what --again is for: they go, and are named.
#[test]
fn the_steps_after_one_that_runs_again_are_named() {
    let world = World::new();
    for name in ["first", "hello", "two"] {
        world.ok(["step", name, "--", "echo", name]);
    }
    let ran = world.run(["step", "hello", "--again", "--", "echo", "again"]);
    assert_eq!((ran.code, &*ran.text()), (Some(0), "again\n"), "{ran:?}");
    assert_eq!(ran.stderr, "milepost: step hello runs again; with it went step two\n");
    // The last one takes nothing with it, and one that has not begun is only run.
    for name in ["hello", "new"] {
        let ran = world.run(["step", name, "--again", "--", "echo", name]);
        assert_eq!((ran.code, &*ran.stderr), (Some(0), ""), "{ran:?}");
    }
    assert_eq!(world.ok(["step", "first", "--", "echo", "first"]), "first\n");
}
