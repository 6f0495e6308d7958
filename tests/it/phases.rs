//! Migrations and rollouts in one order: which are accepted, which are refused, and why. Pure: no world, no ledger but
//! what is written here.
//!
//! A service is `web:2@11-12`: its name, the revision it runs and the versions it works with; `11-` has no upper end,
//! no `@` says nothing. `>api` needs that service, `!` is not waited for. A migration is `11`, `11e` (expand) or `12c`
//! (contract), and `11/mail` is one of the group `mail`.

mod bad;
mod groups;
mod versions;
mod written;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use switchback::address::Address;
use switchback::diagnostic::{Diagnostics, SourceId, Span};
use switchback::digest::Digest;
use switchback::ledger::state::{DatabaseState, ResourceState};
use switchback::ledger::{State, Things};
use switchback::migration::certificate::Evidence;
use switchback::migration::range::{SchemaNeeds, SchemaRange};
use switchback::migration::said::Phase;
use switchback::migration::{Direction, Migration};
use switchback::observe::Observed;
use switchback::plan::{Inputs, Options, plan};
use switchback::provider::table::kinds;
use switchback::resolve::desired::{Desired, DesiredDatabase, DesiredResource, EnvironmentSettings, Lifecycle};
use switchback::resolve::secrets::RevealedSecrets;
use switchback::rollback::{Depth, rollback_to};
use switchback::step::{Action, Birth, ChangeSet, Step, StepId};
use switchback::value::{Object, Value};
use switchback::world::Binding;

fn database() -> Address {
    Address::root("database", "app")
}

fn service(name: &str) -> Address {
    Address::root("aws_ecs_service", name)
}

struct Service {
    name: String,
    object: Object,
    needs: BTreeSet<Address>,
    needs_schema: SchemaNeeds,
}

fn read_service(word: &str) -> Service {
    let (word, is_waited_for) = word.strip_suffix('!').map_or((word, true), |word| (word, false));
    let (word, other) = word.split_once('>').map_or((word, None), |(word, other)| (word, Some(other)));
    let (word, range) = word.split_once('@').map_or((word, None), |(word, range)| (word, Some(range)));
    let (name, revision) = word.split_once(':').expect("name and revision");
    let range = range.map(|range| {
        let (least, most) = range.split_once('-').expect("two ends");
        SchemaRange { at_least: least.parse().unwrap_or(0), at_most: most.parse().ok() }
    });
    let mut object = Object::from([
        ("name".to_owned(), name.into()),
        ("cluster".to_owned(), "shop".into()),
        ("task_definition".to_owned(), Value::from(format!("{name}:{revision}").as_str())),
    ]);
    if !is_waited_for {
        object.insert("wait_for_steady_state".to_owned(), false.into());
    }
    Service {
        name: name.to_owned(),
        object,
        needs: other.map(service).into_iter().chain([database()]).collect(),
        needs_schema: range.map(|range| (database(), range)).into_iter().collect(),
    }
}

fn read_migrations(words: &str) -> BTreeMap<i64, Arc<Migration>> {
    let read = |word: &str| {
        let (word, group) = word.split_once('/').map_or((word, None), |(word, group)| (word, Some(group.to_owned())));
        let version: i64 = word.trim_end_matches(['e', 'c']).parse().expect("a version");
        let (up, down) = (format!("CREATE TABLE t{version} (a int)"), format!("DROP TABLE t{version}"));
        let mut migration = Migration::plain(version, &format!("m{version}"), &up, Some(&down));
        migration.said.phase = match word.as_bytes().last() {
            Some(b'e') => Some(Phase::Expand),
            Some(b'c') => Some(Phase::Contract),
            _ => None,
        };
        migration.said.group = group;
        (version, Arc::new(migration))
    };
    words.split_whitespace().map(read).collect()
}

/// What the ledger knows: these services run, these migrations are applied.
fn things(services: &str, applied: &str, ahead: &[i64]) -> Things {
    let mut things = Things::default();
    for service in services.split_whitespace().map(read_service) {
        let mut object = service.object;
        object.insert("arn".to_owned(), Value::from(format!("arn:{}", service.name).as_str()));
        let resource = ResourceState {
            kind: "aws_ecs_service".to_owned(),
            binding: aws(),
            object,
            earlier: Vec::new(),
            needs: service.needs,
            needs_schema: service.needs_schema,
            beside: Vec::new(),
            run: 1,
            adopted: None,
            born: Birth { run: 1, step: service.name.bytes().map(u32::from).sum() },
            made_of: BTreeMap::new(),
        };
        things.resources.insert(Address::root("aws_ecs_service", &service.name), resource);
    }
    let recorded = DatabaseState {
        binding: postgres(),
        applied: read_migrations(applied),
        needs: BTreeSet::new(),
        lock_timeout_milliseconds: 1_000,
        ahead: ahead.iter().copied().collect(),
        partial: None,
        born: Birth::default(),
        kept: BTreeMap::new(),
        aside: BTreeMap::new(),
        told: switchback::migration::told::Told::default(),
    };
    things.databases.insert(database(), recorded);
    things
}

fn aws() -> Binding {
    Binding { provider: "aws".to_owned(), ..Binding::default() }
}

fn postgres() -> Binding {
    Binding { provider: "postgres".to_owned(), ..Binding::default() }
}

fn nowhere() -> Span {
    Span { source: SourceId(0), start: 0, end: 0 }
}

fn desired(services: &str, folder: &str) -> Desired {
    let resources = services.split_whitespace().map(read_service).map(|one| {
        let resource = DesiredResource {
            kind: "aws_ecs_service".to_owned(),
            binding: aws(),
            object: one.object,
            deferred: BTreeMap::new(),
            needs: one.needs,
            needs_schema: one.needs_schema,
            lifecycle: Lifecycle::default(),
            span: nowhere(),
            attribute_spans: BTreeMap::new(),
        };
        (service(&one.name), resource)
    });
    let app = DesiredDatabase {
        binding: postgres(),
        migrations: read_migrations(folder).into_values().map(|migration| (*migration).clone()).collect(),
        lock_timeout_milliseconds: 1_000,
        rehearsal: Default::default(),
        rehearsal_server: None,
        budget: Default::default(),
        needs: BTreeSet::new(),
        span: nowhere(),
    };
    Desired {
        project: "shop".into(),
        environment: EnvironmentSettings {
            name: "test".into(),
            after: None,
            protected: false,
            allow_up: true,
            gates: Default::default(),
            pinning: Default::default(),
            branch: None,
            auto_promote: None,
            doors: BTreeSet::new(),
            approvals: 0,
            budget: Default::default(),
            rules: None,
        },
        resources: resources.collect(),
        databases: BTreeMap::from([(database(), app)]),
        checks: Vec::new(),
        outputs: BTreeMap::new(),
        spec_digest: Digest::of_bytes(b"spec"),
        images: Default::default(),
    }
}

fn with_inputs<T>(now: &Things, act: impl FnOnce(Inputs<'_>) -> T) -> T {
    let (kinds, secrets, evidence) = (kinds(), RevealedSecrets::default(), Evidence::default());
    let state = State { things: now.clone(), ..State::default() };
    let observed = Observed::as_recorded(now);
    act(Inputs { state: &state, observed: &observed, kinds: &kinds, secrets: &secrets, evidence: &evidence })
}

fn forward(now: &Things, services: &str, folder: &str) -> (ChangeSet, Diagnostics) {
    targeted(now, services, folder, &[])
}

fn targeted(now: &Things, services: &str, folder: &str, targets: &[Address]) -> (ChangeSet, Diagnostics) {
    let options = Options { targets: targets.to_vec(), ..Options::default() };
    with_inputs(now, |inputs| plan(&desired(services, folder), inputs, &options))
}

fn back(now: &Things, then: &Things, depth: Depth) -> (ChangeSet, Diagnostics) {
    with_inputs(now, |inputs| rollback_to(then, 1, depth, inputs))
}

fn short(step: &Step) -> String {
    let name = step.address.name.to_string();
    match &step.action {
        Action::Migrate { direction: Direction::Up, migration, .. } => format!("V{}", migration.version),
        Action::Migrate { direction: Direction::Down, migration, .. } => format!("-V{}", migration.version),
        Action::Delete { .. } => format!("-{name}"),
        Action::Create { .. } => format!("+{name}"),
        Action::Remember { .. } => format!("({name})"),
        _ => name,
    }
}

/// The steps, each with those that it waits for.
#[track_caller]
fn order((change_set, mistakes): (ChangeSet, Diagnostics)) -> String {
    assert!(mistakes.0.is_empty(), "{mistakes:?}");
    let name = |id: &StepId| short(change_set.step(*id).expect("a step of it"));
    let words = change_set.steps.iter().map(|step| {
        let after: Vec<String> = step.after.iter().map(name).collect();
        if after.is_empty() { short(step) } else { format!("{}<{}", short(step), after.join(",")) }
    });
    words.collect::<Vec<_>>().join(" ")
}

#[test]
fn ranges_alone_give_the_order() {
    let now = things("web:1@10-11", "10", &[]);
    assert_eq!(order(forward(&now, "web:2@11-12", "10 11 12")), "V11 web<V11 V12<V11,web");
    // What both work with runs before, as everything does about which nothing is said.
    let now = things("web:1@10-12", "10", &[]);
    assert_eq!(order(forward(&now, "web:2@11-13", "10 11 12 13")), "V11 V12<V11 web<V12 V13<V12,web");
    // One that runs all the time and works with everything takes no part.
    let now = things("api:1@10- web:1@10-11", "10", &[]);
    assert_eq!(order(forward(&now, "api:1@10- web:2@11-12", "10 11 12")), "V11 web<V11 V12<V11,web");
}

#[test]
fn phases_alone_give_the_order() {
    let now = things("web:1 api:1", "10", &[]);
    let both = "V11 api<V11 web<V11 V12<V11,api,web";
    assert_eq!(order(forward(&now, "web:2 api:2", "10 11e 12c")), both);
    assert_eq!(order(forward(&now, "web:2 api:2", "10 11 12c")), both, "what has no phase runs before, as ever");
    // A service that goes counts, and one that is new.
    assert_eq!(order(forward(&now, "web:2 new:1", "10 11c")), "+new web -api V11<+new,web,-api");
    assert_eq!(order(forward(&now, "web:1 api:1", "10 11c")), "V11", "nothing is rolled out");
}

#[test]
fn a_place_that_is_made_from_nothing_takes_the_migrations_of_many_releases_at_once() {
    // One release took something away, a later one added something: no earlier revision is there to need what goes.
    let empty = things("", "10", &[]);
    assert_eq!(order(forward(&empty, "web:3@11-15", "10 11c 15e")), "V11 V15<V11 +web<V15");
    assert_eq!(order(forward(&empty, "web:3", "10 11c 15e")), "V11 V15<V11 +web<V15");
    // Beside one that runs and goes, both phases count: in two plans.
    let now = things("web:2", "10", &[]);
    let (_, mistakes) = forward(&now, "web:3", "10 11c 15e");
    assert!(mistakes.0.iter().any(|one| one.summary.contains("no order")), "{mistakes:?}");
    // One that is made anew in the place of another is not the first one.
    let mut replaced = things("web:2", "10", &[]);
    let web = replaced.resources.get_mut(&service("web")).expect("it is there");
    web.object.insert("cluster".to_owned(), "other".into());
    let (_, mistakes) = forward(&replaced, "web:3", "10 11c 15e");
    assert!(mistakes.0.iter().any(|one| one.summary.contains("no order")), "{mistakes:?}");
}

#[test]
fn where_nothing_is_said_everything_is_as_before() {
    let now = things("web:1", "10", &[]);
    assert_eq!(order(forward(&now, "web:2", "10 11 12")), "V11 V12<V11 web<V12");
    let then = things("web:1", "10", &[]);
    let now = things("web:2", "10 11 12", &[]);
    for depth in [Depth::AsNeeded, Depth::WithSchema] {
        assert_eq!(order(back(&now, &then, depth)), "-V12 -V11<-V12 web<-V11");
    }
}

#[test]
fn what_a_service_needs_does_not_wait_for_what_comes_after_it() {
    let now = things("cfg:1 web:1@10-11>cfg", "10", &[]);
    assert_eq!(order(forward(&now, "cfg:2 web:2@11-12>cfg", "10 11 12")), "V11 cfg<V11 web<V11,cfg V12<V11,web");
}

#[test]
fn rollouts_can_stand_between_migrations() {
    let now = things("api:1@10-10 web:1@10-11", "10", &[]);
    let forward = forward(&now, "api:2@10-12 web:2@11-12", "10 11 12");
    assert_eq!(order(forward), "api V11<api web<V11 V12<V11,web");
}

#[test]
fn the_way_back_mirrors_the_way_there() {
    let then = things("web:1@10-11", "10", &[]);
    let now = things("web:2@11-12", "10 11 12", &[]);
    assert_eq!(order(back(&now, &then, Depth::WithSchema)), "-V12 web<-V12 -V11<-V12,web");
    let then = things("web:1", "10", &[]);
    let now = things("web:2", "10 11e 12c", &[]);
    assert_eq!(order(back(&now, &then, Depth::WithSchema)), "-V12 web<-V12 -V11<-V12,web");
    // Services return as soon as they can: what both work with is taken back afterwards.
    let then = things("web:1@8-", "8", &[]);
    let now = things("web:2@8-", "8 9 10", &[]);
    assert_eq!(order(back(&now, &then, Depth::WithSchema)), "web -V10<web -V9<-V10");
}

#[test]
fn a_way_back_leaves_what_the_earlier_revision_works_with() {
    let then = things("web:1@10-11", "10", &[]);
    let now = things("web:2@11-12", "10 11 12", &[]);
    let (change_set, mistakes) = back(&now, &then, Depth::AsNeeded);
    assert_eq!(change_set.steps[0].ahead, BTreeSet::from([11]), "the ledger knows what is ahead");
    assert!(!change_set.with_schema);
    assert_eq!(order((change_set, mistakes)), "-V12 web<-V12");
    // Nothing has to be taken back at all: it is only recorded that V11 is ahead.
    let now = things("web:2@11-12", "10 11", &[]);
    let left = order(back(&now, &then, Depth::AsNeeded));
    assert_eq!(left.split(' ').collect::<BTreeSet<_>>(), BTreeSet::from(["(app)", "web"]));
    // An open end does not speak of what takes away.
    let then = things("web:1@10-", "10", &[]);
    let now = things("web:2@11-", "10 11e 12c", &[]);
    assert_eq!(order(back(&now, &then, Depth::AsNeeded)), "-V12 web<-V12");
    // One of two services says nothing, so nobody knows.
    let then = things("web:1@10-11 api:1", "10", &[]);
    let now = things("web:2@11-12 api:2", "10 11", &[]);
    assert!(order(back(&now, &then, Depth::AsNeeded)).contains("-V11"));
}

#[test]
fn what_is_ahead_stays_until_a_release_knows_it() {
    let now = things("web:1@10-11", "10 11", &[11]);
    assert_eq!(order(forward(&now, "web:1@10-11", "10")), "", "the old release finds nothing to do");
    assert_eq!(order(forward(&now, "web:1@10-11", "10 11")), "(app)", "the new one knows it again");
    assert_eq!(order(forward(&now, "web:2@11-12", "10 11 12")), "web V12<web");
    let (hotfix, mistakes) = forward(&now, "web:1@10-13", "10 13");
    assert_eq!(hotfix.steps[0].ahead, BTreeSet::from([11]));
    assert_eq!(order((hotfix, mistakes)), "V13 (web)<V13");
    // Who lowers the target below it takes it back.
    assert_eq!(order(forward(&now, "web:1@0-11", "")), "-V11 -V10<-V11 (web)<-V10");
    // And a way back with the schema takes it back, too.
    let then = things("web:1@10-11", "10", &[]);
    assert_eq!(order(back(&now, &then, Depth::WithSchema)), "-V11");
    assert_eq!(order(back(&now, &then, Depth::AsNeeded)), "", "once more without it leads nowhere");
}

#[test]
fn only_the_range_is_a_change_of_the_ledger_alone() {
    let now = things("web:1@10-10", "10", &[]);
    assert_eq!(order(forward(&now, "web:1@10-11", "10")), "(web)");
    assert_eq!(order(forward(&now, "web:1@10-11", "10 11")), "V11 (web)<V11");
}
