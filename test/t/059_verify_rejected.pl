# A table with rejected rows, or with rows that were truncated on a test ledger,
# is verified as any other: quickly, by several processes, in steps.  What is
# wrong with such rows is named.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../lib";

use LedgerCluster;
use Test::More;

use constant ROWS => 600_000;

my $node = LedgerCluster->new_node('rejected', purpose => 'test', conf => <<'END');
autovacuum = off
max_worker_processes = 16
max_parallel_workers = 8
telco_ledger.verify_workers = 1
END

sub sql { return $node->safe_psql('postgres', shift) }

# Rows from before the trigger need no signature.
sql(<<"END");
CREATE FUNCTION secret() RETURNS bytea LANGUAGE sql IMMUTABLE RETURN sha256('a secret');
CREATE FUNCTION key() RETURNS bytea LANGUAGE sql IMMUTABLE RETURN ledger.public_key(secret());
CREATE TABLE reading (id bigint, key bytea, signature bytea) USING ledger;
INSERT INTO reading SELECT generate_series(1, 1000);
CREATE TABLE bulk (id bigint, key bytea, signature bytea) USING ledger;
INSERT INTO bulk SELECT generate_series(1, @{[ROWS]});
CREATE TRIGGER signed AFTER INSERT ON bulk FOR EACH ROW
    EXECUTE FUNCTION ledger.verify_signature('key', 'signature', 'id');
CREATE FUNCTION signature(id bigint) RETURNS bytea LANGUAGE sql STABLE
    RETURN ledger.ecdsa_sign(sha256(ledger.message_to_sign('reading', ROW(id, key(), NULL, NULL)::reading)), secret());
CREATE TRIGGER signed AFTER INSERT ON reading FOR EACH ROW
    EXECUTE FUNCTION ledger.verify_signature('key', 'signature', 'id');
CREATE TABLE gone (id integer) USING ledger;
INSERT INTO gone SELECT generate_series(1, 1000);
END
sql(<<'END');
INSERT INTO reading SELECT -n, key(), signature(-n) FROM generate_series(1, 20) AS n;
SET session_replication_role = replica;
INSERT INTO reading SELECT -n, key(), CASE WHEN n % 2 = 0 THEN signature(-n) END FROM generate_series(21, 40) AS n;
INSERT INTO bulk VALUES (-1);
END
$node->wait_final_all;
sql('TRUNCATE gone');
$node->wait_final_all;
sql('INSERT INTO gone VALUES (1001)');
$node->wait_final_all;
is(sql('SELECT count(*), count(DISTINCT relation) FROM ledger.rejected'), '11|2', 'eleven rows of two tables are rejected');

# A full run, or one in steps: what it finds, and what the server says to debug1
# about each table that was read quickly.
sub run
{
	my ($statement, $workers) = @_;
	my ($status, $stdout, $stderr) = $node->psql('postgres',
		"SET telco_ledger.verify_workers = $workers; SET client_min_messages = debug1; $statement");

	return ($stdout, $stderr);
}

my $full = "SELECT kind, relation, ref, expected FROM ledger.verify(mode => 'full') ORDER BY kind, ref";
my $truncated = 'disposed|gone||1000 rows';
my $of_run = 'SELECT rejected, rows - (SELECT count(*) FROM ledger.table_version), verdict FROM ledger.verification ORDER BY id DESC LIMIT 1';
my $all = ROWS + 1000 + 30 + 1;

for my $workers (0, 1)
{
	my ($stdout, $stderr) = run($full, $workers);

	is($stdout, $truncated, "$workers workers: nothing is wrong");
	is(sql($of_run), "11|$all|clean", "$workers workers: rejected rows were looked at");
	like($stderr, qr/quick pass over "bulk": clean/, "$workers workers: and nothing was read twice") if $workers > 0;
}
my ($stdout, $stderr) = run('CALL ledger.verify_in_steps()', 1);
like($stdout, qr/^\d+\|clean\|0\|\d+$/, 'nor is anything in steps');
is(sql($of_run), "11|$all|clean", 'in steps: rejected rows were looked at');
cmp_ok(scalar(() = $stderr =~ /quick pass over "bulk": clean/g), '>=', 3, 'in steps: several of one table');
is(sql("SELECT kind, relation, expected FROM ledger.verification_problem"), $truncated =~ s/\|\|/|/r, 'in steps: truncated rows are told, once');

# Each tampering: seen by one process, by two, and in steps.
sub tampered
{
	my ($name, $tamper, $undo, $expected) = @_;

	sql("SET allow_system_table_mods = on; BEGIN; $tamper; COMMIT");
	is((run($full, $_))[0] =~ s/\|[^|\n]*$//mgr, "disposed|gone|\n$expected", "$name: $_ workers") for (0, 1);
	sql('DELETE FROM ledger.verification_problem');
	run('CALL ledger.verify_in_steps(anew => true)', 1);
	is(sql("SELECT kind, relation, ref FROM ledger.verification_problem WHERE kind <> 'disposed' ORDER BY kind, ref"), $expected, "$name: in steps");
	sql("SET allow_system_table_mods = on; BEGIN; $undo; COMMIT");
	is((run($full, 1))[0], $truncated, "$name: undone");
	return;
}

sub as_heap
{
	my ($table, $sql) = @_;
	my $relam = 'UPDATE pg_class SET relam = (SELECT oid FROM pg_am WHERE amname =';

	return "$relam 'heap') WHERE oid = '$table'::regclass; $sql; $relam 'ledger') WHERE oid = '$table'::regclass";
}

my $signature = sql('SELECT signature(-21)');
my ($unsigned, $signed, $old) = map { sql("SELECT ledger_ref FROM reading WHERE id = $_") } (-21, -22, 17);

tampered('a rejected row that is not listed',
	"CREATE TABLE kept AS SELECT * FROM ledger_internal.rejected WHERE ref = '$unsigned'; DELETE FROM ledger_internal.rejected WHERE ref = '$unsigned'",
	'INSERT INTO ledger_internal.rejected SELECT * FROM kept; DROP TABLE kept',
	"row_added|reading|$unsigned");
tampered('a batched row that is listed',
	"INSERT INTO ledger_internal.rejected (ref, table_id, sqlstate, reason) SELECT '$signed', table_id, sqlstate, reason FROM ledger_internal.rejected LIMIT 1",
	"DELETE FROM ledger_internal.rejected WHERE ref = '$signed'",
	"rejection_changed|reading|$signed");
tampered('a rejected row that has its signature now',
	as_heap('reading', "ALTER TABLE reading DISABLE TRIGGER USER; UPDATE reading SET signature = '$signature' WHERE id = -21; ALTER TABLE reading ENABLE TRIGGER USER"),
	as_heap('reading', 'ALTER TABLE reading DISABLE TRIGGER USER; UPDATE reading SET signature = NULL WHERE id = -21; ALTER TABLE reading ENABLE TRIGGER USER'),
	"row_added|reading|$unsigned");
tampered('a rejected row of which there are two',
	as_heap('reading', "UPDATE pg_index SET indisready = false WHERE indrelid = 'reading'::regclass; ALTER TABLE reading DISABLE TRIGGER USER; INSERT INTO reading VALUES (4712, NULL, NULL, '$unsigned'); ALTER TABLE reading ENABLE TRIGGER USER; UPDATE pg_index SET indisready = true WHERE indrelid = 'reading'::regclass"),
	as_heap('reading', 'DELETE FROM reading WHERE id = 4712'),
	"index_mismatch|reading|$unsigned\nrow_added|reading|$unsigned");
tampered('a row that was removed',
	as_heap('reading', 'DELETE FROM reading WHERE id = 17'),
	as_heap('reading', "ALTER TABLE reading DISABLE TRIGGER USER; INSERT INTO reading VALUES (17, NULL, NULL, '$old'); ALTER TABLE reading ENABLE TRIGGER USER"),
	"row_missing|reading|$old");
my $first = sql(q{SELECT first_ref FROM ledger_internal.section s JOIN ledger_internal.ledger_table t USING (table_id) WHERE t.relation = 'gone'::regclass ORDER BY batch LIMIT 1});
tampered('a row that was truncated and is back',
	as_heap('gone', "INSERT INTO gone VALUES (4711, '$first')"),
	as_heap('gone', 'DELETE FROM gone WHERE id = 4711'),
	"row_changed|gone|$first");

# A demand that nobody can check.
is(sql(<<'END'), "definition_changed|reading|\nrow_changed|reading|a signature requirement names attribute 9, which the table does not have", 'a demand that was changed');
BEGIN;
UPDATE ledger_internal.signature_requirement SET attributes = '{9}' FROM ledger_internal.ledger_table AS t WHERE t.table_id = signature_requirement.table_id AND t.relation = 'reading'::regclass;
SELECT kind, relation, substring(detail FROM 'a signature requirement .*(?=\.)') FROM ledger.verify(mode => 'full') WHERE kind <> 'disposed' ORDER BY kind;
ROLLBACK;
END

$node->stop;
done_testing();
