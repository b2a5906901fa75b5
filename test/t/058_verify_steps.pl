# Verification in steps: what was read stays read, whatever ends the call, and
# what was found stays found.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../lib";

use LedgerCluster;
use Test::More;

my $node = LedgerCluster->new_node('steps');
my $call = 'CALL ledger.verify_in_steps()';
my $relam = 'UPDATE pg_class SET relam = (SELECT oid FROM pg_am WHERE amname =';

$node->safe_psql('postgres', <<'END');
CREATE TABLE cdr (id integer, note text) USING ledger;
CREATE TABLE usage (id integer, note text) USING ledger;
CREATE TABLE gate (id integer) USING ledger;
INSERT INTO cdr SELECT i, 'x' || i FROM generate_series(1, 5000) AS i;
INSERT INTO usage SELECT i, 'x' || i FROM generate_series(1, 1000000) AS i;
END
$node->wait_final_all;
my $all = $node->safe_psql('postgres', 'SELECT 1005000 + count(*) FROM ledger.table_version');
my $id;

# Start a call, or go on with one, and hold it before the last table, when it
# has read the others.
sub in_the_midst
{
	my $goes_on = $node->safe_psql('postgres', 'SELECT count(*) FROM ledger_internal.scrub');
	my $gate = $node->background_psql('postgres', on_error_die => 1);
	my $errors = '';

	$gate->query_safe('BEGIN; LOCK TABLE gate') if $goes_on;
	my $session = IPC::Run::start([ 'psql', '-XAtq', '-d', $node->connstr('postgres'), '-c', $call ],
		'>', \my $output, '2>', \$errors);

	if (!$goes_on)
	{
		$node->poll_query_until('postgres', "SELECT count(*) = 1 FROM ledger_internal.scrub WHERE mode = 'steps' AND relation = 'cdr'::regclass");
		$gate->query_safe('BEGIN; LOCK TABLE gate');
	}
	$node->poll_query_until('postgres', "SELECT count(*) = 1 FROM pg_locks WHERE relation = 'gate'::regclass AND NOT granted");
	return ($session, $gate, \$errors);
}

sub cancel
{
	my ($session, $gate) = @_;

	$node->safe_psql('postgres', 'SELECT pg_cancel_backend(' . backend() . ')');
	$session->finish;
	$gate->quit;
	return;
}

# A call that comes to its end: all but the number, which goes into $id.
sub call_to_the_end
{
	my ($statement) = @_;
	my ($status, $stdout, $stderr) = $node->psql('postgres', $statement // $call);

	($id, my $rest) = split /\|/, $stdout, 2;
	return $rest;
}

sub backend
{
	return $node->safe_psql('postgres', "SELECT pid FROM pg_stat_activity WHERE query = '$call' AND backend_type = 'client backend' AND pid <> pg_backend_pid()");
}

is(call_to_the_end(), "clean|0|$all", 'a call that reads everything says so');
is($node->safe_psql('postgres', "SELECT mode, parts, from_height, verdict FROM ledger.verification WHERE id = $id"), 'steps|1|0|clean', 'and is recorded');

# Cancelled, and then killed with all of the server.
my ($session, $gate, $errors) = in_the_midst();
is($node->safe_psql('postgres', "SELECT mode FROM ledger.progress"), 'steps', 'ledger.progress shows it');
my ($status, $stdout, $stderr) = $node->psql('postgres', $call);
like($stderr, qr/ERROR:  another session verifies this ledger in steps/, 'one run at a time');
cancel($session, $gate);
like($$errors, qr/canceling statement due to user request/, 'cancelled');
my ($started, $rows) = split /\|/, $node->safe_psql('postgres', "SELECT started_at, rows FROM ledger_internal.scrub WHERE mode = 'steps'");
cmp_ok($rows, '>', 5000, 'what it has read stays read');
is($node->safe_psql('postgres', 'SELECT count(*) FROM ledger.verification; SELECT count(*) FROM ledger.progress'), "1\n0", 'it is no run yet');
($session, $gate, $errors) = in_the_midst();
kill 'KILL', backend();
$session->finish;
like($$errors, qr/server closed the connection/, 'killed, with all of the server');
$node->wait_ready;
eval { $gate->quit };
is(call_to_the_end(), "clean|0|$all", 'the third call ends it, and every row was read once');
is($node->safe_psql('postgres', "SELECT parts, started_at = '$started' FROM ledger.verification WHERE id = $id"), '3|t', 'one run of three parts');
is($node->safe_psql('postgres', "SELECT kind FROM ledger.verify(); SELECT count(*) FROM ledger_internal.scrub"), '0', 'an incremental run goes on from it, and nothing is left');

# What a part has found is part of the result, though the part was cancelled.
my $ref = $node->safe_psql('postgres', 'SELECT ledger_ref FROM cdr WHERE id = 777');
my $edit = sub { "BEGIN; SET allow_system_table_mods = on; $relam 'heap') WHERE oid = 'cdr'::regclass; UPDATE cdr SET note = '$_[0]' WHERE id = 777; $relam 'ledger') WHERE oid = 'cdr'::regclass; COMMIT" };
$node->safe_psql('postgres', $edit->('forged'));
($session, $gate, $errors) = in_the_midst();
cancel($session, $gate);
like($$errors, qr/WARNING:  the ledger is not as it was signed: row_changed\n.*\Q$ref\E.*canceling statement/s, 'told at once');
is($node->safe_psql('postgres', 'SELECT verification, mode, kind, relation, ref FROM ledger.verification_problem'), "|steps|row_changed|cdr|$ref", 'and kept');
$node->safe_psql('postgres', $edit->('x777'));
is(call_to_the_end(), "problems|1|$all", 'the call that ends it knows of it');
is($node->safe_psql('postgres', "SELECT verdict, problems FROM ledger.verification WHERE id = $id"), 'problems|1', 'as does the record');
is($node->safe_psql('postgres', "SELECT kind, ref FROM ledger.verification_problem WHERE verification = $id"), "row_changed|$ref", 'with its problem');

# From the beginning: what was found before is forgotten.
($session, $gate, $errors) = in_the_midst();
cancel($session, $gate);
is(call_to_the_end('CALL ledger.verify_in_steps(anew => true)'), "clean|0|$all", 'anew');
is($node->safe_psql('postgres', "SELECT parts FROM ledger.verification WHERE id = $id; SELECT count(*) FROM ledger.verification_problem"), "1\n1", 'in one part');

# Where it cannot commit, and who may call it.
($status, $stdout, $stderr) = $node->psql('postgres', "BEGIN; $call");
like($stderr, qr/ERROR:  verification in steps cannot run inside a transaction block/, 'in a transaction block');
($status, $stdout, $stderr) = $node->psql('postgres', "DO \$\$ BEGIN $call; END \$\$");
is($node->safe_psql('postgres', 'SELECT count(*) FROM ledger_internal.scrub'), '0', 'a DO block may call it');
$node->safe_psql('postgres', 'CREATE ROLE auditor; GRANT USAGE ON SCHEMA ledger TO auditor');
($status, $stdout, $stderr) = $node->psql('postgres', "SET ROLE auditor; $call");
like($stderr, qr/permission denied for procedure verify_in_steps/, 'not everybody may');
$node->safe_psql('postgres', 'GRANT EXECUTE ON PROCEDURE ledger.verify_in_steps(boolean, bigint, text, bigint, bigint) TO auditor');
($status, $stdout, $stderr) = $node->psql('postgres', "SET ROLE auditor; $call; SELECT current_user, current_setting('search_path'); SELECT count(*) FROM ledger_internal.scrub");
like($stdout, qr/^\d+\|clean\|0\|$all\nauditor\|"\$user", public$/m, 'whom the owner allows, who stays who he is');
like($stderr, qr/permission denied/, 'and sees no more than before');
$node->stop;
done_testing();
