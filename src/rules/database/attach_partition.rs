//! `attach-partition`: a table becomes a partition while it is read as a whole. Pure.
//!
//! Invariant: a validated check that says the same saves the reading.

use crate::migration::observation::LockMode;
use crate::rules::bounds::Bounds;
use crate::rules::finding::Level;
use crate::rules::reading::fit;
use crate::rules::remedy::bare;
use crate::rules::rule::{Check, Claim, Example, Found, Rule, Sort};
use crate::rules::sight::Sight;

/// The rule.
pub const RULE: Rule = Rule {
    name: "attach-partition",
    level: Level::Warning,
    title: "`ATTACH PARTITION` reads the new partition, and the default one, while they are locked",
    reason: "Every row is checked against the bounds while nobody can use the table; the default partition is read as well, for rows that belong into the new one",
    check: Check::Statement(Sort::Work, look),
    example: Example::Sql {
        before: "create table days (day int not null, what text) partition by range (day); create table days_1 partition of days for values from (1) to (100); create table days_2 (day int not null, what text); insert into days_2 values (150);",
        bad: "alter table days attach partition days_2 for values from (100) to (200)",
        good: "alter table days_2 add constraint days_2_day check (day >= 100 and day < 200) not valid",
        claim: Claim::Work(LockMode::ShareUpdateExclusive),
    },
};

fn look(sight: &Sight<'_>) -> Vec<Found> {
    let Some(alteration) = sight.alteration() else { return Vec::new() };
    let root = sight.name(&alteration.written);
    let of = |(place, action): (usize, &&[_])| {
        let found = fit("attach partition *", action)?;
        let (written, part) = (&found.names[0], sight.name(&found.names[0]));
        let heavy = sight.heavy();
        let first = heavy.first()?;
        let told = Found::that(format!("`{}` is read as a whole while it is locked", heavy.join("`, `")));
        let told =
            told.about(*first).help("add a check that says the same as the bounds, validate it apart, and attach then");
        let key = sight.relation(&root).map(|root| root.partition_key.clone()).unwrap_or_default();
        let bounds = Bounds::read(sight, found.rest, &key);
        let is_read_only = !sight.seen.is_some_and(|seen| seen.builds.contains_key(&part));
        let default = sight.catalog().and_then(|catalog| catalog.default_of(&root));
        Some(match bounds.filter(|_| is_read_only) {
            Some(bounds) => {
                let mut steps = Vec::new();
                let mut checks = vec![(written.clone(), format!("{}_fits", bare(&part)), bounds.inside())];
                checks.extend(
                    default.map(|default| (default.to_owned(), format!("{}_lacks", bare(default)), bounds.outside())),
                );
                checks.retain(|(table, ..)| sight.is_heavy(&sight.name(table)));
                for (table, name, check) in &checks {
                    steps.push(format!("alter table {table} add constraint {name} check ({check}) not valid"));
                    steps.push(format!("alter table {table} validate constraint {name}"));
                }
                steps.push(format!("alter table {} {}", alteration.written, sight.text(action)));
                steps.extend(
                    checks.iter().map(|(table, name, _)| format!("alter table {table} drop constraint {name}")),
                );
                told.rewrite(sight.instead(&alteration, place, &steps))
            }
            None => told,
        })
    };
    alteration.actions.iter().enumerate().filter_map(of).collect()
}
