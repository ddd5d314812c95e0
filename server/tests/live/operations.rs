//! Calls, events and discoveries.

use serde_json::json;

use crate::{
    client::{ALL, Carrier, Client},
    node::Node,
};

#[tokio::test]
async fn a_client_calls_publishes_and_discovers() {
    let node = Node::start();
    for transport in ALL {
        let (mut client, welcome) = Client::open(&node, transport).await;
        assert_eq!(welcome["realm"], "dev", "{transport:?}");
        assert_eq!(welcome["subject"], "anonymous");
        assert_eq!(welcome["grace_seconds"], 30);
        assert!(welcome["token"].is_string() && welcome["resumed"].is_null());

        let call = json!({"type": "call", "id": 1, "procedure": "system.echo", "payload": {"a": [1, null]}});
        let result = client.ask(call).await;
        assert_eq!(result["type"], "result");
        assert_eq!(
            (&result["id"], &result["payload"]),
            (&json!(1), &json!({"a": [1, null]}))
        );

        let publish = json!({"type": "publish", "id": 2, "topic": "a.b", "payload": 7});
        let published = client.ask(publish).await;
        assert_eq!(
            (&published["type"], &published["id"]),
            (&json!("published"), &json!(2))
        );

        let subscribe = json!({"type": "subscribe", "id": 3, "pattern": "a.*", "replay": 1});
        let subscribed = client.ask(subscribe).await;
        assert_eq!(
            (&subscribed["type"], &subscribed["backlog"]),
            (&json!("subscribed"), &json!(1))
        );
        let event = client.hear().await;
        assert_eq!((&event["type"], &event["id"]), (&json!("event"), &json!(3)));
        assert_eq!(event["event"]["id"], published["event_id"]);
        assert_eq!(event["event"]["payload"], 7);

        let found = client
            .ask(json!({"type": "discover", "id": 4, "pattern": "system.*"}))
            .await;
        assert_eq!(found["type"], "discovered");
        assert_eq!(found["page"]["items"].as_array().unwrap().len(), 4);

        let ended = client.ask(json!({"type": "unsubscribe", "id": 3})).await;
        assert_eq!(ended, json!({"type": "ended", "id": 3}));
        client.say(json!({"type": "publish", "topic": "a.b"})).await;
        let pong = client.ask(json!({"type": "ping", "id": 5})).await;
        assert_eq!(pong, json!({"type": "pong", "id": 5}));
        client.close().await;
        node.is_at_rest().await;
    }
}

#[tokio::test]
async fn a_call_may_be_given_up_and_tells_its_progress() {
    let node = Node::start();
    for transport in ALL {
        let (mut client, _) = Client::open(&node, transport).await;
        let call = json!({
            "type": "call", "id": 1, "procedure": "system.count", "progress": true,
            "payload": {"to": 3, "delay_ms": 1},
        });
        client.say(call).await;
        let mut progress = 0;
        let result = loop {
            let frame = client.hear().await;
            match frame["type"].as_str() {
                Some("progress") => progress += 1,
                _ => break frame,
            }
        };
        assert_eq!(result["type"], "result", "{result}");
        assert!(progress > 0);

        let call = json!({
            "type": "call", "id": 2, "procedure": "system.count",
            "payload": {"to": 1000, "delay_ms": 1000}, "timeout_ms": 60_000,
        });
        client.say(call).await;
        let ended = client.ask(json!({"type": "cancel", "id": 2})).await;
        assert_eq!(ended, json!({"type": "ended", "id": 2}));
        assert!(client.hears_nothing().await);
    }
}

#[tokio::test]
async fn an_error_tells_its_operation_and_the_problem() {
    let node = Node::start();
    for transport in ALL {
        let (mut client, welcome) = Client::open(&node, transport).await;
        let call = json!({"type": "call", "id": 9, "procedure": "no.such"});
        let error = client.ask(call).await;
        assert_eq!((&error["type"], &error["id"]), (&json!("error"), &json!(9)));
        let problem = &error["problem"];
        assert_eq!(problem["code"], "procedure_not_found");
        let instance = format!("{}.9", welcome["session"].as_str().unwrap());
        assert_eq!(problem["instance"], instance);

        let call = json!({"type": "call", "id": 10, "realm": "other", "procedure": "system.echo"});
        let error = client.ask(call).await;
        assert_eq!(error["problem"]["code"], "forbidden");
    }
}

#[tokio::test]
async fn the_same_key_is_carried_out_once_whatever_it_came_on() {
    let node = Node::start();
    let (mut client, welcome) = Client::open(&node, Carrier::WebSocket1).await;
    let publish = |id| json!({"type": "publish", "id": id, "topic": "a", "idempotency_key": "k"});
    let first = client.ask(publish(1)).await;
    let again = client.ask(publish(2)).await;
    assert_eq!(first["event_id"], again["event_id"]);
    let mut other = Client::connect(&node, Carrier::WebTransport).await;
    other
        .ask(json!({"type": "hello", "token": welcome["token"]}))
        .await;
    let elsewhere = other.ask(publish(1)).await;
    assert_eq!(first["event_id"], elsewhere["event_id"]);
}

#[tokio::test]
async fn without_a_subprotocol_the_first_message_settles_the_encoding() {
    let node = Node::start();
    let mut client = Client::websocket(&node, None).await.unwrap();
    let hello = rmp_serde::to_vec_named(&json!({"type": "hello"})).unwrap();
    client.say_bytes(hello).await;
    let welcome = client.hear().await;
    assert_eq!(welcome["type"], "welcome");

    let refused = Client::websocket(&node, Some("other")).await;
    let Err(tokio_tungstenite::tungstenite::Error::Http(response)) = refused.map(drop) else {
        panic!("it was not refused");
    };
    assert_eq!(response.status(), 400);
}
