-- Functions that are given values with which they can do nothing.

CREATE TYPE pair AS (number integer, document json);
CREATE TABLE kept (number integer PRIMARY KEY, body text) USING ledger_state;

-- Two statements each: so a value is computed once, before the call.
CREATE FUNCTION times_256(a text) RETURNS void LANGUAGE sql
BEGIN ATOMIC
    SELECT ledger.require(a <> '', 'nothing there');
    SELECT ledger.require(a COLLATE "C" ~ 'x', 'no match');
END;

CREATE FUNCTION times_64(a text) RETURNS void LANGUAGE sql
BEGIN ATOMIC
    SELECT ledger.require(a <> '', 'nothing there');
    SELECT times_256((a || a) || (a || a) COLLATE "C");
END;

CREATE FUNCTION times_16(a text) RETURNS void LANGUAGE sql
BEGIN ATOMIC
    SELECT ledger.require(a <> '', 'nothing there');
    SELECT times_64((a || a) || (a || a) COLLATE "C");
END;

CREATE FUNCTION times_4(a text) RETURNS void LANGUAGE sql
BEGIN ATOMIC
    SELECT ledger.require(a <> '', 'nothing there');
    SELECT times_16((a || a) || (a || a) COLLATE "C");
END;

CREATE FUNCTION signed(context ledger.context, key bytea) RETURNS void LANGUAGE sql
BEGIN ATOMIC
    SELECT ledger.require(ledger.ecdsa_verify(sha256('\x'), sha256('\x') || sha256('\x'), key), 'not signed');
END;

CREATE FUNCTION find(context ledger.context, numbers integer[]) RETURNS void LANGUAGE sql
BEGIN ATOMIC
    SELECT ledger.require(array_position(numbers, 1) > 0, 'not there');
END;

CREATE FUNCTION part(context ledger.context, unit text) RETURNS void LANGUAGE sql
BEGIN ATOMIC
    SELECT ledger.require(date_trunc(unit, (context).block_time) > '2020-01-01 00:00+00', 'too early');
END;

CREATE FUNCTION range(context ledger.context, flags text) RETURNS void LANGUAGE sql
BEGIN ATOMIC
    SELECT ledger.require(isempty(int8range(1, 2, flags COLLATE "C")), 'not empty');
END;

CREATE FUNCTION same(context ledger.context, a pair) RETURNS void LANGUAGE sql
BEGIN ATOMIC
    SELECT ledger.require(a = a, 'not the same');
END;

CREATE FUNCTION keep(context ledger.context, a text, number integer) RETURNS void LANGUAGE sql
BEGIN ATOMIC
    INSERT INTO kept VALUES (number, a);
    UPDATE kept SET body = (((a || a) || (a || a)) || ((a || a) || (a || a))) || (((a || a) || (a || a)) || ((a || a) || (a || a))) WHERE kept.number = 2 AND keep.number = 2;
END;

CREATE FUNCTION number(context ledger.context, a text) RETURNS void LANGUAGE sql
BEGIN ATOMIC
    SELECT ledger.require(ledger.to_bigint(a) = 42 AND ledger.to_numeric(a) = 42, 'another number');
END;

CREATE FUNCTION spell(context ledger.context, a text) RETURNS void LANGUAGE sql
BEGIN ATOMIC
    SELECT times_4((a || a) || (a || a) COLLATE "C");
END;

CREATE FUNCTION code(context ledger.context, letters char(3), flags bit(3), more bit varying(5) DEFAULT B'11', list char(2)[] DEFAULT NULL) RETURNS void LANGUAGE sql
BEGIN ATOMIC
    SELECT ledger.require(length(letters) = 3 AND length(flags) = 3 AND letters = 'abc', 'cut off');
END;
COMMENT ON FUNCTION code(char, bit, bit varying, char[]) IS 'what has a length of one where none is said';

CREATE FUNCTION long(context ledger.context) RETURNS void LANGUAGE sql
BEGIN ATOMIC
    SELECT ledger.require(NOT 'aa' COLLATE "C" ~ '
aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa
aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa
aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa
aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa
aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa
aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa
aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa
aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa
aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa
aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa
aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa
aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa
aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa
aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa
aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa
aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa
aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa
aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa
aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa
aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa
aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa
aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa
aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa
aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa
aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa
aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa
aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa
aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa
aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa
aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa', 'it matches');
END;
