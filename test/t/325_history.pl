# Four members insert while processes and servers are killed and links between
# them are cut, at random: what clients were told stays true, everywhere alike.
#
# TL_HISTORY_SECONDS says for how long, TL_HISTORY_SEED repeats the choices; make
# soak runs it for longer.  Every link goes through a process that can cut it.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../lib";

use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(time usleep);

use LedgerHistory;
use LedgerProxy;
use LedgerWire;

my $seconds = $ENV{TL_HISTORY_SECONDS} // 12;
my $seed = $ENV{TL_HISTORY_SEED} // int(rand(1_000_000));
my $wires = LedgerWire->new(4, ordered => 1, link => 0);
my @members = (1 .. $wires->count);
my @links = map { my $from = $_; map { [ $from, $_ ] } grep { $_ != $from } @members } @members;
my $proxy = LedgerProxy->new([ map { [ @$_, socket_of($_->[1]) ] } @links ]);

note("TL_HISTORY_SEED=$seed");
srand($seed);
foreach my $link (@links)
{
	$wires->introduce(@$link, sprintf 'host=127.0.0.1 port=%d dbname=%s', $proxy->port(@$link), LedgerWire::WIRE);
}
$wires->wait_streaming(@$_) foreach (@links);

my $history = LedgerHistory->new($wires, clients => 2);
my $end = time + $seconds;
my %done;

while (time < $end)
{
	my $what = (qw(process process server part hold close heal))[ int rand 7 ];

	usleep(200_000 + int rand 1_500_000);
	$history->tend;
	$done{$what}++ if trouble($what);
}
$proxy->heal;
foreach my $member (@members)
{
	$wires->node($member)->wait_ready;
	$wires->poll($member, 'SELECT true');
}
# with everybody back rows become final, also those of the clients
$history->tend;
$wires->insert($_, 1) foreach (@members);
$history->stop;
note(join ', ', map { "$_: $done{$_}" } sort keys %done);
$history->check;
cmp_ok($history->acknowledged, '>', 0, 'rows were final meanwhile: ' . $history->acknowledged);
foreach my $member (@members)
{
	is($wires->sql($member, q{SELECT * FROM ledger.verify(mode => 'full')}), '', "member $member verifies clean");
	is($wires->sql($member, 'SELECT (SELECT count(*) FROM ledger_internal.contradiction), (SELECT count(*) FROM ledger_internal.quarantine)'),
		'0|0', 'and was shown no contradiction and nothing to refuse');
	ok(!$wires->node($member)->log_contains('consensus alarm'), 'no alarm was raised');
}
$proxy->stop;
done_testing();

sub socket_of
{
	my ($member) = @_;
	my $node = $wires->node($member);

	return $node->host . '/.s.PGSQL.' . $node->port;
}

# One kind of it; true if it came to that.
sub trouble
{
	my ($what) = @_;
	my $victim = 1 + int rand @members;
	my @around = grep { $_->[0] == $victim || $_->[1] == $victim } @links;

	return kill_process($wires->node($victim)) if $what eq 'process';
	if ($what eq 'server') { $wires->node($victim)->crash_and_restart }
	elsif ($what eq 'part') { $proxy->cut('close', @around) }
	elsif ($what eq 'hold') { $proxy->cut('hold', @around) }
	elsif ($what eq 'close') { $proxy->cut('close', grep { rand() < 0.3 } @links) }
	else { $proxy->heal }
	return 1;
}

# Any of a server, of the ledger or of the wire; the postmaster starts all anew.
sub kill_process
{
	my ($node) = @_;
	my $pids = '';

	$node->psql('postgres', 'SELECT pid FROM pg_stat_activity WHERE pid <> pg_backend_pid() ORDER BY pid', stdout => \$pids);
	my @pids = split ' ', $pids;

	return 0 if !@pids || kill('KILL', $pids[ int rand @pids ]) != 1;
	$node->wait_ready;
	return 1;
}
