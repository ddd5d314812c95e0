//! `hello` and `welcome`: a live session begins, or goes on.

use std::{net::IpAddr, sync::Arc};

use macula_proto::{
    ErrorCode, Problem,
    frame::{self, ClientFrame, Flag, GatewayFrame, Numbers, Refusal, Report, Welcome},
    timestamp::rfc3339,
};
use tokio::time::Instant;

use super::{
    link::{Link, expired},
    lives::{Lives, still_there},
    session::Live,
};
use crate::{
    api::{
        Gateway,
        principal::{Principal, unauthenticated},
        sessions::open_for,
    },
    session::Session,
};

/// Who connects, as far as the request tells.
#[derive(Debug, Clone)]
pub struct Guest {
    /// Who asked: `hello` may name another.
    pub principal: Principal,
    /// The address.
    pub peer: IpAddr,
}

/// A session that has begun, or goes on.
pub(super) struct Begun {
    pub(super) live: Arc<Live>,
    /// What is sent before anything else: `welcome`, and answers that were lost.
    pub(super) first: Vec<GatewayFrame>,
}

/// Begins or resumes a session on a transport.
///
/// # Errors
/// `invalid_request` for any other frame; `unauthenticated` and `session_expired` as the API has them;
/// `overloaded` when there is no room.
pub(super) fn begin(
    gateway: &Arc<Gateway>,
    guest: &Guest,
    frame: Result<ClientFrame, Refusal>,
    link: &Arc<Link>,
) -> Result<Begun, Problem> {
    let hello = match frame.map_err(|refusal| Problem::from(refusal.fault))? {
        ClientFrame::Hello(hello) => hello,
        other => {
            let detail = format!("expected `hello` first, found `{}`", other.kind());
            return Err(Problem::new(ErrorCode::InvalidRequest, detail));
        }
    };
    let (session, token) = session(gateway, guest, &hello)?;
    let (live, resumed) = match hello.resume {
        None => (Lives::open(gateway, &session, Arc::clone(link))?, None),
        Some(_) if token.is_some() => {
            return Err(unauthenticated(
                "expected the token of the session to resume",
            ));
        }
        Some(resume) => {
            let live = gateway.lives.find(&resume.session, &session)?;
            let resumed = live.resume(&resume, Arc::clone(link))?;
            still_there(gateway, &live)?;
            (live, Some(resumed))
        }
    };
    let mut welcome = welcome(gateway, &live, token);
    let mut first = Vec::new();
    if let Some((answers, unknown)) = resumed {
        welcome.resumed = Flag(true);
        welcome.unknown = (!unknown.is_empty()).then(|| Box::new(Numbers(unknown)));
        first = answers;
    }
    first.insert(0, welcome.into());
    Ok(Begun { live, first })
}

/// The session that the client means, and its token if it was opened for it.
fn session(
    gateway: &Gateway,
    guest: &Guest,
    hello: &frame::Hello,
) -> Result<(Arc<Session>, Option<Arc<str>>), Problem> {
    let session = match (&hello.token, &guest.principal) {
        (Some(token), _) => gateway.sessions.find(token, Instant::now())?,
        (None, Principal::Session(session)) => Arc::clone(session),
        (None, Principal::Anonymous) => {
            let realm = hello.realm.clone();
            let subject = hello.subject.as_deref();
            let (token, session) = open_for(gateway, realm, subject, guest.peer)?;
            return Ok((session, Some(token.text().into())));
        }
    };
    if session.ended().is_cancelled() {
        return Err(expired());
    }
    if let Some(realm) = &hello.realm {
        Principal::Session(Arc::clone(&session)).enter(gateway, realm)?;
    }
    Ok((session, None))
}

fn welcome(gateway: &Gateway, live: &Live, token: Option<Arc<str>>) -> Welcome {
    let session = &live.session;
    Welcome {
        session: Arc::clone(&live.id),
        token,
        realm: session.realm.clone(),
        subject: Arc::clone(&session.subject),
        node: gateway.mesh.identity().name.as_str().into(),
        expires_at: rfc3339(session.expires_at_ms).into(),
        grace_seconds: gateway.settings.live.grace_seconds,
        resumed: Flag(false),
        unknown: None,
        limits: Box::new(live.limits()),
    }
}

/// Tells a client why it gets no session.
pub(super) fn refusal(problem: &Problem) -> GatewayFrame {
    let problem = Box::new(Report::of(problem, String::new()));
    frame::Error { id: None, problem }.into()
}
