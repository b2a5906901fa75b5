-- Functions that are given values with which they can do nothing.

CREATE TYPE pair AS (number integer, document json);
CREATE TABLE kept (number integer PRIMARY KEY, body text) USING ledger_state;

CREATE FUNCTION times_16(a text) RETURNS text LANGUAGE sql IMMUTABLE RETURN a || a || a || a || a || a || a || a || a || a || a || a || a || a || a || a;
CREATE FUNCTION times_256(a text) RETURNS text LANGUAGE sql IMMUTABLE
    RETURN times_16(a COLLATE "C") || times_16(a COLLATE "C") || times_16(a COLLATE "C") || times_16(a COLLATE "C")
        || times_16(a COLLATE "C") || times_16(a COLLATE "C") || times_16(a COLLATE "C") || times_16(a COLLATE "C")
        || times_16(a COLLATE "C") || times_16(a COLLATE "C") || times_16(a COLLATE "C") || times_16(a COLLATE "C")
        || times_16(a COLLATE "C") || times_16(a COLLATE "C") || times_16(a COLLATE "C") || times_16(a COLLATE "C");

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
    INSERT INTO kept VALUES (number, CASE number WHEN 2 THEN times_16(a COLLATE "C") || times_16(a COLLATE "C") ELSE a END);
END;

CREATE FUNCTION spell(context ledger.context, a text) RETURNS void LANGUAGE sql
BEGIN ATOMIC
    SELECT ledger.require(times_256(a COLLATE "C") ~ 'x', 'nothing there');
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

CREATE FUNCTION vast(context ledger.context) RETURNS void LANGUAGE sql
BEGIN ATOMIC
    SELECT ledger.require('aa' COLLATE "C" ~ '((x{200}){200}){200}', 'no match');
END;
