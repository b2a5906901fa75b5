-- Ledger tables: what is refused, to the owner and to a superuser alike.
SET client_min_messages = warning;
CREATE ROLE regress_owner;
CREATE SCHEMA regress_refuse AUTHORIZATION regress_owner;
SET search_path = regress_refuse, public;

-- Runs a statement as the owner and as a superuser, and tells what each is told.
CREATE FUNCTION refused(statement text) RETURNS SETOF text
LANGUAGE plpgsql AS $$
DECLARE
    who text;
    state text;
    message text;
    hint text;
    answer text;
    owners_answer text;
BEGIN
    FOREACH who IN ARRAY ARRAY['regress_owner', session_user] LOOP
        BEGIN
            PERFORM set_config('role', who, true);
            EXECUTE statement;
            RAISE EXCEPTION 'NOT REFUSED';
        EXCEPTION WHEN OTHERS THEN
            GET STACKED DIAGNOSTICS state = RETURNED_SQLSTATE,
                message = MESSAGE_TEXT, hint = PG_EXCEPTION_HINT;
        END;
        answer := format(E'%s %s\n    %s', state, message, hint);
        IF owners_answer IS NULL THEN
            owners_answer := answer;
        ELSIF owners_answer = answer THEN
            RETURN NEXT answer;
        ELSE
            RETURN NEXT 'owner: ' || owners_answer;
            RETURN NEXT 'superuser: ' || answer;
        END IF;
    END LOOP;
END $$;

SET ROLE regress_owner;
CREATE TYPE mood AS ENUM ('sad', 'ok');
CREATE TYPE pair AS (a integer, b text);
CREATE DOMAIN positive AS integer CHECK (VALUE > 0);
CREATE DOMAIN with_default AS integer DEFAULT 4;
CREATE TABLE base (id integer PRIMARY KEY);
CREATE TABLE t (id integer PRIMARY KEY, v text, m mood, p pair[], d positive) USING ledger;
INSERT INTO base VALUES (1);
INSERT INTO t VALUES (1, 'one', 'sad', ARRAY[ROW(1, 'x')::pair], 3);
CREATE TABLE points_to_t (id integer REFERENCES t ON DELETE CASCADE);
CREATE TABLE from_t (id integer REFERENCES base) USING ledger;
INSERT INTO from_t VALUES (1);
CREATE VIEW v AS SELECT id, v FROM t;
CREATE TABLE tree (id integer) PARTITION BY LIST (id) USING ledger;
CREATE TABLE tree1 PARTITION OF tree FOR VALUES IN (1);
INSERT INTO tree VALUES (1);
CREATE TABLE full_leaf (id integer);
INSERT INTO full_leaf VALUES (2);
RESET ROLE;
\pset format unaligned
\pset tuples_only on

-- Rows
SELECT refused($$UPDATE t SET v = 'x'$$);
SELECT refused($$DELETE FROM t$$);
SELECT refused($$DELETE FROM t USING base WHERE base.id = t.id$$);
SELECT refused($$MERGE INTO t USING base ON t.id = base.id WHEN MATCHED THEN UPDATE SET v = 'z'$$);
SELECT refused($$MERGE INTO t USING base ON t.id = base.id WHEN MATCHED THEN DELETE$$);
SELECT refused($$WITH u AS (UPDATE t SET v = 'x' RETURNING *) SELECT * FROM u$$);
SELECT refused($$WITH d AS (DELETE FROM t RETURNING *) INSERT INTO base SELECT 2 FROM d$$);
SELECT refused($$INSERT INTO t (id) VALUES (1) ON CONFLICT (id) DO UPDATE SET v = 'n'$$);
SELECT refused($$UPDATE v SET v = 'x'$$);
SELECT refused($$DO 'DECLARE c CURSOR FOR SELECT * FROM t; r record; BEGIN OPEN c; FETCH c INTO r; UPDATE t SET v = NULL WHERE CURRENT OF c; END'$$);
SELECT refused($$EXPLAIN (ANALYZE) DELETE FROM t$$);
SELECT refused($$TRUNCATE t CASCADE$$);
SELECT refused($$TRUNCATE points_to_t, t$$);
SELECT refused($$TRUNCATE base CASCADE$$);
SELECT refused($$DELETE FROM base$$);

-- The table, by any path
SELECT refused($$DROP TABLE t CASCADE$$);
SELECT refused($$DROP TABLE from_t$$);
SELECT refused($$DROP SCHEMA regress_refuse CASCADE$$);
SELECT refused($$DROP OWNED BY regress_owner CASCADE$$);
SELECT refused($$DROP EXTENSION telco_ledger CASCADE$$);
SELECT refused($$DROP TYPE mood CASCADE$$);
SELECT refused($$DROP TYPE pair CASCADE$$);
SELECT refused($$DROP DOMAIN positive CASCADE$$);
SELECT refused($$DROP ACCESS METHOD ledger CASCADE$$);
SELECT refused($$DROP FUNCTION ledger.next_ref() CASCADE$$);
SELECT refused($$DO 'BEGIN EXECUTE ''DROP TABLE from_t''; END'$$);

-- Columns and types in use
SELECT refused($$ALTER TABLE t ALTER COLUMN v TYPE varchar(10)$$);
SELECT refused($$ALTER TABLE t ALTER COLUMN id TYPE bigint$$);
SELECT refused($$ALTER TABLE t DROP COLUMN v$$);
SELECT refused($$ALTER TYPE mood RENAME VALUE 'sad' TO 'bad'$$);
SELECT refused($$ALTER TYPE pair ADD ATTRIBUTE c integer$$);
SELECT refused($$ALTER TYPE pair DROP ATTRIBUTE a$$);
SELECT refused($$ALTER TYPE pair ALTER ATTRIBUTE a TYPE bigint$$);
SELECT refused($$ALTER TYPE pair RENAME ATTRIBUTE a TO aa$$);
SELECT refused($$ALTER TABLE t ADD COLUMN y integer NOT NULL$$);
SELECT refused($$ALTER TABLE t ADD COLUMN y integer DEFAULT 4 NOT NULL$$);
SELECT refused($$ALTER TABLE t ADD COLUMN y serial$$);
SELECT refused($$ALTER TABLE t ADD COLUMN y bigserial$$);
SELECT refused($$ALTER TABLE t ADD COLUMN y serial2$$);
SELECT refused($$ALTER TABLE t ADD COLUMN y integer PRIMARY KEY$$);
SELECT refused($$ALTER TABLE t ADD COLUMN y integer GENERATED ALWAYS AS (id) STORED$$);
SELECT refused($$ALTER TABLE t ADD COLUMN y integer GENERATED ALWAYS AS IDENTITY$$);
SELECT refused($$ALTER TABLE t ADD COLUMN y with_default$$);
SELECT refused($$ALTER TABLE t ADD COLUMN y point$$);

-- ledger_ref, its default and its index
SELECT refused($$ALTER TABLE t DROP COLUMN ledger_ref$$);
SELECT refused($$ALTER TABLE t ALTER COLUMN ledger_ref DROP DEFAULT$$);
SELECT refused($$ALTER TABLE t ALTER COLUMN ledger_ref SET DEFAULT '1.0.1.1'$$);
SELECT refused($$ALTER TABLE t ALTER COLUMN ledger_ref DROP NOT NULL$$);
SELECT refused($$ALTER TABLE t ALTER COLUMN ledger_ref TYPE uuid$$);
SELECT refused($$ALTER TABLE t RENAME COLUMN ledger_ref TO address$$);
SELECT refused($$DROP INDEX t_ledger_ref_idx$$);
SELECT refused($$INSERT INTO t (id, ledger_ref) VALUES (7, '1.0.1.1')$$);
SELECT refused($$INSERT INTO t (id, ledger_ref) VALUES (7, NULL)$$);
SELECT refused($$INSERT INTO t (id, ledger_ref) VALUES (7, '2.0.1.1')$$);
-- Each number is good for one row.
SELECT regexp_replace(refused($$INSERT INTO from_t (ledger_ref) SELECT r FROM (SELECT ledger.next_ref() AS r OFFSET 0) AS s, generate_series(1, 2)$$),
    '\d+\.\d+\.\d+\.\d+', 'ref');
SELECT refused($$CREATE TABLE x (ledger_ref text) USING ledger$$);

-- Storage
SELECT refused($$ALTER TABLE t SET ACCESS METHOD heap$$);
SELECT refused($$ALTER TABLE base SET ACCESS METHOD ledger$$);
SELECT refused($$CREATE ACCESS METHOD second TYPE TABLE HANDLER ledger_internal.table_am_handler$$);
SELECT refused($$CREATE OR REPLACE FUNCTION ledger_internal.table_am_handler(internal) RETURNS table_am_handler LANGUAGE c STRICT AS '$libdir/telco_ledger', 'tl_table_am_handler'$$);
SELECT refused($$ALTER TABLE t SET UNLOGGED$$);
SELECT refused($$CREATE UNLOGGED TABLE x (i integer) USING ledger$$);
SELECT refused($$CREATE TEMPORARY TABLE x (i integer) USING ledger$$);
SELECT refused($$CREATE TABLE x USING ledger AS SELECT 1 AS i$$);
SELECT refused($$CREATE TABLE x USING ledger AS SELECT * FROM t$$);
SELECT refused($$EXPLAIN ANALYZE CREATE TABLE x USING ledger AS SELECT * FROM t$$);
SELECT refused($$CREATE MATERIALIZED VIEW x USING ledger AS SELECT 1 AS i$$);
SET default_table_access_method = ledger;
SELECT refused($$CREATE TABLE x AS SELECT 1 AS i$$);
SELECT refused($$CREATE MATERIALIZED VIEW x AS SELECT 1 AS i$$);
SELECT refused($$CREATE TEMPORARY TABLE x (i integer)$$);
SELECT refused($$CREATE UNLOGGED TABLE x (i integer)$$);
RESET default_table_access_method;
SELECT refused($$CREATE TABLE x () INHERITS (t)$$);
SELECT refused($$CREATE TABLE x () INHERITS (base) USING ledger$$);
SELECT refused($$ALTER TABLE t INHERIT base$$);
SELECT refused($$ALTER TABLE base INHERIT t$$);
SELECT refused($$CREATE RULE r AS ON INSERT TO t DO INSTEAD NOTHING$$);
SELECT refused($$CREATE RULE r AS ON UPDATE TO t DO INSTEAD NOTHING$$);
SELECT refused($$CREATE RULE "_RETURN" AS ON SELECT TO t DO INSTEAD SELECT * FROM t$$);
SELECT refused($$CREATE TABLE x OF pair USING ledger$$);
SELECT refused($$ALTER TABLE t OF pair$$);

-- Partitions
SELECT refused($$ALTER TABLE tree DETACH PARTITION tree1$$);
SELECT refused($$DROP TABLE tree1$$);
SELECT refused($$DROP TABLE tree$$);
SELECT refused($$TRUNCATE tree$$);
SELECT refused($$ALTER TABLE tree ATTACH PARTITION full_leaf FOR VALUES IN (2)$$);
SELECT refused($$CREATE TABLE tree3 PARTITION OF tree FOR VALUES IN (3) USING heap$$);

-- Columns that no row stores; the servers before PostgreSQL 18 have none.
SELECT current_setting('server_version_num')::integer >= 180000 AS has_virtual \gset
\set no_virtual_column t
\if :has_virtual
SELECT count(*) = 2 AS no_virtual_column FROM (
    SELECT refused($$CREATE TABLE x (i integer, v integer GENERATED ALWAYS AS (i)) USING ledger$$)
    UNION ALL
    SELECT refused($$CREATE TABLE x (i integer, v integer GENERATED ALWAYS AS (i) VIRTUAL) PARTITION BY LIST (i) USING ledger$$)
) AS r (line) WHERE line LIKE 'TL006 column "v" of ledger table "x" cannot be virtual%' \gset
\endif
\echo :no_virtual_column

-- Foreign keys that would delete or change rows
SELECT refused($$CREATE TABLE x (i integer REFERENCES base ON DELETE CASCADE) USING ledger$$);
SELECT refused($$CREATE TABLE x (i integer REFERENCES base ON UPDATE SET NULL) USING ledger$$);
SELECT refused($$ALTER TABLE t ADD FOREIGN KEY (id) REFERENCES base ON DELETE SET DEFAULT$$);
SELECT refused($$ALTER TABLE t ADD COLUMN y integer REFERENCES base ON DELETE CASCADE$$);

-- Types without an encoding
SELECT refused($$CREATE TABLE x (i integer, a xml) USING ledger$$);
SELECT refused($$CREATE TABLE x (a money[]) USING ledger$$);
SELECT refused($$CREATE TABLE x (a base) USING ledger$$);
SELECT refused($$CREATE TABLE x (a regclass) USING ledger$$);
SELECT refused($$CREATE TABLE x (a int4multirange) USING ledger$$);

-- A row that could never be hashed: text that is compressed; few stored bytes
-- of numeric, many of text
CREATE TABLE wide (t1 text, t2 text, t3 text, t4 text, n1 numeric[], n2 numeric[], n3 numeric[], n4 numeric[]) USING ledger;
CREATE TABLE quarter (t text, n numeric[]);
INSERT INTO quarter SELECT repeat('x', 268 * 1024 * 1024), array_agg(1e131071::numeric) FROM generate_series(1, 2100);
GRANT ALL ON wide, quarter TO regress_owner;
SELECT refused($$INSERT INTO wide (t1, t2, t3, t4) SELECT t, t, t, t FROM quarter$$);
SELECT refused($$INSERT INTO wide (n1, n2, n3, n4) SELECT n, n, n, n FROM quarter$$);
DROP TABLE wide, quarter;

-- ledger.table_version is written by the library only
SELECT refused($$INSERT INTO ledger.table_version SELECT * FROM ledger.table_version$$);
SELECT refused($$ALTER TABLE ledger.table_version ADD COLUMN x integer$$);
SELECT refused($$ALTER TABLE ledger.table_version RENAME TO x$$);
SELECT refused($$ALTER INDEX ledger.table_version RENAME TO x$$);
SELECT refused($$ALTER TABLE ledger.table_version SET SCHEMA public$$);
SELECT refused($$TRUNCATE ledger.table_version$$);
SELECT refused($$ALTER SCHEMA ledger RENAME TO x$$);

-- Triggers and replication roles make no difference.
ALTER TABLE t DISABLE TRIGGER ALL;
SET session_replication_role = replica;
SELECT refused($$UPDATE t SET v = 'x'$$);
SELECT refused($$DELETE FROM t$$);
SELECT refused($$TRUNCATE t CASCADE$$);
SELECT refused($$DROP TABLE t CASCADE$$);
RESET session_replication_role;
ALTER TABLE t ENABLE TRIGGER ALL;
CREATE FUNCTION rewrite_ref() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN NEW.ledger_ref := '1.0.1.1'; RETURN NEW; END $$;
CREATE TRIGGER rewrite BEFORE INSERT ON t FOR EACH ROW EXECUTE FUNCTION rewrite_ref();
SELECT refused($$INSERT INTO t (id) VALUES (8)$$) LIKE '%TL003%';
DROP TRIGGER rewrite ON t;

-- Functions that claim to be immutable and write while an index is built, which
-- since PostgreSQL 17 empties the search path
CREATE FUNCTION inserts() RETURNS integer LANGUAGE plpgsql AS
$$ BEGIN INSERT INTO regress_refuse.t (id) VALUES (99); RETURN 1; END $$;
CREATE FUNCTION deletes() RETURNS integer LANGUAGE plpgsql AS
$$ BEGIN DELETE FROM regress_refuse.t; RETURN 1; END $$;
CREATE FUNCTION inserts(integer) RETURNS integer LANGUAGE plpgsql IMMUTABLE AS
$$ BEGIN RETURN regress_refuse.inserts(); END $$;
CREATE FUNCTION deletes(integer) RETURNS integer LANGUAGE plpgsql IMMUTABLE AS
$$ BEGIN RETURN regress_refuse.deletes(); END $$;
GRANT ALL ON ALL FUNCTIONS IN SCHEMA regress_refuse TO regress_owner;
SELECT refused($$CREATE INDEX ON t (inserts(id))$$);
SELECT refused($$CREATE INDEX ON t (id) WHERE inserts(id) = 1$$);
SELECT refused($$CREATE INDEX ON from_t (inserts(id))$$);
SELECT refused($$CREATE INDEX ON from_t (deletes(id))$$);

-- A check that runs while ALTER TABLE rewrites finds the new storage, but
-- cannot bring rows into it.
CREATE FUNCTION finds_transient(integer) RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE
    name text := (SELECT oid::regclass FROM pg_class WHERE relrewrite = 't'::regclass);
BEGIN
    IF name IS NOT NULL AND current_setting('regress.found', true) IS DISTINCT FROM name THEN
        PERFORM set_config('regress.found', name, true);
        EXECUTE format('INSERT INTO %s (id, ledger_ref) VALUES (98, ''1.0.1.1'')', name);
    END IF;
    RETURN true;
END $$;
GRANT ALL ON FUNCTION finds_transient(integer) TO regress_owner;
CREATE DOMAIN finder AS integer CHECK (finds_transient(VALUE));
SELECT regexp_replace(refused($$ALTER TABLE t ADD COLUMN y finder$$), 'pg_temp_\d+', 'transient');

-- What does not run inside a function
\set VERBOSITY terse
SET ROLE regress_owner;
DROP INDEX CONCURRENTLY t_ledger_ref_idx;
BEGIN;
CREATE TABLE frozen (i integer) USING ledger;
COPY frozen FROM stdin WITH (FREEZE);
1
\.
ROLLBACK;
COPY t (id, ledger_ref) FROM stdin;
9	1.0.1.1
\.
ALTER TABLE tree DETACH PARTITION tree1 CONCURRENTLY;
RESET ROLE;
ALTER TABLE tree DETACH PARTITION tree1 CONCURRENTLY;
DROP INDEX CONCURRENTLY t_ledger_ref_idx;
CREATE INDEX CONCURRENTLY written ON t (inserts(id));
DROP INDEX written;
BEGIN;
CREATE TABLE frozen (i integer) USING ledger;
COPY frozen FROM stdin WITH (FREEZE);
1
\.
ROLLBACK;
COPY t (id, ledger_ref) FROM stdin;
9	1.0.1.1
\.

-- After all of this, with another owner:
REASSIGN OWNED BY regress_owner TO CURRENT_USER;
DROP OWNED BY regress_owner;
DROP ROLE regress_owner;
\pset format aligned
\pset tuples_only off
SELECT id, v, m, p, d FROM t;
SELECT count(*) FROM from_t;
SELECT relname FROM pg_class WHERE relname IN ('x', 'second', 'written', 'frozen');
SELECT table_name, version, action FROM ledger.table_version
    WHERE schema_name = 'regress_refuse' ORDER BY ledger_ref;
