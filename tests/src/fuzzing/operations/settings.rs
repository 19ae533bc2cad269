//! The settings of a world, drawn from an input: small numbers, so that limits are reached.

use arbitrary::Arbitrary;
use rejoin::client::ClientConfig;
use rejoin::{AtCapacity, Config, DuplicateIdentity, KeyHistory, LoginPolicy};

use crate::world::{Conditions, Logins, config};

/// What an input decides before anything happens.
#[derive(Arbitrary, Debug)]
pub(super) struct Settings {
    pub(super) seed: u8,
    flags: u8,
    payloads: u8,
    network: u8,
    sessions_max: u8,
    heartbeat: u8,
    timeout: u8,
    reconnect_window: u8,
    login_timeout: u8,
    login_attempts_max: u8,
    handshakes_max: u8,
    queues: u8,
    stall: u8,
    limits: u8,
}

impl Settings {
    /// Zeroes make ordinary settings.
    pub(super) fn config(&self) -> Config {
        let mut config = config();
        if self.is_raw() {
            config = config.raw();
        }
        if self.flag(1) {
            config.login = LoginPolicy::TokenIsLogin;
        }
        if self.flag(2) {
            config.duplicate_identity = DuplicateIdentity::Reject;
        }
        config.key_history = if self.flag(3) { KeyHistory::Fresh } else { KeyHistory::Reused };
        config.heartbeat_events = self.flag(4);
        config.sessions_max = 6 - u32::from(self.sessions_max % 6);
        config.login_attempts_max = 4 - u32::from(self.login_attempts_max % 4);
        config.handshakes_max = 256 >> (self.handshakes_max % 9);
        config.token_history_max = config.handshakes_max + (256 >> (self.handshakes_max / 9 % 9));
        config.violations_max = 7 - u32::from(self.limits % 8);
        config.take_overs_max = 4 - u32::from(self.limits / 8 % 4);
        config.move_ticks_ahead_max = 256 - u64::from(self.limits);
        self.set_times(&mut config);
        self.set_queues(&mut config);
        if self.flag(6) {
            self.make_memory_short(&mut config);
        }
        if self.flag(7) {
            config.at_capacity = AtCapacity::GiveUpLongestAway;
        }
        config
    }

    fn make_memory_short(&self, config: &mut Config) {
        let more = usize::from(self.queues) * 64;
        config.message_bytes_max = 8_192;
        config.session_quota_bytes = config.session_fixed_bytes() + 4_096 + more;
        config.session_cap_bytes = config.session_quota_bytes + 10_000 + more;
        config.pool_bytes_max = 20_000 + more;
        config.pool_grant_ms = 1_000;
    }

    fn set_times(&self, config: &mut Config) {
        config.heartbeat_ms = 250 - u32::from(self.heartbeat / 2);
        config.timeout_min_ms = (1_200 - 70 * u32::from(self.timeout % 16)).max(config.heartbeat_ms + 1);
        config.timeout_max_ms = 1_200 + 20 * u32::from(self.timeout);
        config.reconnect_window_ms =
            255_u32.checked_sub(self.reconnect_window.into()).filter(|&left| left > 0).map(|left| left * 60);
        config.login_timeout_ms = 6_400 - 25 * u32::from(self.login_timeout);
        config.stall_threshold_ms = 170 - 10 * u32::from(self.stall % 17);
        config.stall_threshold_ms = config.stall_threshold_ms.max(10);
        config.stall_credit_max_ms = 500 * u32::from(self.stall / 17);
    }

    fn set_queues(&self, config: &mut Config) {
        config.lane_queue_bytes_max = 1_200 + (262_144 >> (2 * (self.queues % 8)));
        config.datagram_queue_bytes_max = config.lane_queue_bytes_max;
        config.latest_queue_bytes_max = config.lane_queue_bytes_max;
        config.latest_keys = 50;
        config.event_queue_bytes_max = 1_200 + (262_144 >> (2 * (self.queues / 8 % 8)));
        config.reply_queue_bytes_max = config.event_queue_bytes_max;
    }

    pub(super) fn client_config(&self) -> ClientConfig {
        if self.is_raw() { ClientConfig::raw() } else { ClientConfig::default() }
    }

    pub(super) fn logins(&self) -> Logins {
        if self.flag(5) { Logins::Pending } else { Logins::Accepted }
    }

    pub(super) fn conditions(&self) -> Conditions {
        match self.network % 4 {
            0 => Conditions::GOOD,
            1 => Conditions { delay_ms: 0, ..Conditions::GOOD },
            2 => Conditions::ROUGH,
            _ => Conditions {
                loss_percent: u64::from(self.network) / 4,
                duplicate_percent: 30,
                delay_ms: 5,
                jitter_ms: 300,
            },
        }
    }

    fn is_raw(&self) -> bool {
        self.payloads % 8 == 7
    }

    fn flag(&self, bit: u8) -> bool {
        self.flags >> bit & 1 == 1
    }
}
