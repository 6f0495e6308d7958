//! `database` blocks → [`DesiredDatabase`]s. Pure: migrations are read through the door to files.
//!
//! Invariant: a password is in no open setting; it is deferred, by reference to where it comes from.

use std::cell::OnceCell;
use std::collections::BTreeMap;
use std::path::Path;

use super::cells::{BlockState, InstanceState, Style};
use super::desired::DesiredDatabase;
use super::engine::Engine;
use super::provider::Settings;
use super::url;
use crate::address::Address;
use crate::diagnostic::{Diagnostic, Span};
use crate::expression::{Deferred, Expr, Node};
use crate::migration::layout::Layout;
use crate::migration::length::{milliseconds, timeout_milliseconds};
use crate::migration::{Migration, keep, spoken};
use crate::secret::SecretReference;
use crate::spec::body::Attribute;
use crate::spec::{Database, MigrationBlock};
use crate::suggest::did_you_mean;
use crate::value::{Object, Type, Unknown, Value};
use crate::world::{Binding, RehearsalSettings};

/// How long a lock is waited for when nothing is said, in milliseconds.
const LOCK_TIMEOUT_MILLISECONDS: u64 = 3_000;

/// The settings of a connection, with their types.
fn connection_settings() -> [(&'static str, Type); 12] {
    [
        ("host", Type::String),
        ("port", Type::Number),
        ("user", Type::String),
        ("dbname", Type::String),
        ("password", Type::String),
        ("sslmode", Type::String),
        ("sslrootcert", Type::String),
        ("set_role", Type::String),
        ("tunnel", Type::list(Type::String)),
        ("aws_rds_iam_auth", Type::Bool),
        ("aws_rds_iam_region", Type::String),
        ("aws_rds_iam_profile", Type::String),
    ]
}

/// What a database on the provider's own server takes over from it.
const LOGIN: [&str; 11] = [
    "user",
    "password",
    "password_file",
    "sslmode",
    "sslrootcert",
    "set_role",
    "connect_timeout",
    "tunnel",
    "aws_rds_iam_auth",
    "aws_rds_iam_region",
    "aws_rds_iam_profile",
];

/// What `sslmode` may be; weaker ones can be turned off by who sits on the line.
const SSL_MODES: [&str; 3] = ["disable", "require", "verify-full"];

impl Engine<'_> {
    pub(super) fn database(&mut self, node: usize, site: usize, instance: usize, index: usize) {
        let module = &self.ground.spec.modules[0];
        let (name, database) = module.databases.get_index(index).expect("the item is of this module");
        let address = Address::root("database", name);
        let id = self.ground.state.id(&address);
        let before = self.diagnostics.0.len();
        let (mut settings, closed) = self.connection(database, &address);
        settings.needs.extend(self.target_needs(&database.depends_on, site, instance));
        settings.needs.remove(&id);
        let lock_timeout_milliseconds = self.lock_timeout(database, &address);
        let layout = self.layout(database, &address);
        // It is reached so: the binding is recorded, and a way back has no spec to look into.
        if layout != Layout::default() {
            settings.open(Layout::SETTING, Value::from(layout.name()));
        }
        let mut migrations = self.migrations(database, layout, &address);
        if let Some(seconds) = self.keep(database, &address) {
            keep_for(seconds, &mut migrations);
        }
        let poisoned = self.diagnostics.0.len() > before;
        let seen = |name: &str| match settings.open.get(name) {
            Some(value) => value.clone(),
            None if settings.deferred.contains_key(name) || settings.deferred.contains_key("url") => {
                Value::unknown(Unknown { waits_for: vec![address.clone()], ..Unknown::of(Type::String) })
            }
            None => Value::null(),
        };
        let value = Value::object(["host", "port", "user", "dbname"].map(|name| (name, seen(name))));
        let needs = self.ground.state.addresses(&settings.needs);
        let binding = Binding {
            provider: "postgres".to_owned(),
            alias: None,
            settings: settings.open,
            deferred: settings.deferred,
        };
        let mut desired = DesiredDatabase {
            binding,
            migrations,
            lock_timeout_milliseconds,
            rehearsal: RehearsalSettings::default(),
            rehearsal_server: None,
            budget: database.budget.clone(),
            needs,
            span: database.span,
        };
        self.rehearsal(database, &address, &mut desired);
        self.made.databases.insert(address.clone(), desired);
        self.ground.state.blocks[node].push(BlockState {
            style: Style::Once,
            address,
            instances: vec![InstanceState { id, value, closed: Some(closed), poisoned }],
            by_key: BTreeMap::new(),
            whole: OnceCell::new(),
            poisoned: false,
        });
    }

    /// The settings, and the closed form of what others see of them.
    fn connection(&mut self, database: &Database, address: &Address) -> (Settings, Expr) {
        let mut settings = Settings::default();
        let find = |name: &str| database.settings.iter().find(|setting| &*setting.name == name);
        let mut closed: BTreeMap<&str, Expr> = BTreeMap::new();
        match find("url") {
            Some(url) => self.url(url, address, &mut settings),
            None if find("host").is_some() => {}
            None => self.inherit(&mut settings, database.span),
        }
        for (name, ty) in connection_settings() {
            if let Some(setting) = find(name)
                && let Some(expr) = self.one_setting(setting, name, &ty, address, &mut settings)
            {
                closed.insert(name, expr);
            }
        }
        if let Some(file) = find("password_file") {
            self.password_file(file, find("password").is_some(), address, &mut settings);
        }
        self.check_ssl(find("sslmode"), &settings);
        let pair = |name: &str| {
            let known = || settings.open.get(name).cloned().unwrap_or_else(Value::null);
            (Expr::literal(name), closed.get(name).cloned().unwrap_or_else(|| Expr::literal(known())))
        };
        let closed = Expr::nowhere(Node::Object(["host", "port", "user", "dbname"].map(pair).into()));
        (settings, closed)
    }

    /// A database that says neither `url` nor `host` is reached as the `postgres` provider is.
    fn inherit(&mut self, settings: &mut Settings, span: Span) {
        let block = self.ground.spec.modules[0]
            .providers
            .iter()
            .position(|block| &*block.name == "postgres" && block.alias.is_none());
        let Some(block) = block else {
            self.report(
                Diagnostic::error("a database does not say how it is reached")
                    .at(span)
                    .detail("it has neither `url` nor `host`, and there is no `provider \"postgres\"`")
                    .help("add `host`, `user` and `dbname`, or `url = \"postgres://USER@HOST/DBNAME\"`"),
            );
            return;
        };
        let (binding, needs) = self.binding("postgres", Some(block));
        settings.open = binding.settings;
        settings.deferred = binding.deferred;
        settings.needs.extend(needs);
    }

    /// A database on the provider's own server is logged in to as the provider does, and as securely.
    fn inherit_login(&self, settings: &mut Settings) {
        let providers = &self.ground.spec.modules[0].providers;
        let block = providers.iter().position(|block| &*block.name == "postgres" && block.alias.is_none());
        let (binding, needs) = self.binding("postgres", block);
        for name in LOGIN {
            if settings.open.contains_key(name) || settings.deferred.contains_key(name) {
                continue;
            }
            if let Some(value) = binding.settings.get(name) {
                settings.open(name, value.clone());
            }
            if let Some(deferred) = binding.deferred.get(name) {
                settings.deferred(name, deferred.clone());
            }
        }
        settings.needs.extend(needs);
    }

    /// Whether settings lead to the server that the provider leads to.
    fn is_on_the_provider(&self, settings: &Settings) -> bool {
        let providers = &self.ground.spec.modules[0].providers;
        let block = providers.iter().position(|block| &*block.name == "postgres" && block.alias.is_none());
        let (binding, _) = self.binding("postgres", block);
        let port = |object: &Object| object.get("port").and_then(Value::as_i64).unwrap_or(5432);
        binding.settings.contains_key("host")
            && binding.settings.get("host") == settings.open.get("host")
            && port(&binding.settings) == port(&settings.open)
    }

    pub(super) fn url(&mut self, setting: &Attribute, address: &Address, settings: &mut Settings) {
        let evaluated = self.setting(&setting.expr, false, &address.to_string(), settings);
        if evaluated.poisoned {
            return;
        }
        if let Some(closed) = &evaluated.closed {
            settings.deferred("url", self.deferred(closed));
            // An address that a resource gives has no user in it.
            if !evaluated.value.is_known() {
                self.inherit_login(settings);
            }
            return;
        }
        let parsed = match evaluated.value.as_str() {
            Some(text) => url::parse(text),
            None => Err(url::UrlError::NotAUrl),
        };
        match parsed {
            Ok(parts) => {
                parts.into_iter().for_each(|(name, value)| settings.open(name, value));
                if self.is_on_the_provider(settings) {
                    self.inherit_login(settings);
                }
            }
            Err(error) => self.bad_url(error, setting.expr.span),
        }
    }

    /// One setting; its closed form when it is deferred.
    fn one_setting(
        &mut self,
        setting: &Attribute,
        name: &str,
        ty: &Type,
        address: &Address,
        settings: &mut Settings,
    ) -> Option<Expr> {
        let evaluated = self.setting(&setting.expr, name == "password", &address.to_string(), settings);
        if evaluated.poisoned || evaluated.value.is_null() {
            return None;
        }
        if let Err(error) = evaluated.value.convert(ty) {
            self.report(
                Diagnostic::error("an attribute's value has the wrong type")
                    .at(setting.expr.span)
                    .detail(format!("`{name}`: {error}"))
                    .help(format!("give a value of type `{ty}`")),
            );
            return None;
        }
        if name == "password" {
            settings.open.remove("password_file");
        }
        match evaluated.closed {
            Some(closed) => {
                settings.deferred(name, self.deferred(&closed));
                Some(closed)
            }
            None => {
                settings.open(name, evaluated.value.convert(ty).unwrap_or(evaluated.value));
                None
            }
        }
    }

    fn password_file(&mut self, setting: &Attribute, has_password: bool, address: &Address, settings: &mut Settings) {
        if has_password {
            self.report(
                Diagnostic::error("a database has two passwords")
                    .at(setting.name_span)
                    .detail("it has both `password` and `password_file`")
                    .help("remove one of the two"),
            );
        }
        let evaluated = self.setting(&setting.expr, false, &address.to_string(), settings);
        let Some(path) = evaluated.value.as_str().filter(|_| !evaluated.value.is_sensitive()) else {
            if !evaluated.poisoned {
                self.report(
                    Diagnostic::error("the path of a password is not usable")
                        .at(setting.expr.span)
                        .detail("`password_file` takes a path that is known now and no secret itself")
                        .help("write the path of a file that holds nothing but the password"),
                );
            }
            return;
        };
        let path = self.inputs.folder.join(Path::new(path)).display().to_string();
        settings.open.remove("password_file");
        settings.deferred("password", Deferred::secret(SecretReference::File { path }));
    }

    fn check_ssl(&mut self, setting: Option<&Attribute>, settings: &Settings) {
        let Some(mode) = settings.open.get("sslmode").and_then(Value::as_str) else {
            return;
        };
        if !SSL_MODES.contains(&mode) {
            let otherwise = format!("it is one of {}", crate::spec::suggest::listed(SSL_MODES));
            self.report(
                Diagnostic::error("there is no such sslmode")
                    .at(setting.map(|setting| setting.expr.span))
                    .detail(format!("`{mode}` is not known"))
                    .help(crate::spec::suggest::did_you_mean(mode, SSL_MODES, otherwise)),
            );
        }
    }

    fn lock_timeout(&mut self, database: &Database, address: &Address) -> u64 {
        let Some(setting) = database.settings.iter().find(|setting| &*setting.name == "lock_timeout") else {
            return LOCK_TIMEOUT_MILLISECONDS;
        };
        let evaluated = self.setting(&setting.expr, false, &address.to_string(), &mut Settings::default());
        if evaluated.poisoned || evaluated.value.is_null() {
            return LOCK_TIMEOUT_MILLISECONDS;
        }
        let parsed = evaluated.value.as_str().and_then(timeout_milliseconds);
        parsed.unwrap_or_else(|| {
            self.report(
                Diagnostic::error("this is not a length of time")
                    .at(setting.expr.span)
                    .detail("`lock_timeout` takes a number and a unit, known now")
                    .help("write like `\"500ms\"`, `\"3s\"` or `\"1m\"`"),
            );
            LOCK_TIMEOUT_MILLISECONDS
        })
    }

    /// How long what migrations take away is kept, where nothing else is said, in seconds.
    fn keep(&mut self, database: &Database, address: &Address) -> Option<u64> {
        let setting = database.settings.iter().find(|setting| &*setting.name == "keep")?;
        let evaluated = self.setting(&setting.expr, false, &address.to_string(), &mut Settings::default());
        if evaluated.poisoned || evaluated.value.is_null() {
            return None;
        }
        let parsed = evaluated.value.as_str().and_then(milliseconds).map(|milliseconds| milliseconds / 1_000);
        if parsed.is_none() {
            self.report(
                Diagnostic::error("this is not a length of time")
                    .at(setting.expr.span)
                    .detail("`keep` takes a number and a unit, known now")
                    .help("write like `\"36h\"`, `\"14d\"` or `\"2w\"`"),
            );
        }
        parsed
    }

    fn layout(&mut self, database: &Database, address: &Address) -> Layout {
        let Some(setting) = database.settings.iter().find(|setting| &*setting.name == "layout") else {
            return Layout::default();
        };
        let evaluated = self.setting(&setting.expr, false, &address.to_string(), &mut Settings::default());
        if evaluated.poisoned || evaluated.value.is_null() {
            return Layout::default();
        }
        let typed = evaluated.value.as_str().unwrap_or_default();
        typed.parse().unwrap_or_else(|_| {
            let known = Layout::ALL.map(Layout::name);
            let otherwise = format!("it is one of {}", crate::spec::suggest::listed(known));
            self.report(
                Diagnostic::error("there is no such layout")
                    .at(setting.expr.span)
                    .detail("`layout` takes the name of the tool whose folder of migrations it is, known now")
                    .help(crate::spec::suggest::did_you_mean(typed, known, otherwise)),
            );
            Layout::default()
        })
    }

    fn migrations(&mut self, database: &Database, layout: Layout, address: &Address) -> Vec<Migration> {
        let Some((path, span)) = &database.migrations else {
            return Vec::new();
        };
        let files = self.ground.surroundings.files.expect("the spec is resolved where its files are");
        let is_off =
            |block: &&MigrationBlock| block.spoken.transaction == Some(false) || block.spoken.said.backfill.is_some();
        let off = database.said.iter().filter(is_off).map(|block| block.version).collect();
        let folder = self.ground.surroundings.folder.join(path);
        let (mut found, mistakes) = layout.load_beside(files, &folder, &off);
        for mistake in mistakes {
            self.diagnostics.push(mistake.diagnostic(self.ground.surroundings.folder).at(*span));
        }
        database.said.iter().for_each(|block| self.join(block, &mut found, address));
        let target = database.settings.iter().find(|setting| &*setting.name == "target");
        if let Some(version) = target.and_then(|target| self.target(target, layout, &found, address)) {
            found.retain(|migration| migration.version <= version || migration.is_repeatable());
        }
        found
    }

    /// What a `migration` block says goes with its migration.
    fn join(&mut self, block: &MigrationBlock, found: &mut [Migration], address: &Address) {
        let Some(migration) = found.iter_mut().find(|migration| migration.version == block.version) else {
            let known: Vec<String> = found.iter().map(|migration| migration.version.to_string()).collect();
            let wanted = block.version.to_string();
            let otherwise =
                known.last().map_or("remove the block".to_owned(), |last| format!("the last one is `{last}`"));
            self.report(
                Diagnostic::error("there is no such migration")
                    .at(block.span)
                    .detail(format!("`{address}` has no migration {wanted}"))
                    .help(did_you_mean(&wanted, known.iter().map(String::as_str), otherwise)),
            );
            return;
        };
        // One report: a second one at the same place would be taken for the same.
        let problems = spoken::join(migration, &block.spoken);
        if let Some(first) = problems.first() {
            let texts: Vec<&str> = problems.iter().map(|problem| problem.text.as_str()).collect();
            self.report(
                Diagnostic::error("a migration is said to run in two ways")
                    .at(block.span)
                    .detail(format!("{}: {}", migration.label(), texts.join("; ")))
                    .help(first.help.clone()),
            );
        }
    }

    /// The version that `target` names; nothing when it is the latest.
    fn target(&mut self, setting: &Attribute, layout: Layout, found: &[Migration], address: &Address) -> Option<i64> {
        let evaluated = self.setting(&setting.expr, false, &address.to_string(), &mut Settings::default());
        if evaluated.poisoned || evaluated.value.is_null() || evaluated.value.as_str() == Some("latest") {
            return None;
        }
        let number = evaluated.value.convert(&Type::Number).ok();
        let typed = evaluated.value.as_str().map(str::to_owned);
        let typed = typed.or_else(|| number.as_ref().and_then(Value::as_i64).map(|number| number.to_string()));
        let version = typed.and_then(|typed| layout.number(&typed));
        let exists =
            version.filter(|version| *version == 0 || found.iter().any(|migration| migration.version == *version));
        if exists.is_none() {
            let versioned = found.iter().filter(|migration| !migration.is_repeatable());
            let known: Vec<String> = versioned.map(Migration::version_text).collect();
            let last = known.last().map_or_else(String::new, |last| format!("; the last one there is `{last}`"));
            self.report(
                Diagnostic::error("there is no such migration")
                    .at(setting.expr.span)
                    .detail(
                        "`target` takes `\"latest\"`, `0`, or the version of a migration that exists".to_owned()
                            + &last,
                    )
                    .help("write `target = \"latest\"`, or leave it out"),
            );
        }
        exists
    }
}

/// What takes something away, on its way there or back, is kept for so long, unless its file says how long.
fn keep_for(seconds: u64, migrations: &mut [Migration]) {
    let concerns = |migration: &Migration| match &migration.down {
        _ if keep::concerns(&migration.up) => true,
        Some(down) => keep::concerns(down),
        // What is derived drops what was made.
        None => !keep::made(&migration.up).is_empty(),
    };
    for migration in migrations.iter_mut().filter(|migration| concerns(migration)) {
        migration.said.keep_seconds.get_or_insert(seconds);
    }
}
