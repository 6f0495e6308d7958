//! `partition-beside-default`: a partition is made beside a default one, which is read for its rows. Pure.
//!
//! Invariant: without a default partition nothing is read.

use crate::migration::observation::LockMode;
use crate::rules::bounds::Bounds;
use crate::rules::finding::Level;
use crate::rules::reading::fit;
use crate::rules::remedy::bare;
use crate::rules::rule::{Check, Claim, Example, Found, Rule, Sort};
use crate::rules::sight::{Sight, apart};

/// The rule.
pub const RULE: Rule = Rule {
    name: "partition-beside-default",
    level: Level::Warning,
    title: "a new partition reads the default one while everybody waits",
    reason: "Rows of the default partition may belong into the new one, so all of them are read while the whole partitioned table is locked",
    check: Check::Statement(Sort::Work, look),
    example: Example::Sql {
        before: "create table days (day int not null, what text) partition by range (day); create table days_1 partition of days for values from (1) to (100); create table days_rest partition of days default; insert into days values (5000);",
        bad: "create table days_2 partition of days for values from (100) to (200)",
        good: "create table hours (hour int) partition by range (hour)",
        claim: Claim::Work(LockMode::ShareUpdateExclusive),
    },
};

fn look(sight: &Sight<'_>) -> Vec<Found> {
    let fits = ["create table if not exists * partition of *", "create table * partition of *"];
    let Some(found) = fits.iter().find_map(|pattern| fit(pattern, &sight.statement.tokens)) else { return Vec::new() };
    let root = sight.name(&found.names[1]);
    let Some(catalog) = sight.catalog() else { return Vec::new() };
    let Some(default) = catalog.default_of(&root).filter(|default| sight.is_heavy(default)) else { return Vec::new() };
    let told = Found::that(format!("`{default}` is read as a whole while `{root}` is locked")).about(default);
    let told = told.help("prove by a validated check that the default partition has no such rows");
    let key = sight.relation(&root).map(|root| root.partition_key.clone()).unwrap_or_default();
    let Some(bounds) = Bounds::read(sight, found.rest, &key) else { return vec![told] };
    let name = format!("{}_lacks", bare(default));
    let steps = [
        format!("alter table {default} add constraint {name} check ({}) not valid", bounds.outside()),
        format!("alter table {default} validate constraint {name}"),
        sight.statement.text.clone(),
        format!("alter table {default} drop constraint {name}"),
    ];
    vec![told.rewrite(apart(&steps))]
}
