-- Offers that end: a timer for each, and one that sets itself anew.  Applications are
-- told when one is made and when it is over.

CREATE TABLE offer (
    name varchar(40) PRIMARY KEY,
    owner bigint NOT NULL,
    state varchar(10) NOT NULL DEFAULT 'open',
    until timestamptz NOT NULL,
    ended timestamptz,
    ended_by ledger.ref
) USING ledger_state;
COMMENT ON TABLE offer IS 'open until somebody takes it, or its time is over';

CREATE TABLE tick (
    name varchar(40) PRIMARY KEY,
    number bigint NOT NULL CONSTRAINT few CHECK (number <= 3)
) USING ledger_state;

CREATE FUNCTION expire(timer ledger.timer) RETURNS void LANGUAGE sql
BEGIN ATOMIC
    UPDATE offer SET state = 'over', ended = (timer).block_time, ended_by = (timer).ref
     WHERE name = (timer).key AND offer.state = 'open';
    SELECT ledger.emit('over', jsonb_object(ARRAY['offer', (timer).key]));
END;
COMMENT ON FUNCTION expire(ledger.timer) IS 'nobody has taken the offer';


CREATE FUNCTION next_tick(timer ledger.timer) RETURNS void LANGUAGE sql
BEGIN ATOMIC
    SELECT ledger.set_timer('next_tick', (timer).key, (timer).at);
    UPDATE tick SET number = tick.number + 1 WHERE name = (timer).key;
END;
COMMENT ON FUNCTION next_tick(ledger.timer) IS 'sets itself anew, until the table takes no more';

CREATE FUNCTION make(context ledger.context, name varchar, period interval) RETURNS void LANGUAGE sql
BEGIN ATOMIC
    SELECT ledger.require(make.period > interval '0', 'an offer is open for a while');
    INSERT INTO offer (name, owner, until)
        VALUES (make.name, (context).member, (context).block_time + make.period);
    SELECT ledger.set_timer('expire', make.name, (context).block_time + make.period);
    SELECT ledger.emit('made', jsonb_object(ARRAY['offer', make.name, 'owner', (context).member::text]));
END;

CREATE FUNCTION take(context ledger.context, name varchar) RETURNS void LANGUAGE sql
BEGIN ATOMIC
    SELECT ledger.require((SELECT o.state FROM offer AS o WHERE o.name = take.name) = 'open', 'there is no such offer');
    UPDATE offer SET state = 'taken', ended = (context).block_time, ended_by = (context).ref WHERE offer.name = take.name;
    SELECT ledger.cancel_timer('expire', take.name);
END;

CREATE FUNCTION tick(context ledger.context, name varchar) RETURNS void LANGUAGE sql
BEGIN ATOMIC
    INSERT INTO tick (name, number) VALUES (tick.name, 0);
    SELECT ledger.set_timer('next_tick', tick.name, (context).block_time);
END;

CREATE FUNCTION set(context ledger.context, key text, at timestamptz) RETURNS void LANGUAGE sql
BEGIN ATOMIC
    SELECT ledger.set_timer('expire', set.key, set.at);
END;

CREATE FUNCTION cancel(context ledger.context, key text) RETURNS void LANGUAGE sql
BEGIN ATOMIC
    SELECT ledger.cancel_timer('expire', cancel.key);
END;

-- whatever it is told to say, so often
CREATE FUNCTION tell(context ledger.context, name text, payload jsonb DEFAULT '{}', often integer DEFAULT 1, fails boolean DEFAULT false)
    RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    FOR i IN 1 .. often LOOP
        PERFORM ledger.emit(name, payload);
    END LOOP;
    IF fails THEN RAISE EXCEPTION 'told, and taken back'; END IF;
END $$;

GRANT SELECT ON offer, tick, expire_timer, next_tick_timer TO PUBLIC;
