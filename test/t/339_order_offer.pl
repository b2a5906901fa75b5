# A member was away, and rows that were written meanwhile are in nobody's wire any
# more: the logs bring nothing.  It asks for final blocks, believes none that is
# not one, and has all of them in the end.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../lib";

use PostgreSQL::Test::Utils;
use Test::More;

use LedgerRejoin;
use LedgerWire;

my $wires = LedgerWire->new(4, ordered => 1, conf => "telco_ledger.order_views = 8\n");
my @others = (1 .. 3);

$wires->wait_streaming(4, $_) foreach (@others);
submit($wires, $_, "first of $_") foreach (1 .. 4);
all_ordered($wires, 'at first', 1 .. 4);

my $height = $wires->sql(4, 'SELECT max(height) FROM ledger_internal.ordered_block');
my %kept = map { $_ => $wires->sql(4, "SELECT max(seq) FROM ledger_internal.peer_log WHERE member = $_") } @others;

$wires->node(4)->stop('fast');
$wires->submit_apart(1, 10);
all_ordered($wires, 'without the fourth', @others);

# An epoch ends; what comes after is of the next one.
$wires->sql(1, q{SELECT ledger.set_roles('member2', ARRAY['auditor'])});
foreach my $member (2, 3)
{
	$wires->poll($member, "SELECT count(*) > 0 FROM ledger.motion");
	$wires->sql($member, q{SELECT ledger.set_roles('member2', ARRAY['auditor'])});
}
ok($wires->poll($_, 'SELECT count(*) FROM ledger_internal.epoch', '1'), "an epoch begins at member $_") foreach (@others);
submit($wires, $_, "after the change, of $_") foreach (@others);
all_ordered($wires, 'in the next epoch', @others);
cmp_ok($wires->sql(1, 'SELECT max(height) FROM ledger_internal.ordered_block') - $height, '>', 8, 'there are more blocks than a core remembers');

# Of each log a few rows go, in the wires that the fourth can ask, and what its slots hold.
my $sequence = "('x' || encode(substring(message FROM 22 FOR 8), 'hex'))::bit(64)::bigint";

foreach my $wire (@others)
{
	$wires->wire($wire, "SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots WHERE slot_name LIKE '%\\_4\\_log' AND NOT active");
	foreach my $log (@others)
	{
		my ($from, $to) = ($kept{$log} + 1, $kept{$log} + 10);

		$wires->wire($wire, "BEGIN; ALTER TABLE ledger_wire.log_$log DISABLE TRIGGER refuse_change;"
			. " DELETE FROM ledger_wire.log_$log WHERE get_byte(message, 61) <> 1 AND $sequence BETWEEN $from AND $to;"
			. " ALTER TABLE ledger_wire.log_$log ENABLE ALWAYS TRIGGER refuse_change; COMMIT");
	}
}

# Each of them shows something else, as a liar would.
sub show
{
	my ($wire, $body) = @_;

	$wires->wire($wire, "CREATE FUNCTION ledger_wire.spoil() RETURNS trigger LANGUAGE plpgsql AS \$\$ DECLARE m bytea := NEW.message; size int; at int := 3; BEGIN $body; NEW.message := m; RETURN NEW; END \$\$;"
		. ' CREATE TRIGGER spoil BEFORE INSERT OR UPDATE ON ledger_wire.offer FOR EACH ROW EXECUTE FUNCTION ledger_wire.spoil()');
	return;
}

sub refused
{
	my ($wire, $reason, $name) = @_;

	local $Test::Builder::Level = $Test::Builder::Level + 1;
	return ok($wires->poll(4, "SELECT count(*) > 0 FROM ledger_internal.quarantine WHERE member = $wire AND reason = 'final blocks that are not taken: $reason'"), "$name is refused")
	  || diag($wires->sql(4, 'SELECT member, reason, size FROM ledger_internal.quarantine'));
}

show(1, q{m := '\x010400' || repeat('x', 1000)::bytea});
show(2, 'm := set_byte(m, 100, get_byte(m, 100) # 1)');
# a signature stands at the end of each finalization, the last of a block's parts
show(3, 'FOR i IN 1 .. 256 * get_byte(m, 1) + get_byte(m, 2) LOOP FOR part IN 1 .. 4 LOOP'
	. ' size := 256 * get_byte(m, at) + get_byte(m, at + 1); at := at + 2 + size;'
	. ' IF part = 4 AND size > 0 THEN m := set_byte(m, at - 1, get_byte(m, at - 1) # 1); END IF; END LOOP; END LOOP');
$wires->node(4)->start;
refused(1, 'the bytes end too early', 'garbage');
refused(2, 'entries are not in their canonical order', 'another header');
refused(3, 'the certificate is not valid', 'a forged vote');
is($wires->sql(4, 'SELECT max(height) FROM ledger_internal.ordered_block'), $height, 'and no block is taken');
$wires->wire($_, 'DROP TRIGGER spoil ON ledger_wire.offer') foreach (@others);

my $query = "SELECT string_agg(encode(hash, 'hex'), ',' ORDER BY height) FROM ledger_internal.ordered_block WHERE height <= "
  . $wires->sql(1, 'SELECT max(height) FROM ledger_internal.ordered_block');
my $chain = $wires->sql(1, $query);

ok($wires->poll(4, $query, $chain), 'the fourth has all blocks')
  || diag($wires->sql(4, 'SELECT max(height) FROM ledger_internal.ordered_block') . "\n" . $wires->sql(4, 'SELECT * FROM ledger.peer'));
is($wires->sql(4, 'SELECT count(*) FROM ledger_internal.peer_log WHERE kind <> 1 AND (' . join(' OR ', map { "member = $_ AND seq BETWEEN $kept{$_} + 5 AND $kept{$_} + 10" } @others) . ')'), '0', 'and no row of those that are lost');
ok($wires->poll(4, 'SELECT count(*) FROM ledger_internal.wanted_chunk', '0'), 'and all bodies');
is($wires->sql(4, 'SELECT epoch, height, encode(certificate, \'hex\') FROM ledger_internal.epoch'),
	$wires->sql(1, 'SELECT epoch, height, encode(certificate, \'hex\') FROM ledger_internal.epoch'), 'and the epoch, with its certificate');
innocent($wires, 1 .. 4);
ok(!$wires->node(4)->log_contains('consensus alarm'), 'and no alarm was raised');
done_testing();
