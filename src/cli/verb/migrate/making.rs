//! `switchback migrate new`: the files of the next migration, in the layout of the folder.

use std::io::Write as _;

use serde::Serialize;

use super::place::{FolderArguments, shown};
use crate::cli::exit::Exit;
use crate::cli::failure::Failure;
use crate::cli::session::Session;
use crate::cli::terminal::View;
use crate::review::text::Paint;

/// Write the files of the next migration
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// What it does, in a word or a few, as `add_email`
    #[arg(value_name = "NAME")]
    name: String,
    #[command(flatten)]
    folder: FolderArguments,
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
    if name.trim_matches('_').is_empty() {
        return Err(Failure::usage("the name of a migration is made of letters, digits and `_`"));
    }
    let folder = arguments.folder.path(session);
    std::fs::create_dir_all(&folder)
        .map_err(|error| Failure::failed(format!("{} cannot be made: {error}", folder.display())))?;
    let layout = arguments.folder.layout(session, &[])?;
    let there = arguments.folder.load(session, layout)?;
    let stamp = session.world.clock.now().strftime("%Y%m%d%H%M%S").to_string();
    let mut files = Vec::new();
    for file in layout.next(&there, &name, &stamp) {
        let path = folder.join(&file.name);
        let written = std::fs::File::create_new(&path).and_then(|mut made| made.write_all(file.text.as_bytes()));
        written.map_err(|error| Failure::failed(format!("{} cannot be written: {error}", path.display())))?;
        files.push(shown(session, &path));
    }
    session.terminal.show(&Made { layout: layout.name(), files });
    Ok(Exit::Done)
}
