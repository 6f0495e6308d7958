//! `detach-partition`: a partition is detached under the strongest lock. Pure.
//!
//! Invariant: where there is a default partition it cannot be done otherwise.

use crate::migration::observation::LockMode;
use crate::rules::finding::Level;
use crate::rules::reading::fit;
use crate::rules::remedy::given_name;
use crate::rules::rule::{Check, Claim, Example, Found, Rule, Sort};
use crate::rules::sight::{Sight, apart};

/// The rule.
pub const RULE: Rule = Rule {
    name: "detach-partition",
    level: Level::Warning,
    title: "`DETACH PARTITION` keeps everybody who uses the partitioned table waiting",
    reason: "The whole partitioned table is locked; from version 14 on it can be detached concurrently",
    check: Check::Statement(Sort::Lock, look),
    example: Example::Sql {
        before: "create table days (day int not null, what text) partition by range (day); create table days_1 partition of days for values from (1) to (100); ",
        bad: "alter table days detach partition days_1",
        good: "-- switchback: transaction off\nalter table days detach partition days_1 concurrently",
        claim: Claim::Lock("public.days", LockMode::ShareUpdateExclusive),
    },
};

fn look(sight: &Sight<'_>) -> Vec<Found> {
    let Some(alteration) = sight.alteration() else { return Vec::new() };
    let root = sight.name(&alteration.written);
    let found = alteration.actions.iter().find_map(|action| fit("detach partition *", action));
    let is_plain = |rest: &[_]| rest.is_empty();
    let Some(found) = found.filter(|found| is_plain(found.rest) && !sight.is_fresh(&root)) else { return Vec::new() };
    let Some(catalog) = sight.catalog().filter(|catalog| catalog.default_of(&root).is_none()) else {
        return Vec::new();
    };
    let (part, written) = (sight.name(&found.names[0]), &found.names[0]);
    let told = Found::that(format!("everybody who uses `{root}` waits until `{part}` is detached")).about(root.clone());
    let told = told.help("detach it concurrently; the check that this leaves on the partition is dropped behind it");
    let key = catalog.relation(&root).map(|root| root.partition_key.clone()).unwrap_or_default();
    let [column] = key.as_slice() else { return vec![told] };
    let check = given_name(sight, &part, std::slice::from_ref(column), "check");
    let steps = [
        format!("alter table {} detach partition {written} concurrently", alteration.written),
        format!("alter table {written} drop constraint {check}"),
    ];
    vec![told.rewrite(apart(&steps))]
}
