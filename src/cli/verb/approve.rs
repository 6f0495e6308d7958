//! `switchback approve`: signs a change set, part by part, with an SSH key. Recorded.
//!
//! Invariant: what would not count at apply is not recorded.

use std::path::{Path, PathBuf};

use serde::Serialize;

use super::approvals::Approvals;
use super::reject::part;
use crate::approval::class::{Class, Part};
use crate::approval::key::Key;
use crate::approval::message::{self, Message};
use crate::approval::record::Approval;
use crate::approval::rules::Requirement;
use crate::approval::signature;
use crate::cli::arguments::Subject;
use crate::cli::exit::Exit;
use crate::cli::failure::Failure;
use crate::cli::gate;
use crate::cli::matter::{Begin, Matter};
use crate::cli::session::Session;
use crate::cli::signer;
use crate::cli::terminal::View;
use crate::gate::demand::{self, Case, Need};
use crate::gate::judge::{self, Ground};
use crate::ledger::Body;
use crate::ledger::signatures::Recorded;
use crate::review::text::Paint;

const AFTER_HELP: &str = "\
Examples:
  switchback approve p.plan.json                   sign what you may, with your agent's key
  switchback approve prod --class dba              of what a plan of prod would be now
  switchback approve p.plan.json --key ~/.ssh/id_ed25519 --comment \"seen, 2 s of lock\"
  switchback approve p.plan.json --key ~/.ssh/id_ed25519.pub
                                                   the private half is in the agent
Without this program's hands on a key, by plain OpenSSH:
  switchback approve p.plan.json --print --class dba > dba.txt
  ssh-keygen -Y sign -n switchback -f ~/.ssh/id_ed25519 dba.txt
  switchback approve p.plan.json --signature dba.txt.sig

A signature covers one part of a change set (database, infrastructure, configuration), with all
that was proved of it. A later plan whose part is equal keeps it; any change within makes it
void. Who may sign is what was applied last: docs/approvals.md.";

/// Sign a change set
#[derive(Debug, clap::Args)]
#[command(after_help = AFTER_HELP)]
pub struct Arguments {
    #[command(flatten)]
    subject: Subject,
    /// Only as this: dba, data-loss, infrastructure, config or owner
    #[arg(long, value_name = "CLASS", value_parser = class)]
    class: Option<Class>,
    /// Only this part: database, infrastructure, configuration, rules or whole
    #[arg(long, value_name = "PART", value_parser = part)]
    part: Option<Part>,
    /// The key to sign with, private or public; else the agent's, or a usual one of ~/.ssh
    #[arg(long, value_name = "FILE")]
    key: Option<PathBuf>,
    /// A signature that `ssh-keygen -Y sign -n switchback` made of what `--print` prints
    #[arg(long, value_name = "FILE", conflicts_with_all = ["key", "print"])]
    signature: Option<PathBuf>,
    /// Print what is to be signed, byte for byte, and sign nothing
    #[arg(long, conflicts_with_all = ["key", "comment"])]
    print: bool,
    /// What you have to say; it is recorded
    #[arg(long, value_name = "TEXT")]
    comment: Option<String>,
}

/// What was signed.
#[derive(Serialize)]
struct Signed {
    signed: Vec<SignedView>,
    #[serde(flatten)]
    approvals: Approvals,
}

#[derive(Serialize)]
struct SignedView {
    by: String,
    class: &'static str,
    part: &'static str,
    digest: String,
    until: Option<String>,
}

/// A class as typed.
pub fn class(text: &str) -> Result<Class, String> {
    Class::of(text).ok_or_else(|| format!("`{text}` is none of {}", Class::ALL.map(Class::word).join(", ")))
}

/// Runs the verb.
///
/// # Errors
/// When nothing has to be signed, the signature would not count, or the ledger cannot be written.
pub fn run(arguments: &Arguments, session: &Session) -> Result<Exit, Failure> {
    let (mut matter, mut hold) = Matter::open(session, &arguments.subject, "approve", Begin::IfNeeded)?;
    let demands = gate::demands(&matter.grounds);
    let case = gate::case(session, hold.ledger.state(), matter.asking(), &demands);
    let now = session.world.clock.now();
    let Some(ground) = Ground::of(case, now) else {
        session.terminal.say("no rules say who may sign here, so there is nothing to sign");
        return Ok(Exit::Done);
    };
    let needs = open_needs(arguments, case, &ground);
    if needs.is_empty() {
        session.terminal.say("nothing of that has to be signed");
        matter.refresh(session, &hold);
        session.terminal.show(&Approvals::of(&matter));
        return Ok(Exit::Done);
    }
    if arguments.print {
        session.terminal.data(&to_sign(&ground, &needs, arguments)?);
        return Ok(Exit::Done);
    }
    let author = matter.author.as_deref();
    let given = match &arguments.signature {
        Some(file) => vec![brought(session, &ground, &needs, file)?],
        None => signed_here(session, &ground, &needs, arguments)?,
    };
    let mut fits = Vec::new();
    let mut refused = Vec::new();
    for (need, mut approval) in given {
        approval.comment.clone_from(&arguments.comment);
        let (sequence, actor) = (hold.ledger.last() + 1, session.actor.clone());
        let recorded = Recorded { sequence, time: now, actor, what: approval };
        match judge::refusal(&ground, need, &recorded, author) {
            None => fits.push(recorded.what),
            Some(why) => refused.push(format!("{} for {}: {why}", need.class.word(), need.part.word())),
        }
    }
    if fits.is_empty() {
        let mut failure = Failure::new(Exit::Unconfirmed, "this signature would not count; nothing was recorded");
        failure.causes = refused;
        return Err(failure);
    }
    let signed = fits.iter().map(SignedView::of).collect();
    let actor = &session.actor;
    let body = |approval| Body::Approved { actor: actor.clone(), approval: Box::new(approval) };
    let bodies = fits.into_iter().map(body).collect();
    hold.secure()?;
    session.wait(hold.ledger.append(now, bodies))?;
    matter.refresh(session, &hold);
    session.terminal.show(&Signed { signed, approvals: Approvals::of(&matter) });
    Ok(Exit::Done)
}

/// What is to be signed, as far as it was asked for; among it what only an owner's signature lifts.
fn open_needs(arguments: &Arguments, case: Case<'_>, ground: &Ground<'_>) -> Vec<Need> {
    let mut needs = demand::needs(case);
    let why = || "it was rejected".to_owned();
    for (part, digest) in demand::parts(case) {
        let is_rejected = digest.is_some_and(|digest| ground.rejection(part, digest).is_some());
        for class in [part.class(), Class::Owner] {
            let is_known = needs.iter().any(|need| (need.class, need.part) == (class, part));
            if is_rejected && !is_known {
                let requirement = ground.rules.required.get(&class).cloned().unwrap_or_else(|| Requirement::of(1));
                needs.push(Need { class, part, digest, why: why(), requirement });
            }
        }
    }
    let is_meant = |need: &Need| {
        arguments.class.is_none_or(|class| class == need.class) && arguments.part.is_none_or(|part| part == need.part)
    };
    needs.retain(is_meant);
    needs
}

/// The message for a need, good for as long as the rules allow.
fn message<'a>(ground: &Ground<'a>, need: &Need, until: Option<jiff::Timestamp>) -> Option<Message<'a>> {
    ground.message(need.class, need.part, need.digest?, until)
}

fn usual_end(ground: &Ground<'_>, need: &Need) -> Option<jiff::Timestamp> {
    need.requirement.expires_seconds.and_then(|seconds| message::until(ground.now, seconds))
}

/// What is to be signed, byte for byte.
///
/// # Errors
/// When it is not one thing.
fn to_sign(ground: &Ground<'_>, needs: &[Need], arguments: &Arguments) -> Result<String, Failure> {
    let [need] = needs else {
        let words: Vec<String> =
            needs.iter().map(|need| format!("--class {} --part {}", need.class.word(), need.part.word())).collect();
        let given = arguments.class.map(|class| format!(" of class {}", class.word())).unwrap_or_default();
        return Err(Failure::usage(format!("{} signatures{given} are needed, each of its own text", needs.len()))
            .help(format!("name one: {}", words.join(", or "))));
    };
    text_of(ground, need).ok_or_else(|| Failure::failed("the ledger is not begun"))
}

/// The text for a need, as `approve --print` prints it.
pub fn text_of(ground: &Ground<'_>, need: &Need) -> Option<String> {
    Some(message(ground, need, usual_end(ground, need))?.text())
}

/// A signature that was made elsewhere, and what it is for: it tells neither its end nor its content, so both are found
/// by trying.
fn brought<'a>(
    session: &Session,
    ground: &Ground<'_>,
    needs: &'a [Need],
    file: &Path,
) -> Result<(&'a Need, Approval), Failure> {
    let shown = file.display();
    #[expect(clippy::disallowed_methods, reason = "signatures are named on the command line")]
    let armoured = std::fs::read_to_string(session.path(file))
        .map_err(|error| Failure::usage(format!("the signature {shown} cannot be read: {error}")))?;
    let refused = |why: String| {
        Failure::new(Exit::Unconfirmed, "this signature would not count; nothing was recorded").cause(why)
    };
    let key = signature::named_key(&armoured).map_err(|wrong| refused(wrong.to_string()))?;
    let (name, _) = ground.owner_of(&key).map_err(refused)?;
    let mut wrong = signature::Wrong::Forged;
    for need in needs {
        let ends: Vec<Option<jiff::Timestamp>> = match need.requirement.expires_seconds {
            Some(seconds) => message::ends(ground.now, seconds).into_iter().map(Some).collect(),
            None => vec![None],
        };
        for until in ends {
            let Some(message) = message(ground, need, until) else { continue };
            match signature::check(&armoured, message.text().as_bytes()) {
                Ok(_) => return Ok((need, approval(name, &message, armoured))),
                Err(why) => wrong = why,
            }
        }
    }
    let failure = refused(match wrong {
        signature::Wrong::Forged => format!("it is not {name}'s signature of what is to be signed now"),
        other => other.to_string(),
    });
    Err(failure.help(
        "print that again with `approve … --print`: a change in it, another ledger or a rejection make another text",
    ))
}

/// Signs with a key at hand all that its owner may sign.
fn signed_here<'a>(
    session: &Session,
    ground: &Ground<'_>,
    needs: &'a [Need],
    arguments: &Arguments,
) -> Result<Vec<(&'a Need, Approval)>, Failure> {
    let may_sign = |key: &Key| {
        let owner = ground.rules.owner_of(key);
        owner.is_some_and(|(_, approver)| needs.iter().any(|need| approver.classes.contains(&need.class)))
    };
    let signer = signer::find(session, arguments.key.as_deref(), may_sign)?;
    let refused = |why: String| {
        Failure::new(Exit::Unconfirmed, "this signature would not count; nothing was recorded").cause(why)
    };
    let (name, approver) = ground.owner_of(signer.key()).map_err(refused)?;
    let mine: Vec<&Need> = needs.iter().filter(|need| approver.classes.contains(&need.class)).collect();
    if mine.is_empty() {
        let classes: Vec<&str> = needs.iter().map(|need| need.class.word()).collect();
        return Err(refused(format!("{name} may not sign as {}", classes.join(", "))));
    }
    let mut given = Vec::new();
    for need in mine {
        let Some(message) = message(ground, need, usual_end(ground, need)) else { continue };
        given.push((need, approval(name, &message, signer.sign(&message.text())?)));
    }
    Ok(given)
}

fn approval(name: &str, message: &Message<'_>, signature: String) -> Approval {
    let Message { class, part, digest, until, rejected, .. } = *message;
    Approval { by: name.to_owned(), class, part, digest, until, rejected, signature, comment: None }
}

impl SignedView {
    fn of(approval: &Approval) -> Self {
        Self {
            by: approval.by.clone(),
            class: approval.class.word(),
            part: approval.part.word(),
            digest: approval.digest.to_string(),
            until: approval.until.map(|until| until.to_string()),
        }
    }
}

impl View for Signed {
    fn text(&self, paint: &dyn Paint) -> String {
        let line = |signed: &SignedView| {
            let until = signed.until.as_ref().map(|until| format!(", good until {until}")).unwrap_or_default();
            format!(
                "signed by {} as {} for {} ({}){until}\n",
                signed.by,
                signed.class,
                signed.part,
                &signed.digest[..12]
            )
        };
        let signed: String = self.signed.iter().map(line).collect();
        signed + &self.approvals.text(paint)
    }
}
