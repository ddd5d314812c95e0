//! How the ends of a new stream agree on its protocol.

use std::{convert::Infallible, future::ready, sync::Arc};

use libp2p::{
    Stream, StreamProtocol,
    core::upgrade::{InboundUpgrade, OutboundUpgrade, UpgradeInfo},
};

/// What is served here.
#[derive(Debug, Clone)]
pub(crate) struct Offer(pub(crate) Arc<[StreamProtocol]>);

/// What is wanted there.
#[derive(Debug, Clone)]
pub(crate) struct Request(pub(crate) StreamProtocol);

type Agreed = std::future::Ready<Result<(StreamProtocol, Stream), Infallible>>;

impl UpgradeInfo for Offer {
    type Info = StreamProtocol;
    type InfoIter = std::vec::IntoIter<StreamProtocol>;

    fn protocol_info(&self) -> Self::InfoIter {
        Vec::from(&*self.0).into_iter()
    }
}

impl InboundUpgrade<Stream> for Offer {
    type Output = (StreamProtocol, Stream);
    type Error = Infallible;
    type Future = Agreed;

    fn upgrade_inbound(self, stream: Stream, protocol: StreamProtocol) -> Agreed {
        ready(Ok((protocol, stream)))
    }
}

impl UpgradeInfo for Request {
    type Info = StreamProtocol;
    type InfoIter = std::iter::Once<StreamProtocol>;

    fn protocol_info(&self) -> Self::InfoIter {
        std::iter::once(self.0.clone())
    }
}

impl OutboundUpgrade<Stream> for Request {
    type Output = Stream;
    type Error = Infallible;
    type Future = std::future::Ready<Result<Stream, Infallible>>;

    fn upgrade_outbound(self, stream: Stream, _: StreamProtocol) -> Self::Future {
        ready(Ok(stream))
    }
}
