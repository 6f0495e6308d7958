//! Container definitions: JSON texts, compared by what they mean to ECS. Pure.
//!
//! Invariant: the text that is sent is the one that was given; the canonical form is only for comparing.

use serde_json::{Map, Value as Json};

use crate::kind::Mistake;
use crate::value::{Object, Value};

/// The canonical text: what ECS fills in is left out, and so is what is empty; lists whose order means nothing are
/// sorted. With a network mode, host ports that follow from it are left out too. A text that is no JSON stays.
pub fn canonical(text: &str, network_mode: Option<&str>) -> String {
    let Ok(Json::Array(containers)) = serde_json::from_str(text) else {
        return text.to_owned();
    };
    let mut containers: Vec<Json> =
        containers.into_iter().filter_map(|container| prune(container_form(container, network_mode))).collect();
    containers.sort_by_key(|container| name_of(container).to_owned());
    Json::Array(containers).to_string()
}

/// Whether two texts mean the same to ECS under this network mode.
pub fn mean_the_same(left: &str, right: &str, network_mode: Option<&str>) -> bool {
    canonical(left, network_mode) == canonical(right, network_mode)
}

fn name_of(json: &Json) -> &str {
    json.get("name").and_then(Json::as_str).unwrap_or_default()
}

fn container_form(container: Json, network_mode: Option<&str>) -> Json {
    let Json::Object(mut members) = container else { return container };
    drop_default(&mut members, "cpu", &Json::from(0));
    drop_default(&mut members, "essential", &Json::from(true));
    for switch in ["privileged", "interactive", "pseudoTerminal", "disableNetworking", "readonlyRootFilesystem"] {
        drop_default(&mut members, switch, &Json::from(false));
    }
    drop_default(&mut members, "versionConsistency", &Json::from("enabled"));
    for port in each(&mut members, "portMappings") {
        drop_default(port, "protocol", &Json::from("tcp"));
        drop_default(port, "hostPort", &Json::from(0));
        if matches!(network_mode, Some("awsvpc" | "host")) && port.get("hostPort") == port.get("containerPort") {
            port.remove("hostPort");
        }
    }
    for list in ["mountPoints", "volumesFrom"] {
        for mount in each(&mut members, list) {
            drop_default(mount, "readOnly", &Json::from(false));
        }
    }
    if let Some(Json::Object(check)) = members.get_mut("healthCheck") {
        for (name, seconds) in [("interval", 30), ("timeout", 5), ("retries", 3), ("startPeriod", 0)] {
            drop_default(check, name, &Json::from(seconds));
        }
    }
    for list in ["environment", "secrets", "ulimits", "systemControls"] {
        if let Some(Json::Array(items)) = members.get_mut(list) {
            items.sort_by_key(|item| (name_of(item).to_owned(), item.to_string()));
        }
    }
    Json::Object(members)
}

fn each<'a>(members: &'a mut Map<String, Json>, list: &str) -> impl Iterator<Item = &'a mut Map<String, Json>> {
    let items = members.get_mut(list).and_then(Json::as_array_mut);
    items.into_iter().flatten().filter_map(Json::as_object_mut)
}

fn drop_default(members: &mut Map<String, Json>, name: &str, default: &Json) {
    if members.get(name) == Some(default) {
        members.remove(name);
    }
}

/// The value without nulls and without what is empty, members sorted; nothing when nothing is left.
fn prune(json: Json) -> Option<Json> {
    match json {
        Json::Null => None,
        Json::Array(items) => {
            let items: Vec<Json> = items.into_iter().filter_map(prune).collect();
            (!items.is_empty()).then_some(Json::Array(items))
        }
        Json::Object(members) => {
            let mut members: Vec<(String, Json)> =
                members.into_iter().filter_map(|(name, item)| Some((name, prune(item)?))).collect();
            members.sort_by(|left, right| left.0.cmp(&right.0));
            (!members.is_empty()).then(|| Json::Object(members.into_iter().collect()))
        }
        Json::Bool(_) | Json::Number(_) | Json::String(_) => Some(json),
    }
}

/// Mistakes in the text, as far as it is known.
pub fn check(desired: &Object) -> Vec<Mistake> {
    let Some(text) = desired.get("container_definitions").and_then(Value::as_str) else {
        return Vec::new();
    };
    let mistake = |text: String, help: &str| Mistake {
        attribute: Some("container_definitions".to_owned()),
        text,
        help: help.to_owned(),
    };
    let containers = match serde_json::from_str::<Json>(text) {
        Ok(Json::Array(containers)) if !containers.is_empty() => containers,
        Ok(_) => {
            let help = "write `container_definitions = jsonencode([{ name = …, image = … }])`";
            return vec![mistake("the containers are not a JSON list with at least one in it".to_owned(), help)];
        }
        // The text may hold secrets, so only the place of the error is told.
        Err(error) => {
            let place = format!("the containers are not JSON (line {}, column {})", error.line(), error.column());
            return vec![mistake(place, "use `jsonencode([…])`, which always writes JSON")];
        }
    };
    let mut mistakes = Vec::new();
    for (index, container) in containers.iter().enumerate() {
        for wanted in ["name", "image"] {
            if container.get(wanted).and_then(Json::as_str).is_none_or(str::is_empty) {
                let place = format!("container {index} has no `{wanted}`");
                mistakes.push(mistake(place, "every container needs a name and an image"));
            }
        }
        let variables = container.get("environment").and_then(Json::as_array).into_iter().flatten();
        for variable in variables.filter(|variable| !variable.get("value").is_none_or(Json::is_string)) {
            let place = format!("environment variable `{}` of container {index} is not a string", name_of(variable));
            mistakes.push(mistake(place, "wrap the value in `tostring(…)`"));
        }
    }
    mistakes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_ecs_fills_in_is_no_difference() {
        let given = r#"[{"name":"web","image":"shop:1","portMappings":[{"containerPort":80}],
            "environment":[{"name":"B","value":""},{"name":"A","value":"1"}],"healthCheck":{"command":["CMD","x"]}}]"#;
        let answered = r#"[{"name":"web","image":"shop:1","cpu":0,"essential":true,"mountPoints":[],"volumesFrom":[],
            "portMappings":[{"containerPort":80,"hostPort":80,"protocol":"tcp"}],"systemControls":[],
            "environment":[{"name":"A","value":"1"},{"name":"B","value":""}],
            "healthCheck":{"command":["CMD","x"],"interval":30,"timeout":5,"retries":3}}]"#;
        assert!(mean_the_same(given, answered, Some("awsvpc")));
        assert!(!mean_the_same(given, answered, Some("bridge")), "a fixed host port differs from a dynamic one");
    }

    #[test]
    fn what_differs_differs() {
        let form = |text: &str| canonical(text, Some("awsvpc"));
        let base = r#"[{"name":"web","image":"shop:1"}]"#;
        for other in [
            r#"[{"name":"web","image":"shop:2"}]"#,
            r#"[{"name":"web","image":"shop:1","essential":false}]"#,
            r#"[{"name":"web","image":"shop:1","command":["a"]}]"#,
            r#"[{"name":"web","image":"shop:1","cpu":1}]"#,
        ] {
            assert_ne!(form(base), form(other), "{other}");
        }
        assert_ne!(form(r#"[{"name":"a","command":["x","y"]}]"#), form(r#"[{"name":"a","command":["y","x"]}]"#));
    }

    #[test]
    fn mistakes_name_the_container_and_quote_nothing_secret() {
        let mistakes = |text: &str| check(&Object::from([("container_definitions".to_owned(), text.into())]));
        assert!(mistakes(r#"[{"name":"web","image":"x"}]"#).is_empty());
        assert_eq!(mistakes(r#"[{"name":"web"}]"#).len(), 1);
        assert_eq!(mistakes(r#"[{"name":"web","image":"x","environment":[{"name":"A","value":1}]}]"#).len(), 1);
        assert_eq!(mistakes("[]").len(), 1);
        let broken = mistakes("[{\"password\": hunter2");
        assert!(broken.len() == 1 && !format!("{broken:?}").contains("hunter2"));
    }
}
