//! Connect tokens of foreign make, to test our reader on.

use std::{
    error::Error,
    fmt,
    net::SocketAddr,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use super::{CONNECT_TOKEN_BYTES, ConnectToken, KEY_BYTES, USER_DATA_BYTES};

/// The size of the client id that `renetcode` puts in front of the standard's token, in bytes.
pub(super) const RENETCODE_CLIENT_ID_BYTES: usize = 8;

/// The most server addresses a token can hold (netcode standard, section "Connect Token").
const SERVER_ADDRESSES_MAX: usize = 32;

/// What goes into a connect token.
#[derive(Clone)]
pub struct TokenContents {
    /// The servers to try, in order: 1 to 32 of them.
    pub server_addrs: Vec<SocketAddr>,
    /// The protocol the token is for.
    pub protocol_id: u64,
    /// Who the token is for.
    pub client_id: u64,
    /// How long the token can be used after it is minted, in seconds.
    pub expire_seconds: u16,
    /// How long a connection outlives silence, in seconds. Negative means forever.
    pub timeout_seconds: i32,
    /// The key shared with the servers.
    pub private_key: [u8; KEY_BYTES],
    /// What the servers are to learn about the client.
    pub user_data: [u8; USER_DATA_BYTES],
}

impl fmt::Debug for TokenContents {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TokenContents")
            .field("server_addrs", &self.server_addrs)
            .field("protocol_id", &self.protocol_id)
            .field("client_id", &self.client_id)
            .field("expire_seconds", &self.expire_seconds)
            .field("timeout_seconds", &self.timeout_seconds)
            .finish_non_exhaustive()
    }
}

/// An implementation that makes connect tokens. Keys and nonce are random in all of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mint {
    /// `netcode-official`.
    Official,
    /// `renetcode`. Its own serial form is not the standard's: it puts the client id, 8 bytes in the clear, in front,
    /// and leaves out the padding. The mint returns the standard's form, except that the groups of IPv6 addresses
    /// stay in network byte order, where the standard says little-endian.
    Renetcode,
    /// `netcode-rs`. Left to itself it would make a token without server addresses, and drop those after the 32nd.
    /// It writes the groups of IPv6 addresses in network byte order too.
    NetcodeRs,
}

impl Mint {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Official, Self::Renetcode, Self::NetcodeRs];

    /// Mints a token that begins its life now, by the machine's clock.
    pub fn mint(self, contents: &TokenContents) -> Result<ConnectToken, MintError> {
        let count = contents.server_addrs.len();
        if !(1..=SERVER_ADDRESSES_MAX).contains(&count) {
            return Err(MintError::ServerAddresses(count));
        }
        match self {
            Self::Official => mint_official(contents),
            Self::Renetcode => mint_renetcode(contents),
            Self::NetcodeRs => mint_netcode_rs(contents),
        }
    }
}

fn mint_official(contents: &TokenContents) -> Result<ConnectToken, MintError> {
    netcode_official::generate_connect_token(
        &contents.server_addrs,
        &contents.server_addrs,
        contents.expire_seconds.into(),
        contents.timeout_seconds,
        contents.client_id,
        contents.protocol_id,
        &contents.private_key,
        &contents.user_data,
    )
    .map_err(MintError::failed)
}

fn mint_renetcode(contents: &TokenContents) -> Result<ConnectToken, MintError> {
    let token = renetcode::ConnectToken::generate(
        unix_time(),
        contents.protocol_id,
        contents.expire_seconds.into(),
        contents.client_id,
        contents.timeout_seconds,
        contents.server_addrs.clone(),
        Some(&contents.user_data),
        &contents.private_key,
    )
    .map_err(MintError::failed)?;

    let mut serial = Vec::with_capacity(RENETCODE_CLIENT_ID_BYTES + CONNECT_TOKEN_BYTES);
    token.write(&mut serial).map_err(MintError::failed)?;
    serial.resize(RENETCODE_CLIENT_ID_BYTES + CONNECT_TOKEN_BYTES, 0);
    serial.drain(..RENETCODE_CLIENT_ID_BYTES);
    serial.try_into().map_err(|_| MintError::Failed("the token has the wrong size".into()))
}

fn mint_netcode_rs(contents: &TokenContents) -> Result<ConnectToken, MintError> {
    netcode_rs::ConnectToken::build(
        &contents.server_addrs[..],
        contents.protocol_id,
        contents.client_id,
        contents.private_key,
    )
    .expire_seconds(contents.expire_seconds.into())
    .timeout_seconds(contents.timeout_seconds)
    .user_data(contents.user_data)
    .generate()
    .map_err(MintError::failed)?
    .try_into_bytes()
    .map_err(MintError::failed)
}

/// The Unix time, for implementations that expect it from their user.
#[expect(clippy::disallowed_methods, reason = "tokens expire by the machine's clock")]
pub(super) fn unix_time() -> Duration {
    // A clock set before 1970 makes every token expired, which is as good an answer as any.
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
}

/// Why no token was made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MintError {
    /// The number of server addresses is not 1 to 32.
    ServerAddresses(usize),
    /// The implementation failed, in its own words.
    Failed(String),
}

impl MintError {
    fn failed(error: impl fmt::Display) -> Self {
        Self::Failed(error.to_string())
    }
}

impl fmt::Display for MintError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ServerAddresses(count) => write!(f, "a token cannot hold {count} server addresses"),
            Self::Failed(error) => write!(f, "the token could not be made: {error}"),
        }
    }
}

impl Error for MintError {}
