# A member loses its wire, and another one wire and memory at once; copies of a
# server are fenced; a standby that lagged is promoted.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../lib";

use PostgreSQL::Test::Utils;
use Test::More;

use LedgerCluster;
use LedgerRejoin;
use LedgerWire;

my $wires = LedgerWire->new(4, ordered => 1);
my @members = (1 .. 4);

foreach my $member (@members)
{
	$wires->wait_streaming($member, $_) foreach (grep { $_ != $member } @members);
	submit($wires, $member, "first of $member");
}
all_ordered($wires, 'at first', @members);

# The wire database is gone, with all that was in it.
sub drop_wire
{
	my ($member) = @_;
	my $wire = $wires->sql($member, 'SELECT wire FROM ledger_internal.peer_position LIMIT 1');

	$wires->sql($member, "ALTER DATABASE postgres_wire ALLOW_CONNECTIONS false; SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname = 'postgres_wire'");
	$wires->sql($member, "SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots");
	$wires->sql($member, "SET allow_system_table_mods = on; DELETE FROM pg_subscription; DROP DATABASE postgres_wire WITH (FORCE)");
	return $wire;
}

my $wire = drop_wire(2);
submit($wires, $_, 'after the loss of a wire') foreach (@members);
ok($wires->poll(2, "SELECT bool_and(wire <> '$wire') FROM ledger_internal.peer_position"), 'the wire of member 2 is made anew');
all_ordered($wires, 'all four', @members);

# A standby lags, and is promoted in the place of member 4.
$wires->node(4)->backup('standby');
submit($wires, $_, 'after the backup') foreach (@members);
all_ordered($wires, 'all four still', @members);
my $offset = -s $wires->node(4)->logfile;

restore($wires, 4, 'standby', standby => 1);
is($wires->sql(4, 'SELECT pg_is_in_recovery()'), 't', 'it is a standby of an older state');
$wires->node(4)->promote;
ok(wait_for_log($wires, 4, 'consensus alarm: others have rows of this node that it lacks', $offset), 'the others show it what it lacks');
submit($wires, $_, 'without 4') foreach (1 .. 3);
all_ordered($wires, 'without it', 1 .. 3);
$wires->sql(4, "SELECT ledger.accept_restore('a standby that lagged was promoted')");
rejoined($wires, 4, 1);
submit($wires, $_, 'with 4') foreach (@members);
all_ordered($wires, 'with the promoted standby', @members);

# A copy of member 3 with a key directory of its own lives beside it.
$wires->node(3)->backup('copy');
submit($wires, $_, 'after the copy') foreach (@members);
all_ordered($wires, 'before the copy lives', @members);
my $copy = LedgerCluster->new('copy');
my $keys = $copy->basedir . '/keys';

$copy->init_from_backup($wires->node(3), 'copy');
system_or_bail('cp', '-a', $wires->node(3)->basedir . '/keys', $keys);
unlink glob("$keys/*.state");
$copy->append_conf('postgresql.conf', "telco_ledger.key_directory = '$keys'\n");
$copy->start;
my $rows = $copy->safe_psql('postgres', 'SELECT count(*) FROM ledger_internal.own_log');

ok($copy->wait_for_log('others have rows of this node that it lacks'), 'the copy is told that it is behind');
submit($wires, $_, 'beside the copy') foreach (1, 2, 4);
all_ordered($wires, 'beside the copy', 1, 2, 4);
is($copy->safe_psql('postgres', 'SELECT count(*) FROM ledger_internal.own_log'), $rows, 'and signs nothing');
$copy->stop('immediate');
submit($wires, 3, 'the original');
all_ordered($wires, 'the original goes on', @members);

innocent($wires, @members);
done_testing();
