-- Numbers in text: what releases of PostgreSQL read differently is in no contract.
\pset format unaligned
\pset footer off
\pset tuples_only on

CREATE FUNCTION refused(source text) RETURNS SETOF text LANGUAGE sql AS
    $$ SELECT c.construct || ': ' || c.why || ' -> ' || c.replacement FROM ledger.check_contract(source) AS c $$;
-- one function with this body, in SQL and in PL/pgSQL
CREATE FUNCTION body(text) RETURNS SETOF text LANGUAGE sql AS $$
SELECT refused(
'CREATE TABLE t (k integer PRIMARY KEY, n numeric, v text, w varchar(9), d date, j jsonb) USING ledger_state;
CREATE DOMAIN small AS smallint;
CREATE FUNCTION f(a integer, b text, c varchar(9), e jsonb) RETURNS void LANGUAGE sql BEGIN ATOMIC ' || $1 || '; END')
$$;
CREATE FUNCTION program(text) RETURNS SETOF text LANGUAGE sql AS $$
SELECT refused(
'CREATE TABLE t (k integer PRIMARY KEY, n numeric, v text) USING ledger_state;
CREATE FUNCTION f(a integer, b text, c bigint) RETURNS void LANGUAGE plpgsql AS ''' || replace($1, '''', '''''') || '''')
$$;

-- converted when a call runs
SELECT body('UPDATE t SET n = b::integer WHERE k = a');
SELECT body('UPDATE t SET n = c::numeric WHERE k = a');
SELECT body('UPDATE t SET n = (e->>''n'')::bigint WHERE k = a');
SELECT body('UPDATE t SET n = (e->''n'')::numeric, v = (e->0)::boolean::text WHERE k = a');
SELECT body('UPDATE t SET n = CAST(b AS numeric(10, 2)) WHERE k = a');
SELECT body('UPDATE t SET n = b::small WHERE k = a');
SELECT body('UPDATE t SET n = (b::text[])[1]::integer WHERE k = a');
SELECT body('UPDATE t SET v = b::oid::text WHERE k = a');
SELECT body('UPDATE t SET n = int8in(b::cstring) WHERE k = a');
SELECT body('UPDATE t SET v = b::jsonpath::text WHERE k = a');
SELECT body('UPDATE t SET n = pg_size_bytes(b COLLATE "C") WHERE k = a');
SELECT refused('CREATE TABLE m (v text CHECK (v::integer > 5)) USING ledger');
SELECT program('DECLARE x integer; BEGIN x := b; UPDATE t SET n = x WHERE k = a; END');
SELECT program('DECLARE x integer := b; BEGIN UPDATE t SET n = x WHERE k = a; END');
SELECT program('DECLARE x integer; BEGIN SELECT t.v INTO x FROM t WHERE t.k = a; UPDATE t SET n = x WHERE k = a; END');
SELECT program('DECLARE x bigint; BEGIN x := substring(b FOR 3)::bigint; UPDATE t SET n = x WHERE k = a; END');

-- what else releases do differently
SELECT refused('CREATE TABLE t (k integer PRIMARY KEY, i interval(0), n integer, v text) USING ledger_state;
CREATE FUNCTION f(a interval, b text, c numeric, d jsonb) RETURNS void LANGUAGE sql BEGIN ATOMIC
    INSERT INTO t VALUES (1, a, width_bucket(c, 0, 10, 3), b::tsvector::text || encode(jsonb_send(d), ''hex'')); END');
SELECT refused('CREATE TABLE t (k integer PRIMARY KEY, h bytea) USING ledger_state;
CREATE FUNCTION f(a bytea) RETURNS void LANGUAGE sql BEGIN ATOMIC INSERT INTO t VALUES (1, ledger.merkle_leaf_hash(a)); END');

-- by the functions that read it alike everywhere; a constant; a number of JSON
SELECT body('UPDATE t SET n = ledger.to_bigint(b) WHERE k = a');
SELECT body('UPDATE t SET n = ledger.to_numeric(c), v = b WHERE k = a');
SELECT body('UPDATE t SET n = ''12.5''::numeric, v = a::text WHERE k = a');
SELECT body('UPDATE t SET n = ledger.to_numeric(e->>''n'') WHERE k = a');
SELECT program('DECLARE x integer := NULL; y integer := ''5''; BEGIN x := NULL; SELECT NULL, ''7'', t.k INTO x, y, x FROM t WHERE t.k = a; UPDATE t SET n = x + y WHERE k = a; END');
SELECT refused('CREATE TABLE t (k integer PRIMARY KEY) USING ledger_state;
CREATE FUNCTION f(e jsonb) RETURNS void LANGUAGE plpgsql AS ''DECLARE x integer; BEGIN x := e->0; INSERT INTO t VALUES (x); END''');
SELECT program('DECLARE r record; BEGIN FOR i IN 1..10 LOOP UPDATE t SET n = 1e3 + .5 + i WHERE k = a; END LOOP; END');

-- in a literal, wherever it may be read as one
SELECT body($$UPDATE t SET n = '0x10' WHERE k = a$$);
SELECT body($$UPDATE t SET n = ' -1_000 ' WHERE k = a$$);
SELECT body($$UPDATE t SET n = ('{1,0b11}'::integer[])[2] WHERE k = a$$);
SELECT refused($$CREATE TABLE m (v int4range CHECK (v <@ '[0o7,1_000)'::int4range)) USING ledger$$);
SELECT body($$UPDATE t SET n = ('{1,0\x10}'::integer[])[2] WHERE k = a$$);
SELECT body($$UPDATE t SET n = '1e1_0' WHERE k = a$$);
SELECT refused($$CREATE TABLE m (v numeric('0x10', 2), w numeric("0x10")) USING ledger$$);
SELECT body($$UPDATE t SET v = '2026_11'::text WHERE k = a$$);
SELECT body($$UPDATE t SET v = ('0b1e4c2a-7c1d-4f6a-9b3e-0a1b2c3d4e5f'::uuid)::text, j = '{"range": "100_200"}'::jsonb WHERE k = a$$);
SELECT body($$UPDATE t SET v = '0b1e4c2a' WHERE k = a$$);
SELECT body($$UPDATE t SET v = 'of 2026_11, x0x10, B_1, 10' WHERE k = a$$);

-- in the words of a script: one release does not know it, others are not asked
SELECT count(*) > 0 FROM refused('CREATE TABLE m (v integer DEFAULT 0x10) USING ledger');
SELECT count(*) > 0 FROM refused('CREATE TABLE m (v numeric(1_0)) USING ledger');
SELECT count(*) > 0 FROM body('UPDATE t SET n = 1_000.5 WHERE k = a');
SELECT count(*) > 0 FROM program('BEGIN UPDATE t SET n = 0x10 WHERE k = a; END');
SELECT count(*) > 0 FROM program('DECLARE x numeric(1_0); BEGIN x := a; UPDATE t SET n = x WHERE k = a; END');

-- the functions
SELECT ledger.to_bigint(' -42 '), ledger.to_numeric('+1.50'), ledger.to_numeric('1e3'), ledger.to_bigint(NULL);
SELECT ledger.to_numeric('.5'), ledger.to_numeric(' 7. '), ledger.to_numeric('0e99999'), ledger.to_bigint('0007');
SELECT ledger.to_bigint('0x10');
SELECT ledger.to_bigint('1_000');
SELECT ledger.to_bigint('12.5');
SELECT ledger.to_numeric('0b1');
SELECT ledger.to_numeric('1_000.5');
SELECT ledger.to_numeric('1e 5');
SELECT ledger.to_numeric('0e1073741823');
SELECT ledger.to_numeric('NaN');
SELECT ledger.to_numeric('.');
SELECT ledger.to_numeric('1e');
SELECT ledger.to_bigint('1e3');
SELECT ledger.to_bigint('');
SELECT ledger.to_bigint('9223372036854775808');

DROP FUNCTION program(text), body(text), refused(text);
