# pg_upgrade keeps rows, refs and chain; the upgraded database resumes as a new
# incarnation.  From this server to itself, and to the newer one that
# PG_CONFIG_NEW=/path/to/pg_config names, where the extension must be installed;
# without that to Debian's 17 if it is there.
use strict;
use warnings;

use Cwd qw(getcwd);
use FindBin;
use lib "$FindBin::RealBin/../lib";

use LedgerChain;
use LedgerCluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $bindir = bindir_of('pg_config');

upgrade($bindir);
SKIP:
{
	my $newer = LedgerCluster->newer_server;

	skip("no newer server: PG_CONFIG_NEW names its pg_config", 1) if !defined $newer;
	upgrade("$newer/bin");
}
done_testing();

sub bindir_of
{
	my ($pg_config) = @_;
	my $found = `'$pg_config' --bindir 2>/dev/null`;

	chomp $found;
	return $found;
}

sub upgrade
{
	my ($newer) = @_;
	my $version = `'$newer/postgres' --version` =~ /(\d+)/ ? $1 : '?';
	my $name = "to $version";
	my $node = LedgerCluster->new_node("old_$version" . ($newer eq $bindir ? '_same' : ''));
	my $new = LedgerCluster->new("new_$version" . ($newer eq $bindir ? '_same' : ''));
	my $keys = $node->basedir . '/keys';
	my $all_rows = q{SELECT id, v, ledger_ref, ledger.height(ledger_ref) FROM cdr
		UNION ALL SELECT id, v, ledger_ref, ledger.height(ledger_ref) FROM parted ORDER BY ledger_ref};

	$node->safe_psql('postgres', q{
		CREATE TABLE cdr (id integer PRIMARY KEY, v text) USING ledger;
		CREATE TABLE parted (id integer, v text) PARTITION BY LIST (id) USING ledger;
		CREATE TABLE parted_1 PARTITION OF parted FOR VALUES IN (1);
		INSERT INTO cdr SELECT n, 'row ' || n FROM generate_series(1, 500) AS n;
		INSERT INTO parted VALUES (1, 'parted')});
	$node->wait_final_all;
	my $expected = $node->safe_psql('postgres', $all_rows);
	# since 18 a cluster has checksums of pages unless it is made without, and pg_upgrade wants them alike
	my @checksums =
		$node->safe_psql('postgres', 'SHOW data_checksums') eq 'on' ? '--data-checksums'
	  : $version >= 18 ? '--no-data-checksums'
	  : ();
	my $receipt = $node->safe_psql('postgres', "SELECT ledger.receipt('cdr', (SELECT ledger_ref FROM cdr WHERE id = 7))");

	$node->stop;
	system_or_bail("$newer/initdb", '-D', $new->data_dir, '-A', 'trust', '-N', '--no-locale', '--encoding=UTF8', @checksums,
		'-U', (getpwuid($<))[0]);
	$new->append_conf('postgresql.conf', "shared_preload_libraries = 'telco_ledger'\ntelco_ledger.key_directory = '$keys'\n"
		. "fsync = on\nport = " . $new->port . "\nunix_socket_directories = '" . $new->host . "'\nlisten_addresses = ''\n"
		. "max_prepared_transactions = 10\n");
	my $directory = getcwd();

	chdir $PostgreSQL::Test::Utils::tmp_check;
	command_ok([ "$newer/pg_upgrade", '--no-sync', '-d', $node->data_dir, '-D', $new->data_dir, '-b', $bindir, '-B', $newer,
			'-s', $new->host, '-p', $node->port, '-P', $new->port ], "$name: pg_upgrade");
	chdir $directory;

	local $ENV{PATH} = "$newer:$ENV{PATH}";
	$new->start;
	is($new->safe_psql('postgres', 'SELECT state FROM ledger.status'), 'copied', "$name: the node says that it must resume");
	is($new->safe_psql('postgres', $all_rows), $expected, "$name: rows, refs and heights are what they were");
	my ($status, $stdout, $stderr) = $new->psql('postgres', "INSERT INTO cdr VALUES (1000, 'x')");
	like($stderr, qr/this database is a copy of a ledger node/, "$name: no refs before");
	for my $value ('off', 'on')
	{
		$new->safe_psql('postgres', "ALTER SYSTEM SET full_page_writes = $value");
		$new->reload;
		$new->poll_query_until('postgres', "SELECT current_setting('full_page_writes') = '$value'");
		next if $value eq 'on';
		($status, $stdout, $stderr) = $new->psql('postgres', "SELECT ledger.resume('upgraded to $version')");
		like($stderr, qr/ERROR:  ledger node signs nothing while fsync or full_page_writes is off/, "$name: what resume() signs must be durable");
	}
	$new->safe_psql('postgres', "SELECT ledger.resume('upgraded to $version')");
	is($new->safe_psql('postgres', "SELECT state, incarnation, name FROM ledger.status"), "live|1|old_$version" . ($newer eq $bindir ? '_same' : ''),
		"$name: resume() makes the node live");
	is($new->safe_psql('postgres', 'SELECT incarnation, reason FROM ledger.incarnation WHERE incarnation > 0'), "1|upgraded to $version", "$name: the reason is kept");
	like($new->safe_psql('postgres', "INSERT INTO cdr VALUES (1000, 'new') RETURNING ledger_ref"), qr/^1\.1\./, "$name: new refs are of incarnation 1");
	$new->wait_final_all;
	$new->verify_clean("$name: verification is clean");
	exactly_once($new, "$name: every row is batched once");
	chain_intact($new, "$name: the chain is intact");
	is($new->safe_psql('postgres', "SELECT kind FROM ledger.verify(mode => 'full', against => '$receipt')"), '', "$name: an old receipt fits");
	is($new->safe_psql('postgres', "SELECT valid FROM ledger.verify_receipt('$receipt')"), 't', "$name: an old receipt is valid");
	is($new->safe_psql('postgres', "SELECT id, (ledger.verify_receipt(ledger.receipt('cdr', ledger_ref))).valid FROM cdr WHERE id IN (7, 1000) ORDER BY id"), "7|t\n1000|t",
		"$name: new receipts of old and new rows are valid");
	($status, $stdout, $stderr) = $new->psql('postgres', 'DELETE FROM cdr');
	like($stderr, qr/cannot delete from ledger table "cdr"/, "$name: rows are as firm as before");
	($status, $stdout, $stderr) = $new->psql('postgres', 'CREATE TABLE parted_2 PARTITION OF parted FOR VALUES IN (2) USING heap');
	like($stderr, qr/partitions of "parted" must be ledger tables/, "$name: the partitioned table is still known");
	$new->stop;
	return;
}
