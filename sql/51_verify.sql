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
    verdict text NOT NULL CHECK (verdict IN ('clean', 'problems'))
);
COMMENT ON TABLE ledger.verification IS
    'runs of ledger.verify(): what each looked at, so that "no rows" cannot mean "did not look"';
COMMENT ON COLUMN ledger.verification.relation IS 'the table that was asked for, NULL for all';
COMMENT ON COLUMN ledger.verification.from_height IS
    'first block that was read; an incremental run goes on from the last clean one';
COMMENT ON COLUMN ledger.verification.rows IS 'rows whose bytes were hashed';
COMMENT ON COLUMN ledger.verification.rejected IS
    'rows that are in no batch and rightly so: they are not signed as their table demands (ledger.rejected)';

CREATE FUNCTION ledger.verify(
        relation regclass DEFAULT NULL,
        mode text DEFAULT 'incremental',
        against jsonb DEFAULT NULL)
    RETURNS TABLE (kind text, relation regclass, ref ledger.ref, height bigint,
                   expected text, found text, detail text)
    AS 'MODULE_PATHNAME', 'tl_verify' LANGUAGE C VOLATILE PARALLEL UNSAFE
    SECURITY DEFINER SET search_path = pg_catalog, pg_temp;
COMMENT ON FUNCTION ledger.verify(regclass, text, jsonb) IS
    'no rows when the ledger is as it was signed, otherwise one per problem; mode is incremental or full, against a tree head or receipt kept elsewhere';
REVOKE ALL ON FUNCTION ledger.verify(regclass, text, jsonb) FROM PUBLIC;
REVOKE ALL ON TABLE ledger.verification FROM PUBLIC;
