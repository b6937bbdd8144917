use super::*;

fn said(line: &str) -> String {
    match parse(line.split_whitespace().map(str::to_owned)) {
        Ok(Asked::Help) => "help".to_owned(),
        Ok(Asked::Rounds(Args { seed, rounds, seconds })) => format!("{seed} {rounds:?} {seconds:?}"),
        Ok(Asked::Exhaustive(length)) => format!("every {length}"),
        Ok(Asked::Reliability(Amount { seed, states, rounds, length, stride })) => {
            format!("reliability {seed} {states} {rounds} {length} {stride}")
        }
        Err(wrong) => wrong,
    }
}

/// `milepost-sim --help` was told that it needs a number.
#[test]
fn what_is_asked_for_is_understood_or_refused_by_name() {
    let rows = [
        ("", "0 Some(1000) None"),
        ("--help", "help"),
        ("-h", "help"),
        ("help", "help"),
        ("reliability --help", "help"),
        ("--seed 7 --help", "help"),
        ("--seed 7", "7 Some(1000) None"),
        ("--seed 7 --rounds 1", "7 Some(1) None"),
        ("--seconds 60", "0 None Some(60)"),
        ("--exhaustive 2", "every 2"),
        ("--exhaustive 2 --seed 1", "--exhaustive stands alone"),
        ("--exhaustive 0", "--exhaustive is 1 to 4, 0 was given"),
        ("--exhaustive 5", "--exhaustive is 1 to 4, 5 was given"),
        ("--exhaustive 4294967298", "--exhaustive is 1 to 4, 4294967298 was given"),
        ("--seed", "--seed needs a number"),
        ("--seed x", "--seed needs a number, \"x\" is none"),
        ("--sed 7", "unknown option --sed"),
        ("--sed", "unknown option --sed"),
        ("reliability", "reliability 1 1000000 400 3 1"),
        ("reliability --states 9 --length 2 --stride 5 --seed 3 --rounds 4", "reliability 3 9 4 2 5"),
        ("reliability --seconds 9", "unknown option --seconds of reliability"),
        ("--states 9", "unknown option --states"),
    ];
    for (line, right) in rows {
        assert_eq!(said(line), right, "{line:?}");
    }
}

/// Nothing that is understood is missing in the help, and no line of it is too wide for a terminal.
#[test]
fn the_help_names_everything() {
    for name in ["--seed", "--rounds", "--seconds", "--exhaustive", "--states", "--length", "--stride", "reliability"] {
        assert!(HELP.contains(name), "{name}");
    }
    assert!(HELP.lines().all(|line| line.len() <= 90));
}
