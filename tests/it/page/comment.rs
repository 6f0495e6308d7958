//! Words of others in a comment on a pull request, as a renderer of Markdown that lets HTML through makes it.

use pulldown_cmark::{Event, Options, Parser, Tag, html};
use switchback::review::{markdown, runbook};

use super::{Written, browser, hostile, strings};

/// What the forges understand.
fn options() -> Options {
    Options::ENABLE_TABLES
        | Options::ENABLE_STRIKETHROUGH
        | Options::ENABLE_TASKLISTS
        | Options::ENABLE_FOOTNOTES
        | Options::ENABLE_GFM
}

#[test]
fn words_of_others_are_no_markdown_and_no_html() {
    for comment in comments() {
        words_only(&comment);
    }
}

#[test]
fn words_of_others_are_no_markdown_and_no_html_in_a_runbook() {
    for attempt in hostile::ATTEMPTS {
        let text = runbook::render(&hostile::of(attempt, &[attempt]), &std::collections::BTreeMap::new());
        assert!(text.contains("## How to take it back by hand"), "{text}");
        words_only(&text);
    }
}

/// A comment for each attempt, with all that it tries in every place, and one for all of them at once.
fn comments() -> Vec<String> {
    let each = hostile::ATTEMPTS.map(|attempt| markdown::render(&hostile::of(attempt, &[attempt])));
    for comment in &each {
        assert!(comment.contains("`sql\n/* "), "the SQL stands in it:\n{comment}");
    }
    each.into_iter().chain([markdown::render(&hostile::review())]).collect()
}

fn words_only(comment: &str) {
    let mut text = String::new();
    let mut texts: Vec<String> = Vec::new();
    let mut is_code = false;
    for event in Parser::new_ext(comment, options()) {
        match event {
            Event::Start(Tag::CodeBlock(_)) => is_code = true,
            Event::End(pulldown_cmark::TagEnd::CodeBlock) => is_code = false,
            Event::Text(part) if !is_code => {
                text += &part;
                continue;
            }
            Event::Start(
                tag @ (Tag::Link { .. }
                | Tag::Image { .. }
                | Tag::FootnoteDefinition(_)
                | Tag::Strikethrough
                | Tag::Emphasis),
            ) => {
                panic!("{tag:?}");
            }
            Event::InlineHtml(tag) | Event::Html(tag) => {
                let ours = ["<code>", "</code>", "<!-- -->", "<details>", "</details>", ""];
                let is_outputs = &*tag == "<details><summary>Outputs afterwards</summary>\n";
                let is_step = tag.starts_with("<details><summary>") && tag.matches('<').count() == 5;
                assert!(ours.contains(&tag.trim()) || is_step || is_outputs, "{tag:?}");
            }
            _ => {}
        }
        texts.push(std::mem::take(&mut text));
    }
    // The forges make links and mentions of bare words; these are cut by something that is no word.
    for text in texts {
        for word in ["://", "www.", "@everybody", "@evil"] {
            assert!(!text.contains(word), "{word} in {text:?}");
        }
    }
}

#[test]
fn a_comment_that_is_rendered_runs_nothing_and_has_our_headings_only() {
    let comments = comments();
    let mut page = "<!doctype html><meta charset=utf-8><title>comment</title>\n".to_owned();
    for comment in &comments {
        html::push_html(&mut page, Parser::new_ext(comment, options()));
    }
    let written = Written::text(&page);
    let mut page = browser::open(&written.path);
    page.ask("new Promise((done) => setTimeout(done, 200))");
    assert_eq!(page.ask("typeof window.taken"), "undefined", "nothing ran");
    assert_eq!(page.misdeeds(), [""; 0]);
    let made = page.ask("[...new Set([...document.body.querySelectorAll('*')].map((one) => one.tagName))].sort()");
    let ours = [
        "BLOCKQUOTE",
        "CODE",
        "DETAILS",
        "H3",
        "LI",
        "P",
        "PRE",
        "STRONG",
        "SUMMARY",
        "TABLE",
        "TBODY",
        "TD",
        "TH",
        "THEAD",
        "TR",
        "UL",
    ];
    let others: Vec<String> = strings(&made).into_iter().filter(|name| !ours.contains(&&**name)).collect();
    assert_eq!(others, [""; 0]);
    let counts = page.ask("['h3', 'table', 'blockquote', 'li'].map((name) => document.querySelectorAll(name).length)");
    let each = comments.len();
    assert_eq!(
        counts,
        serde_json::json!([each, each, 3 * each, 6 * each]),
        "a heading, a table, three quotes, one loss and five lines about signatures in each"
    );
}
