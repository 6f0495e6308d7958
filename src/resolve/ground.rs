//! What every evaluation stands on: the spec, its graph, and what was evaluated so far. Pure.
//!
//! Invariant: places look at it and only the engine changes it.

use std::collections::BTreeMap;

use super::cells::{Needs, SiteInstance, State};
use super::evaluate::Surroundings;
use super::graph::Graph;
use crate::address::ModulePath;
use crate::spec::Spec;
use crate::value::Value;

pub(super) struct Ground<'a> {
    pub spec: &'a Spec,
    pub graph: &'a Graph,
    pub surroundings: Surroundings<'a>,
    /// Dotted names of ours.
    pub builtins: BTreeMap<String, Value>,
    pub state: State,
}

impl<'a> Ground<'a> {
    /// Nothing is evaluated yet; there is the one instance of the spec itself.
    pub fn new(
        spec: &'a Spec,
        graph: &'a Graph,
        surroundings: Surroundings<'a>,
        builtins: BTreeMap<String, Value>,
    ) -> Self {
        let nodes = graph.nodes.len();
        let mut sites = vec![Vec::new(); graph.sites.len()];
        sites[0].push(SiteInstance { path: ModulePath::root(), parent: 0, each: None, needs: Needs::default() });
        let state = State {
            sites,
            cells: vec![Vec::new(); nodes],
            calls: vec![Vec::new(); nodes],
            blocks: vec![Vec::new(); nodes],
            ..State::default()
        };
        Self { spec, graph, surroundings, builtins, state }
    }
}
