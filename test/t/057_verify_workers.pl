# A table that several processes verify together: what they find is what one
# finds, and ledger.progress shows them.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../lib";

use LedgerCluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = LedgerCluster->new_node('workers', conf => <<'END');
autovacuum = off
max_worker_processes = 16
max_parallel_workers = 8
wal_level = replica
max_wal_senders = 4
hot_standby = on
work_mem = 256kB
END

$node->safe_psql('postgres', 'CREATE TABLE cdr (id integer, msisdn text, charge numeric(10,2)) USING ledger');
for my $part (0 .. 5)
{
	$node->safe_psql('postgres',
		"INSERT INTO cdr SELECT i, '+336' || i, i * 0.5 FROM generate_series($part * 20000 + 1, $part * 20000 + 20000) AS i");
	$node->wait_final_all;
}

# Problems of a full run with so many workers, and the row that records it.
sub verify
{
	my ($workers) = @_;

	return $node->safe_psql('postgres', <<"END");
SET telco_ledger.verify_workers = $workers;
SELECT kind, relation, ref, height FROM ledger.verify(mode => 'full') ORDER BY kind, ref;
END
}

sub last_run
{
	return $node->safe_psql('postgres',
		'SELECT workers, rows >= 120000, rows < 130000, verdict FROM ledger.verification ORDER BY id DESC LIMIT 1');
}

# Tamper, see the same with and without workers, undo it.
sub tampered
{
	my ($name, $tamper, $undo, $expected) = @_;

	$node->safe_psql('postgres', "SET allow_system_table_mods = on; BEGIN; $tamper; COMMIT");
	is(verify($_), $expected, "$name, $_ workers") for (0, 3);
	$node->safe_psql('postgres', "SET allow_system_table_mods = on; BEGIN; $undo; COMMIT");
	is(verify(3), '', "$name: undone");
	return;
}

sub as_heap
{
	my ($sql) = @_;
	my $relam = 'UPDATE pg_class SET relam = (SELECT oid FROM pg_am WHERE amname =';

	return "$relam 'heap') WHERE oid = 'cdr'::regclass; $sql; $relam 'ledger') WHERE oid = 'cdr'::regclass";
}

is(verify(0), '', 'clean without workers');
is(last_run(), '0|t|t|clean', 'and recorded so');
is(verify(3), '', 'clean with workers');
is(last_run(), '3|t|t|clean', 'and recorded so, every row hashed once');

# A standby has workers, too.
$node->backup('backup');
my $standby = LedgerCluster->new('standby');
$standby->init_from_backup($node, 'backup', has_streaming => 1);
$standby->start;
$node->wait_for_catchup($standby, 'replay');
my ($stdout, $stderr);
$standby->psql('postgres',
	"SET telco_ledger.verify_workers = 3; SET client_min_messages = debug1; SELECT * FROM ledger.verify(mode => 'full')",
	stdout => \$stdout, stderr => \$stderr);
is($stdout, '', 'clean on a standby');
like($stderr, qr/quick pass over "cdr": clean, 3 workers/, 'with workers');
$standby->stop;

for my $id (17, 119999)
{
	my ($ref, $height) = split /\|/, $node->safe_psql('postgres',
		"SELECT ledger_ref, ledger.height(ledger_ref) FROM cdr WHERE id = $id");

	tampered("a changed value in row $id",
		as_heap("UPDATE cdr SET charge = -1 WHERE id = $id"),
		as_heap("UPDATE cdr SET charge = id * 0.5 WHERE id = $id"),
		"row_changed|cdr|$ref|$height");
	tampered("row $id removed",
		as_heap("DELETE FROM cdr WHERE id = $id"),
		as_heap("INSERT INTO cdr VALUES ($id, '+336' || $id, $id * 0.5, '$ref')"),
		"row_missing|cdr|$ref|$height");
	my $added = $ref =~ s/\d+$/4000000/r;
	tampered("a row added beside row $id",
		as_heap("INSERT INTO cdr VALUES ($id, 'x', 1, '$added')"),
		as_heap("DELETE FROM cdr WHERE ledger_ref = '$added'"),
		"row_added|cdr|$added|");

	# one too few and one too many: the number of rows is right
	tampered("row $id under another ref",
		as_heap("UPDATE cdr SET ledger_ref = '$added' WHERE id = $id"),
		as_heap("UPDATE cdr SET ledger_ref = '$ref' WHERE id = $id"),
		"row_added|cdr|$added|\nrow_missing|cdr|$ref|$height");
}
my $bit = sub {
	my ($table, $column, $where, $offset) = @_;

	$offset //= 7;
	return ("UPDATE ledger_internal.$table SET $column = set_byte($column, $offset, get_byte($column, $offset) # 1) WHERE $where") x 2;
};
my $height = $node->safe_psql('postgres', 'SELECT ledger.height(ledger_ref) FROM cdr WHERE id = 110000');
my $batch = $node->safe_psql('postgres', "SELECT max(batch) FROM ledger_internal.batch WHERE height = $height");
tampered('a section\'s nodes', $bit->('section', 'nodes', "batch = $batch"), "batch_changed|cdr||$height");
tampered('a section\'s root', $bit->('section', 'root', "batch = $batch"), "batch_changed|||$height");
tampered('a snapshot that sees more',
	"UPDATE ledger_internal.batch SET snapshot = snapshot - 1 WHERE batch = $batch",
	"UPDATE ledger_internal.batch SET snapshot = snapshot + 1 WHERE batch = $batch",
	$node->safe_psql('postgres', "SELECT 'batch_changed|||$height' || E'\\n' || 'snapshot_changed|cdr|' || first_ref || '|$height' FROM ledger_internal.section WHERE batch = $batch"));

# A chain that is long enough to be shared, with tampering inside and at the
# edge of its windows.
$node->safe_psql('postgres', 'CREATE TABLE fee (id integer) USING ledger');
while ($node->safe_psql('postgres', 'SELECT max(height) FROM ledger_internal.block') < 1100)
{
	$node->safe_psql('postgres', join(';', map { "INSERT INTO fee VALUES ($_); SELECT ledger.wait_final(max(ledger_ref)) FROM fee" } 1 .. 200));
}
$node->wait_final_all;
($stdout, $stderr) = ('', '');
$node->psql('postgres', "SET telco_ledger.verify_workers = 1; SET client_min_messages = debug1; SELECT * FROM ledger.verify(mode => 'full')",
	stdout => \$stdout, stderr => \$stderr);
is($stdout, '', 'a long chain is clean');
like($stderr, qr/blocks in [5-9] windows: clean, 1 workers/, 'and shared');
is( $node->safe_psql('postgres', <<'END'), 't', 'and read as one process reads it');
SET telco_ledger.verify_workers = 0;
SELECT * FROM ledger.verify(mode => 'full');
SELECT count(*) = 2 AND count(DISTINCT (rows, sections, blocks, problems)) = 1
  FROM (SELECT * FROM ledger.verification ORDER BY id DESC LIMIT 2) AS v
END
for my $height (255, 256, 700)
{
	tampered("a changed header at height $height", $bit->('block', 'header', "height = $height"), "block_changed|||$height");
	tampered("nodes at height $height", $bit->('block', 'subtree_roots', "height = $height"), "block_changed|||$height");
	tampered("a signature at height $height", $bit->('own_log', 'message', "height = $height AND kind = 5", 'octet_length(message) - 1'), "bad_certificate|||$height");
}
tampered('the last certificate', 'CREATE TABLE kept AS SELECT * FROM ledger_internal.own_log ORDER BY seq DESC LIMIT 1; DELETE FROM ledger_internal.own_log o USING kept k WHERE o.seq = k.seq',
	'INSERT INTO ledger_internal.own_log SELECT * FROM kept; DROP TABLE kept',
	'bad_certificate|||' . $node->safe_psql('postgres', 'SELECT max(height) FROM ledger_internal.block'));

# A row that no process can read ends the workers, and is named all the same.
SKIP:
{
	skip('this server has no pg_surgery', 1)
	  if $node->safe_psql('postgres', "SELECT count(*) FROM pg_available_extensions WHERE name = 'pg_surgery'") == 0;
	$node->safe_psql('postgres', "INSERT INTO cdr SELECT 200000, string_agg(md5(i::text), ''), NULL FROM generate_series(1, 300) AS i");
	$node->wait_final_all;
	my ($ref, $large) = split /\|/, $node->safe_psql('postgres', 'SELECT ledger_ref, ledger.height(ledger_ref) FROM cdr WHERE id = 200000');
	my $toast = $node->safe_psql('postgres', "SELECT reltoastrelid::regclass FROM pg_class WHERE relname = 'cdr'");
	$node->safe_psql('postgres', <<"END");
CREATE EXTENSION pg_surgery;
SELECT heap_force_kill('$toast'::regclass, (SELECT array_agg(ctid) FROM $toast WHERE chunk_seq = 1));
END
	is(verify(3), "row_changed|cdr|$ref|$large", 'a value that cannot be read');
}

# Of a run that goes on, what it is at; afterwards nothing.
my $session = IPC::Run::start(
	[ 'psql', '-Xq', '-d', $node->connstr('postgres'), '-c', <<'END' ], '>', \my $output, '2>', \my $errors);
DO $$ BEGIN LOOP PERFORM FROM ledger.verify(mode => 'full'); END LOOP; END $$
END
ok( $node->poll_query_until('postgres', <<'END'), 'ledger.progress shows a run');
SELECT EXISTS (SELECT FROM ledger.progress
                WHERE mode = 'full' AND phase LIKE 'rows%' AND relation = 'cdr'::regclass
                  AND done > 0 AND done <= total AND total >= 120000 AND tables_total = 3)
END
$node->safe_psql('postgres', 'SELECT pg_cancel_backend(pid) FROM ledger.progress');
$session->finish;
like($errors, qr/canceling statement/, 'it is cancelled');
is($node->safe_psql('postgres', 'SELECT count(*) FROM ledger.progress'), 0, 'and shown no more');
ok($node->poll_query_until('postgres', "SELECT count(*) = 0 FROM pg_stat_activity WHERE backend_type = 'parallel worker'"),
	'nor are its workers left');
$node->stop;
done_testing();
