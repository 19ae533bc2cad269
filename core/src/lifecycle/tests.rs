use super::*;
use std::fmt::Write as _;
use std::string::String;
use std::vec::Vec;

use Cause as C;
use LifecycleEventKind as E;
use SessionState as S;

const EXPLICIT: LifecyclePolicy =
    LifecyclePolicy { login: LoginPolicy::Explicit, reconnect: true, duplicate: DuplicateIdentity::TakeOver };
const TOKEN: LifecyclePolicy = LifecyclePolicy { login: LoginPolicy::TokenIsLogin, ..EXPLICIT };
const NO_WINDOW: LifecyclePolicy = LifecyclePolicy { reconnect: false, ..EXPLICIT };
const REJECT: LifecyclePolicy = LifecyclePolicy { duplicate: DuplicateIdentity::Reject, ..EXPLICIT };

const GOODBYE: Input = Input::Ended(DisconnectReason::PeerLeft);

/// Every input, those with a number in each of the ways the number matters.
const INPUTS: [(&str, Input); 18] = [
    ("handshake completed", Input::HandshakeCompleted),
    ("confirmed", Input::Confirmed),
    ("login requested", Input::LoginRequested { attempts_left: 1 }),
    ("login requested, no attempts left", Input::LoginRequested { attempts_left: 0 }),
    ("login accepted", Input::LoginAccepted),
    ("login rejected", Input::LoginRejected { code: 7, attempts_left: 1 }),
    ("login rejected, no attempts left", Input::LoginRejected { code: 7, attempts_left: 0 }),
    ("login deadline", Input::LoginDeadline),
    ("liveness deadline", Input::LivenessDeadline),
    ("live packet", Input::LivePacket),
    ("path taken", Input::PathTaken),
    ("path moved", Input::PathMoved),
    ("resume completed", Input::ResumeCompleted),
    ("resume confirmed", Input::ResumeConfirmed),
    ("attempt ended", Input::AttemptEnded),
    ("reconnect deadline", Input::ReconnectDeadline),
    ("backend token confirmed", Input::BackendConfirmed),
    ("ended (goodbye, command, limit)", GOODBYE),
];

fn policies() -> impl Iterator<Item = LifecyclePolicy> {
    [LoginPolicy::Explicit, LoginPolicy::TokenIsLogin].into_iter().flat_map(|login| {
        [true, false].into_iter().flat_map(move |reconnect| {
            [DuplicateIdentity::TakeOver, DuplicateIdentity::Reject]
                .into_iter()
                .map(move |duplicate| LifecyclePolicy { login, reconnect, duplicate })
        })
    })
}

fn states() -> impl Iterator<Item = Option<S>> {
    core::iter::once(None).chain(S::ALL.into_iter().map(Some))
}

fn every_pair() -> impl Iterator<Item = (Option<S>, Input, LifecyclePolicy)> {
    policies().flat_map(|policy| {
        states().flat_map(move |state| INPUTS.into_iter().map(move |(_, input)| (state, input, policy)))
    })
}

/// One row of the specification's table: what moves, and how. All other pairs must not move.
struct Row {
    from: &'static [S],
    input: Input,
    policy: fn(LifecyclePolicy) -> bool,
    path: &'static [(S, E, C)],
}

const BEFORE_LOGIN: &[S] = &[S::TransportConnected, S::LoginPending, S::LoginFailed];
const AWAY: &[S] = &[S::ReconnectPending, S::Reconnecting];
const LIVE: &[S] = &[
    S::TransportConnected,
    S::LoginPending,
    S::LoggedIn,
    S::LoginFailed,
    S::ReconnectPending,
    S::Reconnecting,
];

const fn any(_: LifecyclePolicy) -> bool {
    true
}
fn with_window(policy: LifecyclePolicy) -> bool {
    policy.reconnect
}
fn without_window(policy: LifecyclePolicy) -> bool {
    !policy.reconnect
}
fn token_is_login(policy: LifecyclePolicy) -> bool {
    policy.login == LoginPolicy::TokenIsLogin
}
fn take_over_explicit(policy: LifecyclePolicy) -> bool {
    policy.duplicate == DuplicateIdentity::TakeOver && policy.login == LoginPolicy::Explicit
}
fn take_over_token(policy: LifecyclePolicy) -> bool {
    policy.duplicate == DuplicateIdentity::TakeOver && policy.login == LoginPolicy::TokenIsLogin
}

const fn ended(reason: DisconnectReason) -> (S, E, C) {
    (S::Disconnected, E::Disconnected, C::Ended(reason))
}
const TIMED_OUT: (S, E, C) = (S::TimedOut, E::TimedOut, C::Silence);

const fn row(
    from: &'static [S],
    input: Input,
    policy: fn(LifecyclePolicy) -> bool,
    path: &'static [(S, E, C)],
) -> Row {
    Row { from, input, policy, path }
}

const TABLE: &[Row] = {
    use DisconnectReason as R;
    &[
        row(
            &[S::TransportConnected],
            Input::Confirmed,
            token_is_login,
            &[
                (S::LoginPending, E::LoginStarted, C::TokenIsLogin),
                (S::LoggedIn, E::LoginSucceeded, C::TokenIsLogin),
            ],
        ),
        row(
            &[S::TransportConnected, S::LoginFailed],
            Input::LoginRequested { attempts_left: 1 },
            any,
            &[(S::LoginPending, E::LoginStarted, C::LoginRequest)],
        ),
        row(
            &[S::TransportConnected, S::LoginFailed],
            Input::LoginRequested { attempts_left: 0 },
            any,
            &[ended(R::LoginRefused)],
        ),
        row(&[S::LoginPending], Input::LoginAccepted, any, &[(S::LoggedIn, E::LoginSucceeded, C::Accepted)]),
        row(
            &[S::LoginPending],
            Input::LoginRejected { code: 7, attempts_left: 1 },
            any,
            &[(S::LoginFailed, E::LoginFailed, C::Rejected(7))],
        ),
        row(
            &[S::LoginPending],
            Input::LoginRejected { code: 7, attempts_left: 0 },
            any,
            &[(S::LoginFailed, E::LoginFailed, C::Rejected(7)), ended(R::LoginRefused)],
        ),
        row(BEFORE_LOGIN, Input::LoginDeadline, any, &[ended(R::LoginTimeout)]),
        row(BEFORE_LOGIN, Input::LivenessDeadline, any, &[TIMED_OUT, ended(R::TimedOut)]),
        row(
            &[S::LoggedIn],
            Input::LivenessDeadline,
            with_window,
            &[TIMED_OUT, (S::ReconnectPending, E::ReconnectScheduled, C::Silence)],
        ),
        row(&[S::LoggedIn], Input::LivenessDeadline, without_window, &[TIMED_OUT, ended(R::TimedOut)]),
        row(AWAY, Input::LivePacket, any, &[(S::LoggedIn, E::Reconnected, C::Revived)]),
        row(AWAY, Input::PathMoved, any, &[(S::LoggedIn, E::Reconnected, C::Revived)]),
        row(
            &[S::LoggedIn],
            Input::PathTaken,
            with_window,
            &[(S::ReconnectPending, E::ReconnectScheduled, C::PathTaken)],
        ),
        row(&[S::LoggedIn], Input::PathTaken, without_window, &[ended(R::PathTaken)]),
        row(BEFORE_LOGIN, Input::PathTaken, any, &[ended(R::PathTaken)]),
        row(
            &[S::ReconnectPending],
            Input::ResumeCompleted,
            any,
            &[(S::Reconnecting, E::ReconnectStarted, C::ResumeHandshake)],
        ),
        row(&[S::LoggedIn], Input::ResumeConfirmed, any, &[(S::LoggedIn, E::Reconnected, C::TakenOver)]),
        row(AWAY, Input::ResumeConfirmed, any, &[(S::LoggedIn, E::Reconnected, C::Resumed)]),
        row(
            &[S::Reconnecting],
            Input::AttemptEnded,
            any,
            &[(S::ReconnectPending, E::ReconnectScheduled, C::AttemptUnconfirmed)],
        ),
        row(AWAY, Input::ReconnectDeadline, any, &[ended(R::ReconnectExpired)]),
        row(BEFORE_LOGIN, Input::BackendConfirmed, any, &[ended(R::Superseded)]),
        row(
            &[S::LoggedIn, S::ReconnectPending, S::Reconnecting],
            Input::BackendConfirmed,
            take_over_explicit,
            &[ended(R::Superseded)],
        ),
        row(
            &[S::LoggedIn],
            Input::BackendConfirmed,
            take_over_token,
            &[(S::LoggedIn, E::Reconnected, C::TakenOver)],
        ),
        row(AWAY, Input::BackendConfirmed, take_over_token, &[(S::LoggedIn, E::Reconnected, C::Resumed)]),
        row(LIVE, GOODBYE, any, &[ended(R::PeerLeft)]),
    ]
};

fn path_of(step: Step) -> Vec<(S, E, C)> {
    step.edges().map(|edge| (edge.to, edge.event, edge.cause)).collect()
}

#[test]
fn every_pair_of_state_and_input_does_what_the_table_says_and_nothing_else() {
    let mut pairs = 0;
    for (state, input, policy) in every_pair() {
        let expected = match state {
            None if input == Input::HandshakeCompleted => {
                std::vec![(S::TransportConnected, E::TransportConnected, C::Handshake)]
            }
            None => Vec::new(),
            Some(state) => TABLE
                .iter()
                .find(|row| row.from.contains(&state) && row.input == input && (row.policy)(policy))
                .map(|row| row.path.to_vec())
                .unwrap_or_default(),
        };
        assert_eq!(path_of(step(state, input, policy)), expected, "{state:?} + {input:?} under {policy:?}");
        pairs += 1;
    }
    assert_eq!(pairs, 8 * 9 * 18);
}

#[test]
fn commands_that_do_not_fit_are_refused_and_other_inputs_are_never_errors() {
    for (state, input, policy) in every_pair() {
        let refused = step(state, input, policy) == Step::Refused;
        let command = matches!(input, Input::LoginAccepted | Input::LoginRejected { .. });
        let fits = state == Some(S::LoginPending);
        assert_eq!(refused, command && !fits && state.is_some(), "{state:?} + {input:?}");
    }
}

#[test]
fn no_session_rests_in_timed_out() {
    for (state, input, policy) in every_pair() {
        if let Some(last) = step(state, input, policy).edges().last() {
            assert_ne!(last.to, S::TimedOut, "{state:?} + {input:?}");
        }
    }
}

#[test]
fn what_brings_bytes_with_it_is_told_in_one_event_at_most() {
    let brings_bytes = |input: &Input| {
        matches!(
            input,
            Input::HandshakeCompleted
                | Input::LoginRequested { .. }
                | Input::BackendConfirmed
                | Input::Ended(_)
        )
    };
    for (state, input, policy) in every_pair().filter(|(_, input, _)| brings_bytes(input)) {
        let told = path_of(step(state, input, policy));
        assert!(told.len() <= 1, "{state:?} {input:?} {policy:?}: {told:?} would have the bytes twice");
    }
}

#[test]
fn nothing_leaves_disconnected() {
    for (_, input) in INPUTS {
        for policy in policies() {
            assert_eq!(step(Some(S::Disconnected), input, policy).edges().count(), 0);
        }
    }
}

#[test]
fn disconnected_is_reached_only_with_its_event_and_a_reason() {
    for (state, input, policy) in every_pair() {
        for edge in step(state, input, policy).edges() {
            let ends = edge.to == S::Disconnected;
            assert_eq!(ends, edge.event == E::Disconnected);
            assert_eq!(ends, matches!(edge.cause, C::Ended(_)));
        }
    }
}

#[test]
fn no_backend_token_skips_an_explicit_login() {
    for (state, input, policy) in every_pair() {
        if policy.login == LoginPolicy::Explicit && !state.is_some_and(S::is_logged_in) {
            let logged_in = step(state, input, policy).edges().any(|edge| edge.to == S::LoggedIn);
            assert!(!logged_in || input == Input::LoginAccepted, "{state:?} + {input:?}");
        }
    }
}

/// The matrix as the docs show it.
fn matrix() -> String {
    let mut text = String::new();
    let tables = [
        ("Explicit login, a reconnect window, take-over", EXPLICIT),
        ("The token is the login", TOKEN),
        ("No reconnect window", NO_WINDOW),
        ("A duplicate identity is rejected", REJECT),
    ];
    for (index, (title, policy)) in tables.into_iter().enumerate() {
        let _ = writeln!(text, "## {title}\n");
        if index > 0 {
            text.push_str("Only the inputs whose row differs from the first table.\n\n");
        }
        text.push_str("| input | – |");
        for state in S::ALL {
            let _ = write!(text, " `{state}` |");
        }
        text.push_str("\n|---|---|");
        text.push_str(&"---|".repeat(S::ALL.len()));
        text.push('\n');
        for (name, input) in INPUTS {
            let row = states().map(|state| cell(step(state, input, policy)));
            let same = states().all(|state| step(state, input, policy) == step(state, input, EXPLICIT));
            if index > 0 && same {
                continue;
            }
            let _ = write!(text, "| {name} |");
            for cell in row {
                let _ = write!(text, " {cell} |");
            }
            text.push('\n');
        }
        text.push('\n');
    }
    text
}

fn cell(step: Step) -> String {
    let mut text = String::new();
    for edge in step.edges() {
        if !text.is_empty() {
            text.push(' ');
        }
        let _ = match edge.cause {
            C::Ended(reason) => write!(text, "→ `Disconnected` (`{reason:?}`)"),
            cause => write!(text, "→ `{}` (`{:?}`, `{cause:?}`)", edge.to, edge.event),
        };
    }
    match step {
        Step::Stay => "stay".into(),
        Step::Ignored => "ignored".into(),
        Step::Refused => "*refused*".into(),
        Step::Go(_) | Step::Through(..) => text,
    }
}

#[test]
fn the_published_matrix_is_what_the_function_does() {
    let published = include_str!("matrix.md");
    let actual = matrix();
    if published != actual {
        std::println!("{actual}");
    }
    assert_eq!(published, actual, "core/src/lifecycle/matrix.md must hold what is printed above");
}
