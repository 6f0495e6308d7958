//! `switchback migrate new`: the files of the next migration, in the layout of the folder; empty ones, or those that
//! lead to a wanted schema.
//!
//! Invariant: a file that is there is never written over.

use std::io::Write as _;
use std::path::Path;

use serde::Serialize;

use super::own_folder;
use super::place::{FolderArguments, shown, with_files};
use super::proposing::{self, Proposed, Texts};
use super::rehearsal::ServerArguments;
use crate::cli::exit::Exit;
use crate::cli::failure::Failure;
use crate::cli::session::{Session, quoted};
use crate::cli::terminal::View;
use crate::migration::Migration;
use crate::migration::layout::Layout;
use crate::review::text::Paint;

const AFTER_HELP: &str = "\
Examples:
  switchback migrate new add_email                           an empty pair of files to write in
  switchback migrate new add_email --from-schema schema.sql  from what the folder makes to there
  switchback migrate new catch_up --from-schema postgres://me@localhost/dev
  switchback migrate new begin --from-schema postgres://me@prod/shop      the first one
  switchback migrate new catch_up --from-schema schema.sql --url postgres://me@prod/shop

Without `--dir` the files go into the folder that the project's spec names; where it names several,
they are listed and nothing is written. Without a spec it is `./migrations`.

With `--from-schema` both schemas are made on a throw-away PostgreSQL: the present one by running
the folder from nothing (with `--url`: by a dump of that database), the wanted one from the SQL
file or the database. The difference is written as a migration and its way back, and both are run
there: whether they lead where they should is said by a comparison of the whole catalog. What is
left is printed and stands in the file; what costs data is marked `-- drops data`. A rename looks
like a drop and an addition, and is marked: nothing guesses here. Owners are not compared.

Exit code 1 if the way there, or the way back, does not lead exactly there; an order of columns
that PostgreSQL cannot change is told and is no failure. When the schemas are the same, no file is
written.";

/// Write the files of the next migration
#[derive(clap::Args)]
#[command(after_help = AFTER_HELP)]
pub struct Arguments {
    /// What it does, in a word or a few, as `add_email`
    #[arg(value_name = "NAME")]
    name: String,
    #[command(flatten)]
    folder: FolderArguments,
    /// Propose what leads to the schema of this SQL file or database
    #[arg(long, value_name = "FILE|URL")]
    from_schema: Option<String>,
    /// The database whose schema is the present one, in the place of what the folder makes
    #[arg(long, value_name = "URL", requires = "from_schema")]
    url: Option<String>,
    #[command(flatten)]
    server: ServerArguments,
}

impl std::fmt::Debug for Arguments {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // The URLs may hold passwords.
        formatter.debug_struct("Arguments").field("name", &self.name).finish_non_exhaustive()
    }
}

#[derive(Serialize)]
struct Made {
    layout: &'static str,
    files: Vec<String>,
}

impl View for Made {
    fn text(&self, _paint: &dyn Paint) -> String {
        self.files.iter().map(|file| format!("{file}\n")).collect()
    }
}

/// Runs the verb.
///
/// # Errors
/// When the name is none, the folder has mistakes, or a file cannot be written.
pub fn run(arguments: &Arguments, session: &Session) -> Result<Exit, Failure> {
    let name: String =
        arguments.name.trim().chars().map(|letter| if letter.is_alphanumeric() { letter } else { '_' }).collect();
    let name = name.trim_matches('_').to_owned();
    if name.is_empty() {
        return Err(Failure::usage("the name of a migration is made of letters, digits and `_`"));
    }
    let place = own_folder::meant(session, &arguments.folder, &name)?;
    let folder = place.path(session);
    std::fs::create_dir_all(&folder)
        .map_err(|error| Failure::failed(format!("{} cannot be made: {error}", folder.display())))?;
    let (layout, there) = place.read(session, &[])?;
    let Some(wanted) = &arguments.from_schema else {
        let files = write(session, &folder, (layout, &there), &name, None)?;
        if there.is_empty() {
            for below in with_files(&folder) {
                let (folder, below) = (shown(session, &folder), shown(session, &below));
                let other = session.command(&format!("migrate new {name} --dir {below}"));
                session.terminal.say(&format!("{folder} had no migration, {below} has some; to write there: {other}"));
            }
        }
        session.terminal.show(&Made { layout: layout.name(), files });
        let dir = shown(session, &folder);
        let dir = if dir == "migrations" { String::new() } else { format!(" --dir {}", quoted(&dir)) };
        let rehearse = session.command(&format!("migrate rehearse --all{dir}"));
        session.terminal.say(&format!("write the SQL of both ways there, then prove them:  {rehearse}"));
        return Ok(Exit::Done);
    };
    let of = (&**wanted, arguments.url.as_deref());
    let proposal = proposing::propose(session, of, there.clone(), &arguments.server)?;
    let files = match proposal.is_same {
        true => Vec::new(),
        false => {
            let texts = proposing::texts(&proposal, wanted);
            write(session, &folder, (layout, &there), &name, Some(&texts))?
        }
    };
    let result = proposing::result(&proposal);
    session.terminal.show(&Proposed { layout: layout.name(), files, result, proposal });
    Ok(result)
}

/// Writes the files, and gives their paths.
fn write(
    session: &Session,
    folder: &Path,
    (layout, there): (Layout, &[Migration]),
    name: &str,
    texts: Option<&Texts>,
) -> Result<Vec<String>, Failure> {
    let stamp = session.world.clock.now().strftime("%Y%m%d%H%M%S").to_string();
    let made = match texts {
        None => layout.next(there, name, &stamp),
        Some(Texts { up, down }) => layout.next_with(there, name, &stamp, (up, down)),
    };
    let mut files = Vec::new();
    for file in made {
        let path = folder.join(&file.name);
        let written = std::fs::File::create_new(&path).and_then(|mut made| made.write_all(file.text.as_bytes()));
        written.map_err(|error| Failure::failed(format!("{} cannot be written: {error}", path.display())))?;
        files.push(shown(session, &path));
    }
    Ok(files)
}
