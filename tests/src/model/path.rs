//! Packets of sessions: signs of life, what they hold, and the first ones under new keys.

use std::net::SocketAddr;

use rejoin::lifecycle::{Cause, DisconnectReason, LifecycleEventKind as Kind, LoginPolicy, SessionState};
use rejoin::{Continuity, DropReason, DuplicateIdentity, Event, LifecycleEvent, SessionId, Verdict};

use super::Model;
use super::session::{Attempt, Origin, Path, TokenId};
use crate::laws::{Violation, ensure};
use crate::netcode::kind::{DISCONNECT, PAYLOAD};

/// Take-overs are counted for so long, in microseconds.
const TAKE_OVERS_WITHIN_MICROS: u64 = 60_000_000;

/// A packet of a session, as it looks from outside.
#[derive(Clone, Debug)]
pub(super) struct Packet {
    pub(super) from: SocketAddr,
    pub(super) token: TokenId,
    pub(super) kind: u8,
    pub(super) sequence: u64,
    pub(super) bytes: usize,
    /// The answers to path challenges in it, as far as they matter.
    pub(super) path_responses: Vec<u64>,
    pub(super) verdict: Verdict,
}

impl Packet {
    fn is_dropped_for(&self, reasons: &[DropReason]) -> bool {
        matches!(self.verdict, Verdict::Dropped(reason) if reasons.contains(&reason))
    }
}

impl Model {
    /// Under which tokens a packet from here may be sealed: that of the path, and that of the handshake which waits for its first one.
    pub(super) fn tokens_at(&self, from: SocketAddr) -> (Option<TokenId>, Option<TokenId>) {
        let session = |id: &SessionId| self.sessions.get(id);
        let path = self.paths.get(&from).and_then(session).map(|session| session.path.token);
        let waiting = self.waiting.get(&from).and_then(session).and_then(|session| match &session.attempt {
            Some(attempt) if attempt.path.address == from => Some(attempt.path.token),
            _ => session.waits_at(from).then_some(session.path.token),
        });
        (path, waiting)
    }

    /// A packet arrives that may belong to a session.
    pub(super) fn packet(&mut self, packet: &Packet) -> Result<(), Violation> {
        let (path, _) = self.tokens_at(packet.from);
        if let Some((id, _)) = self.on_trial_at(packet.from).filter(|(_, it)| it.path.token == packet.token) {
            self.packet_on_path(id, packet);
            return Self::check_owner(id, packet);
        }
        let holders = if path == Some(packet.token) { &self.paths } else { &self.waiting };
        let Some(id) = holders.get(&packet.from).copied() else {
            let is_dropped = matches!(packet.verdict, Verdict::Dropped(_));
            return ensure(is_dropped, || {
                format!("from {}, where nobody is: {:?}", packet.from, packet.verdict)
            });
        };
        let owner = if path == Some(packet.token) {
            self.packet_on_path(id, packet);
            id
        } else {
            self.first_packet(id, packet)?
        };
        Self::check_owner(owner, packet)
    }

    fn check_owner(owner: SessionId, packet: &Packet) -> Result<(), Violation> {
        let is_right = !matches!(packet.verdict, Verdict::Accepted(said) if said != owner);
        ensure(is_right, || format!("a packet of session {owner} from {}: {:?}", packet.from, packet.verdict))
    }

    fn packet_on_path(&mut self, id: SessionId, packet: &Packet) {
        use DropReason::{BadHello, BeforeHello, EventsFull, SessionBudget, SessionMemory, Violation};
        let is_opened = matches!(packet.verdict, Verdict::Accepted(_))
            || packet.is_dropped_for(&[
                BadHello,
                BeforeHello,
                EventsFull,
                SessionBudget,
                SessionMemory,
                Violation,
            ]);
        let Some(session) = self.sessions.get_mut(&id).filter(|_| is_opened) else { return };
        let is_newest = session.path.note(packet.sequence);
        let is_on_trial = session.trial.as_ref().is_some_and(|trial| trial.is_at(packet.from));
        if is_on_trial {
            self.packet_on_trial(id, packet.bytes, is_newest);
        }
        if packet.kind == DISCONNECT {
            self.end(id, DisconnectReason::PeerLeft);
            return;
        }
        if is_newest && !is_on_trial {
            self.lives(id);
        }
        self.make_room(id);
        if matches!(packet.verdict, Verdict::Accepted(_)) || packet.is_dropped_for(&[Violation]) {
            let is_sure = matches!(packet.verdict, Verdict::Accepted(_));
            self.responses(id, &packet.path_responses, is_sure);
        }
        self.take_content(id, packet);
    }

    /// A session that had memory of the pool for too long ends where another one needs it. Who has how much is sealed.
    fn make_room(&mut self, for_whom: SessionId) {
        let held = Cause::Ended(DisconnectReason::MemoryHeld);
        let told = self.next_told().filter(|told| told.cause == held && told.session != for_whom);
        let Some(holder) = told.map(|told| told.session) else { return };
        let since = self.sessions.get(&holder).map(|session| session.since);
        let may_hold_until = since.map(|since| since.plus_millis(self.rules.pool_grant_ms.into()));
        if may_hold_until.is_some_and(|until| until <= self.now) {
            self.end(holder, DisconnectReason::MemoryHeld);
        }
    }

    /// A sign of life: the time for silence begins anew, and who was away on this path is back.
    fn lives(&mut self, id: SessionId) {
        let (now, Some(timeout_micros)) =
            (self.now, self.sessions.get(&id).map(|session| session.timeout_micros))
        else {
            return;
        };
        let silence = self.deadline(timeout_micros);
        let Some(session) = self.sessions.get_mut(&id) else { return };
        (session.last_live, session.silence) = (now, silence);
        if session.state.is_away() {
            self.comes_back(id, Cause::Revived, Continuity::Kept);
        }
        self.touched.push(id);
    }

    /// What a payload holds is sealed; what is told next says whether it asks for a login, or says goodbye.
    fn take_content(&mut self, id: SessionId, packet: &Packet) {
        if packet.kind == PAYLOAD {
            while let Some(cause) = self.next_told_cause(id) {
                let state = self.sessions.get(&id).map(|session| session.state);
                match (cause, state) {
                    (
                        Cause::LoginRequest,
                        Some(SessionState::TransportConnected | SessionState::LoginFailed),
                    ) => {
                        self.login_starts(id, cause);
                    }
                    (Cause::Ended(DisconnectReason::PeerLeft), Some(_))
                        if self.leavers.get(&id) == Some(&0) =>
                    {
                        self.end(id, DisconnectReason::PeerLeft);
                    }
                    _ => break,
                }
            }
        }
        if packet.is_dropped_for(&[DropReason::Violation]) {
            self.count_violation(id);
        }
    }

    /// Of several payloads of a step the last one that is accepted holds the goodbye: how many are before it, of each who leaves.
    pub(super) fn find_leavers(&mut self, verdicts: &(impl Iterator<Item = Verdict> + Clone)) {
        self.leavers.clear();
        for event in &self.told {
            if let Event::Lifecycle(LifecycleEvent { session, cause, .. }) = event
                && *cause == Cause::Ended(DisconnectReason::PeerLeft)
            {
                let accepted = verdicts.clone().filter(|it| *it == Verdict::Accepted(*session));
                self.leavers.insert(*session, accepted.count());
            }
        }
    }

    pub(super) fn note_accepted(&mut self, verdict: Verdict) {
        if let Verdict::Accepted(session) = verdict
            && let Some(to_come) = self.leavers.get_mut(&session)
        {
            *to_come = to_come.saturating_sub(1);
        }
    }

    fn next_told_cause(&self, id: SessionId) -> Option<Cause> {
        let told = self.next_told().filter(|told| told.session == id && told.at == self.now);
        told.map(|told| told.cause)
    }

    fn count_violation(&mut self, id: SessionId) {
        let violations_max = self.rules.violations_max;
        let Some(session) = self.sessions.get_mut(&id) else { return };
        session.violations += 1;
        if session.violations > violations_max {
            self.end(id, DisconnectReason::ProtocolViolation);
        }
    }
}

/// The first packets under new keys.
impl Model {
    /// A packet under keys that wait for their first one. Says which session it belongs to in the end.
    fn first_packet(&mut self, id: SessionId, packet: &Packet) -> Result<SessionId, Violation> {
        use DropReason::{BadHello, BeforeHello, NoLongerWelcome, SessionMemory, Violation};
        let is_accepted = matches!(packet.verdict, Verdict::Accepted(_));
        if is_accepted
            || packet.is_dropped_for(&[BadHello, BeforeHello, NoLongerWelcome, SessionMemory, Violation])
        {
            self.note_first(id, packet);
        }
        if is_accepted && packet.kind == DISCONNECT {
            self.waiting_peer_leaves(id, packet.from);
            return Ok(id);
        }
        if !is_accepted && !packet.is_dropped_for(&[NoLongerWelcome, SessionMemory, Violation]) {
            return Ok(id);
        }
        let is_attempt =
            self.sessions.get_mut(&id).is_some_and(|session| session.attempt_at(packet.from).is_some());
        let owner = if is_attempt {
            self.confirm_attempt(id)?
        } else {
            self.confirm_first(id, packet.from);
            Some(id)
        };
        let is_welcome = !packet.is_dropped_for(&[NoLongerWelcome]);
        ensure(is_welcome == owner.is_some(), || {
            format!("a handshake of session {id} is confirmed from {}: {:?}", packet.from, packet.verdict)
        })?;
        let Some(owner) = owner else { return Ok(id) };
        self.lives(owner);
        self.make_room(owner);
        self.take_content(owner, packet);
        Ok(owner)
    }

    fn note_first(&mut self, id: SessionId, packet: &Packet) {
        let Some(session) = self.sessions.get_mut(&id) else { return };
        match session.attempt_at(packet.from) {
            Some(attempt) => attempt.path.note(packet.sequence),
            None => session.path.note(packet.sequence),
        };
    }

    /// The handshake that began a session is confirmed; where the token is the login that is one.
    fn confirm_first(&mut self, id: SessionId, from: SocketAddr) {
        self.stop_waiting(from, id);
        if let Some(session) = self.sessions.get_mut(&id) {
            session.is_confirmed = true;
        }
        self.take_path(from, id);
        let is_new = self.sessions.get(&id).is_some_and(|it| it.state == SessionState::TransportConnected);
        if is_new && self.rules.login == LoginPolicy::TokenIsLogin {
            self.login_starts(id, Cause::TokenIsLogin);
            self.logs_in(id, Cause::TokenIsLogin);
        }
    }

    /// A later handshake is confirmed. Says which session goes on with it; none if it is not welcome any more.
    fn confirm_attempt(&mut self, id: SessionId) -> Result<Option<SessionId>, Violation> {
        let origin = self.sessions.get(&id).and_then(|session| session.attempt.as_ref()).map(|it| it.origin);
        let continuity = match origin {
            Some(Origin::Resume { .. }) => self.told_continuity(id),
            _ => Continuity::Restarted,
        };
        if self.is_contested(id, continuity) {
            self.end(id, DisconnectReason::Contested);
            return Ok(None);
        }
        let Some(attempt) = self.forget_attempt(id) else { return Ok(None) };
        match attempt.origin {
            Origin::Resume { generation, .. } => {
                if let Some(session) = self.sessions.get_mut(&id) {
                    session.confirmed = session.confirmed.max(generation);
                }
                self.move_in(id, attempt.path);
                self.comes_back(id, self.cause_of_return(id), continuity);
                Ok(Some(id))
            }
            Origin::Backend { timeout_s } => self.confirm_newcomer(id, &attempt, timeout_s),
        }
    }

    /// Somebody with a newer token of the backend is here.
    fn confirm_newcomer(
        &mut self,
        id: SessionId,
        attempt: &Attempt,
        timeout_s: i32,
    ) -> Result<Option<SessionId>, Violation> {
        let Some(session) = self.sessions.get(&id) else { return Ok(None) };
        let (client_id, is_logged_in) = (session.client_id, session.state.is_logged_in());
        let timeout_micros = self.timeout_micros(timeout_s);
        if is_logged_in && self.rules.duplicate_identity == DuplicateIdentity::Reject {
            return Ok(None);
        }
        if is_logged_in && self.rules.login == LoginPolicy::TokenIsLogin {
            self.comes_back(id, self.cause_of_return(id), Continuity::Restarted);
            if let Some(session) = self.sessions.get_mut(&id) {
                session.timeout_micros = timeout_micros;
            }
            self.move_in(id, attempt.path);
            return Ok(Some(id));
        }
        self.end(id, DisconnectReason::Superseded);
        let newcomer = self.open(client_id, attempt.path, timeout_micros)?;
        self.confirm_first(newcomer, attempt.path.address);
        Ok(Some(newcomer))
    }

    fn cause_of_return(&self, id: SessionId) -> Cause {
        let is_away = self.sessions.get(&id).is_some_and(|session| session.state.is_away());
        if is_away { Cause::Resumed } else { Cause::TakenOver }
    }

    /// Whether the lanes go on, which the hello says, which is sealed. One who is turned away had nothing to go on with.
    fn told_continuity(&self, id: SessionId) -> Continuity {
        let told = self.told_now().find(|told| told.session == id && told.kind == Kind::Reconnected);
        told.and_then(|told| told.continuity).unwrap_or(Continuity::Restarted)
    }

    /// Two who hold the tokens of one identity take a living path from each other, once too often.
    fn is_contested(&mut self, id: SessionId, continuity: Continuity) -> bool {
        let (now, heartbeat_micros) = (self.now, u64::from(self.rules.heartbeat_ms) * 1_000);
        let Some(session) = self.sessions.get_mut(&id) else { return false };
        let is_alive =
            !session.state.is_away() && now.micros_since(session.last_live) <= 2 * heartbeat_micros;
        if continuity == Continuity::Kept || !is_alive {
            return false;
        }
        session.take_overs.retain(|at| now.micros_since(*at) <= TAKE_OVERS_WITHIN_MICROS);
        session.take_overs.push(now);
        session.take_overs.len() > self.rules.take_overs_max as usize
    }

    /// A session goes on on another path.
    fn move_in(&mut self, id: SessionId, path: Path) {
        let Some(session) = self.sessions.get_mut(&id) else { return };
        let former = std::mem::replace(&mut session.path, path);
        session.trial = None;
        session.is_confirmed = true;
        if self.paths.get(&former.address) == Some(&id) {
            self.paths.remove(&former.address);
        }
        self.stop_waiting(former.address, id);
        self.take_path(path.address, id);
    }

    /// Whoever had this path loses it.
    fn take_path(&mut self, address: SocketAddr, id: SessionId) {
        self.end_trial_at(address);
        if let Some(displaced) = self.paths.insert(address, id).filter(|displaced| *displaced != id) {
            self.path_taken(displaced);
            self.attempt_counts(displaced);
        }
    }
}
