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
fn serve_has_the_documented_defaults() {
    let Ok(Command::Serve(serve)) = parse_line("rejoin serve") else { panic!("not a serve command") };
    assert_eq!(serve.bind, ["127.0.0.1:40000".parse().unwrap()]);
    assert_eq!(serve.protocol_id, PROTOCOL_ID);
    assert_eq!((serve.heartbeat_ms, serve.timeout_ms, serve.reconnect_window_ms), (500, 2_500, 30_000));
    assert_eq!(serve.drain_seconds, 20);
    assert!(serve.public.is_empty() && serve.key_file.is_none() && !serve.raw);
}

#[test]
fn an_address_option_may_be_repeated() {
    let line = "rejoin serve --bind 127.0.0.1:1 --bind [::1]:2 --public 192.0.2.1:3";
    let Ok(Command::Serve(serve)) = parse_line(line) else { panic!("not a serve command") };
    assert_eq!(serve.bind, ["127.0.0.1:1".parse().unwrap(), "[::1]:2".parse().unwrap()]);
    assert_eq!(serve.public, ["192.0.2.1:3".parse().unwrap()]);
}

#[test]
fn a_protocol_id_is_decimal_or_hex() {
    for (text, expected) in [("7", 7), ("0x10", 16), ("18446744073709551615", u64::MAX), ("0XfF", 255)] {
        let Ok(Command::Serve(serve)) = parse_line(&format!("rejoin serve --protocol-id {text}")) else {
            panic!("{text}")
        };
        assert_eq!(serve.protocol_id, expected);
    }
}

#[test]
fn a_wrong_value_is_told_in_one_line_with_its_option_and_what_it_must_be() {
    for (line, parts) in [
        ("rejoin serve --bind nonsense", ["--bind", "nonsense", "IP:PORT"]),
        ("rejoin serve --bind 127.0.0.1", ["--bind", "127.0.0.1", "IP:PORT"]),
        ("rejoin swarm --server 127.0.0.1:0", ["--server", "127.0.0.1:0", "real address"]),
        ("rejoin token --dev-key --client-id 1 --server [::]:1", ["--server", "[::]:1", "real address"]),
        ("rejoin serve --protocol-id 0x", ["--protocol-id", "0x", "64 bits"]),
        ("rejoin serve --protocol-id 0x+1", ["--protocol-id", "0x+1", "64 bits"]),
        ("rejoin serve --tick-hz 0", ["--tick-hz", "0", "1..=1000"]),
        ("rejoin serve --bandwidth-kib-s 7", ["--bandwidth-kib-s", "7", "8..=4194303"]),
        ("rejoin serve --bandwidth-kib-s 8 --raw", ["--bandwidth-kib-s", "--raw", "cannot be used"]),
        ("rejoin serve --max-sessions -1", ["-1", "rejoin", "--help"]),
        ("rejoin swarm --loss 1.5", ["--loss", "1.5", "0 to 1"]),
        ("rejoin swarm --loss NaN", ["--loss", "NaN", "0 to 1"]),
        ("rejoin swarm --seconds inf", ["--seconds", "inf", "86400"]),
        ("rejoin swarm --bulk-kib 65537", ["--bulk-kib", "65537", "0..=65536"]),
        ("rejoin swarm --outage-every-s 5", ["--outage-for-s", "required", "--help"]),
        ("rejoin swarm --move-address", ["--outage-every-s", "required", "--help"]),
        ("rejoin token --dev-key --client-id 1", ["--server", "required", "--help"]),
        ("rejoin token --client-id 1 --server 127.0.0.1:1", ["--key-file", "--dev-key", "required"]),
        ("rejoin serv", ["unrecognized", "'serv'; tip: ", "'serve'; "]),
        ("rejoin", ["command is missing", "serve", "--help"]),
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
    assert!(wrong("rejoin serve --timeout-ms 500").contains("--heartbeat-ms 500"));
    assert!(wrong("rejoin swarm --outage-every-s 4 --outage-for-s 4").contains("must be above"));
    assert!(
        wrong("rejoin swarm --seconds 3 --outage-every-s 9 --outage-for-s 4").contains("no outage would fit")
    );
    assert!(
        wrong("rejoin token --dev-key --key-file f --client-id 1 --server 127.0.0.1:1").contains("cannot")
    );
    let servers = " --server 127.0.0.1:1".repeat(33);
    assert!(wrong(&format!("rejoin token --dev-key --client-id 1{servers}")).contains("at most 32"));
}

#[test]
fn help_and_version_are_answers_and_not_errors() {
    for line in ["rejoin --help", "rejoin --version", "rejoin serve --help"] {
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
