# What must be signed, and what was rejected, survive dump and restore, at once,
# schema and data apart, in parallel, by two at a time, or with triggers before
# what they demand; the copy demands what the origin did.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../lib";

use File::Basename qw(basename);
use IPC::Run ();
use PostgreSQL::Test::Utils;
use Test::More;

use LedgerCluster;

my $node = LedgerCluster->new_server('dump');
my $dump = $node->basedir . '/dump';

$node->safe_psql('postgres', 'CREATE DATABASE origin TEMPLATE template0');
$node->create_extension('origin');
$node->create_node('dump', 'test', 'origin');
$node->safe_psql('origin', <<'END');
CREATE FUNCTION secret() RETURNS bytea LANGUAGE sql IMMUTABLE RETURN sha256('a secret');
CREATE FUNCTION key() RETURNS bytea LANGUAGE sql IMMUTABLE RETURN ledger.public_key(secret());
CREATE TABLE log (day date, id bigint, key bytea, signature bytea) PARTITION BY RANGE (day) USING ledger;
CREATE TABLE log_1 PARTITION OF log FOR VALUES FROM ('2030-01-01') TO ('2030-02-01');
CREATE TRIGGER signed AFTER INSERT ON log FOR EACH ROW
    EXECUTE FUNCTION ledger.verify_signature('key', 'signature', 'id, day');
CREATE FUNCTION row_signature(id bigint) RETURNS bytea LANGUAGE sql STABLE
    RETURN ledger.ecdsa_sign(sha256(ledger.message_to_sign('log', ROW('2030-01-05', id, key(), NULL, NULL)::log)), secret());
CREATE TABLE call_file (id bigint, key bytea, signature bytea) USING ledger;
CREATE TRIGGER signed AFTER INSERT ON call_file REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT
    EXECUTE FUNCTION ledger.verify_signature('key', 'signature', 'id');
CREATE FUNCTION file_signature(first bigint, last bigint) RETURNS bytea LANGUAGE sql STABLE
    RETURN ledger.ecdsa_sign(sha256(ledger.message_to_sign('call_file',
        (SELECT array_agg(ROW(n, key(), NULL, NULL)::call_file ORDER BY n) FROM generate_series(first, last) AS n))), secret());
INSERT INTO log SELECT '2030-01-05', n, key(), row_signature(n) FROM generate_series(1, 3) AS n;
INSERT INTO call_file SELECT n, key(), file_signature(1, 5) FROM generate_series(1, 5) AS n;
CREATE TABLE filler (id bigint, text text) USING ledger;
INSERT INTO filler SELECT n, repeat('x', 100) FROM generate_series(1, 50000) AS n;
SET session_replication_role = replica;
INSERT INTO log VALUES ('2030-01-05', 4);
INSERT INTO call_file SELECT n, key(), file_signature(1, 5) FROM generate_series(1, 4) AS n;
END
poll_settled('origin');

my $state = q{SELECT 'log', id, ledger_ref, ledger.finality(ledger_ref) FROM log
	UNION ALL SELECT 'file', id, ledger_ref, ledger.finality(ledger_ref) FROM call_file
	UNION ALL SELECT relation::text, NULL, ref, sqlstate || reason FROM ledger.rejected ORDER BY 3, 1};
my $expected = $node->safe_psql('origin', $state);
my $message = q{SELECT ledger.message_to_sign('log', ROW('2030-01-05', 9, key(), NULL, NULL)::log), ledger.message_to_sign('call_file', ROW(9, key(), NULL, NULL)::call_file)};
my $to_sign = $node->safe_psql('origin', $message);

is(scalar(() = $expected =~ /rejected/g), 5, 'five rows are rejected');
command_ok([ 'pg_dump', '-Fc', '-f', "$dump.custom", $node->connstr('origin') ], 'dump');
command_ok([ 'pg_dump', '-s', '-Fc', '-f', "$dump.schema", $node->connstr('origin') ], 'dump of the schema');
command_ok([ 'pg_dump', '-a', '-Fc', '-f', "$dump.data", $node->connstr('origin') ], 'dump of the data');
command_ok([ 'pg_dump', '-Fd', '-f', "$dump.directory", $node->connstr('origin') ], 'dump of files');
$node->safe_psql('postgres', 'DROP DATABASE origin WITH (FORCE)');
make_lists();

# Each way is a list of steps, and each of these what pg_restore is told by one
# session or by several at a time.
my %ways = (
	'at once' => [ ['custom'] ],
	'schema and data' => [ ['schema'], ['data'] ],
	'-j4 of a file' => [ ['-j4 custom'] ],
	'-j4 of a directory' => [ ['-j4 directory'] ],
	'triggers first' => [ ["-L $dump.triggers-first custom"] ],
	'two sessions' => [ ['--section=pre-data custom'], [ "-L $dump.even custom", "-L $dump.odd custom" ], ['--section=post-data custom'] ]);

foreach my $name (sort keys %ways)
{
	restore($name, $_) foreach @{ $ways{$name} };
	$node->safe_psql('copy', 'SELECT ledger.resume()');
	poll_settled('copy');
	is($node->safe_psql('copy', $state), $expected, "$name: everything is where it was");
	is($node->safe_psql('copy', $message), $to_sign, "$name: messages are what they were");
	is($node->safe_psql('copy', 'SELECT count(*) FROM ledger_internal.signature_requirement'), '2', "$name: nothing is demanded twice");
	$node->safe_psql('copy', q{INSERT INTO log VALUES ('2030-01-05', 9, key(), row_signature(9))});
	$node->safe_psql('copy', q{INSERT INTO call_file SELECT n, key(), file_signature(6, 8) FROM generate_series(6, 8) AS n});
	refused(q{INSERT INTO log VALUES ('2030-01-05', 9, key(), row_signature(8))}, qr/is not signed/, "$name: the trigger refuses");
	$node->safe_psql('copy', q{SET session_replication_role = replica; INSERT INTO log VALUES ('2030-01-05', 10)});
	poll_settled('copy');
	is($node->safe_psql('copy', 'SELECT string_agg(id::text, \' \' ORDER BY id) FROM (SELECT id, ledger_ref FROM log UNION ALL SELECT id, ledger_ref FROM call_file) AS r WHERE ledger.is_final(ledger_ref)'),
		'1 1 2 2 3 3 4 5 6 7 8 9', "$name: and the worker agrees");
	is($node->safe_psql('copy', 'SELECT count(*) FROM ledger.rejected'), '6', "$name: with every row");
	$node->verify_clean("$name: verification too", 'copy');
	$node->safe_psql('postgres', 'DROP DATABASE copy WITH (FORCE)');
}

# What is demanded was left out of the dump.
restore('nothing demanded', ["-L $dump.no-demands custom"]);
refused('CREATE TRIGGER other AFTER INSERT ON log FOR EACH ROW EXECUTE FUNCTION ledger.verify_signature()', qr/takes 3 or 4 arguments/, 'arguments are checked in a copy, too');
refused('SELECT ledger.resume()', qr/definition_changed public.log_1\b.*definition_changed public.call_file\b|definition_changed public.call_file\b.*definition_changed public.log_1\b/s, 'what is missing is named');
is($node->safe_psql('copy', 'SELECT state FROM ledger.status'), 'copied', 'and nothing goes on');

$node->stop;
done_testing();

# Lists of what pg_restore shall do: triggers before the rows that say what they
# demand, as they may come in a parallel restore; without these rows; every
# second one of all rows.
sub make_lists
{
	my ($list) = run_command([ 'pg_restore', '-l', "$dump.custom" ]);
	my @lines = split /\n/, $list;
	my @demands = grep { / TABLE DATA ledger_internal signature_requirement / } @lines;
	my @others = grep { !/ TABLE DATA ledger_internal signature_requirement / } @lines;
	my @data = grep { / TABLE DATA / } @lines;
	my %lists = (
		'triggers-first' => [ @others, @demands ],
		'no-demands' => \@others,
		even => [ @data[ grep { $_ % 2 == 0 } 0 .. $#data ] ],
		odd => [ @data[ grep { $_ % 2 == 1 } 0 .. $#data ] ]);

	is(scalar(@demands), 1, 'the dump has what must be signed');
	append_to_file("$dump.$_", join("\n", @{ $lists{$_} }) . "\n") foreach keys %lists;
	return;
}

# One step, into the database copy.
sub restore
{
	my ($name, $sessions) = @_;
	my @running;

	$node->safe_psql('postgres', 'CREATE DATABASE copy TEMPLATE template0')
	  if $node->safe_psql('postgres', q{SELECT count(*) FROM pg_database WHERE datname = 'copy'}) == 0;
	foreach (@$sessions)
	{
		my @words = split / /;
		my $file = "$dump." . pop @words;
		my %session = (output => '', command => "pg_restore @words " . basename($file));

		$session{run} = IPC::Run::start([ 'pg_restore', '-e', @words, '-d', $node->connstr('copy'), $file ],
			'<', '/dev/null', '>&', \$session{output});
		push @running, \%session;
	}
	foreach (@running)
	{
		$_->{run}->finish;
		is($_->{run}->result(0) . $_->{output}, '0', "$name: $_->{command}" =~ s/\Q$dump\E/dump/r);
	}
	return;
}

sub refused
{
	my ($sql, $pattern, $name) = @_;
	my (undef, undef, $error) = $node->psql('copy', $sql);

	like($error, $pattern, $name);
	return;
}

sub poll_settled
{
	my ($database) = @_;

	$node->poll_query_until($database, 'SELECT rows_pending = 0 FROM ledger.status') or die 'rows stay pending';
	return;
}
