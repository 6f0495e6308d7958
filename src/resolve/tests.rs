//! Specs in, desired out: one short case per behaviour.

mod databases;
mod deferred;
mod mistakes;
mod modules;
mod scale;
mod secrecy;
mod stage;
mod variables;
