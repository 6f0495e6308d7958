//! Rules about the statements of migrations: one file each, one line each. Pure.
//!
//! Invariant: a rule that needs what was not looked at says nothing; `rewrites-table`, `scans-table` and `builds-index` say of
//! every other statement what no rule before them has said.

mod add_check;
mod add_foreign_key;
mod add_primary_key;
mod add_unique;
mod create_index;
mod drop_index;
mod primary_key_over_nullable;
mod set_not_null;
mod rewrites_table;
mod scans_table;
mod builds_index;
mod ignore_without_effect;
mod ignore_without_reason;

use super::rule::Rule;

/// What is there before each example, beside what the example itself makes.
pub const SHOP: &str = "\
create table customers (id bigint primary key, email varchar(50), name text, born timestamp);
create table orders (id bigint primary key, customer_id bigint, total int, state text, note text, placed timestamptz);
create index orders_state on orders (state);
insert into customers select n, 'c' || n, 'name', '2020-01-01' from generate_series(1, 1000) as n;
insert into orders select n, n, n, 'open', 'x', '2020-01-01' from generate_series(1, 1000) as n;
";

/// All of them.
#[rustfmt::skip]
pub const RULES: &[Rule] = &[
    add_check::RULE,
    add_foreign_key::RULE,
    add_primary_key::RULE,
    add_unique::RULE,
    create_index::RULE,
    drop_index::RULE,
    primary_key_over_nullable::RULE,
    set_not_null::RULE,
    rewrites_table::RULE,
    scans_table::RULE,
    builds_index::RULE,
    ignore_without_effect::RULE,
    ignore_without_reason::RULE,
];
