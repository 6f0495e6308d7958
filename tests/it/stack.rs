//! The local stack that the tests share.
//!
//! Invariant: a test that needs it fails where it is missing; none is skipped.

use std::sync::OnceLock;

/// Where the local stack answers.
pub struct Stack {
    aws: String,
}

impl Stack {
    /// The URL of the AWS endpoint.
    pub fn aws_endpoint(&self) -> String {
        self.aws.clone()
    }
}

/// The one stack of this run.
pub fn shared() -> &'static Stack {
    static STACK: OnceLock<Stack> = OnceLock::new();
    STACK.get_or_init(|| {
        #[expect(clippy::disallowed_methods, reason = "a stand-in until the stack is started here")]
        let aws = std::env::var("SWITCHBACK_AWS_ENDPOINT").expect("SWITCHBACK_AWS_ENDPOINT names the AWS endpoint");
        Stack { aws }
    })
}
