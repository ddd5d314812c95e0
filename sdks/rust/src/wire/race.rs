//! Two transports tried at once: the first that is there is taken.

use std::{pin::pin, time::Duration};

use tokio::time::timeout;

use super::Refused;
use crate::Error;

/// How long the preferred one is tried alone: most often it is there by then.
const HEAD_START: Duration = Duration::from_millis(300);
/// How long one is waited for when the other has failed.
const LEFT: Duration = Duration::from_secs(3);

/// The first of both that succeeds; the first has a head start. When one has failed the other has
/// little time left: a host that refuses one seldom answers late on the other.
pub(super) async fn race<T>(
    first: impl Future<Output = Result<T, Refused>>,
    second: impl Future<Output = Result<T, Refused>>,
) -> Result<T, Refused> {
    let (mut first, mut second) = (pin!(first), pin!(second));
    match timeout(HEAD_START, &mut first).await {
        Ok(Ok(opened)) => return Ok(opened),
        Ok(Err(error)) => return after(error, second).await,
        Err(_) => {}
    }
    tokio::select! {
        opened = &mut first => match opened {
            Ok(opened) => Ok(opened),
            Err(error) => after(error, second).await,
        },
        opened = &mut second => match opened {
            Ok(opened) => Ok(opened),
            Err(error) => after(error, first).await,
        },
    }
}

/// The other one, after one has failed.
async fn after<T>(
    failed: Refused,
    other: impl Future<Output = Result<T, Refused>>,
) -> Result<T, Refused> {
    match timeout(LEFT, other).await {
        Ok(opened) => opened.map_err(|error| both(failed, error)),
        Err(_) => Err(failed),
    }
}

/// What the gateway itself says counts; else both.
fn both(first: Refused, second: Refused) -> Refused {
    match (&first.error, &second.error) {
        (Error::Connect(one), Error::Connect(two)) => {
            Error::Connect(format!("{one}; {two}")).into()
        }
        (Error::Connect(_), _) => second,
        _ => first,
    }
}
