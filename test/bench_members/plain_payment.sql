-- What payment.transfer does, as anybody would write it in one database: the
-- yardstick of payments.  The same columns, keys and checks, in PL/pgSQL.
CREATE TABLE account (
    member bigint NOT NULL,
    asset varchar(12) NOT NULL,
    purpose varchar(40) NOT NULL,
    debits numeric(38, 0) NOT NULL DEFAULT 0 CHECK (debits >= 0),
    credits numeric(38, 0) NOT NULL DEFAULT 0 CHECK (credits >= 0),
    balance bigint NOT NULL DEFAULT 0 CHECK (balance = credits - debits),
    available bigint NOT NULL DEFAULT 0 CHECK (available >= 0),
    room bigint NOT NULL DEFAULT 1000000000000000000 CHECK (room >= 0),
    PRIMARY KEY (member, asset, purpose)
);
CREATE TABLE transfer (
    member bigint NOT NULL,
    id varchar(40) NOT NULL,
    asset varchar(12) NOT NULL,
    source_purpose varchar(40) NOT NULL,
    target bigint NOT NULL,
    target_purpose varchar(40) NOT NULL,
    amount bigint NOT NULL CHECK (amount > 0),
    at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (member, id)
);
CREATE FUNCTION transfer(own bigint, new_id varchar, new_asset varchar, sum bigint, own_purpose varchar, other bigint, other_purpose varchar) RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO transfer VALUES (own, new_id, new_asset, own_purpose, other, other_purpose, sum) ON CONFLICT DO NOTHING;
    IF NOT FOUND THEN
        RETURN;
    END IF;
    -- in one order, or two clients wait for each other
    PERFORM FROM account AS a WHERE a.asset = new_asset AND (a.member, a.purpose) IN ((own, own_purpose), (other, other_purpose)) ORDER BY a.member, a.purpose FOR UPDATE;
    UPDATE account AS a SET debits = a.debits + sum, balance = a.balance - sum, available = a.available - sum, room = a.room + sum
     WHERE a.member = own AND a.asset = new_asset AND a.purpose = own_purpose AND a.available >= sum;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'not enough is available';
    END IF;
    UPDATE account AS a SET credits = a.credits + sum, balance = a.balance + sum, available = a.available + sum, room = a.room - sum
     WHERE a.member = other AND a.asset = new_asset AND a.purpose = other_purpose AND a.room >= sum;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'there is no room';
    END IF;
END $$;
INSERT INTO account (member, asset, purpose, credits, balance, available) SELECT m, 'EUR', 'p' || n, 1000000, 1000000, 1000000 FROM generate_series(1, 4) AS m, generate_series(1, 50) AS n;
