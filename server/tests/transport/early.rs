//! Requests in early data (RFC 8470).

use crate::{
    client::{Client, endpoint},
    server::Server,
};

#[tokio::test]
async fn a_request_in_early_data_is_flagged_and_a_later_one_is_not() {
    let server = Server::start();
    let endpoint = endpoint(&server);
    let connect = || endpoint.connect(server.address, "localhost").unwrap();
    let mut first = Client::over(connect().await.unwrap()).await.unwrap();
    let text = first.get("/conn").await.unwrap().text().await.unwrap();
    assert_eq!(text, "h3 false");
    first.quic().close(0u32.into(), b"");

    let Ok((quic, accepted)) = connect().into_0rtt() else {
        panic!("there was no ticket");
    };
    let mut second = Client::over(quic).await.unwrap();
    let text = second.get("/conn").await.unwrap().text().await.unwrap();
    assert!(accepted.await);
    assert_eq!(text, "h3 true");
    let text = second.get("/conn").await.unwrap().text().await.unwrap();
    assert_eq!(text, "h3 false");
}
