//! Procedures that sessions serve.

use serde_json::{Value, json};

use crate::{
    client::{ALL, Carrier, Client},
    node::Node,
};

fn serve(id: u64) -> Value {
    json!({"type": "serve", "id": id, "procedure": "demo.add"})
}

fn call(id: u64) -> Value {
    json!({"type": "call", "id": id, "procedure": "demo.add", "payload": [1, 2], "progress": true, "timeout_ms": 9000})
}

/// A session that serves `demo.add`, and one that calls it.
async fn pair(node: &Node, transport: Carrier) -> (Client, Value, Client) {
    let (mut provider, welcome) = Client::open(node, transport).await;
    let served = provider.ask(serve(1)).await;
    assert_eq!(served, json!({"type": "served", "id": 1}));
    let (caller, _) = Client::open(node, Carrier::WebSocket1).await;
    (provider, welcome, caller)
}

#[tokio::test]
async fn a_session_serves_and_others_call() {
    let node = Node::start();
    for transport in ALL {
        let (mut provider, _, mut caller) = pair(&node, transport).await;
        caller.say(call(1)).await;
        let mut invoked = provider.invoked().await;
        let invoke = invoked.frame.clone();
        assert_eq!(invoke["type"], "invoke", "{invoke}");
        assert_eq!(
            (&invoke["serve"], &invoke["payload"]),
            (&json!(1), &json!([1, 2]))
        );
        assert_eq!(
            (&invoke["caller"], &invoke["progress"]),
            (&json!("anonymous"), &json!(true))
        );
        assert!((1..=9_000).contains(&invoke["timeout_ms"].as_u64().unwrap()));
        let id = &invoke["id"];
        invoked
            .answer(
                &mut provider,
                json!({"type": "progress", "id": id, "payload": "half"}),
            )
            .await;
        invoked
            .answer(
                &mut provider,
                json!({"type": "result", "id": id, "payload": 3}),
            )
            .await;
        let progress = caller.hear().await;
        assert_eq!(
            progress,
            json!({"type": "progress", "id": 1, "payload": "half"})
        );
        let result = caller.hear().await;
        assert_eq!(
            (&result["type"], &result["payload"]),
            (&json!("result"), &json!(3))
        );

        caller.say(call(2)).await;
        let mut invoked = provider.invoked().await;
        let id = &invoked.frame["id"].clone();
        let failed =
            json!({"type": "error", "id": id, "code": "too_many", "detail": "no", "data": [1]});
        invoked.answer(&mut provider, failed).await;
        let error = caller.hear().await;
        let problem = &error["problem"];
        assert_eq!(problem["code"], "handler_failed");
        assert_eq!(
            problem["handler"],
            json!({"code": "too_many", "detail": "no", "data": [1]})
        );

        let ended = provider.ask(json!({"type": "unserve", "id": 1})).await;
        assert_eq!(ended, json!({"type": "ended", "id": 1}));
        let gone = caller.ask(call(3)).await;
        assert_eq!(gone["problem"]["code"], "procedure_not_found");
    }
}

#[tokio::test]
async fn calls_in_flight_end_at_once_when_their_provider_ends() {
    let node = Node::start();
    for transport in ALL {
        let (mut provider, _, mut caller) = pair(&node, transport).await;
        caller.say(call(1)).await;
        let invoked = provider.invoked().await;
        provider.close().await;
        let error = caller.hear().await;
        assert_eq!(
            error["problem"]["code"], "provider_unavailable",
            "{transport:?}"
        );
        drop(invoked);
    }
}

#[tokio::test]
async fn while_a_provider_is_away_new_calls_go_elsewhere_or_end() {
    let node = Node::start();
    for transport in ALL {
        let (provider, _, mut caller) = pair(&node, transport).await;
        provider.cut();
        let mut code = Value::Null;
        // The loss is noticed in a moment; until then the call would wait for the provider.
        for id in 1..100 {
            let call = json!({"type": "call", "id": id, "procedure": "demo.add", "timeout_ms": 50});
            code = caller.ask(call).await["problem"]["code"].clone();
            if code == "provider_unavailable" {
                break;
            }
        }
        assert_eq!(code, "provider_unavailable", "{transport:?}");
        let (mut other, _) = Client::open(&node, transport).await;
        other.ask(serve(1)).await;
        caller.say(call(200)).await;
        let mut invoked = other.invoked().await;
        let result = json!({"type": "result", "id": invoked.frame["id"], "payload": "other"});
        invoked.answer(&mut other, result).await;
        assert_eq!(caller.hear().await["payload"], "other");
        other.close().await;
    }
}

#[tokio::test]
async fn a_provider_hears_that_its_caller_has_gone() {
    let node = Node::start();
    for transport in ALL {
        let (mut provider, _, mut caller) = pair(&node, transport).await;
        caller.say(call(1)).await;
        let invoked = provider.invoked().await;
        let ended = caller.ask(json!({"type": "cancel", "id": 1})).await;
        assert_eq!(ended["type"], "ended");
        invoked.revoked(&mut provider).await;
        provider.close().await;
    }
}

#[tokio::test]
async fn several_sessions_share_the_calls_and_agree_on_a_policy() {
    let node = Node::start();
    let policy =
        |id, policy: &str| json!({"type": "serve", "id": id, "procedure": "p", "policy": policy});
    let mut providers = Vec::new();
    for transport in ALL {
        let (mut provider, _) = Client::open(&node, transport).await;
        assert_eq!(
            provider.ask(policy(1, "round_robin")).await["type"],
            "served"
        );
        providers.push(provider);
    }
    let refused = providers[0].ask(policy(2, "random")).await;
    assert_eq!(refused["type"], "error", "{refused}");
    let (mut caller, _) = Client::open(&node, Carrier::WebSocket1).await;
    for round in 0..2 {
        for id in 0..3 {
            caller
                .say(json!({"type": "call", "id": round * 3 + id, "procedure": "p"}))
                .await;
        }
        for provider in &mut providers {
            let mut invoked = provider.invoked().await;
            let result = json!({"type": "result", "id": invoked.frame["id"]});
            invoked.answer(provider, result).await;
        }
        for _ in 0..3 {
            assert_eq!(caller.hear().await["type"], "result");
        }
    }
}
