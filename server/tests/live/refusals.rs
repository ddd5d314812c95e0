//! What a client may not do: each gets an error with its code or the end with a reason, and nobody else
//! notices.

use std::time::Duration;

use serde_json::json;

use crate::{
    client::{ALL, Carrier, Client},
    node::Node,
};

#[tokio::test]
async fn what_cannot_be_understood_is_refused_and_the_session_goes_on() {
    let node = Node::start();
    for transport in ALL {
        let (mut client, _) = Client::open(&node, transport).await;
        let mut check = async |text: &str, id: Option<u64>, code: &str| {
            client.say_text(text.to_owned()).await;
            let error = client.hear().await;
            assert_eq!(error["type"], "error", "{text}");
            assert_eq!(error["id"].as_u64(), id, "{text} {error}");
            assert_eq!(error["problem"]["code"], code, "{text} {error}");
        };
        check("", None, "invalid_payload").await;
        check("{", None, "invalid_payload").await;
        check("[]", None, "invalid_payload").await;
        check("{}", None, "invalid_request").await;
        check(r#"{"type":"dance","id":1}"#, Some(1), "invalid_request").await;
        check(r#"{"type":"call","id":1}"#, Some(1), "invalid_request").await;
        check(
            r#"{"type":"call","procedure":"a"}"#,
            None,
            "invalid_request",
        )
        .await;
        check(
            r#"{"type":"call","id":-1,"procedure":"a"}"#,
            None,
            "invalid_request",
        )
        .await;
        check(
            r#"{"type":"call","id":1,"procedure":"a..b"}"#,
            Some(1),
            "invalid_name",
        )
        .await;
        check(
            r#"{"type":"call","id":1,"procedure":"a","timeout_ms":0}"#,
            Some(1),
            "invalid_request",
        )
        .await;
        check(
            r#"{"type":"call","id":1,"procedure":"a","procdure":1}"#,
            Some(1),
            "invalid_request",
        )
        .await;
        check(
            r#"{"type":"call","id":1,"id":2,"procedure":"a"}"#,
            None,
            "invalid_payload",
        )
        .await;
        check(
            r#"{"type":"subscribe","id":1,"pattern":"a.**.b"}"#,
            Some(1),
            "invalid_name",
        )
        .await;
        check(
            r#"{"type":"subscribe","id":1,"pattern":"a","replay":10001}"#,
            Some(1),
            "invalid_request",
        )
        .await;
        check(
            r#"{"type":"serve","id":1,"procedure":"a","concurrency":0}"#,
            Some(1),
            "invalid_request",
        )
        .await;
        check(
            r#"{"type":"serve","id":1,"procedure":"system.echo"}"#,
            Some(1),
            "forbidden",
        )
        .await;
        check(
            r#"{"type":"discover","id":1,"pattern":"*","kind":"cat"}"#,
            Some(1),
            "invalid_request",
        )
        .await;
        check(r#"{"type":"hello"}"#, None, "invalid_request").await;
        check(r#"{"type":"welcome"}"#, None, "invalid_request").await;

        // A number that is in use: the operation with it goes on.
        let subscribed = client
            .ask(json!({"type": "subscribe", "id": 5, "pattern": "t"}))
            .await;
        assert_eq!(subscribed["type"], "subscribed");
        for frame in [
            json!({"type": "subscribe", "id": 5, "pattern": "x"}),
            json!({"type": "call", "id": 5, "procedure": "a..b"}),
            json!({"type": "cancel", "id": 5}),
        ] {
            let error = client.ask(frame).await;
            assert!(error["type"] == "error" && error["id"].is_null(), "{error}");
        }
        client
            .say(json!({"type": "publish", "topic": "t", "payload": 1}))
            .await;
        assert_eq!(client.hear().await["event"]["payload"], 1);
        // Answers that nobody waits for mean nothing.
        for kind in ["result", "progress"] {
            client.say(json!({"type": kind, "id": 77})).await;
        }
        client
            .say(json!({"type": "error", "id": 77, "code": "x"}))
            .await;
        assert_eq!(client.ask(json!({"type": "ping"})).await["type"], "pong");
        client.close().await;
        node.is_at_rest().await;
    }
}

#[tokio::test]
async fn nothing_goes_before_hello_and_hello_has_its_time() {
    let node = Node::with(|settings| settings.live.hello_seconds = 1);
    for transport in ALL {
        let mut client = Client::connect(&node, transport).await;
        let error = client.ask(json!({"type": "ping"})).await;
        assert_eq!(error["problem"]["code"], "invalid_request");
        client.ends_with(4400, "invalid_request").await;

        let mut client = Client::connect(&node, transport).await;
        client.ends_with(4504, "timeout").await;

        let mut client = Client::connect(&node, transport).await;
        let error = client.ask(json!({"type": "hello", "token": "no"})).await;
        assert_eq!(error["problem"]["code"], "unauthenticated");
        client.ends_with(4401, "unauthenticated").await;

        let mut client = Client::connect(&node, transport).await;
        let error = client
            .ask(json!({"type": "hello", "realm": "closed"}))
            .await;
        assert_eq!(error["type"], "error", "{error}");
        client.end().await;
    }
    node.is_at_rest().await;
}

#[tokio::test]
async fn a_frame_that_is_too_long_ends_the_transport_and_the_client_may_come_back() {
    let node = Node::with(|settings| settings.max_body_bytes = 1_000);
    for transport in ALL {
        let (mut client, welcome) = Client::open(&node, transport).await;
        let max = welcome["limits"]["max_frame_bytes"].as_u64().unwrap() as usize;
        let text = format!(r#"{{"type":"ping","x":"{}"}}"#, "x".repeat(max));
        client.say_text(text).await;
        client.ends_with(4413, "payload_too_large").await;
        let (_, back) = Client::back(&node, transport, &welcome, json!({})).await;
        assert_eq!(back["resumed"], true, "{transport:?} {back}");
    }
}

#[tokio::test]
async fn each_bound_of_a_session_is_refused_beyond_and_given_back() {
    let node = Node::with(|settings| {
        settings.live.max_calls = 2;
        settings.live.max_subscriptions = 1;
        settings.live.max_procedures = 1;
        settings.live.max_bytes_in_flight = 2_000;
        settings.live.max = 3;
    });
    for transport in ALL {
        let (mut client, welcome) = Client::open(&node, transport).await;
        assert_eq!(welcome["limits"]["max_calls"], 2);
        let slow = |id| {
            json!({
                "type": "call", "id": id, "procedure": "system.count",
                "payload": {"to": 1, "delay_ms": 60_000}, "timeout_ms": 60_000,
            })
        };
        for frame in [slow(1), slow(2)] {
            client.say(frame).await;
        }
        let overloaded = client.ask(slow(3)).await;
        assert_eq!(
            (&overloaded["id"], &overloaded["problem"]["code"]),
            (&json!(3), &json!("overloaded"))
        );
        for id in [1, 2] {
            let ended = client.ask(json!({"type": "cancel", "id": id})).await;
            assert_eq!(ended["type"], "ended");
        }
        let subscribe = |id| json!({"type": "subscribe", "id": id, "pattern": "a"});
        let serve = |id| json!({"type": "serve", "id": id, "procedure": "a"});
        assert_eq!(client.ask(subscribe(10)).await["type"], "subscribed");
        assert_eq!(
            client.ask(subscribe(11)).await["problem"]["code"],
            "overloaded"
        );
        assert_eq!(client.ask(serve(12)).await["type"], "served");
        assert_eq!(client.ask(serve(13)).await["problem"]["code"], "overloaded");
        let large =
            json!({"type": "call", "id": 14, "procedure": "a", "payload": "x".repeat(2_500)});
        assert_eq!(client.ask(large).await["problem"]["code"], "overloaded");
        client.close().await;
    }
    node.is_at_rest().await;
    let mut clients = Vec::new();
    for transport in ALL {
        clients.push(Client::open(&node, transport).await.0);
    }
    for transport in ALL {
        let mut client = Client::connect(&node, transport).await;
        let error = client.ask(json!({"type": "hello"})).await;
        assert_eq!(error["problem"]["code"], "overloaded");
        client.end().await;
    }
}

#[tokio::test]
async fn frames_count_in_the_quota_of_the_session() {
    let node = Node::with(|settings| settings.session_requests_per_second = 5);
    for transport in ALL {
        let (mut client, _) = Client::open(&node, transport).await;
        let mut limited = 0;
        for id in 0..30 {
            let call = json!({"type": "call", "id": id, "procedure": "system.echo"});
            limited += u32::from(client.ask(call).await["problem"]["code"] == "rate_limited");
        }
        assert!(limited > 0, "{transport:?}");
        tokio::time::sleep(Duration::from_millis(300)).await;
        let call = json!({"type": "call", "id": 40, "procedure": "system.echo"});
        assert_eq!(client.ask(call).await["type"], "result");
    }
}

#[tokio::test]
async fn text_where_bytes_were_settled_is_refused() {
    let node = Node::start();
    let mut client = Client::websocket(&node, Some("macula.v1.msgpack"))
        .await
        .unwrap();
    client.say(json!({"type": "hello"})).await;
    client.ends_with(4400, "invalid_request").await;
    let (mut client, _) = Client::open(&node, Carrier::WebSocket1).await;
    client
        .say_bytes(rmp_serde::to_vec_named(&json!({"type": "ping"})).unwrap())
        .await;
    assert_eq!(client.hear().await["problem"]["code"], "invalid_payload");
}
