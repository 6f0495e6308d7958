//! `switchback local`: the local stack.
