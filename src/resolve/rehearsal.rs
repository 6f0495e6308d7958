//! `rehearsal` blocks → [`RehearsalSettings`]. Pure: the seed is read through the door to files.
//!
//! Invariant: a rehearsal changes nothing about what is wanted: it adds no needs, and no secret of it is stored.

use super::desired::DesiredDatabase;
use super::engine::Engine;
use super::provider::Settings;
use crate::address::Address;
use crate::diagnostic::{Diagnostic, Span};
use crate::migration::length::timeout_milliseconds;
use crate::migration::statements::Script;
use crate::spec::body::Attribute;
use crate::spec::{Database, RehearsalBlock};
use crate::value::{Type, Value};
use crate::world::{Binding, RehearsalSettings};

/// The major versions that can be rehearsed on.
const VERSIONS: std::ops::RangeInclusive<i64> = 13..=18;

impl Engine<'_> {
    /// Where and with what the migrations of a database are rehearsed; put beside what else is known of it.
    pub(super) fn rehearsal(&mut self, database: &Database, address: &Address, desired: &mut DesiredDatabase) {
        let Some(block) = &database.rehearsal else {
            return;
        };
        desired.rehearsal = RehearsalSettings {
            version: self.whole_number(block, "version", address).and_then(|(version, span)| self.major(version, span)),
            extensions: self.names_of(block, "extensions", address),
            roles: self.names_of(block, "roles", address),
            seed: self.seed(block),
            sample: self.whole_number(block, "sample", address).and_then(|(rows, span)| self.sample(rows, span)),
            statement_timeout_milliseconds: self.statement_timeout(block, address),
        };
        desired.rehearsal_server = self.rehearsal_server(block, address, desired);
        if desired.rehearsal.seed.is_some() && desired.rehearsal.sample.is_some() {
            self.report(
                Diagnostic::error("a rehearsal has two sources of rows")
                    .at(database.span)
                    .detail("its `rehearsal` block has both `seed` and `sample`")
                    .help("remove one of the two"),
            );
        }
    }

    /// One setting that is known now and no secret; nothing when it is null, or a mistake that was told.
    fn plain_setting(&mut self, setting: &Attribute, ty: &Type, address: &Address) -> Option<Value> {
        let evaluated = self.setting(&setting.expr, false, &address.to_string(), &mut Settings::default());
        if evaluated.poisoned || evaluated.value.is_null() {
            return None;
        }
        let name = &setting.name;
        let problem = match evaluated.value.convert(ty) {
            Err(error) => format!("`{name}`: {error}"),
            Ok(value) if !value.is_known() => format!("`{name}` is not known before an apply"),
            Ok(value) if evaluated.closed.is_some() || value.is_sensitive() => format!("`{name}` is a secret"),
            Ok(value) => return Some(value),
        };
        self.report(
            Diagnostic::error("a setting of a rehearsal is not usable")
                .at(setting.expr.span)
                .detail(problem)
                .help(format!("give a value of type `{ty}` that is known now and no secret")),
        );
        None
    }

    fn whole_number(&mut self, block: &RehearsalBlock, name: &str, address: &Address) -> Option<(i64, Span)> {
        let setting = block.settings.iter().find(|setting| &*setting.name == name)?;
        let value = self.plain_setting(setting, &Type::Number, address)?;
        // What is no whole number is none of those that are allowed.
        Some((value.as_i64().unwrap_or(-1), setting.expr.span))
    }

    fn major(&mut self, version: i64, span: Span) -> Option<u32> {
        if VERSIONS.contains(&version) {
            return u32::try_from(version).ok();
        }
        let (first, last) = (VERSIONS.start(), VERSIONS.end());
        self.report(
            Diagnostic::error("there is no such version of PostgreSQL to rehearse on")
                .at(span)
                .detail(format!("`version` is a major version, from {first} to {last}"))
                .help("write like `version = 17`, or leave it out: then it is the target's"),
        );
        None
    }

    fn sample(&mut self, rows: i64, span: Span) -> Option<u64> {
        if rows >= 1 {
            return u64::try_from(rows).ok();
        }
        self.report(
            Diagnostic::error("a sample needs a number of rows")
                .at(span)
                .detail("`sample` is the number of rows that are taken along of each table, from 1 on")
                .help("write like `sample = 1000`, or leave it out: then the tables are empty"),
        );
        None
    }

    fn statement_timeout(&mut self, block: &RehearsalBlock, address: &Address) -> Option<u64> {
        let setting = block.settings.iter().find(|setting| &*setting.name == "statement_timeout")?;
        let value = self.plain_setting(setting, &Type::String, address)?;
        let parsed = value.as_str().and_then(timeout_milliseconds).filter(|milliseconds| *milliseconds > 0);
        if parsed.is_none() {
            self.report(
                Diagnostic::error("this is not a length of time")
                    .at(setting.expr.span)
                    .detail(
                        "`statement_timeout` takes a number and a unit: how long one statement may take in a rehearsal",
                    )
                    .help("write like `\"90s\"`, `\"5m\"` or `\"1h\"`"),
            );
        }
        parsed
    }

    fn names_of(&mut self, block: &RehearsalBlock, name: &str, address: &Address) -> Vec<String> {
        let Some(setting) = block.settings.iter().find(|setting| &*setting.name == name) else {
            return Vec::new();
        };
        let list = Type::List(std::sync::Arc::new(Type::String));
        let value = self.plain_setting(setting, &list, address);
        let items = value.as_ref().and_then(Value::items).unwrap_or_default();
        items.iter().filter_map(Value::as_str).map(str::to_owned).collect()
    }

    /// The text of the seed.
    fn seed(&mut self, block: &RehearsalBlock) -> Option<String> {
        let (path, span) = block.seed.as_ref()?;
        let files = self.ground.surroundings.files.expect("the spec is resolved where its files are");
        let text = match files.read(&self.ground.surroundings.folder.join(path)) {
            Ok(bytes) => String::from_utf8(bytes).map_err(|_| "it is not UTF-8 text".to_owned()),
            Err(error) => Err(format!("it cannot be read: {error}")),
        };
        let sql = text.and_then(|text| match Script::parse(&text) {
            Ok(_) => Ok(text),
            Err(error) => Err(format!("it is not understood as SQL: {error}")),
        });
        match sql {
            Ok(sql) => Some(sql),
            Err(problem) => {
                self.report(
                    Diagnostic::error("the seed of a rehearsal is not usable")
                        .at(*span)
                        .detail(format!("`{}`: {problem}", path.display()))
                        .help("name a file of SQL that fills the tables, by a path relative to this file"),
                );
                None
            }
        }
    }

    fn rehearsal_server(
        &mut self,
        block: &RehearsalBlock,
        address: &Address,
        desired: &DesiredDatabase,
    ) -> Option<Binding> {
        let url = block.settings.iter().find(|setting| &*setting.name == "url")?;
        let mut settings = Settings::default();
        self.url(url, address, &mut settings);
        let place = |open: &crate::value::Object, name: &str, usual: Value| open.get(name).cloned().unwrap_or(usual);
        let same = |name: &str, usual: Value| {
            place(&settings.open, name, usual.clone()) == place(&desired.binding.settings, name, usual)
        };
        let is_known = settings.open.contains_key("host") && settings.open.contains_key("dbname");
        if is_known && same("host", Value::null()) && same("port", Value::from(5432)) && same("dbname", Value::null()) {
            self.report(
                Diagnostic::error("a database cannot be rehearsed on itself")
                    .at(url.expr.span)
                    .detail(format!("`url` of the rehearsal leads to `{address}`"))
                    .help("name another server, or leave `url` out: then one is started for the rehearsal"),
            );
        }
        if settings.open.is_empty() && settings.deferred.is_empty() {
            return None;
        }
        Some(Binding {
            provider: "postgres".to_owned(),
            alias: None,
            settings: settings.open,
            deferred: settings.deferred,
        })
    }
}
