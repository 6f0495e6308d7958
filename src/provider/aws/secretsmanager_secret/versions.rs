//! Versions of a secret and the labels that hold them: putting a new one, and moving `AWSCURRENT`.
//!
//! Invariant: `AWSCURRENT` is only taken from the version that was looked at, and no version that a way back may need
//! is left without a label, for Secrets Manager drops those.

use std::collections::BTreeMap;

use aws_sdk_secretsmanager::operation::describe_secret::DescribeSecretOutput;

use crate::provider::aws::failure::Failure;
use crate::provider::aws::shared::Work;

/// Where a secret's current value is.
pub(super) const CURRENT: &str = "AWSCURRENT";
/// What labels of ours begin with; the version follows.
const LABEL: &str = "switchback-";
/// How many labels of ours a secret has at most: Secrets Manager takes twenty labels in all, three of which are its own.
const KEPT: usize = 15;

/// Labels by version.
pub(super) type Stages = BTreeMap<String, Vec<String>>;

/// The labels of a description.
pub(super) fn stages(described: &DescribeSecretOutput) -> Stages {
    described.version_ids_to_stages().into_iter().flatten().map(|(id, labels)| (id.clone(), labels.clone())).collect()
}

/// The version that has the current value.
pub(super) fn current(stages: &Stages) -> Option<&str> {
    stages.iter().find(|(_, labels)| labels.iter().any(|label| label == CURRENT)).map(|(id, _)| id.as_str())
}

/// The label by which a version is kept.
fn label(version: &str) -> String {
    format!("{LABEL}{version}")
}

/// Puts a further version that is not current yet; what the same effect put already is there.
pub(super) async fn put(work: &Work<'_>, name: &str, stages: &Stages, value: &str) -> Result<String, Failure> {
    let version = work.effect.token.clone();
    if stages.contains_key(&version) {
        return Ok(version);
    }
    let request = work.clients.secrets.put_secret_value().secret_id(name).client_request_token(&version);
    let call = request.secret_string(value).version_stages(label(&version)).send();
    let answer = work.clients.call("secretsmanager:PutSecretValue", name, call).await?;
    Ok(answer.version_id.unwrap_or(version))
}

/// Makes a version the current one, in the place of the one that is; that one is kept by a label of ours.
pub(super) async fn make_current(
    work: &Work<'_>,
    name: &str,
    stages: &Stages,
    (from, to): (Option<&str>, &str),
) -> Result<(), Failure> {
    if let Some(from) = from
        && !stages.get(from).is_some_and(|labels| labels.iter().any(|label| label.starts_with(LABEL)))
    {
        move_label(work, name, &label(from), None, Some(from)).await?;
    }
    move_label(work, name, CURRENT, from.filter(|from| *from != to), Some(to)).await.map_err(|failure| {
        match failure.is(&["InvalidParameterException"]) {
            true => moved_meanwhile(work, name),
            false => failure,
        }
    })
}

/// Takes our labels from versions that are too many, the oldest first; those with a label of another go on.
pub(super) async fn let_go(work: &Work<'_>, name: &str) -> Result<(), Failure> {
    let mut kept = Vec::new();
    let mut token = None;
    loop {
        let request = work.clients.secrets.list_secret_version_ids().secret_id(name).include_deprecated(false);
        let page = request.set_next_token(token).send();
        let page = work.clients.call("secretsmanager:ListSecretVersionIds", name, page).await?;
        for version in page.versions() {
            let labels = version.version_stages().iter().filter(|label| label.starts_with(LABEL));
            let made = version.created_date().map(|time| (time.secs(), time.subsec_nanos()));
            kept.extend(labels.map(|label| (made, version.version_id().unwrap_or_default().to_owned(), label.clone())));
        }
        token = page.next_token.filter(|token| !token.is_empty());
        if token.is_none() {
            break;
        }
    }
    kept.sort();
    let too_many = kept.len().saturating_sub(KEPT);
    for (_, version, label) in kept.into_iter().take(too_many) {
        move_label(work, name, &label, Some(&version), None).await?;
    }
    Ok(())
}

async fn move_label(
    work: &Work<'_>,
    name: &str,
    label: &str,
    from: Option<&str>,
    to: Option<&str>,
) -> Result<(), Failure> {
    let request = work.clients.secrets.update_secret_version_stage().secret_id(name).version_stage(label);
    let call = request
        .set_remove_from_version_id(from.map(str::to_owned))
        .set_move_to_version_id(to.map(str::to_owned))
        .send();
    work.clients.call("secretsmanager:UpdateSecretVersionStage", name, call).await.map(|_| ())
}

fn moved_meanwhile(work: &Work<'_>, name: &str) -> Failure {
    let tried = work.clients.tried("secretsmanager:UpdateSecretVersionStage", name);
    let cause = "its current version is another one than when this was planned";
    Failure::refused(tried, cause, "plan again, and look at who changed it")
}
