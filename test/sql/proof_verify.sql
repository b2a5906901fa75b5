-- Verification of a ledger that nobody has tampered with: no rows, whatever
-- was done to it by ordinary means; and what ledger.verify() refuses.
SET client_min_messages = warning;
CREATE DATABASE regress_verify TEMPLATE template0 ENCODING 'UTF8';
\c regress_verify
SET client_min_messages = warning;
\set VERBOSITY terse
CREATE EXTENSION telco_ledger CASCADE;
SELECT * FROM ledger.verify();
SELECT ledger.create_node('FRAF1', purpose => 'test') IS NOT NULL AS created;

-- Waits for all rows, then verifies in both modes.
CREATE FUNCTION verify_all() RETURNS SETOF record LANGUAGE plpgsql AS $$
BEGIN
    WHILE (SELECT rows_pending > 0 FROM ledger.status) LOOP
        PERFORM pg_sleep(0.01);
    END LOOP;
    RETURN QUERY SELECT 'incremental', v.* FROM ledger.verify() AS v
       UNION ALL SELECT 'full', v.* FROM ledger.verify(mode => 'full') AS v;
END $$;
\set verify 'SELECT * FROM verify_all() AS v (mode text, kind text, relation regclass, ref ledger.ref, height bigint, expected text, found text, detail text);'

-- An empty ledger.
:verify

-- NULLs, large values outside the row, types, savepoints.
CREATE TABLE cdr (id integer, subscriber text, charge numeric(10,2), started timestamptz, raw bytea) USING ledger;
CREATE TABLE account (id integer PRIMARY KEY, tags text[]) USING ledger;
INSERT INTO cdr VALUES (1, 'a', 1.50, 'infinity', '\x00'), (2, NULL, NULL, NULL, NULL), (3, '', 0, 'epoch', '');
INSERT INTO cdr SELECT 10 + i, string_agg(md5(i * 10000 + j::text::integer || ''), ''), i, now(), NULL
    FROM generate_series(1, 3) AS i, generate_series(1, 9000) AS j GROUP BY i;
SELECT count(*) FROM cdr WHERE pg_column_size(subscriber) > 100000;
BEGIN;
INSERT INTO account VALUES (1, '{a,NULL}');
SAVEPOINT s;
INSERT INTO account VALUES (2, NULL);
ROLLBACK TO SAVEPOINT s;
INSERT INTO account VALUES (3, '{}');
COMMIT;
BEGIN;
INSERT INTO account VALUES (4, NULL);
ROLLBACK;
:verify

-- Definitions change between batches.
ALTER TABLE cdr ADD COLUMN cell text;
INSERT INTO cdr (id, cell) VALUES (20, 'x');
:verify
ALTER TABLE cdr ADD COLUMN roaming boolean DEFAULT true;
ALTER TABLE cdr RENAME COLUMN subscriber TO msisdn;
INSERT INTO cdr (id, msisdn) VALUES (21, 'b');
ALTER TABLE cdr RENAME TO call_record;
ALTER TABLE account SET SCHEMA ledger;
ALTER TABLE ledger.account SET SCHEMA public;
INSERT INTO call_record (id) VALUES (22);
:verify

-- Partitions with another order of columns.
CREATE TABLE part (day integer, id integer) PARTITION BY LIST (day) USING ledger;
CREATE TABLE part_1 PARTITION OF part FOR VALUES IN (1);
CREATE TABLE part_2 (id integer, day integer) USING ledger;
ALTER TABLE part ATTACH PARTITION part_2 FOR VALUES IN (2);
INSERT INTO part SELECT 1 + i % 2, i FROM generate_series(1, 1000) AS i;
:verify
SELECT * FROM ledger.verify('part', 'full');
SELECT rows BETWEEN 1000 AND 1100 AS only_these FROM ledger.verification ORDER BY id DESC LIMIT 1;
SELECT * FROM ledger.verify('part_1', 'full');

-- More than one batch for one transaction.
INSERT INTO call_record (id) SELECT i FROM generate_series(1000, 101000) AS i;
SELECT ledger.wait_final((SELECT max(ledger_ref) FROM call_record), '1 min') > 0 AS final;
SELECT count(*) > 1 AS several FROM ledger.batch WHERE rows > 10000;
:verify

-- A transaction that stays open while others become final.
BEGIN;
INSERT INTO call_record (id) VALUES (30);
INSERT INTO account VALUES (30);
PREPARE TRANSACTION 'regress_verify_late';
INSERT INTO call_record (id) VALUES (31);
:verify
INSERT INTO part VALUES (1, 31);
:verify
COMMIT PREPARED 'regress_verify_late';
:verify
INSERT INTO account VALUES (32);
:verify

-- What moves rows, or makes indexes anew.
VACUUM FULL call_record;
CLUSTER account USING account_pkey;
REINDEX TABLE call_record;
VACUUM (FREEZE) account;
:verify

-- An index in the other direction is another index, also when it is the older.
CREATE UNIQUE INDEX account_backward ON account (ledger_ref DESC);
REINDEX INDEX CONCURRENTLY account_ledger_ref_idx;
INSERT INTO account SELECT n FROM generate_series(1000, 1600) AS n;
:verify
SELECT count(*) FROM account WHERE id >= 1000 AND ledger.is_final(ledger_ref);
SELECT valid FROM ledger.verify_receipt(ledger.receipt('account', (SELECT ledger_ref FROM account WHERE id = 1234)));
DROP INDEX account_ledger_ref_idx;
DROP INDEX account_backward;

-- Rows that are not batched yet are nobody's problem.
BEGIN;
INSERT INTO account VALUES (33);
SELECT * FROM ledger.verify(mode => 'full');
COMMIT;

-- Every run is recorded, unless nothing can be written.
SELECT DISTINCT mode, problems, verdict FROM ledger.verification ORDER BY 1;
SELECT bool_and(to_height >= from_height AND finished_at >= started_at) FROM ledger.verification;
SELECT rows > 101000 AS all_rows, blocks = to_height + 1 AS all_blocks
    FROM ledger.verification WHERE mode = 'full' AND relation IS NULL ORDER BY id DESC LIMIT 1;
SET client_min_messages = notice;
BEGIN READ ONLY;
SELECT * FROM ledger.verify();
COMMIT;
SET client_min_messages = warning;

-- Test ledgers: what was disposed of is said, and is no problem.
CREATE TABLE gone (id integer) USING ledger;
INSERT INTO gone VALUES (1), (2);
:verify
TRUNCATE gone;
INSERT INTO gone VALUES (3);
:verify
DROP TABLE gone;
:verify
SELECT problems, verdict FROM ledger.verification ORDER BY id DESC LIMIT 1;

-- Against what others keep.
SELECT * FROM ledger.verify(against => to_jsonb(ledger.tree_head()));
SELECT * FROM ledger.verify(against => jsonb_build_object('tree_head', ledger.tree_head()));
SELECT * FROM ledger.verify(against => ledger.receipt('account', (SELECT min(ledger_ref) FROM account)));
SELECT * FROM ledger.verify(against => jsonb_set(ledger.receipt('account', (SELECT min(ledger_ref) FROM account)),
    '{proof,head,header}', (SELECT to_jsonb(encode(set_byte(header, 112, 0), 'hex')) FROM ledger.block ORDER BY height DESC LIMIT 1)));
SELECT * FROM ledger.verify(against => to_jsonb('telco_ledger/' || repeat('0', 64) || E'\n1\n' || repeat('A', 43) || E'=\n'));
SELECT * FROM ledger.verify(against => '"nothing"');
SELECT * FROM ledger.verify(against => '{"a": 1}');

-- Who may, and what is no argument.
SELECT * FROM ledger.verify(mode => 'some');
CREATE TABLE plain (id integer);
SELECT * FROM ledger.verify('plain');
CREATE ROLE regress_auditor;
SET ROLE regress_auditor;
SELECT * FROM ledger.verify();
RESET ROLE;
GRANT EXECUTE ON FUNCTION ledger.verify(regclass, text, jsonb) TO regress_auditor;
SET ROLE regress_auditor;
SELECT * FROM ledger.verify(mode => 'full') WHERE kind <> 'disposed';
SELECT count(*) FROM ledger.verification;
RESET ROLE;

-- Another ledger in the same database has runs of its own.
SELECT ledger.dispose();
SELECT ledger.create_node('FRAF1', purpose => 'test') IS NOT NULL AS created;
CREATE TABLE again (id integer) USING ledger;
INSERT INTO again VALUES (1);
:verify
SELECT from_height, verdict FROM ledger.verification ORDER BY id DESC LIMIT 2;

\c postgres
SET client_min_messages = warning;
DROP DATABASE regress_verify WITH (FORCE);
DROP ROLE regress_auditor;
