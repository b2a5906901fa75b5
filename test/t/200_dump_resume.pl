# pg_dump and pg_restore in every format: refs are kept, ledger.resume()
# verifies and goes on, what was forged in the dump is named.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../lib";

use LedgerChain;
use LedgerCluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = LedgerCluster->new_node('origin', purpose => 'test');
my $keys = $node->basedir . '/keys';
my $dump = $node->basedir . '/dump';

# A partitioned heap table and one of the ledger, each behind a table of the
# other kind: dumps say USING for neither.
$node->safe_psql('postgres', q{
	CREATE TABLE a_cdr (id integer PRIMARY KEY, v text) USING ledger;
	CREATE TABLE b_plain (id integer, v text) PARTITION BY LIST (id);
	CREATE TABLE b_plain_1 PARTITION OF b_plain FOR VALUES IN (1);
	CREATE TABLE c_parent (id integer, v text) PARTITION BY LIST (id) USING ledger;
	CREATE TABLE c_parent_1 PARTITION OF c_parent FOR VALUES IN (1);
	CREATE TABLE d_renamed (v text) USING ledger;
	ALTER TABLE d_renamed RENAME TO d_named;
	CREATE TABLE e_signed (id integer, key bytea, signature bytea) USING ledger;
	INSERT INTO e_signed VALUES (1);
	CREATE TRIGGER signed AFTER INSERT ON e_signed FOR EACH ROW EXECUTE FUNCTION ledger.verify_signature('key', 'signature', 'id');
	INSERT INTO a_cdr SELECT n, 'row ' || n FROM generate_series(1, 1000) AS n;
	INSERT INTO b_plain VALUES (1, 'plain');
	INSERT INTO c_parent VALUES (1, 'parted');
});
$node->wait_final_all;
$node->safe_psql('postgres', q{INSERT INTO d_named SELECT 'written-by-the-origin-' || n FROM generate_series(1, 50) AS n});
$node->wait_final_all;

my $all_rows = q{SELECT 'a', id::text, v, ledger_ref, ledger.height(ledger_ref) FROM a_cdr
	UNION ALL SELECT 'c', id::text, v, ledger_ref, ledger.height(ledger_ref) FROM c_parent
	UNION ALL SELECT 'd', '', v, ledger_ref, ledger.height(ledger_ref) FROM d_named ORDER BY ledger_ref};
my $expected = $node->safe_psql('postgres', $all_rows);
my $tip = $node->safe_psql('postgres', 'SELECT max(height) FROM ledger.block');
my $ref = $node->safe_psql('postgres', 'SELECT ledger_ref FROM a_cdr WHERE id = 7');
my $receipt = $node->safe_psql('postgres', "SELECT ledger.receipt('a_cdr', '$ref')");
my $head = $node->safe_psql('postgres', 'SELECT to_jsonb(ledger.tree_head())');

# A row that the worker does not reach before the dump.
my $worker = $node->worker_pid;

kill 'STOP', $worker;
$node->safe_psql('postgres', q{INSERT INTO d_named VALUES ('not batched yet')});
$expected = $node->safe_psql('postgres', $all_rows);
$tip = $node->safe_psql('postgres', 'SELECT max(height) FROM ledger.block');
is($node->safe_psql('postgres', 'SELECT rows_pending FROM ledger.status'), '1', 'one row waits');

command_ok([ 'pg_dump', '-Fp', '-f', "$dump.sql", $node->connstr('postgres') ], 'plain dump');
command_ok([ 'pg_dump', '-Fc', '-f', "$dump.custom", $node->connstr('postgres') ], 'custom dump');
command_ok([ 'pg_dump', '-Fd', '-j2', '-f', "$dump.dir", $node->connstr('postgres') ], 'parallel dump');
command_ok([ 'pg_dump', '-s', '-f', "$dump.schema.sql", $node->connstr('postgres') ], 'dump of the schema');
command_ok([ 'pg_dump', '-a', '-Fc', '-f', "$dump.data", $node->connstr('postgres') ], 'dump of the data');
kill 'CONT', $worker;
$node->wait_final_all;

# While the origin lives nobody else signs for the member.
restore('live', sub { psql_file('live', "$dump.sql") });
refused('live', 'SELECT ledger.resume()', qr/database "postgres" of this server is the node that this one was copied from/, 'the origin still signs');
refused('live', 'SELECT ledger.accept_restore(\'x\')', qr/another database signs with the key|this database is a copy/, 'accept_restore is not for copies');
refused('live', q{INSERT INTO a_cdr (id) VALUES (5000)}, qr/this database is a copy of a ledger node.*ledger\.resume/s, 'a copy issues no refs');
refused('postgres', 'SELECT ledger.resume()', qr/this database is not a restored copy/, 'the origin has nothing to resume');
is($node->safe_psql('live', 'SELECT state, rows_pending, worker_pid IS NULL FROM ledger.status'), 'copied|1|t', 'the copy says what it is');
is($node->safe_psql('live', $all_rows), $expected, 'and can be read like the origin');
$node->verify_clean('a copy can be verified', 'live');
$node->safe_psql('template1', 'DROP DATABASE live');

sub restore
{
	my ($database, $how, $on) = @_;

	($on // $node)->safe_psql('template1', "CREATE DATABASE $database TEMPLATE template0");
	$how->();
	return;
}

sub psql_file
{
	my ($database, $file, $on) = @_;

	$on //= $node;
	command_ok([ 'psql', '-XqAt', '-v', 'ON_ERROR_STOP=1', '-f', $file, $on->connstr($database) ], "$database: psql");
	return;
}

sub pg_restore
{
	my ($database, @arguments) = @_;

	command_ok([ 'pg_restore', '--exit-on-error', '-d', $node->connstr($database), @arguments ], "$database: pg_restore");
	return;
}

sub refused
{
	my ($database, $sql, $pattern, $name, $on) = @_;
	my ($status, $stdout, $stderr) = ($on // $node)->psql($database, $sql);

	like($stderr, $pattern, $name);
	return;
}

# The origin is gone: each restored database in turn takes its place.
sub goes_on
{
	my ($database, $on) = @_;

	$on //= $node;
	my ($status, $stdout, $notice) = $on->psql($database, "SELECT ledger.resume('test of $database')", on_error_stop => 1);
	is($stdout, $tip + 1, "$database: resumes in the next block") or diag($notice);
	like($notice, qr/1 committed rows were in no batch yet/, "$database: the row that was not batched is told");
	is($on->safe_psql($database, 'SELECT incarnation, height, opened_by, reason, known_height, unbatched_rows, problems FROM ledger.incarnation'),
		"1|" . ($tip + 1) . "|resume|test of $database|$tip|1|0", "$database: and the row on the ledger says so");
	$on->safe_psql($database, "INSERT INTO a_cdr VALUES (2000, 'after')");
	$on->wait_final_all($database);
	my $rows = $on->safe_psql($database, $all_rows);
	my @lines = split /\n/, $expected;
	is(scalar(grep { my $line = $_; index($rows, $line) < 0 } grep { !/not batched yet/ } @lines), 0, "$database: refs and heights are what they were");
	like($rows, qr/not batched yet\|1\.0\.\d+\.1\|\d+$/m, "$database: the late row kept its ref and is final");
	like($rows, qr/\|after\|1\.1\.\d+\.1\|\d+$/m, "$database: new refs are of incarnation 1");
	is($on->safe_psql($database, q{SELECT count(*) FROM pg_class c JOIN pg_index i ON i.indrelid = c.oid
			JOIN pg_am a ON a.oid = c.relam WHERE a.amname = 'ledger' AND pg_get_indexdef(i.indexrelid) LIKE '%(ledger_ref)'}),
		$on->safe_psql($database, q{SELECT count(*) FROM pg_class c JOIN pg_am a ON a.oid = c.relam WHERE a.amname = 'ledger'}),
		"$database: each ledger table has one index on ledger_ref");
	is($on->safe_psql($database, 'SELECT count(*) FROM ledger_internal.signature_requirement'), '1', "$database: what must be signed is known, once");
	refused($database, 'INSERT INTO e_signed VALUES (2)', qr/e_signed/, "$database: and is demanded", $on);
	is($on->safe_psql($database, q{SELECT count(*) FROM pg_attribute WHERE attrelid = 'b_plain'::regclass AND attname = 'ledger_ref'}), '0',
		"$database: a partitioned heap table stays one");
	$on->verify_clean("$database: verification is clean", $database);
	is($on->safe_psql($database, "SELECT kind FROM ledger.verify(mode => 'full', against => '$receipt') UNION ALL SELECT kind FROM ledger.verify(mode => 'full', against => '$head')"),
		'', "$database: old receipt and tree head fit");
	is($on->safe_psql($database, "SELECT valid FROM ledger.verify_receipt(ledger.receipt('d_named', (SELECT ledger_ref FROM d_named WHERE v = 'not batched yet')))"),
		't', "$database: receipt of the late row");
	is($on->safe_psql($database, "SELECT valid FROM ledger.verify_receipt(ledger.receipt('a_cdr', (SELECT ledger_ref FROM a_cdr WHERE id = 2000)))"),
		't', "$database: receipt of a new row");
	exactly_once($on, "$database: every row is batched once", database => $database);
	chain_intact($on, "$database: the chain is intact", database => $database);
	$on->safe_psql('template1', "DROP DATABASE $database");
	unlink glob("$keys/*.state");	# as on a machine of its own
	return;
}

$node->safe_psql('template1', 'DROP DATABASE postgres');
unlink glob("$keys/*.state");

restore('plain', sub { psql_file('plain', "$dump.sql") });
goes_on('plain');
restore('custom', sub { pg_restore('custom', "$dump.custom") });
goes_on('custom');
restore('single', sub { pg_restore('single', '--single-transaction', "$dump.custom") });
goes_on('single');
restore('parallel', sub { pg_restore('parallel', '-j2', "$dump.dir") });
goes_on('parallel');
restore('data', sub { psql_file('data', "$dump.schema.sql"); pg_restore('data', '--data-only', "$dump.data") });
goes_on('data');
restore('quiet', sub { psql_file('quiet', "$dump.schema.sql"); pg_restore('quiet', '--disable-triggers', '--data-only', "$dump.data") });
goes_on('quiet');

# Without the last part of a dump, its indexes: resume() makes its own.
restore('bare', sub { pg_restore('bare', '--section=pre-data', '--section=data', "$dump.custom") });
is($node->safe_psql('bare', q{SELECT count(*) FROM pg_index WHERE indrelid = 'a_cdr'::regclass}), '0', 'bare: there is no index');
is($node->safe_psql('bare', 'SELECT ledger.resume()'), $tip + 1, 'bare: resumes');
is($node->safe_psql('bare', q{SELECT pg_get_indexdef(indexrelid) FROM pg_index WHERE indrelid = 'a_cdr'::regclass}),
	'CREATE UNIQUE INDEX a_cdr_ledger_ref_idx ON public.a_cdr USING btree (ledger_ref)', 'bare: the index is made');
$node->wait_final_all('bare');
$node->verify_clean('bare: verification is clean', 'bare');
$node->safe_psql('template1', 'DROP DATABASE bare');
unlink glob("$keys/*.state");

# Another server, with the key.
my $other = LedgerCluster->new_server('other', conf => "telco_ledger.key_directory = '$keys'");
restore('elsewhere', sub { psql_file('elsewhere', "$dump.sql", $other) }, $other);
goes_on('elsewhere', $other);

# What was forged in the dump is named.
my $plain = slurp_file("$dump.sql");
my ($row_7) = $plain =~ /^(7\trow 7\t\S+)$/m;
my %forged = (
	changed => sub { my ($text) = @_; $text =~ s/^7\trow 7\t/7\trow 8\t/m; return $text },
	removed => sub { my ($text) = @_; $text =~ s/^\Q$row_7\E\n//m; return $text },
	added => sub { my ($text) = @_; my ($x) = $row_7 =~ /\.(\d+)\.\d+$/; $text =~ s/^(\Q$row_7\E\n)/$1.("7777\tforged\t1.0.$x.7777\n")/me; return $text },
	redefined => sub { my ($text) = @_; $text =~ s/^(CREATE TABLE public\.d_named \(\n\s+)v text/$1w text/m; $text =~ s/COPY public\.d_named \(v,/COPY public.d_named (w,/; return $text },
);
my %named = (changed => qr/row_changed public.a_cdr \Q$ref\E/, removed => qr/row_missing public.a_cdr \Q$ref\E/,
	added => qr/row_added public.a_cdr 1\.0\.\d+\.7777/, redefined => qr/definition_changed public.d_named/);

for my $kind (sort keys %forged)
{
	my $text = $forged{$kind}->($plain);

	isnt($text, $plain, "$kind: the dump was forged");
	open my $out, '>', "$dump.forged.sql" or die;
	print $out $text;
	close $out;
	restore("forged_$kind", sub { psql_file("forged_$kind", "$dump.forged.sql") });
	refused("forged_$kind", 'SELECT ledger.resume()', $named{$kind}, "$kind: resume names it");
	refused("forged_$kind", 'INSERT INTO a_cdr (id) VALUES (3000)', qr/this database is a copy/, "$kind: and has not gone on");
	next if $kind eq 'changed';
	$node->safe_psql('template1', "DROP DATABASE forged_$kind");
}

# Told to, it goes on, and signs that something did not fit.
refused('forged_changed', q{SELECT ledger.resume('seven is lost', accept_problems => true)}, qr/WARNING:  1 thing in this database does not fit/, 'told to, it warns');
is($node->safe_psql('forged_changed', 'SELECT reason, problems FROM ledger.incarnation'), 'seven is lost|1', 'and signs it');
is($node->safe_psql('forged_changed', "SELECT kind, ref FROM ledger.verify(mode => 'full')"), "row_changed|$ref", 'verification names it still');

# A database that is to join a ledger keeps its key, and numbers go on.
$node->safe_psql('template1', 'CREATE DATABASE newcomer TEMPLATE template0');
$node->create_extension('newcomer');
my $fingerprint = $node->safe_psql('newcomer', 'SELECT ledger.fingerprint()');
$node->safe_psql('newcomer', q{INSERT INTO ledger_internal.approval_asked (motion) VALUES ('x'), ('y');
	INSERT INTO ledger_internal.submitted (chunk) VALUES ('x'), ('y');
	INSERT INTO ledger_internal.own_body (digest, chunk) VALUES (sha256('x'), 'x'), (sha256('y'), 'y')});
command_ok([ 'pg_dump', '-Fp', '-f', "$dump.newcomer.sql", $node->connstr('newcomer') ], 'dump of a newcomer');
restore('newcomer_copy', sub { psql_file('newcomer_copy', "$dump.newcomer.sql") });
is($node->safe_psql('newcomer_copy', 'SELECT ledger.fingerprint()'), $fingerprint, 'its fingerprint is the same');
is($node->safe_psql('newcomer_copy', q{WITH a AS (INSERT INTO ledger_internal.approval_asked (motion) VALUES ('z') RETURNING number),
	s AS (INSERT INTO ledger_internal.submitted (chunk) VALUES ('z') RETURNING position),
	b AS (INSERT INTO ledger_internal.own_body (digest, chunk) VALUES (sha256('z'), 'z') RETURNING position)
	SELECT a.number, s.position, b.position FROM a, s, b}), '3|3|3', 'and its numbers go on');

# Without the key nothing is signed.
$node->safe_psql('template1', 'DROP DATABASE forged_changed');
restore('keyless', sub { psql_file('keyless', "$dump.sql") });
rename($_, "$_.away") for glob("$keys/*.key");
refused('keyless', 'SELECT ledger.resume()', qr/could not open signing key/, 'no key, no resume');

$node->stop;
$other->stop;
done_testing();
