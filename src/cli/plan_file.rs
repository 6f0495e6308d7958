//! Saved change sets, with what was proved of them. An edge.
//!
//! Invariant: what is read back is exactly what was written, by digest, or is refused; only its owner reads it.

use std::collections::BTreeMap;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::failure::Failure;
use super::{aged, whole_file};
use crate::digest::Digest;
use crate::ledger::Actor;
use crate::migration::certificate::Evidence;
use crate::rehearse::target::Targets;
use crate::release::promotion::Promotion;
use crate::review::grounds::Grounds;
use crate::review::signing::Signing;
use crate::risk::Risks;
use crate::rules::Findings;
use crate::rules::policy::Policy;
use crate::step::{self, ChangeSet};

/// The version of the form that this build writes, and the newest that it reads.
pub const FORMAT: u32 = 3;

/// The end of the names that are taken for plan files in the place of an environment.
pub const ENDING: &str = ".plan.json";

/// A saved change set.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PlanFile {
    /// The version of this form.
    pub format: u32,
    /// The version of the tool that wrote it.
    pub tool: String,
    /// The digest of the change set.
    pub digest: Digest,
    /// The change set.
    pub change_set: ChangeSet,
    /// Who made it; files of older forms do not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub author: Option<Actor>,
    /// The digest of the change set together with who made it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub authored: Option<Digest>,
    /// The digest of the change set together with the evidence; files of form 1 have neither.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub proved: Option<Digest>,
    /// What rehearsals proved.
    #[serde(default, skip_serializing_if = "Evidence::is_empty")]
    pub evidence: Evidence,
    /// The digest of what the databases said and what was made of that: they say another thing a minute later, so it is one
    /// by itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub told: Option<Digest>,
    /// What the databases said.
    #[serde(default, skip_serializing_if = "Targets::is_empty")]
    pub targets: Targets,
    /// What its migrations were estimated to cost.
    #[serde(default, skip_serializing_if = "Risks::is_empty")]
    pub risks: Risks,
    /// What the rules had to say.
    #[serde(default, skip_serializing_if = "Findings::is_empty")]
    pub findings: Findings,
    /// What the house asks of it, so that whoever applies it can be asked again.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub policies: Vec<Policy>,
    /// The release that it brings from another environment, and what is known of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub promotion: Option<Box<Promotion>>,
    /// The digest of that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub promoted: Option<Digest>,
    /// The encrypted files that it was made with, by their digests.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub aged: BTreeMap<String, Digest>,
}

/// What every version of the form has.
#[derive(Deserialize)]
struct Head {
    format: u32,
    #[serde(default)]
    tool: String,
    #[serde(default)]
    change_set: ChangeSetHead,
}

/// What every version of a change set has.
#[derive(Default, Deserialize)]
struct ChangeSetHead {
    #[serde(default)]
    format: u32,
}

impl PlanFile {
    /// A change set to be saved, and what its review rests on; who signed it stands in the ledger.
    pub fn new(change_set: ChangeSet, grounds: Grounds) -> Self {
        let Grounds { evidence, targets, risks, findings, policies, promotion, signing: _ } = grounds;
        let (tool, digest) = (env!("CARGO_PKG_VERSION").to_owned(), change_set.digest());
        let proved = Some(proved(&digest, &evidence));
        let told = told(FORMAT, &targets, &risks, &findings, &policies);
        let (author, authored) = (None, None);
        let promoted = promotion.as_ref().map(|promotion| promoted(&digest, promotion));
        Self {
            format: FORMAT,
            tool,
            digest,
            change_set,
            author,
            authored,
            proved,
            evidence,
            told,
            targets,
            risks,
            findings,
            policies,
            promotion,
            promoted,
            aged: BTreeMap::new(),
        }
    }

    /// The same, for the encrypted files below this folder as they are now.
    #[must_use]
    pub fn pinned(self, folder: &Path) -> Self {
        let aged = aged::pins(&self.change_set, folder);
        Self { aged, ..self }
    }

    /// The same, and who made it.
    #[must_use]
    pub fn by(self, author: &Actor) -> Self {
        let authored = Some(authored(&self.digest, author));
        Self { author: Some(author.clone()), authored, ..self }
    }

    /// The change set, and what its review rests on.
    pub fn take(self) -> (ChangeSet, Grounds) {
        let Self { change_set, evidence, targets, risks, findings, policies, promotion, .. } = self;
        let signing = Signing::default();
        (change_set, Grounds { evidence, targets, risks, findings, policies, promotion, signing })
    }

    /// Writes it whole or not at all, readable by its owner only.
    ///
    /// # Errors
    /// When the folder cannot be written.
    pub fn write(&self, path: &Path) -> Result<(), Failure> {
        let mut text = serde_json::to_vec(self).expect("change sets hold no secrets");
        text.push(b'\n');
        whole_file::write(path, &text).map_err(|error| {
            Failure::failed(format!("the plan cannot be saved as {}: {error}", path.display()))
                .help("see that the folder is there and may be written, and that the disk has room")
        })
    }

    /// Reads it back.
    ///
    /// # Errors
    /// When it is not there, no plan, of a newer version, or altered.
    pub fn read(path: &Path) -> Result<Self, Failure> {
        #[expect(clippy::disallowed_methods, reason = "plan files are read by the command line itself")]
        let text = std::fs::read(path)
            .map_err(|error| Failure::usage(format!("the plan {} cannot be read: {error}", path.display())))?;
        Self::parse(&text, &path.display().to_string())
    }

    fn parse(text: &[u8], name: &str) -> Result<Self, Failure> {
        let again = "make a new one with `plan ENV --out FILE`";
        let no_plan = |error: serde_json::Error| {
            Failure::failed(format!("{name} is not a plan that was saved by switchback"))
                .cause(error.to_string())
                .help(again)
        };
        let head: Head = serde_json::from_slice(text).map_err(no_plan)?;
        // Before the whole is read: what is newer may not even look like what we know.
        let newer = [
            (head.format, FORMAT, name.to_owned()),
            (head.change_set.format, step::FORMAT, format!("the change set in {name}")),
        ];
        if let Some((found, known, what)) = newer.into_iter().find(|(found, known, _)| found > known) {
            let tool = head.tool;
            return Err(Failure::failed(format!("{what} has form {found}, this build reads forms up to {known}"))
                .help(format!("it was written by switchback {tool}: use that version or a newer one, or plan again")));
        }
        let file: Self = serde_json::from_slice(text).map_err(no_plan)?;
        let found = file.change_set.digest();
        if found != file.digest {
            return Err(Failure::failed(format!("{name} was altered after it was saved"))
                .cause(format!("its change set has the digest {}, it says {}", found.short(), file.digest.short()))
                .help(again));
        }
        if file.authored != file.author.as_ref().map(|author| authored(&file.digest, author)) {
            return Err(Failure::failed(format!("{name} was altered after it was saved"))
                .cause("who made it is not who it says")
                .help(again));
        }
        let found = proved(&file.digest, &file.evidence);
        let is_whole =
            file.proved == Some(found) || (file.format < 2 && file.proved.is_none() && file.evidence.is_empty());
        if !is_whole {
            return Err(Failure::failed(format!("{name} was altered after it was saved"))
                .cause("its evidence is not that of its change set")
                .help(again));
        }
        if file.told != told(file.format, &file.targets, &file.risks, &file.findings, &file.policies) {
            return Err(Failure::failed(format!("{name} was altered after it was saved"))
                .cause("what it says of its databases is not what they said")
                .help(again));
        }
        if !file.has_its_release() {
            return Err(Failure::failed(format!("{name} was altered after it was saved"))
                .cause("its release is not the one that its change set brings")
                .help(again));
        }
        Ok(file)
    }

    /// Whether the release is the one that the change set brings, whole, and nothing that is known of it was altered.
    fn has_its_release(&self) -> bool {
        let carried = self.change_set.release.as_ref();
        let brought = carried.filter(|carried| carried.from.is_some()).map(|carried| carried.id);
        let is_whole = |promotion: &Promotion| promotion.parcel.is_whole();
        self.promotion.as_ref().map(|promotion| promotion.parcel.release.id()) == brought
            && self.promotion.as_deref().is_none_or(is_whole)
            && self.promoted == self.promotion.as_ref().map(|promotion| promoted(&self.digest, promotion))
    }
}

/// The digest of what databases said, and of what was made of that; there was nothing but the first before form 3.
fn told(format: u32, targets: &Targets, risks: &Risks, findings: &Findings, policies: &[Policy]) -> Option<Digest> {
    let is_empty = targets.is_empty() && risks.is_empty() && findings.is_empty() && policies.is_empty();
    (!is_empty).then(|| match format {
        0..=2 => Digest::of_json(targets),
        _ if !policies.is_empty() => Digest::of_json(&(targets, risks, findings, policies)),
        _ => Digest::of_json(&(targets, risks, findings)),
    })
}

/// The digest of a change set together with what is known of its release.
fn promoted(change_set: &Digest, promotion: &Promotion) -> Digest {
    Digest::of_json(&(change_set, promotion))
}

/// The digest of a change set together with who made it.
fn authored(change_set: &Digest, author: &Actor) -> Digest {
    Digest::of_json(&(change_set, author))
}

/// The digest of a change set together with what was proved of it.
fn proved(change_set: &Digest, evidence: &Evidence) -> Digest {
    Digest::of_json(&(change_set, evidence))
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "tests make their own files")]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::cli::exit::Exit;

    fn plan() -> PlanFile {
        let certificates = BTreeMap::from([(7, crate::rehearse::not_rehearsed("no extension"))]);
        let evidence = Evidence(BTreeMap::from([("database.app".parse().unwrap(), certificates)]));
        let targets = crate::review::tests::targets();
        PlanFile::new(crate::review::tests::sample(), Grounds { evidence, targets, ..Grounds::default() })
    }

    fn saved() -> (tempfile::TempDir, std::path::PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.plan.json");
        plan().write(&path).unwrap();
        (folder, path)
    }

    #[test]
    fn what_was_saved_comes_back() {
        let (_folder, path) = saved();
        assert_eq!(PlanFile::read(&path).unwrap(), plan());
    }

    #[test]
    fn what_databases_say_changes_neither_digest() {
        let (said, silent) =
            (plan(), PlanFile::new(plan().change_set, Grounds { evidence: plan().evidence, ..Grounds::default() }));
        assert_eq!((said.digest, said.proved), (silent.digest, silent.proved));
        assert!(said.told.is_some() && silent.told.is_none());
    }

    #[test]
    fn a_plan_of_the_first_form_is_still_read_and_proves_nothing() {
        let change_set = crate::review::tests::sample();
        let old = serde_json::json!({
            "format": 1, "tool": "0.1.0", "digest": change_set.digest(), "change_set": change_set,
        });
        let read = PlanFile::parse(old.to_string().as_bytes(), "a.plan.json").unwrap();
        assert_eq!((read.change_set, read.evidence), (change_set, Evidence::default()));
    }

    #[cfg(unix)]
    #[test]
    fn only_its_owner_reads_it_and_nothing_lies_beside() {
        use std::os::unix::fs::PermissionsExt as _;
        let (folder, path) = saved();
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[cfg(unix)]
    #[test]
    fn a_pipe_stays_a_pipe_and_a_link_a_link() {
        let (folder, path) = saved();
        let (pipe, link) = (folder.path().join("pipe"), folder.path().join("link.plan.json"));
        rustix::fs::mknodat(
            rustix::fs::CWD,
            &pipe,
            rustix::fs::FileType::Fifo,
            rustix::fs::Mode::RUSR | rustix::fs::Mode::WUSR,
            0,
        )
        .unwrap();
        std::os::unix::fs::symlink(&path, &link).unwrap();
        let reading = pipe.clone();
        let reader = std::thread::spawn(move || std::fs::read(reading).unwrap());
        let plan = plan();
        plan.write(&pipe).unwrap();
        assert_eq!(PlanFile::parse(&reader.join().unwrap(), "pipe").unwrap(), plan);
        std::fs::remove_file(&path).unwrap();
        std::fs::write(&path, "old").unwrap();
        plan.write(&link).unwrap();
        assert!(link.is_symlink());
        assert_eq!(PlanFile::read(&path).unwrap(), plan);
    }

    #[test]
    fn what_was_altered_or_is_newer_or_no_plan_is_refused() {
        let (_folder, path) = saved();
        let text = String::from_utf8(std::fs::read(&path).unwrap()).unwrap();
        let refused = |text: &str| PlanFile::parse(text.as_bytes(), "a.plan.json").unwrap_err();
        let altered = refused(&text.replace("drop_email", "drop_phone"));
        assert!(altered.summary.contains("was altered"), "{altered:?}");
        let proof = refused(&text.replace("no extension", "on PostgreSQL"));
        assert!(proof.summary.contains("was altered") && proof.causes[0].contains("evidence"), "{proof:?}");
        let without = refused(&text.replace("\"evidence\"", "\"other\""));
        assert!(without.summary.contains("was altered"), "{without:?}");
        let told = refused(&text.replace("\"seconds\":5.3", "\"seconds\":0.1"));
        assert!(told.summary.contains("was altered") && told.causes[0].contains("databases"), "{told:?}");
        let untold = refused(&text.replace("\"targets\"", "\"other\""));
        assert!(untold.summary.contains("was altered"), "{untold:?}");
        let newer = refused(r#"{"format": 9, "tool": "7.1.0", "something": "else"}"#);
        assert!(newer.help[0].contains("7.1.0"), "{newer:?}");
        let inside = refused(r#"{"format": 1, "tool": "7.2.0", "change_set": {"format": 9, "dreams": []}}"#);
        assert!(inside.summary.contains("form 9") && inside.help[0].contains("7.2.0"), "{inside:?}");
        assert!(refused("{}").summary.contains("is not a plan"));
        assert_eq!(refused("").exit, Exit::Failed);
    }
}
