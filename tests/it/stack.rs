//! A stand-in for the shared test stack: one PostgreSQL server for the whole test process.

use std::process::Command;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

use crate::postgres_server::{Server, programs};

/// What all tests share.
pub struct Stack {
    server: Server,
    databases: AtomicU32,
}

/// The one stack of this process.
pub fn shared() -> &'static Stack {
    static STACK: OnceLock<Stack> = OnceLock::new();
    STACK.get_or_init(|| Stack { server: Server::start(&[], |_| {}), databases: AtomicU32::new(0) })
}

impl Stack {
    /// The URL of the server for its superuser.
    pub fn postgres_url(&self) -> String {
        self.server.url("postgres")
    }

    /// The URL of a fresh database.
    pub fn new_database(&self, prefix: &str) -> String {
        let name = format!("{prefix}_{}", self.databases.fetch_add(1, Ordering::Relaxed));
        let statement = format!("create database \"{name}\"");
        let done = Command::new(programs().join("psql")).arg(self.postgres_url()).args(["-qc", &statement]).status();
        assert!(done.unwrap().success());
        self.server.url(&name)
    }
}
