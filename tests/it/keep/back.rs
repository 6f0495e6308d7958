//! What a way back would drop is set aside, and comes back when the migration is run again.

use switchback::migration::{Migration, keep};

use super::{ground, lines, purge};
use crate::postgres::{down, migration, up, value};

fn kept_back(migration: &Migration) -> Migration {
    let kept = keep::kept_on_the_way_back(migration).expect("it drops something");
    Migration { kept: Some(Box::new(kept)), ..migration.clone() }
}

#[tokio::test]
async fn what_was_written_since_is_there_again() {
    let (url, client) =
        ground("kept_back", "create table t (id int primary key); insert into t select generate_series(1, 1000)").await;
    let begin = lines(&url).await;
    let plain = migration(
        7,
        "grow",
        "alter table t add place text not null default 'here';\ncreate index places on t (place);\ncreate table notes (id serial primary key, t int references t, note text);\ncomment on column t.place is 'where'",
        Some("drop table notes;\ndrop index places;\nalter table t drop column place"),
    );
    up(&url, &plain).await;
    client
        .batch_execute("update t set place = 'p' || id; insert into notes (t, note) select id, 'n' || id from t; create index mine on notes (note)")
        .await
        .unwrap();
    let sums = "select md5((select string_agg(x::text, '' order by id) from t x) || (select string_agg(x::text, '' order by id) from notes x))";
    let (full, sum) = (lines(&url).await, value(&url, sums).await);
    let back = kept_back(&plain);
    for _ in 0..2 {
        down(&url, &back).await;
        assert_eq!(
            value(
                &url,
                "select count(*) from pg_class where relname = 'notes' and relnamespace = 'public'::regnamespace"
            )
            .await,
            "0"
        );
        client.batch_execute("insert into t values (5000); delete from t where id = 5000").await.unwrap();
        up(&url, &back).await;
        assert_eq!((&full, &sum), (&lines(&url).await, &value(&url, sums).await));
    }
    down(&url, &back).await;
    purge(&url, &back).await;
    assert_eq!(begin, lines(&url).await);
}
