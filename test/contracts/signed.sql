-- Calls that somebody signs who has no database: a meter hands them to any member.
CREATE TABLE meter (name varchar(40) PRIMARY KEY, key bytea NOT NULL, last bigint NOT NULL DEFAULT 0) USING ledger_state;
CREATE TABLE seen (meter varchar(40), number bigint, units bigint, member bigint, PRIMARY KEY (meter, number)) USING ledger_state;

CREATE FUNCTION enrol(context ledger.context, name varchar, key bytea) RETURNS void LANGUAGE sql
BEGIN ATOMIC
    INSERT INTO meter (name, key) VALUES (enrol.name, enrol.key);
END;

-- A signed call can be brought again by whoever has seen it: so it has a number.
CREATE FUNCTION tell(context ledger.context, meter varchar, number bigint, units bigint, key bytea, signature bytea)
    RETURNS void LANGUAGE sql
BEGIN ATOMIC
    SELECT ledger.require((SELECT m.key FROM meter AS m WHERE m.name = tell.meter) = (context).signer, 'not the meter''s key');
    SELECT ledger.require((SELECT m.last FROM meter AS m WHERE m.name = tell.meter) < tell.number, 'told before');
    UPDATE meter SET last = tell.number WHERE name = tell.meter;
    INSERT INTO seen VALUES (tell.meter, tell.number, tell.units, (context).member);
END;
CREATE TRIGGER signed AFTER INSERT ON tell_call FOR EACH ROW
    EXECUTE FUNCTION ledger.verify_signature('key', 'signature', 'meter, number, units', 'bip340');
COMMENT ON TRIGGER signed ON tell_call IS 'by the meter';

-- A row that is handled can be signed too.
CREATE TABLE alarm (text text, key bytea, signature bytea) USING ledger;
CREATE TRIGGER signed AFTER INSERT ON alarm FOR EACH ROW
    EXECUTE FUNCTION ledger.verify_signature('key', 'signature', 'text', 'bip340');
CREATE TABLE raised (ref ledger.ref PRIMARY KEY, signer bytea) USING ledger_state;
CREATE FUNCTION on_alarm(context ledger.context, text text, key bytea, signature bytea) RETURNS void LANGUAGE sql
BEGIN ATOMIC
    INSERT INTO raised VALUES ((context).ref, (context).signer);
END;

GRANT SELECT ON meter, seen, raised TO PUBLIC;
