//! The `Date` of a response (RFC 9110 §6.6.1), written once a second a thread. hyper does this for
//! HTTP/1.1 and HTTP/2.

use std::{
    cell::RefCell,
    time::{SystemTime, UNIX_EPOCH},
};

use http::HeaderValue;

thread_local! {
    /// The second that was written last, and its text.
    static LAST: RefCell<(u64, HeaderValue)> =
        const { RefCell::new((u64::MAX, HeaderValue::from_static(""))) };
}

/// The time now.
pub(super) fn now() -> HeaderValue {
    let now = SystemTime::now();
    let second = now.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    LAST.with_borrow_mut(|(last, text)| {
        if *last != second {
            let written = httpdate::fmt_http_date(now);
            *text = HeaderValue::try_from(written).expect("a date is visible");
            *last = second;
        }
        text.clone()
    })
}
