//! The shop's story once more, told by nothing but the commands of the shipped CI files, and by what people do between
//! them: open a merge request, merge, look at staging, push a tag, sign.

use super::{Repository, in_order};
use crate::repository::ci::{Ci, Event, Job};

/// A test of every place.
const TESTS: &str = r#"
run "has_a_cluster" {
  assert {
    condition     = length(output.cluster) > 0
    error_message = "there is no cluster"
  }
}
"#;

/// The same, and something that does not hold.
const WRONG: &str = r#"
run "has_no_cluster" {
  assert {
    condition     = output.cluster == ""
    error_message = "there is a cluster"
  }
}
"#;

/// The shop in front of a CI.
struct Pipeline {
    repository: Repository,
    ci: Ci,
    is_github: bool,
}

impl Pipeline {
    fn new(ci: &str) -> Self {
        let mut repository = Repository::new(ci).in_a_registry();
        let around = Ci::around(&mut repository.shop, ci);
        repository.prod_is_careful();
        // prod takes what the tests of staging have passed: nobody but the jobs runs them.
        repository.shop.write("tests/place.test.hcl", TESTS);
        repository.shop.edit(
            "environments/prod.hcl",
            "  protected = true\n",
            "  protected = true\n  requires_tests = true\n",
        );
        repository.commit("what has to be true");
        around.push("main");
        Self { repository, ci: around, is_github: ci == "github" }
    }

    /// What is said of a job, with the code that its CI takes for its end.
    #[track_caller]
    fn ends(&self, name: &str, job: &Job, codes: [i32; 2]) {
        let code = if self.is_github { codes[0] } else { codes[1] };
        assert_eq!(job.code, code, "{name}: {}", job.text);
    }

    /// A merge request: the review is its comment.
    fn proposed(&self, branch: &str) -> String {
        let variables = [
            ("CI_API_V4_URL", "https://gitlab.example/api/v4"),
            ("CI_PROJECT_ID", "8"),
            ("CI_MERGE_REQUEST_IID", "12"),
            ("SWITCHBACK_GITLAB_TOKEN", "token-of-the-project"),
        ];
        let event = Event { reference: branch, variables: &variables };
        let job = match self.is_github {
            true => self.ci.workflow("switchback-plan", &event).remove("plan").unwrap(),
            false => self.ci.gitlab("plan", &event),
        };
        self.ends("plan", &job, [0, 0]);
        job.calls
    }

    /// A merge: dev is applied, what it verified goes to staging.
    fn merged(&self) {
        let event = Event { reference: "main", variables: &[] };
        match self.is_github {
            true => {
                let jobs = self.ci.workflow("switchback-apply", &event);
                for (name, place) in [("first", "dev"), ("next", "staging")] {
                    self.ends(name, &jobs[name], [0, 0]);
                    in_order(&jobs[name].calls, &[&format!("\"environment\":\"{place}\""), "\"state\":\"success\""]);
                    assert!(jobs[name].summary.contains("verified"), "{}", jobs[name].summary);
                }
            }
            false => {
                for name in ["apply", "next"] {
                    let job = self.ci.gitlab(name, &event);
                    self.ends(name, &job, [0, 0]);
                    assert!(job.text.contains("verified"), "{}", job.text);
                }
            }
        }
    }

    /// A tag was pushed, or the job of one is run again.
    fn pushed(&self, tag: &str) -> Job {
        let variables = [("GITHUB_REF_NAME", tag), ("CI_COMMIT_TAG", tag)];
        let event = Event { reference: tag, variables: &variables };
        match self.is_github {
            true => self.ci.workflow("switchback-promote", &event).remove("promote").unwrap(),
            false => self.ci.gitlab("promote", &event),
        }
    }

    /// The job ends well and waits, and prod is as it was.
    #[track_caller]
    fn waits(&self, job: &Job, why: &str) {
        self.ends("promote", job, [0, 9]);
        assert!(job.text.contains(why), "{why}: {}", job.text);
        if self.is_github {
            in_order(&job.calls, &["\"environment\":\"prod\"", "\"state\":\"pending\""]);
            assert!(!job.calls.contains("\"state\":\"success\""), "{}", job.calls);
        }
    }

    /// Somebody has seen it in staging.
    fn accepted(&self) {
        let listed = self.repository.shop.ok(&["release", "list", "staging", "--json"]).json();
        let release = listed["releases"].as_array().unwrap().last().unwrap()["id"].as_str().unwrap().to_owned();
        self.repository.types(0, &format!("release accept {release} --in staging --as uat --note seen"));
    }

    /// Dora signs the plan that the job has uploaded, where she has nothing but that.
    fn signed(&self) {
        let key = self.repository.shop.path("keys/dora").display().to_string();
        let mut command = self.repository.shop.command(&["approve", "prod.plan.json", "--key", &key]);
        let output = command.current_dir(self.ci.artifacts()).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }

    /// From a tag that was pushed to prod.
    fn to_prod(&self, tag: &str) {
        self.ci.tag(tag);
        self.waits(&self.pushed(tag), "was not accepted as uat");
        self.accepted();
        self.waits(&self.pushed(tag), "signatures are missing");
        self.signed();
        let job = self.pushed(tag);
        self.ends("promote", &job, [0, 0]);
        assert!(job.text.contains("verified"), "{}", job.text);
        if self.is_github {
            in_order(&job.calls, &["\"environment\":\"prod\"", "\"state\":\"success\""]);
            assert!(job.summary.contains("as in staging"), "{}", job.summary);
        }
    }

    /// What the nightly job comes to, in each place.
    fn is_as_it_was_applied(&self) {
        for place in ["dev", "staging", "prod"] {
            let variables = [("SWITCHBACK_ENVIRONMENT", place)];
            let event = Event { reference: "main", variables: &variables };
            if !self.is_github {
                self.ends(place, &self.ci.gitlab("drift", &event), [0, 0]);
            }
        }
        if self.is_github {
            let jobs = self.ci.workflow("switchback-drift", &Event { reference: "main", variables: &[] });
            assert_eq!(jobs.len(), 3);
            jobs.iter().for_each(|(label, job)| self.ends(label, job, [0, 0]));
        }
    }

    fn runs(&self, image: &str) {
        for place in ["dev", "staging", "prod"] {
            let name = format!("{}-web", self.repository.shop.place(place).name);
            let words = ["ecs", "describe-task-definition", "--task-definition", &name];
            let there = self.repository.shop.stack().aws(&words);
            assert_eq!(there["taskDefinition"]["containerDefinitions"][0]["image"], image, "{place}");
        }
    }

    /// What is done stands, the job fails, and nothing goes on to prod.
    fn a_test_that_does_not_pass_fails_the_job(&self) {
        self.repository.shop.write("tests/wrong.test.hcl", WRONG);
        self.repository.commit("something is expected that is not so");
        self.ci.push("main");
        let event = Event { reference: "main", variables: &[] };
        let job = match self.is_github {
            true => self.ci.workflow("switchback-apply", &event).remove("first").unwrap(),
            false => self.ci.gitlab("apply", &event),
        };
        self.ends("apply", &job, [1, 1]);
        assert!(job.text.contains("there is a cluster"), "{}", job.text);
        let said = if self.is_github { &job.calls } else { &job.text };
        assert!(said.contains("done and verified, but its tests do not pass"), "{said}");
        if self.is_github {
            in_order(&job.calls, &["\"environment\":\"dev\"", "\"state\":\"failure\""]);
            assert!(job.summary.contains("there is a cluster"), "{}", job.summary);
        }
    }

    fn story(&self) {
        self.merged();
        self.to_prod("v1.0.0");
        self.runs(self.repository.run[0]);
        // A change: what it will do stands in the merge request, before anything of it is done.
        self.ci.git(&["switch", "--quiet", "--create", "display-name"]);
        self.repository.second();
        self.ci.push("display-name");
        let comment = self.proposed("display-name");
        let (_, digest) = self.repository.run[1].split_once('@').expect("it is named by its content");
        assert!(comment.contains(&format!(":2.0.0 → {digest}")), "{comment}");
        in_order(&comment, &["V10__require_display_name", "aws_ecs_service.this", "V11__drop_fullname"]);
        self.runs(self.repository.run[0]);
        self.ci.git(&["switch", "--quiet", "main"]);
        self.ci.git(&["merge", "--quiet", "--ff-only", "display-name"]);
        self.ci.push("main");
        self.merged();
        self.to_prod("v2.0.0");
        self.runs(self.repository.run[1]);
        self.is_as_it_was_applied();
        // A tag that somebody moved is refused, although what it named is in force.
        self.ci.git(&["tag", "--force", "--annotate", "--message", "moved", "v2.0.0", "HEAD~1"]);
        self.ci.push("v2.0.0");
        let moved = self.pushed("v2.0.0");
        self.ends("promote", &moved, [1, 1]);
        assert!(moved.text.contains("v2.0.0") && moved.text.contains("moved"), "{}", moved.text);
        let told = self.repository.types(0, "history prod").err;
        in_order(&told, &["of staging, by tag v1.0.0", "of staging, by tag v2.0.0"]);
        in_order(&self.repository.types(0, "history staging").err, &["of dev", "accepted as uat", "of dev"]);
        for place in ["dev", "staging", "prod"] {
            let told = self.repository.types(0, &format!("history {place}")).err;
            assert!(told.contains("tests: 1 passed"), "{told}");
        }
        self.a_test_that_does_not_pass_fails_the_job();
        self.repository.types(0, "history prod --verify");
    }
}

#[test]
fn the_files_for_github_take_the_shop_to_prod() {
    Pipeline::new("github").story();
}

#[test]
fn the_file_for_gitlab_takes_the_shop_to_prod() {
    Pipeline::new("gitlab").story();
}
