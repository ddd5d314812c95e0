//! Live sessions that lose their transports all at once: how long until each has all that it missed.
#![allow(clippy::print_stdout, reason = "a benchmark says what it found")]

use std::{
    collections::BTreeMap,
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::{Context, bail, ensure};
use clap::Parser;
use futures_util::{StreamExt, future::try_join_all, stream};
use macula_benches::{
    http1::Target,
    live::{Carrier, Client, Session},
    macula::Macula,
};
use macula_proto::{
    Pattern,
    frame::{GatewayFrame, Hello, Position, Resume, Subscribe, Welcome},
};
use tokio::sync::watch;

/// Half of the sessions are on WebTransport, half on WebSocket, and each comes back on the other.
#[derive(Parser)]
struct Arguments {
    /// Sessions.
    #[arg(long, default_value_t = 1_000)]
    sessions: usize,
    /// Subscriptions of each, to a topic each.
    #[arg(long, default_value_t = 10)]
    subscriptions: u64,
}

/// Sessions that are opened at a time at the beginning.
const OPENING: usize = 20;
/// The pause between two events of a topic.
const PAUSE: Duration = Duration::from_millis(500);
/// How long all is well, and how long the transports are away.
const BEFORE: Duration = Duration::from_secs(2);
const AWAY: Duration = Duration::from_secs(1);

/// How far the benchmark is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    Before,
    Cut,
    /// Every session comes back, and has to have seen this event of each topic.
    Back(u64),
}

/// One session, and the last event of each subscription.
struct Reader {
    session: Session,
    welcome: Welcome,
    carrier: Carrier,
    positions: BTreeMap<u64, (Position, Option<u64>)>,
    gaps: u64,
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    rlimit::increase_nofile_limit(u64::MAX)?;
    let macula = Macula::start()?;
    let client = Arc::new(Client::new(&macula.tls("ca.pem"), macula.port)?);
    let (phase, phases) = watch::channel(Phase::Before);
    let carriers = [Carrier::WebTransport, Carrier::WebSocket]
        .into_iter()
        .cycle();
    let opening = carriers.take(arguments.sessions).map(|carrier| {
        let client = Arc::clone(&client);
        async move { Reader::open(&client, carrier, arguments.subscriptions).await }
    });
    let readers: Vec<_> = stream::iter(opening)
        .buffer_unordered(OPENING)
        .collect()
        .await;
    let mut tasks = Vec::new();
    for reader in readers {
        tasks.push(tokio::spawn(
            reader?.run(Arc::clone(&client), phases.clone()),
        ));
    }
    let target = Target::new(&macula.tls("ca.pem"), macula.port)?;
    let (published, mut counts) = watch::channel(0);
    tokio::spawn(publish(target, arguments.subscriptions, published));

    tokio::time::sleep(BEFORE).await;
    phase.send_replace(Phase::Cut);
    tokio::time::sleep(AWAY).await;
    let last = *counts.borrow_and_update();
    phase.send_replace(Phase::Back(last));
    let began = Instant::now();
    let gaps: Vec<u64> = try_join_all(tasks)
        .await?
        .into_iter()
        .collect::<Result<_, _>>()?;
    println!(
        "{} sessions with {} subscriptions each had all that they missed after {:.2} s; {} gaps were told",
        arguments.sessions,
        arguments.subscriptions,
        began.elapsed().as_secs_f64(),
        gaps.iter().sum::<u64>(),
    );
    Ok(())
}

/// Publishes a number to each topic, again and again.
async fn publish(target: Target, topics: u64, published: watch::Sender<u64>) -> anyhow::Result<()> {
    let mut connection = target.connect().await?;
    for n in 1.. {
        for topic in 1..=topics {
            connection
                .post(&format!("/v1/publish/dev/bench.t{topic}"), &n.to_string())
                .await?;
        }
        published.send_replace(n);
        tokio::time::sleep(PAUSE).await;
    }
    Ok(())
}

impl Reader {
    async fn open(client: &Client, carrier: Carrier, subscriptions: u64) -> anyhow::Result<Self> {
        let (mut session, welcome) = client.open_with(carrier, hello(None, None)).await?;
        let mut positions = BTreeMap::new();
        for id in 1..=subscriptions {
            let subscribe = Subscribe {
                id,
                realm: None,
                pattern: Pattern::parse(&format!("bench.t{id}"))?,
                replay: None,
                after: None,
                overflow: None,
                delivery: None,
            };
            let GatewayFrame::Subscribed(subscribed) = session.ask(subscribe.into()).await? else {
                bail!("expected `subscribed`");
            };
            let last_event_id = subscribed.position;
            positions.insert(id, (Position { id, last_event_id }, None));
        }
        Ok(Self {
            session,
            welcome,
            carrier,
            positions,
            gaps: 0,
        })
    }

    /// Reads, loses its transport, comes back on the other, and reads until it has all; how many gaps it
    /// was told of. An event that is missing without a gap ends the run.
    async fn run(
        mut self,
        client: Arc<Client>,
        mut phase: watch::Receiver<Phase>,
    ) -> anyhow::Result<u64> {
        loop {
            tokio::select! {
                frame = self.session.hear() => { let frame = frame?; self.take(frame)?; }
                changed = phase.changed() => { changed?; break; }
            }
        }
        let Self {
            session,
            welcome,
            carrier,
            positions,
            gaps,
        } = self;
        session.cut();
        let is_back = |phase: &Phase| matches!(phase, Phase::Back(_));
        let Phase::Back(last) = *phase.wait_for(is_back).await? else {
            bail!("it is not over");
        };
        let resume = Resume {
            session: welcome.session.to_string(),
            subscriptions: positions.values().map(|(position, _)| *position).collect(),
            ..Resume::default()
        };
        let other = match carrier {
            Carrier::WebSocket => Carrier::WebTransport,
            Carrier::WebTransport => Carrier::WebSocket,
        };
        let hello = hello(welcome.token.clone(), Some(Box::new(resume)));
        let (session, welcome) = client.open_with(other, hello).await?;
        ensure!(welcome.resumed.0, "it was not resumed");
        let mut reader = Self {
            session,
            welcome,
            carrier: other,
            positions,
            gaps,
        };
        while reader
            .positions
            .values()
            .any(|(_, seen)| seen.is_none_or(|seen| seen < last))
        {
            let frame = reader.session.hear().await?;
            reader.take(frame)?;
        }
        Ok(reader.gaps)
    }

    fn take(&mut self, frame: GatewayFrame) -> anyhow::Result<()> {
        match frame {
            GatewayFrame::EventFrame(event) => {
                let found = self.positions.get_mut(&event.id);
                let (position, seen) = found.context("an event of nobody's")?;
                let n: u64 = serde_json::from_slice(&event.event.payload)?;
                if let Some(before) = *seen {
                    ensure!(
                        n == before + 1,
                        "{n} came after {before}, and no gap was told"
                    );
                }
                position.last_event_id = event.event.id;
                *seen = Some(n);
            }
            GatewayFrame::Missed(gap) => {
                self.gaps += 1;
                let found = self.positions.get_mut(&gap.id);
                found.context("a gap of nobody's")?.1 = None;
            }
            _ => {}
        }
        Ok(())
    }
}

fn hello(token: Option<Arc<str>>, resume: Option<Box<Resume>>) -> Hello {
    Hello {
        token,
        realm: None,
        subject: None,
        resume,
    }
}
