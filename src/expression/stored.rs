//! The stored form: one flat array of nodes whose parts are indices, so that no reader's limit of depth and
//! no stack is met by a long chain. Pure.
//!
//! Invariant: a part comes before the node that holds it, so a stored form cannot hold a circle.

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::{Deferred, Expr, FORMAT, Node, Reference};

/// Deeper than any parser lets an expression be; keeps a damaged file from exhausting the stack.
const DEEPEST: u32 = 1_000;

#[derive(Serialize, Deserialize)]
struct Wire {
    format: u32,
    #[serde(rename = "n")]
    nodes: Vec<Node<u32>>,
    #[serde(rename = "c", default, skip_serializing_if = "Vec::is_empty")]
    cells: Vec<u32>,
}

fn flatten(expr: &Expr, nodes: &mut Vec<Node<u32>>) -> u32 {
    let node = expr
        .node
        .try_map::<u32, std::convert::Infallible>(&mut |part| Ok(flatten(part, nodes)))
        .unwrap_or_else(|never| match never {});
    nodes.push(node);
    u32::try_from(nodes.len() - 1).expect("an expression has fewer than 2^32 nodes")
}

impl Serialize for Deferred {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut nodes = Vec::new();
        let cells = self.cells.iter().map(|cell| flatten(cell, &mut nodes)).collect();
        flatten(&self.root, &mut nodes);
        Wire { format: self.format, nodes, cells }.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Deferred {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let json = serde_json::Value::deserialize(deserializer)?;
        let format = json.get("format").and_then(serde_json::Value::as_u64);
        if format != Some(u64::from(FORMAT)) {
            let format = format.map_or("no format".to_owned(), |format| format!("format {format}"));
            return Err(D::Error::custom(format!(
                "an expression is stored in {format}, this program reads format {FORMAT}; use the version of \
                 switchback that wrote it"
            )));
        }
        let wire = Wire::deserialize(json).map_err(D::Error::custom)?;
        unflatten(&wire).map_err(D::Error::custom)
    }
}

/// Takes each part out of its place: a node is part of one other only.
fn unflatten(wire: &Wire) -> Result<Deferred, String> {
    let mut built: Vec<Option<Expr>> = Vec::with_capacity(wire.nodes.len());
    let mut depths: Vec<u32> = Vec::with_capacity(wire.nodes.len());
    for node in &wire.nodes {
        let mut depth = 1;
        node.parts(&mut |index| depth = depth.max(depths.get(*index as usize).map_or(1, |part| part + 1)));
        if depth > DEEPEST {
            return Err(format!("a stored expression is damaged: it is nested more than {DEEPEST} deep"));
        }
        depths.push(depth);
        let node = node.try_map(&mut |index| take(&mut built, *index))?;
        built.push(Some(Expr::nowhere(node)));
    }
    let root = u32::try_from(built.len()).ok().and_then(|count| count.checked_sub(1)).ok_or("it has no nodes")?;
    let root = take(&mut built, root)?;
    let cells = wire.cells.iter().map(|cell| take(&mut built, *cell)).collect::<Result<Vec<_>, _>>()?;
    let deferred = Deferred { format: wire.format, cells, root };
    check_cells(&deferred)?;
    Ok(deferred)
}

fn take(built: &mut [Option<Expr>], index: u32) -> Result<Expr, String> {
    let slot = built.get_mut(index as usize).and_then(Option::take);
    slot.ok_or_else(|| format!("a stored expression is damaged: node {index} is missing, or used twice"))
}

fn check_cells(deferred: &Deferred) -> Result<(), String> {
    let with_limit = deferred.cells.iter().zip(0_u32..).chain([(&deferred.root, u32::MAX)]);
    let mut bad = None;
    for (expr, limit) in with_limit {
        let limit = limit.min(u32::try_from(deferred.cells.len()).unwrap_or(u32::MAX));
        expr.visit(&mut |part| {
            if let Node::Reference(Reference::Cell(cell)) = &part.node
                && *cell >= limit
            {
                bad = Some(*cell);
            }
        });
    }
    bad.map_or(Ok(()), |cell| Err(format!("a stored expression is damaged: cell {cell} does not come before its use")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::expression::{BinaryOperator, Call, For};

    fn sample() -> Deferred {
        let id = Deferred::attribute("module.a[\"x\"].terraform_data.b[1]".parse().expect("an address"), "id").root;
        let each = Expr::nowhere(Node::For(Box::new(For {
            key: None,
            value: "x".into(),
            collection: Expr::nowhere(Node::Tuple(vec![id])),
            key_expr: None,
            value_expr: Expr::reference(Reference::Bound("x".into())),
            condition: Some(Expr::literal(true)),
            grouping: false,
        })));
        let call = Call { function: "join".into(), arguments: vec![Expr::literal(","), each], expand_last: false };
        Deferred::new(
            vec![Expr::nowhere(Node::Call(call))],
            Expr::nowhere(Node::Template(vec![Expr::literal("a"), Expr::reference(Reference::Cell(0))])),
        )
    }

    #[test]
    fn what_is_stored_comes_back_and_is_compact() {
        let deferred = sample();
        let text = serde_json::to_string(&deferred).expect("stores");
        assert_eq!(
            text,
            r#"{"format":1,"n":[{"v":","},{"r":{"at":"module.a[\"x\"].terraform_data.b[1]"}},{"a":[1,"id"]},{"l":[2]},{"r":{"n":"x"}},{"v":true},{"e":{"v":"x","in":3,"ve":4,"if":5}},{"f":{"n":"join","a":[0,6]}},{"v":"a"},{"r":{"c":0}},{"t":[8,9]}],"c":[7]}"#
        );
        assert_eq!(serde_json::from_str::<Deferred>(&text).expect("reads"), deferred);
        assert_eq!(deferred.references().len(), 1);
    }

    #[test]
    fn a_long_chain_is_no_matter() {
        let mut root = Expr::literal(0_i64);
        for _ in 0..400 {
            root = Expr::nowhere(Node::Binary(BinaryOperator::Add, Box::new(root), Box::new(Expr::literal(1_i64))));
        }
        let deferred = Deferred::new(Vec::new(), root);
        let text = serde_json::to_string(&deferred).expect("stores");
        assert_eq!(serde_json::from_str::<Deferred>(&text).expect("reads"), deferred);
    }

    #[test]
    fn damage_and_other_formats_are_refused() {
        let refused = |text: &str| serde_json::from_str::<Deferred>(text).expect_err("refused").to_string();
        assert!(refused(r#"{"format":2,"n":[{"v":1}]}"#).contains("format 2"));
        assert!(refused(r#"{"format":1,"n":[]}"#).contains("no nodes"));
        assert!(refused(r#"{"format":1,"n":[{"l":[0]}]}"#).contains("damaged"));
        assert!(refused(r#"{"format":1,"n":[{"r":{"c":0}}]}"#).contains("cell 0"));
        assert!(refused(r#"{"format":1,"n":[{"r":{"c":0}},{"v":1}],"c":[0]}"#).contains("cell 0"));
    }
}
