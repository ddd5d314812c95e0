//! How sessions end from the gateway's side.

use std::time::Duration;

use serde_json::json;

use crate::{
    client::{ALL, Carrier, Client},
    node::{Node, soon},
};

#[tokio::test]
async fn a_drain_says_goodbye_and_lets_calls_end() {
    for transport in ALL {
        let mut node = Node::start();
        let (mut idle, _) = Client::open(&node, transport).await;
        let (mut busy, _) = Client::open(&node, transport).await;
        let call = json!({
            "type": "call", "id": 1, "procedure": "system.count", "payload": {"to": 1, "delay_ms": 300},
        });
        busy.say(call).await;
        busy.ask(json!({"type": "ping"})).await;
        node.drain.start();
        for client in [&mut idle, &mut busy] {
            let goaway = client.hear().await;
            assert_eq!(goaway["type"], "goaway", "{transport:?} {goaway}");
            assert_eq!(goaway["problem"]["code"], "draining");
        }
        idle.ends_with(4503, "draining").await;
        let result = busy.hear().await;
        assert_eq!(
            (&result["type"], &result["id"]),
            (&json!("result"), &json!(1))
        );
        busy.ends_with(4503, "draining").await;
        drop((idle, busy));
        soon(&mut node.serving).await.unwrap();
        assert!(node.gateway.lives.is_empty());
    }
}

#[tokio::test]
async fn a_live_session_ends_with_its_session() {
    let node = Node::start();
    for transport in ALL {
        let (mut client, welcome) = Client::open(&node, transport).await;
        let token = welcome["token"].as_str().unwrap();
        let session = node
            .gateway
            .sessions
            .find(token, tokio::time::Instant::now());
        node.gateway.sessions.end(&session.unwrap());
        let goaway = client.hear().await;
        assert_eq!(goaway["problem"]["code"], "session_expired");
        client.ends_with(4401, "session_expired").await;
        node.is_at_rest().await;
    }
}

#[tokio::test]
async fn nothing_is_left_of_a_session_that_did_much() {
    let node = Node::with(|settings| settings.live.grace_seconds = 1);
    let (mut caller, _) = Client::open(&node, Carrier::WebSocket1).await;
    for transport in ALL {
        for ends in [true, false] {
            let (mut client, _) = Client::open(&node, transport).await;
            for id in 0..20 {
                client
                    .ask(json!({"type": "subscribe", "id": id, "pattern": format!("a.{id}.**")}))
                    .await;
                client
                    .ask(json!({"type": "serve", "id": 100 + id, "procedure": format!("a.p{id}")}))
                    .await;
                let call = json!({
                    "type": "call", "id": 200 + id, "procedure": "system.count",
                    "payload": {"to": 1, "delay_ms": 60_000}, "timeout_ms": 60_000,
                });
                client.say(call).await;
                caller
                    .say(json!({"type": "call", "id": id, "procedure": format!("a.p{id}")}))
                    .await;
                client.invoked().await;
            }
            match ends {
                true => client.close().await,
                false => client.cut(),
            }
            for _ in 0..20 {
                let error = caller.hear().await;
                assert_eq!(error["problem"]["code"], "provider_unavailable", "{error}");
            }
        }
    }
    caller.close().await;
    node.is_at_rest().await;
    let left = async {
        while node.gateway.mesh.status().subscriptions > 0 {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    soon(left).await;
}

#[tokio::test]
async fn closing_the_connection_with_the_code_0_ends_the_session() {
    let node = Node::start();
    let (mut client, _) = Client::open(&node, Carrier::WebTransport).await;
    let connection = client.connection.take().unwrap();
    connection.close(wtransport::VarInt::from_u32(0), b"");
    node.is_at_rest().await;
}
