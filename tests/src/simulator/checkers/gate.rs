//! Who shows a token is answered if the token is good, and only then; a bad one is refused for what is wrong with it.
//!
//! What the server gave to somebody from whom the session was taken over is bad from then on. And where somebody else may have sealed under
//! the keys of a good one, the server's sequences begin where that one's hardly are.
//!
//! Where the budget of the unproved is gone, and only then, anybody may be refused; see `budget`.

mod budget;

use std::collections::{BTreeMap, HashSet};
use std::net::SocketAddr;

use rejoin::DropReason::{
    ClientTokensFull, HandshakesFull, Malformed, PrefixBanned, RepliesFull, ResumeSpent, TokenBeforeStart,
    TokenConsumed, TokenExpired, TokenForOtherServer, TokenHistoryFull, TokenLifetime, TokenUnreadable,
    UnprovedBudget, WrongProtocol,
};
use rejoin::lifecycle::LifecycleEventKind;
use rejoin::{DropReason, Event, Prefix, SessionId, Timestamp, Verdict};

use crate::laws::{Violation, ensure};
use crate::model::Command;
use crate::netcode::kind::{CHALLENGE, DENIED, KEEP_ALIVE, PAYLOAD, REQUEST, RESPONSE, kind_of};
use crate::netcode::{Packet, open_request};
use crate::simulator::checker::{Checker, View};
use crate::simulator::payload::resume_tokens;
use crate::simulator::step::{Datagram, Happening, Reading, Step};
use crate::world::{PRIVATE_KEY, PROTOCOL_ID, server_address};
use budget::{Budget, Familiar};

const REQUEST_BYTES: usize = 1_078;
const VERSION: &[u8; 13] = b"NETCODE 1.02\0";
/// What the user data of a server's own token begins with.
const RESUME_MARK: &[u8; 8] = b"REJOINWB";
/// Where sequences begin under keys that somebody else may have used.
const DISTANT_SEQUENCE: u64 = 1 << 40;
/// The holder of a good token comes again where one of these is full. That honest ones find room is what `unaffected` says.
const FULL: [DropReason; 4] = [HandshakesFull, TokenHistoryFull, ClientTokensFull, RepliesFull];

/// Tells good tokens from bad ones, as far as the server of the present start can.
#[derive(Debug, Default)]
pub(super) struct Gate {
    starts: u64,
    /// What the server was told of the wall clock, and when by its own clock.
    wall_clock: (u64, Timestamp),
    /// The latest that the wall clock showed. What had expired by then may be forgotten, also if that clock was set back since.
    latest_unix_s: u64,
    /// What expires by then may have been used before the start.
    floor_unix_s: u64,
    /// By number on the key ring: the tokens under which a response was answered, and those under which the server has spoken since.
    answered: HashSet<usize>,
    in_use: HashSet<usize>,
    /// The tokens whose keys another server, or a former start, may have used.
    shared: HashSet<usize>,
    /// By session: its newest resume token that was sent, and the newest that was when somebody else took the session over.
    newest: BTreeMap<SessionId, ResumeToken>,
    void: BTreeMap<SessionId, ResumeToken>,
    budget: Budget,
    banned: BTreeMap<Prefix, Timestamp>,
}

/// What the server writes into a token of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct ResumeToken {
    boot: u64,
    session: SessionId,
    generation: u64,
}

impl ResumeToken {
    /// `None` if these user data are those of a backend's token.
    fn of(user_data: &[u8]) -> Option<Self> {
        let mut words = user_data.strip_prefix(RESUME_MARK)?.chunks(8).map_while(|word| word.try_into().ok());
        let mut word = || words.next().map(u64::from_le_bytes);
        let (boot, session, generation) = (word()?, SessionId::from_bits(word()?), word()?);
        Some(Self { boot, session, generation })
    }
}

/// What may become of a request.
struct Due {
    is_answered: bool,
    drops: Vec<DropReason>,
}

impl Checker for Gate {
    fn check(&mut self, step: &Step, view: &View<'_>) -> Result<(), Violation> {
        let local = view.server.local(view.now);
        let mut answers: BTreeMap<SocketAddr, usize> = BTreeMap::new();
        for happening in &step.happenings {
            match happening {
                Happening::ServerStarted => {
                    let budget = Budget::full(&view.server.plan().config, local);
                    *self = Self { starts: self.starts + 1, budget, ..Self::default() };
                }
                Happening::ServerCommanded { command: Command::BanPrefix(prefix, until), is_done: true } => {
                    self.banned.insert(*prefix, *until);
                }
                Happening::ServerCommanded { command: Command::LiftPrefixBan(prefix), .. } => {
                    self.banned.remove(prefix);
                }
                Happening::ServerWallClock { unix_s } => self.set_wall_clock(*unix_s, local, view),
                Happening::Received { datagram, reading: Reading::Server(verdict), .. } => {
                    let is_answered = *verdict == Verdict::Answered;
                    self.reckon(datagram, *verdict, local)?;
                    match datagram.bytes.first() {
                        Some(0) if *verdict != Verdict::Dropped(UnprovedBudget) => {
                            self.judge(datagram, *verdict, local, view)?;
                            *answers.entry(datagram.from).or_default() += usize::from(is_answered);
                        }
                        Some(prefix) if prefix & 0xf == RESPONSE && is_answered => {
                            self.answered.extend(view.wire.token_of_packet(&datagram.bytes));
                        }
                        _ => {}
                    }
                }
                // By a token of the backend, whose user data comes with it.
                Happening::ServerTold { event: Event::Lifecycle(event), payload }
                    if event.kind == LifecycleEventKind::Reconnected && !payload.is_empty() =>
                {
                    self.void.extend(self.newest.get(&event.session).map(|newest| (event.session, *newest)));
                }
                _ => {}
            }
        }
        for (_, packet) in view.wire.sent().iter().filter(|(_, packet)| !packet.key.is_to_server) {
            if packet.kind >= KEEP_ALIVE {
                self.spoken(packet)?;
            }
            if packet.kind == PAYLOAD {
                self.note_tokens(&packet.body);
            }
        }
        answers.into_iter().try_for_each(|(to, count)| check_answers(to, count, step, view))
    }
}

impl Gate {
    fn set_wall_clock(&mut self, unix_s: u64, local: Timestamp, view: &View<'_>) {
        let plan = view.server.plan();
        let is_first = self.latest_unix_s == 0;
        if is_first && !(self.starts == 1 && plan.first_key_is_fresh) {
            self.floor_unix_s = unix_s + u64::from(plan.config.token_lifetime_max_s) - 1;
        }
        let before = if is_first { 0 } else { self.unix_s(local) };
        self.latest_unix_s = self.latest_unix_s.max(before).max(unix_s);
        self.wall_clock = (unix_s, local);
    }

    fn unix_s(&self, local: Timestamp) -> u64 {
        let (unix_s, since) = self.wall_clock;
        unix_s + local.micros_since(since) / 1_000_000
    }

    /// The server seals a packet of a session.
    fn spoken(&mut self, packet: &Packet) -> Result<(), Violation> {
        self.in_use.insert(packet.key.token);
        let is_distant = packet.sequence >= DISTANT_SEQUENCE || !self.shared.contains(&packet.key.token);
        ensure(is_distant, || {
            format!("sequence {} under keys of a token that others may have used", packet.sequence)
        })
    }

    /// The server sends resume tokens.
    fn note_tokens(&mut self, payload: &[u8]) {
        for sent in resume_tokens(payload) {
            let head = [&[0], &VERSION[..], &PROTOCOL_ID.to_le_bytes(), &sent.expiry].concat();
            let request = open_request(PROTOCOL_ID, &PRIVATE_KEY, &[head, sent.nonce_and_private].concat());
            let Some(token) = request.and_then(|request| ResumeToken::of(&request.user_data)) else {
                continue;
            };
            let newest = self.newest.entry(token.session).or_insert(token);
            newest.generation = newest.generation.max(token.generation);
        }
    }

    /// Whether it was sent to somebody from whom the session was taken over.
    fn is_void(&self, token: &ResumeToken) -> bool {
        let void = self.void.get(&token.session);
        void.is_some_and(|void| void.boot == token.boot && token.generation <= void.generation)
    }

    /// What a datagram costs, and whether it may be refused for that.
    fn reckon(&mut self, datagram: &Datagram, verdict: Verdict, local: Timestamp) -> Result<(), Violation> {
        self.budget.pass(local);
        let familiar = match kind_of(&datagram.bytes) {
            Some(REQUEST) => self.nonce_of_own(&datagram.bytes).map(Familiar::Token),
            Some(RESPONSE) => {
                self.budget.is_challenged(datagram.from).then_some(Familiar::Address(datagram.from))
            }
            _ => None,
        };
        let came = familiar.map(|familiar| self.budget.note_familiar(familiar));
        if verdict == Verdict::Dropped(UnprovedBudget) {
            return self.budget.check_refusal(datagram, came);
        }
        self.budget.note(datagram, verdict);
        Ok(())
    }

    /// The nonce of a request's token, if this start of the server made it.
    fn nonce_of_own(&self, request: &[u8]) -> Option<[u8; 24]> {
        let token = open_request(PROTOCOL_ID, &PRIVATE_KEY, request)?;
        let resume = ResumeToken::of(&token.user_data)?;
        let is_own = self.newest.values().any(|newest| newest.boot == resume.boot);
        is_own.then_some(token.nonce)
    }

    fn judge(
        &mut self,
        datagram: &Datagram,
        verdict: Verdict,
        local: Timestamp,
        view: &View<'_>,
    ) -> Result<(), Violation> {
        let due = self.due(&datagram.bytes, self.unix_s(local), view);
        let ip = datagram.from.ip();
        let is_banned = self.banned.iter().any(|(prefix, until)| prefix.contains(ip) && local < *until);
        if is_banned || verdict == Verdict::Dropped(PrefixBanned) {
            let is_right = is_banned && verdict != Verdict::Answered;
            return ensure(is_right, || format!("{datagram}: {verdict:?}; banned there: {is_banned}"));
        }
        let fits = match verdict {
            Verdict::Answered => due.is_answered,
            Verdict::Dropped(reason) => due.drops.contains(&reason),
            Verdict::Accepted(_) => false,
        };
        ensure(fits, || {
            let Due { is_answered, drops } = due;
            format!("{datagram}: {verdict:?}; to be answered: {is_answered}, or dropped for {drops:?}")
        })
    }

    fn due(&mut self, request: &[u8], unix_s: u64, view: &View<'_>) -> Due {
        let refused = |reasons: &[DropReason]| Due { is_answered: false, drops: reasons.to_vec() };
        if request.len() != REQUEST_BYTES {
            return refused(&[Malformed]);
        }
        if request[1..14] != *VERSION || request[14..22] != PROTOCOL_ID.to_le_bytes() {
            return refused(&[WrongProtocol]);
        }
        let expiry = request[22..].first_chunk().map_or(0, |expiry| u64::from_le_bytes(*expiry));
        if expiry <= unix_s {
            return refused(&[TokenExpired]);
        }
        let Some(token) = open_request(PROTOCOL_ID, &PRIVATE_KEY, request) else {
            // One that was used is known by its end.
            return refused(&[TokenUnreadable, TokenConsumed]);
        };
        if let Some(resume) = ResumeToken::of(&token.user_data) {
            if self.is_void(&resume) && view.lifecycles.state_of(resume.session).is_some() {
                return refused(&[ResumeSpent]);
            }
            return Due { is_answered: true, drops: vec![ResumeSpent, RepliesFull] };
        }
        let number = view.wire.token_of_nonce(&token.nonce);
        let is_in = |tokens: &HashSet<usize>| number.is_some_and(|number| tokens.contains(&number));
        let (is_answered, is_in_use) = (is_in(&self.answered), is_in(&self.in_use));
        let config = &view.server.plan().config;
        let skew_s = u64::from(config.clock_skew_s);
        let is_shared = token.addresses.iter().any(|address| *address != server_address())
            || (self.floor_unix_s > 0 && expiry <= self.floor_unix_s + skew_s);
        self.shared.extend(number.filter(|_| is_shared));
        let latest = unix_s + u64::from(config.token_lifetime_max_s) + skew_s;
        let mut due = if expiry > latest {
            refused(&[TokenLifetime])
        } else if expiry <= self.floor_unix_s {
            refused(&[TokenBeforeStart])
        } else if !token.addresses.contains(&server_address()) {
            refused(&[TokenForOtherServer])
        } else if is_in_use {
            refused(&[])
        } else {
            Due { is_answered: true, drops: FULL.to_vec() }
        };
        if is_answered || is_in_use {
            due.drops.push(TokenConsumed);
        }
        if expiry <= self.latest_unix_s {
            due.drops.push(TokenBeforeStart);
        }
        due
    }
}

/// Each request that counts as answered has its challenge or its denial, in the same step.
fn check_answers(to: SocketAddr, count: usize, step: &Step, view: &View<'_>) -> Result<(), Violation> {
    let answers = view.wire.sent().iter().filter(|(place, packet)| {
        let sent = step.happenings.get(*place);
        matches!(packet.kind, DENIED | CHALLENGE)
            && matches!(sent, Some(Happening::Sent { datagram, .. }) if datagram.to == to)
    });
    let answers = answers.count();
    ensure(answers >= count, || format!("{count} requests from {to} were answered, by {answers} datagrams"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_from_before_the_session_was_taken_over_is_void_and_a_later_one_is_not() {
        let session = SessionId { index: 3, generation: 1 };
        let user_data = |boot: u64, generation: u64| {
            let words = [boot, session.to_bits(), generation].map(u64::to_le_bytes).concat();
            [&RESUME_MARK[..], &words, &[7; 32]].concat()
        };
        let token =
            |boot, generation| ResumeToken::of(&user_data(boot, generation)).expect("the mark is there");
        assert_eq!(token(5, 2), ResumeToken { boot: 5, session, generation: 2 });
        assert_eq!(ResumeToken::of(&[0x5a; 256]), None);

        let gate = Gate { void: [(session, token(5, 2))].into(), ..Gate::default() };

        assert!(gate.is_void(&token(5, 1)) && gate.is_void(&token(5, 2)));
        assert!(!gate.is_void(&token(5, 3)) && !gate.is_void(&token(6, 2)));
    }
}
