//! An old and a new revision query the database all the time, from expand over rollout to contract and the whole way
//! back: not one query fails while the endpoint says that their revision runs, and in each rollout both run for a while.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Sender, channel};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::project::Project;

/// The migrations that the old release does not have.
const LATER: [&str; 5] = [
    "V7__add_display_name",
    "V8__sync_display_name",
    "V9__backfill_display_name",
    "V10__require_display_name",
    "V11__drop_fullname",
];

/// For how many seconds the old revision runs on beside the new one, in each rollout.
const DRAIN_SECONDS: f64 = 2.0;

/// How often each of two revisions got an answer, at least, while both ran.
const TOGETHER: usize = 4;

/// One query of a client.
#[derive(Debug)]
struct Asked {
    image: &'static str,
    /// How often its revision had begun to run by then.
    life: usize,
    /// When it was answered.
    at: Instant,
    /// What it answered, where it failed although its revision still ran afterwards.
    failure: Option<String>,
}

/// A `psql` that is kept open, as a program keeps its connection.
struct Client {
    process: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
}

impl Client {
    fn open(shop: &Project) -> Self {
        let psql = shop.stack().facts().postgres_binaries.join("psql");
        // Errors and answers come in one stream, so that an error belongs to its query.
        let mut command = Command::new("sh");
        command
            .args(["-c", "exec \"$0\" -X -q -t -A -v VERBOSITY=terse \"$1\" 2>&1"])
            .arg(psql)
            .arg(shop.database_url());
        let mut process = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let (input, output) = (process.stdin.take().unwrap(), BufReader::new(process.stdout.take().unwrap()));
        Self { process, input, output }
    }

    /// What went wrong, if anything did.
    fn ask(&mut self, sql: &str) -> Option<String> {
        writeln!(self.input, "{sql}\n\\echo -- done").unwrap();
        let mut failure = None;
        for line in self.output.by_ref().lines() {
            let line = line.unwrap();
            if line == "-- done" {
                return failure;
            }
            if line.contains("ERROR") || line.contains("FATAL") {
                failure = Some(line);
            }
        }
        Some("the connection is gone".to_owned())
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// The image of a revision, which never changes.
fn image_of(shop: &Project, revision: &Value) -> Value {
    static KNOWN: Mutex<BTreeMap<String, Value>> = Mutex::new(BTreeMap::new());
    let name = revision.as_str().unwrap_or_default().to_owned();
    if let Some(image) = KNOWN.lock().unwrap().get(&name) {
        return image.clone();
    }
    let (status, answer) = shop.stack().call("ecs", "DescribeTaskDefinition", &json!({"taskDefinition": name}));
    let image = answer["taskDefinition"]["containerDefinitions"][0]["image"].clone();
    if status == 200 {
        KNOWN.lock().unwrap().insert(name, image.clone());
    }
    image
}

/// Whether a task of this image runs in the shop's web service.
fn runs(shop: &Project, image: &str) -> bool {
    let body = json!({"cluster": shop.name, "services": [format!("{}-web", shop.name)]});
    let (status, answer) = shop.stack().call("ecs", "DescribeServices", &body);
    let deployments = answer["services"][0]["deployments"].as_array().filter(|_| status == 200);
    let running = |deployment: &&Value| deployment["runningCount"].as_i64() > Some(0);
    deployments.into_iter().flatten().filter(running).any(|one| image_of(shop, &one["taskDefinition"]) == image)
}

/// Asks as long as its revision runs, again and again whenever it does, until the end.
fn live(shop: &Project, image: &'static str, column: &str, is_over: &AtomicBool, tell: &Sender<Asked>) {
    let (mut number, mut life) = (0, 0);
    let mut client = None;
    while !is_over.load(Ordering::Relaxed) {
        if !runs(shop, image) {
            client = None;
            std::thread::sleep(Duration::from_millis(5));
            continue;
        }
        let client = client.get_or_insert_with(|| {
            life += 1;
            Client::open(shop)
        });
        number += 1;
        let email = format!("{image}-{number}@example.org");
        let failure = client
            .ask(&format!("INSERT INTO customers (email, {column}) VALUES ('{email}', 'somebody');"))
            .or_else(|| client.ask(&format!("SELECT count({column}) FROM customers WHERE email = '{email}';")))
            .or_else(|| client.ask(&format!("UPDATE customers SET {column} = 'else' WHERE email = '{email}';")));
        // What failed after its task was stopped was never asked.
        let failure = failure.filter(|_| runs(shop, image));
        tell.send(Asked { image, life, at: Instant::now(), failure }).unwrap();
    }
}

const OLD: &str = "shop/web:1.0.0";
const NEW: &str = "shop/web:2.0.0";

/// The shop before the new release.
fn old_release() -> Project {
    let shop = Project::shop("rolling");
    for name in LATER {
        for end in [".sql", ".down.sql"] {
            let (from, to) = (format!("migrations/shop/{name}{end}"), format!("later/{name}{end}"));
            shop.write(&to, &std::fs::read_to_string(shop.path(&from)).unwrap());
            std::fs::remove_file(shop.path(&from)).unwrap();
        }
    }
    let service = "resource \"aws_ecs_service\" \"this\" {\n";
    let needs = format!("{service}  needs_schema    = database.app.between(6, 10)\n");
    shop.edit("modules/web_service/main.hcl", service, &needs);
    shop
}

/// From the old release to the new one, or back.
fn release(shop: &Project, (from, to): (&str, &str), (range, new_range): (&str, &str)) {
    shop.edit("environments/dev.hcl", from, to);
    shop.edit("modules/web_service/main.hcl", range, new_range);
    for name in LATER {
        for end in [".sql", ".down.sql"] {
            let (kept, used) =
                (shop.path(format!("later/{name}{end}")), shop.path(format!("migrations/shop/{name}{end}")));
            match to == NEW {
                true => drop(std::fs::copy(kept, used).unwrap()),
                false => std::fs::remove_file(used).unwrap(),
            }
        }
    }
}

fn new_release(shop: &Project) {
    release(shop, (OLD, NEW), ("between(6, 10)", "between(8, 11)"));
}

fn columns(shop: &Project) -> String {
    let sql = "SELECT string_agg(column_name, ' ' ORDER BY column_name) FROM information_schema.columns WHERE table_name = 'customers'";
    shop.stack().psql(&shop.database_url(), sql)
}

fn wait_until(what: &str, is_it: impl Fn() -> bool) {
    let start = Instant::now();
    while !is_it() {
        assert!(start.elapsed() < Duration::from_secs(30), "never: {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[track_caller]
fn in_order(text: &str, words: &[&str]) {
    let mut from = 0;
    for word in words {
        let found = text[from..].find(word);
        from += found.unwrap_or_else(|| panic!("`{word}` does not come after those before it in {words:?}:\n{text}"));
    }
}

#[test]
fn no_query_fails_from_expand_to_contract_and_back() {
    let shop = old_release();
    shop.stack().order(&json!({"drain": {"service": format!("{}-web", shop.name), "seconds": DRAIN_SECONDS}}));
    shop.ok(&["up", "dev"]);
    let is_over = AtomicBool::new(false);
    let (tell, told) = channel();
    std::thread::scope(|scope| {
        let _stop = Stop(&is_over);
        for (image, column) in [(OLD, "fullname"), (NEW, "display_name")] {
            let (shop, is_over, tell) = (&shop, &is_over, tell.clone());
            scope.spawn(move || live(shop, image, column, is_over, &tell));
        }
        there(&shop);
        back_without_the_schema(&shop);
        // The next release goes on from there, and everything goes back.
        new_release(&shop);
        shop.ok(&["up", "dev"]);
        assert_eq!(columns(&shop), "created_at display_name email id");
        let whole = ["rollback", "dev", "--to", "1", "--with-schema", "--accept-loss", "all", "--auto-approve"];
        let said = shop.ok(&whole);
        in_order(
            &said.err,
            &[
                "V11__drop_fullname: done",
                "aws_ecs_service.this: done",
                "V10__require_display_name: done",
                "V7__add_display_name: done",
            ],
        );
        assert_eq!(columns(&shop), "created_at email fullname id");
        wait_until("the old revision runs alone again", || runs(&shop, OLD) && !runs(&shop, NEW));
    });
    drop(tell);
    let asked: Vec<Asked> = told.iter().collect();
    let failed: Vec<&Asked> = asked.iter().filter(|asked| asked.failure.is_some()).collect();
    assert!(failed.is_empty(), "{} of {}: {failed:?}", failed.len(), asked.len());
    // Neither kept silent, through four rollouts, and in each of them both were answered while both ran.
    for image in [OLD, NEW] {
        let count = asked.iter().filter(|asked| asked.image == image).count();
        assert!(count > 30, "{image} asked only {count} times");
    }
    let overlaps = overlaps(&asked);
    let enough = overlaps.iter().filter(|(old, new)| old.min(new) >= &TOGETHER).count();
    assert_eq!(enough, 4, "there were four rollouts; answers while both revisions ran: {overlaps:?}");
}

/// For each two lives of the two revisions that overlap: how many answers each got in that time.
fn overlaps(asked: &[Asked]) -> Vec<(usize, usize)> {
    let mut lives: BTreeMap<(&str, usize), Vec<Instant>> = BTreeMap::new();
    for one in asked {
        lives.entry((one.image, one.life)).or_default().push(one.at);
    }
    let of = |image| lives.iter().filter(move |((name, _), _)| *name == image).map(|(_, answers)| answers);
    let mut found = Vec::new();
    for old in of(OLD) {
        for new in of(NEW) {
            let (from, until) = (old[0].max(new[0]), old[old.len() - 1].min(new[new.len() - 1]));
            let within = |answers: &[Instant]| answers.iter().filter(|at| (from..=until).contains(*at)).count();
            if from < until {
                found.push((within(old), within(new)));
            }
        }
    }
    found
}

/// Ends the clients however the test ends.
struct Stop<'a>(&'a AtomicBool);

impl Drop for Stop<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Expand, rollout, contract.
fn there(shop: &Project) {
    new_release(shop);
    let said = shop.ok(&["up", "dev"]);
    let order = [
        "V10__require_display_name: done",
        "aws_ecs_service.this: started",
        "aws_ecs_service.this: done",
        "V11__drop_fullname: started",
    ];
    in_order(&said.err, &order);
    assert_eq!(columns(shop), "created_at display_name email id");
    wait_until("the new revision runs alone", || runs(shop, NEW) && !runs(shop, OLD));
}

/// The services return first; what the old revision works with stays, and is no mistake afterwards.
fn back_without_the_schema(shop: &Project) {
    let said = shop.ok(&["rollback", "dev", "--last", "--accept-loss", "all", "--auto-approve"]);
    in_order(
        &said.err,
        &[
            "the way back takes about",
            "database.app keeps V7__add_display_name",
            "with the schema it takes about",
            "--to 1 --with-schema",
        ],
    );
    in_order(&said.err, &["V11__drop_fullname: done", "aws_ecs_service.this: started"]);
    assert!(!said.err.contains("V10__require_display_name: done"), "{}", said.err);
    assert_eq!(columns(shop), "created_at display_name email fullname id");
    release(shop, (NEW, OLD), ("between(8, 11)", "between(6, 10)"));
    shop.ok(&["plan", "dev", "--detailed-exitcode"]);
}
