//! The reference of the rules as Markdown, from the table. Pure.
//!
//! Invariant: what it shows of a rule is what the rule has.

use super::database::SHOP;
use super::finding::Level;
use super::rule::{Check, Claim, Example, Rule, Sort};

/// What a rule says of its bad example: message and rewrite.
pub type Said = Option<(String, Option<String>)>;

/// The page; `found` gives what a rule says of its bad example.
pub fn page(rules: &[Rule], generated: &str, found: &dyn Fn(&Rule) -> Said) -> String {
    let mut page = format!(
        "# Rules\n\n{generated}\n\nWhat is said about a change before anybody signs it. A finding stands in the review \
         (`switchback plan`, `show`) at its step, with its\nfile and line; `switchback migrate lint` applies the rules of \
         migrations to any folder. An *error* is refused: `switchback apply` ends\nbefore the first effect. What keeps \
         others waiting for the size of a table (*work*) weighs as a note where the target counts few rows.\n\n\
         A spec sets the level of a rule, in the project's file or in an environment's:\n\n```hcl\nrule \"create-index\" \
         {{\n  level = \"error\" # or \"warning\", \"note\", \"off\"\n}}\n```\n\nA comment silences a rule, with a reason: \
         before a statement for that one, at the head of a file for all of it.\n\n```sql\n-- switchback: ignore \
         create-index: the table has ten rows everywhere\n```\n\nThe tables of the examples:\n\n```sql\n{SHOP}```\n\n\
         | rule | level | about | |\n|---|---|---|---|\n"
    );
    for rule in rules {
        let (name, title) = (rule.name, rule.title.replace('|', "\\|"));
        page += &format!("| [`{name}`](#{name}) | {} | {} | {title} |\n", rule.level.word(), about(rule));
    }
    rules.iter().for_each(|rule| page += &section(rule, found(rule)));
    page
}

fn about(rule: &Rule) -> &'static str {
    match rule.check {
        Check::Statement(Sort::Work | Sort::Rest, _) => "work",
        Check::Statement(Sort::Lock, _) => "locks",
        Check::Statement(Sort::Fails, _) => "failure",
        Check::Statement(Sort::Breaks, _) => "loss",
        Check::Statement(Sort::Habit, _) => "habit",
        Check::Comments => "comments",
        Check::Whole => "migration",
        Check::Steps(..) => "steps",
    }
}

fn section(rule: &Rule, found: Option<(String, Option<String>)>) -> String {
    let mut text = format!("\n## {}\n\n**{}**: {}.\n\n{}.\n", rule.name, level(rule.level), rule.title, rule.reason);
    match rule.example {
        Example::Sql { before, bad, good, claim } => {
            if !before.is_empty() {
                text += &format!("\nGiven:\n\n{}", fenced("sql", &before.replace("; ", ";\n")));
            }
            text += &format!("\nFound:\n\n{}", fenced("sql", bad));
            if let Some((message, rewrite)) = found {
                text += &format!("\n> {message}\n");
                if let Some(rewrite) = rewrite {
                    text += &format!("\nInstead{}:\n\n{}", claimed(claim), fenced("sql", &rewrite));
                }
            }
            text += &format!("\nNot found:\n\n{}", fenced("sql", good));
        }
        Example::Change { before, bad, good } => {
            text += &format!("\nApplied before:\n\n{}", fenced("hcl", before));
            text += &format!("\nFound:\n\n{}\nNot found:\n\n{}", fenced("hcl", bad), fenced("hcl", good));
        }
        Example::Spec { bad, good } => {
            text += &format!("\nFound:\n\n{}\nNot found:\n\n{}", fenced("hcl", bad), fenced("hcl", good));
        }
    }
    text
}

fn level(level: Level) -> &'static str {
    match level {
        Level::Note => "Note",
        Level::Warning => "Warning",
        Level::Error => "Error",
    }
}

fn claimed(claim: Claim) -> String {
    match claim {
        Claim::Work(mode) => format!(", which works on the table under `{}` at most", mode.sql_name()),
        Claim::Lock(relation, mode) => format!(", which locks `{relation}` in `{}` at most", mode.sql_name()),
        Claim::Quick => ", which works on no whole table while others wait".to_owned(),
        Claim::Works => ", which the server takes".to_owned(),
        Claim::Apart => ", in several migrations ([how](expand-contract.md))".to_owned(),
        Claim::Nothing | Claim::Same => String::new(),
    }
}

fn fenced(language: &str, text: &str) -> String {
    let text = text.trim_end();
    let end = if text.ends_with(';') { "" } else { ";" };
    let end = if language == "sql" { end } else { "" };
    format!("```{language}\n{text}{end}\n```\n")
}
