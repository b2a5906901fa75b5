-- Rows that are not signed as their table demands are in no batch, whoever
-- inserted them and however.
SET client_min_messages = warning;
CREATE DATABASE regress_reject TEMPLATE template0 ENCODING 'UTF8';
\c regress_reject
SET client_min_messages = warning;
CREATE EXTENSION telco_ledger CASCADE;
\pset null NULL
SELECT ledger.create_node('DEUD1', 'test') IS NOT NULL AS created;
CREATE FUNCTION secret() RETURNS bytea LANGUAGE sql IMMUTABLE RETURN sha256('a secret');
CREATE FUNCTION key() RETURNS bytea LANGUAGE sql IMMUTABLE RETURN ledger.public_key(secret());
CREATE TABLE reading (id bigint, key bytea, signature bytea) USING ledger;
CREATE FUNCTION signature(id bigint) RETURNS bytea LANGUAGE sql STABLE
    RETURN ledger.ecdsa_sign(sha256(ledger.message_to_sign('reading', ROW(id, key(), NULL, NULL)::reading)), secret());
CREATE VIEW places AS
    SELECT id, ledger.finality(ledger_ref), ledger.is_final(ledger_ref), ledger.height(ledger_ref) IS NOT NULL AS height,
           ledger.block_time(ledger_ref) IS NOT NULL AS block_time
        FROM reading ORDER BY ledger_ref;
-- Waits for a row in a table that demands nothing, and so for all before it.
CREATE TABLE clock (id integer) USING ledger;
CREATE PROCEDURE settle() LANGUAGE plpgsql AS $$
DECLARE
    last ledger.ref;
BEGIN
    INSERT INTO clock VALUES (1) RETURNING ledger_ref INTO last;
    COMMIT;
    PERFORM ledger.wait_final(last);
END $$;

-- Rows from before the trigger are exempt, also those of its own transaction.
INSERT INTO reading VALUES (1);
BEGIN;
INSERT INTO reading VALUES (2);
CREATE TRIGGER signed AFTER INSERT ON reading FOR EACH ROW
    EXECUTE FUNCTION ledger.verify_signature('key', 'signature', 'id');
INSERT INTO reading VALUES (3, key(), signature(3));
COMMIT;
CALL settle();
SELECT * FROM places;

-- A disabled trigger, and a session without triggers.
ALTER TABLE reading DISABLE TRIGGER signed;
INSERT INTO reading VALUES (4) RETURNING ledger_ref AS unsigned \gset
\set VERBOSITY sqlstate
SELECT ledger.wait_final(:'unsigned');
\set VERBOSITY terse
SELECT ledger.finality(:'unsigned'), ledger.is_final(:'unsigned'), ledger.height(:'unsigned');
INSERT INTO reading VALUES (5, key(), signature(5));
ALTER TABLE reading ENABLE TRIGGER signed;
SET session_replication_role = replica;
-- In one transaction with rows that are in order.
INSERT INTO reading VALUES (6, key(), signature(6)), (7, key(), signature(6)), (8, key(), signature(8)), (9, '\x00', ''), (10, key(), NULL), (11, key(), signature(11));
RESET session_replication_role;
CALL settle();
SELECT * FROM places WHERE id > 3;
SELECT ref = :'unsigned' AS first, relation, height, sqlstate, reason FROM ledger.rejected ORDER BY ref;
SELECT rows_pending FROM ledger.status;
-- Nothing to prove.
DO $$ BEGIN PERFORM ledger.receipt('reading', (SELECT ledger_ref FROM reading WHERE id = 4));
EXCEPTION WHEN SQLSTATE 'TL023' THEN RAISE WARNING 'no receipt'; END $$;
-- What stands beside it has one.
SELECT id, valid FROM reading, LATERAL ledger.verify_receipt(ledger.receipt('reading', ledger_ref)) WHERE id IN (6, 8) ORDER BY id;

-- One signature for a statement: all of its rows, or none.
CREATE TABLE call_file (id bigint, key bytea, signature bytea) USING ledger;
CREATE TRIGGER signed AFTER INSERT ON call_file REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT
    EXECUTE FUNCTION ledger.verify_signature('key', 'signature', 'id');
CREATE FUNCTION signature(first bigint, last bigint) RETURNS bytea LANGUAGE sql STABLE
    RETURN ledger.ecdsa_sign(sha256(ledger.message_to_sign('call_file',
        (SELECT array_agg(ROW(n, key(), NULL, NULL)::call_file ORDER BY n) FROM generate_series(first, last) AS n))), secret());
BEGIN;
INSERT INTO call_file SELECT n, key(), signature(1, 3) FROM generate_series(1, 3) AS n;
SET LOCAL session_replication_role = replica;
-- A row that was changed, a row too many, one too few, no signature, the
-- statement before once more, and at last a good one.
INSERT INTO call_file SELECT CASE n WHEN 5 THEN 55 ELSE n END, key(), signature(4, 6) FROM generate_series(4, 6) AS n;
INSERT INTO call_file SELECT n, key(), signature(7, 8) FROM generate_series(7, 9) AS n;
INSERT INTO call_file SELECT n, key(), signature(10, 12) FROM generate_series(10, 11) AS n;
INSERT INTO call_file VALUES (13), (14);
INSERT INTO call_file SELECT n, key(), signature(15, 16) FROM generate_series(15, 16) AS n;
INSERT INTO call_file SELECT n, key(), signature(15, 16) FROM generate_series(15, 16) AS n;
INSERT INTO call_file SELECT n, key(), signature(17, 20) FROM generate_series(17, 20) AS n;
COMMIT;
CALL settle();
SELECT id, sqlstate, reason FROM call_file LEFT JOIN ledger.rejected ON ref = ledger_ref ORDER BY ledger_ref;
SELECT string_agg(id::text, ' ' ORDER BY id) FROM call_file WHERE ledger.is_final(ledger_ref);

-- Partitions.
CREATE TABLE log (day date, id bigint, key bytea, signature bytea) PARTITION BY RANGE (day) USING ledger;
CREATE TRIGGER signed AFTER INSERT ON log FOR EACH ROW
    EXECUTE FUNCTION ledger.verify_signature('key', 'signature', 'day, id');
CREATE TABLE log_1 PARTITION OF log FOR VALUES FROM ('2030-01-01') TO ('2030-02-01');
SET session_replication_role = replica;
INSERT INTO log SELECT '2030-01-05', n, key(), ledger.ecdsa_sign(sha256(ledger.message_to_sign('log', ROW('2030-01-05', 2, key(), NULL, NULL)::log)), secret())
    FROM generate_series(1, 3) AS n;
RESET session_replication_role;
CALL settle();
SELECT id, relation, reason FROM log LEFT JOIN ledger.rejected ON ref = ledger_ref ORDER BY ledger_ref;

-- Verification looks at each rejected row and agrees.
SELECT * FROM ledger.verify(mode => 'full');
SELECT rejected, problems, verdict FROM ledger.verification ORDER BY id DESC LIMIT 1;
SELECT count(*) FROM ledger.rejected;
-- It notices a row that was taken off the list,
BEGIN;
DELETE FROM ledger_internal.rejected WHERE ref = :'unsigned';
SELECT kind, relation, ref = :'unsigned' AS first, detail FROM ledger.verify(mode => 'full');
ROLLBACK;
-- one that is listed but stands in a batch,
BEGIN;
INSERT INTO ledger_internal.rejected (ref, table_id, sqlstate, reason)
    SELECT ledger_ref, table_id, 'TL014', 'because' FROM reading, ledger_internal.ledger_table
        WHERE id = 8 AND relation = 'reading'::regclass;
SELECT kind, relation, height > 0 AS height, detail FROM ledger.verify(mode => 'full');
ROLLBACK;
-- one that was held back although it is signed,
BEGIN;
INSERT INTO reading VALUES (12, key(), signature(12)) RETURNING ledger_ref AS held_back \gset
INSERT INTO ledger_internal.rejected (ref, table_id, sqlstate, reason)
    SELECT :'held_back', table_id, 'TL014', 'because' FROM ledger_internal.ledger_table
        WHERE relation = 'reading'::regclass;
COMMIT;
CALL settle();
SELECT kind, relation, ref = :'held_back' AS held_back, detail FROM ledger.verify(mode => 'full');
-- a demand that was taken back, also with its trigger, or counts from later on.
BEGIN;
DELETE FROM ledger_internal.signature_requirement;
SELECT kind, relation, count(*), detail FROM ledger.verify(mode => 'full') GROUP BY kind, relation, detail ORDER BY relation::text, kind;
ROLLBACK;
BEGIN;
DELETE FROM ledger_internal.signature_requirement WHERE per_statement;
DELETE FROM pg_trigger WHERE tgrelid = 'call_file'::regclass;
SELECT kind, relation, count(*), expected IS NULL AS not_expected, found IS NULL AS not_found
    FROM ledger.verify(mode => 'full') GROUP BY 1, 2, 4, 5 ORDER BY relation::text, kind;
ROLLBACK;
BEGIN;
UPDATE ledger_internal.signature_requirement SET since = pg_current_snapshot() WHERE per_statement;
SELECT kind, relation, count(*), expected IS NULL AS not_expected, found IS NULL AS not_found
    FROM ledger.verify(mode => 'full') GROUP BY 1, 2, 4, 5 ORDER BY relation::text, kind;
ROLLBACK;
-- It is on the ledger.
SELECT version, regexp_replace(action, ' as .*', '') AS action FROM ledger.table_version WHERE table_name = 'reading' ORDER BY version;

SELECT ledger.dispose();
SELECT count(*) FROM ledger.rejected;
\c postgres
SET client_min_messages = warning;
DROP DATABASE regress_reject WITH (FORCE);
