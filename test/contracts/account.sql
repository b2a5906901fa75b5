-- Accounts of the members, in one asset each; amounts are in its smallest unit.

CREATE TABLE balance (
    account varchar(40) PRIMARY KEY,
    owner bigint NOT NULL,
    asset varchar(10) NOT NULL,
    amount bigint NOT NULL DEFAULT 0 CONSTRAINT enough CHECK (amount >= 0)
) USING ledger_state;
COMMENT ON TABLE balance IS 'what is in each account, after the last block';

CREATE TABLE note (
    account varchar(40) REFERENCES balance,
    number integer,
    body text NOT NULL,
    PRIMARY KEY (account, number)
) USING ledger_state;
COMMENT ON TABLE note IS 'notes on accounts, which go with them';

CREATE FUNCTION fee(amount bigint) RETURNS bigint LANGUAGE sql IMMUTABLE
    RETURN amount / 100;

CREATE FUNCTION owner_of(account varchar) RETURNS bigint LANGUAGE sql
    RETURN (SELECT b.owner FROM balance AS b WHERE b.account = owner_of.account);

CREATE FUNCTION move(source varchar, target varchar, amount bigint) RETURNS void LANGUAGE sql
BEGIN ATOMIC
    UPDATE balance SET amount = balance.amount - move.amount WHERE account = source;
    UPDATE balance SET amount = balance.amount + move.amount WHERE account = target;
END;

CREATE FUNCTION open(context ledger.context, account varchar, asset varchar DEFAULT 'EUR') RETURNS void LANGUAGE sql
BEGIN ATOMIC
    INSERT INTO balance (account, owner, asset) VALUES (open.account, (context).member, open.asset);
END;
COMMENT ON FUNCTION open(ledger.context, varchar, varchar) IS 'an empty account of the member who calls';

CREATE FUNCTION deposit(context ledger.context, account varchar, amount bigint) RETURNS void LANGUAGE sql
BEGIN ATOMIC
    SELECT ledger.require(deposit.amount > 0, 'an amount is above zero');
    SELECT ledger.require(EXISTS (SELECT FROM balance AS b WHERE b.account = deposit.account),
                          'there is no account ' || deposit.account);
    UPDATE balance SET amount = balance.amount + deposit.amount - fee(deposit.amount)
     WHERE account = deposit.account;
END;

CREATE FUNCTION pay(context ledger.context, source varchar, target varchar, amount bigint) RETURNS void LANGUAGE sql
BEGIN ATOMIC
    SELECT ledger.require(pay.amount > 0, 'an amount is above zero');
    SELECT ledger.require((SELECT b.owner FROM balance AS b WHERE b.account = pay.source) = (context).member,
                          'only its owner pays from an account');
    SELECT ledger.require(EXISTS (SELECT FROM balance AS b WHERE b.account = pay.target), 'nobody has the target');
    SELECT move(pay.source, pay.target, pay.amount);
END;

CREATE FUNCTION annotate(context ledger.context, account varchar, body text) RETURNS void LANGUAGE sql
BEGIN ATOMIC
    INSERT INTO note (account, number, body)
        SELECT annotate.account, 1 + count(*), annotate.body FROM note AS n WHERE n.account = annotate.account;
END;

CREATE FUNCTION close_empty(context ledger.context) RETURNS void LANGUAGE sql
BEGIN ATOMIC
    DELETE FROM note WHERE account IN (SELECT b.account FROM balance AS b WHERE b.amount = 0 AND b.owner = (context).member);
    DELETE FROM balance WHERE amount = 0 AND owner = (context).member;
END;

CREATE VIEW total AS SELECT asset, sum(amount) AS amount FROM balance GROUP BY asset;
GRANT SELECT ON balance, note, total TO PUBLIC;
