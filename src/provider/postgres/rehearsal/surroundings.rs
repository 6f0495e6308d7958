//! What stands around a schema: the roles of the server, the database's owner, grants and settings. Read at the target,
//! made again where it is rehearsed. Talks to the server.
//!
//! Invariant: the target is only read; a role that is made again has the rights of the target's, and another password.

use tokio_postgres::{Client, Row};

use super::super::errors::world_error;
use super::super::quoting;
use super::super::settings::{Password, Target};
use super::server::BOOTSTRAP;
use super::servers::Lease;
use crate::world::WorldError;

/// What stands around a schema.
#[derive(Clone, Debug)]
pub struct Surroundings {
    /// The major version; none where there is no target.
    pub major: Option<u32>,
    /// Who the bootstrap superuser is.
    bootstrap: String,
    /// Who logs in.
    user: Option<String>,
    set_role: Option<String>,
    owner: Option<String>,
    encoding: String,
    has_public: bool,
    roles: Vec<Role>,
    /// Role, member, and whether the member may pass it on.
    members: Vec<(String, String, bool)>,
    /// The database's own.
    pub dress: Dress,
}

#[derive(Clone, Debug)]
struct Role {
    name: String,
    /// `superuser createdb`, as behind CREATE ROLE.
    rights: String,
    settings: Option<Vec<String>>,
}

/// What a database has besides its schema, and CREATE DATABASE does not copy.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Dress {
    grants: Option<Vec<String>>,
    comment: Option<String>,
    settings: Vec<(Option<String>, Vec<String>)>,
}

impl Dress {
    /// Of the database that the session is in.
    ///
    /// # Errors
    /// As the server says.
    pub async fn of(client: &Client) -> Result<Self, WorldError> {
        let failed = |error| world_error("read the settings of the database", &error);
        let statement = "select d.datacl::text[], shobj_description(d.oid, 'pg_database') from pg_catalog.pg_database d where datname = current_database()";
        let row = client.query_one(statement, &[]).await.map_err(failed)?;
        let statement = "select r.rolname::text, s.setconfig from pg_catalog.pg_db_role_setting s left join pg_catalog.pg_roles r on r.oid = s.setrole \
                         where s.setdatabase = (select oid from pg_catalog.pg_database where datname = current_database())";
        let settings = client.query(statement, &[]).await.map_err(failed)?;
        Ok(Self {
            grants: row.get(0),
            comment: row.get(1),
            settings: settings.iter().map(|row| (row.get(0), row.get(1))).collect(),
        })
    }

    /// Dresses a database of a server of our own.
    ///
    /// # Errors
    /// As the server says.
    pub async fn put_on(&self, lease: &Lease, database: &str) -> Result<(), WorldError> {
        let mut statements = Vec::new();
        let literal = quoting::literal(database);
        if let Some(grants) = &self.grants {
            let grants = array(grants);
            statements.push(format!(
                "update pg_catalog.pg_database set datacl = {grants}::aclitem[] where datname = {literal}"
            ));
        }
        if let Some(comment) = &self.comment {
            statements.push(format!("comment on database {database} is {}", quoting::literal(comment)));
        }
        for (role, settings) in &self.settings {
            statements.push(format!(
                "insert into pg_catalog.pg_db_role_setting (setdatabase, setrole, setconfig) select d.oid, {}, {} from pg_catalog.pg_database d where datname = {literal}",
                role.as_deref().map_or_else(|| "0".to_owned(), |role| format!("{}::regrole::oid", quoting::literal(&quoting::name(role)))),
                array(settings)
            ));
        }
        let failed = |error| world_error("give the database the target's settings", &error);
        lease.admin.batch_execute(&statements.join("; ")).await.map_err(failed)
    }
}

impl Surroundings {
    /// Where there is no target yet: nothing but the roles that the spec names.
    pub fn none() -> Self {
        Self {
            major: None,
            bootstrap: BOOTSTRAP.to_owned(),
            user: None,
            set_role: None,
            owner: None,
            encoding: "UTF8".to_owned(),
            has_public: true,
            roles: Vec::new(),
            members: Vec::new(),
            dress: Dress::default(),
        }
    }

    /// Those of a target.
    ///
    /// # Errors
    /// As the server says.
    pub async fn of(client: &Client, target: &Target) -> Result<Self, WorldError> {
        let failed = |error| world_error(format!("read what stands around the schema at {target}"), &error);
        let statement = "select current_setting('server_version_num')::int, pg_get_userbyid(d.datdba)::text, pg_encoding_to_char(d.encoding)::text, \
                         pg_get_userbyid(10)::text, to_regnamespace('public') is not null, session_user::text from pg_catalog.pg_database d where datname = current_database()";
        let row = client.query_one(statement, &[]).await.map_err(failed)?;
        let major = row.get::<_, i32>(0) / 10_000;
        let statement = "select r.rolname::text, concat_ws(' ', case when rolsuper then 'superuser' end, case when not rolinherit then 'noinherit' end, \
                         case when rolcreaterole then 'createrole' end, case when rolcreatedb then 'createdb' end, case when rolreplication then 'replication' end, \
                         case when rolbypassrls then 'bypassrls' end, case when rolcanlogin then 'login' end), r.rolconfig \
                         from pg_catalog.pg_roles r where r.rolname !~ '^pg_' and r.oid <> 10 order by r.oid";
        let roles = client.query(statement, &[]).await.map_err(failed)?;
        let statement = "select r.rolname::text, m.rolname::text, a.admin_option from pg_catalog.pg_auth_members a join pg_catalog.pg_roles r on r.oid = a.roleid \
                         join pg_catalog.pg_roles m on m.oid = a.member where m.rolname !~ '^pg_' order by a.roleid, a.member";
        let members = client.query(statement, &[]).await.map_err(failed)?;
        let role = |row: &Row| Role { name: row.get(0), rights: row.get(1), settings: row.get(2) };
        Ok(Self {
            major: u32::try_from(major).ok(),
            owner: row.get(1),
            encoding: row.get(2),
            bootstrap: row.get(3),
            has_public: row.get(4),
            user: row.get(5),
            set_role: target.set_role.clone(),
            roles: roles.iter().map(role).collect(),
            members: members.iter().map(|row| (row.get(0), row.get(1), row.get(2))).collect(),
            dress: Dress::of(client).await?,
        })
    }

    /// With whoever migrates the target, where that is another one than who reads it.
    #[must_use]
    pub fn migrated_by(mut self, target: &Target) -> Self {
        let is_there = |name: &str| name == self.bootstrap || self.roles.iter().any(|role| role.name == name);
        if is_there(&target.user) && target.set_role.as_deref().is_none_or(is_there) {
            (self.user, self.set_role) = (Some(target.user.clone()), target.set_role.clone());
        }
        self
    }

    /// Makes the roles on a server of our own, and others that are named. On a given server nothing is made.
    ///
    /// # Errors
    /// As the server says.
    pub async fn make(&self, lease: &Lease, others: &[String]) -> Result<(), WorldError> {
        if !lease.is_own() {
            return Ok(());
        }
        let Password::Given(password) = &lease.login.password else { return Ok(()) };
        let secret = quoting::literal(password);
        let mut statements = Vec::new();
        if self.bootstrap != BOOTSTRAP {
            statements.push(format!("alter role {BOOTSTRAP} rename to {}", quoting::name(&self.bootstrap)));
        }
        for Role { name, rights, settings } in &self.roles {
            // Only who logs in here needs to be able to.
            let password = if rights.ends_with("login") { format!("password {secret}") } else { String::new() };
            statements.push(format!("create role {} {rights} {password}", quoting::name(name)));
            if let Some(settings) = settings {
                statements.push(format!(
                    "insert into pg_catalog.pg_db_role_setting (setdatabase, setrole, setconfig) values (0, {}::regrole::oid, {})",
                    quoting::literal(&quoting::name(name)),
                    array(settings)
                ));
            }
        }
        let is_known = |name: &str| name == self.bootstrap || self.roles.iter().any(|role| role.name == name);
        for name in others.iter().filter(|name| !is_known(name)) {
            statements.push(format!("create role {}", quoting::name(name)));
        }
        for (role, member, passes_on) in &self.members {
            let option = if *passes_on { " with admin option" } else { "" };
            statements.push(format!("grant {} to {}{option}", quoting::name(role), quoting::name(member)));
        }
        let failed = |error| world_error("make the target's roles for rehearsals", &error);
        lease.admin.batch_execute(&statements.join("; ")).await.map_err(failed)
    }

    /// Makes an empty database that is as the target's was when it was made.
    ///
    /// # Errors
    /// As the server says.
    pub async fn new_database(&self, lease: &mut Lease) -> Result<String, WorldError> {
        let mut options = "template template0".to_owned();
        if lease.is_own() {
            options += &format!(" owner {}", quoting::name(self.owner.as_deref().unwrap_or(&self.bootstrap)));
        }
        if self.encoding != "UTF8" {
            options += &format!(" encoding {} lc_collate 'C' lc_ctype 'C'", quoting::literal(&self.encoding));
        }
        let name = lease.create_database(&options).await?;
        if lease.is_own() {
            self.dress.put_on(lease, &name).await?;
        }
        Ok(name)
    }

    /// Copies a database that nobody is in.
    ///
    /// # Errors
    /// As the server says.
    pub async fn copy_database(&self, lease: &mut Lease, from: &str, dress: &Dress) -> Result<String, WorldError> {
        lease.see_off(from).await;
        let mut options = format!("template {from}");
        if lease.is_own() {
            options += &format!(" owner {}", quoting::name(self.owner.as_deref().unwrap_or(&self.bootstrap)));
        }
        // From 15 on a copy goes through the log unless told otherwise, which is slower for small databases.
        if lease.major >= 15 {
            options += " strategy file_copy";
        }
        let name = lease.create_database(&options).await?;
        if lease.is_own() {
            dress.put_on(lease, &name).await?;
        }
        Ok(name)
    }

    /// Whether the target has the schema `public`, which every new database has.
    pub fn has_public(&self) -> bool {
        self.has_public
    }

    /// Whether there is such a role.
    pub fn is_complete(&self) -> bool {
        self.user.is_some()
    }

    /// How a database is entered as whoever migrates the target.
    pub fn stage(&self, lease: &Lease, database: &str) -> Target {
        let mut target = lease.login.with_dbname(database);
        if lease.is_own() {
            target.user = self.user.clone().unwrap_or_else(|| self.bootstrap.clone());
            target.set_role = self.set_role.clone();
        }
        target
    }

    /// How a database is entered as the one who may do everything there.
    pub fn bootstrap(&self, lease: &Lease, database: &str) -> Target {
        let mut target = lease.login.with_dbname(database);
        if lease.is_own() {
            target.user.clone_from(&self.bootstrap);
        }
        target
    }
}

fn array(texts: &[String]) -> String {
    let literals: Vec<String> = texts.iter().map(|text| quoting::literal(text)).collect();
    format!("array[{}]::text[]", literals.join(", "))
}
