//! What targets are asked, against one that answers from a list, or not at all. Pure.

use std::sync::{Arc, Mutex};

use async_trait::async_trait;

use super::*;
use crate::digest::Digest;
use crate::migration::certificate::Verdict;
use crate::migration::predict::foresight::NotPredicted;
use crate::rehearse::not_rehearsed;
use crate::secret::{SecretError, SecretReference};
use crate::value::{Object, Value};
use crate::world::{
    Binding, EffectError, ErrorClass, History, MigrationEffect, Progress, RehearsalSettings, Settlement,
};

/// A database that notes what it is asked.
#[derive(Default)]
struct Fake {
    relations: Mutex<BTreeSet<String>>,
    texts: Mutex<Vec<String>>,
    silent: bool,
}

#[async_trait]
impl Databases for Fake {
    async fn history(&self, _: &Connection) -> Result<Option<History>, WorldError> {
        unreachable!("it was observed before")
    }

    async fn migrate(&self, _: &Connection, _: &MigrationEffect, _: &dyn Progress) -> Result<Object, EffectError> {
        unreachable!("nothing is run")
    }

    async fn settle(&self, _: &Connection, _: &MigrationEffect) -> Result<Settlement, WorldError> {
        unreachable!("nothing is run")
    }

    async fn fingerprint(&self, _: &Connection) -> Result<Digest, WorldError> {
        unreachable!("nothing is compared")
    }

    async fn facts(&self, _: &Connection, relations: &BTreeSet<String>) -> Result<Option<TargetFacts>, WorldError> {
        self.relations.lock().unwrap().clone_from(relations);
        if self.silent {
            let (tried, cause) = ("read what app says".to_owned(), "permission denied".to_owned());
            return Err(WorldError { tried, cause, help: None, class: ErrorClass::Refused });
        }
        Ok(Some(TargetFacts { server: "15.18".to_owned(), ..TargetFacts::default() }))
    }

    async fn foresee(&self, _: &Connection, texts: &[&str]) -> Result<Vec<Vec<Foreseen>>, WorldError> {
        self.texts.lock().unwrap().extend(texts.iter().map(|text| (*text).to_owned()));
        let known = scanning("public.predicted");
        Ok(texts.iter().map(|_| vec![Ok(known.clone()), Err(NotPredicted("no rule".to_owned()))]).collect())
    }
}

struct Nobody;

impl Secrets for Nobody {
    fn reveal(&self, _secret: &SecretReference) -> Result<Value, SecretError> {
        unreachable!("these connections hold no secrets")
    }
}

impl Clock for Nobody {
    fn now(&self) -> Timestamp {
        Timestamp::new(1_000_000_000, 999_999_999).unwrap()
    }

    fn uptime(&self) -> Duration {
        Duration::ZERO
    }
}

fn scanning(table: &str) -> Observation {
    Observation { scans: BTreeSet::from([table.to_owned()]), ..Observation::default() }
}

fn address() -> Address {
    Address::root("database", "app")
}

/// Two steps: one up, of which there is a certificate, and one down, of which there is none.
fn work(target: Option<Binding>) -> (Work, Evidence) {
    let migration = |version, up: &str| Arc::new(Migration::plain(version, "m", up, Some(&format!("{up} back"))));
    let work = Work {
        address: address(),
        settings: RehearsalSettings::default(),
        server: None,
        target,
        applied: Vec::new(),
        adopted: false,
        is_whole: true,
        steps: vec![(Direction::Up, migration(2, "two")), (Direction::Down, migration(1, "one"))],
    };
    let (forth, back) = (vec![scanning("public.forth")], vec![scanning("public.back")]);
    let certificate = Certificate { verdict: Verdict::Exact, forth, back, ..not_rehearsed("") };
    (work, Evidence(BTreeMap::from([(address(), BTreeMap::from([(2, certificate)]))])))
}

fn there() -> Option<Binding> {
    Some(Binding { provider: "postgres".to_owned(), ..Binding::default() })
}

fn asked(fake: &Fake, work: &Work, evidence: &Evidence) -> Targets {
    let asking = Asking { databases: fake, clock: &Nobody, secrets: &Nobody };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(ask(std::slice::from_ref(work), evidence, &Things::default(), asking))
}

#[test]
fn a_target_is_asked_for_what_is_proved_and_foretells_what_is_not() {
    let (work, evidence) = work(there());
    let fake = Fake::default();
    let targets = asked(&fake, &work, &evidence);
    assert_eq!(*fake.texts.lock().unwrap(), ["one back", "one"], "only what was not rehearsed, its own way first");
    let names: Vec<String> = fake.relations.lock().unwrap().iter().cloned().collect();
    assert_eq!(names, ["public.back", "public.forth", "public.predicted"]);
    let target = &targets.0[&address()];
    assert_eq!(target.at.to_string(), "2001-09-09T01:46:40Z");
    assert!(targets.foretold(&address(), 2).is_none());
    let foretold = targets.foretold(&address(), 1).unwrap();
    assert_eq!((&foretold.forth, &foretold.back), (&vec![scanning("public.predicted")], &foretold.forth));
    let untold = |way| Untold { way, statement: 2, why: "no rule".to_owned() };
    assert_eq!(foretold.unknown, [untold(Along::Forth), untold(Along::Back)]);
    let text = serde_json::to_string(&targets).unwrap();
    assert_eq!(serde_json::from_str::<Targets>(&text).unwrap(), targets, "a saved plan keeps it: {text}");
}

#[test]
fn what_could_not_be_rehearsed_is_foretold_too() {
    let (work, mut evidence) = work(there());
    evidence.0.get_mut(&address()).unwrap().insert(1, not_rehearsed("no citext here"));
    assert!(asked(&Fake::default(), &work, &evidence).foretold(&address(), 1).is_some());
}

#[test]
fn a_target_that_is_not_there_says_nothing_and_one_that_cannot_be_read_says_why() {
    let (absent, evidence) = work(None);
    assert!(asked(&Fake::default(), &absent, &evidence).is_empty());
    let (work, evidence) = work(there());
    let targets = asked(&Fake { silent: true, ..Fake::default() }, &work, &evidence);
    let Answer::Unreadable(why) = &targets.0[&address()].answer else { panic!("{targets:?}") };
    assert!(why.contains("permission denied"), "{why}");
    assert!(targets.0[&address()].sizes().is_none());
}
