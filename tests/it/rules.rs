//! The rules, tried on a server: every bad example is found, no good one is, and the rewrite is what it claims to be.

mod bench;
mod examples;
mod kinds;
mod lint;
mod spec;
