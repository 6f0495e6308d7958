-- A schema with something of every kind that is proposed.
CREATE SCHEMA app;
CREATE EXTENSION pgcrypto;
CREATE TYPE app.mood AS ENUM ('sad', 'ok', 'happy');
CREATE TYPE app.point3 AS (x int, y int, z text);
CREATE TYPE app.span AS RANGE (subtype = int);
CREATE DOMAIN app.email AS text DEFAULT 'x@y' NOT NULL CONSTRAINT has_at CHECK (VALUE LIKE '%@%');
CREATE SEQUENCE app.tickets INCREMENT BY 5 START WITH 100;
CREATE FUNCTION app.touch() RETURNS trigger LANGUAGE plpgsql AS $$ begin new.changed := now(); return new; end $$;
CREATE FUNCTION app.next_ticket(step int DEFAULT 1) RETURNS bigint LANGUAGE sql AS $$ select nextval('app.tickets') + step $$;

CREATE TABLE app.customers (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    ticket bigint DEFAULT app.next_ticket() NOT NULL,
    mail app.email UNIQUE,
    feeling app.mood DEFAULT 'ok' NOT NULL,
    name text COLLATE "C",
    shout text GENERATED ALWAYS AS (upper(name)) STORED,
    changed timestamptz DEFAULT now(),
    place app.point3,
    years app.span,
    "Strange Name" int[] DEFAULT '{}',
    CONSTRAINT named CHECK (name <> '')
) WITH (fillfactor = 80);
CREATE PROCEDURE app.forget(who bigint) LANGUAGE sql AS $$ delete from app.customers where id = who $$;
CREATE TABLE app.orders (
    id serial PRIMARY KEY,
    customer bigint NOT NULL REFERENCES app.customers ON DELETE CASCADE,
    parent int REFERENCES app.orders,
    total numeric(10,2) DEFAULT 0,
    note text,
    EXCLUDE USING btree (total WITH =)
);
CREATE TABLE app.a (id int PRIMARY KEY, b int);
CREATE TABLE app.b (id int PRIMARY KEY, a int REFERENCES app.a);
ALTER TABLE app.a ADD FOREIGN KEY (b) REFERENCES app.b NOT VALID;
CREATE TABLE app.events (id int, at date NOT NULL, PRIMARY KEY (id, at)) PARTITION BY RANGE (at);
CREATE TABLE app.events_old PARTITION OF app.events FOR VALUES FROM (MINVALUE) TO ('2026-01-01');
CREATE INDEX events_at ON app.events (at);
CREATE TABLE app.parent (id int NOT NULL);
CREATE TABLE app.child (extra text) INHERITS (app.parent);
CREATE UNLOGGED TABLE app.scratch ();
CREATE UNIQUE INDEX customers_lower ON app.customers (lower(name)) WHERE name IS NOT NULL;
ALTER TABLE app.customers CLUSTER ON customers_pkey;
ALTER TABLE app.customers ALTER COLUMN name SET STATISTICS 500, ALTER COLUMN name SET STORAGE EXTERNAL;
CREATE VIEW app.spending WITH (security_barrier = true) AS
    SELECT c.name, sum(o.total) AS total FROM app.customers c JOIN app.orders o ON o.customer = c.id GROUP BY c.name;
CREATE VIEW app.rich AS SELECT name FROM app.spending WHERE total > 100;
CREATE MATERIALIZED VIEW app.cached AS SELECT name, total FROM app.spending;
CREATE UNIQUE INDEX cached_name ON app.cached (name);
CREATE TRIGGER touched BEFORE UPDATE ON app.customers FOR EACH ROW EXECUTE FUNCTION app.touch();
CREATE TRIGGER resting BEFORE DELETE ON app.customers FOR EACH ROW EXECUTE FUNCTION app.touch();
ALTER TABLE app.customers DISABLE TRIGGER resting;
ALTER TABLE app.orders ENABLE ROW LEVEL SECURITY;
CREATE POLICY own ON app.orders FOR SELECT TO reader USING (total > 0);
CREATE STATISTICS app.orders_stats (dependencies) ON customer, total FROM app.orders;
CREATE RULE quiet AS ON DELETE TO app.b DO INSTEAD NOTHING;
GRANT USAGE ON SCHEMA app TO reader;
GRANT SELECT ON app.customers, app.spending TO reader;
GRANT SELECT (id), UPDATE (total) ON app.orders TO reader WITH GRANT OPTION;
REVOKE EXECUTE ON FUNCTION app.next_ticket(int) FROM PUBLIC;
COMMENT ON TABLE app.customers IS 'who buys; it''s them';
COMMENT ON COLUMN app.customers.mail IS 'checked';
COMMENT ON COLUMN app.spending.total IS 'all of it';
COMMENT ON SCHEMA app IS 'the shop';
COMMENT ON FUNCTION app.touch() IS 'notes when';
COMMENT ON INDEX app.events_at IS 'by day';
COMMENT ON CONSTRAINT named ON app.customers IS 'no empty names';
COMMENT ON TYPE app.mood IS 'how it is';
