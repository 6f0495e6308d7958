//! Clients that are as old or as new as the revision that they belong to, and query the database as long as it runs.
//!
//! Invariant: a query counts as failed only where the endpoint says afterwards, too, that its revision runs.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::Sender;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::project::Project;

/// One query of a client.
#[derive(Debug)]
pub struct Asked {
    /// Of which revision.
    pub image: &'static str,
    /// How often its revision had begun to run by then.
    pub life: usize,
    /// When it was answered.
    pub at: Instant,
    /// What it answered, where it failed although its revision still ran afterwards.
    pub failure: Option<String>,
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
pub fn runs(shop: &Project, image: &str) -> bool {
    let body = json!({"cluster": shop.name, "services": [format!("{}-web", shop.name)]});
    let (status, answer) = shop.stack().call("ecs", "DescribeServices", &body);
    let deployments = answer["services"][0]["deployments"].as_array().filter(|_| status == 200);
    let running = |deployment: &&Value| deployment["runningCount"].as_i64() > Some(0);
    deployments.into_iter().flatten().filter(running).any(|one| image_of(shop, &one["taskDefinition"]) == image)
}

/// Asks as long as its revision runs, again and again whenever it does, until the end.
pub fn live(shop: &Project, image: &'static str, column: &str, is_over: &AtomicBool, tell: &Sender<Asked>) {
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

/// For each two lives of the two revisions that overlap: how many answers each got in that time.
pub fn overlaps(asked: &[Asked], (old, new): (&str, &str)) -> Vec<(usize, usize)> {
    let mut lives: BTreeMap<(&str, usize), Vec<Instant>> = BTreeMap::new();
    for one in asked {
        lives.entry((one.image, one.life)).or_default().push(one.at);
    }
    let of = |image| lives.iter().filter(move |((name, _), _)| *name == image).map(|(_, answers)| answers);
    let mut found = Vec::new();
    for earlier in of(old) {
        for later in of(new) {
            let (from, until) = (earlier[0].max(later[0]), earlier[earlier.len() - 1].min(later[later.len() - 1]));
            let within = |answers: &[Instant]| answers.iter().filter(|at| (from..=until).contains(*at)).count();
            if from < until {
                found.push((within(earlier), within(later)));
            }
        }
    }
    found
}

/// Ends the clients however the test ends.
pub struct Stop<'a>(pub &'a AtomicBool);

impl Drop for Stop<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}
