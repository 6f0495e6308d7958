//! `needs_schema = database.app.at_least(12)`: a method call, which HCL itself does not have. Pure.
//!
//! Invariant: the rewritten text is as long as the original, so that places stay true.

use super::SchemaNeed;
use crate::diagnostic::{Diagnostic, Diagnostics};
use crate::expression::{Expr, Node, Reference};

/// The text with the brackets of `at_least(…)` in the place of its parentheses, where `needs_schema` takes it.
pub(super) fn rewrite(text: &str) -> String {
    let mut bytes = text.as_bytes().to_vec();
    let mut from = 0;
    while let Some(found) = text[from..].find("needs_schema") {
        let start = from + found + "needs_schema".len();
        let end = start + value_length(&text[start..]);
        rewrite_calls(text, start, end, &mut bytes);
        from = end;
    }
    String::from_utf8(bytes).expect("only ASCII is replaced by ASCII")
}

/// How far the value of the attribute goes: to the end of the line, or of the list that begins on it.
fn value_length(rest: &str) -> usize {
    let line = rest.find('\n').unwrap_or(rest.len());
    match rest[..line].find('[') {
        Some(_) => rest.find(']').map_or(line, |end| end.max(line)),
        None => line,
    }
}

fn rewrite_calls(text: &str, start: usize, end: usize, bytes: &mut [u8]) {
    const METHOD: &str = ".at_least";
    let mut at = start;
    while let Some(found) = text[at..end].find(METHOD) {
        let after = at + found + METHOD.len();
        if text[after..].starts_with('(')
            && let Some(length) = text[after..end].find(')')
        {
            bytes[after] = b'[';
            bytes[after + length] = b']';
        }
        at = after;
    }
}

/// Reads the value: one requirement or a list of them.
pub(super) fn read(expr: &Expr, diagnostics: &mut Diagnostics) -> Vec<SchemaNeed> {
    let items = match &expr.node {
        Node::Tuple(items) => items.iter().collect(),
        _ => vec![expr],
    };
    let mut needs = Vec::new();
    for item in items {
        match one(item) {
            Some(need) => needs.push(need),
            None => diagnostics.push(
                Diagnostic::error("`needs_schema` names a database and a version")
                    .at(item.place())
                    .detail("it is written `database.NAME.at_least(VERSION)`, with a plain number")
                    .help("write `needs_schema = database.app.at_least(12)`"),
            ),
        }
    }
    needs
}

fn one(expr: &Expr) -> Option<SchemaNeed> {
    let Node::Index(method, version) = &expr.node else {
        return None;
    };
    let Node::Attribute(source, name) = &method.node else {
        return None;
    };
    match (&source.node, &**name) {
        (Node::Reference(Reference::Block { word, name }), "at_least") if &**word == "database" => Some(SchemaNeed {
            database: name.clone(),
            at_least: super::settings::plain(version)?.as_i64()?,
            span: expr.span,
        }),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_parentheses_of_the_method_change() {
        let text = "  needs_schema = database.app.at_least(12) # at_least(1)\n  x = f(\".at_least(12)\")\n";
        let expected = "  needs_schema = database.app.at_least[12] # at_least(1)\n  x = f(\".at_least(12)\")\n";
        assert_eq!(rewrite(text), expected);
        let list = "needs_schema = [\n  database.a.at_least(1),\n  database.b.at_least(2),\n]\n";
        assert_eq!(rewrite(list).matches('[').count(), 3);
        assert_eq!(rewrite("needs_schema"), "needs_schema");
    }
}
