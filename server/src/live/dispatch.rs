//! What a client's frame begins, ends or answers.

use std::{sync::Arc, time::Duration};

use macula_mesh::rpc::Failure;
use macula_proto::{
    ErrorCode, HandlerError, Problem, Realm,
    frame::{self, Cancel, ClientFrame, Failed, Refusal, Unserve, Unsubscribe},
    live::Kind,
};
use tokio::time::{Instant, sleep};

use super::{
    call, discover,
    outlet::Outlet,
    publish, serve,
    session::{Live, Refused},
    subscribe,
};

/// How far the refusals of one session's frames beyond its quota are apart. On a WebSocket no other frame
/// is read meanwhile: to refuse must not cost more than to do.
const REFUSAL: Duration = Duration::from_millis(1);

impl Live {
    /// Does what a frame of so many bytes asks for; its answers go to the outlet. Waits only while
    /// the client does not take what it is sent, or asks too often.
    pub(super) async fn handle(
        self: &Arc<Self>,
        frame: Result<ClientFrame, Refusal>,
        bytes: usize,
        mut outlet: Outlet,
    ) {
        let handled = match frame {
            Ok(frame) => self.dispatch(frame, bytes, &mut outlet).await,
            // The number may be that of an operation which goes on.
            Err(refusal) => Err(Refused {
                id: refusal.id.filter(|id| !self.has(*id)),
                ..Refused::from(refusal)
            }),
        };
        match handled {
            Ok(()) => outlet.end(),
            Err(Refused { id, problem }) => {
                if problem.code == ErrorCode::RateLimited {
                    let _turn = self.refusing.lock().await;
                    sleep(REFUSAL).await;
                }
                // A client that has gone needs no answer.
                let _ = outlet.finish(&self.error(id, &problem)).await;
            }
        }
    }

    async fn dispatch(
        self: &Arc<Self>,
        frame: ClientFrame,
        bytes: usize,
        outlet: &mut Outlet,
    ) -> Result<(), Refused> {
        let refused = |id| move |problem: Problem| Refused::of(id, problem);
        match frame {
            ClientFrame::Call(call) => {
                let id = call.id;
                self.admit(call.realm.as_ref()).map_err(refused(Some(id)))?;
                call::begin(self, call, bytes, outlet)
            }
            ClientFrame::Publish(publish) => {
                let id = publish.id;
                self.admit(publish.realm.as_ref()).map_err(refused(id))?;
                publish::publish(self, publish, bytes, outlet).await
            }
            ClientFrame::Subscribe(subscribe) => {
                let id = subscribe.id;
                self.admit(subscribe.realm.as_ref())
                    .map_err(refused(Some(id)))?;
                subscribe::begin(self, subscribe, bytes, outlet)
            }
            ClientFrame::Serve(serve) => {
                let id = serve.id;
                self.admit(serve.realm.as_ref())
                    .map_err(refused(Some(id)))?;
                serve::begin(self, serve, bytes, outlet).await
            }
            ClientFrame::Discover(discover) => {
                let id = discover.id;
                self.admit(discover.realm.as_ref())
                    .map_err(refused(Some(id)))?;
                discover::discover(self, discover, bytes, outlet).await
            }
            ClientFrame::Unsubscribe(Unsubscribe { id }) => {
                self.over(id, Kind::Subscription, outlet).await
            }
            ClientFrame::Unserve(Unserve { id }) => self.over(id, Kind::Service, outlet).await,
            ClientFrame::Cancel(Cancel { id }) => self.over(id, Kind::Call, outlet).await,
            ClientFrame::Progressed(progress) => {
                self.progress(progress.id, progress.payload);
                Ok(())
            }
            ClientFrame::Returned(result) => {
                self.returned(result.id, Ok(result.payload));
                Ok(())
            }
            ClientFrame::Failed(failed) => {
                self.returned(failed.id, Err(failure(failed)));
                Ok(())
            }
            ClientFrame::Ping(ping) => {
                let _ = outlet.send(&frame::Pong { id: ping.id }.into()).await;
                Ok(())
            }
            ClientFrame::Hello(_) => {
                let detail = "expected `hello` once, at the beginning";
                Err(refused(None)(Problem::new(
                    ErrorCode::InvalidRequest,
                    detail,
                )))
            }
        }
    }

    /// Checks that the session may act in the realm now.
    fn admit(&self, realm: Option<&Realm>) -> Result<(), Problem> {
        if let Some(realm) = realm {
            self.principal().enter(&self.gateway, realm)?;
        }
        let Some(quota) = self.gateway.session_quota else {
            return Ok(());
        };
        let taken = self.session.take(quota, Instant::now());
        taken.map(drop).map_err(|empty| {
            let detail = format!(
                "expected at most {} frames a second; the next passes in {} ms",
                quota.rate(),
                empty.retry_after.as_millis() + 1
            );
            Problem::new(ErrorCode::RateLimited, detail)
        })
    }

    /// The realm that a frame is about.
    pub(super) fn realm(&self, realm: Option<Realm>) -> Realm {
        realm.unwrap_or_else(|| self.session.realm.clone())
    }

    /// Ends an operation because the client says so. One that is over already is so once more.
    async fn over(&self, id: u64, kind: Kind, outlet: &mut Outlet) -> Result<(), Refused> {
        self.end(id, kind)
            .map_err(|other| Refused::of(None, other))?;
        let _ = outlet.send(&frame::Ended { id }.into()).await;
        Ok(())
    }

    /// The client has answered an invocation. If its caller has gone that is no matter.
    pub(super) fn returned(&self, id: u64, answer: Result<macula_mesh::Payload, Failure>) {
        if let Some(invocation) = self.finish(id) {
            let _ = invocation.answer.send(answer);
        }
    }
}

/// An error of a handler.
pub(super) fn failure(failed: Failed) -> Failure {
    Failure::Handler(HandlerError {
        code: failed.code.to_string(),
        detail: failed.detail.as_deref().unwrap_or_default().to_owned(),
        data: failed.data.map(|data| data.0),
    })
}
