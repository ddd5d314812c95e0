//! Frames: a length of two bytes, big end first, and that many bytes of JSON.

use std::io;

use serde::{Serialize, de::DeserializeOwned};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

/// The longest frame, in bytes: a greeting with a certificate and eight addresses has about 1,000.
pub(crate) const MAX_BYTES: u16 = 4_096;

/// Why a frame was not read.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FrameError {
    #[error("expected a frame of at most {MAX_BYTES} bytes")]
    TooLong,
    #[error("expected another frame: {0}")]
    Malformed(#[from] serde_json::Error),
    #[error(transparent)]
    Io(#[from] io::Error),
}

pub(crate) async fn write<T: Serialize>(
    to: &mut (impl AsyncWrite + Unpin),
    frame: &T,
) -> io::Result<()> {
    let body = serde_json::to_vec(frame)?;
    let length = u16::try_from(body.len()).ok();
    let length = length.filter(|length| *length <= MAX_BYTES);
    let length = length.ok_or(io::ErrorKind::InvalidInput)?;
    let bytes = [&length.to_be_bytes()[..], &body].concat();
    to.write_all(&bytes).await?;
    to.flush().await
}

pub(crate) async fn read<T: DeserializeOwned>(
    from: &mut (impl AsyncRead + Unpin),
) -> Result<T, FrameError> {
    let length = from.read_u16().await?;
    if length > MAX_BYTES {
        return Err(FrameError::TooLong);
    }
    let mut body = vec![0; usize::from(length)];
    from.read_exact(&mut body).await?;
    Ok(serde_json::from_slice(&body)?)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::Value;

    use super::*;

    fn now<T>(future: impl Future<Output = T>) -> T {
        let ready = futures_util::FutureExt::now_or_never(future);
        ready.expect("memory never waits")
    }

    proptest! {
        #[test]
        fn a_frame_comes_back_as_it_went(text in ".{0,600}") {
            let mut bytes = Vec::new();
            now(write(&mut bytes, &text)).unwrap();
            let read: String = now(read(&mut &bytes[..])).unwrap();
            prop_assert_eq!(read, text);
        }

        #[test]
        fn no_bytes_are_a_panic(bytes: Vec<u8>) {
            let _ = now(read::<Value>(&mut &bytes[..]));
        }
    }

    #[test]
    fn a_length_is_refused_before_anything_is_read_for_it() {
        let read = now(read::<Value>(&mut &[0xff, 0xff][..]));
        assert!(matches!(read, Err(FrameError::TooLong)));
        assert!(now(write(&mut Vec::new(), &"x".repeat(5_000))).is_err());
    }
}
