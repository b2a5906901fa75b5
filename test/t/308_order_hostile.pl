# Three members order batches while the fourth one lies: nothing that lacks a
# body is acknowledged, and nothing that he signs ends the ordering.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../lib";

use PostgreSQL::Test::Utils;
use Test::More;

use LedgerWire;

my $wires = LedgerWire->new(3, ordered => 1, outside => 1);
my $liar = $wires->add_publisher(4);
my @members = (1 .. 3);
my $zeros = '\\x' . '00' x 32;

foreach my $member (@members)
{
	$wires->wait_streaming($member, $_) foreach (grep { $_ != $member } 1 .. 4);
}

# The lanes of the last block, as "member:batch ...".
my $cut = LedgerWire::CUT;
my $rounds = 0;
my $lane = '';

# The three order what they submit, and of the liar's lane what $lane says.
sub orders
{
	my ($name) = @_;
	my (@late, @lanes);

	$rounds++;
	$wires->sql($_, "SELECT ledger_internal.submit(convert_to('round $rounds of $_', 'UTF8'))") foreach (@members);
	foreach my $member (@members)
	{
		$wires->poll($member, 'SELECT count(*) = 0 FROM ledger_internal.submitted') or diag("member $member makes no batch");
		push @lanes, "$member:" . $wires->sql($member, 'SELECT count(*) FROM ledger_internal.own_log WHERE kind = 1');
	}
	foreach my $member (@members)
	{
		push @late, $member if !$wires->poll($member, $cut, join ' ', @lanes, $lane || ());
	}
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	is("@late", '', "$name: three members order")
	  || diag(map { $wires->sql($_, $cut) . "\n" } @members);
	return;
}

sub kept
{
	my ($member) = @_;

	return $wires->poll($member, "SELECT max(seq) = $liar->{seq} FROM ledger_internal.peer_log WHERE member = 4");
}

orders('at first');
my @processes = map { $wires->wire_pid($_) } @members;

# A batch whose body nobody has.
my $body = '\\x99887766';
my $payload = $liar->batch(1, $zeros, $body);
my $digest = $liar->sql("SELECT sha256('\\x00'::bytea || '$payload'::bytea)");
my $acknowledged = "SELECT count(*) FROM ledger_internal.own_log WHERE kind = 2 AND position('$digest'::bytea in message) > 0";

$liar->publish(kind => 1, payload => $payload);
foreach my $member (@members)
{
	kept($member);
	ok($wires->poll($member, 'SELECT count(*) FROM ledger_internal.wanted_chunk', '1'), "member $member wants the body of a batch");
}
orders('without that batch');
is($wires->sql($_, $acknowledged), '0', "member $_ has not acknowledged it") foreach (@members);
$liar->sql("INSERT INTO ledger_wire.body_4 (chunk) VALUES ('$body')");
$lane = '4:1';
orders('with the body');
ok($wires->poll($_, 'SELECT count(*) FROM ledger_internal.wanted_chunk', '0'), "member $_ has fetched it") foreach (@members);

# Rows of an epoch that has not begun, and two of them for one place.
my $epochal = $liar->{seq} + 1;
my ($other) = $liar->row(epoch => 1, payload => '\\x77');
$liar->publish(epoch => 1);
kept($_) foreach (@members);
orders('after a row of an epoch to come');
$liar->send($other);
foreach my $member (@members)
{
	ok($wires->poll($member, "SELECT count(*) = 1 FROM ledger_internal.contradiction WHERE member = 4 AND seq = $epochal"), "member $member keeps a contradiction of that epoch");
}
orders('after the contradiction');

# A GOVERN row with nothing in it.
$liar->publish(kind => 9, epoch => 1, payload => '\\x');
kept($_) foreach (@members);
orders('after an empty GOVERN row');
is($wires->sql($_, 'SELECT count(*) FROM ledger.motion'), '0', "member $_ has heard of no motion") foreach (@members);
is(join(' ', map { $wires->wire_pid($_) } @members), "@processes", 'no process has ended');

# The core waits ten seconds for the liar's answer after a start.  If that time ends while
# this node is about to offer a batch, which comes too early then, what the core signs in
# that very step is stored all the same.
{
	my $session = $wires->node(1)->background_psql('postgres', on_error_stop => 1);

	$session->query_safe("BEGIN; SELECT ledger_internal.submit('held up'); LOCK TABLE ledger_internal.submitted");
	my $process = $wires->restart_wire(1);

	ok($wires->poll(1, "SELECT count(*) > 0 FROM pg_locks WHERE pid = $process AND NOT granted"), 'its process waits for the table');
	sleep 11;
	$session->query_safe('COMMIT');
	$session->quit;
	orders('after a start that was held up');
	is($wires->wire_pid(1), $process, 'and its process goes on');
}

# A start reads long logs in parts.
sub restart_process
{
	my $pid = $wires->restart_wire(1);

	orders('after a start');
	return $pid;
}

SKIP:
{
	skip 'memory is told by /proc', 3 if !-r "/proc/$$/status";

	my $peak = sub { slurp_file("/proc/$_[0]/status") =~ /^VmPeak:\s*(\d+)/m; return $1 / 1024 };
	my $before = $peak->(restart_process());

	$liar->publish(epoch => 1, payload => '\\x' . '5a' x 3_000_000) foreach (1 .. 20);
	kept($_) foreach (@members);
	cmp_ok($peak->(restart_process()) - $before, '<', 30, 'and not a long one all at once');
}

done_testing();
