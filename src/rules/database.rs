//! Rules about the statements of migrations: one file each, one line each. Pure.
//!
//! Invariant: a rule that needs what was not looked at says nothing; `rewrites-table`, `scans-table` and `builds-index` say of
//! every other statement what no rule before them has said.

mod add_check;
mod add_column_generated;
mod add_column_numbered;
mod add_column_of_domain;
mod add_column_volatile_default;
mod add_column_with_constraint;
mod add_exclusion;
mod add_foreign_key;
mod add_primary_key;
mod add_unique;
mod attach_partition;
mod change_type;
mod concurrent_unique_index;
mod create_index;
mod detach_partition;
mod domain_constraint;
mod drop_cascade;
mod drop_column;
mod drop_index;
mod drop_table;
mod enum_value_used_at_once;
mod explicit_lock;
mod foreign_key_without_index;
mod grant_to_public;
mod invalid_index_hidden;
mod json_column;
mod lock_wait_too_long;
mod locks_other_table;
mod move_storage;
mod name_too_long;
mod narrows_column;
mod no_primary_key;
mod not_null_without_default;
mod padded_text;
mod partition_beside_default;
mod primary_key_over_nullable;
mod redundant_index;
mod refresh_materialized_view;
mod reindex;
mod rename_column;
mod rename_table;
mod security_definer;
mod serial_column;
mod set_logged;
mod set_not_null;
mod several_tables_locked;
mod small_primary_key;
mod time_without_zone;
mod timestamp_by_session;
mod trigger_left_off;
mod truncate;
mod validate_in_same_transaction;
mod waits_for_long_transaction;
mod whole_table_write;
mod work_while_locked;
mod rewrites_table;
mod scans_table;
mod builds_index;
mod empty_migration;
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
    add_column_generated::RULE,
    add_column_numbered::RULE,
    add_column_of_domain::RULE,
    add_column_volatile_default::RULE,
    add_column_with_constraint::RULE,
    add_exclusion::RULE,
    add_foreign_key::RULE,
    add_primary_key::RULE,
    add_unique::RULE,
    attach_partition::RULE,
    change_type::RULE,
    concurrent_unique_index::RULE,
    create_index::RULE,
    detach_partition::RULE,
    domain_constraint::RULE,
    drop_cascade::RULE,
    drop_column::RULE,
    drop_index::RULE,
    drop_table::RULE,
    enum_value_used_at_once::RULE,
    explicit_lock::RULE,
    foreign_key_without_index::RULE,
    grant_to_public::RULE,
    invalid_index_hidden::RULE,
    json_column::RULE,
    lock_wait_too_long::RULE,
    locks_other_table::RULE,
    move_storage::RULE,
    name_too_long::RULE,
    narrows_column::RULE,
    no_primary_key::RULE,
    not_null_without_default::RULE,
    padded_text::RULE,
    partition_beside_default::RULE,
    primary_key_over_nullable::RULE,
    redundant_index::RULE,
    refresh_materialized_view::RULE,
    reindex::RULE,
    rename_column::RULE,
    rename_table::RULE,
    security_definer::RULE,
    serial_column::RULE,
    set_logged::RULE,
    set_not_null::RULE,
    several_tables_locked::RULE,
    small_primary_key::RULE,
    time_without_zone::RULE,
    timestamp_by_session::RULE,
    trigger_left_off::RULE,
    truncate::RULE,
    validate_in_same_transaction::RULE,
    waits_for_long_transaction::RULE,
    whole_table_write::RULE,
    work_while_locked::RULE,
    rewrites_table::RULE,
    scans_table::RULE,
    builds_index::RULE,
    empty_migration::RULE,
    ignore_without_effect::RULE,
    ignore_without_reason::RULE,
];
