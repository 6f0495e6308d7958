//! Describes alarms. Asks AWS.
//!
//! Invariant: nothing is changed.

use aws_sdk_cloudwatch::types::{AlarmType, CompositeAlarm, MetricAlarm};
use aws_smithy_types::DateTime;

use super::Sighting;
use crate::provider::aws::carrier::Aws;
use crate::world::{Connection, WorldError};

/// The most alarms that one call describes.
const AT_ONCE: usize = 100;

/// Looks at alarms by their names; those that are not there are missing in the answer.
///
/// # Errors
/// When CloudWatch cannot be asked.
pub async fn look(aws: &Aws, connection: &Connection, names: &[String]) -> Result<Vec<Sighting>, WorldError> {
    let clients = aws.clients(connection).await?;
    let mut found = Vec::new();
    for names in names.chunks(AT_ONCE) {
        let subject = names.first().map_or("", String::as_str);
        let call = clients
            .cloudwatch
            .describe_alarms()
            .set_alarm_names(Some(names.to_vec()))
            .alarm_types(AlarmType::MetricAlarm)
            .alarm_types(AlarmType::CompositeAlarm)
            .max_records(100)
            .send();
        let answer = clients.call("cloudwatch:DescribeAlarms", subject, call).await?;
        found.extend(answer.metric_alarms().iter().map(of_metric));
        found.extend(answer.composite_alarms().iter().map(of_composite));
    }
    Ok(found)
}

fn of_metric(alarm: &MetricAlarm) -> Sighting {
    Sighting {
        name: alarm.alarm_name().unwrap_or_default().to_owned(),
        arn: alarm.alarm_arn().unwrap_or_default().to_owned(),
        state: alarm.state_value().map_or("", |state| state.as_str()).to_owned(),
        reason: alarm.state_reason().unwrap_or_default().to_owned(),
        changed: time(alarm.state_transitioned_timestamp()),
    }
}

fn of_composite(alarm: &CompositeAlarm) -> Sighting {
    Sighting {
        name: alarm.alarm_name().unwrap_or_default().to_owned(),
        arn: alarm.alarm_arn().unwrap_or_default().to_owned(),
        state: alarm.state_value().map_or("", |state| state.as_str()).to_owned(),
        reason: alarm.state_reason().unwrap_or_default().to_owned(),
        changed: time(alarm.state_transitioned_timestamp()),
    }
}

fn time(at: Option<&DateTime>) -> Option<jiff::Timestamp> {
    at.and_then(|at| jiff::Timestamp::from_millisecond(at.to_millis().ok()?).ok())
}
