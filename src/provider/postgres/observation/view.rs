//! Reads from a server what a prediction has to know of its catalogs. Talks to the server, read-only.
//!
//! Invariant: everything is read in one snapshot under an empty search path, so that every name in it is complete.

use std::collections::{BTreeMap, BTreeSet};

use tokio_postgres::{Client, Error, Row};

use super::state::{OF_USERS, written};
use crate::migration::catalog::{
    Catalog, Column, Constraint, ConstraintKind, Domain, Function, Generated, Index, Relation, RelationKind,
};

/// Reads everything. The session is in no transaction.
///
/// # Errors
/// As the server says.
pub async fn read(session: &Client) -> Result<Catalog, Error> {
    let settings = "select pg_catalog.current_schemas(false)::text[], pg_catalog.current_setting('TimeZone')";
    let row = session.query_one(settings, &[]).await?;
    let zone: String = row.get(1);
    let utc = ["UTC", "Etc/UTC", "GMT", "Etc/GMT", "UCT", "Zulu", "Universal"].contains(&zone.as_str());
    let mut catalog = Catalog { search_path: row.get(0), utc, ..Catalog::default() };
    session.batch_execute("begin isolation level repeatable read read only; set local search_path = ''").await?;
    let read = Reading { session, names: BTreeMap::new() }.all(&mut catalog).await;
    session.batch_execute("rollback").await?;
    read.map(|()| catalog)
}

struct Reading<'a> {
    session: &'a Client,
    names: BTreeMap<i64, String>,
}

impl Reading<'_> {
    async fn all(mut self, catalog: &mut Catalog) -> Result<(), Error> {
        self.relations(catalog).await?;
        self.columns(catalog).await?;
        self.constraints(catalog).await?;
        self.indexes(catalog).await?;
        self.bonds(catalog).await?;
        self.views(catalog).await?;
        self.types(catalog).await?;
        self.functions(catalog).await?;
        self.others(catalog).await
    }

    async fn rows(&self, statement: &str) -> Result<Vec<Row>, Error> {
        self.session.query(statement, &[]).await
    }

    fn name(&self, oid: i64) -> Option<String> {
        self.names.get(&oid).cloned()
    }

    async fn relations(&mut self, catalog: &mut Catalog) -> Result<(), Error> {
        let statement = format!(
            "select c.oid::int8, n.nspname::text, c.relname::text, c.relkind::text, c.relpersistence::text, \
             s.spcname::text, coalesce(a.amname::text, ''), t.typrelid::int8, \
             exists (select from pg_partitioned_table p where p.partdefid = c.oid), \
             coalesce((select array_agg(coalesce(k.attname::text, '') order by u.ord) from pg_partitioned_table p, \
             unnest(p.partattrs::int2[]) with ordinality as u(num, ord) left join pg_attribute k \
             on k.attrelid = c.oid and k.attnum = u.num where p.partrelid = c.oid), array[]::text[]) \
             from pg_class c join pg_namespace n on n.oid = c.relnamespace \
             left join pg_tablespace s on s.oid = c.reltablespace left join pg_am a on a.oid = c.relam \
             left join pg_type t on t.oid = c.reloftype and c.reloftype <> 0 where {OF_USERS}"
        );
        let rows = self.rows(&statement).await?;
        self.names = rows.iter().map(|row| (row.get(0), written(row.get(1), row.get(2)))).collect();
        for row in &rows {
            let kind = match row.get::<_, String>(3).as_str() {
                "r" => RelationKind::Table,
                "p" => RelationKind::Partitioned,
                "i" => RelationKind::Index,
                "I" => RelationKind::PartitionedIndex,
                "v" => RelationKind::View,
                "m" => RelationKind::MaterializedView,
                "S" => RelationKind::Sequence,
                "f" => RelationKind::Foreign,
                "c" => RelationKind::Composite,
                _ => continue,
            };
            let relation = Relation {
                kind,
                unlogged: row.get::<_, String>(4) == "u",
                tablespace: row.get(5),
                access_method: row.get(6),
                of_type: row.get::<_, Option<i64>>(7).and_then(|oid| self.name(oid)),
                default_partition: row.get(8),
                partition_key: row.get(9),
                ..Relation::default()
            };
            catalog.relations.insert(written(row.get(1), row.get(2)), relation);
        }
        Ok(())
    }

    async fn columns(&self, catalog: &mut Catalog) -> Result<(), Error> {
        let statement = format!(
            "select a.attrelid::int8, a.attname::text, format_type(a.atttypid, null), a.atttypmod, \
             a.attnotnull and not exists (select from pg_constraint k where k.conrelid = a.attrelid \
             and k.contype = 'n' and not k.convalidated and k.conkey = array[a.attnum]), a.attgenerated::text, \
             case when a.attgenerated = '' then pg_get_expr(f.adbin, f.adrelid) end \
             from pg_attribute a left join pg_attrdef f on f.adrelid = a.attrelid and f.adnum = a.attnum join pg_class c on c.oid = a.attrelid join pg_namespace n on n.oid = c.relnamespace \
             where a.attnum > 0 and not a.attisdropped and c.relkind in ('r', 'p', 'm', 'v', 'f', 'c') and {OF_USERS}"
        );
        for row in self.rows(&statement).await? {
            let type_name: String = row.get(2);
            let column = Column {
                modifiers: modifiers(&type_name, row.get(3)),
                type_name,
                not_null: row.get(4),
                generated: match row.get::<_, String>(5).as_str() {
                    "s" => Some(Generated::Stored),
                    "v" => Some(Generated::Virtual),
                    _ => None,
                },
                default: row.get(6),
            };
            let relation = self.name(row.get(0)).and_then(|name| catalog.relations.get_mut(&name));
            relation.map(|relation| relation.columns.insert(row.get(1), column));
        }
        Ok(())
    }

    async fn constraints(&self, catalog: &mut Catalog) -> Result<(), Error> {
        let statement = "select k.conrelid::int8, k.conname::text, k.contype::text, k.convalidated, \
             coalesce((to_jsonb(k) ->> 'conenforced')::bool, true), coalesce(pg_get_expr(k.conbin, k.conrelid), ''), \
             array(select a.attname::text from pg_attribute a where a.attrelid = k.conrelid and a.attnum = any(k.conkey)), \
             k.confrelid::int8, \
             array(select a.attname::text from pg_attribute a where a.attrelid = k.confrelid and a.attnum = any(k.confkey)), \
             k.conindid::int8 from pg_constraint k where k.conrelid <> 0";
        for row in self.rows(statement).await? {
            let kind = match row.get::<_, String>(2).as_str() {
                "c" => ConstraintKind::Check,
                "n" => ConstraintKind::NotNull,
                "f" => ConstraintKind::ForeignKey,
                "p" => ConstraintKind::PrimaryKey,
                "u" => ConstraintKind::Unique,
                "x" => ConstraintKind::Exclude,
                _ => continue,
            };
            let other = self.name(row.get(7)).map(|other| (other, row.get::<_, Vec<String>>(8).into_iter().collect()));
            let constraint = Constraint {
                kind,
                validated: row.get(3),
                enforced: row.get(4),
                expression: row.get(5),
                columns: row.get::<_, Vec<String>>(6).into_iter().collect(),
                references: other,
                // A foreign key names the index of the other table.
                index: if kind == ConstraintKind::ForeignKey { None } else { self.name(row.get(9)) },
            };
            let relation = self.name(row.get(0)).and_then(|name| catalog.relations.get_mut(&name));
            relation.map(|relation| relation.constraints.insert(row.get(1), constraint));
        }
        Ok(())
    }

    async fn indexes(&self, catalog: &mut Catalog) -> Result<(), Error> {
        let statement = "select i.indexrelid::int8, i.indrelid::int8, i.indisunique, \
             i.indexprs is not null or i.indpred is not null, \
             array(select a.attname::text from pg_attribute a where a.attrelid = i.indrelid and a.attnum > 0 \
             and (a.attnum = any(i.indkey::int2[]) or exists (select from pg_depend d \
             where d.classid = 'pg_class'::regclass and d.objid = i.indexrelid \
             and d.refclassid = 'pg_class'::regclass and d.refobjid = i.indrelid and d.refobjsubid = a.attnum))), \
             array(select coalesce(a.attname::text, '') from unnest(i.indkey::int2[]) with ordinality as u(num, ord) \
             left join pg_attribute a on a.attrelid = i.indrelid and a.attnum = u.num \
             where u.ord <= i.indnkeyatts order by u.ord), i.indisvalid from pg_index i";
        let statement = statement.replace("'pg_class'::regclass", "'pg_catalog.pg_class'::regclass");
        for row in self.rows(&statement).await? {
            let Some(table) = self.name(row.get(1)) else { continue };
            let columns = row.get::<_, Vec<String>>(4).into_iter().collect();
            let (keys, valid) = (row.get(5), row.get(6));
            let index = Index { table, columns, computed: row.get(3), unique: row.get(2), keys, valid };
            let relation = self.name(row.get(0)).and_then(|name| catalog.relations.get_mut(&name));
            if let Some(relation) = relation {
                relation.index = Some(index);
            }
        }
        Ok(())
    }

    /// Parents and children; sequences and their columns; triggers, policies, rules.
    async fn bonds(&self, catalog: &mut Catalog) -> Result<(), Error> {
        for row in self.rows("select inhrelid::int8, inhparent::int8 from pg_inherits").await? {
            let Some((child, parent)) = self.name(row.get(0)).zip(self.name(row.get(1))) else { continue };
            catalog.relations.entry(child.clone()).or_default().parents.insert(parent.clone());
            catalog.relations.entry(parent).or_default().children.insert(child);
        }
        let statement = "select d.objid::int8, d.refobjid::int8, a.attname::text from pg_depend d \
             join pg_class c on c.oid = d.objid and c.relkind = 'S' \
             join pg_attribute a on a.attrelid = d.refobjid and a.attnum = d.refobjsubid \
             where d.classid = 'pg_catalog.pg_class'::regclass and d.refclassid = 'pg_catalog.pg_class'::regclass \
             and d.deptype in ('a', 'i')";
        for row in self.rows(statement).await? {
            let Some((sequence, table)) = self.name(row.get(0)).zip(self.name(row.get(1))) else { continue };
            catalog.relations.entry(sequence).or_default().owner = Some((table, row.get(2)));
        }
        let statement = "select t.tgrelid::int8, t.tgname::text, n.nspname::text, p.proname::text from pg_trigger t \
             join pg_proc p on p.oid = t.tgfoid join pg_namespace n on n.oid = p.pronamespace where not t.tgisinternal";
        for row in self.rows(statement).await? {
            let Some(table) = self.name(row.get(0)) else { continue };
            let function = written(row.get(2), row.get(3));
            catalog.relations.entry(table).or_default().triggers.insert(row.get(1), function);
        }
        let statement = "select polrelid::int8, polname::text from pg_policy union all \
             select ev_class::int8, rulename::text from pg_rewrite where rulename <> '_RETURN'";
        for row in self.rows(statement).await? {
            let Some(table) = self.name(row.get(0)) else { continue };
            catalog.relations.entry(table).or_default().guards.insert(row.get(1));
        }
        Ok(())
    }

    async fn views(&self, catalog: &mut Catalog) -> Result<(), Error> {
        let statement = "select distinct d.refobjid::int8, r.ev_class::int8, a.attname::text from pg_depend d \
             join pg_rewrite r on r.oid = d.objid and r.ev_class <> d.refobjid \
             join pg_class c on c.oid = r.ev_class and c.relkind in ('v', 'm') \
             left join pg_attribute a on a.attrelid = d.refobjid and a.attnum = d.refobjsubid and a.attnum > 0 \
             where d.classid = 'pg_catalog.pg_rewrite'::regclass and d.refclassid = 'pg_catalog.pg_class'::regclass";
        for row in self.rows(statement).await? {
            let Some((relation, view)) = self.name(row.get(0)).zip(self.name(row.get(1))) else { continue };
            let columns = catalog.relations.entry(relation).or_default().seen_by.entry(view).or_default();
            columns.extend(row.get::<_, Option<String>>(2));
        }
        let statement = format!(
            "select c.oid::int8, pg_get_viewdef(c.oid) from pg_class c join pg_namespace n on n.oid = c.relnamespace \
             where c.relkind in ('v', 'm') and {OF_USERS}"
        );
        for row in self.rows(&statement).await? {
            let Some(view) = self.name(row.get(0)) else { continue };
            catalog.relations.entry(view).or_default().definition = row.get(1);
        }
        Ok(())
    }

    async fn types(&self, catalog: &mut Catalog) -> Result<(), Error> {
        let statement = "select format_type(t.oid, null), format_type(t.typbasetype, null), t.typtypmod, \
             t.typnotnull or exists (select from pg_constraint k where k.contypid = t.oid), \
             array(select k.conname::text from pg_constraint k where k.contypid = t.oid and not k.convalidated) \
             from pg_type t join pg_namespace n on n.oid = t.typnamespace \
             where t.typtype = 'd' and n.nspname not in ('pg_catalog', 'information_schema')";
        for row in self.rows(statement).await? {
            let base: String = row.get(1);
            let modifiers = modifiers(&base, row.get(2));
            let pending: BTreeSet<String> = row.get::<_, Vec<String>>(4).into_iter().collect();
            let domain = Domain { base, modifiers, constrained: row.get(3), pending };
            catalog.domains.insert(row.get(0), domain);
        }
        let statement = "select format_type(castsource, null), format_type(casttarget, null) from pg_cast \
             where castmethod = 'b'";
        let casts = self.rows(statement).await?;
        catalog.coercible = casts.iter().map(|row| (row.get(0), row.get(1))).collect();
        Ok(())
    }

    async fn functions(&self, catalog: &mut Catalog) -> Result<(), Error> {
        let statement = "select n.nspname::text, p.proname::text, p.provolatile = 'v', \
             array(select coalesce(t.tgrelid, f.adrelid, k.conrelid, r.ev_class, l.polrelid)::int8 from pg_depend d \
             left join pg_trigger t on d.classid = 'pg_catalog.pg_trigger'::regclass and t.oid = d.objid \
             left join pg_attrdef f on d.classid = 'pg_catalog.pg_attrdef'::regclass and f.oid = d.objid \
             left join pg_constraint k on d.classid = 'pg_catalog.pg_constraint'::regclass and k.oid = d.objid \
             left join pg_rewrite r on d.classid = 'pg_catalog.pg_rewrite'::regclass and r.oid = d.objid \
             left join pg_policy l on d.classid = 'pg_catalog.pg_policy'::regclass and l.oid = d.objid \
             where d.refclassid = 'pg_catalog.pg_proc'::regclass and d.refobjid = p.oid \
             and coalesce(t.tgrelid, f.adrelid, k.conrelid, r.ev_class, l.polrelid) is not null) \
             from pg_proc p join pg_namespace n on n.oid = p.pronamespace \
             where n.nspname not in ('pg_catalog', 'information_schema')";
        for row in self.rows(statement).await? {
            let function: &mut Function = catalog.functions.entry(written(row.get(0), row.get(1))).or_default();
            function.volatile |= row.get::<_, bool>(2);
            function.used_by.extend(row.get::<_, Vec<i64>>(3).into_iter().filter_map(|oid| self.name(oid)));
        }
        let statement = "select distinct p.proname::text from pg_proc p \
             where p.pronamespace = 'pg_catalog'::regnamespace and p.provolatile = 'v'";
        catalog.volatile = self.rows(statement).await?.iter().map(|row| row.get(0)).collect();
        Ok(())
    }

    async fn others(&self, catalog: &mut Catalog) -> Result<(), Error> {
        let statement = "select n.nspname::text, s.stxname::text, s.stxrelid::int8 from pg_statistic_ext s \
             join pg_namespace n on n.oid = s.stxnamespace";
        for row in self.rows(statement).await? {
            let table = self.name(row.get(2));
            catalog.statistics.extend(table.map(|table| (written(row.get(0), row.get(1)), table)));
        }
        let statement = "select p.pubname::text, r.prrelid::int8 from pg_publication p \
             join pg_publication_rel r on r.prpubid = p.oid";
        for row in self.rows(statement).await? {
            catalog.publications.entry(row.get(0)).or_default().extend(self.name(row.get(1)));
        }
        Ok(())
    }
}

/// What `atttypmod` says: length; precision and scale.
fn modifiers(type_name: &str, number: i32) -> Vec<i64> {
    if number < 0 {
        return Vec::new();
    }
    let number = i64::from(number);
    match type_name.trim_end_matches("[]") {
        "character varying" | "character" => vec![number - 4],
        "numeric" => {
            let scale = (number - 4) & 0x7ff;
            // Eleven bits with a sign.
            vec![((number - 4) >> 16) & 0xffff, if scale >= 1024 { scale - 2048 } else { scale }]
        }
        _ => vec![number],
    }
}
