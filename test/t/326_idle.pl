# A consortium where nothing is inserted: nobody writes a log row, and no WAL but
# what a server writes by itself.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../lib";

use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(usleep);

use LedgerWire;

my $wires = LedgerWire->new(4, ordered => 1, conf => "autovacuum = off\n");
my @members = (1 .. 4);

# Rows come to rest without all links; what is still to be made is written down when it is.
foreach my $member (@members)
{
	$wires->wait_streaming($member, $_) foreach (grep { $_ != $member } @members);
}
$wires->insert($_, 2) foreach (@members);
ok($wires->rest(@members), 'all come to rest');
$wires->agree('and have all rows');

# Reading may tidy pages, which is written down: now, not later.
foreach my $member (@members)
{
	$wires->sql($member, 'VACUUM');
	$wires->wire($member, 'VACUUM');
	$wires->sql($member, 'CHECKPOINT');
}
my @rows = map { log_rows($_) } @members;
my @begin = map { $wires->sql($_, 'SELECT pg_current_wal_insert_lsn()') } @members;

usleep(5_000_000);
foreach my $member (@members)
{
	is(CORE::join("\n", records($member, $begin[ $member - 1 ])), '', "member $member writes no WAL");
	is(log_rows($member), $rows[ $member - 1 ], 'and no rows');
}

# The same question when something does happen.
$wires->insert(2, 1);
$wires->agree('a row more');
isnt(CORE::join('', records(1, $begin[0])), '', 'one row of another member is seen in the WAL');
done_testing();

sub log_rows
{
	my ($member) = @_;

	return $wires->sql($member, 'SELECT (SELECT count(*) FROM ledger_internal.own_log), (SELECT count(*) FROM ledger_internal.peer_log)');
}

# Since then, those aside that a server writes when nobody uses it.
sub records
{
	my ($member, $begin) = @_;
	my $node = $wires->node($member);
	my $end = $wires->sql($member, 'SELECT pg_current_wal_flush_lsn()');

	return () if $wires->sql($member, "SELECT '$end'::pg_lsn <= '$begin'") eq 't';
	my ($output) = PostgreSQL::Test::Utils::run_command([ 'pg_waldump', '-p', $node->data_dir . '/pg_wal', '-s', $begin, '-e', $end ]);

	return grep { /^rmgr:/ && !/^rmgr: (?:XLOG|Standby) / } split /\n/, $output;
}
