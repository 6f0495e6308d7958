//! What AWS refuses of a request by looking at nothing but the request. Pure.

use serde_json::{Map, Value};

use super::call::Call;
use super::names;
use super::refusal::Refusal;

/// Refuses what breaks a rule of its operation.
pub(super) fn check(call: &Call) -> Result<(), Refusal> {
    match (call.service.as_str(), call.operation.as_str()) {
        ("ecs", "CreateCluster") => names::check_cluster(call.text("clusterName").unwrap_or("default")),
        ("ecs", "CreateService") => check_service(call),
        ("ecs", "UpdateService") => check_counts(&call.body),
        ("ecs", "DescribeServices") => at_most("services", call.texts("services").len(), 10),
        ("ecs", "DescribeClusters") => at_most("clusters", call.texts("clusters").len(), 100),
        ("ecs", "RunTask") => check_run(call),
        ("ecs", "RegisterTaskDefinition") => check_task_definition(call),
        ("ssm", "PutParameter") => check_parameter(call),
        ("ssm", "GetParameters" | "DeleteParameters") => check_parameter_names(call),
        ("ssm", "GetParametersByPath") => match call.body.get("MaxResults").and_then(Value::as_i64) {
            Some(most) if !(1..=10).contains(&most) => Err(constraint("maxResults", "be between 1 and 10")),
            _ => Ok(()),
        },
        ("logs", "CreateLogGroup") => names::check_log_group(call.text("logGroupName").unwrap_or_default()),
        _ => Ok(()),
    }
}

fn constraint(field: &str, rule: &str) -> Refusal {
    Refusal::validation(format!(
        "1 validation error detected: Value at '{field}' failed to satisfy constraint: Member must {rule}"
    ))
}

fn at_most(field: &str, count: usize, most: usize) -> Result<(), Refusal> {
    match count {
        0 if field == "services" => Err(Refusal::invalid("Services cannot be empty.")),
        count if count > most => Err(Refusal::invalid(format!("{field} can have at most {most} items."))),
        _ => Ok(()),
    }
}

fn check_service(call: &Call) -> Result<(), Refusal> {
    names::check_service(call.text("serviceName").unwrap_or_default())?;
    if call.text("taskDefinition").is_none_or(str::is_empty) && !has_external_controller(&call.body) {
        return Err(Refusal::invalid("Task definition can not be null when deployment controller is ECS."));
    }
    if call.text("clientToken").is_some_and(|token| token.len() > 36) {
        return Err(Refusal::invalid("clientToken can have at most 36 characters."));
    }
    check_counts(&call.body)
}

fn check_run(call: &Call) -> Result<(), Refusal> {
    if call.body.get("count").and_then(Value::as_i64).is_some_and(|count| !(1..=10).contains(&count)) {
        return Err(Refusal::invalid("count must be between 1 and 10."));
    }
    if call.text("clientToken").is_some_and(|token| token.len() > 64) {
        return Err(Refusal::invalid("clientToken can have at most 64 characters."));
    }
    let is_sound = |letter: char| letter.is_ascii_alphanumeric() || "-_/".contains(letter);
    match call.text("startedBy") {
        Some(by) if by.len() > 128 || !by.chars().all(is_sound) => {
            Err(Refusal::invalid("startedBy has at most 128 letters, numbers, hyphens, slashes and underscores."))
        }
        Some(_) | None => Ok(()),
    }
}

fn has_external_controller(body: &Map<String, Value>) -> bool {
    body.get("deploymentController").and_then(|controller| controller.get("type")).and_then(Value::as_str)
        == Some("EXTERNAL")
}

/// Counts and percentages of CreateService and UpdateService.
fn check_counts(body: &Map<String, Value>) -> Result<(), Refusal> {
    if body.get("desiredCount").and_then(Value::as_i64).is_some_and(|count| count < 0) {
        return Err(Refusal::invalid("desiredCount cannot be negative."));
    }
    let configuration = body.get("deploymentConfiguration");
    let percent = |field: &str| configuration.and_then(|configuration| configuration.get(field)?.as_i64());
    let (least, most) = (percent("minimumHealthyPercent"), percent("maximumPercent"));
    if let (Some(least), Some(most)) = (least, most)
        && (least >= most || least < 0 || most > 1000)
    {
        return Err(Refusal::invalid("maximumPercent must be greater than minimumHealthyPercent."));
    }
    Ok(())
}

fn check_task_definition(call: &Call) -> Result<(), Refusal> {
    names::check_family(call.text("family").unwrap_or_default())?;
    let containers: Vec<&Value> =
        call.body.get("containerDefinitions").and_then(Value::as_array).into_iter().flatten().collect();
    let mut seen = Vec::new();
    for container in &containers {
        let name = container.get("name").and_then(Value::as_str).unwrap_or_default();
        names::check_container(name)?;
        if container.get("image").and_then(Value::as_str).is_none_or(str::is_empty) {
            return Err(Refusal::client("Container.image should not be null or empty."));
        }
        if seen.contains(&name) {
            return Err(Refusal::client("Duplicate container names are not allowed."));
        }
        seen.push(name);
    }
    let is_essential = |container: &&Value| container.get("essential").and_then(Value::as_bool) != Some(false);
    if !containers.is_empty() && !containers.iter().any(is_essential) {
        return Err(Refusal::client("At least one container should be essential."));
    }
    if call.texts("requiresCompatibilities").contains(&"FARGATE") {
        return check_fargate(call);
    }
    Ok(())
}

fn check_fargate(call: &Call) -> Result<(), Refusal> {
    if call.text("networkMode").is_some_and(|mode| mode != "awsvpc") {
        return Err(Refusal::client("Fargate only supports network mode 'awsvpc'."));
    }
    let missing =
        |field: &str| Refusal::client(format!("Fargate requires that '{field}' be defined at the task level."));
    let cpu = call.text("cpu").ok_or_else(|| missing("cpu"))?;
    let memory = call.text("memory").ok_or_else(|| missing("memory"))?;
    let fits = match (units(cpu, "vcpu"), units(memory, "gb")) {
        (Some(cpu), Some(memory)) => fargate_has(cpu, memory),
        _ => false,
    };
    if fits {
        return Ok(());
    }
    Err(Refusal::client(format!(
        "No Fargate configuration exists for given values: {cpu} CPU, {memory} memory. See the Amazon ECS documentation \
         for the valid values."
    )))
}

/// `256`, `.25 vCPU`, `512`, `0.5GB`: units of 1/1024 vCPU, or MiB.
fn units(text: &str, large: &str) -> Option<u32> {
    let text = text.trim().to_ascii_lowercase();
    match text.strip_suffix(large) {
        None => text.parse().ok(),
        Some(number) => {
            let number: f64 = number.trim().parse().ok().filter(|number| (0.0..=1024.0).contains(number))?;
            format!("{:.0}", number * 1024.0).parse().ok()
        }
    }
}

/// The table of AWS's documentation: what memory (MiB) a size of CPU can have.
fn fargate_has(cpu: u32, memory: u32) -> bool {
    let stepped = |from: u32, to: u32, step: u32| (from..=to).contains(&memory) && (memory - from).is_multiple_of(step);
    match cpu {
        256 => [512, 1024, 2048].contains(&memory),
        512 => stepped(1024, 4096, 1024),
        1024 => stepped(2048, 8192, 1024),
        2048 => stepped(4096, 16_384, 1024),
        4096 => stepped(8192, 30_720, 1024),
        8192 => stepped(16_384, 61_440, 4096),
        16_384 => stepped(32_768, 122_880, 8192),
        _ => false,
    }
}

fn check_parameter(call: &Call) -> Result<(), Refusal> {
    names::check_parameter(call.text("Name").unwrap_or_default())?;
    if let Some(kind) = call.text("Type")
        && !["String", "StringList", "SecureString"].contains(&kind)
    {
        return Err(constraint("type", "satisfy enum value set: [SecureString, StringList, String]"));
    }
    let length = match call.body.get("Value") {
        Some(Value::String(value)) => value.len(),
        Some(_) => return Err(Refusal::nonsense("`Value` has the wrong type")),
        None => return Err(constraint("value", "not be null")),
    };
    let most = match call.text("Tier") {
        Some("Advanced" | "Intelligent-Tiering") => 8192,
        _ => 4096,
    };
    match length {
        0 => Err(constraint("value", "have length greater than or equal to 1")),
        length if length > most && most == 4096 => Err(Refusal::validation(
            "Standard tier parameters support a maximum parameter value of 4096 characters. To create a larger parameter \
             value, upgrade the parameter to use the advanced-parameter tier.",
        )),
        length if length > most => Err(constraint("value", "have length less than or equal to 8192")),
        _ => Ok(()),
    }
}

fn check_parameter_names(call: &Call) -> Result<(), Refusal> {
    let names = call.texts("Names");
    match names.len() {
        0 => return Err(constraint("names", "have length greater than or equal to 1")),
        1..=10 => {}
        _ => return Err(constraint("names", "have length less than or equal to 10")),
    }
    let mut sorted = names.clone();
    sorted.sort_unstable();
    sorted.dedup();
    match sorted.len() == names.len() {
        true => Ok(()),
        false => Err(Refusal::validation("Duplicate names are not allowed.")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn refused(service: &str, operation: &str, body: Value) -> Option<String> {
        let Value::Object(body) = body else { panic!("an object") };
        let call = Call {
            service: service.to_owned(),
            operation: operation.to_owned(),
            region: "eu-central-1".to_owned(),
            body,
            names: Default::default(),
            headers: Default::default(),
        };
        check(&call).err().map(|refusal| refusal.code)
    }

    #[test]
    fn fargate_sizes() {
        let size = |cpu: &str, memory: &str| {
            refused(
                "ecs",
                "RegisterTaskDefinition",
                json!({
                    "family": "web", "requiresCompatibilities": ["FARGATE"], "cpu": cpu, "memory": memory,
                    "containerDefinitions": [{ "name": "web", "image": "web:1" }],
                }),
            )
        };
        for (cpu, memory) in
            [("256", "512"), (".25 vCPU", "0.5GB"), ("1 vcpu", "2 GB"), ("4096", "30720"), ("8192", "20480")]
        {
            assert_eq!(size(cpu, memory), None, "{cpu} {memory}");
        }
        for (cpu, memory) in [("256", "4096"), ("300", "512"), ("512", "1500"), ("lots", "512"), ("8192", "17408")] {
            assert_eq!(size(cpu, memory).as_deref(), Some("ClientException"), "{cpu} {memory}");
        }
    }

    #[test]
    fn task_definitions_need_names_images_and_an_essential_container() {
        let with = |containers: Value| {
            refused("ecs", "RegisterTaskDefinition", json!({ "family": "web", "containerDefinitions": containers }))
        };
        assert_eq!(with(json!([{ "name": "a", "image": "i" }])), None);
        for containers in [
            json!([{ "name": "a" }]),
            json!([{ "image": "i" }]),
            json!([{ "name": "a", "image": "i" }, { "name": "a", "image": "i" }]),
            json!([{ "name": "a", "image": "i", "essential": false }]),
        ] {
            assert_eq!(with(containers.clone()).as_deref(), Some("ClientException"), "{containers}");
        }
    }

    #[test]
    fn parameters() {
        let put = |body| refused("ssm", "PutParameter", body);
        assert_eq!(put(json!({ "Name": "/a", "Value": "v", "Type": "String" })), None);
        assert_eq!(put(json!({ "Name": "/a", "Value": "v".repeat(8000), "Type": "String", "Tier": "Advanced" })), None);
        for body in [
            json!({ "Name": "/a", "Value": "v", "Type": "Secret" }),
            json!({ "Name": "/a", "Value": "", "Type": "String" }),
            json!({ "Name": "/a", "Value": "v".repeat(4097), "Type": "String" }),
            json!({ "Name": "a b", "Value": "v", "Type": "String" }),
        ] {
            assert_eq!(put(body).as_deref(), Some("ValidationException"));
        }
        assert_eq!(put(json!({ "Name": "/a", "Value": 5 })).as_deref(), Some("SerializationException"));
        let names = |count: usize| (0..count).map(|index| format!("/p{index}")).collect::<Vec<_>>();
        assert_eq!(refused("ssm", "GetParameters", json!({ "Names": names(10) })), None);
        for wrong in [json!(names(11)), json!([]), json!(["/a", "/a"])] {
            assert_eq!(
                refused("ssm", "GetParameters", json!({ "Names": wrong })).as_deref(),
                Some("ValidationException")
            );
        }
    }

    #[test]
    fn services() {
        assert_eq!(refused("ecs", "CreateService", json!({ "serviceName": "web", "taskDefinition": "web:1" })), None);
        for body in [
            json!({ "serviceName": "web" }),
            json!({ "serviceName": "w b", "taskDefinition": "web:1" }),
            json!({ "serviceName": "web", "taskDefinition": "web:1", "desiredCount": -1 }),
            json!({ "serviceName": "web", "taskDefinition": "web:1", "clientToken": "t".repeat(37) }),
            json!({ "serviceName": "web", "taskDefinition": "web:1",
                    "deploymentConfiguration": { "minimumHealthyPercent": 100, "maximumPercent": 100 } }),
        ] {
            assert_eq!(
                refused("ecs", "CreateService", body.clone()).as_deref(),
                Some("InvalidParameterException"),
                "{body}"
            );
        }
        let many: Vec<String> = (0..11).map(|index| format!("s{index}")).collect();
        assert_eq!(
            refused("ecs", "DescribeServices", json!({ "services": many })).as_deref(),
            Some("InvalidParameterException")
        );
    }
}
