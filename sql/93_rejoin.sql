-- Checkpoints, and going on after a restore, among several members
-- (src/node/node_order_checkpoint.c, node_order_rejoin.c).

CREATE TABLE ledger_internal.checkpoint (
    height bigint PRIMARY KEY,
    block bytea NOT NULL,
    state_root bytea NOT NULL,
    outcome_root bytea NOT NULL,
    certificate bytea NOT NULL,
    stored_at timestamptz NOT NULL DEFAULT clock_timestamp()
);
COMMENT ON TABLE ledger_internal.checkpoint IS
    'stable checkpoints: what a quorum has signed as the state after a block';

CREATE TABLE ledger_internal.rejoin (
    nonce bytea PRIMARY KEY CHECK (octet_length(nonce) = 16),
    cause smallint NOT NULL,
    reason text NOT NULL,
    asked_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    opened_at timestamptz,
    numbered_at timestamptz
);
CREATE UNIQUE INDEX rejoin_under_way ON ledger_internal.rejoin ((numbered_at IS NULL)) WHERE numbered_at IS NULL;
COMMENT ON TABLE ledger_internal.rejoin IS
    'incarnations that this member asked its peers for; opened_at: its REJOIN was signed, numbered_at: a block has ordered it';

CREATE TABLE ledger_internal.reply_given (
    member bigint PRIMARY KEY,
    closed_nonce bytea NOT NULL,
    closed_seq bigint NOT NULL,
    message bytea NOT NULL,
    given_at timestamptz NOT NULL DEFAULT clock_timestamp()
);
COMMENT ON TABLE ledger_internal.reply_given IS
    'the newest REPLY of this member to each other one: no row of closed_nonce beyond closed_seq counts any more';

SELECT pg_extension_config_dump('ledger_internal.checkpoint', '');
SELECT pg_extension_config_dump('ledger_internal.rejoin', '');
SELECT pg_extension_config_dump('ledger_internal.reply_given', '');

CREATE VIEW ledger.rejoin AS
    SELECT reason, CASE WHEN numbered_at IS NOT NULL THEN 'done'
                        WHEN opened_at IS NOT NULL THEN 'its REJOIN waits for a block'
                        ELSE 'waits for the replies of the other members' END AS state,
           asked_at, opened_at, numbered_at, nonce
      FROM ledger_internal.rejoin;
COMMENT ON VIEW ledger.rejoin IS
    'how this member went on after a restore, among several: asked for, REJOIN signed, ordered by a block';
