//! The program `rejoin`, run as a person runs it.
#![cfg(feature = "program")]
#![expect(clippy::unwrap_used, reason = "a test that cannot go on stops")]

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use rejoin::ConnectToken;

fn rejoin(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_rejoin"))
        .args(arguments)
        .env_remove("RUST_LOG")
        .stdin(Stdio::null())
        .output()
        .unwrap()
}

/// A directory of its own for one test, removed at its end.
struct Scratch(PathBuf);

impl Scratch {
    fn new(name: &str) -> Self {
        let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{}-{name}", std::process::id()));
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    fn file(&self, name: &str) -> String {
        self.0.join(name).to_str().unwrap().to_owned()
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

#[track_caller]
fn assert_bad_input(output: &Output, parts: &[&str]) {
    let text = String::from_utf8(output.stderr.clone()).unwrap();
    assert_eq!(output.status.code(), Some(2), "{text}");
    assert_eq!(text.lines().count(), 1, "{text}");
    assert!(output.stdout.is_empty());
    for part in parts {
        assert!(text.contains(part), "{text} lacks {part}");
    }
}

#[test]
fn a_wrong_command_line_ends_with_one_line_and_code_2() {
    assert_bad_input(&rejoin(&[]), &["command is missing"]);
    assert_bad_input(&rejoin(&["serve", "--bind", "nonsense"]), &["--bind", "nonsense", "IP:PORT"]);
    assert_bad_input(&rejoin(&["serve", "--no-such-option"]), &["--no-such-option", "--help"]);
    assert_bad_input(&rejoin(&["token", "--dev-key"]), &["--client-id", "--server"]);
    let twice = ["serve", "--bind", "127.0.0.1:40999", "--bind", "127.0.0.1:40999"];
    assert_bad_input(&rejoin(&twice), &["127.0.0.1:40999 is listed twice"]);
}

#[test]
fn help_and_version_go_to_standard_output() {
    for option in ["--help", "--version"] {
        let output = rejoin(&[option]);
        assert!(output.status.success() && output.stderr.is_empty());
        assert!(String::from_utf8(output.stdout).unwrap().contains("rejoin"));
    }
}

#[test]
fn keygen_writes_a_private_file_that_token_reads() {
    let scratch = Scratch::new("keygen");
    let (key, token) = (scratch.file("server.key"), scratch.file("client.token"));

    assert!(rejoin(&["keygen", "-o", &key]).status.success());
    assert_eq!(fs::metadata(&key).unwrap().permissions().mode() & 0o777, 0o600);
    assert_bad_input(&rejoin(&["keygen", "-o", &key]), &[&key, "exists already"]);

    let line =
        ["token", "--key-file", &key, "--client-id", "0x2a", "--server", "192.0.2.1:40000", "-o", &token];
    let output = rejoin(&line);
    assert!(output.status.success(), "{output:?}");
    assert_eq!(fs::metadata(&token).unwrap().permissions().mode() & 0o777, 0o600);
    let token = ConnectToken::read(&fs::read(&token).unwrap()).unwrap();
    assert_eq!(token.protocol_id(), 0x5245_4A4F_494E_0001);
    assert_eq!(token.expire_unix() - token.create_unix(), 45);
    assert_eq!(token.timeout_seconds(), 15);
    assert_eq!(token.addresses(), ["192.0.2.1:40000".parse().unwrap()]);
}

#[test]
fn keygen_without_a_file_prints_another_key_each_time() {
    let keys =
        [rejoin(&["keygen"]), rejoin(&["keygen"])].map(|output| String::from_utf8(output.stdout).unwrap());
    for key in &keys {
        assert_eq!(key.trim_end().len(), 64);
        assert!(key.trim_end().bytes().all(|byte| byte.is_ascii_hexdigit()));
    }
    assert_ne!(keys[0], keys[1]);
}

#[test]
fn a_token_goes_to_standard_output_as_it_is() {
    let line =
        ["token", "--dev-key", "--client-id", "7", "--server", "127.0.0.1:1", "[::1]:2", "--expire-s", "9"];
    let output = rejoin(&line);
    let token = ConnectToken::read(&output.stdout).unwrap();
    assert_eq!(token.expire_unix() - token.create_unix(), 9);
    assert_eq!(token.addresses(), ["127.0.0.1:1".parse().unwrap(), "[::1]:2".parse().unwrap()]);
}

#[test]
fn a_key_file_that_is_none_is_named() {
    let scratch = Scratch::new("no-key");
    let path = scratch.file("wrong.key");
    let line = ["token", "--key-file", &path, "--client-id", "7", "--server", "127.0.0.1:1"];
    assert_bad_input(&rejoin(&line), &[&path, "rejoin keygen"]);
    fs::write(&path, "0123").unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
    assert_bad_input(&rejoin(&line), &[&path, "holds 4 digits", "64 hex digits"]);
}
