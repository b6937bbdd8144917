use clap::CommandFactory;

use super::Cli;

/// Help is wrapped to the screen. A paragraph that was broken by hand as well came out as long and short lines in turn.
#[test]
fn paragraphs_of_the_help_are_not_broken_by_hand() {
    let mut cli = Cli::command();
    cli.build();
    for command in [&cli].into_iter().chain(cli.get_subcommands()) {
        let Some(help) = command.get_after_long_help() else { continue };
        let help = help.to_string();
        let lines: Vec<_> = help.lines().collect();
        for pair in lines.windows(2) {
            let broken = pair.iter().all(|line| !line.is_empty() && !line.starts_with(' '));
            assert!(!broken, "{}: {pair:#?}", command.get_name());
        }
        for line in lines.iter().filter(|line| line.starts_with(' ')) {
            assert!(line.chars().count() <= 100, "{}: what stands by itself is broken: {line}", command.get_name());
        }
    }
}

/// What every command takes stood among what this one takes, in between.
#[test]
fn a_commands_own_options_come_first() {
    let mut cli = Cli::command();
    cli.build();
    for command in cli.get_subcommands_mut() {
        let help = command.render_help().to_string();
        let at = |option: &str| help.find(option).unwrap_or_else(|| panic!("{option} is not in {help}"));
        let own: Vec<_> = command.get_opts().filter_map(|option| option.get_long()).collect();
        for option in own.into_iter().filter(|option| !["store", "output"].contains(option)) {
            let behind = at(&format!("--{option}")) > at("--store <DIR>");
            assert!(!behind, "{}: --{option} comes behind --store: {help}", command.get_name());
        }
    }
}
