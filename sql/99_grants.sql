-- Least privilege: the schema `ledger` is open to read, what changes the node
-- is not, and the tables of the chain are reached through views and functions.

REVOKE ALL ON FUNCTION ledger.create_node(text, text, boolean, bytea), ledger.dispose(),
    ledger.resume(text, boolean), ledger.accept_restore(text),
    ledger.announce(text), ledger.check_settings(), ledger.hba_rules(),
    ledger.fingerprint(), ledger.invite(text, text, text[]), ledger.join(text, text, text, bytea),
    ledger.admit(text[], text[], text[], text[]), ledger.admit(text, text, text, text),
    ledger.propose_restart(text[], text[], text), ledger.restart_contents(text), ledger.add_restart_signature(text, text, bytea),
    ledger.end_ledger(text), ledger.begin_ledger(text, text, text[], text[]),
    ledger.remove(text), ledger.leave(), ledger.set_roles(text, text[]), ledger.set_kind(text, text), ledger.new_fingerprint(), ledger.rotate_key(), ledger.set_recovery_key(bytea),
    ledger.set_key(text, text, bytea), ledger.recovery_digest(text, text), ledger.recover_key(text, text, bytea),
    ledger.deploy(text, text), ledger.approve(text, bytea), ledger.skip(ledger.ref), ledger.check_contract(text), ledger.check_contract(text, text),
    ledger.outcome(ledger.ref, interval) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION ledger.check_contract(text) TO ledger_admin, ledger_submitter, ledger_auditor, ledger_reader;
GRANT EXECUTE ON FUNCTION ledger.check_contract(text, text) TO ledger_admin;
GRANT EXECUTE ON FUNCTION ledger.restart_contents(text) TO ledger_admin, ledger_auditor;
GRANT SELECT ON ledger.rejoin, ledger.restart, ledger.block, ledger.batch, ledger.incarnation, ledger.status TO PUBLIC;

-- Under a publication FOR ALL TABLES rows change only where it can tell which.
ALTER TABLE ledger_internal.node REPLICA IDENTITY FULL;
ALTER TABLE ledger_internal.applied REPLICA IDENTITY FULL;
ALTER TABLE ledger_internal.refused_row REPLICA IDENTITY FULL;
ALTER TABLE ledger_internal.prepared_key REPLICA IDENTITY FULL;
ALTER TABLE ledger_internal.key_wanted REPLICA IDENTITY FULL;
ALTER TABLE ledger.verification_problem REPLICA IDENTITY FULL;
