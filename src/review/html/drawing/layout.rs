//! Where the nodes of a drawing stand: in rows, each below all that it waits for. Pure.
//!
//! Invariant: a row has at most [`ROW`] nodes; a line that leads over several rows has a place of its own in each, so
//! that it crosses no box.

use std::collections::BTreeMap;

use super::collapse::Graph;

/// How many nodes stand in one row.
const ROW: usize = 4;

/// What has a place in a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Spot {
    /// A node.
    Node(usize),
    /// Where the lines of a node pass a row that it does not stand in: the node, and the row.
    Passing(usize, usize),
}

/// Where everything stands.
pub struct Layout {
    /// The rows from the top, each from the left.
    pub rows: Vec<Vec<Spot>>,
    /// The lines, each by the spots that it leads through.
    pub paths: Vec<Vec<Spot>>,
}

impl Layout {
    /// A layout of a graph.
    pub fn of(graph: &Graph) -> Self {
        let row_of = rows_of(graph);
        let mut after = vec![0_usize; graph.nodes.len()];
        graph.before.iter().flatten().for_each(|node| after[*node] += 1);
        let count = row_of.iter().map(|row| row + 1).max().unwrap_or_default();
        let mut rows: Vec<Vec<Spot>> = vec![Vec::new(); count];
        let mut paths = Vec::new();
        let mut above: BTreeMap<Spot, Vec<Spot>> = BTreeMap::new();
        for (node, row) in row_of.iter().enumerate() {
            rows[*row].push(Spot::Node(node));
        }
        for (node, before) in graph.before.iter().enumerate() {
            for other in before {
                // Lines to one node run together, or lines from one, whichever are more.
                let owner = if before.len() >= after[*other] { node } else { *other };
                let passing = (row_of[*other] + 1..row_of[node]).map(|row| Spot::Passing(owner, row));
                let path: Vec<Spot> =
                    std::iter::once(Spot::Node(*other)).chain(passing).chain([Spot::Node(node)]).collect();
                for (pair, row) in path.windows(2).zip(row_of[*other] + 1..) {
                    above.entry(pair[1]).or_default().push(pair[0]);
                    if matches!(pair[1], Spot::Passing(..)) && !rows[row].contains(&pair[1]) {
                        rows[row].push(pair[1]);
                    }
                }
                paths.push(path);
            }
        }
        sort(&mut rows, &above);
        Self { rows, paths }
    }
}

/// The row of each node: below all that it waits for, and all behind the point of no return below all before it.
fn rows_of(graph: &Graph) -> Vec<usize> {
    let mut rows: Vec<usize> = Vec::with_capacity(graph.nodes.len());
    let mut filled: BTreeMap<usize, usize> = BTreeMap::new();
    let mut floor = 0;
    let behind = graph.behind();
    for (node, before) in graph.before.iter().enumerate() {
        if Some(node) == behind {
            floor = rows.iter().map(|row| row + 1).max().unwrap_or_default();
        }
        let mut row = before.iter().map(|other| rows[*other] + 1).max().unwrap_or_default().max(floor);
        while filled.get(&row).is_some_and(|count| *count >= ROW) {
            row += 1;
        }
        *filled.entry(row).or_default() += 1;
        rows.push(row);
    }
    rows
}

/// Puts each spot below the middle of those that lead to it.
fn sort(rows: &mut [Vec<Spot>], above: &BTreeMap<Spot, Vec<Spot>>) {
    let mut middles: BTreeMap<Spot, f64> = BTreeMap::new();
    for row in rows {
        let wanted = |spot: &Spot| {
            let found: Vec<f64> =
                above.get(spot).into_iter().flatten().filter_map(|other| middles.get(other)).copied().collect();
            #[expect(clippy::cast_precision_loss, reason = "there are few of them")]
            let count = found.len() as f64;
            if found.is_empty() { 0.5 } else { found.iter().sum::<f64>() / count }
        };
        let mut placed: Vec<(f64, Spot)> = row.iter().map(|spot| (wanted(spot), *spot)).collect();
        placed.sort_by(|one, other| one.0.total_cmp(&other.0).then(one.1.cmp(&other.1)));
        *row = placed.into_iter().map(|(_, spot)| spot).collect();
        #[expect(clippy::cast_precision_loss, reason = "there are few of them")]
        for (index, spot) in row.iter().enumerate() {
            middles.insert(*spot, (index as f64 + 0.5) / row.len() as f64);
        }
    }
}
