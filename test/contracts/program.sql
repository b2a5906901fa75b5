-- Debts between parties, netted by functions in PL/pgSQL; and calls that end in
-- each way in which such functions can.

CREATE TABLE debt (
    debtor varchar(20),
    creditor varchar(20),
    amount bigint NOT NULL CONSTRAINT above_zero CHECK (amount > 0),
    PRIMARY KEY (debtor, creditor)
) USING ledger_state;
COMMENT ON TABLE debt IS 'who owes how much to whom, after the last block';

CREATE TABLE journal (
    number bigint PRIMARY KEY,
    entry text NOT NULL
) USING ledger_state;
COMMENT ON TABLE journal IS 'what netting has done, in that order';

CREATE FUNCTION smaller(one bigint, other bigint) RETURNS bigint LANGUAGE sql IMMUTABLE
    RETURN least(one, other);

CREATE FUNCTION write_down(words text) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
    place bigint := 0;
BEGIN
    SELECT 1 + count(*) INTO place FROM journal;
    INSERT INTO journal VALUES (place, words);
    RETURN place;
END $$;

CREATE FUNCTION reduce(who varchar, whom varchar, by bigint) RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE
    row_ debt;
BEGIN
    SELECT * INTO STRICT row_ FROM debt WHERE debtor = who AND creditor = whom;
    IF row_.amount = by THEN
        DELETE FROM debt WHERE debtor = who AND creditor = whom;
        RETURN true;
    END IF;
    UPDATE debt SET amount = debt.amount - by WHERE debtor = who AND creditor = whom;
    RETURN NOT FOUND;
END $$;

CREATE FUNCTION owe(context ledger.context, debtor varchar, creditor varchar, amount bigint) RETURNS void LANGUAGE plpgsql AS $$
#variable_conflict use_column
BEGIN
    IF owe.amount <= 0 OR owe.debtor = owe.creditor THEN
        RAISE EXCEPTION '% owes % to %', owe.debtor, owe.amount, owe.creditor;
    END IF;
    INSERT INTO debt VALUES (owe.debtor, owe.creditor, owe.amount)
        ON CONFLICT (debtor, creditor) DO UPDATE SET amount = debt.amount + excluded.amount;
END $$;

-- at most so many pairs, in the order of their names
CREATE FUNCTION net(context ledger.context, pairs integer DEFAULT 1000) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    r record;
    taken bigint;
    gone boolean;
    count_ integer := 0;
BEGIN
    FOR r IN SELECT one.debtor, one.creditor, one.amount, other.amount AS back FROM debt AS one
            JOIN debt AS other ON other.debtor = one.creditor AND other.creditor = one.debtor
            WHERE one.debtor < one.creditor COLLATE "C"
            ORDER BY one.debtor COLLATE "C", one.creditor COLLATE "C", other.debtor COLLATE "C", other.creditor COLLATE "C" LOOP
        EXIT WHEN count_ = pairs;
        count_ := count_ + 1;
        taken := smaller(r.amount, r.back);
        gone := reduce(r.debtor, r.creditor, taken);
        gone := reduce(r.creditor, r.debtor, taken);
        PERFORM write_down(r.debtor || ' and ' || r.creditor || ': ' || taken::text || CASE WHEN gone THEN ', all' ELSE '' END);
    END LOOP;
    PERFORM ledger.require(count_ > 0, 'there is nothing to net');
END $$;

CREATE FUNCTION fill(context ledger.context, parties integer) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    FOR i IN 1 .. parties LOOP
        FOR j IN 1 .. parties LOOP
            CONTINUE WHEN i = j;
            INSERT INTO debt VALUES ('p' || i::text, 'p' || j::text, 10 * i + j);
        END LOOP;
    END LOOP;
END $$;

CREATE FUNCTION without_end() RETURNS integer LANGUAGE plpgsql AS $$
BEGIN
    IF false THEN RETURN 1; END IF;
END $$;

CREATE FUNCTION same(n integer) RETURNS integer LANGUAGE plpgsql AS $$
BEGIN
    RETURN n;
END $$;

CREATE FUNCTION try(context ledger.context, what text, n integer DEFAULT 0) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    words text := 'x';
    numbers integer[] := '{}'::integer[];
    r record;
    d debt;
    x integer := 0;
BEGIN
    PERFORM write_down(what);
    CASE what
        WHEN 'loop' THEN
            LOOP x := 1 - x; END LOOP;
        WHEN 'count' THEN
            WHILE x < n LOOP x := x + 1; END LOOP;
        WHEN 'calls' THEN
            FOR i IN 1 .. n LOOP x := same(i); END LOOP;
        WHEN 'text' THEN
            LOOP words := words || words; END LOOP;
        WHEN 'array' THEN
            numbers := ARRAY[1, 2, 3];
            LOOP numbers := numbers || numbers; END LOOP;
        WHEN 'column' THEN
            d.debtor := 'x';
            FOR i IN 1 .. n LOOP SELECT words || words, 'y' INTO words, d.creditor; END LOOP;
        WHEN 'none' THEN
            SELECT * INTO STRICT d FROM debt WHERE amount = -1;
        WHEN 'several' THEN
            SELECT * INTO STRICT d FROM debt;
        WHEN 'record' THEN
            IF n > 0 THEN SELECT 1 AS number INTO r; END IF;
            x := r.number;
        WHEN 'return' THEN
            x := without_end();
        WHEN 'null' THEN
            FOR i IN 1 .. NULL::integer LOOP x := i; END LOOP;
        WHEN 'zero' THEN
            x := 1 / n;
        WHEN 'long' THEN
            FOR i IN 1 .. 12 LOOP words := words || words; END LOOP;
            RAISE EXCEPTION '%', words;
        WHEN 'literal' THEN
            RAISE EXCEPTION 'one\n%', 'two\n';
        WHEN 'internal' THEN
            RAISE EXCEPTION USING ERRCODE = 'XX000', MESSAGE = 'a contract says so';
        WHEN 'disk' THEN
            RAISE disk_full USING MESSAGE = 'a contract says so';
        WHEN 'unique' THEN
            RAISE unique_violation;
        WHEN 'own' THEN
            RAISE SQLSTATE 'A0001' USING MESSAGE = 'code of its own: ' || n::text;
        WHEN 'nonsense' THEN
            RAISE EXCEPTION USING ERRCODE = words;
        WHEN 'done' THEN
            NULL;
    END CASE;
END $$;

GRANT SELECT ON debt, journal TO PUBLIC;
