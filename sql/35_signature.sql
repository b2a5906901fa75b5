-- Signatures on rows: the trigger, what it demands, and the message to sign.

CREATE TABLE ledger_internal.signature_requirement (
    table_id uuid NOT NULL,
    number integer NOT NULL,
    signing_id uuid NOT NULL,
    algorithm text NOT NULL,
    per_statement boolean NOT NULL,
    key_attribute integer NOT NULL,
    signature_attribute integer NOT NULL,
    attributes integer[] NOT NULL,
    numbers integer[] NOT NULL,
    type_tags bigint[] NOT NULL,
    since pg_snapshot NOT NULL,
    since_ref ledger.ref NOT NULL,
    PRIMARY KEY (table_id, number)
);
COMMENT ON TABLE ledger_internal.signature_requirement IS
    'what rows of ledger tables must be signed, since a trigger said so; the worker holds each row against it, whether the trigger ran or not';
COMMENT ON COLUMN ledger_internal.signature_requirement.signing_id IS
    'the table id in messages: that of the table on which the trigger was created';
COMMENT ON COLUMN ledger_internal.signature_requirement.attributes IS
    'the columns that are signed, as numbered in this table';
COMMENT ON COLUMN ledger_internal.signature_requirement.numbers IS
    'the same columns as numbered in messages, ascending';
COMMENT ON COLUMN ledger_internal.signature_requirement.since IS
    'rows whose transaction this snapshot sees are exempt, and those of the transaction in since_ref up to its row';
SELECT pg_extension_config_dump('ledger_internal.signature_requirement', '');

CREATE FUNCTION ledger.verify_signature() RETURNS trigger
    AS 'MODULE_PATHNAME', 'tl_verify_signature' LANGUAGE C VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION ledger.verify_signature() IS
    'trigger for any table: (''key_column'', ''signature_column'', ''column, column, ...'' [, ''secp256k1'', ''bip340'' or ''es256'']), for each row or each statement';

CREATE FUNCTION ledger.message_to_sign(relation regclass, "row" anyelement, trigger_name name DEFAULT NULL)
    RETURNS bytea
    AS 'MODULE_PATHNAME', 'tl_message_to_sign' LANGUAGE C STABLE CALLED ON NULL INPUT PARALLEL SAFE;
COMMENT ON FUNCTION ledger.message_to_sign(regclass, anyelement, name) IS
    'the bytes whose SHA-256 is to be signed for a row of the relation, its key filled in, or for an array of rows where a statement is signed';

CREATE FUNCTION ledger.signing_id(relation regclass, trigger_name name DEFAULT NULL)
    RETURNS uuid
    AS 'MODULE_PATHNAME', 'tl_signing_id' LANGUAGE C STABLE CALLED ON NULL INPUT PARALLEL SAFE;
COMMENT ON FUNCTION ledger.signing_id(regclass, name) IS
    'the table id that messages for the relation''s signature trigger name';
