//! Sessions that lose their transport and come back.

use std::time::Duration;

use serde_json::{Value, json};

use crate::{
    client::{ALL, Carrier, Client},
    node::{Node, soon},
};

async fn publish(publisher: &mut Client, id: u64, payload: u64) {
    let publish = json!({"type": "publish", "id": id, "topic": "t", "payload": payload});
    assert_eq!(publisher.ask(publish).await["type"], "published");
}

#[tokio::test]
async fn a_subscription_goes_on_without_loss_on_another_transport() {
    let node = Node::start();
    let (mut publisher, _) = Client::open(&node, Carrier::WebSocket1).await;
    let mut next = 0;
    for from in ALL {
        for to in ALL {
            let (mut client, welcome) = Client::open(&node, from).await;
            let subscribed = client
                .ask(json!({"type": "subscribe", "id": 7, "pattern": "t"}))
                .await;
            let mut last = subscribed["position"].clone();
            let mut expected = next;
            if from != Carrier::WebSocket2 {
                publish(&mut publisher, next, next).await;
                last = client.hear().await["event"]["id"].clone();
                expected += 1;
                next += 1;
            }
            client.cut();
            for _ in 0..3 {
                publish(&mut publisher, next, next).await;
                next += 1;
            }
            let resume = json!({"subscriptions": [{"id": 7, "last_event_id": last}]});
            let (mut client, back) = Client::back(&node, to, &welcome, resume).await;
            assert_eq!(back["resumed"], true, "{from:?} {to:?} {back}");
            assert_eq!(back["session"], welcome["session"]);
            publish(&mut publisher, next, next).await;
            next += 1;
            for payload in expected..next {
                let event = client.hear().await;
                assert_eq!(
                    event["event"]["payload"], payload,
                    "{from:?} {to:?} {event}"
                );
            }
            client.close().await;
        }
    }
}

#[tokio::test]
async fn what_cannot_be_replayed_is_told_as_a_gap() {
    let node = Node::start();
    let (mut publisher, _) = Client::open(&node, Carrier::WebSocket1).await;
    let (mut client, welcome) = Client::open(&node, Carrier::WebTransport).await;
    let subscribed = client
        .ask(json!({"type": "subscribe", "id": 1, "pattern": "t"}))
        .await;
    client.cut();
    let window = macula_mesh::Settings::default().replay_events as u64;
    for id in 0..window + 10 {
        publish(&mut publisher, id, id).await;
    }
    let last = &subscribed["position"];
    let resume = json!({"subscriptions": [{"id": 1, "last_event_id": last}]});
    let (mut client, _) = Client::back(&node, Carrier::WebSocket1, &welcome, resume).await;
    let gap = client.hear().await;
    assert_eq!(
        (&gap["type"], &gap["reason"]),
        (&json!("gap"), &json!("outside_window"))
    );
    // Behind the gap nothing is missing.
    for payload in 10..window + 10 {
        assert_eq!(client.hear().await["event"]["payload"], payload);
    }
}

#[tokio::test]
async fn an_answer_that_was_lost_is_given_again() {
    let node = Node::start();
    for transport in ALL {
        let (mut client, welcome) = Client::open(&node, transport).await;
        let slow = json!({"type": "call", "id": 1, "procedure": "system.count", "payload": {"to": 1, "delay_ms": 100}});
        let fast = json!({"type": "call", "id": 2, "procedure": "system.echo", "payload": "fast"});
        client.say(slow).await;
        let answer = client.ask(fast).await;
        client.cut();
        // One is answered meanwhile, one was answered before, one was never heard of.
        tokio::time::sleep(Duration::from_millis(200)).await;
        let resume = json!({"pending": [1, 2, 3]});
        let (mut client, back) = Client::back(&node, transport, &welcome, resume).await;
        assert_eq!(
            (&back["resumed"], &back["unknown"]),
            (&json!(true), &json!([3]))
        );
        let again = client.hear().await;
        assert_eq!(
            (&again["type"], &again["id"]),
            (&json!("result"), &json!(1))
        );
        assert_eq!(client.hear().await, answer);
        client.close().await;
    }
}

#[tokio::test]
async fn a_provider_that_comes_back_answers_what_it_holds() {
    let node = Node::start();
    for transport in ALL {
        let (mut provider, welcome) = Client::open(&node, transport).await;
        provider
            .ask(json!({"type": "serve", "id": 1, "procedure": "p"}))
            .await;
        let (mut caller, _) = Client::open(&node, Carrier::WebSocket1).await;
        for id in 1..=2 {
            let call = json!({"type": "call", "id": id, "procedure": "p", "payload": id, "timeout_ms": 9000});
            caller.say(call).await;
        }
        let (first, second) = (provider.invoked().await, provider.invoked().await);
        let (held, left) = match first.frame["payload"] == 1 {
            true => (&first, &second),
            false => (&second, &first),
        };
        let (held, left) = (held.frame["id"].clone(), left.frame["id"].clone());
        assert_ne!(held, left);
        provider.cut();
        drop((first, second));
        let resume = json!({"pending": [1], "invokes": [held]});
        let (mut provider, back) = Client::back(&node, Carrier::WebSocket1, &welcome, resume).await;
        assert_eq!(back["resumed"], true, "{back}");
        let error = caller.hear().await;
        assert_eq!(
            (&error["id"], &error["problem"]["code"]),
            (&json!(2), &json!("provider_unavailable"))
        );
        provider
            .say(json!({"type": "result", "id": held, "payload": "late"}))
            .await;
        let result = caller.hear().await;
        assert_eq!(
            (&result["id"], &result["payload"]),
            (&json!(1), &json!("late"))
        );

        caller
            .say(json!({"type": "call", "id": 3, "procedure": "p"}))
            .await;
        let mut invoked = provider.invoked().await;
        let result = json!({"type": "result", "id": invoked.frame["id"]});
        invoked.answer(&mut provider, result).await;
        assert_eq!(caller.hear().await["type"], "result");
        provider.close().await;
    }
}

#[tokio::test]
async fn a_transport_that_still_stands_is_closed_when_the_session_goes_on_elsewhere() {
    let node = Node::start();
    for transport in ALL {
        let (mut client, welcome) = Client::open(&node, transport).await;
        let (mut second, back) =
            Client::back(&node, Carrier::WebSocket1, &welcome, json!({})).await;
        assert_eq!(back["resumed"], true);
        client
            .ends_with(4409, "the session went on elsewhere")
            .await;
        let pong = second.ask(json!({"type": "ping"})).await;
        assert_eq!(pong["type"], "pong");
    }
}

#[tokio::test]
async fn only_its_own_token_resumes_a_session_and_only_in_time() {
    let node = Node::with(|settings| settings.live.grace_seconds = 1);
    for transport in ALL {
        let (client, welcome) = Client::open(&node, transport).await;
        let (_, other) = Client::open(&node, transport).await;
        let mut stolen = welcome.clone();
        stolen["token"] = other["token"].clone();
        let (mut thief, error) = Client::back(&node, transport, &stolen, json!({})).await;
        assert_eq!(error["problem"]["code"], "session_expired", "{error}");
        thief.ends_with(4401, "session_expired").await;
        client.cut();
        node.is_at_rest().await;
        let (_, error) = Client::back(&node, transport, &welcome, json!({})).await;
        assert_eq!(error["problem"]["code"], "session_expired");
    }
}

#[tokio::test]
async fn calls_of_who_does_not_come_back_end() {
    let node = Node::with(|settings| settings.live.grace_seconds = 1);
    let (mut provider, _) = Client::open(&node, Carrier::WebSocket1).await;
    provider
        .ask(json!({"type": "serve", "id": 1, "procedure": "p"}))
        .await;
    let (mut caller, _) = Client::open(&node, Carrier::WebTransport).await;
    let call = json!({"type": "call", "id": 1, "procedure": "p", "timeout_ms": 60_000});
    caller.say(call).await;
    let invoked = provider.invoked().await;
    caller.cut();
    soon(invoked.revoked(&mut provider)).await;
    let _: Value = provider.ask(json!({"type": "ping"})).await;
}
