//! `rename-table`: a table in use is called otherwise, or moved to another schema. Pure.
//!
//! Invariant: a view with the old name in the same transaction breaks nobody.

use crate::migration::statements::Token;
use crate::rules::finding::Level;
use crate::rules::reading::fit;
use crate::rules::remedy::{bare, qualified};
use crate::rules::rule::{Check, Claim, Example, Found, Rule, Sort};
use crate::rules::sight::Sight;
use crate::rules::twin::PAGE;

/// The rule.
pub const RULE: Rule = Rule {
    name: "rename-table",
    level: Level::Warning,
    title: "a renamed or moved table breaks every program that knows the old name",
    reason: "At the moment of the commit all programs that run name a table that is not there any more",
    check: Check::Statement(Sort::Breaks, look),
    example: Example::Sql {
        before: "",
        bad: "alter table orders rename to purchases",
        good: "alter table orders rename to purchases;\ncreate view orders as select * from purchases",
        claim: Claim::Apart,
    },
};

fn look(sight: &Sight<'_>) -> Vec<Found> {
    let Some(alteration) = sight.alteration() else { return Vec::new() };
    let table = sight.name(&alteration.written);
    let action = alteration.actions.first().filter(|_| !sight.is_fresh(&table));
    let renamed = action.and_then(|action| fit("rename to *", action).or_else(|| fit("set schema *", action)));
    let Some(renamed) = renamed else { return Vec::new() };
    let made = sight.script.statements[sight.number..]
        .iter()
        .filter_map(|one| fit("create [or] [replace] view *", &one.tokens));
    if made.into_iter().any(|view| bare(&view.names[0]) == bare(&table)) {
        return Vec::new();
    }
    let (written, new) = (&alteration.written, now_called(&alteration.written, action, &renamed.names[0]));
    let found = Found::that(format!("programs that run know `{table}`, and not its new name")).about(table.clone());
    let statement = sight.statement.text.trim().trim_end_matches(';');
    let rewrite = format!(
        "-- {PAGE} has the story; each part is a migration of its own\n\
         -- 1. before the programs that know the new name: a view with the old one, in the same transaction\n\
         {statement};\ncreate view {written} as select * from {new};\n\
         -- 2. after the last program that knows the old name\n\
         -- switchback: phase contract\ndrop view {written};\n"
    );
    let help = format!("leave a view with the old name in the same transaction, and drop it a release later: {PAGE}");
    vec![found.help(help).rewrite(rewrite)]
}

/// The whole new name: a new name stays in its schema, and a new schema leaves the name.
fn now_called(written: &str, action: Option<&&[Token]>, new: &str) -> String {
    let is_moved = action.is_some_and(|action| fit("set schema *", action).is_some());
    match is_moved {
        true => format!("{new}.{}", bare(written)),
        false => qualified(written, new),
    }
}
