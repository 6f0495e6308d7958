//! Looks on from a session beside the one that is rehearsed in. Talks to the server.
//!
//! Invariant: what each statement did is told in the order of the statements, and of none that failed.

use async_trait::async_trait;
use tokio_postgres::Client;

use super::super::errors::world_error;
use super::super::observation::observer::{Observer as Eye, Within};
use super::super::observation::slice;
use super::super::settings::Target;
use super::observer::{Observer, Sent, Watch};
use crate::migration::catalog::Catalog;
use crate::migration::catalog::slice::matters;
use crate::migration::observation::Observation;
use crate::world::WorldError;

/// Looks on from beside.
#[derive(Clone, Copy, Debug, Default)]
pub struct Beside;

struct Seen {
    eye: Eye,
    /// What the catalogs said before the statement that runs.
    before: Option<Catalog>,
    found: Vec<Observation>,
}

#[async_trait]
impl Observer for Beside {
    async fn watch(&self, target: &Target, session: &Client) -> Result<Box<dyn Watch>, WorldError> {
        let eye = Eye::of(target, session).await?;
        Ok(Box::new(Seen { eye, before: None, found: Vec::new() }))
    }
}

#[async_trait]
impl Watch for Seen {
    async fn before(&mut self, client: &Client, sent: Sent<'_>) -> Result<(), WorldError> {
        self.before = match matters(sent.statement) {
            true => {
                slice::read(client, sent.statement).await.map_err(|error| world_error("read the catalogs", &error))?
            }
            false => None,
        };
        let within = if sent.outside { Within::Itself } else { Within::Transaction };
        self.eye.before(client, sent.statement, within).await
    }

    async fn after(&mut self, client: &Client, sent: Sent<'_>) -> Result<(), WorldError> {
        let before = self.before.take().map(Box::new);
        let seen = self.eye.after(client, sent.number, sent.statement).await?;
        self.found.push(Observation { before, ..seen });
        Ok(())
    }

    fn end(&mut self) -> Vec<Observation> {
        self.eye.forget();
        std::mem::take(&mut self.found)
    }
}
