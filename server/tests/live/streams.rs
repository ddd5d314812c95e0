//! What only WebTransport has: a stream for each operation, and datagrams.

use serde_json::{Value, json};
use wtransport::{
    Connection, RecvStream, SendStream, VarInt,
    error::{StreamReadError, StreamWriteError},
};

use crate::{
    client::{Carrier, Client, read_frame, write_frame},
    node::{Node, soon},
};

async fn open(node: &Node) -> (Client, Connection) {
    let (client, _) = Client::open(node, Carrier::WebTransport).await;
    let connection = client.connection.clone().unwrap();
    (client, connection)
}

async fn begin(connection: &Connection, frame: Value) -> (SendStream, RecvStream) {
    let (mut send, recv) = connection.open_bi().await.unwrap().await.unwrap();
    write_frame(&mut send, &frame).await;
    (send, recv)
}

fn slow(id: u64) -> Value {
    json!({
        "type": "call", "id": id, "procedure": "system.count",
        "payload": {"to": 1, "delay_ms": 60_000}, "timeout_ms": 60_000,
    })
}

/// The code with which the gateway gives a stream up.
async fn reset(recv: &mut RecvStream) -> u32 {
    match soon(recv.read(&mut [0; 1])).await {
        Err(StreamReadError::Reset(code)) => code_of(code),
        other => panic!("{other:?}"),
    }
}

/// The application's code in one of HTTP/3's (draft-ietf-webtrans-http3-02 §4.3).
fn code_of(code: VarInt) -> u32 {
    let shifted = code.into_inner() - 0x52e4_a40f_a8db;
    u32::try_from(shifted - shifted / 0x1f).unwrap()
}

#[tokio::test]
async fn each_operation_has_its_stream_and_its_end() {
    let node = Node::start();
    let (mut client, connection) = open(&node).await;
    let call = |id| json!({"type": "call", "id": id, "procedure": "system.echo", "payload": id});
    let (_send, mut slow_recv) = begin(&connection, slow(1)).await;
    for id in 2..50 {
        let (_send, mut recv) = begin(&connection, call(id)).await;
        let result = soon(read_frame(&mut recv)).await.unwrap();
        assert_eq!(
            (&result["id"], &result["payload"]),
            (&json!(id), &json!(id))
        );
        assert_eq!(soon(recv.read(&mut [0; 1])).await.unwrap(), None);
    }
    let (mut send, mut events) = begin(
        &connection,
        json!({"type": "subscribe", "id": 60, "pattern": "t"}),
    )
    .await;
    // The end of the client's half says nothing.
    send.finish().await.unwrap();
    assert_eq!(
        soon(read_frame(&mut events)).await.unwrap()["type"],
        "subscribed"
    );
    for payload in 0..5 {
        client
            .say(json!({"type": "publish", "topic": "t", "payload": payload}))
            .await;
        let event = soon(read_frame(&mut events)).await.unwrap();
        assert_eq!(event["event"]["payload"], payload);
    }
    // Whatever came on a stream may be ended from another.
    let ended = client.ask(json!({"type": "cancel", "id": 1})).await;
    assert_eq!(ended["type"], "ended");
    assert_eq!(reset(&mut slow_recv).await, 0);
    let (_send, mut recv) = begin(&connection, json!({"type": "unsubscribe", "id": 60})).await;
    assert_eq!(soon(read_frame(&mut recv)).await.unwrap()["type"], "ended");
    reset(&mut events).await;
    client.close().await;
    node.is_at_rest().await;
}

#[tokio::test]
async fn a_client_gives_an_operation_up_by_its_stream() {
    let node = Node::with(|settings| settings.live.max_calls = 1);
    let (mut client, connection) = open(&node).await;
    for id in 0..30 {
        let (mut send, mut recv) = begin(&connection, slow(id)).await;
        // Only one call has room, so each must have ended before the next is taken.
        match id % 3 {
            0 => send.reset(VarInt::from_u32(0)).unwrap(),
            1 => recv.stop(VarInt::from_u32(0)),
            _ => {
                write_frame(&mut send, &json!({"type": "ping"})).await;
                // Both came at once, or one after the other: refused, or given up.
                while let Ok(Some(_)) = soon(recv.read(&mut [0; 1_000])).await {}
            }
        }
        loop {
            let call = json!({"type": "call", "id": 1_000 + id, "procedure": "system.echo"});
            match client.ask(call).await["type"].as_str() {
                Some("result") => break,
                _ => tokio::task::yield_now().await,
            }
        }
    }
    client.close().await;
    node.is_at_rest().await;
}

#[tokio::test]
async fn bad_streams_end_alone() {
    let node = Node::with(|settings| {
        settings.live.hello_seconds = 1;
        settings.max_body_bytes = 1_000;
    });
    let (mut client, connection) = open(&node).await;
    // Half a frame and its end; a frame that is too long; nothing for too long.
    let (mut send, mut recv) = connection.open_bi().await.unwrap().await.unwrap();
    send.write_all(&[5, b'{']).await.unwrap();
    send.finish().await.unwrap();
    assert_eq!(reset(&mut recv).await, 4400);
    let (mut send, mut recv) = connection.open_bi().await.unwrap().await.unwrap();
    send.write_all(&[0x80, 0xFF, 0xFF, 0xFF]).await.unwrap();
    assert_eq!(reset(&mut recv).await, 4413);
    let (mut send, mut recv) = connection.open_bi().await.unwrap().await.unwrap();
    send.write_all(&[5]).await.unwrap();
    assert_eq!(reset(&mut recv).await, 4504);
    // One that is not a frame, two at once, and one that is in the wrong direction.
    let (_send, mut recv) = begin(&connection, json!("frame")).await;
    assert_eq!(
        soon(read_frame(&mut recv)).await.unwrap()["problem"]["code"],
        "invalid_payload"
    );
    let mut send = connection.open_uni().await.unwrap().await.unwrap();
    send.write_all(b"?").await.unwrap();
    let stopped = soon(send.stopped()).await;
    assert!(matches!(stopped, StreamWriteError::Stopped(code) if code_of(code) == 4400));
    assert_eq!(client.ask(json!({"type": "ping"})).await["type"], "pong");
    client.close().await;
    node.is_at_rest().await;
}

#[tokio::test]
async fn datagrams_carry_events_both_ways() {
    let node = Node::start();
    let (mut client, connection) = open(&node).await;
    let subscribe = json!({"type": "subscribe", "id": 1, "pattern": "t", "delivery": "latest"});
    let (_send, mut recv) = begin(&connection, subscribe).await;
    assert_eq!(
        soon(read_frame(&mut recv)).await.unwrap()["type"],
        "subscribed"
    );
    let publish = json!({"type": "publish", "topic": "t", "payload": "small"});
    connection.send_datagram(publish.to_string()).unwrap();
    let datagram = soon(connection.receive_datagram()).await.unwrap();
    let event: Value = serde_json::from_slice(&datagram).unwrap();
    assert_eq!(
        (&event["id"], &event["event"]["payload"]),
        (&json!(1), &json!("small"))
    );
    // What does not fit comes on the stream.
    client
        .say(json!({"type": "publish", "topic": "t", "payload": "x".repeat(5_000)}))
        .await;
    let event = soon(read_frame(&mut recv)).await.unwrap();
    assert_eq!(event["event"]["payload"].as_str().unwrap().len(), 5_000);
    // Nothing else may come in a datagram.
    connection
        .send_datagram(json!({"type": "ping"}).to_string())
        .unwrap();
    assert_eq!(client.hear().await["problem"]["code"], "invalid_request");
}

#[tokio::test]
async fn an_invocation_that_is_given_up_ends_its_call() {
    let node = Node::start();
    let (mut provider, connection) = open(&node).await;
    provider
        .ask(json!({"type": "serve", "id": 1, "procedure": "p"}))
        .await;
    let (mut caller, _) = Client::open(&node, Carrier::WebSocket1).await;
    for id in 0..9 {
        caller
            .say(json!({"type": "call", "id": id, "procedure": "p", "timeout_ms": 60_000}))
            .await;
        let (mut send, mut recv) = soon(connection.accept_bi()).await.unwrap();
        let invoke = soon(read_frame(&mut recv)).await.unwrap();
        match id % 3 {
            0 => send.reset(VarInt::from_u32(0)).unwrap(),
            1 => write_frame(&mut send, &json!({"type": "result", "id": 999})).await,
            _ => {
                send.write_all(&[9]).await.unwrap();
                send.finish().await.unwrap();
            }
        }
        let error = caller.hear().await;
        assert_eq!(error["problem"]["code"], "provider_unavailable", "{invoke}");
    }
    assert_eq!(provider.ask(json!({"type": "ping"})).await["type"], "pong");
}
