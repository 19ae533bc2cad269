//! What goes wrong at a certain moment.

use rejoin::Timestamp;

use super::Settings;
use crate::simulator::backend::TokenKind;
use crate::simulator::fault::Fault;
use crate::simulator::network::Direction;
use crate::world::Chance;

/// Something that goes wrong at a moment.
#[derive(Clone, Copy, Debug)]
pub(in crate::simulator) struct Incident {
    pub(in crate::simulator) at: Timestamp,
    /// Which kind of trouble it is.
    pub(in crate::simulator) fault: Fault,
    pub(in crate::simulator) what: IncidentKind,
}

/// What goes wrong; times are in milliseconds.
#[derive(Clone, Copy, Debug)]
pub(in crate::simulator) enum IncidentKind {
    DelaySpike {
        player: usize,
        direction: Direction,
        for_ms: u64,
    },
    /// Without a direction: in both.
    Partition {
        player: usize,
        direction: Option<Direction>,
        for_ms: u64,
    },
    Move {
        player: usize,
        notice: Notice,
    },
    PortReuse {
        former: usize,
        newcomer: usize,
    },
    Crash {
        player: usize,
        keeps_saved: bool,
        down_ms: u64,
    },
    Leave {
        player: usize,
        away_ms: u64,
    },
    PlayerSleep {
        player: usize,
        sleep: Sleep,
    },
    BadToken {
        player: usize,
        kind: TokenKind,
        away_ms: u64,
    },
    ServerSleep {
        sleep: Sleep,
    },
    ServerRestart {
        down_ms: u64,
        is_graceful: bool,
    },
    /// It takes no newcomers from now on, and perhaps ends whoever is left after a while; a restart follows.
    ServerDrain {
        within_ms: Option<u64>,
        names_other: bool,
    },
    ServerClockStep {
        by_s: i64,
    },
    /// The host holds the deadlines about peers for a while, as for a debugger.
    ServerHold {
        for_ms: u64,
    },
    Kick {
        player: usize,
        is_told: bool,
    },
    Ban {
        player: usize,
        for_ms: u64,
    },
    /// Everybody at the IP address of a player.
    BanAddress {
        player: usize,
        for_ms: u64,
    },
    /// Nothing passes to or from anybody.
    Outage {
        for_ms: u64,
    },
}

/// What a player's host learns of its new address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::simulator) enum Notice {
    None,
    /// That there may be one.
    Hint,
    Certain,
}

/// A host that does nothing for a while.
#[derive(Clone, Copy, Debug)]
pub(in crate::simulator) struct Sleep {
    pub(in crate::simulator) for_ms: u64,
    /// Whether what arrives meanwhile waits in its socket. Otherwise it is lost.
    pub(in crate::simulator) hears: bool,
    /// How much longer it was by the machine's own clock. Only that machine sees the hours: they would cost the others hours of
    /// simulation, and to those a machine that is gone for longer than any timeout looks the same after seconds.
    pub(in crate::simulator) leap_ms: u64,
}

/// Draws how often and when a kind of trouble happens.
#[derive(Debug)]
pub(super) struct Drawing<'a> {
    pub(super) settings: Settings,
    pub(super) chance: &'a mut Chance,
}

impl Drawing<'_> {
    /// All incidents of a kind; none if it is no incident.
    pub(super) fn incidents_of(&mut self, fault: Fault) -> Vec<Incident> {
        let count = match fault {
            Fault::Restarts | Fault::ServerSuspends | Fault::Outages | Fault::PrefixBans => self.count(1, 60),
            Fault::ServerStalls | Fault::WallClockSteps | Fault::Holds => self.count(1, 20),
            _ => self.count(self.settings.peers as u64, 60),
        };
        let mut incidents: Vec<_> = (0..count).filter_map(|_| self.incident_of(fault)).collect();
        let restarts = incidents.clone();
        incidents.extend(restarts.iter().filter_map(|restart| self.drain_before(restart)));
        incidents
    }

    /// Whoever ends a server gracefully drains it first, perhaps.
    fn drain_before(&mut self, restart: &Incident) -> Option<Incident> {
        let is_graceful = matches!(restart.what, IncidentKind::ServerRestart { is_graceful: true, .. });
        if !is_graceful || self.chance.percent(50) {
            return None;
        }
        let before_micros = self.span_ms(100..=10_000) * 1_000;
        let at = Timestamp::from_micros(restart.at.as_micros().saturating_sub(before_micros));
        let within_ms = self.chance.percent(60).then(|| self.span_ms(100..=10_000));
        let what = IncidentKind::ServerDrain { within_ms, names_other: self.chance.percent(50) };
        Some(Incident { at, what, ..*restart })
    }

    /// How often something happens that happens to each of `peers` once in so many seconds at most.
    fn count(&mut self, peers: u64, every_s: u64) -> u64 {
        let most = (peers * self.settings.seconds).div_ceil(every_s);
        self.chance.between(1..=most.max(1))
    }

    fn incident_of(&mut self, fault: Fault) -> Option<Incident> {
        let player = self.player();
        let what = match fault {
            Fault::DelaySpikes => IncidentKind::DelaySpike {
                player,
                direction: self.direction(),
                for_ms: self.span_ms(100..=10_000),
            },
            Fault::OneWayPartitions => {
                let direction = Some(self.direction());
                IncidentKind::Partition { player, direction, for_ms: self.span_ms(100..=15_000) }
            }
            Fault::Partitions => {
                IncidentKind::Partition { player, direction: None, for_ms: self.span_ms(100..=40_000) }
            }
            Fault::NoticedMoves => IncidentKind::Move { player, notice: Notice::Certain },
            Fault::SilentMoves => {
                let notice = if self.chance.percent(25) { Notice::Hint } else { Notice::None };
                IncidentKind::Move { player, notice }
            }
            Fault::PortReuse => {
                let newcomer = self.player();
                return (newcomer != player)
                    .then(|| self.at_some_time(fault, IncidentKind::PortReuse { former: player, newcomer }));
            }
            Fault::CrashesWithSaved | Fault::CrashesWithoutSaved => {
                let keeps_saved = fault == Fault::CrashesWithSaved;
                IncidentKind::Crash { player, keeps_saved, down_ms: self.span_ms(50..=20_000) }
            }
            Fault::Leaves => IncidentKind::Leave { player, away_ms: self.span_ms(50..=20_000) },
            Fault::PlayerStalls => IncidentKind::PlayerSleep { player, sleep: self.stall(8_000) },
            Fault::PlayerSuspends => IncidentKind::PlayerSleep { player, sleep: self.suspend() },
            Fault::ServerStalls => IncidentKind::ServerSleep { sleep: self.stall(6_000) },
            Fault::ServerSuspends => IncidentKind::ServerSleep { sleep: self.suspend() },
            Fault::Restarts => {
                // A process takes more than a second to come back, so that no token made before a start is as young as those after it.
                IncidentKind::ServerRestart {
                    down_ms: self.span_ms(1_000..=8_000),
                    is_graceful: self.chance.percent(40),
                }
            }
            Fault::WallClockSteps => IncidentKind::ServerClockStep { by_s: self.step_s() },
            Fault::Kicks => IncidentKind::Kick { player, is_told: self.chance.percent(60) },
            Fault::PrefixBans => IncidentKind::BanAddress { player, for_ms: self.span_ms(100..=15_000) },
            Fault::Outages => IncidentKind::Outage { for_ms: self.span_ms(1_000..=20_000) },
            Fault::Bans => IncidentKind::Ban { player, for_ms: self.span_ms(100..=15_000) },
            Fault::Holds => IncidentKind::ServerHold { for_ms: self.span_ms(100..=20_000) },
            _ => IncidentKind::BadToken {
                player,
                kind: self.bad_token(fault)?,
                away_ms: self.span_ms(50..=3_000),
            },
        };
        Some(self.at_some_time(fault, what))
    }

    fn at_some_time(&mut self, fault: Fault, what: IncidentKind) -> Incident {
        let end_ms = self.settings.seconds * 1_000;
        let at = Timestamp::from_micros(self.chance.between(end_ms * 50..=end_ms * 1_000));
        Incident { at, fault, what }
    }

    fn player(&mut self) -> usize {
        usize::try_from(self.chance.below(self.settings.peers as u64)).unwrap_or(0)
    }

    fn direction(&mut self) -> Direction {
        Direction::BOTH[usize::from(self.chance.percent(50))]
    }

    /// A span of time: short ones as likely as long ones, measured by their magnitude.
    fn span_ms(&mut self, range: std::ops::RangeInclusive<u64>) -> u64 {
        let magnitudes = u64::from((range.end() / range.start()).ilog2());
        let end_ms = (range.start() << (1 + self.chance.between(0..=magnitudes))).min(*range.end());
        self.chance.between(*range.start()..=end_ms)
    }

    fn stall(&mut self, longest_ms: u64) -> Sleep {
        Sleep { for_ms: self.span_ms(50..=longest_ms), hears: true, leap_ms: 0 }
    }

    fn suspend(&mut self) -> Sleep {
        let leap_ms = if self.chance.percent(70) { self.span_ms(1_000..=10_000_000) } else { 0 };
        Sleep { for_ms: self.span_ms(500..=15_000), hears: self.chance.percent(20), leap_ms }
    }

    fn step_s(&mut self) -> i64 {
        let by_s = i64::try_from(self.span_ms(1..=10_000)).unwrap_or(1);
        if self.chance.percent(50) { by_s } else { -by_s }
    }

    fn bad_token(&mut self, fault: Fault) -> Option<TokenKind> {
        Some(match fault {
            Fault::ExpiredTokens => TokenKind::Expired,
            Fault::EarlyTokens => TokenKind::Early,
            Fault::DuplicateTokens => TokenKind::Duplicate,
            Fault::ForeignTokens => match self.chance.below(3) {
                0 => TokenKind::ForeignKey,
                1 => TokenKind::ForeignAddress,
                _ => TokenKind::ForeignAddressFirst,
            },
            _ => return None,
        })
    }
}
