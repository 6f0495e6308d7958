//! The page of a review in a real browser, offline: it can be read by everybody, does nothing else, prints whole, and
//! words of others stay words in it. The same words in a comment stay words as well.

mod axe;
mod browser;
mod comment;
mod hostile;
mod sample;

use std::path::PathBuf;
use std::process::Command;

use browser::Look;
use serde_json::Value;
use switchback::review::{Review, html};

use crate::stack;

/// A page of a review, in a file of its own.
struct Written {
    path: PathBuf,
}

impl Written {
    fn of(review: &Review) -> Self {
        Self::text(&html::render(review))
    }

    fn text(text: &str) -> Self {
        let path = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join(stack::unique("page")).with_extension("html");
        std::fs::write(&path, text).unwrap();
        Self { path }
    }
}

impl Drop for Written {
    fn drop(&mut self) {
        std::fs::remove_file(&self.path).ok();
    }
}

/// Everything of a page that is wider than it, or has more in it than it shows.
const CUT: &str = r"[...document.querySelectorAll('body *')].filter((one) => {
    const style = getComputedStyle(one);
    if (one.closest('svg') || style.display === 'inline' || style.position === 'absolute') return false;
    const hides = (way) => ['hidden', 'clip', 'auto', 'scroll'].includes(way);
    return (hides(style.overflowY) && one.scrollHeight > one.clientHeight + 1)
        || (hides(style.overflowX) && one.scrollWidth > one.clientWidth + 1);
}).map((one) => `${one.tagName}.${one.className}: ${one.scrollWidth}x${one.scrollHeight} in ${one.clientWidth}x${one.clientHeight}`)";

const OPEN_ALL: &str = "document.querySelectorAll('details').forEach((one) => (one.open = true))";

fn strings(value: &Value) -> Vec<String> {
    value.as_array().unwrap().iter().map(|one| one.as_str().unwrap().to_owned()).collect()
}

#[test]
fn a_page_asks_nobody_says_nothing_to_its_console_and_answers_the_five_questions() {
    let written = Written::of(&sample::release());
    let mut page = browser::open(&written.path);
    assert_eq!(page.ask("document.documentElement.lang"), "en");
    let title = page.ask("document.title");
    assert!(title.as_str().unwrap().starts_with("Plan for prod of project shop · "), "{title}");
    let answers =
        page.ask("[...document.querySelectorAll('.answer')].map((one) => one.innerText.replace(/\\s+/g, ' '))");
    let answers = strings(&answers).join("\n");
    for answer in [
        "What changes? 1 to create, 2 to update, 1 to revise, 1 to delete, 8 migrations to run",
        "What is lost? 1 step loses data",
        "loses data aws_ssm_parameter.name_field the value of the parameter, which no store keeps",
        "How do we go back? All of it until step 13 begins; from then on, all but what is lost",
        "Type switchback rollback prod --last",
        "Who signed exactly this? Signatures still missing: 1 as data-loss for the configuration part",
        "signed anna@shop.example as dba, 21 Nov 2026, 10:42 UTC",
        "does not count bert@shop.example",
        "What locks, and for how long? 2 relations locked against others, for about 3.1 s at most",
        "about 3.1 s public.customers (1.2 GB, about 3 million rows) ACCESS EXCLUSIVE",
        "Readers and writers wait, about 1.3 thousand statements that read and 120 written rows, read as a whole",
        "observed on PostgreSQL 15.18",
    ] {
        assert!(answers.contains(answer), "{answer}:\n{answers}");
    }
    let headings = page.ask("[...document.querySelectorAll('h1,h2,h3,h4')].map((one) => one.tagName)");
    let headings: Vec<u32> = strings(&headings).iter().map(|name| name[1..].parse().unwrap()).collect();
    assert_eq!(headings[0], 1);
    assert!(headings.windows(2).all(|pair| pair[1] <= pair[0] + 1), "no level is left out: {headings:?}");
    let broken = page.ask("[...document.querySelectorAll('[href]')].map((one) => one.getAttribute('href')).filter((to) => to !== 'data:,' && !document.querySelector(to))");
    assert_eq!(strings(&broken), [""; 0], "every link leads somewhere");
    assert_eq!(page.misdeeds(), [""; 0]);
}

#[test]
fn axe_finds_no_barrier_in_any_light_at_any_width() {
    for review in [sample::release(), sample::unproved()] {
        let written = Written::of(&review);
        let mut page = browser::open(&written.path);
        page.ask(OPEN_ALL);
        let script = axe::script();
        page.ask(&format!("{script};0"));
        let looks = [Look::DESKTOP, Look::DESKTOP.dark(), Look::PHONE, Look::PHONE.dark()];
        let looks = if review.signing.is_empty() { &looks[..1] } else { &looks[..] };
        for look in looks.iter().copied() {
            page.look(look);
            // Colours are the same at any width, and looking at them is most of the work.
            let colours = look.width > 500;
            let found = page.ask(&format!(
                "axe.run(document, {{ resultTypes: ['violations'], rules: {{ 'color-contrast': {{ enabled: {colours} }} }} }}).then((found) => ({{ \
                 passes: found.passes.length, bad: found.violations.flatMap((one) => one.nodes.map((node) => \
                 `${{one.id}}: ${{node.html.slice(0, 200)}} ${{node.failureSummary}}`)) }}))",
            ));
            assert_eq!(strings(&found["bad"]), [""; 0], "{look:?}");
            assert!(found["passes"].as_u64().unwrap() > 20, "axe looked: {found}");
        }
    }
}

#[test]
fn nothing_is_wider_than_a_phone() {
    for review in [sample::release(), sample::unproved(), hostile::review(), sample::large(500)] {
        let written = Written::of(&review);
        let mut page = browser::open(&written.path);
        page.look(Look::PHONE);
        page.ask(OPEN_ALL);
        assert_eq!(page.ask("document.documentElement.scrollWidth"), 360);
        let cut = strings(&page.ask(CUT));
        let other: Vec<_> = cut.iter().filter(|one| !one.starts_with("DIV.canvas")).collect();
        assert!(other.is_empty(), "only the drawing is moved aside: {other:?}");
    }
}

#[test]
fn the_keyboard_reaches_everything_and_one_sees_where_it_is() {
    let written = Written::of(&sample::release());
    let mut page = browser::open(&written.path);
    let count = page.ask(
        "(window.all = [...document.querySelectorAll('a[href], button, summary, [tabindex]')].filter((one) => one.checkVisibility())).length",
    );
    let count = usize::try_from(count.as_u64().unwrap()).unwrap();
    assert!(count > 60, "{count} things can be used");
    let mut reached = std::collections::BTreeSet::new();
    for press in 0..count {
        page.tab();
        let at = page.ask(
            "(() => { const one = document.activeElement; const drawn = one.closest('svg') && one.querySelector('rect'); const seen = getComputedStyle(drawn ?? one); \
             return { index: window.all.indexOf(one), what: one.outerHTML.slice(0, 120), \
             shown: drawn ? seen.strokeWidth === '3px' : seen.outlineStyle === 'solid' && parseFloat(seen.outlineWidth) >= 2 }; })()",
        );
        assert_eq!(at["shown"], true, "one sees where the keyboard is: {at}");
        if press == 0 {
            assert_eq!(at["index"], 0, "the first leads past the contents: {at}");
        }
        reached.insert(at["index"].as_i64().unwrap());
    }
    assert_eq!(reached, (0..i64::try_from(count).unwrap()).collect(), "everything is reached once");
    let opened = page.ask(
        "(() => { const one = document.querySelector('#step-9'); one.open = false; location.hash = '#step-9'; \
        return new Promise((done) => setTimeout(() => done(one.open), 50)); })()",
    );
    assert_eq!(opened, true, "a link unfolds where it leads");
    assert_eq!(page.misdeeds(), [""; 0]);
}

/// The words of a document for a printer, without space.
fn words_of(document: &[u8]) -> String {
    let path = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join(stack::unique("page")).with_extension("pdf");
    std::fs::write(&path, document).unwrap();
    let mut command = Command::new("pdftotext");
    let said = command.arg("-raw").arg(&path).arg("-").output().expect("Debian's package poppler-utils is installed");
    std::fs::remove_file(&path).unwrap();
    assert!(said.status.success(), "{}", String::from_utf8_lossy(&said.stderr));
    squeezed(&String::from_utf8(said.stdout).unwrap())
}

fn squeezed(text: &str) -> String {
    text.chars().filter(|character| !character.is_whitespace() && *character != '\u{c}').collect()
}

#[test]
fn print_cuts_nothing_with_and_without_scripts() {
    let review = sample::release();
    let written = Written::of(&review);
    for open in [browser::open, browser::open_without_scripts] {
        let mut page = open(&written.path);
        page.look_printed();
        assert_eq!(strings(&page.ask(CUT)), [""; 0]);
        let hidden = page.ask("[...document.querySelectorAll('.line, .note, .badge')].filter((one) => one.getBoundingClientRect().height === 0).length");
        assert_eq!(hidden, 0, "what is folded is printed as well");
        let printed = words_of(&page.print());
        let migrations: Vec<_> = review.steps.iter().filter_map(|step| step.migration.as_ref()).collect();
        assert_eq!(migrations.len(), 8);
        for migration in migrations {
            for text in [Some(&migration.sql), migration.sql_of_the_way_back.as_ref()] {
                for line in text.unwrap().lines() {
                    assert!(printed.contains(&squeezed(line)), "`{line}` of {} is not printed", migration.name);
                }
            }
        }
        for finding in &review.findings.found {
            assert!(printed.contains(&squeezed(&finding.message.replace('`', ""))), "{}", finding.message);
        }
        assert!(
            printed.contains("Thispageisonefile:itasksnobodyforanything,andsaysthesameastheotherforms."),
            "the last line"
        );
        assert_eq!(page.misdeeds(), [""; 0]);
    }
}

#[test]
fn words_of_others_run_nothing_and_make_nothing() {
    let written = Written::of(&hostile::review());
    let mut page = browser::open(&written.path);
    page.ask(OPEN_ALL);
    page.ask("new Promise((done) => setTimeout(done, 200))");
    assert_eq!(page.ask("typeof window.taken"), "undefined", "nothing ran");
    assert_eq!(page.misdeeds(), [""; 0]);
    let made = page.ask(
        "[...document.querySelectorAll('img, iframe, object, embed, form, input, video, audio, base, h1, script, style, link, body, title')].filter((one) => !one.closest('svg')).map((one) => one.tagName).sort()",
    );
    assert_eq!(
        strings(&made),
        ["BODY", "H1", "LINK", "SCRIPT", "STYLE", "TITLE"],
        "one of each that is ours, and no other"
    );
    let odd = page.ask(
        "[...document.querySelectorAll('*')].flatMap((one) => [...one.attributes].map((attribute) => `${attribute.name}=${attribute.value}`))\
         .filter((text) => /^(on|src|style|action)/.test(text) || (/^href=/.test(text) && !/^href=(#[a-z0-9-]+|data:,)$/.test(text)))",
    );
    assert_eq!(strings(&odd), [""; 0]);
    let shown = page.ask("document.body.textContent");
    let shown = shown.as_str().unwrap().replace('`', "");
    for attempt in hostile::ATTEMPTS {
        for line in attempt.lines().filter(|line| !line.is_empty()) {
            let line = switchback::review::words::harmless(line).replace('`', "");
            assert!(shown.contains(&line), "`{line}` stands there as it is");
        }
    }
    let tricks = |text: &str| {
        text.chars().any(|one| matches!(one, '\u{202a}'..='\u{202e}' | '\u{1b}' | '\u{feff}' | '\u{200b}'))
    };
    assert!(!tricks(&shown), "what cannot be seen is named");
}

#[test]
fn five_hundred_steps_are_drawn_as_few_boxes_and_said_to_be() {
    let written = Written::of(&sample::large(500));
    let mut page = browser::open(&written.path);
    let drawn = page.ask("({ boxes: document.querySelectorAll('.canvas .box').length, says: document.querySelector('figcaption').innerText, \
        folded: document.querySelectorAll('.timeline .many').length, steps: document.querySelectorAll('details.step').length })");
    assert_eq!(drawn["steps"], 500);
    assert_eq!((&drawn["boxes"], &drawn["folded"]), (&2.into(), &1.into()), "{drawn}");
    assert!(drawn["says"].as_str().unwrap().starts_with("500 steps are drawn as 2 boxes"), "{drawn}");
    assert_eq!(page.misdeeds(), [""; 0]);
}

/// For whoever wants to look at it: `SWITCHBACK_TEST_PICTURES=FOLDER cargo test --test it page::`.
#[test]
fn the_pictures_that_are_asked_for_are_taken() {
    let review = sample::release();
    let written = Written::of(&review);
    let mut page = browser::open(&written.path);
    let phone = Look { width: 390, height: 844, dark: false };
    let folder = std::env::var_os("SWITCHBACK_TEST_PICTURES").map(PathBuf::from);
    for (name, look) in [
        ("desktop", Look::DESKTOP),
        ("desktop-dark", Look::DESKTOP.dark()),
        ("phone", phone),
        ("phone-dark", phone.dark()),
    ] {
        page.look(look);
        let picture = page.picture();
        assert!(picture.starts_with(b"\x89PNG") && picture.len() > 50_000, "{name}: {} bytes", picture.len());
        if let Some(folder) = &folder {
            std::fs::write(folder.join(name).with_extension("png"), picture).unwrap();
        }
    }
    if let Some(folder) = &folder {
        for (name, review) in [("release", review), ("unproved", sample::unproved()), ("large", sample::large(500))] {
            std::fs::write(folder.join(name).with_extension("html"), html::render(&review)).unwrap();
        }
    }
}
