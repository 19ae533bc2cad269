//! A model beside a server, from step to step.

use std::collections::BTreeSet;
use std::net::SocketAddr;

use rejoin::{ClientId, Config, DropReason, Event, MultiSessionManager, Timestamp, Verdict};

use super::path::Packet;
use super::reader::Reader;
use super::session::TokenId;
use super::{Command, Model};
use crate::laws::{Violation, ensure};
use crate::netcode::header;
use crate::netcode::kind::PAYLOAD;
use crate::world::{PRIVATE_KEY, Record};

/// Follows one server, over its restarts, and says where it does not do what it must.
///
/// Of each step it is first told all events ([`begin`](Self::begin)), then everything in order, with the time that the host's clock showed.
/// At the [`end`](Self::end) of the step the two are compared. A step may be long; at its end all output must have been polled.
#[derive(Clone, Debug)]
pub struct Shadow {
    rules: Config,
    reader: Reader,
    /// Nothing while the server does not run.
    model: Option<Model>,
    /// Everywhere and everybody that a server's session ever had to do with.
    addresses: BTreeSet<SocketAddr>,
    clients: BTreeSet<ClientId>,
}

impl Shadow {
    /// A server with these settings, which does not run yet.
    #[must_use]
    pub fn new(rules: &Config) -> Self {
        Self {
            reader: Reader::new(rules.protocol_id, PRIVATE_KEY),
            rules: rules.clone(),
            model: None,
            addresses: BTreeSet::new(),
            clients: BTreeSet::new(),
        }
    }

    /// Follows what a world wrote down of its server.
    pub fn follow(&mut self, records: &[(Timestamp, Record)]) -> Result<(), Violation> {
        for step in records.chunk_by(|_, (_, next)| !matches!(next, Record::Started)) {
            self.begin_recorded(step)?;
            step.iter().try_for_each(|(now, record)| self.follow_record(*now, record))?;
        }
        Ok(())
    }

    fn begin_recorded(&mut self, step: &[(Timestamp, Record)]) -> Result<(), Violation> {
        if let Some((now, Record::Started)) = step.first() {
            self.server_stopped()?;
            self.server_started(*now);
        }
        let told = step.iter().filter_map(|(_, record)| match record {
            Record::Told(event) => Some(event),
            _ => None,
        });
        let verdicts = step.iter().filter_map(|(_, record)| match record {
            Record::Received(_, verdict) => Some(*verdict),
            _ => None,
        });
        self.begin(told, &verdicts);
        Ok(())
    }

    fn follow_record(&mut self, now: Timestamp, record: &Record) -> Result<(), Violation> {
        match record {
            // The step begins with it.
            Record::Started => Ok(()),
            Record::Late(micros) => self.late(now, *micros),
            Record::Received(datagram, verdict) => {
                self.received(now, datagram.from, &datagram.bytes, *verdict)
            }
            Record::Fired => self.fired(now),
            Record::Commanded(command, is_done) => self.commanded(now, *command, *is_done),
            Record::Told(event) => self.told(event),
            Record::Sent(datagram) => self.sent(now, datagram.to, &datagram.bytes),
        }
    }

    /// A server without memory starts.
    pub fn server_started(&mut self, now: Timestamp) {
        self.model = Some(Model::new(self.rules.clone(), now));
    }

    /// The server is gone. Before that it has told what had to be told.
    pub fn server_stopped(&mut self) -> Result<(), Violation> {
        self.model.take().map_or(Ok(()), |mut model| model.check_all_told())
    }

    /// A step begins, in which the application will be told this, and datagrams get these verdicts.
    pub fn begin<'a>(
        &mut self,
        told: impl Iterator<Item = &'a Event>,
        verdicts: &(impl Iterator<Item = Verdict> + Clone),
    ) {
        let Some(model) = &mut self.model else { return };
        model.told.extend(told.filter(|event| {
            matches!(event, Event::Lifecycle(_) | Event::Stalled { .. } | Event::PathMoved { .. })
        }));
        model.find_leavers(verdicts);
    }

    /// The host comes so much later than it was asked to.
    pub fn late(&mut self, now: Timestamp, micros: u64) -> Result<(), Violation> {
        self.model.as_mut().map_or(Ok(()), |model| model.note_late(now, micros))
    }

    /// The server read a datagram.
    pub fn received(
        &mut self,
        now: Timestamp,
        from: SocketAddr,
        datagram: &[u8],
        verdict: Verdict,
    ) -> Result<(), Violation> {
        let Some(model) = &mut self.model else { return Ok(()) };
        model.move_to(now)?;
        let finds_room = verdict == Verdict::Answered;
        let is_answered = matches!(verdict, Verdict::Answered | Verdict::Dropped(DropReason::RepliesFull));
        match datagram.first().map(|prefix| prefix & 0xf) {
            Some(0) if is_answered => {
                let token = self.reader.request(from, datagram);
                let token = token.ok_or_else(|| Violation::new("a request without a token was answered"))?;
                self.clients.insert(token.client_id);
                model.request(&token, finds_room);
                Ok(())
            }
            Some(0) if verdict == Verdict::Dropped(DropReason::ResumeSpent) => {
                let token = self.reader.request(from, datagram);
                let token = token.ok_or_else(|| Violation::new("a request without a token was read"))?;
                model.spent_token(&token);
                Ok(())
            }
            Some(3) if is_answered => {
                let token = self.reader.token_of_response(from, datagram);
                let token = token.ok_or_else(|| {
                    Violation::new(format!("a response from {from} was taken, under no token shown there"))
                })?;
                let sequence = header(datagram).map_or(0, |(_, sequence, _)| sequence);
                self.addresses.insert(from);
                model.response(from, sequence, &token, finds_room)
            }
            Some(_) if says_something(verdict) => self.received_in_session(from, datagram, verdict),
            _ => Ok(()),
        }
    }

    fn received_in_session(
        &mut self,
        from: SocketAddr,
        datagram: &[u8],
        verdict: Verdict,
    ) -> Result<(), Violation> {
        let Some((model, (kind, sequence, _))) = self.model.as_mut().zip(header(datagram)) else {
            return Ok(());
        };
        let is_under = |token: TokenId| self.reader.is_sealed_under(token, datagram);
        let on_trial = model.on_trial_at(from).map(|(_, session)| session.path.token);
        let token = match model.tokens_at(from) {
            (Some(path), Some(waiting)) => Some(if is_under(path) { path } else { waiting }),
            (Some(path), None) => Some(path),
            (None, waiting) => on_trial.filter(|token| is_under(*token)).or(waiting),
        };
        let token = token.or_else(|| {
            let mut candidates = model.may_have_moved(from, sequence).into_iter();
            let (session, token) = candidates.find(|(_, token)| is_under(*token))?;
            model.put_on_trial(session, from);
            self.addresses.insert(from);
            Some(token)
        });
        let is_refused = matches!(verdict, Verdict::Dropped(_));
        ensure(token.is_some() || is_refused, || format!("from {from}, where nobody is: {verdict:?}"))?;
        model.note_accepted(verdict);
        let Some(token) = token else { return Ok(()) };
        let bytes = datagram.len();
        let path_responses = if model.is_anybody_asked(token) {
            self.reader.path_responses(token, datagram)
        } else {
            Vec::new()
        };
        model.packet(&Packet { from, token, kind, sequence, bytes, path_responses, verdict })
    }

    /// The server sent a datagram.
    pub fn sent(&mut self, now: Timestamp, to: SocketAddr, datagram: &[u8]) -> Result<(), Violation> {
        let Some(model) = self.model.as_mut().filter(|_| may_be_challenge(datagram)) else { return Ok(()) };
        model.move_to(now)?;
        for (session, token) in model.asked_at(to) {
            if let Some(value) = self.reader.path_challenge(token, datagram) {
                return model.challenge(session, to, value, datagram.len() as u64);
            }
        }
        Ok(())
    }

    /// The host let fire what was due.
    pub fn fired(&mut self, now: Timestamp) -> Result<(), Violation> {
        let Some(model) = &mut self.model else { return Ok(()) };
        model.move_to(now)?;
        model.fire();
        Ok(())
    }

    /// The application or the host asked for something, which the server did or refused.
    pub fn commanded(&mut self, now: Timestamp, command: Command, is_done: bool) -> Result<(), Violation> {
        let Some(model) = &mut self.model else { return Ok(()) };
        model.move_to(now)?;
        model.command(command, is_done)
    }

    /// The application is told something.
    pub fn told(&mut self, event: &Event) -> Result<(), Violation> {
        self.model.as_mut().map_or(Ok(()), |model| model.hear(event))
    }

    /// The step is over: what had to be told was told, and whatever it touched is as it must be.
    pub fn end(&mut self, server: &MultiSessionManager) -> Result<(), Violation> {
        let Some(model) = &mut self.model else { return Ok(()) };
        model.check_all_told()?;
        model.check_reuses(server)?;
        model.compare_touched(server)
    }

    /// Everything is as it must be.
    pub fn check_all(&self, server: &MultiSessionManager) -> Result<(), Violation> {
        let Some(model) = &self.model else { return Ok(()) };
        model.compare_all(server, self.addresses.iter(), self.clients.iter())
    }

    /// The host is there, its clock shows `local`, and it has let fire whatever it was asked to: no deadline has passed.
    pub fn check_nobody_overdue(&mut self, local: Timestamp) -> Result<(), Violation> {
        self.model.as_mut().map_or(Ok(()), |model| model.check_nobody_overdue(local))
    }
}

/// Whether a datagram of the server's is as long as a path challenge alone, and of its kind.
#[must_use]
pub fn may_be_challenge(datagram: &[u8]) -> bool {
    header(datagram).is_some_and(|(kind, _, body)| kind == PAYLOAD && datagram.len() == body + 9 + 16)
}

/// Whether a packet with this verdict was opened, or may have been.
const fn says_something(verdict: Verdict) -> bool {
    use DropReason::{
        BadHello, BeforeHello, EventsFull, NoLongerWelcome, SessionBudget, SessionMemory, Violation,
    };
    matches!(
        verdict,
        Verdict::Accepted(_)
            | Verdict::Dropped(
                BadHello
                    | BeforeHello
                    | EventsFull
                    | NoLongerWelcome
                    | SessionBudget
                    | SessionMemory
                    | Violation
            )
    )
}
