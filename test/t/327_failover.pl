# A member away for longer than the others keep WAL; a planned switchover to a
# standby; two servers that live with one key.  No final row is lost, nothing
# contradicts, and whoever may not sign does not.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../lib";

use PostgreSQL::Test::Utils;
use Test::More;

use LedgerCluster;
use LedgerRejoin;
use LedgerWire;

my $wires = LedgerWire->new(4, ordered => 1, conf => "max_slot_wal_keep_size = '32MB'\nmax_wal_size = '64MB'\n");
my @members = (1 .. 4);
my @final;	# [member, ref, height]

sub others { my ($member) = @_; return grep { $_ != $member } @members }

sub insert
{
	my ($member, $name) = @_;
	my $ref = $wires->sql($member, 'INSERT INTO cdr VALUES (1) RETURNING ledger_ref');
	my $height = $wires->sql($member, "SELECT ledger.wait_final('$ref', '170 s')");

	local $Test::Builder::Level = $Test::Builder::Level + 1;
	like($height, qr/^\d+$/, "$name: a row of member $member is final");
	push @final, [ $member, $ref, $height ];
	return $height;
}

# Everybody has the newest block of these.
sub same_blocks
{
	my ($name, @who) = @_;
	my ($highest) = sort { $b <=> $a } map { $wires->sql($_, 'SELECT max(height) FROM ledger.block') } @who;
	my $query = "SELECT md5(string_agg(hash::text, ',' ORDER BY height)), max(height) FROM ledger.block WHERE height <= $highest";
	my ($first) = grep { $wires->sql($_, $query) =~ /\|$highest$/ } @who;
	my $blocks = $wires->sql($first, $query);
	my @late = grep { !$wires->poll($_, $query, $blocks) } @who;

	local $Test::Builder::Level = $Test::Builder::Level + 1;
	is("@late", '', "$name: the blocks up to $highest are the same");
	return;
}

foreach my $member (@members)
{
	$wires->wait_streaming($member, $_) foreach (others($member));
	insert($member, 'at first');
}

# Away for longer than WAL is kept for it: its slots are lost.
$wires->node(4)->stop('immediate');
foreach my $member (others(4))
{
	insert($member, 'with one away');
	for (1 .. 8)
	{
		$wires->sql($member, "SELECT pg_logical_emit_message(false, 'test', repeat('x', 8000000))") foreach (1 .. 2);
		$wires->sql($member, 'SELECT pg_switch_wal()');
	}
	$wires->sql($member, 'CHECKPOINT');
	ok($wires->node($member)->wait_for_log('invalidating obsolete replication slot .*_4_log|slot .*_4_log was of no use any more'), "the slot of member 4 at member $member is lost");
}
insert($_, 'with one away, still') foreach (others(4));
$wires->node(4)->start;
same_blocks('it has followed', @members);
insert(4, 'back again');
foreach my $member (others(4))
{
	ok($wires->poll(4, "SELECT log_link = 'streaming' AND body_link = 'streaming' FROM ledger.peer WHERE member = $member"), "its link to member $member streams again");
}

# A planned switchover: the standby has everything when the primary goes.
my $primary = $wires->node(2);
my $standby = LedgerCluster->new('standby2');

$primary->backup('standby');
$standby->init_from_backup($primary, 'standby', has_streaming => 1);
$standby->start;
insert(2, 'beside a standby');
$primary->wait_for_catchup($standby);
for my $view (split /\n/, $wires->sql(2, q{SELECT oid::regclass FROM pg_class WHERE relkind = 'v' AND relnamespace = 'ledger'::regnamespace ORDER BY 1}))
{
	like($standby->safe_psql('postgres', "SELECT count(*) FROM $view"), qr/^\d+$/, "the standby of a member shows $view");
}
is($standby->safe_psql('postgres', "SELECT kind, height, detail FROM ledger.verify(mode => 'full')"), '', 'and verifies clean');
my @logs = map { -s $wires->node($_)->logfile } @members;
$primary->stop('fast');
$standby->stop('fast');
$standby->append_conf('postgresql.conf', 'port = ' . $primary->port . "\n");
append_to_file($standby->data_dir . '/postgresql.conf', "unix_socket_directories = '" . $primary->host . "'\n");
$standby->{_port} = $primary->port;
$standby->{_host} = $primary->host;
$standby->start;
$standby->promote;
$wires->{nodes}[1] = $standby;
ok($wires->poll(2, 'SELECT state FROM ledger.status', 'live'), 'the promoted standby is the member');
insert($_, 'after the switchover') foreach (@members);
same_blocks('with the promoted standby', @members);
foreach my $member (others(2))
{
	ok($wires->poll($member, "SELECT log_link = 'streaming' AND body_link = 'streaming' FROM ledger.peer WHERE member = 2"), "the link of member $member to it streams");
	ok(!$wires->node($member)->log_contains('consensus alarm', $logs[ $member - 1 ]), 'and no alarm was raised');
}
ok(!$standby->log_contains('consensus alarm'), 'nor by it');

# The old primary comes back by mistake, with a copy of the key: nobody hears it.
my $keys = $primary->basedir . '/keys';
my $ghost_keys = $primary->basedir . '/ghost';

system_or_bail('cp', '-a', $keys, $ghost_keys);
$primary->append_conf('postgresql.conf', 'port = ' . PostgreSQL::Test::Cluster::get_free_port() . "\ntelco_ledger.key_directory = '$ghost_keys'\n");
($primary->{_port}) = slurp_file($primary->data_dir . '/postgresql.conf') =~ /.*^port = (\d+)/ms;
unlink glob("$ghost_keys/*.state");
$primary->start;
my $rows = $primary->safe_psql('postgres', 'SELECT count(*) FROM ledger_internal.own_log');

$primary->poll_query_until('postgres', "SELECT count(*) = 1 FROM pg_stat_activity WHERE backend_type = 'telco_ledger wire'");
ok($primary->wait_for_log('others have rows of this node that it lacks'), 'the old primary is told that others have more of it');
insert($_, 'beside the old primary') foreach (@members);
is($primary->safe_psql('postgres', 'SELECT count(*) FROM ledger_internal.own_log'), $rows, 'it signs nothing');
$primary->stop('immediate');
same_blocks('without it', @members);

foreach my $member (@members)
{
	my $list = join ',', map { "('$_->[1]'::ledger.ref, $_->[2])" } grep { $_->[0] == $member } @final;

	is($wires->sql($member, "SELECT count(*) FROM (VALUES $list) AS a (ref, height) WHERE ledger.height(ref) IS DISTINCT FROM height"), '0', "the final rows of member $member are where they were");
	is($wires->sql($member, q{SELECT * FROM ledger.verify(mode => 'full')}), '', 'and it verifies clean');
}
innocent($wires, @members);
done_testing();
