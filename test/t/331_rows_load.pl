# Four members insert at the same time while one server after the other is killed:
# what a client was told to be final is at that height at everybody, in one order.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../lib";

use IPC::Run ();
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(time usleep);

use LedgerWire;

my $wires = LedgerWire->new(4, ordered => 1);
my @members = (1 .. 4);
my @acknowledged;	# [member, client, ref, height], in the order of each client

foreach my $member (@members)
{
	$wires->wait_streaming($member, $_) foreach (grep { $_ != $member } @members);
}

# One client: so many rows, each waited for; what psql printed.
sub start_client
{
	my ($member, $client, $rows) = @_;
	my $script = join '', map { "INSERT INTO cdr VALUES ($_) RETURNING ledger_ref \\gset\nSELECT :'ledger_ref', ledger.wait_final(:'ledger_ref', '170 s');\n" } 1 .. $rows;
	my $file = PostgreSQL::Test::Utils::tempdir() . "/client$client";

	# files, not pipes: nobody reads while a server is killed
	PostgreSQL::Test::Utils::append_to_file("$file.sql", $script);
	my $handle = IPC::Run::start([ 'psql', '-XAtq', '-d', $wires->node($member)->connstr('postgres'), '-f', "$file.sql" ], '<', '/dev/null', '>', "$file.out", '2>', "$file.err");

	return { member => $member, client => $client, handle => $handle, out => "$file.out" };
}

# Its end, whatever that is: what it was told counts.
sub finish
{
	my ($client) = @_;
	my $told = 0;

	eval { IPC::Run::finish($client->{handle}) };
	foreach my $line (split /\n/, PostgreSQL::Test::Utils::slurp_file($client->{out}))
	{
		next unless $line =~ /^(\d+\.\d+\.\d+\.\d+)\|(\d+)$/;
		push @acknowledged, [ $client->{member}, $client->{client}, $1, $2 ];
		$told++;
	}
	return $told;
}

# How long it takes, one row at a time, on the machine as it is: no promise, a note.
my @took;
foreach my $round (1 .. 15)
{
	my $ref = $wires->sql(2, 'INSERT INTO cdr VALUES (0) RETURNING ledger_ref');
	my $took = $wires->sql(2, "SELECT extract(epoch FROM clock_timestamp() - now()) * 1000 FROM ledger.wait_final('$ref', '170 s')");

	push @took, $took;
}
@took = sort { $a <=> $b } @took;
note(sprintf 'a row waited for, from the wait to final: median %d ms, worst %d ms', $took[7], $took[-1]);

my $name = 0;

foreach my $victim (undef, 2, 3)
{
	my @clients = map { my $member = $_; map { start_client($member, ++$name, 12) } 1 .. 2 } @members;

	if (defined $victim)
	{
		usleep(700_000);
		$wires->node($victim)->crash_and_restart;
	}
	foreach my $client (@clients)
	{
		my $told = finish($client);

		is($told, 12, "client $client->{client} of member $client->{member} was told of all its rows") if !defined $victim || $victim != $client->{member};
	}
}
cmp_ok(scalar(@acknowledged), '>=', 3 * 8 * 12 - 2 * 2 * 12, 'rows were final while servers died');

# A transaction of 100,000 rows becomes several batches, in blocks of all members.
my $begin = time;
$wires->sql(1, 'INSERT INTO cdr SELECT g FROM generate_series(1, 100000) g');
foreach my $member (@members)
{
	ok($wires->poll($member, 'SELECT count(*) = 0 FROM cdr WHERE NOT ledger.is_final(ledger_ref)'), "all rows of member $member are final");
}
note(sprintf '100,000 rows of one member: %d ms until final', 1000 * (time - $begin));
cmp_ok($wires->sql(1, 'SELECT count(DISTINCT batch) FROM ledger.batch WHERE rows > 10000'), '>=', 2, 'a large transaction is in several batches');

# Where each acknowledged row is now, and that its client saw heights grow.
foreach my $member (@members)
{
	my @mine = grep { $_->[0] == $member } @acknowledged;
	my $list = join ',', map { "('$_->[2]'::ledger.ref, $_->[3])" } @mine;
	my $moved = $wires->sql($member, "SELECT count(*) FROM (VALUES $list) AS a (ref, height) WHERE ledger.height(ref) IS DISTINCT FROM height");

	is($moved, '0', 'the ' . @mine . " acknowledged rows of member $member are where they were said to be");
}
my %last;
my $back = grep { my $went = ($last{ $_->[1] } // 0) > $_->[3]; $last{ $_->[1] } = $_->[3]; $went } @acknowledged;
is($back, 0, 'no client saw a later row at a lower height');

# The same batches in the same places at everybody.
my $height;
foreach my $member (@members)
{
	my $tip = $wires->sql($member, 'SELECT max(height) FROM ledger_internal.block');

	$height = $tip if !defined $height || $tip < $height;
}
my %histories = map {
	$wires->sql($_, <<"END") => 1
SELECT md5(string_agg(height || ' ' || member || ' ' || incarnation || ' ' || digest::text, ',' ORDER BY height, member, incarnation, batch))
  FROM (SELECT height, member, incarnation, batch, digest FROM ledger_internal.batch WHERE height <= $height
        UNION ALL SELECT height, member, incarnation, batch, digest FROM ledger_internal.foreign_batch WHERE height <= $height) AS b
END
} @members;
is(scalar(keys %histories), 1, "one history up to block $height");

foreach my $member (@members)
{
	is($wires->sql($member, q{SELECT * FROM ledger.verify(mode => 'full')}), '', "member $member verifies clean");
	is($wires->sql($member, q{SELECT rows >= (SELECT count(*) FROM cdr) FROM ledger.verification ORDER BY id DESC LIMIT 1}), 't', 'all of its rows');
	ok(!$wires->node($member)->log_contains('consensus alarm'), 'and raised no alarm');
}

done_testing();
