//! How a person looks at what a step changes, and takes it back, with the tools of its provider. Pure.
//!
//! Invariant: nothing but names of things goes into a command, each as one word of a shell; a value is never in one.

use std::collections::BTreeMap;

use crate::review::runbook::ByHand;
use crate::step::{Action, ChangeSet, Inverse, Step, StepId, Way};
use crate::value::Value;

/// For each step, what to type; nothing for those that only change the ledger, or whose kind has no tool.
pub fn by_hand(change_set: &ChangeSet) -> BTreeMap<StepId, ByHand> {
    change_set.steps.iter().map(|step| (step.id, of_step(step))).collect()
}

fn of_step(step: &Step) -> ByHand {
    let kind = step.action.kind().unwrap_or_default();
    let name = |attribute: &str| name(step, attribute);
    match (&step.action, kind) {
        (Action::Migrate { .. } | Action::Purge { .. }, _) => {
            ByHand { look: vec![WAITING.to_owned()], back: Vec::new(), language: "sql" }
        }
        (_, "aws_ssm_parameter") => of_parameter(step, &name("name")),
        (_, "aws_ecs_cluster") => shell(
            step,
            format!("aws ecs describe-clusters --clusters {}", name("name")),
            format!("aws ecs delete-cluster --cluster {}", name("name")),
            format!("aws ecs update-cluster --cluster {}", name("name")),
        ),
        (_, "aws_ecs_service") => of_service(step, &name("cluster"), &name("name")),
        (_, "aws_ecs_task_definition") => {
            let family = name("family");
            let gone = format!("aws ecs deregister-task-definition --task-definition {family}:REVISION");
            let look = format!("aws ecs list-task-definitions --family-prefix {family} --sort DESC --max-items 5");
            shell(step, look, gone.clone(), gone)
        }
        (_, "aws_cloudwatch_log_group") => shell(
            step,
            format!("aws logs describe-log-groups --log-group-name-prefix {}", name("name")),
            format!("aws logs delete-log-group --log-group-name {}", name("name")),
            format!("aws logs put-retention-policy --log-group-name {} --retention-in-days DAYS", name("name")),
        ),
        (_, "postgres_database") => shell(
            step,
            format!("psql --list | grep {}", name("name")),
            format!("dropdb {}", name("name")),
            format!("psql --dbname {}", name("name")),
        ),
        (_, "postgres_role") => shell(
            step,
            "psql --command '\\du'".to_owned(),
            format!("dropuser {}", name("name")),
            "psql --command 'ALTER ROLE …'".to_owned(),
        ),
        _ => ByHand::default(),
    }
}

/// Who works in the database, and who waits for whom.
const WAITING: &str = "select pid, state, wait_event_type, pg_blocking_pids(pid) as waits_for, now() - query_start as since,\n       \
                       left(query, 80) as query\n  from pg_stat_activity where datname = current_database() order by query_start;";

fn of_parameter(step: &Step, name: &str) -> ByHand {
    let history =
        format!("aws ssm get-parameter-history --name {name} --query 'Parameters[-2:].[Version,LastModifiedDate]'");
    let again = format!("aws ssm put-parameter --name {name} --overwrite --value \"$EARLIER\"");
    let mut by_hand = shell(
        step,
        format!("aws ssm get-parameter --name {name} --query Parameter.Version"),
        format!("aws ssm delete-parameter --name {name}"),
        again,
    );
    if let Some(Way::UpdateBack) = way(step) {
        let earlier = format!(
            "EARLIER=$(aws ssm get-parameter-history --name {name} --with-decryption --query 'Parameters[-2].Value' --output text)"
        );
        by_hand.back.insert(0, earlier);
        by_hand.back.insert(0, history);
    }
    by_hand
}

fn of_service(step: &Step, cluster: &str, name: &str) -> ByHand {
    let mut by_hand = shell(
        step,
        format!(
            "aws ecs describe-services --cluster {cluster} --services {name} --query 'services[0].[deployments,events[:5]]'"
        ),
        format!("aws ecs delete-service --cluster {cluster} --service {name} --force"),
        format!("aws ecs update-service --cluster {cluster} --service {name} --task-definition FAMILY:REVISION"),
    );
    if !by_hand.back.is_empty() {
        by_hand.back.push(format!("aws ecs wait services-stable --cluster {cluster} --services {name}"));
    }
    by_hand
}

/// Commands of a shell: to look, to remove what was made, to change back what was changed.
fn shell(step: &Step, look: String, remove: String, change: String) -> ByHand {
    let back = match way(step) {
        Some(Way::Delete | Way::Return) => vec![remove],
        Some(Way::UpdateBack) => vec![change],
        // What was removed is made again from what is recorded: the commands would need its values.
        Some(Way::CreateAgain | Way::ReviseAgain) => Vec::new(),
        Some(Way::Remember | Way::LetGo | Way::MoveBack | Way::MigrateBack) | None => Vec::new(),
    };
    ByHand { look: vec![look], back, language: "sh" }
}

fn way(step: &Step) -> Option<Way> {
    match &step.inverse {
        Inverse::Exact { way } | Inverse::Recreates { way, .. } | Inverse::LosesData { way, .. } => Some(*way),
        Inverse::Impossible { .. } => None,
    }
}

/// A name as one word of a shell; in capitals what to put there, where it is not known or a secret.
fn name(step: &Step, attribute: &str) -> String {
    let object = step.action.after().or(step.action.before());
    let value = object.and_then(|object| object.get(attribute)).filter(|value| !value.is_sensitive());
    match value.and_then(Value::as_str) {
        Some(text) => word(text),
        None => attribute.to_uppercase(),
    }
}

/// A word as a shell takes it.
fn word(text: &str) -> String {
    let is_plain = |letter: char| letter.is_ascii_alphanumeric() || "-_./:@=+,%".contains(letter);
    match !text.is_empty() && text.chars().all(is_plain) {
        true => text.to_owned(),
        false => format!("'{}'", text.replace('\'', r"'\''")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_one_word_whatever_is_in_it() {
        assert_eq!(word("/shop/web"), "/shop/web");
        assert_eq!(word("a b; rm -rf ~"), "'a b; rm -rf ~'");
        assert_eq!(word("it's"), r"'it'\''s'");
        assert_eq!(word(""), "''");
    }
}
