//! Whoever looks on while statements are rehearsed: which locks they take, what they rewrite. A trait.
//!
//! Invariant: an observer changes nothing of what it looks at, and what it cannot see it does not tell.

use async_trait::async_trait;
use tokio_postgres::Client;

use super::super::settings::Target;
use crate::migration::observation::Observation;
use crate::migration::statements::Statement;
use crate::world::WorldError;

/// A statement that is about to run, or has just run.
#[derive(Clone, Copy, Debug)]
pub struct Sent<'a> {
    /// Its number in the text, from one.
    pub number: usize,
    /// The statement.
    pub statement: &'a Statement,
    /// Whether it runs outside of a transaction.
    pub outside: bool,
}

/// Looks on while texts run.
#[async_trait]
pub trait Observer: Send + Sync {
    /// Opens whatever is needed to watch this session, which is at this place and runs one text after the other.
    ///
    /// # Errors
    /// As the server says.
    async fn watch(&self, target: &Target, session: &Client) -> Result<Box<dyn Watch>, WorldError>;
}

/// Looks on while one text runs, and then the next one.
#[async_trait]
pub trait Watch: Send + Sync {
    /// A statement is about to be sent.
    ///
    /// # Errors
    /// As the server says.
    async fn before(&mut self, client: &Client, sent: Sent<'_>) -> Result<(), WorldError>;

    /// It has run, without an error; inside of a transaction its locks are still held.
    ///
    /// # Errors
    /// As the server says.
    async fn after(&mut self, client: &Client, sent: Sent<'_>) -> Result<(), WorldError>;

    /// The text is over: what was seen of it, and nothing is left for the next one.
    fn end(&mut self) -> Vec<Observation>;
}
