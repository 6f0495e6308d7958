//! `needs_schema = database.app.between(12, 17)`: a method call, which HCL itself does not have. Pure.
//!
//! Invariant: the rewritten text is as long as the original, so that places stay true.

use super::SchemaNeed;
use crate::diagnostic::{Diagnostic, Diagnostics};
use crate::expression::{BinaryOperator, Expr, Node, Reference};
use crate::migration::range::SchemaRange;

/// The methods; each takes plain numbers.
const METHODS: [&str; 3] = [".at_least", ".at_most", ".between"];

/// The text with brackets in the place of the methods' parentheses, where `needs_schema` takes them, and a minus in
/// the place of the comma between two versions.
pub(super) fn rewrite(text: &str) -> String {
    let mut bytes = text.as_bytes().to_vec();
    let mut from = 0;
    while let Some(found) = text[from..].find("needs_schema") {
        let start = from + found + "needs_schema".len();
        let end = start + value_length(&text[start..]);
        METHODS.iter().for_each(|method| rewrite_calls(text, method, start..end, &mut bytes));
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

fn rewrite_calls(text: &str, method: &str, within: std::ops::Range<usize>, bytes: &mut [u8]) {
    let mut at = within.start;
    while let Some(found) = text[at..within.end].find(method) {
        let after = at + found + method.len();
        if text[after..].starts_with('(')
            && let Some(length) = text[after..within.end].find(')')
        {
            bytes[after] = b'[';
            bytes[after + length] = b']';
            if let Some(comma) = text[after..after + length].find(',') {
                bytes[after + comma] = b'-';
            }
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
            Some(need) if need.range.is_empty() => diagnostics.push(
                Diagnostic::error("`needs_schema` holds no version")
                    .at(item.place())
                    .detail(format!("no version of `database.{}` is {}", need.database, need.range))
                    .help("write the lower version first: `between(12, 17)`"),
            ),
            Some(need) => needs.push(need),
            None => diagnostics.push(
                Diagnostic::error("`needs_schema` names a database and a version")
                    .at(item.place())
                    .detail(
                        "it is written `database.NAME.at_least(VERSION)`, `at_most(VERSION)` or `between(LOWEST, \
                         HIGHEST)`, with plain numbers",
                    )
                    .help("write `needs_schema = database.app.at_least(12)`"),
            ),
        }
    }
    needs
}

fn one(expr: &Expr) -> Option<SchemaNeed> {
    let Node::Index(method, versions) = &expr.node else {
        return None;
    };
    let Node::Attribute(source, name) = &method.node else {
        return None;
    };
    let Node::Reference(Reference::Block { word, name: database }) = &source.node else {
        return None;
    };
    let range = match &**name {
        "at_least" => SchemaRange { at_least: number(versions)?, at_most: None },
        "at_most" => SchemaRange { at_least: 0, at_most: Some(number(versions)?) },
        "between" => {
            let Node::Binary(BinaryOperator::Subtract, lowest, highest) = &versions.node else {
                return None;
            };
            SchemaRange { at_least: number(lowest)?, at_most: Some(number(highest)?) }
        }
        _ => return None,
    };
    (&**word == "database").then(|| SchemaNeed { database: database.clone(), range, span: expr.span })
}

fn number(expr: &Expr) -> Option<i64> {
    super::settings::plain(expr)?.as_i64()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_parentheses_of_the_methods_change() {
        let text = "  needs_schema = database.app.at_least(12) # at_least(1)\n  x = f(\".at_least(12)\")\n";
        let expected = "  needs_schema = database.app.at_least[12] # at_least(1)\n  x = f(\".at_least(12)\")\n";
        assert_eq!(rewrite(text), expected);
        let list =
            "needs_schema = [\n  database.a.at_least(1),\n  database.b.between(2,7),\n  database.c.at_most(3)\n]\n";
        assert_eq!(rewrite(list).matches('[').count(), 4);
        assert_eq!(
            rewrite("needs_schema = database.app.between(12, 17)"),
            "needs_schema = database.app.between[12- 17]"
        );
        assert_eq!(rewrite("needs_schema"), "needs_schema");
    }
}
