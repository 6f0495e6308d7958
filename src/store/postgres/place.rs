//! Makes the schema and the table of a ledger, in which rows can only be added. An edge.
//!
//! Invariant: what is there stays as it is; who lacks the right to make anything succeeds where nothing is to be made.

use std::path::Path;

use tokio_postgres::Client;

use super::reach::{Reach, Trouble};
use crate::ledger::StoreError;
use crate::provider::postgres::errors::world_error;
use crate::provider::postgres::{quoting, transaction};
use crate::store::{Keys, Place};
use crate::world::WorldError;

/// Two at once wait for each other: a number that nobody else locks.
const TURN: &str = "select pg_catalog.pg_advisory_xact_lock(8351066720512001)";

/// Makes what is missing.
///
/// # Errors
/// When the URL says too little, or the server refuses.
pub async fn make(url: &str, base: &Path, keys: &Keys) -> Result<Place, StoreError> {
    let reach = Reach::read(url, base, keys)?;
    let storage = |error| reach.error("make the ledger's place", Trouble::Unsent(error));
    let client = reach.open().await.map_err(storage)?;
    let made = made(&client, reach.schema()).await.map_err(storage)?;
    let (planning_rights, applying_rights) = rights(reach.schema(), &reach.target().dbname);
    Ok(Place { made, planning_rights, applying_rights })
}

async fn made(client: &Client, schema: &str) -> Result<Vec<String>, WorldError> {
    let failed = |error| world_error("make the ledger's place", &error);
    client.batch_execute(&format!("begin; {TURN}")).await.map_err(failed)?;
    let missing = missing(client, schema).await.map_err(failed)?;
    for part in &missing {
        if let Err(error) = client.batch_execute(&part.statement(schema)).await {
            transaction::roll_back(client).await;
            return Err(failed(error));
        }
    }
    transaction::commit(client).await.map_err(|(error, _)| failed(error))?;
    Ok(missing.iter().map(|part| part.name(schema)).collect())
}

/// What a place consists of, in the order in which it is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Part {
    Schema,
    Table,
    Guard,
}

impl Part {
    const ALL: [Self; 3] = [Self::Schema, Self::Table, Self::Guard];

    fn name(self, schema: &str) -> String {
        match self {
            Self::Schema => format!("schema {schema}"),
            Self::Table => format!("table {schema}.records"),
            Self::Guard => {
                format!("trigger append_only on {schema}.records, which refuses UPDATE, DELETE and TRUNCATE")
            }
        }
    }

    /// `$1` is the quoted name of the schema, `$2` that of the table.
    fn is_there(self) -> &'static str {
        match self {
            Self::Schema => "pg_catalog.to_regnamespace($1) is not null",
            Self::Table => "pg_catalog.to_regclass($2) is not null",
            Self::Guard => {
                "exists (select from pg_catalog.pg_trigger where tgrelid = pg_catalog.to_regclass($2) and tgname = 'append_only')"
            }
        }
    }

    fn statement(self, schema: &str) -> String {
        let schema = quoting::name(schema);
        match self {
            Self::Schema => format!("create schema {schema}"),
            Self::Table => format!(
                "create table {schema}.records (environment text not null, sequence bigint not null check (sequence > 0), \
                 record text not null, at timestamptz not null default pg_catalog.clock_timestamp(), \
                 primary key (environment, sequence)); \
                 comment on table {schema}.records is 'Ledgers of Switchback: rows are only ever added.'"
            ),
            // `always`: it also fires where replication says that triggers do not.
            Self::Guard => format!(
                "create or replace function {schema}.refuse_change() returns trigger language plpgsql as $function$ \
                 begin raise exception 'a ledger is append-only: % is refused', tg_op \
                 using errcode = 'insufficient_privilege', hint = 'a ledger is never edited by hand'; end $function$; \
                 create trigger append_only before update or delete or truncate on {schema}.records \
                 for each statement execute function {schema}.refuse_change(); \
                 alter table {schema}.records enable always trigger append_only; \
                 revoke update, delete, truncate on {schema}.records from public"
            ),
        }
    }
}

async fn missing(client: &Client, schema: &str) -> Result<Vec<Part>, tokio_postgres::Error> {
    let schema = quoting::name(schema);
    let table = format!("{schema}.records");
    let tests: Vec<&str> = Part::ALL.iter().map(|part| part.is_there()).collect();
    let row = client.query_one(&format!("select {}", tests.join(", ")), &[&schema, &table]).await?;
    Ok(Part::ALL.into_iter().enumerate().filter(|(at, _)| !row.get::<_, bool>(*at)).map(|(_, part)| part).collect())
}

/// The least rights, as SQL to be run by the owner.
fn rights(schema: &str, database: &str) -> (String, String) {
    let (schema, database) = (quoting::name(schema), quoting::name(database));
    let planning = |role: &str| {
        format!(
            "GRANT CONNECT ON DATABASE {database} TO {role};\nGRANT USAGE ON SCHEMA {schema} TO {role};\n\
             GRANT SELECT ON {schema}.records TO {role};\n"
        )
    };
    // Not the column `at`: its age is the server's to tell.
    let applying = format!(
        "{}GRANT INSERT (environment, sequence, record) ON {schema}.records TO applier;\n",
        planning("applier")
    );
    (planning("planner"), applying)
}
