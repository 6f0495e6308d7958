//! `switchback show`: a saved plan, or what the newest run carries out, again.

use crate::approval::class::{Class, Part};
use crate::cli::arguments::{Form, OfDatabase, Subject};
use crate::cli::carry::Hold;
use crate::cli::exit::Exit;
use crate::cli::failure::Failure;
use crate::cli::gate::{self, Asking};
use crate::cli::matter::{Begin, Matter};
use crate::cli::session::Session;
use crate::cli::showing::show;
use crate::cli::subject::Typed;
use crate::cli::verb::approve::{class, text_of};
use crate::cli::verb::reject::part;
use crate::gate::demand::{self, Need};
use crate::gate::judge::Ground;
use crate::review::Review;

const AFTER_HELP: &str = "\
Examples:
  switchback show s.plan.json            the review of a saved plan
  switchback show s.plan.json --as md    as a comment for a pull request
  switchback show s.plan.json --as runbook > runbook.md
                                         how to watch it and take it back, also by hand
  switchback show --plan plan.bin        a saved plan of any name
  switchback show s.plan.json --to-sign dba > dba.txt
                                         what a DBA signs, for `ssh-keygen -Y sign`
  switchback show staging                what the newest run of staging carried out

A saved plan is checked first: one that was altered is refused.";

/// Show a saved plan, or what the newest run carries out, again
#[derive(Debug, clap::Args)]
#[command(after_help = AFTER_HELP)]
pub struct Arguments {
    #[command(flatten)]
    subject: Subject,
    /// The form of the review
    #[arg(long = "as", value_name = "FORM", value_enum)]
    form: Option<Form>,
    #[command(flatten)]
    of: OfDatabase,
    /// Only what somebody signs as this class, byte for byte (`CLASS/PART` where there are several)
    #[arg(long, value_name = "CLASS", value_parser = wanted, conflicts_with = "form")]
    to_sign: Option<Wanted>,
}

/// A signature as typed: its class, and its part where that is not clear.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Wanted {
    class: Class,
    part: Option<Part>,
}

fn wanted(text: &str) -> Result<Wanted, String> {
    match text.split_once('/') {
        None => Ok(Wanted { class: class(text)?, part: None }),
        Some((word, of)) => Ok(Wanted { class: class(word)?, part: Some(part(of)?) }),
    }
}

/// Runs the verb.
///
/// # Errors
/// When there is no such plan, or it was altered.
pub fn run(arguments: &Arguments, session: &Session) -> Result<Exit, Failure> {
    match Typed::read(session, &arguments.subject)? {
        Typed::Plan(_) if arguments.to_sign.is_some() => {
            let (matter, hold) = Matter::open(session, &arguments.subject, "show", Begin::Never)?;
            let wanted = arguments.to_sign.expect("the guard says so");
            session.terminal.data(&to_sign(session, &matter, &hold, wanted)?);
        }
        Typed::Plan(file) => {
            let author = file.author.as_ref().map(|author| author.name.clone());
            let (change_set, mut grounds) = file.take();
            let typed = arguments.subject.plan.as_ref().map(|path| path.display().to_string());
            let typed = typed.or_else(|| arguments.subject.environment.clone());
            // A plan is shown anywhere; who signed it only where its ledger can be read.
            match session.ledger(&change_set.environment) {
                Ok(ledger) => {
                    let (author, file) = (author.as_deref(), typed.as_deref());
                    let asking = Asking { change_set: &change_set, grounds: &grounds, author, file, break_glass: None };
                    let signing = gate::signing(session, ledger.state(), asking);
                    grounds.signing = signing;
                }
                Err(failure) if change_set.approval_rules.is_some() => {
                    session.terminal.say(&format!("who signed it is not known here: {}", failure.summary));
                }
                Err(_) => {}
            }
            show(session, &change_set, &Review::proved(&change_set, &grounds), arguments.form, &arguments.of)?;
        }
        Typed::Environment(environment) if arguments.to_sign.is_some() => {
            return Err(Failure::usage("what the newest run carries out is not signed any more").help(format!(
                "for what a plan would be now: {}",
                session.command(&format!("approve {environment} --print"))
            )));
        }
        Typed::Environment(environment) => {
            let ledger = session.known_ledger(&environment)?;
            let run = ledger.state().runs.last().ok_or_else(|| {
                Failure::failed(format!("nothing was ever applied to {environment}"))
                    .help(format!("`{}` shows what would change", session.command(&format!("plan {environment}"))))
            })?;
            show(session, &run.change_set, &Review::of(&run.change_set), arguments.form, &arguments.of)?;
        }
    }
    Ok(Exit::Done)
}

/// What is to be signed, byte for byte.
///
/// # Errors
/// When it is not one thing, or the ledger has no name yet.
fn to_sign(session: &Session, matter: &Matter, hold: &Hold<'_>, wanted: Wanted) -> Result<String, Failure> {
    let demands = gate::demands(&matter.grounds);
    let case = gate::case(session, hold.ledger.state(), matter.asking(), &demands);
    let is_meant = |need: &Need| need.class == wanted.class && wanted.part.is_none_or(|part| part == need.part);
    let needs: Vec<Need> = demand::needs(case).into_iter().filter(is_meant).collect();
    let word = wanted.class.word();
    let need = match needs.as_slice() {
        [] => return Err(Failure::failed(format!("nobody has to sign it as {word}"))),
        [one] => one,
        several => {
            let words: Vec<String> = several.iter().map(|need| format!("{word}/{}", need.part.word())).collect();
            return Err(Failure::usage(format!("several parts have to be signed as {word}"))
                .help(format!("name one: `--to-sign {}`", words.join("`, `--to-sign "))));
        }
    };
    let ground = Ground::of(case, session.world.clock.now());
    ground.and_then(|ground| text_of(&ground, need)).ok_or_else(|| {
        Failure::failed("the ledger is not begun, and a signature names it")
            .help("`approve PLANFILE --print` begins it, and prints what is to be signed")
    })
}
