//! The repository's own `environments/`, `modules/` and `migrations/`, applied to the local stack by the program
//! itself, and looked at by other means: the AWS CLI, raw calls, `psql`, `pg_dump`.

mod change;
pub mod clients;
mod empty_folder;
mod fresh;
mod killed;
mod many;
mod mistakes;
mod prefix;
pub mod project;
pub mod proxy;
pub mod running;
mod rolling;
mod s3_ledger;
mod secrets;
mod stale;
mod sweep;
pub mod world;
