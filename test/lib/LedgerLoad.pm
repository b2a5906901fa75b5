# Clients that commit, roll back, take savepoints back and prepare transactions
# on three ledger tables, one of them partitioned, for as long as a test wants.
#
#	make_tables($node)
#	my $load = start_load($node, clients => 32, seed => 7);
#	stop_load($load)			# wait for its end, whatever that is
#	settle_prepared($node)		# commit or roll back what is left prepared
package LedgerLoad;

use strict;
use warnings;

use Exporter 'import';
use IPC::Run ();
use PostgreSQL::Test::Utils;

our @EXPORT = qw(make_tables start_load stop_load settle_prepared);

# How often pgbench takes each.
my %scripts = (
	'plain@6' => <<'END',
\set n random(1, 20)
INSERT INTO cdr (id, note) SELECT g, repeat('x', g) FROM generate_series(1, :n) g;
END
	'tables@4' => <<'END',
\set n random(1, 5)
BEGIN;
INSERT INTO cdr (id) VALUES (:n);
INSERT INTO event SELECT g % 4, g FROM generate_series(1, :n) g;
INSERT INTO cdr (id) SELECT g FROM generate_series(1, :n) g;
INSERT INTO fee VALUES (:n, :n / 100.0);
COMMIT;
END
	'savepoint@4' => <<'END',
\set n random(1, 5)
BEGIN;
SAVEPOINT a;
INSERT INTO cdr (id) SELECT g FROM generate_series(1, :n) g;
SAVEPOINT b;
INSERT INTO fee VALUES (:n, -1);
INSERT INTO event VALUES (:n % 4, -1);
ROLLBACK TO b;
INSERT INTO event VALUES (:n % 4, 1);
ROLLBACK TO a;
INSERT INTO cdr (id) VALUES (:n);
RELEASE a;
COMMIT;
END
	'rollback@2' => <<'END',
\set n random(1, 5)
BEGIN;
INSERT INTO cdr (id) SELECT g FROM generate_series(1, :n) g;
INSERT INTO event VALUES (:n % 4, 1);
ROLLBACK;
END
	'prepared@3' => <<'END',
\set n random(1, 5)
\set gid random(1, 1000000000)
\set fate random(1, 10)
BEGIN;
INSERT INTO cdr (id) SELECT g FROM generate_series(1, :n) g;
SAVEPOINT a;
INSERT INTO fee VALUES (:n, 2);
ROLLBACK TO a;
INSERT INTO event VALUES (:n % 4, 1);
PREPARE TRANSACTION 'load-:gid';
\if :fate <= 7
COMMIT PREPARED 'load-:gid';
\else
ROLLBACK PREPARED 'load-:gid';
\endif
END
	'slow@1' => <<'END',
\set n random(50, 300)
BEGIN;
INSERT INTO fee VALUES (:n, 3);
SELECT pg_sleep(:n / 1000.0);
INSERT INTO fee VALUES (:n, 4);
COMMIT;
END
	'locked@1' => <<'END',
\set n random(1, 30)
BEGIN;
LOCK TABLE fee;
SELECT pg_sleep(:n / 1000.0);
COMMIT;
END
);

sub make_tables
{
	my ($node) = @_;

	$node->safe_psql('postgres', <<'END');
CREATE TABLE cdr (id bigint, note text) USING ledger;
CREATE TABLE fee (id bigint, amount numeric) USING ledger;
CREATE TABLE event (kind integer, id bigint) PARTITION BY LIST (kind) USING ledger;
CREATE TABLE event_0 PARTITION OF event FOR VALUES IN (0);
CREATE TABLE event_1 PARTITION OF event FOR VALUES IN (1);
CREATE TABLE event_2 PARTITION OF event FOR VALUES IN (2);
CREATE TABLE event_3 PARTITION OF event FOR VALUES IN (3);
END
	return;
}

# Runs for $param{seconds}, a minute unless given.
sub start_load
{
	my ($node, %param) = @_;
	my $output = $PostgreSQL::Test::Utils::tmp_check . '/load.out';
	my @files;

	foreach my $name (sort keys %scripts)
	{
		my ($file, $weight) = split /@/, $name;
		my $path = $PostgreSQL::Test::Utils::tmp_check . "/load_$file.sql";

		open my $handle, '>', $path or die "could not write $path: $!\n";
		print $handle $scripts{$name};
		close $handle;
		push @files, '-f', "$path\@$weight";
	}
	return IPC::Run::start(
		[
			'pgbench', '-n', '-c', $param{clients} // 8, '-j', 2, '-T', $param{seconds} // 60,
			"--random-seed=$param{seed}", @files, $node->connstr('postgres')
		],
		'<', '/dev/null', '>', $output, '2>&1');	# a file: nobody drains a pipe
}

sub stop_load
{
	my ($load) = @_;

	$load->finish;
	return;
}

sub settle_prepared
{
	my ($node) = @_;
	my $commit = 0;

	foreach my $gid (split /\n/, $node->safe_psql('postgres', 'SELECT gid FROM pg_prepared_xacts'))
	{
		my $verb = $commit++ % 2 ? 'ROLLBACK' : 'COMMIT';

		$node->safe_psql('postgres', "$verb PREPARED '$gid'");
	}
	return;
}

1;
