//! A release of the shop as its review would be: eight migrations of this repository between steps on resources, with
//! sizes, traffic, estimates, findings and signatures as a busy shop would have them.

use std::collections::{BTreeMap, BTreeSet};

use switchback::digest::Digest;
use switchback::migration::certificate::{Basis, Certificate, Evidence, Verdict};
use switchback::migration::observation::{LockMode, Observation};
use switchback::migration::said::Phase;
use switchback::migration::{Direction, Migration};
use switchback::rehearse::target::{Along, Answer, Foretold, Target, Targets, Untold};
use switchback::review::Review;
use switchback::review::grounds::Grounds;
use switchback::review::signing::{Given, Needed, Signing};
use switchback::risk::{Blocked, Cost, Estimate, Risk, Risks};
use switchback::rules::{Finding, Findings, Ignored, Level, Place};
use switchback::step::{
    Action, ChangeSet, Fingerprint, Inverse, Operation, PlannedOutput, Reason, Standing, Step, StepId, Way,
};
use switchback::value::{Object, Sealed, Type, Unknown, Value};
use switchback::world::{Binding, LongTransaction, Replica, Size, TargetFacts};

/// The database.
const DATABASE: &str = "database.app";

/// An object of these attributes.
pub fn object(entries: &[(&str, Value)]) -> Object {
    entries.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect()
}

/// A step that waits for those before it that are named.
pub fn step(id: u32, address: &str, action: Action, reason: Reason, inverse: Inverse, after: &[u32]) -> Step {
    let is_database = address.starts_with("database");
    let settings = match is_database {
        true => object(&[("host", "db.shop.internal".into()), ("port", 5432_i64.into()), ("dbname", "shop".into())]),
        false => object(&[("account", "123456789012".into()), ("region", "eu-central-1".into())]),
    };
    let provider = if is_database { "postgres" } else { "aws" }.to_owned();
    Step {
        id: StepId(id),
        address: address.parse().unwrap(),
        binding: Binding { provider, settings, ..Binding::default() },
        action,
        reason,
        inverse,
        after: after.iter().copied().map(StepId).collect(),
        rests_on: BTreeMap::new(),
        found: Fingerprint::Absent,
        needs: BTreeSet::new(),
        needs_schema: BTreeMap::new(),
        ahead: BTreeSet::new(),
    }
}

/// A change set of these steps.
pub fn change_set(steps: Vec<Step>) -> ChangeSet {
    let point = steps.iter().find(|step| !step.inverse.is_reversible()).map(|step| step.id);
    ChangeSet {
        approval_rules: None,
        format: switchback::step::FORMAT,
        project: "shop".into(),
        environment: "prod".into(),
        operation: Operation::Apply,
        chain: None,
        spec_digest: Some(Digest::of_bytes(b"spec")),
        steps,
        point_of_no_return: point,
        checks: Vec::new(),
        outputs: BTreeMap::new(),
        standing: Standing::default(),
        owed: BTreeSet::new(),
        with_schema: false,
        release: None,
        images: Default::default(),
        gates: Default::default(),
        origins: BTreeMap::new(),
    }
}

/// A step that runs a migration of this repository.
fn migrate(id: u32, version: i64, phase: Option<Phase>, after: &[u32]) -> Step {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("migrations/shop");
    let names: Vec<String> = std::fs::read_dir(&folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name.starts_with(&format!("V{version}__")) && !name.ends_with(".down.sql"))
        .collect();
    let [name] = names.as_slice() else { panic!("one file of version {version}: {names:?}") };
    let stem = name.trim_end_matches(".sql");
    let read = |name: &str| crate::stack::read(&folder.join(name));
    let (up, down) = (read(name), read(&format!("{stem}.down.sql")));
    let mut migration = Migration::plain(version, stem.split_once("__").unwrap().1, &up, Some(&down));
    migration.said.phase = phase;
    migration.transaction = version != 5;
    let inverse = match version {
        11 => Inverse::Recreates { way: Way::MigrateBack, why: "reordered columns: `fullname` stands last".into() },
        _ => Inverse::Exact { way: Way::MigrateBack },
    };
    let (migration, from) = (Box::new(migration), Default::default());
    let action = Action::Migrate { direction: Direction::Up, migration, lock_timeout_milliseconds: 3000, from };
    step(id, DATABASE, action, Reason::Pending, inverse, after)
}

fn steps() -> Vec<Step> {
    let exact = |way| Inverse::Exact { way };
    let changed = |attribute: &str| Reason::Changed { attributes: vec![attribute.into()], drifted: vec![] };
    let kind = str::to_owned;
    let level = |level: &str| object(&[("name", "/shop/prod/web/LOG_LEVEL".into()), ("value", level.into())]);
    let parameter = Action::Update {
        kind: kind("aws_ssm_parameter"),
        before: level("info"),
        after: level("warn"),
        deferred: BTreeMap::new(),
    };
    let containers = |tag: &str, secret: Value| {
        let image = format!("123456789012.dkr.ecr.eu-central-1.amazonaws.com/shop@sha256:{}", tag.repeat(16));
        object(&[
            ("family", "shop-web".into()),
            ("container_definitions", format!(r#"[{{"name":"web","image":"{image}","memory":512}}]"#).into()),
            ("revision", Value::unknown(Unknown::of(Type::Number))),
            ("signing_key", secret),
        ])
    };
    let sealed = |text: &str| Value::sealed(Sealed { digest: Some(Digest::of_bytes(text.as_bytes())) });
    let revise = Action::Revise {
        kind: kind("aws_ecs_task_definition"),
        before: containers("a41c", sealed("one")),
        after: containers("93be", sealed("two")),
        deferred: BTreeMap::new(),
    };
    let service = |revision: i64| {
        object(&[("name", "web".into()), ("task_definition", revision.into()), ("desired_count", 6_i64.into())])
    };
    let roll = Action::Update {
        kind: kind("aws_ecs_service"),
        before: service(41),
        after: object(&[
            ("name", "web".into()),
            ("task_definition", Value::unknown(Unknown::of(Type::Number))),
            ("desired_count", 8_i64.into()),
        ]),
        deferred: BTreeMap::new(),
    };
    let delete = Action::Delete {
        kind: kind("aws_ssm_parameter"),
        before: object(&[("name", "/shop/prod/web/NAME_FIELD".into())]),
    };
    let group = Action::Create {
        kind: kind("aws_cloudwatch_log_group"),
        after: object(&[("name", "/shop/prod/web-audit".into()), ("retention_in_days", 90_i64.into())]),
        deferred: BTreeMap::new(),
    };
    let gone =
        Inverse::LosesData { way: Way::CreateAgain, what: "the value of the parameter, which no store keeps".into() };
    vec![
        step(1, "aws_cloudwatch_log_group.audit", group, Reason::New, exact(Way::Delete), &[]),
        step(2, "aws_ssm_parameter.log_level", parameter, changed("value"), exact(Way::UpdateBack), &[]),
        migrate(3, 4, None, &[]),
        migrate(4, 5, None, &[3]),
        migrate(5, 6, None, &[4]),
        migrate(6, 7, Some(Phase::Expand), &[5]),
        migrate(7, 8, Some(Phase::Expand), &[6]),
        migrate(8, 9, Some(Phase::Expand), &[7]),
        migrate(9, 10, Some(Phase::Expand), &[8]),
        step(10, "aws_ecs_task_definition.web", revise, changed("container_definitions"), exact(Way::Return), &[1, 2]),
        step(
            11,
            "module.web[\"eu\"].aws_ecs_service.web",
            roll,
            changed("task_definition"),
            exact(Way::UpdateBack),
            &[9, 10],
        ),
        migrate(12, 11, Some(Phase::Contract), &[9, 11]),
        step(13, "aws_ssm_parameter.name_field", delete, Reason::NotInSpec, gone, &[11]),
    ]
}

fn seen(statement: usize, line: usize, locks: &[(&str, LockMode)]) -> Observation {
    let locks = locks.iter().map(|(relation, lock)| (format!("public.{relation}"), *lock)).collect();
    Observation { statement, line, locks, ..Observation::default() }
}

fn scanning(mut one: Observation, relation: &str) -> Observation {
    one.scans.insert(format!("public.{relation}"));
    one
}

fn certificate(version: i64) -> Certificate {
    use LockMode::{AccessExclusive, RowExclusive, ShareRowExclusive, ShareUpdateExclusive};
    let customers = |lock| [("customers", lock)];
    let (forth, back) = match version {
        4 => (
            vec![seen(1, 2, &[]), seen(2, 17, &[("order_lines", ShareRowExclusive)])],
            vec![seen(1, 1, &[("order_lines", AccessExclusive)]), seen(2, 3, &[])],
        ),
        5 => {
            let mut build = scanning(seen(1, 3, &[("orders", ShareUpdateExclusive)]), "orders");
            build.builds.insert("public.orders".into(), BTreeSet::from(["orders_customer_id_idx".to_owned()]));
            build.outside = true;
            let drop = [("orders", ShareUpdateExclusive), ("orders_customer_id_idx", ShareUpdateExclusive)];
            (vec![build], vec![Observation { outside: true, ..seen(1, 2, &drop) }])
        }
        6 => (
            vec![seen(1, 2, &[("orders", LockMode::AccessShare)])],
            vec![seen(1, 1, &[("sales_by_day", AccessExclusive)])],
        ),
        7 => (vec![seen(1, 2, &customers(AccessExclusive))], vec![seen(1, 1, &customers(AccessExclusive))]),
        8 => (
            vec![seen(1, 2, &[]), seen(2, 19, &customers(ShareRowExclusive))],
            vec![seen(1, 1, &customers(AccessExclusive)), seen(2, 3, &[])],
        ),
        9 => (vec![scanning(seen(1, 2, &customers(RowExclusive)), "customers")], vec![seen(1, 2, &[])]),
        10 => (
            vec![
                seen(1, 3, &customers(AccessExclusive)),
                scanning(seen(2, 5, &customers(AccessExclusive)), "customers"),
                seen(3, 7, &customers(AccessExclusive)),
                seen(4, 9, &customers(AccessExclusive)),
            ],
            vec![seen(1, 1, &customers(AccessExclusive))],
        ),
        _ => (
            vec![seen(1, 2, &customers(AccessExclusive)), seen(2, 4, &[]), seen(3, 6, &customers(AccessExclusive))],
            vec![
                seen(1, 3, &customers(AccessExclusive)),
                scanning(seen(2, 5, &customers(AccessExclusive)), "customers"),
                scanning(seen(3, 7, &customers(AccessExclusive)), "customers"),
                seen(4, 9, &[]),
                seen(5, 25, &customers(AccessExclusive)),
            ],
        ),
    };
    let difference = vec![
        "table public.customers".to_owned(),
        "- column 2 fullname text not null".to_owned(),
        "+ column 6 fullname text not null".to_owned(),
    ];
    let verdict = if version == 11 { Verdict::Reordered { difference } } else { Verdict::Exact };
    let undone = if version == 7 { vec!["customers.display_name".to_owned()] } else { Vec::new() };
    Certificate {
        server: "15.18".into(),
        basis: Basis::Seeded { rows: 1_200 },
        verdict,
        undone,
        forth,
        back,
        ..switchback::rehearse::not_rehearsed("")
    }
}

fn blocked(statement: usize, relation: &str, lock: LockMode, seconds: f64, because: &[&str]) -> Estimate {
    let waiting = |rate: f64| Some(rate * seconds);
    let relation = format!("public.{relation}");
    let blocked = Blocked { relation, lock, seconds, readers: waiting(410.0), writers: waiting(38.0) };
    let because = because.iter().map(|text| (*text).to_owned()).collect();
    Estimate { statement, seconds: Some(seconds), blocked: vec![blocked], because }
}

fn cost(seconds: f64, statements: Vec<Estimate>) -> Cost {
    let longest = |is_blocked: fn(LockMode) -> bool| {
        let all = statements.iter().flat_map(|one| &one.blocked).filter(|one| is_blocked(one.lock));
        Some(all.map(|one| one.seconds).fold(0.0, f64::max))
    };
    let (blocked_writes, blocked_reads) = (longest(LockMode::blocks_writers), longest(LockMode::blocks_readers));
    Cost {
        seconds: Some(seconds),
        blocked_writes,
        blocked_reads,
        statements,
        wal_bytes: Some(40_000),
        ..Cost::default()
    }
}

fn risk(version: i64) -> Risk {
    use LockMode::{AccessExclusive, ShareRowExclusive};
    let catalog =
        |statement, relation, lock| blocked(statement, relation, lock, 0.004, &["only the catalog is written"]);
    let read = "1.2 GB, about 3 million rows, read as a whole at 410 MB/s";
    let written = "about 3 million rows written at 58 thousand rows/s";
    let (forth, back) = match version {
        4 => (vec![catalog(2, "order_lines", ShareRowExclusive)], vec![catalog(1, "order_lines", AccessExclusive)]),
        7 => (vec![catalog(1, "customers", AccessExclusive)], vec![catalog(1, "customers", AccessExclusive)]),
        8 => (vec![catalog(2, "customers", ShareRowExclusive)], vec![catalog(1, "customers", AccessExclusive)]),
        10 => (
            vec![
                blocked(1, "customers", AccessExclusive, 3.1, &["held until the transaction ends"]),
                blocked(2, "customers", AccessExclusive, 3.0, &[read]),
            ],
            vec![catalog(1, "customers", AccessExclusive)],
        ),
        11 => (
            vec![catalog(1, "customers", AccessExclusive), catalog(3, "customers", AccessExclusive)],
            vec![
                blocked(2, "customers", AccessExclusive, 57.0, &[written]),
                blocked(3, "customers", AccessExclusive, 3.0, &[read]),
            ],
        ),
        _ => (Vec::new(), Vec::new()),
    };
    let sum = |all: &[Estimate]| all.iter().filter_map(|one| one.seconds).sum::<f64>();
    let mut risk =
        Risk { forth: cost(sum(&forth).max(0.003), forth), back: cost(sum(&back).max(0.003), back), ..Risk::default() };
    match version {
        5 => {
            risk.forth.seconds = Some(212.0);
            risk.forth.disk_bytes = Some(1_340_000_000);
            risk.forth.wal_bytes = Some(1_340_000_000);
            let because = vec!["18 GB, about 42 million rows, read twice at 410 MB/s, sorted and written".to_owned()];
            risk.forth.statements.push(Estimate { statement: 1, seconds: Some(212.0), blocked: vec![], because });
        }
        9 => {
            risk.forth.seconds = Some(52.0);
            (risk.forth.wal_bytes, risk.forth.disk_bytes) = (Some(2_400_000_000), Some(1_250_000_000));
            risk.forth.lag_seconds = Some(14.0);
            risk.forth.statements.push(Estimate {
                statement: 1,
                seconds: Some(52.0),
                blocked: vec![],
                because: vec![written.to_owned()],
            });
            risk.forth.unknown.push("how long writers of the same rows wait: traffic by row is not known".to_owned());
        }
        _ => {}
    }
    risk
}

fn targets() -> Targets {
    let size = |bytes: u64, rows: u64| Size { rows: Some(rows), bytes };
    let sizes = [
        ("public.customers", size(1_230_000_000, 3_010_000)),
        ("public.orders", size(18_400_000_000, 42_000_000)),
        ("public.order_lines", size(31_000_000_000, 161_000_000)),
    ];
    let long = LongTransaction {
        process: 48_213,
        user: "reporting".to_owned(),
        application: "metabase".to_owned(),
        seconds: 1_284.0,
        query: "select count(*) from orders where placed_at > $1".to_owned(),
    };
    let facts = TargetFacts {
        server: "15.18".to_owned(),
        sizes: sizes.map(|(name, size)| (name.to_owned(), size)).into(),
        long: vec![long],
        replicas: vec![Replica { name: "replica-1".to_owned(), lag_bytes: Some(81_920), lag_seconds: Some(0.2) }],
        ..TargetFacts::default()
    };
    let target =
        Target { at: "2026-11-21T10:00:00Z".parse().unwrap(), answer: Answer::Facts(facts), foretold: BTreeMap::new() };
    Targets(BTreeMap::from([(DATABASE.parse().unwrap(), target)]))
}

fn place(step: u32, version: i64, file: &str, statement: usize, line: usize, excerpt: &str) -> Place {
    Place {
        step: Some(StepId(step)),
        address: Some(DATABASE.to_owned()),
        version: Some(version),
        file: Some(format!("migrations/shop/{file}")),
        way: Some(Along::Forth),
        statement: Some(statement),
        line: Some(line),
        excerpt: excerpt.to_owned(),
    }
}

fn findings() -> Findings {
    let finding = |rule: &str, level, place, message: &str, reason: &str, help: &str, rewrite: Option<&str>| Finding {
        rule: rule.to_owned(),
        level,
        place,
        message: message.to_owned(),
        reason: reason.to_owned(),
        help: help.to_owned(),
        rewrite: rewrite.map(str::to_owned),
    };
    let validate = finding(
        "validate-in-the-same-transaction",
        Level::Warning,
        place(
            9,
            10,
            "V10__require_display_name.sql",
            2,
            5,
            "ALTER TABLE customers VALIDATE CONSTRAINT customers_display_name_given",
        ),
        "`customers` is read as a whole while nobody may read or write it",
        "The constraint is added and validated in one transaction, so the ACCESS EXCLUSIVE lock of the first statement is held \
         while 1.2 GB are read: about 3.1 s, in which about 1,300 statements wait.",
        "Validate in a migration of its own.",
        Some(
            "-- V10__require_display_name.sql\nALTER TABLE customers ADD CONSTRAINT customers_display_name_given\n    CHECK (display_name IS NOT NULL) NOT VALID;\n\n\
             -- V10_1__validate_display_name.sql\nALTER TABLE customers VALIDATE CONSTRAINT customers_display_name_given;\n",
        ),
    );
    let update = finding(
        "write-a-whole-table-at-once",
        Level::Warning,
        place(
            8,
            9,
            "V9__backfill_display_name.sql",
            1,
            2,
            "UPDATE customers SET display_name = fullname WHERE display_name IS NULL",
        ),
        "about 3 million rows of `customers` are written in one transaction",
        "Rows stay locked for about 52 s, and a replica falls behind by about 14 s.",
        "Let it be cut into batches: `-- switchback: backfill customers by id 10000`.",
        None,
    );
    let long = finding(
        "long-transaction-on-the-target",
        Level::Note,
        Place { address: Some(DATABASE.to_owned()), ..Place::default() },
        "process 48213 of `reporting` has had a transaction open for 21 minutes",
        "A lock on what it read waits for it, and everybody else behind that lock.",
        "Wait until it ends, or end it; `lock_timeout` is 3 s.",
        None,
    );
    let dropped = finding(
        "drop-column",
        Level::Warning,
        place(12, 11, "V11__drop_fullname.sql", 3, 6, "ALTER TABLE customers DROP COLUMN fullname"),
        "`customers.fullname` is dropped while an earlier revision may still read it",
        "",
        "",
        None,
    );
    let reason = "revision 42 reads display_name only; the rollout stands before this step".to_owned();
    Findings { found: vec![validate, update, long], ignored: vec![Ignored { finding: dropped, reason }] }
}

fn signing() -> Signing {
    let digest = |text: &str| Digest::of_bytes(text.as_bytes()).to_string();
    let given = |by: &str, at: &str, until: Option<&str>, void: Option<&str>| Given {
        by: by.to_owned(),
        at: at.parse().unwrap(),
        until: until.map(|until| until.parse().unwrap()),
        void: void.map(str::to_owned),
    };
    let needed = |class: &str, part: &str, why: &str, by: &[&str], given: Vec<Given>| Needed {
        class: class.to_owned(),
        part: part.to_owned(),
        digest: digest(part),
        why: why.to_owned(),
        by: by.iter().map(|name| (*name).to_owned()).collect(),
        given,
        count: 1,
    };
    let database = vec![
        given("anna@shop.example", "2026-11-21T10:42:00Z", Some("2026-11-24T10:42:00Z"), None),
        given(
            "bert@shop.example",
            "2026-11-20T16:05:00Z",
            None,
            Some("the part was another one then: migration 10 was changed since"),
        ),
    ];
    Signing {
        needed: vec![
            needed(
                "dba",
                "database",
                "It changes the schema of a protected environment.",
                &["anna@shop.example", "bert@shop.example"],
                database,
            ),
            needed(
                "data-loss",
                "configuration",
                "Step 13 takes away a value that no store keeps.",
                &["carla@shop.example"],
                vec![],
            ),
        ],
        rules: "Who may sign stands in the environment as it was last applied (run 57), not in the spec under review."
            .to_owned(),
        line: Some("switchback approve release.plan.json --class data-loss".to_owned()),
        ..Signing::default()
    }
}

/// What the review of the release rests on.
pub fn grounds() -> Grounds {
    let certificates = (4..=11).map(|version| (version, certificate(version))).collect();
    let risks = [(3, 4), (4, 5), (5, 6), (6, 7), (7, 8), (8, 9), (9, 10), (12, 11)];
    Grounds {
        evidence: Evidence(BTreeMap::from([(DATABASE.parse().unwrap(), certificates)])),
        targets: targets(),
        risks: Risks(risks.map(|(step, version)| (StepId(step), risk(version))).into()),
        findings: findings(),
        signing: signing(),
        ..Grounds::default()
    }
}

/// The release of the shop.
pub fn release() -> Review {
    let mut change_set = change_set(steps());
    let output = |value: Value| PlannedOutput { value, deferred: None };
    change_set.outputs = BTreeMap::from([
        ("url".to_owned(), output("https://shop.example".into())),
        ("task_definition".to_owned(), output(Value::unknown(Unknown::of(Type::String)))),
    ]);
    Review::proved(&change_set, &grounds())
}

/// The same without anything that is known beside the change set: nothing was rehearsed, and little is foretold.
pub fn unproved() -> Review {
    let mut targets = targets();
    let forth = vec![scanning(seen(1, 2, &[("customers", LockMode::AccessExclusive)]), "customers")];
    let unknown =
        vec![Untold { way: Along::Back, statement: 1, why: "no rule is known for this statement".to_owned() }];
    let foretold = Foretold { forth, back: Vec::new(), unknown };
    targets.0.values_mut().for_each(|target| target.foretold = BTreeMap::from([(9, foretold.clone())]));
    Review::proved(&change_set(steps()), &Grounds { targets, ..Grounds::default() })
}

/// A change of so many steps: most of them alike, in a few layers.
pub fn large(count: u32) -> Review {
    let step = |id: u32| {
        let value = object(&[("name", format!("/shop/{id}").into())]);
        let action = Action::Create { kind: "aws_ssm_parameter".into(), after: value, deferred: BTreeMap::new() };
        let address = format!("aws_ssm_parameter.many[\"{id}\"]");
        let after: &[u32] = if id > count / 2 { &[1, 2] } else { &[] };
        step(id, &address, action, Reason::New, Inverse::Exact { way: Way::Delete }, after)
    };
    let mut steps: Vec<Step> = (1..count).map(step).collect();
    steps.push(migrate(count, 10, None, &[count - 1]));
    Review::of(&change_set(steps))
}
