//! The least that h3 and quinn can do: answers every request with its own body and a fixed head, of
//! the same fields as Macula's answer. `bare-h3 CERTIFICATE KEY HEAD` prints its port, where HEAD
//! is a file with one `name: value` a line.
#![allow(clippy::print_stdout, reason = "the port is told on standard output")]

use std::{fs, net::UdpSocket, path::PathBuf, sync::Arc};

use bytes::{Buf, Bytes, BytesMut};
use clap::Parser;
use http::{HeaderMap, HeaderName, HeaderValue, Response};
use quinn::{
    Endpoint, EndpointConfig, ServerConfig, TokioRuntime, TransportConfig,
    crypto::rustls::QuicServerConfig,
};
use rustls::{
    crypto::aws_lc_rs,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
    version::TLS13,
};

#[derive(Parser)]
struct Arguments {
    certificate: PathBuf,
    key: PathBuf,
    head: PathBuf,
}

type Stream = h3::server::RequestStream<h3_quinn::BidiStream<Bytes>, Bytes>;

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    let endpoint = endpoint(&arguments)?;
    let mut head = HeaderMap::new();
    for line in fs::read_to_string(&arguments.head)?.lines() {
        if let Some((name, value)) = line.split_once(": ") {
            head.append(HeaderName::try_from(name)?, HeaderValue::try_from(value)?);
        }
    }
    println!("{}", endpoint.local_addr()?.port());
    let head = Arc::new(head);
    while let Some(incoming) = endpoint.accept().await {
        tokio::spawn(serve(incoming, Arc::clone(&head)));
    }
    Ok(())
}

fn endpoint(arguments: &Arguments) -> anyhow::Result<Endpoint> {
    let chain = CertificateDer::pem_file_iter(&arguments.certificate)?;
    let chain = chain.collect::<Result<Vec<_>, _>>()?;
    let key = PrivateKeyDer::from_pem_file(&arguments.key)?;
    let mut tls =
        rustls::ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
            .with_protocol_versions(&[&TLS13])?
            .with_no_client_auth()
            .with_single_cert(chain, key)?;
    tls.alpn_protocols = vec![b"h3".to_vec()];
    let mut transport = TransportConfig::default();
    transport.max_concurrent_bidi_streams(1024_u32.into());
    let mut server = ServerConfig::with_crypto(Arc::new(QuicServerConfig::try_from(tls)?));
    server.transport_config(Arc::new(transport));
    let socket = UdpSocket::bind("127.0.0.1:0")?;
    let config = EndpointConfig::default();
    Ok(Endpoint::new(
        config,
        Some(server),
        socket,
        Arc::new(TokioRuntime),
    )?)
}

async fn serve(incoming: quinn::Incoming, head: Arc<HeaderMap>) -> anyhow::Result<()> {
    let quic = h3_quinn::Connection::new(incoming.await?);
    let mut connection = h3::server::Connection::<_, Bytes>::new(quic).await?;
    while let Some(resolver) = connection.accept().await? {
        let head = Arc::clone(&head);
        tokio::spawn(async move {
            let (_, stream) = resolver.resolve_request().await?;
            echo(stream, &head).await
        });
    }
    Ok(())
}

async fn echo(mut stream: Stream, head: &HeaderMap) -> anyhow::Result<()> {
    let mut body = BytesMut::new();
    while let Some(mut data) = stream.recv_data().await? {
        body.extend_from_slice(&data.copy_to_bytes(data.remaining()));
    }
    let mut response = Response::new(());
    *response.headers_mut() = head.clone();
    stream.send_response(response).await?;
    stream.send_data(body.freeze()).await?;
    stream.finish().await?;
    Ok(())
}
