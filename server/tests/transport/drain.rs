//! The graceful end.

use std::time::Duration;

use http::StatusCode;
use macula_server::transport::Settings;

use crate::{
    client::{ALL, Client},
    server::Server,
};

#[tokio::test]
async fn a_drain_finishes_what_is_in_flight_and_takes_nothing_new() {
    for protocol in ALL {
        let mut server = Server::start();
        let mut client = Client::connect(&server, protocol).await;
        let idle = Client::connect(&server, protocol).await;
        let slow = client.ask("POST", "/slow", &[]);
        server.asked.recv().await.unwrap();
        server.drain.start();
        let refused = async {
            // Until the server has seen the signal it may still take one.
            while Client::try_connect(&server, protocol).await.is_ok() {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(crate::server::SOON, refused)
            .await
            .unwrap();
        server.release.notify_one();
        let answer = slow.end().await.unwrap();
        assert_eq!(answer.status, StatusCode::OK);
        assert_eq!(answer.text().await.unwrap().len(), 100_000, "{protocol:?}");
        let took = server.ended().await;
        assert!(took < Duration::from_secs(5), "{protocol:?}: {took:?}");
        drop(idle);
    }
}

#[tokio::test]
async fn a_drain_has_its_time() {
    for protocol in ALL {
        let mut server = Server::with(Settings {
            drain_seconds: 1,
            ..Settings::default()
        });
        let mut client = Client::connect(&server, protocol).await;
        let mut answer = client.get("/events").await.unwrap();
        answer.data().await.unwrap().unwrap();
        server.drain.start();
        let took = server.ended().await;
        assert!(took > Duration::from_millis(900), "{protocol:?}: {took:?}");
        assert!(answer.rest().await.is_err(), "{protocol:?}");
    }
}
