//! All laws about a world at once.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;

use rejoin::client::ClientEvent;
use rejoin::lifecycle::LifecyclePolicy;
use rejoin::{ClientId, Config, Continuity, Event, LifecycleEvent, SessionId, Timestamp};

use super::{
    AscendingTicks, Delivery, Holds, Lifecycles, TokenUse, Violation, check_addresses, check_client_counters,
    check_ledger, check_memory, check_nobody_overdue, check_not_early, check_views, ensure,
};
use crate::model::Shadow;
use crate::world::World;

/// Reads what a world's applications were told, and judges it.
///
/// Whoever sends reliable messages or latest-wins values tells it so; each that a player sends begins with
/// [`sender_tag`](Self::sender_tag).
#[derive(Clone, Debug)]
pub struct Watch {
    policy: LifecyclePolicy,
    lifecycles: Lifecycles,
    holds: Holds,
    ticks: AscendingTicks,
    tokens: TokenUse,
    /// By player: what it sent to its session.
    upward: BTreeMap<usize, Delivery>,
    /// By start of the server and session: what was sent to its player.
    downward: BTreeMap<(u64, SessionId), Delivery>,
    players: Vec<PlayerWatch>,
    /// Every address that was ever a session's path.
    addresses: BTreeSet<SocketAddr>,
    /// Identities whose messages and values are not judged.
    distrusted: BTreeSet<ClientId>,
    /// Follows the server, where the world keeps a log of it.
    shadow: Shadow,
    server_events_read: usize,
    records_read: usize,
    starts: u64,
}

#[derive(Clone, Debug, Default)]
struct PlayerWatch {
    events_read: usize,
    has_ended: bool,
    home: Home,
}

/// The session that a player's messages come from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Home {
    #[default]
    Unknown,
    Known(u64, SessionId),
    /// The server started anew while the player was on its way in: its welcome may have come from either.
    Unclear,
}

impl Watch {
    /// Watches a world whose server has these settings.
    #[must_use]
    pub fn new(config: &Config) -> Self {
        let policy = LifecyclePolicy {
            login: config.login,
            reconnect: config.reconnect_window_ms.is_some(),
            duplicate: config.duplicate_identity,
        };
        Self {
            policy,
            lifecycles: Lifecycles::new(policy),
            holds: Holds::default(),
            ticks: AscendingTicks::default(),
            tokens: TokenUse::default(),
            upward: BTreeMap::new(),
            downward: BTreeMap::new(),
            players: Vec::new(),
            addresses: BTreeSet::new(),
            distrusted: BTreeSet::new(),
            shadow: Shadow::new(config),
            server_events_read: 0,
            records_read: 0,
            starts: 0,
        }
    }

    /// What the events said about the sessions.
    #[must_use]
    pub const fn lifecycles(&self) -> &Lifecycles {
        &self.lifecycles
    }

    /// What each reliable message and each latest-wins value of this player begins with.
    #[must_use]
    pub fn sender_tag(player: usize) -> [u8; 2] {
        u16::try_from(player).unwrap_or(u16::MAX).to_le_bytes()
    }

    /// Somebody forges what is sent between this identity and its session: what arrives there may be anything.
    pub fn distrust(&mut self, client_id: ClientId) {
        self.distrusted.insert(client_id);
    }

    /// A player queued a reliable message on a lane.
    pub fn player_sent(&mut self, player: usize, lane: u8, message: &[u8]) {
        self.upward.entry(player).or_default().sent(lane, message);
    }

    /// A player gave a key a value.
    pub fn player_sent_latest(&mut self, player: usize, key: u16, value: &[u8]) {
        self.upward.entry(player).or_default().sent_latest(key, value);
    }

    /// The server queued a reliable message for a session on a lane.
    pub fn server_sent(&mut self, session: SessionId, lane: u8, message: &[u8]) {
        self.downward.entry((self.starts, session)).or_default().sent(lane, message);
    }

    /// The server gave a key of a session a value.
    pub fn server_sent_latest(&mut self, session: SessionId, key: u16, value: &[u8]) {
        self.downward.entry((self.starts, session)).or_default().sent_latest(key, value);
    }

    /// The host holds the deadlines about peers from now on, or no longer.
    pub fn deadlines_held(&mut self, now: Timestamp, hold: bool) {
        self.holds.set(now, hold);
    }

    /// The server was replaced by one without memory.
    pub fn server_restarted(&mut self) {
        self.starts += 1;
        self.lifecycles = Lifecycles::new(self.policy);
        self.holds = Holds::default();
        self.ticks = AscendingTicks::default();
        for player in &mut self.players {
            if player.home == Home::Unknown {
                player.home = Home::Unclear;
            }
        }
    }

    /// Judges what happened since it was last called. The world must be settled.
    pub fn check(&mut self, world: &World) -> Result<(), Violation> {
        while let Some((event, payload)) = world.server_events.get(self.server_events_read) {
            self.server_events_read += 1;
            self.tokens.observe(event, payload)?;
            self.check_server_event(world, event, payload)?;
        }
        self.players.resize_with(world.players.len(), PlayerWatch::default);
        for player in 0..world.players.len() {
            self.check_player(world, player)?;
        }
        self.lifecycles.check_at_rest()?;
        check_memory(&world.server)?;
        check_ledger(&world.server)?;
        world.players.iter().try_for_each(|player| check_client_counters(player.session.counters()))?;
        check_views(&world.server, &self.lifecycles)?;
        self.addresses.extend(world.server.sessions().map(|view| view.address()));
        check_addresses(&world.server, &self.addresses)?;
        check_nobody_overdue(&world.server, &self.lifecycles, &self.holds, world.now)?;
        self.check_high_waters(world)?;
        self.compare_with_model(world)
    }

    /// The server did what the reference model says since it was last called. The world must be settled.
    pub fn compare_with_model(&mut self, world: &World) -> Result<(), Violation> {
        let Some(log) = &world.server_log else { return Ok(()) };
        let records = log.records().get(self.records_read..).unwrap_or_default();
        self.records_read += records.len();
        self.shadow.follow(records)?;
        self.shadow.end(&world.server)?;
        self.shadow.check_nobody_overdue(world.now)?;
        self.shadow.check_all(&world.server)
    }

    /// Everything that was sent between a player and its session has arrived, but for what a restart of the lanes may have cost.
    pub fn check_complete(&self, player: usize, session: SessionId) -> Result<(), Violation> {
        let home = self.starts;
        let is_home = self.players.get(player).is_some_and(|watch| watch.home == Home::Known(home, session));
        let upward = self.upward.get(&player);
        let downward = self.downward.get(&(home, session)).filter(|_| is_home);
        upward.into_iter().chain(downward).try_for_each(Delivery::check_complete)
    }

    fn check_server_event(&mut self, world: &World, event: &Event, payload: &[u8]) -> Result<(), Violation> {
        match event {
            Event::Lifecycle(event) => {
                let window_ms = world.server.config().reconnect_window_ms.unwrap_or(0);
                check_not_early(event, self.lifecycles.away_since(event.session), window_ms)?;
                self.lifecycles.observe(event)?;
                self.note_restart_of_lanes(world, event);
                Ok(())
            }
            Event::Message { session, .. } | Event::Latest { session, .. }
                if self.is_distrusted(self.lifecycles.client_of(*session)) =>
            {
                self.lifecycles.observe_other(*session)
            }
            Event::Message { session, lane } => {
                self.lifecycles.observe_other(*session)?;
                let (sent, receiver) = self.sent_by(world, *session, payload)?;
                sent.received(receiver, *lane, payload).map_err(|violation| to_session(*session, &violation))
            }
            Event::Latest { session, key } => {
                self.lifecycles.observe_other(*session)?;
                let (sent, receiver) = self.sent_by(world, *session, payload)?;
                sent.received_latest(receiver, *key, payload)
                    .map_err(|violation| to_session(*session, &violation))
            }
            Event::Move { session, tick } => {
                self.lifecycles.observe_other(*session)?;
                self.ticks.accepted(*session, *tick)
            }
            Event::Datagram { session }
            | Event::HeartbeatSent { session, .. }
            | Event::HeartbeatReceived { session, .. }
            | Event::TokenReuse { session, .. } => self.lifecycles.observe_other(*session),
            _ => Ok(()),
        }
    }

    fn note_restart_of_lanes(&mut self, world: &World, event: &LifecycleEvent) {
        if event.continuity != Some(Continuity::Restarted) {
            return;
        }
        let (start, session) = (self.starts, event.session);
        if let Some(sent) = self.downward.get_mut(&(start, session)) {
            sent.restarted();
        }
        for (player, sent) in &mut self.upward {
            if world.players[*player].client_id == event.client_id {
                sent.restarted();
            }
        }
    }

    /// What the player sent from whom a session got this message or value, and who the session is as a receiver of it.
    fn sent_by(
        &mut self,
        world: &World,
        session: SessionId,
        message: &[u8],
    ) -> Result<(&mut Delivery, u64), Violation> {
        let tag = message.first_chunk().copied().unwrap_or([0xff; 2]);
        let sender = usize::from(u16::from_le_bytes(tag));
        let sender_id = world.players.get(sender).map(|player| player.client_id);
        let client_id: Option<ClientId> = self.lifecycles.client_of(session);
        ensure(sender_id == client_id, || format!("session {session} got a message of player {sender}"))?;
        let receiver = self.starts << 48 ^ session.to_bits();
        Ok((self.upward.entry(sender).or_default(), receiver))
    }

    fn is_distrusted(&self, client_id: Option<ClientId>) -> bool {
        client_id.is_some_and(|client_id| self.distrusted.contains(&client_id))
    }

    fn check_player(&mut self, world: &World, player: usize) -> Result<(), Violation> {
        let is_distrusted = self.is_distrusted(Some(world.players[player].client_id));
        let watch = &mut self.players[player];
        if watch.home == Home::Unknown
            && let Some(session) = world.players[player].session.session_id()
        {
            watch.home = Home::Known(self.starts, session);
        }
        while let Some((event, payload)) = world.players[player].events.get(watch.events_read) {
            watch.events_read += 1;
            ensure(!watch.has_ended, || format!("player {player} was told after the end: {event:?}"))?;
            match event {
                ClientEvent::Disconnected { .. } => watch.has_ended = true,
                ClientEvent::Reconnected { continuity: Continuity::Restarted } => {
                    self.upward.entry(player).or_default().restarted();
                }
                ClientEvent::Message { .. } | ClientEvent::Latest { .. } if !is_distrusted => {
                    if let Home::Known(start, session) = watch.home {
                        let sent = self.downward.entry((start, session)).or_default();
                        check_arrival(sent, player, event, payload)?;
                    }
                }
                _ => {}
            }
        }
        Ok(())
    }

    fn check_high_waters(&self, world: &World) -> Result<(), Violation> {
        for view in world.server.sessions() {
            let (seen, told) = (view.move_high_water(), self.ticks.newest(view.id()));
            ensure(seen == told, || format!("session {}: tick {seen:?}, told {told:?}", view.id()))?;
        }
        Ok(())
    }
}

fn to_session(session: SessionId, violation: &Violation) -> Violation {
    Violation::new(format!("to session {session}: {violation}"))
}

/// A player was given a message or a value.
fn check_arrival(
    sent: &mut Delivery,
    player: usize,
    event: &ClientEvent,
    payload: &[u8],
) -> Result<(), Violation> {
    let result = match event {
        ClientEvent::Message { lane } => sent.received(player as u64, *lane, payload),
        ClientEvent::Latest { key } => sent.received_latest(player as u64, *key, payload),
        _ => Ok(()),
    };
    result.map_err(|violation| Violation::new(format!("to player {player}: {violation}")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::world::config;

    fn talk(world: &mut World, watch: &mut Watch, player: usize) {
        let mut message = Watch::sender_tag(player).to_vec();
        message.push(7);
        world.players[player].session.send(0, &message).expect("room");
        watch.player_sent(player, 0, &message);
        world.run_for_ms(200);
    }

    #[test]
    fn an_ordinary_session_breaks_no_law() {
        let mut world = World::new(config(), 1);
        let mut watch = Watch::new(&config());
        let player = world.add_logged_in(1);

        talk(&mut world, &mut watch, player);

        assert_eq!(watch.check(&world), Ok(()));
        assert_eq!(watch.check_complete(player, world.session_id(player)), Ok(()));
    }

    #[test]
    fn a_message_that_comes_up_twice_is_caught() {
        let mut world = World::new(config(), 1);
        let mut watch = Watch::new(&config());
        let player = world.add_logged_in(1);
        talk(&mut world, &mut watch, player);
        let is_message = |event: &Event| matches!(event, Event::Message { .. });
        let message = world.server_events.iter().find(|(event, _)| is_message(event)).cloned();

        world.server_events.extend(message);

        assert!(watch.check(&world).is_err());
    }

    #[test]
    fn a_message_in_the_wrong_session_is_caught() {
        let mut world = World::new(config(), 1);
        let mut watch = Watch::new(&config());
        let (player, other) = (world.add_logged_in(1), world.add_logged_in(2));
        talk(&mut world, &mut watch, player);
        let other = world.session_id(other);
        for (event, _) in &mut world.server_events {
            if let Event::Message { session, .. } = event {
                *session = other;
            }
        }

        assert!(watch.check(&world).is_err());
    }
}
