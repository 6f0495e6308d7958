//! The comment by which a role or database of ours is known again after a crash. Pure.
//!
//! Invariant: a tag names environment, address and the idempotency token of the effect that wrote it last.

use crate::world::Effect;

/// The comment that an effect leaves.
pub fn comment(effect: &Effect) -> String {
    format!("switchback: environment={} address={} token={}", effect.environment, effect.address, effect.token)
}

/// Whether a comment was left by just this effect.
pub fn is_of(comment: Option<&str>, effect: &Effect) -> bool {
    comment == Some(self::comment(effect).as_str())
}

/// Whether a comment is a tag at all.
pub fn is_tag(comment: &str) -> bool {
    comment.starts_with("switchback: ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::address::Address;
    use crate::value::Object;
    use crate::world::EffectChange;

    #[test]
    fn a_tag_knows_its_effect() {
        let mut effect = Effect {
            token: "abc".to_owned(),
            fence: crate::world::Fence::open(),
            environment: "dev".to_owned(),
            address: Address::root("postgres_role", "app"),
            kind: "postgres_role".to_owned(),
            change: EffectChange::Delete { before: Object::new() },
        };
        let text = comment(&effect);
        assert_eq!(text, "switchback: environment=dev address=postgres_role.app token=abc");
        assert!(is_tag(&text) && is_of(Some(&text), &effect));
        effect.token = "abd".to_owned();
        assert!(!is_of(Some(&text), &effect) && !is_of(None, &effect));
    }
}
