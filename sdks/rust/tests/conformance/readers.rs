//! The subscriptions of a case.

use anyhow::{Context, bail, ensure};
use macula_client::{Delivery, Event, EventId, Subscription, Value, decode};
use serde_json::{Value as Json, json};

use crate::{WAIT, case::Step, values};

/// A subscription, or what is left of one.
pub struct Reader {
    open: Option<Subscription>,
    /// The last event that came.
    pub last: Option<EventId>,
}

impl Reader {
    pub fn new(subscription: Subscription) -> Self {
        Self {
            open: Some(subscription),
            last: None,
        }
    }

    /// Reads no more.
    pub fn leave(&mut self) {
        self.open = None;
    }

    /// Reads what the step says, and nothing else in between.
    pub async fn receive(&mut self, step: &Step) -> anyhow::Result<()> {
        if let Some(Json::Array(events)) = step.get("events") {
            for expected in events {
                let event = self.event().await?;
                check(&event, expected).with_context(|| format!("{event:?}"))?;
            }
        }
        for number in step.numbers().into_iter().flatten() {
            let event = self.event().await?;
            values::check(&decode(&event.content())?, &json!(number))?;
        }
        if let Some(expected) = step.get("gap") {
            let Delivery::Gap { missed, reason } = self.next().await? else {
                bail!("expected a gap, found an event");
            };
            let found = json!({"missed": missed, "reason": reason.as_str()});
            values::contains(&found, expected)?;
        }
        Ok(())
    }

    async fn next(&mut self) -> anyhow::Result<Delivery> {
        let open = self.open.as_mut().context("it was left")?;
        let delivery = tokio::time::timeout(WAIT, open.next()).await;
        let delivery = delivery.context("nothing came in time")?;
        match delivery {
            Some(delivery) => Ok(delivery),
            None => bail!("the subscription has ended: {:?}", open.error()),
        }
    }

    async fn event(&mut self) -> anyhow::Result<Event> {
        match self.next().await? {
            Delivery::Event(event) => {
                self.last = Some(event.id);
                Ok(event)
            }
            gap @ Delivery::Gap { .. } => bail!("expected an event, found {gap:?}"),
        }
    }
}

fn check(event: &Event, expected: &Json) -> anyhow::Result<()> {
    let Json::Object(members) = expected else {
        bail!("expected members of an event, found {expected}");
    };
    for (name, expected) in members {
        let text = |text: &str| Value::String(text.to_owned());
        let found = match name.as_str() {
            "topic" => text(event.topic.as_str()),
            "realm" => text(event.realm.as_str()),
            "publisher" => text(&event.publisher),
            "headers" => {
                let headers = event.headers.iter();
                let headers = headers.map(|(name, value)| (text(name), text(value)));
                Value::Map(headers.collect())
            }
            "payload" => decode(&event.content())?,
            other => bail!("an event has no {other}"),
        };
        ensure!(
            values::check(&found, expected).is_ok(),
            "expected {name} {expected}, found {found:?}"
        );
    }
    Ok(())
}
