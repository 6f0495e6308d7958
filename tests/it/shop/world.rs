//! What is really there of one shop, by raw calls and `pg_dump`: nothing of Switchback's own observing.

use std::collections::BTreeSet;
use std::process::Command;

use serde_json::{Value, json};

use super::project::Project;

/// Everything of one shop, in a form that can be compared.
#[derive(Clone, Debug, PartialEq)]
pub struct Snapshot {
    /// The cluster's status, settings and tags.
    pub clusters: Vec<Value>,
    /// Services: what was asked for, not their history.
    pub services: Vec<Value>,
    /// ARNs of ACTIVE task definition revisions.
    pub revisions: Vec<String>,
    /// Log groups with their retention.
    pub log_groups: Vec<Value>,
    /// Parameters: name, type, value.
    pub parameters: Vec<Value>,
    /// The schema, as `pg_dump` writes it; empty without a database.
    pub schema: String,
    /// The rows, as `pg_dump` writes them, those of the history table without their times.
    pub rows: String,
    /// The role's attributes.
    pub role: String,
}

fn call(project: &Project, service: &str, operation: &str, body: Value) -> Value {
    let (status, answer) = project.stack().call(service, operation, &body);
    assert_eq!(status, 200, "{operation}: {answer}");
    answer
}

fn list<'a>(answer: &'a Value, name: &str) -> &'a [Value] {
    answer[name].as_array().map(Vec::as_slice).unwrap_or_default()
}

/// All pages of a list.
fn pages(project: &Project, what: (&str, &str), body: Value, token: (&str, &str), name: &str) -> Vec<Value> {
    let (mut body, mut found) = (body, Vec::new());
    loop {
        let answer = call(project, what.0, what.1, body.clone());
        found.extend(list(&answer, name).iter().cloned());
        match answer[token.0].as_str().filter(|next| !next.is_empty()) {
            Some(next) => body[token.1] = next.into(),
            None => return found,
        }
    }
}

/// Whether a text has this name in it, and not only the beginning of a longer one.
fn names(text: &str, name: &str) -> bool {
    text.match_indices(name).any(|(at, _)| !text[at + name.len()..].starts_with(|next: char| next.is_ascii_digit()))
}

/// Everything of one shop, listed by type over the whole endpoint and server rather than looked up by name.
pub fn everything(project: &Project) -> Vec<String> {
    let mut found = Vec::new();
    let of_lists = [
        (("ecs", "ListClusters"), json!({}), ("nextToken", "nextToken"), "clusterArns"),
        (("ecs", "ListTaskDefinitions"), json!({"status": "ACTIVE"}), ("nextToken", "nextToken"), "taskDefinitionArns"),
        (("logs", "DescribeLogGroups"), json!({}), ("nextToken", "nextToken"), "logGroups"),
        (("ssm", "DescribeParameters"), json!({}), ("NextToken", "NextToken"), "Parameters"),
    ];
    // Twice: while others make and remove their own things, the next page can begin behind one of ours.
    let mut listed = BTreeSet::new();
    for (what, body, token, name) in of_lists.clone().into_iter().chain(of_lists) {
        for thing in pages(project, what, body, token, name) {
            let thing =
                thing.as_str().or(thing["logGroupName"].as_str()).or(thing["Name"].as_str()).unwrap_or_default();
            if names(thing, &project.name) {
                listed.insert(format!("{}: {thing}", what.1));
            }
        }
    }
    found.extend(listed);
    let sql = "SELECT 'database: ' || datname FROM pg_database UNION ALL SELECT 'role: ' || rolname FROM pg_roles";
    let listed = project.stack().psql(&project.stack().postgres_url(), sql);
    found.extend(listed.lines().filter(|line| names(line, &project.database())).map(str::to_owned));
    found.extend(services(project).into_iter().map(|service| format!("service: {}", service["serviceName"])));
    let is_listed = |arn: &String| {
        let name = arn.rsplit('/').next().unwrap_or_default();
        found.iter().any(|one| one.ends_with(arn) || *one == format!("service: \"{name}\""))
    };
    let missed: Vec<String> = tagged(project).into_iter().filter(|arn| !is_listed(arn)).collect();
    found.extend(missed.into_iter().map(|arn| format!("by its tag alone: {arn}")));
    found.sort();
    found
}

/// What carries the token of a step of ours and is still there, whatever list it is in; no two have the same one. The
/// emulator searches the tags of the container service only, and forgets no tags of what is gone.
fn tagged(project: &Project) -> Vec<String> {
    let body = json!({"TagFilters": [{"Key": "switchback:token"}], "ResourceTypeFilters": ["ecs"]});
    let token = ("PaginationToken", "PaginationToken");
    let things = pages(project, ("tagging", "GetResources"), body, token, "ResourceTagMappingList");
    let (mut alive, mut tokens) = (Vec::new(), BTreeSet::new());
    for thing in things {
        let arn = thing["ResourceARN"].as_str().unwrap_or_default().to_owned();
        if names(&arn, &project.name) && is_there(project, &arn) {
            let tag = list(&thing, "Tags").iter().find(|tag| tag["Key"] == "switchback:token");
            let token = tag.map(|tag| tag["Value"].to_string()).unwrap_or_default();
            assert!(tokens.insert(token), "{arn} was made twice by one step: {thing}");
            alive.push(arn);
        }
    }
    alive
}

fn is_there(project: &Project, arn: &str) -> bool {
    let (_, resource) = arn.rsplit_once(':').filter(|(_, rest)| rest.contains('/')).unwrap_or(("", arn));
    let ask = |operation: &str, body: Value, name: &str| {
        let (status, answer) = project.stack().call("ecs", operation, &body);
        let one = if answer[name].is_array() { &answer[name][0] } else { &answer[name] };
        status == 200 && matches!(one["status"].as_str(), Some("ACTIVE" | "PROVISIONING"))
    };
    match resource.split('/').collect::<Vec<_>>()[..] {
        ["cluster", ..] => ask("DescribeClusters", json!({"clusters": [arn]}), "clusters"),
        ["service", cluster, ..] => ask("DescribeServices", json!({"cluster": cluster, "services": [arn]}), "services"),
        _ if arn.contains(":task-definition/") => {
            ask("DescribeTaskDefinition", json!({"taskDefinition": arn}), "taskDefinition")
        }
        _ => false,
    }
}

/// Those of its fields that were asked for.
fn chosen(object: &Value, names: &[&str]) -> Value {
    names.iter().map(|name| ((*name).to_owned(), object[*name].clone())).collect::<serde_json::Map<_, _>>().into()
}

/// Looks at everything.
pub fn snapshot(project: &Project) -> Snapshot {
    Snapshot {
        clusters: clusters(project),
        services: services(project),
        revisions: revisions(project),
        log_groups: log_groups(project),
        parameters: parameters(project),
        schema: dump(project, &["--schema-only"]) + &invalid_indexes(project),
        rows: sorted(&dump(project, &ROWS)) + &history(project),
        role: role(project),
    }
}

/// Fails when anything of ours is left.
pub fn assert_nothing_is_left(project: &Project) {
    let left = snapshot(project);
    let nothing = Snapshot {
        clusters: Vec::new(),
        services: Vec::new(),
        revisions: Vec::new(),
        log_groups: Vec::new(),
        parameters: Vec::new(),
        schema: String::new(),
        rows: String::new(),
        role: String::new(),
    };
    assert_eq!(left, nothing);
    assert_eq!(everything(project), Vec::<String>::new(), "somewhere at the endpoint or the server");
}

fn clusters(project: &Project) -> Vec<Value> {
    let answer = call(project, "ecs", "DescribeClusters", json!({"clusters": [project.name], "include": ["SETTINGS"]}));
    let active = list(&answer, "clusters").iter().filter(|cluster| cluster["status"] == "ACTIVE");
    active.map(|cluster| chosen(cluster, &["clusterName", "status", "settings"])).collect()
}

fn services(project: &Project) -> Vec<Value> {
    let (status, listed) = project.stack().call("ecs", "ListServices", &json!({"cluster": project.name}));
    let arns = list(&listed, "serviceArns");
    if status != 200 || arns.is_empty() {
        return Vec::new();
    }
    let answer = call(project, "ecs", "DescribeServices", json!({"cluster": project.name, "services": arns}));
    let names = [
        "serviceName",
        "status",
        "taskDefinition",
        "desiredCount",
        "launchType",
        "networkConfiguration",
        "runningCount",
    ];
    let active = list(&answer, "services").iter().filter(|service| service["status"] == "ACTIVE");
    let mut services: Vec<Value> = active.map(|service| chosen(service, &names)).collect();
    services.sort_by_key(ToString::to_string);
    services
}

fn revisions(project: &Project) -> Vec<String> {
    let mut found = Vec::new();
    let families = call(project, "ecs", "ListTaskDefinitionFamilies", json!({"familyPrefix": project.name}));
    for family in list(&families, "families") {
        let answer = call(project, "ecs", "ListTaskDefinitions", json!({"familyPrefix": family, "status": "ACTIVE"}));
        found.extend(list(&answer, "taskDefinitionArns").iter().filter_map(|arn| arn.as_str().map(str::to_owned)));
    }
    found.sort();
    found
}

fn log_groups(project: &Project) -> Vec<Value> {
    let prefix = format!("/{}/", project.name);
    let answer = call(project, "logs", "DescribeLogGroups", json!({"logGroupNamePrefix": prefix}));
    list(&answer, "logGroups").iter().map(|group| chosen(group, &["logGroupName", "retentionInDays"])).collect()
}

fn parameters(project: &Project) -> Vec<Value> {
    let path = format!("/{}", project.name);
    let body = json!({"Path": path, "Recursive": true, "WithDecryption": true});
    let pages = pages(project, ("ssm", "GetParametersByPath"), body, ("NextToken", "NextToken"), "Parameters");
    let mut found: Vec<Value> = pages.iter().map(|parameter| chosen(parameter, &["Name", "Type", "Value"])).collect();
    found.sort_by_key(ToString::to_string);
    found
}

fn exists(project: &Project) -> bool {
    let sql = format!("SELECT count(*) FROM pg_database WHERE datname = '{}'", project.database());
    project.stack().psql(&project.stack().postgres_url(), &sql) == "1"
}

fn dump(project: &Project, arguments: &[&str]) -> String {
    if !exists(project) {
        return String::new();
    }
    let program = project.stack().facts().postgres_binaries.join("pg_dump");
    let output = Command::new(program).args(arguments).arg(project.database_url()).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).unwrap();
    // Newer servers put a random word into every dump.
    text.lines()
        .filter(|line| !line.starts_with("\\restrict") && !line.starts_with("\\unrestrict"))
        .collect::<Vec<_>>()
        .join("\n")
}

/// All rows but those of the history, which is compared without its times, and of the fence, whose numbers only grow.
const ROWS: [&str; 4] =
    ["--data-only", "--inserts", "--exclude-table=refinery_schema_history", "--exclude-table=*.switchback_fence"];

/// Rows have no order; an update moves them.
fn sorted(text: &str) -> String {
    let mut lines: Vec<&str> = text.lines().collect();
    lines.sort_unstable();
    lines.join("\n")
}

/// What `pg_dump` leaves out: indexes that a build which was cut off has left behind.
fn invalid_indexes(project: &Project) -> String {
    match exists(project) {
        true => {
            let sql = "SELECT 'invalid: ' || indexrelid::regclass FROM pg_index WHERE NOT indisvalid ORDER BY 1";
            project.stack().psql(&project.database_url(), sql)
        }
        false => String::new(),
    }
}

fn history(project: &Project) -> String {
    let sql = "SELECT version, name, checksum FROM refinery_schema_history ORDER BY version";
    let has = "SELECT count(*) FROM pg_class WHERE relname = 'refinery_schema_history'";
    if !exists(project) || project.stack().psql(&project.database_url(), has) != "1" {
        return String::new();
    }
    project.stack().psql(&project.database_url(), sql)
}

fn role(project: &Project) -> String {
    let sql = format!(
        "SELECT rolname, rolcanlogin, rolsuper, rolcreatedb, rolcreaterole, rolconnlimit FROM pg_roles WHERE rolname = '{}'",
        project.database()
    );
    project.stack().psql(&project.stack().postgres_url(), &sql)
}
