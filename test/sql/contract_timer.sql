-- Timers of contracts: what handlers may be, and what sets timers.
\pset format unaligned
\pset footer off
\pset tuples_only on

CREATE FUNCTION refused(source text) RETURNS SETOF text LANGUAGE sql AS
    $$ SELECT c.line || ' ' || c.construct || ': ' || c.why || ' -> ' || c.replacement FROM ledger.check_contract(source) AS c $$;
-- behind two handlers
CREATE FUNCTION script(text) RETURNS SETOF text LANGUAGE sql AS $$
SELECT refused(
'CREATE TABLE t (k varchar(20) PRIMARY KEY, n integer) USING ledger_state;
CREATE FUNCTION h(timer ledger.timer) RETURNS void LANGUAGE sql BEGIN ATOMIC
    UPDATE t SET n = 1 WHERE k = (timer).key;
    SELECT ledger.set_timer(''h'', (timer).key, (timer).block_time + interval ''1 day'');
END;
CREATE FUNCTION g(timer ledger.timer) RETURNS void LANGUAGE sql BEGIN ATOMIC SELECT ledger.require((timer).key <> ''x'', ''x''); END;
' || $1)
$$;

-- allowed
SELECT script($$
CREATE FUNCTION wake(key text, at timestamptz) RETURNS void LANGUAGE sql BEGIN ATOMIC SELECT ledger.set_timer('g', wake.key, wake.at); END;
CREATE FUNCTION f(context ledger.context, k text) RETURNS void LANGUAGE sql BEGIN ATOMIC
    SELECT ledger.set_timer('h', f.k, (context).block_time + interval '1 hour');
    SELECT ledger.cancel_timer('g', f.k);
    SELECT wake(f.k, (context).block_time);
    UPDATE t SET n = (SELECT count(*) FROM h_timer AS i WHERE i.key = f.k)::integer WHERE t.k = f.k;
END;
CREATE VIEW waiting AS SELECT key, at FROM h_timer;
GRANT SELECT ON h_timer TO PUBLIC;
COMMENT ON TABLE h_timer IS 'what waits';
$$);

-- what a handler is not
SELECT refused($$CREATE FUNCTION h(timer ledger.timer, n integer) RETURNS void LANGUAGE sql BEGIN ATOMIC SELECT ledger.require(true, ''); END$$);
SELECT refused($$CREATE FUNCTION h(timer ledger.timer) RETURNS integer LANGUAGE sql RETURN 1$$);
SELECT refused($$CREATE FUNCTION h(timer ledger.timer) RETURNS void LANGUAGE sql STRICT BEGIN ATOMIC SELECT ledger.require(true, ''); END$$);
SELECT refused($$CREATE FUNCTION h(timer ledger.timer) RETURNS void LANGUAGE sql IMMUTABLE BEGIN ATOMIC END$$);
SELECT refused($$CREATE FUNCTION h(timer ledger.timer DEFAULT NULL) RETURNS void LANGUAGE sql BEGIN ATOMIC SELECT ledger.require(true, ''); END$$);
SELECT refused(format($$CREATE FUNCTION %s(timer ledger.timer) RETURNS void LANGUAGE sql BEGIN ATOMIC SELECT ledger.require(true, ''); END$$, repeat('h', 58)));
SELECT refused(format($$CREATE FUNCTION %s(timer ledger.timer) RETURNS void LANGUAGE sql BEGIN ATOMIC SELECT ledger.require(true, ''); END$$, repeat('h', 57)));
-- its table has a name that is taken
SELECT refused($$CREATE TABLE h_timer (k integer PRIMARY KEY) USING ledger_state; CREATE FUNCTION h(timer ledger.timer) RETURNS void LANGUAGE sql BEGIN ATOMIC SELECT ledger.require(true, ''); END$$);

-- whose timers it sets is certain
SELECT script($$CREATE FUNCTION f(context ledger.context, handler text) RETURNS void LANGUAGE sql BEGIN ATOMIC SELECT ledger.set_timer(f.handler, 'a', (context).block_time); END$$);
SELECT script($$CREATE FUNCTION f(context ledger.context) RETURNS void LANGUAGE sql BEGIN ATOMIC SELECT ledger.set_timer('i', 'a', (context).block_time); END$$);
SELECT script($$CREATE FUNCTION f(context ledger.context) RETURNS void LANGUAGE sql BEGIN ATOMIC SELECT ledger.cancel_timer('f', 'a'); END$$);
SELECT script($$CREATE FUNCTION f(context ledger.context) RETURNS void LANGUAGE sql BEGIN ATOMIC SELECT ledger.cancel_timer(NULL, 'a'); END$$);
SELECT script($$CREATE FUNCTION f(context ledger.context) RETURNS void LANGUAGE sql BEGIN ATOMIC SELECT ledger.cancel_timer(key => 'a', handler => 'h'); END$$);

-- by a statement of its own
SELECT script($$CREATE FUNCTION f(context ledger.context) RETURNS void LANGUAGE sql BEGIN ATOMIC SELECT ledger.set_timer('h', t.k, (context).block_time) FROM t; END$$);
SELECT script($$CREATE FUNCTION f(context ledger.context) RETURNS void LANGUAGE sql BEGIN ATOMIC SELECT ledger.cancel_timer('h', 'a') WHERE (context).member = 1; END$$);
SELECT script($$CREATE FUNCTION f(context ledger.context) RETURNS void LANGUAGE sql BEGIN ATOMIC SELECT ledger.cancel_timer('h', 'a'), ledger.cancel_timer('h', 'b'); END$$);
SELECT script($$CREATE VIEW w AS SELECT ledger.cancel_timer('h', t.k) FROM t$$);

-- and by nothing else
SELECT script($$CREATE FUNCTION f(context ledger.context) RETURNS void LANGUAGE sql BEGIN ATOMIC INSERT INTO h_timer (key, at) VALUES ('a', (context).block_time); END$$);
SELECT script($$CREATE FUNCTION f(context ledger.context) RETURNS void LANGUAGE sql BEGIN ATOMIC UPDATE h_timer SET at = (context).block_time; END$$);
SELECT script($$CREATE FUNCTION f(context ledger.context) RETURNS void LANGUAGE sql BEGIN ATOMIC DELETE FROM g_timer; END$$);
SELECT script($$CREATE TABLE r (key varchar(255) PRIMARY KEY REFERENCES h_timer) USING ledger_state$$);
SELECT script($$CREATE UNIQUE INDEX ON h_timer (at)$$);
SELECT script($$CREATE FUNCTION f(context ledger.context) RETURNS void LANGUAGE sql BEGIN ATOMIC SELECT h(ROW('a', (context).block_time, (context).ref, (context).block_time, 1)::ledger.timer); END$$);

-- events are told by a statement of its own
SELECT script($$
CREATE FUNCTION f(context ledger.context, name text, payload jsonb) RETURNS void LANGUAGE sql BEGIN ATOMIC
    SELECT ledger.emit('woken');
    SELECT ledger.emit(f.name, f.payload || jsonb_object(ARRAY['member', (context).member::text]));
END;
CREATE FUNCTION g2(timer ledger.timer) RETURNS void LANGUAGE plpgsql AS $f$ BEGIN PERFORM ledger.emit('woken', '{"late": true}'); END $f$;
$$);
SELECT script($$CREATE FUNCTION f(context ledger.context) RETURNS void LANGUAGE sql BEGIN ATOMIC SELECT ledger.emit(t.k) FROM t; END$$);
SELECT script($$CREATE FUNCTION f(context ledger.context) RETURNS void LANGUAGE sql BEGIN ATOMIC SELECT ledger.emit('a'), ledger.emit('b'); END$$);
SELECT script($$CREATE FUNCTION f(context ledger.context) RETURNS void LANGUAGE sql BEGIN ATOMIC UPDATE t SET n = 1 WHERE ledger.emit('a') IS NULL; END$$);
SELECT script($$CREATE FUNCTION f(a text) RETURNS void LANGUAGE sql IMMUTABLE BEGIN ATOMIC SELECT ledger.emit(f.a); END$$);
SELECT script($$CREATE VIEW w AS SELECT ledger.emit(t.k) FROM t$$);
SELECT script($$CREATE TABLE l (x text CHECK (ledger.emit(x) IS NULL)) USING ledger$$);
SELECT script($$CREATE FUNCTION f(context ledger.context) RETURNS void LANGUAGE plpgsql AS $f$ DECLARE x integer; BEGIN x := CASE WHEN ledger.emit('a') IS NULL THEN 1 END; END $f$ $$);

-- outside of a call
SELECT ledger.emit('a');
SELECT ledger.set_timer('h', 'a', now());
SELECT ledger.cancel_timer('h', 'a');

DROP FUNCTION script(text);
DROP FUNCTION refused(text);
