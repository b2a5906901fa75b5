# A member's server is restored from a backup that is older than bodies which
# everybody has dropped since.  It is told, rejoins, and has the bodies made again.
# So does one that was away while they were dropped.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../lib";

use PostgreSQL::Test::Utils;
use Test::More;

use LedgerRejoin;
use LedgerWire;

my $wires = LedgerWire->new(4, ordered => 1, conf => "telco_ledger.keep_bodies = 0\n");
my @members = (1 .. 4);
my $id = '00112233-4455-6677-8899-aabbccddeeff';
my $number = 0;

foreach my $member (@members)
{
	$wires->wait_streaming($member, $_) foreach (grep { $_ != $member } @members);
	$wires->sql($member, 'CREATE TABLE offer (id bigint NOT NULL, note text) USING ledger');
	$wires->sql($member, "SELECT ledger_internal.share_table('offer', '$id')");
}

# Rows of these members are final on them, and their bodies gone.
sub offer
{
	my @who = @_;

	local $Test::Builder::Level = $Test::Builder::Level + 1;
	foreach my $member (@who)
	{
		my $ref = $wires->sql($member, "INSERT INTO offer SELECT ${\ ++$number}, repeat('x', n) FROM generate_series(1, 100) AS n RETURNING ledger_ref") =~ s/.*\n//rs;

		$wires->sql($_, "SELECT ledger.wait_final('$ref', '170 s')") foreach (@who);
	}
	keeps_none($_) foreach (@who);
	return;
}

sub keeps_none
{
	my ($member) = @_;

	local $Test::Builder::Level = $Test::Builder::Level + 1;
	ok($wires->poll($member, 'SELECT (SELECT count(*) FROM ledger_internal.own_body) + (SELECT count(*) FROM ledger_internal.peer_body) = 0'), "member $member keeps no body")
	  || diag($wires->sql($member, 'SELECT * FROM ledger.status') . "\n" . $wires->sql($member, 'SELECT (SELECT height FROM ledger_internal.applied), (SELECT max(height) FROM ledger_internal.checkpoint), (SELECT body_height FROM ledger_internal.pruned)'));
	ok($wires->poll($member, 'SELECT ' . join(' + ', map { "(SELECT count(*) FROM ledger_wire.body_$_)" } @members) . ' = 0', 't', LedgerWire::WIRE), 'nor does its wire');
	return;
}

sub has_all
{
	my ($member) = @_;

	local $Test::Builder::Level = $Test::Builder::Level + 1;
	ok($wires->poll($member, "SELECT count(*) = 100 * $number FROM offer"), "member $member has all rows")
	  || diag($wires->sql($member, 'SELECT * FROM ledger.status') . "\n" . $wires->sql($member, 'SELECT count(*) FROM ledger_internal.wanted_chunk'));
	is($wires->sql($member, q{SELECT md5(string_agg(offer::text, ',' ORDER BY ledger_ref)) FROM offer}), $wires->sql(1, q{SELECT md5(string_agg(offer::text, ',' ORDER BY ledger_ref)) FROM offer}), 'as the others have them');
	is($wires->sql($member, 'SELECT digest FROM ledger.state'), $wires->sql(1, 'SELECT digest FROM ledger.state'), 'and their state');
	is($wires->sql($member, q{SELECT * FROM ledger.verify(mode => 'full')}), '', 'nothing is wrong');
	return;
}

offer(@members);

# Away while they go.
$wires->node(3)->stop('immediate');
offer(1, 2, 4);
$wires->node(3)->start;
has_all(3);

# A member applies a block late, when a checkpoint of the others names it already and
# nothing follows.
{
	my $worker = $wires->node(2)->worker_pid;
	my $behind = 'SELECT (SELECT max(height) FROM ledger_internal.checkpoint) > (SELECT height FROM ledger_internal.applied)';

	kill 'STOP', $worker;
	$wires->sql(1, "INSERT INTO offer SELECT ${\ ++$number}, repeat('x', n) FROM generate_series(1, 100) AS n");
	ok($wires->poll(2, $behind), 'the others agree on a block that member 2 has not applied');
	isnt($wires->sql(2, 'WITH gone AS (DELETE FROM ledger_internal.peer_body RETURNING digest) SELECT count(*) FROM gone'), '0', 'nor can it, as a body is missing');
	kill 'CONT', $worker;
	has_all(2);
	keeps_none(2);
}

# An older backup.
$wires->node(4)->backup('older');
offer(1, 2, 3);
$wires->sql(4, 'INSERT INTO cdr VALUES (1)');
my $row = $wires->sql(4, 'SELECT max(ledger_ref) FROM cdr');
$wires->sql(4, "SELECT ledger.wait_final('$row', '170 s')");
my $offset = -s $wires->node(4)->logfile;

restore($wires, 4, 'older');
ok(wait_for_log($wires, 4, 'consensus alarm: others have rows of this node that it lacks', $offset), 'it is told that others have rows that the backup lacks');
$wires->sql(4, "SELECT ledger.accept_restore('the disk failed')");
rejoined($wires, 4, 1);
has_all(4);
innocent($wires, @members);

offer(@members);
has_all($_) foreach (@members);

# A member that applies no blocks hears of a checkpoint, and goes on when nothing follows.
$wires->sql(2, q{INSERT INTO ledger_internal.apply_stop (height, reason) SELECT height, 'diverged' FROM ledger_internal.applied});
$wires->restart_wire(2);
$wires->sql(1, "INSERT INTO offer SELECT ${\ ++$number}, repeat('x', n) FROM generate_series(1, 100) AS n");
ok($wires->poll(2, 'SELECT (SELECT max(height) FROM ledger_internal.checkpoint) > (SELECT height FROM ledger_internal.applied)'), 'the others agree on a block that a stopped member has not applied');
$wires->sql(2, 'SELECT ledger.recompute_state()');
has_all(2);
keeps_none(2);

done_testing();
