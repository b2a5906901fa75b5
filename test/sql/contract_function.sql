-- State tables and functions of a contract: what they may be, and each thing
-- that they may not.
\pset format unaligned
\pset footer off
\pset tuples_only on

CREATE FUNCTION refused(source text) RETURNS SETOF text LANGUAGE sql AS
    $$ SELECT c.line || ' ' || c.construct || ': ' || c.why || ' -> ' || c.replacement FROM ledger.check_contract(source) AS c $$;
-- one function with this body, beside two state tables and a ledger table
CREATE FUNCTION body(text, kind text DEFAULT 'void') RETURNS SETOF text LANGUAGE sql AS $$
SELECT refused(
'CREATE TABLE t (k integer PRIMARY KEY, u varchar(5) UNIQUE, n numeric, v text, d date) USING ledger_state;
CREATE TABLE p (a integer, b integer, PRIMARY KEY (a, b)) USING ledger_state;
CREATE TABLE l (x integer) USING ledger;
CREATE FUNCTION pure(n integer) RETURNS integer LANGUAGE sql IMMUTABLE RETURN n + 1;
CREATE FUNCTION acts(n integer) RETURNS void LANGUAGE sql BEGIN ATOMIC DELETE FROM t WHERE k = n; END;
CREATE FUNCTION called(context ledger.context, n integer) RETURNS void LANGUAGE sql BEGIN ATOMIC DELETE FROM t WHERE k = n; END;
CREATE FUNCTION f(a integer, b text, c timestamptz) RETURNS ' || $2 || ' LANGUAGE sql ' || $1)
$$;

-- allowed
SELECT refused($$
CREATE TYPE kind AS ENUM ('a', 'b');
CREATE DOMAIN title AS varchar(20) CHECK (length(VALUE) > 1);
CREATE TABLE party (party title PRIMARY KEY, kind kind, since timestamptz, limit_ numeric(20,2) CHECK (limit_ >= 0)) USING ledger_state;
CREATE TABLE debt (
    debtor title REFERENCES party,
    creditor title,
    asset char(3),
    amount bigint NOT NULL DEFAULT 0 CHECK (amount >= 0),
    note text,
    PRIMARY KEY (debtor, creditor, asset),
    UNIQUE (creditor, debtor, asset),
    FOREIGN KEY (creditor) REFERENCES party
) USING ledger_state;
CREATE INDEX ON debt (asset, amount);
CREATE INDEX ON debt USING hash (note);
CREATE FUNCTION half(n bigint) RETURNS bigint LANGUAGE sql IMMUTABLE STRICT RETURN n / 2;
CREATE FUNCTION kind_of(party title) RETURNS kind LANGUAGE sql RETURN (SELECT p.kind FROM party AS p WHERE p.party = kind_of.party);
CREATE FUNCTION net(x title, y title) RETURNS void LANGUAGE sql
BEGIN ATOMIC
    UPDATE debt SET amount = half(amount) WHERE debtor = x AND creditor = y;
    DELETE FROM debt WHERE debtor = x AND amount = 0;
END;
CREATE FUNCTION owe(context ledger.context, creditor title, amount bigint, asset char(3) DEFAULT 'EUR') RETURNS void LANGUAGE sql
BEGIN ATOMIC
    SELECT ledger.require((context).member = 2 AND 'operator' = ANY ((context).roles), 'only member 2 owes');
    SELECT ledger.require((SELECT count(*) < 10 AND sum(d.amount) < 100 FROM debt AS d WHERE d.creditor = owe.creditor), 'too much for ' || owe.creditor);
    INSERT INTO debt (debtor, creditor, asset, amount) VALUES ('me', owe.creditor, owe.asset, owe.amount)
        ON CONFLICT (debtor, creditor, asset) DO UPDATE SET amount = debt.amount + excluded.amount;
    INSERT INTO debt SELECT d.debtor, d.creditor, 'SUM', sum(d.amount), max(d.note COLLATE "C") FROM debt AS d JOIN party AS p ON p.party = d.debtor
        WHERE d.asset IN ('EUR', 'USD') AND NOT EXISTS (SELECT FROM debt WHERE asset = 'SUM') GROUP BY d.debtor, d.creditor;
    UPDATE party SET since = (context).block_time, limit_ = (SELECT max(d.amount) FROM debt AS d WHERE d.debtor = party.party);
    SELECT net('me', owe.creditor);
END;
CREATE FUNCTION nothing(context ledger.context) RETURNS void LANGUAGE sql BEGIN ATOMIC SELECT ledger.require(true, ''); END;
CREATE VIEW debts AS SELECT debtor, sum(amount) AS amount FROM debt GROUP BY debtor;
COMMENT ON FUNCTION owe(ledger.context, title, bigint, char) IS 'a debt';
GRANT SELECT ON debt, debts TO PUBLIC;
GRANT EXECUTE ON FUNCTION owe(title, bigint, char) TO ledger_reader;
$$);
SELECT body('RETURN (SELECT t.v FROM t WHERE t.k = a AND t.d > ''2020-01-01'')', 'text');
SELECT body('RETURN (SELECT p.a FROM p WHERE p.a = 1 AND f.a = p.b)', 'integer');
SELECT body('BEGIN ATOMIC UPDATE t SET d = (c + interval ''1 day'')::date, n = extract(year FROM date_trunc(''month'', c)); END');

-- state tables
SELECT refused('CREATE TABLE t (a integer) USING ledger_state');
SELECT refused('CREATE TABLE t (a text PRIMARY KEY) USING ledger_state');
SELECT refused('CREATE TABLE t (a varchar PRIMARY KEY) USING ledger_state');
SELECT refused('CREATE TABLE t (a varchar(300), b varchar(300), PRIMARY KEY (a, b)) USING ledger_state');
SELECT refused('CREATE TABLE t (a numeric(1000, 2) PRIMARY KEY, b numeric UNIQUE) USING ledger_state');
SELECT refused(E'CREATE TABLE t (a integer PRIMARY KEY,\n b float8, c real[], e tsvector) USING ledger_state');
SELECT refused('CREATE TABLE t (a integer PRIMARY KEY DEFERRABLE) USING ledger_state');
SELECT refused('CREATE TABLE t (a integer, PRIMARY KEY (a) DEFERRABLE INITIALLY DEFERRED) USING ledger_state');
SELECT refused('CREATE TABLE t (a integer PRIMARY KEY WITH (fillfactor = 50)) USING ledger_state');
SELECT refused('CREATE TABLE t (a integer PRIMARY KEY, EXCLUDE (a WITH =)) USING ledger_state');
SELECT refused('CREATE TABLE t (a integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY, b timestamptz DEFAULT now()) USING ledger_state');
SELECT refused('CREATE TABLE l (a integer) USING ledger; CREATE TABLE t (a integer PRIMARY KEY, b ledger.ref REFERENCES l (ledger_ref)) USING ledger_state');
SELECT refused('CREATE TABLE t (a integer PRIMARY KEY REFERENCES public.x) USING ledger_state');
SELECT refused(E'CREATE TABLE p (a integer PRIMARY KEY) USING ledger_state;
CREATE TABLE t (a integer PRIMARY KEY REFERENCES p ON DELETE CASCADE,\n b integer REFERENCES p ON DELETE SET NULL ON UPDATE CASCADE,\n c integer,
FOREIGN KEY (c) REFERENCES p ON DELETE SET DEFAULT, FOREIGN KEY (c) REFERENCES p ON DELETE RESTRICT ON UPDATE NO ACTION) USING ledger_state');
SELECT refused('CREATE TABLE t (a integer PRIMARY KEY, b text) USING ledger_state; CREATE INDEX ON t (b)');
SELECT refused('CREATE TABLE t (a integer PRIMARY KEY, b integer) USING ledger_state; CREATE INDEX ON t ((a / b))');
SELECT refused('CREATE TABLE t (a integer PRIMARY KEY, b integer) USING ledger_state; CREATE UNIQUE INDEX ON t (b)');
SELECT refused('CREATE TABLE t (a bytea, b bytea, PRIMARY KEY (a)) USING ledger_state');
SELECT refused($$CREATE TABLE t (a integer PRIMARY KEY, k bytea, s bytea) USING ledger_state;
CREATE TRIGGER s BEFORE INSERT ON t FOR EACH ROW EXECUTE FUNCTION ledger.verify_signature('k', 's', 'a', 'bip340')$$);

-- the words of a function
SELECT refused('CREATE FUNCTION f() RETURNS integer LANGUAGE sql AS ''SELECT 1''');
SELECT refused('CREATE FUNCTION f() RETURNS integer LANGUAGE c AS ''x''');
SELECT refused('CREATE PROCEDURE f() LANGUAGE sql BEGIN ATOMIC END');
SELECT refused('CREATE OR REPLACE FUNCTION f() RETURNS integer LANGUAGE sql RETURN 1');
SELECT refused('CREATE FUNCTION public.f() RETURNS integer LANGUAGE sql RETURN 1');
SELECT refused('CREATE FUNCTION f(integer) RETURNS integer LANGUAGE sql RETURN 1');
SELECT refused('CREATE FUNCTION f(a integer, OUT b integer) LANGUAGE sql RETURN 1');
SELECT refused('CREATE FUNCTION f(VARIADIC a integer[]) RETURNS integer LANGUAGE sql RETURN 1');
SELECT refused('CREATE FUNCTION f() RETURNS SETOF integer LANGUAGE sql RETURN 1');
SELECT refused('CREATE FUNCTION f() RETURNS TABLE (a integer) LANGUAGE sql BEGIN ATOMIC SELECT 1; END');
SELECT refused('CREATE FUNCTION f() RETURNS integer LANGUAGE sql SECURITY DEFINER SET work_mem = 64 COST 5 PARALLEL SAFE LEAKPROOF RETURN 1');
SELECT refused('CREATE FUNCTION f() RETURNS integer LANGUAGE sql STABLE RETURN 1');
SELECT refused('CREATE FUNCTION ' || repeat('f', 59) || '() RETURNS integer LANGUAGE sql RETURN 1');
SELECT refused('CREATE FUNCTION f() RETURNS integer LANGUAGE sql BEGIN ATOMIC CREATE TABLE x (); END');
SELECT refused('CREATE FUNCTION f(a integer) RETURNS integer LANGUAGE sql RETURN 1; CREATE FUNCTION f(a text) RETURNS integer LANGUAGE sql RETURN 1');
SELECT refused('CREATE FUNCTION f(a anyelement) RETURNS integer LANGUAGE sql RETURN 1');
SELECT refused('CREATE FUNCTION f(a public.own) RETURNS integer LANGUAGE sql RETURN 1');
SELECT refused('CREATE FUNCTION f(a float8 DEFAULT 1) RETURNS real LANGUAGE sql RETURN 1');
SELECT refused('CREATE FUNCTION f(a text DEFAULT CURRENT_USER) RETURNS integer LANGUAGE sql RETURN 1');
SELECT refused('CREATE FUNCTION f(a text DEFAULT pg_read_file(''x'')) RETURNS integer LANGUAGE sql RETURN 1');

-- entry points
SELECT refused('CREATE FUNCTION f(c ledger.context) RETURNS integer LANGUAGE sql RETURN 1');
SELECT refused('CREATE FUNCTION f(c ledger.context) RETURNS void LANGUAGE sql STRICT BEGIN ATOMIC END');
SELECT refused('CREATE FUNCTION f(c ledger.context) RETURNS void LANGUAGE sql IMMUTABLE BEGIN ATOMIC END');
SELECT refused('CREATE FUNCTION f(c ledger.context DEFAULT NULL) RETURNS void LANGUAGE sql BEGIN ATOMIC END');
SELECT refused('CREATE FUNCTION f(c ledger.context, ledger_ref integer) RETURNS void LANGUAGE sql BEGIN ATOMIC END');
SELECT refused(E'CREATE TYPE e AS ENUM (''a'');\nCREATE FUNCTION f(c ledger.context, a tsquery) RETURNS void LANGUAGE sql BEGIN ATOMIC END');
-- what handles rows
SELECT refused('CREATE TABLE l (a integer, b text) USING ledger; CREATE FUNCTION on_l(c ledger.context, a integer, b text) RETURNS void LANGUAGE sql BEGIN ATOMIC SELECT ledger.require(a > 0, b); END');
SELECT refused(E'CREATE TABLE l (a integer, b text) USING ledger;\nCREATE FUNCTION on_l(c ledger.context, a integer) RETURNS void LANGUAGE sql BEGIN ATOMIC END');
SELECT refused(E'CREATE TABLE l (a integer, b text) USING ledger;\nCREATE FUNCTION on_l(c ledger.context, b text, a integer) RETURNS void LANGUAGE sql BEGIN ATOMIC END');
SELECT refused(E'CREATE TABLE l (a integer) USING ledger;\nCREATE FUNCTION on_l(c ledger.context, a integer DEFAULT 1) RETURNS void LANGUAGE sql BEGIN ATOMIC END');
SELECT refused(E'CREATE TABLE l (a integer) USING ledger;\nCREATE FUNCTION on_l(c ledger.context, a integer) RETURNS integer LANGUAGE sql IMMUTABLE RETURN a');
SELECT refused(E'CREATE FUNCTION on_l(c ledger.context, a integer) RETURNS void LANGUAGE sql BEGIN ATOMIC END;\nCREATE TABLE l (a integer) USING ledger');
SELECT refused('CREATE TABLE s (a integer PRIMARY KEY) USING ledger_state; CREATE FUNCTION on_s(c ledger.context, a integer) RETURNS void LANGUAGE sql BEGIN ATOMIC END');
SELECT refused('CREATE FUNCTION f(c ledger.context, a integer) RETURNS void LANGUAGE sql BEGIN ATOMIC END; CREATE FUNCTION on_f_call(c ledger.context, a integer) RETURNS void LANGUAGE sql BEGIN ATOMIC END');
SELECT refused(E'CREATE TABLE f_call (a integer) USING ledger;\nCREATE FUNCTION f(c ledger.context) RETURNS void LANGUAGE sql BEGIN ATOMIC END');
SELECT refused('CREATE FUNCTION f(c ledger.context) RETURNS void LANGUAGE sql BEGIN ATOMIC END; CREATE FUNCTION f() RETURNS integer LANGUAGE sql RETURN 1');

-- what is read and changed
SELECT body('BEGIN ATOMIC INSERT INTO l VALUES (a); END');
SELECT body('BEGIN ATOMIC DELETE FROM t WHERE k IN (SELECT x FROM l); END');
SELECT body('BEGIN ATOMIC UPDATE l SET x = a; DELETE FROM l WHERE x = a; END');
SELECT body('BEGIN ATOMIC INSERT INTO t (k, n) SELECT l.x, count(*) FROM l LEFT JOIN t ON t.k = l.x GROUP BY l.x; END');
SELECT body('BEGIN ATOMIC SELECT l.x FROM l WHERE l.x = a; END', 'integer');
SELECT refused('CREATE TABLE l (x integer) USING ledger;
CREATE FUNCTION x_of(row_ ledger.ref) RETURNS integer LANGUAGE sql BEGIN ATOMIC SELECT l.x FROM l WHERE l.ledger_ref = row_; END');
SELECT body('RETURN (SELECT count(*) FROM pg_class)', 'bigint');
SELECT body('BEGIN ATOMIC DELETE FROM t WHERE EXISTS (SELECT FROM ledger.member); END');
SELECT body('IMMUTABLE RETURN (SELECT count(*) FROM t)', 'bigint');
SELECT body('BEGIN ATOMIC SELECT called(a); END');
SELECT body('BEGIN ATOMIC UPDATE t SET n = 1 WHERE acts(k) IS NULL; END');
SELECT body('BEGIN ATOMIC UPDATE t SET n = 1 WHERE ledger.require(k > 1, '''') IS NULL; END');
SELECT body('BEGIN ATOMIC SELECT ledger.require(true, ''''), acts(1); END');
SELECT body('IMMUTABLE BEGIN ATOMIC SELECT ledger.require(true, ''''); END');
-- clock, chance, server
SELECT body('BEGIN ATOMIC UPDATE t SET d = now(); END');
SELECT body('BEGIN ATOMIC UPDATE t SET d = CURRENT_DATE; END');
SELECT body('BEGIN ATOMIC UPDATE t SET d = ''today''; END');
SELECT body('BEGIN ATOMIC UPDATE t SET d = ''{2020-01-01,now}''::date[]; END');
SELECT body('BEGIN ATOMIC UPDATE t SET d = lower(''[Today,infinity)''::daterange); END');
SELECT body('BEGIN ATOMIC UPDATE t SET d = ''12:00 tomorrow''::timestamp; END');
SELECT body('BEGIN ATOMIC UPDATE t SET d = E''\ryesterday''; END');
SELECT body('BEGIN ATOMIC UPDATE t SET d = ''now''::date::text; END');
SELECT body('BEGIN ATOMIC SELECT ledger.require(''now''::date > ''2020-01-01'', ''today''); END');
SELECT body('BEGIN ATOMIC SELECT ledger.require(true, ''today'' || '' or '' || (''now''::date)); END');
SELECT refused('CREATE TYPE c AS (a date, b date); CREATE TABLE t (k integer PRIMARY KEY, c c DEFAULT ''(2020-01-01,n"o"w)'', d c[] DEFAULT E''{"(n\\\\ow,)"}'') USING ledger_state');
SELECT refused('CREATE TABLE t (k integer PRIMARY KEY, a text DEFAULT ''not now''::text, b text DEFAULT ''nowhere'', c varchar DEFAULT ''now''::varchar(9), d text DEFAULT ''now'') USING ledger_state');
SELECT body('BEGIN ATOMIC SELECT ledger.require(a > 1, ''not now: '' || b || '' today''); END');
SELECT body('BEGIN ATOMIC UPDATE t SET n = random(); END');
SELECT body('BEGIN ATOMIC UPDATE t SET n = nextval(''q''); END');
SELECT body('BEGIN ATOMIC UPDATE t SET v = CURRENT_USER; END');
SELECT body('BEGIN ATOMIC UPDATE t SET v = current_setting(''server_version''); END');
SELECT body('BEGIN ATOMIC DELETE FROM t WHERE ctid = ''(0,1)''; END');
SELECT body('BEGIN ATOMIC DELETE FROM t WHERE xmin = ''1''; END');
SELECT body('BEGIN ATOMIC UPDATE t SET v = t::text; END');
SELECT body('BEGIN ATOMIC UPDATE t SET d = b::date; END');
SELECT body('BEGIN ATOMIC DELETE FROM t WHERE b::timestamptz > c; END');
SELECT body('BEGIN ATOMIC UPDATE t SET v = c::text; END');
SELECT body('BEGIN ATOMIC UPDATE t SET d = date_trunc(''day'', c, ''Europe/Berlin''); END');
SELECT body('BEGIN ATOMIC UPDATE t SET n = n::float8 * 2; END');
SELECT body('BEGIN ATOMIC UPDATE t SET n = sqrt(2); END');
SELECT body('BEGIN ATOMIC UPDATE t SET n = ln(n); END');
SELECT body('BEGIN ATOMIC DELETE FROM t WHERE v < b; END');
SELECT body('BEGIN ATOMIC UPDATE t SET v = upper(v); END');
SELECT body('BEGIN ATOMIC UPDATE t SET v = repeat(v, 1000000); END');
SELECT body('BEGIN ATOMIC UPDATE t SET n = hashtext(v); END');
SELECT body('BEGIN ATOMIC UPDATE t SET v = pg_sleep(5)::text; END');
SELECT body('BEGIN ATOMIC UPDATE t SET n = public.own(1); END');
SELECT refused('CREATE TYPE c AS (a integer, b integer); CREATE TABLE t (k integer PRIMARY KEY, c c) USING ledger_state;
CREATE FUNCTION f() RETURNS void LANGUAGE sql BEGIN ATOMIC UPDATE t SET c.a = 1; END');
SELECT body('BEGIN ATOMIC UPDATE t SET n = CASE WHEN b IS NULL THEN coalesce(n, 1) ELSE greatest(n, 2) END, v = coalesce(nullif(b, ''x''), (ARRAY[b, ''y''])[1]) WHERE (a, k) IN (SELECT p.a, p.b FROM p) OR n IS DISTINCT FROM 3; END');
SELECT refused($$CREATE TYPE c AS (a integer, b text);
CREATE TABLE t (k integer PRIMARY KEY, j jsonb CHECK (j > '{}'), a text[] CHECK (a < '{b}'), c c, m c[] CHECK (m > '{}'), o jsonb[] CHECK (array_le(o, '{}')), n integer[] CHECK (n > '{1}'),
CHECK (greatest(j, '{}') IS NULL AND least(c, NULL) IS NULL), CHECK ((k, j) < (1, '{}')), CHECK (j > ANY (o)), CHECK (j = '{}' OR j IN ('{}', '1') OR j <> '1')) USING ledger_state;$$);
SELECT refused($$CREATE TABLE l (j jsonb CHECK (j >= '1')) USING ledger; CREATE TYPE r AS RANGE (subtype = jsonb)$$);
SELECT body('BEGIN ATOMIC UPDATE t SET n = CASE WHEN ''1''::jsonb < ''2''::jsonb THEN 1 ELSE 2 END; END');
SELECT body('BEGIN ATOMIC UPDATE t SET n = CASE WHEN int4range(1, a) < int4range(a, 2) THEN 1 ELSE 2 END; END');
-- by other names, and patterns out of values
SELECT body('BEGIN ATOMIC UPDATE t SET n = n ^ 2.5; END');
SELECT body('BEGIN ATOMIC UPDATE t SET n = numeric_exp(n) + numeric_log(n, 2) + numeric_power(n, 3); END');
SELECT body('BEGIN ATOMIC UPDATE t SET v = quote_ident(v); END');
SELECT body('BEGIN ATOMIC UPDATE t SET v = b WHERE polygon(4, circle ''((1,1),2)'') IS NULL AND point ''(1,2)'' IS NULL; END');
SELECT body('BEGIN ATOMIC UPDATE t SET v = xmlcomment(v); END');
SELECT refused('CREATE TYPE c AS (x xml); CREATE DOMAIN d AS xml[]; CREATE TABLE m (y integer CHECK (y ^ 2 > 1 AND y::numeric ^ 2 > 1 AND quote_ident(''x'') = ''x'')) USING ledger;
CREATE FUNCTION f(x xml, p point) RETURNS void LANGUAGE sql BEGIN ATOMIC END');
SELECT body('BEGIN ATOMIC INSERT INTO p SELECT extract(day FROM avg(interval ''1 day'')), 1 FROM t; END');
SELECT body('BEGIN ATOMIC INSERT INTO p SELECT extract(day FROM sum(interval ''1 day'')), 1 FROM t; END');
SELECT body('BEGIN ATOMIC INSERT INTO t (k, v) SELECT 1, sum(1::money)::text FROM t; END');
SELECT body('BEGIN ATOMIC UPDATE t SET n = CASE WHEN b COLLATE "C" ~ v THEN 1 ELSE 2 END; END');
SELECT body('BEGIN ATOMIC UPDATE t SET v = regexp_replace(b COLLATE "C", v, ''x'') || substring(b COLLATE "C" FROM v) || substring(b COLLATE "C" SIMILAR v ESCAPE ''x''); END');
SELECT body('BEGIN ATOMIC UPDATE t SET n = CASE WHEN b COLLATE "C" !~* ANY (ARRAY[''x'', v]) OR b COLLATE "C" SIMILAR TO v THEN 1 ELSE 2 END; END');
SELECT body('BEGIN ATOMIC UPDATE t SET n = CASE WHEN jsonb_path_exists(''{}'', ''$ ? (@ like_regex "a" flag "i")'') OR ''{}''::jsonb @? ''$.a'' THEN 1 ELSE 2 END; END');
-- allowed
SELECT body('BEGIN ATOMIC UPDATE t SET n = CASE WHEN b COLLATE "C" ~ (''^a'' || ''b'') OR b COLLATE "C" SIMILAR TO (''a%'' COLLATE "C") THEN 1 ELSE 2 END, v = regexp_replace(b COLLATE "C", ''a.*'', v) || substring(b COLLATE "C" FROM ''a'') WHERE k = 1; END');
-- which row, in which order
SELECT body('RETURN (SELECT v FROM t WHERE d = ''2020-01-01'' LIMIT 1)', 'text');
SELECT body('BEGIN ATOMIC SELECT v FROM t; END', 'text');
SELECT body('BEGIN ATOMIC SELECT v FROM t WHERE k > a; END', 'text');
SELECT body('BEGIN ATOMIC SELECT v FROM t WHERE k = a OR k = 2; END', 'text');
SELECT body('BEGIN ATOMIC SELECT p.a FROM p WHERE p.a = 1; END', 'integer');
SELECT body('BEGIN ATOMIC SELECT t.v FROM t WHERE k = (SELECT max(p.a) FROM p WHERE p.b = t.k); END', 'text');
SELECT body('BEGIN ATOMIC SELECT t.v FROM t, p WHERE t.k = 1; END', 'text');
SELECT body('BEGIN ATOMIC SELECT DISTINCT ON (d) v FROM t WHERE k = a; END', 'text');
SELECT body('BEGIN ATOMIC SELECT v FROM t WHERE k = a UNION SELECT v FROM t; END', 'text');
SELECT body('BEGIN ATOMIC INSERT INTO p SELECT k, rank() OVER (ORDER BY n) FROM t; END');
SELECT body('BEGIN ATOMIC INSERT INTO p SELECT k, generate_series(1, 1000) FROM t; END');
SELECT body('BEGIN ATOMIC INSERT INTO p SELECT a, g FROM generate_series(1, 1000) AS g; END');
SELECT body('BEGIN ATOMIC INSERT INTO p WITH RECURSIVE r AS (SELECT 1 AS x UNION ALL SELECT x FROM r) SELECT x, x FROM r; END');
SELECT body('BEGIN ATOMIC UPDATE t SET v = (SELECT string_agg(p.a::text, '','') FROM p); END');
SELECT body('BEGIN ATOMIC UPDATE t SET n = cardinality(ARRAY(SELECT p.a FROM p)); END');
SELECT body('BEGIN ATOMIC UPDATE t SET n = (SELECT max(n) FROM t); END');
SELECT body('BEGIN ATOMIC UPDATE t SET n = (SELECT sum(DISTINCT n) FROM t); END');
SELECT body('BEGIN ATOMIC UPDATE t SET v = (SELECT max(v) FROM t); END');
SELECT body('BEGIN ATOMIC INSERT INTO p SELECT count(*), 1 FROM t GROUP BY n; END');
SELECT body('BEGIN ATOMIC INSERT INTO p SELECT DISTINCT n, 1 FROM t; END');
SELECT body('BEGIN ATOMIC INSERT INTO p SELECT n, 1 FROM t UNION SELECT n, 1 FROM t; END');
SELECT body('BEGIN ATOMIC INSERT INTO t (k, n) SELECT n, n FROM t UNION SELECT n, n FROM t UNION ALL SELECT 1, 1; END');
SELECT body('BEGIN ATOMIC INSERT INTO t (k, n) SELECT k, n FROM t INTERSECT ALL SELECT k, n FROM t; END');
SELECT body('BEGIN ATOMIC INSERT INTO t (k, n) SELECT k, n FROM t UNION ALL (SELECT k, n FROM t EXCEPT ALL SELECT k, n FROM t); END');
SELECT body('BEGIN ATOMIC INSERT INTO t (k, n) SELECT k, n FROM t UNION ALL SELECT k, n FROM t; END');
SELECT body('BEGIN ATOMIC UPDATE t SET n = p.b FROM p WHERE p.a = t.k; END');
SELECT body('BEGIN ATOMIC DELETE FROM t USING p WHERE p.a = t.k; END');
SELECT body('BEGIN ATOMIC UPDATE t SET k = k + 1; END');
SELECT body('BEGIN ATOMIC UPDATE t SET u = ''x''; END');
SELECT body('BEGIN ATOMIC INSERT INTO t (k) SELECT p.a FROM p ON CONFLICT DO NOTHING; END');
SELECT body('BEGIN ATOMIC INSERT INTO t (k) VALUES (1), (1) ON CONFLICT DO NOTHING; END');
SELECT body('BEGIN ATOMIC INSERT INTO t (k) VALUES (1) ON CONFLICT (k) DO UPDATE SET k = 2; END');
SELECT body('BEGIN ATOMIC INSERT INTO t (k) VALUES (1) RETURNING k; END', 'integer');
SELECT body('BEGIN ATOMIC SELECT v FROM t WHERE k = a FOR UPDATE; END', 'text');
SELECT body('BEGIN ATOMIC WITH x AS (DELETE FROM t RETURNING k) SELECT count(*) FROM x; END', 'bigint');
SELECT body('BEGIN ATOMIC UPDATE t SET (n, d) = (SELECT 1, NULL::date); END');
SELECT body('BEGIN ATOMIC SELECT v FROM t TABLESAMPLE system (10) WHERE k = a; END', 'text');
SELECT body('BEGIN ATOMIC SELECT count(*) FROM t GROUP BY GROUPING SETS ((d), ()); END', 'bigint');
-- for which rows an expression is computed that may fail
SELECT body('BEGIN ATOMIC SELECT ledger.require(EXISTS (SELECT FROM p WHERE 100 / p.a > 5), ''''); END');
SELECT body('BEGIN ATOMIC SELECT ledger.require(5 IN (SELECT 100 / p.a FROM p), ''''); END');
SELECT body('BEGIN ATOMIC SELECT ledger.require(5 = ANY (SELECT p.a FROM p) AND 100 / a = ALL (SELECT p.a FROM p), ''''); END');
SELECT body('BEGIN ATOMIC DELETE FROM t WHERE k > 1 AND 100 / k > 5; END');
SELECT body('BEGIN ATOMIC DELETE FROM t WHERE CASE WHEN k > 0 THEN 100 / k > 5 ELSE coalesce(k + 1, 2) = 3 END; END');
SELECT body('BEGIN ATOMIC DELETE FROM t WHERE k = a + 1; END');
SELECT body('BEGIN ATOMIC DELETE FROM t WHERE d > c::date; END');
SELECT body('BEGIN ATOMIC DELETE FROM t WHERE v LIKE ''x%''; END');
SELECT body('BEGIN ATOMIC DELETE FROM t WHERE pure(k) = 2; END');
SELECT body('BEGIN ATOMIC DELETE FROM t WHERE k::bigint = ANY (ARRAY[1, 2 + a]); END');
SELECT body('BEGIN ATOMIC INSERT INTO t (k) SELECT p.a FROM p JOIN p AS q ON q.a = p.a * 2; END');
SELECT body('BEGIN ATOMIC INSERT INTO t (k, n) SELECT p.a, sum(p.b) FROM p GROUP BY p.a HAVING sum(p.b) > p.a + 1; END');
SELECT body('BEGIN ATOMIC INSERT INTO t (k, n) SELECT p.a, sum(1 / p.b) FROM p GROUP BY p.a HAVING p.a > 5; END');
SELECT body('BEGIN ATOMIC INSERT INTO t (k, n) SELECT p.a, (SELECT max(q.b) FROM p AS q) + sum(1 / p.b) FROM p GROUP BY p.a HAVING p.a > 5; END');
SELECT body('BEGIN ATOMIC INSERT INTO t (k, n) SELECT 1 / p.a, count(*) FROM p GROUP BY 1 / p.a HAVING count(*) > 5; END');
SELECT body('BEGIN ATOMIC INSERT INTO t (k, n) SELECT p.a, sum(p.b) FILTER (WHERE 1 / p.b = 1) FROM p GROUP BY p.a; END');
SELECT body('BEGIN ATOMIC INSERT INTO t (k) SELECT x.y FROM (SELECT 1 / p.a AS y, p.b FROM p) AS x WHERE x.b > 0; END');
SELECT body('BEGIN ATOMIC INSERT INTO t (k) WITH x AS (SELECT 1 / p.a AS y FROM p) SELECT x.y FROM x; END');
SELECT body('BEGIN ATOMIC INSERT INTO t (k) SELECT 1 / p.a FROM p UNION ALL SELECT p.a FROM p; END');
SELECT body('BEGIN ATOMIC INSERT INTO t (k) SELECT x.y FROM (VALUES (1 / a)) AS x (y); END');
SELECT body('BEGIN ATOMIC INSERT INTO t (k) VALUES (1) ON CONFLICT (k) DO UPDATE SET n = 1 WHERE t.n / a > 1; END');
SELECT body('BEGIN ATOMIC UPDATE t SET n = (SELECT max(p.a) + 1 FROM p); END');
SELECT body('BEGIN ATOMIC UPDATE t SET n = (SELECT sum(s.n) FROM t AS s); END');
SELECT body('BEGIN ATOMIC DELETE FROM t WHERE k = (SELECT p.a FROM p); END');
SELECT body('BEGIN ATOMIC DELETE FROM t WHERE u = (SELECT s.u FROM t AS s WHERE s.u = b::char(5)); END');
SELECT body('BEGIN ATOMIC UPDATE t SET n = pure(k + 1); END');
SELECT body('BEGIN ATOMIC UPDATE t SET n = 1 / 0; END');
SELECT refused('CREATE TABLE t (u varchar(5) PRIMARY KEY, v integer) USING ledger_state;
CREATE FUNCTION f(a char(5)) RETURNS integer LANGUAGE sql RETURN 1;
CREATE FUNCTION g(a char(5)) RETURNS integer LANGUAGE sql BEGIN ATOMIC SELECT t.v FROM t WHERE t.u = a; END');
-- allowed
SELECT body($b$BEGIN ATOMIC
    UPDATE t SET n = 100 / k + pure(k) + CASE WHEN a > 0 THEN (SELECT p.b FROM p) ELSE 0 END, v = v || b WHERE k BETWEEN 1 AND a AND n >= 0 AND (u = b OR v IN ('x', 'y') OR v IS NULL);
    DELETE FROM t WHERE (k, a) IN (SELECT p.a, p.b FROM p) AND d < '2020-01-01' AND k = (SELECT max(p.a) FROM p) AND a = (SELECT p.b FROM p WHERE p.a = t.k AND p.b = 1);
    INSERT INTO t (k, n) SELECT p.a, sum(p.b * 2) / count(*) FROM p JOIN t AS s ON s.k = p.b AND s.k < 5::bigint GROUP BY p.a;
    INSERT INTO t (k, n) SELECT p.a, sum(p.b) / count(*) FROM p GROUP BY p.a HAVING sum(p.b) > 2;
    INSERT INTO p VALUES (a + 1, a / 2), (a, length(b));
    INSERT INTO t (k, n) VALUES (a, a / 2) ON CONFLICT (k) DO UPDATE SET n = t.n / excluded.n WHERE t.n > excluded.n;
    SELECT acts(a / 2);
    SELECT ledger.require(a / 2 > 1 AND EXISTS (SELECT FROM p WHERE p.a = f.a), 'below ' || b);
END$b$);
SELECT refused('CREATE DOMAIN money2 AS numeric(20,2); CREATE TABLE t (k integer PRIMARY KEY, n numeric(20,2), m money2) USING ledger_state;
CREATE FUNCTION f() RETURNS void LANGUAGE sql BEGIN ATOMIC UPDATE t SET n = (SELECT sum(s.n) FROM t AS s), m = (SELECT sum(s.m) FROM t AS s); END');
-- how much it calls and joins
CREATE FUNCTION chain(first integer, last integer, body text) RETURNS text LANGUAGE sql AS
    $$ SELECT string_agg(format('CREATE FUNCTION f%s(n integer) RETURNS integer LANGUAGE sql IMMUTABLE RETURN ' || body || E';\n', i, i - 1), '' ORDER BY i) FROM generate_series(first, last) AS i $$;
SELECT refused('CREATE FUNCTION f0(n integer) RETURNS integer LANGUAGE sql IMMUTABLE RETURN n;' || E'\n' || chain(1, 10, 'f%2$s(n) + f%2$s(n)'));
SELECT refused('CREATE FUNCTION f0(n integer) RETURNS integer LANGUAGE sql IMMUTABLE RETURN n;' || E'\n' || chain(1, 34, 'f%2$s(n)'));
SELECT refused('CREATE FUNCTION f0(n integer) RETURNS integer LANGUAGE sql IMMUTABLE RETURN n;' || E'\n' || chain(1, 8, 'f%2$s(n) + f%2$s(n)'));
SELECT refused('CREATE FUNCTION f0(n integer) RETURNS integer LANGUAGE sql IMMUTABLE RETURN n;' || E'\n' || chain(1, 8, 'f%2$s(n) + f%2$s(n)') || E'CREATE FUNCTION g() RETURNS void LANGUAGE sql BEGIN ATOMIC SELECT f8(1);\nSELECT f8(2); END;');
DROP FUNCTION chain;
SELECT body('BEGIN ATOMIC INSERT INTO p SELECT count(*), 1 FROM t, t AS u, p, p AS q, (SELECT 1 FROM p, p AS r) AS s WHERE EXISTS (SELECT FROM t, p); END');
SELECT body('BEGIN ATOMIC INSERT INTO p SELECT count(*), 1 FROM t, t AS u, p, p AS q, (SELECT 1 FROM p, p AS r) AS s WHERE EXISTS (SELECT FROM t); END');
-- what it joins, and by what: each table but one by a key
CREATE FUNCTION joins(statement text, kind text DEFAULT 'void') RETURNS SETOF text LANGUAGE sql AS $$
SELECT refused(
'CREATE TABLE t (k integer PRIMARY KEY, n bigint, v varchar(9)) USING ledger_state;
CREATE TABLE p (a integer, b integer, c integer, UNIQUE (c), PRIMARY KEY (a, b)) USING ledger_state;
CREATE TABLE q (v varchar(9), w varchar(9) COLLATE "C", n integer, z integer, PRIMARY KEY (v), UNIQUE (w)) USING ledger_state;
CREATE INDEX ON q (n, z);
CREATE INDEX ON q USING hash (z); CREATE INDEX ON p USING brin (b);
CREATE TABLE l (x integer, y ledger.ref) USING ledger;
CREATE INDEX ON l (x);
CREATE FUNCTION f(m integer, s varchar, many integer[]) RETURNS ' || $2 || ' LANGUAGE sql BEGIN ATOMIC ' || $1 || '; END')
$$;
-- allowed
SELECT joins('INSERT INTO p SELECT t.k, 1, p.c FROM p, t WHERE t.k = p.a');
SELECT joins('INSERT INTO p SELECT t.k, 1, q.n FROM t JOIN q ON q.v = t.v');
SELECT joins('INSERT INTO p SELECT t.k, 1, q.n FROM t LEFT JOIN q ON q.w = t.v COLLATE "C" RIGHT JOIN t AS u ON t.k = u.k');
SELECT joins('INSERT INTO p SELECT t.k, 1, x.c FROM p AS x, p AS y, t WHERE y.b = t.k AND y.a = m AND y.c = t.k AND x.c = y.b');
SELECT joins('INSERT INTO p SELECT t.k, 1, 1 FROM t, p WHERE t.k = (SELECT max(x.c) FROM p AS x)');
SELECT joins('INSERT INTO p SELECT t.k, 1, x.c FROM t, (SELECT max(p.c) AS c FROM p) AS x');
SELECT joins('INSERT INTO p WITH x AS (SELECT count(*) AS c FROM p) SELECT t.k, 1, 1 FROM t, x WHERE x.c > 1');
SELECT joins('INSERT INTO p SELECT t.k, 1, x.c FROM t JOIN (SELECT p.a, p.c FROM p WHERE p.b = 1) AS x ON t.k = x.a');
SELECT joins('INSERT INTO p SELECT t.k, 1, x.c FROM p AS x CROSS JOIN LATERAL (SELECT u.k FROM t AS u WHERE u.k = x.a) AS t');
SELECT joins('INSERT INTO p SELECT t.k, 1, 1 FROM l, t WHERE t.k = l.x UNION SELECT t.k, 1, 1 FROM l JOIN l AS o ON o.ledger_ref = l.y JOIN t ON t.k = o.x');
SELECT joins('UPDATE t SET n = (SELECT p.c FROM p WHERE p.a = t.k AND p.b = m) WHERE EXISTS (SELECT FROM p WHERE p.c = t.k)');
SELECT joins('UPDATE t SET n = (SELECT sum(p.c) FROM p WHERE p.a = t.k)');
SELECT joins('UPDATE t SET n = (SELECT count(*) FROM q WHERE q.n = t.k AND q.z > 5) + (SELECT count(*) FROM q WHERE q.z = t.k) + (SELECT count(*) FROM l WHERE l.x = t.k)');
SELECT joins('UPDATE t SET n = (SELECT count(*) FROM q WHERE q.n > t.n) WHERE t.k = m');
SELECT joins('UPDATE t SET n = (SELECT count(*) FROM q, p WHERE q.n > t.n AND p.c = q.z) WHERE t.k = m');
SELECT joins('UPDATE t SET n = (SELECT count(*) FROM q) WHERE EXISTS (SELECT FROM p WHERE p.c > m) AND v NOT IN (SELECT q.v FROM q)');
SELECT joins('DELETE FROM t WHERE n IN (SELECT q.n FROM q) OR k IN (SELECT p.a FROM p WHERE p.c IN (SELECT l.x FROM l))');
SELECT joins('UPDATE t SET n = (SELECT count(*) FROM q WHERE q.n = t.k AND q.z IN (SELECT p.c FROM p WHERE p.b = 1))');
SELECT joins('DELETE FROM p WHERE (a, b) IN (SELECT q.n, q.z FROM q) AND EXISTS (SELECT FROM t WHERE t.k = p.a AND EXISTS (SELECT FROM q WHERE q.v = t.v))');
SELECT joins('SELECT ledger.require((SELECT count(*) FROM t) = (SELECT count(*) FROM p) AND m <> ALL (SELECT p.c FROM p), ''x'')');
SELECT joins('INSERT INTO t (k, n) VALUES (m, 1) ON CONFLICT (k) DO UPDATE SET n = (SELECT count(*) FROM p WHERE p.c > t.n)');
-- refused: no key, a part of one, another operator or collation, what is computed
SELECT joins('INSERT INTO p SELECT t.k, p.b, 1 FROM t, p');
SELECT joins('INSERT INTO p SELECT t.k, p.b, 1 FROM t JOIN p ON p.a = t.n');
SELECT joins('INSERT INTO p SELECT t.k, p.b, 1 FROM t JOIN p ON p.c > t.k');
SELECT joins('INSERT INTO p SELECT t.k, p.b, 1 FROM t JOIN p ON p.c = t.k OR p.c = m');
SELECT joins('INSERT INTO p SELECT t.k, p.b, 1 FROM t JOIN p ON p.c IS NOT DISTINCT FROM t.k');
SELECT joins('INSERT INTO p SELECT t.k, p.b, 1 FROM t JOIN p ON t.k = ANY (many)');
SELECT joins('INSERT INTO p SELECT t.k, 1, q.n FROM t JOIN q ON q.v = t.v COLLATE "C"');
SELECT joins('INSERT INTO p SELECT t.k, 1, q.n FROM t, q, p WHERE q.n = t.k AND p.a = t.k');
SELECT joins('INSERT INTO p SELECT t.k, 1, q.n FROM t, q WHERE q.n = t.n AND q.z = m');
SELECT joins('INSERT INTO p SELECT t.k, p.b, 1 FROM p LEFT JOIN q ON p.c = q.n, t WHERE t.k = q.n');
SELECT joins('INSERT INTO p SELECT t.k, p.b, 1 FROM p FULL JOIN t ON p.c = t.k');
SELECT joins('INSERT INTO p SELECT t.k, 1, x.c FROM t, (SELECT p.c FROM p) AS x');
SELECT joins('INSERT INTO p WITH x AS (SELECT p.c FROM p) SELECT x.c, 1, y.c FROM x, x AS y');
SELECT joins('INSERT INTO p SELECT t.k, 1, x.c FROM t CROSS JOIN LATERAL (SELECT p.c FROM p WHERE p.b = t.k) AS x');
SELECT joins('INSERT INTO p SELECT t.k, 1, 1 FROM t UNION ALL SELECT t.k, 1, 1 FROM t, p');
-- subqueries that run for each row
SELECT joins('UPDATE t SET n = (SELECT sum(p.c) FROM p WHERE p.b = t.k)');
SELECT joins('UPDATE t SET n = (SELECT sum(p.c) FROM p WHERE p.a = t.n)');
SELECT joins('UPDATE t SET n = (SELECT sum(q.z) FROM q WHERE q.z > t.k AND q.n = m)');
SELECT joins('UPDATE q SET n = (SELECT sum(p.c) FROM p WHERE p.a = q.z)');
SELECT joins('UPDATE t SET n = CASE WHEN k > m THEN (SELECT count(*) FROM p WHERE p.c < t.k) ELSE 1 END');
SELECT joins('DELETE FROM t WHERE EXISTS (SELECT FROM q WHERE q.z = 1 AND q.n <> t.k)');
SELECT joins('DELETE FROM t WHERE k > ALL (SELECT q.n FROM q)');
SELECT joins('DELETE FROM t WHERE k < ANY (SELECT q.n FROM q)');
SELECT joins('UPDATE t SET n = (SELECT count(*) FROM q WHERE q.n = t.k AND q.z IN (SELECT p.b FROM p))');
SELECT joins('UPDATE t SET n = (SELECT count(*) FROM q, p WHERE q.n = t.k AND p.a = q.z)');
SELECT joins('UPDATE t SET n = (SELECT count(*) FROM p WHERE p.c = t.k AND EXISTS (SELECT FROM q WHERE q.z > p.b))');
SELECT joins('INSERT INTO p SELECT u.k, 1, 1 FROM t AS u WHERE u.n = (SELECT max(x.c) FROM (SELECT p.c FROM p WHERE p.b = u.k UNION ALL SELECT p.c FROM p WHERE p.a = u.k) AS x)');
-- what is in FROM, WITH or a UNION of such a one runs as often, and an ON leaves out none of the rows around it
SELECT joins('UPDATE t SET n = (SELECT x.c FROM (SELECT count(*) AS c FROM p) AS x WHERE x.c > t.k)');
SELECT joins('UPDATE t SET n = (WITH x AS (SELECT count(*) AS c FROM p) SELECT x.c FROM x WHERE x.c > t.k)');
SELECT joins('DELETE FROM t WHERE EXISTS (SELECT FROM p WHERE p.c = t.k UNION ALL SELECT FROM q WHERE q.n = 5)');
SELECT joins('UPDATE t SET n = (SELECT count(*) FROM p RIGHT JOIN q ON t.k = m AND p.c = q.z)');
SELECT joins('UPDATE t SET n = (SELECT count(*) FROM q LEFT JOIN (p JOIN p AS r ON t.k = m AND r.c = p.c) ON p.c = q.z)');
DROP FUNCTION joins;
DROP FUNCTION body;
DROP FUNCTION refused;

-- what ends a call
\set VERBOSITY terse
SELECT ledger.require(true, 'x') IS NOT NULL;
SELECT ledger.require(false, 'in words');
SELECT ledger.require(NULL, NULL);
