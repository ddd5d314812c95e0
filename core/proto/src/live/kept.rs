//! Answers that may have been lost with their transport.

use std::{collections::VecDeque, time::Duration};

use serde_json::Value;

use crate::frame::GatewayFrame;

/// The most answers that are kept.
pub const MAX_ANSWERS: usize = 256;
/// The most bytes of payloads in them.
pub const MAX_BYTES: usize = 256 << 10;
/// What an answer counts for beside its payload, in bytes.
const ANSWER_BYTES: usize = 128;

/// The last answers, oldest first.
#[derive(Debug, Default)]
pub(super) struct Kept {
    answers: VecDeque<Answer>,
    bytes: usize,
}

#[derive(Debug)]
struct Answer {
    id: u64,
    frame: GatewayFrame,
    given: Duration,
    bytes: usize,
}

impl Kept {
    /// Keeps an answer that was given at this time; the oldest go when there are too many. One that
    /// is too large alone is not kept.
    pub(super) fn keep(&mut self, id: u64, frame: GatewayFrame, given: Duration) {
        let bytes = ANSWER_BYTES + payload_bytes(&frame);
        if bytes > MAX_BYTES {
            return;
        }
        self.bytes += bytes;
        self.answers.push_back(Answer {
            id,
            frame,
            given,
            bytes,
        });
        while self.answers.len() > MAX_ANSWERS || self.bytes > MAX_BYTES {
            self.drop_oldest();
        }
    }

    /// Drops the answers that were given before this time: they have arrived, or nobody asks for
    /// them any more.
    pub(super) fn drop_before(&mut self, time: Duration) {
        while self
            .answers
            .front()
            .is_some_and(|answer| answer.given < time)
        {
            self.drop_oldest();
        }
        if self.answers.is_empty() {
            // An idle session holds no buffer.
            self.answers = VecDeque::new();
        }
    }

    fn drop_oldest(&mut self) {
        if let Some(oldest) = self.answers.pop_front() {
            self.bytes -= oldest.bytes;
        }
    }

    /// The answer of an operation.
    pub(super) fn find(&self, id: u64) -> Option<&GatewayFrame> {
        let answer = self.answers.iter().rev().find(|answer| answer.id == id);
        answer.map(|answer| &answer.frame)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.answers.is_empty()
    }
}

fn payload_bytes(frame: &GatewayFrame) -> usize {
    match frame {
        GatewayFrame::CallResult(result) => result.payload.bytes.len(),
        GatewayFrame::Error(error) => {
            let handler = error.problem.handler.as_ref();
            let data = handler.and_then(|handler| handler.data.as_ref());
            error.problem.detail.len() + data.map_or(0, value_bytes)
        }
        GatewayFrame::Discovered(found) => value_bytes(&found.page.0),
        _ => 0,
    }
}

/// What a value takes in memory, about: a short number takes more there than as text.
fn value_bytes(value: &Value) -> usize {
    let held: usize = match value {
        Value::Null | Value::Bool(_) | Value::Number(_) => 0,
        Value::String(text) => text.len(),
        Value::Array(items) => items.iter().map(value_bytes).sum(),
        Value::Object(members) => members
            .iter()
            .map(|(key, value)| size_of::<String>() + key.len() + value_bytes(value))
            .sum(),
    };
    size_of::<Value>() + held
}
