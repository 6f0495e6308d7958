//! The steps as not too many nodes. Pure.
//!
//! Invariant: each node stands for steps that follow one another in an order that all steps allow, so that no circle
//! can come of it; none stands on both sides of the point of no return. Linear in steps and in what they wait for.

use std::collections::{BTreeMap, BTreeSet};

use crate::review::{Review, StepView};

/// Up to how many nodes are drawn: one bit each.
pub const LIMIT: usize = 60;

/// What waits for what, drawn.
pub struct Graph {
    /// In an order that they allow.
    pub nodes: Vec<Node>,
    /// By node: those that it waits for, without those that follow from others.
    pub before: Vec<BTreeSet<usize>>,
    /// Whether each step has a node of its own.
    pub is_whole: bool,
}

/// A node: a step, or some that are alike.
pub struct Node {
    /// The number of the first step.
    pub step: usize,
    /// What is done.
    pub head: String,
    /// To what.
    pub name: String,
    /// Whether a migration is among them.
    pub is_migration: bool,
    /// Whether the way back of one of them loses something.
    pub is_lossy: bool,
    /// Whether they stand behind the point of no return.
    pub is_behind: bool,
}

/// What steps have in common that are drawn as one.
#[derive(Clone, Copy)]
enum Alike {
    /// Nothing: each is alone.
    Alone,
    /// The address, without the key of an instance.
    Address,
    /// The kind.
    Kind,
    /// Nothing but that they follow one another: so many.
    Chunk(usize),
}

impl Graph {
    /// The graph of a review.
    pub fn of(review: &Review) -> Self {
        let steps = &review.steps;
        let index: BTreeMap<u32, usize> = steps.iter().enumerate().map(|(index, step)| (step.id.0, index)).collect();
        let behind = review
            .point_of_no_return
            .as_ref()
            .map_or(steps.len(), |point| index.get(&point.step.0).copied().unwrap_or(steps.len()));
        let mut layers = vec![0_usize; steps.len()];
        for (own, step) in steps.iter().enumerate() {
            let before = step.after.iter().filter_map(|id| index.get(&id.0)).filter(|other| **other < own);
            layers[own] = before.map(|other| layers[*other] + 1).max().unwrap_or_default();
        }
        // The point of no return may cut one chunk in two.
        let chunk = Alike::Chunk(steps.len().div_ceil(LIMIT - 1));
        let tried = [Alike::Alone, Alike::Address, Alike::Kind, chunk].map(|alike| runs(steps, &layers, behind, alike));
        let runs = tried.into_iter().find(|runs| runs.len() <= LIMIT).unwrap_or_default();
        let mut node_of = vec![0; steps.len()];
        for (node, run) in runs.iter().enumerate() {
            run.iter().for_each(|step| node_of[*step] = node);
        }
        let mut before = vec![BTreeSet::new(); runs.len()];
        for (own, step) in steps.iter().enumerate() {
            for other in step.after.iter().filter_map(|id| index.get(&id.0)).filter(|other| **other < own) {
                if node_of[*other] != node_of[own] {
                    before[node_of[own]].insert(node_of[*other]);
                }
            }
        }
        let nodes = runs.iter().map(|run| Node::of(steps, run, behind)).collect();
        Self { nodes, before: reduced(&before), is_whole: runs.len() == steps.len() }
    }

    /// The first node behind the point of no return.
    pub fn behind(&self) -> Option<usize> {
        self.nodes.iter().position(|node| node.is_behind)
    }
}

/// The steps in runs of those that are alike, in an order that what they wait for allows.
fn runs(steps: &[StepView], layers: &[usize], behind: usize, alike: Alike) -> Vec<Vec<usize>> {
    let key = |step: usize| key(&steps[step], alike);
    let mut order: Vec<usize> = (0..steps.len()).collect();
    if !matches!(alike, Alike::Alone) {
        order.sort_by_cached_key(|step| (*step >= behind, layers[*step], key(*step), *step));
    }
    let mut runs: Vec<Vec<usize>> = Vec::new();
    for step in order {
        let joins = runs.last().is_some_and(|run| {
            let first = run[0];
            let fits = match alike {
                Alike::Alone => false,
                Alike::Address | Alike::Kind => key(first) == key(step),
                Alike::Chunk(most) => run.len() < most,
            };
            fits && (first >= behind) == (step >= behind)
        });
        match runs.last_mut().filter(|_| joins) {
            Some(run) => run.push(step),
            None => runs.push(vec![step]),
        }
    }
    runs
}

fn key(step: &StepView, alike: Alike) -> (&str, &str) {
    match alike {
        Alike::Alone | Alike::Chunk(_) => ("", ""),
        Alike::Address => (step.action, step.address.split('[').next().unwrap_or_default()),
        Alike::Kind => (step.action, step.kind.as_deref().unwrap_or(&step.address)),
    }
}

impl Node {
    fn of(steps: &[StepView], run: &[usize], behind: usize) -> Self {
        let first = &steps[run[0]];
        let migration = first.migration.as_ref();
        let (head, name) = if let [_] = run {
            let name = match migration {
                Some(_) => first.title.rsplit(' ').next().unwrap_or_default().to_owned(),
                None => first.title.clone(),
            };
            let what = migration.map_or(String::new(), |_| format!(" {}", first.address));
            (format!("{} · {}{what}", first.id, first.action), name)
        } else {
            let all_same = |of: fn(&StepView) -> &str| run.iter().all(|step| of(&steps[*step]) == of(first));
            let action = if all_same(|step| step.action) { first.action } else { "change" };
            let name = match () {
                () if all_same(|step| step.address.split('[').next().unwrap_or_default()) => {
                    first.address.split('[').next().unwrap_or_default().to_owned()
                }
                () if all_same(|step| step.kind.as_deref().unwrap_or_default()) => {
                    first.kind.clone().unwrap_or_default()
                }
                () => "several things".to_owned(),
            };
            (format!("{} × {action}", run.len()), name)
        };
        Self {
            step: usize::try_from(first.id.0).unwrap_or(usize::MAX),
            head,
            name,
            is_migration: run.iter().any(|step| steps[*step].migration.is_some()),
            is_lossy: run.iter().any(|step| !steps[*step].inverse.reversible),
            is_behind: run[0] >= behind,
        }
    }
}

/// Without the edges that follow from others. There are never more nodes than bits.
fn reduced(before: &[BTreeSet<usize>]) -> Vec<BTreeSet<usize>> {
    let bit = |node: usize| 1_u64 << node.min(63);
    let mut reach = vec![0_u64; before.len()];
    let mut kept = Vec::with_capacity(before.len());
    for (node, direct) in before.iter().enumerate() {
        let through = direct.iter().fold(0, |all, other| all | reach[*other]);
        reach[node] = direct.iter().fold(through, |all, other| all | bit(*other));
        kept.push(direct.iter().copied().filter(|other| through & bit(*other) == 0).collect());
    }
    kept
}
