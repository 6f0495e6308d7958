//! The bodies of messages. Pure.
//!
//! Invariant: a notice has one body per form, byte for byte the same whenever it is told.

use serde_json::{Value, json};

use super::receiver::Form;
use super::{Notice, Topic};

/// The most lines of details that a chat is shown.
const LINES: usize = 12;

/// The most characters of one text that Slack takes are 3,000.
const CHARACTERS: usize = 2_800;

/// The body in a form.
pub fn body(form: Form, notice: &Notice) -> String {
    match form {
        Form::Webhook => webhook(notice),
        Form::Slack => slack(notice),
    }
    .to_string()
}

fn webhook(notice: &Notice) -> Value {
    json!({ "type": notice.topic.word(), "timestamp": notice.at.to_string(), "data": notice })
}

fn slack(notice: &Notice) -> Value {
    let title = escaped(&format!("{} {}: {}", notice.project, notice.environment, notice.topic.words()));
    let summary = escaped(&notice.summary);
    let mut lines: Vec<String> = notice.details.iter().take(LINES).map(|line| format!("• {}", escaped(line))).collect();
    if notice.details.len() > LINES {
        lines.push(format!("and {} more", notice.details.len() - LINES));
    }
    let text = cut(&std::iter::once(summary.clone()).chain(lines).collect::<Vec<_>>().join("\n"));
    let actor = notice.actor.as_ref().map(|actor| format!("{} · ", escaped(actor))).unwrap_or_default();
    let context = cut(&format!("{actor}`{}`", escaped(&notice.next)));
    json!({
        "text": cut(&format!("{} {title}: {summary}", sign(notice.topic))),
        "blocks": [
            { "type": "section", "text": { "type": "mrkdwn", "text": format!("{} *{title}*\n{text}", sign(notice.topic)) } },
            { "type": "context", "elements": [{ "type": "mrkdwn", "text": context }] },
        ],
    })
}

fn sign(topic: Topic) -> &'static str {
    match topic {
        Topic::Planned => ":memo:",
        Topic::ApprovalWanted => ":lower_left_ballpoint_pen:",
        Topic::Parked => ":hourglass_flowing_sand:",
        Topic::Applied => ":white_check_mark:",
        Topic::Failed => ":x:",
        Topic::RolledBack => ":leftwards_arrow_with_hook:",
        Topic::WayBackClosing => ":warning:",
        Topic::Drift => ":mag:",
    }
}

/// Words of others stay words: no mention, no link, no mark-up of a line.
fn escaped(text: &str) -> String {
    let plain: String = text.chars().map(|letter| if letter.is_control() { ' ' } else { letter }).collect();
    plain.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('`', "'")
}

fn cut(text: &str) -> String {
    match text.char_indices().nth(CHARACTERS) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;
    use crate::notice::Place;

    fn notice() -> Notice {
        let place = Place { chain: "c", project: "shop", environment: "prod" };
        let summary = "run 4 failed at <!channel> & \"more\"".to_owned();
        let mut notice = Notice::new(Topic::Failed, Timestamp::UNIX_EPOCH, place, &4, summary);
        notice.details = (0..20).map(|number| format!("line {number}")).collect();
        notice
    }

    #[test]
    fn a_webhook_says_type_time_and_data() {
        let value: Value = serde_json::from_str(&body(Form::Webhook, &notice())).unwrap();
        assert_eq!(value["type"], "failed");
        assert_eq!(value["timestamp"], "1970-01-01T00:00:00Z");
        assert_eq!(value["data"]["environment"], "prod");
        assert_eq!(value["data"]["details"].as_array().unwrap().len(), 20);
        assert!(value["data"].get("run").is_none(), "what is not known is not there");
    }

    #[test]
    fn words_of_others_mention_nobody_in_a_chat() {
        let value: Value = serde_json::from_str(&body(Form::Slack, &notice())).unwrap();
        let all = value.to_string();
        assert!(!all.contains("<!channel>") && all.contains("&lt;!channel&gt; &amp;"), "{all}");
        assert!(all.contains("and 8 more"), "{all}");
        assert!(
            value["blocks"].as_array().unwrap().len() == 2 && value["text"].as_str().unwrap().contains("shop prod")
        );
    }
}
