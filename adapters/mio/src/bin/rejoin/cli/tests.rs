use super::*;

fn parse_line(line: &str) -> Result<Command, Refusal> {
    parse(line.split_whitespace().map(OsString::from))
}

fn wrong(line: &str) -> String {
    match parse_line(line).unwrap_err() {
        Refusal::Wrong(text) => text,
        Refusal::Answered(text) => panic!("{line}: {text}"),
    }
}

#[test]
fn the_command_line_is_consistent() {
    use clap::CommandFactory as _;
    CommandLine::command().debug_assert();
}

#[test]
fn a_client_id_is_decimal_or_hex() {
    for (text, expected) in [("7", 7), ("0x10", 16), ("18446744073709551615", u64::MAX), ("0XfF", 255)] {
        let line = format!("rejoin token --dev-key --server 127.0.0.1:1 --client-id {text}");
        let Ok(Command::Token(token)) = parse_line(&line) else { panic!("{text}") };
        assert_eq!(token.client_id, expected);
    }
}

#[test]
fn a_wrong_value_is_told_in_one_line_with_its_option_and_what_it_must_be() {
    for (line, parts) in [
        ("rejoin token --dev-key --client-id 1", ["--server", "required", "--help"]),
        ("rejoin token --client-id 1 --server 127.0.0.1:1", ["--key-file", "--dev-key", "required"]),
        ("rejoin", ["command is missing", "token", "--help"]),
    ] {
        let text = wrong(line);
        assert!(!text.contains('\n'), "{text}");
        for part in parts {
            assert!(text.contains(part), "{line}: {text} lacks {part}");
        }
    }
}

#[test]
fn values_that_contradict_each_other_are_refused() {
    assert!(
        wrong("rejoin token --dev-key --key-file f --client-id 1 --server 127.0.0.1:1").contains("cannot")
    );
    let servers = " --server 127.0.0.1:1".repeat(33);
    assert!(wrong(&format!("rejoin token --dev-key --client-id 1{servers}")).contains("at most 32"));
}

#[test]
fn help_and_version_are_answers_and_not_errors() {
    for line in ["rejoin --help", "rejoin --version", "rejoin token --help"] {
        assert!(matches!(parse_line(line), Err(Refusal::Answered(_))), "{line}");
    }
}

#[test]
fn every_option_has_a_help_text() {
    use clap::CommandFactory as _;
    for command in CommandLine::command().get_subcommands() {
        for argument in command.get_arguments() {
            assert!(argument.get_help().is_some(), "{} {}", command.get_name(), argument.get_id());
        }
    }
}
