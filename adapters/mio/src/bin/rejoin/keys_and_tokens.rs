//! The commands `keygen` and `token`.

use std::fs::{File, OpenOptions, Permissions};
use std::io::{self, IsTerminal as _, Write as _};
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::Path;

use rejoin::{CONNECT_TOKEN_BYTES, ClientId, Key};
use rejoin_mio::{Clock, TokenRequest, development_key};

use crate::cli;
use crate::failure::Failure;
use crate::key_file;

/// Runs `rejoin keygen`.
pub(crate) fn make_key(options: &cli::Keygen) -> Result<(), Failure> {
    let key = key_file::draw()?;
    match &options.output {
        Some(path) => key_file::write_new(path, &key),
        None => write_to_stdout(format!("{}\n", key_file::to_hex(&key)).as_bytes()),
    }
}

/// Runs `rejoin token`.
pub(crate) fn make_token(options: &cli::Token) -> Result<(), Failure> {
    if options.output.is_none() && io::stdout().is_terminal() {
        return Err(Failure::bad_input(
            "a token is 2,048 bytes that no terminal can show: write it with -o FILE",
        ));
    }
    let request = TokenRequest {
        protocol_id: cli::PROTOCOL_ID,
        private_key: &private_key(&options.key)?,
        client_id: ClientId(options.client_id),
        addresses: &options.server,
        lifetime_s: options.expire_s,
        timeout_s: options.timeout_s,
    };
    let token = request.mint(Clock::start().unix_time_s()).map_err(Failure::bad_input)?;
    let mut bytes = [0; CONNECT_TOKEN_BYTES];
    token.write(&mut bytes);
    match &options.output {
        Some(path) => write_token(path, &bytes),
        None => write_to_stdout(&bytes),
    }
}

fn private_key(source: &cli::KeySource) -> Result<Key, Failure> {
    source.key_file.as_deref().map_or_else(|| Ok(development_key()), key_file::read)
}

/// A token replaces an older one of the same name: it is of no use after its time.
fn write_token(path: &Path, bytes: &[u8]) -> Result<(), Failure> {
    let file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path);
    let private = |file: &File| match file.metadata()? {
        // An older file keeps the mode it was made with.
        metadata if metadata.is_file() => file.set_permissions(Permissions::from_mode(0o600)),
        _ => Ok(()),
    };
    file.and_then(|mut file| private(&file).and_then(|()| file.write_all(bytes)))
        .map_err(|error| Failure::bad_input(format!("cannot write the token {}: {error}", path.display())))
}

fn write_to_stdout(bytes: &[u8]) -> Result<(), Failure> {
    io::stdout()
        .write_all(bytes)
        .map_err(|error| Failure::unsuccessful(format!("cannot write to standard output: {error}")))
}
