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
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

use super::{
    Call, Handler, Policy, Reply, Schema, Serve,
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
    /// Calls in flight, waiting ones included.
    pub(crate) calls: Arc<AtomicUsize>,
}

#[derive(Debug, Default)]
struct Tables {
    realms: HashMap<Realm, HashMap<Procedure, Service>>,
    everywhere: HashMap<Procedure, Service>,
    count: usize,
    next_id: u64,
}

/// Everybody who serves one procedure, in the order in which they came.
#[derive(Debug)]
struct Service {
    policy: Policy,
    /// Counts calls, for the policies that take turns.
    turn: AtomicUsize,
    providers: Vec<Arc<Provider>>,
}

/// One who serves a procedure.
pub(crate) struct Provider {
    id: u64,
    pub(crate) name: Arc<str>,
    pub(crate) handler: Arc<dyn Handler>,
    pub(crate) description: Option<Arc<str>>,
    pub(crate) schema: Option<Arc<Schema>>,
    concurrency: usize,
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
    realm: Option<Realm>,
    procedure: Procedure,
    provider: Arc<Provider>,
}

impl Providers {
    pub(crate) fn new(settings: &Settings) -> Self {
        Self {
            max_providers: settings.max_providers,
            max_calls: settings.max_calls,
            max_waiting: settings.max_waiting,
            tables: RwLock::default(),
            calls: Arc::default(),
        }
    }

    pub(crate) fn serve(
        self: &Arc<Self>,
        serve: Serve,
        handler: Arc<dyn Handler>,
    ) -> Result<Registration, Problem> {
        let Serve {
            realm,
            procedure,
            policy,
            ..
        } = serve;
        let concurrency = serve.concurrency.clamp(1, Semaphore::MAX_PERMITS);
        let mut tables = self.tables.write();
        if tables.count >= self.max_providers {
            let limit = self.max_providers;
            let detail = format!("this node has its limit of {limit} providers");
            return Err(Problem::new(ErrorCode::Overloaded, detail));
        }
        let id = tables.next_id;
        let service = tables.of(realm.as_ref()).entry(procedure.clone());
        let service = service.or_insert_with(|| Service::new(policy.unwrap_or_default()));
        if policy.is_some_and(|policy| policy != service.policy) {
            let detail = format!(
                "{procedure} is served with policy {}, expected the same or none",
                service.policy
            );
            return Err(Problem::new(ErrorCode::InvalidRequest, detail));
        }
        let provider = Arc::new(Provider {
            id,
            name: serve.provider,
            handler,
            description: serve.description,
            schema: serve.schema,
            concurrency,
            places: Arc::new(Semaphore::new(concurrency)),
            load: AtomicUsize::new(0),
            away: AtomicBool::new(false),
            gone: CancellationToken::new(),
        });
        service.providers.push(Arc::clone(&provider));
        tables.count += 1;
        tables.next_id += 1;
        Ok(Registration {
            providers: Arc::clone(self),
            realm,
            procedure,
            provider,
        })
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
        &self.procedure
    }

    /// Says whether the provider cannot be reached for now. Calls that it has stay; new ones go to
    /// others, or end with `provider_unavailable` at once.
    pub fn set_away(&self, away: bool) {
        self.provider.away.store(away, Ordering::Relaxed);
    }
}

impl Drop for Registration {
    fn drop(&mut self) {
        let mut tables = self.providers.tables.write();
        let services = tables.of(self.realm.as_ref());
        if let Some(service) = services.get_mut(&self.procedure) {
            service.providers.retain(|p| p.id != self.provider.id);
            if service.providers.is_empty() {
                services.remove(&self.procedure);
            }
        }
        let empty = services.is_empty();
        if let (true, Some(realm)) = (empty, &self.realm) {
            tables.realms.remove(realm);
        }
        tables.count -= 1;
        drop(tables);
        self.provider.places.close();
        self.provider.gone.cancel();
    }
}
