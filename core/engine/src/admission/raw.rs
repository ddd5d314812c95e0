//! For tests: an engine, and peers that speak raw QUIC to it, which greet as they like and do nothing by themselves.

use std::{sync::Arc, time::SystemTime};

use quinn::{ClientConfig, Connection, Endpoint, TransportConfig};

use super::{About, Frame};
use crate::{
    Authority, ClusterId, Config, Engine, Events, Membership, NodeKey, Settings, frame,
    membership::CERTIFICATE_TTL, transport::tls,
};

/// A hello that is good but for its credential.
pub(crate) fn hello(
    cluster: ClusterId,
    certificate: Option<String>,
    invite: Option<String>,
) -> Frame {
    Frame::Hello {
        level: "cluster".to_owned(),
        cluster,
        certificate,
        invite,
        about: About {
            boot: 1,
            issues: false,
            listens: Vec::new(),
        },
    }
}

/// A connection on which nothing has been said.
pub(crate) async fn connect(
    key: &NodeKey,
    engine: &Engine,
    transport: TransportConfig,
) -> Result<(Endpoint, Connection), quinn::ConnectionError> {
    let (client, _) = tls::configurations(key).unwrap();
    let mut client = ClientConfig::new(client);
    client.transport_config(Arc::new(transport));
    let endpoint = Endpoint::client("127.0.0.1:0".parse().unwrap()).unwrap();
    let connecting = endpoint.connect_with(client, engine.addresses()[0], "a.b");
    let connection = connecting.unwrap().await?;
    Ok((endpoint, connection))
}

/// A connection of a member that has been let in. It answers nothing, so it is silent before long.
pub(crate) async fn member(
    authority: &Authority,
    key: &NodeKey,
    engine: &Engine,
    transport: TransportConfig,
) -> (Endpoint, Connection) {
    let (endpoint, connection) = connect(key, engine, transport).await.unwrap();
    let now = SystemTime::now();
    let certificate = authority.certify(key.id(), now, CERTIFICATE_TTL);
    let certificate = Some(certificate.text().to_owned());
    let (mut send, mut receive) = connection.open_bi().await.unwrap();
    let hello = hello(authority.cluster(), certificate, None);
    frame::write(&mut send, &hello).await.unwrap();
    let welcome: Frame = frame::read(&mut receive).await.unwrap();
    assert!(matches!(welcome, Frame::Welcome { .. }));
    frame::write(&mut send, &Frame::Done).await.unwrap();
    send.finish().unwrap();
    (endpoint, connection)
}

/// An engine with the authority.
pub(crate) async fn engine(authority: &Authority, settings: Settings) -> (Engine, Events) {
    let key = NodeKey::generate();
    let membership = Membership::founding(authority.clone(), key.id(), SystemTime::now());
    start(key, membership, settings).await
}

/// An engine on loopback, without seeds.
pub(crate) async fn start(
    key: NodeKey,
    membership: Membership,
    settings: Settings,
) -> (Engine, Events) {
    let config = Config {
        key,
        membership,
        level: "cluster".to_owned(),
        listen: vec!["127.0.0.1:0".parse().unwrap()],
        seeds: Vec::new(),
        dns: None,
        settings,
    };
    Engine::start(config).await.unwrap()
}
