-- Functions of a contract in PL/pgSQL: what they may say, and each thing that
-- they may not.
\pset format unaligned
\pset footer off
\pset tuples_only on

CREATE FUNCTION refused(source text) RETURNS SETOF text LANGUAGE sql AS
    $$ SELECT c.line || ' ' || c.construct || ': ' || c.why || ' -> ' || c.replacement FROM ledger.check_contract(source) AS c $$;
-- one function with these variables and statements, beside state tables; its body begins in line 12
CREATE FUNCTION body(statements text, variables text DEFAULT '', kind text DEFAULT 'void') RETURNS SETOF text LANGUAGE sql AS $b$
SELECT refused(
'CREATE TABLE t (k integer PRIMARY KEY, u varchar(5) UNIQUE, n numeric, v text, d date) USING ledger_state;
CREATE TABLE p (a integer, b varchar(5), PRIMARY KEY (a, b)) USING ledger_state;
CREATE TABLE l (x integer) USING ledger;
CREATE TYPE kind AS ENUM (''a'', ''b'');
CREATE TYPE pair AS (x integer, y text);
CREATE FUNCTION pure(n integer) RETURNS integer LANGUAGE sql IMMUTABLE RETURN n + 1;
CREATE FUNCTION acts(n integer) RETURNS void LANGUAGE sql BEGIN ATOMIC DELETE FROM t WHERE k = n; END;
CREATE FUNCTION computes(n integer, v text) RETURNS integer LANGUAGE plpgsql AS ''BEGIN RETURN n + length(v); END'';
CREATE FUNCTION called(context ledger.context, n integer) RETURNS void LANGUAGE plpgsql AS ''BEGIN PERFORM acts(n); END'';
CREATE FUNCTION f(a integer, b text, c timestamptz, e integer[]) RETURNS ' || kind || ' LANGUAGE plpgsql AS $$
DECLARE x bigint := 0; m integer; r record; w text; q t; z numeric(10,2); ' || variables || '
BEGIN
' || statements || '
END $$')
$b$;

-- allowed
SELECT body($$
    FOR i IN REVERSE a .. 1 BY 2 LOOP
        x := x + i / 2;
        CONTINUE WHEN x > 10;
        INSERT INTO p VALUES (i, b) ON CONFLICT DO NOTHING;
        GET DIAGNOSTICS x = ROW_COUNT;
    END LOOP;
    <<rows>>
    FOR r IN SELECT t.k, t.v, t.n FROM t JOIN p ON p.a = t.k ORDER BY t.k DESC, p.a, p.b COLLATE "C" LOOP
        FOR q IN SELECT * FROM t ORDER BY k LOOP
            EXIT rows WHEN NOT FOUND OR q.k > r.k;
        END LOOP;
        UPDATE t SET n = r.n / 2 WHERE k = r.k;
    END LOOP;
    FOR r IN SELECT t.k, t.v, t.n FROM t ORDER BY t.k LOOP PERFORM acts(r.k / 2); END LOOP;
    FOR m, w IN SELECT p.a, max(p.b COLLATE "C") FROM p GROUP BY p.a ORDER BY p.a LOOP x := x + m; END LOOP;
    FOR m IN SELECT DISTINCT p.a FROM p ORDER BY p.a LOOP x := x + m; END LOOP;
    FOR m IN SELECT count(*) FROM p LOOP x := x + m; END LOOP;
    FOR m IN SELECT l.x FROM l JOIN t ON t.k = l.x ORDER BY l.ledger_ref, t.k LOOP x := x + m; END LOOP;
    SELECT l.x INTO m FROM l WHERE l.ledger_ref = '1.1.1.1';
    FOREACH m IN ARRAY e LOOP x := x + m; END LOOP;
    WHILE x > 0 AND EXISTS (SELECT FROM t WHERE k = a) LOOP
        x := x - 1;
        m := computes(a / 2, b);
    END LOOP;
    LOOP EXIT WHEN x < 5; x := x / 2; END LOOP;
    SELECT t.n, t.v INTO z, w FROM t WHERE t.k = a;
    SELECT * INTO STRICT q FROM t WHERE t.u = b;
    SELECT count(*), sum(t.k) INTO x, m FROM t;
    x := max(t.k) FROM t;
    q.n := q.n + 1;
    s.y := q.v || s.y;
    INSERT INTO t (k, n) VALUES (q.k, q.n);
    h := e || m;
    IF b = 'x' THEN x := 1; ELSIF a = 2 THEN NULL; ELSE DELETE FROM t; END IF;
    CASE a / 2 WHEN 1 THEN x := 1; WHEN 2, 3 THEN x := 2; ELSE x := 3; END CASE;
    CASE WHEN a = 1 THEN x := 1; END CASE;
    CASE kind_ WHEN 'a' THEN RAISE EXCEPTION 'a'; WHEN 'b' THEN w := 'b'; END CASE;
    PERFORM ledger.require(a > 1 AND 100 / a > 5, 'not today ' || b);
    DECLARE inner_ CONSTANT date NOT NULL := (c + interval '1 day')::date;
    BEGIN
        UPDATE t SET d = inner_ WHERE k = 1;
    END;
    IF a > 5 THEN RAISE EXCEPTION '% is too much for %', a, b; END IF;
    IF a > 4 THEN RAISE EXCEPTION USING ERRCODE = 'A0' || '001', MESSAGE = 'four ' || b; END IF;
    IF a > 3 THEN RAISE division_by_zero; END IF;
    IF a > 2 THEN RAISE SQLSTATE 'B0001' USING MESSAGE = 'two'; END IF;
$$, 'kind_ kind; s pair; h integer[]; k_ t.k%TYPE := a;');
SELECT body('FOR i IN 1 .. 2.5 LOOP x := i; END LOOP; FOR i IN 1 .. ledger.to_bigint(b) LOOP x := i; END LOOP; IF b THEN x := (SELECT t.n FROM t WHERE t.k > a) + 1; END IF; x := computes(1, b); RETURN c;', '', 'date');
SELECT body('IF a > 1 THEN RETURN x; END IF; RETURN a + 1;', '', 'bigint');
SELECT body('IF a > 1 THEN RETURN q; END IF; RETURN NULL::t;', '', 't');
SELECT refused($$CREATE TABLE t (k integer PRIMARY KEY) USING ledger_state;
CREATE FUNCTION f(k integer) RETURNS void LANGUAGE plpgsql AS '
#variable_conflict use_column
BEGIN INSERT INTO t VALUES (f.k) ON CONFLICT (k) DO NOTHING; END';
CREATE FUNCTION g(context ledger.context, k integer DEFAULT 1) RETURNS void LANGUAGE plpgsql AS 'BEGIN PERFORM f(k); END';
CREATE FUNCTION h(context ledger.context) RETURNS void LANGUAGE sql BEGIN ATOMIC SELECT f(1); END;$$);

-- the words of the function
SELECT refused('CREATE FUNCTION f() RETURNS integer LANGUAGE plpgsql IMMUTABLE AS ''BEGIN RETURN 1; END''');
SELECT refused('CREATE FUNCTION f() RETURNS integer LANGUAGE plpgsql STABLE SECURITY DEFINER SET work_mem = 64 AS ''BEGIN RETURN 1; END''');
SELECT refused('CREATE FUNCTION f(OUT a integer) LANGUAGE plpgsql AS ''BEGIN a := 1; END''');
SELECT refused('CREATE FUNCTION f() RETURNS SETOF integer LANGUAGE plpgsql AS ''BEGIN RETURN NEXT 1; END''');
SELECT refused('CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS ''BEGIN RETURN NEW; END''');
SELECT refused('CREATE FUNCTION f(a anyelement) RETURNS integer LANGUAGE plpgsql AS ''BEGIN RETURN 1; END''');
SELECT refused('CREATE PROCEDURE f() LANGUAGE plpgsql AS ''BEGIN COMMIT; END''');
SELECT refused('DO LANGUAGE plpgsql ''BEGIN NULL; END''');
SELECT refused(E'CREATE FUNCTION f() RETURNS void LANGUAGE plpgsql AS ''\n#option dump\nBEGIN NULL; END''');
SELECT refused(E'CREATE FUNCTION f() RETURNS void LANGUAGE plpgsql AS ''\n#print_strict_params on\nBEGIN NULL; END''');
SELECT refused(E'CREATE FUNCTION f() RETURNS void LANGUAGE plpgsql AS $$\nBEGIN\n  x := 1;\nEND $$');
SELECT refused(E'CREATE FUNCTION f() RETURNS void LANGUAGE plpgsql AS $$\nBEGIN\n\n  IF true;\nEND $$');

-- statements
SELECT body('EXECUTE ''DELETE FROM t'';');
SELECT body('FOR r IN EXECUTE ''SELECT 1'' LOOP x := 1; END LOOP;');
SELECT body('BEGIN x := 1 / a; EXCEPTION WHEN division_by_zero THEN x := 0; END;');
SELECT body('BEGIN x := 1 / a; EXCEPTION WHEN OTHERS THEN RAISE; END;');
SELECT body('OPEN g; FETCH g INTO r; CLOSE g;', 'g CURSOR FOR SELECT * FROM t;');
SELECT body('OPEN g FOR SELECT * FROM t;', 'g refcursor;');
SELECT body('FOR r IN g LOOP x := 1; END LOOP;', 'g CURSOR FOR SELECT * FROM t;');
SELECT body('MOVE g;', 'g refcursor;');
SELECT body('COMMIT;');
SELECT body('ROLLBACK;');
SELECT body('CALL called(1);');
SELECT body('SET work_mem = 64;');
SELECT body('RESET ALL;');
SELECT body('CREATE TABLE y (a integer);');
SELECT body('LOCK TABLE t;');
SELECT body('TRUNCATE t;');
SELECT body('MERGE INTO t USING p ON p.a = t.k WHEN MATCHED THEN DELETE;');
SELECT body('ASSERT a > 1;');
SELECT body('RAISE NOTICE ''x'';');
SELECT body('RAISE WARNING ''x %'', a;');
SELECT body('RAISE;');
SELECT body('RAISE EXCEPTION ''x'' USING HINT = b, DETAIL = b;');
SELECT body('RAISE EXCEPTION ''%'', c;');
SELECT body('RAISE EXCEPTION ''%'', r;');
SELECT body('SELECT 1;');
SELECT body('GET DIAGNOSTICS w = PG_CONTEXT;');
SELECT body('GET DIAGNOSTICS x = ROW_COUNT;');
SELECT body('x := (SELECT count(*) FROM t); GET DIAGNOSTICS x = ROW_COUNT;');
SELECT body('INSERT INTO t (k) VALUES (1) RETURNING k INTO x;');
SELECT body('RETURN QUERY SELECT 1;', '', 'SETOF integer');
SELECT body('SELECT * FROM t INTO r; SELECT 1 INTO r;');
SELECT body(repeat('IF a > 1 THEN ', 40) || 'x := 1;' || repeat(' END IF;', 40));
-- loops
SELECT body('LOOP END LOOP;');
SELECT body('WHILE true LOOP NULL; END LOOP;');
SELECT body('FOR i IN 1 .. 2000000000 LOOP END LOOP;');
SELECT body('FOR i IN 1 .. c LOOP x := i; END LOOP;');
SELECT body('FOR r IN SELECT * FROM t LOOP x := 1; END LOOP;');
SELECT body('FOR r IN SELECT * FROM t ORDER BY n LOOP x := 1; END LOOP;');
SELECT body('FOR r IN SELECT * FROM t ORDER BY k % 2 LOOP x := 1; END LOOP;');
SELECT body('FOR r IN SELECT * FROM p ORDER BY a LOOP x := 1; END LOOP;');
SELECT body('FOR r IN SELECT * FROM p ORDER BY a, b LOOP x := 1; END LOOP;');
SELECT body('FOR r IN SELECT p.a, p.b FROM p ORDER BY p.a, p.b::bpchar COLLATE "C" LOOP x := 1; END LOOP;');
SELECT body('FOR r IN SELECT l.x FROM l ORDER BY l.x LOOP x := 1; END LOOP;');
SELECT body('FOR r IN SELECT t.k FROM t, p ORDER BY t.k LOOP x := 1; END LOOP;');
SELECT body('FOR r IN SELECT s.k FROM (SELECT k FROM t) AS s ORDER BY s.k LOOP x := 1; END LOOP;');
SELECT body('FOR r IN SELECT t.k FROM t UNION ALL SELECT t.k FROM t ORDER BY k LOOP x := 1; END LOOP;');
SELECT body('FOR r IN SELECT p.a, p.b, count(*) FROM p GROUP BY p.a, p.b ORDER BY p.a LOOP x := 1; END LOOP;');
SELECT body('FOR r IN SELECT * FROM t ORDER BY k LIMIT 1 LOOP x := 1; END LOOP;');
SELECT body('FOR r IN SELECT * FROM t ORDER BY k FOR UPDATE LOOP x := 1; END LOOP;');
SELECT body('FOR r IN SELECT 100 / t.k FROM t ORDER BY t.k LOOP x := 1; END LOOP;');
SELECT body('FOR r IN SELECT t.k FROM t ORDER BY 100 / t.k, t.k LOOP x := 1; END LOOP;');
SELECT body('FOR r IN SELECT to_jsonb(t.v) AS j, t.k FROM t ORDER BY 1, 2 LOOP x := 1; END LOOP;');
SELECT body('FOR r IN DELETE FROM t RETURNING k LOOP x := 1; END LOOP;');
SELECT body('FOR m IN SELECT t.k, t.n FROM t ORDER BY t.k LOOP x := 1; END LOOP;');
SELECT body('FOR q IN SELECT t.k, t.n FROM t ORDER BY t.k LOOP x := 1; END LOOP;');
SELECT body('FOREACH h SLICE 1 IN ARRAY ARRAY[[a, 1], [2, 3]] LOOP x := 1; END LOOP;', 'h integer[];');
SELECT body('FOREACH m IN ARRAY e || e LOOP x := 1; END LOOP; FOREACH m IN ARRAY ARRAY[a, m] LOOP x := 1; END LOOP;');
SELECT body('FOREACH m IN ARRAY a LOOP x := 1; END LOOP;');
-- which row
SELECT body('SELECT t.n INTO x FROM t;');
SELECT body('SELECT t.n INTO x FROM t WHERE t.k > a;');
SELECT body('SELECT t.n INTO x FROM t ORDER BY t.k LIMIT 1;');
SELECT body('x := t.k FROM t;');
SELECT body('IF t.k > 1 FROM t THEN x := 1; END IF;');
SELECT body('SELECT t.n, t.k INTO x FROM t WHERE t.k = 1;');
SELECT body('SELECT t.n INTO STRICT x, m FROM t;');
-- variables, and what becomes of a value on its way into them
SELECT body('NULL;', 'y float8; i point; j xml; o json;');
SELECT body('IF ''1,50''::money > ''2''::money THEN x := 1; END IF;');
SELECT body('y := ''1,50'';', 'y money;');
SELECT body('CASE b || b WHEN w THEN x := 1; END CASE; CASE b WHEN w THEN x := 1; END CASE;', 'y text := ''y''; i text := b || b; j text := b; k_ bigint := a + 1;');
SELECT body('NULL;', 'y pg_class;');
SELECT body('NULL;', 'y pg_class.relname%TYPE; z_ pg_class%ROWTYPE;');
SELECT body('NULL;', 'y public.own;');
SELECT body('NULL;', 'y pair[]; i t[];');
SELECT body('SELECT s, 1 INTO r;', 's pair;');
SELECT body('NULL;', 'y anyelement;');
SELECT body('NULL;', (SELECT string_agg('y' || i || ' integer;', ' ') FROM generate_series(1, 1000) AS i));
SELECT body('NULL;', 'y date := ''2020-01-01''; i kind := ''a''; j date := b;');
SELECT body('NULL;', 'y date := ''today'';');
SELECT body('y := ''today'';', 'y date;');
SELECT body('y := b;', 'y date;');
SELECT body('x := 1.5::float8;');
SELECT body('w := c;');
SELECT body('SELECT b INTO y;', 'y date;');
SELECT body('q := r;');
SELECT body('r := q;');
SELECT body('q := ROW(1);');
SELECT body('w := r;');
SELECT body('x := r.k;');
SELECT body('IF a > 1 THEN SELECT 1 AS k INTO r; END IF; x := r.y;');
SELECT body('SELECT 1 AS k INTO r; x := r.k; SELECT ''x''::text AS k INTO r;');
SELECT body('RETURN r;', '', 't');
SELECT body('RETURN b;', '', 'date');
SELECT body('h[a] := 1;', 'h integer[];');
SELECT body('UPDATE t SET n = (ARRAY[1, 2])[1]; UPDATE y SET h[a] = 1;');
SELECT body('h[a].x := 1;', 'h pair[];');
SELECT body('IF c THEN x := 1; END IF;');
-- what is read, changed and called
SELECT body('DELETE FROM l;');
SELECT body('PERFORM 1 FROM pg_class;');
SELECT body('PERFORM count(*) FROM ledger.member;');
SELECT body('PERFORM called(1);');
SELECT body('x := 1 + computes(1, b);');
SELECT body('PERFORM computes(1, b) FROM t;');
SELECT body('UPDATE t SET n = computes(1, b);');
SELECT body('m := computes(1, b COLLATE "C");');
SELECT body('UPDATE t SET n = 1 WHERE k = pure(k);');
SELECT body('PERFORM f(a, b, c, e);');
SELECT body('UPDATE t SET k = 1;');
SELECT body('UPDATE t SET v = public.own(1);');
SELECT body('w := now()::text; x := random(); w := CURRENT_USER; x := nextval(''q'');');
SELECT body('w := repeat(b, 100);');
SELECT body('w := upper(b);');
SELECT body('IF b < w THEN x := 1; END IF;');
SELECT body('IF b COLLATE "C" ~ w THEN x := 1; END IF;');
SELECT body('x := 1 / 0;');
SELECT body('IF false THEN x := 1 / 0; END IF;');
SELECT body('DELETE FROM t WHERE 100 / t.k > a;');
SELECT body('x := nowhere(1);');
SELECT body('x := y;');
SELECT body('DELETE FROM y;');
SELECT body('UPDATE t SET n = 1 WHERE n = 2;', 'n integer;');
-- the same from SQL
SELECT refused('CREATE TABLE t (k integer PRIMARY KEY, v text) USING ledger_state;
CREATE FUNCTION f(v text) RETURNS integer LANGUAGE plpgsql AS ''BEGIN RETURN length(v); END'';
CREATE FUNCTION g() RETURNS void LANGUAGE sql BEGIN ATOMIC UPDATE t SET k = 1 WHERE f(v) = 1; SELECT f(''x'' COLLATE "C"); SELECT f(''x''); END');
SELECT refused('CREATE TABLE t (k integer PRIMARY KEY, v integer[], w jsonb) USING ledger_state;
CREATE FUNCTION f(n integer) RETURNS void LANGUAGE sql BEGIN ATOMIC UPDATE t SET v[n] = 1; UPDATE t SET w[''x''] = ''1''; UPDATE t SET v = ARRAY[v[n]]; END');
-- what is made later is found when a function runs
SELECT refused('CREATE FUNCTION f(a varchar) RETURNS text LANGUAGE plpgsql AS ''BEGIN RETURN left(a, 2); END'';
CREATE FUNCTION left(a varchar, n integer) RETURNS text LANGUAGE plpgsql AS ''BEGIN RETURN f(a); END''');
SELECT refused('CREATE FUNCTION f(a varchar) RETURNS text LANGUAGE plpgsql AS ''BEGIN RETURN left(a, 2); END'';
CREATE FUNCTION left(a varchar, n integer) RETURNS text LANGUAGE sql RETURN a');
SELECT refused('CREATE FUNCTION f(a varchar) RETURNS text LANGUAGE plpgsql AS ''BEGIN RETURN pg_catalog.left(a, 2); END'';
CREATE FUNCTION left(a varchar, n integer) RETURNS text LANGUAGE sql RETURN a');
-- what somebody has put into pg_catalog is not PostgreSQL's
CREATE FUNCTION pg_catalog.own(n integer) RETURNS integer LANGUAGE sql IMMUTABLE RETURN n;
CREATE FUNCTION pg_catalog.date(n integer) RETURNS date LANGUAGE sql STABLE RETURN NULL::date;
SELECT body('x := own(1);');
SELECT body('UPDATE t SET d = date(1);');
SELECT refused('CREATE TABLE t (a integer CHECK (own(a) > 1)) USING ledger; CREATE FUNCTION f() RETURNS integer LANGUAGE sql RETURN own(1)');
-- but for the library's
SELECT body('SELECT max(l.ledger_ref), count(*) INTO y, x FROM l WHERE l.x > a;', 'y ledger.ref;');
DROP FUNCTION pg_catalog.own(integer), pg_catalog.date(integer);
DROP FUNCTION body, refused;
