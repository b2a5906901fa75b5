-- Usage that members tell each other, and what calls find in it.

CREATE TABLE usage (
    served varchar(20) NOT NULL,
    seconds integer NOT NULL CONSTRAINT within_a_day CHECK (seconds BETWEEN 0 AND 86400)
) USING ledger;
CREATE INDEX usage_by_served ON usage USING hash (served);
CREATE INDEX usage_by_seconds ON usage (seconds);
COMMENT ON TABLE usage IS 'seconds of calls of a subscriber, as a member says';

CREATE TABLE found (
    number integer PRIMARY KEY,
    rows bigint,
    seconds bigint,
    longest integer,
    long_ones bigint,
    served bigint,
    first_ref ledger.ref
) USING ledger_state;
COMMENT ON TABLE found IS 'what a call has found';

CREATE TABLE total (
    member bigint,
    served varchar(20),
    rows bigint NOT NULL,
    seconds bigint NOT NULL CONSTRAINT enough CHECK (seconds < 100000),
    at_last bigint NOT NULL,
    PRIMARY KEY (member, served)
) USING ledger_state;
COMMENT ON TABLE total IS 'kept up row by row; at_last: the block';

CREATE FUNCTION on_usage(context ledger.context, served varchar, seconds integer) RETURNS void LANGUAGE sql
BEGIN ATOMIC
    SELECT ledger.require(on_usage.seconds <> 13, 'thirteen is not counted');
    INSERT INTO total VALUES ((context).member, on_usage.served, 1, on_usage.seconds, (context).height)
        ON CONFLICT (member, served) DO UPDATE
        SET rows = total.rows + 1, seconds = total.seconds + excluded.seconds, at_last = excluded.at_last;
END;

CREATE FUNCTION look(context ledger.context, number integer, served varchar DEFAULT 'anna') RETURNS void LANGUAGE sql
BEGIN ATOMIC
    INSERT INTO found (number, rows, seconds, longest, first_ref)
        SELECT look.number, count(*), sum(u.seconds), max(u.seconds), min(u.ledger_ref) FROM usage AS u;
    UPDATE found SET long_ones = (SELECT count(*) FROM usage AS u WHERE u.seconds >= 60) WHERE number = look.number;
    UPDATE found SET served = (SELECT count(*) FROM usage AS u WHERE u.served = look.served) WHERE number = look.number;
END;

CREATE FUNCTION look_at_row(context ledger.context, number integer, row_ ledger.ref) RETURNS void LANGUAGE sql
BEGIN ATOMIC
    SELECT ledger.require(EXISTS (SELECT FROM usage AS u WHERE u.ledger_ref = row_), 'there is no such row');
    INSERT INTO found (number, seconds)
        SELECT look_at_row.number, max(u.seconds) FROM usage AS u WHERE u.ledger_ref = row_;
END;
GRANT SELECT, INSERT ON usage TO PUBLIC;
