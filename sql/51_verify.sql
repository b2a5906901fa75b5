-- Verification: the whole ledger recomputed from its rows and signatures.

CREATE TABLE ledger.verification (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    started_at timestamptz NOT NULL,
    finished_at timestamptz NOT NULL,
    chain_id bytea NOT NULL,
    mode text NOT NULL,
    relation regclass,
    from_height bigint NOT NULL,
    to_height bigint NOT NULL,
    rows bigint NOT NULL,
    rejected bigint NOT NULL,
    sections bigint NOT NULL,
    blocks bigint NOT NULL,
    problems bigint NOT NULL,
    workers integer NOT NULL,
    parts integer NOT NULL,
    verdict text NOT NULL CHECK (verdict IN ('clean', 'problems'))
);
COMMENT ON TABLE ledger.verification IS
    'runs of ledger.verify(): what each looked at, so that "no rows" cannot mean "did not look"';
COMMENT ON COLUMN ledger.verification.relation IS 'the table that was asked for, NULL for all';
COMMENT ON COLUMN ledger.verification.from_height IS
    'first block that was read; an incremental run goes on from the last clean one';
COMMENT ON COLUMN ledger.verification.to_height IS
    'last block whose rows were all there to be read: the chain may have been longer where a member had not applied its end yet';
COMMENT ON COLUMN ledger.verification.rows IS 'rows whose bytes were hashed';
COMMENT ON COLUMN ledger.verification.workers IS
    'most background workers that helped at one time';
COMMENT ON COLUMN ledger.verification.parts IS
    'processes that did it one after the other: more than 1 for a run in steps that was interrupted and went on';
COMMENT ON COLUMN ledger.verification.rejected IS
    'rows that are in no batch and rightly so: they are not signed as their table demands (ledger.rejected)';

CREATE FUNCTION ledger.verify(
        relation regclass DEFAULT NULL,
        mode text DEFAULT 'incremental',
        against jsonb DEFAULT NULL)
    RETURNS TABLE (kind text, relation regclass, ref ledger.ref, height bigint,
                   expected text, found text, detail text)
    AS 'MODULE_PATHNAME', 'tl_verify' LANGUAGE C VOLATILE PARALLEL UNSAFE ROWS 10
    SECURITY DEFINER SET search_path = pg_catalog, pg_temp;
COMMENT ON FUNCTION ledger.verify(regclass, text, jsonb) IS
    'no rows when the ledger is as it was signed, otherwise one per problem; mode is incremental or full, against a tree head or receipt kept elsewhere';

CREATE TABLE ledger.verification_problem (
    verification bigint,
    mode text NOT NULL,
    found_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    kind text NOT NULL,
    relation regclass,
    ref ledger.ref,
    height bigint,
    expected text,
    found text,
    detail text NOT NULL
);
CREATE INDEX verification_problem_of ON ledger.verification_problem (verification);
COMMENT ON TABLE ledger.verification_problem IS
    'what ledger.verify_in_steps() and the scrub have found, up to a thousand problems of a run';
COMMENT ON COLUMN ledger.verification_problem.verification IS
    'the run in ledger.verification, NULL while it has not come to its end';

CREATE PROCEDURE ledger.verify_in_steps(
        anew boolean DEFAULT false,
        INOUT verification bigint DEFAULT NULL, INOUT verdict text DEFAULT NULL,
        INOUT problems bigint DEFAULT NULL, INOUT rows bigint DEFAULT NULL)
    AS 'MODULE_PATHNAME', 'tl_verify_in_steps' LANGUAGE C;
COMMENT ON PROCEDURE ledger.verify_in_steps(boolean, bigint, text, bigint, bigint) IS
    'verifies everything in transactions of its own; when it was cancelled or the server went down, the next call goes on';

CREATE TABLE ledger_internal.scrub (
    mode text PRIMARY KEY,
    chain_id bytea NOT NULL,
    started_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    parts integer NOT NULL DEFAULT 1,
    next_height bigint NOT NULL DEFAULT 0,
    to_height bigint,
    to_batch bigint,
    relation oid,
    batch bigint NOT NULL DEFAULT 0,
    rows bigint NOT NULL DEFAULT 0,
    rejected bigint NOT NULL DEFAULT 0,
    sections bigint NOT NULL DEFAULT 0,
    blocks bigint NOT NULL DEFAULT 0,
    problems bigint NOT NULL DEFAULT 0,
    workers integer NOT NULL DEFAULT 0
);
COMMENT ON TABLE ledger_internal.scrub IS
    'how far the scrub, and ledger.verify_in_steps(), have come that run now or were interrupted';

CREATE FUNCTION ledger_internal.progress(
        OUT pid integer, OUT mode text, OUT phase text, OUT relation regclass,
        OUT done bigint, OUT total bigint, OUT tables_done integer, OUT tables_total integer)
    RETURNS SETOF record
    AS 'MODULE_PATHNAME', 'tl_progress' LANGUAGE C VOLATILE PARALLEL RESTRICTED ROWS 1
    SECURITY DEFINER SET search_path = pg_catalog, pg_temp;
COMMENT ON FUNCTION ledger_internal.progress() IS 'behind ledger.progress';

CREATE VIEW ledger.progress AS SELECT * FROM ledger_internal.progress();
COMMENT ON VIEW ledger.progress IS
    'verifications of this database that run now; done and total count what the phase is about: blocks, or rows of the relation';
GRANT SELECT ON ledger.progress TO PUBLIC;

REVOKE ALL ON FUNCTION ledger.verify(regclass, text, jsonb) FROM PUBLIC;
REVOKE ALL ON PROCEDURE ledger.verify_in_steps(boolean, bigint, text, bigint, bigint) FROM PUBLIC;
REVOKE ALL ON TABLE ledger.verification, ledger.verification_problem FROM PUBLIC;
