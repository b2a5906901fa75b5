-- payment: accounts of the members, and what moves between them.
--
-- A contract (src/contract/README.md): deployed by its text,
--
--     \set source `cat sql/contracts/payment.sql`
--     SELECT ledger.deploy('payment', :'source');
--
-- An account belongs to a member, in one asset, for one purpose.  Amounts are
-- whole numbers of the asset's smallest unit.  An asset has an issuer, a member with
-- the role "issuer" (ledger.set_roles), without which it neither issues nor gives
-- credit; what it has issued is the negative balance of its account for the purpose
-- "issue", up to that account's credit limit.
--
-- Whatever begins to move money has an id of the caller's choice.  The same call
-- with the same id once more is done and moves nothing; another one with that id is
-- refused.  A call that was refused has used no id.  What ends (a reservation by
-- post, by void or when its time is over, a netting by close_netting) ends once, and
-- a second such call is refused.
--
-- An id of more than 40 characters is refused in words, before anything moves:
-- PostgreSQL cuts blanks off at the end of a value that is too long for a column, so
-- what is looked for and what is stored would be two ids.
--
-- Invariants
--   P1  in each asset the balances of all accounts add up to zero
--   P2  no account has less than nothing available, or more than its balance limit
--   P3  a transfer is posted, voided or expired once
--   P4  an invoice is paid or netted once
--
-- P2 is a constraint of each account.  P1 follows from what each call does.  Both are
-- asked once more at the end of each block, once for each asset in which something has
-- moved there: ledger.timer_outcome has what came of it.  That reads all accounts in the
-- asset, so a member has at most 1,000 in each.
--
-- An amount, a balance and a limit are bigint.  What an account has paid and received in
-- all its time only grows, so it has 38 digits, which no number of calls fills.  With 9
-- decimals at most the largest limit, 10^18, is a thousand million units or more.

CREATE TABLE asset (
    asset varchar(12) PRIMARY KEY,
    issuer bigint NOT NULL,
    decimals smallint NOT NULL CONSTRAINT decimals CHECK (decimals BETWEEN 0 AND 9)
) USING ledger_state;
COMMENT ON TABLE asset IS 'what accounts are kept in: who issues it, and how many decimals its usual unit has (EUR: 2, amounts are cents)';

CREATE TABLE account (
    member bigint NOT NULL,
    asset varchar(12) NOT NULL,
    purpose varchar(40) NOT NULL,
    debits numeric(38, 0) NOT NULL DEFAULT 0 CHECK (debits >= 0),
    credits numeric(38, 0) NOT NULL DEFAULT 0 CHECK (credits >= 0),
    balance bigint NOT NULL DEFAULT 0,
    reserved bigint NOT NULL DEFAULT 0 CHECK (reserved >= 0),
    expected bigint NOT NULL DEFAULT 0 CHECK (expected >= 0),
    credit_limit bigint NOT NULL DEFAULT 0 CHECK (credit_limit >= 0),
    balance_limit bigint NOT NULL DEFAULT 1000000000000000000 CHECK (balance_limit >= 0),
    available bigint NOT NULL DEFAULT 0,
    room bigint NOT NULL DEFAULT 1000000000000000000,
    PRIMARY KEY (asset, member, purpose),   -- check_asset reads those of one asset
    CONSTRAINT enough CHECK (available >= 0),
    CONSTRAINT not_too_much CHECK (room >= 0),
    CONSTRAINT balance_adds_up CHECK (balance = credits - debits),
    CONSTRAINT available_adds_up CHECK (available = balance - reserved + credit_limit),
    CONSTRAINT room_adds_up CHECK (room = balance_limit - balance - expected)
) USING ledger_state;
COMMENT ON TABLE account IS 'debits, credits: all that was ever paid and received; reserved: to be paid by pending transfers, expected: to be received by them; the balance less what is reserved stays above -credit_limit, with what is expected below balance_limit';

CREATE TABLE transfer (
    member bigint NOT NULL,
    id varchar(40) NOT NULL,
    kind varchar(10) NOT NULL CHECK (kind IN ('issue', 'redeem', 'transfer', 'reserve', 'invoice')),
    state varchar(10) NOT NULL CHECK (state IN ('posted', 'pending', 'voided', 'expired')),
    asset varchar(12) NOT NULL,
    source bigint NOT NULL,
    source_purpose varchar(40) NOT NULL,
    target bigint NOT NULL,
    target_purpose varchar(40) NOT NULL,
    amount bigint NOT NULL CHECK (amount > 0),
    posted bigint NOT NULL CHECK (posted BETWEEN 0 AND amount),
    reference varchar(140),
    expires timestamptz,
    ref ledger.ref NOT NULL,
    posted_height bigint,
    posted_ref ledger.ref,
    PRIMARY KEY (member, id)
) USING ledger_state;
COMMENT ON TABLE transfer IS 'by the member who called, and its id; amount: what was asked for, posted: what was moved; ref: the call, posted_ref: the call that moved it';

CREATE TABLE invoice (
    creditor bigint NOT NULL,
    id varchar(40) NOT NULL,
    debtor bigint NOT NULL,
    asset varchar(12) NOT NULL REFERENCES asset,
    amount bigint NOT NULL CHECK (amount > 0),
    due timestamptz NOT NULL,
    reference varchar(140),
    state varchar(10) NOT NULL CHECK (state IN ('sent', 'accepted', 'disputed', 'withdrawn', 'paid', 'netted')),
    settled_by bigint,
    settled_id varchar(40),
    PRIMARY KEY (creditor, id)
) USING ledger_state;
COMMENT ON TABLE invoice IS 'what one member owes another; settled_by, settled_id: the transfer that has paid it, or the netting';
CREATE INDEX invoice_by_creditor ON invoice (creditor, state, asset, due);
CREATE INDEX invoice_by_debtor ON invoice (debtor, state, asset, due);

CREATE TABLE netting (
    opener bigint NOT NULL,
    id varchar(40) NOT NULL,
    asset varchar(12) NOT NULL REFERENCES asset,
    due timestamptz NOT NULL,
    members bigint[] NOT NULL,
    state varchar(10) NOT NULL CHECK (state IN ('open', 'closed', 'cancelled')),
    closed_height bigint,
    closed_ref ledger.ref,
    PRIMARY KEY (opener, id)
) USING ledger_state;
COMMENT ON TABLE netting IS 'of accepted invoices of one asset that are due until then, among those of the members who join';

CREATE TABLE netting_position (
    opener bigint NOT NULL,
    id varchar(40) NOT NULL,
    member bigint NOT NULL,
    purpose varchar(40) NOT NULL,
    amount bigint NOT NULL,
    receives bigint NOT NULL,
    pays bigint NOT NULL,
    claims bigint NOT NULL DEFAULT 0,
    debts bigint NOT NULL DEFAULT 0,
    owed bigint NOT NULL DEFAULT 0,
    PRIMARY KEY (opener, id, member),
    FOREIGN KEY (opener, id) REFERENCES netting,
    CONSTRAINT one_side CHECK (amount = receives - pays AND receives >= 0 AND pays >= 0)
) USING ledger_state;
COMMENT ON TABLE netting_position IS 'who has joined, and what it expects: amount, above zero if it is paid; claims, debts, owed: by the invoices, when it is closed';

CREATE TABLE statement (
    member bigint NOT NULL,
    asset varchar(12) NOT NULL,
    purpose varchar(40) NOT NULL,
    number bigint NOT NULL CHECK (number > 0),
    opening bigint NOT NULL,
    debits numeric(38, 0) NOT NULL,
    credits numeric(38, 0) NOT NULL,
    closing bigint NOT NULL,
    height bigint NOT NULL,
    ref ledger.ref NOT NULL,
    PRIMARY KEY (member, asset, purpose, number),
    FOREIGN KEY (asset, member, purpose) REFERENCES account,
    CONSTRAINT adds_up CHECK (closing = opening - debits + credits)
) USING ledger_state;
COMMENT ON TABLE statement IS 'statements of account, numbered without gaps: what has moved since the one before, until the call that drew it';

-- What the entry points below are made of.

CREATE FUNCTION refuse(words varchar) RETURNS void LANGUAGE sql
BEGIN ATOMIC
    SELECT ledger.require(words IS NULL, words);
END;
COMMENT ON FUNCTION refuse(varchar) IS 'ends the call with these words, if there are any';

CREATE FUNCTION check_asset(timer ledger.timer) RETURNS void LANGUAGE sql
BEGIN ATOMIC
    SELECT refuse((SELECT CASE
        WHEN sum(a.balance) <> 0 THEN 'the balances of the asset do not add up to zero'
        WHEN bool_or(a.available < 0 OR a.room < 0) THEN 'the limit of an account is exceeded'
        END FROM account AS a WHERE a.asset = (timer).key));
END;
COMMENT ON FUNCTION check_asset(ledger.timer) IS 'P1 and P2, of the accounts in one asset, which is the key';

-- A timer of a time that has passed runs behind the calls of the block, once however often
-- it is set.  What moves money asks first whether it is: that costs a transfer less than to set it anew.
CREATE FUNCTION check_later(asset varchar) RETURNS void LANGUAGE sql
BEGIN ATOMIC
    SELECT ledger.set_timer('check_asset', check_later.asset, '2000-01-01 00:00+00');
END;
COMMENT ON FUNCTION check_later(varchar) IS 'what has moved in the asset is checked once, at the end of the block';

CREATE FUNCTION refuse_source(member bigint, asset varchar, purpose varchar) RETURNS void LANGUAGE sql
BEGIN ATOMIC
    SELECT ledger.require(EXISTS (SELECT FROM account AS a
             WHERE a.member = refuse_source.member AND a.asset = refuse_source.asset AND a.purpose = refuse_source.purpose), 'there is no such account to pay from');
    SELECT ledger.require(false, 'not enough is available');
END;
COMMENT ON FUNCTION refuse_source(bigint, varchar, varchar) IS 'nothing can be paid from this account: why not';

CREATE FUNCTION refuse_target(member bigint, asset varchar, purpose varchar) RETURNS void LANGUAGE sql
BEGIN ATOMIC
    SELECT ledger.require(EXISTS (SELECT FROM account AS a
             WHERE a.member = refuse_target.member AND a.asset = refuse_target.asset AND a.purpose = refuse_target.purpose), 'there is no such account to pay to');
    SELECT ledger.require(false, 'the balance limit of the target would be exceeded');
END;
COMMENT ON FUNCTION refuse_target(bigint, varchar, varchar) IS 'nothing can be paid to this account: why not';

-- Without effect if the member who calls has used the id for the same before.
CREATE FUNCTION move(id varchar, kind varchar, asset varchar, amount bigint, source bigint, source_purpose varchar,
                     target bigint, target_purpose varchar, reference varchar, context ledger.context)
    RETURNS void LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE
    changed bigint;
BEGIN
    IF (length(move.id) BETWEEN 1 AND 40) IS NOT TRUE THEN
        RAISE EXCEPTION 'an id has 1 to 40 characters';
    ELSIF (move.amount > 0) IS NOT TRUE THEN
        RAISE EXCEPTION 'an amount is above zero';
    ELSIF move.source = move.target AND move.source_purpose = move.target_purpose THEN
        RAISE EXCEPTION 'source and target are the same account';
    END IF;

    INSERT INTO transfer (member, id, kind, state, asset, source, source_purpose, target, target_purpose,
                          amount, posted, reference, ref, posted_height, posted_ref)
        VALUES ((move.context).member, move.id, move.kind, 'posted', move.asset, move.source, move.source_purpose, move.target, move.target_purpose,
                move.amount, move.amount, move.reference, (move.context).ref, (move.context).height, (move.context).ref)
        ON CONFLICT (member, id) DO NOTHING;
    GET DIAGNOSTICS changed = ROW_COUNT;
    IF changed = 0 THEN
        IF NOT EXISTS (SELECT FROM transfer AS t
                 WHERE t.member = (move.context).member AND t.id = move.id AND t.kind = move.kind AND t.asset = move.asset AND t.amount = move.amount
                   AND t.source = move.source AND t.source_purpose = move.source_purpose
                   AND t.target = move.target AND t.target_purpose = move.target_purpose
                   AND t.reference IS NOT DISTINCT FROM move.reference) THEN
            RAISE EXCEPTION 'the id was used for another transfer';
        END IF;
        RETURN;
    END IF;

    UPDATE account SET debits = debits + move.amount, balance = balance - move.amount, available = available - move.amount, room = room + move.amount
     WHERE member = move.source AND asset = move.asset AND purpose = move.source_purpose AND available >= move.amount;
    GET DIAGNOSTICS changed = ROW_COUNT;
    IF changed = 0 THEN
        PERFORM refuse_source(move.source, move.asset, move.source_purpose);
    END IF;
    UPDATE account SET credits = credits + move.amount, balance = balance + move.amount, available = available + move.amount, room = room - move.amount
     WHERE member = move.target AND asset = move.asset AND purpose = move.target_purpose AND room >= move.amount;
    GET DIAGNOSTICS changed = ROW_COUNT;
    IF changed = 0 THEN
        PERFORM refuse_target(move.target, move.asset, move.target_purpose);
    END IF;
    IF NOT EXISTS (SELECT FROM check_asset_timer AS c WHERE c.key = move.asset) THEN
        PERFORM check_later(move.asset);
    END IF;
END $$;
COMMENT ON FUNCTION move(varchar, varchar, varchar, bigint, bigint, varchar, bigint, varchar, varchar, ledger.context)
    IS 'from one account to another, at once';

CREATE FUNCTION finish(member bigint, id varchar, state varchar, posted bigint, height bigint, ref ledger.ref) RETURNS void LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE
    pending transfer;
BEGIN
    SELECT t.* INTO STRICT pending FROM transfer AS t WHERE t.member = finish.member AND t.id = finish.id;
    UPDATE account SET reserved = reserved - pending.amount, debits = debits + finish.posted, balance = balance - finish.posted,
           available = available + (pending.amount - finish.posted), room = room + finish.posted
     WHERE member = pending.source AND asset = pending.asset AND purpose = pending.source_purpose;
    UPDATE account SET expected = expected - pending.amount, credits = credits + finish.posted, balance = balance + finish.posted,
           available = available + finish.posted, room = room + (pending.amount - finish.posted)
     WHERE member = pending.target AND asset = pending.asset AND purpose = pending.target_purpose;
    UPDATE transfer SET state = finish.state, posted = finish.posted, posted_height = finish.height, posted_ref = finish.ref
     WHERE member = finish.member AND id = finish.id;
    IF NOT EXISTS (SELECT FROM check_asset_timer AS c WHERE c.key = pending.asset) THEN
        PERFORM check_later(pending.asset);
    END IF;
END $$;
COMMENT ON FUNCTION finish(bigint, varchar, varchar, bigint, bigint, ledger.ref) IS 'what a pending transfer has reserved is free again, and of it moves what is posted';

-- Assets and accounts.

CREATE FUNCTION define_asset(context ledger.context, asset varchar, decimals smallint DEFAULT 2, issue_limit bigint DEFAULT 1000000000000000000)
    RETURNS void LANGUAGE sql
BEGIN ATOMIC
    SELECT refuse(CASE
        WHEN ('issuer' = ANY ((context).roles)) IS NOT TRUE THEN 'who issues an asset has the role issuer'
        WHEN EXISTS (SELECT FROM asset AS a WHERE a.asset = define_asset.asset) THEN 'the asset is defined already'
        WHEN (define_asset.decimals BETWEEN 0 AND 9) IS NOT TRUE THEN 'an asset has 0 to 9 decimals'
        WHEN (define_asset.issue_limit BETWEEN 1 AND 1000000000000000000) IS NOT TRUE THEN 'an issue limit is between 1 and 1000000000000000000'
        END);
    INSERT INTO asset (asset, issuer, decimals) VALUES (define_asset.asset, (context).member, define_asset.decimals);
    INSERT INTO account (member, asset, purpose, credit_limit, available)
        VALUES ((context).member, define_asset.asset, 'issue', define_asset.issue_limit, define_asset.issue_limit);
END;
COMMENT ON FUNCTION define_asset(ledger.context, varchar, smallint, bigint) IS 'an asset of the member who calls, and the account from which it is issued';

CREATE FUNCTION open_account(context ledger.context, asset varchar, purpose varchar) RETURNS void LANGUAGE sql
BEGIN ATOMIC
    SELECT refuse(CASE
        WHEN NOT EXISTS (SELECT FROM asset AS a WHERE a.asset = open_account.asset) THEN 'there is no such asset'
        WHEN open_account.purpose = 'issue' THEN 'the purpose issue is for what an issuer has issued'
        WHEN NOT EXISTS (SELECT FROM account AS a
                  WHERE a.member = (context).member AND a.asset = open_account.asset AND a.purpose = open_account.purpose)
            AND (SELECT count(*) FROM account AS a WHERE a.member = (context).member AND a.asset = open_account.asset) >= 1000
            THEN 'a member has at most 1000 accounts in an asset'
        END);
    INSERT INTO account (member, asset, purpose) VALUES ((context).member, open_account.asset, open_account.purpose)
        ON CONFLICT (member, asset, purpose) DO NOTHING;
END;
COMMENT ON FUNCTION open_account(ledger.context, varchar, varchar) IS 'an account of the member who calls; a member has at most 1000 in an asset';

CREATE FUNCTION limit_credit(context ledger.context, member bigint, asset varchar, purpose varchar, credit_limit bigint) RETURNS void LANGUAGE sql
BEGIN ATOMIC
    SELECT refuse(CASE
        WHEN NOT EXISTS (SELECT FROM asset AS a WHERE a.asset = limit_credit.asset AND a.issuer = (context).member) THEN 'only the issuer of the asset gives credit in it'
        WHEN NOT EXISTS (SELECT FROM account AS a
                  WHERE a.member = limit_credit.member AND a.asset = limit_credit.asset AND a.purpose = limit_credit.purpose) THEN 'there is no such account'
        WHEN (limit_credit.credit_limit BETWEEN 0 AND 1000000000000000000) IS NOT TRUE THEN 'a limit is between 0 and 1000000000000000000'
        WHEN ('issuer' = ANY ((context).roles)) IS NOT TRUE
            AND limit_credit.credit_limit > (SELECT a.credit_limit FROM account AS a
                  WHERE a.member = limit_credit.member AND a.asset = limit_credit.asset AND a.purpose = limit_credit.purpose)
            THEN 'who gives credit has the role issuer'
        END);
    SELECT ledger.require((SELECT a.available FROM account AS a
             WHERE a.member = limit_credit.member AND a.asset = limit_credit.asset AND a.purpose = limit_credit.purpose)
        - (SELECT a.credit_limit FROM account AS a
             WHERE a.member = limit_credit.member AND a.asset = limit_credit.asset AND a.purpose = limit_credit.purpose)
        + limit_credit.credit_limit >= 0, 'more credit than that is used');
    UPDATE account SET available = account.available - account.credit_limit + limit_credit.credit_limit, credit_limit = limit_credit.credit_limit
     WHERE member = limit_credit.member AND asset = limit_credit.asset AND purpose = limit_credit.purpose;
END;
COMMENT ON FUNCTION limit_credit(ledger.context, bigint, varchar, varchar, bigint) IS 'how far below zero an account may go; by the issuer of its asset';

CREATE FUNCTION limit_balance(context ledger.context, asset varchar, purpose varchar, balance_limit bigint) RETURNS void LANGUAGE sql
BEGIN ATOMIC
    SELECT refuse(CASE
        WHEN NOT EXISTS (SELECT FROM account AS a
                  WHERE a.member = (context).member AND a.asset = limit_balance.asset AND a.purpose = limit_balance.purpose) THEN 'there is no such account'
        WHEN (limit_balance.balance_limit BETWEEN 0 AND 1000000000000000000) IS NOT TRUE THEN 'a limit is between 0 and 1000000000000000000'
        END);
    SELECT ledger.require((SELECT a.room FROM account AS a
             WHERE a.member = (context).member AND a.asset = limit_balance.asset AND a.purpose = limit_balance.purpose)
        - (SELECT a.balance_limit FROM account AS a
             WHERE a.member = (context).member AND a.asset = limit_balance.asset AND a.purpose = limit_balance.purpose)
        + limit_balance.balance_limit >= 0, 'more than that is in the account, or expected');
    UPDATE account SET room = account.room - account.balance_limit + limit_balance.balance_limit, balance_limit = limit_balance.balance_limit
     WHERE member = (context).member AND asset = limit_balance.asset AND purpose = limit_balance.purpose;
END;
COMMENT ON FUNCTION limit_balance(ledger.context, varchar, varchar, bigint) IS 'how much of an issuer''s promises a member is willing to hold in an account';

-- Transfers.

CREATE FUNCTION issue(context ledger.context, id varchar, asset varchar, amount bigint, target bigint, target_purpose varchar, reference varchar DEFAULT NULL)
    RETURNS void LANGUAGE sql
BEGIN ATOMIC
    SELECT ledger.require(EXISTS (SELECT FROM asset AS a WHERE a.asset = issue.asset AND a.issuer = (context).member), 'only its issuer issues an asset');
    SELECT ledger.require('issuer' = ANY ((context).roles) OR EXISTS (SELECT FROM transfer AS t WHERE t.member = (context).member AND t.id = issue.id),
                          'who issues an asset has the role issuer');
    SELECT move(issue.id, 'issue', issue.asset, issue.amount, (context).member, 'issue', issue.target, issue.target_purpose,
                issue.reference, context);
END;
COMMENT ON FUNCTION issue(ledger.context, varchar, varchar, bigint, bigint, varchar, varchar) IS 'new units of an asset, by its issuer';

CREATE FUNCTION redeem(context ledger.context, id varchar, asset varchar, amount bigint, purpose varchar, reference varchar DEFAULT NULL)
    RETURNS void LANGUAGE sql
BEGIN ATOMIC
    SELECT ledger.require(redeem.purpose <> 'issue', 'what is issued is not redeemed by its issuer alone');
    SELECT ledger.require(EXISTS (SELECT FROM asset AS a WHERE a.asset = redeem.asset), 'there is no such asset');
    SELECT move(redeem.id, 'redeem', redeem.asset, redeem.amount, (context).member, redeem.purpose,
                (SELECT a.issuer FROM asset AS a WHERE a.asset = redeem.asset), 'issue',
                redeem.reference, context);
END;
COMMENT ON FUNCTION redeem(ledger.context, varchar, varchar, bigint, varchar, varchar) IS 'units of an asset go back to its issuer, and are no more';

CREATE FUNCTION transfer(context ledger.context, id varchar, asset varchar, amount bigint, purpose varchar, target bigint, target_purpose varchar,
                         reference varchar DEFAULT NULL)
    RETURNS void LANGUAGE sql
BEGIN ATOMIC
    SELECT ledger.require(transfer.purpose <> 'issue' AND transfer.target_purpose <> 'issue', 'accounts for the purpose issue are for issue and redeem');
    SELECT move(transfer.id, 'transfer', transfer.asset, transfer.amount, (context).member, transfer.purpose,
                transfer.target, transfer.target_purpose, transfer.reference, context);
END;
COMMENT ON FUNCTION transfer(ledger.context, varchar, varchar, bigint, varchar, bigint, varchar, varchar) IS 'from an account of the member who calls to any other';

-- Transfers in two phases: reserved by who pays; posted by who pays, or in whole or
-- in part by who is paid; voided by who is paid; ended by a timer when their time is
-- over.  So who pays cannot take back what it has reserved, by posting a little of it
-- neither.
--
-- A timer may fail, or the members may pass over it, and does not run again.  So when
-- the time is over who pays may void as well: no reservation stays for ever.

-- The key of such a timer is the member and the id.
CREATE FUNCTION expire(timer ledger.timer) RETURNS void LANGUAGE sql
BEGIN ATOMIC
    SELECT finish(ledger.to_bigint(split_part((timer).key, ' ', 1)), substr((timer).key, strpos((timer).key, ' ') + 1), 'expired', 0, NULL, NULL);
END;
COMMENT ON FUNCTION expire(ledger.timer) IS 'the time of a reservation is over';

CREATE FUNCTION reserve(context ledger.context, id varchar, asset varchar, amount bigint, purpose varchar, target bigint, target_purpose varchar,
                        expires timestamptz, reference varchar DEFAULT NULL)
    RETURNS void LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE
    changed bigint;
BEGIN
    IF (length(reserve.id) BETWEEN 1 AND 40) IS NOT TRUE THEN
        RAISE EXCEPTION 'an id has 1 to 40 characters';
    ELSIF reserve.purpose = 'issue' OR reserve.target_purpose = 'issue' THEN
        RAISE EXCEPTION 'accounts for the purpose issue are for issue and redeem';
    ELSIF (reserve.amount > 0) IS NOT TRUE THEN
        RAISE EXCEPTION 'an amount is above zero';
    ELSIF reserve.target = (reserve.context).member AND reserve.purpose = reserve.target_purpose THEN
        RAISE EXCEPTION 'source and target are the same account';
    END IF;

    INSERT INTO transfer (member, id, kind, state, asset, source, source_purpose, target, target_purpose, amount, posted, reference, expires, ref)
        VALUES ((reserve.context).member, reserve.id, 'reserve', 'pending', reserve.asset, (reserve.context).member, reserve.purpose,
                reserve.target, reserve.target_purpose, reserve.amount, 0, reserve.reference, reserve.expires, (reserve.context).ref)
        ON CONFLICT (member, id) DO NOTHING;
    GET DIAGNOSTICS changed = ROW_COUNT;
    IF changed = 0 THEN
        IF NOT EXISTS (SELECT FROM transfer AS t
                 WHERE t.member = (reserve.context).member AND t.id = reserve.id AND t.kind = 'reserve' AND t.asset = reserve.asset AND t.amount = reserve.amount
                   AND t.source_purpose = reserve.purpose AND t.target = reserve.target AND t.target_purpose = reserve.target_purpose
                   AND t.expires = reserve.expires AND t.reference IS NOT DISTINCT FROM reserve.reference) THEN
            RAISE EXCEPTION 'the id was used for another transfer';
        END IF;
        RETURN;
    END IF;

    IF (reserve.expires > (reserve.context).block_time) IS NOT TRUE THEN
        RAISE EXCEPTION 'a reservation expires after it was made';
    END IF;
    UPDATE account SET reserved = reserved + reserve.amount, available = available - reserve.amount
     WHERE member = (reserve.context).member AND asset = reserve.asset AND purpose = reserve.purpose AND available >= reserve.amount;
    GET DIAGNOSTICS changed = ROW_COUNT;
    IF changed = 0 THEN
        PERFORM refuse_source((reserve.context).member, reserve.asset, reserve.purpose);
    END IF;
    UPDATE account SET expected = expected + reserve.amount, room = room - reserve.amount
     WHERE member = reserve.target AND asset = reserve.asset AND purpose = reserve.target_purpose AND room >= reserve.amount;
    GET DIAGNOSTICS changed = ROW_COUNT;
    IF changed = 0 THEN
        PERFORM refuse_target(reserve.target, reserve.asset, reserve.target_purpose);
    END IF;
    PERFORM ledger.set_timer('expire', (reserve.context).member::text || ' ' || reserve.id, reserve.expires);
END $$;
COMMENT ON FUNCTION reserve(ledger.context, varchar, varchar, bigint, varchar, bigint, varchar, timestamptz, varchar)
    IS 'what will be transferred is out of reach for other uses, until it is posted or voided, or its time is over';

CREATE FUNCTION post(context ledger.context, member bigint, id varchar, amount bigint DEFAULT NULL) RETURNS void LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE
    pending transfer;
BEGIN
    SELECT t.* INTO pending FROM transfer AS t WHERE t.member = post.member AND t.id = post.id;
    IF pending.id IS NULL THEN
        RAISE EXCEPTION 'there is no such transfer';
    ELSIF (post.context).member NOT IN (pending.source, pending.target) THEN
        RAISE EXCEPTION 'only who pays or is paid posts a transfer';
    ELSIF pending.state <> 'pending' THEN
        RAISE EXCEPTION 'the transfer is not pending';
    ELSIF pending.expires <= (post.context).block_time THEN
        RAISE EXCEPTION 'the transfer has expired';
    ELSIF post.amount <= 0 THEN
        RAISE EXCEPTION 'an amount is above zero';
    ELSIF post.amount > pending.amount THEN
        RAISE EXCEPTION 'less than that is reserved';
    ELSIF post.amount < pending.amount AND pending.target <> (post.context).member THEN
        RAISE EXCEPTION 'only who is paid posts less than is reserved';
    END IF;
    PERFORM ledger.cancel_timer('expire', post.member::text || ' ' || post.id);
    PERFORM finish(post.member, post.id, 'posted', COALESCE(post.amount, pending.amount), (post.context).height, (post.context).ref);
END $$;
COMMENT ON FUNCTION post(ledger.context, bigint, varchar, bigint) IS 'moves what the member has reserved under that id, or so much of it; the rest is free again';

CREATE FUNCTION void(context ledger.context, member bigint, id varchar) RETURNS void LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE
    pending transfer;
BEGIN
    SELECT t.* INTO pending FROM transfer AS t WHERE t.member = void.member AND t.id = void.id;
    IF pending.id IS NULL THEN
        RAISE EXCEPTION 'there is no such transfer';
    ELSIF pending.target <> (void.context).member AND (pending.source = (void.context).member AND pending.expires <= (void.context).block_time) IS NOT TRUE THEN
        RAISE EXCEPTION 'only who is to be paid voids a transfer, or who pays when its time is over';
    ELSIF pending.state <> 'pending' THEN
        RAISE EXCEPTION 'the transfer is not pending';
    END IF;
    PERFORM ledger.cancel_timer('expire', void.member::text || ' ' || void.id);
    PERFORM finish(void.member, void.id, 'voided', 0, NULL, NULL);
END $$;
COMMENT ON FUNCTION void(ledger.context, bigint, varchar) IS 'what the member has reserved under that id is free again: who was to be paid does without, or the time is over and no timer has ended it';

-- Invoices.

CREATE FUNCTION send_invoice(context ledger.context, id varchar, debtor bigint, asset varchar, amount bigint, due timestamptz, reference varchar DEFAULT NULL)
    RETURNS void LANGUAGE sql
BEGIN ATOMIC
    SELECT ledger.require(length(send_invoice.id) BETWEEN 1 AND 40, 'an id has 1 to 40 characters');
    SELECT refuse(CASE
        WHEN EXISTS (SELECT FROM invoice AS i WHERE i.creditor = (context).member AND i.id = send_invoice.id) THEN
            CASE WHEN NOT EXISTS (SELECT FROM invoice AS i
                       WHERE i.creditor = (context).member AND i.id = send_invoice.id AND i.debtor = send_invoice.debtor AND i.asset = send_invoice.asset
                         AND i.amount = send_invoice.amount AND i.due = send_invoice.due AND i.reference IS NOT DISTINCT FROM send_invoice.reference)
                 THEN 'the id was used for another invoice' END
        WHEN (send_invoice.amount > 0) IS NOT TRUE THEN 'an amount is above zero'
        WHEN send_invoice.debtor = (context).member THEN 'nobody sends an invoice to itself'
        WHEN NOT EXISTS (SELECT FROM asset AS a WHERE a.asset = send_invoice.asset) THEN 'there is no such asset'
        END);
    INSERT INTO invoice (creditor, id, debtor, asset, amount, due, reference, state)
        VALUES ((context).member, send_invoice.id, send_invoice.debtor, send_invoice.asset, send_invoice.amount, send_invoice.due, send_invoice.reference, 'sent')
        ON CONFLICT (creditor, id) DO NOTHING;
END;
COMMENT ON FUNCTION send_invoice(ledger.context, varchar, bigint, varchar, bigint, timestamptz, varchar) IS 'the debtor owes the member who calls that much, when it accepts';

CREATE FUNCTION answer(member bigint, creditor bigint, id varchar, state varchar) RETURNS void LANGUAGE sql
BEGIN ATOMIC
    SELECT refuse(CASE
        WHEN NOT EXISTS (SELECT FROM invoice AS i WHERE i.creditor = answer.creditor AND i.id = answer.id AND i.debtor = answer.member)
            THEN 'there is no such invoice to the member'
        WHEN EXISTS (SELECT FROM invoice AS i
              WHERE i.creditor = answer.creditor AND i.id = answer.id AND (i.state = 'paid' OR i.state = 'netted' OR i.state = 'withdrawn'))
            THEN 'the invoice is settled or withdrawn'
        WHEN answer.state = 'disputed' AND (SELECT i.state FROM invoice AS i WHERE i.creditor = answer.creditor AND i.id = answer.id) = 'accepted'
            THEN 'the invoice is accepted'
        END);
    UPDATE invoice SET state = answer.state WHERE creditor = answer.creditor AND id = answer.id;
END;
COMMENT ON FUNCTION answer(bigint, bigint, varchar, varchar) IS 'by the debtor';

CREATE FUNCTION accept_invoice(context ledger.context, creditor bigint, id varchar) RETURNS void LANGUAGE sql
BEGIN ATOMIC
    SELECT answer((context).member, accept_invoice.creditor, accept_invoice.id, 'accepted');
END;
COMMENT ON FUNCTION accept_invoice(ledger.context, bigint, varchar) IS 'the debtor agrees, for good: the invoice can be netted';

CREATE FUNCTION dispute_invoice(context ledger.context, creditor bigint, id varchar) RETURNS void LANGUAGE sql
BEGIN ATOMIC
    SELECT answer((context).member, dispute_invoice.creditor, dispute_invoice.id, 'disputed');
END;
COMMENT ON FUNCTION dispute_invoice(ledger.context, bigint, varchar) IS 'the debtor does not agree; it may accept later, or the creditor withdraw';

CREATE FUNCTION withdraw_invoice(context ledger.context, id varchar) RETURNS void LANGUAGE sql
BEGIN ATOMIC
    SELECT refuse(CASE
        WHEN NOT EXISTS (SELECT FROM invoice AS i WHERE i.creditor = (context).member AND i.id = withdraw_invoice.id) THEN 'there is no such invoice of the member'
        WHEN EXISTS (SELECT FROM invoice AS i
              WHERE i.creditor = (context).member AND i.id = withdraw_invoice.id AND (i.state = 'paid' OR i.state = 'netted'))
            THEN 'the invoice is settled'
        END);
    UPDATE invoice SET state = 'withdrawn' WHERE creditor = (context).member AND id = withdraw_invoice.id;
END;
COMMENT ON FUNCTION withdraw_invoice(ledger.context, varchar) IS 'the creditor does without, or sends another one';

CREATE FUNCTION pay_invoice(context ledger.context, id varchar, creditor bigint, invoice varchar, purpose varchar, target_purpose varchar) RETURNS void LANGUAGE sql
BEGIN ATOMIC
    SELECT refuse(CASE
        WHEN NOT EXISTS (SELECT FROM invoice AS i WHERE i.creditor = pay_invoice.creditor AND i.id = pay_invoice.invoice AND i.debtor = (context).member)
            THEN 'there is no such invoice to the member'
        WHEN EXISTS (SELECT FROM invoice AS i
              WHERE i.creditor = pay_invoice.creditor AND i.id = pay_invoice.invoice AND i.state = 'paid' AND i.settled_id = pay_invoice.id) THEN NULL
        WHEN EXISTS (SELECT FROM invoice AS i
              WHERE i.creditor = pay_invoice.creditor AND i.id = pay_invoice.invoice AND (i.state = 'paid' OR i.state = 'netted' OR i.state = 'withdrawn'))
            THEN 'the invoice is settled or withdrawn'
        WHEN EXISTS (SELECT FROM transfer AS t WHERE t.member = (context).member AND t.id = pay_invoice.id) THEN 'the id was used for another transfer'
        WHEN pay_invoice.purpose = 'issue' OR pay_invoice.target_purpose = 'issue' THEN 'accounts for the purpose issue are for issue and redeem'
        END);
    SELECT move(pay_invoice.id, 'invoice',
                (SELECT i.asset FROM invoice AS i WHERE i.creditor = pay_invoice.creditor AND i.id = pay_invoice.invoice),
                (SELECT i.amount FROM invoice AS i WHERE i.creditor = pay_invoice.creditor AND i.id = pay_invoice.invoice),
                (context).member, pay_invoice.purpose, pay_invoice.creditor, pay_invoice.target_purpose,
                (SELECT i.reference FROM invoice AS i WHERE i.creditor = pay_invoice.creditor AND i.id = pay_invoice.invoice),
                context);
    UPDATE invoice SET state = 'paid', settled_by = (context).member, settled_id = pay_invoice.id
     WHERE creditor = pay_invoice.creditor AND id = pay_invoice.invoice;
END;
COMMENT ON FUNCTION pay_invoice(ledger.context, varchar, bigint, varchar, varchar, varchar) IS 'the debtor pays all of an invoice, by a transfer with that id';

-- Netting: of two members, or of many, whom the opener names: others cannot join, and
-- so cannot upset the sum.  Those who have joined when it is closed take part.  If one
-- of them keeps it from being closed, the opener cancels it and opens another one
-- without that member.

CREATE FUNCTION open_netting(context ledger.context, id varchar, asset varchar, due timestamptz, members bigint[]) RETURNS void LANGUAGE sql
BEGIN ATOMIC
    SELECT ledger.require(length(open_netting.id) BETWEEN 1 AND 40, 'an id has 1 to 40 characters');
    SELECT ledger.require(cardinality(open_netting.members) BETWEEN 2 AND 1000, 'a netting is of 2 to 1000 members');
    SELECT refuse(CASE
        WHEN NOT EXISTS (SELECT FROM asset AS a WHERE a.asset = open_netting.asset) THEN 'there is no such asset'
        WHEN EXISTS (SELECT FROM netting AS n WHERE n.opener = (context).member AND n.id = open_netting.id) THEN 'the id was used for another netting'
        END);
    INSERT INTO netting (opener, id, asset, due, members, state)
        VALUES ((context).member, open_netting.id, open_netting.asset, open_netting.due, open_netting.members, 'open');
END;
COMMENT ON FUNCTION open_netting(ledger.context, varchar, varchar, timestamptz, bigint[])
    IS 'of accepted invoices of that asset that are due until then, among these members; whoever opens it need not be one of them';

CREATE FUNCTION join_netting(context ledger.context, opener bigint, id varchar, amount bigint, purpose varchar) RETURNS void LANGUAGE sql
BEGIN ATOMIC
    SELECT refuse(CASE
        WHEN (SELECT n.state FROM netting AS n WHERE n.opener = join_netting.opener AND n.id = join_netting.id) IS DISTINCT FROM 'open' THEN 'there is no such open netting'
        WHEN NOT EXISTS (SELECT FROM netting AS n
                  WHERE n.opener = join_netting.opener AND n.id = join_netting.id AND (context).member = ANY (n.members)) THEN 'the netting is among other members'
        WHEN EXISTS (SELECT FROM netting_position AS p
              WHERE p.opener = join_netting.opener AND p.id = join_netting.id AND p.member = (context).member) THEN 'the member has joined already'
        WHEN join_netting.purpose = 'issue' OR NOT EXISTS (SELECT FROM account AS a
              WHERE a.member = (context).member AND a.purpose = join_netting.purpose
                AND a.asset = (SELECT n.asset FROM netting AS n WHERE n.opener = join_netting.opener AND n.id = join_netting.id)) THEN 'there is no such account'
        END);
    INSERT INTO netting_position (opener, id, member, purpose, amount, receives, pays)
        VALUES (join_netting.opener, join_netting.id, (context).member, join_netting.purpose, join_netting.amount,
                CASE WHEN join_netting.amount > 0 THEN join_netting.amount ELSE 0 END,
                CASE WHEN join_netting.amount < 0 THEN -join_netting.amount ELSE 0 END);
END;
COMMENT ON FUNCTION join_netting(ledger.context, bigint, varchar, bigint, varchar)
    IS 'the member agrees to be paid so much, or to pay so much if it is below zero, instead of its invoices from and to all others who join';

CREATE FUNCTION leave_netting(context ledger.context, opener bigint, id varchar) RETURNS void LANGUAGE sql
BEGIN ATOMIC
    SELECT refuse(CASE
        WHEN (SELECT n.state FROM netting AS n WHERE n.opener = leave_netting.opener AND n.id = leave_netting.id) IS DISTINCT FROM 'open' THEN 'there is no such open netting'
        WHEN NOT EXISTS (SELECT FROM netting_position AS p
              WHERE p.opener = leave_netting.opener AND p.id = leave_netting.id AND p.member = (context).member) THEN 'the member has not joined'
        END);
    DELETE FROM netting_position WHERE opener = leave_netting.opener AND id = leave_netting.id AND member = (context).member;
END;
COMMENT ON FUNCTION leave_netting(ledger.context, bigint, varchar) IS 'the member takes back that it has joined; it can join again';

CREATE FUNCTION cancel_netting(context ledger.context, id varchar) RETURNS void LANGUAGE sql
BEGIN ATOMIC
    SELECT ledger.require((SELECT n.state FROM netting AS n WHERE n.opener = (context).member AND n.id = cancel_netting.id) = 'open', 'there is no such open netting');
    UPDATE netting SET state = 'cancelled' WHERE opener = (context).member AND id = cancel_netting.id;
END;
COMMENT ON FUNCTION cancel_netting(ledger.context, varchar) IS 'by who opened it';

CREATE FUNCTION close_netting(context ledger.context, id varchar) RETURNS void LANGUAGE sql
BEGIN ATOMIC
    SELECT ledger.require((SELECT n.state FROM netting AS n WHERE n.opener = (context).member AND n.id = close_netting.id) = 'open', 'there is no such open netting');
    SELECT ledger.require((SELECT count(*) FROM netting_position AS p WHERE p.opener = (context).member AND p.id = close_netting.id) >= 2, 'a netting is of two members at least');
    SELECT ledger.require((SELECT sum(p.amount) FROM netting_position AS p WHERE p.opener = (context).member AND p.id = close_netting.id) = 0, 'the netting does not balance');
    -- what the invoices say, among those who take part
    UPDATE netting_position SET
           claims = COALESCE((SELECT sum(i.amount) FROM invoice AS i
                     WHERE i.creditor = netting_position.member AND i.state = 'accepted'
                       AND i.asset = (SELECT n.asset FROM netting AS n WHERE n.opener = (context).member AND n.id = close_netting.id)
                       AND i.due <= (SELECT n.due FROM netting AS n WHERE n.opener = (context).member AND n.id = close_netting.id)
                       AND i.debtor IN (SELECT p.member FROM netting_position AS p WHERE p.opener = (context).member AND p.id = close_netting.id)), 0)::bigint
     WHERE opener = (context).member AND id = close_netting.id;
    UPDATE netting_position SET
           debts = COALESCE((SELECT sum(i.amount) FROM invoice AS i
                     WHERE i.debtor = netting_position.member AND i.state = 'accepted'
                       AND i.asset = (SELECT n.asset FROM netting AS n WHERE n.opener = (context).member AND n.id = close_netting.id)
                       AND i.due <= (SELECT n.due FROM netting AS n WHERE n.opener = (context).member AND n.id = close_netting.id)
                       AND i.creditor IN (SELECT p.member FROM netting_position AS p WHERE p.opener = (context).member AND p.id = close_netting.id)), 0)::bigint
     WHERE opener = (context).member AND id = close_netting.id;
    UPDATE netting_position SET owed = netting_position.claims - netting_position.debts WHERE opener = (context).member AND id = close_netting.id;
    SELECT refuse(CASE
        WHEN EXISTS (SELECT FROM netting_position AS p WHERE p.opener = (context).member AND p.id = close_netting.id AND p.owed <> p.amount)
            THEN 'a position is not what the invoices give'
        WHEN EXISTS (SELECT FROM netting_position AS p JOIN account AS a ON a.member = p.member AND a.purpose = p.purpose
              WHERE p.opener = (context).member AND p.id = close_netting.id AND a.available < p.pays
                AND a.asset = (SELECT n.asset FROM netting AS n WHERE n.opener = (context).member AND n.id = close_netting.id))
            THEN 'not enough is available to a member who pays'
        WHEN EXISTS (SELECT FROM netting_position AS p JOIN account AS a ON a.member = p.member AND a.purpose = p.purpose
              WHERE p.opener = (context).member AND p.id = close_netting.id AND a.room < p.receives
                AND a.asset = (SELECT n.asset FROM netting AS n WHERE n.opener = (context).member AND n.id = close_netting.id))
            THEN 'the balance limit of a member who is paid would be exceeded'
        END);
    UPDATE account SET
           credits = account.credits + (SELECT p.receives FROM netting_position AS p WHERE p.opener = (context).member AND p.id = close_netting.id AND p.member = account.member),
           debits = account.debits + (SELECT p.pays FROM netting_position AS p WHERE p.opener = (context).member AND p.id = close_netting.id AND p.member = account.member),
           balance = account.balance + (SELECT p.amount FROM netting_position AS p WHERE p.opener = (context).member AND p.id = close_netting.id AND p.member = account.member),
           available = account.available + (SELECT p.amount FROM netting_position AS p WHERE p.opener = (context).member AND p.id = close_netting.id AND p.member = account.member),
           room = account.room - (SELECT p.amount FROM netting_position AS p WHERE p.opener = (context).member AND p.id = close_netting.id AND p.member = account.member)
     WHERE asset = (SELECT n.asset FROM netting AS n WHERE n.opener = (context).member AND n.id = close_netting.id)
       AND EXISTS (SELECT FROM netting_position AS p
            WHERE p.opener = (context).member AND p.id = close_netting.id AND p.member = account.member AND p.purpose = account.purpose);
    UPDATE invoice SET state = 'netted', settled_by = (context).member, settled_id = close_netting.id
     WHERE state = 'accepted' AND due <= (SELECT n.due FROM netting AS n WHERE n.opener = (context).member AND n.id = close_netting.id)
       AND asset = (SELECT n.asset FROM netting AS n WHERE n.opener = (context).member AND n.id = close_netting.id)
       AND creditor IN (SELECT p.member FROM netting_position AS p WHERE p.opener = (context).member AND p.id = close_netting.id)
       AND debtor IN (SELECT p.member FROM netting_position AS p WHERE p.opener = (context).member AND p.id = close_netting.id);
    UPDATE netting SET state = 'closed', closed_height = (context).height, closed_ref = (context).ref
     WHERE opener = (context).member AND id = close_netting.id;
    SELECT check_later((SELECT n.asset FROM netting AS n WHERE n.opener = (context).member AND n.id = close_netting.id));
END;
COMMENT ON FUNCTION close_netting(ledger.context, varchar)
    IS 'by who opened it: all pay and are paid what they have agreed to, if that is what their invoices give, and these are settled';

-- Statements of account.

CREATE FUNCTION draw_statement(context ledger.context, asset varchar, purpose varchar) RETURNS void LANGUAGE sql
BEGIN ATOMIC
    SELECT ledger.require(EXISTS (SELECT FROM account AS a
             WHERE a.member = (context).member AND a.asset = draw_statement.asset AND a.purpose = draw_statement.purpose), 'there is no such account');
    INSERT INTO statement (member, asset, purpose, number, opening, debits, credits, closing, height, ref)
        SELECT (context).member, draw_statement.asset, draw_statement.purpose, count(*) + 1,
               (COALESCE(sum(s.credits), 0) - COALESCE(sum(s.debits), 0))::bigint,
               (SELECT a.debits FROM account AS a WHERE a.member = (context).member AND a.asset = draw_statement.asset AND a.purpose = draw_statement.purpose)
               - COALESCE(sum(s.debits), 0),
               (SELECT a.credits FROM account AS a WHERE a.member = (context).member AND a.asset = draw_statement.asset AND a.purpose = draw_statement.purpose)
               - COALESCE(sum(s.credits), 0),
               (SELECT a.balance FROM account AS a WHERE a.member = (context).member AND a.asset = draw_statement.asset AND a.purpose = draw_statement.purpose),
               (context).height, (context).ref
          FROM statement AS s
         WHERE s.member = (context).member AND s.asset = draw_statement.asset AND s.purpose = draw_statement.purpose;
END;
COMMENT ON FUNCTION draw_statement(ledger.context, varchar, varchar) IS 'the next statement of an account of the member who calls';

-- To be read.

CREATE VIEW balance AS
    SELECT a.member, a.asset, a.purpose, a.balance, a.reserved, a.expected, a.available, a.credit_limit, a.balance_limit
      FROM account AS a;
COMMENT ON VIEW balance IS 'of each account, as of the last block';

CREATE VIEW imbalance AS
    SELECT a.asset, sum(a.balance) AS balance FROM account AS a GROUP BY a.asset HAVING sum(a.balance) <> 0;
COMMENT ON VIEW imbalance IS 'assets whose balances do not add up to zero: there are none (P1)';

CREATE VIEW entry AS
    SELECT t.source AS member, t.asset, t.source_purpose AS purpose, t.posted_height AS height, t.posted_ref AS ref, t.kind,
           t.member AS by_member, t.id, t.target AS other_member, t.target_purpose AS other_purpose, t.posted AS debit, 0::bigint AS credit, t.reference
      FROM transfer AS t WHERE t.state = 'posted'
    UNION ALL
    SELECT t.target, t.asset, t.target_purpose, t.posted_height, t.posted_ref, t.kind,
           t.member, t.id, t.source, t.source_purpose, 0, t.posted, t.reference
      FROM transfer AS t WHERE t.state = 'posted'
    UNION ALL
    SELECT p.member, n.asset, p.purpose, n.closed_height, n.closed_ref, 'netting',
           n.opener, n.id, NULL, NULL, p.pays, p.receives, NULL
      FROM netting AS n JOIN netting_position AS p ON p.opener = n.opener AND p.id = n.id WHERE n.state = 'closed';
COMMENT ON VIEW entry IS 'what has moved: two entries for each transfer, one for each member of a netting';

CREATE VIEW movement AS
    SELECT e.member, e.asset, e.purpose, e.height, e.ref, e.kind, e.by_member, e.id, e.other_member, e.other_purpose, e.debit, e.credit,
           sum(e.credit - e.debit) OVER (PARTITION BY e.member, e.asset, e.purpose ORDER BY e.height, e.ref) AS balance, e.reference
      FROM entry AS e;
COMMENT ON VIEW movement IS 'what has moved in each account, with the balance after it';

GRANT SELECT ON asset, account, transfer, invoice, netting, netting_position, statement, balance, imbalance, entry, movement
    TO ledger_admin, ledger_submitter, ledger_reader, ledger_auditor;
