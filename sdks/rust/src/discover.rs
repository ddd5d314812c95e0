//! What there is in the mesh.

use std::{future::IntoFuture, pin::Pin, sync::Arc};

use macula_proto::{
    Pattern,
    frame::{self, GatewayFrame},
};
use serde_json::Value;

use crate::{Error, Mesh, mesh::unexpected};

/// Items that are found, unless said otherwise.
const LIMIT: usize = 1_000;
/// Items of one answer of the gateway's.
const PAGE: usize = 1_000;

/// What to find. Awaiting it gives the items, as `GET /v1/discover` gives them.
#[derive(Debug)]
#[must_use = "it asks when it is awaited"]
pub struct Discover {
    mesh: Mesh,
    pattern: String,
    kind: Option<Arc<str>>,
    limit: usize,
}

impl Discover {
    pub(crate) fn new(mesh: Mesh, pattern: &str) -> Self {
        Self {
            mesh,
            pattern: pattern.to_owned(),
            kind: None,
            limit: LIMIT,
        }
    }

    /// The kinds wanted, with commas between: `procedure`, `topic`, `node`; all unless said otherwise.
    pub fn kind(mut self, kind: impl Into<Arc<str>>) -> Self {
        self.kind = Some(kind.into());
        self
    }

    /// The most items, over all pages; 1,000 unless said otherwise.
    pub fn limit(mut self, items: usize) -> Self {
        self.limit = items;
        self
    }

    async fn run(self) -> Result<Vec<Value>, Error> {
        let pattern = Pattern::parse(&self.pattern);
        let pattern = pattern.map_err(|error| Error::Invalid(error.to_string()))?;
        let mut items = Vec::new();
        let mut cursor: Option<Arc<str>> = None;
        while items.len() < self.limit {
            let left = (self.limit - items.len()).min(PAGE) as u64;
            let request = |id| {
                let discover = frame::Discover {
                    id,
                    realm: None,
                    pattern: pattern.clone(),
                    kind: self.kind.clone(),
                    limit: Some(left),
                    cursor: cursor.clone(),
                };
                discover.into()
            };
            let mut page = match self.mesh.shared().ask(request, None).await? {
                GatewayFrame::Discovered(found) => found.page.0,
                other => return Err(unexpected(&other)),
            };
            if let Some(found) = page["items"].as_array_mut() {
                items.append(found);
            }
            cursor = page["next"].as_str().map(Into::into);
            if cursor.is_none() {
                break;
            }
        }
        Ok(items)
    }
}

impl IntoFuture for Discover {
    type Output = Result<Vec<Value>, Error>;
    type IntoFuture = Pin<Box<dyn Future<Output = Self::Output> + Send>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.run())
    }
}
