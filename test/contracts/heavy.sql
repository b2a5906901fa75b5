-- Calls that need room: of which a server may have too little.

CREATE TABLE pile (number integer PRIMARY KEY, body varchar(100) NOT NULL) USING ledger_state;
CREATE TABLE result (number integer PRIMARY KEY, found bigint NOT NULL) USING ledger_state;
COMMENT ON TABLE result IS 'what each call has found';
CREATE TABLE page (number integer PRIMARY KEY, body text NOT NULL) USING ledger_state;

CREATE FUNCTION fill(context ledger.context, many integer) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    FOR n IN 1 .. many LOOP
        INSERT INTO pile VALUES (n, 'a number that takes some room where it is sorted with others: ' || (many - n)::text);
    END LOOP;
END $$;
COMMENT ON FUNCTION fill(ledger.context, integer) IS 'so many rows, which sort the other way round';

CREATE FUNCTION sort_all(number integer) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    r record;
    found bigint := 0;
BEGIN
    FOR r IN SELECT p.body, p.number FROM pile AS p ORDER BY p.body COLLATE "C", p.number LOOP
        found := found + 1;
    END LOOP;
    INSERT INTO result VALUES (sort_all.number, found);
END $$;
COMMENT ON FUNCTION sort_all(integer) IS 'needs a temporary file, unless work_mem is large';

CREATE FUNCTION sorted(context ledger.context, number integer) RETURNS void LANGUAGE sql
BEGIN ATOMIC
    SELECT sort_all(sorted.number);
END;

CREATE FUNCTION grow(context ledger.context, number integer, body text) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    whole text;
BEGIN
    whole := body;
    FOR n IN 1 .. 4 LOOP
        whole := whole || whole;
    END LOOP;
    INSERT INTO result VALUES (grow.number, length(whole));
END $$;
COMMENT ON FUNCTION grow(ledger.context, integer, text) IS 'needs memory for sixteen times its argument';

CREATE FUNCTION touch(context ledger.context, number integer) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO result VALUES (touch.number, 0);
    UPDATE pile SET body = 'touched' WHERE pile.number = touch.number;
END $$;
COMMENT ON FUNCTION touch(ledger.context, integer) IS 'changes one table, then another one';

CREATE FUNCTION multiply(context ledger.context, many integer) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    FOR n IN 1 .. 7 LOOP
        INSERT INTO pile (number, body) SELECT a.number + n * many, a.body FROM pile AS a WHERE a.number <= many;
    END LOOP;
END $$;
COMMENT ON FUNCTION multiply(ledger.context, integer) IS 'eight times as many rows, of those that are there';

CREATE FUNCTION write_down(context ledger.context, many integer, body text) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    whole text;
BEGIN
    whole := body || body || body || body;
    FOR n IN 1 .. many LOOP
        INSERT INTO page VALUES (n, whole);
    END LOOP;
END $$;
COMMENT ON FUNCTION write_down(ledger.context, integer, text) IS 'four times its argument, so often';

CREATE FUNCTION late(timer ledger.timer) RETURNS void LANGUAGE sql
BEGIN ATOMIC
    SELECT sort_all(1000 + length((timer).key));
END;

CREATE FUNCTION remind(context ledger.context, key varchar) RETURNS void LANGUAGE sql
BEGIN ATOMIC
    SELECT ledger.set_timer('late', remind.key, (context).block_time + interval '1 s');
END;
COMMENT ON FUNCTION remind(ledger.context, varchar) IS 'sorts later';
