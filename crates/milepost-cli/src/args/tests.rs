use clap::{Command, CommandFactory, Parser};

use super::Cli;

/// Every command, those below others too, by all of its words.
fn commands() -> Vec<(String, Command)> {
    let mut cli = Cli::command();
    cli.build();
    let mut waiting = vec![("milepost".to_owned(), cli)];
    let mut found = Vec::new();
    while let Some((words, command)) = waiting.pop() {
        waiting.extend(command.get_subcommands().map(|below| (format!("{words} {}", below.get_name()), below.clone())));
        found.push((words, command));
    }
    found
}

fn behind_the_options(command: &Command) -> String {
    command.get_after_long_help().map(ToString::to_string).unwrap_or_default()
}

/// Commands below another had none.
#[test]
fn every_command_shows_how_it_is_used_and_takes_what_it_shows() {
    for (words, command) in commands() {
        let help = behind_the_options(&command).replace("\\\n", "");
        let mut has_own = false;
        for line in help.lines().filter(|line| line.starts_with(' ') && line.contains("milepost ")) {
            let (line, _comment) = line.split_once("   (").unwrap_or((line, ""));
            let typed = shlex::split(line).unwrap_or_else(|| panic!("{words}: {line} has an open quote"));
            for one in typed.split(|word| ["|", ">", "||", "&&"].contains(&&**word)) {
                if one.first().is_none_or(|word| word != "milepost") {
                    continue;
                }
                has_own |= one.join(" ").starts_with(&words);
                let taken = Cli::try_parse_from(one);
                assert!(taken.is_ok(), "{words} does not take its own example {line}: {}", taken.unwrap_err());
            }
            has_own |= line.contains(&format!("({words}"));
        }
        assert!(has_own, "{words} has no example: {help}");
    }
}

/// Help is wrapped to the screen. A paragraph that was broken by hand as well came out as long and short lines in turn.
#[test]
fn paragraphs_of_the_help_are_not_broken_by_hand() {
    for (words, command) in commands() {
        let help = behind_the_options(&command);
        let lines: Vec<_> = help.lines().collect();
        for pair in lines.windows(2) {
            let broken = pair.iter().all(|line| !line.is_empty() && !line.starts_with(' '));
            assert!(!broken, "{words}: {pair:#?}");
        }
        for line in lines.iter().filter(|line| line.starts_with(' ')) {
            assert!(line.chars().count() <= 100, "{words}: what stands by itself is broken: {line}");
        }
    }
}

/// What every command takes stood among what this one takes, in between.
#[test]
fn a_commands_own_options_come_first() {
    for (words, mut command) in commands().into_iter().filter(|(words, _)| words != "milepost") {
        let help = command.render_help().to_string();
        let at = |option: &str| help.find(option).unwrap_or_else(|| panic!("{option} is not in {help}"));
        let own: Vec<_> = command.get_opts().filter_map(|option| option.get_long()).collect();
        for option in own.into_iter().filter(|option| !["store", "output"].contains(option)) {
            let behind = at(&format!("--{option}")) > at("--store <DIR>");
            assert!(!behind, "{words}: --{option} comes behind --store: {help}");
        }
    }
}

#[test]
fn a_whole_number_or_what_one_is() {
    assert_eq!(super::whole::<u32>("4294967295"), Ok(u32::MAX));
    assert_eq!(super::whole::<u64>("18446744073709551615"), Ok(u64::MAX));
    for text in ["", "x", "-1", "1.5", "4294967296"] {
        assert_eq!(super::whole::<u32>(text), Err("write a whole number from 0 to 4294967295".to_owned()), "{text}");
    }
    assert_eq!(
        super::whole::<u64>("18446744073709551616"),
        Err("write a whole number from 0 to 18446744073709551615".to_owned())
    );
}
