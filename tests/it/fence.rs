//! The fence row in a database: who comes later ends who was there, and whoever was there commits nothing more.

mod restarted;
mod row;
mod stopped;
