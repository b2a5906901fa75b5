CREATE TABLE reading (meter varchar(20) PRIMARY KEY, owner bigint NOT NULL, total bigint NOT NULL CHECK (total >= 0)) USING ledger_state;
CREATE FUNCTION count_up(context ledger.context, meter varchar, units bigint DEFAULT 1) RETURNS void LANGUAGE sql
BEGIN ATOMIC
    SELECT ledger.require(count_up.units > 0, 'units are above zero');
    INSERT INTO reading VALUES (count_up.meter, (context).member, count_up.units)
        ON CONFLICT (meter) DO UPDATE SET total = reading.total + excluded.total;
END;
GRANT SELECT ON reading TO PUBLIC;
