//! Who serves what on this node.

use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
};

use macula_proto::{ErrorCode, Problem, Procedure, Realm};
use parking_lot::RwLock;
use tokio::sync::{Notify, Semaphore};
use tokio_util::sync::CancellationToken;

use super::{
    Call, Handler, Policy, Reply, Schema, Serve,
    offers::Offers,
    policy::{Candidate, choose},
};
use crate::settings::Settings;

/// The providers of a node, and how many calls they have in flight.
#[derive(Debug)]
pub(crate) struct Providers {
    max_providers: usize,
    max_calls: usize,
    max_waiting: usize,
    tables: RwLock<Tables>,
    /// Told when what is served has changed.
    changed: Arc<Notify>,
    /// Calls in flight, waiting ones included.
    pub(crate) calls: Arc<AtomicUsize>,
}

#[derive(Debug, Default)]
struct Tables {
    realms: HashMap<Realm, HashMap<Procedure, Service>>,
    everywhere: HashMap<Procedure, Service>,
    offers: Offers,
    /// The providers of this node.
    count: usize,
    next_id: u64,
}

/// Everybody who serves one procedure: those of this node, then those of others, in the order in which they
/// came.
#[derive(Debug)]
struct Service {
    policy: Policy,
    /// Counts calls, for the policies that take turns.
    turn: AtomicUsize,
    providers: Vec<Arc<Provider>>,
}

/// One who serves a procedure.
pub(crate) struct Provider {
    pub(crate) id: u64,
    pub(crate) realm: Option<Realm>,
    pub(crate) procedure: Procedure,
    pub(crate) policy: Policy,
    pub(crate) name: Arc<str>,
    /// The node that it is connected to, if that is another one.
    pub(crate) node: Option<Arc<str>>,
    pub(crate) handler: Arc<dyn Handler>,
    pub(crate) description: Option<Arc<str>>,
    pub(crate) schema: Option<Arc<Schema>>,
    pub(crate) concurrency: usize,
    /// A permit for each call that may run at a time; closed when the provider stops serving, so
    /// that no call begins after it.
    pub(crate) places: Arc<Semaphore>,
    /// Calls that run or wait.
    pub(crate) load: AtomicUsize,
    /// True while the provider cannot be reached, and may come back.
    away: AtomicBool,
    /// Cancelled when the provider stops serving.
    pub(crate) gone: CancellationToken,
}

impl std::fmt::Debug for Provider {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Provider")
            .field("name", &self.name)
            .field("load", &self.load)
            .finish_non_exhaustive()
    }
}

/// A procedure as discovery shows it.
#[derive(Debug, Clone)]
pub(crate) struct Listing {
    pub(crate) procedure: Procedure,
    pub(crate) policy: Policy,
    pub(crate) providers: Vec<Arc<Provider>>,
}

/// Keeps a procedure served. Dropping it stops serving: calls in flight end with
/// `provider_unavailable` at once.
#[derive(Debug)]
pub struct Registration {
    providers: Arc<Providers>,
    provider: Arc<Provider>,
}

impl Providers {
    pub(crate) fn new(settings: &Settings, changed: Arc<Notify>) -> Self {
        Self {
            max_providers: settings.max_providers,
            max_calls: settings.max_calls,
            max_waiting: settings.max_waiting,
            tables: RwLock::default(),
            changed,
            calls: Arc::default(),
        }
    }

    pub(crate) fn serve(
        self: &Arc<Self>,
        serve: Serve,
        handler: Arc<dyn Handler>,
    ) -> Result<Registration, Problem> {
        let mut tables = self.tables.write();
        if tables.count >= self.max_providers {
            let limit = self.max_providers;
            let detail = format!("this node has its limit of {limit} providers");
            return Err(Problem::new(ErrorCode::Overloaded, detail));
        }
        let agreed = tables.policy(serve.realm.as_ref(), &serve.procedure);
        if let (Some(agreed), Some(policy)) = (agreed, serve.policy)
            && agreed != policy
        {
            let detail = format!(
                "{} is served with policy {agreed}, expected the same or none",
                serve.procedure
            );
            return Err(Problem::new(ErrorCode::InvalidRequest, detail));
        }
        let provider = tables.insert(serve, handler, None);
        tables.count += 1;
        if tables.offers.add(&provider) {
            self.changed.notify_one();
        }
        drop(tables);
        Ok(self.registration(provider))
    }

    /// Takes note of a provider at another node; the handler brings calls there. The node that it is at has
    /// bounded how many there are. Where nodes do not agree on a policy, each keeps the one that it knew first.
    pub(crate) fn serve_elsewhere(
        self: &Arc<Self>,
        serve: Serve,
        handler: Arc<dyn Handler>,
        node: Arc<str>,
    ) -> Registration {
        let provider = self.tables.write().insert(serve, handler, Some(node));
        self.registration(provider)
    }

    fn registration(self: &Arc<Self>, provider: Arc<Provider>) -> Registration {
        Registration {
            providers: Arc::clone(self),
            provider,
        }
    }

    /// What is offered to other nodes, as far as it has changed since the last time.
    pub(crate) fn take_offers(&self) -> Vec<(u64, Option<Arc<Provider>>)> {
        self.tables.write().offers.take()
    }

    /// Asks the provider that the policy chooses. The realm's own providers come before those
    /// that serve every realm.
    pub(crate) fn call(&self, call: Call) -> Result<Reply, Problem> {
        let provider = {
            let tables = self.tables.read();
            let own = tables.realms.get(&call.realm);
            let service = own
                .and_then(|services| services.get(&call.procedure))
                .or_else(|| tables.everywhere.get(&call.procedure));
            let Some(service) = service else {
                let detail = format!("nobody serves {} in {}", call.procedure, call.realm);
                return Err(Problem::new(ErrorCode::ProcedureNotFound, detail));
            };
            service.choose().ok_or_else(|| {
                let detail = format!("the providers of {} are away", call.procedure);
                Problem::new(ErrorCode::ProviderUnavailable, detail)
            })?
        };
        self.ask(call, provider)
    }

    /// Asks the provider of this node that another node has chosen, or, if that one has gone meanwhile, any
    /// other of this node: the call has not begun, and is never sent on from here.
    pub(crate) fn call_here(&self, call: Call, provider: u64) -> Result<Reply, Problem> {
        let found = {
            let tables = self.tables.read();
            let chosen = tables.offers.find(provider).filter(|chosen| {
                chosen.procedure == call.procedure && chosen.realm.as_ref() == Some(&call.realm)
            });
            let service = tables.realms.get(&call.realm);
            let service = service.and_then(|services| services.get(&call.procedure));
            let other = || {
                let mut here = service?.providers.iter().filter(|p| p.node.is_none());
                here.find(|p| !p.away.load(Ordering::Relaxed))
            };
            chosen.or_else(other).cloned()
        };
        let found = found.ok_or_else(|| {
            let detail = format!("{} is not served at that node any more", call.procedure);
            Problem::new(ErrorCode::ProviderUnavailable, detail)
        })?;
        self.ask(call, found)
    }

    fn ask(&self, call: Call, provider: Arc<Provider>) -> Result<Reply, Problem> {
        let load = provider.load.fetch_add(1, Ordering::Relaxed);
        let calls = self.calls.fetch_add(1, Ordering::Relaxed);
        // From here on the reply gives back both counts when it goes.
        let reply = Reply::new(call, provider, Arc::clone(&self.calls));
        let provider = reply.provider();
        if calls >= self.max_calls {
            let limit = self.max_calls;
            let detail = format!("this node has its limit of {limit} calls in flight");
            return Err(Problem::new(ErrorCode::Overloaded, detail));
        }
        if load >= provider.concurrency.saturating_add(self.max_waiting) {
            let limit = self.max_waiting;
            let detail = format!("{limit} calls wait for the provider already");
            return Err(Problem::new(ErrorCode::Overloaded, detail));
        }
        Ok(reply)
    }

    /// What is served in a realm, in the order of names.
    pub(crate) fn list(&self, realm: &Realm) -> Vec<Listing> {
        let tables = self.tables.read();
        let own = tables.realms.get(realm);
        let everywhere = tables.everywhere.iter();
        // The realm's own service hides one of the same name that is served everywhere.
        let everywhere = everywhere.filter(|(name, _)| !own.is_some_and(|o| o.contains_key(*name)));
        let mut listings: Vec<_> = own
            .into_iter()
            .flatten()
            .chain(everywhere)
            .map(|(procedure, service)| Listing {
                procedure: procedure.clone(),
                policy: service.policy,
                providers: service.providers.clone(),
            })
            .collect();
        listings.sort_unstable_by(|a, b| a.procedure.cmp(&b.procedure));
        listings
    }

    /// How many providers there are.
    pub(crate) fn count(&self) -> usize {
        self.tables.read().count
    }
}

impl Tables {
    fn policy(&mut self, realm: Option<&Realm>, procedure: &Procedure) -> Option<Policy> {
        let services = match realm {
            Some(realm) => self.realms.get(realm)?,
            None => &self.everywhere,
        };
        services.get(procedure).map(|service| service.policy)
    }

    fn insert(
        &mut self,
        serve: Serve,
        handler: Arc<dyn Handler>,
        node: Option<Arc<str>>,
    ) -> Arc<Provider> {
        let id = self.next_id;
        self.next_id += 1;
        let service = self.of(serve.realm.as_ref()).entry(serve.procedure.clone());
        let service = service.or_insert_with(|| Service::new(serve.policy.unwrap_or_default()));
        let concurrency = serve.concurrency.clamp(1, Semaphore::MAX_PERMITS);
        let provider = Arc::new(Provider {
            id,
            realm: serve.realm,
            procedure: serve.procedure,
            policy: service.policy,
            name: serve.provider,
            node,
            handler,
            description: serve.description,
            schema: serve.schema,
            concurrency,
            places: Arc::new(Semaphore::new(concurrency)),
            load: AtomicUsize::new(0),
            away: AtomicBool::new(false),
            gone: CancellationToken::new(),
        });
        service.add(Arc::clone(&provider));
        provider
    }

    fn of(&mut self, realm: Option<&Realm>) -> &mut HashMap<Procedure, Service> {
        match realm {
            Some(realm) => self.realms.entry(realm.clone()).or_default(),
            None => &mut self.everywhere,
        }
    }
}

impl Service {
    fn new(policy: Policy) -> Self {
        Self {
            policy,
            turn: AtomicUsize::new(0),
            providers: Vec::new(),
        }
    }

    fn add(&mut self, provider: Arc<Provider>) {
        let place = match provider.node {
            // Those of this node stand first: what they answer crosses no network.
            None => self.providers.partition_point(|p| p.node.is_none()),
            Some(_) => self.providers.len(),
        };
        self.providers.insert(place, provider);
    }

    /// The provider to ask, of those that are not away.
    fn choose(&self) -> Option<Arc<Provider>> {
        let here = |provider: &&Arc<Provider>| !provider.away.load(Ordering::Relaxed);
        if let [only] = self.providers.as_slice() {
            return Some(only).filter(here).cloned();
        }
        let turn = self.turn.fetch_add(1, Ordering::Relaxed);
        let candidates = self.providers.iter().map(|provider| Candidate {
            load: match here(&provider) {
                true => provider.load.load(Ordering::Relaxed),
                false => usize::MAX,
            },
            concurrency: provider.concurrency,
        });
        let random = rand::random::<u32>() as usize;
        let chosen = choose(self.policy, candidates, turn, random);
        let (before, from) = self.providers.split_at(chosen);
        from.iter().chain(before).find(here).cloned()
    }
}

impl Registration {
    /// The procedure that is served.
    #[must_use]
    pub fn procedure(&self) -> &Procedure {
        &self.provider.procedure
    }

    /// Says whether the provider cannot be reached for now. Calls that it has stay; new ones go to
    /// others, or end with `provider_unavailable` at once.
    pub fn set_away(&self, away: bool) {
        let provider = &self.provider;
        if provider.away.swap(away, Ordering::Relaxed) == away {
            return;
        }
        let mut tables = self.providers.tables.write();
        let news = match away {
            true => tables.offers.remove(provider.id),
            false => tables.offers.add(provider),
        };
        if news {
            self.providers.changed.notify_one();
        }
    }
}

impl Drop for Registration {
    fn drop(&mut self) {
        let mut tables = self.providers.tables.write();
        let Provider {
            id,
            realm,
            procedure,
            ..
        } = &*self.provider;
        let services = tables.of(realm.as_ref());
        if let Some(service) = services.get_mut(procedure) {
            service.providers.retain(|p| p.id != *id);
            if service.providers.is_empty() {
                services.remove(procedure);
            }
        }
        let empty = services.is_empty();
        if let (true, Some(realm)) = (empty, realm) {
            tables.realms.remove(realm);
        }
        tables.count -= usize::from(self.provider.node.is_none());
        if tables.offers.remove(*id) {
            self.providers.changed.notify_one();
        }
        drop(tables);
        self.provider.places.close();
        self.provider.gone.cancel();
    }
}
