//! `drift` and `diff`: what somebody changed behind our back is told, each thing once and with its class, and nothing
//! else is; and nobody who only looks writes anything, by rights that do not let them.

mod bench;
mod guard;
mod known;
mod matrix;
mod reading;
mod sides;
