-- Signatures on rows: the trigger, its refusals, and the message to sign.
-- Secrets in the text of a query are for tests only.
SET client_min_messages = warning;
CREATE DATABASE regress_signature TEMPLATE template0 ENCODING 'UTF8';
\c regress_signature
SET client_min_messages = warning;
CREATE EXTENSION telco_ledger CASCADE;
\pset null NULL
\set VERBOSITY terse

-- Without a ledger: the vectors of test/vectors/signature.txt.
CREATE TABLE reading (value integer, key bytea, signature bytea);
CREATE TRIGGER signed BEFORE INSERT ON reading FOR EACH ROW
    EXECUTE FUNCTION ledger.verify_signature('key', 'signature', 'value', 'secp256k1');
\set key '\\x0279be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798'
\set signature '\\x712e2b46f5dda2ae396800ca5c158a862359400653a172b81b23579519b312704caf388f3562221c44148fda2616d71d33d8ac8dde0f24e08bc12bd133de07cd'
SELECT encode(sha256(ledger.message_to_sign('reading', ROW(-5, :'key', NULL)::reading)), 'hex') =
       '81046ed62f7a4f1c223ce9ec0f862c621b5fb660f3c01b132e6f1c7a89147460' AS as_vector;
INSERT INTO reading VALUES (-5, :'key', :'signature');
INSERT INTO reading VALUES (-6, :'key', :'signature');
INSERT INTO reading VALUES (-5, :'key', set_bit(:'signature'::bytea, 100, 1 - get_bit(:'signature'::bytea, 100)));
DROP TABLE reading;
CREATE TABLE reading (value integer, key bytea, signature bytea);
CREATE TRIGGER signed BEFORE INSERT ON reading FOR EACH ROW
    EXECUTE FUNCTION ledger.verify_signature('key', 'signature', 'value', 'bip340');
\set key '\\x79be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798'
\set signature '\\xf379507d0e7914713989c962410ede2038373ac0b3f5aa364c7d66a90a784d36349146d38f77fa95341bacbc32cfee62e1f95133effe7f52f1b45bd4eb9a8f4d'
SELECT encode(sha256(ledger.message_to_sign('reading', ROW(-5, :'key', NULL)::reading)), 'hex') =
       'a020cd3bbed6aa21340bcc4f653621eed55ab4a38d2a3b05c94350465bd751d1' AS as_vector;
INSERT INTO reading VALUES (-5, :'key', :'signature');
INSERT INTO reading VALUES (-6, :'key', :'signature');
INSERT INTO reading VALUES (-5, :'key', set_bit(:'signature'::bytea, 100, 1 - get_bit(:'signature'::bytea, 100)));
DROP TABLE reading;
CREATE TABLE reading (value integer, key bytea, signature bytea);
CREATE TRIGGER signed BEFORE INSERT ON reading FOR EACH ROW
    EXECUTE FUNCTION ledger.verify_signature('key', 'signature', 'value', 'es256');
\set key '\\x036b17d1f2e12c4247f8bce6e563a440f277037d812deb33a0f4a13945d898c296'
\set signature '\\x3fd101f5eaff0678dbb353898a277fb24299f9a06d1783a0fa21181d0e84dbc7005ffbfc83f9472a25d1ebcf88fbc29bd135b364b6f52e095f6db42728e617f4'
SELECT encode(sha256(ledger.message_to_sign('reading', ROW(-5, :'key', NULL)::reading)), 'hex') =
       '81a41f453075da267282f88f7c1bde95c5e156e1b58ab8f1ad65a9e46d077eea' AS as_vector;
INSERT INTO reading VALUES (-5, :'key', :'signature');
INSERT INTO reading VALUES (-6, :'key', :'signature');
INSERT INTO reading VALUES (-5, :'key', set_bit(:'signature'::bytea, 100, 1 - get_bit(:'signature'::bytea, 100)));
DROP TABLE reading;

-- A ledger table from before the ledger: the demand counts from its beginning.
CREATE TABLE early (id bigint, key bytea, signature bytea) USING ledger;
CREATE TRIGGER signed AFTER INSERT ON early FOR EACH ROW EXECUTE FUNCTION ledger.verify_signature('key');
CREATE TRIGGER signed AFTER INSERT ON early FOR EACH ROW EXECUTE FUNCTION ledger.verify_signature('key', 'signature', 'id');
SELECT ledger.message_to_sign('early', ROW(1, '\x0279be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798', NULL, NULL)::early);
SELECT ledger.create_node('DEUD1', 'test') IS NOT NULL AS created;
SELECT version, regexp_replace(action, ' as .*', '') AS action FROM ledger.table_version WHERE table_name = 'early' ORDER BY version;
INSERT INTO early VALUES (1, '\x0279be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798', NULL);

CREATE FUNCTION secret(name text) RETURNS bytea LANGUAGE sql IMMUTABLE
    RETURN sha256(convert_to(name, 'UTF8'));
CREATE FUNCTION key(name text) RETURNS bytea LANGUAGE sql IMMUTABLE
    RETURN ledger.public_key(secret(name));
CREATE FUNCTION xonly(name text) RETURNS bytea LANGUAGE sql IMMUTABLE
    RETURN substring(key(name) FROM 2);
CREATE FUNCTION ecdsa(message bytea, name text) RETURNS bytea LANGUAGE sql IMMUTABLE
    RETURN ledger.ecdsa_sign(sha256(message), secret(name));
CREATE FUNCTION bip340(message bytea, name text) RETURNS bytea LANGUAGE sql IMMUTABLE
    RETURN ledger.schnorr_sign(sha256(message), secret(name));

-- Arguments are checked when the trigger is created, on tables of every kind.
CREATE TABLE plain (
    id bigint PRIMARY KEY, imsi text, "Amount" numeric(10,4), twice numeric GENERATED ALWAYS AS ("Amount" * 2) STORED,
    place point, key bytea, signature bytea);
\set VERBOSITY default
CREATE TRIGGER signed AFTER INSERT ON plain FOR EACH ROW EXECUTE FUNCTION ledger.verify_signature();
CREATE TRIGGER signed AFTER INSERT ON plain FOR EACH ROW
    EXECUTE FUNCTION ledger.verify_signature('key', 'signature', 'id', 'rsa');
\set VERBOSITY terse
CREATE TRIGGER signed AFTER INSERT ON plain FOR EACH ROW
    EXECUTE FUNCTION ledger.verify_signature('key', 'signature', 'id', 'secp256k1', 'more');
CREATE TRIGGER signed AFTER INSERT ON plain FOR EACH ROW
    EXECUTE FUNCTION ledger.verify_signature('no_key', 'signature', 'id');
CREATE TRIGGER signed AFTER INSERT ON plain FOR EACH ROW
    EXECUTE FUNCTION ledger.verify_signature('key', 'imsi', 'id');
CREATE TRIGGER signed AFTER INSERT ON plain FOR EACH ROW
    EXECUTE FUNCTION ledger.verify_signature('key', 'key', 'id');
CREATE TRIGGER signed AFTER INSERT ON plain FOR EACH ROW
    EXECUTE FUNCTION ledger.verify_signature('key, signature', 'signature', 'id');
CREATE TRIGGER signed AFTER INSERT ON plain FOR EACH ROW
    EXECUTE FUNCTION ledger.verify_signature('key', 'signature', '');
CREATE TRIGGER signed AFTER INSERT ON plain FOR EACH ROW
    EXECUTE FUNCTION ledger.verify_signature('key', 'signature', 'id, , imsi');
CREATE TRIGGER signed AFTER INSERT ON plain FOR EACH ROW
    EXECUTE FUNCTION ledger.verify_signature('key', 'signature', 'id, Amount');
CREATE TRIGGER signed AFTER INSERT ON plain FOR EACH ROW
    EXECUTE FUNCTION ledger.verify_signature('key', 'signature', 'id, ctid');
\set VERBOSITY default
CREATE TRIGGER signed AFTER INSERT ON plain FOR EACH ROW
    EXECUTE FUNCTION ledger.verify_signature('key', 'signature', 'id, signature');
CREATE TRIGGER signed AFTER INSERT ON plain FOR EACH ROW
    EXECUTE FUNCTION ledger.verify_signature('key', 'signature', 'id, key');
CREATE TRIGGER signed AFTER INSERT ON plain FOR EACH ROW
    EXECUTE FUNCTION ledger.verify_signature('key', 'signature', 'id, imsi, id');
CREATE TRIGGER signed AFTER INSERT ON plain FOR EACH ROW
    EXECUTE FUNCTION ledger.verify_signature('key', 'signature', 'place');
CREATE TRIGGER signed BEFORE INSERT ON plain FOR EACH ROW
    EXECUTE FUNCTION ledger.verify_signature('key', 'signature', 'twice');
CREATE TRIGGER signed AFTER DELETE ON plain FOR EACH ROW
    EXECUTE FUNCTION ledger.verify_signature('key', 'signature', 'id');
CREATE TRIGGER signed AFTER INSERT ON plain FOR EACH STATEMENT
    EXECUTE FUNCTION ledger.verify_signature('key', 'signature', 'id');
CREATE TRIGGER signed BEFORE INSERT ON plain FOR EACH STATEMENT
    EXECUTE FUNCTION ledger.verify_signature('key', 'signature', 'id');
CREATE VIEW plain_view AS SELECT * FROM plain;
CREATE TRIGGER signed INSTEAD OF INSERT ON plain_view FOR EACH ROW
    EXECUTE FUNCTION ledger.verify_signature('key', 'signature', 'id');
SELECT ledger.verify_signature();
SELECT ledger.message_to_sign('plain', NULL::plain);
SELECT ledger.message_to_sign('plain', ROW(1, NULL, NULL, NULL, NULL, NULL, NULL)::plain);
SELECT ledger.message_to_sign('plain', ROW(1, NULL, NULL, NULL, NULL, NULL, NULL)::plain, 'signed');
SELECT ledger.signing_id('plain');
SELECT count(*) FROM pg_trigger WHERE tgrelid = 'plain'::regclass;

-- A plain table: INSERT and UPDATE, each row.  Its id follows from its name.
-- The scale of a numeric counts: it is part of what is stored.
CREATE TRIGGER signed AFTER INSERT OR UPDATE ON plain FOR EACH ROW
    EXECUTE FUNCTION ledger.verify_signature('key', 'signature', '"Amount", id, imsi, twice');
SELECT replace(ledger.signing_id('plain')::text, '-', '') =
       left(encode(sha256('telco_ledger/1/plain-table' || '\x0006'::bytea || 'public' || '\x0005'::bytea || 'plain'), 'hex'), 32) AS by_name;
SELECT ledger.message_to_sign('plain', ROW(1, '262011234567890', 0.42, 0.8400, NULL, key('a'), NULL)::plain) AS message \gset
INSERT INTO plain (id, imsi, "Amount", key, signature)
    VALUES (1, '262011234567890', 0.42, key('a'), ecdsa(:'message', 'a'));
-- Every kind of wrong.
INSERT INTO plain (id, imsi, "Amount", key, signature)
    VALUES (2, '262011234567890', 0.42, key('a'), ecdsa(:'message', 'a'));
INSERT INTO plain (id, imsi, "Amount", key, signature)
    VALUES (1, '262011234567890', 0.42, key('b'), ecdsa(:'message', 'a'));
INSERT INTO plain (id, imsi, "Amount", key, signature)
    VALUES (3, NULL, 0.42, NULL, ecdsa(:'message', 'a'));
INSERT INTO plain (id, imsi, "Amount", key, signature)
    VALUES (3, NULL, 0.42, key('a'), NULL);
INSERT INTO plain (id, imsi, "Amount", key, signature)
    VALUES (3, NULL, 0.42, '', ecdsa(:'message', 'a'));
INSERT INTO plain (id, imsi, "Amount", key, signature)
    VALUES (3, NULL, 0.42, key('a'), ecdsa(:'message', 'a') || '\x00');
UPDATE plain SET imsi = NULL;
UPDATE plain SET place = point(1, 2);
SELECT ledger.message_to_sign('plain', ROW(1, NULL, 0.42, 0.8400, NULL, key('a'), NULL)::plain) AS message \gset
UPDATE plain SET imsi = NULL, signature = ecdsa(:'message', 'a');
SELECT id, imsi, "Amount" FROM plain;
-- The same row under another name is another message.
ALTER TABLE plain RENAME TO renamed;
UPDATE renamed SET imsi = NULL;
ALTER TABLE renamed RENAME TO plain;
UPDATE plain SET imsi = NULL;
\set VERBOSITY terse
ALTER TABLE plain RENAME imsi TO subscriber;
UPDATE plain SET id = 1;
DROP TABLE plain CASCADE;

-- A ledger table.
CREATE TABLE reading (id bigint, device text, value numeric(10,4), key bytea, signature bytea) USING ledger;
CREATE TRIGGER signed AFTER INSERT ON reading FOR EACH ROW
    EXECUTE FUNCTION ledger.verify_signature('key', 'signature', 'id, device, value');
SELECT DISTINCT ledger.signing_id('reading') = table_id AS by_id
    FROM ledger.table_version WHERE table_name = 'reading';
SELECT ledger.message_to_sign('reading', ROW(1, 'meter', 42, key('a'), NULL, NULL)::reading) AS message \gset
-- Its bytes, from their table.
SELECT :'message' = 'telco_ledger/1/row-signature'
    || (SELECT decode(chain, 'hex') FROM ledger.status)
    || decode(replace(ledger.signing_id('reading')::text, '-', ''), 'hex')
    || '\x21' || key('a')
    || '\x0003'
    || '\x0001' || '\x00' || '\x00000014' || '\x00000008' || int8send(1)
    || '\x0002' || '\x00' || '\x00000019' || '\x00000005' || 'meter'::bytea
    || '\x0003' || '\x00' || '\x000006a4' || '\x00000007' || '42.0000'::bytea AS as_documented;
SELECT ledger.message_to_sign('reading',
           jsonb_populate_record(NULL::reading, jsonb_build_object('id', 1, 'device', 'meter', 'value', 42, 'key', key('a')))) =
       :'message' AS from_json;
INSERT INTO reading VALUES (1, 'meter', 42, key('a'), ecdsa(:'message', 'a'));
INSERT INTO reading VALUES (1, 'meter', 43, key('a'), ecdsa(:'message', 'a'));
INSERT INTO reading VALUES (1, 'meter', 42, key('a'), ecdsa(:'message', 'b'));
INSERT INTO reading VALUES (1, 'meter', 42, xonly('a'), bip340(:'message', 'a'));
-- A signature counts in its own table only.
CREATE TABLE other (LIKE reading) USING ledger;
CREATE TRIGGER signed AFTER INSERT ON other FOR EACH ROW
    EXECUTE FUNCTION ledger.verify_signature('key', 'signature', 'id, device, value');
INSERT INTO other (id, device, value, key, signature) SELECT id, device, value, key, signature FROM reading;
CREATE TABLE reading_schnorr (id bigint, device text, value numeric(10,4), key bytea, signature bytea) USING ledger;
CREATE TRIGGER signed AFTER INSERT ON reading_schnorr FOR EACH ROW
    EXECUTE FUNCTION ledger.verify_signature('key', 'signature', 'id, device, value', 'bip340');
SELECT ledger.message_to_sign('reading_schnorr', ROW(1, 'meter', 42, xonly('a'), NULL, NULL)::reading_schnorr) AS message \gset
INSERT INTO reading_schnorr VALUES (1, 'meter', 42, xonly('a'), bip340(:'message', 'a'));
INSERT INTO reading_schnorr VALUES (1, 'meter', 42, key('a'), bip340(:'message', 'a'));
INSERT INTO reading_schnorr VALUES (2, 'meter', 42, xonly('a'), bip340(:'message', 'a'));

-- Anybody can check stored rows again.
SELECT id, ledger.ecdsa_verify(sha256(ledger.message_to_sign('reading', r)), signature, key) FROM reading AS r;
-- What was asked for stays asked for.  An empty table can change its mind.
DROP TRIGGER signed ON reading;
DROP FUNCTION ledger.verify_signature() CASCADE;
\set VERBOSITY default
CREATE OR REPLACE TRIGGER signed AFTER INSERT ON reading FOR EACH ROW
    EXECUTE FUNCTION ledger.verify_signature('key', 'signature', 'id, device');
ALTER TABLE reading RENAME device TO instrument;
\set VERBOSITY terse
ALTER TRIGGER signed ON reading RENAME TO still_signed;
ALTER TABLE reading RENAME TO readings;
ALTER TABLE readings ADD COLUMN note text;
SELECT ledger.message_to_sign('readings', ROW(2, 'meter', 43, key('a'), NULL, NULL, 'unsigned')::readings) AS message \gset
INSERT INTO readings (id, device, value, key, signature, note)
    VALUES (2, 'meter', 43, key('a'), ecdsa(:'message', 'a'), 'not among the signed');
INSERT INTO readings (id, device, value, key, signature, note)
    VALUES (3, 'meter', 43, key('a'), ecdsa(:'message', 'a'), 'not among the signed');
CREATE TRIGGER conditional AFTER INSERT ON readings FOR EACH ROW WHEN (NEW.id > 0)
    EXECUTE FUNCTION ledger.verify_signature('key', 'signature', 'id');
DROP TRIGGER signed ON other;
CREATE TRIGGER signed AFTER INSERT ON other FOR EACH ROW
    EXECUTE FUNCTION ledger.verify_signature('key', 'signature', 'id');
CREATE OR REPLACE TRIGGER signed AFTER INSERT ON other FOR EACH ROW
    EXECUTE FUNCTION ledger.verify_signature('key', 'signature', 'id, device');
SELECT number, algorithm, per_statement, key_attribute, signature_attribute, attributes, numbers, type_tags
    FROM ledger_internal.signature_requirement JOIN ledger_internal.ledger_table USING (table_id)
    WHERE relation = 'other'::regclass;
SELECT version, regexp_replace(action, ' as .*', '') AS action FROM ledger.table_version
    WHERE table_name = 'other' ORDER BY version;
DROP TABLE other;
SELECT count(*) FROM ledger_internal.signature_requirement LEFT JOIN ledger_internal.ledger_table USING (table_id)
    WHERE relation IS NULL;

-- COPY keeps its multi-insert with an AFTER trigger, and each row is looked at.
CREATE TABLE bulk (id bigint, key bytea, signature bytea) USING ledger;
CREATE TRIGGER signed AFTER INSERT ON bulk FOR EACH ROW
    EXECUTE FUNCTION ledger.verify_signature('key', 'signature', 'id');
CREATE TABLE file AS
    SELECT n AS id, key('a') AS key,
           ecdsa(ledger.message_to_sign('bulk', ROW(n, key('a'), NULL, NULL)::bulk), 'a') AS signature
        FROM generate_series(1, 300) AS n;
\set path `mktemp -u`
COPY file TO :'path';
CREATE EXTENSION pg_walinspect;
SELECT pg_current_wal_insert_lsn() AS start \gset
COPY bulk FROM :'path';
SELECT pg_current_wal_flush_lsn() AS stop \gset
SELECT count(*) > 0 AS multi_inserts FROM pg_get_wal_records_info(:'start', :'stop')
    WHERE record_type LIKE 'MULTI_INSERT%' AND block_ref LIKE '%/' || pg_relation_filenode('bulk') || ' %';
UPDATE file SET signature = set_bit(signature, 7, 1 - get_bit(signature, 7)) WHERE id = 299;
COPY file TO :'path';
COPY bulk FROM :'path';
INSERT INTO bulk SELECT * FROM file WHERE id > 295;
INSERT INTO bulk SELECT * FROM file WHERE id < 5;
SELECT count(*) FROM bulk;

-- One signature for a statement.
CREATE TABLE call_file (id bigint, imsi text, key bytea, signature bytea) USING ledger;
CREATE TRIGGER signed AFTER INSERT ON call_file REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT
    EXECUTE FUNCTION ledger.verify_signature('key', 'signature', 'id, imsi', 'bip340');
CREATE FUNCTION calls(first integer, last integer) RETURNS SETOF call_file LANGUAGE sql
    BEGIN ATOMIC SELECT n, 'imsi ' || n, xonly('a'), NULL::bytea, NULL::ledger.ref FROM generate_series(first, last) AS n; END;
CREATE FUNCTION signature(first integer, last integer) RETURNS bytea LANGUAGE sql AS
    $$ SELECT bip340(ledger.message_to_sign('call_file', array_agg(c)), 'a') FROM calls(first, last) AS c $$;
-- The leaves are the messages of the rows; three of them make this tree.
CREATE TABLE single (id bigint, imsi text, key bytea, signature bytea);
CREATE TRIGGER signed AFTER INSERT ON single REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT
    EXECUTE FUNCTION ledger.verify_signature('key', 'signature', 'id, imsi', 'bip340');
CREATE TRIGGER each AFTER INSERT ON single FOR EACH ROW
    EXECUTE FUNCTION ledger.verify_signature('key', 'signature', 'id, imsi', 'bip340');
SELECT ledger.message_to_sign('single', ROW(1, 'x', xonly('a'), NULL)::single);
WITH leaf AS (
    SELECT n, ledger.merkle_leaf_hash(ledger.message_to_sign('single', ROW(n, 'imsi ' || n, xonly('a'), NULL)::single, 'each')) AS hash
        FROM generate_series(1, 3) AS n)
SELECT ledger.message_to_sign('single', (SELECT array_agg(ROW(n, 'imsi ' || n, xonly('a'), NULL)::single ORDER BY n) FROM leaf), 'signed') =
       'telco_ledger/1/statement-signature'
       || (SELECT decode(chain, 'hex') FROM ledger.status)
       || decode(replace(ledger.signing_id('single', 'signed')::text, '-', ''), 'hex')
       || '\x20' || xonly('a') || '\x00000003'
       || ledger.merkle_root((SELECT array_agg(hash ORDER BY n) FROM leaf)) AS as_documented;
SELECT ledger.message_to_sign('single', ARRAY[ROW(1, 'x', xonly('a'), NULL)]::single[], 'each');
SELECT ledger.message_to_sign('single', ARRAY[]::single[], 'signed');
SELECT ledger.message_to_sign('single', ARRAY[NULL]::single[], 'signed');
SELECT ledger.message_to_sign('single', ARRAY[ROW(1, 'x', xonly('a'), NULL), ROW(1, 'x', xonly('b'), NULL)]::single[], 'signed');
SELECT ledger.message_to_sign('single', ROW(1, 'x', NULL, NULL)::single, 'signed');
SELECT ledger.message_to_sign('single', 1, 'signed');
DROP TABLE single;
INSERT INTO call_file (id, imsi, key, signature)
    SELECT id, imsi, key, signature(1, 5) FROM calls(1, 5);
\set VERBOSITY default
-- A row less, another order, a row of somebody else, no signature.
INSERT INTO call_file (id, imsi, key, signature)
    SELECT id, imsi, key, signature(1, 5) FROM calls(1, 4);
\set VERBOSITY terse
INSERT INTO call_file (id, imsi, key, signature)
    SELECT id, imsi, key, signature(1, 5) FROM calls(1, 5) ORDER BY id DESC;
INSERT INTO call_file (id, imsi, key, signature)
    SELECT id, imsi, CASE id WHEN 3 THEN xonly('b') ELSE key END, signature(1, 5) FROM calls(1, 5);
INSERT INTO call_file (id, imsi, key, signature)
    SELECT id, imsi, key, CASE WHEN id < 3 THEN signature(1, 5) END FROM calls(1, 5);
INSERT INTO call_file (id, imsi, key) SELECT id, imsi, key FROM calls(1, 5);
INSERT INTO call_file SELECT * FROM calls(1, 0);
-- Several in one transaction; the same one twice in a row is refused.
BEGIN;
INSERT INTO call_file (id, imsi, key, signature) SELECT id, imsi, key, signature(6, 8) FROM calls(6, 8);
INSERT INTO call_file (id, imsi, key, signature) SELECT id, imsi, key, signature(9, 9) FROM calls(9, 9);
SAVEPOINT s;
INSERT INTO call_file (id, imsi, key, signature) SELECT id, imsi, key, signature(9, 9) FROM calls(9, 9);
ROLLBACK TO SAVEPOINT s;
INSERT INTO call_file (id, imsi, key, signature) SELECT id, imsi, key, signature(10, 12) FROM calls(10, 12);
ROLLBACK TO SAVEPOINT s;
INSERT INTO call_file (id, imsi, key, signature) SELECT id, imsi, key, signature(10, 13) FROM calls(10, 13);
COMMIT;
-- So are rows of another statement between those of one.
CREATE FUNCTION nested(id bigint) RETURNS bigint LANGUAGE plpgsql AS $$
BEGIN
    IF id = 15 THEN
        INSERT INTO call_file (id, imsi, key, signature) SELECT c.id, imsi, key, signature(14, 14) FROM calls(14, 14) AS c;
    END IF;
    RETURN id;
END $$;
INSERT INTO call_file (id, imsi, key, signature) SELECT nested(id), imsi, key, signature(14, 16) FROM calls(14, 16);
-- COPY.
CREATE TABLE file_of_calls AS SELECT id, imsi, key, signature(20, 1200) FROM calls(20, 1200);
COPY file_of_calls TO :'path';
SELECT pg_current_wal_insert_lsn() AS start \gset
COPY call_file FROM :'path';
SELECT pg_current_wal_flush_lsn() AS stop \gset
SELECT count(*) > 0 AS multi_inserts FROM pg_get_wal_records_info(:'start', :'stop')
    WHERE record_type LIKE 'MULTI_INSERT%' AND block_ref LIKE '%/' || pg_relation_filenode('call_file') || ' %';
UPDATE file_of_calls SET imsi = 'other' WHERE id = 777;
COPY file_of_calls TO :'path';
COPY call_file FROM :'path';
\setenv FILE :path
\! rm "$FILE"
SELECT count(*) FROM call_file;

-- A trigger that waits for COMMIT.
CREATE TABLE late (id bigint, key bytea, signature bytea) USING ledger;
CREATE CONSTRAINT TRIGGER signed AFTER INSERT ON late DEFERRABLE INITIALLY DEFERRED FOR EACH ROW
    EXECUTE FUNCTION ledger.verify_signature('key', 'signature', 'id');
BEGIN;
INSERT INTO late VALUES (1, key('a'), ecdsa(ledger.message_to_sign('late', ROW(1, key('a'), NULL, NULL)::late), 'a'));
COMMIT;
BEGIN;
INSERT INTO late VALUES (2, key('a'), ecdsa(ledger.message_to_sign('late', ROW(1, key('a'), NULL, NULL)::late), 'a'));
COMMIT;

-- Partitions: the trigger is on the parent, and so are the numbers of its columns.
CREATE TABLE log (day date, id bigint, key bytea, signature bytea) PARTITION BY RANGE (day) USING ledger;
CREATE TABLE log_1 PARTITION OF log FOR VALUES FROM ('2030-01-01') TO ('2030-02-01');
CREATE TRIGGER statement AFTER INSERT ON log REFERENCING NEW TABLE AS n FOR EACH STATEMENT
    EXECUTE FUNCTION ledger.verify_signature('key', 'signature', 'day, id');
CREATE TRIGGER statement AFTER INSERT ON log_1 REFERENCING NEW TABLE AS n FOR EACH STATEMENT
    EXECUTE FUNCTION ledger.verify_signature('key', 'signature', 'day, id');
CREATE TRIGGER signed AFTER INSERT ON log FOR EACH ROW
    EXECUTE FUNCTION ledger.verify_signature('key', 'signature', 'day, id');
CREATE TABLE log_2 PARTITION OF log FOR VALUES FROM ('2030-02-01') TO ('2030-03-01');
CREATE TABLE log_3 (signature bytea, key bytea, id bigint, day date);
ALTER TABLE log ATTACH PARTITION log_3 FOR VALUES FROM ('2030-03-01') TO ('2030-04-01');
SELECT relation, number, attributes, numbers, signing_id = ledger.signing_id('log') AS of_parent
    FROM ledger_internal.signature_requirement JOIN ledger_internal.ledger_table USING (table_id)
    WHERE relation::text LIKE 'log%' ORDER BY relation::text;
INSERT INTO log SELECT day, 1, key('a'), ecdsa(ledger.message_to_sign('log', ROW(day, 1, key('a'), NULL, NULL)::log), 'a')
    FROM (VALUES (date '2030-01-05'), ('2030-02-05'), ('2030-03-05')) AS d (day);
INSERT INTO log_3 (day, id, key, signature)
    VALUES ('2030-03-05', 2, key('a'),
            ecdsa(ledger.message_to_sign('log_3', ROW(NULL, key('a'), 2, '2030-03-05', NULL)::log_3), 'a'));
INSERT INTO log SELECT day, 3, key('a'), ecdsa(ledger.message_to_sign('log', ROW(day, 1, key('a'), NULL, NULL)::log), 'a')
    FROM (VALUES (date '2030-01-05'), ('2030-02-05'), ('2030-03-05')) AS d (day);
SELECT ledger.message_to_sign('log', ROW('2030-03-05', 2, key('a'), NULL, NULL)::log) =
       ledger.message_to_sign('log_3', ROW(NULL, key('a'), 2, '2030-03-05', NULL)::log_3) AS same;
\set VERBOSITY sqlstate
DROP TRIGGER signed ON log;
\set VERBOSITY terse
SELECT tableoid::regclass, id FROM log ORDER BY 1, 2;

-- What the refusals say in full.
\set VERBOSITY default
CREATE TABLE strict (id bigint, key bytea, signature bytea, same bytea GENERATED ALWAYS AS (key) STORED) USING ledger;
CREATE TRIGGER signed AFTER INSERT ON strict FOR EACH ROW
    EXECUTE FUNCTION ledger.verify_signature('same', 'signature', 'id');
CREATE TRIGGER signed AFTER INSERT ON strict FOR EACH ROW
    EXECUTE FUNCTION ledger.verify_signature('key', 'signature', 'id, ledger_ref');
CREATE TRIGGER signed AFTER INSERT ON strict FOR EACH ROW WHEN (NEW.id > 0)
    EXECUTE FUNCTION ledger.verify_signature('key', 'signature', 'id');
CREATE TRIGGER statement AFTER INSERT ON log_1 REFERENCING NEW TABLE AS n FOR EACH STATEMENT
    EXECUTE FUNCTION ledger.verify_signature('key', 'signature', 'day, id');
CREATE TRIGGER signed AFTER INSERT ON strict FOR EACH ROW
    EXECUTE FUNCTION ledger.verify_signature('key', 'signature', 'id');
INSERT INTO strict (id, key, signature) VALUES (1, decode(repeat('02', 100), 'hex'), ecdsa('', 'a'));
SELECT ledger.message_to_sign('strict', ROW(1, decode(repeat('02', 100), 'hex'), NULL, NULL, NULL)::strict);
INSERT INTO strict (id, key, signature) VALUES (1, set_byte(key('a'), 0, 4), ecdsa('', 'a'));
INSERT INTO strict (id, key, signature) VALUES (1, key('a'), ecdsa('', 'a') || '\x00');
INSERT INTO call_file (id, imsi, key, signature)
    SELECT id, imsi, CASE id WHEN 3 THEN xonly('b') ELSE key END, signature(1, 5) FROM calls(1, 5);
INSERT INTO call_file (id, imsi, key, signature) SELECT nested(id), imsi, key, signature(14, 16) FROM calls(14, 16);
WITH numbered AS MATERIALIZED (SELECT *, ledger.next_ref() AS ref FROM calls(2001, 2003))
    INSERT INTO call_file (id, imsi, key, signature, ledger_ref)
        SELECT id, imsi, key, signature(2001, 2003), ref FROM numbered ORDER BY id DESC;
BEGIN;
INSERT INTO call_file (id, imsi, key, signature) SELECT id, imsi, key, signature(2001, 2001) FROM calls(2001, 2001);
INSERT INTO call_file (id, imsi, key, signature) SELECT id, imsi, key, signature(2001, 2001) FROM calls(2001, 2001);
ROLLBACK;
-- What is kept was changed.
BEGIN;
DELETE FROM ledger_internal.signature_requirement;
INSERT INTO strict (id, key, signature) VALUES (1, key('a'), ecdsa('', 'a'));
ROLLBACK;
BEGIN;
UPDATE ledger_internal.signature_requirement SET algorithm = 'rsa';
INSERT INTO strict (id, key, signature) VALUES (1, key('a'), ecdsa('', 'a'));
ROLLBACK;
BEGIN;
UPDATE ledger_internal.signature_requirement SET numbers = '{}';
INSERT INTO strict (id, key, signature) VALUES (1, key('a'), ecdsa('', 'a'));
ROLLBACK;
BEGIN;
ALTER TABLE ledger_internal.signature_requirement ALTER since DROP NOT NULL;
UPDATE ledger_internal.signature_requirement SET since = NULL;
INSERT INTO strict (id, key, signature) VALUES (1, key('a'), ecdsa('', 'a'));
ROLLBACK;
\set VERBOSITY terse

-- The worker agrees with every trigger above.
SELECT count(ledger.wait_final(max)) FROM (
    SELECT max(ledger_ref) FROM readings UNION ALL SELECT max(ledger_ref) FROM bulk UNION ALL
    SELECT max(ledger_ref) FROM call_file UNION ALL SELECT max(ledger_ref) FROM log) AS m;
SELECT * FROM ledger.rejected;
SELECT * FROM ledger.verify(mode => 'full');

\c postgres
SET client_min_messages = warning;
DROP DATABASE regress_signature WITH (FORCE);
