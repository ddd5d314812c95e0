//! The Rust SDK against a node.

use std::{future::IntoFuture, time::Duration};

use futures_util::StreamExt;
use macula_client::{
    Connect, Delivery, Error, HandlerError, Mesh, State, Transport, Trust, decode,
};
use serde_json::{Value, json};
use tokio::{sync::mpsc, time::Instant};

use crate::{
    node::{Node, soon},
    relay::Relay,
};

const BOTH: [Transport; 2] = [Transport::WebTransport, Transport::WebSocket];

fn connect(node: &Node, port: u16) -> Connect {
    let url = format!("https://127.0.0.1:{port}");
    Mesh::connect(url).trust(Trust::authority(&node.authority))
}

async fn mesh(node: &Node, transport: Transport) -> Mesh {
    let connecting = connect(node, node.address.port()).transports([transport]);
    soon(connecting).await.unwrap()
}

#[tokio::test]
async fn a_program_calls_serves_publishes_subscribes_and_discovers() {
    let node = Node::start();
    for transport in BOTH {
        let (one, two) = (mesh(&node, transport).await, mesh(&node, transport).await);
        assert_eq!(*one.state().borrow(), State::Connected(transport));
        assert_eq!(&*one.welcome().subject, "anonymous");
        let add = |(a, b): (i64, i64), _| async move { Ok(a + b) };
        let service = soon(one.serve("demo.add", add)).await.unwrap();
        for n in 0..100 {
            let sum: i64 = soon(two.call("demo.add", &(n, 2))).await.unwrap();
            assert_eq!(sum, n + 2);
        }
        let find = |kind| two.discover("demo.*").kind(kind).limit(10);
        let found = soon(find("procedure")).await.unwrap();
        assert_eq!(found[0]["name"], "demo.add", "{found:?}");
        assert!(soon(find("topic")).await.unwrap().is_empty());

        let mut events = soon(one.subscribe("t.*")).await.unwrap();
        for n in 0..100 {
            let id = soon(two.publish("t.a", &n)).await.unwrap();
            let Some(Delivery::Event(event)) = soon(events.next()).await else {
                panic!("expected an event");
            };
            let payload = event.content();
            assert_eq!((event.id, decode::<i64>(&payload).unwrap()), (id, n));
        }
        for n in 0..500 {
            soon(two.publish("t.b", &n).unacknowledged()).await.unwrap();
        }
        for expected in 0..500 {
            let Some(Delivery::Event(event)) = soon(events.next()).await else {
                panic!("expected an event");
            };
            let n: i64 = decode(&event.content()).unwrap();
            assert_eq!(n, expected);
        }
        let status = one.status();
        let counts = (status.subscriptions, status.services, status.calls);
        assert_eq!((counts, status.reconnects), ((1, 1, 0), 0));
        assert_eq!(status.transport(), Some(transport));
        assert!(status.round_trip.is_some() && &*status.node == "test");
        drop(events);
        soon(service.stop()).await;
        let gone = soon(two.call::<_, Value>("demo.add", &(1, 2)))
            .await
            .unwrap_err();
        assert_eq!(gone.code(), Some("procedure_not_found"), "{gone}");
        one.close().await;
        drop(two);
        node.is_at_rest().await;
    }
}

#[tokio::test]
async fn errors_progress_and_cancellation_reach_the_other_end() {
    let node = Node::start();
    for transport in BOTH {
        let (one, two) = (mesh(&node, transport).await, mesh(&node, transport).await);
        let (dropped, mut drops) = mpsc::unbounded_channel::<()>();
        let (began, mut begins) = mpsc::unbounded_channel::<()>();
        let work = move |what: String, context: macula_client::Context| {
            let (dropped, began) = (dropped.clone(), began.clone());
            async move {
                match what.as_str() {
                    "fail" => Err(HandlerError {
                        code: "no".to_owned(),
                        detail: "not today".to_owned(),
                        data: Some(json!([1])),
                    }),
                    "panic" => panic!("as it was asked to"),
                    "wait" => {
                        let _dropped = Dropped(dropped);
                        began.send(()).unwrap();
                        std::future::pending().await
                    }
                    _ => {
                        for percent in [10, 50] {
                            context.progress(&percent).unwrap();
                        }
                        Ok(json!({"caller": &*context.caller, "header": context.headers.len()}))
                    }
                }
            }
        };
        let _service = soon(one.serve("work", work)).await.unwrap();
        let Err(Error::Problem(report)) = soon(two.call::<_, Value>("work", "fail")).await else {
            panic!("expected a problem");
        };
        let handler = report.handler.unwrap();
        assert_eq!(
            (&*report.code, &*handler.code, handler.data),
            ("handler_failed", "no", Some(json!([1])))
        );
        let Err(Error::Problem(report)) = soon(two.call::<_, Value>("work", "panic")).await else {
            panic!("expected a problem");
        };
        assert_eq!(report.handler.unwrap().code, "panicked");
        let unread = soon(two.call::<_, Value>("work", &7)).await.unwrap_err();
        assert_eq!(unread.code(), Some("handler_failed"));

        let (progress, result) = two.calling("work", "tell").header("x", "y").progress();
        let (told, result) = tokio::join!(progress.collect::<Vec<_>>(), result);
        let told: Vec<i64> = told
            .iter()
            .map(|payload| decode(payload).unwrap())
            .collect();
        assert_eq!(told, [10, 50], "{transport:?}");
        let result: Value = decode(&result.unwrap()).unwrap();
        assert_eq!(result, json!({"caller": "anonymous", "header": 1}));

        let waiting = two.calling("work", "wait").timeout(Duration::from_secs(60));
        let waiting = tokio::spawn(waiting.into_future());
        soon(begins.recv()).await.unwrap();
        waiting.abort();
        soon(drops.recv()).await.unwrap();
    }
}

struct Dropped(mpsc::UnboundedSender<()>);

impl Drop for Dropped {
    fn drop(&mut self) {
        let _ = self.0.send(());
    }
}

#[tokio::test]
async fn a_program_goes_on_over_websocket_when_udp_is_cut() {
    let node = Node::start();
    let relay = Relay::start(node.address).await;
    let connecting = connect(&node, relay.port).patience(Duration::from_secs(1));
    let away = soon(connecting).await.unwrap();
    let near = mesh(&node, Transport::WebSocket).await;
    assert_eq!(
        *away.state().borrow(),
        State::Connected(Transport::WebTransport)
    );
    let mut events = soon(away.subscribe("t")).await.unwrap();
    let slowly = |n: i64, _| async move {
        tokio::time::sleep(Duration::from_millis(20)).await;
        Ok(n)
    };
    let _service = soon(away.serve("slowly", slowly)).await.unwrap();
    let publisher = near.clone();
    let publishing = tokio::spawn(async move {
        for n in 0..300_i64 {
            soon(publisher.publish("t", &n)).await.unwrap();
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    });
    for n in 0..300_i64 {
        if n == 50 {
            relay.cut_udp();
        }
        let Some(Delivery::Event(event)) = soon(events.next()).await else {
            panic!("expected an event");
        };
        let payload = event.content();
        assert_eq!(decode::<i64>(&payload).unwrap(), n);
    }
    publishing.await.unwrap();
    assert_eq!(
        *away.state().borrow(),
        State::Connected(Transport::WebSocket)
    );
    let back: i64 = soon(near.call("slowly", &7)).await.unwrap();
    assert_eq!(back, 7);
    // And what is asked while there is no transport waits for the next.
    relay.cut_tcp();
    let mut state = away.state();
    soon(state.wait_for(|state| *state == State::Reconnecting))
        .await
        .unwrap();
    let waiting = tokio::time::timeout(
        Duration::from_millis(300),
        away.call::<_, i64>("system.echo", &1),
    );
    assert!(waiting.await.is_err());
    away.close().await;
    let closed = away.call::<_, i64>("system.echo", &1).await.unwrap_err();
    assert!(matches!(closed, Error::Closed));
}

#[tokio::test]
async fn a_token_that_ends_is_renewed_once_or_ends_the_session() {
    let node = Node::start();
    // A session in an open realm comes with a token, which is as good for others.
    let token = async || {
        mesh(&node, Transport::WebSocket)
            .await
            .welcome()
            .token
            .unwrap()
    };
    for transport in BOTH {
        let gone = token().await;
        let connecting = connect(&node, node.address.port()).transports([transport]);
        let ends = soon(connecting.clone().token(&*gone));
        let ends = ends.await.unwrap();
        let (asked, mut renewed) = mpsc::unbounded_channel();
        let next = token().await;
        let renew = move || {
            asked.send(()).unwrap();
            let next = next.clone();
            async move { Ok(next) }
        };
        let goes_on = connecting.token(&*gone).renew(renew).into_future();
        let goes_on = soon(goes_on).await.unwrap();
        let mut events = soon(goes_on.subscribe("t")).await.unwrap();
        let sessions = &node.gateway.sessions;
        sessions.end(&sessions.find(&gone, Instant::now()).unwrap());
        let mut state = ends.state();
        soon(state.wait_for(|state| matches!(state, State::Closed(_))))
            .await
            .unwrap();
        let ended = ends.call::<_, Value>("system.echo", &1).await.unwrap_err();
        assert_eq!(ended.code(), Some("session_expired"));
        soon(renewed.recv()).await.unwrap();
        assert_eq!(
            soon(goes_on.call::<_, i64>("system.echo", &1))
                .await
                .unwrap(),
            1
        );
        soon(goes_on.publish("t", &2)).await.unwrap();
        let delivery = soon(events.next()).await;
        assert!(matches!(delivery, Some(Delivery::Event(_))), "{delivery:?}");
        assert!(renewed.try_recv().is_err());
    }
}

#[tokio::test]
async fn whom_it_does_not_trust_it_does_not_talk_to() {
    let node = Node::start();
    let port = node.address.port();
    for transports in [&BOTH[..1], &BOTH[1..], &BOTH] {
        let transports = transports.iter().copied();
        let url = format!("https://127.0.0.1:{port}");
        let system = Mesh::connect(&url).transports(transports.clone());
        assert!(matches!(system.await, Err(Error::Connect(_))));
        let pinned = Mesh::connect(&url).transports(transports.clone());
        let pinned = pinned.trust(Trust::Certificate([0; 32]));
        assert!(matches!(pinned.await, Err(Error::Connect(_))));
        let token = connect(&node, port).transports(transports).token("guess");
        let refused = token.await.unwrap_err();
        assert_eq!(refused.code(), Some("unauthenticated"), "{refused}");
    }
    let url = format!("https://127.0.0.1:{port}");
    for transport in BOTH {
        let pinned = Mesh::connect(&url).trust(Trust::sha256(&node.sha256).unwrap());
        let mesh = pinned.transports([transport]).await.unwrap();
        let echo: i64 = mesh.call("system.echo", &1).await.unwrap();
        assert_eq!(echo, 1);
    }
    assert!(matches!(
        Mesh::connect("http://localhost").await,
        Err(Error::Invalid(_))
    ));
}
