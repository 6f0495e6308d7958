//! What was let go and is taken in again, or whose address is another thing's: the stories that the law found.
//!
//! Invariant: each is told by its steps alone.

use std::collections::BTreeMap;

use super::{Place, Spec, address, block_on};

#[test]
fn what_was_imported_twice_is_one_thing_on_the_way_forth_as_well() {
    block_on(async {
        let place = Place::new();
        place.world.make("there", 7);
        place.reach(&Spec::with(&[("b", "there", 8)]).importing("b", "there"), "first").await;
        let (first, world) = (place.recorded().await, place.world.snapshot());
        place.reach(&Spec::default().leaving("b"), "let go").await;
        place.reach(&Spec::with(&[("b", "there", 8)]).importing("b", "there"), "second").await;
        let second = place.recorded().await;
        place.reach(&Spec::with(&[("c", "there", 8)]).moving("b", "c"), "renamed").await;
        place.reach(&Spec::default(), "removed").await;
        assert_eq!(place.back(1, "before it was let go").await, ["move fake_thing.b", "create fake_thing.b"]);
        assert_eq!((place.recorded().await, place.world.snapshot()), (first.clone(), world.clone()));
        // It was there and not ours: nothing of the second import is owed once more.
        assert_eq!(place.back(2, "forth to where it was let go").await, ["forget fake_thing.b"]);
        assert_eq!((place.recorded().await.len(), place.world.snapshot()), (0, world.clone()));
        place.back(3, "forth to the second import").await;
        assert_eq!((place.recorded().await, place.world.snapshot()), (second, world.clone()));
        place.back(1, "and back").await;
        assert_eq!((place.recorded().await, place.world.snapshot()), (first, world));
    });
}

#[test]
fn what_was_let_go_stays_known_though_its_address_is_anothers() {
    block_on(async {
        let place = Place::new();
        let mut spec = Spec::with(&[("a", "n1", 1), ("b", "n2", 2)]);
        spec.nodes.get_mut(&address("b")).unwrap().link = Some(address("a"));
        place.reach(&spec, "first").await;
        let (start, world) = (place.recorded().await, place.world.snapshot());
        place.reach(&Spec::with(&[("a", "n1", 1)]).leaving("b"), "let go").await;
        place.reach(&Spec::default().leaving("a"), "and what it needs").await;
        let all = Spec::with(&[("a", "n3", 3), ("b", "n4", 4)]);
        place.reach(&all, "both addresses are taken").await;
        let (last, later) = (place.recorded().await, place.world.snapshot());
        place.back(1, "back").await;
        assert_eq!((place.recorded().await, place.world.snapshot()), (start, world));
        place.back(4, "forth").await;
        assert_eq!((place.recorded().await, place.world.snapshot()), (last, later));
        place.back(0, "to before everything, each after what needs it").await;
        assert_eq!(place.world.snapshot(), BTreeMap::new());
    });
}

#[test]
fn what_is_taken_up_from_an_earlier_time_is_recorded_as_it_is_now() {
    block_on(async {
        let place = Place::new();
        place.world.make("there", 1);
        let spec = Spec::with(&[("a", "there", 2)]).importing("a", "there");
        place.reach(&spec, "imported and changed").await;
        let first = place.recorded().await;
        assert_eq!(place.back(0, "back").await, ["update fake_thing.a", "forget fake_thing.a"]);
        place.reach(&spec, "once more").await;
        assert_eq!(place.back(1, "the same").await, ["forget fake_thing.a", "take up fake_thing.a"]);
        assert_eq!(place.recorded().await, first);
    });
}

#[test]
fn what_was_left_to_others_is_made_again_though_another_thing_was_made_in_its_place() {
    block_on(async {
        let place = Place::new();
        place.reach(&Spec::with(&[("a", "n1", 1)]), "first").await;
        place.reach(&Spec::default(), "removed").await;
        place.reach(&Spec::with(&[("b", "n2", 2)]), "another").await;
        place.reach(&Spec::with(&[("a", "n2", 2)]).moving("b", "a"), "renamed").await;
        place.reach(&Spec::default().leaving("a"), "let go").await;
        let world = place.world.snapshot();
        place.back(1, "the first has its address").await;
        assert_eq!(place.world.snapshot().keys().collect::<Vec<_>>(), ["n1"]);
        place.back(5, "forth").await;
        assert_eq!((place.recorded().await.len(), place.world.snapshot()), (0, world));
    });
}
