//! `pin_images` and `follow_tags` of an `environment` block. Pure.
//!
//! Invariant: a word that is not known is a mistake, and pins as if nothing had been said.

use super::body::Body;
use super::settings::Plain;
use crate::diagnostic::{Diagnostic, Diagnostics};
use crate::release::image::{Pinned, Pinning};
use crate::suggest::did_you_mean;

const WORDS: [(&str, Pinned); 3] = [("ecr", Pinned::Ecr), ("off", Pinned::Off), ("required", Pinned::Required)];

/// Reads which images are named by their content.
pub(super) fn read(body: &Body, diagnostics: &mut Diagnostics) -> Pinning {
    let mut plain = Plain { body, diagnostics };
    let (word, follow) = (plain.text("pin_images"), plain.truth("follow_tags").unwrap_or(false));
    let Some(word) = word else { return Pinning { follow, ..Pinning::default() } };
    let known = WORDS.iter().find(|(known, _)| *known == word).map(|(_, which)| *which);
    let span = |name: &str| body.expr(name).map(|expr| expr.span);
    if known.is_none() {
        let words = WORDS.iter().map(|(word, _)| *word);
        diagnostics.push(
            Diagnostic::error("images are not pinned like that")
                .at(span("pin_images"))
                .detail(format!("`pin_images` is `{word}`"))
                .help(did_you_mean(&word, words, "write `ecr`, `required` or `off`")),
        );
    }
    let which = known.unwrap_or_default();
    if follow && which == Pinned::Off {
        diagnostics.push(
            Diagnostic::error("no tag is followed where no image is pinned")
                .at(span("follow_tags"))
                .detail("`follow_tags` asks what a tag stands for, and `pin_images = \"off\"` never asks")
                .help("remove one of the two"),
        );
    }
    Pinning { which, follow }
}
